package wire_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"segell/wire"
)

func money(t testing.TB, s string) wire.Money {
	t.Helper()
	m, err := wire.ParseMoney(s)
	if err != nil {
		t.Fatalf("ParseMoney(%q): %v", s, err)
	}
	return m
}

func percent(t testing.TB, s string) wire.Percent {
	t.Helper()
	p, err := wire.ParsePercent(s)
	if err != nil {
		t.Fatalf("ParsePercent(%q): %v", s, err)
	}
	return p
}

func price(t testing.TB, s string) wire.Price {
	t.Helper()
	p, err := wire.ParsePrice(s)
	if err != nil {
		t.Fatalf("ParsePrice(%q): %v", s, err)
	}
	return p
}

// TestPercentOf holds the golden values of published CASS texts, and the halves on both sides of zero.
func TestPercentOf(t *testing.T) {
	for _, c := range []struct{ rate, amount, want string }{
		{"75.00", "25.35", "19.01"},  // tariff of a sheet: 19.0125
		{"75.00", "32.00", "24.00"},  // DO 10
		{"90.00", "28.55", "25.70"},  // 25.695
		{"10.00", "795.85", "79.59"}, // students 25 to 30: 79.585
		{"12.00", "2500.00", "300.00"},
		{"12.00", "2672.52", "320.70"},
		{"22.00", "2560.99", "563.42"},
		{"22.00", "2672.52", "587.95"},
		{"55.00", "1447.00", "795.85"},
		{"6.50", "2500.00", "162.50"},
		{"6.50", "1633.27", "106.16"},
		{"70.00", "2333.24", "1633.27"},
		{"66.67", "0.01", "0.01"},
		{"50.00", "0.01", "0.01"},
		{"49.99", "0.01", "0.00"},
		{"75.00", "-25.35", "-19.01"},
		{"90.00", "-28.55", "-25.70"},
		{"50.00", "-0.01", "-0.01"},
		{"-50.00", "0.01", "-0.01"},
		{"0.00", "999999999.99", "0.00"},
		{"100.00", "9999999999999.99", "9999999999999.99"},
		{"0.01", "9999999999999.99", "1000000000.00"},
	} {
		got, err := percent(t, c.rate).Of(money(t, c.amount))
		if err != nil || got.String() != c.want {
			t.Errorf("%s %% of %s = %s, %v; want %s", c.rate, c.amount, got, err, c.want)
		}
	}
	if got, err := percent(t, "200.00").Of(money(t, "9999999999999.99")); !errors.Is(err, wire.ErrRange) {
		t.Errorf("200 %% of the largest amount = %s, %v", got, err)
	}
}

func TestPoints(t *testing.T) {
	for _, c := range []struct{ contribution, price, points string }{
		{"300.00", "26.62560", "11.2674"},
		{"320.70", "26.62560", "12.0448"},
		{"183.00", "26.62560", "6.8731"},
		{"-300.00", "26.62560", "-11.2674"},
		{"0.00", "26.62560", "0.0000"},
		{"9999999999999.99", "100.00000", "99999999999.9999"},
	} {
		got, err := money(t, c.contribution).PointsAt(price(t, c.price))
		if err != nil || got.String() != c.points {
			t.Errorf("%s at %s = %s, %v; want %s", c.contribution, c.price, got, err, c.points)
		}
	}
	for _, p := range []wire.Price{0, -1} {
		if _, err := money(t, "300.00").PointsAt(p); !errors.Is(err, wire.ErrRange) {
			t.Errorf("a price of %s: %v", p, err)
		}
	}
	if got, err := money(t, "9999999999999.99").PointsAt(price(t, "99.00000")); !errors.Is(err, wire.ErrRange) {
		t.Errorf("points beyond the range: %s, %v", got, err)
	}
	pts, err := wire.ParsePoints("500.0000")
	if err != nil {
		t.Fatal(err)
	}
	if worth, err := pts.At(price(t, "2.77350")); err != nil || worth.String() != "1386.75" {
		t.Errorf("500 points are worth %s, %v", worth, err)
	}
	for in, want := range map[wire.Points]int64{112674: 1127, 112650: 1127, 112649: 1126, -112650: -1127, -112649: -1126, 49: 0, 50: 1, -50: -1} {
		if got := in.Hundredths(); got != want {
			t.Errorf("%s rounds to %d hundredths, want %d", in, got, want)
		}
	}
}

func TestSums(t *testing.T) {
	got, err := wire.SumMoney(money(t, "19.01"), money(t, "24.00"), money(t, "-3.10"))
	if err != nil || got.String() != "39.91" {
		t.Errorf("sum = %s, %v", got, err)
	}
	largest := money(t, "9999999999999.99")
	for name, f := range map[string]func() error{
		"sum":      func() error { _, err := wire.SumMoney(largest, 1); return err },
		"sum down": func() error { _, err := wire.SumMoney(-largest, -1); return err },
		"passing out and back": func() error {
			_, err := wire.SumMoney(largest, largest, -largest)
			return err
		},
		"add":       func() error { _, err := largest.Add(1); return err },
		"sub":       func() error { _, err := (-largest).Sub(1); return err },
		"sub min":   func() error { _, err := wire.Money(0).Sub(math.MinInt64); return err },
		"times":     func() error { _, err := largest.Times(2); return err },
		"times min": func() error { _, err := wire.Money(math.MinInt64).Times(math.MinInt64); return err },
		"quantity":  func() error { _, err := wire.Quantity(200).Of(largest); return err },
		"points":    func() error { _, err := wire.SumPoints(math.MaxInt64, math.MaxInt64); return err },
	} {
		if err := f(); !errors.Is(err, wire.ErrRange) {
			t.Errorf("%s beyond the range: %v", name, err)
		}
	}
	if got, err := money(t, "3.20").Times(10); err != nil || got.String() != "32.00" {
		t.Errorf("10 × 3.20 = %s, %v", got, err)
	}
	if got, err := wire.Quantity(150).Of(money(t, "0.01")); err != nil || got.String() != "0.02" {
		t.Errorf("1.50 × 0.01 = %s, %v", got, err)
	}
	if got, err := wire.Points(112674).Sub(674); err != nil || got.String() != "11.2000" {
		t.Errorf("points: %s, %v", got, err)
	}
}

// TestRoundingAgainstRationals compares with exact rational arithmetic over random amounts of every size.
func TestRoundingAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	half := big.NewRat(1, 2)
	round := func(x *big.Rat) *big.Int {
		sign := x.Sign()
		y := new(big.Rat).Abs(x)
		y.Add(y, half)
		q := new(big.Int).Quo(y.Num(), y.Denom())
		if sign < 0 {
			q.Neg(q)
		}
		return q
	}
	random := func(bits int) int64 {
		n := r.Int64N(1 << (1 + r.IntN(bits)))
		if r.IntN(2) == 0 {
			return -n
		}
		return n
	}
	for range 20_000 {
		amount, rate := random(49), random(30)
		got, err := wire.Percent(rate).Of(wire.Money(amount))
		want := round(new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(amount), big.NewInt(rate)), big.NewInt(10_000)))
		if want.CmpAbs(big.NewInt(1e15)) >= 0 {
			if !errors.Is(err, wire.ErrRange) {
				t.Fatalf("%d × %d: %v, want ErrRange", amount, rate, err)
			}
		} else if err != nil || int64(got) != want.Int64() {
			t.Fatalf("%d × %d = %d, %v; want %s", amount, rate, got, err, want)
		}
		p := 1 + r.Int64N(1<<(1+r.IntN(40)))
		pts, err := wire.Money(amount).PointsAt(wire.Price(p))
		want = round(new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(amount), big.NewInt(10_000_000)), big.NewInt(p)))
		if want.CmpAbs(big.NewInt(1e15)) >= 0 {
			if !errors.Is(err, wire.ErrRange) {
				t.Fatalf("%d ÷ %d: %v, want ErrRange", amount, p, err)
			}
		} else if err != nil || int64(pts) != want.Int64() {
			t.Fatalf("%d ÷ %d = %d, %v; want %s", amount, p, pts, err, want)
		}
	}
}

// decimals are the decimal types, each by its reading, with its number of decimals and its pattern.
var decimals = []struct {
	name    string
	scale   int
	parse   func(string) (int64, string, error)
	pattern string
	json    func([]byte) error
}{
	{"Money", 2, func(s string) (int64, string, error) { v, err := wire.ParseMoney(s); return int64(v), v.String(), err },
		wire.Money(0).Schema(nil).Pattern, func(b []byte) error { var v wire.Money; return json.Unmarshal(b, &v) }},
	{"Percent", 2, func(s string) (int64, string, error) {
		v, err := wire.ParsePercent(s)
		return int64(v), v.String(), err
	},
		wire.Percent(0).Schema(nil).Pattern, func(b []byte) error { var v wire.Percent; return json.Unmarshal(b, &v) }},
	{"Price", 5, func(s string) (int64, string, error) { v, err := wire.ParsePrice(s); return int64(v), v.String(), err },
		wire.Price(0).Schema(nil).Pattern, func(b []byte) error { var v wire.Price; return json.Unmarshal(b, &v) }},
	{"Points", 4, func(s string) (int64, string, error) { v, err := wire.ParsePoints(s); return int64(v), v.String(), err },
		wire.Points(0).Schema(nil).Pattern, func(b []byte) error { var v wire.Points; return json.Unmarshal(b, &v) }},
	{"Quantity", 2, func(s string) (int64, string, error) {
		v, err := wire.ParseQuantity(s)
		return int64(v), v.String(), err
	},
		wire.Quantity(0).Schema(nil).Pattern, func(b []byte) error { var v wire.Quantity; return json.Unmarshal(b, &v) }},
}

func TestDecimalForms(t *testing.T) {
	for _, d := range decimals {
		zeros := strings.Repeat("0", d.scale)
		good := map[string]int64{
			"0." + zeros:            0,
			"0." + zeros[1:] + "1":  1,
			"-0." + zeros[1:] + "1": -1,
			"-1." + zeros:           -int64(math.Pow10(d.scale)),
			"10." + zeros:           10 * int64(math.Pow10(d.scale)),
			strings.Repeat("9", 15-d.scale) + "." + strings.Repeat("9", d.scale):       999_999_999_999_999,
			"-" + strings.Repeat("9", 15-d.scale) + "." + strings.Repeat("9", d.scale): -999_999_999_999_999,
		}
		for s, want := range good {
			got, text, err := d.parse(s)
			if err != nil || got != want || text != s {
				t.Errorf("%s %q = %d (%q), %v; want %d", d.name, s, got, text, err, want)
			}
			if err := d.json([]byte(`"` + s + `"`)); err != nil {
				t.Errorf("%s: JSON string %q: %v", d.name, s, err)
			}
		}
		bad := []string{"", ".", "-", "1", "1.", "." + zeros, "-." + zeros, "-0." + zeros, "+1." + zeros, "01." + zeros, "00." + zeros,
			"-01." + zeros, "1." + zeros + "0", "1." + zeros[1:], "1," + zeros, "1." + zeros + " ", " 1." + zeros, "1e2." + zeros, "1." + zeros[1:] + "e",
			"1 000." + zeros, "1.000." + zeros, "--1." + zeros, "0x1." + zeros, "NaN", "Inf", "１." + zeros, "1" + strings.Repeat("0", 15-d.scale) + "." + zeros,
			"1_0." + zeros, "1." + zeros + "\n"}
		for _, s := range bad {
			if got, _, err := d.parse(s); err == nil {
				t.Errorf("%s %q = %d, want an error", d.name, s, got)
			} else if got != 0 {
				t.Errorf("%s %q gave %d beside its error", d.name, s, got)
			}
		}
		for _, s := range []string{"1", "1.5", "null", "true", `["1.00"]`, `{}`, "0", `""`} {
			if err := d.json([]byte(s)); err == nil {
				t.Errorf("%s: JSON %s passed", d.name, s)
			}
		}
	}
}

func TestOutOfRangeIsNotWritten(t *testing.T) {
	for _, m := range []wire.Money{1e15, -1e15, math.MaxInt64, math.MinInt64} {
		if text, err := json.Marshal(m); err == nil {
			t.Errorf("%d was written as %s", int64(m), text)
		}
	}
	if got := wire.Money(math.MinInt64).String(); got != "-92233720368547758.08" {
		t.Errorf("the smallest int64 prints as %s", got)
	}
}

func FuzzMoney(f *testing.F) {
	for _, s := range []string{"2500.00", "-3.10", "0.00", "-0.00", "26.62560", "-0.00001", "11.2674", "01.00", "9999999999999.99", "1e5", "+1.00"} {
		f.Add(s)
	}
	patterns := make([]*regexp.Regexp, len(decimals))
	for i, d := range decimals {
		patterns[i] = regexp.MustCompile(d.pattern)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for i, d := range decimals {
			got, text, err := d.parse(s)
			// What the API description says and what is read must be the same.
			if (err == nil) != patterns[i].MatchString(s) {
				t.Fatalf("%s %q: read: %v, pattern: %v", d.name, s, err, patterns[i].MatchString(s))
			}
			if err != nil {
				continue
			}
			if text != s {
				t.Fatalf("%s %q became %q", d.name, s, text)
			}
			exact, ok := new(big.Rat).SetString(s)
			if !ok || exact.Mul(exact, big.NewRat(int64(math.Pow10(d.scale)), 1)).Cmp(big.NewRat(got, 1)) != 0 {
				t.Fatalf("%s %q is not %d units", d.name, s, got)
			}
		}
	})
}
