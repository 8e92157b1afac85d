package gofpdf_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/johnfercher/maroto/v2/pkg/consts/fontstyle"

	pdf "github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/check"
	"github.com/phpdave11/gofpdf/structure"
)

// sheet is a page without maroto, with a font and a heading.
func sheet(o pdf.Options) (*pdf.Fpdf, *pdf.Document) {
	f := pdf.NewCustom(&pdf.InitType{})
	for _, c := range fonts() {
		f.AddUTF8FontFromBytes(c.Family, string(c.Style), c.Bytes)
	}
	d := pdf.NewDocument(o)
	f.SetKeywords(d.Token(), true)
	f.AddPage()
	f.SetFont("source", string(fontstyle.Normal), 10)
	d.Tag(structure.H1, structure.Attributes{})
	f.Text(20, 20, "Títol")
	d.End()
	return f, d
}

func TestGate(t *testing.T) {
	words := func(f *pdf.Fpdf, d *pdf.Document, r structure.Role, x, y float64) {
		d.Tag(r, structure.Attributes{})
		f.Text(x, y, "Text")
		d.End()
	}
	png := func(f *pdf.Fpdf) {
		f.RegisterImageOptionsReader("p", pdf.ImageOptions{ImageType: "png"}, bytes.NewReader(samplePNG(false)))
		f.Image("p", 20, 40, 20, 0, false, "", 0, "")
	}
	for name, c := range map[string]struct {
		options func(*pdf.Options)
		draw    func(*pdf.Fpdf, *pdf.Document)
		rule    pdf.Rule
	}{
		"no title":              {options: func(o *pdf.Options) { o.Title = " " }, rule: pdf.RuleTitle},
		"no language":           {options: func(o *pdf.Options) { o.Language = "" }, rule: pdf.RuleLanguage},
		"language in words":     {options: func(o *pdf.Options) { o.Language = "Català" }, rule: pdf.RuleLanguage},
		"control in metadata":   {options: func(o *pdf.Options) { o.Subject = "a\x01b" }, rule: pdf.RuleText},
		"metadata not UTF-8":    {options: func(o *pdf.Options) { o.Author = "\xff" }, rule: pdf.RuleText},
		"attachment undated":    {options: func(o *pdf.Options) { a := attachment(); a.Modified = time.Time{}; o.Attachments = []pdf.Attachment{a} }, rule: pdf.RuleAttachment},
		"attachment in folder":  {options: func(o *pdf.Options) { a := attachment(); a.Name = "../x"; o.Attachments = []pdf.Attachment{a} }, rule: pdf.RuleAttachment},
		"attachment of no type": {options: func(o *pdf.Options) { a := attachment(); a.MIME = "json"; o.Attachments = []pdf.Attachment{a} }, rule: pdf.RuleAttachment},

		"untagged text":      {draw: func(f *pdf.Fpdf, d *pdf.Document) { f.Text(20, 40, "x") }, rule: pdf.RuleUntagged},
		"untagged picture":   {draw: func(f *pdf.Fpdf, d *pdf.Document) { png(f) }, rule: pdf.RuleUntagged},
		"figure without Alt": {draw: func(f *pdf.Fpdf, d *pdf.Document) { d.Tag(structure.Figure, structure.Attributes{}); png(f); d.End() }, rule: pdf.RuleStructure},
		"picture in text":    {draw: func(f *pdf.Fpdf, d *pdf.Document) { d.Tag(structure.P, structure.Attributes{}); png(f); d.End() }, rule: pdf.RuleStructure},
		"text in a table":    {draw: func(f *pdf.Fpdf, d *pdf.Document) { words(f, d, structure.Table, 20, 40) }, rule: pdf.RuleStructure},
		"heading skipped":    {draw: func(f *pdf.Fpdf, d *pdf.Document) { words(f, d, structure.H3, 20, 40) }, rule: pdf.RuleStructure},
		"cell outside a row": {draw: func(f *pdf.Fpdf, d *pdf.Document) { words(f, d, structure.TD, 20, 40) }, rule: pdf.RuleStructure},
		"element not ended":  {draw: func(f *pdf.Fpdf, d *pdf.Document) { d.Tag(structure.P, structure.Attributes{}) }, rule: pdf.RuleStructure},
		"end without begin":  {draw: func(f *pdf.Fpdf, d *pdf.Document) { d.End() }, rule: pdf.RuleStructure},
		"another's element":  {draw: func(f *pdf.Fpdf, d *pdf.Document) { d.Begin(pdf.NewDocument(options()).Root()); d.End() }, rule: pdf.RuleStructure},
		"element in artifact": {draw: func(f *pdf.Fpdf, d *pdf.Document) {
			d.BeginArtifact(pdf.Footer)
			words(f, d, structure.P, 20, 40)
			d.End()
		}, rule: pdf.RuleStructure},
		"unknown artifact": {draw: func(f *pdf.Fpdf, d *pdf.Document) { d.BeginArtifact("/Type/X>>BDC"); d.End() }, rule: pdf.RuleStructure},
		"order of reading": {draw: func(f *pdf.Fpdf, d *pdf.Document) {
			first, second := d.Root().Add(structure.P, structure.Attributes{}), d.Root().Add(structure.P, structure.Attributes{})
			for _, e := range []*structure.Element{second, first} {
				d.Begin(e)
				f.Text(20, 40, "x")
				d.End()
			}
		}, rule: pdf.RuleStructure},
		"transformation left open": {draw: func(f *pdf.Fpdf, d *pdf.Document) { f.TransformBegin() }, rule: pdf.RuleStructure},
		"transformation across": {draw: func(f *pdf.Fpdf, d *pdf.Document) {
			f.TransformBegin()
			d.Tag(structure.P, structure.Attributes{})
			f.TransformEnd()
			d.End()
		}, rule: pdf.RuleStructure},

		"over the right edge": {draw: func(f *pdf.Fpdf, d *pdf.Document) { words(f, d, structure.P, 205, 40) }, rule: pdf.RuleOutside},
		"over the left edge":  {draw: func(f *pdf.Fpdf, d *pdf.Document) { words(f, d, structure.P, -2, 40) }, rule: pdf.RuleOutside},
		"under the page":      {draw: func(f *pdf.Fpdf, d *pdf.Document) { words(f, d, structure.P, 20, 300) }, rule: pdf.RuleOutside},
		"above the page":      {draw: func(f *pdf.Fpdf, d *pdf.Document) { words(f, d, structure.P, 20, 1) }, rule: pdf.RuleOutside},
		"nowhere":             {draw: func(f *pdf.Fpdf, d *pdf.Document) { words(f, d, structure.P, math.NaN(), 40) }, rule: pdf.RuleOutside},
		"turned off the page": {draw: func(f *pdf.Fpdf, d *pdf.Document) {
			f.TransformBegin()
			f.TransformRotate(90, 0, 0)
			words(f, d, structure.P, 20, 40)
			f.TransformEnd()
		}, rule: pdf.RuleOutside},
		"footer under the page": {draw: func(f *pdf.Fpdf, d *pdf.Document) { d.BeginArtifact(pdf.Footer); f.Text(20, 300, "x"); d.End() }, rule: pdf.RuleOutside},

		"link in an artifact": {draw: func(f *pdf.Fpdf, d *pdf.Document) { f.LinkString(20, 40, 10, 5, "https://example.org") }, rule: pdf.RuleLink},
		"link to a script": {draw: func(f *pdf.Fpdf, d *pdf.Document) {
			d.Tag(structure.Link, structure.Attributes{})
			f.LinkString(20, 40, 10, 5, "javascript:alert(1)")
			d.End()
		}, rule: pdf.RuleLink},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			if c.options != nil {
				c.options(&o)
			}
			f, d := sheet(o)
			if c.draw != nil {
				c.draw(f, d)
			}
			b, err := f.Bytes()
			wantFault(t, err, c.rule)
			if b != nil {
				t.Error("a document that fails the gate was written")
			}
		})
	}
}

func TestGateLetsGoodDocumentsPass(t *testing.T) {
	f, d := sheet(options())
	table := d.Tag(structure.Table, structure.Attributes{})
	for _, row := range [][]structure.Attributes{{{RowSpan: 2}, {ColSpan: 2}}, {{}, {}}} {
		tr := table.Add(structure.TR, structure.Attributes{})
		for _, a := range row {
			d.Begin(tr.Add(structure.TD, a))
			f.Text(20, 40, "cel·la")
			d.End()
		}
	}
	d.End()
	d.Tag(structure.P, structure.Attributes{})
	f.Text(20, 50, "En ")
	d.Tag(structure.Span, structure.Attributes{Language: "fr"})
	f.Text(30, 50, "français")
	d.End()
	f.Text(50, 50, "i prou.")
	d.End()
	d.Tag(structure.P, structure.Attributes{Actual: "U"})
	f.TextJustified(20, 60, 100, "Una línia que s’eixampla")
	f.Line(20, 61, 100, 61) // decoration, an artifact by itself
	f.Text(20, 70, "després")
	d.End()
	d.Tag(structure.Figure, structure.Attributes{Alt: "Un triangle"})
	f.Polygon([]pdf.PointType{{X: 20, Y: 80}, {X: 40, Y: 80}, {X: 30, Y: 95}}, "DF")
	f.MoveTo(50, 80)
	f.CurveBezierCubicTo(55, 80, 60, 85, 60, 90)
	f.DrawPath("D")
	d.End()
	f.AddPage()
	f.Rect(-5, -5, 400, 20, "F") // decoration may bleed
	b, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := check.File(b); err != nil {
		t.Error(err)
	}
}

func TestWrittenOnce(t *testing.T) {
	f, _ := sheet(options())
	if _, err := f.Bytes(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Bytes(); err == nil {
		t.Error("a document was written twice")
	}
	f.AddPage()
	if f.Error() == nil {
		t.Error("a page was added to a document that was written")
	}
}

// Every method that is there for maroto's interface only must say so.
func TestRefusedMethodsSetAnError(t *testing.T) {
	source, err := os.ReadFile("refused.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`f\.refuse\("(\w+)"\)`).FindAllStringSubmatch(string(source), -1)
	if len(names) < 50 {
		t.Fatalf("only %d methods found", len(names))
	}
	for _, n := range names {
		f, _ := sheet(options())
		m := reflect.ValueOf(f).MethodByName(n[1])
		var in []reflect.Value
		for i := range m.Type().NumIn() {
			if m.Type().IsVariadic() && i == m.Type().NumIn()-1 {
				break
			}
			in = append(in, reflect.Zero(m.Type().In(i)))
		}
		m.Call(in)
		if !errors.Is(f.Error(), pdf.ErrUnsupported) || !strings.Contains(f.Error().Error(), n[1]) {
			t.Errorf("%s: %v", n[1], f.Error())
		}
	}
}

func TestFirstErrorStays(t *testing.T) {
	f, _ := sheet(options())
	first := errors.New("first")
	f.SetError(first)
	f.SetErrorf("second")
	f.ClearError()
	if _, err := f.Bytes(); !errors.Is(err, first) {
		t.Errorf("got %v", err)
	}
}

func TestArguments(t *testing.T) {
	for name, call := range map[string]func(*pdf.Fpdf){
		"unknown font":     func(f *pdf.Fpdf) { f.SetFont("times", "", 10) },
		"underline":        func(f *pdf.Fpdf) { f.SetFont("source", "U", 10) },
		"size":             func(f *pdf.Fpdf) { f.SetFontSize(-1) },
		"line without end": func(f *pdf.Fpdf) { f.Text(20, 40, strings.Repeat("i", 20000)) },
		"nested without end": func(f *pdf.Fpdf) {
			for range 29 {
				f.TransformBegin()
			}
		},
		"font file":             func(f *pdf.Fpdf) { f.AddUTF8FontFromBytes("x", "", []byte("no font")) },
		"text not UTF-8":        func(f *pdf.Fpdf) { f.Text(20, 40, "\xff") },
		"cell with text":        func(f *pdf.Fpdf) { f.CellFormat(10, 5, "x", "", 0, "", false, 0, "") },
		"blend mode":            func(f *pdf.Fpdf) { f.SetAlpha(1, "Multiply") },
		"opacity":               func(f *pdf.Fpdf) { f.SetAlpha(2, "") },
		"dashes":                func(f *pdf.Fpdf) { f.SetDashPattern([]float64{-1}, 0) },
		"path":                  func(f *pdf.Fpdf) { f.LineTo(1, 1) },
		"style":                 func(f *pdf.Fpdf) { f.Rect(1, 1, 1, 1, "X") },
		"transform end":         func(f *pdf.Fpdf) { f.TransformEnd() },
		"transform outside":     func(f *pdf.Fpdf) { f.TransformRotate(1, 1, 1) },
		"scale":                 func(f *pdf.Fpdf) { f.TransformBegin(); f.TransformScale(0, 1, 1, 1) },
		"bookmark level":        func(f *pdf.Fpdf) { f.Bookmark("x", 1, 0) },
		"bookmark text":         func(f *pdf.Fpdf) { f.Bookmark("a\nb", 0, 0) },
		"picture not there":     func(f *pdf.Fpdf) { f.Image("none", 0, 0, 1, 1, false, "", 0, "") },
		"picture of other type": func(f *pdf.Fpdf) { f.RegisterImageOptionsReader("g", pdf.ImageOptions{ImageType: "gif"}, nil) },
		"token of nobody":       func(f *pdf.Fpdf) { f.SetKeywords("\x00document:none", true) },
	} {
		f, _ := sheet(options())
		call(f)
		if f.Error() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
