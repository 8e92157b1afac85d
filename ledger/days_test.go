package ledger_test

import (
	"slices"
	"testing"

	"segell/ledger"
)

func TestDaysOfTheRegister(t *testing.T) {
	s := newSetting(t)
	issued, cancelled, failed, waiting := accept(t, s.Ledger, "1"), accept(t, s.Ledger, "2"), accept(t, s.Ledger, "3"), accept(t, s.Ledger, "4")
	issue(t, s, issued.ID)
	if _, err := s.Cancel(t.Context(), cancelled.ID, ledger.CancelledByClient); err != nil {
		t.Fatal(err)
	}
	if err := s.GiveUp(t.Context(), ledger.Failure{ID: failed.ID, Cause: "missing_glyph"}); err != nil {
		t.Fatal(err)
	}
	days, err := s.RegisterDays(t.Context())
	if err != nil || !slices.Equal(days, []string{"2026/03/02"}) {
		t.Fatalf("days are %v, %v", days, err)
	}
	for name, c := range map[string]struct {
		got  func(func(ledger.Entry, error) bool)
		want []string
	}{
		"records":    {s.RecordsOn(t.Context(), days[0]), []string{issued.ID}},
		"tombstones": {s.TombstonesOn(t.Context(), days[0]), []string{cancelled.ID}},
		"requests":   {s.RequestEntries(t.Context()), []string{failed.ID, waiting.ID}},
		"failures":   {s.FailureEntries(t.Context()), []string{failed.ID}},
		"other day":  {s.RecordsOn(t.Context(), "2026/03/03"), nil},
	} {
		var got []string
		for e, err := range c.got {
			if err != nil || e.ChangedAt.IsZero() {
				t.Fatalf("%s: %+v, %v", name, e, err)
			}
			got = append(got, e.ID)
		}
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}
