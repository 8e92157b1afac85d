package templates

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"

	"segell/layout"
	"segell/wire"
)

// IncomeExtract is the data of an extracte d'ingressos: what was declared to the
// fund as a person's income or paid to them by it, month by month.
//
// Legal basis: Llei 17/2008, del 3 d'octubre, de la seguretat social, arts. 99
// ff.; Llei 29/2021 (a person's own data). Validity: three months from issue,
// unless the situation changes. It is no tax certificate, and says so. A month
// has income where its gross amounts, regularisations included, are more than zero.
type IncomeExtract struct {
	YearFrom          int            `json:"year_from" minimum:"1968" maximum:"2200" doc:"First year asked for" example:"2024"`
	YearTo            int            `json:"year_to" minimum:"1968" maximum:"2200" doc:"Last year asked for" example:"2025"`
	Lines             []IncomeLine   `json:"lines" maxItems:"3000" doc:"What is on record, in any order; a regularisation is a line with a minus"`
	SubtotalsByYear   []IncomeYear   `json:"subtotals_by_year" maxItems:"120" doc:"What the lines of each year add up to; a year without lines may be left out. Checked against the lines"`
	SubtotalsBySource []IncomeSource `json:"subtotals_by_source" maxItems:"6" doc:"What the lines of each source add up to. Checked against the lines"`
	TotalGross        wire.Money     `json:"total_gross" doc:"Gross amount of all lines; checked against them" example:"30000.00"`
	TotalNet          wire.Money     `json:"total_net" doc:"Net amount of all lines; checked against them" example:"28050.00"`
}

// IncomeLine is an income of a month.
type IncomeLine struct {
	Month        wire.Month `json:"month" doc:"Month of the income" example:"2025-01"`
	Source       string     `json:"source" term:"income_extract.source" enum:"salary,self_employed_base,incapacity,maternity,pension,other" doc:"Where the income comes from; self_employed_base is the base contributed on" example:"salary"`
	Payer        string     `json:"payer,omitempty" maxLength:"60" doc:"Who paid; needed for a salary. Left out for a benefit or pension, it is the fund" example:"Hotel Exemple, SA"`
	Gross        wire.Money `json:"gross" doc:"Gross amount" example:"2500.00"`
	Contribution wire.Money `json:"employee_contribution" doc:"Contribution of the insured person taken from it" example:"162.50"`
	Net          wire.Money `json:"net" doc:"Net amount: gross less employee_contribution" example:"2337.50"`
}

// IncomeYear is what the lines of a year add up to.
type IncomeYear struct {
	Year  int        `json:"year" minimum:"1968" maximum:"2200" doc:"Calendar year" example:"2025"`
	Gross wire.Money `json:"gross" doc:"Gross amount of its lines" example:"30000.00"`
	Net   wire.Money `json:"net" doc:"Net amount of its lines" example:"28050.00"`
}

// IncomeSource is what the lines of a source add up to.
type IncomeSource struct {
	Source string     `json:"source" enum:"salary,self_employed_base,incapacity,maternity,pension,other" doc:"Source of income" example:"salary"`
	Gross  wire.Money `json:"gross" doc:"Gross amount of its lines" example:"30000.00"`
	Net    wire.Money `json:"net" doc:"Net amount of its lines" example:"28050.00"`
}

var incomeExtract = &Kind{
	ID:         "income_extract",
	Code:       "ING",
	Languages:  []string{"ca", "es", "fr", "pt", "en"},
	body:       reflect.TypeFor[Body[IncomeExtract]](),
	decode:     decoder(incomeRules),
	validUntil: func(_ *Request, issued wire.Date) (wire.Date, bool) { return issued.AddMonths(incomeMonths), true },
	compose:    composeIncome,
}

const incomeMonths = 3

// paidByFund are the sources whose payer, where none is named, is the fund itself.
var paidByFund = []string{"incapacity", "maternity", "pension"}

func incomeRules(r *Request, d *IncomeExtract, today wire.Date, j *judgement) {
	switch {
	case d.YearFrom == 0 || !j.readable("/data/year_from"):
	case !r.Holder.BirthDate.IsZero() && d.YearFrom < r.Holder.BirthDate.Year():
		j.Add("/data/year_from", "must not be before the year of birth")
	}
	switch {
	case d.YearTo == 0 || !j.readable("/data/year_to"):
	case d.YearTo < d.YearFrom && j.readable("/data/year_from"):
		j.Add("/data/year_to", "must not be before year_from")
	case !r.DataAsOf.IsZero() && d.YearTo > r.DataAsOf.Year():
		j.Add("/data/year_to", "must not be after the year of data_as_of")
	}
	years := j.readable("/data/year_from") && j.readable("/data/year_to")
	for i, l := range d.Lines {
		at := func(field string) string { return wire.Pointer("data", "lines", i, field) }
		switch {
		case l.Month.IsZero():
		case years && (l.Month.Year() < d.YearFrom || l.Month.Year() > d.YearTo):
			j.Add(at("month"), "must be within the years asked for, from year_from to year_to")
		case !r.DataAsOf.IsZero() && l.Month.After(wire.MonthOf(r.DataAsOf)):
			j.Add(at("month"), "must not be after the month of data_as_of")
		}
		if l.Source == "salary" && l.Payer == "" {
			j.Add(at("payer"), "is missing; give the employer, for source is salary")
		}
		nameRules(l.Payer, at("payer"), j)
		if !j.readable(wire.Pointer("data", "lines", i)) {
			continue
		}
		if l.Gross >= 0 && (l.Contribution < 0 || l.Contribution > l.Gross) || l.Gross < 0 && (l.Contribution > 0 || l.Contribution < l.Gross) {
			j.Add(at("employee_contribution"), "must lie between zero and gross; a regularisation takes away both")
		}
		agrees(j, at("net"), l.Net, l.Gross-l.Contribution, "gross less employee_contribution")
	}
	incomeSums(d, j)
}

// paid is a gross and a net amount.
type paid struct{ gross, net wire.Money }

func (p paid) contribution() wire.Money { return p.gross - p.net }

// sums adds lines up by what key says of them.
func sums[K comparable](lines []IncomeLine, key func(IncomeLine) K) map[K]paid {
	out := map[K]paid{}
	for _, l := range lines {
		p := out[key(l)]
		out[key(l)] = paid{p.gross + l.Gross, p.net + l.Net}
	}
	return out
}

func yearOf(l IncomeLine) int      { return l.Month.Year() }
func sourceOf(l IncomeLine) string { return l.Source }

// incomeSums checks the totals against the lines, where all of them can be read.
func incomeSums(d *IncomeExtract, j *judgement) {
	if !j.readable("/data/lines") {
		return
	}
	var gross, net []wire.Money
	for _, l := range d.Lines {
		gross, net = append(gross, l.Gross), append(net, l.Net)
	}
	totalGross, okGross := sum(gross)
	totalNet, okNet := sum(net)
	if !okGross || !okNet {
		j.Add("/data/lines", "add up to more than an amount can be")
		return
	}
	const lines = "of the lines"
	agrees(j, "/data/total_gross", d.TotalGross, totalGross, "the sum of gross "+lines)
	agrees(j, "/data/total_net", d.TotalNet, totalNet, "the sum of net "+lines)

	byYear := sums(d.Lines, yearOf)
	seen := map[int]bool{}
	for i, y := range d.SubtotalsByYear {
		at := func(field string) string { return wire.Pointer("data", "subtotals_by_year", i, field) }
		if seen[y.Year] {
			j.Add(at("year"), "must not be there twice")
			continue
		}
		if y.Year < d.YearFrom || y.Year > d.YearTo {
			j.Add(at("year"), "must be within the years asked for, from year_from to year_to")
		}
		seen[y.Year] = true
		agrees(j, at("gross"), y.Gross, byYear[y.Year].gross, "the sum of gross "+lines+" of the year")
		agrees(j, at("net"), y.Net, byYear[y.Year].net, "the sum of net "+lines+" of the year")
	}
	missing := 0
	for year := range byYear {
		if !seen[year] {
			missing++
		}
	}
	if missing > 0 {
		j.Addf("/data/subtotals_by_year", "lacks %d of the years that have lines; give each once", missing)
	}

	bySource := sums(d.Lines, sourceOf)
	known := map[string]bool{}
	for i, s := range d.SubtotalsBySource {
		at := func(field string) string { return wire.Pointer("data", "subtotals_by_source", i, field) }
		if known[s.Source] {
			j.Add(at("source"), "must not be there twice")
			continue
		}
		known[s.Source] = true
		agrees(j, at("gross"), s.Gross, bySource[s.Source].gross, "the sum of gross "+lines+" of the source")
		agrees(j, at("net"), s.Net, bySource[s.Source].net, "the sum of net "+lines+" of the source")
	}
	missing = 0
	for source := range bySource {
		if !known[source] {
			missing++
		}
	}
	if missing > 0 {
		j.Addf("/data/subtotals_by_source", "lacks %d of the sources that have lines; give each once", missing)
	}
}

// period is the months asked for that were over on the day of the data, or have lines already.
func (d *IncomeExtract) period(asOf wire.Date) (months, bool) {
	m := wire.MonthOf(asOf)
	over := m
	if asOf != m.Last() {
		over = m.AddMonths(-1)
	}
	for _, l := range d.Lines {
		if l.Month.After(over) {
			over = l.Month
		}
	}
	from, errFrom := wire.NewMonth(d.YearFrom, 1)
	to, errTo := wire.NewMonth(d.YearTo, 12)
	if over.Before(to) {
		to = over
	}
	return months{from, to}, errFrom == nil && errTo == nil && !to.Before(from)
}

func composeIncome(r *Request, is Issue, w *words) page {
	d := r.Data.(*IncomeExtract)
	p := page{titleKey: "income_extract.title"}
	has := map[wire.Month]bool{}
	for m, of := range sums(d.Lines, func(l IncomeLine) wire.Month { return l.Month }) {
		has[m] = of.gross > 0
	}
	var gaps []months
	period, some := d.period(r.DataAsOf)
	if some {
		gaps = without(period, has)
	}

	p.blocks = []layout.Block{
		layout.Lead{Text: w.say("income_extract.lead")},
		layout.Heading{Text: w.say("holder.heading")},
		holderFields(r, w),
		layout.Heading{Text: w.say("summary")},
	}
	p.blocks = append(p.blocks, incomeSummary(r, d, has, gaps, period, w)...)
	var end layout.Together // with the last rows
	if len(d.Lines) > 0 {
		if d.YearFrom != d.YearTo {
			p.blocks = append(p.blocks, layout.Heading{Text: w.say("income_extract.by_year")}, incomeYears(d, has, w))
		}
		p.blocks = append(p.blocks,
			layout.Heading{Text: w.say("income_extract.by_source")}, incomeSources(d, w),
			layout.Contents{},
			layout.Heading{Text: w.say("income_extract.by_month")}, incomeLines(d, gaps, w))
		if slices.ContainsFunc(d.Lines, func(l IncomeLine) bool { return l.Gross < 0 }) {
			end = append(end, layout.Note{Text: w.say("income_extract.regularisations")})
		}
	}
	until, _ := r.ValidUntil(is.IssuedAt)
	end = append(end, layout.Note{Text: w.say("valid_until", "Date", w.ShortDate(until)) + " " + w.say("income_extract.legal_basis")})
	p.blocks = append(p.blocks, append(end, closing(is, w)...))
	return p
}

// yearsAsked is the years as they are printed: "2024–2025".
func (d *IncomeExtract) yearsAsked() string {
	if d.YearFrom == d.YearTo {
		return strconv.Itoa(d.YearFrom)
	}
	return strconv.Itoa(d.YearFrom) + "–" + strconv.Itoa(d.YearTo)
}

func incomeSummary(r *Request, d *IncomeExtract, has map[wire.Month]bool, gaps []months, period months, w *words) []layout.Block {
	if len(d.Lines) == 0 {
		return []layout.Block{layout.Notice{Spans: []layout.Span{
			{Text: w.say("income_extract.none"), Strong: true},
			{Text: " " + w.say("income_extract.none_means", "Years", d.yearsAsked(), "Date", w.LongDate(r.DataAsOf))},
		}}}
	}
	n := 0
	for _, income := range has {
		if income {
			n++
		}
	}
	answer := w.say("income_extract.answer", "Years", d.yearsAsked(), "Gross", w.Money(d.TotalGross), "Net", w.Money(d.TotalNet))
	rest := w.count("income_extract.months_with_income", n, "Months", w.Count(period.count()))
	blocks := []layout.Block{
		layout.Text{Spans: []layout.Span{{Text: answer, Strong: true}, {Text: " " + rest}}},
		layout.Fields{
			{Label: w.say("income_extract.years"), Value: d.yearsAsked()},
			{Label: w.say("data_as_of"), Value: w.ShortDate(r.DataAsOf)},
			{Label: w.say("income_extract.total_gross"), Value: w.Money(d.TotalGross), Strong: true},
			{Label: w.say("income_extract.total_net"), Value: w.Money(d.TotalNet), Strong: true},
		},
	}
	if len(gaps) > 0 {
		blocks = append(blocks, layout.Text{Spans: []layout.Span{
			{Text: w.say("income_extract.without") + " ", Strong: true},
			{Text: listOfGaps(gaps, w)},
		}})
	}
	return append(blocks, layout.Notice{Spans: []layout.Span{
		{Text: w.say("income_extract.declared"), Strong: true},
		{Text: " " + w.say("income_extract.missing_do")},
	}})
}

// amounts are the three columns of money.
func amounts(p paid, w *words) []string {
	return []string{w.Amount(p.gross), w.Amount(p.contribution()), w.Amount(p.net)}
}

func amountColumns(w *words, sum func(int64) string) []layout.Column {
	return []layout.Column{
		{Head: w.say("income_extract.gross"), Share: 22, Right: true, Sum: sum},
		{Head: w.say("income_extract.contribution"), Share: 22, Right: true, Sum: sum},
		{Head: w.say("income_extract.net"), Share: 22, Right: true, Sum: sum},
	}
}

// incomeYears is a row for every year asked for, those without income too.
func incomeYears(d *IncomeExtract, has map[wire.Month]bool, w *words) layout.Block {
	t := layout.Table{Columns: append([]layout.Column{
		{Head: w.say("income_extract.year"), Share: 62},
		{Head: w.say("income_extract.months"), Share: 24, Right: true},
	}, amountColumns(w, nil)...)}
	byYear := sums(d.Lines, yearOf)
	n := map[int]int{}
	all := 0
	for m, income := range has {
		if income {
			n[m.Year()]++
			all++
		}
	}
	for year := d.YearFrom; year <= d.YearTo; year++ {
		cells := append([]string{strconv.Itoa(year), strconv.Itoa(n[year])}, amounts(byYear[year], w)...)
		t.Body = append(t.Body, layout.Row{Cells: cells})
	}
	total := append([]string{w.say("total"), strconv.Itoa(all)}, amounts(paid{d.TotalGross, d.TotalNet}, w)...)
	t.Body = append(t.Body, layout.Row{Kind: layout.TotalRow, Cells: total})
	return t
}

// sourceOrder is that of the enumeration.
var sourceOrder = []string{"salary", "self_employed_base", "incapacity", "maternity", "pension", "other"}

func incomeSources(d *IncomeExtract, w *words) layout.Block {
	t := layout.Table{Columns: append([]layout.Column{{Head: w.say("income_extract.source"), Share: 86}}, amountColumns(w, nil)...)}
	bySource := sums(d.Lines, sourceOf)
	for _, source := range sourceOrder {
		if of, ok := bySource[source]; ok {
			t.Body = append(t.Body, layout.Row{Cells: append([]string{w.term("income_extract.source", source)}, amounts(of, w)...)})
		}
	}
	if len(bySource) > 1 {
		t.Body = append(t.Body, layout.Row{Kind: layout.TotalRow, Cells: append([]string{w.say("total")}, amounts(paid{d.TotalGross, d.TotalNet}, w)...)})
	}
	return t
}

func incomeLines(d *IncomeExtract, gaps []months, w *words) layout.Block {
	lines := slices.Clone(d.Lines)
	slices.SortStableFunc(lines, func(a, b IncomeLine) int {
		return cmp.Or(a.Month.Compare(b.Month), cmp.Compare(slices.Index(sourceOrder, a.Source), slices.Index(sourceOrder, b.Source)),
			cmp.Compare(a.Payer, b.Payer), cmp.Compare(b.Gross, a.Gross))
	})
	sources := map[string]string{}
	for _, source := range sourceOrder {
		sources[source] = w.term("income_extract.source", source)
	}
	fund := w.say("income_extract.fund")
	t := layout.Table{Carry: carry(w), Columns: append([]layout.Column{
		{Head: w.say("income_extract.month"), Share: 15},
		{Head: w.say("income_extract.source"), Share: 29},
		{Head: w.say("income_extract.payer"), Share: 42},
	}, amountColumns(w, func(n int64) string { return w.Amount(wire.Money(n)) })...)}
	t.Body = byYear(lines, func(l IncomeLine) wire.Month { return l.Month }, gaps, w,
		func(g months) string {
			return w.say("income_extract.gap", "Period", w.span(g)) + " (" + w.count("months", g.count()) + ")"
		},
		func(l IncomeLine) layout.Row {
			payer := l.Payer
			switch {
			case payer != "":
			case slices.Contains(paidByFund, l.Source):
				payer = fund
			default:
				payer = "–"
			}
			cells := append([]string{w.ShortMonth(l.Month), sources[l.Source], payer}, amounts(paid{l.Gross, l.Net}, w)...)
			return layout.Row{Cells: cells, Values: []int64{0, 0, 0, int64(l.Gross), int64(l.Gross - l.Net), int64(l.Net)}}
		},
		func(year string, of []IncomeLine) layout.Row {
			total := sums(of, yearOf)[of[0].Month.Year()]
			return layout.Row{Kind: layout.SubtotalRow, Cells: append([]string{w.say("income_extract.year_total", "Year", year), "", ""}, amounts(total, w)...)}
		})
	t.Body = append(t.Body, layout.Row{Kind: layout.TotalRow, Cells: append([]string{w.say("total"), "", ""}, amounts(paid{d.TotalGross, d.TotalNet}, w)...)})
	return t
}
