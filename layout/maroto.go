package layout

import (
	"bytes"
	"context"
	"fmt"

	"github.com/johnfercher/go-tree/node"
	"github.com/johnfercher/maroto/v2"
	"github.com/johnfercher/maroto/v2/pkg/components/col"
	mpage "github.com/johnfercher/maroto/v2/pkg/components/page"
	"github.com/johnfercher/maroto/v2/pkg/components/row"
	"github.com/johnfercher/maroto/v2/pkg/config"
	"github.com/johnfercher/maroto/v2/pkg/consts/fontstyle"
	"github.com/johnfercher/maroto/v2/pkg/core"
	"github.com/johnfercher/maroto/v2/pkg/core/entity"
	"github.com/johnfercher/maroto/v2/pkg/props"
	"github.com/phpdave11/gofpdf"
)

func init() {
	// Stock gofpdf writes fonts and images in map order. This is its only switch,
	// process-wide, and nothing but layout uses gofpdf.
	gofpdf.SetDefaultCatalogSort(true)
}

// band is a full-width part of a page as maroto sees it: a component with a height.
type band struct {
	height float64
	draw   func(c *canvas)
}

func (b band) SetConfig(*entity.Config) {}

func (b band) GetHeight(core.Provider, *entity.Cell) float64 { return b.height }

func (b band) GetStructure() *node.Node[core.Structure] {
	return node.New(core.Structure{Type: "band", Value: b.height})
}

func (b band) Render(p core.Provider, cell *entity.Cell) {
	if b.draw != nil {
		b.draw(&canvas{p: p, x: cell.X, y: cell.Y})
	}
}

func (b band) row() core.Row { return row.New(b.height).Add(col.New().Add(b)) }

// drawPages hands the pages to maroto and returns its file.
func drawPages(ctx context.Context, pages []page, frame *frame, need used) (file []byte, err error) {
	// gofpdf panics on what it does not expect; a page must never take the process with it.
	// The panic's value may quote the text: it is not repeated.
	defer func() {
		if p := recover(); p != nil {
			file, err = nil, fmt.Errorf("%w: a panic of type %T underneath", ErrDrawing, p)
		}
	}()

	m := maroto.New(config.NewBuilder().
		WithDimensions(pageWidth, pageHeight).
		WithLeftMargin(marginSide).WithRightMargin(marginSide).
		WithTopMargin(marginTop).WithBottomMargin(marginBottom).
		WithSequentialMode().
		WithCompression(true).
		WithCustomFonts(customFonts(need)).
		WithDefaultFont(&props.Font{Family: faces[regular].family, Size: bodyStyle.size, Style: fontstyle.Normal}).
		Build())
	for i, p := range pages {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		top := bodyTop(i)
		// A hundredth of a millimetre is left over, so that rounding never pushes the footer to a page of its own.
		body := band{bodyHeight - top - 0.01, func(c *canvas) {
			for _, pl := range p.body {
				pl.draw(&canvas{p: c.p, x: c.x, y: c.y + pl.y})
			}
		}}
		m.AddPages(mpage.New().Add(
			band{top, func(c *canvas) { frame.header(c, i) }}.row(),
			body.row(),
			band{footerHeight, func(c *canvas) { frame.footer(c, i) }}.row(),
		))
	}
	doc, err := m.Generate()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDrawing, err)
	}
	return doc.GetBytes(), nil
}

// customFonts are the faces a document needs, the regular one always: maroto starts with it.
func customFonts(need used) []*entity.CustomFont {
	need[regular] = true
	var fonts []*entity.CustomFont
	for id, yes := range need {
		if !yes {
			continue
		}
		f := &faces[id]
		// A copy for each document: gofpdf pads tables in place when it takes their
		// checksum, so documents that share the bytes race.
		fonts = append(fonts, &entity.CustomFont{Family: f.family, Style: fontstyle.Type(f.style), Bytes: bytes.Clone(f.file)})
	}
	return fonts
}
