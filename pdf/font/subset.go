package font

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
)

// Subset is the part of a face that one document uses. Every character gets a CID of its own, in the order of first
// use, even where two characters share a glyph: so the way back from CID to character (ToUnicode) is always exact.
// Glyph i of the embedded program is the glyph of CID i, so CIDToGIDMap is Identity.
type Subset struct {
	Face   *Face
	common [0x600]uint16
	others map[rune]uint16
	runes  []rune    // by CID; 0 is .notdef and never shown
	glyphs []GlyphID // by CID
}

// NewSubset returns an empty subset.
func NewSubset(f *Face) *Subset {
	return &Subset{Face: f, runes: make([]rune, 1, 128), glyphs: make([]GlyphID, 1, 128)}
}

// CID returns the code of a character, and its glyph in the face. The error is a [MissingGlyph].
func (s *Subset) CID(r rune) (uint16, GlyphID, error) {
	if uint32(r) < uint32(len(s.common)) {
		if cid := s.common[r]; cid != 0 {
			return cid, s.glyphs[cid], nil
		}
	} else if cid := s.others[r]; cid != 0 {
		return cid, s.glyphs[cid], nil
	}
	g, ok := s.Face.Glyph(r)
	if !ok || len(s.runes) > 0xFFFF {
		return 0, 0, MissingGlyph{r, s.Face.Name}
	}
	cid := uint16(len(s.runes))
	s.runes = append(s.runes, r)
	s.glyphs = append(s.glyphs, g)
	if uint32(r) < uint32(len(s.common)) {
		s.common[r] = cid
	} else {
		if s.others == nil {
			s.others = map[rune]uint16{}
		}
		s.others[r] = cid
	}
	return cid, g, nil
}

// Empty tells whether no character was used.
func (s *Subset) Empty() bool { return len(s.runes) == 1 }

// Name returns the name of the embedded font: six letters that depend on the characters used, "+", and the face's
// PostScript name (ISO 32000-1, 9.6.4).
func (s *Subset) Name() string {
	h := sha256.New()
	h.Write([]byte(s.Face.Name))
	b := make([]byte, 0, 4*len(s.runes))
	for _, r := range s.runes {
		b = binary.BigEndian.AppendUint32(b, uint32(r))
	}
	h.Write(b)
	n := binary.BigEndian.Uint64(h.Sum(nil))
	tag := make([]byte, 6)
	for i := range tag {
		tag[i] = 'A' + byte(n%26)
		n /= 26
	}
	return string(tag) + "+" + s.Face.Name
}

// Widths returns the W array of the CIDFont, CIDs 1 and up in one run, in thousandths of an em.
func (s *Subset) Widths() []byte {
	b := append(make([]byte, 0, 8+4*len(s.glyphs)), "[1["...)
	for i, g := range s.glyphs[1:] {
		if i > 0 {
			b = append(b, ' ')
		}
		b = s.Face.appendThousandths(b, s.Face.Advance(g))
	}
	return append(b, "]]"...)
}

// appendThousandths writes a measure in thousandths of an em, with as many decimals as it has, three at most.
func (f *Face) appendThousandths(b []byte, units int) []byte {
	if f.UnitsPerEm == 1000 {
		return strconv.AppendInt(b, int64(units), 10)
	}
	b = strconv.AppendFloat(b, float64(units)*1000/float64(f.UnitsPerEm), 'f', 3, 64)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	return b
}

// ToUnicode returns the CMap that leads from CIDs back to characters (ISO 32000-1, 9.10.3).
func (s *Subset) ToUnicode() []byte {
	b := make([]byte, 0, 400+20*len(s.runes))
	b = append(b, `/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def
/CMapName/Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000><FFFF>
endcodespacerange
`...)
	const most = 100 // entries in one block
	for from := 1; from < len(s.runes); from += most {
		block := s.runes[from:min(from+most, len(s.runes))]
		b = fmt.Appendf(b, "%d beginbfchar\n", len(block))
		for i, r := range block {
			b = fmt.Appendf(b, "<%04X><", from+i)
			if r < 0x10000 {
				b = fmt.Appendf(b, "%04X>\n", r)
			} else {
				v := r - 0x10000
				b = fmt.Appendf(b, "%04X%04X>\n", 0xD800+v>>10, 0xDC00+v&0x3FF)
			}
		}
		b = append(b, "endbfchar\n"...)
	}
	return append(b, "endcmap\nCMapName currentdict/CMap defineresource pop\nend\nend\n"...)
}

// Program returns the TrueType program of the subset: glyphs in the order of CIDs, after them the parts that composite
// glyphs are made of, hinting left out.
func (s *Subset) Program() ([]byte, error) {
	f := s.Face
	order := slices.Clone(s.glyphs)
	place := make(map[GlyphID]int, len(order)) // where a part of a composite lies
	for i, g := range order {
		if _, ok := place[g]; !ok {
			place[g] = i
		}
	}
	glyf := make([]byte, 0, 160*len(order))
	loca := make([]uint32, 1, len(order)+16)
	for i := 0; i < len(order); i++ { // order grows while parts are found
		var err error
		glyf, err = f.appendOutline(glyf, order[i], func(part GlyphID) int {
			at, ok := place[part]
			if !ok {
				at = len(order)
				place[part] = at
				order = append(order, part)
			}
			return at
		})
		if err != nil {
			return nil, err
		}
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		loca = append(loca, uint32(len(glyf)))
	}
	if len(order) > 0xFFFF {
		return nil, unusable("%d glyphs in one document", len(order))
	}

	head := slices.Clone(f.head[:54])
	binary.BigEndian.PutUint32(head[8:], 0) // the sum over the file, put in below
	long := len(glyf) > 2*0xFFFF
	binary.BigEndian.PutUint16(head[50:], uint16(map[bool]int{true: 1}[long]))
	locaTable := make([]byte, 0, 4*len(loca))
	for _, offset := range loca {
		if long {
			locaTable = binary.BigEndian.AppendUint32(locaTable, offset)
		} else {
			locaTable = binary.BigEndian.AppendUint16(locaTable, uint16(offset/2))
		}
	}
	hhea := slices.Clone(f.hhea[:36])
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(order)))
	hmtx := make([]byte, 0, 4*len(order))
	for _, g := range order {
		hmtx = binary.BigEndian.AppendUint16(hmtx, f.advances[g])
		hmtx = binary.BigEndian.AppendUint16(hmtx, uint16(f.bearings[g]))
	}
	maxp := slices.Clone(f.maxp[:32])
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(order)))
	binary.BigEndian.PutUint16(maxp[14:], 1) // zones: no twilight zone without instructions
	clear(maxp[16:28])                       // twilight points, storage, functions, instructions, stack, size of instructions

	return assemble([]table{{"glyf", glyf}, {"head", head}, {"hhea", hhea}, {"hmtx", hmtx}, {"loca", locaTable}, {"maxp", maxp}}), nil
}

// appendOutline writes a glyph without its instructions; place gives the new index of a composite's part.
func (f *Face) appendOutline(dst []byte, g GlyphID, place func(GlyphID) int) ([]byte, error) {
	src := f.glyf[f.loca[g]:f.loca[int(g)+1]]
	if len(src) == 0 {
		return dst, nil // a space
	}
	if len(src) < 10 {
		return nil, unusable("glyph %d is cut short", g)
	}
	if i16(src, 0) >= 0 {
		return appendContours(dst, src, g)
	}
	return f.appendComposite(dst, src, g, place)
}

// appendContours writes a glyph that has an outline of its own.
func appendContours(dst, src []byte, g GlyphID) ([]byte, error) {
	at := 10 + 2*i16(src, 0)
	if len(src) < at+2 {
		return nil, unusable("glyph %d is cut short", g)
	}
	end := at + 2 + int(binary.BigEndian.Uint16(src[at:]))
	if len(src) < end {
		return nil, unusable("glyph %d is cut short", g)
	}
	dst = append(dst, src[:at]...)
	dst = append(dst, 0, 0)
	return append(dst, src[end:]...), nil
}

// appendComposite writes a glyph that is made of others.
func (f *Face) appendComposite(dst, src []byte, g GlyphID, place func(GlyphID) int) ([]byte, error) {
	const (
		wordArguments   = 1 << 0
		oneScale        = 1 << 3
		moreComponents  = 1 << 5
		twoScales       = 1 << 6
		matrix          = 1 << 7
		hasInstructions = 1 << 8
	)
	dst = append(dst, src[:10]...)
	for at := 10; ; {
		if len(src) < at+4 {
			return nil, unusable("glyph %d is cut short", g)
		}
		flags, part := binary.BigEndian.Uint16(src[at:]), binary.BigEndian.Uint16(src[at+2:])
		if int(part) >= f.numGlyphs {
			return nil, unusable("glyph %d is made of a glyph that is not there", g)
		}
		length := 6
		if flags&wordArguments != 0 {
			length = 8
		}
		switch {
		case flags&oneScale != 0:
			length += 2
		case flags&twoScales != 0:
			length += 4
		case flags&matrix != 0:
			length += 8
		}
		if len(src) < at+length {
			return nil, unusable("glyph %d is cut short", g)
		}
		dst = binary.BigEndian.AppendUint16(dst, flags&^hasInstructions)
		dst = binary.BigEndian.AppendUint16(dst, uint16(place(part)))
		dst = append(dst, src[at+4:at+length]...)
		at += length
		if flags&moreComponents == 0 {
			return dst, nil
		}
	}
}

type table struct {
	tag  string
	data []byte
}

// assemble writes a font file from its tables, which must come in the order of their tags.
func assemble(tables []table) []byte {
	size := 12 + 16*len(tables)
	for _, t := range tables {
		size += (len(t.data) + 3) &^ 3
	}
	b := make([]byte, 12+16*len(tables), size)
	n, power, log := len(tables), 1, 0
	for power*2 <= n {
		power, log = power*2, log+1
	}
	binary.BigEndian.PutUint32(b, 0x00010000)
	binary.BigEndian.PutUint16(b[4:], uint16(n))
	binary.BigEndian.PutUint16(b[6:], uint16(16*power))
	binary.BigEndian.PutUint16(b[8:], uint16(log))
	binary.BigEndian.PutUint16(b[10:], uint16(16*(n-power)))
	var headAt int
	for i, t := range tables {
		if t.tag == "head" {
			headAt = len(b)
		}
		entry := b[12+16*i:]
		copy(entry, t.tag)
		binary.BigEndian.PutUint32(entry[4:], checksum(t.data))
		binary.BigEndian.PutUint32(entry[8:], uint32(len(b)))
		binary.BigEndian.PutUint32(entry[12:], uint32(len(t.data)))
		b = append(b, t.data...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	binary.BigEndian.PutUint32(b[headAt+8:], 0xB1B0AFBA-checksum(b))
	return b
}

func checksum(b []byte) uint32 {
	var sum uint32
	for ; len(b) >= 4; b = b[4:] {
		sum += binary.BigEndian.Uint32(b)
	}
	if len(b) > 0 {
		var last [4]byte
		copy(last[:], b)
		sum += binary.BigEndian.Uint32(last[:])
	}
	return sum
}
