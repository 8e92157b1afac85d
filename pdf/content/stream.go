// Package content writes the operators of a page's content stream (ISO 32000-1, annex A) and remembers the graphics
// state, so that nothing is said twice. Coordinates are points from the lower left corner, written to 1/100 pt.
//
// Marked content, text objects and saved states are kept properly nested whatever the order of calls: a text object
// ends before any other operator, and marked content ends before a state is saved or restored.
package content

import (
	"math"
	"strconv"

	"github.com/phpdave11/gofpdf/file"
)

// Color is an sRGB colour, 8 bits a channel.
type Color struct{ R, G, B uint8 }

// Stream is the content of one page.
type Stream struct {
	Bytes []byte
	bad   bool

	state
	saved []state

	inText bool
	marked bool
	penX   int64 // start of the current line of text, in 1/100 pt
	penY   int64
	last   uint16 // CID shown last in this text object; 0 when none
}

// state is what q saves and Q brings back.
type state struct {
	fill, stroke Color
	width        int64
	dash         string
	font         int
	size         int64
	matrix       Matrix
	transparency int
}

// Matrix maps user space as [A B C D E F] does in the operator cm.
type Matrix struct{ A, B, C, D, E, F float64 }

// Identity maps every point to itself.
var Identity = Matrix{A: 1, D: 1}

// Then returns the matrix that maps by m first and by n after.
func (m Matrix) Then(n Matrix) Matrix {
	return Matrix{
		m.A*n.A + m.B*n.C, m.A*n.B + m.B*n.D,
		m.C*n.A + m.D*n.C, m.C*n.B + m.D*n.D,
		m.E*n.A + m.F*n.C + n.E, m.E*n.B + m.F*n.D + n.F,
	}
}

// Apply maps a point.
func (m Matrix) Apply(x, y float64) (float64, float64) {
	return m.A*x + m.C*y + m.E, m.B*x + m.D*y + m.F
}

// Start makes the stream ready for a new page, with the graphics state that a page starts with.
func (s *Stream) Start() {
	*s = Stream{Bytes: s.Bytes[:0], saved: s.saved[:0], state: state{matrix: Identity, width: 100}}
}

// Bad tells whether a number came that PDF cannot hold: not a number, infinite, or far beyond any page.
func (s *Stream) Bad() bool { return s.bad }

// Matrix returns the current transformation.
func (s *Stream) Matrix() Matrix { return s.matrix }

// InText tells whether a text object is open, so that the next line joins the one before.
func (s *Stream) InText() bool { return s.inText }

// Depth returns how many states are saved.
func (s *Stream) Depth() int { return len(s.saved) }

const furthest = 1e6 // points: far outside every page, well inside what a PDF number can be

func (s *Stream) hundredths(v float64) int64 {
	if !(math.Abs(v) < furthest) {
		s.bad = true
		return 0
	}
	return int64(math.Round(v * 100))
}

func (s *Stream) number(v float64) {
	s.Bytes = append(file.AppendScaled(s.Bytes, s.hundredths(v), 2), ' ')
}

func (s *Stream) operator(op string) { s.Bytes = append(append(s.Bytes, op...), '\n') }

// Save keeps the graphics state until [Stream.Restore].
func (s *Stream) Save() {
	s.EndMark()
	s.saved = append(s.saved, s.state)
	s.operator("q")
}

// Restore brings back the state kept last; there must be one.
func (s *Stream) Restore() {
	s.EndMark()
	s.state = s.saved[len(s.saved)-1]
	s.saved = s.saved[:len(s.saved)-1]
	s.operator("Q")
}

// Transform changes the coordinates of all that follows, until Restore.
func (s *Stream) Transform(m Matrix) {
	s.endText()
	s.matrix = m.Then(s.matrix)
	for _, v := range [4]float64{m.A, m.B, m.C, m.D} {
		if !(math.Abs(v) < furthest) {
			s.bad = true
		}
		s.Bytes = append(file.AppendNumber(s.Bytes, v, 5), ' ')
	}
	s.number(m.E)
	s.number(m.F)
	s.operator("cm")
}

// Transparency selects the graphics state resource /G<n>; 0 was never anything but opaque.
func (s *Stream) Transparency(n int) {
	if n == s.transparency {
		return
	}
	s.endText()
	s.transparency = n
	s.Bytes = strconv.AppendInt(append(s.Bytes, "/G"...), int64(n), 10)
	s.operator(" gs")
}

// BeginMark begins the content of a structure element.
func (s *Stream) BeginMark(role string, mcid int) {
	s.EndMark()
	s.marked = true
	s.Bytes = append(append(s.Bytes, '/'), role...)
	s.Bytes = strconv.AppendInt(append(s.Bytes, "<</MCID "...), int64(mcid), 10)
	s.operator(">>BDC")
}

// BeginArtifact begins content that is no part of what the document says; properties are the entries of its property
// list, "/Type/Layout" for example.
func (s *Stream) BeginArtifact(properties string) {
	s.EndMark()
	s.marked = true
	s.Bytes = append(append(s.Bytes, "/Artifact<<"...), properties...)
	s.operator(">>BDC")
}

// EndMark ends the marked content, if one is open.
func (s *Stream) EndMark() {
	s.endText()
	if s.marked {
		s.marked = false
		s.operator("EMC")
	}
}

func (s *Stream) setFill(c Color) {
	if c == s.fill {
		return
	}
	s.fill = c
	s.color(c, "g", "rg")
}

func (s *Stream) setStroke(c Color) {
	if c == s.stroke {
		return
	}
	s.stroke = c
	s.color(c, "G", "RG")
}

func (s *Stream) color(c Color, grey, rgb string) {
	channel := func(v uint8) {
		s.Bytes = append(file.AppendNumber(s.Bytes, float64(v)/255, 4), ' ')
	}
	if channel(c.R); c.R == c.G && c.G == c.B {
		s.operator(grey)
		return
	}
	channel(c.G)
	channel(c.B)
	s.operator(rgb)
}

// Pen is how lines are drawn. Width and dashes are in points.
type Pen struct {
	Color Color
	Width float64
	Dash  []float64 // lengths of dashes and gaps; none for a whole line
	Phase float64
}

func (s *Stream) setPen(p Pen) {
	s.setStroke(p.Color)
	if w := s.hundredths(p.Width); w != s.width {
		s.width = w
		s.Bytes = append(file.AppendScaled(s.Bytes, w, 2), ' ')
		s.operator("w")
	}
	dash := p.dashes()
	if dash != s.dash {
		s.dash = dash
		if dash == "" {
			dash = "[]0"
		}
		s.operator(dash + " d")
	}
}

// dashes returns the operands of d. A pattern without gaps is a whole line.
func (p Pen) dashes() string {
	whole := true
	for i, v := range p.Dash {
		whole = whole && (i%2 == 0 || v == 0)
	}
	if whole {
		return ""
	}
	b := []byte{'['}
	for i, v := range p.Dash {
		if i > 0 {
			b = append(b, ' ')
		}
		b = file.AppendNumber(b, v, 2)
	}
	return string(file.AppendNumber(append(b, ']'), p.Phase, 2))
}
