package main

import (
	"fmt"

	"github.com/johnfercher/go-tree/node"
	"github.com/johnfercher/maroto/v2"
	"github.com/johnfercher/maroto/v2/pkg/components/col"
	"github.com/johnfercher/maroto/v2/pkg/components/line"
	"github.com/johnfercher/maroto/v2/pkg/components/row"
	"github.com/johnfercher/maroto/v2/pkg/components/text"
	"github.com/johnfercher/maroto/v2/pkg/config"
	"github.com/johnfercher/maroto/v2/pkg/consts/align"
	"github.com/johnfercher/maroto/v2/pkg/consts/fontstyle"
	"github.com/johnfercher/maroto/v2/pkg/core"
	"github.com/johnfercher/maroto/v2/pkg/core/entity"
	"github.com/johnfercher/maroto/v2/pkg/props"
)

// sheet is a maroto document; meaning is what its components mean, which gofpdf has no use for.
type sheet struct {
	core.Maroto
	meaning
}

func start(fonts []*entity.CustomFont) sheet {
	m := describe()
	b := config.NewBuilder().WithCustomFonts(fonts).WithDefaultFont(&props.Font{Family: "source", Size: 10}).
		WithLeftMargin(20).WithRightMargin(20).WithTopMargin(16).WithCompression(true).
		WithTitle("Certificat de cobertura", true)
	if k := m.keywords(); k != "" {
		b.WithKeywords(k, true)
	}
	return sheet{maroto.New(b.Build()), m}
}

func (s sheet) bytes() []byte {
	d, err := s.Generate()
	if err != nil {
		fail(err)
	}
	return d.GetBytes()
}

// component gives a maroto component its meaning.
type component struct {
	begin, end func()
	core.Component
}

func (c *component) Render(p core.Provider, cell *entity.Cell) {
	c.begin()
	c.Component.Render(p, cell)
	c.end()
}

func (c *component) GetStructure() *node.Node[core.Structure] { return c.Component.GetStructure() }

func (s sheet) write(role, words string, style props.Text) core.Component {
	return &component{s.tag(role), s.done, text.New(words, style)}
}

// certificate is one page as Segell's are: head, title, fields, text, a short table, foot with a QR code if wanted.
func certificate(fonts []*entity.CustomFont, withCode bool) []byte {
	s := start(fonts)
	emblem := col.New(3)
	if withCode {
		emblem.Add(s.code("https://example.org/v/7KQ2-M4XD-9TRB-33FH-ZP5C-8W"))
	}
	label := props.Text{Size: 8.5, Color: &props.Color{Red: 80, Green: 80, Blue: 80}}
	if err := s.RegisterFooter(row.New(24).Add(
		emblem,
		col.New(9).Add(
			&component{s.tag("Artifact"), s.done, text.New("Codi segur de verificació: 7KQ2-M4XD-9TRB-33FH-ZP5C-8W", props.Text{Size: 7.5, Top: 2})},
			&component{s.tag("Artifact"), s.done, text.New("Comproveu aquest document a https://example.org/v", props.Text{Size: 7.5, Top: 6})},
			&component{s.tag("Artifact"), s.done, text.New("Vàlid fins al 02/06/2026 · CASS-2026-COB-0001234 · Pàgina 1 de 1", props.Text{Size: 7.5, Top: 10})},
			&component{s.tag("Artifact"), s.done, text.New("Les dades es tracten d’acord amb la Llei 29/2021, qualificada de protecció de dades personals.", props.Text{Size: 7.5, Top: 14})},
		),
	)); err != nil {
		fail(err)
	}
	s.AddRows(
		row.New(14).Add(
			col.New(6).Add(s.write("P", "Caixa Andorrana de Seguretat Social", props.Text{Size: 12, Style: fontstyle.Bold})),
			col.New(6).Add(s.write("P", "CASS-2026-COB-0001234", props.Text{Align: align.Right})),
		),
		row.New(12).Add(col.New(12).Add(s.write("H1", "Certificat de cobertura", props.Text{Size: 18, Style: fontstyle.Bold}))),
		row.New(4).Add(col.New(12).Add(line.New(props.Line{Thickness: 0.4, Color: &props.Color{Red: 18, Green: 53, Blue: 91}}))),
		row.New(8).Add(col.New(12).Add(s.write("P", "Acredita que la persona està coberta per l’assegurança de malaltia i maternitat.", props.Text{Style: fontstyle.Italic}))),
	)
	for _, f := range [][2]string{
		{"Cognoms i nom", "Puig i Cerqueda, Maria del Carme"}, {"Número d’afiliació", "000000A"}, {"Data de naixement", "19/07/1984"},
		{"Document d’identitat", "PP0000000 (AD)"}, {"Situació", "Assalariada"}, {"Cobertura des del", "01/09/2019"},
		{"Taxa general", "75,00 %"}, {"Taxa d’hospitalització", "90,00 %"},
	} {
		s.AddRows(row.New(6).Add(col.New(4).Add(s.write("P", f[0], label)), col.New(8).Add(s.write("P", f[1], props.Text{}))))
	}
	s.AddRows(
		row.New(10).Add(col.New(12).Add(s.write("H2", "Persones a càrrec", props.Text{Size: 12, Style: fontstyle.Bold, Top: 3}))),
	)
	s.rows([]string{"Cognoms i nom", "Número", "Naixement", "Parentiu"}, 5, 3, func(r, c int) string {
		return [][]string{
			{"Ferrer Puig, Arnau", "000001B", "05/05/2015", "Fill"}, {"Ferrer Puig, Mercè", "000002C", "11/01/2018", "Filla"}, {"Ferrer Puig, Lluïsa", "000003D", "23/10/2021", "Filla"},
		}[r][c]
	})
	s.AddRows(
		row.New(6),
		row.New().Add(col.New(12).Add(s.write("P", "Aquest certificat s’expedeix a petició de la persona interessada i fa fe de la situació que consta en els registres a la data d’emissió. "+
			"Els drets que s’hi acrediten es mantenen mentre no canviï la situació que els origina; qualsevol variació s’ha de comunicar en el termini que estableix la Llei 17/2008, de la seguretat social.", props.Text{Align: align.Justify}))),
		row.New(16).Add(col.New(12).Add(s.write("P", "Andorra la Vella, 2 de març del 2026", props.Text{Top: 6}))),
		row.New(8).Add(col.New(12).Add(s.write("P", "Segellat electrònicament per la Caixa Andorrana de Seguretat Social", props.Text{Size: 8.5}))),
	)
	return s.bytes()
}

// table is a statement: a heading and rows of six cells, thirty on a page.
func table(fonts []*entity.CustomFont, rows int) []byte {
	s := start(fonts)
	s.AddRows(row.New(12).Add(col.New(12).Add(s.write("H1", "Extracte de reemborsaments", props.Text{Size: 18, Style: fontstyle.Bold}))))
	s.rows([]string{"Data", "Acte", "Professional", "Tarifa", "Taxa", "Reemborsat"}, 8.6, rows, func(r, c int) string {
		switch c {
		case 0:
			return fmt.Sprintf("%02d/%02d/2025", r%28+1, r%12+1)
		case 1:
			return []string{"Visita", "Anàlisi", "Radiologia", "Farmàcia"}[r%4]
		case 2:
			return fmt.Sprintf("Consultori %d", r%37+1)
		case 3:
			return fmt.Sprintf("%d,%02d", 20+r%80, r%100)
		case 4:
			return "75,00 %"
		}
		return fmt.Sprintf("%d,%02d", 15+r%60, r*7%100)
	})
	return s.bytes()
}

// rows adds a table; the height of a row is in millimetres.
func (s sheet) rows(headers []string, height float64, rows int, at func(r, c int) string) {
	size := 12 / len(headers)
	cell := props.Text{Size: 8.5}
	number := props.Text{Size: 8.5, Align: align.Right}
	t := s.table()
	head := t.row(true)
	line := row.New(height)
	for _, h := range headers {
		begin := head.cell()
		line.Add(col.New(size).Add(&component{begin, s.done, text.New(h, props.Text{Size: 8.5, Style: fontstyle.Bold})}))
	}
	s.AddRows(line)
	for r := range rows {
		tr := t.row(false)
		line := row.New(height)
		for c := range headers {
			style := cell
			if c >= 3 {
				style = number
			}
			line.Add(col.New(size).Add(&component{tr.cell(), s.done, text.New(at(r, c), style)}))
		}
		s.AddRows(line)
	}
}
