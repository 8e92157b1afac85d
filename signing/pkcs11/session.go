//go:build pkcs11 && cgo

package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	p11 "github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A session is logged in and knows the key's handle in it.
type session struct {
	handle p11.SessionHandle
	key    p11.ObjectHandle
	always bool // the PIN is wanted for every signature (CKA_ALWAYS_AUTHENTICATE)
	life   int  // of the module
}

// newSession opens a session, logs in and finds the key. The module's lock is held for reading.
func (k *key) newSession() (*session, error) {
	if k.pinRefused.Load() {
		return nil, fmt.Errorf("%w; it is not given again, lest the token be locked: start again with the right one", ErrRefusedPIN)
	}
	slot, err := k.slot()
	if err != nil {
		return nil, err
	}
	lib := k.module.lib
	handle, err := lib.OpenSession(slot, p11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, fmt.Errorf("open a session: %w", err)
	}
	s := &session{handle: handle, life: k.module.life}
	if err = k.login(handle, p11.CKU_USER); err == nil {
		s.key, err = k.findKey(handle)
	}
	if err == nil {
		s.always, err = wantsPIN(lib, handle, s.key)
	}
	if err != nil {
		k.drop(s)
		return nil, err
	}
	return s, nil
}

// drop ends a session. It may be gone already.
func (k *key) drop(s *session) {
	if s != nil && s.life == k.module.life {
		_ = k.module.lib.CloseSession(s.handle)
	}
}

// slot finds the token by its label.
func (k *key) slot() (uint, error) {
	slots, err := k.module.lib.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("list the tokens: %w", err)
	}
	var found []uint
	var there []string
	for _, slot := range slots {
		info, err := k.module.lib.GetTokenInfo(slot)
		if err != nil || info.Flags&p11.CKF_TOKEN_INITIALIZED == 0 {
			continue // pulled out this moment, or empty
		}
		label := strings.TrimRight(info.Label, " \x00")
		there = append(there, fmt.Sprintf("%q", label))
		if label == k.config.Token {
			found = append(found, slot)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if there == nil {
			there = []string{"none"}
		}
		return 0, fmt.Errorf("%w: %q; there: %s", ErrNoToken, k.config.Token, strings.Join(there, ", "))
	}
	return 0, fmt.Errorf("%w: %d tokens have the label %q", errConfig, len(found), k.config.Token)
}

// login is for the whole token: PKCS#11 shares it among all sessions of a process.
func (k *key) login(handle p11.SessionHandle, user uint) error {
	err := k.module.lib.Login(handle, user, k.config.PIN)
	switch {
	case err == nil || is(err, p11.CKR_USER_ALREADY_LOGGED_IN) && user == p11.CKU_USER:
		return nil
	case is(err, p11.CKR_PIN_INCORRECT, p11.CKR_PIN_INVALID, p11.CKR_PIN_LEN_RANGE, p11.CKR_PIN_EXPIRED, p11.CKR_PIN_LOCKED):
		k.pinRefused.Store(true)
		return fmt.Errorf("%w: %w", ErrRefusedPIN, err)
	}
	return fmt.Errorf("log in: %w", err)
}

func (k *key) findKey(handle p11.SessionHandle) (p11.ObjectHandle, error) {
	template := []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY)}
	if k.config.Label != "" {
		template = append(template, p11.NewAttribute(p11.CKA_LABEL, k.config.Label))
	}
	if len(k.config.ID) > 0 {
		template = append(template, p11.NewAttribute(p11.CKA_ID, k.config.ID))
	}
	found, err := find(k.module.lib, handle, template)
	switch {
	case err != nil:
		return 0, fmt.Errorf("look for the key: %w", err)
	case len(found) == 0:
		return 0, fmt.Errorf("%w on the token %q: %s", ErrNoKey, k.config.Token, k.config.name())
	case len(found) > 1:
		return 0, fmt.Errorf("%w: more than one private key on the token %q is %s: give label and ID", errConfig, k.config.Token, k.config.name())
	}
	return found[0], nil
}

func (c *Config) name() string {
	return strings.TrimSpace(fmt.Sprintf("label %q, ID %x", c.Label, c.ID))
}

// find gives two objects at most: the second says that there are several.
func find(lib *p11.Ctx, handle p11.SessionHandle, template []*p11.Attribute) ([]p11.ObjectHandle, error) {
	if err := lib.FindObjectsInit(handle, template); err != nil {
		return nil, err
	}
	found, _, err := lib.FindObjects(handle, 2)
	return found, errors.Join(err, lib.FindObjectsFinal(handle))
}

func wantsPIN(lib *p11.Ctx, handle p11.SessionHandle, key p11.ObjectHandle) (bool, error) {
	values, err := lib.GetAttributeValue(handle, key, []*p11.Attribute{p11.NewAttribute(p11.CKA_ALWAYS_AUTHENTICATE, nil)})
	switch {
	case is(err, p11.CKR_ATTRIBUTE_TYPE_INVALID): // a token older than the attribute
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read the key's attributes: %w", err)
	}
	return len(values) == 1 && bytes.Equal(values[0].Value, []byte{1}), nil
}

// certificate reads the one certificate that has the private key's CKA_ID.
func (k *key) certificate(s *session) (*x509.Certificate, error) {
	lib := k.module.lib
	id, err := lib.GetAttributeValue(s.handle, s.key, []*p11.Attribute{p11.NewAttribute(p11.CKA_ID, nil)})
	if err != nil {
		return nil, fmt.Errorf("read the key's CKA_ID: %w", err)
	}
	found, err := find(lib, s.handle, []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE),
		p11.NewAttribute(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509), p11.NewAttribute(p11.CKA_ID, id[0].Value)})
	if err != nil {
		return nil, fmt.Errorf("look for the certificate: %w", err)
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%w: on the token %q there is not exactly one certificate with the key's ID %x: give it in a file",
			errConfig, k.config.Token, id[0].Value)
	}
	values, err := lib.GetAttributeValue(s.handle, found[0], []*p11.Attribute{p11.NewAttribute(p11.CKA_VALUE, nil)})
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(values[0].Value)
	if err != nil {
		return nil, fmt.Errorf("%w: the certificate on the token: %w", errConfig, err)
	}
	return cert, nil
}

// sameKind compares the kind of the key with that of the certificate: tokens say nothing useful when it is another.
func (k *key) sameKind(s *session) error {
	kind := uint(p11.CKK_RSA)
	switch k.cert.PublicKey.(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		kind = p11.CKK_EC
	default:
		return fmt.Errorf("%w: the certificate is for a key of type %T: RSA or ECDSA are accepted", errConfig, k.cert.PublicKey)
	}
	wanted := p11.NewAttribute(p11.CKA_KEY_TYPE, kind)
	values, err := k.module.lib.GetAttributeValue(s.handle, s.key, []*p11.Attribute{p11.NewAttribute(p11.CKA_KEY_TYPE, nil)})
	if err != nil {
		return fmt.Errorf("read the key's type: %w", err)
	}
	if !bytes.Equal(values[0].Value, wanted.Value) {
		return k.foreign()
	}
	return nil
}

// The DigestInfo of RFC 8017, section 9.2, up to the digest.
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
}

// signDigest makes one signature. Only digests are given to the token: CKM_ECDSA and CKM_RSA_PKCS are what every one has.
func (k *key) signDigest(s *session, digest []byte, hash crypto.Hash) ([]byte, error) {
	curve, elliptic := k.cert.PublicKey.(*ecdsa.PublicKey)
	mechanism, data := uint(p11.CKM_RSA_PKCS), slices.Concat(digestInfo[hash], digest)
	if elliptic {
		// A digest longer than the curve's order is cut (FIPS 186-5, section 6.4.1), which not every token does.
		mechanism, data = p11.CKM_ECDSA, digest[:min(len(digest), (curve.Params().N.BitLen()+7)/8)]
	}
	lib := k.module.lib
	if err := lib.SignInit(s.handle, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, s.key); err != nil {
		return nil, fmt.Errorf("begin a signature: %w", err)
	}
	if s.always {
		if err := k.login(s.handle, p11.CKU_CONTEXT_SPECIFIC); err != nil {
			return nil, err
		}
	}
	signature, err := lib.Sign(s.handle, data)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if elliptic {
		return ecdsaDER(signature)
	}
	return signature, nil
}

// ecdsaDER makes the two numbers of PKCS#11 (r and s, of the same length) into an Ecdsa-Sig-Value (RFC 3279, section 2.2.3).
func ecdsaDER(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 {
		return nil, fmt.Errorf("the token gives %d bytes as an ECDSA signature", len(raw))
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:len(raw)/2]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[len(raw)/2:]))
	})
	return b.Bytes()
}
