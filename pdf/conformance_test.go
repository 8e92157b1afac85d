package gofpdf_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/johnfercher/maroto/v2/pkg/components/row"
	"github.com/johnfercher/maroto/v2/pkg/config"
	"github.com/johnfercher/maroto/v2/pkg/props"

	pdf "github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/check"
	"github.com/phpdave11/gofpdf/judges"
	"github.com/phpdave11/gofpdf/structure"
)

func write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// samples are documents at the edges of what the writer writes.
func samples(t *testing.T) map[string][]byte {
	t.Helper()
	made := map[string][]byte{}
	add := func(name string, b []byte, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		made[name] = b
	}
	b, err := everything(options())
	add("everything.pdf", b, err)
	b, err = everything(options(), func(b config.Builder) { b.WithCompression(false) })
	add("uncompressed.pdf", b, err)
	o := options()
	second := attachment()
	second.Name, second.Relationship, second.MIME = "annex àé.txt", pdf.Supplement, "text/plain"
	o.Attachments = []pdf.Attachment{attachment(), second}
	b, err = everything(o)
	add("attached.3a.pdf", b, err)

	p := newPaper(pdf.Options{Title: "Títol amb <, & i “cometes” 字", Language: "pt-PT", Subject: "Ç", Keywords: "a, b", Author: "Ŀ"})
	name := "Puig-Ferrer i Cerqueda-Ŀlopis, Maria del Carme Montserrat Ḥasan Łukasz Đorđe Ő ã ç l·l ŀ paral·lel extraordinàriament"
	p.AddRows(p.text(structure.H1, name, props.Text{}), p.text(structure.P, "Espai\u00A0fix, guió\u00ADsuau i «cometes» — fi…", props.Text{}))
	b, err = p.generate()
	add("names.pdf", b, err)

	p = newPaper(options())
	p.AddRows(p.text(structure.H1, "Extracte", props.Text{}))
	p.AddRows(p.table([]string{"A", "B", "C", "D", "E", "F"}, 600, 45, func(r, c int) string { return fmt.Sprintf("%d,%02d", r, c) })...)
	b, err = p.generate()
	add("long.pdf", b, err)

	p = newPaper(options())
	e := p.doc.Root().Add(structure.P, structure.Attributes{})
	for i := range 120 {
		p.AddRows(row.New(6).Add(p.cell(12, e, fmt.Sprintf("línia %d d’un paràgraf de tres pàgines", i))))
	}
	b, err = p.generate()
	add("paragraph.pdf", b, err)

	f, d := sheet(options())
	table := d.Tag(structure.Table, structure.Attributes{})
	d.Begin(table.Add(structure.Caption, structure.Attributes{}))
	f.Text(20, 30, "Una taula amb cel·les que s’estenen")
	d.End()
	for y, line := range [][]structure.Attributes{{{Scope: structure.Column, RowSpan: 2}, {Scope: structure.Column, ColSpan: 2}}, {{}, {}}, {{}, {}, {}}} {
		tr := table.Add(structure.TR, structure.Attributes{})
		for x, a := range line {
			role := structure.TD
			if y == 0 {
				role = structure.TH
			}
			d.Begin(tr.Add(role, a))
			if x < 2 { // a cell may be empty
				f.Text(20+30*float64(x), 40+10*float64(y), "cel·la")
			}
			d.End()
		}
	}
	d.End()
	d.Tag(structure.P, structure.Attributes{})
	f.Text(20, 80, "En ")
	d.Tag(structure.Span, structure.Attributes{Language: "fr", Actual: "français"})
	f.Text(30, 80, "franç.")
	d.End()
	d.End()
	b, err = f.Bytes()
	add("spans.pdf", b, err)
	return made
}

func TestJudges(t *testing.T) {
	dir := t.TempDir()
	cases := map[string]string{}
	for name, b := range samples(t) {
		path := write(t, dir, name, b)
		cases[path] = "2a,ua1"
		if strings.Contains(name, ".3a.") {
			cases[path] = "3a,ua1"
		}
		if err := check.File(b); err != nil {
			t.Errorf("%s: our checker: %v", name, err)
		}
		if v, err := judges.QPDF(t.Context(), path); err != nil || !v.Pass {
			t.Errorf("%s (%v)", v, err)
		}
	}
	verdicts, err := judges.VeraPDF(t.Context(), "..", cases)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		if !v.Pass {
			t.Error(v)
		}
	}
}

// Words come out of the file as they were put in, in the order of the page, with spaces where a person sees them.
func TestWordsComeOut(t *testing.T) {
	dir := t.TempDir()
	made := samples(t)
	for name, want := range map[string][]string{
		"everything.pdf": {
			"Maria del Carme té dret a les prestacions: AVATAR, Tòquio, l’àvia i el col·legi. Paral·lel, façana, ŀ ḥ ł đ ő ã ç. Aquest paràgraf és prou llarg per ocupar més d’una línia",
			"Aquest altre està justificat, de manera que cada paraula s’escriu al seu lloc i els espais entre elles s’eixamplen fins que la línia és plena.",
			"Fila 1, columna 1 Fila 1, columna 2 Fila 1, columna 3 Fila 2, columna 1",
		},
		"names.pdf":     {"Puig-Ferrer i Cerqueda-Ŀlopis, Maria del Carme Montserrat Ḥasan Łukasz Đorđe Ő ã ç l·l ŀ paral·lel extraordinàriament", "«cometes» — fi…"},
		"paragraph.pdf": {"línia 0 d’un paràgraf de tres pàgines línia 1 d’un paràgraf"},
	} {
		path := write(t, dir, name, made[name])
		out, err := judges.Text(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(strings.Fields(out), " ")
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q is not in the text", name, w)
			}
		}
		out, err = judges.Tree(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		// pdfinfo quotes each piece of content; between them only roles stand.
		var said []string
		for _, piece := range regexp.MustCompile(`"(.*)"`).FindAllStringSubmatch(out, -1) {
			said = append(said, piece[1])
		}
		tree := strings.Join(strings.Fields(strings.Join(said, " ")), " ")
		for _, w := range want {
			if !strings.Contains(tree, w) {
				t.Errorf("%s: %q is not in the structure", name, w)
			}
		}
	}
}

// broken are files that break one rule each, made from a good one by changing bytes in place, so that every
// cross-reference stays right. The profile is the one of veraPDF that must say so; without one only our checker does.
var broken = []struct {
	name, old, new, profile string
}{
	{"figure without Alt", `/Alt(Tres quadrats)`, `/Xlt(Tres quadrats)`, "ua1"},
	{"empty Alt", `/Alt(Tres quadrats)`, `/Alt(             )`, ""},
	{"line neither tagged nor artifact", "/Artifact<</Type/Layout>>BDC\n*EMC\n", "", "ua1"},
	{"font without ToUnicode", "/ToUnicode ", "/ToUnicodX ", "2a"},
	{"font that is not embedded", "/FontFile2 ", "/FontFileX ", "2a"},
	{"font without glyph map", "/CIDToGIDMap/Identity", "/CIDToGIDMaX/Identity", "2a"},
	{"font of wrong widths", "/W[1[486 ", "/W[1[786 ", "2a"},
	{"character without glyph", "[(\x00\x01", "[(\x00\x00", "2a"},
	{"no language", "/Lang(ca)", "/Lamg(ca)", "ua1"},
	{"title not displayed", "/DisplayDocTitle true", "/DisplayDocTitle null", "ua1"},
	{"not marked", "/Marked true", "/Marked null", "2a"},
	{"no structure", "/StructTreeRoot ", "/StructTreeRoox ", "2a"},
	{"no parent tree", "/ParentTree ", "/ParentTrex ", "ua1"},
	{"page without structure", "/StructParents 0", "/StructParentz 0", "ua1"},
	{"wrong PDF/UA part", "<pdfuaid:part>1<", "<pdfuaid:part>7<", "ua1"},
	{"wrong PDF/A part", "<pdfaid:part>2<", "<pdfaid:part>1<", "2a"},
	{"wrong conformance", "<pdfaid:conformance>A<", "<pdfaid:conformance>C<", "2a"},
	{"schema not described", "<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua", "<pdfaSchema:namespaceURI>http://www.aiim.org/pdfux", "2a"},
	{"no title", "dc:title", "dc:titlx", "ua1"},
	{"title of two minds", "/Title(Certificat de cobertura)", "/Title(Certificat de cobertuxa)", ""},
	{"metadata not there", "/Metadata ", "/Metadatx ", "2a"},
	{"no output intent", "/OutputIntents", "/OutputIntentz", "2a"},
	{"profile of no colour", "<</N 3/", "<</N 4/", ""},
	{"header cell without scope", "/Scope/Column", "/Scopx/Column", "ua1"},
	{"row of other length", "/S/TD", "/S/P ", "ua1"},
	{"heading skipped", "/S/H2", "/S/H4", "ua1"},
	{"list item outside a list", "/S/L/", "/S/P/", "ua1"},
	{"unknown role", "/S/H1", "/S/Hx", "ua1"},
	{"link without words", "/Contents<FEFF", "/Contentx<FEFF", "ua1"},
	{"link outside the structure", "/StructParent 3", "/StructParenx 3", "ua1"},
	{"link that is not printed", "/F 4/Border", "/F 0/Border", "2a"},
	{"link that runs a program", "/S/URI/URI", "/S/Launch ", "2a"},
	{"annotations in any order", "/Tabs/S", "/Tabs/R", "ua1"},
	{"no identifier", "/ID[", "/IX[", "2a"},
	{"no binary mark", "%\xE2\xE3\xCF\xD3", "%abcd", "2a"},
	{"encrypted", "/Size ", "/Encrypt 9 0 R/Size ", ""},
	{"image that is smoothed", "/BitsPerComponent 8/ColorSpace/DeviceRGB", "/BitsPerComponent 8/Interpolate true   /", ""},
	{"transfer function", "/CA .2", "/TR .2", "2a"},
	{"blend mode", "/ca .2", "/BM/Fo", "2a"},
	{"script", "/ViewerPreferences<</DisplayDocTitle true>>", "/OpenAction<</S/JavaScript/JS(x)>>         ", "2a"},
	{"mark of another", "/P<</MCID 1>>BDC", "/P<</MCID 7>>BDC", ""},
	{"artifact that is tagged", "/H1<</MCID 0>>BDC", "/Artifact<<>> BDC", ""},
	{"operator unknown", "\nET\n", "\nEX\n", ""},
	{"attachment without relationship", "/AFRelationship/Source", "/AFRelationshix/Source", "3a"},
	{"attachment without type", "/Subtype/application#2Fjson", "/Subtypx/application#2Fjson", "3a"},
	{"attachment of nobody", "/AF[", "/AX[", "3a"},
}

func TestBrokenFilesAreCaught(t *testing.T) {
	o := options()
	plain := func(b config.Builder) { b.WithCompression(false) }
	second, err := everything(o, plain)
	if err != nil {
		t.Fatal(err)
	}
	o.Attachments = []pdf.Attachment{attachment()}
	third, err := everything(o, plain)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cases := map[string]string{}
	paths := map[string]int{}
	for i, c := range broken {
		good := second
		if c.profile == "3a" {
			good = third
		}
		var bad []byte
		switch {
		case strings.Contains(c.old, "*"): // take both ends away
			from, to, _ := strings.Cut(c.old, "*")
			a := bytes.Index(good, []byte(from))
			if a >= 0 {
				z := a + bytes.Index(good[a:], []byte(to))
				bad = bytes.Clone(good)
				copy(bad[a:], bytes.Repeat([]byte(" "), len(from)))
				copy(bad[z:], bytes.Repeat([]byte(" "), len(to)))
			}
		case c.name == "encrypted": // behind every offset
			bad = append(bytes.Clone(good[:bytes.LastIndex(good, []byte(c.old))]), []byte(c.new)...)
			bad = append(bad, good[bytes.LastIndex(good, []byte(c.old))+len(c.old):]...)
		case len(c.old) != len(c.new):
			t.Fatalf("%s: %d bytes for %d", c.name, len(c.new), len(c.old))
		case c.name == "no title" || c.name == "no identifier":
			bad = bytes.ReplaceAll(good, []byte(c.old), []byte(c.new))
		default:
			bad = bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
		}
		if bad == nil || bytes.Equal(bad, good) {
			t.Errorf("%s: %q is not in the file", c.name, c.old)
			continue
		}
		if check.File(bad) == nil {
			t.Errorf("%s: our checker does not see it", c.name)
		}
		if c.profile != "" {
			path := write(t, dir, fmt.Sprintf("%02d.pdf", i), bad)
			cases[path], paths[path] = c.profile, i
		}
	}
	verdicts, err := judges.VeraPDF(t.Context(), "..", cases)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		if v.Pass {
			t.Errorf("%s: %s", broken[paths[v.File]].name, v)
		}
	}
}
