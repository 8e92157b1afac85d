package intake

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"segell/queue"
)

// enqueuer gives jobs to the queue without ever keeping a client waiting for a
// Redis that is away: what could not be enqueued is tried again every second.
type enqueuer struct {
	queue *queue.Queue
	log   *slog.Logger

	mu      sync.Mutex
	waiting map[string]string // id to queue
	away    bool
}

const (
	enqueueWithin = 1500 * time.Millisecond
	// Beyond this many the reconciler, which reads the ledger, is left to it.
	waitingMost = 10_000
)

func newEnqueuer(q *queue.Queue, log *slog.Logger) *enqueuer {
	return &enqueuer{queue: q, log: log, waiting: map[string]string{}}
}

// enqueue tries once, and not at all while Redis was seen to be away.
func (e *enqueuer) enqueue(ctx context.Context, id, name string) {
	e.mu.Lock()
	away := e.away
	e.mu.Unlock()
	if !away {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enqueueWithin)
		defer cancel()
		err := e.queue.Enqueue(ctx, id, name, queue.Door)
		if err == nil || errors.Is(err, queue.ErrFull) {
			return // full: the ledger keeps it until there is room
		}
		e.log.Warn("a request was accepted and could not be enqueued yet", "id", id, "why", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.away = true
	if len(e.waiting) < waitingMost {
		e.waiting[id] = name
	}
}

func (e *enqueuer) run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			e.again(ctx)
		}
	}
}

// again tries what waits until Redis fails once more.
func (e *enqueuer) again(ctx context.Context) {
	e.mu.Lock()
	waiting := make(map[string]string, len(e.waiting))
	for id, name := range e.waiting {
		waiting[id] = name
	}
	away := e.away
	e.mu.Unlock()
	if !away {
		return
	}
	if len(waiting) == 0 {
		ctx, cancel := context.WithTimeout(ctx, enqueueWithin)
		defer cancel()
		if e.queue.Ping(ctx) != nil {
			return
		}
	}
	for id, name := range waiting {
		ctx, cancel := context.WithTimeout(ctx, enqueueWithin)
		// Who enqueues so late cannot know what happened meanwhile.
		err := e.queue.Enqueue(ctx, id, name, queue.Reconciler)
		cancel()
		if err != nil && !errors.Is(err, queue.ErrFull) {
			return
		}
		e.mu.Lock()
		delete(e.waiting, id)
		e.mu.Unlock()
	}
	e.mu.Lock()
	e.away = len(e.waiting) > 0
	e.mu.Unlock()
}
