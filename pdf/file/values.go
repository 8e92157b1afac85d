package file

import (
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf16"
)

// AppendRef writes a reference to an object.
func AppendRef(b []byte, r Ref) []byte {
	return append(strconv.AppendInt(b, int64(r), 10), " 0 R"...)
}

// AppendHex writes bytes as a hexadecimal string.
func AppendHex(b, data []byte) []byte {
	const digits = "0123456789ABCDEF"
	b = append(b, '<')
	for _, c := range data {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return append(b, '>')
}

// AppendText writes a text string: as it is when it is printable ASCII, else in UTF-16 (ISO 32000-1, 7.9.2.2).
func AppendText(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return appendUTF16(b, s)
		}
	}
	b = append(b, '(')
	for i := range len(s) {
		if s[i] == '(' || s[i] == ')' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, ')')
}

func appendUTF16(b []byte, s string) []byte {
	data := []byte{0xFE, 0xFF}
	for _, r := range s {
		for _, unit := range utf16.AppendRune(nil, r) {
			data = append(data, byte(unit>>8), byte(unit))
		}
	}
	return AppendHex(b, data)
}

// AppendName writes a name with the characters escaped that need it (ISO 32000-1, 7.3.5).
func AppendName(b []byte, name string) []byte {
	const digits = "0123456789ABCDEF"
	b = append(b, '/')
	for i := range len(name) {
		c := name[i]
		switch {
		case c <= ' ' || c > '~', c == '#', c == '/', c == '(', c == ')', c == '<', c == '>', c == '[', c == ']', c == '{', c == '}', c == '%':
			b = append(b, '#', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}

// AppendDate writes a date string, to the second (ISO 32000-1, 7.9.4).
func AppendDate(b []byte, t time.Time) []byte {
	b = t.AppendFormat(append(b, "(D:"...), "20060102150405")
	_, offset := t.Zone()
	if offset == 0 {
		return append(b, "Z)"...)
	}
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	return fmt.Appendf(append(b, sign), "%02d'%02d')", offset/3600, offset/60%60)
}

// AppendNumber writes a number with at most the given decimals (0 to 5) and no needless zero. Numbers that PDF cannot
// hold (NaN, infinite, beyond 10^9) come out as 0; whoever lets them in must have refused them before.
func AppendNumber(b []byte, v float64, decimals int) []byte {
	power := [...]float64{1, 10, 100, 1000, 10000, 100000}[decimals]
	scaled := math.Round(v * power)
	if !(math.Abs(scaled) < 1e14) {
		return append(b, '0')
	}
	return AppendScaled(b, int64(scaled), decimals)
}

// AppendScaled writes n / 10^decimals without needless zeros.
func AppendScaled(b []byte, n int64, decimals int) []byte {
	if n < 0 {
		b = append(b, '-')
		n = -n
	}
	power := [...]int64{1, 10, 100, 1000, 10000, 100000}[decimals]
	whole, rest := n/power, n%power
	if whole > 0 || rest == 0 {
		b = strconv.AppendInt(b, whole, 10)
	}
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for rest > 0 {
		power /= 10
		b = append(b, byte('0'+rest/power))
		rest %= power
	}
	return b
}
