package templates

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"

	"segell/layout"
	"segell/wire"
)

// ReimbursementList is the data of a llistat de prestacions de reembossament:
// the medical acts of a period and what the fund paid for them, by beneficiary.
//
// How much an act gives back (rate, tariff, price, rounding) is decided before,
// by the portal; Segell prints the lines as they are and refuses totals that are
// not their sum. The list is health data. The acts of an adult other than the
// holder are listed only with that person's consent; whether the fund asks for
// more is not settled.
//
// Legal basis: Llei 17/2008, del 3 d'octubre, de la seguretat social, arts. 132
// to 135. Validity: none of its own, it states what was on record on data_as_of.
type ReimbursementList struct {
	PeriodFrom        wire.Date           `json:"period_from" doc:"First day of the period; it holds the acts done in it" example:"2025-01-01"`
	PeriodTo          wire.Date           `json:"period_to" doc:"Last day of the period" example:"2025-12-31"`
	FilterBeneficiary string              `json:"filter_beneficiary,omitempty" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"a CASS number: six digits and a capital letter, without separators" doc:"CASS number of the only person whose acts were asked for; absent: all" example:"000001B"`
	Beneficiaries     []ReimbursedPerson  `json:"beneficiaries" maxItems:"30" doc:"Whose acts are listed; an empty list where there are none"`
	Totals            ReimbursementTotals `json:"totals" doc:"Sums of all lines; checked against them"`
}

// ReimbursedPerson is the holder or somebody insured through the holder, with their acts.
type ReimbursedPerson struct {
	FullName     string              `json:"full_name" minLength:"1" maxLength:"120" doc:"Surnames and given name" example:"Ferrer i Puig, Arnau"`
	CASSNumber   string              `json:"cass_number" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"a CASS number: six digits and a capital letter, without separators" doc:"CASS number" example:"000001B"`
	BirthDate    wire.Date           `json:"birth_date" doc:"Date of birth; it says who is an adult" example:"2015-05-04"`
	Relationship string              `json:"relationship,omitempty" term:"relationship" enum:"spouse,partner,child,student,job_seeker,dependent,ward" doc:"Relationship to the holder; only and always for somebody else" example:"child"`
	Consent      bool                `json:"consent,omitempty" doc:"That an adult other than the holder agrees that the holder sees their acts" example:"true"`
	Lines        []ReimbursementLine `json:"lines" maxItems:"10000" doc:"Their acts, in any order"`
	Totals       ReimbursementTotals `json:"totals" doc:"Sums of their lines; checked against them"`
}

// ReimbursementLine is an act on a benefit sheet.
type ReimbursementLine struct {
	ActDate         wire.Date     `json:"act_date" doc:"Day of the act" example:"2026-01-15"`
	ActCode         string        `json:"act_code" pattern:"^[A-Z0-9]{1,3}$" patternDescription:"1 to 3 capital letters and digits" doc:"Nature of the act in the nomenclature (Llei 17/2008, art. 134)" example:"CS"`
	Act             string        `json:"act" minLength:"1" maxLength:"50" doc:"Nature of the act in words" example:"Consulta especialista"`
	Provider        string        `json:"provider" minLength:"1" maxLength:"100" doc:"Who did it" example:"Dra. Exemple, dermatologia"`
	Contracted      bool          `json:"contracted" doc:"Whether the provider has an agreement with the fund (convencionat)" example:"true"`
	SheetNumber     string        `json:"sheet_number" pattern:"^[A-Z0-9]{1,14}$" patternDescription:"1 to 14 digits or capital letters" doc:"Number of the benefit sheet" example:"00000012345678"`
	Quantity        wire.Quantity `json:"quantity" doc:"Quantity or coefficient" example:"1.00"`
	Tariff          wire.Money    `json:"tariff" doc:"Responsibility tariff" example:"25.35"`
	AmountPaid      wire.Money    `json:"amount_paid_by_patient" doc:"What the patient paid; 0.00 where the fund paid the provider" example:"30.00"`
	Rate            wire.Percent  `json:"rate" doc:"Rate of reimbursement" example:"75.00"`
	Reimbursed      wire.Money    `json:"reimbursed" doc:"What the fund paid, to the person or, with third_party_payer, to the provider; 0.00 where the line is pending or rejected, negative where it was recovered" example:"19.01"`
	ThirdPartyPayer bool          `json:"third_party_payer" doc:"Whether the fund pays the provider instead of the person (tercer pagador)" example:"false"`
	Status          string        `json:"status" term:"reimbursement_list.status" enum:"paid,pending,rejected,recovered" doc:"recovered: the fund took an earlier payment back" example:"paid"`
	PaymentNumber   string        `json:"payment_number,omitempty" pattern:"^[A-Z0-9]{1,11}$" patternDescription:"1 to 11 digits or capital letters" doc:"Number of the payment; only and always where status is paid or recovered" example:"20260001234"`
	PaidOn          *wire.Date    `json:"paid_on,omitempty" doc:"Day of the payment; only and always where status is paid or recovered" example:"2026-02-10"`
}

// ReimbursementTotals are sums of lines.
type ReimbursementTotals struct {
	AmountPaid  wire.Money `json:"amount_paid_by_patient" doc:"What the patients paid" example:"30.00"`
	Reimbursed  wire.Money `json:"reimbursed" doc:"What the fund paid to the person: the lines without third_party_payer" example:"19.01"`
	ToProviders wire.Money `json:"paid_to_providers" doc:"What the fund paid to providers: the lines with third_party_payer" example:"0.00"`
}

var reimbursementList = &Kind{
	ID:         "reimbursement_list",
	Code:       "REE",
	Languages:  []string{"ca", "es", "fr", "pt", "en"},
	MaxBody:    4 << 20, // ten thousand lines
	body:       reflect.TypeFor[Body[ReimbursementList]](),
	decode:     decoder(reimbursementRules),
	validUntil: never,
	compose:    composeReimbursement,
}

func reimbursementRules(r *Request, d *ReimbursementList, today wire.Date, j *judgement) {
	periodFromTo(r, d.PeriodFrom, d.PeriodTo, j)
	seen := map[string]bool{}
	var all []ReimbursementLine
	for i := range d.Beneficiaries {
		p := &d.Beneficiaries[i]
		at := wire.Pointer("data", "beneficiaries", i)
		nameRules(p.FullName, at+"/full_name", j)
		birthRules(p.BirthDate, r.DataAsOf, today, at+"/birth_date", j)
		if p.CASSNumber != "" {
			if seen[p.CASSNumber] {
				j.Add(at+"/cass_number", "must not be there twice; give all the acts of a person together")
			}
			seen[p.CASSNumber] = true
			if f := d.FilterBeneficiary; f != "" && f != p.CASSNumber {
				j.Add(at+"/cass_number", "must be the person of filter_beneficiary, whose acts alone were asked for")
			}
			reimbursedPersonRules(r, p, at, j)
		}
		for k := range p.Lines {
			reimbursementLineRules(r, d, p, &p.Lines[k], at+wire.Pointer("lines", k), j)
		}
		if j.readable(at + "/lines") {
			reimbursementSums(p.Lines, &p.Totals, at+"/totals", "of this person", j)
		}
		all = append(all, p.Lines...)
	}
	if j.readable("/data/beneficiaries") {
		reimbursementSums(all, &d.Totals, "/data/totals", "of all", j)
	}
}

// reimbursedPersonRules judges who may be on the holder's list.
func reimbursedPersonRules(r *Request, p *ReimbursedPerson, at string, j *judgement) {
	if p.CASSNumber == r.Holder.CASSNumber {
		if p.Relationship != "" {
			j.Add(at+"/relationship", "must be left out where the beneficiary is the holder")
		}
		if !p.BirthDate.IsZero() && !r.Holder.BirthDate.IsZero() && p.BirthDate != r.Holder.BirthDate {
			j.Add(at+"/birth_date", "must be the holder's; the CASS number is")
		}
		return
	}
	if p.Relationship == "" {
		j.Add(at+"/relationship", "is missing; give the relationship to the holder, for the beneficiary is somebody else")
	}
	if r.Holder.InsuredType == "indirect" {
		j.Add(at+"/cass_number", "must be the holder's where insured_type is indirect; nobody is insured through an indirect insured person")
	}
	consentRules(r, p.BirthDate, p.Consent, at, j)
}

func reimbursementLineRules(r *Request, d *ReimbursementList, p *ReimbursedPerson, l *ReimbursementLine, at string, j *judgement) {
	nameRules(l.Act, at+"/act", j)
	nameRules(l.Provider, at+"/provider", j)
	switch {
	case l.ActDate.IsZero():
	case !d.PeriodFrom.IsZero() && l.ActDate.Before(d.PeriodFrom) || !d.PeriodTo.IsZero() && l.ActDate.After(d.PeriodTo):
		j.Add(at+"/act_date", "must be within the period, from period_from to period_to")
	case l.ActDate.Before(p.BirthDate):
		j.Add(at+"/act_date", "must not be before the date of birth of the beneficiary")
	}
	if l.Status != "" {
		settledRules(l.Status == "paid" || l.Status == "recovered", l.PaymentNumber, l.PaidOn, l.ActDate, r.DataAsOf, at, j)
	}
	if l.Rate < 0 || l.Rate > allOf {
		j.Add(at+"/rate", "must be between 0.00 and 100.00")
	}
	switch {
	case !j.readable(at + "/reimbursed"):
	case l.Status == "recovered" && l.Reimbursed >= 0:
		j.Add(at+"/reimbursed", "must be negative where status is recovered; it is what was taken back")
	case (l.Status == "pending" || l.Status == "rejected") && l.Reimbursed != 0:
		j.Add(at+"/reimbursed", "must be 0.00 where status is pending or rejected; nothing was paid")
	case l.Rate == 0 && l.Reimbursed != 0 && j.readable(at+"/rate"):
		j.Add(at+"/reimbursed", "must be 0.00 where rate is 0.00")
	}
	if l.Status == "recovered" {
		return // what is taken back may be written with its signs turned
	}
	for _, f := range []struct {
		name  string
		value int64
	}{{"quantity", int64(l.Quantity)}, {"tariff", int64(l.Tariff)}, {"amount_paid_by_patient", int64(l.AmountPaid)}, {"reimbursed", int64(l.Reimbursed)}} {
		if f.value < 0 {
			j.Add(at+"/"+f.name, "must not be negative unless status is recovered")
		}
	}
}

// reimbursementSums checks totals against lines.
func reimbursementSums(lines []ReimbursementLine, t *ReimbursementTotals, at, whose string, j *judgement) {
	follows, ok := sumOfLines(lines)
	if !ok {
		j.Add(at, "cannot be checked: the amounts in lines are too large")
		return
	}
	agrees(j, at+"/amount_paid_by_patient", t.AmountPaid, follows.AmountPaid, "the sum of what was paid in the lines "+whose)
	agrees(j, at+"/reimbursed", t.Reimbursed, follows.Reimbursed, "the sum of reimbursed in the lines "+whose+" without third_party_payer")
	agrees(j, at+"/paid_to_providers", t.ToProviders, follows.ToProviders, "the sum of reimbursed in the lines "+whose+" with third_party_payer")
}

func sumOfLines(lines []ReimbursementLine) (t ReimbursementTotals, ok bool) {
	var paid, person, provider []wire.Money
	for _, l := range lines {
		paid = append(paid, l.AmountPaid)
		if l.ThirdPartyPayer {
			provider = append(provider, l.Reimbursed)
		} else {
			person = append(person, l.Reimbursed)
		}
	}
	var fine [3]bool
	t.AmountPaid, fine[0] = sum(paid)
	t.Reimbursed, fine[1] = sum(person)
	t.ToProviders, fine[2] = sum(provider)
	return t, fine == [3]bool{true, true, true}
}

func composeReimbursement(r *Request, is Issue, w *words) page {
	d := r.Data.(*ReimbursementList)
	people := slices.Clone(d.Beneficiaries)
	slices.SortStableFunc(people, func(a, b ReimbursedPerson) int { // the holder first
		rank := func(p ReimbursedPerson) int {
			if p.CASSNumber == r.Holder.CASSNumber {
				return 0
			}
			return 1
		}
		return cmp.Compare(rank(a), rank(b))
	})
	acts, statuses := 0, map[string]int{}
	for _, p := range people {
		acts += len(p.Lines)
		for _, l := range p.Lines {
			statuses[l.Status]++
		}
	}

	p := page{titleKey: "reimbursement_list.title"}
	holder := holderFields(r, w)
	holder = append(holder, layout.Field{Label: w.say("period"), Value: w.ShortDate(d.PeriodFrom) + "–" + w.ShortDate(d.PeriodTo), Strong: true},
		layout.Field{Label: w.say("data_as_of"), Value: w.ShortDate(r.DataAsOf)})
	p.blocks = []layout.Block{
		layout.Lead{Text: w.say("reimbursement_list.lead")},
		layout.Notice{Spans: []layout.Span{{Text: w.say("health_data"), Strong: true}, {Text: " " + w.say("health_data_means")}}},
		layout.Heading{Text: w.say("holder.heading")},
		holder,
		layout.Heading{Text: w.say("reimbursement_list.summary")},
	}
	if acts == 0 {
		none := w.say("reimbursement_list.none", "From", w.LongDate(d.PeriodFrom), "To", w.LongDate(d.PeriodTo))
		p.blocks = append(p.blocks, layout.Text{Spans: []layout.Span{{Text: none, Strong: true}}})
	} else {
		spans := []layout.Span{{Text: w.count("reimbursement_list.acts_in", acts, "From", w.LongDate(d.PeriodFrom), "To", w.LongDate(d.PeriodTo)) + " " +
			w.say("reimbursement_list.paid", "Reimbursed", w.Money(d.Totals.Reimbursed), "Providers", w.Money(d.Totals.ToProviders)), Strong: true}}
		for _, s := range []struct{ key, status string }{
			{"reimbursement_list.acts_pending", "pending"}, {"reimbursement_list.acts_rejected", "rejected"}, {"reimbursement_list.acts_recovered", "recovered"},
		} {
			if n := statuses[s.status]; n > 0 {
				spans = append(spans, layout.Span{Text: " " + w.count(s.key, n)})
			}
		}
		p.blocks = append(p.blocks,
			layout.Text{Spans: spans},
			reimbursementByPerson(r, d, people, w),
			layout.Contents{},
			layout.Heading{Text: w.say("reimbursement_list.acts")},
			reimbursementTable(r, d, people, w),
			layout.Note{Text: w.say("reimbursement_list.columns")},
		)
	}
	note := w.say("reimbursement_list.legal_basis", "Date", w.LongDate(r.DataAsOf))
	if d.FilterBeneficiary == "" && r.Holder.InsuredType == "direct" {
		note = w.say("reimbursement_list.adults") + " " + note
	} else if d.FilterBeneficiary != "" {
		note = w.say("reimbursement_list.filtered", "Number", d.FilterBeneficiary) + " " + note
	}
	p.blocks = append(p.blocks, append(layout.Together{layout.Note{Text: note}}, closing(is, w)...))
	return p
}

// reimbursementByPerson is a row of totals for each beneficiary.
func reimbursementByPerson(r *Request, d *ReimbursementList, people []ReimbursedPerson, w *words) layout.Table {
	t := layout.Table{Columns: []layout.Column{
		{Head: w.say("reimbursement_list.beneficiary"), Share: 50},
		{Head: w.say("holder.cass_number"), Share: 21},
		{Head: w.say("dependant.relationship"), Share: 28},
		{Head: w.say("reimbursement_list.number_of_acts"), Share: 12, Right: true},
		{Head: w.say("reimbursement_list.patient_paid"), Share: 19, Right: true},
		{Head: w.say("reimbursement_list.reimbursed"), Share: 22, Right: true},
		{Head: w.say("reimbursement_list.to_provider"), Share: 22, Right: true},
	}}
	acts := 0
	for _, p := range people {
		acts += len(p.Lines)
		t.Body = append(t.Body, layout.Row{Cells: []string{p.FullName, p.CASSNumber, reimbursedAs(r, &p, w), w.CountCell(len(p.Lines)),
			w.Amount(p.Totals.AmountPaid), w.Amount(p.Totals.Reimbursed), w.Amount(p.Totals.ToProviders)}})
	}
	t.Body = append(t.Body, layout.Row{Kind: layout.TotalRow, Cells: []string{w.say("total"), "", "", w.CountCell(acts),
		w.Amount(d.Totals.AmountPaid), w.Amount(d.Totals.Reimbursed), w.Amount(d.Totals.ToProviders)}})
	return t
}

// reimbursedAs says what a beneficiary is to the holder.
func reimbursedAs(r *Request, p *ReimbursedPerson, w *words) string {
	if p.CASSNumber == r.Holder.CASSNumber {
		return w.say("holder.heading")
	}
	return w.term("relationship", p.Relationship)
}

// reimbursementTable is every act, by beneficiary and day, with the sums carried from page to page.
func reimbursementTable(r *Request, d *ReimbursementList, people []ReimbursedPerson, w *words) layout.Table {
	amount := func(n int64) string { return w.Amount(wire.Money(n)) }
	t := layout.Table{
		Columns: []layout.Column{
			{Head: w.say("reimbursement_list.date_and_status"), Share: 19.5},
			{Head: w.say("reimbursement_list.act_and_provider"), Share: 44.5},
			{Head: w.say("reimbursement_list.sheet_and_payment"), Share: 26},
			{Head: w.say("reimbursement_list.quantity"), Share: 11.5, Right: true},
			{Head: w.say("reimbursement_list.tariff"), Share: 15.5, Right: true},
			{Head: w.say("reimbursement_list.patient_paid"), Share: 15.5, Right: true, Sum: amount},
			{Head: w.say("reimbursement_list.rate"), Share: 11, Right: true},
			{Head: w.say("reimbursement_list.reimbursed"), Share: 22, Right: true, Sum: amount},
			{Head: w.say("reimbursement_list.to_provider"), Share: 20, Right: true, Sum: amount},
		},
		Carry: layout.Carry{Forward: w.say("carried_forward"), Brought: w.say("brought_forward")},
	}
	total := func(kind layout.RowKind, label string, s *ReimbursementTotals) {
		t.Body = append(t.Body, layout.Row{Kind: kind, Cells: []string{label, "", "", "", "", w.Amount(s.AmountPaid), "", w.Amount(s.Reimbursed), w.Amount(s.ToProviders)}})
	}
	people = slices.DeleteFunc(slices.Clone(people), func(p ReimbursedPerson) bool { return len(p.Lines) == 0 })
	years := d.PeriodFrom.Year() != d.PeriodTo.Year()
	for _, p := range people {
		lines := slices.Clone(p.Lines)
		slices.SortStableFunc(lines, func(a, b ReimbursementLine) int {
			return cmp.Or(a.ActDate.Compare(b.ActDate), cmp.Compare(a.SheetNumber, b.SheetNumber))
		})
		for i, l := range lines {
			if year := l.ActDate.Year(); i == 0 || years && year != lines[i-1].ActDate.Year() {
				// The entry in the contents names nobody.
				who, entry := p.FullName+" ("+w.say("cass_number_of", "Number", p.CASSNumber)+")", reimbursedAs(r, &p, w)
				if years {
					who, entry = who+" · "+strconv.Itoa(year), entry+" · "+strconv.Itoa(year)
				}
				t.Body = append(t.Body, layout.Row{Kind: layout.GroupRow, Cells: []string{who}, Again: w.say("continued", "What", who), Entry: entry})
			}
			t.Body = append(t.Body, reimbursementRow(l, w))
		}
		if len(people) > 1 {
			total(layout.SubtotalRow, w.say("reimbursement_list.total_person"), &p.Totals)
		}
	}
	total(layout.TotalRow, w.say("reimbursement_list.total_all"), &d.Totals)
	return t
}

func reimbursementRow(l ReimbursementLine, w *words) layout.Row {
	provider := l.Provider
	if !l.Contracted {
		provider = w.say("reimbursement_list.not_contracted", "Provider", provider)
	}
	sheet := l.SheetNumber
	if l.PaidOn != nil {
		sheet += "\n" + l.PaymentNumber + "\n" + w.ShortDate(*l.PaidOn)
	}
	person, third := "–", "–"
	switch {
	case l.Status == "pending":
	case l.ThirdPartyPayer:
		third = w.Amount(l.Reimbursed)
	default:
		person = w.Amount(l.Reimbursed)
	}
	row := layout.Row{
		Cells: []string{w.ShortDate(l.ActDate) + "\n" + w.term("reimbursement_list.status", l.Status), l.ActCode + " · " + l.Act + "\n" + provider, sheet,
			w.QuantityCell(l.Quantity), w.Amount(l.Tariff), w.Amount(l.AmountPaid), w.Percent(l.Rate), person, third},
		Values: make([]int64, 9),
	}
	row.Values[5] = int64(l.AmountPaid)
	if l.ThirdPartyPayer {
		row.Values[8] = int64(l.Reimbursed)
	} else {
		row.Values[7] = int64(l.Reimbursed)
	}
	return row
}
