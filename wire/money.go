package wire

import "github.com/danielgtaylor/huma/v2"

const (
	moneyScale = 2
	moneyForm  = "an amount in euros with exactly two decimals, written with a point and in quotes"
)

// Money is an amount in euros, held in cents and written with exactly two decimals: "2500.00", "-3.10".
type Money int64

// ParseMoney reads exactly what [Money.String] writes, such as "2500.00": 2 decimals after a point, an optional minus, no plus,
// no leading zero, no exponent, no grouping, no negative zero; below 10^15 units. The error is a [*FormatError].
func ParseMoney(s string) (Money, error) {
	return parseDecimal[Money](s, moneyScale, moneyForm+", such as 2500.00")
}

// String returns m as it travels, such as "2500.00".
func (m Money) String() string { return formatDecimal(m, moneyScale) }

// MarshalText implements [encoding.TextMarshaler]; [ErrRange] where m has 10^15 units or more.
func (m Money) MarshalText() ([]byte, error) { return marshalDecimal(m, moneyScale) }

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ParseMoney].
func (m *Money) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMoney(string(text))
	return err
}

// UnmarshalJSON reads a JSON string; numbers and null are refused.
func (m *Money) UnmarshalJSON(data []byte) error { return unmarshalString(data, m.UnmarshalText) }

// Schema implements [huma.SchemaProvider].
func (Money) Schema(huma.Registry) *huma.Schema {
	return decimalSchema(moneyScale, moneyForm, "2500.00")
}

// Add returns m + n, or [ErrRange].
func (m Money) Add(n Money) (Money, error) { return sum(m, n) }

// Sub returns m − n, or [ErrRange].
func (m Money) Sub(n Money) (Money, error) { return sum(m, -n) }

// SumMoney adds amounts, or fails with [ErrRange]. The total of a document is the sum of its printed lines.
func SumMoney(amounts ...Money) (Money, error) { return sum(amounts...) }

// Times returns n × m, or [ErrRange].
func (m Money) Times(n int64) (Money, error) { return mulDiv[Money](int64(m), n, 1) }

// PointsAt returns how many points an amount of contribution to the retirement branch buys at a price: the amount divided
// by the price, to the nearest 1/10000, halves away from zero. A price that is not positive gives [ErrRange].
func (m Money) PointsAt(price Price) (Points, error) {
	if price <= 0 {
		return 0, ErrRange
	}
	// cents/100 ÷ (price/100000) × 10000
	return mulDiv[Points](int64(m), 10_000_000, int64(price))
}

const (
	percentScale = 2
	percentForm  = "a percentage with exactly two decimals, written with a point and in quotes"
)

// Percent is a percentage, held in hundredths of a per cent and written with exactly two decimals: "75.00" is 75 %.
type Percent int64

// ParsePercent reads exactly what [Percent.String] writes, such as "75.00": 2 decimals after a point, an optional minus, no plus,
// no leading zero, no exponent, no grouping, no negative zero; below 10^15 units. The error is a [*FormatError].
func ParsePercent(s string) (Percent, error) {
	return parseDecimal[Percent](s, percentScale, percentForm+", such as 75.00")
}

// String returns p as it travels, such as "75.00".
func (p Percent) String() string { return formatDecimal(p, percentScale) }

// MarshalText implements [encoding.TextMarshaler]; [ErrRange] where p has 10^15 units or more.
func (p Percent) MarshalText() ([]byte, error) { return marshalDecimal(p, percentScale) }

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ParsePercent].
func (p *Percent) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePercent(string(text))
	return err
}

// UnmarshalJSON reads a JSON string; numbers and null are refused.
func (p *Percent) UnmarshalJSON(data []byte) error { return unmarshalString(data, p.UnmarshalText) }

// Schema implements [huma.SchemaProvider].
func (Percent) Schema(huma.Registry) *huma.Schema {
	return decimalSchema(percentScale, percentForm, "75.00")
}

// Of returns p of an amount, rounded to the cent, halves away from zero: 75 % of 25.35 is 19.01, and of -25.35 is
// -19.01. It fails with [ErrRange] where the result is too large.
func (p Percent) Of(m Money) (Money, error) { return mulDiv[Money](int64(m), int64(p), 10_000) }

const (
	quantityScale = 2
	quantityForm  = "a quantity with exactly two decimals, written with a point and in quotes"
)

// Quantity is how many of a thing, held in hundredths and written with exactly two decimals: "1.00".
type Quantity int64

// ParseQuantity reads exactly what [Quantity.String] writes, such as "1.00": 2 decimals after a point, an optional minus, no plus,
// no leading zero, no exponent, no grouping, no negative zero; below 10^15 units. The error is a [*FormatError].
func ParseQuantity(s string) (Quantity, error) {
	return parseDecimal[Quantity](s, quantityScale, quantityForm+", such as 1.00")
}

// String returns q as it travels, such as "1.00".
func (q Quantity) String() string { return formatDecimal(q, quantityScale) }

// MarshalText implements [encoding.TextMarshaler]; [ErrRange] where q has 10^15 units or more.
func (q Quantity) MarshalText() ([]byte, error) { return marshalDecimal(q, quantityScale) }

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ParseQuantity].
func (q *Quantity) UnmarshalText(text []byte) (err error) {
	*q, err = ParseQuantity(string(text))
	return err
}

// UnmarshalJSON reads a JSON string; numbers and null are refused.
func (q *Quantity) UnmarshalJSON(data []byte) error { return unmarshalString(data, q.UnmarshalText) }

// Schema implements [huma.SchemaProvider].
func (Quantity) Schema(huma.Registry) *huma.Schema {
	return decimalSchema(quantityScale, quantityForm, "1.00")
}

// Of returns q times an amount, rounded to the cent, halves away from zero, or [ErrRange].
func (q Quantity) Of(m Money) (Money, error) { return mulDiv[Money](int64(m), int64(q), 100) }
