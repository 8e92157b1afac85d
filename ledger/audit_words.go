package ledger

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What people write into the trail is judged here: nobody can ever take it out
// again, and an auditor must read what stands there and nothing else.

var (
	// What names a person: a CASS number or NIA (six digits and a letter), dates,
	// e-mail addresses, long numbers as those of passports and telephones.
	personal = regexp.MustCompile(`(?i)\b\d{6}[ -]?[A-Z]\b|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b|\S@\S+\.\S|\b[A-Z]{0,3}[ -]?\d{6,}\b`)
	// A CASS number as people part it: 731.234-A, 731 234 A.
	partedCASSNumber = regexp.MustCompile(`(?i)\b\d(?:[ .-]{0,2}\d){5}[ .-]{0,2}[A-Z]\b`)
)

// namesPerson reports whether a text seems to name a person, however it is spelled.
// It cannot know a name.
func namesPerson(text string) bool {
	text = plain(text)
	return personal.MatchString(text) || partedCASSNumber.MatchString(text)
}

// plain writes alike what looks alike: letters without their accents, digits and
// signs of any width or script in ASCII, and nothing that cannot be seen.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me) || unseen(r):
			return -1
		case unicode.Is(unicode.Nd, r) && r > unicode.MaxASCII:
			return '0' // which digit it is does not matter
		case unicode.Is(unicode.Zs, r):
			return ' '
		case unicode.Is(unicode.Pd, r) || r == '−' || r == '_':
			return '-'
		case r == '·' || r == '•' || r == '․':
			return '.'
		}
		return r
	}, norm.NFKD.String(text))
}

// misleads reports whether a text would not show as it is: it has several lines,
// what turns the direction of letters round, or what nobody sees.
func misleads(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) || unseen(r)
	})
}

// unseen reports whether a character takes no room of its own: those of format
// (Unicode, general category Cf), and fillers.
func unseen(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point)
}

// isWord reports whether a character says something.
func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
