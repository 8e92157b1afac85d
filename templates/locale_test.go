package templates

import (
	"strings"
	"testing"

	"segell/wire"
)

// The golden values of DOMAIN section 2.3. Spaces that do not break are written out.
func TestLocales(t *testing.T) {
	const dot, narrow = "\u00a0", "\u202f"
	for lang, want := range map[string]struct{ long, april, money, big, negative, amount, percent, fraction, count string }{
		"ca": {"12 d’abril del 2026", "1 d’agost del 2026", "1.234,56" + dot + "€", "999.999.999,99" + dot + "€", "−3,10" + dot + "€", "1.234,56", "75" + dot + "%", "66,67" + dot + "%", "2.375"},
		"es": {"12 de abril de 2026", "1 de agosto de 2026", "1234,56" + dot + "€", "999.999.999,99" + dot + "€", "−3,10" + dot + "€", "1.234,56", "75" + dot + "%", "66,67" + dot + "%", "2375"},
		"fr": {"12 avril 2026", "1er août 2026", "1" + narrow + "234,56" + dot + "€", "999" + narrow + "999" + narrow + "999,99" + dot + "€", "−3,10" + dot + "€", "1" + narrow + "234,56", "75" + dot + "%", "66,67" + dot + "%", "2" + narrow + "375"},
		"pt": {"12 de abril de 2026", "1 de agosto de 2026", "1234,56" + dot + "€", "999" + dot + "999" + dot + "999,99" + dot + "€", "−3,10" + dot + "€", "1" + dot + "234,56", "75%", "66,67%", "2375"},
		"en": {"12 April 2026", "1 August 2026", "€1,234.56", "€999,999,999.99", "−€3.10", "1,234.56", "75%", "66.67%", "2,375"},
	} {
		l := numberLocales[lang]
		for _, c := range []struct{ what, got, want string }{
			{"long date", l.LongDate(wire.MustDate("2026-04-12")), want.long},
			{"long date", l.LongDate(wire.MustDate("2026-08-01")), want.april},
			{"short date", l.ShortDate(wire.MustDate("2026-04-02")), "02/04/2026"},
			{"money", l.Money(123456), want.money},
			{"money", l.Money(99999999999), want.big},
			{"negative money", l.Money(-310), want.negative},
			{"a cent", strings.Trim(l.Money(1), "€"+dot), map[bool]string{true: "0.01", false: "0,01"}[lang == "en"]},
			{"amount", l.Amount(123456), want.amount},
			{"percent", l.Percent(7500), want.percent},
			{"percent", l.Percent(6667), want.fraction},
			{"count", l.Count(2375), want.count},
			{"count", l.Count(0), "0"},
		} {
			if c.got != c.want {
				t.Errorf("%s: %s is %q, want %q", lang, c.what, c.got, c.want)
			}
		}
	}
}

// Every Catalan month carries its preposition (DOMAIN section 2.3).
func TestCatalanMonths(t *testing.T) {
	want := strings.Split("de gener, de febrer, de març, d’abril, de maig, de juny, de juliol, d’agost, de setembre, d’octubre, de novembre, de desembre", ", ")
	l := numberLocales["ca"]
	for m, w := range want {
		if got := l.LongDate(wire.MustDate("2026-01-31").AddMonths(m)); !strings.Contains(got, " "+w+" del 2026") {
			t.Errorf("month %d: %q", m+1, got)
		}
	}
}
