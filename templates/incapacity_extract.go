package templates

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"segell/layout"
	"segell/wire"
)

// IncapacityExtract is the data of an extracte de pròrrogues i pagaments
// d'incapacitat temporal: the sick leaves of a person, how they were extended
// and what was paid. It has no place for a diagnosis, nor for who prescribed an
// extension, whose specialty would tell.
//
// Legal basis: Llei 17/2008, del 3 d'octubre, de la seguretat social, book III,
// title II, chapter 3; Reglament de les prestacions d'incapacitat temporal of
// 27-5-2015. Validity: none, it states what is on record at data_as_of. Rates
// and waiting days come in as data, payment by payment.
type IncapacityExtract struct {
	PeriodFrom wire.Date        `json:"period_from" doc:"First day of the period asked for" example:"2025-01-01"`
	PeriodTo   wire.Date        `json:"period_to" doc:"Last day of the period asked for" example:"2026-02-28"`
	Show       string           `json:"show" enum:"amounts,dates_only" doc:"amounts: dates and amounts; dates_only: no amount is printed" example:"amounts"`
	Episodes   []Episode        `json:"episodes" maxItems:"200" doc:"Sick leaves with a day in the period, in any order"`
	Totals     IncapacityTotals `json:"totals" doc:"What all payments add up to; checked against them"`
}

// Episode is a sick leave (baixa).
type Episode struct {
	Number     string              `json:"episode_number" minLength:"1" maxLength:"20" doc:"Number of the leave" example:"IT-2025-01234"`
	Cause      string              `json:"cause" term:"incapacity_extract.cause" enum:"common_illness,non_work_accident,work_accident,occupational_disease" doc:"Cause of the leave (contingència); never a diagnosis" example:"common_illness"`
	Employers  []string            `json:"employers,omitempty" maxItems:"6" uniqueItems:"true" doc:"Employers at the start of the leave, each of at most 60 characters; none for the self-employed" example:"[\"Hotel Exemple, SA\"]"`
	RelapseOf  string              `json:"relapse_of,omitempty" maxLength:"20" doc:"Number of the leave of which this one is a relapse" example:"IT-2024-00987"`
	Start      wire.Date           `json:"start" doc:"First day" example:"2025-02-01"`
	End        *wire.Date          `json:"end,omitempty" doc:"Last day; absent: the leave is open" example:"2025-03-14"`
	Extensions []Extension         `json:"extensions,omitempty" maxItems:"200" doc:"Extensions (pròrrogues), by number"`
	Payments   []IncapacityPayment `json:"payments,omitempty" maxItems:"300" doc:"Payments and recoveries, in any order; none in waiting days"`
}

// Extension is an extension of a leave.
type Extension struct {
	Number     int        `json:"number" minimum:"1" maximum:"200" doc:"Number within the leave" example:"1"`
	From       wire.Date  `json:"from" doc:"First day" example:"2025-02-15"`
	To         wire.Date  `json:"to" doc:"Last day" example:"2025-02-28"`
	Days       int        `json:"days" minimum:"1" maximum:"366" doc:"Days, both ends included" example:"14"`
	ReceivedOn *wire.Date `json:"received_on,omitempty" doc:"Day on which the fund received it" example:"2025-02-16"`
}

// IncapacityPayment is a payment of the benefit, or the recovery of one.
type IncapacityPayment struct {
	Employer      string       `json:"employer,omitempty" maxLength:"60" doc:"Which of the employers; needed where the leave has several" example:"Hotel Exemple, SA"`
	From          wire.Date    `json:"from" doc:"First day paid" example:"2025-02-01"`
	To            wire.Date    `json:"to" doc:"Last day paid" example:"2025-02-28"`
	Days          int          `json:"days" minimum:"1" maximum:"366" doc:"Days, both ends included" example:"28"`
	BaseDaily     wire.Money   `json:"base_daily" doc:"Daily base" example:"83.33"`
	Rate          wire.Percent `json:"rate" doc:"Rate applied to the base" example:"70.00"`
	Gross         wire.Money   `json:"gross" doc:"Gross amount, with a minus for a recovery" example:"1633.27"`
	Contributions wire.Money   `json:"contributions" doc:"Contributions taken from it" example:"106.16"`
	Net           wire.Money   `json:"net" doc:"Net amount: gross less contributions" example:"1527.11"`
	Status        string       `json:"status" term:"incapacity_extract.status" enum:"paid,pending,recovered" doc:"What became of it" example:"paid"`
	PaidOn        *wire.Date   `json:"paid_on,omitempty" doc:"Day of payment or recovery; absent where it is pending" example:"2025-03-10"`
	IBANMasked    string       `json:"iban_masked,omitempty" pattern:"^[A-Z]{2}[0-9]{2}( ••••){2,7} [0-9A-Z]{1,4}$" patternDescription:"an IBAN in groups of four of which only the country, the check digits and the last group are seen, the others being ••••" doc:"Account, masked" example:"AD84 •••• •••• •••• •••• 5678"`
}

// IncapacityTotals is what payments add up to; a recovery takes away.
type IncapacityTotals struct {
	Days  int        `json:"days" minimum:"0" maximum:"100000" doc:"Days paid, each counted once whatever the employers, less those recovered" example:"28"`
	Gross wire.Money `json:"gross" doc:"Gross amount of all payments" example:"1633.27"`
	Net   wire.Money `json:"net" doc:"Net amount of all payments" example:"1527.11"`
}

var incapacityExtract = &Kind{
	ID:         "incapacity_extract",
	Code:       "INC",
	Languages:  []string{"ca", "es", "fr", "pt", "en"},
	body:       reflect.TypeFor[Body[IncapacityExtract]](),
	decode:     decoder(incapacityRules),
	validUntil: never,
	compose:    composeIncapacity,
}

const maxEmployerName = 60

func incapacityRules(r *Request, d *IncapacityExtract, today wire.Date, j *judgement) {
	switch {
	case d.PeriodFrom.IsZero():
	case d.PeriodFrom.Before(r.Holder.BirthDate):
		j.Add("/data/period_from", "must not be before the date of birth")
	}
	switch {
	case d.PeriodTo.IsZero():
	case d.PeriodTo.Before(d.PeriodFrom):
		j.Add("/data/period_to", "must not be before period_from")
	case !r.DataAsOf.IsZero() && d.PeriodTo.After(r.DataAsOf):
		j.Add("/data/period_to", "must not be after data_as_of")
	}
	seen := map[string]bool{}
	for i := range d.Episodes {
		e := &d.Episodes[i]
		at := wire.Pointer("data", "episodes", i)
		if e.Number != "" {
			nameRules(e.Number, at+"/episode_number", j)
			if seen[e.Number] {
				j.Add(at+"/episode_number", "must not be there twice")
			}
			seen[e.Number] = true
			if e.RelapseOf == e.Number {
				j.Add(at+"/relapse_of", "must be another leave than this one")
			}
		}
		episodeRules(r, d, e, at, j)
	}
	incapacitySums(d, j)
}

// episodeRules judges a leave by itself.
func episodeRules(r *Request, d *IncapacityExtract, e *Episode, at string, j *judgement) {
	asOf := r.DataAsOf
	switch {
	case e.Start.IsZero():
	case e.Start.Before(r.Holder.BirthDate):
		j.Add(at+"/start", "must not be before the date of birth")
	case !asOf.IsZero() && e.Start.After(asOf):
		j.Add(at+"/start", "must not be after data_as_of")
	case !d.PeriodTo.IsZero() && e.Start.After(d.PeriodTo):
		j.Add(at+"/start", "must not be after period_to; list the leaves with a day in the period")
	}
	if e.End != nil {
		switch {
		case e.End.Before(e.Start):
			j.Add(at+"/end", "must not be before start")
		case !asOf.IsZero() && e.End.After(asOf):
			j.Add(at+"/end", "must not be after data_as_of; a leave that has not ended has no end")
		case e.End.Before(d.PeriodFrom):
			j.Add(at+"/end", "must not be before period_from; list the leaves with a day in the period")
		}
	}
	for k, name := range e.Employers {
		p := at + wire.Pointer("employers", k)
		if n := len([]rune(name)); n == 0 || n > maxEmployerName {
			j.Addf(p, "must have 1 to %d characters", maxEmployerName)
		}
		nameRules(name, p, j)
	}
	outside := func(d wire.Date) bool {
		return !d.IsZero() && j.readable(at+"/start") && j.readable(at+"/end") && (d.Before(e.Start) || e.End != nil && d.After(*e.End))
	}
	for k, x := range e.Extensions {
		p := at + wire.Pointer("extensions", k)
		if outside(x.From) {
			j.Add(p+"/from", "must be within the leave")
		}
		if !x.To.Before(x.From) && outside(x.To) {
			j.Add(p+"/to", "must be within the leave")
		}
		daysRules(x.From, x.To, x.Days, p, j)
		if x.ReceivedOn != nil && !asOf.IsZero() && x.ReceivedOn.After(asOf) {
			j.Add(p+"/received_on", "must not be after data_as_of")
		}
		if k > 0 {
			before := e.Extensions[k-1]
			if x.Number <= before.Number && j.readable(p+"/number") && x.Number != 0 {
				j.Add(p+"/number", "must be more than that of the extension before")
			}
			if !x.From.IsZero() && !before.To.IsZero() && !x.From.After(before.To) {
				j.Add(p+"/from", "must be after the end of the extension before")
			}
		}
	}
	for k := range e.Payments {
		incapacityPaymentRules(asOf, e, &e.Payments[k], at+wire.Pointer("payments", k), outside, j)
	}
}

// daysRules judges a number of days against the first and the last of them.
func daysRules(from, to wire.Date, days int, at string, j *judgement) {
	switch {
	case from.IsZero() || to.IsZero():
	case to.Before(from):
		j.Add(at+"/to", "must not be before from")
	case j.readable(at + "/days"):
		counts(j, at+"/days", days, to.DaysSince(from)+1, "the days from from to to, both included")
	}
}

func incapacityPaymentRules(asOf wire.Date, e *Episode, y *IncapacityPayment, at string, outside func(wire.Date) bool, j *judgement) {
	if outside(y.From) {
		j.Add(at+"/from", "must be within the leave")
	}
	if !y.To.Before(y.From) && outside(y.To) {
		j.Add(at+"/to", "must be within the leave")
	}
	daysRules(y.From, y.To, y.Days, at, j)
	switch {
	case y.Employer == "" && len(e.Employers) > 1:
		j.Add(at+"/employer", "is missing; say which of the employers, for the leave has several")
	case y.Employer != "" && !slices.Contains(e.Employers, y.Employer):
		j.Add(at+"/employer", "must be one of the employers of the leave")
	}
	switch {
	case y.Status == "pending" && y.PaidOn != nil:
		j.Add(at+"/paid_on", "must be left out where status is pending")
	case (y.Status == "paid" || y.Status == "recovered") && y.PaidOn == nil:
		j.Add(at+"/paid_on", "is missing; give the day, for status says that it is done")
	case y.PaidOn != nil && !asOf.IsZero() && y.PaidOn.After(asOf):
		j.Add(at+"/paid_on", "must not be after data_as_of")
	}
	if !j.readable(at) {
		return
	}
	if y.Rate < 0 || y.Rate > allOf {
		j.Add(at+"/rate", "must be between 0.00 and 100.00")
	}
	if y.BaseDaily < 0 {
		j.Add(at+"/base_daily", "must not be less than zero")
	}
	if recovered := y.Status == "recovered"; recovered != (y.Gross < 0) {
		j.Add(at+"/gross", "must be less than zero where status is recovered, and nowhere else")
	} else if !recovered {
		// Whether the day or the payment is rounded is the fund's choice: half a cent a day lies between the two.
		base, err := y.BaseDaily.Times(int64(y.Days))
		gross, errRate := y.Rate.Of(base)
		apart := wire.Money(y.Days+1) / 2
		switch {
		case err != nil || errRate != nil:
			j.Add(at+"/base_daily", "is too large")
		case y.Gross-gross > apart || gross-y.Gross > apart:
			agrees(j, at+"/gross", y.Gross, gross, "rate of days times base_daily, to half a cent a day")
		}
	}
	if y.Gross >= 0 && (y.Contributions < 0 || y.Contributions > y.Gross) || y.Gross < 0 && (y.Contributions > 0 || y.Contributions < y.Gross) {
		j.Add(at+"/contributions", "must lie between zero and gross; a recovery takes away both")
	}
	agrees(j, at+"/net", y.Net, y.Gross-y.Contributions, "gross less contributions")
}

// incapacityTotal adds payments up. A day that two employers' payments cover is
// one day; a day that was recovered and not paid again is none.
func incapacityTotal(payments []IncapacityPayment) (t IncapacityTotals) {
	type change struct {
		on wire.Date
		by int
	}
	changes := make([]change, 0, 2*len(payments))
	for _, y := range payments {
		by := 1
		if y.Status == "recovered" {
			by = -1
		}
		changes = append(changes, change{y.From, by}, change{y.To.AddDays(1), -by})
		t.Gross += y.Gross
		t.Net += y.Net
	}
	slices.SortFunc(changes, func(a, b change) int { return a.on.Compare(b.on) })
	times := 0
	for i, c := range changes {
		if times > 0 {
			t.Days += c.on.DaysSince(changes[i-1].on)
		}
		times += c.by
	}
	return t
}

// payments are those of all leaves.
func (d *IncapacityExtract) payments() (all []IncapacityPayment) {
	for _, e := range d.Episodes {
		all = append(all, e.Payments...)
	}
	return all
}

// incapacitySums checks the totals against the payments, where all of them can be read.
func incapacitySums(d *IncapacityExtract, j *judgement) {
	if !j.readable("/data/episodes") || !j.readable("/data/totals") {
		return
	}
	t := incapacityTotal(d.payments())
	counts(j, "/data/totals/days", d.Totals.Days, t.Days, "the days of all payments, each counted once, less those recovered")
	agrees(j, "/data/totals/gross", d.Totals.Gross, t.Gross, "the sum of gross of all payments")
	agrees(j, "/data/totals/net", d.Totals.Net, t.Net, "the sum of net of all payments")
}

func composeIncapacity(r *Request, is Issue, w *words) page {
	d := r.Data.(*IncapacityExtract)
	amounts := d.Show == "amounts"
	p := page{titleKey: "incapacity_extract.title"}
	lead := "incapacity_extract.lead"
	if !amounts {
		lead = "incapacity_extract.lead_dates"
	}
	p.blocks = []layout.Block{
		layout.Lead{Text: w.say(lead)},
		layout.Heading{Text: w.say("holder.heading")},
		holderFields(r, w),
		layout.Heading{Text: w.say("summary")},
	}
	episodes := slices.Clone(d.Episodes)
	slices.SortStableFunc(episodes, func(a, b Episode) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Number, b.Number))
	})
	p.blocks = append(p.blocks, incapacitySummary(r, d, episodes, amounts, w)...)
	p.blocks = append(p.blocks, layout.Contents{})
	for i := range episodes {
		p.blocks = append(p.blocks, episodeBlocks(r, &episodes[i], amounts, w)...)
	}
	missing := "incapacity_extract.missing_dates"
	if amounts && slices.ContainsFunc(d.payments(), func(y IncapacityPayment) bool { return y.Gross < 0 }) {
		missing = "incapacity_extract.missing_do"
	}
	end := layout.Together{
		layout.Note{Text: w.say(missing)},
		layout.Note{Text: w.say("incapacity_extract.legal_basis")},
	}
	p.blocks = append(p.blocks, append(end, closing(is, w)...))
	return p
}

// stretch writes a run of days: "01/01/2025–28/02/2026".
func (w *words) stretch(from, to wire.Date) string {
	return w.ShortDate(from) + "–" + w.ShortDate(to)
}

func incapacitySummary(r *Request, d *IncapacityExtract, episodes []Episode, amounts bool, w *words) []layout.Block {
	period := w.stretch(d.PeriodFrom, d.PeriodTo)
	if len(episodes) == 0 {
		return []layout.Block{layout.Notice{Spans: []layout.Span{
			{Text: w.say("incapacity_extract.none"), Strong: true},
			{Text: " " + w.say("incapacity_extract.none_means", "Period", period, "Date", w.LongDate(r.DataAsOf))},
		}}}
	}
	open, pending := 0, 0
	for _, e := range episodes {
		if e.End == nil {
			open++
		}
	}
	for _, y := range d.payments() {
		if y.Status == "pending" {
			pending++
		}
	}
	rest := w.say("incapacity_extract.none_open")
	if open > 0 {
		rest = w.count("incapacity_extract.open_count", open)
	}
	if pending > 0 {
		rest += " " + w.count("incapacity_extract.pending_count", pending)
	}
	fs := layout.Fields{
		{Label: w.say("period"), Value: period},
		{Label: w.say("data_as_of"), Value: w.ShortDate(r.DataAsOf)},
		{Label: w.say("incapacity_extract.total_days"), Value: w.Count(d.Totals.Days), Strong: true},
	}
	if amounts {
		fs = append(fs,
			layout.Field{Label: w.say("incapacity_extract.total_gross"), Value: w.Money(d.Totals.Gross), Strong: true},
			layout.Field{Label: w.say("incapacity_extract.total_net"), Value: w.Money(d.Totals.Net), Strong: true})
	}
	blocks := []layout.Block{
		layout.Text{Spans: []layout.Span{
			{Text: w.count("incapacity_extract.answer", len(episodes), "Period", period), Strong: true},
			{Text: " " + rest},
		}},
		fs,
	}
	if len(episodes) > 1 {
		blocks = append(blocks, layout.Heading{Text: w.say("incapacity_extract.episodes")}, episodesTable(d, episodes, amounts, w))
	}
	return blocks
}

// episodesTable is a row for each leave.
func episodesTable(d *IncapacityExtract, episodes []Episode, amounts bool, w *words) layout.Block {
	t := layout.Table{Columns: []layout.Column{
		{Head: w.say("incapacity_extract.number"), Share: 30},
		{Head: w.say("incapacity_extract.cause"), Share: 44},
		{Head: w.say("incapacity_extract.start"), Share: 21},
		{Head: w.say("incapacity_extract.end"), Share: 21},
		{Head: w.say("incapacity_extract.extensions"), Share: 20, Right: true},
		{Head: w.say("incapacity_extract.days_paid"), Share: 20, Right: true},
	}}
	if amounts {
		t.Columns = append(t.Columns, layout.Column{Head: w.say("incapacity_extract.net"), Share: 24, Right: true})
	}
	row := func(kind layout.RowKind, t *layout.Table, sum IncapacityTotals, cells ...string) {
		cells = append(cells, strconv.Itoa(sum.Days))
		if amounts {
			cells = append(cells, w.Amount(sum.Net))
		}
		t.Body = append(t.Body, layout.Row{Kind: kind, Cells: cells})
	}
	extensions := 0
	for _, e := range episodes {
		end := w.say("incapacity_extract.open")
		if e.End != nil {
			end = w.ShortDate(*e.End)
		}
		extensions += len(e.Extensions)
		row(layout.PlainRow, &t, incapacityTotal(e.Payments), e.Number, w.term("incapacity_extract.cause", e.Cause), w.ShortDate(e.Start), end, strconv.Itoa(len(e.Extensions)))
	}
	row(layout.TotalRow, &t, d.Totals, w.say("total"), "", "", "", strconv.Itoa(extensions))
	return t
}

// episodeBlocks are what is on record of a leave.
func episodeBlocks(r *Request, e *Episode, amounts bool, w *words) []layout.Block {
	fs := layout.Fields{
		{Label: w.say("incapacity_extract.cause"), Value: w.term("incapacity_extract.cause", e.Cause)},
		{Label: w.say("incapacity_extract.start"), Value: w.ShortDate(e.Start)},
	}
	if e.End != nil {
		fs = append(fs, layout.Field{Label: w.say("incapacity_extract.end"), Value: w.ShortDate(*e.End)})
	} else {
		fs = append(fs, layout.Field{Label: w.say("incapacity_extract.end"), Value: w.say("incapacity_extract.open_at", "Date", w.ShortDate(r.DataAsOf)), Strong: true})
	}
	if e.RelapseOf != "" {
		fs = append(fs, layout.Field{Label: w.say("incapacity_extract.relapse_of"), Value: e.RelapseOf})
	}
	employers := w.say("incapacity_extract.no_employer")
	if len(e.Employers) > 0 {
		employers = strings.Join(e.Employers, "\n")
	}
	fs = append(fs, layout.Field{Label: w.say("incapacity_extract.employer"), Value: employers, Wide: true})

	blocks := []layout.Block{layout.Heading{Text: w.say("incapacity_extract.episode", "Number", e.Number)}, fs}
	if len(e.Extensions) == 0 {
		blocks = append(blocks, layout.Paragraph(w.say("incapacity_extract.no_extensions")))
	} else {
		blocks = append(blocks, layout.Heading{Text: w.say("incapacity_extract.extensions_of", "Number", e.Number)}, extensionsTable(e, w))
	}
	if len(e.Payments) == 0 {
		return append(blocks, layout.Paragraph(w.say("incapacity_extract.no_payments")))
	}
	blocks = append(blocks, layout.Heading{Text: w.say("incapacity_extract.payments_of", "Number", e.Number)}, paymentsTable(e, amounts, w))
	if len(e.Employers) > 1 {
		blocks = append(blocks, layout.Note{Text: w.say("incapacity_extract.days_once")})
	}
	var accounts []string
	for _, y := range e.Payments {
		if y.IBANMasked != "" && !slices.Contains(accounts, y.IBANMasked) {
			accounts = append(accounts, y.IBANMasked)
		}
	}
	if amounts && len(accounts) > 0 {
		blocks = append(blocks, layout.Note{Text: w.say("incapacity_extract.accounts", "Accounts", strings.Join(accounts, ", "))})
	}
	return blocks
}

func extensionsTable(e *Episode, w *words) layout.Block {
	t := layout.Table{Columns: []layout.Column{
		{Head: w.say("incapacity_extract.extension"), Share: 34},
		{Head: w.say("incapacity_extract.from"), Share: 34},
		{Head: w.say("incapacity_extract.to"), Share: 34},
		{Head: w.say("incapacity_extract.received_on"), Share: 44},
		{Head: w.say("incapacity_extract.days"), Share: 24, Right: true},
	}}
	days := 0
	for _, x := range e.Extensions {
		received := "–"
		if x.ReceivedOn != nil {
			received = w.ShortDate(*x.ReceivedOn)
		}
		days += x.Days
		t.Body = append(t.Body, layout.Row{Cells: []string{strconv.Itoa(x.Number), w.ShortDate(x.From), w.ShortDate(x.To), received, strconv.Itoa(x.Days)}})
	}
	if n := len(e.Extensions); n > 1 {
		t.Body = append(t.Body, layout.Row{Kind: layout.TotalRow, Cells: []string{w.count("incapacity_extract.extensions_total", n), "", "", "", w.Count(days)}})
	}
	return t
}

// paymentsTable lists payments by day, those of each employer together where there are several.
func paymentsTable(e *Episode, amounts bool, w *words) layout.Block {
	t := layout.Table{Carry: carry(w), Columns: []layout.Column{
		{Head: w.say("incapacity_extract.from"), Share: 19},
		{Head: w.say("incapacity_extract.to"), Share: 19},
		{Head: w.say("incapacity_extract.paid_on"), Share: 24},
		{Head: w.say("incapacity_extract.days"), Share: 13, Right: true},
	}}
	if amounts {
		money := func(n int64) string { return w.Amount(wire.Money(n)) }
		t.Columns = append(t.Columns,
			layout.Column{Head: w.say("incapacity_extract.base_daily"), Share: 21, Right: true},
			layout.Column{Head: w.say("incapacity_extract.rate"), Share: 17, Right: true},
			layout.Column{Head: w.say("incapacity_extract.gross"), Share: 20, Right: true, Sum: money},
			layout.Column{Head: w.say("incapacity_extract.contributions"), Share: 22, Right: true, Sum: money},
			layout.Column{Head: w.say("incapacity_extract.net"), Share: 20, Right: true, Sum: money})
	}

	sum := func(kind layout.RowKind, label string, of IncapacityTotals) {
		cells := []string{label, "", "", w.Count(of.Days)}
		if amounts {
			cells = append(cells, "", "", w.Amount(of.Gross), w.Amount(of.Gross-of.Net), w.Amount(of.Net))
		}
		t.Body = append(t.Body, layout.Row{Kind: kind, Cells: cells})
	}
	list := func(payments []IncapacityPayment) {
		slices.SortStableFunc(payments, func(a, b IncapacityPayment) int {
			return cmp.Or(a.From.Compare(b.From), cmp.Compare(b.Gross, a.Gross))
		})
		for _, y := range payments {
			done := w.term("incapacity_extract.status", y.Status)
			switch {
			case y.Status == "paid":
				done = w.ShortDate(*y.PaidOn)
			case y.PaidOn != nil:
				done += " " + w.ShortDate(*y.PaidOn)
			}
			days := y.Days
			if y.Status == "recovered" {
				days = -days
			}
			row := layout.Row{Cells: []string{w.ShortDate(y.From), w.ShortDate(y.To), done, w.Count(days)}}
			if amounts {
				row.Cells = append(row.Cells, w.Amount(y.BaseDaily), w.Percent(y.Rate), w.Amount(y.Gross), w.Amount(y.Contributions), w.Amount(y.Net))
				row.Values = []int64{0, 0, 0, 0, 0, 0, int64(y.Gross), int64(y.Contributions), int64(y.Net)}
			}
			t.Body = append(t.Body, row)
		}
	}
	if len(e.Employers) < 2 {
		list(slices.Clone(e.Payments))
	} else {
		for _, name := range e.Employers {
			var of []IncapacityPayment
			for _, y := range e.Payments {
				if y.Employer == name {
					of = append(of, y)
				}
			}
			if len(of) == 0 {
				continue
			}
			t.Body = append(t.Body, layout.Row{Kind: layout.GroupRow, Cells: []string{name}, Again: w.say("continued", "What", name)})
			list(of)
			sum(layout.SubtotalRow, w.say("incapacity_extract.subtotal"), incapacityTotal(of))
		}
	}
	sum(layout.TotalRow, w.say("total"), incapacityTotal(e.Payments))
	return t
}
