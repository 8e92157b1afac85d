package templates

import (
	"reflect"

	"segell/layout"
	"segell/wire"
)

// StudentCertificate25To30 is the data of a certificat d'estudiant de 25 a 30
// anys: that a student, or an elite athlete, is in the special regime that pays a
// contribution of its own. The holder is the student.
//
// Legal basis: Llei 17/2008, art. 223 bis. Validity: until the school year ends,
// on 31 August, or the day before the 31st birthday if that is sooner. A debt
// makes the certificate not issuable. The base and the rate are data: both are
// set anew each year.
type StudentCertificate25To30 struct {
	RegimeSince  wire.Date         `json:"regime_since" doc:"First day in the special regime" example:"2025-10-01"`
	Category     string            `json:"category" term:"student_certificate_25_30.category" enum:"student,athlete" doc:"student, or athlete with a certificate of the State Secretariat for Sports" example:"student"`
	SchoolYear   string            `json:"school_year" pattern:"^[0-9]{4}/[0-9]{4}$" patternDescription:"a school year, two years joined by a stroke" doc:"School year, or season, that the proof is for" example:"2025/2026"`
	School       *School           `json:"school,omitempty" doc:"School; an athlete may have none"`
	Contribution Regime25To30Quota `json:"contribution" doc:"The contribution that the student pays"`
	Branch       string            `json:"branch" term:"student_certificate_25_30.branch" enum:"general" doc:"Branch of the contribution: the general one only, so it does not count for a pension" example:"general"`
}

// Regime25To30Quota is the contribution to the special regime: 10 % of 55 % of
// the minimum wage when the law was made (art. 223 bis), sent as it is in force.
type Regime25To30Quota struct {
	Base          wire.Money   `json:"base" doc:"Monthly base" example:"795.85"`
	Rate          wire.Percent `json:"rate" doc:"Rate of the contribution" example:"10.00"`
	Amount        wire.Money   `json:"amount" doc:"Monthly contribution: the rate of the base, half a cent and more rounded up" example:"79.59"`
	UpToDate      bool         `json:"up_to_date" doc:"Whether every contribution that is due was paid; if not, there is no certificate" example:"true"`
	LastPaidMonth *wire.Month  `json:"last_paid_month,omitempty" doc:"Last month that was paid; absent while none was due" example:"2026-02"`
}

var studentCertificate25To30 = &Kind{
	ID:         "student_certificate_25_30",
	Code:       "E30",
	Languages:  []string{"ca", "es", "fr", "pt", "en"},
	body:       reflect.TypeFor[Body[StudentCertificate25To30]](),
	decode:     decoder(regime25To30Rules),
	validUntil: regime25To30Validity,
	compose:    compose25To30,
}

// The regime is for persons of 25 to 30, both ages included.
const regimeAge, regimeEndAge = 25, 31

// regimeDueDay is the day of a month until which the contribution of the month before is paid.
const regimeDueDay = 15

func regime25To30Rules(r *Request, d *StudentCertificate25To30, today wire.Date, j *judgement) {
	h := &r.Holder
	schoolYearRules(d.SchoolYear, r.DataAsOf, "/data/school_year", j)
	if !h.BirthDate.IsZero() && !r.DataAsOf.IsZero() {
		switch {
		case r.DataAsOf.Before(birthday(h.BirthDate, regimeAge)):
			j.Addf("/holder/birth_date", "makes the student younger than %d on data_as_of; students of that age have student_certificate_under25", regimeAge)
		case !r.DataAsOf.Before(birthday(h.BirthDate, regimeEndAge)):
			j.Addf("/holder/birth_date", "makes the student %d on data_as_of, or older; the special regime ended the day before that birthday", regimeEndAge)
		}
	}
	if !d.RegimeSince.IsZero() {
		switch {
		case !h.BirthDate.IsZero() && d.RegimeSince.Before(birthday(h.BirthDate, regimeAge)):
			j.Addf("/data/regime_since", "must not be before the birthday number %d", regimeAge)
		case !r.DataAsOf.IsZero() && d.RegimeSince.After(r.DataAsOf):
			j.Add("/data/regime_since", "must not be after data_as_of; a regime that begins later is not in force yet")
		}
	}
	want := map[string]string{"student": "student_25_30", "athlete": "athlete_25_30"}[d.Category]
	switch {
	case h.InsuredType == "indirect":
		j.Add("/holder/insured_type", "must be direct; who is in this regime is insured in their own right and cannot be an indirect insured person")
	case want != "" && h.Situation != "" && h.Situation != want:
		j.Addf("/holder/situation", "must be %s where category is %s", want, d.Category)
	}
	switch {
	case d.School != nil:
		nameRules(d.School.Name, "/data/school/name", j)
	case d.Category == "student":
		j.Add("/data/school", "is missing; only an athlete may have none")
	}
	quotaRules(&d.Contribution, d.RegimeSince, r.DataAsOf, "/data/contribution", j)
}

func quotaRules(c *Regime25To30Quota, since, asOf wire.Date, at string, j *judgement) {
	if !c.UpToDate {
		j.Add(at+"/up_to_date", "must be true; with a debt there is no certificate until it is paid")
	}
	if c.Base <= 0 {
		j.Add(at+"/base", "must be more than 0.00")
	}
	if c.Rate <= 0 || c.Rate > allOf {
		j.Add(at+"/rate", "must be more than 0.00 and at most 100.00")
	}
	if amount, err := c.Rate.Of(c.Base); err == nil && amount != c.Amount && j.readable(at) {
		diff, _ := c.Amount.Sub(amount)
		j.Addf(at+"/amount", "is not the rate of the base, rounded to the cent: the difference is %s", diff)
	}
	if since.IsZero() || asOf.IsZero() {
		return
	}
	due := wire.MonthOf(asOf).AddMonths(-1)
	if asOf.Day() <= regimeDueDay {
		due = due.AddMonths(-1)
	}
	switch paid := c.LastPaidMonth; {
	case paid == nil:
		if !due.Before(wire.MonthOf(since)) {
			j.Addf(at+"/last_paid_month", "is missing; at least one month is due on data_as_of (a month is paid until the %dth of the next)", regimeDueDay)
		}
	case paid.Before(wire.MonthOf(since)):
		j.Add(at+"/last_paid_month", "must not be before the month of regime_since")
	case paid.After(wire.MonthOf(asOf)):
		j.Add(at+"/last_paid_month", "must not be after the month of data_as_of")
	case paid.Before(due):
		j.Addf(at+"/last_paid_month", "leaves a later month unpaid, so up_to_date cannot be true (a month is paid until the %dth of the next)", regimeDueDay)
	}
}

func regime25To30Validity(r *Request, issued wire.Date) (wire.Date, bool) {
	y, _ := readSchoolYear(r.Data.(*StudentCertificate25To30).SchoolYear)
	until := studentUntil(y, r.Holder.BirthDate, regimeEndAge)
	return until, !until.Before(issued)
}

func compose25To30(r *Request, is Issue, w *words) page {
	d := r.Data.(*StudentCertificate25To30)
	c := &d.Contribution
	until, inForce := r.ValidUntil(is.IssuedAt)
	states := "student_certificate_25_30.is_in"
	if !inForce {
		states = "student_certificate_25_30.was_in"
	}
	person := "school.student"
	if d.Category == "athlete" {
		person = "student_certificate_25_30.athlete"
	}
	quota := layout.Fields{
		{Label: w.say("student_certificate_25_30.since"), Value: w.ShortDate(d.RegimeSince), Strong: true},
		{Label: w.say("student_certificate_25_30.group"), Value: w.term("student_certificate_25_30.category", d.Category)},
		{Label: w.say("student_certificate_25_30.branch"), Value: w.term("student_certificate_25_30.branch", d.Branch)},
		{Label: w.say("student_certificate_25_30.counts_for_pension"), Value: w.say("no")},
		{Label: w.say("student_certificate_25_30.base"), Value: w.Money(c.Base)},
		{Label: w.say("student_certificate_25_30.rate"), Value: w.Percent(c.Rate)},
		{Label: w.say("student_certificate_25_30.amount"), Value: w.Money(c.Amount)},
		{Label: w.say("student_certificate_25_30.up_to_date"), Value: w.say("yes")},
	}
	if c.LastPaidMonth != nil {
		quota = append(quota, layout.Field{Label: w.say("student_certificate_25_30.last_paid"), Value: w.ShortMonth(*c.LastPaidMonth)})
	}
	p := page{titleKey: "student_certificate_25_30.title"}
	p.blocks = []layout.Block{
		layout.Lead{Text: w.say("student_certificate_25_30.lead")},
		layout.Text{Spans: []layout.Span{
			{Text: w.say("certifies", "Issuer", is.SealedBy), Strong: true},
			{Text: " " + w.say("school.states", "Date", r.DataAsOf) + " "},
			{Text: w.say(states), Strong: true},
		}},
		layout.Heading{Text: w.say(person)},
		identityFields(r, w),
		layout.Heading{Text: w.say("student_certificate_25_30.regime")},
	}
	// The season of an athlete without a school stands with the regime.
	if d.School == nil {
		p.blocks = append(p.blocks, append(quota, studies(d.SchoolYear, nil, w)...))
	} else {
		p.blocks = append(p.blocks, quota, layout.Heading{Text: w.say("school.heading")}, studies(d.SchoolYear, d.School, w))
	}
	p.blocks = append(p.blocks, studentEnd(until, inForce, "student_certificate_25_30.legal_basis", is, w)...)
	return p
}
