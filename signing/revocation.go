package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Revocation says where it may be asked whether a certificate was revoked (OCSP, RFC 6960; revocation lists, RFC 5280).
// The addresses are in the certificates; only those whose host is named here are followed.
type Revocation struct {
	// Hosts are the hosts of the authorities' OCSP responders and revocation lists: "ocsp.example.net" for the usual
	// ports, "127.0.0.1:8080" for another.
	Hosts []string
	// Timeout bounds one request, connection and body included; 10 s when zero.
	Timeout time.Duration
}

const (
	defaultRevocationTimeout = 10 * time.Second
	maxCRL                   = 1 << 20 // bytes: it becomes part of every document
	// openEnded is how long an OCSP answer that does not say when it ends is good for.
	openEnded = 10 * time.Minute
	// maxDelegation is how many responders may vouch for each other.
	maxDelegation = 3
)

// errRevoked: the authority says that a certificate was revoked.
var errRevoked = errors.New("the certificate was revoked")

// proof is evidence that one certificate was not revoked.
type proof struct {
	der         []byte // an OCSPResponse or a CertificateList
	list        bool   // a CertificateList
	from, until time.Time
	responder   *x509.Certificate // appointed by the issuer and in need of proof itself; nil when there is no need
}

// covers says whether the proof speaks of the time at: it had not ended by then.
func (p *proof) covers(at time.Time) bool { return !p.until.Before(at) }

// readOCSPProof finds what an OCSP reply says about cert. errRevoked when it says so.
func readOCSPProof(der []byte, cert, issuer *x509.Certificate) (*proof, error) {
	r, err := parseOCSP(der)
	if err != nil {
		return nil, err
	}
	return r.proof(der, cert, issuer)
}

func (r *ocspReply) proof(der []byte, cert, issuer *x509.Certificate) (*proof, error) {
	responder, err := r.verify(issuer)
	if err != nil {
		return nil, err
	}
	for _, a := range r.answers {
		if !a.about(cert, issuer) {
			continue
		}
		switch a.status {
		case ocspRevoked:
			return nil, errRevoked
		case ocspUnknown:
			return nil, errors.New("the responder does not know the certificate")
		}
		p := &proof{der: der, from: a.thisUpdate, until: a.nextUpdate}
		if p.until.IsZero() {
			p.until = p.from.Add(openEnded)
		}
		if responder != nil && !needsNoCheck(responder) {
			p.responder = responder
		}
		return p, nil
	}
	return nil, errors.New("the reply is about another certificate")
}

// parseCRL reads a revocation list. Lists of a part of the certificates, of changes alone, or of several issuers say so
// in critical extensions, and none of these is known here.
func parseCRL(der []byte) (*x509.RevocationList, error) {
	if len(der) > maxCRL {
		return nil, fmt.Errorf("the revocation list is larger than %d bytes", maxCRL)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("the revocation list cannot be read: %w", err)
	}
	if len(list.Raw) != len(der) {
		return nil, errors.New("bytes after the revocation list")
	}
	for _, e := range list.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("critical extension %s of the revocation list is not known", e.Id)
		}
	}
	if list.NextUpdate.IsZero() || list.NextUpdate.Before(list.ThisUpdate) {
		return nil, errors.New("the revocation list does not say when it ends")
	}
	return list, nil
}

func crlProof(list *x509.RevocationList, cert, issuer *x509.Certificate) (*proof, error) {
	if !bytes.Equal(list.RawIssuer, issuer.RawSubject) {
		return nil, errors.New("the revocation list is of another authority")
	}
	if err := list.CheckSignatureFrom(issuer); err != nil {
		return nil, fmt.Errorf("the revocation list is not signed by its authority: %w", err)
	}
	for _, e := range list.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			return nil, errRevoked
		}
	}
	return &proof{der: list.Raw, list: true, from: list.ThisUpdate, until: list.NextUpdate}, nil
}

// collector asks the authorities and keeps what they said until half its time is over.
type collector struct {
	hosts   map[string]bool
	timeout time.Duration
	now     func() time.Time
	client  *http.Client

	mu   sync.Mutex
	kept map[[sha256.Size]byte]*proof // by certificate
}

// newCollector checks the configuration; every fault is given.
func newCollector(c Revocation, now func() time.Time) (*collector, error) {
	r := &collector{hosts: map[string]bool{}, timeout: c.Timeout, now: now, client: newClient(), kept: map[[sha256.Size]byte]*proof{}}
	var faults []error
	for i, h := range c.Hosts {
		u, err := url.Parse("http://" + h)
		if err != nil || h == "" || u.Host != h || u.Hostname() == "" {
			faults = append(faults, fmt.Errorf("Revocation.Hosts[%d]: a host is needed, with its port where it is not the usual one, and nothing else", i))
			continue
		}
		r.hosts[strings.ToLower(h)] = true
	}
	if c.Timeout < 0 {
		faults = append(faults, errors.New("Revocation.Timeout: must not be negative"))
	} else if c.Timeout == 0 {
		r.timeout = defaultRevocationTimeout
	}
	return r, errors.Join(faults...)
}

// allowed gives those of the addresses that may be asked.
func (r *collector) allowed(addresses []string) []string {
	var list []string
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			continue
		}
		host := strings.ToLower(u.Host)
		if h, port, err := net.SplitHostPort(host); err == nil && (u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443") {
			host = h
		}
		if r.hosts[host] {
			list = append(list, address)
		}
	}
	return list
}

// reachable says whether cert names an address that may be asked.
func (r *collector) reachable(cert *x509.Certificate) bool {
	return len(r.allowed(cert.OCSPServer))+len(r.allowed(cert.CRLDistributionPoints)) > 0
}

// collect gives proof for every certificate of a chain but its root (the last). fresh asks anew about the first.
// The error wraps errRevoked or ErrRevocationUnavailable, or is the context's.
func (r *collector) collect(ctx context.Context, chain []*x509.Certificate, fresh bool) ([]*proof, error) {
	var all []*proof
	for n := range len(chain) - 1 {
		list, err := r.about(ctx, chain[n], chain[n+1], fresh && n == 0, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// about gives proof about cert, and about the responder that spoke of it.
func (r *collector) about(ctx context.Context, cert, issuer *x509.Certificate, fresh bool, depth int) ([]*proof, error) {
	if depth > maxDelegation {
		return nil, fmt.Errorf("%w: responders vouch for each other", ErrRevocationUnavailable)
	}
	p, err := r.one(ctx, cert, issuer, fresh, depth)
	if err != nil {
		return nil, err
	}
	all := []*proof{p}
	if p.responder != nil {
		more, err := r.about(ctx, p.responder, issuer, false, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

func (r *collector) one(ctx context.Context, cert, issuer *x509.Certificate, fresh bool, depth int) (*proof, error) {
	now := r.now()
	id := sha256.Sum256(cert.Raw)
	if !fresh {
		r.mu.Lock()
		p := r.kept[id]
		r.mu.Unlock()
		if p != nil && now.Before(p.from.Add(p.until.Sub(p.from)/2)) && !now.Before(p.from.Add(-maxSkew)) {
			return p, nil
		}
	}
	var faults []error
	// try takes an answer, or notes why not. A certificate that was revoked ends the search.
	try := func(address string, ask func() (*proof, error)) (*proof, error) {
		p, err := ask()
		switch {
		case err == nil && p.from.After(now.Add(maxSkew)):
			err = errors.New("the answer is from the future")
		case err == nil && p.until.Before(now):
			err = errors.New("the answer has ended")
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("revocation: %w", context.Cause(ctx))
		}
		if errors.Is(err, errRevoked) {
			return nil, fmt.Errorf("%w, says %s", err, address)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", address, err))
			return nil, nil
		}
		r.keep(id, p)
		return p, nil
	}
	if depth == 0 { // a responder's word about itself is worth nothing: ask its authority's list
		for _, address := range r.allowed(cert.OCSPServer) {
			p, err := try(address, func() (*proof, error) {
				question, err := ocspRequest(cert, issuer)
				if err != nil {
					return nil, err
				}
				der, err := r.fetch(ctx, http.MethodPost, address, question, "application/ocsp-response", maxOCSP)
				if err != nil {
					return nil, err
				}
				return readOCSPProof(der, cert, issuer)
			})
			if p != nil || err != nil {
				return p, err
			}
		}
	}
	for _, address := range r.allowed(cert.CRLDistributionPoints) {
		p, err := try(address, func() (*proof, error) {
			der, err := r.fetch(ctx, http.MethodGet, address, nil, "", maxCRL)
			if err != nil {
				return nil, err
			}
			list, err := parseCRL(der)
			if err != nil {
				return nil, err
			}
			return crlProof(list, cert, issuer)
		})
		if p != nil || err != nil {
			return p, err
		}
	}
	if len(faults) == 0 {
		faults = append(faults, errors.New("the certificate names no address that may be asked"))
	}
	return nil, unavailable(ErrRevocationUnavailable, fmt.Sprintf("serial number %x: ", cert.SerialNumber), faults)
}

// keep remembers a proof; those that ended are forgotten.
func (r *collector) keep(id [sha256.Size]byte, p *proof) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for id, old := range r.kept {
		if old.until.Before(now) {
			delete(r.kept, id)
		}
	}
	r.kept[id] = p
}

// fetch asks one address and gives the body. kind is the media type wanted; any when empty, for lists come as they like.
func (r *collector) fetch(ctx context.Context, method, address string, question []byte, kind string, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	if question != nil {
		req.Header.Set("Content-Type", "application/ocsp-request")
	}
	return fetch(r.client, req, kind, most)
}

// evidence is what a DSS holds (ETSI EN 319 142-1, clause 5.4.2): DER each, in the order of the file.
type evidence struct {
	certs, ocsps, crls [][]byte
}

func (e *evidence) empty() bool { return len(e.certs)+len(e.ocsps)+len(e.crls) == 0 }

// size is how many bytes the items have together.
func (e *evidence) size() (n int) {
	for _, list := range [][][]byte{e.certs, e.ocsps, e.crls} {
		for _, item := range list {
			n += len(item)
		}
	}
	return n
}

// has says whether an item is there already.
func has(list [][]byte, der []byte) bool {
	for _, item := range list {
		if bytes.Equal(item, der) {
			return true
		}
	}
	return false
}

// add puts in what is neither here nor in before.
func (e *evidence) add(before *evidence, chain []*x509.Certificate, proofs []*proof) {
	put := func(list *[][]byte, old [][]byte, der []byte) {
		if !has(old, der) && !has(*list, der) {
			*list = append(*list, der)
		}
	}
	for _, cert := range chain[:len(chain)-1] { // the root is what a verifier brings along
		put(&e.certs, before.certs, cert.Raw)
	}
	for _, p := range proofs {
		if p.list {
			put(&e.crls, before.crls, p.der)
		} else {
			put(&e.ocsps, before.ocsps, p.der)
		}
	}
}

// shelf is evidence that was read, for looking up.
type shelf struct {
	certs []*x509.Certificate
	ocsps []*ocspReply
	crls  []*x509.RevocationList
	raw   evidence

	usedCerts, usedOCSPs, usedCRLs []bool
}

// Limits of a DSS.
const (
	maxDSSCerts = 256
	maxDSSItems = 512
)

func readShelf(e evidence) (*shelf, error) {
	if len(e.certs) > maxDSSCerts || len(e.ocsps) > maxDSSItems || len(e.crls) > maxDSSItems {
		return nil, errors.New("the evidence holds too many items")
	}
	s := &shelf{raw: e, usedCerts: make([]bool, len(e.certs)), usedOCSPs: make([]bool, len(e.ocsps)), usedCRLs: make([]bool, len(e.crls))}
	for _, der := range e.certs {
		cert, err := parseCertificate(der)
		if err != nil {
			return nil, err
		}
		s.certs = append(s.certs, cert)
	}
	for _, der := range e.ocsps {
		r, err := parseOCSP(der)
		if err != nil {
			return nil, err
		}
		s.ocsps = append(s.ocsps, r)
	}
	for _, der := range e.crls {
		list, err := parseCRL(der)
		if err != nil {
			return nil, err
		}
		s.crls = append(s.crls, list)
	}
	return s, nil
}

// complete says whether there is proof for every certificate of the chain but its root, about the time at and known by
// the time known.
func (s *shelf) complete(chain []*x509.Certificate, at, known time.Time) error {
	for n := range len(chain) - 1 {
		found := false
		for i, cert := range s.certs {
			if cert.Equal(chain[n]) {
				s.usedCerts[i], found = true, true
			}
		}
		if !found {
			return fmt.Errorf("the certificate of %q is missing in the evidence", chain[n].Subject.CommonName)
		}
		if err := s.proven(chain[n], chain[n+1], at, known, 0); err != nil {
			return err
		}
	}
	return nil
}

// proven looks at every item about cert: one that says it was revoked outweighs all others.
func (s *shelf) proven(cert, issuer *x509.Certificate, at, known time.Time, depth int) error {
	if depth > maxDelegation {
		return errors.New("the evidence's responders vouch for each other")
	}
	good := false
	weigh := func(p *proof, err error, used *bool) error {
		if errors.Is(err, errRevoked) {
			return fmt.Errorf("the certificate of %q was revoked, says the evidence", cert.Subject.CommonName)
		}
		if err != nil {
			return fmt.Errorf("evidence about the certificate of %q: %w", cert.Subject.CommonName, err)
		}
		*used = true
		if !p.covers(at) || p.from.After(known.Add(maxSkew)) {
			return nil // older evidence, kept from an earlier time
		}
		if p.responder != nil {
			if err := s.proven(p.responder, issuer, p.from, known, depth+1); err != nil {
				return err
			}
		}
		good = true
		return nil
	}
	if depth == 0 {
		for i, r := range s.ocsps {
			for n := range r.answers {
				if !r.answers[n].about(cert, issuer) {
					continue
				}
				p, err := r.proof(s.raw.ocsps[i], cert, issuer)
				if err := weigh(p, err, &s.usedOCSPs[i]); err != nil {
					return err
				}
				break
			}
		}
	}
	for i, list := range s.crls {
		if !bytes.Equal(list.RawIssuer, issuer.RawSubject) {
			continue
		}
		p, err := crlProof(list, cert, issuer)
		if err := weigh(p, err, &s.usedCRLs[i]); err != nil {
			return err
		}
	}
	if !good {
		return fmt.Errorf("no evidence says that the certificate of %q was not revoked", cert.Subject.CommonName)
	}
	return nil
}

// unused says whether something lies in the evidence that belongs to no chain of the document.
func (s *shelf) unused() error {
	for _, used := range [][]bool{s.usedCerts, s.usedOCSPs, s.usedCRLs} {
		for _, u := range used {
			if !u {
				return errors.New("the evidence holds something that belongs to no certificate of the document")
			}
		}
	}
	return nil
}

// newClient makes a client that goes nowhere but where it is told: a redirect would let an authority, or whoever stands
// before it, send the worker to addresses that the operator did not configure.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, // each request has its own deadline
			MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch gives the body of a good answer of the media type kind (any when empty) and of at most most bytes.
func fetch(client *http.Client, req *http.Request, kind string, most int64) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the address is named once, by the caller
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered HTTP %d", resp.StatusCode)
	}
	if kind != "" && !isMediaType(resp.Header.Get("Content-Type"), kind) {
		return nil, fmt.Errorf("answered something else than %s", kind)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > most {
		return nil, fmt.Errorf("the answer is larger than %d bytes", most)
	}
	return body, nil
}
