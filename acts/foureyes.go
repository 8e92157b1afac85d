package acts

import (
	"context"
	"slices"
	"strings"
	"time"

	"segell/ledger"
)

// eyesWithin is how long what one person did counts together: who may not do a
// thing at once may not do it in slices either.
const eyesWithin = time.Hour

// needsSecond reports whether a second person must approve a bulk of n requests, as
// things are now: a dry run takes nothing.
func (a *Acts) needsSecond(ctx context.Context, actor Actor, n int) (bool, error) {
	if a.FourEyes == 0 {
		return false, nil
	}
	rows, err := a.Ledger.Tally(ctx)
	if err != nil {
		return false, err
	}
	return n+counted(a.ofLate(rows), actor) > a.FourEyes, nil
}

// take counts n requests on which an actor is about to act alone, in a bulk or, for
// "", one at a time: ErrSecondNeeded, and nothing is counted, where they are too
// many with what counts already. It comes before the act, so that whoever dies
// between has counted too much rather than too little. A bulk counts once.
func (a *Acts) take(ctx context.Context, actor Actor, bulk string, n int) error {
	if a.FourEyes == 0 {
		return nil
	}
	a.counting.Lock()
	defer a.counting.Unlock()
	return a.Ledger.ChangeTally(ctx, func(rows []ledger.TallyRow) ([]ledger.TallyRow, error) {
		row := ledger.TallyRow{Who: actor.Who, Bulk: bulk, Count: n, At: a.Now().UTC().Truncate(time.Second)}
		rows = a.ofLate(rows)
		at := slices.IndexFunc(rows, func(r ledger.TallyRow) bool {
			return r.Who == row.Who && r.Bulk == bulk && (bulk != "" || r.At.Truncate(time.Minute).Equal(row.At.Truncate(time.Minute)))
		})
		switch {
		case at >= 0 && bulk != "": // whoever counted it first may be beginning it
			row.Count = max(n, rows[at].Count)
		case at >= 0:
			row.Count = n + rows[at].Count
		}
		if at >= 0 {
			rows = slices.Delete(rows, at, at+1)
		}
		if row.Count+counted(rows, actor) > a.FourEyes {
			return nil, ErrSecondNeeded
		}
		return append(rows, row), nil
	})
}

// takeOne counts an act on one request that cannot be undone. why is looked at
// before, for what is refused for its reason is not done.
func (a *Acts) takeOne(ctx context.Context, actor Actor, why string) error {
	if err := ledger.CheckReason(strings.TrimSpace(why)); err != nil {
		return err
	}
	return a.take(ctx, actor, "", 1)
}

// ofLate are the rows that count still. One from a clock that is far ahead counts
// no longer than one from a clock that is right.
func (a *Acts) ofLate(rows []ledger.TallyRow) []ledger.TallyRow {
	now := a.Now()
	return slices.DeleteFunc(slices.Clone(rows), func(r ledger.TallyRow) bool { return now.Sub(r.At).Abs() >= eyesWithin })
}

// counted is on how many requests somebody acted who may be the actor.
func counted(rows []ledger.TallyRow, actor Actor) int {
	n := 0
	for _, r := range rows {
		if !second(r.Who, actor.Who) {
			n += r.Count
		}
	}
	return n
}

// second reports whether two logins are surely two persons. One person may be
// known by several spellings: in the console by an account or by the issuer's
// name with its domain, at a machine by the login there. So spelling is passed
// over, and a login that names nobody is nobody's.
func second(one, other string) bool {
	a, b := person(one), person(other)
	return a != "" && b != "" && a != b
}

// person is a login without its spelling: capitals, domain, dots and dashes. It is
// "" for one that names no person.
func person(login string) string {
	name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(login)), "@")
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, name)
	switch name {
	case "root", "unknown", "nobody", "nonroot", "admin", "segell":
		return "" // several share it: whoever has the machine
	}
	return name
}
