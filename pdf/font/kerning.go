package font

import (
	"sync"
	"sync/atomic"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// kerning remembers what GPOS says about pairs of glyphs. The walk through GPOS takes about a microsecond and the same
// few hundred pairs come again and again, so a small direct-mapped table in front of it answers nearly always. An
// entry holds the pair in its upper half and, below, a mark and the value; it is written and read whole.
type kerning struct {
	font  *sfnt.Font
	scale fixed.Int26_6
	known [kerningEntries]atomic.Uint64
}

const (
	kerningEntries = 1 << 12
	kerningKnown   = 1 << 16
)

var buffers = sync.Pool{New: func() any { return new(sfnt.Buffer) }}

func (k *kerning) init(f *sfnt.Font, unitsPerEm int) {
	k.font, k.scale = f, fixed.Int26_6(unitsPerEm) // at this size the answer is in font units, unrounded
}

func (k *kerning) between(left, right GlyphID) int {
	pair := uint32(left)<<16 | uint32(right)
	slot := &k.known[(pair*0x9E3779B1)>>20]
	if entry := slot.Load(); uint32(entry>>32) == pair && entry&kerningKnown != 0 {
		return int(int16(uint16(entry)))
	}
	buffer := buffers.Get().(*sfnt.Buffer)
	value, err := k.font.Kern(buffer, sfnt.GlyphIndex(left), sfnt.GlyphIndex(right), k.scale, font.HintingNone)
	buffers.Put(buffer)
	if err != nil { // no kerning for this pair
		value = 0
	}
	slot.Store(uint64(pair)<<32 | kerningKnown | uint64(uint16(int16(value))))
	return int(value)
}
