package templates

import (
	"slices"
	"strings"
	"testing"

	"segell/wire"
)

func TestWithout(t *testing.T) {
	m := wire.MustMonth
	has := func(list ...string) map[wire.Month]bool {
		out := map[wire.Month]bool{}
		for _, s := range list {
			out[m(s)] = true
		}
		return out
	}
	run := func(from, to string) months { return months{m(from), m(to)} }
	for _, c := range []struct {
		name   string
		period months
		has    map[wire.Month]bool
		want   []months
	}{
		{"none missing", run("2025-12", "2026-01"), has("2025-12", "2026-01"), nil},
		{"all missing", run("2025-11", "2026-02"), has(), []months{run("2025-11", "2026-02")}},
		{"one month", run("2026-01", "2026-01"), has(), []months{run("2026-01", "2026-01")}},
		{"both ends and the middle", run("2025-01", "2025-07"), has("2025-02", "2025-04", "2025-06"),
			[]months{run("2025-01", "2025-01"), run("2025-03", "2025-03"), run("2025-05", "2025-05"), run("2025-07", "2025-07")}},
		{"over New Year", run("2009-01", "2012-12"), has("2009-01", "2009-02", "2012-11", "2012-12"), []months{run("2009-03", "2012-10")}},
		{"false is not there", run("2025-01", "2025-01"), map[wire.Month]bool{m("2025-01"): false}, []months{run("2025-01", "2025-01")}},
		{"upside down", run("2025-02", "2025-01"), has(), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := without(c.period, c.has); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	if n := run("2009-03", "2012-10").count(); n != 44 {
		t.Errorf("03/2009–10/2012 has %d months", n)
	}
}

// Where there are too many gaps to name, the longest are named, in their order.
func TestListOfGaps(t *testing.T) {
	m := wire.MustMonth("2000-01")
	var gaps []months
	for i := range 15 {
		from := m.AddMonths(12 * i)
		gaps = append(gaps, months{from, from.AddMonths(i % 8)})
	}
	w := wordsOf("ca")
	all := listOfGaps(gaps[:12], w)
	if strings.Count(all, "(") != 12 || !strings.HasPrefix(all, "01/2000"+nbsp+"(1 mes), 01/2001–02/2001"+nbsp+"(2 mesos)") || !strings.HasSuffix(all, ".") {
		t.Errorf("12 gaps: %q", all)
	}
	some := listOfGaps(gaps, w)
	if strings.Count(some, "(") != 12 || strings.Contains(some, "2000") || strings.Contains(some, "2008") || !strings.Contains(some, "i 3 períodes") {
		t.Errorf("15 gaps: %q", some)
	}
	if w.err != nil {
		t.Error(w.err)
	}
}

// The golden values of DOMAIN section 3.2, rounded once.
func TestPointsInPrint(t *testing.T) {
	for lang, want := range map[string][4]string{
		"ca": {"3.210,45", "3.210,45", "26,62560" + nbsp + "€", "12/2026"},
		"es": {"3210,45", "3.210,45", "26,62560" + nbsp + "€", "12/2026"},
		"fr": {"3" + nnbsp + "210,45", "3" + nnbsp + "210,45", "26,62560" + nbsp + "€", "12/2026"},
		"pt": {"3210,45", "3" + nbsp + "210,45", "26,62560" + nbsp + "€", "12/2026"},
		"en": {"3,210.45", "3,210.45", "€26.62560", "12/2026"},
	} {
		l := numberLocales[lang]
		got := [4]string{l.Points(3210_4500), l.PointsCell(3210_4499), l.PointPrice(26_62560), l.ShortMonth(wire.MustMonth("2026-12"))}
		if got != want {
			t.Errorf("%s: %q, want %q", lang, got, want)
		}
	}
	l := numberLocales["ca"]
	for p, want := range map[wire.Points]string{11_2674: "11,27", 12_0448: "12,04", 6_8731: "6,87", -5018: "−0,50", 50: "0,01", 49: "0,00", -50: "−0,01", -49: "0,00"} {
		if got := l.PointsCell(p); got != want {
			t.Errorf("%v: %s, want %s", p, got, want)
		}
	}
}
