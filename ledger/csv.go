package ledger

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// CSV is a codi segur de verificació in its canonical form: 20 random digits of
// Crockford's base 32 (100 bits) and 2 check digits, upper case, without
// separators.
//
// Read as one number in base 32, a code leaves the remainder 1 modulo 1021, the
// largest prime below 32². So every single wrong digit and every exchange of two
// digits is noticed, wherever they stand, the check digits included.
type CSV string

const (
	csvAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford: no I, L, O, U
	csvDigits   = 20
	csvLength   = csvDigits + 2
	csvModulus  = 1021
)

// ErrCSVMalformed says that a text cannot be a code: wrong length, a character
// that no code has, or check digits that do not fit (most often a typing error).
var ErrCSVMalformed = errors.New("not a verification code")

// NewCSV draws a code from random. It fails only if random does.
func NewCSV(random io.Reader) (CSV, error) {
	var drawn [csvDigits]byte
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		return "", fmt.Errorf("drawing a verification code: %w", err)
	}
	var code [csvLength]byte
	remainder := 0
	for i, b := range drawn {
		digit := int(b & 31) // 256 is a multiple of 32: no digit is favoured
		code[i] = csvAlphabet[digit]
		remainder = (remainder*32 + digit) % csvModulus
	}
	check := ((1-remainder*32*32)%csvModulus + csvModulus) % csvModulus
	code[csvDigits] = csvAlphabet[check/32]
	code[csvDigits+1] = csvAlphabet[check%32]
	return CSV(code[:]), nil
}

// ParseCSV reads a code as people type it: in lower or upper case, with spaces
// and hyphens anywhere, with O for 0 and I or L for 1. It returns the canonical
// form, or an error wrapping ErrCSVMalformed that says what does not fit.
func ParseCSV(typed string) (CSV, error) {
	if len(typed) > 4*csvLength {
		return "", fmt.Errorf("%w: it has %d characters, not too many more than %d are expected", ErrCSVMalformed, len(typed), csvLength)
	}
	var code strings.Builder
	remainder, check := 0, 0
	for _, r := range strings.ToUpper(typed) {
		switch r {
		case ' ', '-', '\t', '\u00a0', '\u2010', '\u2011', '\u2013':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		digit := -1
		if r < 128 {
			digit = strings.IndexByte(csvAlphabet, byte(r))
		}
		if digit < 0 {
			return "", fmt.Errorf("%w: it has a character that no code has", ErrCSVMalformed)
		}
		if code.Len() >= csvDigits {
			check = check*32 + digit
		}
		code.WriteByte(csvAlphabet[digit])
		remainder = (remainder*32 + digit) % csvModulus
	}
	switch {
	case code.Len() != csvLength:
		return "", fmt.Errorf("%w: it has %d characters, a code has %d", ErrCSVMalformed, code.Len(), csvLength)
	case remainder != 1 || check >= csvModulus:
		return "", fmt.Errorf("%w: its last two characters do not fit the others", ErrCSVMalformed)
	}
	return CSV(code.String()), nil
}

// Grouped returns the code as it is printed: groups of four, two characters last.
func (c CSV) Grouped() string {
	var out strings.Builder
	for i := 0; i < len(c); i += 4 {
		if i > 0 {
			out.WriteByte('-')
		}
		out.WriteString(string(c[i:min(i+4, len(c))]))
	}
	return out.String()
}
