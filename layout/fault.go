package layout

import (
	"errors"
	"fmt"
)

// Causes of a [Fault]. All are permanent: the same document fails again.
const (
	// CauseMissingGlyph: no embedded face has the character.
	CauseMissingGlyph = "missing_glyph"
	// CauseForbiddenCharacter: a control character, or one that hides or reorders text.
	CauseForbiddenCharacter = "forbidden_character"
	// CauseTooTall: a part that must stay in one piece is taller than a page.
	CauseTooTall = "too_tall"
	// CauseBadDocument: the document lacks what every page needs (title, number, language, address of verification…).
	CauseBadDocument = "bad_document"
)

// Fault says why a document cannot be drawn. It is permanent: trying again
// without changing the data, or the fonts, gives the same fault.
//
// Detail is a sentence for staff. It names the character and the part of the
// page, never the text around it, so it may be logged.
type Fault struct {
	Cause  string
	Rune   rune // the character at fault, 0 when the cause is not one
	Detail string
}

func (f *Fault) Error() string { return "layout: " + f.Cause + ": " + f.Detail }

// ErrDrawing wraps what went wrong underneath (maroto printed an error into the
// document, panicked, or wrote a file we do not recognise). Nobody's data is to
// blame: it is a defect of ours.
var ErrDrawing = errors.New("layout: the document could not be drawn")

func missingGlyph(r rune, part string) *Fault {
	return &Fault{CauseMissingGlyph, r, fmt.Sprintf("%s contains a character no font of ours has: %U", part, r)}
}

func forbidden(r rune, part string) *Fault {
	return &Fault{CauseForbiddenCharacter, r, fmt.Sprintf("%s contains a character that cannot be printed or that hides or reorders text: %U", part, r)}
}
