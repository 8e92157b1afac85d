// Package picture reads PNG and JPEG files and makes image XObjects of them (ISO 32000-1, 8.9).
//
// PNG: every colour type with up to 8 bits a channel; transparency becomes a soft mask. Its colours are taken for sRGB,
// whatever gAMA, cHRM or iCCP say. JPEG: baseline and progressive, grey or three channels, embedded byte for byte.
// Refused: 16 bits a channel, CMYK, more than 40 million pixels, files that do not decode whole.
package picture

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"sync"

	"github.com/phpdave11/gofpdf/file"
)

// ErrUnusable is wrapped by every error about a picture's file.
var ErrUnusable = errors.New("picture cannot be used")

const mostPixels = 40_000_000

// Picture is an image ready for a file. It is immutable.
type Picture struct {
	Width, Height int // pixels
	Grey          bool
	filter        string
	data          []byte
	mask          []byte // deflated, 8 bits a pixel; nil when opaque
	Sum           [sha256.Size]byte
}

// Transparent tells whether part of the picture can be seen through.
func (p *Picture) Transparent() bool { return p.mask != nil }

// level of compression: pictures are kept by the process, so effort is spent once.
const level = 9

func unusable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnusable, fmt.Sprintf(format, args...))
}

// kept holds the pictures read last, since a mark or an emblem stands on every document.
var kept = struct {
	sync.Mutex
	bySum map[[sha256.Size]byte]*Picture
	order [][sha256.Size]byte // oldest first
}{bySum: map[[sha256.Size]byte]*Picture{}}

const (
	mostKept     = 16
	largestKept  = 256 << 10 // bytes of a file
	formatPNG    = "\x89PNG\r\n\x1a\n"
	formatJPEG   = "\xff\xd8\xff"
	deflateEntry = "/Filter/FlateDecode"
)

// Read reads a PNG or JPEG file; which of them it is, its first bytes say. Safe for concurrent use.
func Read(data []byte) (*Picture, error) {
	sum := sha256.Sum256(data)
	kept.Lock()
	p := kept.bySum[sum]
	kept.Unlock()
	if p != nil {
		return p, nil
	}
	var err error
	switch {
	case bytes.HasPrefix(data, []byte(formatPNG)):
		p, err = readPNG(data)
	case bytes.HasPrefix(data, []byte(formatJPEG)):
		p, err = readJPEG(data)
	default:
		err = unusable("it is neither PNG nor JPEG")
	}
	if err != nil {
		return nil, err
	}
	p.Sum = sum
	if len(data) <= largestKept {
		kept.Lock()
		if kept.bySum[sum] == nil {
			if len(kept.order) == mostKept {
				delete(kept.bySum, kept.order[0])
				kept.order = kept.order[1:]
			}
			kept.bySum[sum] = p
			kept.order = append(kept.order, sum)
		}
		kept.Unlock()
	}
	return p, nil
}

func size(c image.Config) error {
	if c.Width <= 0 || c.Height <= 0 || c.Width > mostPixels/c.Height {
		return unusable("%d × %d pixels", c.Width, c.Height)
	}
	return nil
}

func readJPEG(data []byte) (*Picture, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, unusable("%v", err)
	}
	if err := size(config); err != nil {
		return nil, err
	}
	if config.ColorModel != color.GrayModel && config.ColorModel != color.YCbCrModel && config.ColorModel != color.RGBAModel {
		return nil, unusable("a JPEG must be grey or have three colour channels")
	}
	if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
		return nil, unusable("%v", err)
	}
	return &Picture{
		Width: config.Width, Height: config.Height, Grey: config.ColorModel == color.GrayModel,
		filter: "/Filter/DCTDecode", data: bytes.Clone(data),
	}, nil
}

func readPNG(data []byte) (*Picture, error) {
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, unusable("%v", err)
	}
	if err := size(config); err != nil {
		return nil, err
	}
	switch config.ColorModel {
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		return nil, unusable("a PNG must have at most 8 bits a channel")
	}
	decoded, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, unusable("%v", err)
	}
	w, h := config.Width, config.Height
	rgb, alpha := make([]byte, 0, 3*w*h), make([]byte, 0, w*h)
	grey, opaque := true, true
	add := func(c color.NRGBA) {
		rgb = append(rgb, c.R, c.G, c.B)
		alpha = append(alpha, c.A)
		grey = grey && c.R == c.G && c.G == c.B
		opaque = opaque && c.A == 0xFF
	}
	bounds := decoded.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			switch img := decoded.(type) {
			case *image.Gray:
				v := img.GrayAt(x, y).Y
				add(color.NRGBA{v, v, v, 0xFF})
			case *image.NRGBA:
				add(img.NRGBAAt(x, y))
			case *image.RGBA: // what the decoder gives for opaque colours
				add(color.NRGBA(img.RGBAAt(x, y)))
			default:
				add(color.NRGBAModel.Convert(decoded.At(x, y)).(color.NRGBA))
			}
		}
	}
	p := &Picture{Width: w, Height: h, Grey: grey, filter: deflateEntry}
	if grey {
		for i := range w * h {
			rgb[i] = rgb[3*i]
		}
		rgb = rgb[:w*h]
	}
	p.data = file.Deflate(nil, rgb, level)
	if !opaque {
		p.mask = file.Deflate(nil, alpha, level)
	}
	return p, nil
}

// Size is about how many bytes a file needs for the picture.
func (p *Picture) Size() int { return len(p.data) + len(p.mask) + 512 }

// Write puts the picture, and its soft mask, into a file.
func (p *Picture) Write(w *file.Writer, ref file.Ref) {
	space := "/DeviceRGB"
	if p.Grey {
		space = "/DeviceGray"
	}
	entries := fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace", p.Width, p.Height)
	mask := ""
	if p.mask != nil {
		m := w.Reserve()
		w.RawStream(m, entries+"/DeviceGray"+deflateEntry, p.mask)
		mask = fmt.Sprintf("/SMask %d 0 R", m)
	}
	w.RawStream(ref, entries+space+mask+p.filter, p.data)
}
