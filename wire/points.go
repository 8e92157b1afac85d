package wire

import "github.com/danielgtaylor/huma/v2"

const (
	pointsScale = 4
	pointsForm  = "a number of points with exactly four decimals, written with a point and in quotes"
)

// Points is a number of retirement points, held in ten-thousandths and written with exactly four decimals: "11.2674".
type Points int64

// ParsePoints reads exactly what [Points.String] writes, such as "11.2674": 4 decimals after a point, an optional minus, no plus,
// no leading zero, no exponent, no grouping, no negative zero; below 10^15 units. The error is a [*FormatError].
func ParsePoints(s string) (Points, error) {
	return parseDecimal[Points](s, pointsScale, pointsForm+", such as 11.2674")
}

// String returns p as it travels, such as "11.2674".
func (p Points) String() string { return formatDecimal(p, pointsScale) }

// MarshalText implements [encoding.TextMarshaler]; [ErrRange] where p has 10^15 units or more.
func (p Points) MarshalText() ([]byte, error) { return marshalDecimal(p, pointsScale) }

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ParsePoints].
func (p *Points) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePoints(string(text))
	return err
}

// UnmarshalJSON reads a JSON string; numbers and null are refused.
func (p *Points) UnmarshalJSON(data []byte) error { return unmarshalString(data, p.UnmarshalText) }

// Schema implements [huma.SchemaProvider].
func (Points) Schema(huma.Registry) *huma.Schema {
	return decimalSchema(pointsScale, pointsForm, "11.2674")
}

// Add returns p + q, or [ErrRange].
func (p Points) Add(q Points) (Points, error) { return sum(p, q) }

// Sub returns p − q, or [ErrRange].
func (p Points) Sub(q Points) (Points, error) { return sum(p, -q) }

// SumPoints adds points, or fails with [ErrRange]. Sums are exact; round once, for print.
func SumPoints(points ...Points) (Points, error) { return sum(points...) }

// At returns what points are worth at a price (for a pension, the sale price), rounded to the cent, halves away from
// zero, or [ErrRange].
func (p Points) At(price Price) (Money, error) {
	return mulDiv[Money](int64(p), int64(price), 10_000_000)
}

// Hundredths returns the points rounded to 1/100, halves away from zero, as an extract prints them: 11.2674 gives 1127.
func (p Points) Hundredths() int64 {
	q, r := int64(p)/100, int64(p)%100
	switch {
	case r >= 50:
		q++
	case r <= -50:
		q--
	}
	return q
}

const (
	priceScale = 5
	priceForm  = "a price in euros with exactly five decimals, written with a point and in quotes"
)

// Price is the price of a retirement point in euros, held in hundred-thousandths and written with exactly five decimals:
// "26.62560". The budget law prints five.
type Price int64

// ParsePrice reads exactly what [Price.String] writes, such as "26.62560": 5 decimals after a point, an optional minus, no plus,
// no leading zero, no exponent, no grouping, no negative zero; below 10^15 units. The error is a [*FormatError].
func ParsePrice(s string) (Price, error) {
	return parseDecimal[Price](s, priceScale, priceForm+", such as 26.62560")
}

// String returns p as it travels, such as "26.62560".
func (p Price) String() string { return formatDecimal(p, priceScale) }

// MarshalText implements [encoding.TextMarshaler]; [ErrRange] where p has 10^15 units or more.
func (p Price) MarshalText() ([]byte, error) { return marshalDecimal(p, priceScale) }

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ParsePrice].
func (p *Price) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePrice(string(text))
	return err
}

// UnmarshalJSON reads a JSON string; numbers and null are refused.
func (p *Price) UnmarshalJSON(data []byte) error { return unmarshalString(data, p.UnmarshalText) }

// Schema implements [huma.SchemaProvider].
func (Price) Schema(huma.Registry) *huma.Schema {
	return decimalSchema(priceScale, priceForm, "26.62560")
}
