package worker

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"segell/ledger"
	"segell/queue"
)

// pauseLook is how often a worker reads what operators paused.
const pauseLook = 5 * time.Second

// errPaused: somebody halted this kind of document.
var errPaused = errors.New("paused by an operator")

// pausedFor is how long a job of a paused kind is put aside; it is woken when the
// pause ends. What kind a job is of, only its request tells.
func pausedFor() time.Duration { return 10*time.Minute + rand.N(5*time.Minute) }

// pauses is what operators paused, as last read from the ledger. It is safe for
// concurrent use.
type pauses struct {
	ledger *ledger.Ledger
	queue  *queue.Queue
	log    *slog.Logger

	mu    sync.RWMutex
	known []ledger.Pause
	read  bool // at least once
}

func (p *pauses) holds(scope ledger.PauseScope, name string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.ContainsFunc(p.known, func(one ledger.Pause) bool { return one.Scope == scope && one.Name == name })
}

// run reads again and again until ctx ends.
func (p *pauses) run(ctx context.Context) {
	ticker := time.NewTicker(pauseLook)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.look(ctx)
		}
	}
}

// look reads the pauses. While the ledger is away those last read hold.
func (p *pauses) look(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, pauseLook)
	defer cancel()
	now, err := p.ledger.Pauses(asked)
	if err != nil {
		if ctx.Err() == nil {
			p.log.Warn("the pauses could not be read", "why", err)
		}
		return
	}
	p.mu.Lock()
	before, first := p.known, !p.read
	p.known, p.read = now, true
	p.mu.Unlock()
	for _, one := range missing(before, now) {
		p.log.Info("in force: a pause", "scope", one.Scope, "name", one.Name, "who", one.Who, "why", one.Why)
	}
	lifted := missing(now, before)
	for _, one := range lifted {
		p.log.Info("resumed", "scope", one.Scope, "name", one.Name)
	}
	// On the first look, what was put aside before this worker began.
	if first || slices.ContainsFunc(lifted, func(one ledger.Pause) bool { return one.Scope == ledger.PauseKind }) {
		if _, err := p.queue.Wake(ctx, queue.Paused); err != nil && ctx.Err() == nil {
			p.log.Warn("what was paused waits for its time", "why", err)
		}
	}
}

// missing returns what of all is not among some.
func missing(some, all []ledger.Pause) []ledger.Pause {
	return slices.DeleteFunc(slices.Clone(all), func(one ledger.Pause) bool {
		return slices.ContainsFunc(some, func(other ledger.Pause) bool { return other.Scope == one.Scope && other.Name == one.Name })
	})
}
