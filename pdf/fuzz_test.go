package gofpdf_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johnfercher/maroto/v2/pkg/components/row"
	"github.com/johnfercher/maroto/v2/pkg/consts/align"
	"github.com/johnfercher/maroto/v2/pkg/props"

	pdf "github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/check"
	"github.com/phpdave11/gofpdf/judges"
	"github.com/phpdave11/gofpdf/structure"
)

// sound fails when a file was written that a judge refuses. That an input is refused is well, that the program breaks
// down or writes a file that is not conformant is not.
func sound(t *testing.T, b []byte, err error) {
	t.Helper()
	if err != nil {
		if b != nil {
			t.Fatal("a file came with an error")
		}
		return
	}
	if err := check.File(b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if v, err := judges.QPDF(t.Context(), path); err != nil || !v.Pass {
		t.Fatal(v, err)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"Puig i Cerqueda", "l·l ŀ ḥ ł đ ő", "(\\)\r\n", "😀", "a\u00ADb c\u00A0d", "\u202Eabc", strings.Repeat("mot ", 400), strings.Repeat("m", 300), "\xff"} {
		f.Add(s, s, 10.0, byte(0))
	}
	f.Fuzz(func(t *testing.T, s, title string, size float64, how byte) {
		o := options()
		o.Title, o.Subject = title, s
		p := newPaper(o)
		style := props.Text{Size: size, Align: []align.Type{align.Left, align.Right, align.Center, align.Justify}[how%4]}
		p.AddRows(p.text(structure.H1, s, style), p.text(structure.P, s+" "+title, style))
		b, err := p.generate()
		sound(t, b, err)
	})
}

func FuzzTable(f *testing.F) {
	f.Add(uint16(3), byte(3), byte(0), "cel·la")
	f.Add(uint16(400), byte(6), byte(1), "1,00")
	f.Add(uint16(0), byte(1), byte(2), "")
	f.Fuzz(func(t *testing.T, rows uint16, columns, spans byte, s string) {
		n := int(columns%12) + 1
		p := newPaper(options())
		table := p.doc.Root().Add(structure.Table, structure.Attributes{})
		for r := range int(rows % 600) {
			tr := table.Add(structure.TR, structure.Attributes{})
			line := row.New(5)
			for c := range n {
				role, a := structure.TD, structure.Attributes{}
				if r == 0 {
					role, a.Scope = structure.TH, structure.Column
				}
				if spans&1 != 0 && c == 0 && r%2 == 1 {
					a.ColSpan = int(spans>>1%4) + 1 // wrong, unless it is 1
				}
				line.Add(p.cell(1, tr.Add(role, a), s))
			}
			p.AddRows(line)
		}
		b, err := p.generate()
		sound(t, b, err)
	})
}

func FuzzPicture(f *testing.F) {
	f.Add(samplePNG(true), true, 10.0, 10.0)
	f.Add(samplePNG(false), true, 10.0, 0.0)
	f.Add(sampleJPEG(), false, 0.0, 10.0)
	palette := image.NewPaletted(image.Rect(0, 0, 3, 3), color.Palette{color.Black, color.White, color.NRGBA{1, 2, 3, 4}})
	deep := image.NewGray16(image.Rect(0, 0, 3, 3))
	grey := image.NewGray(image.Rect(0, 0, 3, 3))
	for _, img := range []image.Image{palette, deep, grey} {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), true, 5.0, 5.0)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, grey, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), false, 5.0, 5.0)
	f.Fuzz(func(t *testing.T, data []byte, isPNG bool, w, h float64) {
		c, d := sheet(options())
		kind := "jpg"
		if isPNG {
			kind = "png"
		}
		d.Tag(structure.Figure, structure.Attributes{Alt: "Una imatge"})
		if c.RegisterImageOptionsReader("a", pdf.ImageOptions{ImageType: kind}, bytes.NewReader(data)) == nil && c.Error() == nil {
			t.Fatal("no picture and no error")
		}
		c.Image("a", 30, 40, w, h, false, "", 0, "")
		d.End()
		b, err := c.Bytes()
		sound(t, b, err)
	})
}

// FuzzStructure reads its input as instructions: begin, end, write, draw, turn, new page.
func FuzzStructure(f *testing.F) {
	f.Add([]byte{0x08, 0x80, 0xC0})
	f.Add([]byte{0x0F, 0x13, 0x14, 0x80, 0xC0, 0x15, 0x80, 0xC0, 0xC0, 0xC0})
	f.Add([]byte{0x16, 0x81, 0xC0, 0x0A, 0x80, 0x83, 0xC0, 0x84, 0x08, 0x80, 0xC0})
	f.Add([]byte{0x85, 0x08, 0x80, 0xC0, 0x86, 0x40, 0x80, 0xC0, 0x87})
	f.Add([]byte{0x0A, 0xC0}) // a link that leads nowhere
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 2000 {
			return
		}
		c, d := sheet(options())
		y := 30.0
		for _, op := range program {
			switch {
			case op < 0x40:
				a := structure.Attributes{}
				r := structure.Role(op)
				switch r {
				case structure.Figure:
					a.Alt = "Una figura"
				case structure.L:
					a.Marks = structure.Decimal
				}
				if r <= structure.Form {
					d.Tag(r, a)
				}
			case op == 0x40:
				d.BeginArtifact(pdf.Footer)
			case op == 0x80:
				c.Text(20, y, "text")
			case op == 0x81:
				c.Rect(20, y, 5, 5, "DF")
			case op == 0x82:
				c.Line(20, y, 40, y)
			case op == 0x83:
				c.LinkString(20, y, 10, 5, "https://example.org/a(b)")
			case op == 0x84:
				c.AddPage()
				y = 30
			case op == 0x85:
				c.TransformBegin()
				c.TransformRotate(10, 20, y)
			case op == 0x86:
				c.TransformEnd()
			case op == 0x87:
				c.SetAlpha(0.5, "")
			case op == 0x88:
				c.Bookmark("marca", 0, -1)
			case op == 0xC0:
				d.End()
			default:
				y += 4
			}
		}
		b, err := c.Bytes()
		sound(t, b, err)
	})
}
