package layout

import (
	"math"
	"strings"
	"testing"
	"unicode"

	"github.com/phpdave11/gofpdf"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func texts(ls []textLine) []string {
	out := make([]string, len(ls))
	for i, l := range ls {
		for _, r := range l.runs {
			out[i] += r.text
		}
	}
	return out
}

func named(part string) place { return place{name: part} }

func TestSet(t *testing.T) {
	for _, c := range []struct {
		name, in string
		width    float64
		want     []string
	}{
		{"empty", "", 50, []string{""}},
		{"one line", "Puig i Cerqueda", 50, []string{"Puig i Cerqueda"}},
		{"breaks at a space", "Puig i Cerqueda", 20, []string{"Puig i", "Cerqueda"}},
		{"spaces at the break vanish", "Puig     Cerqueda", 16, []string{"Puig", "Cerqueda"}},
		{"composes NFD", "Conceic\u0327a\u0303o", 50, []string{"Conceição"}},
		{"a no-break space holds", "75\u00a0% i 90\u00a0%", 13, []string{"75\u00a0% i", "90\u00a0%"}},
		{"a narrow no-break space is kept", "1\u202f234", 50, []string{"1\u202f234"}},
		{"an em space becomes plain", "a\u2003b", 50, []string{"a b"}},
		{"a line feed breaks", "Av. Meritxell\nAD500", 50, []string{"Av. Meritxell", "AD500"}},
		{"and so does the last one", "a\n", 50, []string{"a", ""}},
		{"carriage return and line feed are one", "a\r\nb", 50, []string{"a", "b"}},
		{"a soft hyphen is unseen", "reem\u00adbossament", 50, []string{"reembossament"}},
		{"until the line breaks there", "reem\u00adbossament", 18, []string{"reem\u00ad", "bossament"}},
		{"a hyphen allows a break", "Escaldes-Engordany", 20, []string{"Escaldes-", "Engordany"}},
		{"but not within a number", "Número E-812345-Q", 28, []string{"Número", "E-812345-Q"}},
		{"a long word breaks", "WWWWWWWWWW", 10, []string{"WWW", "WWW", "WWW", "W"}},
		{"a mark stays with its letter", "WWẹ̀WW", 7, []string{"WW", "ẹ̀W", "W"}},
		{"l·l and ŀ", "Gal·la Goŀlege", 50, []string{"Gal·la Goŀlege"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ls, err := set(plain(c.in), bodyStyle, c.width, named("the text"))
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(ls); strings.Join(got, "|") != strings.Join(c.want, "|") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    string
		cause string
		r     rune
	}{
		{"emoji", "Maria 😀", CauseMissingGlyph, 0x1F600},
		{"above the basic plane", "𝐌aria", CauseMissingGlyph, 0x1D40C},
		{"Hebrew", "שלום", CauseMissingGlyph, 'ש'},
		{"Chinese", "王", CauseMissingGlyph, '王'},
		{"private use", "a\ue000", CauseMissingGlyph, 0xE000},
		{"right-to-left mark", "a\u200fb", CauseForbiddenCharacter, 0x200F},
		{"override", "a\u202eb", CauseForbiddenCharacter, 0x202E},
		{"isolate", "a\u2066b", CauseForbiddenCharacter, 0x2066},
		{"zero-width space", "a\u200bb", CauseForbiddenCharacter, 0x200B},
		{"zero-width joiner", "a\u200db", CauseForbiddenCharacter, 0x200D},
		{"byte order mark", "\ufeffa", CauseForbiddenCharacter, 0xFEFF},
		{"control", "a\x07b", CauseForbiddenCharacter, 7},
		{"C1 control", "a\u0085b", CauseForbiddenCharacter, 0x85},
		{"tab", "a\tb", CauseForbiddenCharacter, '\t'},
		{"NUL", "a\x00b", CauseForbiddenCharacter, 0},
		{"delete", "a\x7fb", CauseForbiddenCharacter, 0x7F},
		{"line separator", "a\u2028b", CauseForbiddenCharacter, 0x2028},
		{"Hangul filler", "a\u3164b", CauseForbiddenCharacter, 0x3164},
		{"variation selector", "a\ufe0fb", CauseForbiddenCharacter, 0xFE0F},
		{"replacement", "a\ufffdb", CauseForbiddenCharacter, 0xFFFD},
		{"broken UTF-8", "a\xffb", CauseForbiddenCharacter, 0xFFFD},
		{"noncharacter", "a\uffffb", CauseForbiddenCharacter, 0xFFFF},
	} {
		t.Run(c.name, func(t *testing.T) {
			ls, err := set(plain(c.in), bodyStyle, 100, named(`the field "Cognoms i nom"`))
			if err == nil {
				t.Fatalf("drawn as %q", texts(ls))
			}
			if err.Cause != c.cause || err.Rune != c.r {
				t.Errorf("got %s %U, want %s %U", err.Cause, err.Rune, c.cause, c.r)
			}
			if strings.Contains(err.Error(), "aria") {
				t.Errorf("the fault repeats the text: %v", err)
			}
		})
	}
}

// Whatever is given, no line is wider than asked, nothing is lost, and a fault is one of the two.
func TestSetLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringOf(rapid.OneOf(
			rapid.SampledFrom([]rune("aW il·lŀçãõđł-–/ \n\u00a0\u00ad\u0301")),
			rapid.RuneFrom(nil, &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x21, Hi: 0x7E, Stride: 1}, {Lo: 0xA1, Hi: 0x17F, Stride: 1}}}),
		)).Draw(t, "text")
		width := rapid.Float64Range(5, 100).Draw(t, "width")
		ls, err := set(plain(in), bodyStyle, width, named("the text"))
		if err != nil {
			if err.Cause != CauseMissingGlyph {
				t.Fatalf("%v", err)
			}
			return
		}
		// What a reader sees is the text without white space and with the hyphens that breaking adds.
		strip := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r == ' ' || r == '\n' || r == softHyphen || r == '-' {
					return -1
				}
				return r
			}, s)
		}
		if got, want := strip(strings.Join(texts(ls), "")), strip(norm.NFC.String(in)); got != want {
			t.Fatalf("drew %q of %q", got, want)
		}
		for _, l := range ls {
			if l.width > width+1e-6 && len([]rune(strip(texts([]textLine{l})[0]))) > 1 && !marksOnly(l) {
				t.Fatalf("a line is %.3f mm wide, %.3f were asked", l.width, width)
			}
		}
	})
}

// marksOnly says whether a line is one letter with its marks, which cannot be made narrower.
func marksOnly(l textLine) bool {
	letters := 0
	for _, s := range l.runs {
		for _, r := range s.text {
			if !unicode.Is(unicode.M, r) {
				letters++
			}
		}
	}
	return letters <= 1
}

// What is measured here is what the writer draws: its widths with kerning, face by face.
func TestWidthIsTheWriters(t *testing.T) {
	const text = "AVALUACIÓ Gonçalves de Magalhães Sant’Anna i Gal·lissà, 0123456789 (75\u00a0%) Łukasz Đorđević"
	for id := range faceCount {
		out := gofpdf.NewCustom(&gofpdf.InitType{})
		out.AddUTF8FontFromBytes("face", "", id.load().file)
		out.SetFont("face", "", 10)
		want := out.GetStringWidth(text)
		ls, err := set(plain(text), style{face: id, size: 10, leading: 12}, 500, named("the text"))
		if err != nil {
			t.Fatal(err)
		}
		if len(ls) != 1 || len(ls[0].runs) != 1 {
			t.Fatalf("face %d: %d lines, more than one face", id, len(ls))
		}
		if got := ls[0].width; math.Abs(got-want) > 0.001 {
			t.Errorf("face %d: %.3f mm, the writer says %.3f", id, got, want)
		}
	}
}

// Figures are as wide as each other and never kerned, so that columns of numbers stand in line.
func TestFiguresAreTabular(t *testing.T) {
	const figures = "0123456789.,−-"
	for _, id := range []faceID{regular, semibold, italic} {
		for _, a := range figures {
			if a >= '0' && a <= '9' && id.advance(a, 10) != id.advance('0', 10) {
				t.Errorf("face %d: %q is as wide as no other", id, a)
			}
			for _, b := range figures {
				if k := id.kern(a, b, 1000); k != 0 {
					t.Errorf("face %d: %q%q is kerned by %v", id, a, b, k)
				}
			}
		}
	}
}

// The languages of the fund's members can be drawn: every letter of theirs has a glyph.
func TestFacesHoldTheLettersOfNames(t *testing.T) {
	for language, letters := range map[string]string{
		"signs":             "àèéíïòóúüçÀÈÉÍÏÒÓÚÜÇ·’ºª€«»ãõâêôœñ¿¡\u00a0\u202f–—…°",
		"Catalan":           "ĿŀŀL·L",
		"Polish":            "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ",
		"Romanian":          "ăâîșțşţĂÂÎȘȚŞŢ",
		"Serbian":           "čćđšžǆǉǌČĆĐŠŽ",
		"Hungarian":         "őűŐŰ",
		"Turkish":           "ğışİĞ",
		"Vietnamese":        "ạảấầẩẫậắằẳẵặẹẻẽếềểễệịỉọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹđĐơƠưƯ",
		"Arabic, romanised": "ḥḤṣṢḍḌṭṬẓẒḫḪḏḎṯṮġĠāĀīĪūŪʿʾ",
		"African":           "ƁɓƊɗƘƙƳƴƆɔƐɛŊŋẹ̀ọ́",
		"Baltic":            "ėįųģķļņŗĖĮŲ",
		"Welsh":             "ŵŷẁẅỳ",
	} {
		if _, err := set(plain(letters), bodyStyle, 500, named(language)); err != nil {
			t.Error(err)
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add("Puig i Cerqueda, Maria del Carme", 30.0)
	f.Add("a\u00adb\n\u0301 - /", 1.0)
	f.Fuzz(func(t *testing.T, text string, width float64) {
		if !(width > 1 && width < 1000) {
			return
		}
		if _, err := set(plain(text), bodyStyle, width, named("the text")); err == nil && strings.ContainsAny(text, "\x00\x07\u202e\u200b") {
			t.Errorf("%q was set", text)
		}
	})
}
