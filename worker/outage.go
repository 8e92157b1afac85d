package worker

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"segell/ledger"
	"segell/signing"
)

// What every document needs (the bucket, the sealing key, the time-stamping
// authority, who tells of revocations) may be away for hours. A worker that went
// on taking jobs would only turn them over, so it stops taking any when a few
// different requests in a row met the same absence. They stay pending in Redis,
// for other workers too, and age does not harm them. Every few seconds one job is
// let through to try; when one succeeds the worker goes on at once and wakes
// those that wait.

const (
	// outageAfter is how many different requests must meet an absence, with no
	// success between. One request alone may have a trouble of its own.
	outageAfter = 3
	// probeEvery is how often one job is let through during an outage.
	probeEvery = 3 * time.Second
)

// outages is what a worker knows of the things it depends on. It is safe for
// concurrent use.
type outages struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	away  map[string]*outage // by dependency
	probe time.Time          // when the next job may try
}

type outage struct {
	met   map[string]bool // the requests that met it
	since time.Time
}

func (o *outage) certain() bool { return len(o.met) >= outageAfter }

func newOutages(log *slog.Logger, now func() time.Time) *outages {
	return &outages{log: log, now: now, away: map[string]*outage{}}
}

// failed says that a request met the absence of a dependency.
func (o *outages) failed(dependency, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.away[dependency]
	if out == nil {
		out = &outage{met: map[string]bool{}, since: o.now()}
		o.away[dependency] = out
	}
	if out.certain() {
		return
	}
	if out.met[id] = true; out.certain() {
		o.probe = o.now().Add(probeEvery)
		o.log.Warn("no more jobs are taken: something every document needs is away", "away", dependency)
	}
}

// passed says that a job went well, and which dependencies that proves to be
// there. It returns those whose outage it ends.
func (o *outages) passed(proved ...string) (back []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, dependency := range proved {
		out := o.away[dependency]
		if out == nil {
			continue
		}
		delete(o.away, dependency)
		if out.certain() {
			back = append(back, dependency)
			o.log.Info("it is back", "was_away", dependency, "for", o.now().Sub(out.since).Round(time.Second))
		}
	}
	return back
}

// passed tells the outages what a run that went well has proved, and wakes what
// waited for it.
func (w *Worker) passed(r *run) {
	proved := []string{ledger.Storage}
	if r.stage == ledger.StageStore { // it was sealed on the way
		proved = append(proved, ledger.SealKey)
		if r.level.Includes(signing.BT) { // a kind at B-B says nothing of who was not asked
			proved = append(proved, ledger.TSA)
		}
		if r.level.Includes(signing.BLT) {
			proved = append(proved, ledger.Revocation)
		}
	}
	back := w.outages.passed(proved...)
	if len(back) == 0 {
		return
	}
	var words []string
	for _, c := range ledger.Causes {
		if slices.Contains(back, c.Dependency) {
			words = append(words, c.ID)
		}
	}
	w.waking.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wakeWithin)
		defer cancel()
		if _, err := w.Queue.Wake(ctx, words...); err != nil {
			w.Log.Info("what waited goes on in its own time", "why", err)
		}
	})
}

// wakeWithin bounds the waking of what waited: the rest wakes by itself.
const wakeWithin = 15 * time.Second

// mayTake reports whether a job may be taken now. During an outage it says so to
// one caller, who then takes one job or calls tookNone.
func (o *outages) mayTake() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.certain() {
		return true
	}
	if o.now().Before(o.probe) {
		return false
	}
	o.probe = o.now().Add(probeEvery)
	return true
}

// tookNone lets another caller try, because the one who might found no job.
func (o *outages) tookNone() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.certain() {
		o.probe = o.now()
	}
}

func (o *outages) certain() bool {
	for _, out := range o.away {
		if out.certain() {
			return true
		}
	}
	return false
}
