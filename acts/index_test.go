package acts_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"segell/acts"
	"segell/index"
	"segell/ledger"
)

// With an index that is complete a selection comes from there: of thousands only
// the count is asked, of a group the few that are in it, and what the index does
// not know yet shows when it is done.
func TestSelectionsFromTheIndex(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const many = 250
	ids := h.failed(many)
	p := h.process()
	if err := p.ledger.GiveUp(t.Context(), ledger.Failure{ID: h.accept(p).ID, Kind: "coverage_certificate", Stage: ledger.StageRender, Cause: "missing_glyph", FailedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	x := index.New(index.Config{Redis: p.redis, Ledger: p.ledger, Queue: p.queue, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); x.Run(ctx) }()
	stop := func() { cancel(); <-ended }
	t.Cleanup(stop)
	h.until("the index", func() bool {
		condition, err := x.Condition(t.Context())
		counts, counting := x.Counts(t.Context())
		return err == nil && counting == nil && condition.Complete && counts[ledger.StateFailed] == many+1
	})
	p = h.process(func(c *acts.Config) { c.Index = x })
	for name, try := range map[string]struct {
		query         index.Query
		will, checked int
	}{
		"everything":   {index.Query{}, many + 1, 0},
		"a cause":      {index.Query{Cause: "missing_glyph"}, 1, 1},
		"a kind":       {index.Query{Kinds: []string{"coverage_certificate"}, Limit: 3, States: []ledger.State{ledger.StateIssued}}, many + 1, 0},
		"another kind": {index.Query{Kinds: []string{"points_extract"}}, 0, 0},
		"a group":      {index.Query{Group: groupOf(t, x, "missing_glyph")}, 1, 1},
	} {
		plan, err := p.Count(t.Context(), anna, acts.Selection{Query: &try.query}, acts.BulkRetry)
		if try.will == 0 {
			if err == nil {
				t.Errorf("%s: %+v", name, plan)
			}
			continue
		}
		if err != nil || plan.Will != try.will || plan.Checked != try.checked || plan.ByKind["coverage_certificate"] != try.will || len(plan.Sample) != min(5, try.will) {
			t.Errorf("%s: %+v, %v", name, plan, err)
		}
	}
	cancel() // from here on the index does not see what becomes of them
	<-ended
	if _, err := p.ledger.Cancel(t.Context(), ids[0], ledger.CancelAskedAgain); err != nil {
		t.Fatal(err)
	}
	h.run(p)
	b := h.start(p, anna, acts.Selection{Query: &index.Query{Cause: "seal_certificate_expired"}}, acts.BulkCancel)
	h.until("the bulk to be done", func() bool { return h.bulk(b.ID).State == ledger.BulkDone })
	if b = h.bulk(b.ID); b.Total != many || b.Done != many-1 || b.Cannot[acts.CannotCancelled] != 1 || b.Examples[0].ID != ids[0] {
		t.Errorf("it ended as %+v", b)
	}
}

func groupOf(t *testing.T, x *index.Index, cause string) string {
	t.Helper()
	groups, err := x.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if g.Cause == cause {
			return g.ID
		}
	}
	t.Fatalf("no group of %s among %+v", cause, groups)
	return ""
}
