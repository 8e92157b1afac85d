package layout

import (
	"bytes"
	"strconv"

	"github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/structure"
)

// drawing is a file being drawn: its meaning and the writer that maroto holds.
type drawing struct {
	doc      *gofpdf.Document
	out      *gofpdf.Fpdf
	also     string           // the second language of a bilingual form
	pictures map[*byte]string // registered, by their bytes
}

// canvas puts marks on the page. Coordinates are mm from the top left corner of
// the piece being drawn; x may reach into the margins.
type canvas struct {
	*drawing
	x, y float64 // of the piece, on the page
	real bool    // what is drawn is said, not an artifact
}

// at is the canvas for a piece that stands y mm lower.
func (c *canvas) at(y float64) *canvas { return &canvas{c.drawing, c.x, c.y + y, c.real} }

// node is an element of the document's structure, made when its first content is
// drawn: so the tree has the order of the page. The zero parent is the document.
type node struct {
	parent *node
	role   structure.Role
	structure.Attributes
	element *structure.Element
}

// element is the writer's element of a node.
func (c *canvas) element(n *node) *structure.Element {
	if n == nil {
		return c.doc.Root()
	}
	if n.element == nil {
		n.element = c.element(n.parent).Add(n.role, n.Attributes)
	}
	return n.element
}

// as draws the content of a node. Within an artifact, and without a node, it only draws.
func (c *canvas) as(n *node, draw func()) {
	if n == nil || !c.real {
		draw()
		return
	}
	c.doc.Begin(c.element(n))
	draw()
	c.doc.End()
}

// artifact draws what is on the page and not in the document: what is repeated, what only decorates.
func (c *canvas) artifact(kind gofpdf.Artifact, draw func(c *canvas)) {
	c.doc.BeginArtifact(kind)
	draw(&canvas{c.drawing, c.x, c.y, false})
	c.doc.End()
}

// text draws one run with its baseline at y.
func (c *canvas) text(r run, x, y float64) {
	f := &faces[r.st.face]
	c.out.SetFont(f.family, f.style, r.st.size)
	c.out.SetTextColor(r.st.colour.channels())
	if r.st.also && c.real && c.also != "" {
		c.doc.Tag(structure.Span, structure.Attributes{Language: c.also})
		defer c.doc.End()
	}
	c.out.Text(c.x+x, c.y+y, r.text)
}

// line draws a broken line with its top at y.
func (c *canvas) line(l textLine, x, y float64, st style) {
	for _, r := range l.runs {
		c.text(r, x+r.x, y+st.baseline())
	}
}

// lines draws lines one under the other and returns where the next would begin.
func (c *canvas) lines(ls []textLine, x, y float64, st style) float64 {
	for _, l := range ls {
		c.line(l, x, y, st)
		y += st.height()
	}
	return y
}

// say draws lines that are a node and returns where the next would begin.
func (c *canvas) say(n *node, ls []textLine, x, y float64, st style) float64 {
	if len(ls) > 0 {
		c.as(n, func() { c.lines(ls, x, y, st) })
	}
	return y + float64(len(ls))*st.height()
}

// right draws a line that ends at x.
func (c *canvas) right(l textLine, x, y float64, st style) { c.line(l, x-l.width, y, st) }

// fill paints a rectangle.
func (c *canvas) fill(x, y, w, h float64, col colour) {
	if w <= 0 || h <= 0 {
		return
	}
	c.out.SetFillColor(col.channels())
	c.out.Rect(c.x+x, c.y+y, w, h, "F")
}

// picture draws a PNG or JPEG file that fits the box, centred.
func (c *canvas) picture(file []byte, jpeg bool, x, y, w, h float64) {
	if len(file) == 0 {
		c.out.SetErrorf("layout: a picture without bytes")
		return
	}
	name, known := c.pictures[&file[0]]
	options := gofpdf.ImageOptions{ImageType: pick(jpeg, "jpg", "png")}
	if !known {
		name = "picture " + strconv.Itoa(len(c.pictures))
		c.out.RegisterImageOptionsReader(name, options, bytes.NewReader(file))
		c.pictures[&file[0]] = name
	}
	info := c.out.GetImageInfo(name)
	if info == nil {
		return // the writer has the error
	}
	scale := min(w/info.Width(), h/info.Height())
	pw, ph := info.Width()*scale, info.Height()*scale
	c.out.ImageOptions(name, c.x+x+(w-pw)/2, c.y+y+(h-ph)/2, pw, ph, false, options, 0, "")
}

// outline fills an outline whose unit is scale mm, with its origin at (x, y).
func (c *canvas) outline(o outline, x, y, scale float64, col colour) {
	at := func(p point) (float64, float64) { return c.x + x + p.x*scale, c.y + y + p.y*scale }
	for _, s := range o {
		px, py := at(s.to)
		switch s.op {
		case moveTo:
			c.out.MoveTo(px, py)
		case lineTo:
			c.out.LineTo(px, py)
		case curveTo:
			ax, ay := at(s.a)
			bx, by := at(s.b)
			c.out.CurveBezierCubicTo(ax, ay, bx, by, px, py)
		case closePath:
			c.out.ClosePath()
		}
	}
	c.out.SetFillColor(col.channels())
	c.out.DrawPath("F")
}

// frame draws a border of t mm inside the box.
func (c *canvas) frame(x, y, w, h, t float64, col colour) {
	c.fill(x, y, w, t, col)
	c.fill(x, y+h-t, w, t, col)
	c.fill(x, y+t, t, h-2*t, col)
	c.fill(x+w-t, y+t, t, h-2*t, col)
}
