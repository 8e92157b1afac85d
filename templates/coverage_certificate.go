package templates

import (
	"reflect"
	"slices"
	"strings"

	"segell/layout"
	"segell/wire"
)

// CoverageCertificate is the data of a certificat de cobertura sanitària: whether
// a person is covered on a day, since when, why, how far and with whom.
//
// Legal basis: Llei 17/2008, del 3 d'octubre, de la seguretat social, arts. 12,
// 13, 20 and 132 ff. Validity: three months from issue, or until the cover ends
// if that is sooner, unless the situation changes. A cover that has ended gives
// a certificat de situació, which says so. No medical datum is on the page.
type CoverageCertificate struct {
	Coverage                Coverage      `json:"coverage" doc:"The person's health cover"`
	HolderDirect            *HolderDirect `json:"holder_direct,omitempty" doc:"The direct insured person through whom an indirect one is covered; only and always for indirect ones"`
	Dependants              []Dependant   `json:"dependants,omitempty" maxItems:"30" doc:"Who is covered through the holder; only where the holder is direct and covered"`
	ReferringDoctorAssigned *bool         `json:"referring_doctor_assigned,omitempty" doc:"Whether a referring doctor (metge referent) is assigned; absent: the certificate does not say" example:"true"`
	Purpose                 string        `json:"purpose,omitempty" maxLength:"100" doc:"What the certificate is asked for, printed as given" example:"Sol·licitud de residència"`
}

// Coverage is a health cover.
type Coverage struct {
	Active      bool          `json:"active" doc:"Whether the cover is in force on data_as_of" example:"true"`
	Since       wire.Date     `json:"since" doc:"First day of the cover" example:"2019-09-01"`
	Until       *wire.Date    `json:"until,omitempty" doc:"Last day of the cover; needed where it is no longer in force" example:"2026-01-31"`
	Basis       string        `json:"basis,omitempty" term:"situation" enum:"employee,self_employed,pensioner,voluntary,voluntary_general_branch,student_25_30,athlete_25_30,young_self_employed,pre_retired,employment_service,low_wage_employee,ward,occasional_aid,detained,disability,spouse,partner,child,student,job_seeker,dependent" doc:"Title of the cover where it is not the holder's situation" example:"employee"`
	Scope       []string      `json:"scope,omitempty" maxItems:"4" uniqueItems:"true" term:"scope" enum:"reimbursement,hospitalization,maternity,work_accident" doc:"Benefits that are covered" example:"[\"reimbursement\",\"hospitalization\",\"maternity\"]"`
	RateGeneral *wire.Percent `json:"rate_general,omitempty" doc:"Rate of reimbursement in general, of the responsibility tariff" example:"75.00"`
	RateHosp    *wire.Percent `json:"rate_hospital,omitempty" doc:"Rate of reimbursement in hospital" example:"90.00"`
	RateSpecial *wire.Percent `json:"special_rate,omitempty" doc:"Special rate; give it only if the holder asks for it to be shown. Its reason is never printed" example:"100.00"`
}

// HolderDirect is the direct insured person of an indirect one.
type HolderDirect struct {
	FullName   string `json:"full_name" minLength:"1" maxLength:"120" doc:"Surnames and given name" example:"Puig Font, Joan"`
	CASSNumber string `json:"cass_number" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"a CASS number: six digits and a capital letter, without separators" doc:"CASS number" example:"000002C"`
}

// Dependant is a person insured through the holder. A child of parents who live
// apart may depend on both; the certificate shows the link to this holder only.
type Dependant struct {
	FullName     string     `json:"full_name" minLength:"1" maxLength:"120" doc:"Surnames and given name" example:"Ferrer Puig, Arnau"`
	CASSNumber   string     `json:"cass_number" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"a CASS number: six digits and a capital letter, without separators" doc:"CASS number" example:"000001B"`
	BirthDate    wire.Date  `json:"birth_date" doc:"Date of birth" example:"2015-05-04"`
	Relationship string     `json:"relationship" term:"relationship" enum:"spouse,partner,child,student,job_seeker,dependent,ward" doc:"Relationship to the holder (Llei 17/2008, art. 13)" example:"child"`
	Since        wire.Date  `json:"since" doc:"First day of the cover through the holder" example:"2015-05-04"`
	Until        *wire.Date `json:"until,omitempty" doc:"Last day of that cover, if it is known" example:"2033-05-03"`
}

var coverageCertificate = &Kind{
	ID:         "coverage_certificate",
	Code:       "COB",
	Languages:  []string{"ca", "es", "fr", "pt", "en"},
	body:       reflect.TypeFor[Body[CoverageCertificate]](),
	decode:     decoder(coverageRules),
	validUntil: coverageValidity,
	compose:    composeCoverage,
}

const (
	coverageMonths = 3
	allOf          = wire.Percent(100_00)
)

func coverageRules(r *Request, d *CoverageCertificate, today wire.Date, j *judgement) {
	h, c := &r.Holder, &d.Coverage
	direct, indirect := h.InsuredType == "direct", h.InsuredType == "indirect"

	periodRules(c.Since, c.Until, h.BirthDate, "/data/coverage", j)
	switch {
	case r.DataAsOf.IsZero() || !j.readable("/data/coverage/active"):
	case c.Active && !c.Since.IsZero() && c.Since.After(r.DataAsOf):
		j.Add("/data/coverage/since", "must not be after data_as_of where active is true; a cover that begins later is not in force yet")
	case c.Active && c.Until != nil && c.Until.Before(r.DataAsOf):
		j.Add("/data/coverage/until", "must not be before data_as_of where active is true; a cover that has ended has active false")
	case c.Active && c.Until != nil && c.Until.Before(today):
		j.Add("/data/coverage/until", "must not be before today where active is true; the cover has ended since data_as_of: send the data of today")
	case !c.Active && c.Until == nil && !c.Since.IsZero():
		j.Add("/data/coverage/until", "is missing; give the last day of the cover, for active is false")
	case !c.Active && c.Until != nil && !c.Until.Before(r.DataAsOf):
		j.Add("/data/coverage/until", "must be before data_as_of where active is false; on its last day a cover is still in force")
	}
	if c.Active && h.Situation == "none" {
		j.Add("/holder/situation", "must be the situation that gives the cover, for active is true")
	}
	if c.Basis != "" {
		if of := slices.Contains(indirectSituations, c.Basis); of && direct || !of && indirect {
			j.Add("/data/coverage/basis", "does not agree with insured_type; a direct insured person is covered in their own right, an indirect one through another")
		}
	}
	for _, rate := range []struct {
		at string
		p  *wire.Percent
	}{{"rate_general", c.RateGeneral}, {"rate_hospital", c.RateHosp}, {"special_rate", c.RateSpecial}} {
		if rate.p != nil && (*rate.p < 0 || *rate.p > allOf) {
			j.Add("/data/coverage/"+rate.at, "must be between 0.00 and 100.00")
		}
	}

	switch {
	case indirect && d.HolderDirect == nil:
		j.Add("/data/holder_direct", "is missing; give the direct insured person through whom this indirect one is covered")
	case direct && d.HolderDirect != nil:
		j.Add("/data/holder_direct", "must be left out where insured_type is direct")
	case d.HolderDirect != nil:
		nameRules(d.HolderDirect.FullName, "/data/holder_direct/full_name", j)
		if d.HolderDirect.CASSNumber != "" && d.HolderDirect.CASSNumber == h.CASSNumber {
			j.Add("/data/holder_direct/cass_number", "must be another person than the holder")
		}
	}

	if len(d.Dependants) > 0 {
		switch {
		case indirect:
			j.Add("/data/dependants", "must be left out where insured_type is indirect; nobody is covered through an indirect insured person")
		case !c.Active && j.readable("/data/coverage/active"):
			j.Add("/data/dependants", "must be left out where active is false; their cover ended with the holder's")
		}
	}
	seen := map[string]bool{h.CASSNumber: true}
	couple := false
	for i, p := range d.Dependants {
		at := wire.Pointer("data", "dependants", i)
		nameRules(p.FullName, at+"/full_name", j)
		birthRules(p.BirthDate, r.DataAsOf, today, at+"/birth_date", j)
		periodRules(p.Since, p.Until, p.BirthDate, at, j)
		if !r.DataAsOf.IsZero() {
			if p.Since.After(r.DataAsOf) {
				j.Add(at+"/since", "must not be after data_as_of; list who is covered on that day")
			}
			if p.Until != nil && p.Until.Before(r.DataAsOf) {
				j.Add(at+"/until", "must not be before data_as_of; list who is covered on that day")
			}
		}
		if p.CASSNumber != "" && seen[p.CASSNumber] {
			j.Add(at+"/cass_number", "must be another person than the holder and the dependants before; list each once")
		}
		seen[p.CASSNumber] = true
		if p.Relationship == "spouse" || p.Relationship == "partner" {
			if couple {
				j.Add(at+"/relationship", "must not be a second spouse or partner")
			}
			couple = true
		}
	}
}

// periodRules judges a period of cover by itself.
func periodRules(since wire.Date, until *wire.Date, born wire.Date, at string, j *judgement) {
	if !since.IsZero() && since.Before(born) {
		j.Add(at+"/since", "must not be before the date of birth")
	}
	if until != nil && until.Before(since) {
		j.Add(at+"/until", "must not be before since")
	}
}

func coverageValidity(r *Request, issued wire.Date) (wire.Date, bool) {
	until := issued.AddMonths(coverageMonths)
	if c := r.Data.(*CoverageCertificate).Coverage; c.Active && c.Until != nil && c.Until.Before(until) {
		until = *c.Until
	}
	return until, true
}

func composeCoverage(r *Request, is Issue, w *words) page {
	d := r.Data.(*CoverageCertificate)
	asOf := w.LongDate(r.DataAsOf)
	p := page{titleKey: "coverage_certificate.title"}
	lead, states, whether := "coverage_certificate.lead", "coverage_certificate.states", "coverage_certificate.covered"
	if !d.Coverage.Active {
		p.titleKey = "coverage_certificate.title_ended"
		lead, whether = "coverage_certificate.lead_ended", "coverage_certificate.not_covered"
	}
	p.blocks = []layout.Block{
		layout.Lead{Text: w.say(lead)},
		layout.Text{Spans: []layout.Span{
			{Text: w.say("certifies", "Issuer", is.SealedBy), Strong: true},
			{Text: " " + w.say(states, "Date", asOf) + " "},
			{Text: w.say(whether), Strong: true},
		}},
		layout.Heading{Text: w.say("holder.heading")},
		holderFields(r, w),
		layout.Heading{Text: w.say("coverage_certificate.coverage")},
		coverageFields(r, d, w),
	}
	if !d.Coverage.Active {
		p.blocks = append(p.blocks, layout.Notice{Spans: []layout.Span{
			{Text: w.say("coverage_certificate.ended", "Until", w.LongDate(*d.Coverage.Until)), Strong: true},
			{Text: " " + w.say("coverage_certificate.ended_means", "Date", asOf)},
		}})
	} else if r.Holder.InsuredType == "direct" {
		p.blocks = append(p.blocks, layout.Heading{Text: w.say("coverage_certificate.dependants")})
		p.blocks = append(p.blocks, dependants(d.Dependants, w)...)
	}

	until, _ := r.ValidUntil(is.IssuedAt)
	note := layout.Note{Text: w.say("valid_until", "Date", w.ShortDate(until)) + " " + w.say("coverage_certificate.legal_basis")}
	p.blocks = append(p.blocks, append(layout.Together{note}, closing(is, w)...))
	return p
}

// holderFields are the person's data, as every certificate that states a situation shows them.
func holderFields(r *Request, w *words) layout.Fields {
	h := &r.Holder
	identity := identityFields(r, w)
	situation := layout.Fields{
		{Label: w.say("holder.insured_type"), Value: w.term("insured_type", h.InsuredType)},
		{Label: w.say("holder.situation"), Value: w.term("situation", h.Situation)},
	}
	if len(h.Address) == 0 {
		return append(identity, situation...)
	}
	return slices.Insert(identity, len(identity)-1, situation...) // the address stays last
}

// identityFields say who a person is, and nothing of how the person is insured.
func identityFields(r *Request, w *words) layout.Fields {
	h := &r.Holder
	fs := layout.Fields{
		{Label: w.say("holder.full_name"), Value: h.FullName, Wide: true, Strong: true},
		{Label: w.say("holder.cass_number"), Value: h.CASSNumber},
		{Label: w.say("holder.birth_date"), Value: w.ShortDate(h.BirthDate)},
	}
	if id := h.IDDocument; id != nil {
		fs = append(fs, layout.Field{Label: w.term("id_document", id.Type), Value: id.Number + nbsp + "(" + id.Country + ")"})
	}
	if h.NIA != "" {
		fs = append(fs, layout.Field{Label: w.say("holder.nia"), Value: h.NIA})
	}
	if h.NRT != "" {
		fs = append(fs, layout.Field{Label: w.say("holder.nrt"), Value: h.NRT})
	}
	if len(h.Address) > 0 {
		fs = append(fs, layout.Field{Label: w.say("holder.address"), Value: strings.Join(h.Address, "\n"), Wide: true})
	}
	return fs
}

func coverageFields(r *Request, d *CoverageCertificate, w *words) layout.Fields {
	c := &d.Coverage
	state := "coverage_certificate.in_force"
	if !c.Active {
		state = "coverage_certificate.not_in_force"
	}
	fs := layout.Fields{
		{Label: w.say("coverage_certificate.state"), Value: w.say(state, "Date", w.ShortDate(r.DataAsOf)), Strong: true},
		{Label: w.say("since"), Value: w.ShortDate(c.Since)},
	}
	add := func(label, value string) { fs = append(fs, layout.Field{Label: w.say(label), Value: value}) }
	wide := func(label, value string) {
		fs = append(fs, layout.Field{Label: w.say(label), Value: value, Wide: true})
	}
	if c.Until != nil {
		add("until", w.ShortDate(*c.Until))
	}
	if c.Basis != "" && c.Basis != r.Holder.Situation {
		add("coverage_certificate.basis", w.term("situation", c.Basis))
	}
	if c.RateGeneral != nil {
		add("coverage_certificate.rate_general", w.Percent(*c.RateGeneral))
	}
	if c.RateHosp != nil {
		add("coverage_certificate.rate_hospital", w.Percent(*c.RateHosp))
	}
	if c.RateSpecial != nil {
		add("coverage_certificate.special_rate", w.Percent(*c.RateSpecial))
	}
	if a := d.ReferringDoctorAssigned; a != nil {
		answer := "no"
		if *a {
			answer = "yes"
		}
		add("coverage_certificate.referring_doctor", w.say(answer))
	}
	if p := d.HolderDirect; p != nil {
		wide("coverage_certificate.holder_direct", p.FullName+" ("+w.say("cass_number_of", "Number", p.CASSNumber)+")")
	}
	if len(c.Scope) > 0 {
		terms := make([]string, len(c.Scope))
		for i, s := range c.Scope {
			terms[i] = w.term("scope", s)
		}
		wide("coverage_certificate.scope", strings.Join(terms, ", "))
	}
	if d.Purpose != "" {
		wide("coverage_certificate.purpose", d.Purpose)
	}
	return fs
}

// dependants lists who is covered through the holder, or says that nobody is.
func dependants(list []Dependant, w *words) []layout.Block {
	if len(list) == 0 {
		return []layout.Block{layout.Paragraph(w.say("coverage_certificate.no_dependants"))}
	}
	ends := slices.ContainsFunc(list, func(p Dependant) bool { return p.Until != nil })
	t := layout.Table{Columns: []layout.Column{
		{Head: w.say("dependant.full_name"), Share: 36},
		{Head: w.say("holder.cass_number"), Share: 14},
		{Head: w.say("dependant.birth_date"), Share: 14},
		{Head: w.say("dependant.relationship"), Share: 18},
		{Head: w.say("since"), Share: 12},
	}}
	if ends {
		t.Columns = append(t.Columns, layout.Column{Head: w.say("until"), Share: 12})
	}
	for _, p := range list {
		row := []string{p.FullName, p.CASSNumber, w.ShortDate(p.BirthDate), w.term("relationship", p.Relationship), w.ShortDate(p.Since)}
		if ends {
			until := "–"
			if p.Until != nil {
				until = w.ShortDate(*p.Until)
			}
			row = append(row, until)
		}
		t.Rows = append(t.Rows, row)
	}
	return []layout.Block{layout.Paragraph(w.count("coverage_certificate.dependants_count", len(list))), t}
}
