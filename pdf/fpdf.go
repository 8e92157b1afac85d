package gofpdf

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/phpdave11/gofpdf/content"
	"github.com/phpdave11/gofpdf/file"
	"github.com/phpdave11/gofpdf/font"
	"github.com/phpdave11/gofpdf/picture"
)

// Fpdf is a document being drawn, by the methods of gofpdf that maroto and Segell use. Lengths are in the unit given
// to [NewCustom], from the upper left corner of the page; font sizes are in points. The first error stays ([Fpdf.Err])
// and every method does nothing from then on; Output returns it.
type Fpdf struct {
	doc *Document
	err error

	k                               float64 // points in a unit
	w, h                            float64 // of the page, in units
	left, top, right, bottom        float64 // margins
	pageBreak                       bool
	x, y, lastHeight                float64
	page                            int // from 1; 0 before the first
	pages                           []page
	stream                          content.Stream
	deflated                        []byte // room to compress a page in
	mark                            int    // scope whose mark is open; 0 none, layoutMark an automatic artifact
	level                           int    // of compression
	fonts                           []*face
	current                         *face
	family, style                   string // as SetFont got them last
	size                            float64
	drawColor, fillColor, textColor content.Color
	lineWidth                       float64
	dash                            []float64
	dashPhase                       float64
	path                            []step
	alpha                           float64
	states                          []float64 // opacities in use; the resource /G<i>
	pictures                        []*picture.Picture
	images                          map[string]*ImageInfoType
	links                           []link
	bookmarks                       []bookmark
	written                         bool

	before lineEnd
}

// face is a font of the document.
type face struct {
	family, style string
	index         int // its resource is /F<index>
	*font.Face
	subset *font.Subset
}

// page is a finished page, or the one being drawn.
type page struct {
	width, height float64 // points
	content       []byte
	fonts         uint64 // by index
	pictures      []int
	states        uint64
	links         []int
	transparent   bool
}

// lineEnd is where the last line of text ended.
type lineEnd struct {
	x, y float64
	face *face
	last rune
}

const layoutMark = -1

// ErrUnsupported is wrapped by the error that a method of gofpdf sets which this writer does not have.
var ErrUnsupported = errors.New("pdf: method is not supported")

// NewCustom starts a document of pages of one size. Without a size it is A4.
func NewCustom(init *InitType) *Fpdf {
	f := &Fpdf{doc: blank(Options{}), alpha: 1, level: defaultLevel, states: []float64{1}, images: map[string]*ImageInfoType{}}
	f.doc.canvas = f
	switch init.UnitStr {
	case "pt", "point":
		f.k = 1
	case "", "mm":
		f.k = 72 / 25.4
	case "cm":
		f.k = 72 / 2.54
	case "in", "inch":
		f.k = 72
	default:
		f.k = 1
		f.SetErrorf("pdf: unknown unit %q", init.UnitStr)
	}
	f.w, f.h = init.Size.Wd, init.Size.Ht
	if f.w == 0 && f.h == 0 && (init.SizeStr == "" || strings.EqualFold(init.SizeStr, "A4")) {
		f.w, f.h = 595.28/f.k, 841.89/f.k
	}
	switch strings.ToLower(init.OrientationStr) {
	case "", "p", "portrait":
	case "l", "landscape":
		f.w, f.h = f.h, f.w
	default:
		f.SetErrorf("pdf: unknown orientation %q", init.OrientationStr)
	}
	// A page is at least 3 and at most 14,400 points wide and high (ISO 19005-2, 6.1.13).
	if w, h := f.w*f.k, f.h*f.k; !(w >= 3 && w <= 14400 && h >= 3 && h <= 14400) {
		f.SetErrorf("pdf: the page size is missing or out of range")
		f.w, f.h = 595.28/f.k, 841.89/f.k
	}
	margin := 28.35 / f.k
	f.left, f.top, f.right, f.bottom = margin, margin, margin, 2*margin
	f.pageBreak = true
	f.lineWidth = 0.567 / f.k
	f.size = 12
	return f
}

// Document returns the handle for what the content means.
func (f *Fpdf) Document() *Document { return f.doc }

// Errors.

// SetError sets the document's error, unless it has one.
func (f *Fpdf) SetError(err error) {
	if f.err == nil {
		f.err = err
	}
}

// SetErrorf sets the document's error, unless it has one.
func (f *Fpdf) SetErrorf(format string, args ...any) { f.SetError(fmt.Errorf(format, args...)) }

// Err tells whether the document has an error.
func (f *Fpdf) Err() bool { return f.err != nil }

// Ok tells whether the document has no error.
func (f *Fpdf) Ok() bool { return f.err == nil }

// Error returns the document's error.
func (f *Fpdf) Error() error { return f.err }

// ClearError keeps the error: what could not be drawn is missing, whatever is drawn in its place. (maroto clears errors
// and prints a sentence into the document.)
func (f *Fpdf) ClearError() {
	if f.err == nil {
		f.SetErrorf("pdf: something could not be drawn")
	}
}

// Pages.

// AddPage ends the page and begins the next.
func (f *Fpdf) AddPage() {
	if f.err != nil {
		return
	}
	if f.written {
		f.SetErrorf("pdf: the document was written already")
		return
	}
	f.endPage()
	f.page++
	f.pages = append(f.pages, page{width: f.w * f.k, height: f.h * f.k})
	f.stream.Start()
	f.x, f.y = f.left, f.top
}

// endPage closes the content of the page being drawn.
func (f *Fpdf) endPage() {
	if f.page == 0 {
		return
	}
	f.closeMark()
	if f.stream.Depth() > 0 {
		f.doc.fault(Fault{Rule: RuleStructure, Page: f.page, Detail: "a transformation begins on the page and does not end there"})
	}
	if f.stream.Bad() {
		f.doc.fault(Fault{Rule: RuleOutside, Page: f.page, Detail: "a coordinate is not a number or lies far outside"})
	}
	content := f.stream.Bytes
	if f.level > 0 {
		f.deflated = file.Deflate(f.deflated[:0], content, f.level)
		content = f.deflated
	}
	f.pages[f.page-1].content = bytes.Clone(content)
}

// PageNo returns the number of the page being drawn, from 1.
func (f *Fpdf) PageNo() int { return f.page }

// PageCount returns how many pages there are so far.
func (f *Fpdf) PageCount() int { return len(f.pages) }

// PageSize returns the size of a page and the name of its unit, which is points here as in gofpdf.
func (f *Fpdf) PageSize(number int) (width, height float64, unit string) {
	if number < 1 || number > len(f.pages) {
		return f.w, f.h, "u"
	}
	p := f.pages[number-1]
	return p.width / f.k, p.height / f.k, "u"
}

// GetPageSize returns the size of the pages.
func (f *Fpdf) GetPageSize() (width, height float64) { return f.w, f.h }

// SetAutoPageBreak says whether a cell that does not fit above the margin goes to a new page.
func (f *Fpdf) SetAutoPageBreak(auto bool, margin float64) { f.pageBreak, f.bottom = auto, margin }

// GetAutoPageBreak returns what SetAutoPageBreak set.
func (f *Fpdf) GetAutoPageBreak() (auto bool, margin float64) { return f.pageBreak, f.bottom }

// SetMargins sets the margins; a negative right one is the same as the left.
func (f *Fpdf) SetMargins(left, top, right float64) {
	if right < 0 {
		right = left
	}
	f.left, f.top, f.right = left, top, right
}

// SetLeftMargin sets the left margin.
func (f *Fpdf) SetLeftMargin(margin float64) {
	f.left = margin
	if f.page > 0 && f.x < margin {
		f.x = margin
	}
}

// SetTopMargin sets the upper margin.
func (f *Fpdf) SetTopMargin(margin float64) { f.top = margin }

// SetRightMargin sets the right margin.
func (f *Fpdf) SetRightMargin(margin float64) { f.right = margin }

// GetMargins returns the margins.
func (f *Fpdf) GetMargins() (left, top, right, bottom float64) {
	return f.left, f.top, f.right, f.bottom
}

// The cursor.

// GetX returns the cursor's distance from the left edge.
func (f *Fpdf) GetX() float64 { return f.x }

// GetY returns the cursor's distance from the upper edge.
func (f *Fpdf) GetY() float64 { return f.y }

// GetXY returns the cursor.
func (f *Fpdf) GetXY() (float64, float64) { return f.x, f.y }

// SetX moves the cursor; a negative x counts from the right edge.
func (f *Fpdf) SetX(x float64) {
	if x < 0 {
		x += f.w
	}
	f.x = x
}

// SetY moves the cursor to the left margin of a line; a negative y counts from the lower edge.
func (f *Fpdf) SetY(y float64) {
	f.x = f.left
	if y < 0 {
		y += f.h
	}
	f.y = y
}

// SetXY moves the cursor.
func (f *Fpdf) SetXY(x, y float64) {
	f.SetY(y)
	f.SetX(x)
}

// SetHomeXY moves the cursor to the upper left margin.
func (f *Fpdf) SetHomeXY() {
	f.SetY(f.top)
	f.SetX(f.left)
}

// Ln moves the cursor to the next line; a negative height is that of the last cell.
func (f *Fpdf) Ln(height float64) {
	f.x = f.left
	if height < 0 {
		height = f.lastHeight
	}
	f.y += height
}

// Units.

// GetConversionRatio returns how many points are in a unit.
func (f *Fpdf) GetConversionRatio() float64 { return f.k }

// PointConvert converts points to units.
func (f *Fpdf) PointConvert(pt float64) float64 { return pt / f.k }

// PointToUnitConvert converts points to units.
func (f *Fpdf) PointToUnitConvert(pt float64) float64 { return pt / f.k }

// UnitToPointConvert converts units to points.
func (f *Fpdf) UnitToPointConvert(u float64) float64 { return u * f.k }

// What the document says about itself. Whether a text is UTF-8 is not asked: it must be.

// SetTitle sets the title.
func (f *Fpdf) SetTitle(title string, _ bool) { f.doc.options.Title = title }

// SetAuthor sets the author.
func (f *Fpdf) SetAuthor(author string, _ bool) { f.doc.options.Author = author }

// SetSubject sets the subject.
func (f *Fpdf) SetSubject(subject string, _ bool) { f.doc.options.Subject = subject }

// SetCreator sets the program the document was made for.
func (f *Fpdf) SetCreator(creator string, _ bool) { f.doc.options.Creator = creator }

// SetKeywords sets the keywords, or adopts the document whose [Document.Token] it is given.
func (f *Fpdf) SetKeywords(keywords string, _ bool) {
	if isToken(keywords) {
		f.adopt(keywords)
		return
	}
	f.doc.options.Keywords = keywords
}

// SetCreationDate sets the time of creation and of the last change.
func (f *Fpdf) SetCreationDate(t time.Time) { f.doc.options.Created = t }

// defaultLevel is the effort of compression, 1 to 9.
const defaultLevel = 6

// SetCompression says whether streams are compressed; they are when nothing is said.
func (f *Fpdf) SetCompression(compress bool) {
	f.level = 0
	if compress {
		f.level = defaultLevel
	}
}

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
