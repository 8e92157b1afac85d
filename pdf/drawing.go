package gofpdf

import (
	"math"
	"strings"

	"github.com/phpdave11/gofpdf/content"
)

// SetDrawColor sets the colour of lines, 0 to 255 a channel.
func (f *Fpdf) SetDrawColor(r, g, b int) { f.drawColor = color(r, g, b) }

// GetDrawColor returns the colour of lines.
func (f *Fpdf) GetDrawColor() (int, int, int) { return channels(f.drawColor) }

// SetFillColor sets the colour of areas, 0 to 255 a channel.
func (f *Fpdf) SetFillColor(r, g, b int) { f.fillColor = color(r, g, b) }

// GetFillColor returns the colour of areas.
func (f *Fpdf) GetFillColor() (int, int, int) { return channels(f.fillColor) }

// SetLineWidth sets the width of lines.
func (f *Fpdf) SetLineWidth(width float64) { f.lineWidth = width }

// GetLineWidth returns the width of lines.
func (f *Fpdf) GetLineWidth() float64 { return f.lineWidth }

// SetDashPattern sets the lengths of dashes and gaps; none, or gaps of 0, make lines whole.
func (f *Fpdf) SetDashPattern(lengths []float64, phase float64) {
	f.dash = f.dash[:0]
	sum := 0.0
	for _, v := range lengths {
		if !(v >= 0 && v < 1e4) {
			f.SetErrorf("pdf: a dash pattern is out of range")
			return
		}
		f.dash = append(f.dash, v*f.k)
		sum += v
	}
	if sum == 0 {
		f.dash = f.dash[:0]
	}
	f.dashPhase = phase * f.k
}

func (f *Fpdf) pen() content.Pen {
	return content.Pen{Color: f.drawColor, Width: f.lineWidth * f.k, Dash: f.dash, Phase: f.dashPhase}
}

// drawable tells whether something can be drawn now, and sets the error if it is for want of a page.
func (f *Fpdf) drawable() bool {
	if f.err == nil && f.page == 0 {
		f.SetErrorf("pdf: nothing can be drawn before the first page")
	}
	return f.err == nil
}

// Line draws a line.
func (f *Fpdf) Line(x1, y1, x2, y2 float64) {
	if !f.drawable() {
		return
	}
	e := f.own(drawing)
	h := f.pages[f.page-1].height
	x1, y1, x2, y2 = x1*f.k, h-y1*f.k, x2*f.k, h-y2*f.k
	f.stream.Line(f.pen(), x1, y1, x2, y2)
	f.cover(e, drawing, min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
}

// paint reads gofpdf's style: "D" or "" for the outline, "F" for the area, "DF" for both, "*" for the even-odd rule.
func (f *Fpdf) paint(style string) content.Paint {
	var p content.Paint
	for _, c := range strings.ToUpper(style) {
		switch c {
		case 'D':
			p |= content.Stroke
		case 'F':
			p |= content.Fill
		case '*':
			p |= content.EvenOdd
		default:
			f.SetErrorf("%w: drawing style %q", ErrUnsupported, style)
		}
	}
	if p&(content.Stroke|content.Fill) == 0 {
		p |= content.Stroke
	}
	return p
}

// Rect draws a rectangle; for the style see [Fpdf.DrawPath].
func (f *Fpdf) Rect(x, y, w, h float64, style string) {
	p := f.paint(style)
	if !f.drawable() {
		return
	}
	e := f.own(drawing)
	left, low := x*f.k, f.pages[f.page-1].height-(y+h)*f.k
	f.stream.BeginPath(p, f.pen(), f.fillColor)
	f.stream.Rectangle(left, low, w*f.k, h*f.k)
	f.stream.Paint(p)
	f.cover(e, drawing, left, low, left+w*f.k, low+h*f.k)
}

// Rectangle is a rectangle for [Fpdf.Rects]; X and Y are its upper left corner.
type Rectangle struct{ X, Y, W, H float64 }

// Rects fills many rectangles as one area, without seams: the modules of a QR code.
func (f *Fpdf) Rects(rects []Rectangle) {
	if !f.drawable() || len(rects) == 0 {
		return
	}
	e := f.own(drawing)
	height := f.pages[f.page-1].height
	f.stream.BeginPath(content.Fill, content.Pen{}, f.fillColor)
	for _, r := range rects {
		f.stream.Rectangle(r.X*f.k, height-(r.Y+r.H)*f.k, r.W*f.k, r.H*f.k)
	}
	f.stream.Paint(content.Fill)
	for _, r := range rects {
		f.cover(e, drawing, r.X*f.k, height-(r.Y+r.H)*f.k, (r.X+r.W)*f.k, height-r.Y*f.k)
	}
}

// Polygon draws a closed polygon; for the style see [Fpdf.DrawPath].
func (f *Fpdf) Polygon(points []PointType, style string) {
	for i, p := range points {
		if i == 0 {
			f.MoveTo(p.X, p.Y)
		} else {
			f.LineTo(p.X, p.Y)
		}
	}
	if len(points) > 2 {
		f.ClosePath()
		f.DrawPath(style)
	} else {
		f.path = f.path[:0]
	}
}

// step is a part of the path that is being put together.
type step struct {
	operator byte // m, l, c, h
	points   [6]float64
}

func (f *Fpdf) add(operator byte, points ...float64) {
	if !f.drawable() {
		return
	}
	if len(f.path) == 0 && operator != 'm' {
		f.SetErrorf("pdf: a path must begin with MoveTo")
		return
	}
	s := step{operator: operator}
	height := f.pages[f.page-1].height
	for i, v := range points {
		if v *= f.k; i%2 == 1 {
			v = height - v
		}
		s.points[i] = v
	}
	f.path = append(f.path, s)
}

// MoveTo begins a part of a path.
func (f *Fpdf) MoveTo(x, y float64) { f.add('m', x, y) }

// LineTo adds a line to the path.
func (f *Fpdf) LineTo(x, y float64) { f.add('l', x, y) }

// CurveBezierCubicTo adds a Bézier curve with two control points to the path.
func (f *Fpdf) CurveBezierCubicTo(cx0, cy0, cx1, cy1, x, y float64) {
	f.add('c', cx0, cy0, cx1, cy1, x, y)
}

// ClosePath leads a part of the path back to its beginning.
func (f *Fpdf) ClosePath() { f.add('h') }

// DrawPath draws the path: "D" or "" its outline, "F" its area, "DF" both; with "*" a point is inside when an odd
// number of lines lies between it and the outside.
func (f *Fpdf) DrawPath(style string) {
	p := f.paint(style)
	if !f.drawable() || len(f.path) == 0 {
		return
	}
	e := f.own(drawing)
	f.stream.BeginPath(p, f.pen(), f.fillColor)
	x1, y1, x2, y2 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, s := range f.path {
		v, used := s.points, 2
		switch s.operator {
		case 'm':
			f.stream.MoveTo(v[0], v[1])
		case 'l':
			f.stream.LineTo(v[0], v[1])
		case 'c':
			f.stream.CurveTo(v[0], v[1], v[2], v[3], v[4], v[5])
			used = 6
		case 'h':
			f.stream.ClosePath()
			used = 0
		}
		for i := 0; i < used; i += 2 {
			x1, y1, x2, y2 = min(x1, v[i]), min(y1, v[i+1]), max(x2, v[i]), max(y2, v[i+1])
		}
	}
	f.stream.Paint(p)
	f.path = f.path[:0]
	f.cover(e, drawing, x1, y1, x2, y2)
}

// SetAlpha sets the opacity of what is drawn next, 0 to 1. The blend mode must be Normal.
func (f *Fpdf) SetAlpha(alpha float64, blend string) {
	if blend != "" && blend != "Normal" {
		f.SetErrorf("%w: blend mode %q", ErrUnsupported, blend)
		return
	}
	if !(alpha >= 0 && alpha <= 1) {
		f.SetErrorf("pdf: opacity must be between 0 and 1")
		return
	}
	f.alpha = math.Round(alpha*1000) / 1000
	for _, known := range f.states {
		if known == f.alpha {
			return
		}
	}
	if len(f.states) == 64 {
		f.SetErrorf("pdf: more than 64 opacities")
		return
	}
	f.states = append(f.states, f.alpha)
}

// GetAlpha returns what SetAlpha set.
func (f *Fpdf) GetAlpha() (alpha float64, blend string) { return f.alpha, "Normal" }

// useAlpha makes the page's opacity that of SetAlpha.
func (f *Fpdf) useAlpha() {
	p := &f.pages[f.page-1]
	for i, v := range f.states {
		if v == f.alpha {
			f.stream.Transparency(i)
			p.states |= 1 << i
			p.transparent = p.transparent || v < 1
		}
	}
}

// TransformBegin begins a transformation, which lasts until TransformEnd.
func (f *Fpdf) TransformBegin() {
	const deepest = 28 // ISO 19005-2, 6.1.13
	if !f.drawable() {
		return
	}
	if f.stream.Depth() == deepest-1 { // a picture saves one more
		f.SetErrorf("pdf: transformations are nested too deeply")
		return
	}
	f.stream.Save()
	f.mark = 0
}

// TransformEnd ends a transformation.
func (f *Fpdf) TransformEnd() {
	if !f.drawable() {
		return
	}
	if f.stream.Depth() == 0 {
		f.SetErrorf("pdf: TransformEnd without TransformBegin")
		return
	}
	f.stream.Restore()
	f.mark = 0
}

// TransformMatrix maps a point (x, y), in points from the lower left corner, to (A·x + C·y + E, B·x + D·y + F).
type TransformMatrix struct{ A, B, C, D, E, F float64 }

// Transform changes coordinates by a matrix.
func (f *Fpdf) Transform(m TransformMatrix) {
	if !f.drawable() {
		return
	}
	if f.stream.Depth() == 0 {
		f.SetErrorf("pdf: Transform outside TransformBegin and TransformEnd")
		return
	}
	f.stream.Transform(content.Matrix(m))
}

// TransformRotate turns counterclockwise by degrees about a point.
func (f *Fpdf) TransformRotate(degrees, x, y float64) {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	f.about(x, y, cos, sin, -sin, cos)
}

// TransformScale scales by per cent, seen from a point.
func (f *Fpdf) TransformScale(width, height, x, y float64) {
	if width == 0 || height == 0 {
		f.SetErrorf("pdf: a scale must not be 0")
		return
	}
	f.about(x, y, width/100, 0, 0, height/100)
}

// TransformTranslate moves to the right and downwards.
func (f *Fpdf) TransformTranslate(x, y float64) {
	f.Transform(TransformMatrix{1, 0, 0, 1, x * f.k, -y * f.k})
}

func (f *Fpdf) about(x, y, a, b, c, d float64) {
	if !f.drawable() {
		return
	}
	px, py := x*f.k, f.pages[f.page-1].height-y*f.k
	f.Transform(TransformMatrix{a, b, c, d, px - a*px - c*py, py - b*px - d*py})
}
