// Package font reads TrueType faces and cuts from them the part a document needs.
//
// A [Face] is a parsed font file. It is immutable, shared by every document of the process ([Load] keeps it by the
// SHA-256 of its bytes) and safe for concurrent use. A [Subset] belongs to one document and is not.
//
// Read are the tables head, hhea, hmtx, maxp, cmap (formats 4 and 12), OS/2, post, name, loca and glyf as ISO/IEC
// 14496-22 (OpenType) defines them, and GPOS pair kerning through golang.org/x/image/font/sfnt. Fonts with CFF
// outlines, variable fonts and fonts whose licence bits forbid embedding are refused.
package font

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/image/font/sfnt"
)

// GlyphID is a glyph's index in the font file.
type GlyphID = uint16

// MissingGlyph is the error for a character the face has no glyph for.
type MissingGlyph struct {
	Rune rune
	Face string // PostScript name of the face
}

func (e MissingGlyph) Error() string {
	return fmt.Sprintf("font %s has no glyph for U+%04X", e.Face, e.Rune)
}

// ErrUnusable is wrapped by every error about a font file itself.
var ErrUnusable = errors.New("font cannot be used")

// Box is a rectangle in font units.
type Box struct{ XMin, YMin, XMax, YMax int }

// Face is a parsed TrueType font. All measures are in font units, UnitsPerEm to the em.
type Face struct {
	Name        string // PostScript name
	UnitsPerEm  int
	Ascent      int // above the baseline
	Descent     int // below the baseline, negative
	CapHeight   int
	ItalicAngle float64 // degrees, counterclockwise
	StemV       int     // thousandths of an em, estimated from the weight class
	Fixed       bool    // every glyph has the same width
	Serif       bool
	Bounds      Box

	numGlyphs int
	head      []byte
	hhea      []byte
	maxp      []byte
	glyf      []byte
	loca      []uint32
	advances  []uint16
	bearings  []int16

	common [0x600]GlyphID // Latin, Greek, Cyrillic, Hebrew: nearly every look-up ends here
	others map[rune]GlyphID

	kerning kerning
}

func unusable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnusable, fmt.Sprintf(format, args...))
}

// Parse reads a TrueType font. The bytes are kept and must not be changed afterwards.
func Parse(data []byte) (*Face, error) {
	tables, err := directory(data)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"head", "hhea", "hmtx", "maxp", "cmap", "OS/2", "post", "name", "loca", "glyf"} {
		if tables[name] == nil {
			return nil, unusable("table %q is missing", name)
		}
	}
	if tables["fvar"] != nil {
		return nil, unusable("it is a variable font; give a static instance")
	}
	f := &Face{head: tables["head"], hhea: tables["hhea"], maxp: tables["maxp"], glyf: tables["glyf"]}
	steps := []func(map[string][]byte) error{f.readHeaders, f.readMetrics, f.readOS2, f.readOutlines, f.readCharacters, f.readName}
	for _, step := range steps {
		if err := step(tables); err != nil {
			return nil, err
		}
	}
	parsed, err := sfnt.Parse(data)
	if err != nil {
		return nil, unusable("%v", err)
	}
	f.kerning.init(parsed, f.UnitsPerEm)
	return f, nil
}

// directory finds the tables of a font file.
func directory(data []byte) (map[string][]byte, error) {
	if len(data) < 12 {
		return nil, unusable("it is %d bytes long", len(data))
	}
	switch v := binary.BigEndian.Uint32(data); v {
	case 0x00010000, 0x74727565: // 1.0, 'true'
	case 0x4F54544F: // 'OTTO'
		return nil, unusable("its outlines are CFF; give the TrueType version")
	default:
		return nil, unusable("it is not a TrueType font")
	}
	n := int(binary.BigEndian.Uint16(data[4:]))
	if len(data) < 12+16*n {
		return nil, unusable("its table directory is cut short")
	}
	tables := make(map[string][]byte, n)
	for i := range n {
		entry := data[12+16*i:]
		offset, length := uint64(binary.BigEndian.Uint32(entry[8:])), uint64(binary.BigEndian.Uint32(entry[12:]))
		if offset+length > uint64(len(data)) {
			return nil, unusable("table %q reaches beyond the file", entry[:4])
		}
		tables[string(entry[:4])] = data[offset : offset+length : offset+length]
	}
	return tables, nil
}

func (f *Face) readHeaders(t map[string][]byte) error {
	if len(f.head) < 54 || len(f.hhea) < 36 || len(f.maxp) < 32 || len(t["post"]) < 32 {
		return unusable("a header table is cut short")
	}
	f.UnitsPerEm = int(binary.BigEndian.Uint16(f.head[18:]))
	if f.UnitsPerEm < 16 || f.UnitsPerEm > 16384 {
		return unusable("%d units per em", f.UnitsPerEm)
	}
	f.Bounds = Box{i16(f.head, 36), i16(f.head, 38), i16(f.head, 40), i16(f.head, 42)}
	f.Ascent, f.Descent = i16(f.hhea, 4), i16(f.hhea, 6)
	f.numGlyphs = int(binary.BigEndian.Uint16(f.maxp[4:]))
	f.ItalicAngle = float64(int32(binary.BigEndian.Uint32(t["post"][4:]))) / 65536
	f.Fixed = binary.BigEndian.Uint32(t["post"][12:]) != 0
	return nil
}

func (f *Face) readMetrics(t map[string][]byte) error {
	hmtx := t["hmtx"]
	long := int(binary.BigEndian.Uint16(f.hhea[34:]))
	if long == 0 || long > f.numGlyphs || len(hmtx) < 4*long+2*(f.numGlyphs-long) {
		return unusable("table \"hmtx\" is cut short")
	}
	f.advances, f.bearings = make([]uint16, f.numGlyphs), make([]int16, f.numGlyphs)
	for g := range f.numGlyphs {
		if g < long {
			f.advances[g] = binary.BigEndian.Uint16(hmtx[4*g:])
			f.bearings[g] = int16(i16(hmtx, 4*g+2))
			continue
		}
		f.advances[g] = f.advances[long-1]
		f.bearings[g] = int16(i16(hmtx, 4*long+2*(g-long)))
	}
	return nil
}

func (f *Face) readOS2(t map[string][]byte) error {
	os2 := t["OS/2"]
	if len(os2) < 78 {
		return unusable("table \"OS/2\" is cut short")
	}
	// fsType: bit 1 alone means "restricted licence embedding"; bit 8 forbids subsets.
	if rights := binary.BigEndian.Uint16(os2[8:]); rights&0xF == 2 || rights&0x100 != 0 {
		return unusable("its licence bits forbid embedding a subset")
	}
	weight := int(binary.BigEndian.Uint16(os2[4:]))
	f.StemV = max(50, 50+(weight-400)/5+30)
	class := os2[30] // sFamilyClass, high byte
	f.Serif = class >= 1 && class <= 5 || class == 7
	f.CapHeight = f.Ascent * 7 / 10
	if version := binary.BigEndian.Uint16(os2); version >= 2 && len(os2) >= 90 {
		f.CapHeight = i16(os2, 88)
	}
	return nil
}

func (f *Face) readOutlines(t map[string][]byte) error {
	loca := t["loca"]
	f.loca = make([]uint32, f.numGlyphs+1)
	short := binary.BigEndian.Uint16(f.head[50:]) == 0
	size := 4
	if short {
		size = 2
	}
	if len(loca) < size*len(f.loca) {
		return unusable("table \"loca\" is cut short")
	}
	for i := range f.loca {
		if short {
			f.loca[i] = 2 * uint32(binary.BigEndian.Uint16(loca[2*i:]))
		} else {
			f.loca[i] = binary.BigEndian.Uint32(loca[4*i:])
		}
		if i > 0 && f.loca[i] < f.loca[i-1] || f.loca[i] > uint32(len(f.glyf)) {
			return unusable("table \"loca\" points outside \"glyf\"")
		}
	}
	return nil
}

// readCharacters takes the best Unicode subtable of cmap: 3/10 or 0/4 and above (format 12), else 3/1 or 0/x (format 4).
func (f *Face) readCharacters(t map[string][]byte) error {
	cmap := t["cmap"]
	if len(cmap) < 4 {
		return unusable("table \"cmap\" is cut short")
	}
	f.others = map[rune]GlyphID{}
	best, bestRank := []byte(nil), 0
	for i := range int(binary.BigEndian.Uint16(cmap[2:])) {
		if len(cmap) < 12+8*i {
			return unusable("table \"cmap\" is cut short")
		}
		entry := cmap[4+8*i:]
		platform, encoding := binary.BigEndian.Uint16(entry), binary.BigEndian.Uint16(entry[2:])
		offset := binary.BigEndian.Uint32(entry[4:])
		if uint64(offset)+16 > uint64(len(cmap)) {
			continue
		}
		sub := cmap[offset:]
		format := binary.BigEndian.Uint16(sub)
		rank := 0
		switch {
		case format == 12 && (platform == 3 && encoding == 10 || platform == 0):
			rank = 2
		case format == 4 && (platform == 3 && encoding == 1 || platform == 0):
			rank = 1
		}
		if rank > bestRank {
			best, bestRank = sub, rank
		}
	}
	switch bestRank {
	case 2:
		return f.readFormat12(best)
	case 1:
		return f.readFormat4(best)
	}
	return unusable("it has no Unicode character map")
}

func (f *Face) readFormat12(sub []byte) error {
	groups := int(binary.BigEndian.Uint32(sub[12:]))
	if groups > (len(sub)-16)/12 {
		return unusable("its character map is cut short")
	}
	for i := range groups {
		g := sub[16+12*i:]
		first, last, glyph := binary.BigEndian.Uint32(g), binary.BigEndian.Uint32(g[4:]), binary.BigEndian.Uint32(g[8:])
		if last < first || last > utf8.MaxRune || last-first > 0xFFFF {
			return unusable("its character map has a wrong group")
		}
		for r := first; r <= last; r++ {
			f.assign(rune(r), int(glyph+r-first))
		}
	}
	return nil
}

func (f *Face) readFormat4(sub []byte) error {
	n := int(binary.BigEndian.Uint16(sub[6:])) / 2
	if len(sub) < 16+8*n {
		return unusable("its character map is cut short")
	}
	ends, starts, deltas, offsets := sub[14:], sub[16+2*n:], sub[16+4*n:], sub[16+6*n:]
	for i := range n {
		first, last := int(binary.BigEndian.Uint16(starts[2*i:])), int(binary.BigEndian.Uint16(ends[2*i:]))
		delta, offset := int(binary.BigEndian.Uint16(deltas[2*i:])), int(binary.BigEndian.Uint16(offsets[2*i:]))
		for r := first; r <= last && r < 0xFFFF; r++ {
			glyph := r + delta
			if offset != 0 {
				at := 2*i + offset + 2*(r-first)
				if at+2 > len(offsets) {
					return unusable("its character map is cut short")
				}
				if glyph = int(binary.BigEndian.Uint16(offsets[at:])); glyph == 0 {
					continue
				}
				glyph += delta
			}
			f.assign(rune(r), glyph&0xFFFF)
		}
	}
	return nil
}

func (f *Face) assign(r rune, glyph int) {
	if glyph == 0 || glyph >= f.numGlyphs {
		return
	}
	if int(r) < len(f.common) {
		f.common[r] = GlyphID(glyph)
	} else {
		f.others[r] = GlyphID(glyph)
	}
}

// readName takes the PostScript name (name ID 6) and keeps of it what a PDF name may hold unescaped.
func (f *Face) readName(t map[string][]byte) error {
	name := t["name"]
	if len(name) < 6 {
		return unusable("table \"name\" is cut short")
	}
	storage := int(binary.BigEndian.Uint16(name[4:]))
	for i := range int(binary.BigEndian.Uint16(name[2:])) {
		if len(name) < 18+12*i {
			break
		}
		rec := name[6+12*i:]
		platform, id := binary.BigEndian.Uint16(rec), binary.BigEndian.Uint16(rec[6:])
		length, offset := int(binary.BigEndian.Uint16(rec[8:])), int(binary.BigEndian.Uint16(rec[10:]))
		if id != 6 || storage+offset+length > len(name) {
			continue
		}
		raw := name[storage+offset:][:length]
		text := string(raw)
		if platform != 1 { // Unicode and Windows names are UTF-16BE
			units := make([]uint16, length/2)
			for j := range units {
				units[j] = binary.BigEndian.Uint16(raw[2*j:])
			}
			text = string(utf16.Decode(units))
		}
		f.Name = strings.Map(func(r rune) rune {
			if r > ' ' && r < 0x7F && !strings.ContainsRune("[](){}<>/%#", r) {
				return r
			}
			return -1
		}, text)
		if f.Name != "" {
			return nil
		}
	}
	return unusable("it has no PostScript name")
}

// Glyph returns the glyph of a character and whether the face has one.
func (f *Face) Glyph(r rune) (GlyphID, bool) {
	if uint32(r) < uint32(len(f.common)) {
		g := f.common[r]
		return g, g != 0
	}
	g, ok := f.others[r]
	return g, ok
}

// Advance returns how far a glyph moves the pen.
func (f *Face) Advance(g GlyphID) int { return int(f.advances[g]) }

// Kern returns what is added between two glyphs set side by side; mostly 0 or negative.
func (f *Face) Kern(left, right GlyphID) int { return f.kerning.between(left, right) }

// Width returns the width of a text, kerning included. The error is a [MissingGlyph].
func (f *Face) Width(text string) (int, error) {
	width, before := 0, GlyphID(0)
	for _, r := range text {
		g, ok := f.Glyph(r)
		if !ok {
			return 0, MissingGlyph{r, f.Name}
		}
		if before != 0 {
			width += f.Kern(before, g)
		}
		width += int(f.advances[g])
		before = g
	}
	return width, nil
}

func i16(b []byte, at int) int { return int(int16(binary.BigEndian.Uint16(b[at:]))) }
