package layout

import (
	"fmt"

	"rsc.io/qr"
)

var (
	nameStyle  = style{semibold, 11, 14, blue}
	headNumber = style{semibold, 9, 12, ink}
	headSmall  = style{regular, 8.5, 12, grey}
	proofStyle = style{semibold, 8.5, 12, ink}
	codeStyle  = style{semibold, 10, 12.5, ink}
	footStrong = style{regular, 7.5, 9.6, ink}
)

// frame is what stands around the body of every page, set once.
type frame struct {
	name, short []textLine
	right       [][]textLine // header lines at the right
	proofNote   []textLine
	number      textLine
	symbol      *qr.Code
	foot        []textLine
	footStyles  []style
	pageOf      []textLine
	mark        []byte
	proof       []byte // the watermark's picture
}

func setFrame(s *setter, d Document, pages int) (*frame, error) {
	f := &frame{mark: s.mark}
	const markBox, rightBox = 18.0, 66.0
	f.name = s.set(plain(d.Institution.Name), nameStyle, width-markBox-rightBox, "the institution's name")
	f.short = s.set(plain(d.Institution.Name), headSmall, width-rightBox, "the institution's name")
	for i, l := range d.Header {
		st := headSmall
		if i == 0 {
			st = headNumber
		}
		f.right = append(f.right, s.set(plain(l), st, rightBox, "the header"))
	}
	if d.ProofNote != "" {
		f.proofNote = s.set(plain(d.ProofNote), proofStyle, rightBox, "the note of proof")
	}
	for p := 1; p <= pages; p++ {
		f.pageOf = append(f.pageOf, first(s.set(plain(d.PageOf(p, pages)), footStrong, width, "the page number")))
	}
	f.number = first(s.set(plain(d.Number), headNumber, rightBox, "the document number"))

	var err error
	if f.symbol, err = encodeQR(d.Footer.URL); err != nil {
		return nil, err
	}
	footWidth := width - qrSize - quiet(f.symbol) - 2
	foot := func(spans []Span, st style, w float64) {
		for _, l := range s.set(spans, st, w, "the footer") {
			f.foot, f.footStyles = append(f.foot, l), append(f.footStyles, st)
		}
	}
	foot(plain(d.Footer.CodeLabel), footStyle, footWidth-24)
	foot(plain(d.Footer.Code), codeStyle, footWidth)
	foot([]Span{{Text: d.Footer.VerifyLabel + " "}, {Text: d.Footer.URL, Strong: true}}, footStrong, footWidth)
	for _, l := range d.Footer.Lines {
		foot(plain(l), footStyle, footWidth)
	}
	if s.fault != nil {
		return nil, s.fault
	}
	h := 0.0
	for _, st := range f.footStyles {
		h += st.height()
	}
	if h > footerHeight-3 {
		return nil, &Fault{Cause: CauseTooTall, Detail: fmt.Sprintf("the footer has %d lines and does not fit its %.0f mm", len(f.foot), footerHeight)}
	}
	headH := float64(len(f.right)+len(f.proofNote)) * headSmall.height()
	if headH > firstHeader-3 || float64(len(f.name))*nameStyle.height() > firstHeader-3 || len(f.short) > 1 {
		return nil, &Fault{Cause: CauseTooTall, Detail: "the header does not fit its place"}
	}

	if len(d.Proof) > 0 {
		var fault *Fault
		if f.proof, fault = watermark(d.Proof); fault != nil {
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
		c.image(f.proof, -marginSide, -marginTop, pageWidth, watermarkHeight)
	}
	if i > 0 {
		c.line(f.short[0], 0, 0, headSmall)
		c.right(f.number, width, 0, headNumber)
		y := headSmall.height()
		for _, l := range f.proofNote {
			c.right(l, width, y, proofStyle)
			y += proofStyle.height()
		}
		c.fill(0, headSmall.height()+1.2, width-pick(len(f.proofNote) > 0, 68.0, 0), 0.2, line)
		return
	}
	const mark = 14.0
	c.image(f.mark, 0, 0, mark, mark)
	h := float64(len(f.name)) * nameStyle.height()
	c.lines(f.name, mark+4, (mark-h)/2, nameStyle)
	y := 0.6
	for k, ls := range f.right {
		st := pick(k == 0, headNumber, headSmall)
		for _, l := range ls {
			c.right(l, width, y, st)
			y += st.height()
		}
	}
	for _, l := range f.proofNote {
		c.right(l, width, y, proofStyle)
		y += proofStyle.height()
	}
}

// footer draws the foot of page i (from 0).
func (f *frame) footer(c *canvas, i int) {
	c.fill(0, 0, width, 0.2, line)
	q := quiet(f.symbol)
	c.qr(f.symbol, 0, q+0.4, qrSize)
	y := q + 0.2
	c.right(f.pageOf[i], width, y, footStrong)
	for k, l := range f.foot {
		c.line(l, qrSize+q+2, y, f.footStyles[k])
		y += f.footStyles[k].height()
	}
}

// quiet is the width of the white that a symbol needs around it; at its left the margin gives it.
func quiet(code *qr.Code) float64 { return qrQuiet * qrSize / float64(code.Size) }
