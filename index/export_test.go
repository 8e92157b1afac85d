package index

import "time"

// Hurry makes everything that Run does come sooner; zero leaves a time as it is.
func (x *Index) Hurry(sweep, full time.Duration) {
	x.every = intervals{look: 10 * time.Millisecond, tend: 50 * time.Millisecond, sweep: sweep, full: full, lease: 300 * time.Millisecond}
}

// Names of this package that tests need.
var (
	Normalise  = normalise
	PackNumber = packNumber
	Unpack     = unpackNumber
)

const GroupsMost = groupsMost
