package console

import (
	"slices"
	"testing"
	"time"

	"segell/ledger"
)

// What came of an act follows it, where one is kept to the second and the other to
// the millisecond; where both are known to the millisecond, the time decides.
func TestWhatHappenedWithinASecond(t *testing.T) {
	second := time.Date(2026, 3, 2, 9, 14, 5, 0, time.UTC)
	at := func(ms int) time.Time { return second.Add(time.Duration(ms) * time.Millisecond) }
	for what, c := range map[string]struct {
		events []event
		want   []string
	}{
		"tried again and issued": {[]event{{At: at(-9000), Cause: "accepted"}, {At: second, Cause: "issued", order: made}, {At: at(310), Cause: "retry"}}, []string{"accepted", "retry", "issued"}},
		"issued and withdrawn": {[]event{{At: at(-10), Cause: "accepted"}, {At: second, Cause: "issued", order: made}, {At: second, Cause: "withdrawn", order: cameOfIt}, {At: at(20), Cause: "withdraw", order: onDocument}},
			[]string{"accepted", "issued", "withdraw", "withdrawn"}},
		"failed, then tried again": {[]event{{At: at(-10), Cause: "accepted"}, {At: at(100), Cause: "failed", order: made}, {At: at(700), Cause: "retry"}}, []string{"accepted", "failed", "retry"}},
		"failed, tried again and failed again": {[]event{{At: at(-10), Cause: "accepted"}, {At: second, Cause: "failed", order: made, before: at(310)}, {At: second, Cause: "failed again", order: made}, {At: at(310), Cause: "retry"}},
			[]string{"accepted", "failed", "retry", "failed again"}},
		"accepted and failed at once, then tried again": {[]event{{At: at(20), Cause: "accepted"}, {At: second, Cause: "failed", order: made, before: at(310)}, {At: at(310), Cause: "retry"}},
			[]string{"accepted", "failed", "retry"}},
		"seconds apart": {[]event{{At: at(-10), Cause: "accepted"}, {At: second, Cause: "issued", order: made}, {At: at(1001), Cause: "shown"}}, []string{"accepted", "issued", "shown"}},
	} {
		sortEvents(c.events)
		var got []string
		for _, e := range c.events {
			got = append(got, e.Cause)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

// The rows of the lists of reasons are read in words, also before what was typed.
func TestReasonsInWords(t *testing.T) {
	all, err := readWords(localeFiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{
		{"jobs.cancel", "cannot_be_made: the letter is no letter", "No es podrà fer mai: the letter is no letter"},
		{"jobs.cancel", "sent_in_error", "Es va enviar per error"},
		{"documents.withdraw", "data_corrected: a slip", "Les dades eren errònies i s’han corregit: a slip"},
		{"documents.withdraw", "nobody: knows", "nobody: knows"},
		{"jobs.retry", "fraud: is no row here", "fraud: is no row here"},
	} {
		entry := ledger.AuditRecord{AuditEntry: ledger.AuditEntry{What: c[0], Why: c[1]}}
		if got := reasonText(all["ca"], entry); got != c[2] {
			t.Errorf("%s %q reads %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
