package layout

import "github.com/phpdave11/gofpdf/structure"

// Summary is a calm box with the answer: two to four large figures and a
// sentence. It stands on the first page, before the table that explains it, so
// that a person need not read the table.
type Summary struct {
	Answers []Answer
	Text    []Span // the sentence under the figures; nil for none
}

// Answer is a large figure and what it is: "3.210,45", "punts acumulats".
type Answer struct {
	Value string // short: a number with its unit, a date, a word
	Label string
}

var (
	answerSizes = []style{{face: semibold, size: 20, leading: 24, colour: blue}, {face: semibold, size: 16, leading: 24, colour: blue}, {face: semibold, size: 13, leading: 18, colour: blue}, {face: semibold, size: 10, leading: 14, colour: blue}}
	answerLabel = style{face: regular, size: 8.5, leading: 11, colour: grey}
)

func (m Summary) set(s *setter) {
	const padX, padY, gap, below = 5.0, 3.0, 5.0, 2.0
	width := s.width()
	inner := width - 2*padX
	type cell struct {
		x            float64
		node         *node
		value, label []textLine
	}
	type band struct {
		cells []cell
		st    style
		value float64 // the height of the values
		h     float64
	}
	var bands []band
	rest := m.Answers
	for len(rest) > 0 {
		n := len(rest)
		if n > 4 {
			n = min(4, (n+1)/2)
		}
		w := (inner - gap*float64(n-1)) / float64(n)
		b := band{}
		for _, st := range answerSizes { // the largest in which every figure fits one line
			b.st, b.cells, b.value = st, nil, 0
			lines := 1
			for i, a := range rest[:n] {
				c := cell{x: padX + float64(i)*(w+gap), node: s.node(nil, structure.P), value: s.set(plain(a.Value), st, w, "the summary")}
				lines = max(lines, len(c.value))
				b.cells = append(b.cells, c)
			}
			b.value = float64(lines) * st.height()
			if lines == 1 {
				break
			}
		}
		lines := 0
		for i, a := range rest[:n] {
			b.cells[i].label = s.set(plain(a.Label), answerLabel, w, "the summary")
			lines = max(lines, len(b.cells[i].label))
		}
		b.h = b.value + float64(lines)*answerLabel.height()
		bands, rest = append(bands, b), rest[n:]
	}
	var sentence []textLine
	text := s.node(nil, structure.P)
	h := 2 * padY
	for i, b := range bands {
		h += b.h
		if i > 0 {
			h += below
		}
	}
	if len(m.Text) > 0 {
		sentence = s.set(m.Text, bodyStyle, inner, "the summary")
		h += float64(len(sentence)) * bodyStyle.height()
		if len(bands) > 0 {
			h += below
		}
	}
	s.add(piece{before: 3.2, h: h, draw: func(c *canvas) {
		c.fill(0, 0, width, h, hair)
		c.fill(0, 0, width, 0.7, blue)
		y := padY
		for i, b := range bands {
			if i > 0 {
				y += below
			}
			for k, cl := range b.cells {
				if k > 0 {
					c.fill(cl.x-gap/2, y+1, 0.2, b.h-1.5, line)
				}
				c.as(cl.node, func() { c.lines(cl.label, cl.x, c.lines(cl.value, cl.x, y, b.st), answerLabel) })
			}
			y += b.h
		}
		if sentence != nil {
			if len(bands) > 0 {
				y += below
			}
			c.say(text, sentence, padX, y, bodyStyle)
		}
	}})
}
