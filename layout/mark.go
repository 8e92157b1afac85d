package layout

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"math"
	"slices"
	"sync"
)

// Mark is an institution's emblem, ready to be drawn.
type Mark struct{ file []byte }

// maxMark bounds an emblem's sides in pixels: 1,000 over 14 mm is 1,800 dpi.
const maxMark = 1000

// ReadMark reads an emblem from a PNG of at most 1,000 × 1,000 pixels.
// Transparent parts become white, as paper is.
func ReadMark(file []byte) (*Mark, error) {
	cfg, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("layout: the emblem is not a PNG: %w", err)
	}
	if cfg.Width < 16 || cfg.Height < 16 || cfg.Width > maxMark || cfg.Height > maxMark {
		return nil, fmt.Errorf("layout: the emblem has %d × %d pixels; its sides must be between 16 and %d", cfg.Width, cfg.Height, maxMark)
	}
	src, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("layout: reading the emblem: %w", err)
	}
	// Drawn anew, so that what maroto gets is always plain 8-bit RGB without transparency or interlacing.
	flat := image.NewRGBA(image.Rect(0, 0, cfg.Width, cfg.Height))
	draw.Draw(flat, flat.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(flat, flat.Bounds(), src, src.Bounds().Min, draw.Over)
	var out bytes.Buffer
	if err := png.Encode(&out, flat); err != nil {
		return nil, fmt.Errorf("layout: writing the emblem: %w", err)
	}
	return &Mark{out.Bytes()}, nil
}

func (m *Mark) png() []byte {
	if m == nil {
		return ownMark()
	}
	return m.file
}

// ownOutline is the mark of our own drawing, 100 units wide: a seal with a rim,
// and in it three peaks one behind the other, which are also a roof over a roof.
// It is no coat of arms and nobody's logo.
func ownOutline() outline {
	circle := func(r float64) []point {
		const n = 180
		p := make([]point, n)
		for i := range p {
			sin, cos := math.Sincos(2 * math.Pi * float64(i) / n)
			p[i] = point{50 + r*cos, 50 + r*sin}
		}
		return p
	}
	chevron := func(apex, half, drop, thick float64) []point {
		return []point{
			{50, apex}, {50 + half, apex + drop}, {50 + half, apex + drop + thick},
			{50, apex + thick}, {50 - half, apex + drop + thick}, {50 - half, apex + drop},
		}
	}
	o := outline{
		circle(50), circle(46), circle(43),
		chevron(22, 28, 27, 9),
		chevron(38, 28, 27, 9),
		{{50, 54}, {69, 72.4}, {31, 72.4}},
	}
	for i := range o {
		if i == 1 || i >= 3 { // white
			slices.Reverse(o[i])
		}
	}
	return o
}

// ownMark is drawn once: 560 pixels over 14 mm are 1,016 dpi.
var ownMark = sync.OnceValue(func() []byte { return ownOutline().raster(100, 100, 5.6, blue) })
