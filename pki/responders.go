package pki

import (
	"crypto/rand"
	"crypto/x509"
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
			a.serveCRL(w, c)
			return
		case path == "/ocsp/"+c.name || strings.HasPrefix(path, "/ocsp/"+c.name+"/"):
			a.serveOCSP(w, r, c, strings.TrimPrefix(strings.TrimPrefix(path, "/ocsp/"+c.name), "/"))
			return
		}
	}
	http.NotFound(w, r)
}

func (a *Authority) serveCRL(w http.ResponseWriter, c *ca) {
	now := a.opts.Now().UTC().Truncate(time.Second)
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
	der, err := x509.CreateRevocationList(rand.Reader, list, c.cert, c.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	w.Write(der)
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
