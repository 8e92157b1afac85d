package layout

import "strconv"

// Block is a component of the body. The blocks of this package are the only ones.
type Block interface{ set(s *setter) }

// Title is the name of the document. Under a courtesy translation stand its note
// and the title in the official language.
type Title struct {
	Text     string
	Official string // the Catalan title, "" in a Catalan document
	Note     string // "Courtesy translation; …"
}

func (t Title) set(s *setter) {
	ls := s.set(plain(t.Text), titleStyle, width, "the title")
	var sub, note []textLine
	if t.Official != "" {
		sub = s.set(plain(t.Official), courtesy, width, "the official title")
	}
	if t.Note != "" {
		note = s.set(plain(t.Note), noteStyle, width, "the note on translation")
	}
	// The note stands at the right of the official title where there is room, else under it.
	const gap = 6.0
	beside := len(sub) == 1 && len(note) == 1 && sub[0].width+gap+note[0].width <= width
	h := float64(len(ls))*titleStyle.height() + float64(len(sub))*courtesy.height() + 3.2
	if !beside {
		h += float64(len(note)) * noteStyle.height()
	}
	s.add(piece{h: h, keep: true, draw: func(c *canvas) {
		y := c.lines(sub, 0, c.lines(ls, 0, 0, titleStyle), courtesy)
		if beside {
			c.right(note[0], width, y-noteStyle.height()+courtesy.baseline()-noteStyle.baseline(), noteStyle)
		} else {
			y = c.lines(note, 0, y, noteStyle)
		}
		c.fill(0, y+1.6, width, 0.7, blue)
	}})
}

// noteStyle has the leading of courtesy, smaller.
var noteStyle = style{italic, 8.5, 14, grey}

// Lead says in one line of plain words what the document is.
type Lead struct{ Text string }

func (l Lead) set(s *setter) {
	setLines(s, s.set(plain(l.Text), leadStyle, width, "the introduction"), leadStyle, 1.8)
}

// Heading opens a section; it stays with what follows.
type Heading struct{ Text string }

func (h Heading) set(s *setter) {
	ls := s.set(plain(h.Text), headingStyle, width, "a heading")
	s.add(piece{before: 4.4, h: float64(len(ls))*headingStyle.height() + 0.9, keep: true, draw: func(c *canvas) {
		c.lines(ls, 0, 0, headingStyle)
	}})
	s.opened = true
}

// Text is a paragraph. It crosses pages; two lines stay together at either end.
type Text struct{ Spans []Span }

// Paragraph is a Text in one weight.
func Paragraph(s string) Text { return Text{plain(s)} }

func (t Text) set(s *setter) {
	setLines(s, s.set(t.Spans, bodyStyle, width, "a paragraph"), bodyStyle, 2.6)
}

// Note is small print of the body: the law, the validity.
type Note struct{ Text string }

func (n Note) set(s *setter) {
	setLines(s, s.set(plain(n.Text), smallStyle, width, "a note"), smallStyle, 2.6)
}

var smallStyle = style{regular, 8.5, 12, grey}

// setLines adds a paragraph line by line, without widows and orphans.
func setLines(s *setter, ls []textLine, st style, before float64) {
	if s.opened {
		before = 0
	}
	for i, l := range ls {
		p := piece{h: st.height(), keep: len(ls) > 1 && (i == 0 || i == len(ls)-2), draw: func(c *canvas) { c.line(l, 0, 0, st) }}
		if i == 0 {
			p.before = before
		}
		s.add(p)
	}
}

// Fields is a list of labels and values. Two short ones share a row.
type Fields []Field

// Field is a labelled value. A wide one has the row to itself.
type Field struct {
	Label, Value string
	Wide         bool
	Strong       bool
}

func (fs Fields) set(s *setter) {
	const gutter, labelWidth = 6.0, 34.0
	half := (width - gutter) / 2
	type cell struct {
		x            float64
		label, value []textLine
	}
	for i := 0; i < len(fs); {
		start := i == 0
		var row []cell
		put := func(f Field, x, w float64) {
			st := bodyStyle
			if f.Strong {
				st = st.strong()
			}
			part := "the field " + strconv.Quote(f.Label)
			row = append(row, cell{x,
				s.set(plain(f.Label), labelStyle, labelWidth-2, part),
				s.set(plain(f.Value), st, w-labelWidth, part)})
		}
		put(fs[i], 0, pick(fs[i].Wide, width, half))
		if !fs[i].Wide && i+1 < len(fs) && !fs[i+1].Wide {
			i++
			put(fs[i], half+gutter, half)
		}
		i++
		n := 1
		for _, c := range row {
			n = max(n, len(c.label), len(c.value))
		}
		const pad = 0.55
		h := float64(n)*bodyStyle.height() + 2*pad
		s.add(piece{h: h, keep: start && i < len(fs) || i >= len(fs)-2 && i < len(fs), draw: func(c *canvas) {
			for _, cl := range row {
				c.lines(cl.label, cl.x, pad+bodyStyle.baseline()-labelStyle.baseline(), labelStyle)
				c.lines(cl.value, cl.x+labelWidth, pad, bodyStyle)
			}
			c.fill(0, h-0.1, width, 0.1, line)
		}})
	}
}

func pick[T any](cond bool, a, b T) T {
	if cond {
		return a
	}
	return b
}

// Column is a column of a table. Share is its part of the width, relative to the others.
type Column struct {
	Head  string
	Share float64
	Right bool // numbers: set against the right edge, in tabular figures
}

// Table has a header that is repeated on every page and rows that are never cut.
type Table struct {
	Columns []Column
	Rows    [][]string // as many cells as columns
}

func (t Table) set(s *setter) {
	const padX, padY = 1.2, 0.75
	var sum float64
	for _, c := range t.Columns {
		sum += c.Share
	}
	x, w := make([]float64, len(t.Columns)), make([]float64, len(t.Columns))
	at := 0.0
	for i, c := range t.Columns {
		x[i], w[i] = at, width*c.Share/sum
		at += w[i]
	}
	row := func(cells []string, st style, part func(col int) string) ([][]textLine, float64) {
		set := make([][]textLine, len(t.Columns))
		n := 1
		for i := range t.Columns {
			set[i] = s.set(plain(cells[i]), st, w[i]-2*padX, part(i))
			n = max(n, len(set[i]))
		}
		return set, float64(n)*st.height() + 2*padY
	}
	cells := func(c *canvas, set [][]textLine, st style) {
		for i, ls := range set {
			y := padY
			for _, l := range ls {
				if t.Columns[i].Right {
					c.right(l, x[i]+w[i]-padX, y, st)
				} else {
					c.line(l, x[i]+padX, y, st)
				}
				y += st.height()
			}
		}
	}

	heads := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		heads[i] = c.Head
	}
	headStyle := tableStyle.strong().in(blue)
	headSet, headH := row(heads, headStyle, func(int) string { return "a table's header" })
	head := piece{before: 0.8, h: headH, keep: true, draw: func(c *canvas) {
		cells(c, headSet, headStyle)
		c.fill(0, headH-0.4, width, 0.4, blue)
	}}
	s.add(head)
	for i, r := range t.Rows {
		set, h := row(r, tableStyle, func(col int) string {
			return "row " + strconv.Itoa(i+1) + " of a table, column " + strconv.Quote(t.Columns[col].Head)
		})
		s.add(piece{h: h, head: &head, keep: i == len(t.Rows)-2, draw: func(c *canvas) {
			if i%2 == 1 {
				c.fill(0, 0, width, h, hair)
			}
			cells(c, set, tableStyle)
			c.fill(0, h-0.1, width, 0.1, line)
		}})
	}
}

// Notice is a short text set apart: what the reader must not miss.
type Notice struct{ Spans []Span }

func (n Notice) set(s *setter) {
	const padX, padY, bar = 4.0, 2.0, 1.0
	ls := s.set(n.Spans, bodyStyle, width-2*padX-bar, "a notice")
	h := float64(len(ls))*bodyStyle.height() + 2*padY
	s.add(piece{before: 3.2, h: h, draw: func(c *canvas) {
		c.fill(0, 0, width, h, hair)
		c.fill(0, 0, bar, h, blue)
		c.lines(ls, bar+padX, padY, bodyStyle)
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

// SealBox is what is seen of the electronic seal: the first line strong. Beside
// it, where a signature would be, stand place and date.
type SealBox struct {
	Lines  []string
	Beside string
}

func (b SealBox) set(s *setter) {
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
	s.add(piece{before: 3, h: h, draw: func(c *canvas) {
		c.lines(beside, w+gap, (h-text)/2, bodyStyle)
		c.fill(0, 0, w, h, paper) // the emblem is not transparent
		c.frame(0, 0, w, h, 0.25, blue)
		c.image(emblem, pad, (h-mark)/2, mark, mark)
		c.lines(ls, 2*pad+mark, (h-inner)/2, sealStyle)
	}})
}

var sealStyle = style{regular, 8.5, 11.5, ink}
