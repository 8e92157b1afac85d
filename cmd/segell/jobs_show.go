package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"segell/index"
	"segell/ledger"
	"segell/queue"
)

type jobsShowCmd struct {
	Request string `arg:"" help:"Id of the request, or the number of its document."`
}

// asked is everything known of one request.
type asked struct {
	ledger.Standing
	unreadable bool // the ledger has it, and nobody can read it
	job        queue.Job
	queueAway  bool
	held       *ledger.Pause
	cancelled  *cancelView
	past       []ledger.Failure
}

// requestView is a request as programs read it. Times are UTC.
type requestView struct {
	ID         string         `json:"id"`
	Kind       string         `json:"kind"`
	Number     string         `json:"number"`
	State      ledger.State   `json:"state"`
	AcceptedAt time.Time      `json:"accepted_at"`
	Unreadable bool           `json:"unreadable,omitempty"`
	Failure    *failureView   `json:"failure,omitempty"`
	Past       []failureView  `json:"past,omitempty"` // failures after which it was opened again or cancelled, oldest first
	Record     *ledger.Record `json:"record,omitempty"`
	Job        *jobView       `json:"job,omitempty"`
	Paused     *ledger.Pause  `json:"paused,omitempty"`
	Cancelled  *cancelView    `json:"cancelled,omitempty"`
}

// jobView is a job as programs read it.
type jobView struct {
	State  queue.JobState `json:"state"`
	Step   string         `json:"step,omitempty"`
	NextAt time.Time      `json:"next_at,omitzero"`
	Tries  []queue.Try    `json:"tries,omitempty"`
}

// cancelView is who cancelled a request, when and why: as much as is known.
type cancelView struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"at,omitzero"`
	Who    string    `json:"who,omitempty"`
	Why    string    `json:"why,omitempty"`
	Bulk   string    `json:"bulk,omitempty"`
}

func (c jobsShowCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, jobsWords)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	id, err := p.requestID(ctx, c.Request)
	if err != nil {
		return err
	}
	r, err := p.askFor(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return p.errorf("unknown hint", failed, "unknown", c.Request)
	case err != nil:
		return s.away(err)
	case out.json:
		return out.encode(p.requestView(r))
	}
	return out.table(nil, p.requestRows(r))
}

// askFor asks the ledger for a request, and others for what the ledger does not say.
func (p *staff) askFor(ctx context.Context, id string) (r asked, err error) {
	r.Standing, err = p.Ledger.Look(ctx, id)
	if errors.Is(err, ledger.ErrDamaged) || errors.Is(err, ledger.ErrKeyUnknown) {
		p.log.Error("a request cannot be read", "id", id, "why", err)
		r.Standing, r.unreadable, err = ledger.Standing{ID: id, IssuedAt: ledger.TimeOf(id)}, true, nil
	}
	if err != nil {
		return r, err
	}
	if r.Kind == "" || r.Number == "" {
		p.askIndex(ctx, &r)
	}
	if r.past, err = p.Ledger.Past(ctx, r.Standing); err != nil {
		p.log.Warn("what it failed of before is not known", "id", id, "why", err)
	}
	switch r.State {
	case ledger.StateAccepted:
		p.askQueue(ctx, &r)
	case ledger.StateCancelled:
		p.askTrail(ctx, &r)
	}
	return r, nil
}

// askIndex adds what the index knows of a request that cannot be read.
func (p *staff) askIndex(ctx context.Context, r *asked) {
	at := ledger.TimeOf(r.ID)
	page, err := p.index().Search(ctx, index.Query{From: at, Until: at.Add(time.Millisecond)}) // ids carry their time to the millisecond
	if err != nil {
		p.log.Warn("the index does not answer", "why", err)
		return
	}
	for _, row := range page.Rows {
		if row.ID == r.ID {
			r.Kind, r.Number, r.State = cmp.Or(r.Kind, row.Kind), cmp.Or(r.Number, row.Number), cmp.Or(r.State, row.State)
		}
	}
}

// askQueue adds where the job of a request stands, and what keeps it.
func (p *staff) askQueue(ctx context.Context, r *asked) {
	asking, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	job, in, err := p.Queue.Find(asking, r.ID)
	if err != nil {
		r.queueAway = true
		p.log.Warn("the queue does not answer", "why", err)
	}
	if r.job = job; job.State == queue.Active {
		return
	}
	pauses, err := p.Ledger.Pauses(ctx)
	if err != nil {
		p.log.Warn("what is paused is not known", "why", err)
	}
	for _, pause := range pauses {
		if pause.Scope == ledger.PauseKind && pause.Name == r.Kind || pause.Scope == ledger.PauseQueue && pause.Name == cmp.Or(in, r.Queue) {
			pause.Since = pause.Since.UTC()
			r.held = &pause
			return
		}
	}
}

// askTrail adds who cancelled a request. What its client took back itself is in no
// trail.
func (p *staff) askTrail(ctx context.Context, r *asked) {
	r.cancelled = &cancelView{Reason: r.Reason}
	if r.Reason == string(ledger.CancelledByClient) {
		r.cancelled.Who = r.Client
		return
	}
	records, err := p.trail(ctx, ledger.TimeOf(r.ID), time.Time{}, func(record ledger.AuditRecord) bool {
		return record.What == "jobs.cancel" && record.ID == r.ID
	})
	if err != nil {
		p.log.Warn("who cancelled it is not known", "why", err)
	}
	if len(records) == 0 {
		return
	}
	last := records[len(records)-1]
	why := strings.TrimPrefix(strings.TrimPrefix(last.Why, r.Reason), ": ") // one line of the trail holds both
	*r.cancelled = cancelView{Reason: r.Reason, At: last.At.UTC(), Who: last.Who, Why: why, Bulk: last.Bulk}
}

// requestView is what programs are told of a request.
func (p *staff) requestView(r asked) requestView {
	v := requestView{ID: r.ID, Kind: r.Kind, Number: r.Number, State: r.State, AcceptedAt: r.IssuedAt.UTC(), Unreadable: r.unreadable, Paused: r.held, Cancelled: r.cancelled}
	if r.Failure != nil {
		failure := viewOf(*r.Failure, p.language)
		v.Failure = &failure
	}
	for _, failure := range r.past {
		v.Past = append(v.Past, viewOf(failure, p.language))
	}
	if r.Record != nil {
		v.Record = inUTC(*r.Record)
	}
	if r.job.State != queue.NoJob {
		v.Job = &jobView{State: r.job.State, Step: r.job.Step, NextAt: r.job.NextAt.UTC()}
		for _, try := range r.job.Tries {
			try.At = try.At.UTC()
			v.Job.Tries = append(v.Job.Tries, try)
		}
	}
	return v
}

// inUTC is a record with its times in UTC.
func inUTC(r ledger.Record) *ledger.Record {
	utc := func(at *time.Time) *time.Time {
		if at == nil {
			return nil
		}
		t := at.UTC()
		return &t
	}
	r.IssuedAt, r.WithdrawnAt, r.RemovedAt = r.IssuedAt.UTC(), utc(r.WithdrawnAt), utc(r.RemovedAt)
	versions := make([]ledger.Version, len(r.Versions))
	for i, v := range r.Versions {
		v.At, v.ProofEnd = v.At.UTC(), v.ProofEnd.UTC()
		versions[i] = v
	}
	r.Versions = versions
	r.Making.Failed = triesInUTC(r.Making.Failed)
	return &r
}

// requestRows is what people are told of a request.
func (p *staff) requestRows(r asked) [][]string {
	state := p.words["state "+string(r.State)]
	if r.unreadable {
		state = p.words["unreadable"]
	}
	rows := [][]string{{p.words["id"], r.ID}, {p.words["number"], cmp.Or(r.Number, "—")}, {p.words["kind"], cmp.Or(r.Kind, "—")},
		{p.words["state"], state}, {p.words["accepted"], p.second(r.IssuedAt)}}
	switch {
	case r.unreadable:
		rows = append(rows, []string{p.words["do"], p.words["unreadable do"]})
	case r.State == ledger.StateAccepted:
		rows = append(rows, p.jobRows(r)...)
	case r.cancelled != nil:
		rows = append(rows, p.cancelRows(*r.cancelled)...)
	}
	if f := r.Failure; f != nil {
		view := viewOf(*f, p.language)
		rows = append(rows, []string{p.words["failed"], p.second(f.FailedAt)}, []string{p.words["what"], view.What},
			[]string{p.words["do"], view.Do}, []string{p.words["cause"], f.Cause}, []string{p.words["stage"], p.words["stage "+string(f.Stage)]}, []string{p.words["detail"], f.Detail})
		for i, try := range f.Tries {
			rows = append(rows, p.tryRow(i, try.At, string(try.Stage), try.Cause))
		}
	}
	if d := r.Record; d != nil {
		rows = append(rows, []string{p.words["level"], d.Level}, []string{p.words["pages"], fmt.Sprint(d.Pages)})
		for i, try := range d.Making.Failed {
			rows = append(rows, p.tryRow(i, try.At, string(try.Stage), try.Cause))
		}
		for i, step := range d.Making.Steps {
			rows = append(rows, []string{heading(p.words["steps"], i), fmt.Sprintf("%s  %d ms", p.words["stage "+string(step.Stage)], step.Milliseconds)})
		}
	}
	for i, f := range r.past {
		rows = append(rows, []string{heading(p.words["past"], i), p.second(f.FailedAt) + "  " + p.words["stage "+string(f.Stage)] + "  " + f.Cause})
	}
	return rows
}

// jobRows says where a request is that is on its way: paused, in the queue, or
// waiting for its next try and why.
func (p *staff) jobRows(r asked) [][]string {
	var rows [][]string
	switch {
	case r.held != nil:
		rows = append(rows, []string{p.words["job"], fmt.Sprintf(p.words["paused "+string(r.held.Scope)], r.held.Name)},
			[]string{p.words["paused by"], r.held.Who + ", " + p.second(r.held.Since)}, []string{p.words["why it was"], r.held.Why})
	case r.queueAway:
		rows = append(rows, []string{p.words["job"], p.words["queue away"]})
	case r.job.State == queue.NoJob:
		rows = append(rows, []string{p.words["job"], p.words["no job"]})
	default:
		text := p.words["job "+string(r.job.State)]
		if r.job.Step != "" {
			text += ": " + p.words["stage "+r.job.Step]
		}
		rows = append(rows, []string{p.words["job"], text})
	}
	if !r.job.NextAt.IsZero() && r.held == nil {
		rows = append(rows, []string{p.words["next"], p.second(r.job.NextAt)})
	}
	if n := len(r.job.Tries); n > 0 && r.job.State != queue.Active {
		rows = append(rows, []string{p.words["what"], ledger.CauseOf(r.job.Tries[n-1].Cause).Wording(p.language).What})
	}
	for i, try := range r.job.Tries {
		rows = append(rows, p.tryRow(i, try.At, try.Stage, try.Cause))
	}
	return rows
}

// cancelRows says when, by whom and why a request was cancelled.
func (p *staff) cancelRows(c cancelView) [][]string {
	var rows [][]string
	if !c.At.IsZero() {
		rows = append(rows, []string{p.words["cancelled at"], p.second(c.At)})
	}
	if c.Who != "" {
		rows = append(rows, []string{p.words["cancelled by"], c.Who})
	}
	why := cmp.Or(p.words["reason "+c.Reason], c.Reason)
	if c.Why != "" {
		why += ": " + c.Why
	}
	rows = append(rows, []string{p.words["why it was"], why})
	if c.Bulk != "" {
		rows = append(rows, []string{p.words["in bulk"], c.Bulk})
	}
	return rows
}

func (p *staff) tryRow(i int, at time.Time, stage, cause string) []string {
	return []string{heading(p.words["tries"], i), p.second(at) + "  " + p.words["stage "+stage] + "  " + cause}
}
