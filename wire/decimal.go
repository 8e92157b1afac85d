package wire

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// ErrRange is returned when a result has too many digits: every decimal here stays below 10^15 of its units, which
// keeps it exact in an int64 and leaves no sum of an extract that can wrap around.
var ErrRange = errors.New("wire: the amount is too large")

// limit bounds the units of every decimal type, exclusively.
const limit = 1_000_000_000_000_000

// decimal is what the exact decimal types share: a whole number of units of 10^-scale.
type decimal interface {
	Money | Percent | Price | Points | Quantity
}

// parseDecimal reads a decimal with exactly scale digits after the point: an optional minus, no plus, no leading zero,
// no exponent, no grouping, no negative zero.
func parseDecimal[D decimal](s string, scale int, form string) (D, error) {
	refused := &FormatError{"must be " + form}
	digits, negative := strings.CutPrefix(s, "-")
	point := len(digits) - scale - 1
	if point < 1 || digits[point] != '.' || point > 15-scale || point > 1 && digits[0] == '0' {
		return 0, refused
	}
	var n int64
	for i := range len(digits) {
		if i == point {
			continue
		}
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, refused
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		if n == 0 {
			return 0, refused
		}
		n = -n
	}
	return D(n), nil
}

func formatDecimal[D decimal](d D, scale int) string {
	n := uint64(d)
	if d < 0 {
		n = -n
	}
	digits := strconv.FormatUint(n, 10)
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	if d < 0 {
		return "-" + digits
	}
	return digits
}

func marshalDecimal[D decimal](d D, scale int) ([]byte, error) {
	if d <= -limit || d >= limit {
		return nil, ErrRange
	}
	return []byte(formatDecimal(d, scale)), nil
}

// decimalSchema describes a decimal to huma; the pattern accepts exactly what parseDecimal accepts.
func decimalSchema(scale int, form, example string) *huma.Schema {
	fraction := fmt.Sprintf(`[0-9]{%d}`, scale)
	// A negative number below one must have a digit other than zero somewhere after the point: list where the first one is.
	var nonZero []string
	for zeros := range scale {
		nonZero = append(nonZero, strings.Repeat("0", zeros)+"[1-9]"+strings.Repeat("[0-9]", scale-zeros-1))
	}
	return &huma.Schema{
		Type: huma.TypeString,
		Pattern: fmt.Sprintf(`^(-?[1-9][0-9]{0,%d}\.%s|0\.%s|-0\.(%s))$`,
			14-scale, fraction, fraction, strings.Join(nonZero, "|")),
		PatternDescription: form,
		Examples:           []any{example},
	}
}

// sum adds, and fails with ErrRange rather than leave the range.
func sum[D decimal](values ...D) (D, error) {
	var total D
	for _, v := range values {
		if v <= -limit || v >= limit {
			return 0, ErrRange
		}
		if total += v; total <= -limit || total >= limit {
			return 0, ErrRange
		}
	}
	return total, nil
}

// mulDiv returns a × b ÷ c rounded to the nearest whole number, halves away from zero, through 128 bits so that nothing
// overflows on the way. Halves go away from zero so that a recovery is exactly the payment with a minus.
func mulDiv[D decimal](a, b, c int64) (D, error) {
	if c == 0 {
		return 0, ErrRange
	}
	negative := (a < 0) != (b < 0) != (c < 0)
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	divisor := magnitude(c)
	lo, carry := bits.Add64(lo, divisor/2, 0)
	hi += carry
	if hi >= divisor {
		return 0, ErrRange
	}
	// Adding half of an odd divisor rounds down exactly the remainders below one half: there is no tie to miss.
	quotient, _ := bits.Div64(hi, lo, divisor)
	if quotient >= limit {
		return 0, ErrRange
	}
	if negative {
		return D(-int64(quotient)), nil
	}
	return D(quotient), nil
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
