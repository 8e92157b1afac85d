// Package worker fulfils requests: it reads one from the ledger, renders it,
// seals it, stores the document and finishes the register. Whatever it finds
// done it adopts; whatever stops it halfway is done again from the ledger.
package worker

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"segell/layout"
	"segell/ledger"
	"segell/queue"
	"segell/signing"
)

// Sealer puts the institution's seal on a finished document. signing.Sealer is
// one. What it returns has passed inspection at its Level; it is safe for
// concurrent use.
type Sealer interface {
	Seal(ctx context.Context, pdf []byte) ([]byte, error)
	Level() signing.Level
	Certificate() *x509.Certificate
}

// Config is what a Worker stands on. Fields without a default are required.
type Config struct {
	Ledger *ledger.Ledger
	Queue  *queue.Queue
	Redis  redis.UniversalClient // the one the Queue stands on
	Sealer Sealer
	Log    *slog.Logger
	Now    func() time.Time

	PublicURL string       // where the verification pages are, without a slash at the end
	SealedBy  string       // the institution's name, as printed
	Mark      *layout.Mark // the institution's; nil: Segell's own
	Proof     bool         // "PROVA — sense valor" on every page: sandbox only

	Concurrency    int           // jobs at a time; default 4 per core
	CheckInterval  time.Duration // how often an idle worker looks for jobs; default 50 ms
	ReconcileEvery time.Duration // default one minute
	ShutdownWithin time.Duration // default 20 s: then what is unfinished is handed back
}

// Worker runs jobs until its context ends.
type Worker struct {
	Config
	rendering  chan struct{} // as many at a time as there are cores: rendering is all CPU
	reconciler *Reconciler
	servers    []*asynq.Server
	busy       sync.Map // id to queue, of the jobs that run
}

// New returns a Worker, or an error naming every field missing.
func New(c Config) (*Worker, error) {
	var faults []error
	for name, missing := range map[string]bool{
		"Ledger": c.Ledger == nil, "Queue": c.Queue == nil, "Redis": c.Redis == nil, "Sealer": c.Sealer == nil, "Log": c.Log == nil,
		"Now": c.Now == nil, "PublicURL": c.PublicURL == "", "SealedBy": c.SealedBy == "",
	} {
		if missing {
			faults = append(faults, fmt.Errorf("worker: %s is missing", name))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 4 * runtime.GOMAXPROCS(0)
	}
	if c.CheckInterval <= 0 {
		c.CheckInterval = 50 * time.Millisecond
	}
	if c.ReconcileEvery <= 0 {
		c.ReconcileEvery = time.Minute
	}
	if c.ShutdownWithin <= 0 {
		c.ShutdownWithin = 20 * time.Second
	}
	w := &Worker{Config: c, rendering: make(chan struct{}, runtime.GOMAXPROCS(0))}
	w.reconciler = NewReconciler(c.Ledger, c.Queue, c.Redis, c.Log)
	// One server per class: weights do not keep a class from starving another
	// across servers, shares do.
	batch := max(1, c.Concurrency/4)
	for _, class := range []struct {
		queue       string
		concurrency int
	}{{queue.Interactive, max(1, c.Concurrency-batch)}, {queue.Batch, batch}} {
		w.servers = append(w.servers, asynq.NewServerFromRedisClient(c.Redis, asynq.Config{
			Concurrency:              class.concurrency,
			Queues:                   map[string]int{class.queue: 1},
			TaskCheckInterval:        c.CheckInterval,
			DelayedTaskCheckInterval: time.Second,
			ShutdownTimeout:          c.ShutdownWithin,
			RetryDelayFunc:           retryDelay,
			IsFailure:                isFailure,
			Logger:                   asynqLog{c.Log},
			LogLevel:                 asynq.WarnLevel,
		}))
	}
	return w, nil
}

// Run works until ctx ends, then takes no more jobs, lets those begun end
// within ShutdownWithin and hands the others back to the queue.
func (w *Worker) Run(ctx context.Context) error {
	background, stop := context.WithCancel(ctx)
	defer stop()
	w.Queue.Keep(background)
	var others sync.WaitGroup
	others.Go(func() { w.reconciler.Run(background, w.ReconcileEvery) })
	for i, server := range w.servers {
		if err := server.Start(asynq.HandlerFunc(w.handle)); err != nil {
			for _, started := range w.servers[:i] {
				started.Shutdown()
			}
			return fmt.Errorf("starting a worker: %w", err)
		}
	}
	<-ctx.Done()
	var closing sync.WaitGroup
	for _, server := range w.servers {
		closing.Go(server.Shutdown)
	}
	closing.Wait()
	others.Wait()
	// What still runs was handed back: that this process ends is not its doing.
	w.busy.Range(func(id, name any) bool {
		w.end(ctx, &run{id: id.(string), queue: name.(string)})
		return true
	})
	return nil
}

// Reconciler is the one that Run keeps going, for who wants a pass at once.
func (w *Worker) Reconciler() *Reconciler { return w.reconciler }

// asynqLog passes on what asynq has to say. Its lines hold ids and errors of
// Redis, never a payload.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Info(args ...any)  { l.log.Info(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Warn(args ...any)  { l.log.Warn(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Error(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }

// Fatal must not end the process: asynq calls it for what Start reports anyway.
func (l asynqLog) Fatal(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }
