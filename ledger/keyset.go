package ledger

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrKeyUnknown says that something was encrypted under a key that this process
// does not have (yet): wait and alarm, it is not a failure of the request.
var ErrKeyUnknown = errors.New("encrypted under a key that the configured keyset does not hold")

// Keyset encrypts what the ledger keeps of a request. It is a tink keyset of
// AEAD keys: the primary one writes, every enabled one reads. Keys are added at
// its end, so those before the primary are old and those after it are to come.
type Keyset struct {
	aead    tink.AEAD
	primary uint32
	order   []uint32             // as they were added
	known   map[uint32]tink.AEAD // each as if it were the primary
}

// NewKeyset makes a keyset of one fresh AES-256-GCM key and returns it as JSON,
// in clear: it is a secret, to be kept as one.
func NewKeyset() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("making a keyset: %w", err)
	}
	return writeKeyset(handle)
}

func writeKeyset(handle *keyset.Handle) ([]byte, error) {
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&out)); err != nil {
		return nil, fmt.Errorf("writing a keyset: %w", err)
	}
	return out.Bytes(), nil
}

func readHandle(json []byte) (*keyset.Handle, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(json)))
	if err != nil {
		// tink quotes nothing of the keyset, but its words say little.
		return nil, fmt.Errorf("not a tink keyset in JSON (make one with `segell keys new`): %w", err)
	}
	return handle, nil
}

// ReadKeyset reads the JSON that NewKeyset wrote, or any tink AEAD keyset.
func ReadKeyset(json []byte) (*Keyset, error) {
	handle, err := readHandle(json)
	if err != nil {
		return nil, err
	}
	cipher, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("the keyset cannot encrypt (an AEAD keyset is needed; make one with `segell keys new`): %w", err)
	}
	info := handle.KeysetInfo()
	k := &Keyset{aead: cipher, primary: info.GetPrimaryKeyId(), known: map[uint32]tink.AEAD{}}
	for _, key := range info.GetKeyInfo() {
		if key.GetStatus() != tinkpb.KeyStatusType_ENABLED {
			continue
		}
		id := key.GetKeyId()
		k.order = append(k.order, id)
		if k.known[id], err = alone(json, id); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// alone is the cipher that writes with one key of a keyset.
func alone(json []byte, id uint32) (tink.AEAD, error) {
	handle, err := withPrimary(json, id)
	if err != nil {
		return nil, err
	}
	return aead.New(handle)
}

func withPrimary(json []byte, id uint32) (*keyset.Handle, error) {
	handle, err := readHandle(json)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManagerFromHandle(handle)
	if err := manager.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("choosing a key of the keyset: %w", err)
	}
	return manager.Handle()
}

// seal encrypts plain for one place in the bucket: a ciphertext copied to
// another key does not open there.
func (k *Keyset) seal(plain []byte, place string) ([]byte, error) {
	return k.aead.Encrypt(plain, []byte(place))
}

func (k *Keyset) open(sealed []byte, place string) ([]byte, error) {
	if id, ok := keyIDOf(sealed); ok && k.known[id] == nil {
		return nil, fmt.Errorf("%w (key id %d)", ErrKeyUnknown, id)
	}
	plain, err := k.aead.Decrypt(sealed, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("%w: what lies there is not what was written", ErrDamaged)
	}
	return plain, nil
}

// keyIDOf reads which key encrypted something: a tink ciphertext begins with
// 0x01 and the id of its key.
func keyIDOf(sealed []byte) (id uint32, ok bool) {
	if len(sealed) <= 5 || sealed[0] != 1 {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:5]), true
}

func keyID(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

func (k *Keyset) primaryID() string { return keyID(k.primary) }

// HMACKeySize is the size of the key that hides holders and clients, in bytes.
const HMACKeySize = 32

// NewHMACKey draws the key that hides holders and clients in object keys. It is
// never rotated (the version in the path is for the day it must be), so it is
// kept apart from the keyset.
func NewHMACKey(random io.Reader) (string, error) {
	key := make([]byte, HMACKeySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return "", fmt.Errorf("drawing an HMAC key: %w", err)
	}
	return hex.EncodeToString(key), nil
}

// ReadHMACKey reads what NewHMACKey wrote: 64 hexadecimal digits.
func ReadHMACKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != HMACKeySize {
		return nil, fmt.Errorf("the HMAC key must be %d hexadecimal digits (make one with `segell keys new`)", 2*HMACKeySize)
	}
	return key, nil
}

// mac is HMAC-SHA256 in hexadecimal over parts, each preceded by its length so
// that no two lists of parts look alike. The purpose keeps uses apart.
func (l *Ledger) mac(purpose string, parts ...string) string {
	h := hmac.New(sha256.New, l.hmacKey)
	var size [8]byte
	for _, part := range append([]string{purpose}, parts...) {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
