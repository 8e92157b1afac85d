package press

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"segell/acts"
	"segell/audit"
	"segell/console"
	"segell/console/api"
	"segell/index"
	"segell/staff"
)

// Console is what the console of staff needs besides the parts of every press.
type Console struct {
	URL     string // as staff reach it, without a slash at the end
	Secure  bool   // staff reach it by https
	Proxies []netip.Prefix

	OIDC        *staff.OIDC // nil: only accounts of the console's own
	RequireTOTP bool
	Idle, Most  time.Duration // of a session; 0: the default of package staff

	FourEyes int     // see acts.Config
	Rate     float64 // see acts.Config
}

// Office is the console and its API, ready to be served.
type Office struct {
	Handler http.Handler
	// Close ends the pages that keep themselves up to date; a server that shuts
	// down must call it first, or it waits for them.
	Close func()
	Desk  *staff.Desk
	Index *index.Index
	Acts  *acts.Acts
	Audit *audit.Reader

	press  *Press
	health *health
}

// Console makes the console. Its parts are there to look at; Run keeps them going.
func (p *Press) Console(c Console) (*Office, error) {
	o := &Office{press: p, health: &health{press: p}}
	var err error
	if o.Desk, err = staff.New(staff.Config{Ledger: p.Ledger, Log: p.parts.Log, Now: p.parts.Now, Random: rand.Reader, OIDC: c.OIDC,
		Idle: c.Idle, Most: c.Most, RequireTOTP: c.RequireTOTP, Institution: p.parts.Institution, Metrics: p.Metrics}); err != nil {
		return nil, fmt.Errorf("the accounts of staff: %w", err)
	}
	o.Index = index.New(index.Config{Redis: p.parts.Redis, Ledger: p.Ledger, Queue: p.Queue, Log: p.parts.Log, Now: p.parts.Now})
	if o.Acts, err = acts.New(acts.Config{Ledger: p.Ledger, Queue: p.Queue, Index: o.Index, Redis: p.parts.Redis, Log: p.parts.Log, Now: p.parts.Now,
		Random: rand.Reader, FourEyes: c.FourEyes, Rate: c.Rate}); err != nil {
		return nil, err
	}
	if o.Audit, err = audit.NewReader(audit.Config{Ledger: p.Ledger, Log: p.parts.Log, Now: p.parts.Now, HeadsFile: p.parts.AuditHeads, Metrics: p.Metrics}); err != nil {
		return nil, fmt.Errorf("the reader of the audit trail: %w", err)
	}
	door, err := api.New(api.Config{Ledger: p.Ledger, Queue: p.Queue, Index: o.Index, Acts: o.Acts, Desk: o.Desk, Audit: o.Audit, Log: p.parts.Log,
		Now: p.parts.Now, PublicURL: c.URL, Version: p.parts.Version, Proxies: c.Proxies})
	if err != nil {
		return nil, fmt.Errorf("the staff API: %w", err)
	}
	pages, err := console.New(console.Config{Ledger: p.Ledger, Queue: p.Queue, Index: o.Index, Desk: o.Desk, Acts: o.Acts, Audit: o.Audit, API: door,
		Health: o.Health, Log: p.parts.Log, Now: p.parts.Now, Institution: p.parts.Institution, Logo: p.parts.Logo,
		Secure: c.Secure, Proxies: c.Proxies, PublicURL: c.URL})
	if err != nil {
		return nil, err
	}
	o.Handler, o.Close = pages.Handler(), pages.Close
	p.reader = o.Audit
	return o, nil
}

// Health is how what this press stands on is doing, at most two seconds old.
func (o *Office) Health(ctx context.Context) []console.Health { return o.health.look(ctx) }

// Run keeps the console going until ctx ends: the index, the acts on many, the
// audit trail, and the sessions that have ended.
func (o *Office) Run(ctx context.Context) {
	var beside sync.WaitGroup
	defer beside.Wait()
	o.press.Queue.Keep(ctx)
	beside.Go(func() { o.Index.Run(ctx) })
	beside.Go(func() { o.Audit.Run(ctx) })
	beside.Go(func() { o.Desk.Run(ctx) })
	beside.Go(func() { o.act(ctx) })
}

// again is how long to wait before acts on many are begun again that ended of
// themselves.
const again = 10 * time.Second

func (o *Office) act(ctx context.Context) {
	for {
		err := o.Acts.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		o.press.parts.Log.Error("acts on many stopped and are begun again", "why", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// KeepHeads writes the heads of the audit trail down outside the bucket until ctx
// ends. It should end after everything that audits.
func (p *Press) KeepHeads(ctx context.Context) {
	audit.Heads{Ledger: p.Ledger, Reader: p.reader, File: p.parts.AuditHeads, Log: p.parts.Log, Now: p.parts.Now, Metrics: p.Metrics}.Run(ctx)
}
