package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phpdave11/gofpdf/check"
	"github.com/phpdave11/gofpdf/structure"
)

const address = "https://seu.example.ad/v/7K3M9QX2TR4DV8HCW1YE5P"

// everything is a document with every component.
func everything() Document {
	return Document{
		Language:    "ca",
		Title:       "Certificat (prova) CASS-2026-COB-0001234",
		Number:      "CASS-2026-COB-0001234",
		Issued:      time.Date(2026, 3, 2, 9, 14, 5, 0, time.FixedZone("CET", 3600)),
		Institution: Institution{Name: "Caixa Andorrana de Seguretat Social"},
		Header:      []string{"CASS-2026-COB-0001234", "2 de març del 2026"},
		Footer:      Footer{URL: address, CodeLabel: "Codi", Code: "7K3M-9QX2", VerifyLabel: "Comproveu a", Lines: []string{"Peu de pàgina"}},
		PageOf:      func(p, n int) string { return fmt.Sprintf("Pàgina %d de %d", p, n) },
		Body: []Block{
			Title{Text: "Títol del document", Official: "Títol oficial", Note: "Nota de traducció"},
			Lead{"Una línia."},
			Heading{Text: "Apartat"},
			Fields{{Label: "Cognoms i nom", Value: "Puig i Cerqueda", Wide: true, Strong: true}, {Label: "Número", Value: "000000A"}, {Label: "Data", Value: "01/01/2026"}},
			Text{[]Span{{Text: "Un paràgraf "}, {Text: "amb èmfasi", Strong: true}}},
			Table{Columns: []Column{{Head: "Nom", Share: 3}, {Head: "Import", Share: 1, Right: true}}, Rows: [][]string{{"a", "1,00"}, {"b", "2.001,00"}}},
			Notice{plain("Un avís")},
			Note{"Lletra petita"},
			SealBox{Lines: []string{"Segellat", "per algú"}, Beside: "Andorra la Vella"},
		},
	}
}

func render(t testing.TB, d Document) Result {
	t.Helper()
	r, err := Render(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tool runs a program; where it is missing the test fails with the line that installs it.
func tool(t testing.TB, install, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is missing; install it: apt-get install -y %s", name, install)
	}
	cmd := exec.Command(name, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, out.String(), complaint.String())
	}
	return out.String()
}

func save(t testing.TB, pdf []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "page.pdf")
	if err := os.WriteFile(p, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func text(t testing.TB, pdf []byte) string {
	t.Helper()
	return tool(t, "poppler-utils", "pdftotext", "-raw", save(t, pdf), "-")
}

func TestRenderReadsInOrder(t *testing.T) {
	got := text(t, render(t, everything()).PDF)
	at := 0
	for _, want := range []string{
		"Caixa Andorrana de Seguretat Social", "CASS-2026-COB-0001234", "2 de març del 2026",
		"Títol del document", "Títol oficial", "Nota de traducció", "Una línia.", "Apartat",
		"Cognoms i nom Puig i Cerqueda", "Número 000000A Data 01/01/2026", "Un paràgraf amb èmfasi",
		"Nom Import", "a 1,00", "b 2.001,00", "Un avís", "Lletra petita", "Andorra la Vella", "Segellat", "per algú",
		"Pàgina 1 de 1", "Codi", "7K3M-9QX2", "Comproveu a " + address, "Peu de pàgina",
	} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing, or out of order, in\n%s", want, got)
		}
		at += i + len(want)
	}
}

func TestRenderedFile(t *testing.T) {
	d := everything()
	d.Proof, d.ProofNote = []string{"PROVA", "sense valor"}, "PROVA — sense valor"
	pdf := render(t, d).PDF
	if !bytes.HasPrefix(pdf, []byte("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")) || !bytes.HasSuffix(pdf, []byte("%%EOF\n")) {
		t.Errorf("begins %q, ends %q", pdf[:16], pdf[len(pdf)-8:])
	}
	if !regexp.MustCompile(`/ID ?\[<([0-9A-F]{32})> ?<[0-9A-F]{32}>\]`).Match(pdf) {
		t.Error("no /ID of hexadecimal strings in the trailer")
	}
	for _, no := range []string{"/ObjStm", "/XRefStm", "/AcroForm", "/Type/XRef"} { // sealing refuses them
		if bytes.Contains(pdf, []byte(no)) {
			t.Errorf("%s is in the file", no)
		}
	}
	if err := check.File(pdf); err != nil {
		t.Error(err)
	}
	tool(t, "qpdf", "qpdf", "--check", save(t, pdf))
	info := tool(t, "poppler-utils", "pdfinfo", "-rawdates", save(t, pdf))
	for _, want := range []string{
		"Title:           Certificat (prova) CASS-2026-COB-0001234", "Creator:         Segell",
		"Author:          Caixa Andorrana de Seguretat Social", "D:20260302091405+01'00'", "PDF version:     1.7", "(A4)", "Tagged:          yes",
	} {
		if !strings.Contains(info, want) {
			t.Errorf("%q is not in\n%s", want, info)
		}
	}
	if !bytes.Contains(pdf, []byte("/Lang(ca)")) {
		t.Error("the catalog names no language")
	}
	if !strings.Contains(text(t, pdf), "PROVA — sense valor") {
		t.Error("the text layer does not say PROVA")
	}
}

func TestQRReadsBack(t *testing.T) {
	for _, url := range []string{address, "https://seu-electronica.institucio-d-exemple.ad/verificacio/de/documents/v/7K3M9QX2TR4DV8HCW1YE5P"} {
		d := everything()
		d.Footer.URL = url
		prefix := filepath.Join(t.TempDir(), "page")
		tool(t, "poppler-utils", "pdftoppm", "-r", "150", "-png", "-singlefile", save(t, render(t, d).PDF), prefix)
		if got := strings.TrimSpace(tool(t, "zbar-tools", "zbarimg", "--quiet", "--raw", prefix+".png")); got != url {
			t.Errorf("the QR says %q", got)
		}
	}
	code, err := encodeQR(address)
	if err != nil {
		t.Fatal(err)
	}
	if qrSize < 20 || quiet(code) < 4*qrSize/float64(code.Size) {
		t.Errorf("QR of %.1f mm with %.2f mm of quiet", qrSize, quiet(code))
	}
	if _, err := encodeQR(strings.Repeat("x", 3000)); err == nil {
		t.Error("3,000 bytes went into a QR")
	}
}

func TestSameInputSameBytes(t *testing.T) {
	d := everything()
	d.Proof = []string{"PROVA", "sense valor"}
	for i := range 40 { // three pages: the images are registered more than once
		d.Body = append(d.Body, Paragraph("Paràgraf Ɔ "+strconv.Itoa(i)+strings.Repeat(" text", 60)))
	}
	first := render(t, d)
	if first.Pages < 3 {
		t.Fatalf("%d pages", first.Pages)
	}
	for range 15 {
		if again := render(t, d); !bytes.Equal(first.PDF, again.PDF) {
			t.Fatal("the same document gave other bytes")
		}
	}
	d.Number = "CASS-2026-COB-0001235"
	if bytes.Equal(first.PDF, render(t, d).PDF) {
		t.Fatal("another document gave the same bytes")
	}
	tool(t, "qpdf", "qpdf", "--check", save(t, first.PDF))
}

// Documents that are drawn at the same time share faces and pictures, and nothing that is written to: run with -race.
func TestParallel(t *testing.T) {
	want := render(t, everything()).PDF
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3 {
				if r, err := Render(context.Background(), everything()); err != nil || !bytes.Equal(r.PDF, want) {
					t.Errorf("drawn beside others: %v, same bytes %v", err, bytes.Equal(r.PDF, want))
				}
			}
		})
	}
	wg.Wait()
}

// word is where pdftotext sees a word, in points from the top left.
type word struct {
	page                   int
	xMin, yMin, xMax, yMax float64
	text                   string
}

func words(t *testing.T, pdf []byte) []word {
	out := tool(t, "poppler-utils", "pdftotext", "-bbox", save(t, pdf), "-")
	var ws []word
	page := 0
	line := regexp.MustCompile(`<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*)</word>`)
	for l := range strings.Lines(out) {
		if strings.Contains(l, "<page ") {
			page++
		}
		if m := line.FindStringSubmatch(l); m != nil {
			var n [4]float64
			for i := range n {
				n[i], _ = strconv.ParseFloat(m[i+1], 64)
			}
			ws = append(ws, word{page, n[0], n[1], n[2], n[3], m[5]})
		}
	}
	return ws
}

// Long tables and paragraphs cross pages: the header is repeated, the footer stands on every page, nothing overlaps it
// or leaves the margins, and no row is lost.
func TestPages(t *testing.T) {
	for _, rows := range []int{0, 1, 2, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 60, 500} {
		d := everything()
		tab := Table{Columns: []Column{{Head: "Capçalera", Share: 3}, {Head: "Import", Share: 1, Right: true}}}
		for i := range rows {
			tab.Rows = append(tab.Rows, []string{fmt.Sprintf("fila%d", i), "1,00"})
		}
		d.Body = []Block{Title{Text: "Títol"}, Heading{Text: "Apartat"}, tab, Paragraph(strings.Repeat("paraula ", 120)), SealBox{Lines: []string{"Segellat"}, Beside: "lloc"}}
		r := render(t, d)
		heads, feet, seen, last := map[int]int{}, map[int]int{}, 0, -1
		rowsOn := map[int]int{}
		for _, w := range words(t, r.PDF) {
			if w.xMin < marginSide/mmPerPoint-1 || w.xMax > (portrait.w-marginSide)/mmPerPoint+1 || w.yMin < marginTop/mmPerPoint-4 || w.yMax > (portrait.h-marginBottom)/mmPerPoint {
				t.Errorf("%d rows: %q lies outside the margins", rows, w.text)
			}
			inFoot := w.yMax > (marginTop+portrait.body())/mmPerPoint+1
			switch {
			case w.text == "Capçalera":
				heads[w.page]++
			case w.text == "Comproveu":
				feet[w.page]++
			case strings.HasPrefix(w.text, "fila"):
				seen++
				rowsOn[w.page]++
				if n, _ := strconv.Atoi(w.text[4:]); n != last+1 {
					t.Errorf("%d rows: row %d follows row %d", rows, n, last)
				} else {
					last = n
				}
				fallthrough
			case w.text == "paraula", w.text == "Segellat":
				if inFoot {
					t.Errorf("%d rows: %q lies in the footer", rows, w.text)
				}
			}
		}
		if seen != rows {
			t.Errorf("%d of %d rows are drawn", seen, rows)
		}
		for p := 1; p <= r.Pages; p++ {
			if feet[p] != 1 {
				t.Errorf("%d rows: page %d has %d footers", rows, p, feet[p])
			}
			if rowsOn[p] > 0 && heads[p] != 1 || rows > 0 && rowsOn[p] == 0 && heads[p] > 0 {
				t.Errorf("%d rows: page %d has %d rows and %d headers", rows, p, rowsOn[p], heads[p])
			}
			if rows > 2 && rowsOn[p] == 1 {
				t.Errorf("%d rows: one stands alone on page %d", rows, p)
			}
		}
	}
}

// Numbers end at the right edge: what is measured is what is drawn.
func TestRightAlignment(t *testing.T) {
	d := everything()
	d.Body = []Block{Table{Columns: []Column{{Head: "A", Share: 1}, {Head: "Import", Share: 1, Right: true}}, Rows: [][]string{{"a", "1,00"}, {"b", "999.999.999,99"}, {"c", "−3,10"}}}}
	want := 0.0
	n := 0
	for _, w := range words(t, render(t, d).PDF) {
		if strings.Contains(w.text, ",") {
			n++
			if want == 0 {
				want = w.xMax
			}
			if diff := w.xMax - want; diff > 0.1 || diff < -0.1 {
				t.Errorf("%q ends %.2f points from the others", w.text, diff)
			}
		}
	}
	if n != 3 {
		t.Errorf("%d numbers seen", n)
	}
}

func TestRenderFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(d *Document)
		cause  string
	}{
		{"no language", func(d *Document) { d.Language = "" }, CauseBadDocument},
		{"no title", func(d *Document) { d.Title = "" }, CauseBadDocument},
		{"no number", func(d *Document) { d.Number = "" }, CauseBadDocument},
		{"no time", func(d *Document) { d.Issued = time.Time{} }, CauseBadDocument},
		{"no institution", func(d *Document) { d.Institution.Name = "" }, CauseBadDocument},
		{"no address", func(d *Document) { d.Footer.URL = "" }, CauseBadDocument},
		{"no code", func(d *Document) { d.Footer.Code = "" }, CauseBadDocument},
		{"no page numbers", func(d *Document) { d.PageOf = nil }, CauseBadDocument},
		{"no body", func(d *Document) { d.Body = nil }, CauseBadDocument},
		{"address too long for a QR", func(d *Document) { d.Footer.URL = strings.Repeat("a", 3000) }, CauseBadDocument},
		{"emoji in a field", func(d *Document) { d.Body = []Block{Fields{{Label: "Nom", Value: "😀"}}} }, CauseMissingGlyph},
		{"emoji in a table", func(d *Document) {
			d.Body = []Block{Table{Columns: []Column{{Head: "Nom", Share: 1}}, Rows: [][]string{{"😀"}}}}
		}, CauseMissingGlyph},
		{"emoji in the institution", func(d *Document) { d.Institution.Name = "😀" }, CauseMissingGlyph},
		{"emoji in the watermark", func(d *Document) { d.Proof = []string{"😀"} }, CauseMissingGlyph},
		{"control in the footer", func(d *Document) { d.Footer.Lines = []string{"\x1b"} }, CauseForbiddenCharacter},
		{"footer of many lines", func(d *Document) { d.Footer.Lines = make([]string, 20) }, CauseTooTall},
		{"header of many lines", func(d *Document) { d.Header = make([]string, 9) }, CauseTooTall},
		{"a row taller than a page", func(d *Document) {
			d.Body = []Block{Table{Columns: []Column{{Head: "Nom", Share: 1}, {Head: "x", Share: 9}}, Rows: [][]string{{strings.Repeat("empresa ", 1300), ""}}}}
		}, CauseTooTall},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := everything()
			c.change(&d)
			_, err := Render(context.Background(), d)
			var fault *Fault
			if !errors.As(err, &fault) || fault.Detail == "" {
				t.Fatalf("got %v", err)
			}
			if fault.Cause != c.cause {
				t.Errorf("got %v, want %s", fault, c.cause)
			}
		})
	}
}

func TestRenderObeysItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Render(ctx, everything()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// What goes wrong underneath comes out as an error, not as a page that says so.
func TestDrawingErrorsSurface(t *testing.T) {
	d := everything()
	d.Institution.Mark = &Mark{[]byte("no picture")}
	if _, err := Render(context.Background(), d); !errors.Is(err, ErrDrawing) {
		t.Errorf("a picture that cannot be read: %v", err)
	}
	if _, err := drawPages(context.Background(), everything(), &setter{sheet: portrait}, []page{{}}, &frame{}); !errors.Is(err, ErrDrawing) {
		t.Errorf("a panic underneath: %v", err)
	}
}

// The writer's gate: what would not be conformant is a fault with a cause, and never a file.
func TestGate(t *testing.T) {
	draw := func(f func(c *canvas)) error {
		d := everything()
		s := &setter{sheet: portrait}
		fr, err := setFrame(s, d, 1)
		if err != nil {
			t.Fatal(err)
		}
		title := s.set(plain("Títol"), titleStyle, 100, "the title")
		_, err = drawPages(context.Background(), d, s, []page{{body: []placed{
			{draw: func(c *canvas) { c.say(s.node(nil, structure.H1), title, 0, 0, titleStyle) }}, {draw: f},
		}}}, fr)
		return err
	}
	s := &setter{sheet: portrait}
	word := s.set(plain("paraula"), bodyStyle, 100, "the text")
	picture, err := ReadPicture(scanned(t, 40, 40, false))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		draw  func(c *canvas)
		cause string
	}{
		"untagged text":    {func(c *canvas) { c.lines(word, 0, 0, bodyStyle) }, CauseNotAccessible},
		"untagged picture": {func(c *canvas) { c.picture(picture.file, true, 0, 0, 10, 10) }, CauseNotAccessible},
		"figure without Alt": {func(c *canvas) {
			c.as(s.node(nil, structure.Figure), func() { c.picture(picture.file, true, 0, 0, 10, 10) })
		}, CauseNotAccessible},
		"off the page": {func(c *canvas) { c.say(s.node(nil, structure.P), word, 185, 0, bodyStyle) }, CauseOutsidePage},
		"missing glyph": {func(c *canvas) {
			c.as(s.node(nil, structure.P), func() { c.text(run{text: "字", st: bodyStyle}, 0, 0) })
		}, CauseMissingGlyph},
		"level left out": {func(c *canvas) { c.say(s.node(nil, structure.H3), word, 0, 0, bodyStyle) }, CauseNotAccessible},
	} {
		err := draw(c.draw)
		var fault *Fault
		if !errors.As(err, &fault) || fault.Cause != c.cause || fault.Detail == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := everything()
	d.Footer.URL = "file:///etc"
	var fault *Fault
	if _, err := Render(context.Background(), d); !errors.As(err, &fault) || fault.Cause != CauseBadDocument {
		t.Errorf("an address that is none: %v", err)
	}
	d = everything()
	d.Language = "català"
	if _, err := Render(context.Background(), d); !errors.As(err, &fault) || fault.Cause != CauseBadDocument {
		t.Errorf("a language that is none: %v", err)
	}
}

func TestReadMark(t *testing.T) {
	encode := func(w, h int) []byte {
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		for i := range img.Pix {
			img.Pix[i] = uint8(i)
		}
		img.Set(0, 0, color.Transparent)
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, size := range []image.Point{{16, 16}, {1000, 40}, {300, 1000}} {
		m, err := ReadMark(encode(size.X, size.Y))
		if err != nil {
			t.Fatal(err)
		}
		d := everything()
		d.Institution.Mark = m
		tool(t, "qpdf", "qpdf", "--check", save(t, render(t, d).PDF))
	}
	for name, file := range map[string][]byte{"not a picture": []byte("GIF89a"), "too small": encode(15, 20), "too large": encode(1001, 20), "cut": encode(200, 200)[:200]} {
		if _, err := ReadMark(file); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	d := everything()
	b.ReportAllocs()
	for b.Loop() {
		r := render(b, d)
		b.SetBytes(int64(len(r.PDF)))
	}
}

// bilingual is a form in two languages with everything that has a second one.
func bilingual() Document {
	d := everything()
	d.Also = "es"
	d.Institution.MarkAlt = "Emblema"
	d.Body = []Block{
		Title{Text: "Certificat de dret", Also: "Certificado de derecho"},
		Summary{Answers: []Answer{{Value: "28", Label: "dies"}, {Value: "2", Label: "persones"}}, Text: plain("Viatgeu tranquils.")},
		Heading{Text: "Titular", Also: "Titular (es)"},
		Fields{{Label: "Cognoms i nom", Also: "Apellidos y nombre", Value: "Puig", Wide: true}, {Label: "Data", Value: "01/01/2026"}},
		Heading{Text: "Persones", Sub: true},
		Table{
			Columns: []Column{{Head: "Nom", Also: "Nombre", Share: 3}, {Head: "Dies", Share: 1, Right: true}},
			Body: []Row{
				{Kind: GroupRow, Cells: []string{"Família"}, Entry: "Família"},
				{Cells: []string{"Arnau", "28"}}, {Cells: []string{"Núria", "28"}},
				{Kind: RemarkRow, Cells: []string{"Sense ningú més"}},
				{Kind: TotalRow, Cells: []string{"Total", "56"}},
			},
		},
		In{"es", []Block{Paragraph("Instrucciones.")}},
	}
	return d
}
