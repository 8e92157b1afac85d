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

const incapacity extract = "incapacity_extract"

// aLeave is a small extract: a leave with two extensions, a payment (DOMAIN section 7.6), its recovery and another payment.
func aLeave(t *testing.T) func() object {
	return func() object {
		payment := func(gross, contributions, net, status, on string) object {
			return object{
				"from": "2025-02-01", "to": "2025-02-28", "days": 28, "base_daily": "83.33", "rate": "70.00",
				"gross": gross, "contributions": contributions, "net": net, "status": status, "paid_on": on,
			}
		}
		return incapacity.body(t, "ca", object{
			"period_from": "2025-01-01", "period_to": "2026-02-28", "show": "amounts",
			"episodes": []any{object{
				"episode_number": "IT-2025-01234", "cause": "common_illness", "employers": []any{"Hotel Exemple, SA"},
				"start": "2025-02-01", "end": "2025-03-14",
				"extensions": []any{
					object{"number": 1, "from": "2025-02-15", "to": "2025-02-28", "days": 14, "received_on": "2025-02-16"},
					object{"number": 2, "from": "2025-03-01", "to": "2025-03-14", "days": 14},
				},
				"payments": []any{
					payment("1633.27", "106.16", "1527.11", "paid", "2025-03-10"),
					payment("-1633.27", "-106.16", "-1527.11", "recovered", "2025-04-10"),
					payment("1633.20", "106.16", "1527.04", "paid", "2025-04-10"),
				},
			}},
			"totals": object{"days": 28, "gross": "1633.20", "net": "1527.04"},
		})
	}
}

func TestIncapacityRules(t *testing.T) {
	leave := func(d object) object { return item(d, "episodes", 0) }
	extension := func(d object, i int) object { return item(leave(d), "extensions", i) }
	payment := func(d object, i int) object { return item(leave(d), "payments", i) }
	totals := func(d object) object { return d["totals"].(object) }
	const first = "/data/episodes/0"
	incapacity.rules(t, aLeave(t), []ruleCase{
		{"as it is", func(b, d object) {}, nil},
		{"no leaves", func(b, d object) {
			d["episodes"], d["totals"] = []any{}, object{"days": 0, "gross": "0.00", "net": "0.00"}
		}, nil},
		{"open", func(b, d object) { delete(leave(d), "end") }, nil},
		{"open, and extended beyond today", func(b, d object) {
			delete(leave(d), "end")
			extension(d, 1)["from"], extension(d, 1)["to"], extension(d, 1)["days"] = "2026-02-15", "2026-03-31", 45
		}, nil},
		{"self-employed", func(b, d object) { delete(leave(d), "employers") }, nil},
		{"pending", func(b, d object) { payment(d, 2)["status"] = "pending"; delete(payment(d, 2), "paid_on") }, nil},
		{"waiting days: no payments", func(b, d object) {
			delete(leave(d), "payments")
			d["totals"] = object{"days": 0, "gross": "0.00", "net": "0.00"}
		}, nil},
		{"half a cent a day beside the rate", func(b, d object) {
			payment(d, 2)["gross"], payment(d, 2)["net"] = "1633.13", "1526.97"
			totals(d)["gross"], totals(d)["net"] = "1633.13", "1526.97"
		}, nil},

		{"more than half a cent a day", func(b, d object) {
			payment(d, 2)["gross"], payment(d, 2)["net"] = "1633.12", "1526.96"
			totals(d)["gross"], totals(d)["net"] = "1633.12", "1526.96"
		}, []string{first + "/payments/2/gross"}},
		{"a diagnosis", func(b, d object) { leave(d)["diagnosis"] = "M54.5" }, []string{first + "/diagnosis"}},
		{"a prescriber", func(b, d object) { extension(d, 0)["prescriber"] = "x" }, []string{first + "/extensions/0/prescriber"}},
		{"a cause that is a diagnosis", func(b, d object) { leave(d)["cause"] = "flu" }, []string{first + "/cause"}},
		{"days too many in the totals", func(b, d object) { totals(d)["days"] = 84 }, []string{"/data/totals/days"}},
		{"a cent too much in the totals", func(b, d object) { totals(d)["gross"] = "1633.21" }, []string{"/data/totals/gross"}},
		{"a net too little in the totals", func(b, d object) { totals(d)["net"] = "1527.03" }, []string{"/data/totals/net"}},
		{"net is another", func(b, d object) { payment(d, 0)["net"] = "1527.12" }, []string{first + "/payments/0/net", "/data/totals/net"}},
		{"days miscounted", func(b, d object) { payment(d, 0)["days"] = 27 }, []string{first + "/payments/0/days", first + "/payments/0/gross"}},
		{"an extension miscounted", func(b, d object) { extension(d, 0)["days"] = 13 }, []string{first + "/extensions/0/days"}},
		{"a recovery that pays", func(b, d object) { payment(d, 1)["status"] = "paid" }, []string{first + "/payments/1/gross"}},
		{"a payment that takes", func(b, d object) { payment(d, 0)["status"] = "recovered" }, []string{first + "/payments/0/gross", "/data/totals/days"}},
		{"contributions that add", func(b, d object) { payment(d, 0)["contributions"] = "-106.16" }, []string{first + "/payments/0/contributions", first + "/payments/0/net"}},
		{"more than all", func(b, d object) { payment(d, 1)["rate"] = "100.01" }, []string{first + "/payments/1/rate"}},
		{"a base below nothing", func(b, d object) { payment(d, 1)["base_daily"] = "-83.33" }, []string{first + "/payments/1/base_daily"}},
		{"paid, and no day", func(b, d object) { delete(payment(d, 0), "paid_on") }, []string{first + "/payments/0/paid_on"}},
		{"pending, with a day", func(b, d object) { payment(d, 0)["status"] = "pending" }, []string{first + "/payments/0/paid_on"}},
		{"paid tomorrow", func(b, d object) { payment(d, 0)["paid_on"] = "2026-03-02" }, []string{first + "/payments/0/paid_on"}},
		{"a whole IBAN", func(b, d object) { payment(d, 0)["iban_masked"] = "AD84 9999 0001 0000 1234 5678" }, []string{first + "/payments/0/iban_masked"}},
		{"two employers and a payment of neither", func(b, d object) { leave(d)["employers"] = []any{"Hotel Exemple, SA", "Acadèmia"} },
			[]string{first + "/payments/0/employer", first + "/payments/1/employer", first + "/payments/2/employer"}},
		{"a payment of another employer", func(b, d object) { payment(d, 0)["employer"] = "Acadèmia" }, []string{first + "/payments/0/employer"}},
		{"an employer of 61", func(b, d object) { leave(d)["employers"] = []any{strings.Repeat("x", 61)} }, []string{first + "/employers/0"}},
		{"the same employer twice", func(b, d object) { leave(d)["employers"] = []any{"Hotel Exemple, SA", "Hotel Exemple, SA"} },
			[]string{first + "/employers/1", first + "/payments/0/employer", first + "/payments/1/employer", first + "/payments/2/employer"}},
		{"ends before it starts", func(b, d object) {
			delete(leave(d), "extensions")
			delete(leave(d), "payments")
			leave(d)["end"] = "2025-01-31"
		}, []string{first + "/end", "/data/totals/days", "/data/totals/gross", "/data/totals/net"}},
		{"ends tomorrow", func(b, d object) { leave(d)["end"] = "2026-03-02" }, []string{first + "/end"}},
		{"before the period", func(b, d object) { d["period_from"] = "2025-03-15" }, []string{first + "/end"}},
		{"after the period", func(b, d object) { d["period_to"] = "2025-01-31" }, []string{first + "/start"}},
		{"a period to come", func(b, d object) { d["period_to"] = "2026-03-02" }, []string{"/data/period_to"}},
		{"a period upside down", func(b, d object) { d["period_to"] = "2024-12-31" }, []string{"/data/period_to", first + "/start"}},
		{"a period before birth", func(b, d object) { d["period_from"] = "1960-07-18" }, []string{"/data/period_from"}},
		{"extended before it started", func(b, d object) {
			extension(d, 0)["from"], extension(d, 0)["days"] = "2025-01-31", 29
		}, []string{first + "/extensions/0/from"}},
		{"extended twice at once", func(b, d object) {
			extension(d, 1)["from"], extension(d, 1)["days"] = "2025-02-28", 15
		}, []string{first + "/extensions/1/from"}},
		{"extensions out of order", func(b, d object) { extension(d, 1)["number"] = 1 }, []string{first + "/extensions/1/number"}},
		{"paid beyond the end", func(b, d object) { payment(d, 0)["to"], payment(d, 0)["days"] = "2025-03-15", 43 },
			[]string{first + "/payments/0/to", first + "/payments/0/gross", "/data/totals/days"}},
		{"a relapse of itself", func(b, d object) { leave(d)["relapse_of"] = "IT-2025-01234" }, []string{first + "/relapse_of"}},
		{"a number twice", func(b, d object) {
			d["episodes"] = append(d["episodes"].([]any), object{"episode_number": "IT-2025-01234", "cause": "work_accident", "start": "2025-06-01"})
		}, []string{"/data/episodes/1/episode_number"}},
		{"sums of what cannot be read are not judged", func(b, d object) { payment(d, 0)["gross"], totals(d)["gross"] = 1633.27, "9.00" }, []string{first + "/payments/0/gross"}},
	})
}

func TestIncapacityPage(t *testing.T) {
	has(t, incapacity.flat(t, incapacity.sample(t, samples.Standard).Body), "Extracte de pròrrogues i pagaments d’incapacitat temporal", "No conté cap diagnòstic",
		"Consten 2 baixes en el període 01/01/2025–28/02/2026.", "Total de dies pagats 58", "3.809,90 €", "3.562,25 €",
		"IT-2025-01234 Malaltia comuna 29/01/2025 14/03/2025 2 42 2.290,66", "Baixa IT-2025-01234", "Hotel Exemple, SA",
		"Pròrrogues de la baixa IT-2025-01234", "1 15/02/2025 28/02/2025 16/02/2025 14", "Total: 2 pròrrogues 28",
		"01/02/2025 28/02/2025 10/03/2025 28 83,33 70 % 1.633,27 106,16 1.527,11", "AD84 •••• •••• •••• •••• 5678",
		"Accident de treball", "No consten pròrrogues en aquesta baixa.", "llibre III, títol II, capítol tercer", "27 de maig del 2015")

	has(t, incapacity.flat(t, incapacity.sample(t, "no_episodes").Body), "No consten baixes en el període.", "0 dies i 0 €")
	has(t, incapacity.flat(t, incapacity.sample(t, "three_years_open").Body), "Oberta a 01/03/2026", "Total: 28 pròrrogues", "Suma i segueix", "Suma anterior",
		"Recuperat 10/10/2024 −31 72,45 80 % −1.796,76 −116,79 −1.679,97", "Pendent", "recuperació d’un pagament indegut")
	relapse := incapacity.sample(t, "relapse_two_employers")
	has(t, incapacity.flat(t, relapse.Body), "Total de dies pagats 90", "Estació d’Esquí Imaginària, SAU", "Subtotal 64", "Restaurant La Prova, SL", "Subtotal 64 840,01", "Total 64 3.133,77",
		"un sol cop en el total de dies", "Recaiguda de IT-2024-00100", "No consten pagaments en aquesta baixa.", "Sense empresa (per compte propi)", "66,67 %", "718,80")

	// Dates only: the same leaves, and no amount, base or account anywhere.
	dates := incapacity.flat(t, incapacity.sample(t, "dates_only").Body)
	has(t, dates, "només amb les dates", "Total de dies pagats 90", "IT-2024-00100 Accident no laboral 28/12/2023 29/02/2024 2 64", "28/12/2023 31/01/2024 12/02/2024 35")
	for _, no := range []string{"€", "••••", "1.254,40", "51,20", "70 %", "Brut", "Net"} {
		if strings.Contains(dates, no) {
			t.Errorf("%q is on a page of dates only", no)
		}
	}
	incapacity.everySample(t, map[string]int{"no_episodes": 1}, "Payments")
}

// incapacityDraw draws the data of an extract: leaves one after the other, each extended and paid in runs of days.
func incapacityDraw(t *rapid.T) object {
	day := wire.MustDate("2023-01-01")
	asOf := wire.MustDate("2026-03-01")
	episodes := []any{}
	var gross, net wire.Money
	days := 0
	for i := range rapid.IntRange(0, 4).Draw(t, "leaves") {
		start := day.AddDays(rapid.IntRange(0, 60).Draw(t, "healthy"))
		e := object{
			"episode_number": fmt.Sprintf("IT-%d", i), "start": start.String(),
			"cause": rapid.SampledFrom([]string{"common_illness", "non_work_accident", "work_accident", "occupational_disease"}).Draw(t, "cause"),
		}
		if rapid.Bool().Draw(t, "employed") {
			e["employers"] = []any{rapid.StringMatching(`[A-Z][a-zàçéíòú·’]{1,20}( (i|de)? ?[A-Z]{1,30})?`).Draw(t, "employer")}
		}
		extensions, payments := []any{}, []any{}
		to := start
		for n := range rapid.IntRange(0, 8).Draw(t, "runs") {
			length := rapid.IntRange(1, 30).Draw(t, "length")
			from := to.AddDays(1)
			to = from.AddDays(length - 1)
			extensions = append(extensions, object{"number": n + 1, "from": from.String(), "to": to.String(), "days": length})
			base, rate := wire.Money(rapid.Int64Range(0, 300_00).Draw(t, "base")), wire.Percent(rapid.Int64Range(0, 100_00).Draw(t, "rate"))
			g, err := rate.Of(base * wire.Money(length))
			if err != nil {
				t.Fatal(err)
			}
			c := g * 65 / 1000
			payments = append(payments, object{
				"from": from.String(), "to": to.String(), "days": length, "base_daily": base.String(), "rate": rate.String(),
				"gross": g.String(), "contributions": c.String(), "net": (g - c).String(), "status": "paid", "paid_on": asOf.String(),
				"iban_masked": "AD84 •••• •••• •••• •••• 5678",
			})
			gross, net, days = gross+g, net+g-c, days+length
		}
		e["extensions"], e["payments"] = extensions, payments
		e["end"] = to.String()
		day = to.AddDays(1)
		episodes = append(episodes, e)
	}
	if n := len(episodes); n > 0 && rapid.Bool().Draw(t, "open") {
		delete(episodes[n-1].(object), "end")
	}
	return object{
		"period_from": "2023-01-01", "period_to": "2026-02-28", "episodes": rapid.Permutation(episodes).Draw(t, "episodes"),
		"show":   rapid.SampledFrom([]string{"amounts", "dates_only"}).Draw(t, "show"),
		"totals": object{"days": days, "gross": gross.String(), "net": net.String()},
	}
}

func TestIncapacityOfAnyKind(t *testing.T) {
	drawn := 0
	rapid.Check(t, func(rt *rapid.T) {
		d := incapacityDraw(rt)
		if d["episodes"] == nil || len(d["episodes"].([]any)) == 0 {
			d["episodes"] = []any{}
		}
		b := incapacity.body(t, rapid.SampledFrom([]string{"ca", "es", "fr", "pt", "en"}).Draw(rt, "language"), d)
		if got := incapacity.faults(t, raw(t, b)); got != nil {
			rt.Fatalf("refused at %q", got)
		}
		if drawn++; drawn%20 == 1 {
			incapacity.render(t, raw(t, b))
		}
		totals := d["totals"].(object)
		breaks := map[string]func(){
			"/data/totals/days":  func() { totals["days"] = totals["days"].(int) + 1 },
			"/data/totals/gross": func() { totals["gross"] = "987654321.00" },
			"/data/totals/net":   func() { totals["net"] = "0.1" },
			"/data/period_to":    func() { d["period_to"] = "2026-03-02" },
			"/data/show":         func() { d["show"] = "diagnosis" },
		}
		if n := len(d["episodes"].([]any)); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(rt, "leave")
			e, at := item(d, "episodes", i), fmt.Sprintf("/data/episodes/%d", i)
			breaks[at+"/start"] = func() { e["start"] = "2026-03-02" }
			breaks[at+"/end"] = func() { e["end"] = "2022-12-31" }
			breaks[at+"/cause"] = func() { e["cause"] = "M54.5" }
			breaks[at+"/diagnosis"] = func() { e["diagnosis"] = "M54.5" }
			breaks[at+"/episode_number"] = func() { e["episode_number"] = "IT\u202e1" }
			if m := len(e["payments"].([]any)); m > 0 {
				k := rapid.IntRange(0, m-1).Draw(rt, "payment")
				p, of := item(e, "payments", k), fmt.Sprintf("%s/payments/%d", at, k)
				breaks[of+"/net"] = func() { p["net"] = "987654321.00" }
				breaks[of+"/gross"] = func() { p["gross"] = "-0.01" }
				breaks[of+"/days"] = func() { p["days"] = p["days"].(int) + 1 }
				breaks[of+"/paid_on"] = func() { delete(p, "paid_on") }
				breaks[of+"/iban_masked"] = func() { p["iban_masked"] = "AD8499990001000012345678" }
				x := item(e, "extensions", k)
				breaks[fmt.Sprintf("%s/extensions/%d/to", at, k)] = func() { x["to"] = "2022-12-31" }
			}
		}
		pointer := rapid.SampledFrom(slices.Sorted(maps.Keys(breaks))).Draw(rt, "broken")
		breaks[pointer]()
		if got := incapacity.faults(t, raw(t, b)); !slices.Contains(got, pointer) {
			rt.Fatalf("%s is broken, faults at %q", pointer, got)
		}
	})
}
