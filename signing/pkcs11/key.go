//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	p11 "github.com/miekg/pkcs11"

	"segell/signing"
)

// key is a private key on a token.
type key struct {
	config     Config
	module     *module
	cert       *x509.Certificate
	sessions   chan *session // as many as may be used at a time; nil is one that is not open
	pinRefused atomic.Bool
	closing    sync.Once
	closed     chan struct{}
}

const (
	defaultSessions = 4
	defaultTimeout  = 10 * time.Second
)

// check fills in what is left out and gives every fault.
func (c *Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Module == "" {
		fault("Module: the path of the token's library is needed")
	}
	if c.Token == "" {
		fault("Token: the label of the token is needed")
	}
	if c.PIN == "" {
		fault("PIN: the user's PIN is needed")
	}
	if c.Label == "" && len(c.ID) == 0 {
		fault("Label: the label or the ID of the key is needed")
	}
	if c.Sessions < 0 || c.Sessions > MaxSessions {
		fault("Sessions: from 1 to %d are accepted", MaxSessions)
	}
	if c.Timeout < 0 {
		fault("Timeout: must not be negative")
	}
	if c.Sessions == 0 {
		c.Sessions = defaultSessions
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return errors.Join(faults...)
}

// errConfig: it lies in the configuration, not in the token's being away.
var errConfig = errors.New("the configuration does not fit the token")

// Open starts the library, logs in, finds the key and the certificate, and signs once to prove that they belong together.
// It waits as long as ctx and Config.Timeout allow. The error wraps signing.ErrKeyUnavailable when the token is not there
// or does not answer.
func Open(ctx context.Context, c Config) (signing.Key, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	type result struct {
		key *key
		err error
	}
	opened := make(chan result, 1)
	go func() {
		k, err := open(c)
		opened <- result{k, err}
	}()
	select {
	case r := <-opened:
		if r.err != nil {
			return nil, fmt.Errorf("PKCS#11: %w", r.err)
		}
		return r.key, nil
	case <-limited.Done():
		go func() { // it may answer yet
			if r := <-opened; r.key != nil {
				r.key.Close()
			}
		}()
		return nil, signing.Unanswered(ctx, "PKCS#11: the token", c.Timeout)
	}
}

func open(c Config) (*key, error) {
	m, err := hold(c.Module)
	if err != nil {
		return nil, err
	}
	k := &key{config: c, module: m, cert: c.Certificate, sessions: make(chan *session, c.Sessions), closed: make(chan struct{})}
	first, err := k.first()
	for range c.Sessions - 1 {
		k.sessions <- nil
	}
	k.sessions <- first
	if err == nil {
		err = k.prove()
	}
	if err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// first opens the first session and reads the certificate if it is not given. Where another key started the library, it is
// started again for a token that came since.
func (k *key) first() (s *session, err error) {
	for range 2 {
		k.module.mu.RLock()
		life := k.module.life
		if s, err = k.newSession(); err == nil && k.cert == nil {
			k.cert, err = k.certificate(s)
		}
		if err == nil {
			err = k.sameKind(s)
		}
		k.module.mu.RUnlock()
		if err == nil || lasting(err) || errors.Is(err, ErrNoKey) {
			return s, err
		}
		if again := k.module.restart(life); again != nil {
			return nil, unavailable(again)
		}
	}
	return nil, unavailable(err)
}

// prove signs once and verifies the signature under the certificate.
func (k *key) prove() error {
	algorithm := x509.SHA256WithRSA
	if _, elliptic := k.cert.PublicKey.(*ecdsa.PublicKey); elliptic {
		algorithm = x509.ECDSAWithSHA256
	}
	message := make([]byte, 32)
	rand.Read(message)
	signature, err := k.sign(message, crypto.SHA256)
	if err != nil {
		return err
	}
	if k.cert.CheckSignature(algorithm, message, signature) != nil {
		return k.foreign()
	}
	return nil
}

func (k *key) foreign() error {
	return fmt.Errorf("%w: the key (%s) does not belong to the certificate of %q", errConfig, k.config.name(), k.cert.Subject.CommonName)
}

func (k *key) Certificate() *x509.Certificate { return k.cert }
func (k *key) Chain() []*x509.Certificate     { return k.config.Chain }

func (k *key) Sign(ctx context.Context, message []byte, hash crypto.Hash) ([]byte, error) {
	if err := signing.CheckMessage(message, hash); err != nil {
		return nil, err
	}
	if !k.isOpen() {
		return nil, signing.ErrKeyClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("PKCS#11: %w", err)
	}
	if !k.module.again(k.isOpen) {
		return nil, signing.ErrKeyClosed
	}
	limited, cancel := context.WithTimeout(ctx, k.config.Timeout)
	defer cancel()
	var s *session
	select {
	case s = <-k.sessions:
	case <-k.closed:
		go k.module.release()
		return nil, signing.ErrKeyClosed
	case <-limited.Done():
		go k.module.release()
		return nil, signing.Unanswered(ctx, "PKCS#11: the token, busy with others,", k.config.Timeout)
	}
	type result struct {
		signature []byte
		err       error
	}
	made := make(chan result, 1)
	go func() {
		defer k.module.release()
		s, signature, err := k.signIn(s, message, hash)
		k.giveBack(s)
		made <- result{signature, err}
	}()
	select {
	case r := <-made:
		if r.err != nil {
			return nil, fmt.Errorf("PKCS#11: %w", r.err)
		}
		return r.signature, nil
	case <-limited.Done():
		return nil, signing.Unanswered(ctx, "PKCS#11: the token", k.config.Timeout)
	}
}

// sign makes a signature in any session, as long as it takes.
func (k *key) sign(message []byte, hash crypto.Hash) ([]byte, error) {
	s, signature, err := k.signIn(<-k.sessions, message, hash)
	k.sessions <- s
	return signature, err
}

// signIn makes a signature in s, else in a new session, else in a new session of the library started again. It gives the
// session that is to be used next.
func (k *key) signIn(s *session, message []byte, hash crypto.Hash) (*session, []byte, error) {
	h := hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	for restarted := false; ; {
		next, signature, life, err := k.try(s, digest, hash)
		if err == nil {
			return next, signature, nil
		}
		if lasting(err) {
			return nil, nil, fmt.Errorf("%w: %w", signing.ErrKeyRefused, err)
		}
		fresh := s == nil || s.life != life
		s = nil
		if !fresh {
			continue
		}
		if restarted {
			return nil, nil, unavailable(err)
		}
		restarted = true
		if again := k.module.restart(life); again != nil {
			return nil, nil, unavailable(again)
		}
	}
}

// try makes a signature in s, or in a new session if s is none of the library's present life, which it tells.
func (k *key) try(s *session, digest []byte, hash crypto.Hash) (_ *session, signature []byte, life int, err error) {
	k.module.mu.RLock()
	defer k.module.mu.RUnlock()
	life = k.module.life
	if s == nil || s.life != life {
		if s, err = k.newSession(); err != nil {
			return nil, nil, life, err
		}
	}
	if signature, err = k.signDigest(s, digest, hash); err != nil {
		k.drop(s) // it may be in the middle of an operation
		return nil, nil, life, err
	}
	return s, signature, life, nil
}

// giveBack lets others use the session, or ends it when the key was closed meanwhile.
func (k *key) giveBack(s *session) {
	k.sessions <- s
	if !k.isOpen() {
		k.dropIdle()
	}
}

func (k *key) dropIdle() {
	k.module.mu.RLock()
	defer k.module.mu.RUnlock()
	for {
		select {
		case s := <-k.sessions:
			k.drop(s)
		default:
			return
		}
	}
}

func (k *key) isOpen() bool {
	select {
	case <-k.closed:
		return false
	default:
		return true
	}
}

// Close ends the sessions. One that is signing ends afterwards; one that hangs is not waited for.
func (k *key) Close() error {
	k.closing.Do(func() {
		close(k.closed)
		done := make(chan struct{})
		go func() {
			defer close(done)
			k.dropIdle()
			k.module.release()
		}()
		select {
		case <-done:
		case <-time.After(k.config.Timeout):
		}
	})
	return nil
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", signing.ErrKeyUnavailable, err) }

// lasting tells what trying again cannot mend. All else is taken for a token that is away: libraries report that in many
// ways, CKR_GENERAL_ERROR and codes of the vendor among them.
func lasting(err error) bool {
	return errors.Is(err, errConfig) || errors.Is(err, ErrRefusedPIN) ||
		is(err, p11.CKR_KEY_FUNCTION_NOT_PERMITTED, p11.CKR_KEY_TYPE_INCONSISTENT, p11.CKR_KEY_SIZE_RANGE, p11.CKR_MECHANISM_INVALID,
			p11.CKR_MECHANISM_PARAM_INVALID, p11.CKR_DATA_LEN_RANGE, p11.CKR_USER_PIN_NOT_INITIALIZED)
}

func is(err error, codes ...p11.Error) bool {
	var code p11.Error
	return errors.As(err, &code) && slices.Contains(codes, code)
}
