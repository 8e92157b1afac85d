package console_test

import (
	"context"
	"testing"
	"time"

	"segell/console"
	"segell/internal/judges"
	"segell/ledger"
)

// axe judges the pages with most on them; the end-to-end tests let it judge all.
func TestPagesAreAccessible(t *testing.T) {
	o := newOffice(t, func(ctx context.Context) []console.Health {
		parts := well(ctx)
		left := 12.0
		parts[3].State, parts[3].Detail = "halt", map[string]string{"error": "503"}
		parts[4].State, parts[4].DaysLeft, parts[4].Ends = "mind", &left, time.Now().Add(12*24*time.Hour)
		return parts
	})
	for range 3 {
		o.fail(o.accept("coverage_certificate", "COB"), ledger.StageSeal, "tsa_away", "503 Service Unavailable")
	}
	failed := o.accept("points_extract", "PUN")
	o.fail(failed, ledger.StageRender, "missing_glyph", "no glyph for U+1F600")
	o.issue(o.accept("coverage_certificate", "COB"))
	o.settle(4, 1)
	groups, err := o.index.Groups(t.Context())
	o.must(err)
	anna := o.login("anna")
	pages := map[string]string{
		"landing": anna.get("/").body,
		"find":    anna.get("/find?state=failed").body,
		"request": anna.post("/requests/"+failed.ID+"/cancel", "why", "").body,
		"plan":    anna.post("/bulk/plan", "group", groups[0].ID, "what", "cancel").body,
	}
	judges.Axe(t, pages, o.console.Handler())
}
