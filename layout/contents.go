package layout

import (
	"strconv"

	"github.com/phpdave11/gofpdf/structure"
)

// longDocument is how many pages a document may have without a table of contents.
const longDocument = 10

// Contents marks where the table of contents stands: a line for every [Heading]
// and every group of a table that has an Entry, with its page. It is drawn in
// documents of more than ten pages, in shorter ones too if it is wanted Always.
type Contents struct {
	Title  string // "" for Document.Contents
	Always bool
}

func (c Contents) set(s *setter) {
	s.placeContents()
	s.always = c.Always
	if c.Title != "" {
		s.title = c.Title
	}
}

// placeContents remembers where the contents go.
func (s *setter) placeContents() { s.contents, s.contentsLevel = len(s.pieces), min(s.level+1, 2) }

// insertContents puts the table of contents where it belongs. The pages are known
// when it is drawn, not yet when it is set: its height does not depend on them.
func (s *setter) insertContents() {
	from, entries := s.contents, s.entries
	tail := append([]piece(nil), s.pieces[from:]...)
	s.pieces = s.pieces[:from:from]
	s.pending, s.fresh, s.opened = nil, false, false

	width := s.width()
	const number, indent, pad = 14.0, 5.0, 0.45
	heading := s.node(nil, structure.H1+structure.Role(s.contentsLevel-1))
	title := s.set(plain(s.title), headingStyle, width, "the title of the contents")
	s.add(piece{before: 4.4, h: float64(len(title))*headingStyle.height() + 0.9, keep: len(entries) > 0, draw: func(c *canvas) {
		c.say(heading, title, 0, 0, headingStyle)
	}})
	list := s.node(nil, structure.L)
	for i, e := range entries {
		x := float64(e.level) * indent
		st := pick(e.level == 0, bodyStyle, tableStyle)
		ls := s.set(plain(e.title), st, width-number-x, "the contents")
		h := float64(len(ls))*st.height() + 2*pad
		body := s.node(s.node(list, structure.LI), structure.LBody)
		s.add(piece{h: h, keep: i == 0 && len(entries) > 1 || i == len(entries)-2, draw: func(c *canvas) {
			page := s.set(plain(strconv.Itoa(e.page+1)), st, number, "the contents")
			c.as(body, func() {
				c.lines(ls, x, pad, st)
				c.right(page[0], width, pad+float64(len(ls)-1)*st.height(), st)
			})
			c.fill(0, h-0.1, width, 0.1, line)
		}})
	}
	// What follows stands apart: a table that begins under its contents would be taken for a part of it.
	if len(tail) > 0 && len(s.pieces) > 0 {
		tail[0].before = max(tail[0].before, 4.4)
	}
	s.pieces = append(s.pieces, tail...)
	s.used[regular] = true
}
