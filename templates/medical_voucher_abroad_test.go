package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"segell/samples"
	"segell/wire"
)

func voucher(t tester) bodies         { return bodiesOf(t, "medical_voucher_abroad") }
func derivation(b object) object      { return in(b, "data", "derivation") }
func without(b object, reason string) { withoutDerivation(in(b, "data"), reason) }

func withoutDerivation(d object, reason string) {
	delete(d, "derivation")
	delete(d, "referrer")
	d["without_derivation"] = reason
}

func inToulouse(b object) {
	in(b, "data")["provider"] = object{"name": "CHU de Toulouse", "city": "Toulouse", "country": "FR", "group": "chu_toulouse"}
}

// asStudent makes the patient a student who is insured through another.
func asStudent(b object) {
	h := in(b, "holder")
	h["insured_type"], h["situation"], h["birth_date"] = "indirect", "student", "2004-02-29"
	in(b, "data")["insured"] = object{"full_name": "Puig Font, Joan", "cass_number": "000009J"}
}

func TestVoucherRules(t *testing.T) {
	voucher(t).judge(t, samples.Standard, []rule{
		{"as it is", func(b object) {}, nil},
		{"with the provider's Spanish", func(b object) { b["language"] = "ca-es" }, nil},
		{"in Toulouse, with French", func(b object) { inToulouse(b); b["language"] = "ca-fr" }, nil},
		{"in Toulouse, in Catalan", inToulouse, nil},
		{"in Toulouse, with Spanish", func(b object) { inToulouse(b); b["language"] = "ca-es" }, []string{"/language"}},
		{"in Barcelona, with French", func(b object) { b["language"] = "ca-fr" }, []string{"/language"}},
		{"in Portuguese", func(b object) { b["language"] = "ca-pt" }, []string{"/language"}},
		{"in Portugal", func(b object) { in(b, "data", "provider")["country"] = "PT" }, []string{"/data/provider/country"}},
		{"a group of the other country", func(b object) { in(b, "data", "provider")["group"] = "chu_toulouse" }, []string{"/data/provider/group"}},
		{"a group of its own", func(b object) { in(b, "data", "provider")["group"] = "other" }, nil},

		{"on the last day of the derivation", func(b object) { in(b, "data")["act_date"] = "2027-01-20" }, nil},
		{"and the day after", func(b object) { in(b, "data")["act_date"] = "2027-01-21" }, []string{"/data/act_date"}},
		{"before the derivation", func(b object) { in(b, "data")["act_date"] = "2026-01-19" }, []string{"/data/act_date"}},
		{"a derivation of 12 months and a day", func(b object) { derivation(b)["valid_to"] = "2027-01-21" }, []string{"/data/derivation/valid_to"}},
		{"a shorter one", func(b object) { derivation(b)["valid_to"] = "2026-03-18" }, nil},
		{"that ends before it begins", func(b object) { derivation(b)["valid_to"] = "2026-01-19" }, []string{"/data/derivation/valid_to"}},
		{"from 29 February", func(b object) {
			derivation(b)["date"], derivation(b)["valid_to"], in(b, "data")["act_date"] = "2024-02-29", "2025-02-28", "2025-02-28"
		}, nil},
		{"and a day more", func(b object) {
			derivation(b)["date"], derivation(b)["valid_to"], in(b, "data")["act_date"] = "2024-02-29", "2025-03-01", "2025-02-28"
		}, []string{"/data/derivation/valid_to"}},
		{"of tomorrow", func(b object) {
			derivation(b)["date"], derivation(b)["valid_to"] = "2026-03-02", "2027-03-02"
		}, []string{"/data/derivation/date"}},
		{"the 12th visit", func(b object) { derivation(b)["visits_used"] = 12 }, nil},
		{"the 13th", func(b object) { derivation(b)["visits_used"] = 13 }, []string{"/data/derivation/visits_used"}},
		{"the 3rd of 2", func(b object) { derivation(b)["visits_used"], derivation(b)["visits_of"] = 3, 2 }, []string{"/data/derivation/visits_used"}},
		{"of 13 visits", func(b object) { derivation(b)["visits_of"] = 13 }, []string{"/data/derivation/visits_of"}},
		{"referred by nobody", func(b object) { delete(in(b, "data"), "referrer") }, []string{"/data/referrer"}},
		{"no derivation, and no reason", func(b object) { delete(in(b, "data"), "derivation") }, []string{"/data/derivation"}},
		{"a derivation, and a reason for none", func(b object) { in(b, "data")["without_derivation"] = "emergency" }, []string{"/data/without_derivation"}},
		{"an emergency", func(b object) { without(b, "emergency") }, nil},
		{"an emergency with a referrer", func(b object) {
			r := in(b, "data", "referrer")
			without(b, "emergency")
			in(b, "data")["referrer"] = r
		}, []string{"/data/referrer"}},
		{"a student abroad", func(b object) { asStudent(b); without(b, "student_abroad") }, nil},
		{"a student abroad who is an employee", func(b object) { without(b, "student_abroad") }, []string{"/data/without_derivation"}},

		{"an indirect patient through nobody", func(b object) { asStudent(b); delete(in(b, "data"), "insured") }, []string{"/data/insured"}},
		{"through oneself", func(b object) { asStudent(b); in(b, "data", "insured")["cass_number"] = "000000A" }, []string{"/data/insured/cass_number"}},
		{"a direct patient through another", func(b object) {
			in(b, "data")["insured"] = object{"full_name": "Puig Font, Joan", "cass_number": "000009J"}
		}, []string{"/data/insured"}},
		{"nobody insured", func(b object) { in(b, "holder")["situation"] = "none" }, []string{"/holder/situation"}},
		{"a rate of nothing", func(b object) { in(b, "data")["rate"] = "0.00" }, []string{"/data/rate"}},
		{"of more than all", func(b object) { in(b, "data")["rate"] = "100.01" }, []string{"/data/rate"}},
		{"outside the preferred path", func(b object) { in(b, "data")["preferred_path"], in(b, "data")["rate"] = false, "33.00" }, nil},
		{"a diagnosis", func(b object) { in(b, "data")["diagnosis"] = "G40" }, []string{"/data/diagnosis"}},
		{"an act of 201 letters", func(b object) { in(b, "data")["act_description"] = strings.Repeat("x", 201) }, []string{"/data/act_description"}},
		{"no days", func(b object) { in(b, "data")["planned_days"] = 0 }, []string{"/data/planned_days"}},
		{"nights that are fewer than none", func(b object) { in(b, "data")["lodging_nights"] = -1 }, []string{"/data/lodging_nights"}},
	})
}

func TestVoucherValidity(t *testing.T) {
	for _, c := range []struct {
		days    int
		validTo string
		want    string
	}{
		{1, "2027-01-20", "2026-03-18"},
		{4, "2027-01-20", "2026-03-21"},
		{4, "2026-03-20", "2026-03-20"}, // the derivation ends first
	} {
		b := voucher(t)
		body := b.sample(t, samples.Standard)
		in(body, "data")["planned_days"], derivation(body)["valid_to"] = c.days, c.validTo
		r, err := b.decode(t, body)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := r.ValidUntil(now); !ok || got.String() != c.want {
			t.Errorf("%d days, derivation until %s: %v, want %s", c.days, c.validTo, got, c.want)
		}
	}
}

func TestVoucherPages(t *testing.T) {
	b := voucher(t)
	for _, c := range []struct {
		sample string
		pages  int
		parts  []string
	}{
		{samples.Standard, 1, []string{"Volant mèdic a l’estranger", "ni conté cap diagnòstic.", "Número de volant", "2026-VM-004321", "Visita", "18/03/2026", "Consulta de neurologia",
			"Pacient", "Puig i Cerqueda, Maria del Carme", "Barcelona (ES)", "Assistència Sanitària", "Vila Serra, Anna (Medicina general)", "20/01/2026", "20/01/2027", "2 / 12",
			"Via preferent", "Sí", "75 %", "No", "Àrea de Control Sanitari", "Instruccions", "demaneu-ne després el reembossament", "articles 132 a 135.", "Pàgina 1 de 1"}},
		{"outside_preferred_path", 2, []string{"Volante médico para el extranjero",
			"FORA DE LA VIA PREFERENT. Només es reembossa el 33 % de la tarifa", "FUERA DE LA VÍA PREFERENTE. Solo se reembolsa el 33 % de la tarifa",
			"Visita / Consulta", "12 / 12", "Via preferent / Vía preferente", "No", "33 %", "Català Español"}},
		{"minor_surgery_toulouse", 2, []string{"Bon de prise en charge à l’étranger", "Cirurgia / Chirurgie", "13/04/2026", "4", "Ferrer i Puig, Arnau", "Puig i Cerqueda, Maria del Carme", "CHU de Toulouse",
			"Sí / Oui", "90 %", "Vàlid fins al 16/04/2026", "Valable jusqu’au 16/04/2026", "Tercer pagador: la CASS paga directament"}},
		{"emergency_without_derivation", 2, []string{"Sense derivació: urgència / Sin derivación: urgencia"}},
	} {
		out := b.draw(t, b.sample(t, c.sample))
		text := pdftotext(t, out.PDF)
		has(t, text, c.parts...)
		if out.Pages != c.pages {
			t.Errorf("%s: %d pages", c.sample, out.Pages)
		}
		if c.sample != "outside_preferred_path" && strings.Contains(text, "FORA DE") {
			t.Errorf("%s: loud without need", c.sample)
		}
		for _, no := range []string{"{{", "<no value>", "Meritxell", "cortesia"} {
			if strings.Contains(text, no) {
				t.Errorf("%s: %q is on the page", c.sample, no)
			}
		}
		if strings.Contains(out.Title, "neurologia") || strings.Contains(out.Title, "Puig") {
			t.Errorf("title %q", out.Title)
		}
	}
	// Every value of every enumeration has its words, in each language.
	for language, country := range map[string]string{"ca": "ES", "ca-es": "ES", "ca-fr": "FR"} {
		for _, act := range []string{"visit", "test", "day_hospital", "stay", "surgery", "rehabilitation"} {
			body := b.sample(t, samples.Standard)
			body["language"] = language
			in(body, "data")["act_type"] = act
			in(body, "data", "provider")["country"], in(body, "data", "provider")["group"] = country, "other"
			b.draw(t, body)
			asStudent(body)
			without(body, "student_abroad")
			b.draw(t, body)
		}
	}
}

func aVoucher(t *rapid.T) object {
	asOf := aDay(t, wire.MustDate("2024-02-29"), wire.MustDate("2026-03-02"), "data as of")
	date := asOf.AddDays(-rapid.IntRange(0, 200).Draw(t, "derived before"))
	validTo := aDay(t, date, date.AddMonths(12), "valid to")
	of := rapid.IntRange(1, 12).Draw(t, "visits of")
	country := rapid.SampledFrom([]string{"ES", "FR"}).Draw(t, "country")
	d := object{
		"voucher_number": numbered("2026-VM-", rapid.IntRange(1, 999999).Draw(t, "number")),
		"referrer":       object{"name": "Vila Serra, Anna", "licence": "0000"},
		"derivation":     object{"date": date.String(), "valid_to": validTo.String(), "visits_used": rapid.IntRange(1, of).Draw(t, "visit"), "visits_of": of},
		"provider":       object{"name": strings.Repeat("Clínica ", rapid.IntRange(0, 13).Draw(t, "long")) + "Exemple", "city": "l’Hospitalet", "country": country, "group": "other"},
		"act_type":       rapid.SampledFrom([]string{"visit", "test", "day_hospital", "stay", "surgery", "rehabilitation"}).Draw(t, "act"),
		"act_date":       aDay(t, date, validTo, "act").String(), "act_description": "Consulta", "planned_days": rapid.IntRange(1, 365).Draw(t, "days"),
		"preferred_path": rapid.Bool().Draw(t, "path"), "rate": wire.Percent(rapid.Int64Range(1, 100_00).Draw(t, "rate")).String(),
		"third_party_payer": rapid.Bool().Draw(t, "third"), "escort_allowed": rapid.Bool().Draw(t, "escort"), "taxi_allowed": rapid.Bool().Draw(t, "taxi"),
		"lodging_nights": rapid.IntRange(0, 365).Draw(t, "nights"), "authorised_by": "Àrea de Control Sanitari",
	}
	if rapid.Bool().Draw(t, "emergency") {
		withoutDerivation(d, "emergency")
	}
	b := envelope(person("direct", "pensioner"), d)
	b["data_as_of"] = asOf.String()
	b["language"] = rapid.SampledFrom([]string{"ca", map[string]string{"ES": "ca-es", "FR": "ca-fr"}[country]}).Draw(t, "language")
	return b
}

func TestVoucherProperty(t *testing.T) {
	voucher(t).property(t, aVoucher, func(b object) []breakage {
		breakages := []breakage{
			{"/language", func(b object) { b["language"] = "es" }},
			{"/holder/situation", func(b object) { in(b, "holder")["situation"] = "none" }},
			{"/data/voucher_number", func(b object) { in(b, "data")["voucher_number"] = "a b" }},
			{"/data/provider/country", func(b object) { in(b, "data", "provider")["country"] = "AD" }},
			{"/data/provider/name", func(b object) { in(b, "data", "provider")["name"] = "" }},
			{"/data/act_type", func(b object) { in(b, "data")["act_type"] = "miracle" }},
			{"/data/act_date", func(b object) { delete(in(b, "data"), "act_date") }},
			{"/data/planned_days", func(b object) { in(b, "data")["planned_days"] = 366 }},
			{"/data/rate", func(b object) { in(b, "data")["rate"] = "0.00" }},
			{"/data/preferred_path", func(b object) { in(b, "data")["preferred_path"] = nil }},
			{"/data/insured", func(b object) {
				in(b, "data")["insured"] = object{"full_name": "Puig Font, Joan", "cass_number": "000009J"}
			}},
			{"/data/authorised_by", func(b object) { in(b, "data")["authorised_by"] = " Àrea" }},
		}
		if _, referred := in(b, "data")["derivation"]; referred {
			breakages = append(breakages,
				breakage{"/data/act_date", func(b object) { in(b, "data")["act_date"] = "2030-01-01" }},
				breakage{"/data/derivation/valid_to", func(b object) { derivation(b)["valid_to"] = "2029-01-01" }},
				breakage{"/data/derivation/date", func(b object) { derivation(b)["date"] = "2026-02-30" }},
				breakage{"/data/derivation/visits_used", func(b object) { derivation(b)["visits_used"] = 0 }},
				breakage{"/data/referrer/name", func(b object) { in(b, "data", "referrer")["name"] = fmt.Sprintf("Vila%c", 0x202e) }},
			)
		}
		return breakages
	})
}
