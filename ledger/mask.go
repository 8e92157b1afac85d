package ledger

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mask shows a holder so that who holds the paper can compare and nobody else
// learns who it is: the initials of the names written with a capital, and the
// last two characters of the CASS number.
// fullName is written "Cognoms, Nom", as CASS does, or in one run.
func Mask(fullName, cassNumber string) Masked {
	family, given, found := strings.Cut(fullName, ",")
	name := given + " " + family
	if !found {
		name = fullName
	}
	var initials []string
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r == '-' }) {
		// Particles (i, de, dos) are written small.
		if r, _ := utf8.DecodeRuneInString(word); unicode.IsUpper(r) {
			initials = append(initials, string(r)+".")
		}
	}
	runes := []rune(cassNumber)
	tail := max(0, len(runes)-2)
	return Masked{Initials: strings.Join(initials, " "), CASSNumber: strings.Repeat("•", tail) + string(runes[tail:])}
}
