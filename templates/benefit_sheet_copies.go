package templates

import (
	"reflect"
	"strconv"

	"segell/layout"
	"segell/wire"
)

// BenefitSheetCopies is the data of còpies dels fulls de prestacions mèdiques:
// benefit sheets as the fund's archive holds them, each with its acts and, for a
// sheet on paper, its scan.
//
// The cover is in the language asked for; a sheet is a copy, so it stays in
// Catalan. What the copies are worth as evidence is for the fund to say: the
// document says where they come from and no more. It is health data, and the
// sheets of an adult other than the holder need that person's consent.
//
// Scans are PNG or JPEG. PDF is refused: its pages would have to be taken over
// with fonts, colours and structure of their own, and no library for Go does so
// without breaking PDF/A and PDF/UA; the portal sends the pages as pictures.
//
// Legal basis: Llei 17/2008, del 3 d'octubre, de la seguretat social, arts. 132
// to 135. Validity: none of its own, it states what was on record on data_as_of.
type BenefitSheetCopies struct {
	Sheets     []BenefitSheet `json:"sheets" maxItems:"100" doc:"The sheets, in the order in which they are copied; at most 100 in a document, more are asked for in parts; an empty list where there are none"`
	SheetCount int            `json:"sheet_count" minimum:"0" maximum:"100" doc:"How many sheets there are; checked against them" example:"3"`
	Total      wire.Money     `json:"total" doc:"What the fund paid, or will pay, for all sheets; checked against them" example:"43.01"`
	Part       *Part          `json:"part,omitempty" doc:"Which part this document is, where there are more sheets than one document holds"`
}

// Part says which of several documents one is.
type Part struct {
	Number int `json:"number" minimum:"1" maximum:"999" doc:"From 1" example:"1"`
	Of     int `json:"of" minimum:"2" maximum:"999" doc:"How many parts there are" example:"2"`
}

// BenefitSheet is a full de prestacions mèdiques.
type BenefitSheet struct {
	SheetNumber   string        `json:"sheet_number" pattern:"^[A-Z0-9]{1,14}$" patternDescription:"1 to 14 digits or capital letters" doc:"Number of the sheet" example:"00000012345678"`
	Format        string        `json:"format" term:"benefit_sheet_copies.format" enum:"electronic,paper_scan" doc:"Whether the sheet is electronic or was scanned from paper" example:"electronic"`
	ESheetID      string        `json:"esheet_id,omitempty" pattern:"^[0-9]{7}/[0-9]{3}/[0-9]{8}/[0-9]{3}/[0-9]{5}$" patternDescription:"provider / handler / date / sequence / sheet: 7, 3, 8, 3 and 5 digits" doc:"Identifier of the electronic sheet; only and always where format is electronic" example:"0000123/001/20260115/007/00042"`
	IssuedOn      wire.Date     `json:"issued_on" doc:"Day on which the provider made the sheet out" example:"2026-01-15"`
	ReceivedOn    *wire.Date    `json:"received_on,omitempty" doc:"Day on which the fund received it" example:"2026-01-16"`
	Provider      SheetProvider `json:"provider" doc:"Who made it out"`
	Patient       SheetPatient  `json:"patient" doc:"Whose acts they are; not always the insured person's"`
	Cause         string        `json:"cause,omitempty" term:"benefit_sheet_copies.cause" enum:"illness,accident,work_accident,maternity" doc:"Why care was needed (contingència)" example:"illness"`
	Lines         []SheetLine   `json:"lines" maxItems:"99" doc:"The acts; an empty list where a scan was not transcribed"`
	Amount        wire.Money    `json:"amount" doc:"What the fund paid, or will pay, for the sheet; the sum of its lines" example:"24.00"`
	PaymentNumber string        `json:"payment_number,omitempty" pattern:"^[A-Z0-9]{1,11}$" patternDescription:"1 to 11 digits or capital letters" doc:"Number of the payment; absent where the sheet is not paid yet" example:"20260001234"`
	PaidOn        *wire.Date    `json:"paid_on,omitempty" doc:"Day of the payment; given with payment_number" example:"2026-02-10"`
	Scan          *Scan         `json:"scan,omitempty" doc:"Picture of a sheet on paper; absent where the archive has none, and the copy says so"`
}

// SheetProvider is who made a benefit sheet out.
type SheetProvider struct {
	Name       string `json:"name" minLength:"1" maxLength:"100" doc:"Name of the professional or centre" example:"Dra. Exemple"`
	Number     string `json:"number,omitempty" minLength:"1" maxLength:"20" doc:"Number of the provider or licence (número de col·legiat)" example:"0000"`
	Specialty  string `json:"specialty,omitempty" minLength:"1" maxLength:"60" doc:"Specialty, as on the sheet" example:"Dermatologia"`
	Contracted bool   `json:"contracted" doc:"Whether the provider has an agreement with the fund (convencionat)" example:"true"`
}

// SheetPatient is the person whose acts a sheet lists.
type SheetPatient struct {
	FullName   string    `json:"full_name" minLength:"1" maxLength:"120" doc:"Surnames and given name" example:"Ferrer i Puig, Arnau"`
	CASSNumber string    `json:"cass_number" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"a CASS number: six digits and a capital letter, without separators" doc:"CASS number" example:"000001B"`
	BirthDate  wire.Date `json:"birth_date" doc:"Date of birth; it says who is an adult" example:"2015-05-04"`
	Consent    bool      `json:"consent,omitempty" doc:"That an adult other than the holder agrees that the holder has the copy" example:"true"`
}

// SheetLine is an act on a sheet: DO × 10 × 3.20 = 32.00, at 75 % 24.00.
type SheetLine struct {
	ActDate     wire.Date      `json:"act_date" doc:"Day of the act" example:"2026-01-15"`
	ActCode     string         `json:"act_code" pattern:"^[A-Z0-9]{1,3}$" patternDescription:"1 to 3 capital letters and digits" doc:"Nature of the act in the nomenclature (Llei 17/2008, art. 134)" example:"DO"`
	Act         string         `json:"act" minLength:"1" maxLength:"50" doc:"Nature of the act in words, as on the sheet" example:"Anàlisi clínica"`
	Quantity    wire.Quantity  `json:"quantity" doc:"Quantity" example:"1.00"`
	Coefficient *wire.Quantity `json:"coefficient,omitempty" doc:"Coefficient of the nomenclature, where the act has one" example:"10.00"`
	Tariff      wire.Money     `json:"tariff" doc:"Tariff of the key or the act" example:"3.20"`
	Charged     wire.Money     `json:"price_charged" doc:"What the provider charged" example:"32.00"`
	AmountPaid  wire.Money     `json:"amount_paid_by_patient" doc:"What the patient paid" example:"32.00"`
	Rate        wire.Percent   `json:"rate" doc:"Rate of reimbursement" example:"75.00"`
	Amount      wire.Money     `json:"amount" doc:"What the fund pays" example:"24.00"`
}

var benefitSheetCopies = &Kind{
	ID:         "benefit_sheet_copies",
	Code:       "FUL",
	Languages:  []string{"ca", "es", "fr", "pt", "en"},
	MaxBody:    32 << 20, // twenty-odd megabytes of scans, in base64
	body:       reflect.TypeFor[Body[BenefitSheetCopies]](),
	decode:     decoder(sheetsRules),
	validUntil: never,
	compose:    composeSheets,
}

func sheetsRules(r *Request, d *BenefitSheetCopies, today wire.Date, j *judgement) {
	if p := d.Part; p != nil && p.Number > p.Of {
		j.Add("/data/part/number", "must not be more than of")
	}
	seen := map[string]bool{}
	var amounts []wire.Money
	pixels := 0
	for i := range d.Sheets {
		s := &d.Sheets[i]
		at := wire.Pointer("data", "sheets", i)
		if s.SheetNumber != "" && seen[s.SheetNumber] {
			j.Add(at+"/sheet_number", "must be another sheet than those before; copy each once")
		}
		seen[s.SheetNumber] = true
		sheetRules(r, s, today, at, j)
		if s.Scan != nil {
			pixels = s.Scan.judge(s.Format, pixels, at, j)
		}
		amounts = append(amounts, s.Amount)
	}
	if !j.readable("/data/sheets") {
		return
	}
	counts(j, "/data/sheet_count", d.SheetCount, len(d.Sheets), "how many sheets there are")
	if total, ok := sum(amounts); ok {
		agrees(j, "/data/total", d.Total, total, "the sum of amount in sheets")
	} else {
		j.Add("/data/total", "cannot be checked: the amounts in sheets are too large")
	}
}

func sheetRules(r *Request, s *BenefitSheet, today wire.Date, at string, j *judgement) {
	nameRules(s.Provider.Name, at+"/provider/name", j)
	nameRules(s.Provider.Specialty, at+"/provider/specialty", j)
	nameRules(s.Patient.FullName, at+"/patient/full_name", j)
	birthRules(s.Patient.BirthDate, r.DataAsOf, today, at+"/patient/birth_date", j)
	switch n := s.Patient.CASSNumber; {
	case n == "":
	case n != r.Holder.CASSNumber:
		consentRules(r, s.Patient.BirthDate, s.Patient.Consent, at+"/patient", j)
		if r.Holder.InsuredType == "indirect" {
			j.Add(at+"/patient/cass_number", "must be the holder's where insured_type is indirect; nobody is insured through an indirect insured person")
		}
	case !s.Patient.BirthDate.IsZero() && !r.Holder.BirthDate.IsZero() && s.Patient.BirthDate != r.Holder.BirthDate:
		j.Add(at+"/patient/birth_date", "must be the holder's; the CASS number is")
	}
	switch {
	case s.Format == "electronic" && s.ESheetID == "" && j.readable(at+"/esheet_id"):
		j.Add(at+"/esheet_id", "is missing; an electronic sheet has one")
	case s.Format == "paper_scan" && s.ESheetID != "":
		j.Add(at+"/esheet_id", "must be left out where format is paper_scan")
	}
	switch {
	case s.IssuedOn.Before(s.Patient.BirthDate) && !s.IssuedOn.IsZero():
		j.Add(at+"/issued_on", "must not be before the date of birth of the patient")
	case !r.DataAsOf.IsZero() && s.IssuedOn.After(r.DataAsOf):
		j.Add(at+"/issued_on", "must not be after data_as_of")
	}
	if on := s.ReceivedOn; on != nil {
		switch {
		case on.Before(s.IssuedOn):
			j.Add(at+"/received_on", "must not be before issued_on")
		case !r.DataAsOf.IsZero() && on.After(r.DataAsOf):
			j.Add(at+"/received_on", "must not be after data_as_of")
		}
	}
	settledRules(s.PaymentNumber != "" || s.PaidOn != nil, s.PaymentNumber, s.PaidOn, s.IssuedOn, r.DataAsOf, at, j)

	var amounts []wire.Money
	for k := range s.Lines {
		l := &s.Lines[k]
		here := at + wire.Pointer("lines", k)
		nameRules(l.Act, here+"/act", j)
		switch {
		case l.ActDate.IsZero():
		case l.ActDate.Before(s.Patient.BirthDate):
			j.Add(here+"/act_date", "must not be before the date of birth of the patient")
		case !r.DataAsOf.IsZero() && l.ActDate.After(r.DataAsOf):
			j.Add(here+"/act_date", "must not be after data_as_of")
		}
		if l.Rate < 0 || l.Rate > allOf {
			j.Add(here+"/rate", "must be between 0.00 and 100.00")
		}
		amounts = append(amounts, l.Amount)
	}
	if len(s.Lines) == 0 || !j.readable(at+"/lines") {
		return // a sheet that was not transcribed has an amount all the same
	}
	if total, ok := sum(amounts); ok {
		agrees(j, at+"/amount", s.Amount, total, "the sum of amount in lines")
	} else {
		j.Add(at+"/amount", "cannot be checked: the amounts in lines are too large")
	}
}

func composeSheets(r *Request, is Issue, w *words) page {
	d := r.Data.(*BenefitSheetCopies)
	p := page{titleKey: "benefit_sheet_copies.title"}
	holder := append(holderFields(r, w),
		layout.Field{Label: w.say("benefit_sheet_copies.sheet_count"), Value: w.Count(d.SheetCount), Strong: true},
		layout.Field{Label: w.say("data_as_of"), Value: w.ShortDate(r.DataAsOf)})
	if d.Part != nil {
		holder = append(holder, layout.Field{Label: w.say("benefit_sheet_copies.part"), Wide: true,
			Value: w.say("benefit_sheet_copies.part_of", "Number", d.Part.Number, "Of", d.Part.Of)})
	}
	p.blocks = []layout.Block{
		layout.Lead{Text: w.say("benefit_sheet_copies.lead")},
		layout.Notice{Spans: []layout.Span{{Text: w.say("health_data"), Strong: true}, {Text: " " + w.say("health_data_means")}}},
		layout.Heading{Text: w.say("holder.heading")},
		holder,
		layout.Heading{Text: w.say("benefit_sheet_copies.sheets")},
	}
	if len(d.Sheets) == 0 {
		p.blocks = append(p.blocks, layout.Paragraph(w.say("benefit_sheet_copies.none")))
	} else {
		p.blocks = append(p.blocks,
			layout.Paragraph(w.say("benefit_sheet_copies.states", "Issuer", is.SealedBy, "Date", w.LongDate(r.DataAsOf))),
			sheetsIndex(d, w))
	}
	note := layout.Note{Text: w.say("benefit_sheet_copies.legal_basis")}
	p.blocks = append(p.blocks, append(layout.Together{note}, closing(is, w)...), layout.Contents{})

	// A copy is not translated: its page is in Catalan, whatever the cover is in.
	own := w
	if r.Language != official {
		own = wordsOf(official)
	}
	for i := range d.Sheets {
		s := &d.Sheets[i]
		p.blocks = append(p.blocks, layout.NewPage{},
			layout.Heading{Text: w.say("benefit_sheet_copies.sheet_of", "Number", i+1, "Of", len(d.Sheets), "Sheet", s.SheetNumber)})
		sheet := sheetCopy(r, s, own)
		if r.Language != official {
			sheet = []layout.Block{layout.In{Language: official, Blocks: sheet}}
		}
		p.blocks = append(p.blocks, sheet...)
	}
	if own.err != nil && w.err == nil {
		w.err = own.err
	}
	return p
}

// sheetsIndex is the cover's list: a row for each sheet, and the total.
func sheetsIndex(d *BenefitSheetCopies, w *words) layout.Table {
	t := layout.Table{Columns: []layout.Column{
		{Head: w.say("benefit_sheet_copies.position"), Share: 12, Right: true},
		{Head: w.say("benefit_sheet_copies.sheet_number"), Share: 27},
		{Head: w.say("benefit_sheet_copies.issued_on"), Share: 19},
		{Head: w.say("benefit_sheet_copies.provider"), Share: 39},
		{Head: w.say("benefit_sheet_copies.patient"), Share: 36},
		{Head: w.say("benefit_sheet_copies.support"), Share: 25},
		{Head: w.say("benefit_sheet_copies.amount"), Share: 19, Right: true, Sum: func(n int64) string { return w.Amount(wire.Money(n)) }},
	}, Carry: layout.Carry{Forward: w.say("carried_forward"), Brought: w.say("brought_forward")}}
	for i, s := range d.Sheets {
		t.Body = append(t.Body, layout.Row{
			Cells: []string{strconv.Itoa(i + 1), s.SheetNumber, w.ShortDate(s.IssuedOn), s.Provider.Name, s.Patient.FullName,
				w.term("benefit_sheet_copies.format", s.Format), w.Amount(s.Amount)},
			Values: []int64{0, 0, 0, 0, 0, 0, int64(s.Amount)},
		})
	}
	t.Body = append(t.Body, layout.Row{Kind: layout.TotalRow, Cells: []string{w.say("total"), "", "", "", "", "", w.Amount(d.Total)}})
	return t
}

// sheetCopy is a sheet: what it says of itself, its acts, its picture.
func sheetCopy(r *Request, s *BenefitSheet, w *words) []layout.Block {
	person := func(name, number string) string { return name + " (" + w.say("cass_number_of", "Number", number) + ")" }
	fs := layout.Fields{
		{Label: w.say("benefit_sheet_copies.sheet_number"), Value: s.SheetNumber, Strong: true},
		{Label: w.say("benefit_sheet_copies.support"), Value: w.term("benefit_sheet_copies.format", s.Format)},
	}
	add := func(key, value string) { fs = append(fs, layout.Field{Label: w.say(key), Value: value}) }
	wide := func(key, value string) { fs = append(fs, layout.Field{Label: w.say(key), Value: value, Wide: true}) }
	if s.ESheetID != "" {
		wide("benefit_sheet_copies.esheet_id", s.ESheetID)
	}
	wide("benefit_sheet_copies.patient", person(s.Patient.FullName, s.Patient.CASSNumber))
	if s.Patient.CASSNumber != r.Holder.CASSNumber {
		wide("benefit_sheet_copies.insured", person(r.Holder.FullName, r.Holder.CASSNumber))
	}
	wide("benefit_sheet_copies.provider", s.Provider.Name)
	if s.Provider.Specialty != "" {
		add("benefit_sheet_copies.specialty", s.Provider.Specialty)
	}
	if s.Provider.Number != "" {
		add("benefit_sheet_copies.provider_number", s.Provider.Number)
	}
	contracted := "no"
	if s.Provider.Contracted {
		contracted = "yes"
	}
	add("benefit_sheet_copies.contracted", w.say(contracted))
	if s.Cause != "" {
		add("benefit_sheet_copies.contingency", w.term("benefit_sheet_copies.cause", s.Cause))
	}
	add("benefit_sheet_copies.issued_on", w.ShortDate(s.IssuedOn))
	if s.ReceivedOn != nil {
		add("benefit_sheet_copies.received_on", w.ShortDate(*s.ReceivedOn))
	}
	payment := w.say("benefit_sheet_copies.not_paid")
	if s.PaidOn != nil {
		payment = w.say("benefit_sheet_copies.paid", "Number", s.PaymentNumber, "Date", w.ShortDate(*s.PaidOn))
	}
	wide("benefit_sheet_copies.payment", payment)

	blocks := []layout.Block{fs}
	if len(s.Lines) == 0 {
		blocks = append(blocks, layout.Paragraph(w.say("benefit_sheet_copies.no_lines", "Amount", w.Money(s.Amount))))
	} else {
		blocks = append(blocks, sheetTable(s, w))
	}
	switch {
	case s.Scan != nil && s.Scan.picture != nil:
		blocks = append(blocks, layout.Figure{
			Picture: s.Scan.picture, Frame: true,
			Alt:     w.say("benefit_sheet_copies.picture_alt", "Sheet", s.SheetNumber),
			Caption: w.say("benefit_sheet_copies.picture_caption", "Sheet", s.SheetNumber),
		})
	case s.Format == "paper_scan":
		blocks = append(blocks, layout.Notice{Spans: []layout.Span{
			{Text: w.say("benefit_sheet_copies.no_picture"), Strong: true}, {Text: " " + w.say("benefit_sheet_copies.no_picture_means")},
		}})
	}
	return blocks
}

func sheetTable(s *BenefitSheet, w *words) layout.Table {
	t := layout.Table{Columns: []layout.Column{
		{Head: w.say("benefit_sheet_copies.act_date"), Share: 19},
		{Head: w.say("benefit_sheet_copies.act"), Share: 46},
		{Head: w.say("benefit_sheet_copies.quantity"), Share: 13, Right: true},
		{Head: w.say("benefit_sheet_copies.coefficient"), Share: 13, Right: true},
		{Head: w.say("benefit_sheet_copies.tariff"), Share: 16, Right: true},
		{Head: w.say("benefit_sheet_copies.charged"), Share: 16, Right: true},
		{Head: w.say("benefit_sheet_copies.amount_paid"), Share: 16, Right: true},
		{Head: w.say("benefit_sheet_copies.rate"), Share: 12, Right: true},
		{Head: w.say("benefit_sheet_copies.amount"), Share: 17, Right: true, Sum: func(n int64) string { return w.Amount(wire.Money(n)) }},
	}, Carry: layout.Carry{Forward: w.say("carried_forward"), Brought: w.say("brought_forward")}}
	for _, l := range s.Lines {
		coefficient := "–"
		if l.Coefficient != nil {
			coefficient = w.QuantityCell(*l.Coefficient)
		}
		t.Body = append(t.Body, layout.Row{
			Cells: []string{w.ShortDate(l.ActDate), l.ActCode + " · " + l.Act, w.QuantityCell(l.Quantity), coefficient,
				w.Amount(l.Tariff), w.Amount(l.Charged), w.Amount(l.AmountPaid), w.Percent(l.Rate), w.Amount(l.Amount)},
			Values: []int64{0, 0, 0, 0, 0, 0, 0, 0, int64(l.Amount)},
		})
	}
	t.Body = append(t.Body, layout.Row{Kind: layout.TotalRow, Cells: []string{w.say("total"), "", "", "", "", "", "", "", w.Amount(s.Amount)}})
	return t
}
