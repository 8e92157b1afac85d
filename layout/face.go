package layout

import (
	_ "embed"
	"fmt"
	"math"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// The faces, unmodified (SIL Open Font License 1.1, see fonts/). Source Sans 3
// lacks part of Latin Extended-B and Additional (Ɔ, Ƙ, Ǩ, Ḅ…) and draws combining
// marks beside their letter when they are not positioned by GPOS, which stock
// gofpdf does not read; Noto Sans stands in for both.
var (
	//go:embed fonts/SourceSans3-Regular.ttf
	sourceRegular []byte
	//go:embed fonts/SourceSans3-Semibold.ttf
	sourceSemibold []byte
	//go:embed fonts/SourceSans3-It.ttf
	sourceItalic []byte
	//go:embed fonts/NotoSans-Regular.ttf
	notoRegular []byte
)

type faceID int

const (
	regular faceID = iota
	semibold
	italic
	fallback
	faceCount
)

// face is one font file and what is measured of it. Reading it costs a few
// milliseconds, once per process.
type face struct {
	family, style string // the names maroto knows it by
	file          []byte
	once          sync.Once
	parsed        *sfnt.Font
	width         []int16 // advance in 1/1000 em by character of the basic plane, -1 without a glyph
}

var faces = [faceCount]face{
	regular:  {family: "source", style: "", file: sourceRegular},
	semibold: {family: "source", style: "B", file: sourceSemibold},
	italic:   {family: "source", style: "I", file: sourceItalic},
	fallback: {family: "noto", style: "", file: notoRegular},
}

func (id faceID) load() *face {
	f := &faces[id]
	f.once.Do(func() {
		parsed, err := sfnt.Parse(f.file)
		if err != nil {
			panic(fmt.Sprintf("layout: embedded face %s%s: %v", f.family, f.style, err))
		}
		f.parsed = parsed
		f.width = make([]int16, 0x10000)
		var buf sfnt.Buffer
		em := fixed.I(1000)
		for r := range f.width {
			f.width[r] = -1
			g, err := parsed.GlyphIndex(&buf, rune(r))
			if err != nil || g == 0 {
				continue
			}
			adv, err := parsed.GlyphAdvance(&buf, g, em, font.HintingNone)
			if err != nil {
				continue
			}
			f.width[r] = int16(math.Round(float64(adv) / 64))
		}
	})
	return f
}

// has says whether the face can draw r. Characters above U+FFFF are out: stock
// gofpdf indexes a table of 65,536 entries with them and panics.
func (id faceID) has(r rune) bool { return r <= 0xFFFF && id.load().width[r] >= 0 }

// advance is the width of r in mm at a size in points.
func (id faceID) advance(r rune, size float64) float64 {
	w := id.load().width[r]
	if w < 0 {
		return 0
	}
	return float64(w) / 1000 * size * mmPerPoint
}

const mmPerPoint = 25.4 / 72
