package layout

import (
	"context"
	"fmt"

	tree "github.com/johnfercher/go-tree/node"
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

// band is a full-width part of a page as maroto sees it: a component with a height.
type band struct {
	height float64
	draw   func(x, y float64) // its corner, mm on the page
}

func (b band) SetConfig(*entity.Config) {}

func (b band) GetHeight(core.Provider, *entity.Cell) float64 { return b.height }

func (b band) GetStructure() *tree.Node[core.Structure] {
	return tree.New(core.Structure{Type: "band", Value: b.height})
}

func (b band) Render(_ core.Provider, cell *entity.Cell) { b.draw(cell.X+marginSide, cell.Y+marginTop) }

func (b band) row() core.Row { return row.New(b.height).Add(col.New().Add(b)) }

// drawPages hands the pages to maroto and returns the file that the writer under it made.
func drawPages(ctx context.Context, d Document, s *setter, pages []page, frame *frame) (file []byte, err error) {
	// A page must never take the process with it. The panic's value may quote the text: it is not repeated.
	defer func() {
		if p := recover(); p != nil {
			file, err = nil, fmt.Errorf("%w: a panic of type %T underneath", ErrDrawing, p)
		}
	}()

	doc := gofpdf.NewDocument(gofpdf.Options{
		Title: d.Title, Language: d.Language, Author: d.Institution.Name, Creator: "Segell", Created: d.Issued,
	})
	m := maroto.New(config.NewBuilder().
		WithDimensions(s.w, s.h).
		WithLeftMargin(marginSide).WithRightMargin(marginSide).
		WithTopMargin(marginTop).WithBottomMargin(marginBottom).
		WithSequentialMode().
		WithCompression(true).
		WithCustomFonts(customFonts(s.used)).
		WithDefaultFont(&props.Font{Family: faces[regular].family, Size: bodyStyle.size, Style: fontstyle.Normal}).
		WithKeywords(doc.Token(), true). // brings document and writer together
		Build())
	out := doc.Canvas()
	if out == nil {
		return nil, fmt.Errorf("%w: maroto did not hand the document to its writer", ErrDrawing)
	}
	drawing := &drawing{doc: doc, out: out, also: d.Also, pictures: map[*byte]string{}}
	on := func(draw func(c *canvas)) func(x, y float64) {
		return func(x, y float64) { draw(&canvas{drawing, x, y, true}) }
	}
	outline := len(pages) > 1 // a single page needs no bookmarks
	for i, p := range pages {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		top := bodyTop(i)
		// A hundredth of a millimetre is left over, so that rounding never pushes the footer to a page of its own.
		body := band{s.body() - top - 0.01, on(func(c *canvas) {
			for _, pl := range p.body {
				at := c.at(pl.y)
				for _, e := range pl.entries {
					if outline {
						out.Bookmark(e.title, e.level, at.y)
					}
				}
				pl.draw(at)
			}
		})}
		m.AddPages(mpage.New().Add(
			band{top, on(func(c *canvas) { frame.header(c, i) })}.row(),
			body.row(),
			band{footerHeight, on(func(c *canvas) { frame.footer(c, i) })}.row(),
		))
	}
	made, err := m.Generate()
	if err != nil {
		return nil, gateFault(err)
	}
	return made.GetBytes(), nil
}

// customFonts are the faces a document needs, the regular one always: maroto starts with it.
func customFonts(need used) []*entity.CustomFont {
	need[regular] = true
	var fonts []*entity.CustomFont
	for id, yes := range need {
		if yes {
			f := &faces[id]
			fonts = append(fonts, &entity.CustomFont{Family: f.family, Style: fontstyle.Type(f.style), Bytes: f.file})
		}
	}
	return fonts
}
