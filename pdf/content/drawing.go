package content

import "strconv"

// Line draws a line.
func (s *Stream) Line(p Pen, x1, y1, x2, y2 float64) {
	s.endText()
	s.setPen(p)
	s.MoveTo(x1, y1)
	s.LineTo(x2, y2)
	s.operator("S")
}

// Paint says what is done with a path.
type Paint uint8

// What is done with a path.
const (
	Stroke Paint = 1 << iota
	Fill
	EvenOdd // with Fill: a point is inside when an odd number of lines lies between it and the outside
)

func (p Paint) operator() string {
	switch p {
	case Stroke:
		return "S"
	case Fill:
		return "f"
	case Fill | EvenOdd:
		return "f*"
	case Fill | Stroke:
		return "B"
	case Fill | Stroke | EvenOdd:
		return "B*"
	}
	return "n"
}

// BeginPath makes ready for MoveTo, LineTo, CurveTo, ClosePath and Rectangle; [Stream.Paint] must follow them.
func (s *Stream) BeginPath(p Paint, pen Pen, fill Color) {
	s.endText()
	if p&Stroke != 0 {
		s.setPen(pen)
	}
	if p&Fill != 0 {
		s.setFill(fill)
	}
}

// MoveTo begins a part of a path.
func (s *Stream) MoveTo(x, y float64) {
	s.number(x)
	s.number(y)
	s.operator("m")
}

// LineTo adds a line to a path.
func (s *Stream) LineTo(x, y float64) {
	s.number(x)
	s.number(y)
	s.operator("l")
}

// CurveTo adds a Bézier curve with two control points to a path.
func (s *Stream) CurveTo(x1, y1, x2, y2, x, y float64) {
	for _, v := range [6]float64{x1, y1, x2, y2, x, y} {
		s.number(v)
	}
	s.operator("c")
}

// ClosePath leads a part of a path back to its beginning.
func (s *Stream) ClosePath() { s.operator("h") }

// Rectangle adds a rectangle to a path; x and y are its lower left corner.
func (s *Stream) Rectangle(x, y, w, h float64) {
	for _, v := range [4]float64{x, y, w, h} {
		s.number(v)
	}
	s.operator("re")
}

// Paint ends a path.
func (s *Stream) Paint(p Paint) { s.operator(p.operator()) }

// Picture shows the image resource /I<n> in a rectangle; x and y are its lower left corner.
func (s *Stream) Picture(n int, x, y, w, h float64) {
	s.endText()
	s.Bytes = append(s.Bytes, "q "...)
	s.number(w)
	s.Bytes = append(s.Bytes, "0 0 "...)
	s.number(h)
	s.number(x)
	s.number(y)
	s.Bytes = append(s.Bytes, "cm/I"...)
	s.Bytes = strconv.AppendInt(s.Bytes, int64(n), 10)
	s.operator(" Do Q")
}
