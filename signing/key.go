package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// Key is a private key that can seal, wherever it is kept, and its certificate. Implementations are safe for concurrent
// use and honour the context in every wait.
type Key interface {
	// Certificate is the seal certificate. It never changes: a new certificate is a new Key.
	Certificate() *x509.Certificate
	// Chain holds the authorities above the certificate, nearest first. The root may be left out.
	Chain() []*x509.Certificate
	// Sign digests message, of at most MaxMessage bytes, with hash and signs the digest: PKCS#1 v1.5 with an RSA key, ASN.1
	// ECDSA with an elliptic one. It takes the message because some services digest for themselves.
	//
	// When the key is out of reach for now (token removed, service away, session lost) the error wraps ErrKeyUnavailable;
	// when its store refuses until somebody mends that (PIN, permission, key disabled), ErrKeyRefused.
	// When ctx is cancelled the error wraps context.Canceled; when its deadline passes, context.DeadlineExceeded, and
	// ErrKeyUnavailable too if a store was waited for. Any other error is for good. The caller verifies what it is given.
	Sign(ctx context.Context, message []byte, hash crypto.Hash) ([]byte, error)
	// Close releases sessions and memory; Sign fails with ErrKeyClosed afterwards. Closing again is no fault.
	Close() error
}

// MaxMessage is how many bytes a Key signs at most, which is what AWS KMS takes. The signed attributes of a seal have
// about 200.
const MaxMessage = 4096

// OpenPKCS12 opens a key, its certificate and the chain from the bytes of a PKCS#12 file (.p12, .pfx). It fails when the
// password is wrong, when the key and the certificate do not belong together, or when the file holds more than one key.
func OpenPKCS12(data []byte, password string) (Key, error) {
	private, cert, others, err := pkcs12.DecodeChain(data, password)
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return nil, errors.New("PKCS#12: the password is wrong")
	}
	if err != nil {
		return nil, fmt.Errorf("PKCS#12: %w", err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("PKCS#12: a key of type %T cannot sign", private)
	}
	pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(signer.Public()) {
		return nil, errors.New("PKCS#12: the key does not belong to the certificate")
	}
	return &pkcs12Key{signer: signer, cert: cert, chain: inOrder(cert, others)}, nil
}

type pkcs12Key struct {
	signer crypto.Signer
	cert   *x509.Certificate
	chain  []*x509.Certificate
	closed atomic.Bool
}

func (k *pkcs12Key) Certificate() *x509.Certificate { return k.cert }
func (k *pkcs12Key) Chain() []*x509.Certificate     { return k.chain }

func (k *pkcs12Key) Close() error {
	k.closed.Store(true)
	return nil
}

func (k *pkcs12Key) Sign(ctx context.Context, message []byte, hash crypto.Hash) ([]byte, error) {
	if err := CheckMessage(message, hash); err != nil {
		return nil, err
	}
	if k.closed.Load() {
		return nil, ErrKeyClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return crypto.SignMessage(k.signer, rand.Reader, message, hash)
}

// CheckMessage refuses what no Key signs: a message that is empty or longer than MaxMessage, and every hash but SHA-256,
// SHA-384 and SHA-512.
func CheckMessage(message []byte, hash crypto.Hash) error {
	if len(message) == 0 || len(message) > MaxMessage {
		return fmt.Errorf("a message of %d bytes: from 1 to %d are signed", len(message), MaxMessage)
	}
	switch hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
		return nil
	}
	return fmt.Errorf("the hash %v: SHA-256, SHA-384 or SHA-512 are accepted", hash)
}

// Unanswered is the error of a Key whose store, by its name, did not answer before ctx ended or, within it, the Key's own
// limit.
func Unanswered(ctx context.Context, store string, limit time.Duration) error {
	switch err := ctx.Err(); {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s did not answer: %w", store, err)
	case err != nil:
		return fmt.Errorf("%w: %s did not answer: %w", ErrKeyUnavailable, store, err)
	}
	return fmt.Errorf("%w: %s did not answer within %s", ErrKeyUnavailable, store, limit)
}

// ReadCertificates reads PEM certificates for a key whose store holds none: that of the seal, which is the only one that
// is no authority's, and the authorities above it, in any order. cert is nil where there are authorities alone.
func ReadCertificates(text []byte) (cert *x509.Certificate, authorities []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, nil, fmt.Errorf("holds a block %q beside certificates", block.Type)
		}
		c, err := parseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case c.IsCA:
			authorities = append(authorities, c)
		case cert != nil && !c.Equal(cert):
			return nil, nil, errors.New("holds more than one certificate that is no authority's: which is the seal's cannot be told")
		default:
			cert = c
		}
	}
	if cert == nil && authorities == nil {
		return nil, nil, errors.New("holds no certificate in PEM")
	}
	return cert, authorities, nil
}

// inOrder gives the issuers of cert among others, nearest first; what does not belong to the chain is left out.
func inOrder(cert *x509.Certificate, others []*x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for range others {
		var next *x509.Certificate
		for _, c := range others {
			if bytes.Equal(c.RawSubject, cert.RawIssuer) && !c.Equal(cert) && cert.CheckSignatureFrom(c) == nil {
				next = c
				break
			}
		}
		if next == nil {
			break
		}
		chain = append(chain, next)
		cert = next
	}
	return chain
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// signVerified signs and verifies the signature under the certificate: a key store that answers with another key, or
// with a damaged value, is found out here.
func signVerified(ctx context.Context, key Key, message []byte, hash crypto.Hash, seen *verified) ([]byte, error) {
	signature, err := key.Sign(ctx, message, hash)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	cert := key.Certificate()
	_, isRSA := cert.PublicKey.(*rsa.PublicKey)
	h := hash.New()
	h.Write(message)
	if err := seen.signature(cert, isRSA, hash, h.Sum(nil), signature); err != nil {
		return nil, fmt.Errorf("%w: what the key signed does not verify under its certificate: %w", ErrUnsound, err)
	}
	return signature, nil
}

// checkStrength refuses keys weaker than RSA-3072 or P-256 and curves that readers do not know.
func checkStrength(pub crypto.PublicKey) error {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if bits := pub.N.BitLen(); bits < 3072 || bits > maxModulus {
			return fmt.Errorf("RSA of %d bits: from 3072 to %d are accepted", bits, maxModulus)
		}
		return nil
	case *ecdsa.PublicKey:
		switch name := pub.Curve.Params().Name; name {
		case "P-256", "P-384", "P-521":
			return nil
		default:
			return fmt.Errorf("the curve %s: P-256, P-384 or P-521 are accepted", name)
		}
	}
	return fmt.Errorf("a key of type %T: RSA-3072 or stronger, or P-256 or stronger, are accepted", pub)
}
