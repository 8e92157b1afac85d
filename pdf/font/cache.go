package font

import (
	"crypto/sha256"
	"sync"
	"unsafe"
)

// faces holds every face of the process: by content, and in front of that by identity of the bytes, since hashing a
// few hundred kilobytes would take longer than writing a certificate. The pointer in an identity keeps the bytes
// alive, so an address cannot come to mean other bytes.
var faces = struct {
	sync.RWMutex
	byIdentity map[identity]*Face
	byContent  map[[sha256.Size]byte]*Face
	copies     int
}{byIdentity: map[identity]*Face{}, byContent: map[[sha256.Size]byte]*Face{}}

type identity struct {
	first  *byte
	length int
}

// mostIdentities bounds what a caller who reads his fonts anew for each document makes us keep alive: the bytes each
// face was parsed from, and so many copies.
const mostIdentities = 8

// Load parses a font file or returns the face it parsed before from the same bytes. The bytes are kept and must not be
// changed afterwards. Give the same slice each time: bytes that are only equal have to be hashed. Safe for concurrent
// use.
func Load(data []byte) (*Face, error) {
	id := identity{unsafe.SliceData(data), len(data)}
	faces.RLock()
	face := faces.byIdentity[id]
	faces.RUnlock()
	if face != nil {
		return face, nil
	}
	sum := sha256.Sum256(data)
	faces.Lock()
	defer faces.Unlock()
	if face = faces.byContent[sum]; face == nil {
		var err error
		if face, err = Parse(data); err != nil {
			return nil, err
		}
		faces.byContent[sum] = face
		faces.byIdentity[id] = face
	} else if faces.copies < mostIdentities {
		faces.copies++
		faces.byIdentity[id] = face
	}
	return face, nil
}
