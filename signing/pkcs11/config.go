// Package pkcs11 seals with a key that never leaves its token: a hardware security module, a smart card, or SoftHSM.
//
// A token is reached through the library of its vendor (OASIS PKCS#11), which is C: the package works in binaries built
// with cgo and `-tags pkcs11`. In others [Open] returns [ErrNotBuilt].
//
// What a vendor's library can do to a server, and what is done about it:
//
//   - It hangs when the network to the module does. A call into C cannot be ended, so each runs beside the caller, who waits
//     no longer than the context and [Config.Timeout] allow. At most Sessions calls hang at a time.
//   - Sessions die: the module was restarted, the card was pulled, another process logged out. A session that fails is
//     thrown away and the signature is tried in a new one.
//   - It remembers tokens that are gone and does not see those that came. When a new session fails too, the library is
//     started again (C_Finalize, C_Initialize), then the signature is tried for the last time.
//   - It locks the token after a few wrong PINs. A PIN that was refused is never given again by the same key.
package pkcs11

import (
	"crypto/x509"
	"errors"
	"time"
)

// ErrNotBuilt: this binary has no PKCS#11 in it.
var ErrNotBuilt = errors.New("this binary was built without PKCS#11: build it with cgo and -tags pkcs11 (make build-pkcs11)")

// What Open finds wrong, beside the library's own errors.
var (
	// ErrNoToken: the token is not there. The error wraps signing.ErrKeyUnavailable too: it may come.
	ErrNoToken = errors.New("no such token")
	// ErrNoKey: the key is not on the token. Found missing later, it is a key out of reach: its owner may be restoring it.
	ErrNoKey = errors.New("no such key")
	// ErrRefusedPIN: the token did not accept the PIN. It is not tried again.
	ErrRefusedPIN = errors.New("the token refuses the PIN")
)

// Config says which key of which token. Module, Token, PIN and a Label or an ID are needed.
type Config struct {
	Module string // path of the vendor's library, such as /usr/lib/softhsm/libsofthsm2.so
	Token  string // label of the token
	PIN    string // the user's PIN; it is in no error
	Label  string // CKA_LABEL of the private key
	ID     []byte // CKA_ID of the private key

	// Certificate is that of the key; nil takes it from the token, where it has the private key's CKA_ID.
	Certificate *x509.Certificate
	// Chain holds the authorities above the certificate. The root may be left out.
	Chain []*x509.Certificate

	// Sessions is how many signatures are made at a time; 4 when zero. Tokens have a limit of their own.
	Sessions int
	// Timeout bounds one signature, with all that is done to get the token back; 10 s when zero.
	Timeout time.Duration
}

// MaxSessions is the highest Config.Sessions.
const MaxSessions = 256
