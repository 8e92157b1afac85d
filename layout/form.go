package layout

import (
	"strconv"

	"github.com/phpdave11/gofpdf/structure"
)

// Form is a grid of boxes, as the forms under a treaty have them: in each a small
// label, in two languages where the form has two, and the value under it. The
// boxes of a row share its width and its height.
type Form [][]Box

// Box is a labelled value of a form. Share is its part of the row, relative to the others.
type Box struct {
	Label  string
	Also   string // the label in the second language of a bilingual form
	Value  string
	Share  float64
	Strong bool
}

func (f Form) set(s *setter) {
	const padX, padY, rule = 1.6, 0.7, 0.2
	over := func(neighbour bool) float64 { return pick(neighbour, rule, 0.0) } // two boxes share the line between them
	table := s.node(nil, structure.Table)
	for i, boxes := range f {
		type cell struct {
			x, w         float64
			label, value []textLine
			th, td       *node
			st           style
		}
		sum := 0.0
		for _, b := range boxes {
			sum += b.Share
		}
		row := make([]cell, len(boxes))
		x, h, labels := 0.0, 0.0, 0
		for k, b := range boxes {
			label := plain(b.Label)
			if b.Also != "" && b.Also != b.Label {
				label = append(label, Span{Text: " / "}, Span{Text: b.Also, also: true})
			}
			st := bodyStyle
			if b.Strong {
				st = st.strong()
			}
			th, td := s.pair(table)
			w := s.width() * b.Share / sum
			part := "the field " + strconv.Quote(b.Label)
			row[k] = cell{x, w, s.set(label, alsoStyle, w-2*padX, part), s.set(plain(b.Value), st, w-2*padX, part), th, td, st}
			x += w
			labels = max(labels, len(row[k].label))
		}
		top := padY + float64(labels)*alsoStyle.height() // values of a row stand on one line
		for _, c := range row {
			h = max(h, top+float64(len(c.value))*c.st.height()+padY)
		}
		before := 0.0
		if i == 0 && !s.opened {
			before = 2.4
		}
		s.add(piece{before: before, h: h, keep: i < len(f)-1 && (i == 0 || i == len(f)-2), draw: func(c *canvas) {
			for _, cl := range row {
				c.frame(cl.x, 0, cl.w+over(cl.x+cl.w < s.width()-0.1), h+over(i < len(f)-1), rule, line)
				c.say(cl.th, cl.label, cl.x+padX, padY, alsoStyle)
				c.say(cl.td, cl.value, cl.x+padX, top, cl.st)
			}
		}})
	}
}
