package layout

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// colour is an RGB triple. Contrast: ink 21:1, blue 12:1, grey 6:1 on
// white and 4.8:1 on the watermark.
type colour struct{ r, g, b uint8 }

func (c colour) channels() (r, g, b int) { return int(c.r), int(c.g), int(c.b) }

var (
	paper  = colour{255, 255, 255}
	ink    = colour{0, 0, 0}
	blue   = colour{0x12, 0x35, 0x5B}
	grey   = colour{0x5C, 0x63, 0x6B}
	line   = colour{0xB4, 0xBA, 0xC2} // rules between rows
	hair   = colour{0xF3, 0xF5, 0xF7} // zebra, notice
	shadow = colour{0xE1, 0xE5, 0xEB} // PROVA, under everything
)

// style is how a run of text looks; size and leading in points.
type style struct {
	face          faceID
	size, leading float64
	colour        colour
	also          bool // in the second language of a bilingual form
}

func (s style) height() float64        { return s.leading * mmPerPoint }
func (s style) strong() style          { s.face = semibold; return s }
func (s style) in(c colour) style      { s.colour = c; return s }
func (s style) baseline() float64      { return (s.leading/2 + s.size*0.33) * mmPerPoint } // half the cap height (0.66 em) below the middle
func (s style) advance(r rune) float64 { return s.face.advance(r, s.size) }

// The type sizes of the page; nothing under 7.5 pt.
var (
	bodyStyle    = style{face: regular, size: 10, leading: 14, colour: ink}
	leadStyle    = style{face: italic, size: 10, leading: 14, colour: grey}
	titleStyle   = style{face: semibold, size: 18, leading: 22, colour: blue}
	courtesy     = style{face: italic, size: 10, leading: 14, colour: grey}
	headingStyle = style{face: semibold, size: 12, leading: 16, colour: blue}
	labelStyle   = style{face: regular, size: 8.5, leading: 14, colour: grey}
	tableStyle   = style{face: regular, size: 8.5, leading: 12, colour: ink}
	footStyle    = style{face: regular, size: 7.5, leading: 9.6, colour: grey}
)

// Span is a stretch of text in one weight.
type Span struct {
	Text   string
	Strong bool
	also   bool // the second language of a bilingual form: grey, in regular weight
}

// Second marks a stretch of a text as being in the second language of a bilingual
// form: it looks like the rest, and a screen reader says it in the right voice.
func Second(text string) string {
	if text == "" {
		return ""
	}
	return string(shiftOut) + text + string(shiftIn)
}

// The marks of Second: control characters, which no value of a request may hold.
const shiftOut, shiftIn = '\x0e', '\x0f'

// unmarked is a text without the marks of Second, for what is no run of glyphs.
var unmarked = strings.NewReplacer(string(shiftOut), "", string(shiftIn), "")

// run is text in one face, at x mm from the left of its line.
type run struct {
	text string
	st   style
	x, w float64
}

// textLine is one broken line: nothing in it can be broken any more.
type textLine struct {
	runs  []run
	width float64
}

// glyph is one character as it will be drawn.
type glyph struct {
	r    rune
	st   style
	w    float64
	kern float64 // moves it against the one before, where both stand in one line
	mark bool    // combines with the one before
}

// forbiddenRune: control characters, marks that hide or reorder text, and what
// is no character at all. A line feed and a soft hyphen are not among them.
func forbiddenRune(r rune) bool {
	switch {
	case r == '\n', r == softHyphen:
		return false
	case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return true // Cf holds the bidi marks, the zero-width characters, BOM and tags
	case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
		return true
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x3164, r == 0xFFA0, r == unicode.ReplacementChar:
		return true // invisible letters and joiners that are not Cf; U+FFFD means that text was already lost
	}
	return false
}

// FindForbidden returns the first character of s that no page of ours prints:
// controls (line feed included, for a value is one line), bidi marks, zero-width
// and other invisible characters, U+FFFD. The door uses it, so that a request is
// refused where its sender can still mend it.
func FindForbidden(s string) (r rune, found bool) {
	for _, r := range s {
		if r == '\n' || forbiddenRune(r) {
			return r, true
		}
	}
	return 0, false
}

const softHyphen = 0x00AD

// place is where on the page a text stands, in words for a fault: its name, or a cell of a table.
type place struct {
	name   string
	row    int // from 1; 0 outside tables
	column string
}

func (p place) String() string {
	if p.row > 0 {
		return "row " + strconv.Itoa(p.row) + " of a table, column " + strconv.Quote(p.column)
	}
	return p.name
}

// shape appends the glyphs of spans to out: NFC, exotic spaces plain, a face for
// each cluster, kerned.
func shape(out []glyph, spans []Span, base style, at place) ([]glyph, *Fault) {
	for _, sp := range spans {
		st := base
		if sp.Strong {
			st = st.strong()
		}
		if sp.also {
			st.face, st.colour, st.also = regular, grey, true
		}
		text := norm.NFC.String(sp.Text)
		if strings.Contains(text, "\r\n") {
			text = strings.ReplaceAll(text, "\r\n", "\n")
		}
		for i := 0; i < len(text); {
			if text[i] == shiftOut || text[i] == shiftIn {
				st.also = text[i] == shiftOut || sp.also
				i++
				continue
			}
			// The cluster is text[i:end]: a character and the marks that combine with it.
			_, n := utf8.DecodeRuneInString(text[i:])
			end := i + n
			for end < len(text) && text[end] >= utf8.RuneSelf {
				r, n := utf8.DecodeRuneInString(text[end:])
				if !unicode.Is(unicode.M, r) {
					break
				}
				end += n
			}
			var err *Fault
			if out, err = shapeCluster(out, text[i:end], end > i+n, st, at); err != nil {
				return nil, err
			}
			i = end
		}
	}
	return out, nil
}

// shapeCluster appends the glyphs of a character and, where it has some, its marks.
func shapeCluster(out []glyph, cluster string, marks bool, st style, at place) ([]glyph, *Fault) {
	use := st
	if marks {
		use.face = st.face.standIn()
	}
	first := true
	for _, r := range cluster {
		if (r < ' ' || r > '~') && forbiddenRune(r) {
			return nil, forbidden(r, at.String())
		}
		if r == '\n' || r == softHyphen {
			out = append(out, glyph{r: r, st: st})
			continue
		}
		if r > '~' && unicode.Is(unicode.Zs, r) && !use.face.has(r) {
			r = ' '
		}
		if !use.face.has(r) {
			other := st.face.standIn()
			if use.face == other || !other.has(r) {
				return nil, missingGlyph(r, at.String())
			}
			use.face = other
		}
		g := glyph{r: r, st: use, w: use.advance(r), mark: !first}
		if n := len(out); n > 0 {
			before := &out[n-1]
			if before.r == softHyphen && n > 1 {
				before = &out[n-2] // an unseen hyphen
			}
			if before.w > 0 && before.st == use {
				g.kern = use.face.kern(before.r, r, use.size)
			}
		}
		out = append(out, g)
		first = false
	}
	return out, nil
}

// breakLines fills lines of width mm. It breaks at spaces, after hyphens and
// slashes between letters, at soft hyphens (which then show), at line feeds, and, where a word
// alone is longer than the line, between any two characters.
func breakLines(gs []glyph, width float64) []textLine {
	var lines []textLine
	start := 0
	for {
		end, next, hyphen := fill(gs, start, width)
		lines = append(lines, compose(gs[start:end], hyphen))
		if next >= len(gs) {
			if next > 0 && next == len(gs) && gs[next-1].r == '\n' && end < next {
				lines = append(lines, textLine{})
			}
			return lines
		}
		start = next
	}
}

// fill finds where the line that begins at start ends, and where the next begins.
func fill(gs []glyph, start int, width float64) (end, next int, hyphen bool) {
	const slack = 1e-6
	x := 0.0
	brkEnd, brkNext, brkHyphen := -1, -1, false
	for i := start; i < len(gs); i++ {
		g := &gs[i]
		switch {
		case g.r == '\n':
			return i, i + 1, false
		case g.r == ' ':
			brkEnd, brkNext, brkHyphen = i, i+1, false
			x += g.w
			if i > start {
				x += g.kern
			}
			continue
		case g.r == softHyphen:
			if x+g.st.advance(softHyphen) <= width+slack {
				brkEnd, brkNext, brkHyphen = i, i+1, true
			}
			continue
		}
		if i > start {
			x += g.kern
		}
		if x+g.w > width+slack && i > start {
			if brkEnd >= 0 {
				for brkNext < len(gs) && gs[brkNext].r == ' ' {
					brkNext++
				}
				return brkEnd, brkNext, brkHyphen
			}
			for i > start+1 && gs[i].mark {
				i--
			}
			return i, i, false
		}
		x += g.w
		if (g.r == '-' || g.r == '–' || g.r == '—' || g.r == '/') && i > start && i+1 < len(gs) && unicode.IsLetter(gs[i-1].r) && unicode.IsLetter(gs[i+1].r) {
			brkEnd, brkNext, brkHyphen = i+1, i+1, false
		}
	}
	return len(gs), len(gs), false
}

// compose joins glyphs to runs of one face, without the spaces at the end.
func compose(gs []glyph, hyphen bool) textLine {
	for len(gs) > 0 && gs[len(gs)-1].r == ' ' {
		gs = gs[:len(gs)-1]
	}
	var l textLine
	var room [160]byte
	text := room[:0]
	last := rune(0)
	flush := func(st style, x float64) {
		if len(text) > 0 {
			l.runs = append(l.runs, run{string(text), st, x, l.width - x})
			text = text[:0]
		}
	}
	from := 0.0
	var cur style
	for i := range gs {
		g := &gs[i]
		if g.r == softHyphen {
			continue
		}
		if g.st != cur {
			flush(cur, from)
			cur, from = g.st, l.width
		} else if len(text) > 0 {
			l.width += g.kern
		}
		text = utf8.AppendRune(text, g.r)
		last = g.r
		l.width += g.w
	}
	if hyphen && len(text) > 0 {
		// Drawn as a hyphen, read as none: whoever listens or copies gets the whole word.
		text = utf8.AppendRune(text, softHyphen)
		l.width += cur.advance(softHyphen) + cur.face.kern(last, softHyphen, cur.size)
	}
	flush(cur, from)
	return l
}

// set shapes and breaks in one go.
func set(spans []Span, st style, width float64, at place) ([]textLine, *Fault) {
	gs, err := shape(nil, spans, st, at)
	if err != nil {
		return nil, err
	}
	return breakLines(gs, width), nil
}

func plain(s string) []Span { return []Span{{Text: s}} }
