package layout

import (
	"context"
	"time"
)

// A4 portrait in mm, and the page's margins and reserved bands.
const (
	pageWidth, pageHeight   = 210.0, 297.0
	marginSide, marginTop   = 20.0, 16.0
	marginBottom            = 9.0
	width                   = pageWidth - 2*marginSide
	firstHeader, nextHeader = 21.5, 13.0
	footerHeight            = 31.0
	bodyHeight              = pageHeight - marginTop - marginBottom - footerHeight
)

// Document is everything on the pages. Layout brings no words of its own: each
// text comes from the template, in the document's language.
type Document struct {
	Language string    // BCP 47, of the text
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

	Body []Block
}

// Institution is who issues the document.
type Institution struct {
	Name string
	Mark *Mark // nil: the mark of our own drawing
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
	PDF   []byte // header 1.7, a trailer with /ID, one cross-reference table, not yet sealed
	Pages int
}

// Render draws a document. The same document gives the same bytes. The error is
// a [*Fault] when the document cannot be drawn as it is (permanent), wraps
// [ErrDrawing] when drawing failed, or is the context's. Safe for concurrent use.
func Render(ctx context.Context, d Document) (Result, error) {
	if err := d.check(); err != nil {
		return Result{}, err
	}
	s := &setter{mark: d.Institution.Mark.png()}
	pages, err := paginate(ctx, s, d)
	if err != nil {
		return Result{}, err
	}
	fr, err := setFrame(s, d, len(pages))
	if err != nil {
		return Result{}, err
	}
	raw, err := drawPages(ctx, pages, fr, s.used)
	if err != nil {
		return Result{}, err
	}
	pdf, err := finish(raw, metadata{title: d.Title, language: d.Language, author: d.Institution.Name, at: d.Issued})
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
