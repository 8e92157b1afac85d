// Package press puts the roles of Segell together: the same wiring for the
// production binary and for the sandbox.
package press

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/intake"
	"segell/layout"
	"segell/ledger"
	"segell/queue"
	"segell/signing"
	"segell/storage"
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

	Tokens *intake.Tokens // intake only

	Sealer         *signing.Sealer // worker only
	Proof          bool
	Concurrency    int
	CheckInterval  time.Duration
	ReconcileEvery time.Duration
	ShutdownWithin time.Duration
}

// Press is one process of Segell: the ledger and the queue, and the roles made
// from them.
type Press struct {
	Ledger *ledger.Ledger
	Queue  *queue.Queue
	parts  Parts
}

// New opens the ledger and the queue.
func New(p Parts) (*Press, error) {
	l, err := ledger.New(ledger.Config{Objects: p.Bucket, Keyset: p.Keyset, HMACKey: p.HMACKey, Now: p.Now, Random: rand.Reader})
	if err != nil {
		return nil, err
	}
	return &Press{Ledger: l, Queue: queue.New(p.Redis), parts: p}, nil
}

// Doors returns what the public listener serves, the intake API and the
// verification pages, and what must run beside it until its context ends.
func (p *Press) Doors() (http.Handler, func(context.Context), error) {
	api, err := intake.New(intake.Config{Ledger: p.Ledger, Queue: p.Queue, Tokens: p.parts.Tokens, Log: p.parts.Log, Now: p.parts.Now,
		PublicURL: p.parts.PublicURL, Version: p.parts.Version})
	if err != nil {
		return nil, nil, err
	}
	pages, err := verification.New(verification.Config{Register: register{p.Ledger, p.parts.Proof}, Institution: p.parts.Institution,
		Logo: p.parts.Logo, Now: p.parts.Now, Log: p.parts.Log})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/v/", pages)
	mux.Handle("/v", pages)
	mux.Handle("/", api)
	return mux, func(ctx context.Context) {
		p.Queue.Keep(ctx)
		api.Run(ctx)
	}, nil
}

// Worker returns the worker, with its reconciler.
func (p *Press) Worker() (*worker.Worker, error) {
	if p.parts.Sealer == nil {
		return nil, errors.New("press: a worker needs a sealer")
	}
	return worker.New(worker.Config{Ledger: p.Ledger, Queue: p.Queue, Redis: p.parts.Redis, Sealer: p.parts.Sealer, Log: p.parts.Log, Now: p.parts.Now,
		PublicURL: p.parts.PublicURL, SealedBy: p.parts.Institution, Mark: p.parts.Mark, Proof: p.parts.Proof,
		Concurrency: p.parts.Concurrency, CheckInterval: p.parts.CheckInterval, ReconcileEvery: p.parts.ReconcileEvery, ShutdownWithin: p.parts.ShutdownWithin})
}

// Retry opens a failed request again and enqueues it. When the queue does not
// answer the retry still stands: the reconciler enqueues it.
func (p *Press) Retry(ctx context.Context, id string) error {
	request, err := p.Ledger.Reopen(ctx, id)
	if err != nil {
		return err
	}
	p.parts.Log.Info("a failed request was opened again", "id", id)
	if err := p.Queue.Enqueue(ctx, id, request.Queue, queue.Staff); err != nil {
		p.parts.Log.Warn("it could not be enqueued yet; the reconciler will", "id", id, "why", err)
	}
	return nil
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
	if n := len(record.Versions); n > 0 {
		s.SHA256 = record.Versions[n-1].SHA256
	}
	return s, nil
}

// Server returns an http.Server with the limits that every listener of Segell has.
func Server(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
}

// Serve answers on listener until ctx ends, then lets begun answers end for a while.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := Server(handler, log)
	var closing sync.WaitGroup
	closing.Go(func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	})
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		closing.Wait()
		return nil
	}
	return fmt.Errorf("serving: %w", err)
}
