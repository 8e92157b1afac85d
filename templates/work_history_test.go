package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"segell/samples"
	"segell/wire"
)

func TestWorkHistoryRules(t *testing.T) {
	entry := func(b object, i int) object { return in(b, "data", "entries", i) }
	totals := func(b object) object { return in(b, "data", "totals") }
	bodiesOf(t, "work_history").judge(t, samples.Standard, []rule{
		{"as it is", func(b object) {}, nil},
		{"in another order", func(b object) { e := in(b, "data")["entries"].([]any); e[0], e[3] = e[3], e[0] }, nil},
		{"without numbers of employers", func(b object) { delete(entry(b, 0), "employer_number") }, nil},
		{"self-employed without an employer", func(b object) {
			entry(b, 0)["activity_type"] = "self_employed"
			delete(entry(b, 0), "employer")
		}, nil},
		{"fewer months than it touches", func(b object) { entry(b, 0)["months_contributed"], totals(b)["months"] = 50, 268 }, nil},
		{"begins in seven days", func(b object) {
			later(b, "2026-03-08")
		}, nil},
		{"and in eight", func(b object) { later(b, "2026-03-09") }, []string{"/data/entries/4/start"}},
		{"months of what has not begun", func(b object) { later(b, "2026-03-08"); entry(b, 4)["months_contributed"] = 1 }, []string{"/data/entries/4/months_contributed"}},
		{"an end that is to come", func(b object) { entry(b, 3)["end"] = "2026-12-31" }, nil},
		{"an end on the day", func(b object) { entry(b, 3)["end"] = "2026-03-01" }, nil},
		{"an end on the day before", func(b object) {
			entry(b, 3)["end"], entry(b, 3)["months_contributed"] = "2026-02-28", 78
		}, []string{"/data/currently_active", "/data/totals/days", "/data/totals/months"}},

		{"an end before its beginning", func(b object) { entry(b, 0)["end"] = "2003-06-15" }, []string{"/data/entries/0/end"}},
		{"before birth", func(b object) { entry(b, 0)["start"] = "1984-07-18" }, []string{"/data/entries/0/start"}},
		{"before the regime", func(b object) {
			in(b, "holder")["birth_date"], entry(b, 0)["start"] = "1940-01-01", "1968-03-31"
		}, []string{"/data/entries/0/start"}},
		{"the same twice", func(b object) {
			in(b, "data")["entries"] = append(in(b, "data")["entries"].([]any), entry(b, 0))
		}, []string{"/data/entries/4"}},
		{"an employee of nobody", func(b object) { delete(entry(b, 1), "employer") }, []string{"/data/entries/1/employer"}},
		{"an employer of 101", func(b object) { entry(b, 1)["employer"] = strings.Repeat("x", 101) }, []string{"/data/entries/1/employer"}},
		{"an employer that hides", func(b object) { entry(b, 1)["employer"] = "Hotel\u200b" }, []string{"/data/entries/1/employer"}},
		{"months more than it touches", func(b object) { entry(b, 0)["months_contributed"] = 53 }, []string{"/data/entries/0/months_contributed"}},
		{"a day too many", func(b object) { totals(b)["days"] = 8173 }, []string{"/data/totals/days"}},
		{"an overlap that is none", func(b object) { totals(b)["overlap_days"] = 1 }, []string{"/data/totals/overlap_days"}},
		{"months too many", func(b object) { totals(b)["months"] = 272 }, []string{"/data/totals/months"}},
		{"months of the longest period alone", func(b object) { totals(b)["months"] = 80 }, nil},
		{"and fewer", func(b object) { totals(b)["months"] = 79 }, []string{"/data/totals/months"}},
		{"not active", func(b object) { in(b, "data")["currently_active"] = false }, []string{"/data/currently_active"}},
		{"active without affiliation", func(b object) { in(b, "holder")["situation"] = "none" }, []string{"/holder/situation"}},
		{"an address of spaces", func(b object) { in(b, "data")["new_address_abroad"] = []any{"12 rue des Lilas", " "} }, []string{"/data/new_address_abroad/1"}},
		{"totals of periods that are wrong", func(b object) {
			entry(b, 0)["start"], totals(b)["days"] = "31/12/1999", 1
		}, []string{"/data/entries/0/start"}},
	})

	w := bodiesOf(t, "work_history")
	b := w.sample(t, samples.Standard)
	totals(b)["days"] = 8170
	if got := w.detail(t, b, "/data/totals/days"); !strings.Contains(got, "it is 2 less") {
		t.Errorf("the difference is not named: %q", got)
	}
	b = w.sample(t, "pensioner")
	in(b, "data")["currently_active"] = true
	if got := w.faults(t, b); len(got) != 1 || got[0] != "/data/currently_active" {
		t.Errorf("nothing is in force, faults at %q", got)
	}
}

// later adds a period that begins after the data.
func later(b object, start string) {
	data := in(b, "data")
	data["entries"] = append(data["entries"].([]any), object{"employer": "Hotel Pic Fictici, SL", "activity_type": "employee", "start": start, "months_contributed": 0})
}

func TestWorkHistoryPage(t *testing.T) {
	w := bodiesOf(t, "work_history")
	std := w.draw(t, w.sample(t, samples.Standard))
	if std.Pages != 1 || std.Title != "Informe de vida laboral "+issue.Number {
		t.Errorf("%d pages, %q", std.Pages, std.Title)
	}
	has(t, pdftotext(t, std.PDF), "Informe de vida laboral", "No decideix cap dret",
		"Entre el dia 16 de juny del 2003 i el dia 1 de març del 2026 consten 4 períodes d’alta: 8.172 dies i 270 mesos cotitzats.",
		"està en situació d’alta", "hi ha 1 període sense cotització (123 dies)", "Titular", "000000A", "fa constar",
		"Perfumeria Exemple, SL (E00017)", "16/06/2003", "30/09/2007", "1.568", "52",
		"Sense cotització: 01/10/2007–31/01/2008 (123 dies)", "Comerç Fictici, SA", "Hotel Exemple, SA", "vigent", "2.374", "79",
		"Total", "8.172", "270", "No hi són els períodes treballats en altres països", "articles 18 a 21 i 25 a 28")

	has(t, pdftotext(t, w.draw(t, w.sample(t, "overlaps_and_move")).PDF),
		"consten 5 períodes d’alta", "els dies coincidents (4.132 dies) s’han comptat una sola vegada", "començarà el dia 5 de març del 2026",
		"Nova adreça a l’estranger", "31000 Toulouse", "Festival Inventat", "18/07/2015", "18/07/2015", "1", "Orquestra Imaginària", "0",
		"Dies coincidents", "−4.132", "Total", "6.136")

	text := pdftotext(t, w.draw(t, w.sample(t, "never_worked")).PDF)
	has(t, text, "No consta activitat", "Serra i Vidal, Núria")
	if strings.Contains(text, "Mesos cotitzats") {
		t.Error("there is a table of nothing")
	}

	has(t, pdftotext(t, w.draw(t, w.sample(t, "pensioner")).PDF), "no està en situació d’alta; l’últim període es va acabar el dia 28 de febrer del 2015",
		"No hi ha cap període sense cotització")

	season := w.draw(t, w.sample(t, "seasonal_ski_worker"))
	text = pdftotext(t, season.PDF)
	has(t, text, "consten 60 períodes d’alta", "56 períodes sense cotització")
	if n := strings.Count(text, "Sense cotització:"); n != 56 {
		t.Errorf("%d gaps are in the table", n)
	}
	if n := strings.Count(text, "Mesos cotitzats"); n < season.Pages-1 {
		t.Errorf("the header is there %d times on %d pages", n, season.Pages)
	}
	for _, name := range []string{samples.Standard, "overlaps_and_move", "never_worked"} {
		w.everyLanguageDraws(t, name)
	}
}

// Whatever periods there are, days, gaps and overlaps are those of a calendar that is ticked off day by day.
func TestWorkHistoryProperty(t *testing.T) {
	asOf := wire.MustDate("2026-03-01")
	first := wire.MustDate("1979-01-01")
	valid := func(t *rapid.T) object {
		ticked, months := map[wire.Date]bool{}, map[wire.Month]bool{}
		all, sum, longest, active := 0, 0, 0, false
		entries := []any{}
		for i := range rapid.IntRange(0, 7).Draw(t, "periods") {
			start := aDay(t, first, asOf.AddDays(7), "start")
			e := object{"employer": fmt.Sprintf("Empresa %d", i), "activity_type": rapid.SampledFrom([]string{"employee", "self_employed", "domestic", "voluntary", "special_regime"}).Draw(t, "activity"), "start": start.String()}
			end := asOf
			if rapid.Bool().Draw(t, "ends") {
				d := start.AddDays(rapid.IntRange(0, 2000).Draw(t, "days"))
				e["end"] = d.String()
				active = active || !start.After(asOf) && !d.Before(asOf)
				if d.Before(end) {
					end = d
				}
			} else {
				active = active || !start.After(asOf)
			}
			mine := map[wire.Month]bool{}
			for d := start; !d.After(end); d = d.AddDays(1) {
				all++
				ticked[d], months[wire.MonthOf(d)], mine[wire.MonthOf(d)] = true, true, true
			}
			n := rapid.IntRange(0, len(mine)).Draw(t, "months")
			e["months_contributed"] = n
			sum, longest = sum+n, max(longest, n)
			entries = append(entries, e)
		}
		total := rapid.IntRange(longest, min(sum, len(months))).Draw(t, "total months")
		return envelope(person("direct", "employee"), object{"entries": entries, "currently_active": active,
			"totals": object{"days": len(ticked), "overlap_days": all - len(ticked), "months": total}})
	}
	breakages := func(b object) []breakage {
		data := in(b, "data")
		totals := in(data, "totals")
		list := []breakage{
			{"/data/totals/days", func(object) { totals["days"] = totals["days"].(int) + 1 }},
			{"/data/totals/overlap_days", func(object) { totals["overlap_days"] = totals["overlap_days"].(int) + 3 }},
			{"/data/totals/months", func(object) { totals["months"] = 1500 }},
			{"/data/currently_active", func(object) { data["currently_active"] = !data["currently_active"].(bool) }},
			{"/data/totals", func(object) { delete(data, "totals") }},
			{"/holder/cass_number", func(b object) { in(b, "holder")["cass_number"] = "A00000" }},
		}
		for i := range data["entries"].([]any) {
			e, at := in(data, "entries", i), fmt.Sprintf("/data/entries/%d", i)
			list = append(list,
				breakage{at + "/start", func(object) { e["start"] = "2026-03-09"; delete(e, "end") }},
				breakage{at + "/end", func(object) { e["end"] = "1968-04-01" }},
				breakage{at + "/months_contributed", func(object) { e["months_contributed"] = 700 }},
				breakage{at + "/activity_type", func(object) { e["activity_type"] = "smuggler" }},
				breakage{at + "/employer", func(object) { e["activity_type"] = "domestic"; delete(e, "employer") }},
			)
		}
		return list
	}
	bodiesOf(t, "work_history").property(t, valid, breakages)
}
