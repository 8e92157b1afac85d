package templates

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-playground/locales"
	"github.com/go-playground/locales/ca"
	"github.com/go-playground/locales/en_GB"
	"github.com/go-playground/locales/es"
	"github.com/go-playground/locales/fr"
	"github.com/go-playground/locales/pt_PT"

	"segell/wire"
)

const (
	nbsp  = "\u00a0"
	nnbsp = "\u202f"
)

// locale writes numbers and dates as a language does. Months and signs are
// CLDR's; where the library's older data or its patterns differ from what
// Andorran documents use, the field says so.
type locale struct {
	cldr     symbols
	group    string // "" for CLDR's
	percent  string // between the number and the sign
	longDate string // {d} {m} {y}; Catalan months carry their preposition
	firstDay string // {d} of the first day of a month, where it is an ordinal
	euroLast bool
	minGroup int // digits before the first separator that make grouping begin (CLDR minimumGroupingDigits)
}

// symbols is the part of CLDR that is used. The library's own formatters take
// floats and are left alone.
type symbols interface {
	Decimal() string
	Group() string
	MonthWide(time.Month) string
}

func cldr(t locales.Translator) symbols { return t.(symbols) }

var numberLocales = map[string]locale{
	"ca": {cldr: cldr(ca.New()), percent: nbsp, longDate: "{d} {m} del {y}", euroLast: true, minGroup: 1},
	"es": {cldr: cldr(es.New()), percent: nbsp, longDate: "{d} de {m} de {y}", euroLast: true, minGroup: 2},
	"fr": {cldr: cldr(fr.New()), group: nnbsp, percent: nbsp, longDate: "{d} {m} {y}", firstDay: "1er", euroLast: true, minGroup: 1},
	"pt": {cldr: cldr(pt_PT.New()), group: nbsp, percent: "", longDate: "{d} de {m} de {y}", euroLast: true, minGroup: 2},
	"en": {cldr: cldr(en_GB.New()), percent: "", longDate: "{d} {m} {y}", minGroup: 1},
}

// LongDate is for running text: "12 d’abril del 2026", "1er août 2026".
func (l *locale) LongDate(d wire.Date) string {
	day := strconv.Itoa(d.Day())
	if d.Day() == 1 && l.firstDay != "" {
		day = l.firstDay
	}
	return strings.NewReplacer("{d}", day, "{m}", l.cldr.MonthWide(d.Month()), "{y}", strconv.Itoa(d.Year())).Replace(l.longDate)
}

// ShortDate is for fields and tables: 12/04/2026 in every language, so that columns align.
func (l *locale) ShortDate(d wire.Date) string {
	return fmt.Sprintf("%02d/%02d/%04d", d.Day(), int(d.Month()), d.Year())
}

// ShortMonth is 02/2026 in every language, as dates are.
func (l *locale) ShortMonth(m wire.Month) string {
	return fmt.Sprintf("%02d/%04d", int(m.Month()), m.Year())
}

// Percent drops decimals that are zero: "75 %", "66,67 %".
func (l *locale) Percent(p wire.Percent) string {
	s := l.decimal(int64(p), 2, l.minGroup)
	if whole, ok := strings.CutSuffix(s, l.cldr.Decimal()+"00"); ok {
		s = whole
	}
	return s + l.percent + "%"
}

// Money is for running text, with the sign of the euro.
func (l *locale) Money(m wire.Money) string { return l.euros(l.decimal(int64(m), 2, l.minGroup)) }

// euros puts the sign of the euro where a language has it.
func (l *locale) euros(s string) string {
	if l.euroLast {
		return s + nbsp + "€"
	}
	if rest, negative := strings.CutPrefix(s, minus); negative {
		return minus + "€" + rest
	}
	return "€" + s
}

// Amount is for columns: always grouped, the sign of the euro in the column's head.
func (l *locale) Amount(m wire.Money) string { return l.decimal(int64(m), 2, 1) }

// Points is for running text: rounded once, to hundredths.
func (l *locale) Points(p wire.Points) string { return l.decimal(p.Hundredths(), 2, l.minGroup) }

// PointsCell is Points for columns: always grouped.
func (l *locale) PointsCell(p wire.Points) string { return l.decimal(p.Hundredths(), 2, 1) }

// PointPrice is for running text: the price of a point has the five decimals of the budget law.
func (l *locale) PointPrice(p wire.Price) string { return l.euros(l.decimal(int64(p), 5, l.minGroup)) }

// Price is PointPrice for columns.
func (l *locale) Price(p wire.Price) string { return l.decimal(int64(p), 5, 1) }

// Count is a whole number in running text.
func (l *locale) Count(n int) string { return l.decimal(int64(n), 0, l.minGroup) }

// CountCell is Count for columns: always grouped.
func (l *locale) CountCell(n int) string { return l.decimal(int64(n), 0, 1) }

// QuantityCell is a quantity or a coefficient, for columns.
func (l *locale) QuantityCell(q wire.Quantity) string { return l.decimal(int64(q), 2, 1) }

// minus is the sign of printed numbers: as wide as a digit, and no line breaks after it.
const minus = "−"

// decimal writes n units of 10^-scale. Numbers never pass through a float.
func (l *locale) decimal(n int64, scale, minGroup int) string {
	sign := ""
	u := uint64(n)
	if n < 0 {
		sign, u = minus, -u
	}
	digits := strconv.FormatUint(u, 10)
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	whole, fraction := digits[:len(digits)-scale], digits[len(digits)-scale:]
	group := l.group
	if group == "" {
		group = l.cldr.Group()
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, c := range whole {
		if left := len(whole) - i; i > 0 && left%3 == 0 && len(whole) >= 3+minGroup {
			b.WriteString(group)
		}
		b.WriteRune(c)
	}
	if scale > 0 {
		b.WriteString(l.cldr.Decimal())
		b.WriteString(fraction)
	}
	return b.String()
}
