package templates

import (
	"slices"

	"segell/wire"
)

// span is a stretch of days, both ends included. It is empty where to is before from.
type span struct{ from, to wire.Date }

func (s span) days() int { return max(0, s.to.DaysSince(s.from)+1) }

// merge gives the days of spans in order and without repetition: what overlaps or touches becomes one.
func merge(spans []span) []span {
	spans = slices.DeleteFunc(slices.Clone(spans), func(s span) bool { return s.days() == 0 })
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var out []span
	for _, s := range spans {
		last := len(out) - 1
		switch {
		case last < 0 || s.from.After(out[last].to.AddDays(1)):
			out = append(out, s)
		case s.to.After(out[last].to):
			out[last].to = s.to
		}
	}
	return out
}

// monthsOf is how many calendar months have a day in spans that are merged.
func monthsOf(merged []span) int {
	n := 0
	var last wire.Month
	for _, s := range merged {
		first, end := wire.MonthOf(s.from), wire.MonthOf(s.to)
		n += end.MonthsSince(first) + 1
		if first == last {
			n--
		}
		last = end
	}
	return n
}
