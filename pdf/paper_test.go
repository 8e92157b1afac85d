package gofpdf_test

import (
	"bytes"
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/johnfercher/go-tree/node"
	"github.com/johnfercher/maroto/v2"
	"github.com/johnfercher/maroto/v2/pkg/components/col"
	marotoimage "github.com/johnfercher/maroto/v2/pkg/components/image"
	"github.com/johnfercher/maroto/v2/pkg/components/row"
	marototext "github.com/johnfercher/maroto/v2/pkg/components/text"
	"github.com/johnfercher/maroto/v2/pkg/config"
	"github.com/johnfercher/maroto/v2/pkg/consts/align"
	"github.com/johnfercher/maroto/v2/pkg/consts/extension"
	"github.com/johnfercher/maroto/v2/pkg/consts/fontstyle"
	"github.com/johnfercher/maroto/v2/pkg/core"
	"github.com/johnfercher/maroto/v2/pkg/core/entity"
	"github.com/johnfercher/maroto/v2/pkg/props"

	pdf "github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/structure"
)

// fonts are those of the repository; one copy is enough.
var fonts = sync.OnceValue(func() []*entity.CustomFont {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("..", "layout", "fonts", name))
		if err != nil {
			panic(err)
		}
		return b
	}
	return []*entity.CustomFont{
		{Family: "source", Style: fontstyle.Normal, Bytes: read("SourceSans3-Regular.ttf")},
		{Family: "source", Style: fontstyle.Bold, Bytes: read("SourceSans3-Semibold.ttf")},
		{Family: "source", Style: fontstyle.Italic, Bytes: read("SourceSans3-It.ttf")},
	}
})

// tagged is what an author's component looks like: it says what maroto's component means, and lets that draw.
type tagged struct {
	doc      *pdf.Document
	element  *structure.Element // nil for an artifact
	artifact pdf.Artifact
	core.Component
}

func (t *tagged) Render(p core.Provider, cell *entity.Cell) {
	if t.element == nil {
		t.doc.BeginArtifact(t.artifact)
	} else {
		t.doc.Begin(t.element)
	}
	t.Component.Render(p, cell)
	t.doc.End()
}

func (t *tagged) GetStructure() *node.Node[core.Structure] { return t.Component.GetStructure() }

// paper is a maroto document together with what it means.
type paper struct {
	core.Maroto
	doc *pdf.Document
}

func newPaper(o pdf.Options, change ...func(config.Builder)) paper {
	doc := pdf.NewDocument(o)
	b := config.NewBuilder().WithCustomFonts(fonts()).WithDefaultFont(&props.Font{Family: "source", Size: 10}).
		WithLeftMargin(20).WithRightMargin(20).WithTopMargin(16).WithCompression(true).
		WithKeywords(doc.Token(), true)
	for _, c := range change {
		c(b)
	}
	return paper{maroto.New(b.Build()), doc}
}

// text adds an element below the root and returns the row that writes it.
func (p paper) text(r structure.Role, s string, style props.Text) core.Row {
	return row.New().Add(col.New(12).Add(p.say(p.doc.Root().Add(r, structure.Attributes{}), s, style)))
}

func (p paper) say(e *structure.Element, s string, style props.Text) core.Component {
	return &tagged{doc: p.doc, element: e, Component: marototext.New(s, style)}
}

func (p paper) generate() ([]byte, error) {
	d, err := p.Generate()
	if err != nil {
		return nil, err
	}
	return d.GetBytes(), nil
}

func (p paper) cell(size int, e *structure.Element, s string) core.Col {
	return col.New(size).Add(p.say(e, s, props.Text{Size: 8.5}))
}

// drawn draws with the canvas where maroto has no component.
type drawn struct{ draw func(*entity.Cell) }

func (d drawn) Render(_ core.Provider, cell *entity.Cell)     { d.draw(cell) }
func (d drawn) GetHeight(core.Provider, *entity.Cell) float64 { return 0 }
func (d drawn) SetConfig(*entity.Config)                      {}
func (d drawn) GetStructure() *node.Node[core.Structure] {
	return node.New(core.Structure{Type: "drawn"})
}

// table adds a table below the root and returns its rows. The head is told apart by its element: on later pages it is
// repeated as an artifact, after perPage rows.
func (p paper) table(headers []string, rows, perPage int, at func(row, column int) string) []core.Row {
	t := p.doc.Root().Add(structure.Table, structure.Attributes{})
	head := t.Add(structure.THead, structure.Attributes{}).Add(structure.TR, structure.Attributes{})
	size := 12 / len(headers)
	line := row.New(6)
	for _, h := range headers {
		line.Add(p.cell(size, head.Add(structure.TH, structure.Attributes{Scope: structure.Column}), h))
	}
	out := []core.Row{line}
	body := t.Add(structure.TBody, structure.Attributes{})
	for r := range rows {
		if r > 0 && r%perPage == 0 {
			again := row.New(6)
			for _, h := range headers {
				again.Add(col.New(size).Add(&tagged{doc: p.doc, artifact: pdf.Header, Component: marototext.New(h, props.Text{Size: 8.5})}))
			}
			out = append(out, again)
		}
		tr := body.Add(structure.TR, structure.Attributes{})
		line := row.New(5)
		for c := range headers {
			line.Add(p.cell(size, tr.Add(structure.TD, structure.Attributes{}), at(r, c)))
		}
		out = append(out, line)
	}
	return out
}

var issued = time.Date(2026, 3, 2, 9, 30, 0, 0, time.FixedZone("CET", 3600))

func options() pdf.Options {
	return pdf.Options{Title: "Certificat de cobertura", Language: "ca", Author: "Caixa de proves", Creator: "Segell", Created: issued}
}

func samplePNG(alpha bool) []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 24, 16))
	for y := range 16 {
		for x := range 24 {
			a := uint8(255)
			if alpha {
				a = uint8(x * 10)
			}
			img.SetNRGBA(x, y, color.NRGBA{uint8(x * 10), uint8(y * 15), 90, a})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func sampleJPEG() []byte {
	img := image.NewYCbCr(image.Rect(0, 0, 32, 32), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = uint8(i)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// everything is a document with all that the writer writes: headings, text, links, pictures, drawings, lists, a table
// over pages, watermark, bookmarks.
func everything(o pdf.Options, change ...func(config.Builder)) ([]byte, error) {
	p := newPaper(o, change...)
	root := p.doc.Root()
	url := "https://example.org/v/ABCD"
	p.AddRows(
		p.text(structure.H1, "Certificat de cobertura", props.Text{Size: 18, Style: fontstyle.Bold}),
		p.text(structure.P, "La persona Puig i Cerqueda, Maria del Carme té dret a les prestacions: AVATAR, Tòquio, l’àvia i el col·legi. Paral·lel, façana, ŀ ḥ ł đ ő ã ç. "+
			"Aquest paràgraf és prou llarg per ocupar més d’una línia i mostrar que les paraules es troben.", props.Text{}),
		p.text(structure.P, "Aquest altre està justificat, de manera que cada paraula s’escriu al seu lloc i els espais entre elles s’eixamplen fins que la línia és plena.", props.Text{Align: align.Justify}),
		p.text(structure.H2, "Vincles", props.Text{Size: 12, Style: fontstyle.Bold}),
	)
	paragraph := root.Add(structure.P, structure.Attributes{})
	p.AddRows(row.New(6).Add(col.New(12).Add(p.say(paragraph.Add(structure.Link, structure.Attributes{Contents: "Comprovació del document"}), "Comproveu aquest document a example.org", props.Text{Hyperlink: &url}))))

	gradient := root.Add(structure.Figure, structure.Attributes{Alt: "Un quadre de colors"})
	greys := root.Add(structure.Figure, structure.Attributes{Alt: "Un degradat de verds"})
	squares := root.Add(structure.Figure, structure.Attributes{Alt: "Tres quadrats"})
	p.AddRows(row.New(20).Add(
		col.New(4).Add(&tagged{doc: p.doc, element: gradient, Component: marotoimage.NewFromBytes(samplePNG(true), extension.Png)}),
		col.New(4).Add(&tagged{doc: p.doc, element: greys, Component: marotoimage.NewFromBytes(sampleJPEG(), extension.Jpg)}),
		col.New(4).Add(drawn{func(cell *entity.Cell) {
			c := p.doc.Canvas()
			left, top, _, _ := c.GetMargins()
			p.doc.Begin(squares)
			c.SetFillColor(18, 53, 91)
			c.Rects([]pdf.Rectangle{{X: left + cell.X, Y: top + cell.Y, W: 3, H: 3}, {X: left + cell.X + 4, Y: top + cell.Y, W: 3, H: 3}, {X: left + cell.X, Y: top + cell.Y + 4, W: 3, H: 3}})
			p.doc.End()
			p.doc.BeginArtifact(pdf.Watermark)
			c.TransformBegin()
			c.TransformRotate(45, 105, 150)
			c.SetAlpha(0.2, "Normal")
			c.SetFont("source", "B", 60)
			c.SetTextColor(200, 0, 0)
			c.Text(60, 150, "PROVA")
			c.SetAlpha(1, "Normal")
			c.SetTextColor(0, 0, 0)
			c.TransformEnd()
			p.doc.End()
			c.Bookmark("Certificat", 0, 0)
			c.Bookmark("Vincles", 1, 60)
			c.Bookmark("Taula", 1, 120)
			c.Bookmark("Final", 0, 200)
		}}),
	))
	list := root.Add(structure.L, structure.Attributes{Marks: structure.Disc})
	for _, item := range []string{"Primer punt", "Segon punt"} {
		li := list.Add(structure.LI, structure.Attributes{})
		p.AddRows(row.New(6).Add(p.cell(1, li.Add(structure.Lbl, structure.Attributes{}), "•"), p.cell(11, li.Add(structure.LBody, structure.Attributes{}), item)))
	}
	style := &props.Cell{BackgroundColor: &props.Color{Red: 240, Green: 240, Blue: 244}}
	for i, r := range p.table([]string{"Data", "Concepte", "Import"}, 120, 30, func(r, c int) string { return fmt.Sprintf("Fila %d, columna %d", r+1, c+1) }) {
		if i%2 == 1 {
			r.WithStyle(style)
		}
		p.AddRows(r)
	}
	return p.generate()
}
