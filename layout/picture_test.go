package layout

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
)

// scanned is a file with a dark upper left quarter.
func scanned(t testing.TB, w, h int, asPNG bool) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray(x, y, color.Gray{pick[uint8](x < w/2 && y < h/2, 20, 240)})
		}
	}
	var b bytes.Buffer
	var err error
	if asPNG {
		err = png.Encode(&b, img)
	} else {
		err = jpeg.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// held marks a JPEG as EXIF does: in which way the camera was held.
func held(file []byte, orientation byte, bigEndian bool) []byte {
	tiff := []byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string(orientation) + "\x00\x00\x00\x00\x00\x00\x00")
	if bigEndian {
		tiff = []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00\x00\x00\x00\x00")
	}
	body := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
	return append(out, file[2:]...)
}

// However the camera was held, the picture stands upright.
func TestReadPictureTurnsUpright(t *testing.T) {
	const w, h = 60, 40
	for turn, dark := range map[byte]image.Point{1: {0, 0}, 2: {1, 0}, 3: {1, 1}, 4: {0, 1}, 5: {0, 0}, 6: {1, 0}, 7: {1, 1}, 8: {0, 1}} {
		p, err := ReadPicture(held(scanned(t, w, h, false), turn, turn%2 == 0))
		if err != nil {
			t.Fatal(err)
		}
		img, _, err := image.Decode(bytes.NewReader(p.file))
		if err != nil {
			t.Fatal(err)
		}
		size := img.Bounds().Size()
		if size != image.Pt(p.width, p.height) || (turn >= 5) != (size.X == h) {
			t.Errorf("orientation %d: %v, said to be %d × %d", turn, size, p.width, p.height)
		}
		for _, q := range []image.Point{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
			r, _, _, _ := img.At(size.X/4+q.X*size.X/2, size.Y/4+q.Y*size.Y/2).RGBA()
			if (r < 0x8000) != (q == dark) {
				t.Errorf("orientation %d: the quarter %v is %d", turn, q, r>>8)
			}
		}
	}
}

func TestReadPicture(t *testing.T) {
	deep := image.NewRGBA64(image.Rect(0, 0, 30, 30))
	clear := image.NewNRGBA(image.Rect(0, 0, 30, 30))
	encode := func(img image.Image) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, file := range map[string][]byte{"JPEG": scanned(t, 30, 50, false), "PNG": scanned(t, 30, 50, true), "16 bits": encode(deep), "transparent": encode(clear)} {
		p, err := ReadPicture(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d := everything()
		d.Body = append(d.Body, Figure{Picture: p, Alt: "Un full", Caption: "Full"})
		tool(t, "qpdf", "qpdf", "--check", save(t, render(t, d).PDF))
	}
	whole := scanned(t, 300, 300, false)
	for name, file := range map[string][]byte{
		"nothing": nil, "no picture": []byte("GIF89a"), "a PDF": []byte("%PDF-1.7"), "cut": whole[:len(whole)/2],
		"too small": scanned(t, 15, 200, true), "too wide": scanned(t, 10_001, 16, true), "too large": scanned(t, 9000, 4001, true),
		"too many bytes": make([]byte, MaxPictureBytes+1),
	} {
		if _, err := ReadPicture(file); !errors.Is(err, ErrPicture) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A scan of any shape keeps its shape, lies within the margins, and has its heading and caption on the same page.
func TestFigure(t *testing.T) {
	for _, size := range []image.Point{{100, 100}, {1240, 1754}, {1754, 1240}, {2480, 3508}, {16, 4000}, {4000, 16}} {
		p, err := ReadPicture(scanned(t, size.X, size.Y, true))
		if err != nil {
			t.Fatal(err)
		}
		d := everything()
		d.Body = append(d.Body, Heading{Text: "Encapçalament"}, Figure{Picture: p, Alt: "Imatge del full", Caption: "Peufoto"})
		r := render(t, d)
		on := map[string]int{}
		for _, w := range words(t, r.PDF) {
			on[w.text] = w.page
		}
		if on["Encapçalament"] != on["Peufoto"] || on["Peufoto"] == 0 {
			t.Errorf("%v: heading on page %d, caption on %d", size, on["Encapçalament"], on["Peufoto"])
		}
		if list := tool(t, "poppler-utils", "pdfimages", "-list", save(t, r.PDF)); strings.Count(list, "\n") != 3 {
			t.Errorf("%v: pictures in the file:\n%s", size, list)
		}
	}
	for name, f := range map[string]Figure{"no picture": {Alt: "a"}, "no words": {Picture: &Picture{file: []byte("x"), width: 20, height: 20}}} {
		d := everything()
		d.Body = append(d.Body, f)
		var fault *Fault
		if _, err := Render(context.Background(), d); !errors.As(err, &fault) || fault.Cause != CauseBadDocument {
			t.Errorf("%s: %v", name, err)
		}
	}
}
