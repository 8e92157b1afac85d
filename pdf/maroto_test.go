package gofpdf_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johnfercher/maroto/v2"
	"github.com/johnfercher/maroto/v2/pkg/components/code"
	marotoimage "github.com/johnfercher/maroto/v2/pkg/components/image"
	"github.com/johnfercher/maroto/v2/pkg/components/row"
	marototext "github.com/johnfercher/maroto/v2/pkg/components/text"
	"github.com/johnfercher/maroto/v2/pkg/config"
	"github.com/johnfercher/maroto/v2/pkg/consts/extension"
	"github.com/johnfercher/maroto/v2/pkg/consts/protection"
	"github.com/johnfercher/maroto/v2/pkg/core"
	"github.com/johnfercher/maroto/v2/pkg/props"

	pdf "github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/check"
	"github.com/phpdave11/gofpdf/structure"
)

func attachment() pdf.Attachment {
	return pdf.Attachment{Name: "dades.json", Description: "Les dades del certificat", MIME: "application/json", Relationship: pdf.Source, Modified: issued, Data: []byte(`{"actiu":true}`)}
}

func TestEverythingPassesOurChecker(t *testing.T) {
	with := options()
	with.Attachments = []pdf.Attachment{attachment()}
	uncompressed := func(b config.Builder) { b.WithCompression(false) }
	for name, make := range map[string]func() ([]byte, error){
		"PDF/A-2a":     func() ([]byte, error) { return everything(options()) },
		"PDF/A-3a":     func() ([]byte, error) { return everything(with) },
		"uncompressed": func() ([]byte, error) { return everything(options(), uncompressed) },
	} {
		b, err := make()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := check.File(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSameInputSameBytes(t *testing.T) {
	first, err := everything(options())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := everything(options())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Fatal("the same document came out differently")
		}
	}
}

func TestDocumentsInParallel(t *testing.T) {
	want, err := everything(options())
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 3 {
				got, err := everything(options())
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("another document beside it changed this one (%v)", err)
				}
			}
		})
	}
	wait.Wait()
}

// The seam between a document and maroto's writer: if maroto ever stops handing keywords on, this is the test to fail.
func TestTokenBringsDocumentAndWriterTogether(t *testing.T) {
	p := newPaper(options())
	if p.doc.Canvas() == nil {
		t.Fatal("maroto.New did not hand the keywords to the writer")
	}
	p.AddRows(p.text(structure.H1, "Títol", props.Text{}))
	b, err := p.generate()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("document:")) {
		t.Error("the token was printed")
	}
}

func TestTokenIsGoodOnce(t *testing.T) {
	doc := pdf.NewDocument(options())
	start := func() core.Maroto {
		return maroto.New(config.NewBuilder().WithCustomFonts(fonts()).WithDefaultFont(&props.Font{Family: "source"}).WithKeywords(doc.Token(), true).Build())
	}
	start()
	if _, err := start().Generate(); !errors.Is(err, pdf.ErrToken) {
		t.Errorf("a token used twice gave %v", err)
	}
}

// The components here touch no document, which is not for several goroutines.
func TestConcurrentModesAreRefused(t *testing.T) {
	for name, mode := range map[string]func(config.Builder){
		"concurrent": func(b config.Builder) { b.WithConcurrentMode(2) },
		"low memory": func(b config.Builder) { b.WithSequentialLowMemoryMode(2) },
	} {
		p := newPaper(options(), mode)
		for range 100 {
			p.AddRows(marototext.NewRow(6, "una fila"))
		}
		if _, err := p.generate(); err == nil {
			t.Errorf("maroto's %s mode, which loses the structure, was not refused", name)
		}
	}
}

func TestForgottenDocumentIsForgotten(t *testing.T) {
	token := pdf.NewDocument(options()).Token()
	deadline := time.Now().Add(10 * time.Second)
	for pdf.Waiting(token) {
		if time.Now().After(deadline) {
			t.Fatal("a document nobody holds is still waiting for a writer")
		}
		runtime.GC()
		runtime.Gosched()
	}
}

// What maroto prints into the page instead of reporting must never come out as a document.
func TestWhatMarotoCannotDrawIsAnError(t *testing.T) {
	for name, add := range map[string]func(paper){
		"QR code that is too long":  func(p paper) { p.AddRows(code.NewQrRow(20, strings.Repeat("x", 9000))) },
		"barcode of wrong content":  func(p paper) { p.AddRows(code.NewBarRow(20, "à")) },
		"picture that is none":      func(p paper) { p.AddRows(marotoimage.NewFromBytesRow(20, []byte("none"), extension.Png)) },
		"picture that is not there": func(p paper) { p.AddRows(marotoimage.NewFromFileRow(20, "not/there.png")) },
	} {
		p := newPaper(options())
		p.AddRows(p.text(structure.P, "Text", props.Text{}))
		add(p)
		if _, err := p.generate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMarotoOptionsThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(config.Builder){
		"protection":                func(b config.Builder) { b.WithProtection(protection.Print, "a", "b") },
		"page number of maroto":     func(b config.Builder) { b.WithPageNumber() },
		"font that is not embedded": func(b config.Builder) { b.WithDefaultFont(&props.Font{Family: "arial", Size: 10}) },
	} {
		if _, err := everything(options(), change); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBackgroundImageIsAnArtifact(t *testing.T) {
	b, err := everything(options(), func(b config.Builder) { b.WithBackgroundImage(samplePNG(false), extension.Png) })
	if err != nil {
		t.Fatal(err)
	}
	if err := check.File(b); err != nil {
		t.Error(err)
	}
}

func TestMissingGlyph(t *testing.T) {
	for _, r := range []rune{'😀', '\u200F', '\u202E', '\n', '\t', 0, '字', 0x10FFFF} {
		for name, add := range map[string]func(paper, string) core.Row{
			"drawn":    func(p paper, s string) core.Row { return p.text(structure.P, s, props.Text{}) },
			"measured": func(p paper, s string) core.Row { return row.New().Add() },
		} {
			p := newPaper(options())
			p.AddRows(p.text(structure.H1, "Títol", props.Text{}), add(p, "Maria "+string(r)+" Puig"))
			if name == "measured" {
				p.doc.Canvas().GetStringWidth("Maria " + string(r))
			}
			_, err := p.generate()
			var missing pdf.MissingGlyph
			if !errors.As(err, &missing) || missing.Rune != r {
				t.Errorf("U+%04X %s: got %v", r, name, err)
			}
			if err != nil && strings.Contains(err.Error(), "Maria") {
				t.Errorf("the error repeats the text: %v", err)
			}
		}
	}
}

func TestUntaggedDocumentIsRefused(t *testing.T) {
	p := newPaper(options())
	p.AddRows(p.text(structure.H1, "Títol", props.Text{}), marototext.NewRow(6, "ningú no diu què és"))
	_, err := p.generate()
	wantFault(t, err, pdf.RuleUntagged)
}

func wantFault(t *testing.T, err error, rule pdf.Rule) {
	t.Helper()
	for _, e := range flatten(err) {
		var f pdf.Fault
		if errors.As(e, &f) && f.Rule == rule {
			return
		}
	}
	t.Errorf("want a fault of rule %q, got %v", rule, err)
}

// flatten returns the single errors of a joined one.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func TestRowsOfEveryNumber(t *testing.T) {
	for _, rows := range []int{1, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 5000} {
		p := newPaper(options())
		p.AddRows(p.text(structure.H1, "Extracte", props.Text{}))
		p.AddRows(p.table([]string{"A", "B", "C"}, rows, 45, func(r, c int) string { return fmt.Sprintf("%d.%d", r, c) })...)
		b, err := p.generate()
		if err != nil {
			t.Fatalf("%d rows: %v", rows, err)
		}
		if err := check.File(b); err != nil {
			t.Errorf("%d rows: %v", rows, err)
		}
	}
}

func TestRowTallerThanPage(t *testing.T) {
	p := newPaper(options())
	p.AddRows(p.text(structure.P, strings.Repeat("Un paràgraf que no s’acaba mai i que maroto posa en una sola fila. ", 200), props.Text{}))
	_, err := p.generate()
	wantFault(t, err, pdf.RuleOutside)
}

func TestElementOverPages(t *testing.T) {
	p := newPaper(options())
	e := p.doc.Root().Add(structure.P, structure.Attributes{})
	for i := range 100 {
		p.AddRows(row.New(6).Add(p.cell(12, e, fmt.Sprintf("línia %d d’un paràgraf de tres pàgines", i))))
	}
	b, err := p.generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := check.File(b); err != nil {
		t.Error(err)
	}
}

// A word in two faces is one word; two lines are two.
func TestRunsThatTouchAreNotTornApart(t *testing.T) {
	f, d := sheet(options())
	f.SetCompression(false)
	d.Tag(structure.P, structure.Attributes{})
	f.Text(20, 40, "Ku")
	next := 20 + f.GetStringWidth("Ku")
	f.SetFont("source", "B", 10)
	f.Text(next, 40, "xi")
	f.Text(20, 45, "llarguís\u00AD")
	f.Text(20, 50, "sima")
	d.End()
	b, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	shown := bytes.Count(b, []byte("]TJ\n"))
	if want := 1 + 4 + 1; shown != want { // the heading, four runs, one space after "xi"
		t.Errorf("%d strings are shown, want %d", shown, want)
	}
}
