package templates

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"strings"

	"segell/layout"
)

// Scan is a picture of a sheet of paper that comes with a request.
type Scan struct {
	MediaType string `json:"media_type" enum:"image/png,image/jpeg" doc:"Type of the picture; PDF is not taken, send its pages as pictures" example:"image/jpeg"`
	Content   []byte `json:"content" minLength:"1" doc:"The file in base64 (RFC 4648 section 4, with padding): at most 4 MiB, 12 million pixels (A4 at 300 dpi has 8.7) and 10,000 pixels a side. A JPEG that says it was held sideways is set upright"`

	picture *layout.Picture // made by judge
}

// Limits of scans. They are looked at in the head of a file, before anything is
// decoded: what a small file may unfold to is the sender's choice, what Segell
// spends on it is not.
const (
	maxScanBytes    = 4 << 20
	maxScanPixels   = 12_000_000
	maxScanSide     = 10_000
	maxPixelsInAll  = 300_000_000
	fewestScanSides = 50 // pixels; what is smaller can be no sheet
)

// judge reads a picture that was sent with a sheet. spent is how many pixels the
// sheets before had; it gives the sum with this one.
func (s *Scan) judge(format string, spent int, sheet string, j *judgement) int {
	if format == "electronic" {
		j.Add(sheet+"/scan", "must be left out where format is electronic; such a sheet has no paper")
		return spent
	}
	at := sheet + "/scan/content"
	if len(s.Content) == 0 || !j.readable(sheet+"/scan") {
		return spent
	}
	read, is := scanReader(s.Content)
	switch {
	case len(s.Content) > maxScanBytes:
		j.Addf(at, "is too large: at most %d bytes; scan at 150 to 200 dpi, or in grey", maxScanBytes)
		return spent
	case is == "application/pdf":
		j.Add(at, "is a PDF, which is not taken; send each page as a PNG or a JPEG")
		return spent
	case read == nil:
		j.Add(at, "is neither a PNG nor a JPEG file")
		return spent
	case is != s.MediaType:
		j.Addf(sheet+"/scan/media_type", "must be %s, which the content is", is)
		return spent
	}
	head, err := read(s.Content)
	switch {
	case err != nil:
		j.Add(at, "is damaged: its size in pixels cannot be read")
		return spent
	case head.Width < fewestScanSides || head.Height < fewestScanSides || head.Width > maxScanSide || head.Height > maxScanSide:
		j.Addf(at, "must have between %d and %d pixels a side", fewestScanSides, maxScanSide)
		return spent
	case head.Width*head.Height > maxScanPixels:
		j.Addf(at, "has too many pixels: at most %d, which A4 has at 350 dpi", maxScanPixels)
		return spent
	case spent+head.Width*head.Height > maxPixelsInAll:
		j.Addf(at, "makes the scans too large together: at most %d pixels in a document; ask for the sheets in parts", maxPixelsInAll)
		return spent
	}
	spent += head.Width * head.Height
	if s.picture, err = layout.ReadPicture(s.Content); err != nil {
		detail := "is damaged"
		if errors.Is(err, layout.ErrPicture) {
			detail = strings.TrimPrefix(err.Error(), layout.ErrPicture.Error()+": ")
		}
		j.Add(at, fmt.Sprintf("cannot be printed: %s", detail))
	}
	return spent
}

// scanReader tells what a file is by how it begins, and how to read its head.
func scanReader(file []byte) (head func([]byte) (image.Config, error), mediaType string) {
	switch {
	case bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")):
		return func(b []byte) (image.Config, error) { return png.DecodeConfig(bytes.NewReader(b)) }, "image/png"
	case bytes.HasPrefix(file, []byte("\xff\xd8\xff")):
		return func(b []byte) (image.Config, error) { return jpeg.DecodeConfig(bytes.NewReader(b)) }, "image/jpeg"
	case bytes.Contains(file[:min(len(file), 1024)], []byte("%PDF-")):
		return nil, "application/pdf"
	}
	return nil, ""
}
