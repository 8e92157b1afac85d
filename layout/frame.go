package layout

import (
	"fmt"
	"strings"

	"github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/structure"
	"rsc.io/qr"
)

var (
	nameStyle  = style{face: semibold, size: 11, leading: 14, colour: blue}
	headNumber = style{face: semibold, size: 9, leading: 12, colour: ink}
	headSmall  = style{face: regular, size: 8.5, leading: 12, colour: grey}
	proofStyle = style{face: semibold, size: 8.5, leading: 12, colour: ink}
	codeStyle  = style{face: semibold, size: 10, leading: 12.5, colour: ink}
	footStrong = style{face: regular, size: 7.5, leading: 9.6, colour: ink}
)

// frame is what stands around the body of every page, set once. It is said once
// too: the header on the first page, the footer (code, address of verification)
// on the last. Elsewhere it is there for the eye alone.
type frame struct {
	sheet       sheet
	mark        *Mark
	emblem      *node // the mark's, nil where it decorates
	name, short []textLine
	nameNode    *node
	right       []framePart // at the right of the header, one under the other
	again       []framePart // the same on later pages
	foot        []framePart
	pageOf      []textLine
	quiet       float64 // mm of white around the symbol
	symbol      []gofpdf.Rectangle
	symbolNode  *node
	link        *node // in the part of the foot with the address
	url         string
	proof       outline // the watermark
}

// framePart is a paragraph of the header or footer.
type framePart struct {
	node  *node
	lines []textLine
	st    style
	link  bool // its strong runs are the address
}

func height(parts []framePart) (h float64) {
	for _, p := range parts {
		h += float64(len(p.lines)) * p.st.height()
	}
	return h
}

func setFrame(s *setter, d Document, pages int) (*frame, error) {
	f := &frame{mark: s.mark, sheet: s.sheet, url: d.Footer.URL, nameNode: s.node(nil, structure.P)}
	width := s.width()
	const markBox, rightBox = 18.0, 66.0
	if d.Institution.MarkAlt != "" {
		f.emblem = s.node(nil, structure.Figure)
		f.emblem.Alt = d.Institution.MarkAlt
	}
	f.name = s.set(plain(d.Institution.Name), nameStyle, width-markBox-rightBox, "the institution's name")
	f.short = s.set(plain(d.Institution.Name), headSmall, width-rightBox, "the institution's name")
	part := func(text string, st style, part string) framePart {
		return framePart{node: s.node(nil, structure.P), lines: s.set(plain(text), st, rightBox, part), st: st}
	}
	for i, l := range d.Header {
		f.right = append(f.right, part(l, pick(i == 0, headNumber, headSmall), "the header"))
	}
	f.again = append(f.again, part(d.Number, headNumber, "the document number"))
	if d.ProofNote != "" {
		f.right = append(f.right, part(d.ProofNote, proofStyle, "the note of proof"))
		f.again = append(f.again, part(d.ProofNote, proofStyle, "the note of proof"))
	}
	for p := 1; p <= pages; p++ {
		f.pageOf = append(f.pageOf, first(s.set(plain(d.PageOf(p, pages)), footStrong, width, "the page number")))
	}

	code, err := encodeQR(d.Footer.URL)
	if err != nil {
		return nil, err
	}
	f.symbol, f.quiet = bars(code, qrSize), quiet(code)
	f.symbolNode = s.node(nil, structure.Figure)
	f.symbolNode.Alt = strings.TrimSpace(unmarked.Replace(d.Footer.VerifyLabel) + " " + d.Footer.URL)
	footWidth := width - qrSize - f.quiet - 2
	foot := func(n *node, spans []Span, st style, w float64, link bool) {
		f.foot = append(f.foot, framePart{n, s.set(spans, st, w, "the footer"), st, link})
	}
	codePart, verify := s.node(nil, structure.P), s.node(nil, structure.P)
	f.link = s.node(verify, structure.Link)
	f.link.Contents = f.symbolNode.Alt
	foot(codePart, plain(d.Footer.CodeLabel), footStyle, footWidth-24, false)
	foot(codePart, plain(d.Footer.Code), codeStyle, footWidth, false)
	foot(verify, []Span{{Text: d.Footer.VerifyLabel + " "}, {Text: d.Footer.URL, Strong: true}}, footStrong, footWidth, true)
	for _, l := range d.Footer.Lines {
		foot(s.node(nil, structure.P), plain(l), footStyle, footWidth, false)
	}
	if s.fault != nil {
		return nil, s.fault
	}
	if height(f.foot) > footerHeight-footerGap-f.quiet-0.2 {
		return nil, &Fault{Cause: CauseTooTall, Detail: fmt.Sprintf("the footer has %d lines and does not fit its %.0f mm", len(f.foot), footerHeight-footerGap)}
	}
	if height(f.right) > firstHeader-3 || float64(len(f.name))*nameStyle.height() > firstHeader-3 || len(f.short) > 1 {
		return nil, &Fault{Cause: CauseTooTall, Detail: "the header does not fit its place"}
	}

	if len(d.Proof) > 0 {
		var fault *Fault
		if f.proof, fault = watermark(s.sheet, d.Proof); fault != nil {
			return nil, fault
		}
	}
	return f, nil
}

func first(ls []textLine) textLine {
	if len(ls) == 0 {
		return textLine{}
	}
	return ls[0]
}

// header draws the top of page i (from 0), beneath everything the watermark.
func (f *frame) header(c *canvas, i int) {
	if f.proof != nil {
		c.artifact(gofpdf.Watermark, func(c *canvas) { c.outline(f.proof, -marginSide, -marginTop, 1, shadow) })
	}
	if i > 0 {
		c.artifact(gofpdf.Header, f.laterHeader)
		return
	}
	const mark = 14.0
	if f.emblem != nil {
		c.as(f.emblem, func() { f.mark.draw(c, 0, 0, mark) })
	} else {
		c.artifact(gofpdf.Layout, func(c *canvas) { f.mark.draw(c, 0, 0, mark) })
	}
	c.say(f.nameNode, f.name, mark+4, (mark-float64(len(f.name))*nameStyle.height())/2, nameStyle)
	f.atRight(c, f.right, 0.6)
}

func (f *frame) laterHeader(c *canvas) {
	c.line(f.short[0], 0, 0, headSmall)
	f.atRight(c, f.again, 0)
	c.fill(0, height(f.again)+0.8, f.sheet.width(), 0.2, line)
}

// atRight draws parts against the right margin.
func (f *frame) atRight(c *canvas, parts []framePart, y float64) {
	for _, p := range parts {
		c.as(p.node, func() {
			for _, l := range p.lines {
				c.right(l, f.sheet.width(), y, p.st)
				y += p.st.height()
			}
		})
	}
}

// footer draws the foot of page i (from 0).
func (f *frame) footer(c *canvas, i int) {
	width, q := f.sheet.width(), f.quiet
	y := footerGap + q + 0.2
	c.fill(0, footerGap, width, 0.2, line)
	if i < len(f.pageOf)-1 {
		c.artifact(gofpdf.Footer, func(c *canvas) {
			c.right(f.pageOf[i], width, y, footStrong)
			c.areas(f.symbol, 0, footerGap+q+0.4, ink)
			f.footParts(c, qrSize+q+2, y)
		})
		return
	}
	c.artifact(gofpdf.Footer, func(c *canvas) { c.right(f.pageOf[i], width, y, footStrong) })
	c.as(f.symbolNode, func() { c.areas(f.symbol, 0, footerGap+q+0.4, ink) })
	f.footParts(c, qrSize+q+2, y)
}

func (f *frame) footParts(c *canvas, x, y float64) {
	for _, p := range f.foot {
		c.as(p.node, func() {
			for _, l := range p.lines {
				if p.link && c.real {
					f.address(c, l, x, y, p.st)
				} else {
					c.line(l, x, y, p.st)
				}
				y += p.st.height()
			}
		})
	}
}

// address draws a line whose strong runs are the address of verification, and lead there.
func (f *frame) address(c *canvas, l textLine, x, y float64, st style) {
	for k, r := range l.runs {
		if r.st.face != semibold && r.st.face != fallbackStrong {
			c.text(r, x+r.x, y+st.baseline())
			continue
		}
		c.as(f.link, func() {
			from := r.x
			for _, r := range l.runs[k:] {
				c.text(r, x+r.x, y+st.baseline())
			}
			c.out.LinkString(c.x+x+from, c.y+y, l.width-from, st.height(), f.url)
		})
		return
	}
}

// quiet is the width of the white that a symbol needs around it; at its left the margin gives it.
func quiet(code *qr.Code) float64 { return qrQuiet * qrSize / float64(code.Size) }
