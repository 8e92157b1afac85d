package templates

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"segell/layout"
	"segell/wire"
)

// firstMonth is when the regime began: no month of a career is before it.
var firstMonth = wire.MustMonth("1968-04")

// months is a run of months, both ends included.
type months struct{ from, to wire.Month }

func (m months) count() int { return m.to.MonthsSince(m.from) + 1 }

// without gives the runs of months in a period that are not in has, in order.
func without(period months, has map[wire.Month]bool) []months {
	var gaps []months
	for m := period.from; !m.After(period.to); m = m.AddMonths(1) {
		switch n := len(gaps); {
		case has[m]:
		case n > 0 && gaps[n-1].to.AddMonths(1) == m:
			gaps[n-1].to = m
		default:
			gaps = append(gaps, months{m, m})
		}
	}
	return gaps
}

// span writes a run of months: "03/2009–10/2012", or the month alone.
func (w *words) span(m months) string {
	if m.from == m.to {
		return w.ShortMonth(m.from)
	}
	return w.ShortMonth(m.from) + "–" + w.ShortMonth(m.to)
}

// monthsRules judges the period of an extract that goes by months.
func monthsRules(r *Request, from, to wire.Month, j *judgement) {
	switch {
	case from.IsZero():
	case from.Before(firstMonth):
		j.Add("/data/period_from", "must not be before 1968-04, when the regime began")
	case !r.Holder.BirthDate.IsZero() && from.Before(wire.MonthOf(r.Holder.BirthDate)):
		j.Add("/data/period_from", "must not be before the month of birth")
	}
	switch {
	case to.IsZero():
	case to.Before(from):
		j.Add("/data/period_to", "must not be before period_from")
	case !r.DataAsOf.IsZero() && to.After(wire.MonthOf(r.DataAsOf)):
		j.Add("/data/period_to", "must not be after the month of data_as_of")
	}
}

// listOfGaps names runs of months in running text; where there are too many to name all, the longest ones.
func listOfGaps(gaps []months, w *words) string {
	const most = 12
	named := slices.Clone(gaps)
	if len(named) > most {
		slices.SortStableFunc(named, func(a, b months) int { return cmp.Compare(b.count(), a.count()) })
		named = named[:most]
		slices.SortFunc(named, func(a, b months) int { return a.from.Compare(b.from) })
	}
	parts := make([]string, len(named))
	for i, g := range named {
		parts[i] = w.span(g) + nbsp + "(" + w.count("months", g.count()) + ")"
	}
	list := strings.Join(parts, ", ")
	if left := len(gaps) - len(named); left > 0 {
		return list + ", " + w.count("more_gaps", left)
	}
	return list + "."
}

// byYear makes table rows of what goes by months and is in their order: each
// year is a group, with its subtotal, and a remark stands where there is a gap.
// A gap within a year that has rows stands among them, a longer one between the years.
func byYear[R any](rows []R, month func(R) wire.Month, gaps []months, w *words, remark func(gap months) string, row func(R) layout.Row, subtotal func(year string, of []R) layout.Row) []layout.Row {
	var body []layout.Row
	before := func(m wire.Month) {
		for len(gaps) > 0 && gaps[0].from.Before(m) {
			body = append(body, layout.Row{Kind: layout.RemarkRow, Cells: []string{remark(gaps[0])}})
			gaps = gaps[1:]
		}
	}
	for i := 0; i < len(rows); {
		january := month(rows[i]).AddMonths(1 - int(month(rows[i]).Month()))
		next := january.AddMonths(12)
		inYear := func() bool { return len(gaps) > 0 && !gaps[0].from.Before(january) && gaps[0].to.Before(next) }

		before(january)
		year := strconv.Itoa(january.Year())
		body = append(body, layout.Row{Kind: layout.GroupRow, Cells: []string{year}, Again: w.say("continued", "What", year), Entry: year})
		first := i
		for ; i < len(rows) && month(rows[i]).Before(next); i++ {
			if inYear() {
				before(month(rows[i]))
			}
			body = append(body, row(rows[i]))
		}
		if inYear() {
			before(next)
		}
		body = append(body, subtotal(year, rows[first:i]))
	}
	for _, g := range gaps {
		body = append(body, layout.Row{Kind: layout.RemarkRow, Cells: []string{remark(g)}})
	}
	return body
}
