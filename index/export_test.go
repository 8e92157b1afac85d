package index

import (
	"context"
	"time"

	"segell/ledger"
)

// Hurry makes everything that Run does come sooner; zero leaves a time as it is.
func (x *Index) Hurry(sweep, full time.Duration) {
	x.every = intervals{look: 10 * time.Millisecond, tend: 50 * time.Millisecond, sweep: sweep, full: full, lease: 300 * time.Millisecond}
}

// EnterTold is Enter by somebody who said at a time that the requests changed.
func (x *Index) EnterTold(ctx context.Context, told time.Time, standings ...ledger.Standing) error {
	all := make([]found, len(standings))
	for i := range standings {
		all[i] = found{id: standings[i].ID, standing: &standings[i], told: told}
	}
	_, err := x.put(ctx, all)
	return err
}

// DropGroups forgets the groups in which nothing has been for long.
func (x *Index) DropGroups(ctx context.Context) error { return x.dropGroups(ctx) }

// Names of this package that tests need.
var (
	Normalise  = normalise
	PackNumber = packNumber
	Unpack     = unpackNumber
)

const (
	GroupsMost = groupsMost
	IDsAtOnce  = idsAtOnce
)
