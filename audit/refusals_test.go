package audit_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"segell/audit"
	"segell/ledger"
)

// A flood of refusals is a few entries, which say how many they were; who or what
// is another is another entry.
func TestAFloodOfRefusalsIsAFewEntries(t *testing.T) {
	o := newOffice(t)
	l := o.process()
	synctest.Test(t, func(t *testing.T) {
		r := &audit.Refusals{Ledger: l, Log: slog.New(slog.NewTextHandler(o, nil))}
		refuse := func(who, id string, times int) {
			var all sync.WaitGroup
			for n := range times {
				all.Go(func() {
					r.Note(t.Context(), ledger.AuditEntry{Who: who, What: "staff.denied", ID: id, Why: "needs the role act", From: fmt.Sprint("192.0.2.", n%9)})
				})
			}
			all.Wait()
		}
		trail := func(want ...string) {
			t.Helper()
			var got []string
			for record, err := range l.AuditTrail(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprint(record.Who, " ", record.ID, " ", record.Count))
			}
			if strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Errorf("the trail has %q, want %q", got, want)
			}
		}
		refuse("mira", "work.pause", 300)
		trail("mira work.pause 0")
		refuse("olga", "work.pause", 1)
		refuse("mira", "work.resume", 1)
		trail("mira work.pause 0", "olga work.pause 0", "mira work.resume 0")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		trail("mira work.pause 0", "olga work.pause 0", "mira work.resume 0", "mira work.pause 299")
		refuse("mira", "work.pause", 5) // it goes on
		refuse("olga", "work.pause", 1) // a first one again
		time.Sleep(time.Hour)
		synctest.Wait()
		trail("mira work.pause 0", "olga work.pause 0", "mira work.resume 0", "mira work.pause 299", "olga work.pause 0", "mira work.pause 5")
	})
}
