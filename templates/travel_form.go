package templates

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"segell/layout"
	"segell/wire"
)

// TravelForm is the data of a formulari de desplaçament: who has a right to care
// of immediate need during a stay in Spain, France or Portugal.
//
// The document is bilingual, Catalan and the language of the country: the
// institution that receives it reads its own language. The boxes of the official
// forms are agreed between the institutions of both countries, and are not drawn
// after memory: the page holds the data of the form and says which form it is.
//
// Legal basis: the convention with the country and its administrative agreement
// (see treatyForms). Validity: the stay, which may be issued for after it began:
// a hospital may ask for the form when the person is already there.
type TravelForm struct {
	Country              string         `json:"country" term:"travel_form.country" enum:"ES,FR,PT" doc:"Country of the stay; it decides the form and the second language" example:"FR"`
	StayFrom             wire.Date      `json:"stay_from" doc:"First day of the stay" example:"2026-07-01"`
	StayTo               wire.Date      `json:"stay_to" doc:"Last day of the stay; it counts" example:"2026-07-28"`
	DaysUsedThisYear     int            `json:"days_used_this_year" minimum:"0" maximum:"366" doc:"Days of earlier forms in the calendar year of stay_from, without this stay" example:"41"`
	DaysUsedNextYear     *int           `json:"days_used_next_year,omitempty" minimum:"0" maximum:"366" doc:"Days of forms issued already for the year after; needed where the stay goes on into it, and only there" example:"0"`
	RemainingCoverDays   int            `json:"remaining_cover_days" enum:"60,90,120" doc:"Days for which the holder's cover lasts without further contributions (període de carència)" example:"90"`
	CompetentInstitution Institution    `json:"competent_institution" doc:"Who bears the cost of the care"`
	HolderCondition      string         `json:"holder_condition" term:"travel_form.condition" enum:"worker,self_employed,pensioner,student" doc:"Condition of the holder, as the form asks for it" example:"pensioner"`
	PlannedVisitsAllowed bool           `json:"planned_visits_allowed" doc:"Whether planned visits are included: only in France, for pensioners and students" example:"true"`
	Persons              []TravelPerson `json:"persons" minItems:"1" maxItems:"20" doc:"Who travels and has the right: the holder, if the holder does, and those insured through the holder"`
}

// Institution is a social security institution as a form names it.
type Institution struct {
	Name    string   `json:"name" minLength:"1" maxLength:"120" doc:"Name" example:"Caixa Andorrana de Seguretat Social"`
	Address []string `json:"address" minItems:"1" maxItems:"5" doc:"Postal address, one item per line of at most 60 characters" example:"[\"C/ Joan Maragall, 3\",\"AD500 Andorra la Vella\"]"`
	Code    string   `json:"code,omitempty" minLength:"1" maxLength:"20" doc:"Code of the institution, if it has one" example:"AND-1"`
}

// TravelPerson is a person with the right to care during the stay.
type TravelPerson struct {
	FullName     string     `json:"full_name" minLength:"1" maxLength:"120" doc:"Surnames and given name" example:"Ferrer Puig, Arnau"`
	CASSNumber   string     `json:"cass_number" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"a CASS number: six digits and a capital letter, without separators" doc:"CASS number" example:"000001B"`
	BirthDate    wire.Date  `json:"birth_date" doc:"Date of birth" example:"2015-05-04"`
	Relationship string     `json:"relationship" term:"relationship" enum:"holder,spouse,partner,child,student,job_seeker,dependent,ward" doc:"Relationship to the holder (Llei 17/2008, art. 13), or holder for the holder" example:"child"`
	Since        wire.Date  `json:"since" doc:"First day of the person's cover" example:"2015-05-04"`
	Until        *wire.Date `json:"until,omitempty" doc:"Last day of that cover, if it is known; it must reach the end of the stay" example:"2033-05-03"`
}

var travelForm = &Kind{
	ID:         "travel_form",
	Code:       "DES",
	Languages:  []string{"ca-es", "ca-fr", "ca-pt"},
	body:       reflect.TypeFor[Body[TravelForm]](),
	decode:     decoder(travelRules),
	validUntil: func(r *Request, _ wire.Date) (wire.Date, bool) { return r.Data.(*TravelForm).StayTo, true },
	compose:    composeTravel,
}

// treatyForm is the form of a country: its name in the convention and its languages.
type treatyForm struct {
	code, language   string
	title, lead, law string // keys of its words
	plannedVisits    bool   // may be included for pensioners and students
}

var treatyForms = map[string]treatyForm{
	"ES": {code: "E/AND-11", language: "ca-es", title: "travel_form.title_es", lead: "travel_form.lead_es", law: "travel_form.law_es"},
	"FR": {code: "SE" + nbsp + "130-04", language: "ca-fr", title: "travel_form.title_fr", lead: "travel_form.lead_fr", law: "travel_form.law_fr", plannedVisits: true},
	"PT": {code: "P/AND-3", language: "ca-pt", title: "travel_form.title_pt", lead: "travel_form.lead_pt", law: "travel_form.law_pt"},
}

// coverDays are the periods for which a cover can last (períodes de carència).
var coverDays = []int{60, 90, 120}

// travelDaysAYear is how long a person may stay abroad with forms in a calendar
// year; who stays longer has to change address.
const travelDaysAYear = 180

// yearDays are the days of a stay in one calendar year.
type yearDays struct{ year, days, used int }

// years divides the stay by calendar year. A stay is shorter than a year, so it has one or two.
func (d *TravelForm) years() []yearDays {
	newYear, _ := wire.NewDate(d.StayFrom.Year()+1, 1, 1)
	if d.StayTo.Before(newYear) {
		return []yearDays{{d.StayFrom.Year(), d.days(), d.DaysUsedThisYear}}
	}
	ys := []yearDays{{d.StayFrom.Year(), newYear.DaysSince(d.StayFrom), d.DaysUsedThisYear}, {newYear.Year(), d.StayTo.DaysSince(newYear) + 1, 0}}
	if d.DaysUsedNextYear != nil {
		ys[1].used = *d.DaysUsedNextYear
	}
	return ys
}

// days is the length of the stay, both ends included.
func (d *TravelForm) days() int { return d.StayTo.DaysSince(d.StayFrom) + 1 }

func travelRules(r *Request, d *TravelForm, today wire.Date, j *judgement) {
	form, known := treatyForms[d.Country]
	if known && slices.Contains(r.kind.Languages, r.Language) && r.Language != form.language {
		j.Addf("/language", "must be %q for a stay in this country: the form is bilingual, Catalan and the language of who receives it", form.language)
	}
	if !slices.Contains(coverDays, d.RemainingCoverDays) {
		j.Add("/data/remaining_cover_days", "must be 60, 90 or 120")
	}
	stayRules(d, j)
	if d.PlannedVisitsAllowed {
		switch {
		case known && !form.plannedVisits:
			j.Add("/data/planned_visits_allowed", "must be false outside France; the form covers care of immediate need only")
		case d.HolderCondition != "" && d.HolderCondition != "pensioner" && d.HolderCondition != "student":
			j.Add("/data/planned_visits_allowed", "must be false unless holder_condition is pensioner or student")
		}
	}
	travelHolderRules(&r.Holder, d, j)
	nameRules(d.CompetentInstitution.Name, "/data/competent_institution/name", j)
	addressRules(d.CompetentInstitution.Address, "/data/competent_institution/address", j)
	travelPersonRules(r, d, today, j)
}

// stayRules judges how long the stay is: by itself, by what is left of the cover, by calendar year.
func stayRules(d *TravelForm, j *judgement) {
	if d.StayFrom.IsZero() || d.StayTo.IsZero() {
		return
	}
	if d.StayTo.Before(d.StayFrom) {
		j.Add("/data/stay_to", "must not be before stay_from")
		return
	}
	if over := d.days() - d.RemainingCoverDays; slices.Contains(coverDays, d.RemainingCoverDays) && over > 0 {
		j.Addf("/data/stay_to", "makes the stay %s longer than remaining_cover_days; both ends count", dayCount(over))
	}
	if d.StayTo.Year() > d.StayFrom.Year()+1 {
		return // longer than any cover: that was said
	}
	ys := d.years()
	switch {
	case len(ys) > 1 && d.DaysUsedNextYear == nil:
		j.Add("/data/days_used_next_year", "is missing; the stay goes on into another year, so give the days of forms issued already for that year, 0 if there are none")
	case len(ys) == 1 && d.DaysUsedNextYear != nil:
		j.Add("/data/days_used_next_year", "must be left out where the stay ends in the year in which it begins")
	}
	for i, y := range ys {
		field := []string{"days_used_this_year", "days_used_next_year"}[i]
		if over := y.used + y.days - travelDaysAYear; over > 0 && j.readable("/data/"+field) {
			j.Addf("/data/stay_to", "makes the days of the calendar year, with %s, %s more than the %d that forms may cover; a longer stay needs a change of address", field, strconv.Itoa(over), travelDaysAYear)
		}
	}
}

func dayCount(n int) string {
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}

// travelConditions are the situations in the register that are meant by a
// condition on the form. A worker is whoever else is insured in their own right.
var travelConditions = map[string][]string{
	"pensioner":     {"pensioner"},
	"student":       {"student", "student_25_30"},
	"self_employed": {"self_employed", "young_self_employed"},
}

func travelHolderRules(h *Holder, d *TravelForm, j *judgement) {
	if h.Situation == "none" {
		j.Add("/holder/situation", "must be the situation that gives the cover; without affiliation there is no form")
		return
	}
	if h.InsuredType == "indirect" && h.Situation != "student" {
		j.Add("/holder/insured_type", "must be direct: the form is in the name of the direct insured person, and those insured through them are listed in persons; only a student has one of their own")
	}
	if d.HolderCondition == "" || h.Situation == "" {
		return
	}
	agrees := slices.Contains(travelConditions[d.HolderCondition], h.Situation)
	if d.HolderCondition == "worker" {
		agrees = !slices.Contains(slices.Concat(travelConditions["pensioner"], travelConditions["student"], travelConditions["self_employed"]), h.Situation)
	}
	if !agrees {
		j.Add("/data/holder_condition", "does not agree with the holder's situation")
	}
}

func travelPersonRules(r *Request, d *TravelForm, today wire.Date, j *judgement) {
	h := &r.Holder
	seen := map[string]bool{}
	holder, couple := false, false
	for i, p := range d.Persons {
		at := wire.Pointer("data", "persons", i)
		nameRules(p.FullName, at+"/full_name", j)
		birthRules(p.BirthDate, r.DataAsOf, today, at+"/birth_date", j)
		periodRules(p.Since, p.Until, p.BirthDate, at, j)
		if !d.StayFrom.IsZero() && p.Since.After(d.StayFrom) {
			j.Add(at+"/since", "must not be after stay_from; everyone on the form is insured on the first day of the stay")
		}
		if p.Until != nil && p.Until.Before(d.StayTo) {
			j.Add(at+"/until", "must not be before stay_to; everyone on the form is insured on the last day of the stay")
		}
		if limit := indirectUntilAge[p.Relationship]; limit > 0 && !p.BirthDate.IsZero() && !d.StayTo.IsZero() && !d.StayTo.Before(birthday(p.BirthDate, limit)) {
			j.Addf(at+"/relationship", "ends on the day before the birthday number %d, which is before the stay ends; end the stay sooner, or give the relationship that lasts", limit)
		}
		switch {
		case p.CASSNumber == "":
		case seen[p.CASSNumber]:
			j.Add(at+"/cass_number", "must be another person than those before; list each once")
		case p.Relationship == "holder" && h.CASSNumber != "" && p.CASSNumber != h.CASSNumber:
			j.Add(at+"/cass_number", "must be the holder's number where relationship is holder")
		case p.Relationship != "holder" && p.Relationship != "" && p.CASSNumber == h.CASSNumber:
			j.Add(at+"/relationship", "must be holder, for the number is the holder's")
		}
		seen[p.CASSNumber] = true
		switch p.Relationship {
		case "holder":
			if holder {
				j.Add(at+"/relationship", "must not be a second holder")
			}
			holder = true
			if p.FullName != "" && h.FullName != "" && p.FullName != h.FullName {
				j.Add(at+"/full_name", "must be the holder's name where relationship is holder")
			}
			if !p.BirthDate.IsZero() && !h.BirthDate.IsZero() && p.BirthDate != h.BirthDate {
				j.Add(at+"/birth_date", "must be the holder's date of birth where relationship is holder")
			}
		case "spouse", "partner":
			if couple {
				j.Add(at+"/relationship", "must not be a second spouse or partner")
			}
			couple = true
		}
		if h.InsuredType == "indirect" && p.Relationship != "holder" && p.Relationship != "" {
			j.Add(at+"/relationship", "must be holder where insured_type is indirect; nobody is covered through an indirect insured person")
		}
	}
}

// frontPersons is how many persons a page has room for: then the form is the
// front of a sheet and the instructions its back, as on forms of the treaties. With
// more, the instructions follow where the list ends.
const frontPersons = 5

func composeTravel(r *Request, is Issue, w *words) page {
	d := r.Data.(*TravelForm)
	form := treatyForms[d.Country]
	p := page{titleKey: form.title}
	p.blocks = slices.Concat(
		eachLanguage(w, lead, form.lead, "Form", form.code),
		[]layout.Block{
			travelStay(d, form, w),
			travelHolder(&r.Holder, w),
			travelInstitution(&d.CompetentInstitution, w),
			heading(w, "travel_form.persons"),
			travelPersons(d.Persons, w),
			layout.Together(closing(is, w)),
		},
	)
	if len(d.Persons) <= frontPersons {
		p.blocks = append(p.blocks, layout.NewPage{})
	}
	p.blocks = append(p.blocks, instructions(w, travelInstructions(d)...)...)
	for _, y := range d.years() {
		p.blocks = append(p.blocks, eachLanguage(w, note, "travel_form.days_used", "Year", strconv.Itoa(y.year), "Days", y.used+y.days, "Most", travelDaysAYear)...)
	}
	p.blocks = append(p.blocks, eachLanguage(w, note, form.law)...)
	return p
}

func travelStay(d *TravelForm, form treatyForm, w *words) layout.Form {
	planned := "travel_form.not_included"
	if d.PlannedVisitsAllowed {
		planned = "travel_form.included"
	}
	return layout.Form{{
		strong(box(w, 5, "travel_form.stay_in", w.term("travel_form.country", d.Country))),
		strong(box(w, 3, "travel_form.stay_from", w.ShortDate(d.StayFrom))),
		strong(box(w, 3, "travel_form.stay_to", w.ShortDate(d.StayTo))),
		box(w, 1.6, "travel_form.days", w.Count(d.days())),
	}, {
		box(w, 2.5, "travel_form.form", form.code),
		box(w, 4.2, "travel_form.planned_visits", w.say(planned)),
		box(w, 5.3, "travel_form.holder_condition", w.term("travel_form.condition", d.HolderCondition)),
	}}
}

func travelHolder(h *Holder, w *words) layout.Form {
	f := formPerson(h, w, "holder.heading")
	if len(h.Address) > 0 {
		f = append(f, []layout.Box{box(w, 12, "holder.address", strings.Join(h.Address, ", "))})
	}
	return f
}

func travelInstitution(in *Institution, w *words) layout.Form {
	row := []layout.Box{
		box(w, 5, "travel_form.institution", in.Name),
		box(w, 5, "holder.address", strings.Join(in.Address, ", ")),
	}
	if in.Code != "" {
		row = append(row, box(w, 2, "travel_form.institution_code", in.Code))
	}
	return layout.Form{row}
}

func travelPersons(list []TravelPerson, w *words) layout.Table {
	t := layout.Table{Columns: []layout.Column{
		column(w, 44, "dependant.full_name"),
		column(w, 16, "holder.cass_number"),
		column(w, 16, "dependant.birth_date"),
		column(w, 24, "dependant.relationship"),
	}}
	for _, p := range list {
		t.Rows = append(t.Rows, []string{p.FullName, p.CASSNumber, w.ShortDate(p.BirthDate), w.term("relationship", p.Relationship)})
	}
	return t
}

// travelInstructions are the keys of what the reader has to know, in order.
func travelInstructions(d *TravelForm) []string {
	visits := "travel_form.visits_excluded"
	if d.PlannedVisitsAllowed {
		visits = "travel_form.visits_included"
	}
	return []string{"travel_form.present", "travel_form.immediate_need", visits, "travel_form.hospital", "travel_form.outpatient", "travel_form.end_of_cover", "travel_form.check"}
}
