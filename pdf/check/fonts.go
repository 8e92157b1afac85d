package check

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// fontFacts is a font and what was shown with it.
type fontFacts struct {
	dict  dict
	shown map[uint16]bool
	odd   bool
}

func (j *judge) font(v any) *fontFacts {
	r, _ := v.(ref)
	if known := j.fonts[r]; known != nil {
		return known
	}
	d, _ := as[dict](j.file, v)
	f := &fontFacts{dict: d, shown: map[uint16]bool{}}
	j.fonts[r] = f
	return f
}

// show notes the two-byte codes of a string.
func (f *fontFacts) show(s text) {
	f.odd = f.odd || len(s)%2 == 1
	for i := 0; i+1 < len(s); i += 2 {
		f.shown[uint16(s[i])<<8|uint16(s[i+1])] = true
	}
}

func (j *judge) judgeFonts() {
	for _, f := range j.fonts {
		j.judgeFont(f)
	}
}

// judgeFont judges a composite TrueType font whose codes are its glyphs.
func (j *judge) judgeFont(f *fontFacts) {
	base, _ := f.dict["BaseFont"].(name)
	descendants, _ := as[array](j.file, f.dict["DescendantFonts"])
	if f.dict["Subtype"] != name("Type0") || f.dict["Encoding"] != name("Identity-H") || len(descendants) != 1 {
		j.violated("A 6.2.11", "font %s is no composite font with Identity-H", base)
		return
	}
	d, _ := as[dict](j.file, descendants[0])
	if d["Subtype"] != name("CIDFontType2") || d["CIDToGIDMap"] != name("Identity") || d["BaseFont"] != base {
		j.violated("A 6.2.11.3.2", "font %s does not say which glyph a code is", base)
		return
	}
	descriptor, _ := as[dict](j.file, d["FontDescriptor"])
	program, ok := as[stream](j.file, descriptor["FontFile2"])
	if !ok {
		j.violated("A 6.2.11.4.1", "font %s is not embedded", base)
		return
	}
	if len(base) < 8 || base[6] != '+' || descriptor["FontName"] != base {
		j.violated("PDF 9.6.4", "font %s is not named as a subset", base)
	}
	data, err := j.decode(program)
	if err != nil {
		j.violated("A 6.2.11.4.1", "font %s: %v", base, err)
		return
	}
	unicode, ok := as[stream](j.file, f.dict["ToUnicode"])
	var meaning map[uint16]string
	if ok {
		if cmap, err := j.decode(unicode); err == nil {
			meaning = characters(cmap)
		}
	}
	if meaning == nil {
		j.violated("A 6.2.11.7.2", "font %s does not say which characters its codes are", base)
		return
	}
	if f.odd {
		j.violated("PDF 9.7.6", "a text in font %s has half a code", base)
	}
	j.codes(f, base, data, j.widths(d["W"]), meaning)
}

// codes judges that the codes shown have glyphs in the program, of the widths that the file says, and stand for
// characters.
func (j *judge) codes(f *fontFacts, base name, program []byte, widths map[uint16]float64, meaning map[uint16]string) {
	advances, outlines, per := trueType(program)
	if advances == nil {
		j.violated("A 6.2.11.4.1", "the program of font %s is broken", base)
		return
	}
	for code := range f.shown {
		said, known := widths[code]
		switch {
		case code == 0:
			j.violated("A 6.2.11.8", "font %s shows .notdef", base)
		case int(code) >= len(advances):
			j.violated("A 6.2.11.4.1", "font %s has no glyph %d", base, code)
		case !known || abs(said-float64(advances[code])*1000/float64(per)) > 1:
			j.violated("A 6.2.11.5", "glyph %d of font %s has another width than the file says", code, base)
		case meaning[code] == "" || strings.ContainsAny(meaning[code], "\x00\uFEFF\uFFFE\uFFFD"):
			j.violated("A 6.2.11.7.2", "font %s does not say which character code %d is", base, code)
		case !outlines[code] && strings.TrimSpace(strings.ReplaceAll(meaning[code], "\u00AD", " ")) != "":
			j.violated("A 6.2.11.4.1", "glyph %d of font %s is empty and stands for a character", code, base)
		}
	}
}

func abs(v float64) float64 { return max(v, -v) }

// widths reads a W array.
func (j *judge) widths(v any) map[uint16]float64 {
	widths := map[uint16]float64{}
	a, _ := as[array](j.file, v)
	for i := 0; i+1 < len(a); i += 2 {
		first, _ := a[i].(int)
		run, _ := as[array](j.file, a[i+1])
		for n, w := range run {
			widths[uint16(first+n)] = num(w)
		}
	}
	return widths
}

// trueType returns the advances of a font program's glyphs, whether each has an outline, and the units per em; nil when
// the program is broken.
func trueType(b []byte) (advances []uint16, outlines []bool, per int) {
	if len(b) < 12 || binary.BigEndian.Uint32(b) != 0x00010000 {
		return nil, nil, 0
	}
	tables := map[string][]byte{}
	for i := range int(binary.BigEndian.Uint16(b[4:])) {
		if len(b) < 28+16*i {
			return nil, nil, 0
		}
		e := b[12+16*i:]
		at, size := int(binary.BigEndian.Uint32(e[8:])), int(binary.BigEndian.Uint32(e[12:]))
		if at+size > len(b) {
			return nil, nil, 0
		}
		tables[string(e[:4])] = b[at : at+size]
	}
	head, hhea, maxp, hmtx, loca, glyf := tables["head"], tables["hhea"], tables["maxp"], tables["hmtx"], tables["loca"], tables["glyf"]
	if len(head) < 54 || len(hhea) < 36 || len(maxp) < 6 {
		return nil, nil, 0
	}
	glyphs, long := int(binary.BigEndian.Uint16(maxp[4:])), int(binary.BigEndian.Uint16(hhea[34:]))
	per = int(binary.BigEndian.Uint16(head[18:]))
	wide := binary.BigEndian.Uint16(head[50:]) == 1
	if long != glyphs || len(hmtx) != 4*glyphs || per == 0 || wide && len(loca) != 4*(glyphs+1) || !wide && len(loca) != 2*(glyphs+1) {
		return nil, nil, 0
	}
	offset := func(i int) int {
		if wide {
			return int(binary.BigEndian.Uint32(loca[4*i:]))
		}
		return 2 * int(binary.BigEndian.Uint16(loca[2*i:]))
	}
	for g := range glyphs {
		if offset(g+1) < offset(g) || offset(g+1) > len(glyf) {
			return nil, nil, 0
		}
		advances = append(advances, binary.BigEndian.Uint16(hmtx[4*g:]))
		outlines = append(outlines, offset(g+1) > offset(g))
	}
	return advances, outlines, per
}

// characters reads the bfchar lines of a CMap; nil when it has none or is broken.
func characters(cmap []byte) map[uint16]string {
	meaning := map[uint16]string{}
	inside := false
	for line := range strings.Lines(string(cmap)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasSuffix(line, "beginbfchar"):
			inside = true
		case line == "endbfchar":
			inside = false
		case inside:
			code, to, ok := strings.Cut(strings.Trim(line, "<>"), "><")
			n, err := strconv.ParseUint(code, 16, 16)
			if !ok || err != nil || len(to)%4 != 0 {
				return nil
			}
			utf := text("\xFE\xFF")
			for i := 0; i+4 <= len(to); i += 4 {
				unit, err := strconv.ParseUint(to[i:i+4], 16, 16)
				if err != nil {
					return nil
				}
				utf += text([]byte{byte(unit >> 8), byte(unit)})
			}
			meaning[uint16(n)] = plain(utf)
		}
	}
	if len(meaning) == 0 {
		return nil
	}
	return meaning
}
