// Package worker fulfils requests: it reads one from the ledger, renders it,
// seals it, stores the document and finishes the register. Whatever it finds
// done it adopts; whatever stops it halfway is done again from the ledger.
package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"segell/layout"
	"segell/ledger"
	"segell/queue"
)

// Config is what a Worker stands on. Fields without a default are required.
type Config struct {
	Ledger  *ledger.Ledger
	Queue   *queue.Queue
	Redis   redis.UniversalClient // the one the Queue stands on
	Sealers Sealers
	Log     *slog.Logger
	Now     func() time.Time

	PublicURL string                // where the verification pages are, without a slash at the end
	SealedBy  string                // the institution's name, as printed
	Mark      *layout.Mark          // the institution's; nil: Segell's own
	Metrics   prometheus.Registerer // where to register the metrics; nil: nowhere
	Version   string                // of the program, for who asks which workers there are

	Proof bool // "PROVA — sense valor" on every page: sandbox only

	Concurrency    int           // jobs at a time; default 4 per core
	CheckInterval  time.Duration // how often an idle worker looks for jobs; default 50 ms
	ReconcileEvery time.Duration // default one minute; below zero: never, which only a test wants
	ShutdownWithin time.Duration // default 20 s: then what is unfinished is handed back
}

// Worker runs jobs until its context ends.
type Worker struct {
	Config
	metrics    *metrics
	name       string        // that no other process has
	rendering  chan struct{} // as many at a time as there are cores: rendering is all CPU
	reconciler *Reconciler
	outages    *outages
	pauses     *pauses
	presence   *presence
	servers    []*asynq.Server
	busy       sync.Map       // id to queue, of the jobs that run
	waking     sync.WaitGroup // who wakes what waited
}

// New returns a Worker, or an error naming every field missing.
func New(c Config) (*Worker, error) {
	var faults []error
	for name, missing := range map[string]bool{
		"Ledger": c.Ledger == nil, "Queue": c.Queue == nil, "Redis": c.Redis == nil, "Sealers": c.Sealers == nil, "Log": c.Log == nil,
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
	if c.ReconcileEvery == 0 {
		c.ReconcileEvery = time.Minute
	}
	if c.ShutdownWithin <= 0 {
		c.ShutdownWithin = 20 * time.Second
	}
	w := &Worker{Config: c, name: rand.Text(), metrics: newMetrics(c.Metrics, c.Sealers, c.Now), rendering: make(chan struct{}, runtime.GOMAXPROCS(0)),
		outages: newOutages(c.Log, time.Now), presence: newPresence(c.Now()), pauses: &pauses{ledger: c.Ledger, queue: c.Queue, log: c.Log}}
	w.reconciler = NewReconciler(c.Ledger, c.Queue, c.Redis, c.Log)
	// One server per class: weights do not keep a class from starving another
	// across servers, shares do. What is in quarantine runs one at a time.
	batch := max(1, c.Concurrency/4)
	for _, class := range []struct {
		queue       string
		concurrency int
	}{{queue.Interactive, max(1, c.Concurrency-batch)}, {queue.Batch, batch}, {queue.Quarantine, 1}} {
		client := gate{UniversalClient: c.Redis, tookNone: w.outages.tookNone,
			mayTake: func() bool { return !w.pauses.holds(ledger.PauseQueue, class.queue) && w.outages.mayTake() }}
		w.servers = append(w.servers, asynq.NewServerFromRedisClient(client, asynq.Config{
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
	w.pauses.look(background) // before the first job
	var others sync.WaitGroup
	if w.ReconcileEvery > 0 {
		others.Go(func() { w.reconciler.Run(background, w.ReconcileEvery) })
	}
	others.Go(func() { w.Queue.NewReaper().Run(background, w.Log) })
	others.Go(func() { w.pauses.run(background) })
	others.Go(func() { w.watchCertificates(background) })
	over := make(chan struct{})
	others.Go(func() { w.beHere(background, over) })
	for i, server := range w.servers {
		if err := server.Start(asynq.HandlerFunc(w.handle)); err != nil {
			for _, started := range w.servers[:i] {
				started.Shutdown()
			}
			close(over)
			return fmt.Errorf("starting a worker: %w", err)
		}
	}
	<-ctx.Done()
	handingBack := time.AfterFunc(w.ShutdownWithin*9/10, w.letGo)
	defer handingBack.Stop()
	var closing sync.WaitGroup
	for _, server := range w.servers {
		closing.Go(server.Shutdown)
	}
	closing.Wait()
	close(over)
	others.Wait()
	w.waking.Wait()
	return nil
}

// Reconciler is the one that Run keeps going, for who wants a pass at once.
func (w *Worker) Reconciler() *Reconciler { return w.reconciler }

// asynqLog passes on what asynq has to say. Its lines hold ids and errors of
// Redis, never a payload.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Info(args ...any)  { l.log.Info(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Error(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }

// Warn passes over what asynq says of each job that we give up ourselves: our own
// line tells why.
func (l asynqLog) Warn(args ...any) {
	text := fmt.Sprint(args...)
	if strings.HasPrefix(text, "revoke task id=") {
		l.Debug(text)
		return
	}
	l.log.Warn(text, "from", "asynq")
}

// Fatal must not end the process: asynq calls it for what Start reports anyway.
func (l asynqLog) Fatal(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }
