package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"segell/index"
	"segell/ledger"
	"segell/staff"
)

// Group is failures alike: of one stage and cause, with the same message but for
// the values in it.
type Group struct {
	_       struct{}         `json:"-" additionalProperties:"true"`
	ID      string           `json:"id" doc:"Id of the group" example:"6f1a0c2b9d3e4f50"`
	Stage   string           `json:"stage" doc:"The step at which they stopped: read, render, seal or store" example:"seal"`
	Cause   string           `json:"cause" doc:"A word of a closed list; each has a runbook" example:"tsa_away"`
	Message string           `json:"message,omitempty" doc:"What the failures say, for engineers, without any value; absent where many different ones are together"`
	What    string           `json:"what" doc:"What happened, for staff" example:"The time-stamping authority did not answer properly for too long."`
	Do      string           `json:"do" doc:"What to do about it, for staff" example:"Check the time-stamping authority, then retry the requests."`
	First   time.Time        `json:"first" doc:"When the first of them failed" example:"2026-03-02T02:14:05Z"`
	Last    time.Time        `json:"last" doc:"When the last of them failed" example:"2026-03-02T04:40:11Z"`
	Count   int64            `json:"count" doc:"How many are failed now" example:"104"`
	Kinds   map[string]int64 `json:"kinds" doc:"How many of each kind of document" example:"{\"coverage_certificate\":104}"`
	Sample  string           `json:"sample,omitempty" doc:"Id of its newest request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	Claims  []Claim          `json:"claims" doc:"Who says to be on it; a claim ends by itself"`
}

// Claim is the word of a member of staff: I am on it.
type Claim struct {
	_     struct{}  `json:"-" additionalProperties:"true"`
	Login string    `json:"login" doc:"Who" example:"mserra"`
	Name  string    `json:"name" doc:"The name of the account" example:"Maria Serra"`
	Since time.Time `json:"since" doc:"Since when" example:"2026-03-02T08:01:00Z"`
}

// Groups are all groups.
type Groups struct {
	_      struct{} `json:"-" additionalProperties:"true"`
	Groups []Group  `json:"groups" doc:"Largest first; none: nothing is failed"`
	Index  Index    `json:"index" doc:"How far the answer can be relied on"`
}

// Index says how far what was found can be relied on.
type Index struct {
	_        struct{} `json:"-" additionalProperties:"true"`
	Complete bool     `json:"complete" doc:"Everything in the ledger was looked at; while false, requests may be missing" example:"true"`
	Waiting  int64    `json:"waiting" doc:"Changes that are not yet in" example:"0"`
}

// LanguageHeader says in which language staff are answered.
type LanguageHeader struct {
	Language string `header:"Accept-Language" doc:"Language of what staff read: ca, es, fr, pt or en; otherwise that of the account" example:"en"`
}

type groupInput struct {
	LanguageHeader
	Group string `path:"group" maxLength:"80" pattern:"^[A-Za-z0-9_.:-]+$" doc:"Id of the group" example:"6f1a0c2b9d3e4f50"`
}

type groupsOutput struct{ Body Groups }
type groupOutput struct{ Body Group }

func (a *api) registerCauses() {
	register(a, huma.Operation{OperationID: "list-causes", Method: http.MethodGet, Path: "/api/v1/causes", Tags: []string{tagCauses}, Security: needs(staff.Look),
		Summary: "What is failed now, in groups", Description: "Failures of one stage and cause with the same message are one group: a hundred that failed for one reason are one line.",
		Errors: refuses()}, a.causes)
	register(a, huma.Operation{OperationID: "get-cause", Method: http.MethodGet, Path: "/api/v1/causes/{group}", Tags: []string{tagCauses}, Security: needs(staff.Look),
		Summary: "One group", Description: "Also where none is failed any more: its count is 0 then.", Errors: refuses(404)}, a.cause)
	register(a, huma.Operation{OperationID: "claim-cause", Method: http.MethodPost, Path: "/api/v1/causes/{group}/claim", Tags: []string{tagCauses}, Security: needs(staff.Act),
		Summary: "Say: I am on it", Description: "Others see it. It ends by itself after some hours.", DefaultStatus: http.StatusOK, Errors: refuses(404)}, a.claim)
	register(a, huma.Operation{OperationID: "release-cause", Method: http.MethodDelete, Path: "/api/v1/causes/{group}/claim", Tags: []string{tagCauses}, Security: needs(staff.Act),
		Summary: "Take one's claim back", Description: "Where there is none nothing changes.", DefaultStatus: http.StatusOK, Errors: refuses(404)}, a.release)
}

func (a *api) causes(ctx context.Context, in *LanguageHeader) (*groupsOutput, error) {
	groups, err := a.Index.Groups(ctx)
	if err != nil {
		return nil, a.refusal("reading the groups of failures", err)
	}
	out := &groupsOutput{Body: Groups{Groups: []Group{}}}
	language := languageOf(ctx, in.Language)
	for _, g := range groups {
		out.Body.Groups = append(out.Body.Groups, groupOf(g, language))
	}
	if out.Body.Index, err = a.condition(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

func (a *api) condition(ctx context.Context) (Index, error) {
	c, err := a.Index.Condition(ctx)
	if err != nil {
		return Index{}, a.refusal("asking how complete the index is", err)
	}
	return Index{Complete: c.Complete, Waiting: c.Waiting}, nil
}

func (a *api) cause(ctx context.Context, in *groupInput) (*groupOutput, error) {
	g, err := a.Index.Group(ctx, in.Group)
	if err != nil {
		return nil, a.refusal("reading a group of failures", err)
	}
	return &groupOutput{groupOf(g, languageOf(ctx, in.Language))}, nil
}

func (a *api) claim(ctx context.Context, in *groupInput) (*groupOutput, error) {
	return a.changeClaim(ctx, in, ledger.AuditEntry{What: "causes.claim"}, func(who *caller) error {
		return a.Index.Claim(ctx, in.Group, who.Login, who.Name)
	})
}

func (a *api) release(ctx context.Context, in *groupInput) (*groupOutput, error) {
	return a.changeClaim(ctx, in, ledger.AuditEntry{What: "causes.release"}, func(who *caller) error {
		return a.Index.Release(ctx, in.Group, who.Login)
	})
}

// changeClaim says who is on a group, or no longer; the audit trail has it first.
func (a *api) changeClaim(ctx context.Context, in *groupInput, entry ledger.AuditEntry, change func(*caller) error) (*groupOutput, error) {
	if _, err := a.Index.Group(ctx, in.Group); err != nil {
		return nil, a.refusal("reading a group of failures", err)
	}
	who := actor(ctx)
	entry.Who, entry.From, entry.ID = who.Who, who.From, in.Group
	err := a.Ledger.Audit(ctx, entry)
	if err == nil {
		err = change(callerOf(ctx))
	}
	if err != nil {
		return nil, a.refusal("changing who is on a group of failures", err)
	}
	return a.cause(ctx, in)
}

func groupOf(g index.Group, language string) Group {
	wording := ledger.CauseOf(g.Cause).Wording(language)
	out := Group{ID: g.ID, Stage: g.Stage, Cause: g.Cause, Message: g.Message, What: wording.What, Do: wording.Do, First: g.First.UTC(), Last: g.Last.UTC(),
		Count: g.Count, Kinds: g.Kinds, Sample: g.Sample, Claims: []Claim{}}
	if out.Kinds == nil {
		out.Kinds = map[string]int64{}
	}
	for _, c := range g.Claims {
		out.Claims = append(out.Claims, Claim{Login: c.Login, Name: c.Name, Since: c.Since.UTC()})
	}
	return out
}

// languages are those in which causes are worded.
var languages = []string{"ca", "es", "fr", "pt", "en"}

// languageOf is the first language of Accept-Language that staff can read, or that
// of the caller's account.
func languageOf(ctx context.Context, accept string) string {
	for one := range strings.SplitSeq(accept, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(one), ";")
		if base, _, _ := strings.Cut(strings.ToLower(tag), "-"); slices.Contains(languages, base) {
			return base
		}
	}
	base, _, _ := strings.Cut(strings.ToLower(callerOf(ctx).Language), "-")
	return base // ledger.Cause.Wording knows what to do with others
}
