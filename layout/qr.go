package layout

import (
	"fmt"

	"github.com/phpdave11/gofpdf"
	"rsc.io/qr"
)

const (
	qrSize  = 21.0 // mm of the symbol; DESIGN asks for 20 at least
	qrQuiet = 4    // modules of white around it (ISO/IEC 18004 section 9.1)
)

// encodeQR makes the symbol of a text at level M.
func encodeQR(text string) (*qr.Code, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, &Fault{Cause: CauseBadDocument, Detail: fmt.Sprintf("the verification address of %d bytes does not fit a QR symbol", len(text))}
	}
	return code, nil
}

// bars are the dark modules of a symbol of size mm, one bar for each run of them in a row.
func bars(code *qr.Code, size float64) []gofpdf.Rectangle {
	m := size / float64(code.Size)
	bars := make([]gofpdf.Rectangle, 0, code.Size*code.Size/3)
	for row := range code.Size {
		for col := 0; col < code.Size; {
			n := 0
			for col+n < code.Size && code.Black(col+n, row) {
				n++
			}
			if n == 0 {
				col++
				continue
			}
			bars = append(bars, gofpdf.Rectangle{X: float64(col) * m, Y: float64(row) * m, W: float64(n) * m, H: m})
			col += n
		}
	}
	return bars
}

// areas fills rectangles, which are mm from (x, y), as one area.
func (c *canvas) areas(rs []gofpdf.Rectangle, x, y float64, col colour) {
	moved := make([]gofpdf.Rectangle, len(rs))
	for i, r := range rs {
		moved[i] = gofpdf.Rectangle{X: c.x + x + r.X, Y: c.y + y + r.Y, W: r.W, H: r.H}
	}
	c.out.SetFillColor(col.channels())
	c.out.Rects(moved)
}
