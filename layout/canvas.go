package layout

import (
	"github.com/johnfercher/maroto/v2/pkg/consts/align"
	"github.com/johnfercher/maroto/v2/pkg/consts/extension"
	"github.com/johnfercher/maroto/v2/pkg/consts/fontstyle"
	"github.com/johnfercher/maroto/v2/pkg/consts/linestyle"
	"github.com/johnfercher/maroto/v2/pkg/consts/orientation"
	"github.com/johnfercher/maroto/v2/pkg/core"
	"github.com/johnfercher/maroto/v2/pkg/core/entity"
	"github.com/johnfercher/maroto/v2/pkg/props"
)

// canvas puts marks on the page. Coordinates are mm from the top left corner of
// the piece being drawn; x may reach into the margins.
type canvas struct {
	p    core.Provider
	x, y float64 // of the piece, from the page's margins
}

// text draws one run with its baseline at y.
func (c *canvas) text(r run, x, y float64) {
	f := &faces[r.st.face]
	size := r.st.size * mmPerPoint
	// maroto breaks a text that is wider than its cell: ours was broken before, so the cell is wide.
	cell := entity.Cell{X: c.x + x, Y: c.y + y - size, Width: r.w + pageWidth, Height: size}
	c.p.AddText(r.text, &cell, &props.Text{
		Family: f.family, Style: fontstyle.Type(f.style), Size: r.st.size, Align: align.Left,
		Color: &props.Color{Red: r.st.colour.r, Green: r.st.colour.g, Blue: r.st.colour.b},
	})
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

// right draws a line that ends at x.
func (c *canvas) right(l textLine, x, y float64, st style) { c.line(l, x-l.width, y, st) }

// fill paints a rectangle.
func (c *canvas) fill(x, y, w, h float64, col colour) {
	if w <= 0 || h <= 0 {
		return
	}
	c.p.AddLine(&entity.Cell{X: c.x + x, Y: c.y + y, Width: w, Height: h}, &props.Line{
		Color:       &props.Color{Red: col.r, Green: col.g, Blue: col.b},
		Orientation: orientation.Horizontal, Style: linestyle.Solid,
		Thickness: h, OffsetPercent: 50, SizePercent: 100,
	})
}

// image draws a PNG that fits the box, centred.
func (c *canvas) image(png []byte, x, y, w, h float64) {
	c.p.AddImageFromBytes(png, &entity.Cell{X: c.x + x, Y: c.y + y, Width: w, Height: h},
		&props.Rect{Percent: 100, Center: true}, extension.Png)
}

// frame draws a border of t mm inside the box.
func (c *canvas) frame(x, y, w, h, t float64, col colour) {
	c.fill(x, y, w, t, col)
	c.fill(x, y+h-t, w, t, col)
	c.fill(x, y+t, t, h-2*t, col)
	c.fill(x+w-t, y+t, t, h-2*t, col)
}
