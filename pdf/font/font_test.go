package font

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var source = sync.OnceValue(func() []byte {
	b, err := os.ReadFile(filepath.Join("..", "..", "layout", "fonts", "SourceSans3-Regular.ttf"))
	if err != nil {
		panic(err)
	}
	return b
})

func face(t *testing.T) *Face {
	t.Helper()
	f, err := Load(source())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLoadParsesOnce(t *testing.T) {
	f := face(t)
	again, err := Load(source())
	if err != nil || again != f {
		t.Errorf("the same bytes gave another face (%v)", err)
	}
	again, err = Load(bytes.Clone(source()))
	if err != nil || again != f {
		t.Errorf("equal bytes gave another face (%v)", err)
	}
}

func TestFace(t *testing.T) {
	f := face(t)
	if f.Name != "SourceSans3-Regular" || f.UnitsPerEm != 1000 || f.CapHeight != 660 || f.Fixed || f.ItalicAngle != 0 {
		t.Errorf("got %s, %d, %d, %v, %v", f.Name, f.UnitsPerEm, f.CapHeight, f.Fixed, f.ItalicAngle)
	}
	for _, r := range "Aç·ŀḥłđőã€–’\u00A0" {
		if g, ok := f.Glyph(r); !ok || g == 0 || f.Advance(g) == 0 {
			t.Errorf("no glyph for %q", r)
		}
	}
	for _, r := range []rune{0, '\n', '\u200F', 0x1F600, -1, 0x10FFFF} {
		if _, ok := f.Glyph(r); ok {
			t.Errorf("a glyph for U+%04X", r)
		}
	}
}

func TestKerning(t *testing.T) {
	f := face(t)
	between := func(pair string) int {
		r := []rune(pair)
		a, _ := f.Glyph(r[0])
		b, _ := f.Glyph(r[1])
		return f.Kern(a, b)
	}
	// As the font's GPOS table has them; asked twice, from the table and from memory.
	for range 2 {
		for pair, want := range map[string]int{"AV": -14, "To": -66, "L’": -78, "nn": 0} {
			if got := between(pair); got != want {
				t.Errorf("%s: %d, want %d", pair, got, want)
			}
		}
	}
	a, _ := f.Glyph('T')
	b, _ := f.Glyph('o')
	got, err := f.Width("To")
	if want := f.Advance(a) + f.Advance(b) - 66; err != nil || got != want {
		t.Errorf("width %d, want %d (%v)", got, want, err)
	}
}

func TestWidthNamesTheMissingGlyph(t *testing.T) {
	_, err := face(t).Width("a😀")
	var missing MissingGlyph
	if !errors.As(err, &missing) || missing.Rune != '😀' {
		t.Errorf("got %v", err)
	}
}

func TestSubset(t *testing.T) {
	f := face(t)
	s := NewSubset(f)
	if !s.Empty() {
		t.Error("a new subset is not empty")
	}
	const words = "Façana\u00A0 \u00ADàÀŀǻ-" // composites; a space and a hyphen twice under two characters
	codes := map[rune]uint16{}
	for _, r := range words {
		cid, g, err := s.CID(r)
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := f.Glyph(r); g != want {
			t.Errorf("%q is glyph %d, want %d", r, g, want)
		}
		codes[r] = cid
	}
	seen := map[uint16]bool{}
	for r, cid := range codes {
		if cid == 0 || seen[cid] {
			t.Errorf("%q has no code of its own", r)
		}
		seen[cid] = true
	}
	program, err := s.Program()
	if err != nil {
		t.Fatal(err)
	}
	if checksum(program) != 0xB1B0AFBA {
		t.Error("the file's checksum is wrong")
	}
	tables, err := directory(program)
	if err != nil {
		t.Fatal(err)
	}
	glyphs := int(binary.BigEndian.Uint16(tables["maxp"][4:]))
	if glyphs <= len(codes) {
		t.Errorf("%d glyphs: the parts of composites are missing", glyphs)
	}
	for r, cid := range codes {
		g, _ := f.Glyph(r)
		if got := int(binary.BigEndian.Uint16(tables["hmtx"][4*int(cid):])); got != f.Advance(g) {
			t.Errorf("%q is %d wide, want %d", r, got, f.Advance(g))
		}
	}
	cmap := string(s.ToUnicode())
	if !strings.Contains(cmap, "<00A0>") || !strings.Contains(cmap, "<00AD>") || !strings.Contains(cmap, "<0020>") {
		t.Error("ToUnicode does not lead back to every character")
	}
	if _, _, err := s.CID('😀'); !errors.As(err, new(MissingGlyph)) {
		t.Errorf("got %v", err)
	}
}

func TestSubsetNameFollowsItsCharacters(t *testing.T) {
	name := func(words string) string {
		s := NewSubset(face(t))
		for _, r := range words {
			if _, _, err := s.CID(r); err != nil {
				t.Fatal(err)
			}
		}
		return s.Name()
	}
	if a := name("abc"); a != name("abc") || a == name("abd") || len(a) != len("ABCDEF+SourceSans3-Regular") || a[6] != '+' {
		t.Errorf("got %s", a)
	}
}

// A font file that is cut or changed is refused or used, and never breaks the program down.
func TestDamagedFonts(t *testing.T) {
	whole := source()
	for _, n := range []int{0, 3, 11, 12, 200, 1000, len(whole) / 2, len(whole) - 1} {
		if _, err := Parse(whole[:n]); !errors.Is(err, ErrUnusable) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for at := 0; at < len(whole); at += 997 {
		damaged := bytes.Clone(whole)
		for i := at; i < min(at+4, len(damaged)); i++ {
			damaged[i] ^= 0xFF
		}
		f, err := Parse(damaged)
		if err != nil {
			continue
		}
		s := NewSubset(f)
		for _, r := range "AVàŀḥ’" {
			_, _, _ = s.CID(r)
		}
		_, _ = f.Width("AVàŀḥ’")
		_, _ = s.Program()
	}
}

// Every face of the repository can be used, whatever its tables look like.
func TestFacesOfTheRepository(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "layout", "fonts", "*.ttf"))
	if err != nil || len(files) == 0 {
		t.Fatal("no fonts found", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := NewSubset(f)
		for _, r := range "Àç·ŀ 0" {
			if _, _, err := s.CID(r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.Program(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForeignFonts(t *testing.T) {
	cff := append([]byte("OTTO"), source()[4:]...)
	restricted := bytes.Clone(source())
	tables, err := directory(restricted)
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint16(tables["OS/2"][8:], 2)
	for name, b := range map[string][]byte{"CFF": cff, "restricted": restricted, "text": []byte("this is a text and no font")} {
		if _, err := Parse(b); !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
