package layout

import (
	"errors"
	"fmt"

	"github.com/phpdave11/gofpdf"
)

// Causes of a [Fault]. All are permanent: the same document fails again.
const (
	// CauseMissingGlyph: no embedded face has the character.
	CauseMissingGlyph = "missing_glyph"
	// CauseForbiddenCharacter: a control character, or one that hides or reorders text.
	CauseForbiddenCharacter = "forbidden_character"
	// CauseTooTall: a part that must stay in one piece is taller than a page.
	CauseTooTall = "too_tall"
	// CauseOutsidePage: something would be drawn over the edge of the paper.
	CauseOutsidePage = "outside_page"
	// CauseNotAccessible: the document would not be what PDF/A-2a and PDF/UA-1 ask for.
	CauseNotAccessible = "not_accessible"
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

// ErrDrawing wraps what went wrong underneath (a picture that cannot be read, a
// panic, a writer that maroto lost). Nobody's data is to blame: it is a defect of ours.
var ErrDrawing = errors.New("layout: the document could not be drawn")

func missingGlyph(r rune, part string) *Fault {
	return &Fault{CauseMissingGlyph, r, fmt.Sprintf("%s contains a character no font of ours has: %U", part, r)}
}

func forbidden(r rune, part string) *Fault {
	return &Fault{CauseForbiddenCharacter, r, fmt.Sprintf("%s contains a character that cannot be printed or that hides or reorders text: %U", part, r)}
}

// gateFault turns what the writer holds against a document into a fault of ours.
// Its gate is the last before the seal: nothing that fails it is ever written.
func gateFault(err error) error {
	var broken *gofpdf.Fault
	for _, e := range single(err) {
		var missing gofpdf.MissingGlyph
		var f gofpdf.Fault
		switch {
		case errors.As(e, &missing):
			return missingGlyph(missing.Rune, "the document")
		case !errors.As(e, &f): // after it the writer draws nothing, so what else it finds says little
			return fmt.Errorf("%w: %w", ErrDrawing, e)
		case broken == nil:
			broken = &f
		}
	}
	cause := CauseNotAccessible
	switch broken.Rule {
	case gofpdf.RuleTitle, gofpdf.RuleLanguage, gofpdf.RuleText, gofpdf.RuleLink, gofpdf.RuleEmpty:
		cause = CauseBadDocument
	case gofpdf.RuleOutside:
		cause = CauseOutsidePage
	}
	detail := broken.Detail
	if broken.Page > 0 {
		detail = fmt.Sprintf("page %d: %s", broken.Page, detail)
	}
	return &Fault{Cause: cause, Detail: detail}
}

// single takes joined errors apart.
func single(err error) []error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, single(e)...)
	}
	return all
}
