package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"segell/samples"
	"segell/templates"
	"segell/wire"
)

func travel(t tester) bodies { return bodiesOf(t, "travel_form") }

// toFrance turns the standard form, a worker's in Spain, into a pensioner's in France.
func toFrance(b object) {
	b["language"] = "ca-fr"
	d := in(b, "data")
	d["country"], d["holder_condition"], d["planned_visits_allowed"] = "FR", "pensioner", true
	in(b, "holder")["situation"] = "pensioner"
}

func stay(b object, from, to string, used int) object {
	d := in(b, "data")
	d["stay_from"], d["stay_to"], d["days_used_this_year"] = from, to, used
	return d
}

func traveller(b object, i int) object { return in(b, "data", "persons", i) }

func TestTravelRules(t *testing.T) {
	travel(t).judge(t, samples.Standard, []rule{
		{"as it is", func(b object) {}, nil},
		{"a pensioner in France", toFrance, nil},
		{"without planned visits there too", func(b object) { toFrance(b); in(b, "data")["planned_visits_allowed"] = false }, nil},
		{"one day", func(b object) { stay(b, "2026-07-01", "2026-07-01", 0) }, nil},
		{"as long as the cover", func(b object) { stay(b, "2026-07-01", "2026-09-28", 0) }, nil},
		{"a day longer", func(b object) { stay(b, "2026-07-01", "2026-09-29", 0) }, []string{"/data/stay_to"}},
		{"60 days of cover", func(b object) { stay(b, "2026-07-01", "2026-08-29", 0)["remaining_cover_days"] = 60 }, nil},
		{"and a day", func(b object) { stay(b, "2026-07-01", "2026-08-30", 0)["remaining_cover_days"] = 60 }, []string{"/data/stay_to"}},
		{"120 days of cover", func(b object) { stay(b, "2026-07-01", "2026-10-28", 0)["remaining_cover_days"] = 120 }, nil},
		{"100 days of cover", func(b object) { in(b, "data")["remaining_cover_days"] = 100 }, []string{"/data/remaining_cover_days"}},
		{"180 days of the year", func(b object) { stay(b, "2026-07-01", "2026-09-28", 90) }, nil},
		{"181 days of the year", func(b object) { stay(b, "2026-07-01", "2026-09-28", 91) }, []string{"/data/stay_to"}},
		{"the year was full", func(b object) { stay(b, "2026-07-01", "2026-07-01", 180) }, []string{"/data/stay_to"}},
		{"over New Year", func(b object) { stay(b, "2026-12-20", "2027-01-10", 168)["days_used_next_year"] = 170 }, nil},
		{"181 before New Year", func(b object) { stay(b, "2026-12-20", "2027-01-10", 169)["days_used_next_year"] = 0 }, []string{"/data/stay_to"}},
		{"181 after New Year", func(b object) { stay(b, "2026-12-20", "2027-01-10", 0)["days_used_next_year"] = 171 }, []string{"/data/stay_to"}},
		{"from New Year's Eve to New Year's Day", func(b object) { stay(b, "2026-12-31", "2027-01-01", 179)["days_used_next_year"] = 179 }, nil},
		{"over New Year, next year unsaid", func(b object) { stay(b, "2026-12-20", "2027-01-10", 0) }, []string{"/data/days_used_next_year"}},
		{"within a year, next year said", func(b object) { in(b, "data")["days_used_next_year"] = 0 }, []string{"/data/days_used_next_year"}},
		{"days as a text", func(b object) { in(b, "data")["days_used_this_year"] = "41" }, []string{"/data/days_used_this_year"}},
		{"fewer days than none", func(b object) { in(b, "data")["days_used_this_year"] = -1 }, []string{"/data/days_used_this_year"}},
		{"ends before it begins", func(b object) { stay(b, "2026-07-28", "2026-07-27", 0) }, []string{"/data/stay_to"}},
		{"years long", func(b object) { stay(b, "2026-07-01", "2029-07-01", 0) }, []string{"/data/stay_to"}},
		{"a form for a stay that began", func(b object) { stay(b, "2026-02-20", "2026-03-05", 0) }, nil},

		{"a country without a convention", func(b object) { in(b, "data")["country"] = "IT" }, []string{"/data/country"}},
		{"French for Spain", func(b object) { b["language"] = "ca-fr" }, []string{"/language"}},
		{"Catalan alone", func(b object) { b["language"] = "ca" }, []string{"/language"}},
		{"planned visits in Spain", func(b object) { toFrance(b); b["language"] = "ca-es"; in(b, "data")["country"] = "ES" }, []string{"/data/planned_visits_allowed"}},
		{"a worker's planned visits", func(b object) {
			toFrance(b)
			in(b, "data")["holder_condition"] = "worker"
			in(b, "holder")["situation"] = "employee"
		}, []string{"/data/planned_visits_allowed"}},

		{"a pensioner who is none", func(b object) { in(b, "data")["holder_condition"] = "pensioner" }, []string{"/data/holder_condition"}},
		{"a worker who is a pensioner", func(b object) { in(b, "holder")["situation"] = "pensioner" }, []string{"/data/holder_condition"}},
		{"nobody insured", func(b object) { in(b, "holder")["situation"] = "none" }, []string{"/holder/situation"}},
		{"an indirect holder", func(b object) {
			in(b, "holder")["insured_type"], in(b, "holder")["situation"] = "indirect", "child"
		}, []string{"/data/persons/1/relationship", "/data/persons/2/relationship", "/holder/insured_type"}},
		{"a student's own form", func(b object) {
			h, d := in(b, "holder"), in(b, "data")
			h["insured_type"], h["situation"], h["birth_date"] = "indirect", "student", "2004-02-29"
			traveller(b, 0)["birth_date"], traveller(b, 0)["since"] = "2004-02-29", "2022-02-28"
			d["holder_condition"], d["persons"] = "student", d["persons"].([]any)[:1]
		}, nil},

		{"nobody travels", func(b object) { in(b, "data")["persons"] = []any{} }, []string{"/data/persons"}},
		{"21 persons", func(b object) { in(b, "data")["persons"] = travellers(21) }, []string{"/data/persons"}},
		{"only a child travels", func(b object) { in(b, "data")["persons"] = in(b, "data")["persons"].([]any)[1:2] }, nil},
		{"the holder by another number", func(b object) { traveller(b, 0)["cass_number"] = "000009J" }, []string{"/data/persons/0/cass_number"}},
		{"the holder by another name", func(b object) { traveller(b, 0)["full_name"] = "Puig Cerqueda, Carme" }, []string{"/data/persons/0/full_name"}},
		{"the holder of another age", func(b object) { traveller(b, 0)["birth_date"] = "1984-07-18" }, []string{"/data/persons/0/birth_date"}},
		{"the holder as a child", func(b object) { traveller(b, 0)["relationship"] = "dependent" }, []string{"/data/persons/0/relationship"}},
		{"two holders", func(b object) { traveller(b, 1)["relationship"] = "holder" }, []string{
			"/data/persons/1/birth_date", "/data/persons/1/cass_number", "/data/persons/1/full_name", "/data/persons/1/relationship"}},
		{"a person twice", func(b object) { traveller(b, 2)["cass_number"] = "000001B" }, []string{"/data/persons/2/cass_number"}},
		{"two spouses", func(b object) {
			traveller(b, 1)["relationship"], traveller(b, 2)["relationship"] = "spouse", "partner"
		}, []string{"/data/persons/2/relationship"}},
		{"insured from the second day", func(b object) { traveller(b, 1)["since"] = "2026-07-02" }, []string{"/data/persons/1/since"}},
		{"insured until the last day", func(b object) { traveller(b, 1)["until"] = "2026-07-28" }, nil},
		{"insured until the day before", func(b object) { traveller(b, 1)["until"] = "2026-07-27" }, []string{"/data/persons/1/until"}},
		{"17 on the last day", func(b object) { traveller(b, 1)["birth_date"] = "2008-07-29" }, nil},
		{"18 on the last day", func(b object) { traveller(b, 1)["birth_date"] = "2008-07-28" }, []string{"/data/persons/1/relationship"}},
		{"18 and a student", func(b object) {
			traveller(b, 1)["birth_date"], traveller(b, 1)["relationship"] = "2008-07-28", "student"
		}, nil},
		{"25 on the last day", func(b object) {
			traveller(b, 1)["birth_date"], traveller(b, 1)["relationship"] = "2001-07-28", "student"
		}, []string{"/data/persons/1/relationship"}},
		{"an institution without an address", func(b object) { in(b, "data", "competent_institution")["address"] = []any{} }, []string{"/data/competent_institution/address"}},
		{"its address with a hole", func(b object) { in(b, "data", "competent_institution")["address"] = []any{"a", " "} }, []string{"/data/competent_institution/address/1"}},
	})
}

// A fault says what is too much, and never the values that were sent.
func TestTravelFaultsSayTheDifference(t *testing.T) {
	b := travel(t)
	body := b.sample(t, samples.Standard)
	stay(body, "2026-07-01", "2026-09-30", 91)
	got := b.detail(t, body, "/data/stay_to")
	if !strings.Contains(got, "2 days longer than remaining_cover_days") {
		t.Errorf("got %q", got)
	}
	stay(body, "2026-07-01", "2026-09-28", 97)
	if got = b.detail(t, body, "/data/stay_to"); !strings.Contains(got, "7 more than the 180") || strings.Contains(got, "97") {
		t.Errorf("got %q", got)
	}
}

func travellers(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = object{"full_name": fmt.Sprintf("Ferrer i Puig, Fill número %d", i+1), "cass_number": fmt.Sprintf("1%05dC", i),
			"birth_date": "2015-05-04", "relationship": "child", "since": "2019-09-01"}
	}
	return list
}

func TestTravelPage(t *testing.T) {
	b := travel(t)
	for _, c := range []struct {
		sample, language string
		parts            []string
	}{
		{samples.Standard, "ca-es", []string{"Data d’expedició: 2 de març del 2026", "Fecha de expedición: 2 de marzo de 2026",
			"Formulari de desplaçament a Espanya", "Formulario de desplazamiento a España",
			"Conté les dades del formulari E/AND-11, «Certificat de dret a prestacions d’assistència sanitària", "i no en reprodueix l’imprès.",
			"Contiene los datos del formulario E/AND-11", "no reproduce su impreso.",
			"País de l’estada / País de la estancia", "Espanya / España", "01/07/2026", "28/07/2026", "28", "No incloses / No incluidas", "Persona treballadora / Persona trabajadora",
			"Titular Puig i Cerqueda, Maria del Carme", "Passaport / Pasaporte", "PP0000000 (AD)", "Adreça / Domicilio",
			"Institució competent / Institución competente", "Persones amb dret a l’assistència Personas con derecho a la asistencia",
			"Fill o filla / Hijo o hija", "I, perquè consti", "Y, para que conste", "Segellat electrònicament per", "Sellado electrónicamente por",
			"Pàgina 1 de 2 / Página 1 de 2", "Vàlid fins al 28/07/2026", "Válido hasta el 28/07/2026",
			"Instruccions Instrucciones", "Català Español", "Sintrom", "Les visites programades en queden excloses.", "Quedan excluidas las visitas programadas.",
			"69 de 180", "Conveni de seguretat social entre el Principat d’Andorra i el Regne d’Espanya", "Convenio de Seguridad Social"}},
		{"over_new_year", "ca-fr", []string{"Formulari de desplaçament a França", "Formulaire de déplacement en France", "SE 130-04", "droit aux prestations en nature",
			"França / France", "90", "Incloses / Inclus", "Estudiant / Étudiant", "Titulaire",
			"Inclou també les visites programades", "Il couvre aussi les soins programmés", "l’any 2026, amb aquesta estada: 180 de 180", "l’any 2027, amb aquesta estada: 43 de 180"}},
	} {
		body := b.sample(t, c.sample)
		out := b.draw(t, body)
		text := pdftotext(t, out.PDF)
		has(t, text, c.parts...)
		if body["language"] != c.language || out.Pages != 2 {
			t.Errorf("%s: %v, %d pages", c.sample, body["language"], out.Pages)
		}
		for _, no := range []string{"{{", "<no value>", "cortesia", "cortesía", "courtoisie"} {
			if strings.Contains(text, no) {
				t.Errorf("%s: %q is on the page", c.sample, no)
			}
		}
		if strings.Contains(out.Title, "Puig") || !strings.HasSuffix(out.Title, issue.Number) {
			t.Errorf("title %q", out.Title)
		}
	}
}

// The foot of a bilingual page has room for the address of an operator with a long name.
func TestBilingualFoot(t *testing.T) {
	b := travel(t)
	long := issue
	long.VerificationURL, long.Proof = "https://verificacio-de-documents.seguretat-social.example.ad/v/7K3M9QX2TR4DV8HCW1YE5P", true
	for s := range samples.Issued() {
		if s.Kind != b.kind.ID || s.Name != samples.Standard {
			continue
		}
		r, err := b.kind.Decode(s.Body, now)
		if err != nil {
			t.Fatal(err)
		}
		out, err := templates.Render(t.Context(), r, long)
		if err != nil {
			t.Fatalf("%s: %v", s.Language, err)
		}
		text := strings.Join(strings.Fields(pdftotext(t, out.PDF)), "") // the address breaks over two lines
		if !strings.Contains(text, long.VerificationURL) || !strings.Contains(text, strings.ReplaceAll(long.CSV, " ", "")) {
			t.Errorf("%s: the foot lacks the address or the code", s.Language)
		}
	}
}

// The list of persons may be long: its head is repeated, and nobody is lost.
func TestTravelPersons(t *testing.T) {
	b := travel(t)
	for _, n := range []int{1, 3, 4, 5, 6, 8, 10, 20} {
		body := b.sample(t, samples.Standard)
		if n%2 == 0 {
			toFrance(body) // whose words are the longest
		}
		in(body, "data")["persons"] = travellers(n)
		out := b.draw(t, body)
		text := pdftotext(t, out.PDF)
		if got := strings.Count(text, "Fill número"); got != n {
			t.Errorf("%d of %d persons", got, n)
		}
		if n <= 6 && out.Pages != 2 || out.Pages > 3 {
			t.Errorf("%d persons take %d pages", n, out.Pages)
		}
	}
	if got := strings.Count(pdftotext(t, b.draw(t, b.sample(t, "eight_children")).PDF), "Cognoms i nom"); got != 2 {
		t.Errorf("the head of eight children's table stands %d times", got)
	}
}

// Every word of the form in every language, and all that a hospital is told.
func TestTravelWords(t *testing.T) {
	b := travel(t)
	for country, language := range map[string]string{"ES": "ca-es", "FR": "ca-fr", "PT": "ca-pt"} {
		for condition, situation := range map[string]string{"worker": "employee", "self_employed": "self_employed", "pensioner": "pensioner", "student": "student_25_30"} {
			body := b.sample(t, samples.Standard)
			d := in(body, "data")
			body["language"], d["country"], d["holder_condition"] = language, country, condition
			in(body, "holder")["situation"] = situation
			in(body, "data", "competent_institution")["code"] = "AND-1"
			d["persons"] = travellers(7)
			for i, r := range []string{"spouse", "child", "student", "job_seeker", "dependent", "ward"} {
				traveller(body, i)["relationship"] = r
			}
			has(t, pdftotext(t, b.draw(t, body).PDF), "AND-1", "Fill número 7")
		}
	}
}

// aStay draws a stay that no rule forbids, over New Year too.
func aStay(t *rapid.T, d object) (from, to wire.Date) {
	from = aDay(t, wire.MustDate("2026-01-01"), wire.MustDate("2028-12-31"), "from")
	cover := rapid.SampledFrom([]int{60, 90, 120}).Draw(t, "cover")
	to = from.AddDays(rapid.IntRange(0, cover-1).Draw(t, "length"))
	newYear, err := wire.NewDate(from.Year()+1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	first, second := to.DaysSince(from)+1, 0
	if !to.Before(newYear) {
		first, second = newYear.DaysSince(from), to.DaysSince(newYear)+1
		d["days_used_next_year"] = rapid.IntRange(0, 180-second).Draw(t, "used next year")
	}
	d["stay_from"], d["stay_to"], d["remaining_cover_days"] = from.String(), to.String(), cover
	d["days_used_this_year"] = rapid.IntRange(0, 180-first).Draw(t, "used")
	return from, to
}

func aTravelForm(t *rapid.T) object {
	country := rapid.SampledFrom([]string{"ES", "FR", "PT"}).Draw(t, "country")
	situation := rapid.SampledFrom([]string{"employee", "self_employed", "pensioner", "student_25_30"}).Draw(t, "situation")
	condition := map[string]string{"employee": "worker", "self_employed": "self_employed", "pensioner": "pensioner", "student_25_30": "student"}[situation]
	planned := country == "FR" && (condition == "pensioner" || condition == "student") && rapid.Bool().Draw(t, "planned")
	h := person("direct", situation)
	d := object{"country": country, "holder_condition": condition, "planned_visits_allowed": planned,
		"competent_institution": object{"name": "Caixa Andorrana de Seguretat Social", "address": []any{"C/ Joan Maragall, 3", "AD500 Andorra la Vella"}}}
	from, to := aStay(t, d)
	persons := travellers(rapid.IntRange(0, 8).Draw(t, "children"))
	for i := range persons {
		// A child on the last day of the stay, insured since before the first.
		born := aDay(t, to.AddMonths(-18*12).AddDays(2), wire.MustDate("2025-12-31"), "born")
		persons[i].(object)["birth_date"], persons[i].(object)["since"] = born.String(), min(born.String(), from.String())
	}
	persons = append(persons, object{"full_name": h["full_name"], "cass_number": h["cass_number"], "birth_date": h["birth_date"], "relationship": "holder", "since": "2000-01-01"})
	d["persons"] = persons
	b := envelope(h, d)
	b["language"] = map[string]string{"ES": "ca-es", "FR": "ca-fr", "PT": "ca-pt"}[country]
	return b
}

func TestTravelProperty(t *testing.T) {
	travel(t).property(t, aTravelForm, func(b object) []breakage {
		last := len(in(b, "data")["persons"].([]any)) - 1
		person := fmt.Sprintf("/data/persons/%d", last)
		return []breakage{
			{"/language", func(b object) { b["language"] = "en" }},
			{"/data/country", func(b object) { in(b, "data")["country"] = "AD" }},
			{"/data/stay_to", func(b object) { in(b, "data")["stay_to"] = "2025-12-31" }},
			{"/data/stay_to", func(b object) { in(b, "data")["days_used_this_year"] = 180 }},
			{"/data/stay_from", func(b object) { delete(in(b, "data"), "stay_from") }},
			{"/data/remaining_cover_days", func(b object) { in(b, "data")["remaining_cover_days"] = 180 }},
			{"/data/holder_condition", func(b object) { in(b, "data")["holder_condition"] = "tourist" }},
			{"/data/competent_institution/name", func(b object) { in(b, "data", "competent_institution")["name"] = "" }},
			{"/data/persons", func(b object) { in(b, "data")["persons"] = []any{} }},
			{person + "/cass_number", func(b object) { traveller(b, last)["cass_number"] = "00000A" }},
			{person + "/full_name", func(b object) { traveller(b, last)["full_name"] = "Puig\u202e" }},
			{person + "/since", func(b object) { traveller(b, last)["since"] = "2030-01-01" }},
			{person + "/until", func(b object) { traveller(b, last)["until"] = "2025-12-31" }},
			{person + "/relationship", func(b object) { traveller(b, last)["relationship"] = "cousin" }},
			{"/data/planned", func(b object) { in(b, "data")["planned"] = true }},
		}
	})
}
