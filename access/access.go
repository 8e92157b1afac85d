// Package access decides who may do what at the intake API.
//
// A client is a program of the institution's, such as the portal. It proves who
// it is by an API token, of which only the hash is configured, or by an access
// token that an OpenID Connect issuer signed for it (OAuth 2.0 client
// credentials, RFC 6749 section 4.4; RFC 9068). Where the operator asks for it,
// a TLS client certificate is needed beside either (RFC 8705). What a client may
// do is a list of scopes, one per group of operations, and of kinds of document.
//
// Strangers cost as little as can be: an address that was refused too often is
// turned away before anything is computed, and before the ledger is asked.
// Refusals of strangers are counted; those of known clients are also reported,
// a burst as one, for the audit trail.
//
// The limits are kept in memory, per process: with three intakes behind one
// load balancer a client has three times its rate.
package access

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Scopes are what a client may be allowed, in the words of its configuration
// and of the claim "scope". Each operation of the API declares which it needs.
const (
	ScopeRequest  = "documents.request"  // ask for documents
	ScopeRead     = "documents.read"     // state, events and content of one's own requests
	ScopeCancel   = "documents.cancel"   // cancel what is not yet issued
	ScopeWithdraw = "documents.withdraw" // withdraw and replace what is issued
	ScopeHolders  = "holders.search"     // the history of a holder
	ScopeTickets  = "tickets.issue"      // tickets for a person's browser
)

// Scopes lists every scope.
func Scopes() []string {
	return []string{ScopeRequest, ScopeRead, ScopeCancel, ScopeWithdraw, ScopeHolders, ScopeTickets}
}

// Caller is a client that was let in.
type Caller struct {
	Client  string // its name in the configuration, under which the ledger knows it
	Address netip.Addr
	scopes  set
	kinds   set
	limits  *limiter
}

// set is a set of names; nil holds every name.
type set map[string]bool

func setOf(names []string) set {
	s := set{}
	for _, name := range names {
		s[name] = true
	}
	return s
}

func (s set) holds(name string) bool { return s == nil || s[name] }

// and holds what both hold.
func (s set) and(other set) set {
	if s == nil {
		return other
	}
	both := set{}
	for name := range s {
		if other.holds(name) {
			both[name] = true
		}
	}
	return both
}

// Refusal is why somebody is not let in, or not let do what they ask. It is an
// error; its words may be shown to the client and hold nothing that it sent.
type Refusal struct {
	Status     int           // 401, 403, 429 or 503
	Reason     string        // one of a few words, for metrics and the audit trail
	Detail     string        // for the client's developer
	Challenge  string        // the header WWW-Authenticate (RFC 6750 section 3), on 401 and 403
	RetryAfter time.Duration // on 429 and 503
	Needs      string        // the scope or kind that is missing, on 403
}

func (r *Refusal) Error() string { return r.Detail }

// What a TLS client certificate is to the API.
const (
	CertificatesOff      = ""         // none is asked for
	CertificatesOptional = "optional" // checked where a client has one listed
	CertificatesRequired = "required" // nobody uses the API without one; public pages stay open
)

// Config is what a Gate stands on.
type Config struct {
	Clients      *Clients              // required
	Issuer       *Issuer               // nil: API tokens alone
	Certificates string                // CertificatesOff, …Optional or …Required
	Proxies      []netip.Prefix        // whose X-Forwarded-For is believed
	Rate         Rate                  // of a client that has none of its own; zero: DefaultRate
	Failures     Rate                  // refused logins per address; zero: DefaultFailures
	Public       Rate                  // calls of public pages per address; zero: DefaultPublic
	Metrics      prometheus.Registerer // nil: counted nowhere
	Now          func() time.Time      // required
}

// Gate lets clients in and keeps them within what they may. It is safe for
// concurrent use.
type Gate struct {
	Config
	clients  atomic.Pointer[Clients] // those in force: Config.Clients, or what Use gave
	failures *visitors
	public   *visitors
	refusals refusals
	refused  *prometheus.CounterVec
}

// New returns a Gate, or an error that tells everything that is wrong.
func New(c Config) (*Gate, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("access: "+format, args...)) }
	if c.Clients == nil {
		fault("Clients is missing")
	}
	if c.Now == nil {
		fault("Now is missing")
	}
	if !slices.Contains([]string{CertificatesOff, CertificatesOptional, CertificatesRequired}, c.Certificates) {
		fault("Certificates must be %q or %q", CertificatesOptional, CertificatesRequired)
	}
	if c.Clients != nil {
		for _, err := range c.unfit(c.Clients) {
			fault("%w", err)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	g := &Gate{Config: c, failures: newVisitors(c.Failures.or(DefaultFailures)), public: newVisitors(c.Public.or(DefaultPublic)),
		refusals: newRefusals(), refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "segell_access_refusals_total", Help: "Calls that were refused at the API's and the public pages' door, by reason."}, []string{"reason"})}
	for _, reason := range reasons {
		g.refused.WithLabelValues(reason) // so that a rate can be taken from the first on
	}
	if c.Metrics != nil {
		if err := c.Metrics.Register(g.refused); err != nil {
			return nil, fmt.Errorf("access: %w", err)
		}
	}
	g.inForce(c.Clients)
	return g, nil
}

// unfit tells what of clients does not go with the rest of the configuration.
func (c Config) unfit(clients *Clients) (faults []error) {
	if c.Issuer == nil && len(clients.byIssuer) > 0 {
		faults = append(faults, errors.New("a client has an id at an issuer (oidc:), and no issuer is configured"))
	}
	if c.Issuer != nil && len(clients.byIssuer) == 0 {
		faults = append(faults, errors.New("an issuer is configured, and no client has an id there (a line with oidc:)"))
	}
	if name := clients.bound(); name != "" && c.Certificates == CertificatesOff {
		faults = append(faults, fmt.Errorf("the client %s is bound to a certificate (cert:), and no certificates are asked for", name))
	}
	return faults
}

// Use lets other clients in from now on, without a stop. What does not go with
// the rest of the configuration changes nothing and is the error. Calls that were
// let in go on. A client whose limits stay the same keeps what it has left of them.
func (g *Gate) Use(clients *Clients) error {
	if faults := g.unfit(clients); len(faults) > 0 {
		return fmt.Errorf("access: %w", errors.Join(faults...))
	}
	g.inForce(clients)
	return nil
}

func (g *Gate) inForce(clients *Clients) {
	before := g.clients.Load()
	for name, client := range clients.clients {
		rate := client.rate.or(g.Rate.or(DefaultRate))
		if before != nil && before.clients[name] != nil && before.clients[name].limits.rate == rate {
			client.limits = before.clients[name].limits
		} else if client.limits == nil {
			client.limits = newLimiter(rate)
		}
	}
	g.clients.Store(clients)
}

// The reasons of refusals.
const (
	ReasonNoToken         = "no_token"
	ReasonUnknownToken    = "unknown_token"
	ReasonExpired         = "expired"
	ReasonInvalidJWT      = "invalid_jwt"
	ReasonUnknownClient   = "unknown_client"
	ReasonCertificate     = "certificate"
	ReasonIssuerAway      = "issuer_away"
	ReasonAddressLimited  = "address_limited"
	ReasonScope           = "scope"
	ReasonKind            = "kind"
	ReasonRateLimited     = "rate_limited"
	ReasonVisitorsLimited = "visitors_limited"
)

var reasons = []string{ReasonNoToken, ReasonUnknownToken, ReasonExpired, ReasonInvalidJWT, ReasonUnknownClient, ReasonCertificate,
	ReasonIssuerAway, ReasonAddressLimited, ReasonScope, ReasonKind, ReasonRateLimited, ReasonVisitorsLimited}

// Admit says which client sends r. It reads the head of r alone.
func (g *Gate) Admit(r *http.Request) (*Caller, *Refusal) {
	now, address := g.Now(), Address(r, g.Proxies)
	if wait := g.failures.wait(address, now); wait > 0 {
		return nil, g.counted(&Refusal{Status: http.StatusTooManyRequests, Reason: ReasonAddressLimited, RetryAfter: wait,
			Detail: "This address was refused too often. Wait as long as Retry-After says."})
	}
	who, refusal := g.authenticate(r, now)
	if refusal != nil {
		if refusal.Status == http.StatusUnauthorized {
			g.failures.take(address, now)
		}
		return nil, g.counted(refusal)
	}
	return &Caller{Client: who.client.name, Address: address, scopes: who.scopes, kinds: who.kinds, limits: who.client.limits}, nil
}

// authenticate finds the credential that r carries, by whichever way.
func (g *Gate) authenticate(r *http.Request, now time.Time) (*credential, *Refusal) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, &Refusal{Status: http.StatusUnauthorized, Reason: ReasonNoToken, Challenge: `Bearer realm="segell"`,
			Detail: "The header Authorization must be Bearer and a token that is known here."}
	}
	var who *credential
	var thumbprint string
	var refusal *Refusal
	if g.Issuer != nil && strings.Count(token, ".") == 2 {
		who, thumbprint, refusal = g.byIssuer(r, token)
	} else if who = g.clients.Load().byToken(token); who == nil {
		refusal = unauthorized(ReasonUnknownToken, "The token is not known here.")
	}
	if refusal != nil {
		return nil, refusal
	}
	if !who.expires.IsZero() && !now.Before(who.expires) {
		return nil, unauthorized(ReasonExpired, "The token has expired.")
	}
	if !g.certified(r, who.client, thumbprint) {
		return nil, unauthorized(ReasonCertificate, "This token is good only over TLS with the client's own certificate.")
	}
	return who, nil
}

func unauthorized(reason, detail string) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Reason: reason, Detail: detail,
		Challenge: fmt.Sprintf(`Bearer realm="segell", error="invalid_token", error_description=%q`, strings.TrimSuffix(detail, "."))}
}

// Authorize says whether a caller may do what needs every one of scopes.
// operation names what was asked, for the audit trail.
func (g *Gate) Authorize(c *Caller, operation string, scopes ...string) *Refusal {
	for _, scope := range scopes {
		if !c.scopes.holds(scope) {
			return g.known(c, operation, &Refusal{Status: http.StatusForbidden, Reason: ReasonScope, Needs: scope,
				Detail:    "This needs the scope " + scope + ", which the token does not have.",
				Challenge: fmt.Sprintf(`Bearer realm="segell", error="insufficient_scope", scope=%q`, strings.Join(scopes, " "))})
		}
	}
	return nil
}

// AuthorizeKind says whether a caller may ask for a kind of document.
func (g *Gate) AuthorizeKind(c *Caller, operation, kind string) *Refusal {
	if c.kinds.holds(kind) {
		return nil
	}
	return g.known(c, operation, &Refusal{Status: http.StatusForbidden, Reason: ReasonKind, Needs: kind,
		Detail: "This client may not ask for the kind " + kind + ".", Challenge: `Bearer realm="segell", error="insufficient_scope"`})
}

func (g *Gate) counted(r *Refusal) *Refusal {
	g.refused.WithLabelValues(r.Reason).Inc()
	return r
}

// known counts a refusal of a client and reports it.
func (g *Gate) known(c *Caller, operation string, r *Refusal) *Refusal {
	g.refusals.add(Refused{Client: c.Client, Operation: operation, Reason: r.Reason, Needs: r.Needs, From: c.Address.String()}, g.Now())
	return g.counted(r)
}
