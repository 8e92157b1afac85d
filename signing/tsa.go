package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/digitorus/timestamp"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// TSA is a time-stamping authority (RFC 3161 over HTTP).
type TSA struct {
	URL   string         // http or https, without user or password
	Roots *x509.CertPool // the roots that its signer must lead to
	// Timeout bounds one request, connection and body included; 10 s when zero.
	Timeout time.Duration
	// Policy is the policy to ask for and to insist on, an object identifier in dotted form; any when empty.
	Policy string
	// Username and Password are sent as HTTP Basic authentication when Username is not empty.
	Username, Password string
}

const (
	defaultTSATimeout = 10 * time.Second
	maxSkew           = 60 * time.Second
	maxReply          = 64 << 10 // bytes: real replies have 3 to 8 KB
)

// stamper asks the authorities in order.
type stamper struct {
	authorities []authority
	now         func() time.Time
	client      *http.Client
	seen        *verified
}

type authority struct {
	TSA
	policy asn1.ObjectIdentifier
}

// newStamper checks the configuration; every fault is given.
func newStamper(list []TSA, now func() time.Time, seen *verified) (*stamper, error) {
	s := &stamper{now: now, client: newClient(), seen: seen}
	var faults []error
	for i, t := range list {
		fault := func(field, format string, args ...any) {
			faults = append(faults, fmt.Errorf("TSAs[%d].%s: %s", i, field, fmt.Sprintf(format, args...)))
		}
		a := authority{TSA: t}
		if u, err := url.Parse(t.URL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			fault("URL", "an address with http or https is needed")
		} else if u.User != nil {
			fault("URL", "user and password do not belong in the address, which is logged; set Username and Password")
		}
		if t.Roots == nil {
			fault("Roots", "the roots to trust are needed")
		}
		if t.Timeout < 0 {
			fault("Timeout", "must not be negative")
		} else if t.Timeout == 0 {
			a.Timeout = defaultTSATimeout
		}
		if t.Policy != "" {
			var err error
			if a.policy, err = parseOID(t.Policy); err != nil {
				fault("Policy", "an object identifier in dotted form is needed, such as 1.2.3.4")
			}
		}
		s.authorities = append(s.authorities, a)
	}
	return s, errors.Join(faults...)
}

func parseOID(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil {
			return nil, err
		}
		oid = append(oid, int(n))
	}
	if len(oid) < 2 || oid[0] > 2 || (oid[0] < 2 && oid[1] > 39) {
		return nil, errors.New("not an object identifier")
	}
	return oid, nil
}

// stamp is a sound time-stamp.
type stamp struct {
	der   []byte
	token *token
	chain []*x509.Certificate // of its signer, nearest first, root last
	roots *x509.CertPool      // of its authority
}

// stamp gives a time-stamp over what digest was made from (SHA-256), from the first authority that gives a sound one
// that vet, if there is one, accepts too. The error wraps ErrTSAUnavailable and says what each of them did, or is the
// context's.
func (s *stamper) stamp(ctx context.Context, digest []byte, vet func(context.Context, *stamp) error) (*stamp, error) {
	var faults []error
	for _, a := range s.authorities {
		st, err := s.ask(ctx, a, digest)
		if err == nil && vet != nil {
			err = vet(ctx, st)
		}
		if err == nil {
			return st, nil
		}
		if errors.Is(err, errMoreEvidence) {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("time-stamp: %w", context.Cause(ctx))
		}
		faults = append(faults, fmt.Errorf("%s: %w", a.URL, err))
	}
	return nil, unavailable(ErrTSAUnavailable, "", faults)
}

// awayError says what others did wrong in words, and matches only our sentinels: that one of them was too slow must not
// be taken for a time limit of the caller's.
type awayError struct {
	sentinels []error
	words     string
}

func (e *awayError) Error() string   { return e.words }
func (e *awayError) Unwrap() []error { return e.sentinels }

func unavailable(sentinel error, about string, faults []error) error {
	e := &awayError{sentinels: []error{sentinel}, words: fmt.Sprintf("%v: %s%v", sentinel, about, errors.Join(faults...))}
	for _, fault := range faults {
		if sentinel != ErrRevocationUnavailable && errors.Is(fault, ErrRevocationUnavailable) {
			e.sentinels = append(e.sentinels, ErrRevocationUnavailable)
			break
		}
	}
	return e
}

func (s *stamper) ask(ctx context.Context, a authority, digest []byte) (*stamp, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()

	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, err
	}
	query, err := (&timestamp.Request{
		HashAlgorithm: crypto.SHA256, HashedMessage: digest, Certificates: true, Nonce: nonce, TSAPolicyOID: a.policy,
	}).Marshal()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(query))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	if a.Username != "" {
		req.SetBasicAuth(a.Username, a.Password)
	}
	body, err := fetch(s.client, req, "application/timestamp-reply", maxReply)
	if err != nil {
		return nil, err
	}
	der, err := readReply(body)
	if err != nil {
		return nil, err
	}
	t, err := parseToken(der, s.seen)
	if err != nil {
		return nil, err
	}
	if err := t.coversDigest(crypto.SHA256, digest); err != nil {
		return nil, err
	}
	if t.nonce == nil || t.nonce.Cmp(nonce) != 0 {
		return nil, errors.New("the time-stamp answers another request (wrong nonce)")
	}
	if a.policy != nil && !t.policy.Equal(a.policy) {
		return nil, fmt.Errorf("the time-stamp is under policy %s, not %s", t.policy, a.policy)
	}
	now := s.now()
	if skew := t.time.Sub(now); skew > maxSkew || skew < -maxSkew {
		return nil, fmt.Errorf("the time-stamp is %s away from the clock of this machine (%s are allowed)", skew.Abs().Round(time.Second), maxSkew)
	}
	chain, err := t.trusted(a.Roots, now, s.seen)
	if err != nil {
		return nil, fmt.Errorf("the time-stamp's signer is not trusted: %w", err)
	}
	return &stamp{der, t, chain, a.Roots}, nil
}

func isMediaType(header, kind string) bool {
	got, _, err := mime.ParseMediaType(header)
	return err == nil && got == kind
}

// readReply reads a TimeStampResp (RFC 3161 section 2.4.2) and gives the token.
func readReply(body []byte) ([]byte, error) {
	in := cryptobyte.String(body)
	var reply, info, der cryptobyte.String
	var status int
	if !in.ReadASN1(&reply, cbasn1.SEQUENCE) || !in.Empty() || !reply.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Integer(&status) {
		return nil, errors.New("the answer is not a time-stamp reply")
	}
	if status != 0 && status != 1 { // granted, grantedWithMods
		return nil, fmt.Errorf("refused to stamp (status %d)", status)
	}
	if !reply.ReadASN1Element(&der, cbasn1.SEQUENCE) || !reply.Empty() {
		return nil, errors.New("the answer is not a time-stamp reply")
	}
	return der, nil
}
