package layout

import (
	"context"

	"github.com/phpdave11/gofpdf/structure"
)

// piece is a part of the body that is never cut: one line of a paragraph, one
// row of a table. before is the white space above it, dropped at the top of a page.
type piece struct {
	before, h float64
	keep      bool // stay on one page with the next piece
	fresh     bool // begin a page, unless nothing stands on this one yet
	cut       *cut // what a page that ends above this piece draws besides
	entries   []*entry
	draw      func(c *canvas)
}

// cut is a place inside a table where a page may end. below is the height that
// the end of the page takes, above that of what the next page begins with.
type cut struct {
	below, above float64
	rest
}

// rest is what a table draws where a page ends within it.
type rest interface {
	end() []piece   // at the end of the page
	begin() []piece // on the next
}

// entry is a place in the document that the outline and the contents name.
type entry struct {
	title string
	level int // 0 is the highest
	page  int // from 0
	y     float64
}

// placed is a piece at its place, y mm from the top of the body.
type placed struct {
	y       float64
	entries []*entry
	draw    func(c *canvas)
}

type page struct{ body []placed }

// setter collects the pieces of the body. The first fault sticks.
type setter struct {
	sheet
	pieces []piece
	fault  *Fault
	used   used
	mark   *Mark  // the institution's
	lang   string // of what is set now, "" for the document's
	also   string // the second language of a bilingual form
	level  int    // of the last heading, 1 for the title
	opened bool   // the last piece is a heading, with its own space below
	fresh  bool   // the next piece begins a page

	known  map[setKey][]textLine // short texts that were set before
	glyphs []glyph               // room for what is being set
	nodes  []node                // room for what is made next

	entries       []*entry // every heading's, in order
	pending       []*entry // those of the next piece
	contents      int      // the piece before which the contents stand, -1 without
	contentsLevel int      // of their heading
	always        bool     // the contents are wanted in a short document too
	title         string   // of the contents
}

// used says which faces a document needs.
type used [faceCount]bool

// set shapes and breaks spans for width mm; part names the place on the page, for a fault.
func (s *setter) set(spans []Span, st style, width float64, part string) []textLine {
	return s.setAt(spans, st, width, place{name: part})
}

func (s *setter) setAt(spans []Span, st style, width float64, at place) []textLine {
	// A table says the same words over and over: an employer, a price, a class.
	known := setKey{st: st, width: width}
	short := len(spans) == 1 && len(spans[0].Text) <= setLong
	if short {
		known.span = spans[0]
		if ls, ok := s.known[known]; ok {
			return ls
		}
	}
	gs, err := shape(s.glyphs[:0], spans, st, at)
	if err != nil {
		if s.fault == nil {
			s.fault = err
		}
		return nil
	}
	s.glyphs = gs
	ls := breakLines(gs, width)
	for _, l := range ls {
		for _, r := range l.runs {
			s.used[r.st.face] = true
		}
	}
	if short && len(s.known) < setMost {
		if s.known == nil {
			s.known = map[setKey][]textLine{}
		}
		s.known[known] = ls
	}
	return ls
}

// setKey is what the lines of a text depend on.
type setKey struct {
	span  Span
	st    style
	width float64
}

// setLong bounds the texts that are remembered, in bytes, and setMost how many.
const (
	setLong = 64
	setMost = 4096
)

// refuse remembers a fault that is not a character's.
func (s *setter) refuse(cause, detail string) {
	if s.fault == nil {
		s.fault = &Fault{Cause: cause, Detail: detail}
	}
}

func (s *setter) add(p piece) {
	p.fresh = p.fresh || s.fresh
	p.entries, s.pending = append(p.entries, s.pending...), nil
	s.pieces = append(s.pieces, p)
	s.opened, s.fresh = false, false
}

// node makes an element in the language that is set now.
func (s *setter) node(parent *node, role structure.Role) *node {
	if len(s.nodes) == 0 {
		s.nodes = make([]node, 64)
	}
	n := &s.nodes[0]
	s.nodes = s.nodes[1:]
	n.parent, n.role, n.Language = parent, role, s.lang
	return n
}

// alsoNode makes an element in the second language.
func (s *setter) alsoNode(parent *node, role structure.Role) *node {
	n := s.node(parent, role)
	n.Language = s.also
	return n
}

// enter names what is set next in the outline and the contents.
func (s *setter) enter(title string, level int) {
	if n := len(s.entries); n == 0 {
		level = 0
	} else {
		level = min(level, s.entries[n-1].level+1)
	}
	e := &entry{title: title, level: level}
	s.entries, s.pending = append(s.entries, e), append(s.pending, e)
}

// keepLast glues the last piece to what follows.
func (s *setter) keepLast() {
	if n := len(s.pieces); n > 0 {
		s.pieces[n-1].keep = true
	}
}

// tallest is the most that must stay in one piece: it may have to stand on the first page.
func (s *setter) tallest() float64 { return s.body() - firstHeader }

func bodyTop(page int) float64 {
	if page == 0 {
		return firstHeader
	}
	return nextHeader
}

// paginate sets the body and deals its pieces out over pages. A document that
// turns out to be long gets its contents, and is dealt again.
func paginate(ctx context.Context, s *setter, d Document) ([]page, error) {
	s.contents, s.title = -1, d.Contents
	explicit := false
	for _, b := range d.Body {
		_, is := b.(Contents)
		explicit = explicit || is
	}
	for i, b := range d.Body {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !explicit && s.contents < 0 && d.Contents != "" && opensBulk(d.Body[i:]) {
			s.placeContents()
		}
		b.set(s)
		if s.fault != nil {
			return nil, s.fault
		}
	}
	pages := deal(s)
	if s.fault == nil && s.contents >= 0 && s.title != "" && (s.always || len(pages) > longDocument) {
		s.insertContents()
		pages = deal(s)
	}
	if s.fault != nil {
		return nil, s.fault
	}
	return pages, nil
}

// opensBulk says whether blocks begin with the document's bulk: a table or a picture, or the heading of one.
func opensBulk(bs []Block) bool {
	for i, b := range bs {
		switch b.(type) {
		case Table, Figure, NewPage:
			return true
		case Heading:
			if i > 0 {
				return false
			}
		case Text, Note:
			if i == 0 {
				return false
			}
		default:
			return false
		}
	}
	return false
}

// deal puts the pieces on pages, each once, so its cost is that of their number.
func deal(s *setter) []page {
	pages := []page{{}}
	y := 0.0
	limit := func() float64 { return s.body() - bodyTop(len(pages)-1) }
	empty := func() bool { return len(pages[len(pages)-1].body) == 0 }
	put := func(p *piece) {
		if !empty() {
			y += p.before
		}
		for _, e := range p.entries {
			e.page, e.y = len(pages)-1, y
		}
		pages[len(pages)-1].body = append(pages[len(pages)-1].body, placed{y, p.entries, p.draw})
		y += p.h
	}
	turn := func(at *cut) {
		if at != nil {
			for _, p := range at.end() {
				put(&p)
			}
		}
		pages, y = append(pages, page{}), 0
		if at != nil {
			for _, p := range at.begin() {
				put(&p)
			}
		}
	}
	const slack = 0.01
	// after is what the end of a page takes below piece i-1.
	after := func(i int) float64 {
		if i < len(s.pieces) && s.pieces[i].cut != nil {
			return s.pieces[i].cut.below
		}
		return 0
	}
	for i := 0; i < len(s.pieces) && s.fault == nil; {
		// The chain of pieces that want to stay together, and its height.
		end, need := i, 0.0
		for {
			if end > i || !empty() {
				need += s.pieces[end].before
			}
			need += s.pieces[end].h
			end++
			if !s.pieces[end-1].keep || end == len(s.pieces) {
				break
			}
		}
		need += after(end)
		first := &s.pieces[i]
		if !empty() && (first.fresh || y+need > limit()+slack) {
			whole := need
			if first.cut != nil {
				whole += first.cut.above
			}
			// A chain longer than a page may begin here.
			if first.fresh || whole <= s.body()-nextHeader {
				turn(first.cut)
			}
		}
		for ; i < end; i++ {
			p := &s.pieces[i]
			above := 0.0
			if p.cut != nil {
				above = p.cut.above
			}
			if p.h+above+after(i+1) > s.tallest() {
				s.refuse(CauseTooTall, "a part of the document that must stay in one piece is taller than a page")
				return nil
			}
			if !empty() && y+p.before+p.h+after(i+1) > limit()+slack {
				turn(p.cut)
			}
			put(p)
		}
	}
	return pages
}
