package wire

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// The years that a date or month may have. The fund exists since 1968; births and long validities stay inside.
const (
	minYear = 1900
	maxYear = 2200
)

const (
	dateForm  = "a date written year-month-day, between 1900 and 2200"
	monthForm = "a month written year-month, between 1900 and 2200"

	noSuchDay = "must be a day that the calendar has"

	yearPattern  = `(19[0-9]{2}|2[01][0-9]{2}|2200)`
	monthPattern = `(0[1-9]|1[0-2])`
	dayPattern   = `(0[1-9]|[12][0-9]|3[01])`
)

// errNoDate is what writing a zero Date or Month gives: an absent date is a nil pointer or an omitzero field.
var errNoDate = errors.New("wire: there is no date to write, or its year is not between 1900 and 2200")

// Date is a day of the civil (Gregorian) calendar without a time or place, written "2026-03-02". Dates compare with ==;
// the zero Date is no date.
type Date struct {
	year       int32
	month, day uint8
}

// NewDate returns the date of a year (1900–2200), month and day, or a [*FormatError] when there is no such day.
func NewDate(year int, month time.Month, day int) (Date, error) {
	if year < minYear || year > maxYear || month < time.January || month > time.December {
		return Date{}, &FormatError{"must be " + dateForm}
	}
	if day < 1 || day > daysIn(year, month) {
		return Date{}, &FormatError{noSuchDay}
	}
	return Date{int32(year), uint8(month), uint8(day)}, nil
}

// ParseDate reads "2026-03-02" and nothing else: four, two and two digits, a day that the calendar has, a year from 1900
// to 2200. The error is a [*FormatError].
func ParseDate(s string) (Date, error) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return Date{}, &FormatError{"must be " + dateForm + ", such as 2026-03-02"}
	}
	year, ok1 := digits(s[:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:])
	if !ok1 || !ok2 || !ok3 {
		return Date{}, &FormatError{"must be " + dateForm + ", such as 2026-03-02"}
	}
	return NewDate(year, time.Month(month), day)
}

// MustDate is ParseDate for dates written in the program; it panics where ParseDate fails.
func MustDate(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic("wire: MustDate: " + err.Error())
	}
	return d
}

// DateOf returns the date that t shows in its own location. Convert first: DateOf(t.In(andorra)).
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{int32(year), uint8(month), uint8(day)}
}

// digits reads a number of only ASCII digits.
func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// Year returns the year.
func (d Date) Year() int { return int(d.year) }

// Month returns the month of the year.
func (d Date) Month() time.Month { return time.Month(d.month) }

// Day returns the day of the month, from 1.
func (d Date) Day() int { return int(d.day) }

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.In(time.UTC).Weekday() }

// In returns midnight at the start of the day in a location.
func (d Date) In(loc *time.Location) time.Time {
	return time.Date(int(d.year), time.Month(d.month), int(d.day), 0, 0, 0, 0, loc)
}

// AddDays returns the date n days later, or earlier if n is negative. A result outside 1900–2200 can be compared but
// not written.
func (d Date) AddDays(n int) Date {
	return DateOf(time.Date(int(d.year), time.Month(d.month), int(d.day)+n, 0, 0, 0, 0, time.UTC))
}

// AddMonths returns the same day n months later, or earlier if n is negative. Where that month is too short it is the
// last day of it: 31 January and a month is 28 or 29 February, 29 February and twelve months is 28 February.
func (d Date) AddMonths(n int) Date {
	first := time.Date(int(d.year), time.Month(d.month)+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	day := min(int(d.day), daysIn(first.Year(), first.Month()))
	return Date{int32(first.Year()), uint8(first.Month()), uint8(day)}
}

// DaysSince returns how many days d lies after e: 1 if it is the next day, negative if it is earlier.
func (d Date) DaysSince(e Date) int {
	return int(d.In(time.UTC).Sub(e.In(time.UTC)) / (24 * time.Hour))
}

// Compare returns -1 if d is earlier than e, 0 if they are the same day, 1 if it is later.
func (d Date) Compare(e Date) int {
	return cmp.Or(cmp.Compare(d.year, e.year), cmp.Compare(d.month, e.month), cmp.Compare(d.day, e.day))
}

// Before reports whether d is earlier than e.
func (d Date) Before(e Date) bool { return d.Compare(e) < 0 }

// After reports whether d is later than e.
func (d Date) After(e Date) bool { return d.Compare(e) > 0 }

// String returns the date as it travels, "2026-03-02", and "" for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.year, d.month, d.day)
}

// MarshalText implements [encoding.TextMarshaler]. No date, or one outside 1900–2200, is an error.
func (d Date) MarshalText() ([]byte, error) {
	if d.year < minYear || d.year > maxYear {
		return nil, errNoDate
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ParseDate].
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}

// UnmarshalJSON reads a JSON string; numbers and null are refused.
func (d *Date) UnmarshalJSON(data []byte) error { return unmarshalString(data, d.UnmarshalText) }

// Schema implements [huma.SchemaProvider].
func (Date) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Format: "date",
		Pattern:            `^` + yearPattern + `-` + monthPattern + `-` + dayPattern + `$`,
		PatternDescription: dateForm,
		Examples:           []any{"2026-03-02"},
	}
}

// Month is a month of the civil calendar, written "2026-02". Months compare with ==; the zero Month is no month.
type Month struct {
	year  int32
	month uint8
}

// NewMonth returns a month of a year from 1900 to 2200, or a [*FormatError].
func NewMonth(year int, month time.Month) (Month, error) {
	if year < minYear || year > maxYear || month < time.January || month > time.December {
		return Month{}, &FormatError{"must be " + monthForm}
	}
	return Month{int32(year), uint8(month)}, nil
}

// ParseMonth reads "2026-02" and nothing else, with a year from 1900 to 2200. The error is a [*FormatError].
func ParseMonth(s string) (Month, error) {
	if len(s) == 7 && s[4] == '-' {
		year, ok1 := digits(s[:4])
		month, ok2 := digits(s[5:])
		if ok1 && ok2 {
			return NewMonth(year, time.Month(month))
		}
	}
	return Month{}, &FormatError{"must be " + monthForm + ", such as 2026-02"}
}

// MustMonth is ParseMonth for months written in the program; it panics where ParseMonth fails.
func MustMonth(s string) Month {
	m, err := ParseMonth(s)
	if err != nil {
		panic("wire: MustMonth: " + err.Error())
	}
	return m
}

// MonthOf returns the month that a date lies in.
func MonthOf(d Date) Month { return Month{d.year, d.month} }

// Year returns the year.
func (m Month) Year() int { return int(m.year) }

// Month returns the month of the year.
func (m Month) Month() time.Month { return time.Month(m.month) }

// IsZero reports whether m is no month.
func (m Month) IsZero() bool { return m == Month{} }

// First returns the first day of the month.
func (m Month) First() Date { return Date{m.year, m.month, 1} }

// Last returns the last day of the month.
func (m Month) Last() Date {
	return Date{m.year, m.month, uint8(daysIn(int(m.year), time.Month(m.month)))}
}

// AddMonths returns the month n months later, or earlier if n is negative.
func (m Month) AddMonths(n int) Month { return MonthOf(m.First().AddMonths(n)) }

// MonthsSince returns how many months m lies after o: 1 if it is the next month, negative if it is earlier.
func (m Month) MonthsSince(o Month) int {
	return (int(m.year)-int(o.year))*12 + int(m.month) - int(o.month)
}

// Compare returns -1 if m is earlier than o, 0 if they are the same month, 1 if it is later.
func (m Month) Compare(o Month) int {
	return cmp.Or(cmp.Compare(m.year, o.year), cmp.Compare(m.month, o.month))
}

// Before reports whether m is earlier than o.
func (m Month) Before(o Month) bool { return m.Compare(o) < 0 }

// After reports whether m is later than o.
func (m Month) After(o Month) bool { return m.Compare(o) > 0 }

// String returns the month as it travels, "2026-02", and "" for no month.
func (m Month) String() string {
	if m.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d", m.year, m.month)
}

// MarshalText implements [encoding.TextMarshaler]. No month, or one outside 1900–2200, is an error.
func (m Month) MarshalText() ([]byte, error) {
	if m.year < minYear || m.year > maxYear {
		return nil, errNoDate
	}
	return []byte(m.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ParseMonth].
func (m *Month) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMonth(string(text))
	return err
}

// UnmarshalJSON reads a JSON string; numbers and null are refused.
func (m *Month) UnmarshalJSON(data []byte) error { return unmarshalString(data, m.UnmarshalText) }

// Schema implements [huma.SchemaProvider].
func (Month) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type:               huma.TypeString,
		Pattern:            `^` + yearPattern + `-` + monthPattern + `$`,
		PatternDescription: monthForm,
		Examples:           []any{"2026-02"},
	}
}

// unmarshalString hands the content of a JSON string to read, and refuses every other JSON value.
func unmarshalString(data []byte, read func([]byte) error) error {
	if len(data) == 0 || data[0] != '"' {
		return &FormatError{"must be a string in double quotes"}
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return &FormatError{"must be a string in double quotes"}
	}
	return read([]byte(s))
}
