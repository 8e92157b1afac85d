// Package press puts the roles of Segell together: the same wiring for the
// production binary and for the sandbox.
package press

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"

	"segell/access"
	"segell/acts"
	"segell/audit"
	"segell/download"
	"segell/intake"
	"segell/internal/failpoint"
	"segell/layout"
	"segell/ledger"
	"segell/notify"
	"segell/queue"
	"segell/storage"
	"segell/upkeep"
	"segell/verification"
	"segell/worker"
)

// Parts is what a press is made of. Which are needed depends on the roles.
type Parts struct {
	Bucket  ledger.Objects
	Redis   redis.UniversalClient
	Keyset  *ledger.Keyset
	HMACKey []byte
	Log     *slog.Logger
	Now     func() time.Time

	PublicURL   string // without a slash at the end
	Institution string
	Logo        []byte       // PNG, for the pages
	Mark        *layout.Mark // the same, for the documents
	Version     string
	AuditHeads  string // file outside the bucket for the heads of the audit trail; empty: the log alone

	Access         access.Config // intake only; Now and Metrics are given by the press
	MostUnfinished int           // intake only: the bound of the backlog; 0: the intake's own

	Sealers        worker.Sealers   // worker only
	Callbacks      notify.Endpoints // by client; the same in every process on one bucket
	Proof          bool
	Concurrency    int
	CheckInterval  time.Duration
	ReconcileEvery time.Duration
	ShutdownWithin time.Duration

	// Upkeep beside the worker. Archivist may be nil, or give nil: then archive
	// time-stamps are not renewed here.
	Archivist   func() upkeep.Archivist
	RenewWithin time.Duration // a proof that ends sooner is renewed; default 90 days
	RenewRate   float64       // time-stamps a second; 0: no limit
	Retention   upkeep.Policy // how long things are kept; empty: for ever
	UpkeepEvery time.Duration // default a day
}

// Press is one process of Segell: the ledger and the queue, and the roles made
// from them.
type Press struct {
	Ledger  *ledger.Ledger
	Queue   *queue.Queue
	Metrics *prometheus.Registry // everything that this process counts, for the admin port
	parts   Parts
	gate    *access.Gate  // of the doors, once they are made
	reader  *audit.Reader // of the console, once it is made
}

// New opens the ledger and the queue.
func New(p Parts) (*Press, error) {
	q := queue.New(p.Redis)
	l, err := ledger.New(ledger.Config{Objects: failpoint.Objects(p.Bucket), Keyset: p.Keyset, HMACKey: p.HMACKey, Now: p.Now, Random: rand.Reader,
		Subscribers: notify.Subscribers{Endpoints: p.Callbacks, Queue: q, Log: p.Log}})
	if err != nil {
		return nil, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Press{Ledger: l, Queue: q, Metrics: metrics, parts: p}, nil
}

// Doors returns what the public listener serves, the intake API, the downloads
// and the verification pages, and what must run beside it until its context ends.
func (p *Press) Doors() (http.Handler, func(context.Context), error) {
	config := p.parts.Access
	config.Now, config.Metrics = p.parts.Now, p.Metrics
	gate, err := access.New(config)
	if err != nil {
		return nil, nil, err
	}
	p.gate = gate
	api, err := intake.New(intake.Config{Ledger: p.Ledger, Queue: p.Queue, Access: gate, Log: p.parts.Log, Now: p.parts.Now,
		PublicURL: p.parts.PublicURL, Version: p.parts.Version, MostUnfinished: p.parts.MostUnfinished})
	if err != nil {
		return nil, nil, err
	}
	pages, err := verification.New(verification.Config{Register: register{p.Ledger, p.parts.Proof}, Institution: p.parts.Institution,
		Logo: p.parts.Logo, Now: p.parts.Now, Log: p.parts.Log})
	if err != nil {
		return nil, nil, err
	}
	downloads, err := download.New(download.Config{Tickets: p.Ledger, Institution: p.parts.Institution, Logo: p.parts.Logo, Now: p.parts.Now, Log: p.parts.Log})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/v/", gate.Public(pages))
	mux.Handle("/v", gate.Public(pages))
	mux.Handle("/d/", gate.Public(downloads))
	mux.Handle("/", api)
	return mux, func(ctx context.Context) {
		var beside sync.WaitGroup
		defer beside.Wait()
		beside.Go(func() { gate.Report(ctx, p.auditRefusal) })
		beside.Go(func() { p.greet(ctx, config.Issuer) })
		p.Queue.Keep(ctx)
		api.Run(ctx)
	}, nil
}

// UseClients lets other clients in at the doors from now on; see access.Gate.Use.
// Doors must have been called.
func (p *Press) UseClients(clients *access.Clients) error { return p.gate.Use(clients) }

// auditRefusal writes down that a known client asked for what it may not have.
func (p *Press) auditRefusal(ctx context.Context, r access.Refused) error {
	why := r.Reason
	if r.Needs != "" {
		why += ": " + r.Needs
	}
	err := p.Ledger.Audit(ctx, ledger.AuditEntry{Who: r.Client, What: "api.refused", ID: r.Operation, Why: why, From: r.From, Count: r.Count})
	if err != nil {
		p.parts.Log.Warn("a refusal could not be written to the audit trail yet", "client", r.Client, "why", err)
	}
	return err
}

// greet learns the issuer's keys before the first client comes.
func (p *Press) greet(ctx context.Context, issuer *access.Issuer) {
	if issuer == nil {
		return
	}
	if err := issuer.Prepare(ctx); err != nil && ctx.Err() == nil {
		p.parts.Log.Warn("the issuer of access tokens does not answer: calls with its tokens get 503 until it does", "why", err)
	}
}

// Worker returns the worker, with its reconciler.
func (p *Press) Worker() (*worker.Worker, error) {
	if p.parts.Sealers == nil {
		return nil, errors.New("press: a worker needs sealers")
	}
	if !failpoint.Reconciles() {
		p.parts.ReconcileEvery = -1
	}
	return worker.New(worker.Config{Ledger: p.Ledger, Queue: p.Queue, Redis: p.parts.Redis, Sealers: p.parts.Sealers, Metrics: p.Metrics, Version: p.parts.Version, Log: p.parts.Log, Now: p.parts.Now,
		PublicURL: p.parts.PublicURL, SealedBy: p.parts.Institution, Mark: p.parts.Mark, Proof: p.parts.Proof,
		Concurrency: p.parts.Concurrency, CheckInterval: p.parts.CheckInterval, ReconcileEvery: p.parts.ReconcileEvery, ShutdownWithin: p.parts.ShutdownWithin})
}

// Callbacks returns what tells clients of what became of their requests, until
// its context ends. It runs beside the worker, also where no client has an
// endpoint: what is left to deliver of those that had one must come to its end.
func (p *Press) Callbacks() (func(context.Context) error, error) {
	notifier, err := notify.New(notify.Config{Ledger: p.Ledger, Queue: p.Queue, Endpoints: p.parts.Callbacks, Log: p.parts.Log, Now: p.parts.Now,
		Random: mathrand.Float64, PublicURL: p.parts.PublicURL, Version: p.parts.Version, ShutdownWithin: p.parts.ShutdownWithin})
	if err != nil {
		return nil, err
	}
	every := p.parts.ReconcileEvery
	if every <= 0 {
		every = time.Minute
	}
	reconciler := notifier.Reconciler()
	job := upkeep.Job{Name: "callbacks", Every: every, Pass: func(ctx context.Context) error {
		_, err := reconciler.Pass(ctx)
		return err
	}}
	return func(ctx context.Context) error {
		var beside sync.WaitGroup
		defer beside.Wait()
		beside.Go(func() { upkeep.Run(ctx, p.parts.Redis, p.parts.Log, job) })
		return notifier.Run(ctx)
	}, nil
}

// Acts returns what staff do to requests. What the press has is filled in; the
// index and the rules of bulks are for the caller to say.
func (p *Press) Acts(c acts.Config) (*acts.Acts, error) {
	c.Ledger, c.Queue, c.Redis, c.Log, c.Now, c.Random = p.Ledger, p.Queue, p.parts.Redis, p.parts.Log, p.parts.Now, rand.Reader
	return acts.New(c)
}

// Upkeep returns what keeps issued documents and the bucket in order until its
// context ends. It runs beside the worker.
func (p *Press) Upkeep() func(context.Context) {
	every := p.parts.UpkeepEvery
	if every <= 0 {
		every = 24 * time.Hour
	}
	erasures := &upkeep.Erasures{Ledger: p.Ledger, Log: p.parts.Log, OnChanged: p.Queue.Changed}
	jobs := []upkeep.Job{upkeep.WorkJob(p.Ledger, every, p.parts.Log), upkeep.TicketJob(p.Ledger, every, p.parts.Now, p.parts.Log), erasures.Job(min(every, 10*time.Minute))}
	if !p.parts.Retention.Empty() {
		retention := &upkeep.Retention{Ledger: p.Ledger, Policy: p.parts.Retention, Now: p.parts.Now, Log: p.parts.Log, OnChanged: p.Queue.Changed}
		jobs = append(jobs, retention.Job(every, p.Metrics))
	}
	if p.parts.Archivist != nil && p.parts.Archivist() != nil {
		renewal := p.Renewal()
		jobs = append(jobs, renewal.Job(every, p.Metrics))
	}
	return func(ctx context.Context) { upkeep.Run(ctx, p.parts.Redis, p.parts.Log, jobs...) }
}

// Renewal is the renewal of archive time-stamps, for who wants a pass at once.
func (p *Press) Renewal() *upkeep.Renewal {
	within := p.parts.RenewWithin
	if within <= 0 {
		within = 90 * 24 * time.Hour
	}
	return &upkeep.Renewal{Ledger: p.Ledger, Archivist: p.parts.Archivist, Now: p.parts.Now, Log: p.parts.Log, Within: within, Rate: p.parts.RenewRate}
}

// register shows the ledger to the verification pages.
type register struct {
	ledger *ledger.Ledger
	proof  bool
}

func (r register) ByCSV(ctx context.Context, code string) (verification.Status, error) {
	record, err := r.ledger.ByCSV(ctx, ledger.CSV(code))
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return verification.Status{}, verification.ErrUnknown
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrDenied):
		return verification.Status{}, fmt.Errorf("%w: %w", verification.ErrUnavailable, err)
	case err != nil:
		return verification.Status{}, err
	}
	s := verification.Status{Kind: record.Kind, Number: record.Number, Language: record.Language, State: string(record.Status),
		MaskedHolder: record.Masked.Initials + " " + record.Masked.CASSNumber, IssuedAt: record.IssuedAt, ValidUntil: record.ValidUntil,
		Pages: record.Pages, ReplacedBy: record.ReplacedBy, Proof: r.proof}
	if record.WithdrawnAt != nil {
		s.Withdrawn = *record.WithdrawnAt
	}
	if current, ok := record.Current(); ok {
		s.SHA256 = current.SHA256
	}
	for _, version := range record.Versions {
		if version.SHA256 != s.SHA256 {
			s.OtherSHA256 = append(s.OtherSHA256, version.SHA256)
		}
	}
	return s, nil
}

// Server returns an http.Server with the limits that every listener of Segell has.
func Server(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
}

// Serve answers on listener until ctx ends, then lets begun answers end for a
// while; those without an end are ended by closing.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger, closing ...func()) error {
	server := Server(handler, log)
	for _, end := range closing {
		server.RegisterOnShutdown(end)
	}
	var ending sync.WaitGroup
	ending.Go(func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	})
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		ending.Wait()
		return nil
	}
	return fmt.Errorf("serving: %w", err)
}
