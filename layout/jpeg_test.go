package layout

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"
)

func photo(t testing.TB) (image.Image, []byte) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 70, 50))
	for y := range 50 {
		for x := range 70 {
			m.Set(x, y, color.RGBA{uint8(3 * x), uint8(5 * y), 90, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	plain, err := jpeg.Decode(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return plain, b.Bytes()
}

func TestBareJPEG(t *testing.T) {
	plain, file := photo(t)
	segment := func(marker byte, body string) string {
		return string([]byte{0xFF, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}) + body
	}
	jfif := segment(0xE0, "JFIF\x00\x01\x02\x01\x00\x48\x00\x48\x01\x01secret"[:17])
	dressed := "\xFF\xD8" + jfif + segment(0xE1, "Exif\x00\x00secret") + segment(0xFE, "secret") + segment(0xED, "Photoshop secret") + "\xFF\xFF" + string(file[3:]) + "secret"
	bare, ok := bareJPEG([]byte(dressed))
	if !ok || bytes.Contains(bare, []byte("secret")) || bytes.Contains(bare, []byte("Exif")) || !bytes.Contains(bare, []byte("JFIF")) {
		t.Errorf("%v, %q", ok, bare)
	}
	again, err := jpeg.Decode(bytes.NewReader(bare))
	if err != nil || !bytes.Equal(again.(*image.YCbCr).Y, plain.(*image.YCbCr).Y) || !bytes.Equal(again.(*image.YCbCr).Cb, plain.(*image.YCbCr).Cb) {
		t.Errorf("the picture is another one: %v", err)
	}
	if twice, ok := bareJPEG(bare); !ok || !bytes.Equal(twice, bare) {
		t.Error("a bare file is not left as it is")
	}
	for name, cut := range map[string]string{
		"nothing": "", "no JPEG": "\x89PNG", "a head alone": "\xFF\xD8\xFF", "a segment that ends beyond": "\xFF\xD8\xFF\xE1\xFF\xFFx",
		"a length that is none": "\xFF\xD8\xFF\xE1\x00\x01x", "no end": strings.TrimSuffix(string(file), "\xFF\xD9"),
	} {
		if _, ok := bareJPEG([]byte(cut)); ok {
			t.Errorf("%s passes", name)
		}
	}
}

// What Go's decoder reads, it reads the same when it is bare.
func FuzzBareJPEG(f *testing.F) {
	_, file := photo(f)
	f.Add(file)
	f.Add(file[:100])
	f.Fuzz(func(t *testing.T, file []byte) {
		bare, ok := bareJPEG(file)
		if !ok || len(file) > 1<<16 {
			return
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(file)); err != nil || c.Width*c.Height > 1<<20 {
			return
		}
		was, err := jpeg.Decode(bytes.NewReader(file))
		if err != nil {
			return
		}
		is, err := jpeg.Decode(bytes.NewReader(bare))
		if err != nil || was.Bounds() != is.Bounds() {
			t.Fatalf("%v", err)
		}
	})
}
