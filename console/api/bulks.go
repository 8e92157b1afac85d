package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/acts"
	"segell/index"
	"segell/ledger"
	"segell/staff"
)

// Selection is what a bulk is for: a list, or everything failed that fits.
type Selection struct {
	IDs   []string `json:"ids,omitempty" minItems:"1" maxItems:"10000" doc:"These requests, and no filter beside them" example:"[\"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e\"]"`
	All   bool     `json:"all,omitempty" doc:"Every failed request; neither ids nor a filter beside it" example:"false"`
	Kinds []string `json:"kinds,omitempty" minItems:"1" maxItems:"20" doc:"Every failed request of these kinds of document" example:"[\"coverage_certificate\"]"`
	Cause string   `json:"cause,omitempty" maxLength:"60" doc:"Every one that failed for this cause" example:"tsa_away"`
	Group string   `json:"group,omitempty" maxLength:"80" doc:"Every one of this group of failures" example:"6f1a0c2b9d3e4f50"`
	From  string   `json:"from,omitempty" format:"date-time" maxLength:"35" doc:"Every failed request that was accepted at this time or later" example:"2026-03-02T00:00:00+01:00"`
	Until string   `json:"until,omitempty" format:"date-time" maxLength:"35" doc:"Every failed request that was accepted before this time" example:"2026-03-03T00:00:00+01:00"`
}

// PlanOrder is what is to be counted.
type PlanOrder struct {
	What      string    `json:"what" enum:"retry,retry_render,cancel" doc:"retry: go on where each stopped. retry_render: draw the pages again. cancel: take them back, as requests of which no document can be made" example:"retry"`
	Selection Selection `json:"selection" doc:"On which requests"`
}

// BulkOrder is what is to be begun.
type BulkOrder struct {
	ID        string    `json:"id" format:"uuid" doc:"The id that the plan gave, an hour ago at most: sent twice, the bulk is begun once" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	What      string    `json:"what" enum:"retry,retry_render,cancel" doc:"As in the plan" example:"retry"`
	Selection Selection `json:"selection" doc:"As in the plan"`
	Why       string    `json:"why" minLength:"1" maxLength:"200" doc:"The reason, kept in the audit trail for ever: one line, without names or numbers of persons" example:"the certificate was renewed"`
}

// Remark is a reason that may be given.
type Remark struct {
	Why string `json:"why,omitempty" maxLength:"200" doc:"The reason, kept in the audit trail for ever: one line, without names or numbers of persons" example:"the cause is not mended yet"`
}

// Plan is what a bulk would do.
type Plan struct {
	_           struct{}       `json:"-" additionalProperties:"true"`
	ID          string         `json:"id" format:"uuid" doc:"Under which to begin it" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Will        int            `json:"will" doc:"On so many it can be done" example:"1204"`
	Cannot      map[string]int `json:"cannot" doc:"On the others not, by reason: unknown, waiting, issued, cancelled, unreadable, error" example:"{\"issued\":3}"`
	ByKind      map[string]int `json:"by_kind" doc:"Of those on which it can, by kind of document" example:"{\"coverage_certificate\":1204}"`
	ByCause     map[string]int `json:"by_cause" doc:"The same by cause" example:"{\"tsa_away\":1204}"`
	NeedsSecond bool           `json:"needs_second" doc:"A second person must approve it" example:"false"`
	Sample      []string       `json:"sample" doc:"Ids of some of them"`
	Checked     int            `json:"checked" doc:"How many were looked at in the ledger; of the others the index says that they failed" example:"1000"`
}

// Bulk is an act on many requests, with how far it is.
type Bulk struct {
	_          struct{}       `json:"-" additionalProperties:"true"`
	ID         string         `json:"id" format:"uuid" doc:"Id of the bulk" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	What       string         `json:"what" enum:"retry,retry_render,cancel" doc:"What is done" example:"retry"`
	State      string         `json:"state" enum:"proposed,running,stopping,stopped,done,refused" doc:"proposed: waits for a second person, for a day. stopping: somebody stopped it, and it is about to. refused: by the one in refused_by, or by nobody, because the day was over" example:"running"`
	Why        string         `json:"why" doc:"The reason" example:"the certificate was renewed"`
	Who        string         `json:"who" doc:"Login of who began it" example:"mserra"`
	ApprovedBy string         `json:"approved_by,omitempty" doc:"Login of the second person" example:"jpuig"`
	RefusedBy  string         `json:"refused_by,omitempty" doc:"Login of who refused it" example:"jpuig"`
	StoppedBy  string         `json:"stopped_by,omitempty" doc:"Login of who stopped it" example:"jpuig"`
	Total      int            `json:"total" doc:"How many requests it means" example:"1204"`
	Done       int            `json:"done" doc:"On so many it was done" example:"730"`
	Failed     int            `json:"failed" doc:"On so many an error came between" example:"0"`
	Cannot     map[string]int `json:"cannot" doc:"On so many it could not be done, by reason" example:"{\"issued\":3}"`
	Examples   []Outcome      `json:"examples" doc:"Some of those on which it was not done"`
	Holds      string         `json:"holds,omitempty" doc:"Why it waits at present: queue (what it opened again waits for the workers) or away (the bucket or Redis does not answer); damaged where it was stopped because its list cannot be read" example:"queue"`
	ProposedAt time.Time      `json:"proposed_at" doc:"When it was asked for" example:"2026-03-02T09:00:00Z"`
	BegunAt    *time.Time     `json:"begun_at,omitempty" doc:"When it could go on from" example:"2026-03-02T09:00:00Z"`
	EndedAt    *time.Time     `json:"ended_at,omitempty" doc:"When it was done, stopped or refused" example:"2026-03-02T09:04:00Z"`
}

// Outcome is a request on which a bulk was not done.
type Outcome struct {
	_      struct{} `json:"-" additionalProperties:"true"`
	ID     string   `json:"id" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Reason string   `json:"reason" doc:"Why not" example:"issued"`
}

// Bulks are the newest.
type Bulks struct {
	_     struct{} `json:"-" additionalProperties:"true"`
	Bulks []Bulk   `json:"bulks" doc:"Newest first, a hundred at most"`
}

// BulkPath names a bulk.
type BulkPath struct {
	ID string `path:"id" format:"uuid" doc:"Id of the bulk" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
}

type bulkActInput struct {
	BulkPath
	Bodied
}

type planOutput struct{ Body Plan }
type bulkOutput struct{ Body Bulk }
type bulksOutput struct{ Body Bulks }

type startOutput struct {
	Location string `header:"Location" doc:"Where the bulk is watched" example:"https://console.example/api/v1/bulks/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Body     Bulk
}

const (
	// selectionBytes is room for as many ids as a selection may name.
	selectionBytes = 512 << 10
	// selectWithin is how long finding what a query means may take.
	selectWithin = 2 * time.Minute
)

func (a *api) registerBulks() {
	everything := Selection{Cause: "tsa_away"}
	register(a, withBody(a, huma.Operation{OperationID: "plan-bulk", Method: http.MethodPost, Path: "/api/v1/plans", Tags: []string{tagBulks}, Security: needs(staff.Act),
		Summary: "Count what a bulk would do", Description: "The dry run: it changes nothing, and gives the id under which to begin the bulk.", DefaultStatus: http.StatusOK,
		MaxBodyBytes: selectionBytes, Middlewares: huma.Middlewares{patient}, Errors: refuses()}, "What, on which", PlanOrder{What: string(acts.BulkRetry), Selection: everything}), a.planBulk)
	register(a, withBody(a, huma.Operation{OperationID: "start-bulk", Method: http.MethodPost, Path: "/api/v1/bulks", Tags: []string{tagBulks}, Security: needs(staff.Act),
		Summary: "Begin a bulk", Description: "What it means is settled now: what fails later is not in it. It goes on by itself, slowly enough that nobody who waits for a document waits longer, " +
			"survives every restart, and can be stopped. Where it means many requests it is only proposed, until a second person approves it.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: selectionBytes, Middlewares: huma.Middlewares{patient}, Errors: refuses()},
		"What, on which, why", BulkOrder{ID: exampleID, What: string(acts.BulkRetry), Selection: everything, Why: "the certificate was renewed"}), a.startBulk)
	register(a, huma.Operation{OperationID: "list-bulks", Method: http.MethodGet, Path: "/api/v1/bulks", Tags: []string{tagBulks}, Security: needs(staff.Look),
		Summary: "The bulks of late", Description: "Those under way, and those that ended.", Errors: refuses()}, a.listBulks)
	register(a, huma.Operation{OperationID: "get-bulk", Method: http.MethodGet, Path: "/api/v1/bulks/{id}", Tags: []string{tagBulks}, Security: needs(staff.Look),
		Summary: "How far a bulk is", Description: "Ask again while it is running.", Errors: refuses(404)}, a.getBulk)
	one := func(id, path, summary, about string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: "/api/v1/bulks/{id}/" + path, Tags: []string{tagBulks}, Security: needs(staff.Act),
			Summary: summary, Description: about, DefaultStatus: http.StatusOK, Errors: refuses(404, 409)}
	}
	register(a, one("approve-bulk", "approve", "Approve a bulk that another proposed", "Whoever proposed it cannot."), a.approveBulk)
	register(a, withBody(a, one("refuse-bulk", "refuse", "Refuse a bulk that was proposed", "Nothing of it is done."), "Why", Remark{Why: "the cause is not mended yet"}), a.refuseBulk)
	register(a, withBody(a, one("stop-bulk", "stop", "Stop a bulk", "What was done stays done; the rest is left as it is."), "Why", Remark{Why: "the cause is not mended yet"}), a.stopBulk)
}

// selection reads what wire has checked but for what belongs together.
func (a *api) selection(s Selection) (acts.Selection, error) {
	filtered := len(s.Kinds) > 0 || s.Cause != "" || s.Group != "" || s.From != "" || s.Until != ""
	chosen := 0
	for _, given := range []bool{len(s.IDs) > 0, s.All, filtered} {
		if given {
			chosen++
		}
	}
	if chosen != 1 {
		return acts.Selection{}, a.wrongField("/selection", "must hold either ids, or filters, or all: true for every failed request")
	}
	if len(s.IDs) > 0 {
		return acts.Selection{IDs: s.IDs}, nil
	}
	q := index.Query{Kinds: s.Kinds, Cause: s.Cause, Group: s.Group}
	for _, one := range []struct {
		pointer, text string
		to            *time.Time
	}{{"/selection/from", s.From, &q.From}, {"/selection/until", s.Until, &q.Until}} {
		if one.text == "" {
			continue
		}
		var err error
		if *one.to, err = time.Parse(time.RFC3339, one.text); err != nil {
			return acts.Selection{}, a.wrongField(one.pointer, "must be a time of RFC 3339, such as 2026-03-02T00:00:00+01:00")
		}
	}
	return acts.Selection{Query: &q}, nil
}

func (a *api) planBulk(ctx context.Context, in *Bodied) (*planOutput, error) {
	asked, err := read[PlanOrder](a, *in)
	if err != nil {
		return nil, err
	}
	selection, err := a.selection(asked.Selection)
	if err != nil {
		return nil, err
	}
	ctx, done := context.WithTimeout(ctx, selectWithin)
	defer done()
	plan, err := a.Acts.Count(ctx, actor(ctx), selection, acts.BulkAct(asked.What))
	if err != nil {
		return nil, a.bulkRefusal("planning a bulk", err)
	}
	id, err := a.Acts.NewBatch()
	if err != nil {
		return nil, a.refusal("drawing the id of a bulk", err)
	}
	return &planOutput{Plan{ID: id, Will: plan.Will, Cannot: counts(plan.Cannot), ByKind: counts(plan.ByKind), ByCause: counts(plan.ByCause),
		NeedsSecond: plan.NeedsSecond, Sample: append([]string{}, plan.Sample...), Checked: plan.Checked}}, nil
}

func (a *api) startBulk(ctx context.Context, in *Bodied) (*startOutput, error) {
	asked, err := read[BulkOrder](a, *in)
	if err != nil {
		return nil, err
	}
	if ledger.CheckID(asked.ID) != nil {
		return nil, a.wrongField("/id", "must be the id that a plan gave")
	}
	selection, err := a.selection(asked.Selection)
	if err != nil {
		return nil, err
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), selectWithin)
	defer done()
	bulk, err := a.Acts.Start(ctx, actor(ctx), asked.ID, selection, acts.BulkAct(asked.What), asked.Why)
	if err != nil {
		return nil, a.bulkRefusal("beginning a bulk", err)
	}
	return &startOutput{a.PublicURL + "/api/v1/bulks/" + bulk.ID, bulkOf(bulk)}, nil
}

// bulkRefusal is refusal, with what only the order of a bulk can have wrong.
func (a *api) bulkRefusal(doing string, err error) error {
	switch {
	case errors.Is(err, acts.ErrBatchTime):
		return a.wrongField("/id", "must be the id that a plan gave within the last hour; plan the bulk again")
	case errors.Is(err, ledger.ErrID):
		return a.wrongField("/selection/ids", "must be ids of requests, such as "+exampleID)
	case errors.Is(err, acts.ErrNothing):
		return a.wrongField("/selection", "selects no request that failed")
	case errors.Is(err, acts.ErrTooMany):
		return a.wrongField("/selection", "selects more requests than a bulk may hold; select fewer, by kind or by time")
	}
	return a.refusal(doing, err)
}

func (a *api) listBulks(ctx context.Context, _ *struct{}) (*bulksOutput, error) {
	bulks, err := a.Acts.Bulks(ctx)
	if err != nil {
		return nil, a.refusal("listing the bulks", err)
	}
	out := &bulksOutput{Body: Bulks{Bulks: []Bulk{}}}
	for _, b := range bulks {
		out.Body.Bulks = append(out.Body.Bulks, bulkOf(b))
	}
	return out, nil
}

func (a *api) getBulk(ctx context.Context, in *BulkPath) (*bulkOutput, error) {
	return a.onBulk(ctx, in.ID, "reading a bulk", func(ctx context.Context) (acts.Bulk, error) { return a.Acts.Bulk(ctx, in.ID) })
}

func (a *api) approveBulk(ctx context.Context, in *BulkPath) (*bulkOutput, error) {
	return a.onBulk(ctx, in.ID, "approving a bulk", func(ctx context.Context) (acts.Bulk, error) { return a.Acts.Approve(ctx, actor(ctx), in.ID) })
}

func (a *api) refuseBulk(ctx context.Context, in *bulkActInput) (*bulkOutput, error) {
	asked, err := read[Remark](a, in.Bodied)
	if err != nil {
		return nil, err
	}
	return a.onBulk(ctx, in.ID, "refusing a bulk", func(ctx context.Context) (acts.Bulk, error) { return a.Acts.Refuse(ctx, actor(ctx), in.ID, asked.Why) })
}

func (a *api) stopBulk(ctx context.Context, in *bulkActInput) (*bulkOutput, error) {
	asked, err := read[Remark](a, in.Bodied)
	if err != nil {
		return nil, err
	}
	return a.onBulk(ctx, in.ID, "stopping a bulk", func(ctx context.Context) (acts.Bulk, error) { return a.Acts.Stop(ctx, actor(ctx), in.ID, asked.Why) })
}

// onBulk does something to one bulk, and answers where it stands then.
func (a *api) onBulk(ctx context.Context, id, doing string, do func(context.Context) (acts.Bulk, error)) (*bulkOutput, error) {
	if ledger.CheckID(id) != nil {
		return nil, a.problem("not-found", "There is no such bulk.")
	}
	ctx, done := finishing(ctx)
	defer done()
	bulk, err := do(ctx)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, a.problem("not-found", "There is no such bulk.")
	}
	if err != nil {
		refusal := a.refusal(doing, err)
		if p := asProblem(refusal); p.Status == http.StatusConflict {
			if now, err := a.Acts.Bulk(ctx, id); err == nil {
				p.State = string(now.State)
			}
		}
		return nil, refusal
	}
	return &bulkOutput{bulkOf(bulk)}, nil
}

func bulkOf(b acts.Bulk) Bulk {
	out := Bulk{ID: b.ID, What: string(b.What), State: string(b.State), Why: b.Why, Who: b.Who, ApprovedBy: b.ApprovedBy, RefusedBy: b.RefusedBy, StoppedBy: b.StoppedBy,
		Total: b.Total, Done: b.Done, Failed: b.Failed, Cannot: counts(b.Cannot), Examples: []Outcome{}, Holds: b.Holds, ProposedAt: b.Proposed.UTC()}
	for _, o := range b.Examples {
		out.Examples = append(out.Examples, Outcome{ID: o.ID, Reason: o.Reason})
	}
	if !b.Begun.IsZero() {
		out.BegunAt = inUTC(&b.Begun)
	}
	if !b.Ended.IsZero() {
		out.EndedAt = inUTC(&b.Ended)
	}
	return out
}

// counts is a map that is written as {} where it is empty.
func counts(m map[string]int) map[string]int {
	if m == nil {
		return map[string]int{}
	}
	return m
}
