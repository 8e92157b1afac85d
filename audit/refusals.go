package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"segell/ledger"
)

const (
	// refusalsEvery is how long refusals alike are counted before they are written.
	refusalsEvery = 10 * time.Minute
	// refusalWithin is how long the bucket has to take an entry.
	refusalWithin = 15 * time.Second
)

// Refusals writes down what somebody known was refused, so that a flood of it
// neither fills the trail nor keeps acts waiting: the first of its kind at once, and
// those that follow within ten minutes as one entry with their count, when these are
// over. What is counted when a process ends is in the log alone. It is safe for
// concurrent use.
type Refusals struct {
	Ledger *ledger.Ledger
	Log    *slog.Logger

	mu     sync.Mutex
	counts map[refusal]int // how many since the last entry
}

// refusal is what refusals have alike, wherever they come from.
type refusal struct{ who, what, id string }

// Note takes what the trail is to hold of a refusal. Nothing is done, so nobody
// waits for the trail to hold it: an entry that cannot be written is in the log.
func (r *Refusals) Note(ctx context.Context, e ledger.AuditEntry) {
	kind := refusal{e.Who, e.What, e.ID}
	r.mu.Lock()
	_, counting := r.counts[kind]
	if counting {
		r.counts[kind]++
	} else {
		r.count(kind, e)
	}
	r.mu.Unlock()
	if !counting {
		r.write(context.WithoutCancel(ctx), e)
	}
}

// count begins to count refusals of a kind, and has them written when it is time;
// mu is held.
func (r *Refusals) count(kind refusal, e ledger.AuditEntry) {
	if r.counts == nil {
		r.counts = map[refusal]int{}
	}
	r.counts[kind] = 0
	time.AfterFunc(refusalsEvery, func() { r.close(kind, e) })
}

// close writes down what was counted; where that was nothing, the next refusal is
// a first one again.
func (r *Refusals) close(kind refusal, e ledger.AuditEntry) {
	r.mu.Lock()
	e.Count = r.counts[kind]
	delete(r.counts, kind)
	if e.Count > 0 {
		r.count(kind, e)
	}
	r.mu.Unlock()
	if e.Count > 0 {
		r.write(context.Background(), e)
	}
}

func (r *Refusals) write(ctx context.Context, e ledger.AuditEntry) {
	ctx, cancel := context.WithTimeout(ctx, refusalWithin)
	defer cancel()
	if err := r.Ledger.Audit(ctx, e); err != nil {
		r.Log.Error("a refusal is not in the audit trail", "login", e.Who, "act", e.ID, "count", max(1, e.Count), "error", err)
	}
}
