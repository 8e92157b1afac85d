package templates_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"segell/samples"
	"segell/templates"
	"segell/wire"
)

const points extract = "points_extract"

// pointsRow is a row whose points are what its contribution buys.
func pointsRow(month, employer, salary, contribution, price, points string) object {
	return object{
		"month": month, "source": "employee", "employer": employer, "salary": salary,
		"contribution": contribution, "purchase_price": price, "points": points,
	}
}

// threeMonths is a small extract: two employers in January, nothing in February.
func threeMonths(t *testing.T) func() object {
	return func() object {
		return points.body(t, "ca", object{
			"period_from": "2025-12", "period_to": "2026-03",
			"rows": []any{
				pointsRow("2026-01", "Hotel Exemple, SA", "2500.00", "300.00", "26.62560", "11.2674"),
				pointsRow("2026-01", "Acadèmia Fictícia", "1525.00", "183.00", "26.62560", "6.8731"),
				pointsRow("2025-12", "Hotel Exemple, SA", "2500.00", "300.00", "25.95088", "11.5603"),
				pointsRow("2026-03", "Hotel Exemple, SA", "2672.52", "320.70", "26.62560", "12.0448"),
			},
			"year_subtotals": []any{object{"year": 2026, "points": "30.1853"}, object{"year": 2025, "points": "11.5603"}},
			"total_points":   "41.7456", "total_months": 3,
		})
	}
}

func TestPointsRules(t *testing.T) {
	row := func(d object, i int) object { return item(d, "rows", i) }
	points.rules(t, threeMonths(t), []ruleCase{
		{"as it is, with the golden values", func(b, d object) {}, nil},
		{"no rows", func(b, d object) {
			d["rows"], d["year_subtotals"], d["total_points"], d["total_months"] = []any{}, []any{}, "0.0000", 0
		}, nil},
		{"self-employed without employer", func(b, d object) { row(d, 0)["source"] = "self_employed"; delete(row(d, 0), "employer") }, nil},
		{"a hundredth beside the price", func(b, d object) {
			row(d, 0)["points"], d["total_points"], item(d, "year_subtotals", 0)["points"] = "11.2774", "41.7556", "30.1953"
		}, nil},
		{"29 days of a February without", func(b, d object) { row(d, 0)["days"] = 31 }, nil},
		{"a month taken back", func(b, d object) {
			back := pointsRow("2026-03", "Hotel Exemple, SA", "-2672.52", "-320.70", "26.62560", "-12.0448")
			d["rows"] = append(d["rows"].([]any), back)
			d["total_points"], d["total_months"], item(d, "year_subtotals", 0)["points"] = "29.7008", 2, "18.1405"
		}, nil},

		{"total too large", func(b, d object) { d["total_points"] = "41.7457" }, []string{"/data/total_points"}},
		{"a month with two employers counted twice", func(b, d object) { d["total_months"] = 4 }, []string{"/data/total_months"}},
		{"a subtotal too small", func(b, d object) { item(d, "year_subtotals", 1)["points"] = "11.5602" }, []string{"/data/year_subtotals/1/points"}},
		{"a year twice", func(b, d object) { item(d, "year_subtotals", 1)["year"] = 2026 }, []string{"/data/year_subtotals/1/year", "/data/year_subtotals"}},
		{"a year without rows", func(b, d object) {
			d["year_subtotals"] = append(d["year_subtotals"].([]any), object{"year": 2024, "points": "0.0000"})
		}, []string{"/data/year_subtotals/2/year"}},
		{"a year left out", func(b, d object) { d["year_subtotals"] = d["year_subtotals"].([]any)[:1] }, []string{"/data/year_subtotals"}},
		{"more than a hundredth beside the price", func(b, d object) { row(d, 0)["points"], d["total_points"] = "11.2775", "41.7557" }, []string{"/data/rows/0/points", "/data/year_subtotals/0/points"}},
		{"a price of nothing", func(b, d object) { row(d, 0)["purchase_price"] = "0.00000" }, []string{"/data/rows/0/purchase_price"}},
		{"a price of two decimals", func(b, d object) { row(d, 0)["purchase_price"] = "26.63" }, []string{"/data/rows/0/purchase_price"}},
		{"points as a number", func(b, d object) { row(d, 0)["points"] = 11.2674 }, []string{"/data/rows/0/points"}},
		{"an employee of nobody", func(b, d object) { delete(row(d, 1), "employer") }, []string{"/data/rows/1/employer"}},
		{"an employer of a space", func(b, d object) { row(d, 1)["employer"] = " " }, []string{"/data/rows/1/employer"}},
		{"an employer of 10 kB", func(b, d object) { row(d, 1)["employer"] = strings.Repeat("x", 10_000) }, []string{"/data/rows/1/employer"}},
		{"an employer with a right-to-left mark", func(b, d object) { row(d, 1)["employer"] = "Hotel\u202eAS" }, []string{"/data/rows/1/employer"}},
		{"salary and contribution against each other", func(b, d object) { row(d, 1)["salary"] = "-1525.00" }, []string{"/data/rows/1/salary"}},
		{"31 days of a February", func(b, d object) { row(d, 0)["month"], row(d, 0)["days"] = "2026-02", 29 }, []string{"/data/rows/0/days", "/data/total_months"}},
		{"a month before the period", func(b, d object) { row(d, 2)["month"] = "2025-11" }, []string{"/data/rows/2/month"}},
		{"a month after the period", func(b, d object) { d["period_to"] = "2026-02" }, []string{"/data/rows/3/month"}},
		{"a period of the future", func(b, d object) { d["period_to"] = "2026-04" }, []string{"/data/period_to"}},
		{"a period upside down", func(b, d object) { d["period_to"] = "2025-11" }, []string{"/data/period_to", "/data/rows/0/month", "/data/rows/1/month", "/data/rows/2/month", "/data/rows/3/month"}},
		{"before the regime", func(b, d object) { d["period_from"] = "1968-03" }, []string{"/data/period_from"}},
		{"before birth", func(b, d object) { b["holder"].(object)["birth_date"] = "2026-01-01" }, []string{"/data/period_from"}},
		{"a sale price of nothing", func(b, d object) { d["sale_price"] = "0.00000" }, []string{"/data/sale_price"}},
		{"sums of what cannot be read are not judged", func(b, d object) { row(d, 0)["points"], d["total_points"] = "11,27", "99.0000" }, []string{"/data/rows/0/points"}},
	})

	b := threeMonths(t)()
	b["data"].(object)["total_points"], b["data"].(object)["total_months"] = "43.7456", 2
	for pointer, want := range map[string]string{"/data/total_points": "it is 2.0000 more", "/data/total_months": "it is 1 less"} {
		if got := points.detail(t, raw(t, b), pointer); !strings.HasSuffix(got, want) {
			t.Errorf("%s %q does not name the difference, %q", pointer, got, want)
		}
	}
}

func TestPointsPage(t *testing.T) {
	text := points.flat(t, points.sample(t, samples.Standard).Body)
	has(t, text, "Extracte de punts", "no és cap decisió sobre una pensió", "Titular", "En resum",
		"Hi consten 1.637,27 punts de jubilació en 190 mensualitats. El període 09/2006–02/2026 té 234 mesos; 44 no tenen punts.",
		"Total de punts 1.637,27 Mensualitats 190", "Fins a 10/2009 197,55 punts", "2,77350 €",
		"Sense cotització: 03/2009–10/2012 (44 mesos).", "Els períodes en altres països no s’hi inclouen",
		"Si hi falta alguna cosa", "demaneu-ne la revisió",
		"60 mensualitats per al capital de jubilació Xifra assolida 190", "180 mensualitats", "500 punts", "no reconeix cap dret",
		"Punts mes a mes", "Total 2008: 12 mensualitats 78,93", "Suma i segueix", "Suma anterior",
		"Sense cotització: 03/2009–10/2012 (44 mesos)", "2012",
		"06/2018 Acadèmia Fictícia", "06/2018 Hotel Exemple, SA", "10/2018 Prestació",
		"02/2026 Hotel Exemple, SA A 2.500,00 300,00 26,62560 11,27", "Total: 190 mensualitats 1.637,27", "s’arrodoneixen un sol cop", "article 201", "Segellat")
	if strings.Contains(text, "Vàlid") {
		t.Error("a record of a day has a validity")
	}

	for language, want := range map[string]string{
		"es": "Constan 1637,27 puntos de jubilación en 190 mensualidades.", "fr": "points de retraite sont enregistrés pour 190 mois cotisés.",
		"pt": "Constam 1637,27 pontos de reforma em 190 meses com contribuições.", "en": "There are 1,637.27 retirement points on record in 190 months of contributions.",
	} {
		has(t, points.flat(t, points.sample(t, samples.Standard).In(language).Body), want)
	}
}

func TestPointsOfHardCareers(t *testing.T) {
	has(t, points.flat(t, points.sample(t, "no_points").Body), "No consten punts.", "05/2023–02/2026", "0 punts i 0 mensualitats")
	if strings.Contains(points.flat(t, points.sample(t, "no_points").Body), "Empresa") {
		t.Error("an extract without points has a table")
	}
	// A correction in a month without contribution does not make it count, and the gap goes on.
	has(t, points.flat(t, points.sample(t, "seasonal_corrected").Body), "63 mensualitats", "05/2021–11/2021 (7 mesos)",
		"Falten 117 mensualitats", "Falten 92,39 punts", "Sense cotització: 05/2021–11/2021 (7 mesos)", "07/2021", "−96,00", "−0,50", "Total 2021: 5 mensualitats", "és una correcció que es descompta")
	has(t, points.flat(t, points.sample(t, "pensioner_few_months").Body), "59 mensualitats", "Falta 1 mensualitat", "Compte propi", "Voluntària",
		"Total 1984: 11 mensualitats", "Sense cotització: 12/1984–12/1990 (73 mesos)", "Total: 59 mensualitats", "Els imports anteriors al 2002 s’expressen en euros")

	forty := points.flat(t, points.sample(t, "forty_years_two_employers").Body)
	has(t, forty, "480 mensualitats. Tots els mesos del període 03/1986–02/2026 tenen punts.", "Total 1987: 12 mensualitats", "Total: 480 mensualitats")
	if n := strings.Count(forty, "/1990 "); n != 24 {
		t.Errorf("1990 has %d rows", n)
	}
	// Whatever order the rows come in, the months are in order.
	last := ""
	_, table, _ := strings.Cut(forty, "Punts mes a mes")
	table, _, _ = strings.Cut(table, "Els punts de cada mes")
	for word := range strings.SplitSeq(table, " ") {
		if len(word) == 7 && word[2] == '/' {
			if month := word[3:] + word[:2]; month < last {
				t.Fatalf("%s stands after %s", month, last)
			} else {
				last = month
			}
		}
	}
	points.everySample(t, map[string]int{"no_points": 1}, "Points")
}

// pointsDraw draws the data of an extract: some months, in some of them two employers, now and then a correction.
func pointsDraw(t *rapid.T) object {
	from := wire.MustMonth("1968-04").AddMonths(rapid.IntRange(130, 600).Draw(t, "from"))
	to := from.AddMonths(rapid.IntRange(0, 90).Draw(t, "length"))
	var rows []any
	var total wire.Points
	years, months := map[int]wire.Points{}, map[wire.Month]wire.Points{}
	for m := from; !m.After(to); m = m.AddMonths(1) {
		for range rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(t, "employers") {
			contribution := wire.Money(rapid.Int64Range(-500_00, 9_999_99).Draw(t, "contribution"))
			price := wire.Price(rapid.Int64Range(1_00000, 40_00000).Draw(t, "price"))
			points, err := contribution.PointsAt(price)
			if err != nil {
				t.Fatal(err)
			}
			row := object{
				"month": m.String(), "salary": (contribution * 8).String(), "contribution": contribution.String(),
				"purchase_price": price.String(), "points": points.String(),
				"source": rapid.SampledFrom([]string{"employee", "self_employed", "voluntary", "benefit"}).Draw(t, "source"),
			}
			if row["source"] == "employee" || rapid.Bool().Draw(t, "named") {
				row["employer"] = rapid.StringMatching(`[A-Z][a-zàçéíòú·’]{1,20}( (i|de)? ?[A-Z]{1,30})?`).Draw(t, "employer")
			}
			if rapid.Bool().Draw(t, "with days") {
				row["days"] = rapid.IntRange(0, m.Last().Day()).Draw(t, "days")
			}
			if rapid.Bool().Draw(t, "with class") {
				row["class"] = rapid.SampledFrom([]string{"A", "B", "AB"}).Draw(t, "class")
			}
			rows = append(rows, row)
			total += points
			years[m.Year()] += points
			months[m] += points
		}
	}
	counted := 0
	for _, p := range months {
		if p > 0 {
			counted++
		}
	}
	subtotals := []any{}
	for year, p := range years {
		subtotals = append(subtotals, object{"year": year, "points": p.String()})
	}
	d := object{
		"period_from": from.String(), "period_to": to.String(), "rows": rapid.Permutation(rows).Draw(t, "rows"), "year_subtotals": subtotals,
		"total_points": total.String(), "total_months": counted,
	}
	if len(rows) == 0 {
		d["rows"] = []any{}
	}
	if rapid.Bool().Draw(t, "with law_from") {
		d["law_from"] = "2009-11"
	}
	return d
}

func TestPointsOfAnyCareer(t *testing.T) {
	drawn := 0
	rapid.Check(t, func(rt *rapid.T) {
		d := pointsDraw(rt)
		b := points.body(t, rapid.SampledFrom([]string{"ca", "es", "fr", "pt", "en"}).Draw(rt, "language"), d)
		if got := points.faults(t, raw(t, b)); got != nil {
			rt.Fatalf("refused at %q", got)
		}
		if drawn++; drawn%20 == 1 {
			points.render(t, raw(t, b))
		}

		// One thing broken is found, and nothing else is said to be wrong but what follows from it.
		n := len(d["rows"].([]any))
		if n == 0 {
			return
		}
		i := rapid.IntRange(0, n-1).Draw(rt, "row")
		row := item(d, "rows", i)
		at := fmt.Sprintf("/data/rows/%d/", i)
		breaks := map[string]func(){
			"/data/total_points":  func() { d["total_points"] = "123456.7891" },
			"/data/total_months":  func() { d["total_months"] = d["total_months"].(int) + 1 },
			"/data/period_from":   func() { d["period_from"] = "1950-01" },
			"/data/period_to":     func() { d["period_to"] = "2031-01" },
			at + "month":          func() { row["month"] = "2025-13" },
			at + "employer":       func() { row["employer"] = "Hotel\u200bExemple" },
			at + "contribution":   func() { row["contribution"] = "1.5" },
			at + "purchase_price": func() { row["purchase_price"] = "-1.00000" },
			at + "points":         func() { row["points"] = "987654.0000" },
			at + "days":           func() { row["days"] = 32 },
			at + "source":         func() { row["source"] = "lottery" },
			at + "diagnosis":      func() { row["diagnosis"] = "x" },
		}
		pointer := rapid.SampledFrom(slices.Sorted(maps.Keys(breaks))).Draw(rt, "broken")
		breaks[pointer]()
		if got := points.faults(t, raw(t, b)); !slices.Contains(got, pointer) {
			rt.Fatalf("%s is broken, faults at %q", pointer, got)
		}
	})
}

func BenchmarkPoints(b *testing.B) {
	d := object{"period_from": "1984-07", "period_to": "2026-02", "rows": []any{}, "year_subtotals": []any{}}
	years := map[int]wire.Points{}
	n := 0
	for m := wire.MustMonth("1984-07"); n < 500; m, n = m.AddMonths(1), n+1 {
		d["rows"] = append(d["rows"].([]any), pointsRow(m.String(), "Hotel Exemple, SA", "2500.00", "300.00", "26.62560", "11.2674"))
		years[m.Year()] += 11_2674
	}
	for year, p := range years {
		d["year_subtotals"] = append(d["year_subtotals"].([]any), object{"year": year, "points": p.String()})
	}
	d["total_points"], d["total_months"] = (500 * wire.Points(11_2674)).String(), 500
	body := raw(b, points.body(b, "ca", d))
	r, err := points.kind(b).Decode(body, now)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode 500 rows", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := points.kind(b).Decode(body, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("render 500 rows", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := templates.Render(b.Context(), r, issue); err != nil {
				b.Fatal(err)
			}
		}
	})
}
