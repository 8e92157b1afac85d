package gofpdf_test

import (
	"fmt"
	"time"

	"github.com/johnfercher/go-tree/node"
	"github.com/johnfercher/maroto/v2"
	"github.com/johnfercher/maroto/v2/pkg/components/col"
	"github.com/johnfercher/maroto/v2/pkg/components/row"
	"github.com/johnfercher/maroto/v2/pkg/components/text"
	"github.com/johnfercher/maroto/v2/pkg/config"
	"github.com/johnfercher/maroto/v2/pkg/core"
	"github.com/johnfercher/maroto/v2/pkg/core/entity"
	"github.com/johnfercher/maroto/v2/pkg/props"

	pdf "github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/check"
	"github.com/phpdave11/gofpdf/structure"
)

// Meaning gives a component of maroto its place in the structure.
type Meaning struct {
	Document *pdf.Document
	Element  *structure.Element
	core.Component
}

// Render draws the component as the content of its element.
func (m Meaning) Render(provider core.Provider, cell *entity.Cell) {
	m.Document.Begin(m.Element)
	defer m.Document.End()
	m.Component.Render(provider, cell)
}

// GetStructure is maroto's own view, for its tests.
func (m Meaning) GetStructure() *node.Node[core.Structure] { return m.Component.GetStructure() }

// A letter of two elements, drawn by unmodified maroto.
func Example() {
	doc := pdf.NewDocument(pdf.Options{
		Title:    "Certificat de cobertura",
		Language: "ca",
		Created:  time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
	})
	m := maroto.New(config.NewBuilder().
		WithCustomFonts(fonts()). // TrueType faces; there are no built-in ones
		WithDefaultFont(&props.Font{Family: "source", Size: 10}).
		WithKeywords(doc.Token(), true). // brings document and writer together
		WithCompression(true).
		Build())

	write := func(role structure.Role, words string, size float64) {
		element := doc.Root().Add(role, structure.Attributes{})
		m.AddRows(row.New().Add(col.New().Add(Meaning{doc, element, text.New(words, props.Text{Size: size})})))
	}
	write(structure.H1, "Certificat de cobertura", 18)
	write(structure.P, "La persona està coberta per l’assegurança de malaltia.", 10)

	out, err := m.Generate()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(check.File(out.GetBytes()))
	// Output: <nil>
}

// Where maroto has no component, the canvas draws: lengths are millimetres from the upper left corner of the page.
func ExampleDocument_Canvas() {
	f := pdf.NewCustom(&pdf.InitType{})
	doc := f.Document()
	f.SetTitle("Marca", true)
	f.AddPage()
	doc.Tag(structure.Figure, structure.Attributes{Alt: "Dos quadrats blaus"})
	doc.Canvas().SetFillColor(18, 53, 91)
	doc.Canvas().Rects([]pdf.Rectangle{{X: 20, Y: 20, W: 10, H: 10}, {X: 32, Y: 20, W: 10, H: 10}})
	doc.End()
	_, err := f.Bytes()
	fmt.Println(err)
	// Output: pdf: language: the document does not say its language as a BCP 47 tag
}
