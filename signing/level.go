package signing

import "slices"

// Level is a baseline level of PAdES (ETSI EN 319 142-1, clause 6.1).
type Level string

// The levels that Segell makes. Each contains the ones before.
const (
	// BB is the signature alone.
	BB Level = "B-B"
	// BT adds a time-stamp over the signature: it existed at that time.
	BT Level = "B-T"
	// BLT adds evidence that no certificate had been revoked: nobody need be asked any more.
	BLT Level = "B-LT"
	// BLTA adds a document time-stamp over everything, which keeps the proof when the certificates end and algorithms age.
	BLTA Level = "B-LTA"
)

var levels = []Level{BB, BT, BLT, BLTA} // ascending

// Includes says whether a document of level l keeps the promise of level other. The empty level includes none.
func (l Level) Includes(other Level) bool {
	i, j := slices.Index(levels, l), slices.Index(levels, other)
	return i >= 0 && j >= 0 && i >= j
}
