package access

import (
	"container/list"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is how many calls are allowed: so many a second for ever, and so many at
// once after a rest.
type Rate struct {
	PerSecond float64
	Burst     int
}

// The rates where none is configured. A page of verification takes three calls.
var (
	DefaultRate     = Rate{PerSecond: 100, Burst: 1000}
	DefaultFailures = Rate{PerSecond: 0.5, Burst: 30}
	DefaultPublic   = Rate{PerSecond: 10, Burst: 150}
)

func (r Rate) or(other Rate) Rate {
	if r == (Rate{}) {
		return other
	}
	return r
}

// Work is what a call costs its client.
type Work int

const (
	// Call is any call of the API.
	Call Work = iota
	// BatchDocument is a document that nobody waits for, beyond the call that
	// asked for it. It weighs a tenth of a call, and may not use the last quarter
	// of what the client has left: that is kept for persons who wait.
	BatchDocument
)

// unitsPerCall makes the weights whole numbers.
const unitsPerCall = 10

// limiter is a client's bucket, in units.
type limiter struct {
	bucket *rate.Limiter
	rate   Rate
}

func newLimiter(r Rate) *limiter {
	return &limiter{rate.NewLimiter(rate.Limit(r.PerSecond*unitsPerCall), r.Burst*unitsPerCall), r}
}

// take charges work, or says how long to wait before it can be.
func (l *limiter) take(work Work, now time.Time) (wait time.Duration) {
	units, kept := unitsPerCall, 0
	if work == BatchDocument {
		units, kept = 1, l.bucket.Burst()/4
	}
	if l.bucket.TokensAt(now) >= float64(units+kept) && l.bucket.AllowN(now, units) {
		return 0
	}
	missing := float64(units+kept) - l.bucket.TokensAt(now)
	return max(time.Millisecond, time.Duration(missing/float64(l.bucket.Limit())*float64(time.Second)))
}

// Charge charges a caller for work, or refuses it. operation names what was
// asked, for the audit trail.
func (g *Gate) Charge(c *Caller, operation string, work Work) *Refusal {
	wait := c.limits.take(work, g.Now())
	if wait == 0 {
		return nil
	}
	detail := fmt.Sprintf("This client may make %s calls a second, and %d at once after a rest.", strconv.FormatFloat(c.limits.rate.PerSecond, 'g', 4, 64), c.limits.rate.Burst)
	if work == BatchDocument {
		detail += " The last quarter of them is kept for documents that somebody waits for; this one was asked for with low priority."
	}
	return g.known(c, operation, &Refusal{Status: http.StatusTooManyRequests, Reason: ReasonRateLimited, RetryAfter: wait, Detail: detail})
}

// SetHeaders tells a caller its limit and what is left of it, in the fields of
// draft-ietf-httpapi-ratelimit-headers: q calls in w seconds; r calls left now,
// the whole of them again in t seconds.
func (g *Gate) SetHeaders(c *Caller, h http.Header) {
	limit, left := c.limits.rate, c.limits.bucket.TokensAt(g.Now())/unitsPerCall
	h.Set("RateLimit-Policy", fmt.Sprintf(`"client";q=%d;w=%d`, limit.Burst, ceil(float64(limit.Burst)/limit.PerSecond)))
	h.Set("RateLimit", fmt.Sprintf(`"client";r=%d;t=%d`, max(0, int(left)), ceil((float64(limit.Burst)-left)/limit.PerSecond)))
}

func ceil(seconds float64) int { return max(0, int(math.Ceil(seconds))) }

// maxVisitors is how many addresses are remembered: some 4 MB.
const maxVisitors = 1 << 15

// visitors limits addresses that have no name. Whoever was not seen for longest
// is forgotten first, so a flood from everywhere takes no memory; it is a load
// balancer's to stop.
type visitors struct {
	rate  Rate
	mu    sync.Mutex
	known map[netip.Prefix]*list.Element
	order *list.List // of *visitor, seen last first
}

type visitor struct {
	from   netip.Prefix
	bucket *rate.Limiter
}

func newVisitors(r Rate) *visitors {
	return &visitors{rate: r, known: map[netip.Prefix]*list.Element{}, order: list.New()}
}

// network is what counts as one visitor: an IPv4 address, or the /64 that an
// IPv6 subscriber has to choose addresses from.
func network(address netip.Addr) netip.Prefix {
	bits := 32
	if address = address.Unmap(); address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // the zero address gives the zero prefix: one visitor more
	return prefix
}

// wait says how long the visitor must wait before it may try again, without
// charging it.
func (v *visitors) wait(address netip.Addr, now time.Time) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	element, known := v.known[network(address)]
	if !known {
		return 0
	}
	missing := 1 - element.Value.(*visitor).bucket.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / v.rate.PerSecond * float64(time.Second))
}

// take charges the visitor for one call, and says how long it must wait if it
// has none left.
func (v *visitors) take(address netip.Addr, now time.Time) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	from := network(address)
	element, known := v.known[from]
	if known {
		v.order.MoveToFront(element)
	} else {
		element = v.order.PushFront(&visitor{from, rate.NewLimiter(rate.Limit(v.rate.PerSecond), v.rate.Burst)})
		v.known[from] = element
		if v.order.Len() > maxVisitors {
			oldest := v.order.Back()
			v.order.Remove(oldest)
			delete(v.known, oldest.Value.(*visitor).from)
		}
	}
	bucket := element.Value.(*visitor).bucket
	if bucket.AllowN(now, 1) {
		return 0
	}
	return time.Duration((1 - bucket.TokensAt(now)) / v.rate.PerSecond * float64(time.Second))
}
