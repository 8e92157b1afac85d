package layout

import (
	"fmt"

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

// qr draws a symbol as vectors, a bar for each run of dark modules. The bars
// overlap by a hair, or renderers that smooth edges leave white seams.
func (c *canvas) qr(code *qr.Code, x, y, size float64) {
	m := size / float64(code.Size)
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
			c.fill(x+float64(col)*m, y+float64(row)*m-0.01, float64(n)*m, m+0.02, ink)
			col += n
		}
	}
}
