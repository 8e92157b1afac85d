package access

import (
	"context"
	"sync"
	"time"
)

// Refused is a refusal of a known client, or several alike in a row.
type Refused struct {
	Client    string
	Operation string // of the API, by its id
	Reason    string // ReasonScope, ReasonKind or ReasonRateLimited
	Needs     string // the scope or kind that was missing
	From      string // the address it came from
	Count     int    // how many alike, 1 or more
}

const (
	reportPause = time.Minute // between two reports of refusals that are alike
	maxRefusals = 1000        // that are kept apart; further ones are counted in the metrics alone
)

// refusals makes one report of many refusals that are alike: a client that asks
// a thousand times a second for what it may not have must not become a thousand
// writes a second.
type refusals struct {
	mu    sync.Mutex
	kinds map[Refused]*burst // by what they have in common, Count and From zero
	wake  chan struct{}
}

type burst struct {
	from     string // the last
	count    int    // since the last report
	reported time.Time
}

func newRefusals() refusals {
	return refusals{kinds: map[Refused]*burst{}, wake: make(chan struct{}, 1)}
}

func (r *refusals) add(one Refused, now time.Time) {
	alike := one
	alike.From, alike.Count = "", 0
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.kinds[alike]
	if b == nil {
		if len(r.kinds) >= maxRefusals {
			return
		}
		b = &burst{}
		r.kinds[alike] = b
	}
	b.from = one.From
	if b.count++; b.count == 1 && now.Sub(b.reported) >= reportPause {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// due takes out what is to be reported now, and forgets what has been quiet.
func (r *refusals) due(now time.Time, all bool) []Refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Refused
	for alike, b := range r.kinds {
		switch {
		case !all && now.Sub(b.reported) < reportPause:
		case b.count == 0:
			delete(r.kinds, alike)
		default:
			alike.From, alike.Count = b.from, b.count
			b.count, b.reported = 0, now
			out = append(out, alike)
		}
	}
	return out
}

// back takes a report back that could not be made, to be tried again.
func (r *refusals) back(one Refused) {
	alike := one
	alike.From, alike.Count = "", 0
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.kinds[alike]
	if b == nil {
		b = &burst{from: one.From}
		r.kinds[alike] = b
	}
	b.count, b.reported = b.count+one.Count, time.Time{}
}

// Report hands refusals of known clients to audit until ctx ends: the first of
// its sort at once, those alike within a minute as one. What audit fails on is
// handed to it again.
func (g *Gate) Report(ctx context.Context, audit func(context.Context, Refused) error) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-g.refusals.wake:
		case <-tick.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			g.report(last, g.refusals.due(g.Now(), true), audit)
			return
		}
		g.report(ctx, g.refusals.due(g.Now(), false), audit)
	}
}

func (g *Gate) report(ctx context.Context, due []Refused, audit func(context.Context, Refused) error) {
	for _, one := range due {
		if audit(ctx, one) != nil {
			g.refusals.back(one)
		}
	}
}
