package templates

import (
	"strconv"
	"time"

	"segell/layout"
	"segell/wire"
)

// School is where a student studies.
type School struct {
	Name    string `json:"name" minLength:"1" maxLength:"200" doc:"Name of the school" example:"Universitat d’Andorra"`
	Country string `json:"country" pattern:"^[A-Z]{2}$" patternDescription:"a country in two capital letters (ISO 3166-1 alpha-2)" doc:"Country of the school" example:"AD"`
	Level   string `json:"level,omitempty" maxLength:"120" doc:"Studies, as the school calls them" example:"Grau en informàtica, segon curs"`
}

// schoolYear is a school year by the calendar years in which it begins and ends.
type schoolYear struct{ from, to int }

// readSchoolYear reads "2025/2026"; ok says whether it is one year after the other.
func readSchoolYear(s string) (y schoolYear, ok bool) {
	if len(s) != 9 || s[4] != '/' {
		return y, false
	}
	from, err1 := strconv.Atoi(s[:4])
	to, err2 := strconv.Atoi(s[5:])
	_, err3 := wire.NewDate(to, time.August, 31)
	return schoolYear{from, to}, err1 == nil && err2 == nil && err3 == nil && to == from+1
}

// begins and ends are the first and the last day: proof of studies is given anew each September.
func (y schoolYear) begins() wire.Date { return mustDay(y.from, time.September, 1) }
func (y schoolYear) ends() wire.Date   { return mustDay(y.to, time.August, 31) }

func mustDay(year int, month time.Month, day int) wire.Date {
	d, err := wire.NewDate(year, month, day)
	if err != nil {
		panic("templates: " + err.Error()) // readSchoolYear let no such year through
	}
	return d
}

// schoolYearRules judges a school year on the day the data were true.
func schoolYearRules(s string, asOf wire.Date, at string, j *judgement) (schoolYear, bool) {
	y, ok := readSchoolYear(s)
	switch {
	case s == "":
	case !ok:
		j.Add(at, "must be two years, one after the other, such as \"2025/2026\"")
	case asOf.IsZero():
	case y.ends().Before(asOf):
		j.Add(at, "ended before data_as_of; give the school year that is running, with its own proof of studies")
	case y.begins().After(asOf.AddMonths(12)):
		j.Add(at, "must be the school year that is running or the next")
	}
	return y, ok
}

// proofRules judges the day on which proof of studies was lodged.
func proofRules(proof wire.Date, y schoolYear, known bool, asOf wire.Date, at string, j *judgement) {
	switch {
	case proof.IsZero():
	case !asOf.IsZero() && proof.After(asOf):
		j.Add(at, "must not be after data_as_of")
	case known && proof.Year() < y.from:
		j.Add(at, "is of an earlier school year; proof of studies is given anew for each")
	}
}

// studies are the school and its year, as the certificates of students show them.
func studies(year string, s *School, w *words) layout.Fields {
	fs := layout.Fields{{Label: w.say("school.year"), Value: year, Strong: true}}
	if s == nil {
		return fs
	}
	fs = append(fs, layout.Field{Label: w.say("school.name"), Value: s.Name + " (" + s.Country + ")", Wide: true})
	if s.Level != "" {
		fs = append(fs, layout.Field{Label: w.say("school.level"), Value: s.Level, Wide: true})
	}
	return fs
}

// studentUntil is the last day on which a student's certificate holds: the end
// of the school year, or the day before a birthday if that is sooner.
func studentUntil(y schoolYear, born wire.Date, age int) wire.Date {
	if eve := birthday(born, age).AddDays(-1); eve.Before(y.ends()) {
		return eve
	}
	return y.ends()
}
