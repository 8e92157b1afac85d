package acts_test

import (
	"log/slog"
	"testing"
	"time"

	"segell/acts"
	"segell/index"
	"segell/ledger"
)

// While the index does not know every failure, a dry run counts by the ledger
// alone: kinds and causes add up to what it says.
func TestAPlanHasOneSource(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const many, others = 210, 3
	h.failed(many)
	p := h.process()
	for range others {
		if err := p.ledger.GiveUp(t.Context(), ledger.Failure{ID: h.accept(p).ID, Kind: "points_extract", Stage: ledger.StageRender, Cause: "missing_glyph", FailedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	x := index.New(index.Config{Redis: p.redis, Ledger: p.ledger, Queue: p.queue, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	p = h.process(func(c *acts.Config) { c.Index = x }) // nobody fills it yet
	plan, err := p.Count(t.Context(), anna, acts.Selection{Query: &index.Query{}}, acts.BulkRetry)
	if err != nil || plan.Will != many+others || plan.Checked != plan.Will || len(plan.Sample) != 5 ||
		len(plan.ByKind) != 2 || plan.ByKind["coverage_certificate"] != many || plan.ByKind["points_extract"] != others ||
		len(plan.ByCause) != 2 || plan.ByCause["seal_certificate_expired"] != many || plan.ByCause["missing_glyph"] != others {
		t.Errorf("the plan is %+v, %v", plan, err)
	}
}
