package acts

import (
	"context"
	"strings"
	"time"

	"segell/ledger"
)

// eyesWithin is how long the bulks of one person count together: who may not do a
// thing at once may not do it in slices either.
const eyesWithin = time.Hour

// needsSecond reports whether a second person must approve a bulk of n requests.
func (a *Acts) needsSecond(ctx context.Context, actor Actor, n int) (bool, error) {
	if a.FourEyes == 0 {
		return false, nil
	}
	if n > a.FourEyes {
		return true, nil
	}
	ids, err := a.Ledger.Bulks(ctx)
	if err != nil {
		return false, err
	}
	since := a.Now().Add(-eyesWithin)
	for _, id := range ids {
		if ledger.TimeOf(id).Before(since.Add(-eyesWithin)) {
			break // the id is drawn with the dry run, before the bulk is begun
		}
		order, err := a.Ledger.Bulk(ctx, id)
		if err != nil {
			continue // its list is being written, or it is damaged
		}
		if order.Judge == "" && order.Begun.After(since) && !second(order.Who, actor.Who) {
			n += order.Total
		}
	}
	return n > a.FourEyes, nil
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
