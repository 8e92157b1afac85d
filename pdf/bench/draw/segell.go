//go:build !stock

package main

import (
	"time"

	"github.com/johnfercher/go-tree/node"
	"github.com/johnfercher/maroto/v2/pkg/core"
	"github.com/johnfercher/maroto/v2/pkg/core/entity"
	"rsc.io/qr"

	pdf "github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/structure"
)

// meaning says it to Segell's writer.
type meaning struct {
	doc *pdf.Document
}

func describe() meaning {
	return meaning{doc: pdf.NewDocument(pdf.Options{Title: "Certificat de cobertura", Language: "ca", Created: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)})}
}

func (m meaning) keywords() string { return m.doc.Token() }

var roles = map[string]structure.Role{"P": structure.P, "H1": structure.H1, "H2": structure.H2}

func (m meaning) tag(role string) func() {
	if role == "Artifact" {
		return func() { m.doc.BeginArtifact(pdf.Footer) }
	}
	r := roles[role]
	return func() { m.doc.Tag(r, structure.Attributes{}) }
}

func (m meaning) done() { m.doc.End() }

type tableMeaning struct {
	doc               *pdf.Document
	table, head, body *structure.Element
}

type rowMeaning struct {
	table *tableMeaning
	head  bool
	row   *structure.Element
}

func (m meaning) table() *tableMeaning { return &tableMeaning{doc: m.doc} }

func (t *tableMeaning) row(head bool) *rowMeaning { return &rowMeaning{table: t, head: head} }

// cell returns what begins the next cell of the row.
func (r *rowMeaning) cell() func() {
	return func() {
		t := r.table
		if t.table == nil {
			t.table = t.doc.Root().Add(structure.Table, structure.Attributes{})
		}
		if r.row == nil {
			part, role := &t.body, structure.TBody
			if r.head {
				part, role = &t.head, structure.THead
			}
			if *part == nil {
				*part = t.table.Add(role, structure.Attributes{})
			}
			r.row = (*part).Add(structure.TR, structure.Attributes{})
		}
		if r.head {
			t.doc.Begin(r.row.Add(structure.TH, structure.Attributes{Scope: structure.Column}))
		} else {
			t.doc.Begin(r.row.Add(structure.TD, structure.Attributes{}))
		}
	}
}

// code is a QR code as Segell draws it: squares, of which no printer makes a blur.
func (m meaning) code(address string) core.Component { return &squares{m.doc, address} }

type squares struct {
	doc     *pdf.Document
	address string
}

func (s *squares) Render(_ core.Provider, cell *entity.Cell) {
	code, err := qr.Encode(s.address, qr.M)
	if err != nil {
		fail(err)
	}
	s.doc.BeginArtifact(pdf.Footer)
	defer s.doc.End()
	canvas := s.doc.Canvas()
	left, top, _, _ := canvas.GetMargins()
	side := cell.Height / float64(code.Size)
	var dark []pdf.Rectangle
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > from {
				dark = append(dark, pdf.Rectangle{X: left + cell.X + float64(from)*side, Y: top + cell.Y + float64(y)*side, W: float64(x-from) * side, H: side})
			}
		}
	}
	canvas.SetFillColor(0, 0, 0)
	canvas.Rects(dark)
}

func (s *squares) GetHeight(core.Provider, *entity.Cell) float64 { return 0 }
func (s *squares) SetConfig(*entity.Config)                      {}
func (s *squares) GetStructure() *node.Node[core.Structure] {
	return node.New(core.Structure{Type: "squares"})
}
