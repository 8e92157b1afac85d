package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha1"   // only to name the certificate of older time-stamping authorities (RFC 5816)
	_ "crypto/sha256" // the digests that signatures and time-stamps may use
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// This file reads CMS SignedData (RFC 5652) with one signer, strictly DER. The libraries that make the signature read
// more: BER, several signers, missing attributes, trailing bytes. What decides over trust must not be generous.

const (
	maxCMS          = 256 << 10 // bytes of one SignedData
	maxCertificates = 16        // in one SignedData
	maxAttributes   = 32
	maxModulus      = 8192 // bits: verifying with a monstrous key takes seconds
	minModulus      = 2048
)

var errCMS = errors.New("not the strict form of a CMS signature")

func cmsFault(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errCMS, fmt.Sprintf(format, args...))
}

var (
	oidSignedData           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData                 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidTSTInfo              = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCertificate   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertificateV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidSignatureTimeStamp   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}

	digestOIDs = map[string]crypto.Hash{
		"2.16.840.1.101.3.4.2.1": crypto.SHA256,
		"2.16.840.1.101.3.4.2.2": crypto.SHA384,
		"2.16.840.1.101.3.4.2.3": crypto.SHA512,
	}

	// signatureOIDs says which key and which digest a signature algorithm binds; digest 0 is the signer's own.
	signatureOIDs = map[string]struct {
		rsa    bool
		digest crypto.Hash
	}{
		"1.2.840.113549.1.1.1":  {true, 0},
		"1.2.840.113549.1.1.11": {true, crypto.SHA256},
		"1.2.840.113549.1.1.12": {true, crypto.SHA384},
		"1.2.840.113549.1.1.13": {true, crypto.SHA512},
		"1.2.840.10045.4.3.2":   {false, crypto.SHA256},
		"1.2.840.10045.4.3.3":   {false, crypto.SHA384},
		"1.2.840.10045.4.3.4":   {false, crypto.SHA512},
	}
)

type signedData struct {
	contentType  asn1.ObjectIdentifier
	content      []byte // nil when the content is detached
	certificates []*x509.Certificate

	certificate     *x509.Certificate // the signer's, found among certificates
	digest          crypto.Hash
	signedAttrs     []attribute
	signedAttrsDER  []byte // as signed: with the tag of a SET
	signatureRSA    bool
	signatureDigest crypto.Hash
	signature       []byte
	unsigned        []attribute

	// The encoding, in parts, for writing it again: see withUnsigned and withSignature.
	beforeCertificates, beforeSigners, signerBody []byte
}

type attribute struct {
	oid    asn1.ObjectIdentifier
	values []cryptobyte.String // each a whole DER element
}

// parseSignedData reads a ContentInfo with SignedData. der must be nothing else.
func parseSignedData(der []byte, seen *verified) (*signedData, error) {
	if len(der) > maxCMS {
		return nil, cmsFault("larger than %d bytes", maxCMS)
	}
	in := cryptobyte.String(der)
	var info, explicit, data cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !in.Empty() ||
		!info.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidSignedData) ||
		!info.ReadASN1(&explicit, cbasn1.Tag(0).ContextSpecific().Constructed()) || !info.Empty() ||
		!explicit.ReadASN1(&data, cbasn1.SEQUENCE) || !explicit.Empty() {
		return nil, cmsFault("no SignedData")
	}
	whole := []byte(data)

	var version int
	var digests, encapsulated cryptobyte.String
	if !data.ReadASN1Integer(&version) || !data.ReadASN1(&digests, cbasn1.SET) || !data.ReadASN1(&encapsulated, cbasn1.SEQUENCE) {
		return nil, cmsFault("a broken SignedData")
	}
	sd := &signedData{}
	digest, err := readDigest(&digests)
	if err != nil {
		return nil, err
	}
	if !digests.Empty() {
		return nil, cmsFault("more than one digest algorithm")
	}
	if !encapsulated.ReadASN1ObjectIdentifier(&sd.contentType) {
		return nil, cmsFault("no content type")
	}
	if !encapsulated.Empty() {
		var explicit, content cryptobyte.String
		if !encapsulated.ReadASN1(&explicit, cbasn1.Tag(0).ContextSpecific().Constructed()) || !encapsulated.Empty() ||
			!explicit.ReadASN1(&content, cbasn1.OCTET_STRING) || !explicit.Empty() {
			return nil, cmsFault("a broken content")
		}
		sd.content = append([]byte{}, content...)
	}
	// RFC 5652 section 5.1: version 1 for plain data, 3 for any other content.
	if want := map[bool]int{true: 1, false: 3}[sd.contentType.Equal(oidData)]; version != want {
		return nil, cmsFault("version %d where %d belongs", version, want)
	}

	sd.beforeCertificates = whole[:len(whole)-len(data)]
	var certificates cryptobyte.String
	var present bool
	if !data.ReadOptionalASN1(&certificates, &present, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, cmsFault("broken certificates")
	}
	for !certificates.Empty() {
		var one cryptobyte.String
		if len(sd.certificates) == maxCertificates || !certificates.ReadASN1Element(&one, cbasn1.SEQUENCE) {
			return nil, cmsFault("broken or too many certificates")
		}
		cert, err := seen.certificate(one)
		if err != nil {
			return nil, err
		}
		sd.certificates = append(sd.certificates, cert)
	}
	if data.PeekASN1Tag(cbasn1.Tag(1).ContextSpecific().Constructed()) {
		return nil, cmsFault("revocation lists inside, which PAdES keeps outside")
	}
	sd.beforeSigners = whole[:len(whole)-len(data)]

	var signers, signer cryptobyte.String
	if !data.ReadASN1(&signers, cbasn1.SET) || !data.Empty() ||
		!signers.ReadASN1(&signer, cbasn1.SEQUENCE) || !signers.Empty() {
		return nil, cmsFault("not exactly one signer")
	}
	if err := sd.readSigner(signer); err != nil {
		return nil, err
	}
	if sd.digest != digest {
		return nil, cmsFault("the signer uses another digest than announced")
	}
	return sd, nil
}

func (sd *signedData) readSigner(in cryptobyte.String) error {
	whole := []byte(in)
	var version int
	if !in.ReadASN1Integer(&version) {
		return cmsFault("a broken signer")
	}
	var id cryptobyte.String
	switch {
	case in.PeekASN1Tag(cbasn1.SEQUENCE):
		var issuer cryptobyte.String
		serial := new(big.Int)
		if version != 1 || !in.ReadASN1(&id, cbasn1.SEQUENCE) || !id.ReadASN1Element(&issuer, cbasn1.SEQUENCE) ||
			!id.ReadASN1Integer(serial) || !id.Empty() {
			return cmsFault("a broken signer identifier")
		}
		for _, cert := range sd.certificates {
			if bytes.Equal(cert.RawIssuer, issuer) && cert.SerialNumber.Cmp(serial) == 0 {
				sd.certificate = cert
				break
			}
		}
	case in.PeekASN1Tag(cbasn1.Tag(0).ContextSpecific()):
		if version != 3 || !in.ReadASN1(&id, cbasn1.Tag(0).ContextSpecific()) {
			return cmsFault("a broken signer identifier")
		}
		for _, cert := range sd.certificates {
			if len(cert.SubjectKeyId) > 0 && bytes.Equal(cert.SubjectKeyId, id) {
				sd.certificate = cert
				break
			}
		}
	default:
		return cmsFault("a broken signer identifier")
	}
	if sd.certificate == nil {
		return cmsFault("the signer's certificate is not inside")
	}

	var err error
	if sd.digest, err = readDigest(&in); err != nil {
		return err
	}
	signedTag := cbasn1.Tag(0).ContextSpecific().Constructed()
	var element cryptobyte.String
	if !in.ReadASN1Element(&element, signedTag) {
		return cmsFault("no signed attributes")
	}
	// What is signed is the SET OF, not the implicit tag that stands in its place (RFC 5652 section 5.4).
	sd.signedAttrsDER = append([]byte{byte(cbasn1.SET)}, element[1:]...)
	var attrs cryptobyte.String
	if !element.ReadASN1(&attrs, signedTag) {
		return cmsFault("broken signed attributes")
	}
	if sd.signedAttrs, err = readAttributes(attrs); err != nil {
		return err
	}

	if sd.signatureRSA, sd.signatureDigest, err = readSignatureAlgorithm(&in); err != nil {
		return err
	}
	if sd.signatureDigest == 0 {
		sd.signatureDigest = sd.digest
	}
	if sd.signatureDigest != sd.digest {
		return cmsFault("the signature algorithm's digest differs from the signer's")
	}
	var signature cryptobyte.String
	if !in.ReadASN1(&signature, cbasn1.OCTET_STRING) || len(signature) == 0 {
		return cmsFault("no signature value")
	}
	sd.signature = append([]byte{}, signature...)
	sd.signerBody = whole[:len(whole)-len(in)]

	if !in.Empty() {
		var unsigned cryptobyte.String
		if !in.ReadASN1(&unsigned, cbasn1.Tag(1).ContextSpecific().Constructed()) || !in.Empty() {
			return cmsFault("broken unsigned attributes")
		}
		if sd.unsigned, err = readAttributes(unsigned); err != nil {
			return err
		}
	}
	return nil
}

// parseCertificate reads one certificate; monstrous keys are refused before anything is verified with them.
func parseCertificate(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, cmsFault("a certificate that cannot be read: %v", err)
	}
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxModulus {
		return nil, cmsFault("a certificate with an RSA key over %d bits", maxModulus)
	}
	return cert, nil
}

// readSignatureAlgorithm reads an AlgorithmIdentifier of a signature; digest is 0 when the algorithm does not say it.
func readSignatureAlgorithm(in *cryptobyte.String) (isRSA bool, digest crypto.Hash, err error) {
	var algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) || !emptyParameters(&algorithm) {
		return false, 0, cmsFault("a broken signature algorithm")
	}
	known, ok := signatureOIDs[oid.String()]
	if !ok {
		return false, 0, cmsFault("signature algorithm %s is not accepted (RSA PKCS#1 v1.5 or ECDSA with SHA-2)", oid)
	}
	return known.rsa, known.digest, nil
}

// readDigest reads an AlgorithmIdentifier of a digest.
func readDigest(in *cryptobyte.String) (crypto.Hash, error) {
	var algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) || !emptyParameters(&algorithm) {
		return 0, cmsFault("a broken digest algorithm")
	}
	hash, ok := digestOIDs[oid.String()]
	if !ok {
		return 0, cmsFault("digest algorithm %s is not accepted (SHA-256, SHA-384 or SHA-512)", oid)
	}
	return hash, nil
}

// emptyParameters accepts absent parameters or NULL, and nothing after.
func emptyParameters(in *cryptobyte.String) bool {
	if in.Empty() {
		return true
	}
	var null cryptobyte.String
	return in.ReadASN1(&null, cbasn1.NULL) && null.Empty() && in.Empty()
}

func readAttributes(in cryptobyte.String) ([]attribute, error) {
	var list []attribute
	for !in.Empty() {
		var one, values cryptobyte.String
		var a attribute
		if len(list) == maxAttributes || !in.ReadASN1(&one, cbasn1.SEQUENCE) ||
			!one.ReadASN1ObjectIdentifier(&a.oid) || !one.ReadASN1(&values, cbasn1.SET) || !one.Empty() || values.Empty() {
			return nil, cmsFault("broken or too many attributes")
		}
		for !values.Empty() {
			var v cryptobyte.String
			var tag cbasn1.Tag
			if len(a.values) == maxAttributes || !values.ReadAnyASN1Element(&v, &tag) {
				return nil, cmsFault("a broken attribute")
			}
			a.values = append(a.values, v)
		}
		for _, b := range list {
			if b.oid.Equal(a.oid) {
				return nil, cmsFault("attribute %s occurs twice", a.oid)
			}
		}
		list = append(list, a)
	}
	return list, nil
}

// single gives the one value of an attribute; nil when the attribute is missing.
func single(list []attribute, oid asn1.ObjectIdentifier) (cryptobyte.String, error) {
	for _, a := range list {
		if a.oid.Equal(oid) {
			if len(a.values) != 1 {
				return nil, cmsFault("attribute %s has %d values", oid, len(a.values))
			}
			return a.values[0], nil
		}
	}
	return nil, nil
}

// checkDigest compares the content type and the message digest with what was signed (RFC 5652 section 11.1 and 11.2).
func (sd *signedData) checkDigest(sum []byte) error {
	v, err := single(sd.signedAttrs, oidContentType)
	if err != nil {
		return err
	}
	var contentType asn1.ObjectIdentifier
	if !v.ReadASN1ObjectIdentifier(&contentType) || !v.Empty() || !contentType.Equal(sd.contentType) {
		return cmsFault("the content-type attribute is missing or another")
	}
	if v, err = single(sd.signedAttrs, oidMessageDigest); err != nil {
		return err
	}
	var digest cryptobyte.String
	if !v.ReadASN1(&digest, cbasn1.OCTET_STRING) || !v.Empty() {
		return cmsFault("no message-digest attribute")
	}
	if !bytes.Equal(digest, sum) {
		return errors.New("the digest differs: the bytes are not those that were signed")
	}
	return nil
}

// checkSignature verifies the signature value under the signer's certificate.
func (sd *signedData) checkSignature(seen *verified) error {
	h := sd.digest.New()
	h.Write(sd.signedAttrsDER)
	return seen.signature(sd.certificate, sd.signatureRSA, sd.digest, h.Sum(nil), sd.signature)
}

func verifySignature(cert *x509.Certificate, wantRSA bool, hash crypto.Hash, digest, signature []byte) error {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if !wantRSA {
			return errors.New("an ECDSA signature under an RSA certificate")
		}
		if bits := key.N.BitLen(); bits < minModulus || bits > maxModulus {
			return fmt.Errorf("an RSA key of %d bits (from %d to %d are accepted)", bits, minModulus, maxModulus)
		}
		if rsa.VerifyPKCS1v15(key, hash, digest, signature) != nil {
			return errors.New("the signature value does not fit the certificate")
		}
		return nil
	case *ecdsa.PublicKey:
		if wantRSA {
			return errors.New("an RSA signature under an ECDSA certificate")
		}
		if !ecdsa.VerifyASN1(key, digest, signature) {
			return errors.New("the signature value does not fit the certificate")
		}
		return nil
	}
	return fmt.Errorf("a key of type %T is not accepted (RSA or ECDSA)", cert.PublicKey)
}

// checkSigningCertificate compares the signing-certificate-v2 attribute (RFC 5035) with the signer's certificate. A
// time-stamp may carry the older attribute instead (RFC 5816): allowV1.
func (sd *signedData) checkSigningCertificate(allowV1 bool) error {
	v, err := single(sd.signedAttrs, oidSigningCertificateV2)
	if err != nil {
		return err
	}
	hash := crypto.SHA256
	v1 := false
	if v == nil && allowV1 {
		if v, err = single(sd.signedAttrs, oidSigningCertificate); err != nil {
			return err
		}
		hash, v1 = crypto.SHA1, true
	}
	if v == nil {
		return cmsFault("no signing-certificate-v2 attribute")
	}
	var attr, certs, first, certHash cryptobyte.String
	if !v.ReadASN1(&attr, cbasn1.SEQUENCE) || !v.Empty() || !attr.ReadASN1(&certs, cbasn1.SEQUENCE) || !certs.ReadASN1(&first, cbasn1.SEQUENCE) {
		return cmsFault("a broken signing-certificate attribute")
	}
	if !v1 && first.PeekASN1Tag(cbasn1.SEQUENCE) {
		if hash, err = readDigest(&first); err != nil {
			return err
		}
	}
	if !first.ReadASN1(&certHash, cbasn1.OCTET_STRING) || !hash.Available() {
		return cmsFault("a broken signing-certificate attribute")
	}
	h := hash.New()
	h.Write(sd.certificate.Raw)
	if !bytes.Equal(h.Sum(nil), certHash) {
		return errors.New("the signature names another certificate than the one that verifies it")
	}
	if first.Empty() {
		return nil
	}
	var issuerSerial, names, directory, name cryptobyte.String
	serial := new(big.Int)
	tag := cbasn1.Tag(4).ContextSpecific().Constructed()
	if !first.ReadASN1(&issuerSerial, cbasn1.SEQUENCE) || !first.Empty() ||
		!issuerSerial.ReadASN1(&names, cbasn1.SEQUENCE) || !issuerSerial.ReadASN1Integer(serial) || !issuerSerial.Empty() ||
		!names.ReadASN1(&directory, tag) || !names.Empty() ||
		!directory.ReadASN1Element(&name, cbasn1.SEQUENCE) || !directory.Empty() {
		return cmsFault("a broken signing-certificate attribute")
	}
	if !bytes.Equal(name, sd.certificate.RawIssuer) || serial.Cmp(sd.certificate.SerialNumber) != 0 {
		return errors.New("the signature names another certificate than the one that verifies it")
	}
	return nil
}

// withUnsigned gives the SignedData again with one unsigned attribute; it must have none yet.
func (sd *signedData) withUnsigned(oid asn1.ObjectIdentifier, value []byte) ([]byte, error) {
	return sd.again(sd.beforeSigners, func(signer *cryptobyte.Builder) {
		signer.AddBytes(sd.signerBody)
		signer.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oid)
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(value) })
			})
		})
	})
}

// withSignature gives the SignedData again with another signature value and these certificates, the signer's first; it
// must have no unsigned attributes. Neither is covered by what is signed.
func (sd *signedData) withSignature(value []byte, certificates []*x509.Certificate) ([]byte, error) {
	var before cryptobyte.Builder
	before.AddBytes(sd.beforeCertificates)
	before.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		for _, cert := range certificates {
			b.AddBytes(cert.Raw)
		}
	})
	beforeSigners, err := before.Bytes()
	if err != nil {
		return nil, err
	}
	var own cryptobyte.Builder
	own.AddASN1OctetString(sd.signature)
	end, err := own.Bytes()
	if err != nil {
		return nil, err
	}
	return sd.again(beforeSigners, func(signer *cryptobyte.Builder) {
		signer.AddBytes(bytes.TrimSuffix(sd.signerBody, end)) // the value is the body's last element
		signer.AddASN1OctetString(value)
	})
}

// again writes the SignedData with what write adds as its one SignerInfo.
func (sd *signedData) again(beforeSigners []byte, write func(signer *cryptobyte.Builder)) ([]byte, error) {
	if len(sd.unsigned) > 0 {
		return nil, errors.New("write the signature again: there are unsigned attributes already")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(beforeSigners)
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, write) })
			})
		})
	})
	return b.Bytes()
}
