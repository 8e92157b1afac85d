package layout

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/phpdave11/gofpdf/check"
	"pgregory.net/rapid"
)

// What a listener gets, by poppler's view of the structure: every component in its element, in the order of the page.
func TestStructure(t *testing.T) {
	got := strings.Join(strings.Fields(tool(t, "poppler-utils", "pdfinfo", "-struct-text", save(t, render(t, bilingual()).PDF))), " ")
	want, err := os.ReadFile(filepath.Join("testdata", "structure.txt"))
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for part := range strings.Lines(string(want)) {
		part = strings.TrimSpace(part)
		i := strings.Index(got[at:], part)
		if part == "" || strings.HasPrefix(part, "#") {
			continue
		}
		if i < 0 {
			t.Fatalf("%q is missing, or out of order, in\n%s", part, got)
		}
		at += i + len(part)
	}
}

// What is in another language says so, figures say what they show, links where they lead.
func TestWhatIsNotSeenIsSaid(t *testing.T) {
	d := bilingual()
	d.Body[0] = Title{Text: "Certificate", Official: "Certificat", Note: "Courtesy"}
	pdf := render(t, d).PDF
	for want, n := range map[string]int{
		"/Lang(es)":     4, // heading, label, column, paragraph
		"/Lang(ca)":     2, // the document, the official title
		"/Alt(Emblema)": 1, "/Alt(Comproveu a " + address + ")": 1, "/Contents(Comproveu a " + address + ")": 1,
	} {
		if got := bytes.Count(pdf, []byte(want)); got != n {
			t.Errorf("%d times %s, want %d", got, want, n)
		}
	}
}

// A value that says the same in two languages says each in its own, and looks as one text.
func TestSecondLanguageWithinAText(t *testing.T) {
	d := bilingual()
	d.Body = []Block{Title{Text: "Certificat"}, Form{{Box{Label: "Parentiu", Value: "Fill / " + Second("Hijo") + " (2)", Share: 1}}}}
	d.Footer.VerifyLabel = "Comproveu a / " + Second("Compruebe en")
	pdf := render(t, d).PDF
	if got := bytes.Count(pdf, []byte("/Lang(es)")); got != 2 { // the value, the footer
		t.Errorf("%d texts in Spanish, want 2", got)
	}
	if !bytes.Contains(pdf, []byte("/Alt(Comproveu a / Compruebe en "+address+")")) {
		t.Error("the symbol's words hold marks that nobody can hear")
	}
	text := strings.Join(strings.Fields(tool(t, "poppler-utils", "pdftotext", save(t, pdf), "-")), " ")
	if !strings.Contains(text, "Fill / Hijo (2)") || strings.ContainsAny(text, "\x0e\x0f") {
		t.Errorf("the value is not one text in %q", text)
	}
}

// Header and footer are said once, however many pages there are; what a table repeats is not said again.
func TestRepetitionIsNotSaid(t *testing.T) {
	tab, _ := points(12)
	d := everything()
	d.Body = []Block{Title{Text: "Extracte"}, Heading{Text: "Punts"}, tab}
	r := render(t, d)
	if r.Pages < 4 {
		t.Fatalf("%d pages", r.Pages)
	}
	said := tool(t, "poppler-utils", "pdfinfo", "-struct-text", save(t, r.PDF))
	for _, once := range []string{`"Caixa Andorrana de Seguretat Social"`, `"Mes"`, `"7K3M-9QX2"`, `"Totalfinal"`, `"1995"`} {
		if n := strings.Count(said, once); n != 1 {
			t.Errorf("%s is said %d times", once, n)
		}
	}
	for _, never := range []string{"Suma i segueix", "Suma anterior", "continuació", "Pàgina"} {
		if strings.Contains(said, never) {
			t.Errorf("%s is said", never)
		}
	}
	if n := strings.Count(text(t, r.PDF), "Pàgina"); n != r.Pages {
		t.Errorf("%d page numbers are seen on %d pages", n, r.Pages)
	}
}

// The outline leads to every heading and to the groups that have an entry.
func TestOutline(t *testing.T) {
	tab, _ := points(8)
	d := everything()
	d.Body = []Block{Title{Text: "Extracte"}, Heading{Text: "Part", Sub: true}, Paragraph("text"), Heading{Text: "Punts"}, tab}
	out := tool(t, "qpdf", "qpdf", "--json", "--json-key=outlines", save(t, render(t, d).PDF))
	titles := regexp.MustCompile(`"title": "([^"]*)"`).FindAllStringSubmatch(out, -1)
	if len(titles) != 2+8 || !strings.Contains(out, `"Part"`) || !strings.Contains(out, `"Punts"`) || !strings.Contains(out, `"Any 1997"`) {
		t.Errorf("the outline is %v", titles)
	}
	for page := range 3 {
		if !strings.Contains(out, `"destpageposfrom1": `+strconv.Itoa(page+1)) {
			t.Errorf("nothing leads to page %d", page+1)
		}
	}
}

// Whatever the blocks, the file passes our checker: no order of components makes an untagged line or a level left out.
func TestAnyBlocksAreConformant(t *testing.T) {
	p, err := ReadPicture(scanned(t, 300, 200, false))
	if err != nil {
		t.Fatal(err)
	}
	tab, _ := points(3)
	blocks := []Block{
		Title{Text: "Títol", Also: "Título"}, Lead{"Una línia."}, Heading{Text: "Apartat"}, Heading{Text: "Part", Sub: true, Also: "Parte"},
		Summary{Answers: []Answer{{"1", "un"}, {"2", "dos"}, {"3", "tres"}, {"4", "quatre"}, {"5", "cinc"}}}, Summary{Text: plain("frase")},
		Fields{{Label: "L", Value: "V"}, {Label: "M", Also: "N", Value: "", Wide: true}}, Fields{}, Form{{{Label: "L", Also: "M", Value: "v", Share: 1}, {Label: "N", Value: "", Share: 2}}},
		tab, Table{Columns: []Column{{Head: "A", Share: 1}}}, Figure{Picture: p, Alt: "Un full", Frame: true}, NewPage{}, Contents{Title: "Contingut", Always: true},
		Notice{plain("Avís")}, Note{"Nota"}, Paragraph(""), Paragraph(strings.Repeat("paraula ", 900)),
		In{"fr", []Block{Heading{Text: "Titre"}, Paragraph("texte")}}, Together{Note{"a"}, Paragraph("b")}, SealBox{Lines: []string{"Segellat"}, Beside: "lloc"},
	}
	rapid.Check(t, func(t *rapid.T) {
		d := everything()
		d.Also, d.Landscape = "es", rapid.Bool().Draw(t, "landscape")
		if rapid.Bool().Draw(t, "proof") {
			d.Proof = []string{"PROVA", "sense valor"}
		}
		d.Body = rapid.SliceOfN(rapid.SampledFrom(blocks), 1, 12).Draw(t, "blocks")
		r, err := Render(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if err := check.File(r.PDF); err != nil {
			t.Fatal(err)
		}
	})
}
