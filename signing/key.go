package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"software.sslmate.com/src/go-pkcs12"
)

// Key is a private key that can seal, wherever it is kept, and its certificate. Implementations are safe for concurrent
// use and honour the context in every wait.
type Key interface {
	// Certificate is the seal certificate. It never changes: a new certificate is a new Key.
	Certificate() *x509.Certificate
	// Chain holds the authorities above the certificate, nearest first. The root may be left out.
	Chain() []*x509.Certificate
	// Sign signs a digest made with hash: PKCS#1 v1.5 with an RSA key, ASN.1 ECDSA with an elliptic one. When the key is
	// out of reach for now (token removed, service away, session lost) the error wraps ErrKeyUnavailable; any other error
	// is for good. The caller verifies what it is given.
	Sign(ctx context.Context, digest []byte, hash crypto.Hash) ([]byte, error)
	// Close releases sessions and memory; Sign fails afterwards.
	Close() error
}

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
}

func (k *pkcs12Key) Certificate() *x509.Certificate { return k.cert }
func (k *pkcs12Key) Chain() []*x509.Certificate     { return k.chain }
func (k *pkcs12Key) Close() error                   { return nil }

func (k *pkcs12Key) Sign(ctx context.Context, digest []byte, hash crypto.Hash) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return k.signer.Sign(rand.Reader, digest, hash)
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

// handle is a Key in the shape that pdfsign wants, for one signature. It verifies what the key made before anyone uses
// it, and refuses a second signature: pdfsign would ask for one if the space it reserved were too small.
type handle struct {
	ctx  context.Context
	key  Key
	used bool
}

func (h *handle) Public() crypto.PublicKey { return h.key.Certificate().PublicKey }

func (h *handle) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if h.used {
		return nil, fmt.Errorf("%w: the space reserved for the signature is too small", ErrUnsound)
	}
	h.used = true
	return signVerified(h.ctx, h.key, digest, opts.HashFunc())
}

// signVerified signs and verifies the signature under the certificate: a key store that answers with another key, or
// with a damaged value, is found out here.
func signVerified(ctx context.Context, key Key, digest []byte, hash crypto.Hash) ([]byte, error) {
	signature, err := key.Sign(ctx, digest, hash)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	cert := key.Certificate()
	_, isRSA := cert.PublicKey.(*rsa.PublicKey)
	if err := verifySignature(cert, isRSA, hash, digest, signature); err != nil {
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
