package wire_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/wire"
)

func TestParseDate(t *testing.T) {
	good := []string{"1900-01-01", "1968-04-01", "2000-02-29", "2024-02-29", "2026-12-31", "2200-12-31"}
	for _, s := range good {
		d, err := wire.ParseDate(s)
		if err != nil {
			t.Errorf("ParseDate(%q): %v", s, err)
		}
		if d.String() != s {
			t.Errorf("ParseDate(%q).String() = %q", s, d)
		}
	}
	bad := []string{"", "2026-02-29", "1900-02-29", "2100-02-29", "2026-04-31", "2026-00-10", "2026-13-01", "2026-01-00", "2026-01-32",
		"1899-12-31", "2201-01-01", "0000-00-00", "2026-3-2", "26-03-02", "2026/03/02", "02-03-2026", "2026-03-02 ", " 2026-03-02",
		"+026-03-02", "-026-03-02", "2026-03-02T00:00:00Z", "2026-03-0２", "20260302", "２026-03-0"}
	for _, s := range bad {
		d, err := wire.ParseDate(s)
		if err == nil {
			t.Errorf("ParseDate(%q) = %v, want an error", s, d)
			continue
		}
		if s != "" && !strings.Contains(" 2026-03-02", s) && strings.Contains(err.Error(), s) {
			t.Errorf("ParseDate(%q) repeats the value: %v", s, err)
		}
		if !d.IsZero() {
			t.Errorf("ParseDate(%q) gave %v beside its error", s, d)
		}
	}
}

func TestDateArithmetic(t *testing.T) {
	months := []struct {
		from string
		n    int
		want string
	}{
		{"2026-01-31", 1, "2026-02-28"},
		{"2024-01-31", 1, "2024-02-29"},
		{"2024-02-29", 12, "2025-02-28"},
		{"2024-02-29", 48, "2028-02-29"},
		{"2026-03-02", 3, "2026-06-02"},
		{"2026-03-31", -1, "2026-02-28"},
		{"2026-01-15", -1, "2025-12-15"},
		{"2026-12-31", 2, "2027-02-28"},
		{"2026-05-31", -27, "2024-02-29"},
	}
	for _, c := range months {
		if got := wire.MustDate(c.from).AddMonths(c.n); got != wire.MustDate(c.want) {
			t.Errorf("%s.AddMonths(%d) = %s, want %s", c.from, c.n, got, c.want)
		}
	}
	days := []struct {
		from string
		n    int
		want string
	}{
		{"2026-12-31", 1, "2027-01-01"},
		{"2024-02-28", 1, "2024-02-29"},
		{"2026-02-28", 1, "2026-03-01"},
		{"2026-03-28", 2, "2026-03-30"}, // over the change to summer time
		{"2026-01-01", -1, "2025-12-31"},
		{"2026-07-01", 179, "2026-12-27"},
	}
	for _, c := range days {
		from, want := wire.MustDate(c.from), wire.MustDate(c.want)
		if got := from.AddDays(c.n); got != want {
			t.Errorf("%s.AddDays(%d) = %s, want %s", c.from, c.n, got, want)
		}
		if got := want.DaysSince(from); got != c.n {
			t.Errorf("%s.DaysSince(%s) = %d, want %d", want, from, got, c.n)
		}
	}
}

func TestDateOrder(t *testing.T) {
	sorted := []string{"1999-12-31", "2026-03-02", "2026-03-03", "2026-04-01", "2027-01-01"}
	for i, a := range sorted {
		for j, b := range sorted {
			x, y := wire.MustDate(a), wire.MustDate(b)
			if x.Before(y) != (i < j) || x.After(y) != (i > j) || (x == y) != (i == j) || (x.Compare(y) == 0) != (i == j) {
				t.Errorf("order of %s and %s is wrong", a, b)
			}
		}
	}
	var none wire.Date
	if !none.IsZero() || none.String() != "" || !none.Before(wire.MustDate("1900-01-01")) {
		t.Error("the zero Date is not treated as no date")
	}
}

func TestDateInLocation(t *testing.T) {
	andorra := time.FixedZone("CET", 3600)
	instant := time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC)
	if got := wire.DateOf(instant.In(andorra)); got != wire.MustDate("2026-03-02") {
		t.Errorf("DateOf in Andorra = %s", got)
	}
	if got := wire.DateOf(instant); got != wire.MustDate("2026-03-01") {
		t.Errorf("DateOf in UTC = %s", got)
	}
	d := wire.MustDate("2026-03-02")
	if got := d.In(andorra).Format(time.RFC3339); got != "2026-03-02T00:00:00+01:00" {
		t.Errorf("In = %s", got)
	}
	if d.Weekday() != time.Monday || d.Year() != 2026 || d.Month() != time.March || d.Day() != 2 {
		t.Errorf("parts of %s are wrong", d)
	}
}

func TestMonth(t *testing.T) {
	for _, s := range []string{"1900-01", "1968-04", "2026-02", "2200-12"} {
		m, err := wire.ParseMonth(s)
		if err != nil || m.String() != s {
			t.Errorf("ParseMonth(%q) = %v, %v", s, m, err)
		}
	}
	for _, s := range []string{"", "2026-00", "2026-13", "2026-1", "1899-12", "2201-01", "2026-02-01", "2026 02", "02-2026", "+026-02"} {
		if m, err := wire.ParseMonth(s); err == nil {
			t.Errorf("ParseMonth(%q) = %v, want an error", s, m)
		}
	}
	feb := wire.MustMonth("2024-02")
	if feb.First() != wire.MustDate("2024-02-01") || feb.Last() != wire.MustDate("2024-02-29") {
		t.Errorf("days of %s: %s to %s", feb, feb.First(), feb.Last())
	}
	if got := feb.AddMonths(-3); got != wire.MustMonth("2023-11") {
		t.Errorf("three months before %s is %s", feb, got)
	}
	if got := wire.MustMonth("2026-02").MonthsSince(feb); got != 24 {
		t.Errorf("months between = %d", got)
	}
	if wire.MonthOf(wire.MustDate("2024-02-29")) != feb || !feb.Before(feb.AddMonths(1)) || !feb.After(feb.AddMonths(-1)) {
		t.Error("months do not order")
	}
}

func TestDatesAsJSON(t *testing.T) {
	type dates struct {
		D wire.Date  `json:"d"`
		M wire.Month `json:"m"`
		O wire.Date  `json:"o,omitzero"`
	}
	in := dates{D: wire.MustDate("2026-03-02"), M: wire.MustMonth("2026-02")}
	text, err := json.Marshal(in)
	if err != nil || string(text) != `{"d":"2026-03-02","m":"2026-02"}` {
		t.Fatalf("Marshal = %s, %v", text, err)
	}
	var out dates
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Fatalf("Unmarshal = %+v, %v", out, err)
	}
	for _, bad := range []string{`{"d":null}`, `{"d":20260302}`, `{"d":["2026-03-02"]}`, `{"m":null}`, `{"m":202602}`, `{"d":""}`} {
		if err := json.Unmarshal([]byte(bad), &out); err == nil {
			t.Errorf("Unmarshal(%s) passed", bad)
		}
	}
	if text, err := json.Marshal(dates{}); err == nil {
		t.Errorf("no date was written as %s", text)
	}
	if _, err := wire.MustDate("2200-12-31").AddDays(1).MarshalText(); err == nil {
		t.Error("a date outside the years was written")
	}
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"2026-03-02", "2024-02-29", "2026-02-30", "1900-01-01", "2200-12-31", "2026-3-2", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := wire.ParseDate(s)
		// time.Parse is the other judge.
		when, other := time.Parse("2006-01-02", s)
		want := other == nil && when.Year() >= 1900 && when.Year() <= 2200
		if (err == nil) != want {
			t.Fatalf("ParseDate(%q): %v, but time.Parse: %v", s, err, other)
		}
		if err == nil {
			if d.String() != s {
				t.Fatalf("%q became %q", s, d)
			}
			if again, err := wire.ParseDate(d.String()); err != nil || again != d {
				t.Fatalf("%q is not itself again: %v, %v", s, again, err)
			}
			if d != wire.DateOf(when) || d.AddDays(31).AddDays(-31) != d {
				t.Fatalf("%q: arithmetic differs", s)
			}
		}
		if m, err := wire.ParseMonth(s); err == nil && m.String() != s {
			t.Fatalf("month %q became %q", s, m)
		}
	})
}

func TestDatesSort(t *testing.T) {
	d := []wire.Date{wire.MustDate("2026-03-02"), wire.MustDate("2025-03-02"), wire.MustDate("2026-01-02")}
	slices.SortFunc(d, wire.Date.Compare)
	if d[0].String()+d[1].String()+d[2].String() != "2025-03-022026-01-022026-03-02" {
		t.Errorf("sorted: %v", d)
	}
}
