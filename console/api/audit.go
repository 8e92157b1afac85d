package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/audit"
	"segell/ledger"
	"segell/staff"
)

// Entry is one of the audit trail.
type Entry struct {
	_        struct{}  `json:"-" additionalProperties:"true"`
	At       time.Time `json:"at" doc:"When" example:"2026-03-02T09:14:05.123Z"`
	Who      string    `json:"who" doc:"Login of staff, or client of the API" example:"mserra"`
	What     string    `json:"what" doc:"The act" example:"jobs.retry"`
	ID       string    `json:"id,omitempty" doc:"What it was done to" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Why      string    `json:"why,omitempty" doc:"The reason that was given" example:"the certificate was renewed"`
	From     string    `json:"from,omitempty" doc:"Address or host" example:"192.0.2.7"`
	Count    int       `json:"count,omitempty" doc:"How many alike, where one entry stands for several" example:"3"`
	Bulk     string    `json:"bulk,omitempty" doc:"Id of the bulk that it was done in" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d90"`
	Writer   string    `json:"writer" doc:"The chain: one for each process" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Sequence int64     `json:"sequence" doc:"Its place in the chain, without a gap" example:"42"`
	Previous string    `json:"previous" doc:"SHA-256 of the entry before it, hexadecimal; empty in the first"`
}

// Trail says how much of the trail is known, and whether it is whole.
type Trail struct {
	_        struct{}     `json:"-" additionalProperties:"true"`
	Complete bool         `json:"complete" doc:"The trail was read to its end once; while false, entries may be missing" example:"true"`
	AsOf     time.Time    `json:"as_of" doc:"What was written before this is there" example:"2026-03-02T09:14:07Z"`
	Entries  int          `json:"entries" doc:"How many are known" example:"3120"`
	Faults   []ChainFault `json:"faults" doc:"What is wrong with it, as far as was seen; anything is an alarm"`
}

// ChainFault is what is wrong with a chain.
type ChainFault struct {
	_        struct{} `json:"-" additionalProperties:"true"`
	Writer   string   `json:"writer" doc:"Which chain" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Sequence int64    `json:"sequence" doc:"The entry that does not fit" example:"42"`
	Detail   string   `json:"detail" doc:"What is wrong" example:"it was there before and is missing: the chain's end was cut off"`
}

// Entries is a page of the trail.
type Entries struct {
	_       struct{} `json:"-" additionalProperties:"true"`
	Entries []Entry  `json:"entries" doc:"Newest first"`
	Older   string   `json:"older,omitempty" doc:"Cursor of the next page; absent on the last"`
	Trail   Trail    `json:"trail" doc:"How much of the trail is known"`
}

// Proof is what was found by reading the whole trail.
type Proof struct {
	_       struct{}     `json:"-" additionalProperties:"true"`
	Whole   bool         `json:"whole" doc:"Nothing is missing, changed or out of its order" example:"true"`
	Entries int          `json:"entries" doc:"How many were read" example:"3120"`
	Heads   []Head       `json:"heads" doc:"The end of every chain: keep them outside the bucket"`
	Faults  []ChainFault `json:"faults" doc:"What is wrong"`
}

// Head is the end of a chain.
type Head struct {
	_        struct{} `json:"-" additionalProperties:"true"`
	Writer   string   `json:"writer" doc:"Which chain" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Sequence int64    `json:"sequence" doc:"How many entries it has" example:"42"`
	SHA256   string   `json:"sha256" doc:"Of the last, hexadecimal" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

// AuditFilter is which entries are wanted.
type AuditFilter struct {
	Who   string    `query:"who" maxLength:"64" doc:"Only what this member of staff or client did" example:"mserra"`
	What  string    `query:"what" maxLength:"64" doc:"Only this act; with a dot at the end every act that begins so" example:"jobs."`
	ID    string    `query:"id" maxLength:"80" doc:"Only what was done to this, or in this bulk" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	From  time.Time `query:"from" doc:"At this time or later" example:"2026-01-01T00:00:00Z"`
	Until time.Time `query:"until" doc:"Before this time" example:"2027-01-01T00:00:00Z"`
	Text  string    `query:"text" maxLength:"100" doc:"Somewhere in it; letters in either case" example:"certificate"`
}

func (f AuditFilter) query() audit.Query {
	return audit.Query{Who: f.Who, What: f.What, ID: f.ID, From: f.From, Until: f.Until, Text: f.Text}
}

type listAuditInput struct {
	AuditFilter
	Cursor string `query:"cursor" maxLength:"200" doc:"older of a page, with the same filters"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Entries on a page"`
}

type exportAuditInput struct {
	AuditFilter
	Format string `query:"format" enum:"csv,json" default:"json" doc:"csv: for spreadsheets (RFC 4180, UTF-8 with a byte order mark; text that a spreadsheet would run has an apostrophe before it). json: a list with one entry a line"`
}

type entriesOutput struct{ Body Entries }
type proofOutput struct{ Body Proof }

func (a *api) registerAudit() {
	register(a, huma.Operation{OperationID: "list-audit", Method: http.MethodGet, Path: "/api/v1/audit", Tags: []string{tagAudit}, Security: needs(staff.Audit),
		Summary: "Search the audit trail", Description: "Who did what, to what, why, when and from where, newest first.", Errors: refuses()}, a.listAudit)
	register(a, huma.Operation{OperationID: "export-audit", Method: http.MethodGet, Path: "/api/v1/audit/export", Tags: []string{tagAudit}, Security: needs(staff.Audit),
		Summary: "The audit trail as a file", Description: "Every entry that fits, oldest first. That it was exported is written down.",
		Responses: map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
			"application/json": {Schema: &huma.Schema{Type: huma.TypeArray, Items: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Entry](), true, "")}}}}},
		Middlewares: huma.Middlewares{patient}, Errors: refuses()}, a.exportAudit)
	register(a, huma.Operation{OperationID: "verify-audit", Method: http.MethodPost, Path: "/api/v1/audit/verify", Tags: []string{tagAudit}, Security: needs(staff.Audit),
		Summary: "Prove that the audit trail is whole", Description: "Reads all of it from the bucket, and compares the ends of the chains with those that were seen, and kept outside the bucket, before. It may take a while. That it was asked for is written down.",
		DefaultStatus: http.StatusOK, Middlewares: huma.Middlewares{patient}, Errors: refuses()}, a.verifyAudit)
}

func (a *api) listAudit(ctx context.Context, in *listAuditInput) (*entriesOutput, error) {
	query := in.query()
	query.Cursor, query.Limit = in.Cursor, in.Limit
	page, err := a.Audit.Search(ctx, query)
	if err != nil {
		return nil, a.refusal("searching the audit trail", err)
	}
	out := &entriesOutput{Body: Entries{Entries: []Entry{}, Older: page.Older, Trail: Trail{Complete: page.Complete, AsOf: page.AsOf.UTC(), Entries: page.Condition.Entries, Faults: faultsOf(page.Faults)}}}
	for _, r := range page.Records {
		out.Body.Entries = append(out.Body.Entries, Entry{At: r.At.UTC(), Who: r.Who, What: r.What, ID: r.ID, Why: r.Why, From: r.From, Count: r.Count, Bulk: r.Bulk, Writer: r.Writer, Sequence: r.Sequence, Previous: r.Previous})
	}
	return out, nil
}

func faultsOf(faults []ledger.AuditFault) []ChainFault {
	out := []ChainFault{}
	for _, f := range faults {
		out = append(out, ChainFault{Writer: f.Writer, Sequence: f.Sequence, Detail: f.Detail})
	}
	return out
}

func (a *api) exportAudit(ctx context.Context, in *exportAuditInput) (*huma.StreamResponse, error) {
	if !a.Audit.Condition().Complete {
		return nil, a.refusal("exporting the audit trail", audit.ErrIncomplete)
	}
	who := actor(ctx)
	if err := a.Ledger.Audit(ctx, ledger.AuditEntry{Who: who.Who, What: "audit.export", Why: in.Format, From: who.From}); err != nil {
		return nil, a.refusal("writing the audit trail", err)
	}
	format := audit.Format(in.Format)
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", format.MediaType())
		c.SetHeader("Content-Disposition", `attachment; filename="audit.`+in.Format+`"`)
		c.SetStatus(http.StatusOK)
		if err := a.Audit.Export(c.Context(), c.BodyWriter(), format, in.query()); err != nil {
			a.Log.Warn("an export of the audit trail broke off", "why", err)
			panic(http.ErrAbortHandler) // so that a part does not pass for the whole
		}
	}}, nil
}

func (a *api) verifyAudit(ctx context.Context, _ *struct{}) (*proofOutput, error) {
	who := actor(ctx)
	if err := a.Ledger.Audit(ctx, ledger.AuditEntry{Who: who.Who, What: "audit.verify", From: who.From}); err != nil {
		return nil, a.refusal("writing the audit trail", err)
	}
	report, err := a.Audit.Verify(ctx)
	if err != nil {
		return nil, a.refusal("proving the audit trail", err)
	}
	out := &proofOutput{Body: Proof{Whole: len(report.Faults) == 0, Entries: report.Entries, Heads: []Head{}, Faults: faultsOf(report.Faults)}}
	for _, h := range report.Heads {
		out.Body.Heads = append(out.Body.Heads, Head{Writer: h.Writer, Sequence: h.Sequence, SHA256: h.SHA256})
	}
	return out, nil
}
