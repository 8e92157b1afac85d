package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
)

var (
	// ErrIssuerAway says that a token cannot be judged because the issuer's keys
	// are out of reach: ask again later.
	ErrIssuerAway = errors.New("the issuer's keys are out of reach")
	// ErrJWT says that an access token is not good: not from the issuer, not for
	// us, not now, or not signed as it must be.
	ErrJWT = errors.New("the access token is not good here")
	// ErrAudience says that no audience is configured.
	ErrAudience = errors.New("it is missing: without it a token for anybody else would be good here")
)

// Algorithms are the signatures that are accepted (RFC 7518): none that shares
// a secret, and none at all is not among them.
var Algorithms = []string{"RS256", "PS256", "ES256"}

func algorithms() []jose.SignatureAlgorithm {
	out := make([]jose.SignatureAlgorithm, len(Algorithms))
	for i, name := range Algorithms {
		out[i] = jose.SignatureAlgorithm(name)
	}
	return out
}

// leeway is how far the issuer's clock may be from ours.
const leeway = time.Minute

// maxJWT is the longest access token that is looked at, in bytes.
const maxJWT = 8 << 10

// IssuerConfig says whose access tokens are believed.
type IssuerConfig struct {
	URL        string           // the issuer, as it stands in the claim "iss"; https, or http on loopback
	Audience   string           // what the claim "aud" must hold: our name at the issuer
	KindsClaim string           // claim that lists kinds of document, if the issuer gives one; "" for none
	Client     *http.Client     // to reach the issuer; nil: one with a time limit
	Now        func() time.Time // required
}

// Issuer judges access tokens. It learns the issuer's keys when it needs them
// and keeps them: while the issuer is away known keys go on, for a day. It is
// safe for concurrent use.
type Issuer struct {
	IssuerConfig
	keys *issuerKeys
}

// NewIssuer returns an Issuer. It asks the issuer nothing yet: a press starts
// whether or not the issuer is there.
func NewIssuer(c IssuerConfig) (*Issuer, error) {
	var faults []error
	address, err := url.Parse(c.URL)
	switch {
	case err != nil || address.Host == "" || address.RawQuery != "" || address.Fragment != "" || address.User != nil:
		faults = append(faults, errors.New("must be an address such as https://login.example.ad"))
	case address.Scheme != "https" && !(address.Scheme == "http" && loopback(address.Hostname())):
		faults = append(faults, errors.New("must begin with https:// (http:// is for loopback alone)"))
	}
	if c.Audience == "" {
		faults = append(faults, ErrAudience)
	}
	if c.Now == nil {
		faults = append(faults, errors.New("access: Now is missing"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: fetchWithin}
	}
	return &Issuer{IssuerConfig: c, keys: newIssuerKeys(c)}, nil
}

func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// Prepare learns the issuer's keys, so that the first call need not wait for
// them. It is no fault if the issuer is away: the error says why, for the log.
func (i *Issuer) Prepare(ctx context.Context) error {
	i.keys.refresh(ctx)
	_, _, err := i.keys.known("")
	return err
}

// grant is what an access token says.
type grant struct {
	id         string // the client's, at the issuer
	scopes     set
	kinds      set
	thumbprint string // of the certificate that the token is bound to, or ""
}

// names is a claim that some issuers write as one text with blanks between and
// others as an array.
type names []string

func (n *names) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*n = strings.Fields(one)
		return nil
	}
	return json.Unmarshal(text, (*[]string)(n))
}

type claims struct {
	Expires   json.Number `json:"exp"`
	NotBefore json.Number `json:"nbf"`
	Subject   string      `json:"sub"`
	Party     string      `json:"azp"`
	ClientID  string      `json:"client_id"`
	Scope     names       `json:"scope"`
	Scp       names       `json:"scp"`
	// What only the tokens of persons who logged in have (OpenID Connect Core 1.0,
	// sections 2 and 3.1.3.6).
	Nonce    json.RawMessage `json:"nonce"`
	AtHash   json.RawMessage `json:"at_hash"`
	AuthTime json.RawMessage `json:"auth_time"`
	Confirm  struct {
		Thumbprint string `json:"x5t#S256"`
	} `json:"cnf"`
}

// verify judges an access token. The error wraps ErrJWT or ErrIssuerAway and
// quotes nothing of the token.
func (i *Issuer) verify(ctx context.Context, token string) (grant, error) {
	if len(token) > maxJWT {
		return grant{}, fmt.Errorf("%w: it is longer than %d bytes", ErrJWT, maxJWT)
	}
	if err := checkType(token); err != nil {
		return grant{}, err
	}
	// The times are judged below: go-oidc knows no leeway for the end.
	keys := &asking{issuerKeys: i.keys}
	verifier := oidc.NewVerifier(i.URL, keys, &oidc.Config{ClientID: i.Audience, SupportedSigningAlgs: Algorithms, SkipExpiryCheck: true, Now: i.Now})
	verified, err := verifier.Verify(ctx, token)
	if keys.away {
		return grant{}, ErrIssuerAway
	}
	if err != nil {
		return grant{}, fmt.Errorf("%w: its issuer, audience, algorithm or signature is not the one expected", ErrJWT)
	}
	var c claims
	if err := verified.Claims(&c); err != nil {
		return grant{}, fmt.Errorf("%w: a claim has another form than expected", ErrJWT)
	}
	if err := c.checkTimes(i.Now()); err != nil {
		return grant{}, err
	}
	if c.Nonce != nil || c.AtHash != nil || c.AuthTime != nil {
		return grant{}, fmt.Errorf("%w: it is a person's, and the API is for programs", ErrJWT)
	}
	g := grant{id: c.Party, thumbprint: c.Confirm.Thumbprint, scopes: setOf(append(c.Scope, c.Scp...))}
	switch {
	case c.Party != "" && c.ClientID != "" && c.Party != c.ClientID:
		return grant{}, fmt.Errorf("%w: azp and client_id name two clients", ErrJWT)
	case c.ClientID != "":
		g.id = c.ClientID
	case c.Party == "":
		g.id = c.Subject
	}
	if i.KindsClaim != "" {
		var all map[string]json.RawMessage
		var kinds names
		if verified.Claims(&all) != nil || all[i.KindsClaim] != nil && json.Unmarshal(all[i.KindsClaim], &kinds) != nil {
			return grant{}, fmt.Errorf("%w: the claim of kinds has another form than expected", ErrJWT)
		}
		g.kinds = setOf(kinds) // without the claim: none
	}
	return g, nil
}

// checkType refuses what the same issuer signs for other uses (RFC 8725 section
// 3.11): access tokens say at+jwt (RFC 9068 section 2.1), JWT, or nothing.
func checkType(token string) error {
	signed, err := jose.ParseSigned(token, algorithms())
	if err != nil || len(signed.Signatures) != 1 {
		return fmt.Errorf("%w: it is not signed by one of %s", ErrJWT, strings.Join(Algorithms, ", "))
	}
	kind, _ := signed.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	switch strings.TrimPrefix(strings.ToLower(kind), "application/") {
	case "", "jwt", "at+jwt":
		return nil
	}
	return fmt.Errorf("%w: it is no access token", ErrJWT)
}

func (c *claims) checkTimes(now time.Time) error {
	ends, err := c.Expires.Float64()
	if err != nil {
		return fmt.Errorf("%w: it has no end (exp)", ErrJWT)
	}
	if now.Add(-leeway).After(time.UnixMilli(int64(ends * 1000))) {
		return fmt.Errorf("%w: %w", ErrJWT, errExpired)
	}
	if c.NotBefore == "" {
		return nil
	}
	begins, err := c.NotBefore.Float64()
	if err != nil || now.Add(leeway).Before(time.UnixMilli(int64(begins*1000))) {
		return fmt.Errorf("%w: it is not good yet (nbf)", ErrJWT)
	}
	return nil
}

var errExpired = errors.New("it has expired")

// byIssuer finds who an access token belongs to, and the thumbprint of the
// certificate that it is bound to.
func (g *Gate) byIssuer(r *http.Request, token string) (*credential, string, *Refusal) {
	granted, err := g.Issuer.verify(r.Context(), token)
	switch {
	case errors.Is(err, ErrIssuerAway):
		return nil, "", &Refusal{Status: http.StatusServiceUnavailable, Reason: ReasonIssuerAway, RetryAfter: fetchPause,
			Detail: "The access token cannot be checked just now: its issuer does not answer us."}
	case errors.Is(err, errExpired):
		return nil, "", unauthorized(ReasonExpired, "The access token has expired.")
	case err != nil:
		return nil, "", unauthorized(ReasonInvalidJWT, strings.ToUpper(err.Error()[:1])+err.Error()[1:]+".")
	}
	listed := g.clients.Load().byIssuer[granted.id]
	if listed == nil {
		return nil, "", unauthorized(ReasonUnknownClient, "The access token is of a client that is not known here.")
	}
	who := *listed
	who.scopes = listed.scopes.and(granted.scopes)
	if granted.kinds != nil {
		who.kinds = listed.kinds.and(granted.kinds)
	}
	return &who, granted.thumbprint, nil
}
