package templates

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"

	"segell/layout"
	"segell/wire"
)

// PointsExtract is the data of an extracte de punts: the retirement points of a
// person, month by month, with what they were bought for and at what price.
//
// Legal basis: Llei 17/2008, del 3 d'octubre, de la seguretat social, art. 201
// and the chapter on retirement; the budget law of each year sets the price of
// the point, so every row carries its own. Validity: none, it states what is on
// record at data_as_of and decides nothing about a pension. A month counts once
// however many employers it has, and where its points, corrections included, are
// more than zero. Points are added in ten-thousandths and rounded once, for print.
type PointsExtract struct {
	PeriodFrom    wire.Month   `json:"period_from" doc:"First month of the period asked for" example:"1998-05"`
	PeriodTo      wire.Month   `json:"period_to" doc:"Last month of the period asked for" example:"2026-02"`
	Rows          []PointsRow  `json:"rows" maxItems:"3000" doc:"What is on record, in any order; two employers in a month are two rows, a correction is a row with a minus. Duplicate affiliations are merged before"`
	YearSubtotals []PointsYear `json:"year_subtotals" maxItems:"120" doc:"Points of each year that has rows; checked against them"`
	TotalPoints   wire.Points  `json:"total_points" doc:"Points of all rows; checked against them" example:"3210.4512"`
	TotalMonths   int          `json:"total_months" minimum:"0" maximum:"1500" doc:"Months whose points are more than zero, each counted once; checked against the rows" example:"312"`
	SalePrice     *wire.Price  `json:"sale_price,omitempty" doc:"Sale price of the point on data_as_of, where it is to be shown" example:"2.77350"`
	LawFrom       *wire.Month  `json:"law_from,omitempty" doc:"First month under the law now in force, where the points before and since are to be told apart; they count separately for a pension" example:"2009-11"`
}

// PointsRow is a contribution to the retirement branch and the points it bought.
// Amounts before 2002 are given in euros.
type PointsRow struct {
	Month         wire.Month  `json:"month" doc:"Month of the contribution" example:"2026-02"`
	Source        string      `json:"source" term:"points_extract.source" enum:"employee,self_employed,voluntary,benefit" doc:"Where the contribution comes from" example:"employee"`
	Employer      string      `json:"employer,omitempty" maxLength:"60" doc:"Employer; needed for an employee" example:"Hotel Exemple, SA"`
	Salary        wire.Money  `json:"salary" doc:"Salary or base that was contributed on" example:"2500.00"`
	Class         string      `json:"class,omitempty" maxLength:"4" doc:"Retirement class, as the register has it" example:"A"`
	Contribution  wire.Money  `json:"contribution" doc:"Contribution to the retirement branch" example:"300.00"`
	PurchasePrice wire.Price  `json:"purchase_price" doc:"Purchase price of the point that month" example:"26.62560"`
	Points        wire.Points `json:"points" doc:"Points: contribution divided by purchase_price" example:"11.2674"`
	Days          *int        `json:"days,omitempty" minimum:"0" maximum:"31" doc:"Days of contribution in the month; absent: the extract does not say" example:"28"`
}

// PointsYear is what the rows of a year add up to.
type PointsYear struct {
	Year   int         `json:"year" minimum:"1968" maximum:"2200" doc:"Calendar year" example:"2025"`
	Points wire.Points `json:"points" doc:"Points of its rows" example:"135.2088"`
}

var pointsExtract = &Kind{
	ID:         "points_extract",
	Code:       "PUN",
	Languages:  []string{"ca", "es", "fr", "pt", "en"},
	body:       reflect.TypeFor[Body[PointsExtract]](),
	decode:     decoder(pointsRules),
	validUntil: never,
	compose:    composePoints,
}

// never is the validity of what states the day's record and does not run out.
func never(*Request, wire.Date) (wire.Date, bool) { return wire.Date{}, false }

// What the law asks for, which the extract sets beside what is on record (Llei
// 17/2008, chapter on retirement): from 60 months a lump sum, from 180 a pension
// for life, from 500 points health cover with the pension.
const (
	monthsForLumpSum = 60
	monthsForPension = 180
	pointsForCover   = wire.Points(500_0000)
)

// printedPoint is the last digit that is printed: so far the points of a row may lie from contribution ÷ price, for old rows were rounded in other ways.
const printedPoint = wire.Points(100)

func pointsRules(r *Request, d *PointsExtract, today wire.Date, j *judgement) {
	monthsRules(r, d.PeriodFrom, d.PeriodTo, j)
	if d.SalePrice != nil && *d.SalePrice <= 0 {
		j.Add("/data/sale_price", "must be more than zero")
	}
	for i := range d.Rows {
		row := &d.Rows[i]
		at := func(field string) string { return wire.Pointer("data", "rows", i, field) }
		switch {
		case row.Month.IsZero():
		case row.Month.Before(d.PeriodFrom) || !d.PeriodTo.IsZero() && row.Month.After(d.PeriodTo):
			j.Add(at("month"), "must be within the period, from period_from to period_to")
		case row.Days != nil && *row.Days > row.Month.Last().Day():
			j.Add(at("days"), "must not be more than the month has")
		}
		if row.Source == "employee" && row.Employer == "" {
			j.Add(at("employer"), "is missing; give the employer, for source is employee")
		}
		if row.Employer != "" {
			nameRules(row.Employer, at("employer"), j)
		}
		if !j.readable(wire.Pointer("data", "rows", i)) {
			continue // half of a row says nothing about the other half
		}
		if row.Salary < 0 && row.Contribution > 0 || row.Salary > 0 && row.Contribution < 0 {
			j.Add(at("salary"), "must have the sign of contribution; a correction takes away both")
		}
		bought, err := row.Contribution.PointsAt(row.PurchasePrice)
		switch {
		case row.PurchasePrice <= 0:
			j.Add(at("purchase_price"), "must be more than zero")
		case err != nil:
			j.Add(at("contribution"), "is too large")
		case bought-row.Points > printedPoint || row.Points-bought > printedPoint:
			agrees(j, at("points"), row.Points, bought, "contribution divided by purchase_price, to a hundredth of a point")
		}
	}
	pointsSums(d, j)
}

// pointsSums checks the totals against the rows, where all of them can be read.
func pointsSums(d *PointsExtract, j *judgement) {
	const rows = "the sum of the points in rows"
	if !j.readable("/data/rows") {
		return
	}
	of := map[int][]wire.Points{}
	all := make([]wire.Points, len(d.Rows))
	for i, row := range d.Rows {
		all[i] = row.Points
		of[row.Month.Year()] = append(of[row.Month.Year()], row.Points)
	}
	total, ok := sum(all)
	if !ok {
		j.Add("/data/total_points", "cannot be checked: the points in rows are too large")
		return
	}
	agrees(j, "/data/total_points", d.TotalPoints, total, rows)
	counts(j, "/data/total_months", d.TotalMonths, len(d.contributed()), "how many months have points in rows, a month with two employers counted once")

	seen := map[int]bool{}
	for i, y := range d.YearSubtotals {
		switch points, known := of[y.Year]; {
		case seen[y.Year]:
			j.Add(wire.Pointer("data", "year_subtotals", i, "year"), "must not be there twice")
		case !known:
			j.Add(wire.Pointer("data", "year_subtotals", i, "year"), "must be a year that has rows")
		default:
			subtotal, _ := sum(points)
			agrees(j, wire.Pointer("data", "year_subtotals", i, "points"), y.Points, subtotal, rows+" of the year")
		}
		seen[y.Year] = true
	}
	missing := 0
	for year := range of {
		if !seen[year] {
			missing++
		}
	}
	if missing > 0 {
		j.Addf("/data/year_subtotals", "lacks %d of the years that have rows; give each once", missing)
	}
}

// contributed are the months that count: those whose points, corrections included, are more than zero.
func (d *PointsExtract) contributed() map[wire.Month]bool {
	points := make(map[wire.Month]wire.Points, len(d.Rows))
	for _, row := range d.Rows {
		points[row.Month] += row.Points
	}
	has := make(map[wire.Month]bool, len(points))
	for m, p := range points {
		if p > 0 {
			has[m] = true
		}
	}
	return has
}

func composePoints(r *Request, is Issue, w *words) page {
	d := r.Data.(*PointsExtract)
	p := page{titleKey: "points_extract.title"}
	has := d.contributed()
	period := months{d.PeriodFrom, d.PeriodTo}
	gaps := without(period, has)

	p.blocks = []layout.Block{
		layout.Lead{Text: w.say("points_extract.lead")},
		layout.Heading{Text: w.say("holder.heading")},
		holderFields(r, w),
		layout.Heading{Text: w.say("summary")},
	}
	p.blocks = append(p.blocks, pointsSummary(r, d, has, gaps, w)...)
	p.blocks = append(p.blocks,
		layout.Heading{Text: w.say("points_extract.missing")},
		layout.Paragraph(w.say("points_extract.missing_do")),
	)
	var end layout.Together // with the last rows
	if len(d.Rows) > 0 {
		p.blocks = append(p.blocks,
			layout.Heading{Text: w.say("points_extract.milestones")},
			pointsMilestones(d, w),
			layout.Note{Text: w.say("points_extract.milestones_note")},
			layout.Contents{},
			layout.Heading{Text: w.say("points_extract.by_month")},
			pointsTable(d, has, gaps, w),
		)
		end = append(end, layout.Note{Text: pointsNotes(d, w)})
	}
	end = append(end, layout.Note{Text: w.say("points_extract.legal_basis")})
	p.blocks = append(p.blocks, append(end, closing(is, w)...))
	return p
}

// pointsSummary is the answer in plain words: how many points, how many months, which are missing.
func pointsSummary(r *Request, d *PointsExtract, has map[wire.Month]bool, gaps []months, w *words) []layout.Block {
	period := months{d.PeriodFrom, d.PeriodTo}
	asOf := w.LongDate(r.DataAsOf)
	if len(d.Rows) == 0 {
		return []layout.Block{layout.Notice{Spans: []layout.Span{
			{Text: w.say("points_extract.none"), Strong: true},
			{Text: " " + w.say("points_extract.none_means", "Period", w.span(period), "Date", asOf)},
		}}}
	}
	answer := w.count("points_extract.answer", len(has), "Points", w.Points(d.TotalPoints))
	rest := w.say("points_extract.all_months", "Period", w.span(period))
	if n := period.count() - len(has); n > 0 {
		rest = w.count("points_extract.some_months", n, "Period", w.span(period), "Months", w.Count(period.count()))
	}
	fs := layout.Fields{
		{Label: w.say("period"), Value: w.span(period)},
		{Label: w.say("data_as_of"), Value: w.ShortDate(r.DataAsOf)},
		{Label: w.say("points_extract.total_points"), Value: w.Points(d.TotalPoints), Strong: true},
		{Label: w.say("points_extract.total_months"), Value: w.Count(d.TotalMonths), Strong: true},
	}
	if d.LawFrom != nil {
		var before, since wire.Points
		for _, row := range d.Rows {
			if row.Month.Before(*d.LawFrom) {
				before += row.Points
			} else {
				since += row.Points
			}
		}
		fs = append(fs,
			layout.Field{Label: w.say("points_extract.until", "Month", w.ShortMonth(d.LawFrom.AddMonths(-1))), Value: w.say("points_extract.points_of", "Points", w.Points(before))},
			layout.Field{Label: w.say("points_extract.since", "Month", w.ShortMonth(*d.LawFrom)), Value: w.say("points_extract.points_of", "Points", w.Points(since))})
	}
	if d.SalePrice != nil {
		fs = append(fs, layout.Field{Label: w.say("points_extract.sale_price"), Value: w.PointPrice(*d.SalePrice)})
	}
	blocks := []layout.Block{
		layout.Text{Spans: []layout.Span{{Text: answer, Strong: true}, {Text: " " + rest}}},
		fs,
	}
	if len(gaps) > 0 {
		blocks = append(blocks, layout.Text{Spans: []layout.Span{
			{Text: w.say("without_contribution") + " ", Strong: true},
			{Text: listOfGaps(gaps, w)},
		}})
	}
	return append(blocks, layout.Paragraph(w.say("points_extract.abroad")))
}

// pointsMilestones sets what the law asks for beside what the rows hold. It decides nothing.
func pointsMilestones(d *PointsExtract, w *words) layout.Block {
	t := layout.Table{Columns: []layout.Column{
		{Head: w.say("points_extract.requirement"), Share: 58},
		{Head: w.say("points_extract.compared"), Share: 34},
		{Head: w.say("points_extract.on_record"), Share: 20, Right: true},
	}}
	reached, monthsKey := w.say("points_extract.reached"), "points_extract.months_short"
	for _, m := range []struct {
		key  string
		need int
	}{{"points_extract.lump_sum", monthsForLumpSum}, {"points_extract.pension", monthsForPension}} {
		compared := reached
		if short := m.need - d.TotalMonths; short > 0 {
			compared = w.count(monthsKey, short)
		}
		t.Rows = append(t.Rows, []string{w.count(m.key, m.need), compared, w.Count(d.TotalMonths)})
	}
	compared := reached
	if short := pointsForCover - d.TotalPoints; short > 0 {
		compared = w.say("points_extract.points_short", "Points", w.Points(max(short, printedPoint))) // what is missing never prints as nothing
	}
	t.Rows = append(t.Rows, []string{w.say("points_extract.cover", "Points", w.Count(int(pointsForCover/1_0000))), compared, w.PointsCell(d.TotalPoints)})
	return t
}

// pointsTable is the months in order, each year a group with its subtotal, and a remark where months have no contribution.
func pointsTable(d *PointsExtract, has map[wire.Month]bool, gaps []months, w *words) layout.Block {
	rows := slices.Clone(d.Rows)
	slices.SortStableFunc(rows, func(a, b PointsRow) int {
		return cmp.Or(a.Month.Compare(b.Month), cmp.Compare(a.Employer, b.Employer), cmp.Compare(b.Points, a.Points))
	})
	withClass := slices.ContainsFunc(rows, func(r PointsRow) bool { return r.Class != "" })
	withDays := slices.ContainsFunc(rows, func(r PointsRow) bool { return r.Days != nil })

	t := layout.Table{Carry: carry(w), Columns: []layout.Column{
		{Head: w.say("points_extract.month"), Share: 15},
		{Head: w.say("points_extract.employer"), Share: 51},
	}}
	if withClass {
		t.Columns = append(t.Columns, layout.Column{Head: w.say("points_extract.class"), Share: 13})
	}
	if withDays {
		t.Columns = append(t.Columns, layout.Column{Head: w.say("points_extract.days"), Share: 11, Right: true})
	}
	t.Columns = append(t.Columns,
		layout.Column{Head: w.say("points_extract.salary"), Share: 21, Right: true},
		layout.Column{Head: w.say("points_extract.contribution"), Share: 23, Right: true},
		layout.Column{Head: w.say("points_extract.price"), Share: 27, Right: true},
		layout.Column{Head: w.say("points_extract.points"), Share: 18, Right: true, Sum: func(n int64) string { return w.PointsCell(wire.Points(n)) }},
	)
	last := len(t.Columns) - 1
	totals := func(kind layout.RowKind, label string, points wire.Points) layout.Row {
		cells := make([]string, len(t.Columns))
		cells[0], cells[last] = label, w.PointsCell(points)
		return layout.Row{Kind: kind, Cells: cells}
	}
	sources := map[string]string{}
	for _, source := range []string{"self_employed", "voluntary", "benefit"} {
		sources[source] = w.term("points_extract.source", source)
	}
	t.Body = byYear(rows, func(r PointsRow) wire.Month { return r.Month }, gaps, w,
		func(g months) string {
			return w.say("points_extract.gap", "Period", w.span(g)) + " (" + w.count("months", g.count()) + ")"
		},
		func(row PointsRow) layout.Row {
			from, of := row.Employer, sources[row.Source]
			if from == "" {
				from = of
			} else if of != "" {
				from += " (" + of + ")"
			}
			cells := append(make([]string, 0, len(t.Columns)), w.ShortMonth(row.Month), from)
			if withClass {
				cells = append(cells, row.Class)
			}
			if withDays {
				days := ""
				if row.Days != nil {
					days = strconv.Itoa(*row.Days)
				}
				cells = append(cells, days)
			}
			cells = append(cells, w.Amount(row.Salary), w.Amount(row.Contribution), w.Price(row.PurchasePrice), w.PointsCell(row.Points))
			values := make([]int64, len(cells))
			values[last] = int64(row.Points)
			return layout.Row{Cells: cells, Values: values}
		},
		func(year string, of []PointsRow) layout.Row {
			var points wire.Points
			counted := map[wire.Month]bool{}
			for _, row := range of {
				points += row.Points
				if has[row.Month] {
					counted[row.Month] = true
				}
			}
			return totals(layout.SubtotalRow, w.count("points_extract.year_total", len(counted), "Year", year), points)
		})
	t.Body = append(t.Body, totals(layout.TotalRow, w.count("points_extract.total", d.TotalMonths), d.TotalPoints))
	return t
}

// pointsNotes are the notes under the table.
func pointsNotes(d *PointsExtract, w *words) string {
	notes := w.say("points_extract.rounding")
	if slices.ContainsFunc(d.Rows, func(r PointsRow) bool { return r.Points < 0 }) {
		notes += " " + w.say("points_extract.corrections")
	}
	if slices.ContainsFunc(d.Rows, func(r PointsRow) bool { return r.Month.Year() < 2002 }) {
		notes += " " + w.say("in_euros")
	}
	return notes
}
