package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// How long an OCSP reply and a revocation list say they are good for.
const (
	ocspLife = time.Hour
	crlLife  = 24 * time.Hour
)

const maxRequest = 64 << 10

// serve takes the path itself: the base64 of an OCSP GET may hold slashes, which http.ServeMux would clean away.
func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if path == "/tsa" {
		a.serveTSA(w, r)
		return
	}
	for _, c := range []*ca{a.root, a.sealCA, a.tsaCA} {
		switch {
		case path == "/ca/"+c.name+".cer":
			w.Header().Set("Content-Type", "application/pkix-cert")
			w.Write(c.cert.Raw)
			return
		case path == "/crl/"+c.name+".crl":
			a.serveCRL(w, r, c)
			return
		case path == "/ocsp/"+c.name || strings.HasPrefix(path, "/ocsp/"+c.name+"/"):
			a.serveOCSP(w, r, c, strings.TrimPrefix(strings.TrimPrefix(path, "/ocsp/"+c.name), "/"))
			return
		}
	}
	http.NotFound(w, r)
}

func (a *Authority) serveCRL(w http.ResponseWriter, r *http.Request, c *ca) {
	now := a.opts.Now().UTC().Truncate(time.Second)
	a.mu.Lock()
	how := a.crlFault
	a.mu.Unlock()
	if a.fail(w, r, how, "application/pkix-crl") {
		return
	}
	a.crlReplies.Add(1)
	signer, key := c.cert, c.key
	switch how {
	case Stale:
		now = now.Add(-2 * crlLife)
	case ForeignChain:
		other, err := a.foreignTSA()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		signer, key = &x509.Certificate{RawSubject: c.cert.RawSubject, SubjectKeyId: c.cert.SubjectKeyId, KeyUsage: x509.KeyUsageCRLSign}, other.Key
	}
	a.mu.Lock()
	a.crlNumber++
	list := &x509.RevocationList{
		// A number must grow across restarts too: the time in nanoseconds does, and the counter tells two of one tick apart.
		Number:     new(big.Int).Add(big.NewInt(a.opts.Now().UnixNano()), big.NewInt(a.crlNumber)),
		ThisUpdate: now, NextUpdate: now.Add(crlLife),
	}
	for serial, rev := range a.revoked {
		if rev.Issuer != c.name {
			continue
		}
		n, ok := new(big.Int).SetString(serial, 10)
		if !ok {
			continue
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: rev.At})
	}
	a.mu.Unlock()
	if how == Partial {
		list.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0x03, 0x81, 0x01, 0xff}}}
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, signer, key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if how == TrailingData {
		der = append(der, "and more"...)
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	w.Write(der)
}

// What an OCSP responder or the publisher of revocation lists can do wrong besides what a time-stamping authority can:
// of those, Hang, ServerError, WrongType, Redirect, HugeBody, SlowBody and TrailingData mean the same here, WrongImprint
// is an answer about another certificate, ForeignChain another authority's signature, and SealCertSigned a signer that
// nobody appointed.
const (
	Stale            Misbehaviour = "stale"              // an answer that has ended
	OpenEnded        Misbehaviour = "open-ended"         // an answer that does not say when it ends: not wrong
	UnknownStatus    Misbehaviour = "unknown status"     // "I do not know that certificate"
	ResponderToCheck Misbehaviour = "responder to check" // one without the no-check extension: not wrong
	Partial          Misbehaviour = "partial list"       // about end-entity certificates alone (critical extension)
)

// MisbehaveOCSP makes the OCSP responders fail in one way from now on; [Behave] heals them.
func (a *Authority) MisbehaveOCSP(m Misbehaviour) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ocspFault = m
}

// MisbehaveCRL makes the publishers of revocation lists fail in one way from now on; [Behave] heals them.
func (a *Authority) MisbehaveCRL(m Misbehaviour) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.crlFault = m
}

// ocspRequest takes the request from the body of a POST or from the path of a GET (RFC 6960, appendix A.1).
func ocspRequest(r *http.Request, encoded string) ([]byte, error) {
	switch r.Method {
	case http.MethodPost:
		return io.ReadAll(io.LimitReader(r.Body, maxRequest))
	case http.MethodGet:
		plain, err := url.PathUnescape(encoded)
		if err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(plain)
	}
	return nil, fmt.Errorf("OCSP is asked by GET or POST, not by %s", r.Method)
}
