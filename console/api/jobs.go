package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/index"
	"segell/ledger"
	"segell/queue"
	"segell/staff"
)

const (
	exampleID     = "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"
	exampleNumber = "CASS-2026-COB-0001234"
)

// Row is a request as a list shows it.
type Row struct {
	_          struct{}  `json:"-" additionalProperties:"true"`
	ID         string    `json:"id" format:"uuid" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Number     string    `json:"number" doc:"Document number" example:"CASS-2026-COB-0001234"`
	Kind       string    `json:"kind" doc:"Kind of document" example:"coverage_certificate"`
	State      string    `json:"state" enum:"accepted,failed,issued,withdrawn,replaced,cancelled,erased" doc:"Where it stands; accepted is everything on its way" example:"failed"`
	Stage      string    `json:"stage,omitempty" doc:"Failed: the step at which it stopped" example:"seal"`
	Cause      string    `json:"cause,omitempty" doc:"Failed: why, a word of a closed list" example:"tsa_away"`
	Group      string    `json:"group,omitempty" doc:"Failed: id of the group of failures alike" example:"6f1a0c2b9d3e4f50"`
	AcceptedAt time.Time `json:"accepted_at" doc:"When it was accepted" example:"2026-03-02T09:14:05Z"`
}

// Rows is a page of what was found.
type Rows struct {
	_     struct{} `json:"-" additionalProperties:"true"`
	Jobs  []Row    `json:"jobs" doc:"Newest first"`
	Older string   `json:"older,omitempty" doc:"Cursor of the next page; absent on the last"`
	Newer string   `json:"newer,omitempty" doc:"Cursor of the page before, with newer=true; absent on the first"`
	Total int64    `json:"total" doc:"Of all pages" example:"104"`
	Index Index    `json:"index" doc:"How far the answer can be relied on"`
}

type listJobsInput struct {
	Number string    `query:"number" maxLength:"40" doc:"The request that has this document number; no other filter counts" example:"CASS-2026-COB-0001234"`
	States []string  `query:"state,explode" maxItems:"10" enum:"accepted,failed,issued,withdrawn,replaced,cancelled,erased" doc:"Only those that stand so; may be repeated" example:"[\"failed\"]"`
	Kinds  []string  `query:"kind,explode" maxItems:"20" doc:"Only these kinds of document; may be repeated" example:"[\"coverage_certificate\"]"`
	Cause  string    `query:"cause" maxLength:"60" doc:"Only those that failed for this cause" example:"tsa_away"`
	Group  string    `query:"group" maxLength:"80" doc:"Only those of this group of failures"`
	From   time.Time `query:"from" doc:"Accepted at this time or later" example:"2026-01-01T00:00:00Z"`
	Until  time.Time `query:"until" doc:"Accepted before this time" example:"2027-01-01T00:00:00Z"`
	Cursor string    `query:"cursor" maxLength:"500" doc:"older or newer of a page, with the same filters"`
	Newer  bool      `query:"newer" doc:"The page before the cursor instead of the one after it"`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Requests on a page"`
}

type rowsOutput struct{ Body Rows }

// Job is everything known of one request.
type Job struct {
	_          struct{}   `json:"-" additionalProperties:"true"`
	ID         string     `json:"id" format:"uuid" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Number     string     `json:"number" doc:"Document number" example:"CASS-2026-COB-0001234"`
	Kind       string     `json:"kind" doc:"Kind of document" example:"coverage_certificate"`
	State      string     `json:"state" enum:"accepted,rendering,sealing,storing,retrying,failed,issued,withdrawn,replaced,cancelled,erased" doc:"Where it stands" example:"failed"`
	Client     string     `json:"client" doc:"Who asked" example:"portal"`
	Queue      string     `json:"queue,omitempty" doc:"Where its job is, while it has one" example:"interactive"`
	AcceptedAt time.Time  `json:"accepted_at" doc:"When it was accepted" example:"2026-03-02T09:14:05Z"`
	NextTryAt  *time.Time `json:"next_try_at,omitempty" doc:"While retrying: when it is tried again" example:"2026-03-02T09:14:35Z"`
	Tries      []Try      `json:"tries" doc:"Those that did not succeed since it was accepted, or last opened again, oldest first"`
	Past       []Failure  `json:"past,omitempty" doc:"Failures after which it was opened again or cancelled, oldest first. Absent where there is none, or they cannot be read"`
	Failure    *Failure   `json:"failure,omitempty" doc:"If it was given up"`
	Document   *Document  `json:"document,omitempty" doc:"Once issued"`
	Holder     *Holder    `json:"holder,omitempty" doc:"Masked. Absent where it is not known here"`
	Reason     string     `json:"reason,omitempty" doc:"Why it was cancelled or withdrawn, a word of a closed list" example:"issued_in_error"`
	EndedAt    *time.Time `json:"ended_at,omitempty" doc:"When it was withdrawn or replaced" example:"2026-04-01T07:00:00Z"`
	ReplacedBy string     `json:"replaced_by,omitempty" doc:"Number of the document that replaces it" example:"CASS-2026-COB-0001300"`
	Replaces   string     `json:"replaces,omitempty" doc:"Id of the request whose document it replaces" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
}

// Try is one attempt that did not succeed.
type Try struct {
	_     struct{}  `json:"-" additionalProperties:"true"`
	At    time.Time `json:"at" doc:"When" example:"2026-03-02T09:14:06Z"`
	Stage string    `json:"stage" doc:"At which step" example:"seal"`
	Cause string    `json:"cause" doc:"Why" example:"tsa_away"`
}

// Failure says why a request was given up.
type Failure struct {
	_        struct{}  `json:"-" additionalProperties:"true"`
	Stage    string    `json:"stage" doc:"The step at which it stopped" example:"seal"`
	Cause    string    `json:"cause" doc:"A word of a closed list; each has a runbook" example:"tsa_away"`
	What     string    `json:"what" doc:"What happened, for staff"`
	Do       string    `json:"do" doc:"What to do about it, for staff"`
	Detail   string    `json:"detail,omitempty" doc:"For engineers"`
	FailedAt time.Time `json:"failed_at" doc:"When it was given up" example:"2026-03-02T09:14:06Z"`
	Tries    []Try     `json:"tries" doc:"That led to it, oldest first"`
}

// Document describes an issued document.
type Document struct {
	_          struct{}   `json:"-" additionalProperties:"true"`
	SHA256     string     `json:"sha256" doc:"Of the sealed file, hexadecimal" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Size       int64      `json:"size" minimum:"0" doc:"Bytes" example:"48213"`
	Pages      int        `json:"pages" minimum:"0" doc:"Number of pages" example:"1"`
	Level      string     `json:"level" doc:"PAdES level of the seal (ETSI EN 319 142-1)" example:"B-LTA"`
	Language   string     `json:"language" doc:"Of the document" example:"ca"`
	ValidUntil string     `json:"valid_until,omitempty" format:"date" doc:"Last day on which it may be relied on" example:"2026-06-02"`
	RemovedAt  *time.Time `json:"removed_at,omitempty" doc:"When the file was taken out; the register goes on without it" example:"2036-03-02T00:00:00Z"`
	Steps      []StepTime `json:"steps,omitempty" doc:"How long each step took of the try that made it, in their order"`
}

// StepTime is how long a step took.
type StepTime struct {
	_            struct{} `json:"-" additionalProperties:"true"`
	Stage        string   `json:"stage" doc:"The step" example:"seal"`
	Milliseconds int64    `json:"ms" minimum:"0" doc:"How long it took" example:"41"`
}

// Holder is a person, masked.
type Holder struct {
	_          struct{} `json:"-" additionalProperties:"true"`
	Initials   string   `json:"initials" doc:"Of the names" example:"M. C. P. C."`
	CASSNumber string   `json:"cass_number" doc:"The last two characters" example:"•••••0A"`
}

// JobPath names a request.
type JobPath struct {
	ID string `path:"id" format:"uuid" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
}

type getJobInput struct {
	JobPath
	LanguageHeader
}

type jobOutput struct{ Body Job }

func (a *api) registerJobs() {
	register(a, huma.Operation{OperationID: "list-jobs", Method: http.MethodGet, Path: "/api/v1/jobs", Tags: []string{tagJobs}, Security: needs(staff.Look),
		Summary: "Find requests", Description: "By document number, or by state, kind, cause, group and time, page after page.", Errors: refuses()}, a.listJobs)
	register(a, huma.Operation{OperationID: "get-job", Method: http.MethodGet, Path: "/api/v1/jobs/{id}", Tags: []string{tagJobs}, Security: needs(staff.Look),
		Summary: "Everything known of one request", Description: "Where it stands, each try with its time, why it failed and what to do, its document. The holder is masked.",
		Errors: refuses(404)}, a.getJob)
}

func (a *api) listJobs(ctx context.Context, in *listJobsInput) (*rowsOutput, error) {
	out := &rowsOutput{Body: Rows{Jobs: []Row{}}}
	var err error
	if in.Number != "" {
		err = a.byNumber(ctx, in.Number, &out.Body)
	} else {
		err = a.search(ctx, in, &out.Body)
	}
	if err != nil {
		return nil, a.refusal("searching the index", err)
	}
	if out.Body.Index, err = a.condition(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

// byNumber finds the one request that has a number; none is an empty page.
func (a *api) byNumber(ctx context.Context, number string, rows *Rows) error {
	id, err := a.Index.ByNumber(ctx, number)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	standing, err := a.Ledger.Look(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	row := Row{ID: id, Number: standing.Number, Kind: standing.Kind, State: string(standing.State), AcceptedAt: standing.IssuedAt.UTC()}
	if f := standing.Failure; f != nil {
		row.Stage, row.Cause = string(f.Stage), f.Cause
	}
	rows.Jobs, rows.Total = append(rows.Jobs, row), 1
	return nil
}

func (a *api) search(ctx context.Context, in *listJobsInput, rows *Rows) error {
	query := index.Query{Kinds: in.Kinds, Cause: in.Cause, Group: in.Group, From: in.From, Until: in.Until, Cursor: in.Cursor, Newer: in.Newer, Limit: in.Limit}
	for _, state := range in.States {
		query.States = append(query.States, ledger.State(state))
	}
	page, err := a.Index.Search(ctx, query)
	if err != nil {
		return err
	}
	for _, r := range page.Rows {
		rows.Jobs = append(rows.Jobs, Row{ID: r.ID, Number: r.Number, Kind: r.Kind, State: string(r.State), Stage: r.Stage, Cause: r.Cause, Group: r.Group, AcceptedAt: r.AcceptedAt.UTC()})
	}
	rows.Older, rows.Newer, rows.Total = page.Older, page.Newer, page.Total
	return nil
}

// look finds a request.
func (a *api) look(ctx context.Context, id string) (ledger.Standing, error) {
	if ledger.CheckID(id) != nil {
		return ledger.Standing{}, a.problem("not-found", "There is no such request.")
	}
	standing, err := a.Ledger.Look(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return standing, a.problem("not-found", "There is no such request.")
	}
	if err != nil {
		return standing, a.refusal("looking for a request", err)
	}
	return standing, nil
}

func (a *api) getJob(ctx context.Context, in *getJobInput) (*jobOutput, error) {
	standing, err := a.look(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &jobOutput{a.job(ctx, standing, languageOf(ctx, in.Language))}, nil
}

func (a *api) job(ctx context.Context, standing ledger.Standing, language string) Job {
	job := Job{ID: standing.ID, Number: standing.Number, Kind: standing.Kind, State: string(standing.State), Client: standing.Client, Queue: standing.Queue,
		AcceptedAt: standing.IssuedAt.UTC(), Tries: []Try{}, Reason: standing.Reason}
	switch {
	case standing.Record != nil:
		job.ofRecord(standing.Record)
	case standing.Failure != nil:
		job.ofFailure(standing.Failure, language)
		job.Holder = a.holder(ctx, standing.ID)
	case standing.State == ledger.StateAccepted:
		a.ofQueue(ctx, &job)
		job.Holder = a.holder(ctx, standing.ID)
	}
	past, err := a.Ledger.Past(ctx, standing)
	if err != nil {
		a.Log.Warn("staff API: the past of a request cannot be read", "id", standing.ID, "why", err)
	}
	for _, f := range past {
		job.Past = append(job.Past, *failureOf(&f, language))
	}
	return job
}

func (j *Job) ofRecord(r *ledger.Record) {
	j.Document = &Document{Pages: r.Pages, Level: r.Level, Language: r.Language, ValidUntil: r.ValidUntil, RemovedAt: inUTC(r.RemovedAt)}
	if current, ok := r.Current(); ok {
		j.Document.SHA256, j.Document.Size = current.SHA256, current.Size
	}
	for _, s := range r.Making.Steps {
		j.Document.Steps = append(j.Document.Steps, StepTime{Stage: string(s.Stage), Milliseconds: s.Milliseconds})
	}
	j.Tries = triesOf(r.Making.Failed)
	j.EndedAt, j.ReplacedBy, j.Replaces = inUTC(r.WithdrawnAt), r.ReplacedBy, r.Replaces
	if r.Masked != (ledger.Masked{}) {
		j.Holder = &Holder{Initials: r.Masked.Initials, CASSNumber: r.Masked.CASSNumber}
	}
}

func (j *Job) ofFailure(f *ledger.Failure, language string) {
	j.Failure = failureOf(f, language)
	j.Tries = j.Failure.Tries
}

func failureOf(f *ledger.Failure, language string) *Failure {
	wording := ledger.CauseOf(f.Cause).Wording(language)
	return &Failure{Stage: string(f.Stage), Cause: f.Cause, What: wording.What, Do: wording.Do, Detail: f.Detail, FailedAt: f.FailedAt.UTC(), Tries: triesOf(f.Tries)}
}

func triesOf(all []ledger.Try) []Try {
	tries := make([]Try, len(all))
	for i, t := range all {
		tries[i] = Try{At: t.At.UTC(), Stage: string(t.Stage), Cause: t.Cause}
	}
	return tries
}

// queueWithin bounds how long the queue is asked for what the ledger cannot know.
const queueWithin = 2 * time.Second

// ofQueue adds what the queue knows. Where it does not answer the request is what
// the ledger says: accepted.
func (a *api) ofQueue(ctx context.Context, j *Job) {
	ctx, cancel := context.WithTimeout(ctx, queueWithin)
	defer cancel()
	found, name, err := a.Queue.Find(ctx, j.ID)
	if err != nil || found.State == queue.NoJob {
		return
	}
	j.Queue = name
	for _, t := range found.Tries {
		j.Tries = append(j.Tries, Try{At: t.At.UTC(), Stage: t.Stage, Cause: t.Cause})
	}
	switch found.State {
	case queue.Delayed:
		j.State, j.NextTryAt = string(ledger.StateRetrying), inUTC(&found.NextAt)
	case queue.Active:
		j.State = string(stateOfStep(ledger.Stage(found.Step)))
	}
}

func stateOfStep(step ledger.Stage) ledger.State {
	switch step {
	case ledger.StageSeal:
		return ledger.StateSealing
	case ledger.StageStore:
		return ledger.StateStoring
	}
	return ledger.StateRendering
}

// holder is the person of a request that is not finished, masked; nil where it
// cannot be read. Nothing else of the request leaves this function.
func (a *api) holder(ctx context.Context, id string) *Holder {
	request, err := a.Ledger.Request(ctx, id)
	if err != nil {
		return nil
	}
	var body struct {
		Holder struct {
			FullName   string `json:"full_name"`
			CASSNumber string `json:"cass_number"`
		} `json:"holder"`
	}
	if json.Unmarshal(request.Body, &body) != nil || body.Holder.CASSNumber == "" {
		return nil
	}
	masked := ledger.Mask(body.Holder.FullName, body.Holder.CASSNumber)
	return &Holder{Initials: masked.Initials, CASSNumber: masked.CASSNumber}
}

// inUTC is how every time is answered, whichever zone the ledger keeps it in.
func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	utc := at.UTC()
	return &utc
}
