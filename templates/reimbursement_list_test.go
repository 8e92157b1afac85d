package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"segell/samples"
	"segell/wire"
)

func TestReimbursementRules(t *testing.T) {
	const people = "/data/beneficiaries"
	person := func(b object, i int) object { return in(b, "data", "beneficiaries", i) }
	line := func(b object, i, k int) object { return in(b, "data", "beneficiaries", i, "lines", k) }
	bodiesOf(t, "reimbursement_list").judge(t, samples.Standard, []rule{
		{"as it is", func(b object) {}, nil},
		{"a period of a day", func(b object) {
			in(b, "data")["period_from"], in(b, "data")["period_to"] = "2025-02-11", "2025-02-11"
			only(b, line(b, 0, 0))
		}, nil},
		{"nothing at all", func(b object) { only(b) }, nil},
		{"one person asked for", func(b object) {
			in(b, "data")["filter_beneficiary"] = "000000A"
			only(b, line(b, 0, 0))
		}, nil},
		{"and another given", func(b object) { in(b, "data")["filter_beneficiary"] = "000000A" }, []string{people + "/1/cass_number"}},
		{"an adult on the day of the data", func(b object) {
			person(b, 1)["birth_date"] = "2008-03-01"
		}, []string{people + "/1/consent"}},
		{"a minor until tomorrow", func(b object) { person(b, 1)["birth_date"] = "2008-03-02" }, nil},
		{"an adult who agrees", func(b object) { person(b, 1)["birth_date"], person(b, 1)["consent"] = "2000-03-01", true }, nil},
		{"somebody without a relationship", func(b object) { delete(person(b, 1), "relationship") }, []string{people + "/1/relationship"}},
		{"the holder with one", func(b object) { person(b, 0)["relationship"] = "spouse" }, []string{people + "/0/relationship"}},
		{"the holder born on another day", func(b object) { person(b, 0)["birth_date"] = "1984-07-18" }, []string{people + "/0/birth_date"}},
		{"somebody twice", func(b object) { person(b, 1)["cass_number"] = "000000A" }, []string{people + "/1/birth_date", people + "/1/cass_number", people + "/1/relationship"}},
		{"through an indirect person", func(b object) {
			in(b, "holder")["insured_type"], in(b, "holder")["situation"] = "indirect", "spouse"
		}, []string{people + "/1/cass_number"}},

		{"a period that ends before it begins", func(b object) { in(b, "data")["period_to"] = "2024-12-31"; only(b) }, []string{"/data/period_to"}},
		{"a period beyond the data", func(b object) { in(b, "data")["period_to"] = "2026-03-02" }, []string{"/data/period_to"}},
		{"an act before the period", func(b object) { line(b, 0, 0)["act_date"] = "2024-12-31" }, []string{people + "/0/lines/0/act_date"}},
		{"an act after the period", func(b object) {
			line(b, 0, 0)["act_date"], line(b, 0, 0)["paid_on"] = "2026-01-01", "2026-01-02"
		}, []string{people + "/0/lines/0/act_date"}},
		{"paid in the next year", func(b object) { line(b, 0, 3)["paid_on"] = "2026-02-28" }, nil},
		{"paid after the data", func(b object) { line(b, 0, 3)["paid_on"] = "2026-03-02" }, []string{people + "/0/lines/3/paid_on"}},
		{"paid before the act", func(b object) { line(b, 0, 0)["paid_on"] = "2025-02-10" }, []string{people + "/0/lines/0/paid_on"}},
		{"paid without a payment", func(b object) { delete(line(b, 0, 0), "payment_number"); delete(line(b, 0, 0), "paid_on") },
			[]string{people + "/0/lines/0/paid_on", people + "/0/lines/0/payment_number"}},
		{"a text of 51", func(b object) { line(b, 0, 0)["act"] = strings.Repeat("x", 51) }, []string{people + "/0/lines/0/act"}},
		{"a code of 4", func(b object) { line(b, 0, 0)["act_code"] = "CSCS" }, []string{people + "/0/lines/0/act_code"}},
		{"a provider in the wrong direction", func(b object) { line(b, 0, 0)["provider"] = "Dr. \u202eModel" }, []string{people + "/0/lines/0/provider"}},
		{"more than all", func(b object) { line(b, 0, 0)["rate"] = "100.01" }, []string{people + "/0/lines/0/rate"}},
		{"a reimbursement of nothing", func(b object) { line(b, 0, 0)["rate"] = "0.00" }, []string{people + "/0/lines/0/reimbursed"}},
		{"a recovery that gives", func(b object) { line(b, 0, 0)["status"] = "recovered" }, []string{people + "/0/lines/0/reimbursed"}},
		{"pending and paid", func(b object) { line(b, 0, 0)["status"] = "pending" },
			[]string{people + "/0/lines/0/paid_on", people + "/0/lines/0/payment_number", people + "/0/lines/0/reimbursed"}},
		{"a negative quantity", func(b object) { line(b, 0, 0)["quantity"] = "-1.00" }, []string{people + "/0/lines/0/quantity"}},

		{"a line that changes", func(b object) { line(b, 0, 0)["reimbursed"] = "19.02" }, []string{people + "/0/totals/reimbursed", "/data/totals/reimbursed"}},
		{"a line that moves to the provider", func(b object) { line(b, 0, 0)["third_party_payer"] = true },
			[]string{people + "/0/totals/paid_to_providers", people + "/0/totals/reimbursed", "/data/totals/paid_to_providers", "/data/totals/reimbursed"}},
		{"a total of what was paid", func(b object) { in(b, "data", "totals")["amount_paid_by_patient"] = "140.76" }, []string{"/data/totals/amount_paid_by_patient"}},
		{"totals of what cannot be read", func(b object) {
			line(b, 0, 0)["reimbursed"], in(b, "data", "totals")["reimbursed"] = 19.01, "0.00"
		}, []string{people + "/0/lines/0/reimbursed"}},
		{"more than can be added", func(b object) {
			line(b, 0, 0)["amount_paid_by_patient"], line(b, 0, 1)["amount_paid_by_patient"] = "9999999999999.99", "9999999999999.99"
		}, []string{people + "/0/totals", "/data/totals"}},
	})
}

// only leaves the holder with the lines given, or nobody, and totals that fit.
func only(b object, lines ...object) {
	data := in(b, "data")
	zero := object{"amount_paid_by_patient": "0.00", "reimbursed": "0.00", "paid_to_providers": "0.00"}
	if len(lines) == 0 {
		data["beneficiaries"], data["totals"] = []any{}, zero
		return
	}
	l := lines[0]
	totals := object{"amount_paid_by_patient": l["amount_paid_by_patient"], "reimbursed": l["reimbursed"], "paid_to_providers": "0.00"}
	who := in(data, "beneficiaries", 0)
	who["lines"], who["totals"] = []any{l}, totals
	data["beneficiaries"], data["totals"] = []any{who}, totals
}

func TestReimbursementPage(t *testing.T) {
	l := bodiesOf(t, "reimbursement_list")
	std := l.draw(t, l.sample(t, samples.Standard))
	if std.Title != "Llistat de prestacions de reembossament "+issue.Number {
		t.Errorf("%q", std.Title)
	}
	// The golden values of DOMAIN section 3: 25,35 at 75 %, DO 10, 28,55 at 90 %.
	has(t, pdftotext(t, std.PDF), "Llistat de prestacions de reembossament", "Aquest document conté dades de salut.", "Període", "01/01/2025–31/12/2025",
		"consten 6 actes. La CASS ha reembossat 101,52 € i ha pagat 41,20 € directament als prestadors.",
		"Ferrer i Puig, Arnau", "Fill o filla", "35,00", "25,70", "41,20", "Total", "140,75", "101,52", "41,20",
		"Puig i Cerqueda, Maria del Carme (número CASS 000000A)", "11/02/2025", "CS · Consulta especialista", "25,35", "30,00", "75 %", "19,01",
		"DO · Anàlisi clínica", "10,00", "3,20", "32,00", "24,00", "Suma i segueix", "Suma anterior", "Total de la persona", "105,75", "75,82",
		"28,55", "35,00", "90 %", "25,70", "RX · Radiografia de canell", "100 %", "–", "41,20", "Total general", "140,75", "101,52", "41,20",
		"tercer pagador", "articles 132 a 135")

	family := pdftotext(t, l.draw(t, l.sample(t, "family_over_new_year")).PDF)
	has(t, family, "Hi ha 1 acte pendent", "S’ha denegat 1 acte.", "La CASS ha recuperat 1 pagament", "Cònjuge", "0", "0,00",
		"Recuperat", "−19,01", "Denegat", "0,00", "(no", "convencionat)", "Pendent", "–")

	none := pdftotext(t, l.draw(t, l.sample(t, "no_benefits")).PDF)
	has(t, none, "No consten prestacions de reembossament entre el dia 1 de gener del 2025 i el dia 31 de desembre del 2025.")
	if strings.Contains(none, "Tarifa") {
		t.Error("there is a table of nothing")
	}

	body := l.sample(t, "long_treatment")
	long := l.draw(t, body)
	text := pdftotext(t, long.PDF)
	if n := strings.Count(text, "DL · Sessió"); n+strings.Count(text, "TR · ")+strings.Count(text, "DO · ")+strings.Count(text, "CS · ")+strings.Count(text, "PH · ") != 616 {
		t.Errorf("not every act is there")
	}
	if n := strings.Count(text, "Suma i segueix"); n < long.Pages-3 || n != strings.Count(text, "Suma anterior") {
		t.Errorf("sums are carried %d times over %d pages", n, long.Pages)
	}
	has(t, text, "consten 616 actes", "Total general", "2.805,70", "2.525,26", "66.236,30")

	one := l.sample(t, samples.Standard)
	in(one, "data")["filter_beneficiary"] = "000000A"
	only(one, in(one, "data", "beneficiaries", 0, "lines", 0))
	has(t, pdftotext(t, l.draw(t, one).PDF), "només els actes de la persona amb número CASS 000000A")
	for _, name := range []string{samples.Standard, "family_over_new_year", "no_benefits"} {
		l.everyLanguageDraws(t, name)
	}
}

// Whatever acts there are, totals that are their sum are accepted and others are not.
func TestReimbursementProperty(t *testing.T) {
	from, to := wire.MustDate("2024-12-15"), wire.MustDate("2026-02-28")
	valid := func(t *rapid.T) object {
		var sums [3][3]int64 // of two persons and of all: paid by the patient, to the person, to the provider
		totals := func(s [3]int64) object {
			return object{"amount_paid_by_patient": euros(s[0]), "reimbursed": euros(s[1]), "paid_to_providers": euros(s[2])}
		}
		people := []any{}
		for i, who := range []object{
			{"full_name": "Puig i Cerqueda, Maria del Carme", "cass_number": "000000A", "birth_date": "1960-07-19"},
			{"full_name": "Ferrer i Puig, Arnau", "cass_number": "000001B", "birth_date": "2015-05-04", "relationship": "child"},
		} {
			lines := []any{}
			for k := range rapid.IntRange(0, 6).Draw(t, "lines") {
				day := aDay(t, from, to, "day")
				status := rapid.SampledFrom([]string{"paid", "pending", "rejected", "recovered"}).Draw(t, "status")
				paid := rapid.Int64Range(0, 999_999).Draw(t, "paid")
				third := rapid.Bool().Draw(t, "third")
				var back int64
				l := object{"act_date": day.String(), "act_code": "CS", "act": "Consulta", "provider": "Dr. Model", "contracted": rapid.Bool().Draw(t, "contracted"),
					"sheet_number": numbered("S", k), "quantity": "1.00", "tariff": "25.35", "amount_paid_by_patient": euros(paid), "rate": "75.00", "third_party_payer": third, "status": status}
				switch status {
				case "paid":
					back = rapid.Int64Range(0, 999_999).Draw(t, "back")
				case "recovered":
					back = -rapid.Int64Range(1, 999_999).Draw(t, "taken")
				}
				if status == "paid" || status == "recovered" {
					l["payment_number"], l["paid_on"] = numbered("P", k), day.AddDays(1).String()
				}
				l["reimbursed"] = euros(back)
				lines = append(lines, l)
				for _, s := range []int{i, 2} {
					sums[s][0] += paid
					if third {
						sums[s][2] += back
					} else {
						sums[s][1] += back
					}
				}
			}
			who["lines"], who["totals"] = lines, totals(sums[i])
			people = append(people, who)
		}
		return envelope(person("direct", "employee"), object{"period_from": from.String(), "period_to": to.String(), "beneficiaries": people, "totals": totals(sums[2])})
	}
	breakages := func(b object) []breakage {
		data := in(b, "data")
		list := []breakage{
			{"/data/period_to", func(object) { data["period_to"] = "2026-03-02" }},
			{"/data/beneficiaries/0/relationship", func(object) { in(data, "beneficiaries", 0)["relationship"] = "child" }},
			{"/data/beneficiaries/1/consent", func(object) { in(data, "beneficiaries", 1)["birth_date"] = "2000-01-01" }},
			{"/data/beneficiaries/1/cass_number", func(object) { in(data, "beneficiaries", 1)["cass_number"] = "000000A" }},
		}
		for _, field := range []string{"amount_paid_by_patient", "reimbursed", "paid_to_providers"} {
			list = append(list,
				breakage{"/data/totals/" + field, func(object) { in(data, "totals")[field] = "87654321.09" }},
				breakage{"/data/beneficiaries/1/totals/" + field, func(object) { in(data, "beneficiaries", 1, "totals")[field] = "-0.01" }})
		}
		for i := range 2 {
			for k := range in(data, "beneficiaries", i)["lines"].([]any) {
				l, at := in(data, "beneficiaries", i, "lines", k), fmt.Sprintf("/data/beneficiaries/%d/lines/%d", i, k)
				list = append(list,
					breakage{at + "/act_date", func(object) { l["act_date"] = "2024-12-14" }},
					breakage{at + "/rate", func(object) { l["rate"] = "-0.01" }},
					breakage{at + "/reimbursed", func(object) { l["status"], l["reimbursed"] = "rejected", "0.01" }},
					breakage{at + "/paid_on", func(object) { l["status"] = "paid"; l["paid_on"] = "2026-03-02" }},
					breakage{at + "/sheet_number", func(object) { l["sheet_number"] = "full 1" }},
					breakage{at + "/payment_number", func(object) { l["status"] = "recovered"; delete(l, "payment_number") }},
				)
			}
		}
		return list
	}
	bodiesOf(t, "reimbursement_list").property(t, valid, breakages)
}
