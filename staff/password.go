package staff

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"unicode"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// cost is what a password costs to try: argon2id as RFC 9106 section 4 recommends
// second, which takes 64 MiB for some tens of milliseconds. Tests pay less.
var cost = hashed{memory: 64 << 10, passes: 3, lanes: 4}

// What a hash that is read may cost at most.
const (
	passesMost    = 12
	memoryMostKiB = 256 << 10
)

const (
	passwordSalt = 16 // bytes
	passwordHash = 32 // bytes
)

// How many hashes are computed at a time, and how many logins may wait for theirs: a
// flood of logins must not take the machine's memory, nor the time of who comes after.
const (
	strangersAtOnce = 2
	knownAtOnce     = 1 // besides: who was here before waits behind no stranger
	waitingMost     = 16
)

const (
	passwordLeast    = 12 // characters
	passwordMost     = 256
	passwordDistinct = 5 // different characters
)

// ErrPassword says that a password will not do; what wraps it says why.
var ErrPassword = errors.New("the password will not do")

// checkPassword judges a new password.
func checkPassword(login, password string) error {
	password = norm.NFC.String(password)
	rest := strings.ReplaceAll(strings.ToLower(password), login, "")
	switch n := len([]rune(password)); {
	case n < passwordLeast:
		return fmt.Errorf("%w: it needs %d characters or more", ErrPassword, passwordLeast)
	case n > passwordMost:
		return fmt.Errorf("%w: it may have %d characters at most", ErrPassword, passwordMost)
	case strings.ContainsFunc(password, unicode.IsControl):
		return fmt.Errorf("%w: it holds a character that cannot be typed everywhere", ErrPassword)
	case len([]rune(rest)) < passwordLeast/2:
		return fmt.Errorf("%w: it is little more than the login", ErrPassword)
	case distinct(password) < passwordDistinct:
		return fmt.Errorf("%w: it repeats too few characters", ErrPassword)
	}
	return nil
}

func distinct(text string) int {
	seen := map[rune]bool{}
	for _, r := range text {
		seen[r] = true
	}
	return len(seen)
}

// drawPassword makes a password that can be read out: 100 random bits in five
// groups.
func drawPassword(random io.Reader) (string, error) {
	const letters = "abcdefghjkmnpqrstvwxyz0123456789" // 32; no i, l, o, u
	bits := make([]byte, 20)
	if _, err := io.ReadFull(random, bits); err != nil {
		return "", fmt.Errorf("drawing a password: %w", err)
	}
	var out strings.Builder
	for i, b := range bits {
		if i > 0 && i%4 == 0 {
			out.WriteByte('-')
		}
		out.WriteByte(letters[b%32])
	}
	return out.String(), nil
}

// hashed is a password's hash, and how it was made.
type hashed struct {
	memory, passes uint32 // KiB; times over it
	lanes          uint8
	salt, sum      []byte
}

// present is how a password is hashed today.
func present(salt []byte) hashed {
	return hashed{memory: cost.memory, passes: cost.passes, lanes: cost.lanes, salt: salt, sum: make([]byte, passwordHash)}
}

func (h hashed) of(password string) []byte {
	return argon2.IDKey([]byte(norm.NFC.String(password)), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.sum)))
}

// String writes a hash in the form that argon2's reference program gives it.
func (h hashed) String() string {
	text := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes, text.EncodeToString(h.salt), text.EncodeToString(h.sum))
}

// readHash reads what String wrote; ok is false for anything else, and for what
// would cost much more than ours.
func readHash(text string) (h hashed, ok bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil {
		return h, false
	}
	var faults [2]error
	h.salt, faults[0] = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.sum, faults[1] = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	return h, errors.Join(faults[:]...) == nil && h.String() == text && len(h.salt) >= 8 && len(h.sum) >= 16 && len(h.sum) <= 64 &&
		h.lanes > 0 && h.passes > 0 && h.passes <= passesMost && h.memory >= 8*uint32(h.lanes) && h.memory <= memoryMostKiB
}

// kiln computes hashes, a few at a time.
type kiln struct {
	strangers, knowns *oven
	salts             io.Reader
	none              hashed // of no password: compared with where there is no account
}

// oven has places for hashes, and a queue before it that is no longer than said.
type oven struct{ places, queued chan struct{} }

func newOven(places int) *oven {
	return &oven{places: make(chan struct{}, places), queued: make(chan struct{}, places+waitingMost)}
}

// queue is to be called before anything is done that a flood would cost, and leave
// when all is done: ErrBusy if the queue is full.
func (o *oven) queue() (leave func(), err error) {
	select {
	case o.queued <- struct{}{}:
		return func() { <-o.queued }, nil
	default:
		return nil, ErrBusy
	}
}

func (k *kiln) oven(known bool) *oven {
	if known {
		return k.knowns
	}
	return k.strangers
}

// hashes counts them, for the test that no login costs more or less than another.
var hashes atomic.Int64

func newKiln(random io.Reader) (*kiln, error) {
	k := &kiln{strangers: newOven(strangersAtOnce), knowns: newOven(knownAtOnce), salts: random}
	salt, err := k.salt()
	k.none = present(salt)
	return k, err
}

func (k *kiln) salt() ([]byte, error) {
	salt := make([]byte, passwordSalt)
	if _, err := io.ReadFull(k.salts, salt); err != nil {
		return nil, fmt.Errorf("drawing the salt of a password: %w", err)
	}
	return salt, nil
}

// burn computes a hash as soon as there is a place.
func (o *oven) burn(ctx context.Context, h hashed, password string) ([]byte, error) {
	select {
	case o.places <- struct{}{}:
		defer func() { <-o.places }()
		hashes.Add(1)
		return h.of(password), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash makes the hash of a new password, which only who was let in can ask for.
func (k *kiln) hash(ctx context.Context, password string) (string, error) {
	salt, err := k.salt()
	if err != nil {
		return "", err
	}
	h := present(salt)
	h.sum, err = k.knowns.burn(ctx, h, password)
	return h.String(), err
}

// right reports whether a password is the one of a hash. Whatever the hash, "" and
// a damaged one included, it computes one: the time tells nobody whether there is
// an account.
func (k *kiln) right(ctx context.Context, o *oven, hash, password string) (bool, error) {
	h, ok := readHash(hash)
	if !ok {
		h = k.none
	}
	if len(password) > 4*passwordMost { // never set as one, and costly to normalise
		password, ok = "", false
	}
	sum, err := o.burn(ctx, h, password)
	return err == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1 && ok, err
}
