package gofpdf

import (
	"fmt"
	"io"
	"strings"

	"github.com/phpdave11/gofpdf/picture"
)

// ImageInfoType is a picture that was registered.
type ImageInfoType struct {
	picture *picture.Picture
	k, dpi  float64
	index   int // in the document; -1 until it is drawn
}

// Extent returns width and height in units.
func (i *ImageInfoType) Extent() (width, height float64) { return i.Width(), i.Height() }

// Width returns the width in units.
func (i *ImageInfoType) Width() float64 { return float64(i.picture.Width) * 72 / i.dpi / i.k }

// Height returns the height in units.
func (i *ImageInfoType) Height() float64 { return float64(i.picture.Height) * 72 / i.dpi / i.k }

// SetDpi says how many pixels are in an inch; 72 when nothing is said.
func (i *ImageInfoType) SetDpi(dpi float64) {
	if dpi > 0 {
		i.dpi = dpi
	}
}

// RegisterImageOptionsReader reads a PNG or JPEG file under a name; nil and an error of the document when it cannot be
// used. The same picture under many names is written once.
func (f *Fpdf) RegisterImageOptionsReader(name string, options ImageOptions, r io.Reader) *ImageInfoType {
	if f.err != nil {
		return nil
	}
	if info := f.images[name]; info != nil {
		return info
	}
	switch strings.ToLower(options.ImageType) {
	case "png", "jpg", "jpeg":
	default:
		f.SetErrorf("%w: image type %q", ErrUnsupported, options.ImageType)
		return nil
	}
	if options.ReadDpi {
		f.SetErrorf("%w: resolution from the picture's file", ErrUnsupported)
		return nil
	}
	const mostBytes = 64 << 20
	data, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	if err == nil && len(data) > mostBytes {
		err = fmt.Errorf("%w: more than %d bytes", picture.ErrUnusable, mostBytes)
	}
	var p *picture.Picture
	if err == nil {
		p, err = picture.Read(data)
	}
	if err != nil {
		f.SetErrorf("pdf: picture: %w", err)
		return nil
	}
	info := &ImageInfoType{picture: p, k: f.k, dpi: 72, index: -1}
	f.images[name] = info
	return info
}

// GetImageInfo returns the picture registered under a name, nil when there is none.
func (f *Fpdf) GetImageInfo(name string) *ImageInfoType { return f.images[name] }

// ImageOptions draws a registered picture; see [Fpdf.Image].
func (f *Fpdf) ImageOptions(name string, x, y, w, h float64, flow bool, options ImageOptions, link int, linkStr string) {
	if options.AllowNegativePosition {
		f.SetErrorf("%w: pictures at negative positions", ErrUnsupported)
		return
	}
	f.Image(name, x, y, w, h, flow, options.ImageType, link, linkStr)
}

// Image draws a registered picture with its upper left corner at (x, y). A width or height of 0 follows from the other;
// with both 0 the picture has 96 pixels an inch. With flow it is set at the cursor's height, which moves below it, and
// it is background: an artifact, unless an element was begun. (maroto draws its background so.)
func (f *Fpdf) Image(name string, x, y, w, h float64, flow bool, _ string, link int, linkStr string) {
	if !f.drawable() {
		return
	}
	info := f.images[name]
	switch {
	case info == nil:
		f.SetErrorf("pdf: a picture was drawn that was not registered")
		return
	case link != 0 || linkStr != "":
		f.SetErrorf("%w: pictures that are links", ErrUnsupported)
		return
	case w < 0 || h < 0 || !finite(x, y, w, h):
		f.SetErrorf("pdf: a picture's size is out of range")
		return
	}
	pw, ph := float64(info.picture.Width), float64(info.picture.Height)
	switch {
	case w == 0 && h == 0:
		w, h = pw*72/96/f.k, ph*72/96/f.k
	case w == 0:
		w = h * pw / ph
	case h == 0:
		h = w * ph / pw
	}
	if flow {
		if f.y+h > f.h-f.bottom && f.pageBreak {
			at := f.x
			f.AddPage()
			f.x = at
		}
		y = f.y
		f.y += h
	}
	if x < 0 {
		x = f.x
	}
	background := flow && len(f.doc.scopes) == 0
	if background {
		f.doc.BeginArtifact(Background)
		defer f.doc.End()
	}
	e := f.own(image)
	p := &f.pages[f.page-1]
	left, low := x*f.k, p.height-(y+h)*f.k
	index := f.resource(info)
	f.stream.Picture(index, left, low, w*f.k, h*f.k)
	p.pictures = appendNew(p.pictures, index)
	p.transparent = p.transparent || info.picture.Transparent()
	f.cover(e, image, left, low, left+w*f.k, low+h*f.k)
}

// resource returns the number of a picture in the document.
func (f *Fpdf) resource(info *ImageInfoType) int {
	if info.index >= 0 {
		return info.index
	}
	for i, p := range f.pictures {
		if p.Sum == info.picture.Sum {
			info.index = i
			return i
		}
	}
	info.index = len(f.pictures)
	f.pictures = append(f.pictures, info.picture)
	return info.index
}

func appendNew(s []int, v int) []int {
	for _, known := range s {
		if known == v {
			return s
		}
	}
	return append(s, v)
}
