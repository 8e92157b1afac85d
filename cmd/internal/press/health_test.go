package press

import (
	"cmp"
	"testing"
	"time"

	"segell/console"
	"segell/ledger"
	"segell/queue"
)

// What workers say becomes one word for each part, the worst of them, and a part of
// which nobody says anything is unknown and never well.
func TestWhatWorkersSayOfTheirParts(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 14, 5, 0, time.UTC)
	days := func(n int) time.Time { return now.Add(time.Duration(n)*24*time.Hour + time.Hour) }
	fit := queue.Presence{Name: "fit", Version: "v2", Level: "B-LTA", SealEnds: days(400), StampEnds: days(300), Busy: 2, Concurrency: 8, TSA: queue.Contact{Answers: 1, AnsweredAt: now}}
	with := func(change func(*queue.Presence)) queue.Presence {
		p := fit
		change(&p)
		return p
	}
	away := func(dependency string, resting bool) queue.Presence {
		return with(func(p *queue.Presence) {
			p.Away = []queue.Absence{{Dependency: dependency, Since: now, Resting: resting}}
		})
	}
	for what, c := range map[string]struct {
		workers            []queue.Presence
		away               error
		there, stamp, seal string
		store              string // well where it is empty
	}{
		"all well":                      {workers: []queue.Presence{fit, fit}, there: well, stamp: well, seal: well},
		"nobody is there":               {there: halt, stamp: unknown, seal: unknown},
		"Redis is away":                 {away: queue.ErrAway, there: unknown, stamp: unknown, seal: unknown},
		"nothing sealed yet":            {workers: []queue.Presence{with(func(p *queue.Presence) { p.TSA, p.StampEnds = queue.Contact{}, time.Time{} })}, there: well, stamp: unknown, seal: well},
		"one worker rests":              {workers: []queue.Presence{fit, away(ledger.TSA, true)}, there: mind, stamp: halt, seal: well},
		"all workers rest":              {workers: []queue.Presence{away(ledger.TSA, true)}, there: halt, stamp: halt, seal: well},
		"one request met it":            {workers: []queue.Presence{away(ledger.TSA, false)}, there: mind, stamp: mind, seal: well},
		"the key is away":               {workers: []queue.Presence{away(ledger.SealKey, true)}, there: halt, stamp: well, seal: halt},
		"the store refuses one":         {workers: []queue.Presence{fit, away(ledger.Storage, false)}, there: mind, stamp: well, seal: well, store: mind},
		"the store refuses every write": {workers: []queue.Presence{away(ledger.Storage, true)}, there: halt, stamp: well, seal: well, store: halt},
		"nobody says it is in force":    {workers: []queue.Presence{away(ledger.Revocation, true)}, there: halt, stamp: well, seal: halt},
		"a certificate ends soon":       {workers: []queue.Presence{fit, with(func(p *queue.Presence) { p.SealEnds = days(29) })}, there: well, stamp: well, seal: mind},
		"it has ended":                  {workers: []queue.Presence{with(func(p *queue.Presence) { p.SealEnds = days(-3) }), fit}, there: well, stamp: well, seal: halt},
		"that of the stamps ends soon":  {workers: []queue.Presence{with(func(p *queue.Presence) { p.StampEnds = days(3) })}, there: well, stamp: mind, seal: well},
		"one that cannot be read":       {workers: []queue.Presence{{Name: "of a version to come"}}, there: well, stamp: unknown, seal: unknown},
	} {
		store := absent(console.Health{Part: "storage", State: well, Detail: map[string]string{}}, c.workers, ledger.Storage)
		parts := []console.Health{workersHealth(c.workers, c.away), tsaHealth(c.workers, now), sealHealth(c.workers, now), store}
		for i, want := range []string{c.there, c.stamp, c.seal, cmp.Or(c.store, well)} {
			if parts[i].State != want {
				t.Errorf("%s: %s is %s, want %s (%v)", what, parts[i].Part, parts[i].State, want, parts[i].Detail)
			}
		}
	}
	for what, c := range map[string]struct {
		workers []queue.Presence
		want    console.Absence
	}{"none": {[]queue.Presence{fit}, ""}, "some": {[]queue.Presence{fit, away(ledger.Storage, true)}, console.AwayFromSome}, "all": {[]queue.Presence{away(ledger.Storage, false)}, console.AwayFromAll}} {
		store := absent(console.Health{Detail: map[string]string{}}, c.workers, ledger.Storage)
		if there := workersHealth(c.workers, nil); store.Away != c.want || there.Away != c.want {
			t.Errorf("%s of the workers cannot reach the store: %q and %q", what, store.Away, there.Away)
		}
	}
	seal := sealHealth([]queue.Presence{fit, with(func(p *queue.Presence) { p.SealEnds = days(29) })}, now)
	if seal.DaysLeft == nil || *seal.DaysLeft != 29 || !seal.Ends.Equal(days(29)) {
		t.Errorf("the first certificate to end: %v, %v", seal.DaysLeft, seal.Ends)
	}
	if there := workersHealth([]queue.Presence{fit, with(func(p *queue.Presence) { p.Version = "v1" })}, nil).Detail; there["busy"] != "4 of 16" || there["versions"] != "v1, v2" {
		t.Errorf("details %v", there)
	}
}
