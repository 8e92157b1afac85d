package conformance

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"segell/samples"
	"segell/templates"
)

const (
	pictures = "pictures" // the committed references
	// What differs is left here, where a person can open it.
	differences = "../.cache/pictures"
	// Readers of fonts differ a little from version to version: a page may differ in
	// this share of its pixels by more than a shade.
	tolerated = 0.001
	shade     = 60
	most      = 2 // pages of a document
)

// Every kind's plain document looks as it did. `make golden` renews the
// references, after somebody has looked at what changed.
func TestPagesLookAsTheyDid(t *testing.T) {
	renew := os.Getenv("SEGELL_RENEW_PICTURES") != ""
	issuedAt := time.Date(2026, 3, 2, 9, 14, 5, 0, templates.Andorra)
	seen := map[string]bool{}
	for sample := range samples.Issued() {
		if sample.Name != samples.Standard || sample.Language != sample.Languages[0] {
			continue
		}
		kind, ok := templates.Lookup(sample.Kind)
		if !ok {
			t.Fatalf("%s is no kind", sample.Kind)
		}
		request, err := kind.Decode(sample.Body, issuedAt)
		if err != nil {
			t.Fatalf("%s: %v", sample.FileName(), err)
		}
		rendered, err := templates.Render(t.Context(), request, templates.Issue{Number: "CASS-2026-" + kind.Code + "-0001234", CSV: "0123-4567-89AB-CDEF-GHZ0-9E",
			VerificationURL: "https://segell.example/v/0123456789ABCDEFGHZ09E", IssuedAt: issuedAt, SealedBy: "Caixa Andorrana de Seguretat Social"})
		if err != nil {
			t.Fatalf("%s: %v", sample.FileName(), err)
		}
		for i, page := range drawn(t, rendered.PDF) {
			name := fmt.Sprintf("%s.%s.%d.png", sample.Kind, sample.Language, i+1)
			seen[name] = true
			path := filepath.Join(pictures, name)
			if renew {
				if err := os.WriteFile(path, page, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Errorf("%s has no reference (make golden makes it): %v", name, err)
				continue
			}
			compare(t, name, want, page)
		}
	}
	if len(seen) < len(templates.Kinds()) {
		t.Errorf("only %d pages of %d kinds were drawn", len(seen), len(templates.Kinds()))
	}
	kept, err := filepath.Glob(filepath.Join(pictures, "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range kept {
		if name := filepath.Base(path); !seen[name] && renew {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		} else if !seen[name] {
			t.Errorf("%s is a reference of no page", name)
		}
	}
}

// A page that was changed on purpose is noticed: a line moved, a word gone.
func TestAChangedPageIsNoticed(t *testing.T) {
	path := filepath.Join(pictures, "coverage_certificate.ca.1.png")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := decode(t, want)
	changed := image.NewGray(page.Bounds())
	draw.Draw(changed, changed.Bounds(), page, image.Point{}, draw.Src)
	// The height of a line of the body, over half its width.
	draw.Draw(changed, image.Rect(60, 240, 260, 252), image.NewUniform(color.White), image.Point{}, draw.Src)
	if share, _ := differing(page, changed); share <= tolerated {
		t.Errorf("a line that is gone changes %.4f of the page, and %.4f is tolerated", share, tolerated)
	}
}

// drawn gives the first pages of a PDF as grey PNGs of 60 dpi.
func drawn(t *testing.T, pdf []byte) [][]byte {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "document.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "pdftoppm", "-r", "60", "-gray", "-png", "-l", fmt.Sprint(most), file, filepath.Join(dir, "page")).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm (apt-get install poppler-utils): %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "page-*.png"))
	if err != nil || len(files) == 0 {
		t.Fatalf("pdftoppm drew no page (%v)", err)
	}
	var pages [][]byte
	for _, f := range files {
		page, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
	}
	return pages
}

func decode(t *testing.T, file []byte) image.Image {
	t.Helper()
	page, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// compare fails where two pages differ, and leaves the page and a picture of the
// difference: what was there is light, what is there now is black.
func compare(t *testing.T, name string, want, got []byte) {
	t.Helper()
	a, b := decode(t, want), decode(t, got)
	if a.Bounds() != b.Bounds() {
		t.Errorf("%s has another size: %v, it was %v", name, b.Bounds(), a.Bounds())
		return
	}
	share, difference := differing(a, b)
	if share <= tolerated {
		return
	}
	if err := os.MkdirAll(differences, 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, difference); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{name: got, "difference." + name: out.Bytes()} {
		if err := os.WriteFile(filepath.Join(differences, file), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("%s differs in %.2f %% of its pixels; see %s, and make golden if it is right", name, 100*share, filepath.Join(differences, "difference."+name))
}

func differing(a, b image.Image) (share float64, difference *image.Gray) {
	bounds := a.Bounds()
	difference = image.NewGray(bounds)
	n := 0
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			was, is := grey(a, x, y), grey(b, x, y)
			difference.SetGray(x, y, color.Gray{Y: 200 + was/5})
			if max(was, is)-min(was, is) > shade {
				n++
				difference.SetGray(x, y, color.Gray{Y: is / 2})
			}
		}
	}
	return float64(n) / float64(bounds.Dx()*bounds.Dy()), difference
}

func grey(p image.Image, x, y int) uint8 { return color.GrayModel.Convert(p.At(x, y)).(color.Gray).Y }
