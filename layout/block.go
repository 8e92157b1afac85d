package layout

import (
	"strconv"

	"github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/structure"
)

// Block is a component of the body. The blocks of this package are the only ones:
//
//   - [Title], [Lead], [Heading]: what the document is;
//   - [Summary]: the answer in two to four large figures, before any table;
//   - [Text], [Note], [Notice]: paragraphs, small print, what must not be missed;
//   - [Fields]: labels and values, in one language or two;
//   - [Table]: rows, groups, remarks, subtotals, totals, sums carried over pages;
//   - [Figure]: a scan or another picture, read by [ReadPicture];
//   - [Contents], [NewPage]: where the table of contents stands, where a page begins;
//   - [Together], [In]: blocks that stay on one page, blocks in another language;
//   - [SealBox]: what is seen of the seal.
type Block interface{ set(s *setter) }

// Title is the name of the document. Under a courtesy translation stand its note
// and the title in the official language; under the title of a bilingual form
// stands that in its second language.
type Title struct {
	Text     string
	Also     string // the title in the second language of a bilingual form
	Official string // the Catalan title, "" in a Catalan document
	Note     string // "Courtesy translation; …"
}

func (t Title) set(s *setter) {
	width := s.width()
	ls := s.set(plain(t.Text), titleStyle, width, "the title")
	var also, sub, note []textLine
	if t.Also != "" {
		also = s.set(plain(t.Also), alsoTitle, width, "the title")
	}
	if t.Official != "" {
		sub = s.set(plain(t.Official), courtesy, width, "the official title")
	}
	if t.Note != "" {
		note = s.set(plain(t.Note), noteStyle, width, "the note on translation")
	}
	h1, second, catalan, remark := s.node(nil, structure.H1), s.alsoNode(nil, structure.P), s.node(nil, structure.P), s.node(nil, structure.P)
	catalan.Language = "ca"
	s.level = 1
	// The note stands at the right of the official title where there is room, else under it.
	const gap = 6.0
	beside := len(sub) == 1 && len(note) == 1 && sub[0].width+gap+note[0].width <= width
	h := float64(len(ls))*titleStyle.height() + float64(len(also))*alsoTitle.height() + float64(len(sub))*courtesy.height() + 3.2
	if len(also) > 0 {
		h += 0.8
	}
	if !beside {
		h += float64(len(note)) * noteStyle.height()
	}
	s.add(piece{h: h, keep: true, draw: func(c *canvas) {
		y := c.say(h1, ls, 0, 0, titleStyle)
		if len(also) > 0 {
			y = c.say(second, also, 0, y+0.8, alsoTitle)
		}
		y = c.say(catalan, sub, 0, y, courtesy)
		if beside {
			c.as(remark, func() {
				c.right(note[0], width, y-noteStyle.height()+courtesy.baseline()-noteStyle.baseline(), noteStyle)
			})
		} else {
			y = c.say(remark, note, 0, y, noteStyle)
		}
		c.fill(0, y+1.6, width, 0.7, blue)
	}})
}

// alsoTitle is the title in the second language: the same weight would be two titles.
var alsoTitle = style{face: regular, size: 13, leading: 17, colour: grey}

// noteStyle has the leading of courtesy, smaller.
var noteStyle = style{face: italic, size: 8.5, leading: 14, colour: grey}

// Lead says in one line of plain words what the document is.
type Lead struct{ Text string }

func (l Lead) set(s *setter) {
	setLines(s, s.set(plain(l.Text), leadStyle, s.width(), "the introduction"), leadStyle, 1.8)
}

// Heading opens a section; it stays with what follows. It is an entry of the
// outline and the contents.
type Heading struct {
	Text string
	Also string // in the second language of a bilingual form, beside the first
	Sub  bool   // opens a part of the section before
}

func (h Heading) set(s *setter) {
	st, before, level := headingStyle, 4.4, 0
	if h.Sub {
		st, before, level = subheading, 3.4, 1
	}
	s.level = min(s.level+1, 2+level) // no level is left out
	n := s.node(nil, structure.H1+structure.Role(s.level-1))
	spans := plain(h.Text)
	if h.Also != "" {
		spans = append(spans, Span{Text: "  " + h.Also, also: true})
	}
	ls := s.set(spans, st, s.width(), "a heading")
	s.enter(h.Text, level)
	s.add(piece{before: before, h: float64(len(ls))*st.height() + 0.9, keep: true, draw: func(c *canvas) {
		c.say(n, ls, 0, 0, st)
	}})
	s.opened = true
}

var subheading = style{face: semibold, size: 10, leading: 14, colour: blue}

// Text is a paragraph. It crosses pages; two lines stay together at either end.
type Text struct{ Spans []Span }

// Paragraph is a Text in one weight.
func Paragraph(s string) Text { return Text{plain(s)} }

func (t Text) set(s *setter) {
	setLines(s, s.set(t.Spans, bodyStyle, s.width(), "a paragraph"), bodyStyle, 2.6)
}

// Note is small print of the body: the law, the validity.
type Note struct{ Text string }

func (n Note) set(s *setter) {
	setLines(s, s.set(plain(n.Text), smallStyle, s.width(), "a note"), smallStyle, 2.6)
}

var smallStyle = style{face: regular, size: 8.5, leading: 12, colour: grey}

// setLines adds a paragraph line by line, without widows and orphans.
func setLines(s *setter, ls []textLine, st style, before float64) {
	if s.opened {
		before = 0
	}
	n := s.node(nil, structure.P)
	for i, l := range ls {
		p := piece{h: st.height(), keep: len(ls) > 1 && (i == 0 || i == len(ls)-2), draw: func(c *canvas) {
			c.as(n, func() { c.line(l, 0, 0, st) })
		}}
		if i == 0 {
			p.before = before
		}
		s.add(p)
	}
}

// Fields is a list of labels and values. Two short ones share a row. Whoever
// listens to the page finds a table of two columns, the labels heading its rows.
type Fields []Field

// Field is a labelled value. A wide one has the row to itself.
type Field struct {
	Label, Value string
	Also         string // the label in the second language of a bilingual form, under the first
	Wide         bool
	Strong       bool
}

func (fs Fields) set(s *setter) {
	width := s.width()
	const gutter, labelWidth = 6.0, 34.0
	half := (width - gutter) / 2
	type cell struct {
		x                  float64
		label, also, value []textLine
		th, second, td     *node
	}
	table := s.node(nil, structure.Table)
	for i := 0; i < len(fs); {
		start := i == 0
		var row []cell
		put := func(f Field, x, w float64) {
			st := bodyStyle
			if f.Strong {
				st = st.strong()
			}
			part := "the field " + strconv.Quote(f.Label)
			th, td := s.pair(table)
			c := cell{x: x, th: th, td: td, second: s.alsoNode(th, structure.Span),
				label: s.set(plain(f.Label), labelStyle, labelWidth-2, part),
				value: s.set(plain(f.Value), st, w-labelWidth, part)}
			if f.Also != "" {
				c.label = s.set(plain(f.Label), labelOfTwo, labelWidth-2, part)
				c.also = s.set(plain(f.Also), alsoStyle, labelWidth-2, part)
			}
			row = append(row, c)
		}
		put(fs[i], 0, pick(fs[i].Wide, width, half))
		if !fs[i].Wide && i+1 < len(fs) && !fs[i+1].Wide {
			i++
			put(fs[i], half+gutter, half)
		}
		i++
		const pad = 0.55
		h := bodyStyle.height()
		for _, c := range row {
			label := float64(len(c.label)) * labelStyle.height()
			if c.also != nil {
				label = float64(len(c.label))*labelOfTwo.height() + float64(len(c.also))*alsoStyle.height() + 1
			}
			h = max(h, label, float64(len(c.value))*bodyStyle.height())
		}
		h += 2 * pad
		s.add(piece{h: h, keep: start && i < len(fs) || i >= len(fs)-2 && i < len(fs), draw: func(c *canvas) {
			for _, cl := range row {
				c.as(cl.th, func() {
					if cl.also == nil {
						c.lines(cl.label, cl.x, pad+bodyStyle.baseline()-labelStyle.baseline(), labelStyle)
						return
					}
					y := c.lines(cl.label, cl.x, pad+bodyStyle.baseline()-labelOfTwo.baseline(), labelOfTwo)
					c.say(cl.second, cl.also, cl.x, y, alsoStyle)
				})
				c.say(cl.td, cl.value, cl.x+labelWidth, pad, bodyStyle)
			}
			c.fill(0, h-0.1, width, 0.1, line)
		}})
	}
}

// labelOfTwo is the first of two labels: the second stands close under it, in grey.
var labelOfTwo = style{face: regular, size: 8.5, leading: 10.5, colour: ink}

// pair makes a row of a table: a label as the header of its value.
func (s *setter) pair(table *node) (th, td *node) {
	tr := s.node(table, structure.TR)
	th, td = s.node(tr, structure.TH), s.node(tr, structure.TD)
	th.Scope = structure.Row
	return th, td
}

func pick[T any](cond bool, a, b T) T {
	if cond {
		return a
	}
	return b
}

// Notice is a short text set apart: what the reader must not miss.
type Notice struct{ Spans []Span }

func (n Notice) set(s *setter) {
	width := s.width()
	const padX, padY, bar = 4.0, 2.0, 1.0
	ls := s.set(n.Spans, bodyStyle, width-2*padX-bar, "a notice")
	h := float64(len(ls))*bodyStyle.height() + 2*padY
	p := s.node(nil, structure.P)
	s.add(piece{before: 3.2, h: h, draw: func(c *canvas) {
		c.fill(0, 0, width, h, hair)
		c.fill(0, 0, bar, h, blue)
		c.say(p, ls, bar+padX, padY, bodyStyle)
	}})
}

// Together keeps its blocks on one page, with the end of what stands before
// them: a seal is never alone on a page.
type Together []Block

func (t Together) set(s *setter) {
	s.keepLast()
	for i, b := range t {
		from := len(s.pieces)
		b.set(s)
		for k := from; k < len(s.pieces); k++ {
			if k < len(s.pieces)-1 || i < len(t)-1 {
				s.pieces[k].keep = true
			}
		}
	}
}

// In sets blocks in another language than the document's: those who listen to
// the page hear them in its voice. Language is a BCP 47 tag.
type In struct {
	Language string
	Blocks   []Block
}

func (in In) set(s *setter) {
	outer := s.lang
	s.lang = in.Language
	defer func() { s.lang = outer }()
	for _, b := range in.Blocks {
		b.set(s)
	}
}

// NewPage makes the next block begin a page, unless it does so anyway.
type NewPage struct{}

func (NewPage) set(s *setter) { s.fresh = true }

// SealBox is what is seen of the electronic seal: the first line strong. Beside
// it, where a signature would be, stand place and date.
type SealBox struct {
	Lines  []string
	Beside string
}

func (b SealBox) set(s *setter) {
	width := s.width()
	const w, pad, mark, gap = 120.0, 3.6, 11.0, 4.0
	beside := s.set(plain(b.Beside), bodyStyle, width-w-gap, "place and date")
	var ls []textLine
	for i, l := range b.Lines {
		st := sealStyle
		if i == 0 {
			st = st.strong().in(blue)
		}
		ls = append(ls, s.set(plain(l), st, w-mark-3*pad, "the seal")...)
	}
	inner := float64(len(ls)) * sealStyle.height()
	text := float64(len(beside)) * bodyStyle.height()
	h := max(inner, mark, text) + 2*2.4
	emblem := s.mark
	place, seal := s.node(nil, structure.P), s.node(nil, structure.P)
	s.add(piece{before: 3, h: h, draw: func(c *canvas) {
		c.say(place, beside, w+gap, (h-text)/2, bodyStyle)
		c.fill(0, 0, w, h, paper) // the emblem is not transparent
		c.frame(0, 0, w, h, 0.25, blue)
		c.artifact(gofpdf.Layout, func(c *canvas) { emblem.draw(c, pad, (h-mark)/2, mark) }) // the header has it already
		c.say(seal, ls, 2*pad+mark, (h-inner)/2, sealStyle)
	}})
}

var sealStyle = style{face: regular, size: 8.5, leading: 11.5, colour: ink}
