package templates

import (
	"segell/layout"
	"segell/wire"
)

// A document whose totals do not follow from its rows is not issued: the sender
// reads how far they are apart, which says more than that they are.

// amount is what a document adds up.
type amount interface {
	wire.Money | wire.Points
	String() string
}

// sum adds amounts as wire does: exactly, or not at all.
func sum[N amount](values []N) (total N, ok bool) {
	for _, v := range values {
		// Rows are below 10^15 units and a document has some thousands, so an int64 does not wrap around.
		total += v
	}
	const limit = 1_000_000_000_000_000
	return total, total > -limit && total < limit
}

// agrees judges an amount against what follows from others, and names the
// difference. of says in words what it follows from: "the sum of the rows".
func agrees[N amount](j *judgement, pointer string, given, follows N, of string) {
	switch {
	case given > follows:
		j.Addf(pointer, "must be %s; it is %s more", of, given-follows)
	case given < follows:
		j.Addf(pointer, "must be %s; it is %s less", of, follows-given)
	}
}

// counts judges a whole number as agrees does.
func counts(j *judgement, pointer string, given, follows int, of string) {
	switch {
	case given > follows:
		j.Addf(pointer, "must be %s; it is %d more", of, given-follows)
	case given < follows:
		j.Addf(pointer, "must be %s; it is %d less", of, follows-given)
	}
}

// carry has the words of a sum that goes on to the next page.
func carry(w *words) layout.Carry {
	return layout.Carry{Forward: w.say("carried_forward"), Brought: w.say("brought_forward")}
}
