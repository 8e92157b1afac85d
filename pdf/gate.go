package gofpdf

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rule names what a document must hold to before it is written.
type Rule string

// The rules of the gate. A missing glyph is an error of its own, [MissingGlyph].
const (
	RuleTitle      Rule = "title"      // the document has a title
	RuleLanguage   Rule = "language"   // it says its language
	RuleText       Rule = "text"       // what it says about itself is text
	RuleUntagged   Rule = "untagged"   // every text and picture belongs to an element or is an artifact
	RuleStructure  Rule = "structure"  // the tree is well formed; every figure has words (Alt)
	RuleOutside    Rule = "outside"    // everything lies on its page
	RuleLink       Rule = "link"       // links lead somewhere and stand in the text
	RuleAttachment Rule = "attachment" // attached files are described
	RuleEmpty      Rule = "empty"      // the document says something
)

// Fault is a rule the document breaks. It names no text of the document.
type Fault struct {
	Rule   Rule
	Page   int // from 1; 0 when no page is meant
	Detail string
}

func (f Fault) Error() string {
	if f.Page > 0 {
		return fmt.Sprintf("pdf: %s, page %d: %s", f.Rule, f.Page, f.Detail)
	}
	return fmt.Sprintf("pdf: %s: %s", f.Rule, f.Detail)
}

// Check returns everything that keeps the document from being written, joined into one error; nil when it may be. The
// single errors are found with errors.As and errors.Is: [Fault], [MissingGlyph], [ErrUnsupported] and others. Output
// calls it, so nothing that fails it is ever written.
func (d *Document) Check() error {
	var errs []error
	if d.canvas != nil && d.canvas.err != nil {
		errs = append(errs, d.canvas.err)
	}
	errs = append(errs, d.faults...)
	o := &d.options
	if strings.TrimSpace(o.Title) == "" {
		errs = append(errs, Fault{Rule: RuleTitle, Detail: "the document has no title"})
	}
	if !languageTag(o.Language) {
		errs = append(errs, Fault{Rule: RuleLanguage, Detail: "the document does not say its language as a BCP 47 tag"})
	}
	for _, text := range []string{o.Title, o.Author, o.Subject, o.Keywords, o.Creator} {
		if !plainText(text) {
			errs = append(errs, Fault{Rule: RuleText, Detail: "title, author, subject, keywords and creator must be UTF-8 of at most 15,000 bytes without control characters"})
			break
		}
	}
	for _, a := range o.Attachments {
		errs = append(errs, a.faults()...)
	}
	if len(d.scopes) > 0 {
		errs = append(errs, Fault{Rule: RuleStructure, Detail: "an element was begun and not ended"})
	}
	if d.tree.Empty() {
		errs = append(errs, Fault{Rule: RuleEmpty, Detail: "the document has no tagged content"})
	}
	for _, err := range d.tree.Faults() {
		errs = append(errs, Fault{Rule: RuleStructure, Detail: err.Error()})
	}
	return errors.Join(errs...)
}

func (a Attachment) faults() (errs []error) {
	fault := func(detail string) {
		errs = append(errs, Fault{Rule: RuleAttachment, Detail: detail})
	}
	if a.Name == "" || !plainText(a.Name) || strings.ContainsAny(a.Name, `/\:`) {
		fault("an attached file must have a plain name")
	}
	if kind, sub, ok := strings.Cut(a.MIME, "/"); !ok || kind == "" || sub == "" || !plainText(a.MIME) {
		fault("an attached file must have a MIME type")
	}
	switch a.Relationship {
	case Source, Data, Alternative, Supplement, Unspecified:
	default:
		fault("an attached file must say what it is to the document")
	}
	if a.Modified.IsZero() {
		fault("an attached file must have a date")
	}
	if !plainText(a.Description) {
		fault("the description of an attached file must be UTF-8 of at most 15,000 bytes without control characters")
	}
	return errs
}

// plainText tells whether a text can stand in the metadata. A string of the file has at most 32,767 bytes, two for a
// character outside ASCII (ISO 19005-2, 6.1.13).
func plainText(s string) bool {
	return len(s) <= 15000 && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF
	})
}

// languageTag tells whether a text has the form of a language tag (RFC 5646): subtags of up to 8 letters and digits,
// the first one of 2 or 3 letters.
func languageTag(s string) bool {
	for i, part := range strings.Split(s, "-") {
		if len(part) < 1 || len(part) > 8 || i == 0 && (len(part) < 2 || len(part) > 3) {
			return false
		}
		for _, c := range []byte(part) {
			letter, digit := c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9'
			if !letter && (!digit || i == 0) {
				return false
			}
		}
	}
	return true
}
