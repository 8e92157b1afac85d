package layout

import (
	"context"
	"time"
)

// The page's margins and reserved bands in mm.
const (
	marginSide, marginTop   = 20.0, 16.0
	marginBottom            = 6.5
	firstHeader, nextHeader = 21.5, 13.0
	footerHeight            = 33.5
	footerGap               = 2.5 // of white between a full page's last line and the footer's rule
)

// sheet is the size of the pages in mm.
type sheet struct{ w, h float64 }

var portrait, landscape = sheet{210, 297}, sheet{297, 210}

// width is that of a line of text from margin to margin.
func (s sheet) width() float64 { return s.w - 2*marginSide }

// body is the height between the margins, the header's included and the footer's not.
func (s sheet) body() float64 { return s.h - marginTop - marginBottom - footerHeight }

// Document is everything on the pages. Layout brings no words of its own: each
// text comes from the template, in the document's language.
type Document struct {
	Language string    // BCP 47, of the text
	Also     string    // the second language of a bilingual form, of every Also in its blocks
	Title    string    // of the file, kind and number: never a name
	Number   string    // of the document
	Issued   time.Time // becomes the file's creation and modification date

	Institution Institution
	Header      []string // beside the institution, at the right; the first line is strong
	Footer      Footer
	PageOf      func(page, pages int) string // "Pàgina 1 de 2"

	// Proof marks a page that has no value ("PROVA", "sense valor"): its lines
	// are hatched across every page. ProofNote says the same in the header.
	Proof     []string
	ProofNote string

	// Landscape turns every page: only for a table that portrait cannot hold.
	Landscape bool

	// Contents is the title of the table of contents that a document of more than
	// ten pages gets before its first table or picture, "" for none. A [Contents]
	// in the body says where instead.
	Contents string

	Body []Block
}

// Institution is who issues the document.
type Institution struct {
	Name    string
	Mark    *Mark  // nil: the mark of our own drawing
	MarkAlt string // what the mark shows, for those who do not see it; "": it only decorates the name beside it
}

// Footer is the reserved foot of every page.
type Footer struct {
	URL         string // the verification address: in the QR and in letters
	CodeLabel   string
	Code        string // the CSV, in groups
	VerifyLabel string // before the address
	Lines       []string
}

// Result is a drawn document.
type Result struct {
	PDF   []byte // PDF/A-2a and PDF/UA-1: header 1.7, a trailer with /ID, one cross-reference table, not yet sealed
	Pages int
}

// Render draws a document. The same document gives the same bytes. The error is
// a [*Fault] when the document cannot be drawn as it is, or would not be what
// archives and readers need (permanent), wraps
// [ErrDrawing] when drawing failed, or is the context's. Safe for concurrent use.
func Render(ctx context.Context, d Document) (Result, error) {
	if err := d.check(); err != nil {
		return Result{}, err
	}
	s := &setter{mark: d.Institution.Mark, sheet: portrait, also: d.Also}
	if d.Landscape {
		s.sheet = landscape
	}
	pages, err := paginate(ctx, s, d)
	if err != nil {
		return Result{}, err
	}
	fr, err := setFrame(s, d, len(pages))
	if err != nil {
		return Result{}, err
	}
	pdf, err := drawPages(ctx, d, s, pages, fr)
	if err != nil {
		return Result{}, err
	}
	return Result{PDF: pdf, Pages: len(pages)}, nil
}

// check refuses a document that lacks what every page must carry.
func (d *Document) check() error {
	for _, c := range []struct {
		missing bool
		what    string
	}{
		{d.Language == "", "language"},
		{d.Title == "", "title"},
		{d.Number == "", "number"},
		{d.Issued.IsZero(), "time of issue"},
		{d.Institution.Name == "", "institution"},
		{d.Footer.URL == "" || d.Footer.Code == "", "verification address and code"},
		{d.PageOf == nil, "page numbers"},
		{len(d.Body) == 0, "body"},
	} {
		if c.missing {
			return &Fault{Cause: CauseBadDocument, Detail: "the document has no " + c.what}
		}
	}
	return nil
}
