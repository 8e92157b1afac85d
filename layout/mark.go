package layout

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"slices"
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
	// Drawn anew, so that what is embedded is always plain 8-bit RGB without transparency or interlacing.
	flat := image.NewRGBA(image.Rect(0, 0, cfg.Width, cfg.Height))
	draw.Draw(flat, flat.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(flat, flat.Bounds(), src, src.Bounds().Min, draw.Over)
	var out bytes.Buffer
	if err := png.Encode(&out, flat); err != nil {
		return nil, fmt.Errorf("layout: writing the emblem: %w", err)
	}
	return &Mark{out.Bytes()}, nil
}

// draw puts the emblem into a square of size mm.
func (m *Mark) draw(c *canvas, x, y, size float64) {
	if m == nil {
		c.outline(ownMark, x, y, size/100, blue)
		return
	}
	c.picture(m.file, false, x, y, size, size)
}

// ownMark is the mark of our own drawing, 100 units wide: a seal with a rim, and in it three peaks one behind the
// other, which are also a roof over a roof. It is no coat of arms and nobody's logo.
var ownMark = func() outline {
	chevron := func(apex, half, drop, thick float64) outline { // against the sense of the disc: cut out of it
		return polygon(
			point{50 - half, apex + drop}, point{50 - half, apex + drop + thick}, point{50, apex + thick},
			point{50 + half, apex + drop + thick}, point{50 + half, apex + drop}, point{50, apex},
		)
	}
	return slices.Concat(
		circle(50, 50, 50, true), circle(50, 50, 46, false), circle(50, 50, 43, true),
		chevron(22, 28, 27, 9), chevron(38, 28, 27, 9),
		polygon(point{31, 72.4}, point{69, 72.4}, point{50, 54}),
	)
}()
