package layout

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// point is in mm, or in the unit of the drawing; y grows downwards.
type point struct{ x, y float64 }

// step is a part of an outline: where it leads, and the control points of a curve.
type step struct {
	op       stepKind
	to, a, b point
}

type stepKind uint8

const (
	moveTo stepKind = iota
	lineTo
	curveTo
	closePath
)

// outline is closed lines. What runs against the sense of what it lies in is a hole.
type outline []step

// polygon is an outline of straight lines.
func polygon(ps ...point) outline {
	o := make(outline, 0, len(ps)+1)
	for i, p := range ps {
		o = append(o, step{op: pick(i == 0, moveTo, lineTo), to: p})
	}
	return append(o, step{op: closePath})
}

// circle is an outline of four curves, clockwise or not.
func circle(cx, cy, r float64, clockwise bool) outline {
	const k = 0.5522847498 // of the radius, from the end of a quarter to its control point
	y := func(d float64) float64 { return pick(clockwise, cy+d, cy-d) }
	return outline{
		{op: moveTo, to: point{cx + r, cy}},
		{op: curveTo, a: point{cx + r, y(k * r)}, b: point{cx + k*r, y(r)}, to: point{cx, y(r)}},
		{op: curveTo, a: point{cx - k*r, y(r)}, b: point{cx - r, y(k * r)}, to: point{cx - r, cy}},
		{op: curveTo, a: point{cx - r, y(-k * r)}, b: point{cx - k*r, y(-r)}, to: point{cx, y(-r)}},
		{op: curveTo, a: point{cx + k*r, y(-r)}, b: point{cx + r, y(-k * r)}, to: point{cx + r, cy}},
		{op: closePath},
	}
}

// moved turns the outline by angle (radians, clockwise on paper) and puts its origin at (x, y).
func (o outline) moved(angle, x, y float64) outline {
	sin, cos := math.Sincos(angle)
	turn := func(p point) point { return point{x + p.x*cos - p.y*sin, y + p.x*sin + p.y*cos} }
	out := make(outline, len(o))
	for i, s := range o {
		out[i] = step{s.op, turn(s.to), turn(s.a), turn(s.b)}
	}
	return out
}

// outlines are the glyphs of the watermark's face.
var outlines = sync.OnceValue(func() *sfnt.Font {
	f, err := sfnt.Parse(faces[semibold].file)
	if err != nil {
		panic("layout: embedded face: " + err.Error())
	}
	return f
})

// letters outlines a line of text centred on the origin, size mm to the em.
func letters(text string, size float64) outline {
	f := outlines()
	var buf sfnt.Buffer
	var o outline
	const unit = 1000
	scale := size / unit
	x := 0.0
	for _, r := range text {
		g, err := f.GlyphIndex(&buf, r)
		if err != nil {
			continue
		}
		segs, err := f.LoadGlyph(&buf, g, fixed.I(unit), nil)
		if err != nil {
			continue
		}
		at := func(p fixed.Point26_6) point {
			return point{x + float64(p.X)/64*scale, float64(p.Y)/64*scale + 0.33*size} // half the cap height lower
		}
		var cur point
		open := false
		for _, s := range segs {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				if open {
					o = append(o, step{op: closePath})
				}
				open, cur = true, at(s.Args[0])
				o = append(o, step{op: moveTo, to: cur})
			case sfnt.SegmentOpLineTo:
				cur = at(s.Args[0])
				o = append(o, step{op: lineTo, to: cur})
			case sfnt.SegmentOpQuadTo: // the same curve with two control points
				q, to := at(s.Args[0]), at(s.Args[1])
				mix := func(end point) point { return point{end.x + (q.x-end.x)*2/3, end.y + (q.y-end.y)*2/3} }
				o = append(o, step{curveTo, to, mix(cur), mix(to)})
				cur = to
			case sfnt.SegmentOpCubeTo:
				cur = at(s.Args[2])
				o = append(o, step{curveTo, cur, at(s.Args[0]), at(s.Args[1])})
			}
		}
		if open {
			o = append(o, step{op: closePath})
		}
		x += semibold.advance(r, size/mmPerPoint)
	}
	for i := range o {
		for _, p := range []*point{&o[i].to, &o[i].a, &o[i].b} {
			p.x -= x / 2
		}
	}
	return o
}

// watermark is the height it covers: the page's above the footer.
func (s sheet) watermark() float64 { return s.h - footerHeight - marginBottom }

// watermarks keeps what was outlined: templates have one wording, so it holds an entry for each way up.
var watermarks sync.Map

// watermark outlines lines across the page, the first large, the others under it.
func watermark(sh sheet, lines []string) (outline, *Fault) {
	for _, l := range lines {
		for _, r := range l {
			if !semibold.has(r) {
				return nil, missingGlyph(r, "the watermark")
			}
		}
	}
	key := strings.Join(append(slices.Clone(lines), fmt.Sprint(sh.w)), "\n")
	if o, ok := watermarks.Load(key); ok {
		return o.(outline), nil
	}
	w, h := sh.w, sh.watermark()
	angle := -math.Atan2(h, w)
	sin, cos := math.Sincos(angle)
	var all outline
	down := -10.0 // mm along the turned vertical
	for i, l := range lines {
		size := 66.0
		if i > 0 {
			size = 27
			down += 34
		}
		all = append(all, letters(l, size).moved(angle, w/2-sin*down, h/2+cos*down)...)
	}
	watermarks.Store(key, all)
	return all, nil
}
