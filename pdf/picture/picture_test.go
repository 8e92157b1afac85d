package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRead(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 4, 3))
	colour := image.NewNRGBA(image.Rect(0, 0, 4, 3))
	clear := image.NewNRGBA(image.Rect(0, 0, 4, 3))
	for i := range 12 {
		colour.SetNRGBA(i%4, i/4, color.NRGBA{uint8(i), 0, 0, 255})
		clear.SetNRGBA(i%4, i/4, color.NRGBA{uint8(i), 0, 0, uint8(i)})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, colour, nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data              []byte
		grey, transparent bool
	}{
		"grey":        {encodePNG(t, grey), true, false},
		"colour":      {encodePNG(t, colour), false, false},
		"transparent": {encodePNG(t, clear), false, true},
		"palette":     {encodePNG(t, image.NewPaletted(image.Rect(0, 0, 4, 3), color.Palette{color.White, color.Black})), true, false},
		"JPEG":        {b.Bytes(), false, false},
	} {
		p, err := Read(c.data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Width != 4 || p.Height != 3 || p.Grey != c.grey || p.Transparent() != c.transparent {
			t.Errorf("%s: %d × %d, grey %v, transparent %v", name, p.Width, p.Height, p.Grey, p.Transparent())
		}
		if again, err := Read(bytes.Clone(c.data)); err != nil || again != p {
			t.Errorf("%s was read twice", name)
		}
	}
}

func TestRefused(t *testing.T) {
	whole := encodePNG(t, image.NewGray(image.Rect(0, 0, 40, 30)))
	huge := bytes.Clone(whole)
	copy(huge[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65,536 × 65,536, checksum now wrong too
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("GIF89a"), "cut PNG": whole[:len(whole)-20], "huge": huge,
		"16 bits":  encodePNG(t, image.NewGray16(image.Rect(0, 0, 4, 3))),
		"cut JPEG": {0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0},
	} {
		if _, err := Read(data); !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFewAreKept(t *testing.T) {
	for i := range 3 * mostKept {
		img := image.NewGray(image.Rect(0, 0, 2, 2))
		img.Pix[0] = byte(i)
		if _, err := Read(encodePNG(t, img)); err != nil {
			t.Fatal(err)
		}
	}
	kept.Lock()
	defer kept.Unlock()
	if len(kept.bySum) > mostKept || len(kept.order) != len(kept.bySum) {
		t.Error(fmt.Sprint(len(kept.bySum), " pictures are kept"))
	}
}
