package layout

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/phpdave11/gofpdf/font"
)

// The faces, unmodified (SIL Open Font License 1.1, see fonts/). Source Sans 3
// lacks part of Latin Extended-B and Additional (Ɔ, Ƙ, Ǩ, Ḅ…) and draws combining
// marks beside their letter when they are not positioned by GPOS, which the
// writer does not do; Noto Sans stands in for both.
var (
	//go:embed fonts/SourceSans3-Regular.ttf
	sourceRegular []byte
	//go:embed fonts/SourceSans3-Semibold.ttf
	sourceSemibold []byte
	//go:embed fonts/SourceSans3-It.ttf
	sourceItalic []byte
	//go:embed fonts/NotoSans-Regular.ttf
	notoRegular []byte
	//go:embed fonts/NotoSans-Bold.ttf
	notoBold []byte
)

type faceID uint8

const (
	regular faceID = iota
	semibold
	italic
	fallback
	fallbackStrong
	faceCount
)

// face is one font file. Reading it costs a few milliseconds, once per process:
// the writer keeps what it read, by the bytes, and so do we.
type face struct {
	family, style string // the names maroto knows it by
	file          []byte
	once          sync.Once
	*font.Face
	unit float64 // of the file, in em
}

var faces = [faceCount]face{
	regular:        {family: "source", style: "", file: sourceRegular},
	semibold:       {family: "source", style: "B", file: sourceSemibold},
	italic:         {family: "source", style: "I", file: sourceItalic},
	fallback:       {family: "noto", style: "", file: notoRegular},
	fallbackStrong: {family: "noto", style: "B", file: notoBold},
}

func (id faceID) load() *face {
	f := &faces[id]
	f.once.Do(func() {
		parsed, err := font.Load(f.file)
		if err != nil {
			panic(fmt.Sprintf("layout: embedded face %s%s: %v", f.family, f.style, err))
		}
		f.Face, f.unit = parsed, 1/float64(parsed.UnitsPerEm)
	})
	return f
}

// has says whether the face can draw r.
func (id faceID) has(r rune) bool {
	_, ok := id.load().Glyph(r)
	return ok
}

// standIn is the face for what a face lacks.
func (id faceID) standIn() faceID {
	switch id {
	case semibold, fallbackStrong:
		return fallbackStrong
	}
	return fallback
}

// advance is the width of r in mm at a size in points.
func (id faceID) advance(r rune, size float64) float64 {
	f := id.load()
	g, ok := f.Glyph(r)
	if !ok {
		return 0
	}
	return float64(f.Advance(g)) * f.unit * size * mmPerPoint
}

// kern is what the pen moves, in mm, between two characters of a face set side by side.
func (id faceID) kern(left, right rune, size float64) float64 {
	f := id.load()
	a, _ := f.Glyph(left)
	b, _ := f.Glyph(right)
	if k := f.Kern(a, b); k != 0 {
		return float64(k) * f.unit * size * mmPerPoint
	}
	return 0
}

const mmPerPoint = 25.4 / 72
