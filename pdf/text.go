package gofpdf

import (
	"strings"
	"unicode/utf8"

	"github.com/phpdave11/gofpdf/content"
	"github.com/phpdave11/gofpdf/font"
)

const mostFonts = 64 // a page remembers its fonts in a word

// longestLine keeps the strings of a line under the 32,767 bytes of ISO 19005-2, 6.1.13.
const longestLine = 16000

// AddUTF8FontFromBytes adds a TrueType font under a family and a style: "", "B", "I" or "BI". The bytes are parsed once
// in the life of the process and must not be changed afterwards.
func (f *Fpdf) AddUTF8FontFromBytes(family, style string, data []byte) {
	if f.err != nil {
		return
	}
	style, ok := plainStyle(style)
	if !ok {
		f.SetErrorf("pdf: font %s: style must be B, I, BI or empty", family)
		return
	}
	if f.face(family, style) != nil {
		return
	}
	if len(f.fonts) == mostFonts {
		f.SetErrorf("pdf: more than %d fonts", mostFonts)
		return
	}
	parsed, err := font.Load(data)
	if err != nil {
		f.SetErrorf("pdf: font %s %s: %w", family, style, err)
		return
	}
	f.fonts = append(f.fonts, &face{family: strings.ToLower(family), style: style, index: len(f.fonts), Face: parsed, subset: font.NewSubset(parsed)})
}

func plainStyle(style string) (string, bool) {
	switch style {
	case "", "B", "I", "BI":
		return style, true
	case "b":
		return "B", true
	case "i":
		return "I", true
	case "IB", "bi", "ib":
		return "BI", true
	}
	return "", false
}

func (f *Fpdf) face(family, style string) *face {
	for _, c := range f.fonts {
		if c.style == style && strings.EqualFold(c.family, family) {
			return c
		}
	}
	return nil
}

// SetFont selects a font; an empty family is the current one, a size of 0 the current size in points.
func (f *Fpdf) SetFont(family, style string, size float64) {
	if f.err != nil {
		return
	}
	if family == "" {
		family = f.family
	}
	if family != f.family || style != f.style || f.current == nil {
		plain, ok := plainStyle(style)
		if !ok {
			f.SetErrorf("%w: font style %q", ErrUnsupported, style)
			return
		}
		c := f.face(family, plain)
		if c == nil {
			f.SetErrorf("pdf: no font %q with style %q was added (there are no built-in fonts; maroto falls back on one to print its own errors)", family, style)
			return
		}
		f.current, f.family, f.style = c, family, style
	}
	if size != 0 {
		f.SetFontSize(size)
	}
}

// SetFontStyle selects another style of the family.
func (f *Fpdf) SetFontStyle(style string) { f.SetFont(f.family, style, 0) }

// SetFontSize sets the size in points.
func (f *Fpdf) SetFontSize(size float64) {
	if !(size >= 1 && size <= 2000) {
		f.SetErrorf("pdf: a font size must be 1 to 2,000 points")
		return
	}
	f.size = size
}

// SetFontUnitSize sets the size in units.
func (f *Fpdf) SetFontUnitSize(size float64) { f.SetFontSize(size * f.k) }

// GetFontSize returns the size in points and in units.
func (f *Fpdf) GetFontSize() (points, units float64) { return f.size, f.size / f.k }

// Covers tells whether a font that was added has a glyph for a character.
func (f *Fpdf) Covers(family, style string, r rune) bool {
	plain, ok := plainStyle(style)
	c := f.face(family, plain)
	if !ok || c == nil {
		return false
	}
	_, ok = c.Glyph(r)
	return ok
}

// GetStringWidth returns the width of a text in the current font, with kerning.
func (f *Fpdf) GetStringWidth(s string) float64 {
	if f.err != nil || f.current == nil {
		return 0
	}
	units, err := f.current.Width(s)
	if err != nil {
		f.missing(f.current, s)
		return 0
	}
	return float64(units) * f.size / float64(f.current.UnitsPerEm) / f.k
}

// missing sets the error for the first character of a text that a face lacks.
func (f *Fpdf) missing(c *face, s string) {
	name := c.family
	if c.style != "" {
		name += " " + c.style
	}
	for _, r := range s {
		if _, ok := c.Glyph(r); !ok {
			f.SetError(MissingGlyph{Rune: r, Font: name})
			return
		}
	}
	f.SetErrorf("pdf: font %s: too many characters", name)
}

// Text writes a line of text, its baseline beginning at (x, y).
func (f *Fpdf) Text(x, y float64, s string) { f.line(x, y, s, 0) }

// TextJustified writes a line of text whose spaces are widened so that it is width wide. Spaces are never narrowed, and
// a space at the end is not counted.
func (f *Fpdf) TextJustified(x, y, width float64, s string) {
	if f.err != nil || f.current == nil {
		return
	}
	trimmed := strings.TrimRight(s, " ")
	spaces := strings.Count(trimmed, " ")
	gap := width - f.GetStringWidth(trimmed)
	if spaces == 0 || gap <= 0 || !finite(gap) {
		gap, spaces = 0, 1
	}
	f.line(x, y, s, gap*f.k/float64(spaces))
}

// line writes text with extra points after each space.
func (f *Fpdf) line(x, y float64, s string, extra float64) {
	if s == "" || !f.writable(s) {
		return
	}
	c := f.current
	element := f.own(text)
	p := &f.pages[f.page-1]
	p.fonts |= 1 << c.index
	px, py := x*f.k, p.height-y*f.k
	f.stream.BeginLine(c.index, f.size, f.textColor, px, py, f.join(px, py))
	end := f.show(s, px, extra)
	f.stream.EndLine()
	last, _ := utf8.DecodeLastRuneInString(s)
	f.before = lineEnd{x: end, y: py, face: c, last: last}
	perUnit := f.size / float64(c.UnitsPerEm)
	f.cover(element, text, px, py+float64(c.Descent)*perUnit*0.8, end, py+float64(c.CapHeight)*perUnit)
}

// writable tells, before anything is written, whether all of a text can be, and sets the error if not.
func (f *Fpdf) writable(s string) bool {
	if f.err != nil {
		return false
	}
	if f.page == 0 || f.current == nil {
		f.SetErrorf("pdf: text needs a page and a font")
		return false
	}
	if !utf8.ValidString(s) || len(s) > longestLine {
		f.SetErrorf("pdf: a text is not UTF-8 or has more than %d bytes", longestLine)
		return false
	}
	for _, r := range s {
		if _, ok := f.current.Glyph(r); !ok {
			f.missing(f.current, s)
			return false
		}
	}
	return true
}

// show writes the characters of a line that begins at x, with kerning and extra points after each space, and returns
// where it ends.
func (f *Fpdf) show(s string, x, extra float64) float64 {
	c, before := f.current, font.GlyphID(0)
	perUnit := f.size / float64(c.UnitsPerEm)
	for _, r := range s {
		cid, glyph, err := c.subset.CID(r)
		if err != nil {
			f.missing(c, s)
			break
		}
		if before != 0 {
			if kern := c.Kern(before, glyph); kern != 0 {
				f.stream.Adjust(float64(kern) * 1000 / float64(c.UnitsPerEm))
				x += float64(kern) * perUnit
			}
		}
		f.stream.Show(cid)
		x += float64(c.Advance(glyph)) * perUnit
		before = glyph
		if r == ' ' && extra > 0 {
			f.stream.Adjust(extra * 1000 / f.size)
			x += extra
		}
	}
	return x
}

// join returns the code of the space that keeps the next line apart from the one before it in the same text object; 0
// when they touch, or when the first ends with a hyphen and so in the middle of a word.
func (f *Fpdf) join(x, y float64) uint16 {
	b := &f.before
	if !f.stream.InText() || b.face == nil {
		return 0
	}
	sameLine := y > b.y-0.5 && y < b.y+0.5
	switch {
	case sameLine && x > b.x-0.1*f.size && x < b.x+0.1*f.size:
		return 0
	case !sameLine && (b.last == '-' || b.last == '\u00AD' || b.last == '\u2010'):
		return 0
	case b.last == ' ' || b.last == '\u00A0':
		return 0
	}
	cid, _, err := b.face.subset.CID(' ')
	if err != nil {
		return 0
	}
	return cid
}

// CellFormat paints the border and the ground of a cell at the cursor and moves the cursor to its right, or with ln 1
// to the next line and with ln 2 below. A cell that would reach under the lower margin goes to a new page. The text must
// be empty: text is written by [Fpdf.Text].
func (f *Fpdf) CellFormat(w, h float64, txt, border string, ln int, _ string, fill bool, link int, linkStr string) {
	if f.err != nil {
		return
	}
	if txt != "" || link != 0 || linkStr != "" {
		f.SetErrorf("%w: CellFormat with text or link", ErrUnsupported)
		return
	}
	if f.y+h > f.h-f.bottom && f.pageBreak {
		x := f.x
		f.AddPage()
		f.x = x
	}
	if w == 0 {
		w = f.w - f.right - f.x
	}
	if f.page > 0 && (fill || border != "") {
		f.cell(w, h, strings.ToUpper(border), fill)
	}
	f.lastHeight = h
	switch ln {
	case 0:
		f.x += w
	case 1:
		f.x = f.left
		f.y += h
	default:
		f.y += h
	}
}

func (f *Fpdf) cell(w, h float64, border string, fill bool) {
	if border == "1" {
		border = ""
		f.Rect(f.x, f.y, w, h, map[bool]string{true: "DF", false: "D"}[fill])
	} else if fill {
		f.Rect(f.x, f.y, w, h, "F")
	}
	for _, side := range border {
		switch side {
		case 'L':
			f.Line(f.x, f.y, f.x, f.y+h)
		case 'T':
			f.Line(f.x, f.y, f.x+w, f.y)
		case 'R':
			f.Line(f.x+w, f.y, f.x+w, f.y+h)
		case 'B':
			f.Line(f.x, f.y+h, f.x+w, f.y+h)
		}
	}
}

// SetTextColor sets the colour of text, 0 to 255 a channel.
func (f *Fpdf) SetTextColor(r, g, b int) { f.textColor = color(r, g, b) }

// GetTextColor returns the colour of text.
func (f *Fpdf) GetTextColor() (int, int, int) { return channels(f.textColor) }

func color(r, g, b int) content.Color {
	clamp := func(v int) uint8 { return uint8(min(255, max(0, v))) }
	return content.Color{R: clamp(r), G: clamp(g), B: clamp(b)}
}

func channels(c content.Color) (int, int, int) { return int(c.R), int(c.G), int(c.B) }
