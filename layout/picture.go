package layout

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"

	"github.com/phpdave11/gofpdf/structure"
)

// Picture is a scan, checked and turned upright, ready for a [Figure].
type Picture struct {
	file          []byte
	jpeg          bool
	width, height int
}

// Limits of a picture: an A3 sheet at 600 dpi is 7,016 × 9,921 pixels and is refused, an A4 one at 600 dpi is not.
const (
	MaxPictureBytes  = 20 << 20
	maxPictureSide   = 10_000
	maxPicturePixels = 36_000_000
	minPictureSide   = 16
)

// ErrPicture wraps why a file is no picture that can be printed. It may be shown to who sent it.
var ErrPicture = errors.New("layout: the picture cannot be printed")

// ReadPicture reads a PNG or JPEG file of at most 20 MB and 36 million pixels. A
// JPEG that its camera marked as turned (EXIF orientation) is set upright.
// Transparent parts become white; what a file holds beside its picture is left
// out. The error wraps [ErrPicture].
func ReadPicture(file []byte) (*Picture, error) {
	if len(file) > MaxPictureBytes {
		return nil, fmt.Errorf("%w: it has %d bytes; %d are allowed", ErrPicture, len(file), MaxPictureBytes)
	}
	cfg, format, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil || format != "png" && format != "jpeg" {
		return nil, fmt.Errorf("%w: it is neither a PNG nor a JPEG file", ErrPicture)
	}
	if cfg.Width < minPictureSide || cfg.Height < minPictureSide || cfg.Width > maxPictureSide || cfg.Height > maxPictureSide || cfg.Width*cfg.Height > maxPicturePixels {
		return nil, fmt.Errorf("%w: it has %d × %d pixels; a side must have between %d and %d, all together at most %d", ErrPicture, cfg.Width, cfg.Height, minPictureSide, maxPictureSide, maxPicturePixels)
	}
	// Decoded whole: a file that is cut must be refused while its sender can still mend it.
	img, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("%w: it is damaged", ErrPicture)
	}
	turn := 1
	if format == "jpeg" {
		turn = exifTurn(file)
		switch img.(type) {
		case *image.Gray, *image.YCbCr:
			if bare, ok := bareJPEG(file); ok && turn == 1 {
				return &Picture{file: bare, jpeg: true, width: cfg.Width, height: cfg.Height}, nil
			}
		}
	}
	// Drawn anew, as plain 8-bit grey or RGB without transparency, interlacing or CMYK.
	flat := flatten(img, turn)
	var out bytes.Buffer
	if format == "jpeg" {
		err = jpeg.Encode(&out, flat, &jpeg.Options{Quality: 92})
	} else {
		err = png.Encode(&out, flat)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrPicture, err)
	}
	b := flat.Bounds()
	return &Picture{file: out.Bytes(), jpeg: format == "jpeg", width: b.Dx(), height: b.Dy()}, nil
}

// flatten draws a picture on white, turned as EXIF says.
func flatten(src image.Image, turn int) image.Image {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	var upright draw.Image
	grey := false
	switch src.(type) {
	case *image.Gray, *image.Gray16:
		grey = true
	}
	size := image.Rect(0, 0, w, h)
	if turn >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	if grey {
		upright = image.NewGray(size)
	} else {
		upright = image.NewRGBA(size)
	}
	draw.Draw(upright, size, image.White, image.Point{}, draw.Src)
	if turn == 1 {
		draw.Draw(upright, size, src, b.Min, draw.Over)
		return upright
	}
	for y := range h {
		for x := range w {
			var to image.Point
			switch turn { // where the camera put what belongs here
			case 2:
				to = image.Pt(w-1-x, y)
			case 3:
				to = image.Pt(w-1-x, h-1-y)
			case 4:
				to = image.Pt(x, h-1-y)
			case 5:
				to = image.Pt(y, x)
			case 6:
				to = image.Pt(h-1-y, x)
			case 7:
				to = image.Pt(h-1-y, w-1-x)
			case 8:
				to = image.Pt(y, w-1-x)
			}
			upright.Set(to.X, to.Y, src.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return upright
}

// exifTurn is what a JPEG's EXIF block says of how the picture was held, 1 to 8; 1 where it says nothing (CIPA DC-008, 4.6.5).
func exifTurn(file []byte) int {
	for at := 2; at+4 <= len(file) && file[at] == 0xFF; {
		marker, n := file[at+1], int(file[at+2])<<8|int(file[at+3])
		if marker == 0xDA || n < 2 || at+2+n > len(file) {
			break
		}
		if body := file[at+4 : at+2+n]; marker == 0xE1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return tiffOrientation(body[6:])
		}
		at += 2 + n
	}
	return 1
}

func tiffOrientation(t []byte) int {
	if len(t) < 8 {
		return 1
	}
	u16 := func(at int) int { return int(t[at])<<8 | int(t[at+1]) }
	u32 := func(at int) int { return u16(at)<<16 | u16(at+2) }
	if t[0] == 'I' {
		u16 = func(at int) int { return int(t[at+1])<<8 | int(t[at]) }
		u32 = func(at int) int { return u16(at+2)<<16 | u16(at) }
	}
	dir := u32(4)
	if dir < 8 || dir+2 > len(t) {
		return 1
	}
	for i := range u16(dir) {
		at := dir + 2 + 12*i
		if at+12 > len(t) {
			break
		}
		if u16(at) == 0x0112 && u16(at+2) == 3 {
			if v := u16(at + 8); v >= 1 && v <= 8 {
				return v
			}
		}
	}
	return 1
}

// Figure is a picture with its caption. It is as large as it is at 150 dpi, or as
// the page allows; a large one so has a page to itself, with its heading.
type Figure struct {
	Picture *Picture
	Alt     string // what the picture shows, for those who do not see it; required
	Caption string // "" for none
	Frame   bool   // a hairline around it: a scan of a white sheet has no edges
}

func (f Figure) set(s *setter) {
	switch {
	case f.Picture == nil:
		s.refuse(CauseBadDocument, "a figure has no picture")
		return
	case f.Alt == "":
		s.refuse(CauseBadDocument, "a figure does not say in words what it shows")
		return
	}
	for _, r := range f.Alt {
		if forbiddenRune(r) {
			s.refuse(CauseForbiddenCharacter, "the words for a figure contain a control character")
			return
		}
	}
	const gap, dpi, heading = 1.6, 150.0, 14.0
	var caption []textLine
	if f.Caption != "" {
		caption = s.set(plain(f.Caption), captionStyle, s.width(), "a caption")
	}
	text := float64(len(caption)) * captionStyle.height()
	if len(caption) > 0 {
		text += gap
	}
	w, h := float64(f.Picture.width)/dpi*25.4, float64(f.Picture.height)/dpi*25.4
	scale := min(1, s.width()/w, (s.body()-nextHeader-heading-text)/h, (s.tallest()-text)/h)
	w, h = w*scale, h*scale
	figure := s.node(nil, structure.Figure)
	figure.Alt = f.Alt
	under := s.node(figure, structure.Caption)
	file, kind := f.Picture.file, f.Picture.jpeg
	before := 3.2
	if s.opened {
		before = 1
	}
	s.add(piece{before: before, h: h + text, draw: func(c *canvas) {
		c.as(figure, func() { c.picture(file, kind, 0, 0, w, h) })
		if f.Frame {
			c.frame(0, 0, w, h, 0.2, line)
		}
		c.say(under, caption, 0, h+gap, captionStyle)
	}})
}

var captionStyle = style{face: italic, size: 8.5, leading: 12, colour: grey}
