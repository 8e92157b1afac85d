package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/time/rate"

	"segell/access"
	"segell/ledger"
	"segell/staff"
)

// tokenScheme is the name of the security scheme, in OpenAPI's terms, under which
// each operation declares the role that it needs.
const tokenScheme = "token"

// needs declares the role that an operation asks of its caller.
func needs(role staff.Role) []map[string][]string {
	return []map[string][]string{{tokenScheme: {string(role)}}}
}

// roleOf is the role that an operation declares, or "".
func roleOf(o *huma.Operation) staff.Role {
	if len(o.Security) != 1 || len(o.Security[0][tokenScheme]) != 1 {
		return ""
	}
	return staff.Role(o.Security[0][tokenScheme][0])
}

// tokenWithin bounds how long a token is looked up.
const tokenWithin = 10 * time.Second

// admit finds out who calls, or why nobody is let in.
func (a *api) admit(r *http.Request) (*caller, *Problem) {
	address := access.Address(r, a.Proxies)
	from := network(address)
	stranger := func(detail string) (*caller, *Problem) {
		a.guesses.take(from, a.Now())
		return nil, a.problem("unauthorized", detail)
	}
	given := r.Header.Values("Authorization")
	if len(given) > 1 {
		return nil, a.problem("bad-request", "The header Authorization is there more than once.")
	}
	scheme, bearer, _ := strings.Cut(strings.Join(given, ""), " ")
	if wait := a.guesses.wait(from, a.Now()); wait > 0 && !a.proven.lately(bearer, a.Now()) {
		// Whoever else calls from the same network: a token that was drawn here is judged.
		if a.Desk.Drew(bearer) {
			wait = a.proven.doubt(bearer, a.Now())
		}
		if wait > 0 {
			return nil, a.tooMany(wait, "Too many calls without a valid token came from this network.")
		}
	}
	if !strings.EqualFold(scheme, "Bearer") || bearer == "" {
		return stranger("The header Authorization must be Bearer and a personal token; `segell staff token` makes one.")
	}
	ctx, cancel := context.WithTimeout(r.Context(), tokenWithin)
	defer cancel()
	session, err := a.Desk.Token(ctx, bearer)
	switch {
	case errors.Is(err, staff.ErrIssuerLogin):
		return stranger("The owner of the token has not logged in at the institution's issuer for 30 days: the token is good again after a login at the console.")
	case errors.Is(err, staff.ErrNoSession):
		return stranger("The token is unknown, was revoked or has ended.")
	case err != nil:
		return nil, asProblem(a.refusal("looking up a token", err))
	}
	a.proven.note(bearer, a.Now())
	if wait := a.callers.take(session.Login, a.Now()); wait > 0 {
		return nil, a.tooMany(wait, "")
	}
	return &caller{session, address}, nil
}

func (a *api) tooMany(wait time.Duration, detail string) *Problem {
	p := a.problem("rate-limited", detail)
	p.retryAfter = wait
	return p
}

// network is what counts as one stranger: an IPv4 address, or the /64 that an IPv6
// subscriber has to choose addresses from.
func network(address netip.Addr) string {
	bits := 32
	if address = address.Unmap(); address.Is6() {
		bits = 64
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return "" // no address at all: one stranger more
	}
	return prefix.String()
}

// authorize lets a caller do what its roles allow: the operations declare what
// they need. A refusal is written down.
func (a *api) authorize(c huma.Context, next func(huma.Context)) {
	o, who := c.Operation(), callerOf(c.Context())
	switch {
	case who == nil:
		a.answer(c, a.problem("unauthorized", ""))
	case who.MustEnroll:
		a.answer(c, a.problem("forbidden", "This account must set up its second factor first, in the console."))
	case !who.May(roleOf(o)):
		a.writeDown(c.Context(), o)
		a.answer(c, a.problem("forbidden", "This needs the role "+string(roleOf(o))+"."))
	default:
		if empty := emptyParameters(c.URL()); len(empty) > 0 {
			a.answer(c, a.invalid(empty))
			return
		}
		next(c)
	}
}

// longest is how long an answer may take that reads much.
const longest = 5 * time.Minute

// patient lets an operation answer for longer than the server lets others: its
// limit is for answers that come at once.
func patient(c huma.Context, next func(huma.Context)) {
	_, w := humago.Unwrap(c)
	// Where a connection knows no deadline (a test's recorder) there is none to move.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longest))
	next(c)
}

// emptyParameters are those of an address that are there and say nothing: a filter
// without a value would find everything.
func emptyParameters(u url.URL) (faults []Fault) {
	for name, values := range u.Query() {
		if slices.Contains(values, "") {
			faults = append(faults, Fault{Parameter: name, Detail: "is empty; give a value, or leave it out"})
		}
	}
	return faults
}

// writeDown puts a refusal of somebody known into the audit trail.
func (a *api) writeDown(ctx context.Context, o *huma.Operation) {
	who := actor(ctx)
	a.refusals.Note(ctx, ledger.AuditEntry{Who: who.Who, What: "staff.denied", ID: o.OperationID, Why: "needs the role " + string(roleOf(o)), From: who.From})
}

// proven remembers, by their digests, which tokens were good lately: who shows one is
// no stranger. Others that were drawn here are looked up now and then, each by itself,
// where strangers have guessed too often: nobody who shares a network with them is
// locked out, and one that has ended costs little.
type proven struct {
	mu     sync.Mutex
	good   map[[sha256.Size]byte]time.Time
	doubts *limits
}

const (
	provenFor  = 10 * time.Minute
	provenMost = 10_000
)

func newProven() *proven {
	return &proven{good: map[[sha256.Size]byte]time.Time{}, doubts: newLimits(doubtRate)}
}

func (p *proven) note(bearer string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.good) >= provenMost {
		clear(p.good)
	}
	p.good[sha256.Sum256([]byte(bearer))] = now
}

// doubt says how long a token must wait before it is looked up.
func (p *proven) doubt(bearer string, now time.Time) time.Duration {
	digest := sha256.Sum256([]byte(bearer))
	return p.doubts.take(string(digest[:]), now)
}

func (p *proven) lately(bearer string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.good[sha256.Sum256([]byte(bearer))]
	return known && now.Sub(at) < provenFor
}

// How often a caller may call, and a network without a valid token; and how often a
// token that was drawn here is looked up from there.
var (
	callerRate = access.Rate{PerSecond: 20, Burst: 200}
	guessRate  = access.Rate{PerSecond: 0.5, Burst: 30}
	doubtRate  = access.Rate{PerSecond: 0.1, Burst: 5}
)

// limits are buckets by name.
type limits struct {
	rate  access.Rate
	mu    sync.Mutex
	known map[string]*rate.Limiter
}

// limitsMost bounds how many buckets are kept. When there are more, those that are
// full are dropped, which changes nothing for them, and else all.
const limitsMost = 10_000

func newLimits(r access.Rate) *limits { return &limits{rate: r, known: map[string]*rate.Limiter{}} }

// take charges a name for one call, and says how long it must wait if it has none
// left.
func (l *limits) take(name string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.known[name]
	if bucket == nil {
		l.makeRoom(now)
		bucket = rate.NewLimiter(rate.Limit(l.rate.PerSecond), l.rate.Burst)
		l.known[name] = bucket
	}
	if bucket.AllowN(now, 1) {
		return 0
	}
	return l.until(bucket, now)
}

// wait is how long a name must wait, without charging it.
func (l *limits) wait(name string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.known[name]
	if bucket == nil || bucket.TokensAt(now) >= 1 {
		return 0
	}
	return l.until(bucket, now)
}

func (l *limits) until(bucket *rate.Limiter, now time.Time) time.Duration {
	return time.Duration((1 - bucket.TokensAt(now)) / l.rate.PerSecond * float64(time.Second))
}

func (l *limits) makeRoom(now time.Time) {
	if len(l.known) < limitsMost {
		return
	}
	for name, bucket := range l.known {
		if bucket.TokensAt(now) >= float64(l.rate.Burst) {
			delete(l.known, name)
		}
	}
	if len(l.known) >= limitsMost {
		clear(l.known)
	}
}
