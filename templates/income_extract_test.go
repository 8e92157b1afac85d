package templates_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"segell/samples"
	"segell/wire"
)

const income extract = "income_extract"

func incomeLine(month, source, payer, gross, contribution, net string) object {
	l := object{"month": month, "source": source, "gross": gross, "employee_contribution": contribution, "net": net}
	if payer != "" {
		l["payer"] = payer
	}
	return l
}

// twoYears is a small extract: two employers in January, a pension, a regularisation, a year without income.
func twoYears(t *testing.T) func() object {
	return func() object {
		return income.body(t, "ca", object{
			"year_from": 2024, "year_to": 2026,
			"lines": []any{
				incomeLine("2026-01", "salary", "Hotel Exemple, SA", "2500.00", "162.50", "2337.50"),
				incomeLine("2024-01", "salary", "Hotel Exemple, SA", "1000.00", "65.00", "935.00"),
				incomeLine("2024-01", "salary", "Acadèmia Fictícia", "0.01", "0.00", "0.01"),
				incomeLine("2024-01", "salary", "Hotel Exemple, SA", "-100.00", "-6.50", "-93.50"),
				incomeLine("2024-02", "pension", "", "842.16", "0.00", "842.16"),
			},
			"subtotals_by_year":   []any{object{"year": 2024, "gross": "1742.17", "net": "1683.67"}, object{"year": 2026, "gross": "2500.00", "net": "2337.50"}},
			"subtotals_by_source": []any{object{"source": "salary", "gross": "3400.01", "net": "3179.01"}, object{"source": "pension", "gross": "842.16", "net": "842.16"}},
			"total_gross":         "4242.17", "total_net": "4021.17",
		})
	}
}

func TestIncomeRules(t *testing.T) {
	line := func(d object, i int) object { return item(d, "lines", i) }
	income.rules(t, twoYears(t), []ruleCase{
		{"as it is", func(b, d object) {}, nil},
		{"a year of nothing is said", func(b, d object) {
			d["subtotals_by_year"] = append(d["subtotals_by_year"].([]any), object{"year": 2025, "gross": "0.00", "net": "0.00"})
		}, nil},
		{"no lines", func(b, d object) {
			d["lines"], d["subtotals_by_year"], d["subtotals_by_source"], d["total_gross"], d["total_net"] = []any{}, []any{}, []any{}, "0.00", "0.00"
		}, nil},
		{"all of a gross is contribution", func(b, d object) {
			line(d, 0)["employee_contribution"], line(d, 0)["net"] = "2500.00", "0.00"
			item(d, "subtotals_by_year", 1)["net"], item(d, "subtotals_by_source", 0)["net"], d["total_net"] = "0.00", "841.51", "1683.67"
		}, nil},
		{"this month already", func(b, d object) { line(d, 0)["month"] = "2026-03" }, nil},

		{"a cent too much", func(b, d object) { d["total_gross"] = "4242.18" }, []string{"/data/total_gross"}},
		{"a net too little", func(b, d object) { d["total_net"] = "4021.16" }, []string{"/data/total_net"}},
		{"a year that does not add up", func(b, d object) { item(d, "subtotals_by_year", 0)["gross"] = "1742.16" }, []string{"/data/subtotals_by_year/0/gross"}},
		{"a source that does not add up", func(b, d object) { item(d, "subtotals_by_source", 1)["net"] = "842.17" }, []string{"/data/subtotals_by_source/1/net"}},
		{"a year left out", func(b, d object) { d["subtotals_by_year"] = d["subtotals_by_year"].([]any)[1:] }, []string{"/data/subtotals_by_year"}},
		{"a year twice", func(b, d object) { item(d, "subtotals_by_year", 1)["year"] = 2024 }, []string{"/data/subtotals_by_year/1/year", "/data/subtotals_by_year"}},
		{"a year not asked for", func(b, d object) {
			d["subtotals_by_year"] = append(d["subtotals_by_year"].([]any), object{"year": 2023, "gross": "0.00", "net": "0.00"})
		}, []string{"/data/subtotals_by_year/2/year"}},
		{"a source left out", func(b, d object) { d["subtotals_by_source"] = d["subtotals_by_source"].([]any)[1:] }, []string{"/data/subtotals_by_source"}},
		{"a source twice", func(b, d object) { item(d, "subtotals_by_source", 1)["source"] = "salary" }, []string{"/data/subtotals_by_source/1/source", "/data/subtotals_by_source"}},
		{"net is another", func(b, d object) { line(d, 0)["net"] = "2337.49" }, []string{"/data/lines/0/net", "/data/total_net", "/data/subtotals_by_year/1/net", "/data/subtotals_by_source/0/net"}},
		{"a contribution that adds", func(b, d object) { line(d, 2)["employee_contribution"] = "-0.01" }, []string{"/data/lines/2/employee_contribution", "/data/lines/2/net"}},
		{"a regularisation with the contribution of a salary", func(b, d object) { line(d, 3)["employee_contribution"] = "6.50" }, []string{"/data/lines/3/employee_contribution", "/data/lines/3/net"}},
		{"a salary of nobody", func(b, d object) { delete(line(d, 0), "payer") }, []string{"/data/lines/0/payer"}},
		{"a payer of 61", func(b, d object) { line(d, 0)["payer"] = strings.Repeat("à", 61) }, []string{"/data/lines/0/payer"}},
		{"a payer with an override", func(b, d object) { line(d, 0)["payer"] = "Hotel\u202eAS" }, []string{"/data/lines/0/payer"}},
		{"a month before the years", func(b, d object) { line(d, 0)["month"] = "2023-12" }, []string{"/data/lines/0/month", "/data/subtotals_by_year", "/data/subtotals_by_year/1/gross", "/data/subtotals_by_year/1/net"}},
		{"a month to come", func(b, d object) { line(d, 0)["month"] = "2026-04" }, []string{"/data/lines/0/month"}},
		{"years upside down", func(b, d object) { d["year_to"] = 2023 }, []string{"/data/year_to", "/data/lines/0/month", "/data/lines/1/month", "/data/lines/2/month", "/data/lines/3/month", "/data/lines/4/month", "/data/subtotals_by_year/0/year", "/data/subtotals_by_year/1/year"}},
		{"a year to come", func(b, d object) { d["year_to"] = 2027 }, []string{"/data/year_to"}},
		{"a year before birth", func(b, d object) { d["year_from"] = 1959 }, []string{"/data/year_from"}},
		{"an amount as a number", func(b, d object) { line(d, 0)["gross"] = 2500 }, []string{"/data/lines/0/gross"}},
		{"more than an amount can be", func(b, d object) {
			for i := range 2 {
				line(d, i)["gross"], line(d, i)["net"], line(d, i)["employee_contribution"] = "9999999999999.99", "9999999999999.99", "0.00"
			}
		}, []string{"/data/lines"}},
	})
	b := twoYears(t)()
	b["data"].(object)["total_net"] = "4031.17"
	if got := income.detail(t, raw(t, b), "/data/total_net"); !strings.HasSuffix(got, "it is 10.00 more") {
		t.Errorf("%q does not name the difference", got)
	}
}

func TestIncomePage(t *testing.T) {
	text := income.flat(t, income.sample(t, samples.Standard).Body)
	has(t, text, "Extracte d’ingressos", "Titular", "En resum",
		"Ingressos 2024–2025: 55.971,34 € bruts, 52.333,22 € nets. Hi ha ingressos en 23 mesos dels 24 del període.",
		"Sense ingressos: 12/2024 (1 mes).", "Imports declarats a la CASS; no és un certificat fiscal.",
		"Ingressos per any", "2024 11 24.866,54", "2025 12 31.104,80", "Total 23 55.971,34", "Ingressos per origen", "Salari 52.704,80", "Incapacitat temporal 3.266,54", "Total 55.971,34",
		"Ingressos mes a mes", "10/2024 Incapacitat temporal CASS 1.633,27", "Sense ingressos: 12/2024 (1 mes)", "Total 2024",
		"03/2025 Salari Acadèmia Fictícia 312,50 20,31 292,19", "03/2025 Salari Hotel Exemple, SA 2.500,00 162,50 2.337,50",
		"12/2025 Salari Hotel Exemple, SA −145,20 −9,44 −135,76", "Total 55.971,34 3.638,12 52.333,22", "és una regularització que es descompta", "Validesa: fins al 02/06/2026", "articles 99 i següents")

	has(t, income.flat(t, income.sample(t, "no_income").Body), "No consten ingressos. Període 2025: no hi ha cap salari", "Això no vol dir que la persona no tingui altres ingressos")
	// The payer of a pension is the fund where no other is named; March is not over on the day of the data.
	pensioner := income.flat(t, income.sample(t, "pensioner").Body)
	has(t, pensioner, "en 14 mesos dels 14 del període", "01/2025 Pensió CASS 842,16 0,00 842,16", "01/2025 Pensió Caixa Fictícia de Pensions 96,40")
	if strings.Contains(pensioner, "Sense ingressos") {
		t.Error("a month that is not over is a gap")
	}
	year := income.flat(t, income.sample(t, "year_without_income").Body)
	has(t, year, "Sense ingressos: 01/2022–11/2022 (11 mesos), 04/2023–01/2025 (22 mesos), 07/2025–12/2025 (6 mesos).",
		"2024 0 0,00 0,00 0,00", "Altres 0,01 0,00 0,01", "−1.120,00", "Sense ingressos: 04/2023–01/2025 (22 mesos)", "01/2026 Altres Comú Imaginari")
	has(t, income.flat(t, income.sample(t, "ten_years_two_sources").Body), "en 120 mesos dels 120", "Base compte propi –", "Suma i segueix", "Suma anterior", "Total 2025")

	for language, want := range map[string]string{"es": "no es un certificado fiscal", "fr": "ce relevé n’est pas une attestation fiscale", "pt": "não é um certificado fiscal", "en": "this is not a tax certificate"} {
		has(t, income.flat(t, income.sample(t, samples.Standard).In(language).Body), want)
	}
	income.everySample(t, map[string]int{"no_income": 1}, "Income")
}

// incomeDraw draws the data of an extract of up to four years.
func incomeDraw(t *rapid.T) object {
	sources := []string{"salary", "self_employed_base", "incapacity", "maternity", "pension", "other"}
	from := rapid.IntRange(1980, 2025).Draw(t, "from")
	to := min(from+rapid.IntRange(0, 3).Draw(t, "years"), 2025)
	type sum struct{ gross, net wire.Money }
	var total sum
	years, bySource := map[int]sum{}, map[string]sum{}
	lines := []any{}
	for range rapid.IntRange(0, 60).Draw(t, "lines") {
		m := fmt.Sprintf("%d-%02d", rapid.IntRange(from, to).Draw(t, "year"), rapid.IntRange(1, 12).Draw(t, "month"))
		gross := wire.Money(rapid.Int64Range(-300_00, 99_999_99).Draw(t, "gross"))
		contribution, err := wire.Percent(rapid.Int64Range(0, 100_00).Draw(t, "rate")).Of(gross)
		if err != nil {
			t.Fatal(err)
		}
		source := rapid.SampledFrom(sources).Draw(t, "source")
		payer := ""
		if source == "salary" || rapid.Bool().Draw(t, "named") {
			payer = rapid.StringMatching(`[A-Z][a-zàçéíòú·’]{1,20}( (i|de)? ?[A-Z]{1,30})?`).Draw(t, "payer")
		}
		net := gross - contribution
		lines = append(lines, incomeLine(m, source, payer, gross.String(), contribution.String(), net.String()))
		year := wire.MustMonth(m).Year()
		total = sum{total.gross + gross, total.net + net}
		years[year] = sum{years[year].gross + gross, years[year].net + net}
		bySource[source] = sum{bySource[source].gross + gross, bySource[source].net + net}
	}
	byYear, ofSource := []any{}, []any{}
	for year, s := range years {
		byYear = append(byYear, object{"year": year, "gross": s.gross.String(), "net": s.net.String()})
	}
	for source, s := range bySource {
		ofSource = append(ofSource, object{"source": source, "gross": s.gross.String(), "net": s.net.String()})
	}
	return object{
		"year_from": from, "year_to": to, "lines": lines, "subtotals_by_year": byYear, "subtotals_by_source": ofSource,
		"total_gross": total.gross.String(), "total_net": total.net.String(),
	}
}

func TestIncomeOfAnyKind(t *testing.T) {
	drawn := 0
	rapid.Check(t, func(rt *rapid.T) {
		d := incomeDraw(rt)
		b := income.body(t, rapid.SampledFrom([]string{"ca", "es", "fr", "pt", "en"}).Draw(rt, "language"), d)
		if got := income.faults(t, raw(t, b)); got != nil {
			rt.Fatalf("refused at %q", got)
		}
		if drawn++; drawn%20 == 1 {
			income.render(t, raw(t, b))
		}
		n := len(d["lines"].([]any))
		if n == 0 {
			return
		}
		i := rapid.IntRange(0, n-1).Draw(rt, "line")
		line := item(d, "lines", i)
		at := fmt.Sprintf("/data/lines/%d/", i)
		breaks := map[string]func(){
			"/data/total_gross":          func() { d["total_gross"] = "12345678.90" },
			"/data/total_net":            func() { d["total_net"] = "12345678.90" },
			"/data/year_to":              func() { d["year_to"] = 2031 },
			"/data/year_from":            func() { d["year_from"] = 1901 },
			at + "month":                 func() { line["month"] = "2025-13" },
			at + "payer":                 func() { line["payer"] = "Hotel\u200bExemple" },
			at + "gross":                 func() { line["gross"] = "1.5" },
			at + "net":                   func() { line["net"] = "987654321.00" },
			at + "employee_contribution": func() { line["employee_contribution"] = "987654321.00" },
			at + "source":                func() { line["source"] = "lottery" },
			"/data/subtotals_by_year/0/gross": func() {
				item(d, "subtotals_by_year", 0)["gross"] = "987654321.00"
			},
			"/data/subtotals_by_source/0/net": func() {
				item(d, "subtotals_by_source", 0)["net"] = "987654321.00"
			},
		}
		pointer := rapid.SampledFrom(slices.Sorted(maps.Keys(breaks))).Draw(rt, "broken")
		breaks[pointer]()
		if got := income.faults(t, raw(t, b)); !slices.Contains(got, pointer) {
			rt.Fatalf("%s is broken, faults at %q", pointer, got)
		}
	})
}
