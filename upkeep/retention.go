package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segell/ledger"
)

// RetentionJob is the name of the job that removes what has been kept long enough.
const RetentionJob = "retention"

// Policy says how many days things are kept. The law asks that a term is stated
// (Llei 29/2021, articles 16 and 17), not which: the institution sets it. Zero
// keeps for ever.
type Policy struct {
	// Documents is by kind: the file goes so many days after its last day of
	// validity, or after its issue where it has none. A kind that is not named
	// has Default.
	Documents map[string]int
	Default   int
	// Records is how long after its issue a document can be verified. Its file goes
	// then at the latest, and so does what is left of requests that never became one.
	Records int
	// Failed is when a request that failed, and that nobody retried, is cancelled
	// and its data removed.
	Failed int
	// Keys is how long a client's Idempotency-Key is known again, and a callback
	// that was given up can be replayed.
	Keys int
}

// Empty reports whether nothing is ever removed.
func (p Policy) Empty() bool {
	return p.Default == 0 && p.Records == 0 && p.Failed == 0 && p.Keys == 0 && len(p.Documents) == 0
}

// Retention removes what has been kept long enough.
type Retention struct {
	Ledger *ledger.Ledger
	Policy Policy
	Now    func() time.Time
	Log    *slog.Logger
	// OnChanged, if not nil, is told the id of each request that was cancelled, or
	// whose record was removed, so that lists do not show it as it was.
	OnChanged func(id string)
}

// RetentionReport is what a pass found and did; a dry run counts what it would do.
type RetentionReport struct {
	LookedAt  int    `json:"looked_at"` // records and failures
	Files     int    `json:"files"`     // removed, their records kept
	Records   int    `json:"records"`   // removed, with their files
	Cancelled int    `json:"cancelled"` // requests that had failed
	Traces    int    `json:"traces"`    // of requests that never became a document
	Keys      int    `json:"keys"`      // of idempotency; not counted in a dry run
	Callbacks int    `json:"callbacks"` // that had been given up; not counted in a dry run
	Failed    int    `json:"failed"`
	Day       string `json:"day,omitempty"` // of the request looked at last: yyyy-mm-dd
	Complete  bool   `json:"complete"`      // everything was looked at

	Failures []RetentionFailure `json:"failures"`
}

// RetentionFailure is something that was due and could not be removed.
type RetentionFailure struct {
	ID     string `json:"id"`
	Detail string `json:"detail"`
}

// Pass looks at the whole register and at what failed, oldest first, and removes
// what is due; with dryRun it changes nothing. progress, if not nil, is told after
// each. The report is also good when the error says that the pass ended early: the
// next one goes on.
func (r *Retention) Pass(ctx context.Context, dryRun bool, progress func(RetentionReport)) (RetentionReport, error) {
	p := &retentionPass{Retention: r, dryRun: dryRun, progress: progress, now: r.Now()}
	p.Failures = []RetentionFailure{}
	for _, part := range []func(context.Context) error{p.register, p.failures, p.traces, p.keys} {
		if err := part(ctx); err != nil {
			return p.RetentionReport, err
		}
	}
	p.Complete = true
	return p.RetentionReport, nil
}

type retentionPass struct {
	*Retention
	RetentionReport
	dryRun   bool
	progress func(RetentionReport)
	now      time.Time
}

// register walks over the records.
func (p *retentionPass) register(ctx context.Context) error {
	if p.Policy.Default == 0 && p.Policy.Records == 0 && len(p.Policy.Documents) == 0 {
		return nil
	}
	for id, err := range p.Ledger.Records(ctx) {
		if err != nil {
			return err
		}
		if err := p.one(ctx, id, p.record); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// one looks at one request and notes what went wrong with it; only what would go
// wrong with all of them ends the pass.
func (p *retentionPass) one(ctx context.Context, id string, look func(context.Context, string) error) error {
	err := look(ctx, id)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.LookedAt++
	p.Day = ledger.TimeOf(id).UTC().Format(time.DateOnly)
	if isAway(err) {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	if err != nil {
		if p.Failed++; len(p.Failures) < failuresMost {
			p.Failures = append(p.Failures, RetentionFailure{ID: id, Detail: err.Error()})
		}
	}
	if p.progress != nil {
		p.progress(p.RetentionReport)
	}
	return nil
}

// record removes a document's file, or its whole entry, if its time is over.
func (p *retentionPass) record(ctx context.Context, id string) error {
	record, err := p.Ledger.Record(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.over(record.IssuedAt, p.Policy.Records) {
		p.Records++
		if p.dryRun {
			return nil
		}
		return p.told(id, p.Ledger.Unregister(ctx, id))
	}
	days, named := p.Policy.Documents[record.Kind]
	if !named {
		days = p.Policy.Default
	}
	if !p.over(lastDay(record), days) || record.RemovedAt != nil && !record.Removing {
		return nil
	}
	p.Files++
	if p.dryRun {
		return nil
	}
	return p.Ledger.Expire(ctx, id)
}

// told tells of a request that was dealt with, also where an error came between: it
// may be done in part.
func (p *retentionPass) told(id string, err error) error {
	if p.OnChanged != nil {
		p.OnChanged(id)
	}
	return err
}

// lastDay is when a document stops to be of use: the end of its validity, or its
// issue where it has none.
func lastDay(r ledger.Record) time.Time {
	if until, err := time.Parse(time.DateOnly, r.ValidUntil); err == nil {
		return until.AddDate(0, 0, 1)
	}
	return r.IssuedAt
}

func (p *retentionPass) over(from time.Time, days int) bool {
	return days > 0 && p.now.After(from.AddDate(0, 0, days))
}

// failures cancels what failed long ago, so that its data is not kept for ever.
func (p *retentionPass) failures(ctx context.Context) error {
	if p.Policy.Failed == 0 {
		return nil
	}
	for f, err := range p.Ledger.Failures(ctx) {
		if err != nil && f.ID == "" {
			return err
		}
		if err := p.one(ctx, f.ID, func(ctx context.Context, id string) error {
			if err != nil || !p.over(f.FailedAt, p.Policy.Failed) {
				return err
			}
			p.Cancelled++
			if p.dryRun {
				return nil
			}
			_, err := p.Ledger.Cancel(ctx, id, ledger.CancelImpossible)
			return p.told(id, err)
		}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// traces removes what is left of requests that were cancelled, when their record
// would go if they had one.
func (p *retentionPass) traces(ctx context.Context) (err error) {
	if p.Policy.Records == 0 {
		return nil
	}
	before := p.now.AddDate(0, 0, -p.Policy.Records)
	if longest := p.now.Add(-ledger.MaxWait); before.After(longest) {
		before = longest
	}
	p.Traces, err = p.Ledger.SweepTraces(ctx, before, p.dryRun)
	return err
}

func (p *retentionPass) keys(ctx context.Context) error {
	if p.Policy.Keys == 0 || p.dryRun {
		return nil
	}
	before := p.now.AddDate(0, 0, -p.Policy.Keys)
	var err error
	if p.Keys, err = p.Ledger.SweepKeys(ctx, before); err == nil {
		p.Callbacks, err = p.Ledger.SweepUndelivered(ctx, before)
	}
	return err
}

// Job is the retention as a job.
func (r *Retention) Job(every time.Duration, metrics prometheus.Registerer) Job {
	removed := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "segell_retention_removed_total",
		Help: "What was removed because it had been kept long enough, by what it was."}, []string{"what"})
	failed := prometheus.NewGauge(prometheus.GaugeOpts{Name: "segell_retention_failed",
		Help: "What was due in the last pass of the retention and could not be removed."})
	if metrics != nil {
		metrics.MustRegister(removed, failed)
	}
	return Job{Name: RetentionJob, Every: every, Pass: func(ctx context.Context) error {
		report, err := r.Pass(ctx, false, nil)
		for what, n := range map[string]int{"file": report.Files, "record": report.Records, "failed_request": report.Cancelled, "trace": report.Traces, "idempotency_key": report.Keys, "callback": report.Callbacks} {
			removed.WithLabelValues(what).Add(float64(n))
		}
		failed.Set(float64(report.Failed))
		log := r.Log.With("files", report.Files, "records", report.Records, "cancelled", report.Cancelled, "traces", report.Traces, "keys", report.Keys, "failed", report.Failed)
		switch {
		case err != nil:
			log.Warn("the retention ended early", "why", err)
		case report.Failed > 0:
			log.Error("not everything whose time is over could be removed", "advice", "segell retention --dry-run tells each")
		case report.Files+report.Records+report.Cancelled+report.Traces+report.Keys > 0:
			log.Info("what had been kept long enough was removed")
		}
		return err
	}}
}
