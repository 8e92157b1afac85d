package console

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"segell/acts"
	"segell/index"
	"segell/ledger"
	"segell/staff"
)

const (
	// tempoHours is how many hours the charts show.
	tempoHours = 6
	// waitedTooLong is when a request that nobody works on needs somebody: one that
	// a person waits for takes seconds, one of a batch minutes.
	waitedTooLong = 15 * time.Minute
)

// pageRoutes are the routes of the pages about requests.
func (c *Console) pageRoutes() []route {
	return []route{
		{http.MethodGet, "/{$}", staff.Look, c.landing},
		{http.MethodGet, "/causes", staff.Look, c.causes},
		{http.MethodGet, "/causes/{group}", staff.Look, c.cause},
		{http.MethodPost, "/causes/{group}/claim", staff.Act, c.claim},
		{http.MethodPost, "/causes/{group}/release", staff.Act, c.release},
		{http.MethodGet, "/find", staff.Look, c.find},
		{http.MethodPost, "/find", staff.Look, c.findOne},
		{http.MethodGet, "/requests/{id}", staff.Look, c.request},
		{http.MethodPost, "/requests/{id}/retry", staff.Act, c.retry},
		{http.MethodPost, "/requests/{id}/cancel", staff.Act, c.cancel},
		{http.MethodPost, "/requests/{id}/withdraw", staff.Act, c.withdraw},
		{http.MethodPost, "/requests/{id}/replace", staff.Act, c.replace},
		{http.MethodPost, "/requests/{id}/show", staff.Act, c.show},
		{http.MethodPost, "/requests/{id}/document", staff.Act, c.document},
		{http.MethodPost, "/bulk/plan", staff.Act, c.bulkPlan},
		{http.MethodPost, "/bulk", staff.Act, c.bulkStart},
		{http.MethodGet, "/bulk", staff.Look, c.bulks},
		{http.MethodGet, "/bulk/{id}", staff.Look, c.bulk},
		{http.MethodPost, "/bulk/{id}/approve", staff.Act, c.bulkApprove},
		{http.MethodPost, "/bulk/{id}/refuse", staff.Act, c.bulkRefuse},
		{http.MethodPost, "/bulk/{id}/stop", staff.Act, c.bulkStop},
		{http.MethodGet, "/runbooks/{cause}", staff.Look, c.runbook},
	}
}

// landingPage is "what needs me".
type landingPage struct {
	Needs  int  // how many things need somebody
	Unsure bool // a source is away or incomplete, so that nobody can say that all is well

	Causes      []causeCount
	Stopped     int64
	Oldest      *index.Row
	OldestHeld  *ledger.Pause // behind which Oldest waits
	TooLong     bool          // a request waits for too long, and not because of a pause
	Held        []heldRow     // pauses behind which requests wait
	HeldTooLong []heldRow     // of Held, those that stand for long
	Approve     []acts.Bulk   // that wait for who looks to approve them
	GivenUp     int           // callbacks
	GivenUpMore bool          // there are more than GivenUp
	Parts       []partRow
	PartTrouble []partRow // of Parts, those that need somebody
	Tempo       tempo
	Condition   index.Condition

	Waiting, Failed, Issued int64 // requests

	// Why a part could not be read, keys of frame.problems.
	CausesMissing, OldestMissing, CountsMissing, TempoMissing, IndexMissing, PausesMissing, ApproveMissing, GivenUpMissing string
}

// partRow is a thing that Segell depends on.
type partRow struct {
	Health
	Days  int  // that are left of its certificate; 0 on its last day
	Ended bool // its certificate has ended
}

func partOf(h Health, now time.Time) partRow {
	row := partRow{Health: h}
	if h.DaysLeft != nil {
		row.Days, row.Ended = int(*h.DaysLeft), !now.Before(h.Ends)
	}
	return row
}

// causeCount is what a cause has stopped, all its groups together.
type causeCount struct {
	ID     string // of the cause
	Group  string // where there is one only
	Count  int64
	Last   time.Time
	Claims []index.Claim
}

// landing asks every source on its own: what one cannot say, the others do.
func (c *Console) landing(w http.ResponseWriter, r *http.Request) {
	p, ctx := landingPage{}, r.Context()
	groups, err := c.Index.Groups(ctx)
	p.CausesMissing = c.troubleWord(r, "causes", err)
	p.Causes, p.Stopped = byCause(groups)
	c.readPauses(r, &p)
	c.readOldest(r, &p)
	if mayAct(r) {
		p.Approve, err = c.toApprove(ctx, session(r).Login)
		p.ApproveMissing = c.troubleWord(r, "approvals", err)
	}
	p.GivenUp, p.GivenUpMore, err = c.givenUp(ctx)
	p.GivenUpMissing = c.troubleWord(r, "callbacks", err)
	counts, err := c.Index.Counts(ctx)
	p.Waiting, p.Failed, p.Issued = counts[ledger.StateAccepted], counts[ledger.StateFailed], counts[ledger.StateIssued]
	p.CountsMissing = c.troubleWord(r, "counts", err)
	slots, err := c.Index.Tempo(ctx, tempoHours)
	p.TempoMissing = c.troubleWord(r, "tempo", err)
	p.Tempo = tempoOf(slots, tempoHours, c.Zone, visitOf(r).words.text("frame.decimal"))
	p.Condition, err = c.Index.Condition(ctx)
	p.IndexMissing = c.troubleWord(r, "index", err)
	if c.Health != nil {
		for _, part := range c.Health(ctx) {
			p.Parts = append(p.Parts, partOf(part, c.Now()))
		}
	}
	p.judge()
	c.page(w, r, http.StatusOK, "landing", p)
}

// judge counts what needs somebody.
func (p *landingPage) judge() {
	if p.Stopped > 0 {
		p.Needs++
	}
	if p.TooLong {
		p.Needs++
	}
	if p.GivenUp > 0 {
		p.Needs++
	}
	p.Needs += len(p.Approve) + len(p.HeldTooLong)
	for _, part := range p.Parts {
		switch part.State {
		case "mind", "halt":
			p.PartTrouble = append(p.PartTrouble, part)
			p.Needs++
		case "unknown":
			p.Unsure = true
		}
	}
	p.Unsure = p.Unsure || len(p.Parts) == 0 || p.missing() || !p.Condition.Complete
}

// missing reports whether a source is away without which nobody can say that all
// is well.
func (p *landingPage) missing() bool {
	return p.CausesMissing+p.OldestMissing+p.IndexMissing+p.PausesMissing+p.ApproveMissing+p.GivenUpMissing != ""
}

// byCause puts groups of one cause together, largest first.
func byCause(groups []index.Group) (causes []causeCount, all int64) {
	at := map[string]int{}
	for _, g := range groups {
		if g.Count == 0 {
			continue
		}
		all += g.Count
		i, known := at[g.Cause]
		if !known {
			i = len(causes)
			at[g.Cause] = i
			causes = append(causes, causeCount{ID: g.Cause, Group: g.ID})
		} else {
			causes[i].Group = ""
		}
		one := &causes[i]
		one.Count += g.Count
		if g.Last.After(one.Last) {
			one.Last = g.Last
		}
		for _, claim := range g.Claims {
			if !slices.ContainsFunc(one.Claims, func(other index.Claim) bool { return other.Login == claim.Login }) {
				one.Claims = append(one.Claims, claim)
			}
		}
	}
	slices.SortStableFunc(causes, func(a, b causeCount) int { return cmp.Compare(b.Count, a.Count) })
	return causes, all
}
