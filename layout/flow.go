package layout

import "context"

// piece is a part of the body that is never cut: one line of a paragraph, one
// row of a table. before is the white space above it, dropped at the top of a page.
type piece struct {
	before, h float64
	keep      bool   // stay on one page with the next piece
	head      *piece // drawn again above it when it opens a page (a table's header)
	draw      func(c *canvas)
}

// placed is a piece at its place, y mm from the top of the body.
type placed struct {
	y    float64
	draw func(c *canvas)
}

type page struct{ body []placed }

// setter collects the pieces of the body. The first fault sticks.
type setter struct {
	pieces []piece
	fault  *Fault
	used   used
	mark   []byte // the institution's
	opened bool   // the last piece is a heading, with its own space below
}

// used says which faces a document needs: each costs maroto a reading of the file.
type used [faceCount]bool

func (s *setter) set(spans []Span, st style, width float64, part string) []textLine {
	ls, err := set(spans, st, width, part)
	if err != nil && s.fault == nil {
		s.fault = err
	}
	for _, l := range ls {
		for _, r := range l.runs {
			s.used[r.st.face] = true
		}
	}
	return ls
}

func (s *setter) add(p piece) {
	s.pieces = append(s.pieces, p)
	s.opened = false
}

// keepLast glues the last piece to what follows.
func (s *setter) keepLast() {
	if n := len(s.pieces); n > 0 {
		s.pieces[n-1].keep = true
	}
}

func bodyTop(page int) float64 {
	if page == 0 {
		return firstHeader
	}
	return nextHeader
}

// paginate deals the pieces of the body out over pages.
func paginate(ctx context.Context, s *setter, d Document) ([]page, error) {
	for _, b := range d.Body {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b.set(s)
		if s.fault != nil {
			return nil, s.fault
		}
	}

	pages := []page{{}}
	y := 0.0
	limit := func() float64 { return bodyHeight - bodyTop(len(pages)-1) }
	put := func(p piece) {
		if len(pages[len(pages)-1].body) > 0 {
			y += p.before
		}
		pages[len(pages)-1].body = append(pages[len(pages)-1].body, placed{y, p.draw})
		y += p.h
	}
	turn := func(head *piece) {
		pages, y = append(pages, page{}), 0
		if head != nil {
			put(*head)
		}
	}
	const slack = 0.01
	for i := 0; i < len(s.pieces); {
		// The chain of pieces that want to stay together, and its height.
		end, need := i, 0.0
		for {
			if end > i || len(pages[len(pages)-1].body) > 0 {
				need += s.pieces[end].before
			}
			need += s.pieces[end].h
			end++
			if !s.pieces[end-1].keep || end == len(s.pieces) {
				break
			}
		}
		if y+need > limit()+slack && len(pages[len(pages)-1].body) > 0 {
			whole := need + headHeight(s.pieces[i].head)
			if whole <= bodyHeight-nextHeader {
				turn(s.pieces[i].head)
			}
			// else: longer than a page, it may begin here
		}
		for ; i < end; i++ {
			p := s.pieces[i]
			if p.h+headHeight(p.head) > bodyHeight-firstHeader {
				return nil, &Fault{Cause: CauseTooTall, Detail: "a part of the document that must stay in one piece is taller than a page"}
			}
			if y+p.before+p.h > limit()+slack && len(pages[len(pages)-1].body) > 0 {
				turn(p.head)
			}
			put(p)
		}
	}
	return pages, nil
}

func headHeight(p *piece) float64 {
	if p == nil {
		return 0
	}
	return p.h
}
