package staff

import (
	"context"
	"crypto/rand"
)

// Production is what passwords cost outside of these tests, which log in a few
// hundred times.
var Production = cost

func init() { cost = hashed{memory: 64, passes: 1, lanes: 1} }

// Hash makes a hash as production does.
func Hash(password string) (string, error) {
	cheap := cost
	defer func() { cost = cheap }()
	cost = Production
	k, err := newKiln(rand.Reader)
	if err != nil {
		return "", err
	}
	return k.hash(context.Background(), password)
}

// Right compares as Login does.
func Right(hash, password string) (bool, error) {
	k, err := newKiln(rand.Reader)
	if err != nil {
		return false, err
	}
	return k.right(context.Background(), k.strangers, hash, password)
}

// Hashes is how many passwords were hashed by this process.
func Hashes() int64 { return hashes.Load() }

var TOTPCode = totpCode

// StrangersMost is how many strangers' logins are under way at a time.
const StrangersMost = strangersAtOnce + waitingMost

// SessionsMost is how many sessions an account has at a time.
const SessionsMost = sessionsMost
