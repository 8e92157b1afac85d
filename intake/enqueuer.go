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
	// waitingMost is how many ids wait here; the others wait for the reconciler.
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
		if !errors.Is(err, queue.ErrAway) {
			return // a trouble of this request alone: the reconciler's
		}
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

// again asks Redis, while it was seen to be away, whether it is back. Then the
// door enqueues at once again, and what waited follows.
func (e *enqueuer) again(ctx context.Context) {
	e.mu.Lock()
	away := e.away
	e.mu.Unlock()
	if !away {
		return
	}
	asked, cancel := context.WithTimeout(ctx, enqueueWithin)
	defer cancel()
	if e.queue.Ping(asked) != nil {
		return
	}
	e.mu.Lock()
	e.away = false
	waiting := e.waiting
	e.waiting = map[string]string{}
	e.mu.Unlock()
	for id, name := range waiting {
		// Who enqueues so late cannot know what happened meanwhile.
		tried, cancel := context.WithTimeout(ctx, enqueueWithin)
		err := e.queue.Enqueue(tried, id, name, queue.Reconciler)
		cancel()
		if errors.Is(err, queue.ErrAway) {
			e.mu.Lock()
			e.away = true
			for id, name := range waiting { // enqueuing twice does no harm
				if len(e.waiting) < waitingMost {
					e.waiting[id] = name
				}
			}
			e.mu.Unlock()
			return
		}
	}
}
