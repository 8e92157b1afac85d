package gofpdf

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/phpdave11/gofpdf/metadata"
	"github.com/phpdave11/gofpdf/structure"
)

// Options say what a document is. Title and Language are required, here or, for the title, through SetTitle.
type Options struct {
	Title    string
	Language string // BCP 47 tag of the text: "ca", "pt-PT"
	Author   string
	Subject  string
	Keywords string
	Creator  string    // the program the document was made for
	Created  time.Time // to the second; a document without it states no time
	// Attachments are files inside the document. With one or more the document is PDF/A-3a, without it is PDF/A-2a.
	Attachments []Attachment
}

// Document is the handle by which the author of a document says what its content means, while maroto (or anyone who
// calls the gofpdf methods of [Fpdf]) says where it goes. It is not safe for concurrent use; different documents are
// independent of each other.
type Document struct {
	options Options
	tree    *structure.Tree
	canvas  *Fpdf
	token   string
	scopes  []scope
	opened  int // scopes so far
	faults  []error
}

// scope is what the content drawn now belongs to: an element, or nothing (an artifact).
type scope struct {
	id       int
	element  *structure.Element
	artifact Artifact
	depth    int // saved graphics states when it began
}

// Artifact is a kind of content that is no part of what the document says (ISO 32000-1, 14.8.2.2).
type Artifact string

// The kinds of artifacts.
const (
	Layout     Artifact = "/Type/Layout"                                      // rules, areas, ornaments
	Background Artifact = "/Type/Background"                                  // behind everything
	Pagination Artifact = "/Type/Pagination"                                  // what is there because there are pages
	Header     Artifact = "/Type/Pagination/Subtype/Header/Attached[/Top]"    // running heads; the heads of a table repeated
	Footer     Artifact = "/Type/Pagination/Subtype/Footer/Attached[/Bottom]" // running feet, page numbers
	Watermark  Artifact = "/Type/Pagination/Subtype/Watermark"                // across the page
)

// waiting holds the documents that no writer has claimed yet, by token, without keeping them alive.
var (
	waiting sync.Map // string → weak.Pointer[Document]
	tokens  atomic.Uint64
)

const tokenPrefix = "\x00document:"

// NewDocument registers a document that maroto is going to draw.
//
// maroto keeps its writer to itself, so the two are brought together by [Document.Token]: passed as the keywords of
// maroto's configuration (WithKeywords(doc.Token(), true)), it reaches the writer's SetKeywords, which knows it for a
// token, adopts the document and forgets the token. It is good for one writer; it is never printed.
func NewDocument(o Options) *Document {
	d := blank(o)
	d.token = tokenPrefix + strconv.FormatUint(tokens.Add(1), 36)
	waiting.Store(d.token, weak.Make(d))
	runtime.AddCleanup(d, func(token string) { waiting.Delete(token) }, d.token)
	return d
}

func blank(o Options) *Document { return &Document{options: o, tree: structure.New()} }

// Token returns what is given to maroto as keywords.
func (d *Document) Token() string { return d.token }

// ErrToken is the error of a token that is not waiting for a writer: used twice, as by maroto's concurrent and
// low-memory modes, or of a document that nobody holds any more.
var ErrToken = errors.New("pdf: document token is unknown or was used before")

// ErrNoCanvas is what a document says that was asked to mark content before a writer adopted it.
var ErrNoCanvas = errors.New("pdf: no writer has adopted the document: give its Token to maroto's WithKeywords")

// adopt gives the writer the document that a token stands for.
func (f *Fpdf) adopt(token string) {
	value, ok := waiting.LoadAndDelete(token)
	if !ok {
		f.SetError(ErrToken)
		return
	}
	d := value.(weak.Pointer[Document]).Value()
	if d == nil || len(f.doc.scopes) > 0 || !f.doc.tree.Empty() || len(f.doc.faults) > 0 {
		f.SetError(ErrToken)
		return
	}
	before := f.doc.options
	d.canvas, f.doc = f, d
	for _, set := range []struct {
		to   *string
		from string
	}{
		{&d.options.Title, before.Title}, {&d.options.Author, before.Author}, {&d.options.Subject, before.Subject},
		{&d.options.Creator, before.Creator},
	} {
		if *set.to == "" {
			*set.to = set.from
		}
	}
	if d.options.Created.IsZero() {
		d.options.Created = before.Created
	}
}

// Canvas returns the writer, for drawing that maroto has no component for; nil until a writer adopted the document.
func (d *Document) Canvas() *Fpdf { return d.canvas }

// Root returns the Document element, to which the parts of the document are added in the order of reading.
func (d *Document) Root() *structure.Element { return d.tree.Root() }

// Begin makes an element the owner of all content drawn until the matching [Document.End]. An element may begin many
// times: a paragraph that crosses pages does.
//
// Text and pictures become its content. Lines and areas do only in a Figure or a Form; elsewhere they are decoration
// and become artifacts by themselves, as they do outside every element.
func (d *Document) Begin(e *structure.Element) {
	if e == nil || !e.In(d.tree) {
		d.fault(Fault{Rule: RuleStructure, Detail: "an element of another document was begun"})
		e = d.tree.Root()
	}
	d.begin(scope{element: e})
}

// Tag adds an element to the one that is the owner now (the root when there is none) and begins it.
func (d *Document) Tag(r structure.Role, a structure.Attributes) *structure.Element {
	parent := d.tree.Root()
	if n := len(d.scopes); n > 0 {
		if parent = d.scopes[n-1].element; parent == nil {
			d.fault(Fault{Rule: RuleStructure, Detail: r.String() + " was begun inside an artifact"})
			parent = d.tree.Root()
		}
	}
	e := parent.Add(r, a)
	d.Begin(e)
	return e
}

// BeginArtifact makes all content drawn until the matching [Document.End] an artifact.
func (d *Document) BeginArtifact(kind Artifact) {
	switch kind {
	case Layout, Background, Pagination, Header, Footer, Watermark:
	default:
		d.fault(Fault{Rule: RuleStructure, Detail: "there is no such kind of artifact"})
		kind = Layout
	}
	d.begin(scope{artifact: kind})
}

func (d *Document) begin(s scope) {
	if d.canvas == nil {
		d.fault(ErrNoCanvas)
	} else {
		d.canvas.closeMark()
		s.depth = d.canvas.stream.Depth()
	}
	d.opened++
	s.id = d.opened
	d.scopes = append(d.scopes, s)
}

// End ends what Begin, Tag or BeginArtifact began last.
func (d *Document) End() {
	n := len(d.scopes)
	if n == 0 {
		d.fault(Fault{Rule: RuleStructure, Detail: "End without Begin"})
		return
	}
	if d.canvas != nil {
		d.canvas.closeMark()
		if d.canvas.stream.Depth() != d.scopes[n-1].depth {
			d.fault(Fault{Rule: RuleStructure, Page: d.canvas.page, Detail: "a transformation begins and ends in different elements"})
		}
	}
	d.scopes = d.scopes[:n-1]
}

// mostFaults bounds what is remembered of a document that is wrong all over.
const mostFaults = 100

func (d *Document) fault(err error) {
	if len(d.faults) < mostFaults {
		d.faults = append(d.faults, err)
	}
}

func (d *Document) description() metadata.Description {
	o, part := d.options, 2
	if len(o.Attachments) > 0 {
		part = 3
	}
	return metadata.Description{
		Title: o.Title, Language: o.Language, Author: o.Author, Subject: o.Subject, Keywords: o.Keywords,
		Creator: o.Creator, Producer: producer, Created: o.Created.Truncate(time.Second), Part: part,
	}
}

const producer = "Segell PDF writer"

func isToken(s string) bool { return strings.HasPrefix(s, tokenPrefix) }

// MissingGlyph is the error for a character that the font in use has no glyph for.
type MissingGlyph struct {
	Rune rune
	Font string // family and style, as registered
}

func (e MissingGlyph) Error() string {
	return fmt.Sprintf("pdf: font %s has no glyph for U+%04X", e.Font, e.Rune)
}
