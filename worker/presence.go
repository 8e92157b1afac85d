package worker

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"segell/ledger"
	"segell/queue"
	"segell/signing"
)

// presence is what this worker says of itself, see queue.Presence. It is safe for
// concurrent use.
type presence struct {
	host  string
	since time.Time

	mu  sync.Mutex
	tsa queue.Contact
}

func newPresence(since time.Time) *presence {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return &presence{host: host, since: since.UTC().Truncate(time.Second)}
}

// stamped notes that time-stamping authorities did what a document needed.
func (p *presence) stamped(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tsa.Answers++
	p.tsa.AnsweredAt = at.UTC().Truncate(time.Second)
}

// troubleTold is how many bytes of a trouble are told.
const troubleTold = 500

// notStamped notes what they did wrong, in the words of package signing, which
// quote no request.
func (p *presence) notStamped(at time.Time, why string) {
	if len(why) > troubleTold {
		why = strings.ToValidUTF8(why[:troubleTold], "") + "…"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tsa.Troubles++
	p.tsa.TroubledAt, p.tsa.Trouble = at.UTC().Truncate(time.Second), why
}

// saw notes what the end of a run says of the time-stamping authorities.
func (p *presence) saw(at time.Time, r *run, cause ledger.Cause, err error) {
	switch {
	case err == nil && r.level.Includes(signing.BT):
		p.stamped(at)
	case err != nil && cause.Dependency == ledger.TSA:
		p.notStamped(at, detail(err))
	}
}

// absences lists what is away.
func (o *outages) absences() []queue.Absence {
	o.mu.Lock()
	defer o.mu.Unlock()
	absences := []queue.Absence{}
	for dependency, out := range o.away {
		absences = append(absences, queue.Absence{Dependency: dependency, Since: out.since.UTC().Truncate(time.Second), Resting: out.certain()})
	}
	slices.SortFunc(absences, func(a, b queue.Absence) int { return strings.Compare(a.Dependency, b.Dependency) })
	return absences
}

// says is what this worker has to say of itself now.
func (w *Worker) says() queue.Presence {
	sealer, done := w.Sealers.Take("")
	level, ends := string(sealer.Level()), sealer.Certificate().NotAfter.UTC()
	done()
	said := queue.Presence{Name: w.name, Host: w.presence.host, PID: os.Getpid(), Version: w.Version, Since: w.presence.since, SaidAt: w.Now().UTC().Truncate(time.Second),
		Level: level, SealEnds: ends, Concurrency: w.Concurrency, Away: w.outages.absences()}
	if end, seen := w.metrics.stampEnd(); seen {
		said.StampEnds = end.UTC()
	}
	w.busy.Range(func(any, any) bool { said.Busy++; return true })
	w.presence.mu.Lock()
	said.TSA = w.presence.tsa
	w.presence.mu.Unlock()
	return said
}

// beHere says every few seconds that this worker is there, until ctx ends; then
// that it is stopping, until over is closed, and last that it has left.
func (w *Worker) beHere(ctx context.Context, over <-chan struct{}) {
	ticker := time.NewTicker(queue.PresentEvery)
	defer ticker.Stop()
	for stopping := ctx.Done(); ; {
		said := w.says()
		said.Stopping = stopping == nil
		w.tellPresence(func(ctx context.Context) error { return w.Queue.Present(ctx, said) })
		select {
		case <-ticker.C:
		case <-stopping:
			stopping = nil
		case <-over:
			w.tellPresence(func(ctx context.Context) error { return w.Queue.Leave(ctx, w.name) })
			return
		}
	}
}

// tellPresence is best effort: while Redis is away nobody could hear it.
func (w *Worker) tellPresence(tell func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), queue.PresentEvery)
	defer cancel()
	if err := tell(ctx); err != nil {
		w.Log.Debug("nobody heard that this worker is there", "why", err)
	}
}
