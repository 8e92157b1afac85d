package layout

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"sync"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// point is in mm, or in the unit of the drawing; y grows downwards.
type point struct{ x, y float64 }

// outline is closed polygons.
type outline [][]point

// raster fills the outline, w × h units large, on white with a colour: a PNG of
// side pixels per unit in sixteen shades, enough for smooth edges and a small
// file. Holes run against the sense of what they are cut from.
func (o outline) raster(w, h, pixels float64, c colour) []byte {
	size := image.Rect(0, 0, int(w*pixels), int(h*pixels))
	r := vector.NewRasterizer(size.Dx(), size.Dy())
	for _, poly := range o {
		for i, p := range poly {
			x, y := float32(p.x*pixels), float32(p.y*pixels)
			if i == 0 {
				r.MoveTo(x, y)
			} else {
				r.LineTo(x, y)
			}
		}
		r.ClosePath()
	}
	mask := image.NewAlpha(size)
	r.Draw(mask, size, image.Opaque, image.Point{})

	palette := make(color.Palette, 16)
	for i := range palette {
		mix := func(c int) uint8 { return uint8(255 + (c-255)*i/15) }
		palette[i] = color.RGBA{mix(c.r), mix(c.g), mix(c.b), 255}
	}
	img := image.NewPaletted(size, palette)
	for i, a := range mask.Pix {
		img.Pix[i] = uint8((int(a)*15 + 127) / 255)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, img); err != nil {
		panic("layout: encoding a drawing of our own: " + err.Error())
	}
	return out.Bytes()
}

// moved turns the outline by angle (radians, clockwise on paper) and puts its origin at (x, y).
func (o outline) moved(angle, x, y float64) outline {
	sin, cos := math.Sincos(angle)
	out := make(outline, len(o))
	for i, poly := range o {
		out[i] = make([]point, len(poly))
		for j, p := range poly {
			out[i][j] = point{x + p.x*cos - p.y*sin, y + p.x*sin + p.y*cos}
		}
	}
	return out
}

// letters outlines a line of text centred on the origin, size mm to the em.
func letters(text string, id faceID, size float64) outline {
	f := id.load()
	var buf sfnt.Buffer
	var o outline
	const unit = 1000
	x := 0.0
	scale := size / unit
	for _, r := range text {
		g, err := f.parsed.GlyphIndex(&buf, r)
		if err != nil || g == 0 {
			continue
		}
		segs, err := f.parsed.LoadGlyph(&buf, g, fixed.I(unit), nil)
		if err != nil {
			continue
		}
		at := func(p fixed.Point26_6) point {
			return point{x + float64(p.X)/64*scale, float64(p.Y) / 64 * scale}
		}
		var poly []point
		for _, s := range segs {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				if len(poly) > 0 {
					o = append(o, poly)
				}
				poly = []point{at(s.Args[0])}
			case sfnt.SegmentOpLineTo:
				poly = append(poly, at(s.Args[0]))
			case sfnt.SegmentOpQuadTo:
				a, b, c := poly[len(poly)-1], at(s.Args[0]), at(s.Args[1])
				const n = 8
				for i := 1; i <= n; i++ {
					t := float64(i) / n
					u := 1 - t
					poly = append(poly, point{u*u*a.x + 2*u*t*b.x + t*t*c.x, u*u*a.y + 2*u*t*b.y + t*t*c.y})
				}
			}
		}
		if len(poly) > 0 {
			o = append(o, poly)
		}
		x += float64(f.width[r]) * scale
	}
	for _, poly := range o {
		for i := range poly {
			poly[i].x -= x / 2
			poly[i].y += 0.33 * size // half the cap height
		}
	}
	return o
}

// The watermark covers the page above the footer; its picture has a width no
// emblem can have, for gofpdf puts images in order of width.
const (
	watermarkHeight = pageHeight - footerHeight - marginBottom
	watermarkPixels = 8.0 // per mm
)

// watermarks keeps what was drawn: templates have one wording, so it holds one entry.
var watermarks sync.Map

// watermark draws lines across the page, the first large, the others under it.
func watermark(lines []string) ([]byte, *Fault) {
	for _, l := range lines {
		for _, r := range l {
			if !semibold.has(r) {
				return nil, missingGlyph(r, "the watermark")
			}
		}
	}
	key := strings.Join(lines, "\n")
	if file, ok := watermarks.Load(key); ok {
		return file.([]byte), nil
	}
	angle := -math.Atan2(watermarkHeight, pageWidth)
	sin, cos := math.Sincos(angle)
	var all outline
	down := -10.0 // mm along the turned vertical
	for i, l := range lines {
		size := 66.0
		if i > 0 {
			size = 27
			down += 34
		}
		all = append(all, letters(l, semibold, size).moved(angle, pageWidth/2-sin*down, watermarkHeight/2+cos*down)...)
	}
	file := all.raster(pageWidth, watermarkHeight, watermarkPixels, shadow)
	watermarks.Store(key, file)
	return file, nil
}
