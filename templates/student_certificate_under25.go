package templates

import (
	"reflect"
	"slices"

	"segell/layout"
	"segell/wire"
)

// StudentCertificateUnder25 is the data of a certificat d'estudiant menor de 25
// anys: that a student meets the requirements to be insured through another. The
// holder is the student.
//
// It does not state the cover, nor its extent: CASS certifies the requirements of
// students from 18 to 24, and no more. Legal basis: Llei 17/2008, art. 13.
// Validity: until the school year ends, on 31 August, or the day before the 25th
// birthday if that is sooner. When that day has passed, what is issued from older
// data speaks of the past and has no validity.
type StudentCertificateUnder25 struct {
	DirectInsured    []StudentInsurer `json:"direct_insured" minItems:"1" maxItems:"2" doc:"The direct insured person, or both where a student may depend on two"`
	SchoolYear       string           `json:"school_year" pattern:"^[0-9]{4}/[0-9]{4}$" patternDescription:"a school year, two years joined by a stroke" doc:"School year" example:"2025/2026"`
	School           School           `json:"school" doc:"School"`
	ProofDate        wire.Date        `json:"proof_date" doc:"Day on which proof of the studies was lodged for this school year" example:"2025-09-12"`
	RequirementsMet  bool             `json:"requirements_met" doc:"Whether the requirements of an indirect insured person are met; if not, there is no certificate" example:"true"`
	WorkingRegularly bool             `json:"working_regularly" doc:"Whether the student works regularly; if so, there is no certificate" example:"false"`
}

// StudentInsurer is a person through whom a student is insured.
type StudentInsurer struct {
	FullName     string `json:"full_name" minLength:"1" maxLength:"120" doc:"Surnames and given name" example:"Ferrer Mas, Joan"`
	CASSNumber   string `json:"cass_number" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"a CASS number: six digits and a capital letter, without separators" doc:"CASS number" example:"111111B"`
	Relationship string `json:"relationship" term:"relationship" enum:"child,ward,dependent" doc:"What the student is to this person (Llei 17/2008, art. 13)" example:"child"`
}

var studentCertificateUnder25 = &Kind{
	ID:         "student_certificate_under25",
	Code:       "EST",
	Languages:  []string{"ca", "es", "fr", "pt", "en"},
	body:       reflect.TypeFor[Body[StudentCertificateUnder25]](),
	decode:     decoder(under25Rules),
	validUntil: under25Validity,
	compose:    composeUnder25,
}

const studentAge, studentEndAge = 18, 25

func under25Rules(r *Request, d *StudentCertificateUnder25, today wire.Date, j *judgement) {
	h := &r.Holder
	year, known := schoolYearRules(d.SchoolYear, r.DataAsOf, "/data/school_year", j)
	if !h.BirthDate.IsZero() && !r.DataAsOf.IsZero() {
		switch {
		case !r.DataAsOf.Before(birthday(h.BirthDate, studentEndAge)):
			j.Addf("/holder/birth_date", "makes the student %d on data_as_of, or older; students of that age have student_certificate_25_30", studentEndAge)
		case known && year.ends().Before(birthday(h.BirthDate, studentAge)):
			j.Addf("/holder/birth_date", "makes the student younger than %d throughout the school year; a child is insured without proof of studies", studentAge)
		}
	}
	minor := !h.BirthDate.IsZero() && r.DataAsOf.Before(birthday(h.BirthDate, studentAge))
	switch {
	case h.InsuredType == "direct":
		j.Add("/holder/insured_type", "must be indirect; a student under 25 is insured through another person")
	case h.Situation != "" && h.Situation != "student" && !(h.Situation == "child" && minor) && slices.Contains(indirectSituations, h.Situation):
		j.Add("/holder/situation", "must be student, or child before the 18th birthday")
	}
	seen := map[string]bool{h.CASSNumber: true}
	for i, p := range d.DirectInsured {
		at := wire.Pointer("data", "direct_insured", i)
		nameRules(p.FullName, at+"/full_name", j)
		if p.CASSNumber != "" && seen[p.CASSNumber] {
			j.Add(at+"/cass_number", "must be another person than the student and those before")
		}
		seen[p.CASSNumber] = true
	}
	nameRules(d.School.Name, "/data/school/name", j)
	proofRules(d.ProofDate, year, known, r.DataAsOf, "/data/proof_date", j)
	if !d.RequirementsMet {
		j.Add("/data/requirements_met", "must be true; where the requirements are not met there is nothing to certify")
	}
	if d.WorkingRegularly {
		j.Add("/data/working_regularly", "must be false; who works regularly is insured in their own right")
	}
}

func under25Validity(r *Request, issued wire.Date) (wire.Date, bool) {
	y, _ := readSchoolYear(r.Data.(*StudentCertificateUnder25).SchoolYear)
	until := studentUntil(y, r.Holder.BirthDate, studentEndAge)
	return until, !until.Before(issued)
}

func composeUnder25(r *Request, is Issue, w *words) page {
	d := r.Data.(*StudentCertificateUnder25)
	year, _ := readSchoolYear(d.SchoolYear)
	until, inForce := r.ValidUntil(is.IssuedAt)
	meets := "student_certificate_under25.meets"
	if !inForce {
		meets = "student_certificate_under25.met"
	}
	fs := studies(d.SchoolYear, &d.School, w)
	fs = append(fs,
		layout.Field{Label: w.say("school.proof"), Value: w.ShortDate(d.ProofDate)},
		layout.Field{Label: w.say("school.works"), Value: w.say("no")},
	)
	for _, b := range []struct {
		age int
		key string
	}{{studentAge, "student_certificate_under25.turns_18"}, {studentEndAge, "student_certificate_under25.turns_25"}} {
		if day := birthday(r.Holder.BirthDate, b.age); !day.Before(year.begins()) && !day.After(year.ends()) {
			fs = append(fs, layout.Field{Label: w.say(b.key), Value: w.ShortDate(day)})
		}
	}
	var insurers layout.Fields
	for _, p := range d.DirectInsured {
		insurers = append(insurers, layout.Field{Label: w.term("relationship", p.Relationship) + " " + w.say("student_certificate_under25.of"),
			Value: p.FullName + " (" + w.say("cass_number_of", "Number", p.CASSNumber) + ")", Wide: true})
	}
	p := page{titleKey: "student_certificate_under25.title"}
	p.blocks = []layout.Block{
		layout.Lead{Text: w.say("student_certificate_under25.lead")},
		layout.Text{Spans: []layout.Span{
			{Text: w.say("certifies", "Issuer", is.SealedBy), Strong: true},
			{Text: " " + w.say("school.states", "Date", r.DataAsOf) + " "},
			{Text: w.say(meets, "Year", d.SchoolYear), Strong: true},
		}},
		layout.Heading{Text: w.say("school.student")},
		identityFields(r, w),
		layout.Heading{Text: w.say("school.heading")},
		fs,
		layout.Heading{Text: w.say("student_certificate_under25.through")},
		insurers,
	}
	p.blocks = append(p.blocks, studentEnd(until, inForce, "student_certificate_under25.legal_basis", is, w)...)
	return p
}

// studentEnd is how a student's certificate ends: how long it holds, or that it speaks of the past.
func studentEnd(until wire.Date, inForce bool, law string, is Issue, w *words) []layout.Block {
	if !inForce {
		return []layout.Block{
			layout.Notice{Spans: []layout.Span{{Text: w.say("school.past", "Date", until), Strong: true}, {Text: " " + w.say("school.past_means")}}},
			append(layout.Together{layout.Note{Text: w.say(law)}}, closing(is, w)...),
		}
	}
	note := layout.Note{Text: w.say("valid_until", "Date", w.ShortDate(until)) + " " + w.say(law)}
	return []layout.Block{append(layout.Together{note}, closing(is, w)...)}
}
