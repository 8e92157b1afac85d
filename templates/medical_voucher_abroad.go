package templates

import (
	"reflect"
	"strconv"

	"segell/layout"
	"segell/wire"
)

// MedicalVoucher is the data of a volant mèdic a l'estranger: that CASS
// authorises a medical act at a contracted provider in Catalonia or France, and
// how it is paid for. The holder is the patient.
//
// It is health data: it names the act, for the provider must know it, and never a
// diagnosis. The rates inside and outside the preferred path are data; a voucher
// outside it says so where nobody can miss it. Legal basis: Llei 17/2008, arts.
// 132 to 135. Validity: the days of the act, within those of the derivation, which
// lasts 12 months and 12 visits at most.
type MedicalVoucher struct {
	VoucherNumber     string          `json:"voucher_number" pattern:"^[A-Z0-9-]{1,20}$" patternDescription:"1 to 20 capital letters, digits and hyphens" doc:"Number of the voucher" example:"2026-VM-004321"`
	Insured           *HolderDirect   `json:"insured,omitempty" doc:"The direct insured person of an indirect patient; only and always for indirect ones"`
	Referrer          *Referrer       `json:"referrer,omitempty" doc:"The doctor who refers the patient; given with the derivation"`
	Derivation        *Derivation     `json:"derivation,omitempty" doc:"The referral (derivació); absent where without_derivation says why"`
	WithoutDerivation string          `json:"without_derivation,omitempty" term:"medical_voucher_abroad.without_derivation" enum:"emergency,student_abroad" doc:"Why there is no derivation: an emergency, or a student abroad who is an indirect insured person" example:"emergency"`
	Provider          VoucherProvider `json:"provider" doc:"The contracted centre or doctor"`
	ActType           string          `json:"act_type" term:"medical_voucher_abroad.act_type" enum:"visit,test,day_hospital,stay,surgery,rehabilitation" doc:"Type of act" example:"visit"`
	ActDescription    string          `json:"act_description" minLength:"1" maxLength:"200" doc:"The act that is asked for; no diagnosis" example:"Consulta de neurologia"`
	ActDate           wire.Date       `json:"act_date" doc:"Day of the act, or its first" example:"2026-03-18"`
	PlannedDays       int             `json:"planned_days,omitempty" minimum:"1" maximum:"365" doc:"Days that the act is planned to take, the first included; absent for one" example:"1"`
	PreferredPath     bool            `json:"preferred_path" doc:"Whether the act follows the preferred path (via preferent)" example:"true"`
	Rate              wire.Percent    `json:"rate" doc:"Rate of reimbursement that applies, of the responsibility tariff" example:"75.00"`
	ThirdPartyPayer   bool            `json:"third_party_payer" doc:"Whether CASS pays the provider itself" example:"true"`
	EscortAllowed     bool            `json:"escort_allowed" doc:"Whether an escort is authorised" example:"false"`
	TaxiAllowed       bool            `json:"taxi_allowed" doc:"Whether an individual taxi is authorised" example:"false"`
	LodgingNights     int             `json:"lodging_nights" minimum:"0" maximum:"365" doc:"Nights of lodging that are authorised" example:"0"`
	AuthorisedBy      string          `json:"authorised_by" minLength:"1" maxLength:"100" doc:"Who authorised it: an area of CASS, not a person's name" example:"Àrea de Control Sanitari"`
}

// Referrer is a doctor who refers a patient.
type Referrer struct {
	Name      string `json:"name" minLength:"1" maxLength:"120" doc:"Surnames and given name" example:"Vila Serra, Anna"`
	Licence   string `json:"licence" pattern:"^[A-Z0-9-]{1,20}$" patternDescription:"1 to 20 capital letters, digits and hyphens" doc:"Number of the professional (número de col·legiat)" example:"0000"`
	Specialty string `json:"specialty,omitempty" maxLength:"80" doc:"Specialty" example:"Medicina general"`
}

// Derivation is a referral. It lasts 12 months and 12 visits at most.
type Derivation struct {
	Date       wire.Date `json:"date" doc:"Day of the derivation" example:"2026-01-20"`
	ValidTo    wire.Date `json:"valid_to" doc:"Last day on which it holds" example:"2027-01-20"`
	VisitsUsed int       `json:"visits_used" minimum:"1" maximum:"12" doc:"Which visit this is: those before and this one" example:"2"`
	VisitsOf   int       `json:"visits_of" minimum:"1" maximum:"12" doc:"Visits for which it holds" example:"12"`
}

// VoucherProvider is a contracted centre or doctor abroad.
type VoucherProvider struct {
	Name    string `json:"name" minLength:"1" maxLength:"120" doc:"Name" example:"CHU de Toulouse"`
	City    string `json:"city" minLength:"1" maxLength:"80" doc:"Town" example:"Toulouse"`
	Country string `json:"country" enum:"ES,FR" doc:"Country; it decides the second language of a bilingual voucher" example:"FR"`
	Group   string `json:"group" term:"medical_voucher_abroad.group" enum:"assistencia_sanitaria,chu_toulouse,other" doc:"Agreement through which the provider is contracted" example:"chu_toulouse"`
}

var medicalVoucherAbroad = &Kind{
	ID:         "medical_voucher_abroad",
	Code:       "VOL",
	Languages:  []string{"ca", "ca-es", "ca-fr"},
	body:       reflect.TypeFor[Body[MedicalVoucher]](),
	decode:     decoder(voucherRules),
	validUntil: voucherValidity,
	compose:    composeVoucher,
}

// derivationMonths is how long a derivation holds at most, with as many visits.
const derivationMonths = 12

// voucherLanguages are those in which a provider of a country is written to.
var voucherLanguages = map[string]string{"ES": "ca-es", "FR": "ca-fr"}

// voucherGroups are the countries of the groups of providers.
var voucherGroups = map[string]string{"assistencia_sanitaria": "ES", "chu_toulouse": "FR"}

func voucherRules(r *Request, d *MedicalVoucher, _ wire.Date, j *judgement) {
	h, p := &r.Holder, &d.Provider
	if want := voucherLanguages[p.Country]; want != "" && (r.Language == "ca-es" || r.Language == "ca-fr") && r.Language != want {
		j.Addf("/language", "must be ca or %s: the provider reads the second language", want)
	}
	if in := voucherGroups[p.Group]; in != "" && p.Country != "" && in != p.Country {
		j.Addf("/data/provider/group", "is a group of providers in %s, and the country is another", in)
	}
	nameRules(p.Name, "/data/provider/name", j)
	nameRules(p.City, "/data/provider/city", j)
	nameRules(d.ActDescription, "/data/act_description", j)
	nameRules(d.AuthorisedBy, "/data/authorised_by", j)
	if h.Situation == "none" {
		j.Add("/holder/situation", "must be the situation that gives the cover; without affiliation there is no voucher")
	}
	switch indirect := h.InsuredType == "indirect"; {
	case indirect && d.Insured == nil:
		j.Add("/data/insured", "is missing; give the direct insured person through whom this patient is covered")
	case h.InsuredType == "direct" && d.Insured != nil:
		j.Add("/data/insured", "must be left out where insured_type is direct")
	case d.Insured != nil:
		nameRules(d.Insured.FullName, "/data/insured/full_name", j)
		if d.Insured.CASSNumber != "" && d.Insured.CASSNumber == h.CASSNumber {
			j.Add("/data/insured/cass_number", "must be another person than the patient")
		}
	}
	if d.Rate <= 0 || d.Rate > allOf {
		j.Add("/data/rate", "must be more than 0.00 and at most 100.00")
	}
	if !d.ActDate.IsZero() && d.ActDate.Before(h.BirthDate) {
		j.Add("/data/act_date", "must not be before the patient's date of birth")
	}
	derivationRules(r, d, j)
}

func derivationRules(r *Request, d *MedicalVoucher, j *judgement) {
	v, h := d.Derivation, &r.Holder
	switch {
	case v == nil && d.WithoutDerivation == "":
		j.Add("/data/derivation", "is missing; a voucher follows a derivation, unless without_derivation says why there is none")
	case v != nil && d.WithoutDerivation != "":
		j.Add("/data/without_derivation", "must be left out where there is a derivation")
	case d.WithoutDerivation == "student_abroad" && h.InsuredType != "" && h.Situation != "" && (h.InsuredType != "indirect" || h.Situation != "student"):
		j.Add("/data/without_derivation", "must not be student_abroad unless the patient is a student who is an indirect insured person")
	}
	switch {
	case d.Referrer == nil && v != nil:
		j.Add("/data/referrer", "is missing; name the doctor who made the derivation")
	case d.Referrer != nil && v == nil && d.WithoutDerivation != "":
		j.Add("/data/referrer", "must be left out where there is no derivation")
	case d.Referrer != nil:
		nameRules(d.Referrer.Name, "/data/referrer/name", j)
		nameRules(d.Referrer.Specialty, "/data/referrer/specialty", j)
	}
	if v == nil {
		return
	}
	if v.VisitsUsed > v.VisitsOf && v.VisitsOf > 0 {
		j.Add("/data/derivation/visits_used", "must not be more than visits_of; a further visit needs a new derivation")
	}
	if v.Date.IsZero() {
		return
	}
	if !r.DataAsOf.IsZero() && v.Date.After(r.DataAsOf) {
		j.Add("/data/derivation/date", "must not be after data_as_of")
	}
	switch {
	case v.ValidTo.IsZero():
	case v.ValidTo.Before(v.Date):
		j.Add("/data/derivation/valid_to", "must not be before the date of the derivation")
	case v.ValidTo.After(v.Date.AddMonths(derivationMonths)):
		j.Addf("/data/derivation/valid_to", "must not be more than %d months after the date of the derivation", derivationMonths)
	case d.ActDate.After(v.ValidTo):
		j.Add("/data/act_date", "must not be after the last day of the derivation; a later act needs a new one")
	}
	if !d.ActDate.IsZero() && d.ActDate.Before(v.Date) {
		j.Add("/data/act_date", "must not be before the date of the derivation")
	}
}

func voucherValidity(r *Request, _ wire.Date) (wire.Date, bool) {
	d := r.Data.(*MedicalVoucher)
	until := d.ActDate.AddDays(max(d.PlannedDays, 1) - 1)
	if v := d.Derivation; v != nil && v.ValidTo.Before(until) {
		until = v.ValidTo
	}
	return until, true
}

func composeVoucher(r *Request, is Issue, w *words) page {
	d := r.Data.(*MedicalVoucher)
	p := page{titleKey: "medical_voucher_abroad.title", blocks: eachLanguage(w, lead, "medical_voucher_abroad.lead")}
	if !d.PreferredPath {
		p.blocks = append(p.blocks, outsidePath(d, w))
	}
	p.blocks = append(p.blocks, voucherAct(d, w), voucherPatient(r, d, w), voucherProvider(&d.Provider, w), voucherDerivation(d, w), voucherPayment(d, w))
	explained := append(instructions(w, voucherInstructions(d)...), eachLanguage(w, note, "medical_voucher_abroad.legal_basis")...)
	end := layout.Together{sealBox(is, w)}
	if len(w.tongues) > 1 { // front and back of a sheet, as the travel form
		p.blocks = append(p.blocks, end, layout.NewPage{})
		p.blocks = append(p.blocks, explained...)
	} else {
		p.blocks = append(append(p.blocks, explained...), end)
	}
	return p
}

// outsidePath is loud: outside the preferred path the patient pays much more.
func outsidePath(d *MedicalVoucher, w *words) layout.Block {
	var n layout.Notice
	means := w.voices("medical_voucher_abroad.outside_means", "Rate", w.Percent(d.Rate))
	for i, what := range w.voices("medical_voucher_abroad.outside") {
		if i > 0 {
			n.Spans = append(n.Spans, layout.Span{Text: "\n"})
		}
		n.Spans = append(n.Spans, layout.Span{Text: what, Strong: true}, layout.Span{Text: " " + means[i]})
	}
	return n
}

func voucherAct(d *MedicalVoucher, w *words) layout.Form {
	row := []layout.Box{
		strong(box(w, 4, "medical_voucher_abroad.number", d.VoucherNumber)),
		box(w, 4, "medical_voucher_abroad.act_type", w.term("medical_voucher_abroad.act_type", d.ActType)),
		strong(box(w, 3, "medical_voucher_abroad.act_date", w.ShortDate(d.ActDate))),
	}
	if d.PlannedDays > 1 {
		row = append(row, box(w, 2, "medical_voucher_abroad.planned_days", w.Count(d.PlannedDays)))
	}
	return layout.Form{row, {box(w, 12, "medical_voucher_abroad.act", d.ActDescription)}}
}

// voucherPatient leaves the address out: the provider has no need of it.
func voucherPatient(r *Request, d *MedicalVoucher, w *words) layout.Form {
	f := formPerson(&r.Holder, w, "medical_voucher_abroad.patient")
	if p := d.Insured; p != nil {
		f = append(f, []layout.Box{
			box(w, 8, "medical_voucher_abroad.insured", p.FullName),
			box(w, 4, "holder.cass_number", p.CASSNumber),
		})
	}
	return f
}

func voucherProvider(p *VoucherProvider, w *words) layout.Form {
	row := []layout.Box{
		strong(box(w, 7, "medical_voucher_abroad.provider", p.Name)),
		box(w, 3, "medical_voucher_abroad.city", p.City+nbsp+"("+p.Country+")"),
	}
	if p.Group != "other" {
		row = append(row, box(w, 3.2, "medical_voucher_abroad.group", w.term("medical_voucher_abroad.group", p.Group)))
	}
	return layout.Form{row}
}

func voucherDerivation(d *MedicalVoucher, w *words) layout.Form {
	v := d.Derivation
	if v == nil {
		return layout.Form{{box(w, 12, "medical_voucher_abroad.derivation", w.term("medical_voucher_abroad.without_derivation", d.WithoutDerivation))}}
	}
	doctor := d.Referrer.Name
	if d.Referrer.Specialty != "" {
		doctor += " (" + d.Referrer.Specialty + ")"
	}
	return layout.Form{{
		box(w, 8, "medical_voucher_abroad.referrer", doctor),
		box(w, 4, "medical_voucher_abroad.licence", d.Referrer.Licence),
	}, {
		box(w, 3, "medical_voucher_abroad.derivation", w.ShortDate(v.Date)),
		box(w, 5, "medical_voucher_abroad.derivation_until", w.ShortDate(v.ValidTo)),
		box(w, 4.6, "medical_voucher_abroad.visit", strconv.Itoa(v.VisitsUsed)+" / "+strconv.Itoa(v.VisitsOf)),
	}}
}

func voucherPayment(d *MedicalVoucher, w *words) layout.Form {
	answer := func(yes bool) string {
		if yes {
			return w.say("yes")
		}
		return w.say("no")
	}
	return layout.Form{{
		strong(box(w, 4, "medical_voucher_abroad.preferred_path", answer(d.PreferredPath))),
		strong(box(w, 4, "medical_voucher_abroad.rate", w.Percent(d.Rate))),
		box(w, 4, "medical_voucher_abroad.third_party_payer", answer(d.ThirdPartyPayer)),
	}, {
		box(w, 3, "medical_voucher_abroad.escort", answer(d.EscortAllowed)),
		box(w, 3, "medical_voucher_abroad.taxi", answer(d.TaxiAllowed)),
		box(w, 3.7, "medical_voucher_abroad.lodging", w.Count(d.LodgingNights)),
		box(w, 4, "medical_voucher_abroad.authorised_by", d.AuthorisedBy),
	}}
}

// voucherInstructions are the keys of what patient and provider have to know, in order.
func voucherInstructions(d *MedicalVoucher) []string {
	pays := "medical_voucher_abroad.patient_pays"
	if d.ThirdPartyPayer {
		pays = "medical_voucher_abroad.cass_pays"
	}
	keys := []string{"medical_voucher_abroad.present", pays, "medical_voucher_abroad.tariff"}
	if d.Derivation != nil {
		keys = append(keys, "medical_voucher_abroad.derivation_lasts")
	}
	return append(keys, "medical_voucher_abroad.expenses", "medical_voucher_abroad.check")
}
