package templates_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"segell/samples"
	"segell/templates"
	"segell/wire"
)

func under25(t tester) bodies     { return bodiesOf(t, "student_certificate_under25") }
func from25To30(t tester) bodies  { return bodiesOf(t, "student_certificate_25_30") }
func born(b object, day string)   { in(b, "holder")["birth_date"] = day }
func quota(b object) object       { return in(b, "data", "contribution") }
func insurer(b object, n int) any { return in(b, "data")["direct_insured"].([]any)[n] }

// longNames are what a school and a family may be called.
const longSchool = "Institut d’Enseignement Supérieur Technologique et Agronomique Interdépartemental des Pyrénées-Orientales et de la Haute-Garonne"

func TestUnder25Rules(t *testing.T) {
	second := object{"full_name": "Pons Vila, Marta", "cass_number": "222222C", "relationship": "child"}
	under25(t).judge(t, samples.Standard, []rule{
		{"as it is", func(b object) {}, nil},
		{"insured through both parents", func(b object) {
			in(b, "data")["direct_insured"] = []any{insurer(b, 0), second}
		}, nil},
		{"through nobody", func(b object) { in(b, "data")["direct_insured"] = []any{} }, []string{"/data/direct_insured"}},
		{"through three", func(b object) {
			in(b, "data")["direct_insured"] = []any{insurer(b, 0), second, object{"full_name": "a", "cass_number": "333333D", "relationship": "ward"}}
		}, []string{"/data/direct_insured"}},
		{"through the same twice", func(b object) {
			in(b, "data")["direct_insured"] = []any{insurer(b, 0), insurer(b, 0)}
		}, []string{"/data/direct_insured/1/cass_number"}},
		{"through oneself", func(b object) { in(b, "data", "direct_insured", 0)["cass_number"] = "000050F" }, []string{"/data/direct_insured/0/cass_number"}},
		{"24 until tomorrow", func(b object) { born(b, "2001-03-02") }, nil},
		{"25 on the day", func(b object) { born(b, "2001-03-01") }, []string{"/holder/birth_date"}},
		{"25 on the 29th, which this year is the 28th", func(b object) {
			b["data_as_of"] = "2025-02-28"
			born(b, "2000-02-29")
			year(b, "2024/2025", "2024-09-12")
		}, []string{"/holder/birth_date"}},
		{"and 24 on the 27th", func(b object) {
			b["data_as_of"] = "2025-02-27"
			born(b, "2000-02-29")
			year(b, "2024/2025", "2024-09-12")
		}, nil},
		{"18 on the last day of the year", func(b object) { born(b, "2008-08-31") }, nil},
		{"17 on it", func(b object) { born(b, "2008-09-01") }, []string{"/holder/birth_date"}},
		{"17, and still insured as a child", func(b object) { born(b, "2008-05-04"); in(b, "holder")["situation"] = "child" }, nil},
		{"18, and insured as a child", func(b object) { in(b, "holder")["situation"] = "child" }, []string{"/holder/situation"}},
		{"a direct insured person", func(b object) {
			in(b, "holder")["insured_type"], in(b, "holder")["situation"] = "direct", "employee"
		}, []string{"/holder/insured_type"}},
		{"a spouse", func(b object) { in(b, "holder")["situation"] = "spouse" }, []string{"/holder/situation"}},
		{"requirements not met", func(b object) { in(b, "data")["requirements_met"] = false }, []string{"/data/requirements_met"}},
		{"works", func(b object) { in(b, "data")["working_regularly"] = true }, []string{"/data/working_regularly"}},
		{"last year", func(b object) { year(b, "2024/2025", "2024-09-12") }, []string{"/data/school_year"}},
		{"next year", func(b object) { year(b, "2026/2027", "2026-02-20") }, nil},
		{"the year after next", func(b object) { year(b, "2027/2028", "2026-02-20") }, []string{"/data/proof_date", "/data/school_year"}},
		{"a year of two", func(b object) { year(b, "2025/2027", "2025-09-12") }, []string{"/data/school_year"}},
		{"a year of none", func(b object) { year(b, "2025-2026", "2025-09-12") }, []string{"/data/school_year"}},
		{"a year beyond the calendar", func(b object) { year(b, "9998/9999", "2025-09-12") }, []string{"/data/school_year"}},
		{"proof of tomorrow", func(b object) { in(b, "data")["proof_date"] = "2026-03-02" }, []string{"/data/proof_date"}},
		{"proof of last year", func(b object) { in(b, "data")["proof_date"] = "2024-12-31" }, []string{"/data/proof_date"}},
		{"proof before the course began", func(b object) { in(b, "data")["proof_date"] = "2025-07-01" }, nil},
		{"a school of 200 letters", func(b object) { in(b, "data", "school")["name"] = strings.Repeat("ã", 200) }, nil},
		{"of 201", func(b object) { in(b, "data", "school")["name"] = strings.Repeat("ã", 201) }, []string{"/data/school/name"}},
		{"a school in a country with three letters", func(b object) { in(b, "data", "school")["country"] = "AND" }, []string{"/data/school/country"}},
		{"the cover stated", func(b object) { in(b, "data")["coverage"] = object{} }, []string{"/data/coverage"}},
	})
}

func year(b object, school, proof string) {
	in(b, "data")["school_year"], in(b, "data")["proof_date"] = school, proof
}

func Test25To30Rules(t *testing.T) {
	from25To30(t).judge(t, samples.Standard, []rule{
		{"as it is", func(b object) {}, nil},
		{"25 on the day, in the regime from then", func(b object) {
			born(b, "2001-03-01")
			in(b, "data")["regime_since"] = "2026-03-01"
			delete(quota(b), "last_paid_month")
		}, nil},
		{"25 tomorrow", func(b object) { born(b, "2001-03-02") }, []string{"/data/regime_since", "/holder/birth_date"}},
		{"in the regime before 25", func(b object) { born(b, "2000-10-02") }, []string{"/data/regime_since"}},
		{"30 until tomorrow", func(b object) { born(b, "1995-03-02") }, nil},
		{"31 on the day", func(b object) { born(b, "1995-03-01") }, []string{"/holder/birth_date"}},
		{"in the regime from tomorrow", func(b object) { in(b, "data")["regime_since"] = "2026-03-02" }, []string{"/data/contribution/last_paid_month", "/data/regime_since"}},
		{"an athlete", func(b object) {
			in(b, "holder")["situation"], in(b, "data")["category"] = "athlete_25_30", "athlete"
			delete(in(b, "data"), "school")
		}, nil},
		{"an athlete at school", func(b object) {
			in(b, "holder")["situation"], in(b, "data")["category"] = "athlete_25_30", "athlete"
		}, nil},
		{"an athlete who is a student", func(b object) { in(b, "data")["category"] = "athlete" }, []string{"/holder/situation"}},
		{"a student without a school", func(b object) { delete(in(b, "data"), "school") }, []string{"/data/school"}},
		{"an indirect insured person", func(b object) {
			in(b, "holder")["insured_type"], in(b, "holder")["situation"] = "indirect", "student"
		}, []string{"/holder/insured_type"}},
		{"a debt", func(b object) { quota(b)["up_to_date"] = false }, []string{"/data/contribution/up_to_date"}},
		{"79.585 rounded down", func(b object) { quota(b)["amount"] = "79.58" }, []string{"/data/contribution/amount"}},
		{"another wage since the new year", func(b object) { quota(b)["base"], quota(b)["amount"] = "811.80", "81.18" }, nil},
		{"another rate", func(b object) { quota(b)["rate"], quota(b)["amount"] = "11.00", "87.54" }, nil},
		{"no base", func(b object) { quota(b)["base"], quota(b)["amount"] = "0.00", "0.00" }, []string{"/data/contribution/base"}},
		{"more than all", func(b object) { quota(b)["rate"], quota(b)["amount"] = "100.01", "795.93" }, []string{"/data/contribution/rate"}},
		{"the month before last, before the 15th", func(b object) { quota(b)["last_paid_month"] = "2026-01" }, nil},
		{"and on the 16th", func(b object) { b["data_as_of"] = "2026-02-16"; quota(b)["last_paid_month"] = "2025-12" }, []string{"/data/contribution/last_paid_month"}},
		{"on the 15th", func(b object) { b["data_as_of"] = "2026-02-15"; quota(b)["last_paid_month"] = "2025-12" }, nil},
		{"three months ago", func(b object) { quota(b)["last_paid_month"] = "2025-12" }, []string{"/data/contribution/last_paid_month"}},
		{"a month to come", func(b object) { quota(b)["last_paid_month"] = "2026-04" }, []string{"/data/contribution/last_paid_month"}},
		{"a month before the regime", func(b object) { quota(b)["last_paid_month"] = "2025-09" }, []string{"/data/contribution/last_paid_month"}},
		{"nothing paid of what is due", func(b object) { delete(quota(b), "last_paid_month") }, []string{"/data/contribution/last_paid_month"}},
		{"nothing due yet", func(b object) { in(b, "data")["regime_since"] = "2026-02-01"; delete(quota(b), "last_paid_month") }, nil},
		{"the retirement branch", func(b object) { in(b, "data")["branch"] = "retirement" }, []string{"/data/branch"}},
		{"last year", func(b object) { in(b, "data")["school_year"] = "2024/2025" }, []string{"/data/school_year"}},
	})
	b := from25To30(t)
	body := b.sample(t, samples.Standard)
	quota(body)["amount"] = "80.00"
	if got := b.detail(t, body, "/data/contribution/amount"); !strings.Contains(got, "the difference is 0.41") || strings.Contains(got, "80.00") {
		t.Errorf("got %q", got)
	}
}

// A certificate holds until the school year ends or the day before a birthday.
func TestStudentValidity(t *testing.T) {
	for _, c := range []struct {
		kind, born, issued, want string // want "": it speaks of the past
	}{
		{"student_certificate_under25", "2005-06-17", "2026-03-02", "2026-08-31"},
		{"student_certificate_under25", "2005-06-17", "2026-08-31", "2026-08-31"},
		{"student_certificate_under25", "2005-06-17", "2026-09-01", ""},
		{"student_certificate_under25", "2001-05-28", "2026-03-02", "2026-05-27"},
		{"student_certificate_under25", "2001-05-28", "2026-05-28", ""},
		{"student_certificate_under25", "2001-08-31", "2026-03-02", "2026-08-30"},
		{"student_certificate_under25", "2001-09-01", "2026-03-02", "2026-08-31"},
		{"student_certificate_25_30", "1999-10-12", "2026-03-02", "2026-08-31"},
		{"student_certificate_25_30", "1995-03-20", "2026-03-02", "2026-03-19"},
		{"student_certificate_25_30", "1995-03-03", "2026-03-02", "2026-03-02"},
		{"student_certificate_25_30", "1995-03-03", "2026-03-03", ""},
	} {
		b := bodiesOf(t, c.kind)
		body := b.sample(t, samples.Standard)
		born(body, c.born)
		r, err := b.decode(t, body)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := r.ValidUntil(wire.MustDate(c.issued).In(templates.Andorra).Add(12 * time.Hour))
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s born %s, issued %s: until %v, %v, want %q", c.kind, c.born, c.issued, got, ok, c.want)
		}
	}
}

func TestStudentPages(t *testing.T) {
	for _, c := range []struct {
		kind, sample, language string
		parts                  []string
	}{
		{"student_certificate_under25", samples.Standard, "ca", []string{"Certificat d’estudiant menor de 25 anys", "No certifica la cobertura sanitària ni el seu abast.",
			"CERTIFICA que", "a 1 de març del 2026", "compleix els requisits per ser persona assegurada indirecta durant el curs escolar 2025/2026.",
			"Estudiant", "Ferrer Pons, Arnau", "Curs escolar 2025/2026", "Universitat d’Andorra (AD)", "12/09/2025", "Treball regular No",
			"Fill o filla de Ferrer Mas, Joan (número CASS 111111B)", "Validesa: fins al 31/08/2026", "article 13."}},
		{"student_certificate_under25", samples.Standard, "fr", []string{"Attestation d’étudiant de moins de 25 ans", "Certificat d’estudiant menor de 25 anys", "ATTESTE que",
			"remplit les conditions pour être assurée indirecte pendant l’année scolaire 2025/2026.", "Enfant de", "jusqu’au 31/08/2026"}},
		{"student_certificate_under25", "two_parents_long_school", "ca", []string{"Compleix 18 anys el 28/02/2026", "000040V", "000041W"}},
		{"student_certificate_under25", "turns_25_in_may", "ca", []string{"Compleix 25 anys el 28/05/2026", "Validesa: fins al 27/05/2026"}},
		{"student_certificate_25_30", samples.Standard, "ca", []string{"Certificat d’estudiant de 25 a 30 anys", "no computa per a la jubilació.", "està d’alta al règim especial", "al corrent de pagament",
			"Alta al règim 01/10/2025", "Estudiants", "General", "Computa per a jubilació No", "795,85 €", "10 %", "79,59 €", "Al corrent de pagament Sí", "Darrer mes pagat 02/2026",
			"Universitat de Barcelona (ES)", "Validesa: fins al 31/08/2026", "article 223 bis."}},
		{"student_certificate_25_30", samples.Standard, "en", []string{"Student certificate (25 to 30)", "Certificat d’estudiant de 25 a 30 anys", "is in the special regime", "€795.85", "€79.59"}},
		{"student_certificate_25_30", "athlete_born_29_february", "ca", []string{"Esportista", "Esportistes d’alt nivell", "Curs escolar 2025/2026"}},
		{"student_certificate_25_30", "turns_31_in_march", "ca", []string{"Validesa: fins al 19/03/2026"}},
	} {
		b := bodiesOf(t, c.kind)
		body := b.sample(t, c.sample)
		body["language"] = c.language
		out := b.draw(t, body)
		text := pdftotext(t, out.PDF)
		has(t, text, c.parts...)
		if out.Pages != 1 {
			t.Errorf("%s %s %s: %d pages", c.kind, c.sample, c.language, out.Pages)
		}
		for _, no := range []string{"{{", "<no value>", "Assegurat indirecte", "Indirecte"} {
			if strings.Contains(text, no) {
				t.Errorf("%s %s: %q is on the page", c.kind, c.sample, no)
			}
		}
	}
	under25(t).everyLanguageDraws(t, samples.Standard)
	under25(t).everyLanguageDraws(t, "two_parents_long_school")
	from25To30(t).everyLanguageDraws(t, samples.Standard)
	from25To30(t).everyLanguageDraws(t, "athlete_born_29_february")
}

// Issued after its school year, a certificate says so and holds no longer.
func TestStudentCertificateOfThePast(t *testing.T) {
	for kind, want := range map[string]string{
		"student_certificate_under25": "complia els requisits per ser persona assegurada indirecta durant el curs escolar 2025/2026.",
		"student_certificate_25_30":   "estava d’alta al règim especial",
	} {
		b := bodiesOf(t, kind)
		r, err := b.decode(t, b.sample(t, samples.Standard))
		if err != nil {
			t.Fatal(err)
		}
		late := issue
		late.IssuedAt = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		out, err := templates.Render(t.Context(), r, late)
		if err != nil {
			t.Fatal(err)
		}
		text := pdftotext(t, out.PDF)
		has(t, text, want, "Aquest certificat es refereix a un període que es va acabar el dia 31 d’agost del 2026. No acredita la situació posterior.")
		if strings.Contains(text, "Validesa") || strings.Contains(text, "Vàlid fins") {
			t.Errorf("%s: a validity is on the page", kind)
		}
	}
}

// aStudent draws a holder of an age within two birthdays on the day of the data.
func aStudent(t *rapid.T, asOf wire.Date, from, to int, insured, situation string) object {
	h := person(insured, situation)
	h["birth_date"] = aDay(t, asOf.AddMonths(-12*to).AddDays(2), asOf.AddMonths(-12*from).AddDays(-1), "born").String()
	return h
}

func aSchoolYear(t *rapid.T) (from int, asOf wire.Date) {
	from = rapid.IntRange(2010, 2024).Draw(t, "school year")
	return from, aDay(t, wire.MustDate(fmt.Sprintf("%d-09-01", from)), wire.MustDate(fmt.Sprintf("%d-08-31", from+1)), "data as of")
}

func TestUnder25Property(t *testing.T) {
	under25(t).property(t, func(t *rapid.T) object {
		from, asOf := aSchoolYear(t)
		b := envelope(aStudent(t, asOf, 18, 25, "indirect", "student"), object{
			"direct_insured":   []any{object{"full_name": longSchool[:100], "cass_number": "111111B", "relationship": rapid.SampledFrom([]string{"child", "ward", "dependent"}).Draw(t, "relationship")}},
			"school_year":      fmt.Sprintf("%d/%d", from, from+1),
			"school":           object{"name": rapid.StringMatching(`[A-Za-zàéç·’ ]{0,100}[a-zñ]`).Draw(t, "school") + "s", "country": "FR"},
			"proof_date":       aDay(t, wire.MustDate(fmt.Sprintf("%d-01-01", from)), asOf, "proof").String(),
			"requirements_met": true, "working_regularly": false,
		})
		in(b, "data", "school")["name"] = strings.TrimSpace(in(b, "data", "school")["name"].(string))
		b["data_as_of"], b["language"] = asOf.String(), rapid.SampledFrom([]string{"ca", "es", "fr", "pt", "en"}).Draw(t, "language")
		return b
	}, func(b object) []breakage {
		return []breakage{
			{"/language", func(b object) { b["language"] = "ca-es" }},
			{"/holder/birth_date", func(b object) { born(b, "1980-01-01") }},
			{"/holder/insured_type", func(b object) { in(b, "holder")["insured_type"] = "direct" }},
			{"/holder/situation", func(b object) { in(b, "holder")["situation"] = "partner" }},
			{"/data/requirements_met", func(b object) { in(b, "data")["requirements_met"] = false }},
			{"/data/working_regularly", func(b object) { in(b, "data")["working_regularly"] = "no" }},
			{"/data/school_year", func(b object) { in(b, "data")["school_year"] = "2001/2002" }},
			{"/data/proof_date", func(b object) { in(b, "data")["proof_date"] = "2001-09-12" }},
			{"/data/school/name", func(b object) { in(b, "data", "school")["name"] = "\u200b" }},
			{"/data/school/country", func(b object) { in(b, "data", "school")["country"] = "fr" }},
			{"/data/direct_insured/0/cass_number", func(b object) { in(b, "data", "direct_insured", 0)["cass_number"] = "1" }},
			{"/data/direct_insured/0/full_name", func(b object) { in(b, "data", "direct_insured", 0)["full_name"] = " a" }},
			{"/data/direct_insured/0/relationship", func(b object) { in(b, "data", "direct_insured", 0)["relationship"] = "spouse" }},
		}
	})
}

func Test25To30Property(t *testing.T) {
	from25To30(t).property(t, func(t *rapid.T) object {
		from, asOf := aSchoolYear(t)
		category := rapid.SampledFrom([]string{"student", "athlete"}).Draw(t, "category")
		h := aStudent(t, asOf, 25, 31, "direct", category+"_25_30")
		since := aDay(t, wire.MustDate(h["birth_date"].(string)).AddMonths(12*25), asOf, "since")
		base := wire.Money(rapid.Int64Range(1, 200_000_00).Draw(t, "base"))
		rate := wire.Percent(rapid.Int64Range(1, 100_00).Draw(t, "rate"))
		amount, err := rate.Of(base)
		if err != nil {
			t.Fatal(err)
		}
		paid := wire.MonthOf(asOf)
		if before := paid.AddMonths(-1); !before.Before(wire.MonthOf(since)) && rapid.Bool().Draw(t, "this month unpaid") {
			paid = before
		}
		b := envelope(h, object{"regime_since": since.String(), "category": category, "school_year": fmt.Sprintf("%d/%d", from, from+1), "branch": "general",
			"contribution": object{"base": base.String(), "rate": rate.String(), "amount": amount.String(), "up_to_date": true, "last_paid_month": paid.String()}})
		if category == "student" || rapid.Bool().Draw(t, "school") {
			in(b, "data")["school"] = object{"name": longSchool, "country": "FR", "level": "Master"}
		}
		b["data_as_of"], b["language"] = asOf.String(), rapid.SampledFrom([]string{"ca", "es", "fr", "pt", "en"}).Draw(t, "language")
		return b
	}, func(b object) []breakage {
		return []breakage{
			{"/holder/birth_date", func(b object) { born(b, "1970-01-01") }},
			{"/holder/situation", func(b object) { in(b, "holder")["situation"] = "employee" }},
			{"/holder/insured_type", func(b object) {
				in(b, "holder")["insured_type"], in(b, "holder")["situation"] = "indirect", "student"
			}},
			{"/data/regime_since", func(b object) { in(b, "data")["regime_since"] = "2026-03-02" }},
			{"/data/category", func(b object) { in(b, "data")["category"] = "poet" }},
			{"/data/branch", func(b object) { delete(in(b, "data"), "branch") }},
			{"/data/contribution/up_to_date", func(b object) { quota(b)["up_to_date"] = false }},
			{"/data/contribution/amount", func(b object) { quota(b)["amount"] = "999999.99" }},
			{"/data/contribution/base", func(b object) { quota(b)["base"] = 795.85 }},
			{"/data/contribution/rate", func(b object) { quota(b)["rate"] = "-1.00" }},
			{"/data/contribution/last_paid_month", func(b object) { quota(b)["last_paid_month"] = "1999-12" }},
			{"/data/contribution/debt", func(b object) { quota(b)["debt"] = "0.00" }},
		}
	})
}
