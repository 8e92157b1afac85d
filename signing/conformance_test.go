package signing

import (
	"bytes"
	"testing"

	"segell/internal/judges"
	"segell/pki"
)

// Every level with every kind of key, on pages written by hand and by maroto, before every judge of signatures. What
// Segell's own writer makes is judged in the package conformance.
func TestJudgesAcceptWhatIsSealed(t *testing.T) {
	documents := []struct {
		name string
		pdf  []byte
	}{{"one page", minimalPDF(1, 0)}, {"hundred pages", minimalPDF(100, 200)}, {"maroto", marotoPDF(t)}}
	turn := 0
	for _, kind := range []pki.KeyKind{pki.P256, pki.RSA3072} {
		a := sharedPKI(t, kind)
		for _, level := range levels {
			document := documents[turn%len(documents)]
			turn++
			t.Run(string(kind)+" "+string(level)+" "+document.name, func(t *testing.T) {
				t.Parallel()
				judged(t, a, level, document.pdf)
			})
		}
	}
}

func judged(t *testing.T, a *pki.Authority, level Level, pdf []byte) {
	sealed := seal(t, a, level, pdf)
	if !bytes.HasPrefix(sealed, pdf) {
		t.Error("the sealed document does not begin with the document")
	}
	r := inspect(t, sealed, trustOf(a))
	if !r.Valid || r.Level != level {
		t.Errorf("Inspect: valid %v, level %q: %v", r.Valid, r.Level, r.Err())
	}
	file := write(t, sealed)
	judges.QPDF(t, file)
	later := level.Includes(BLT)
	if later {
		judges.PDFSigSeal(t, file, a.RootPEM())
	} else {
		judges.PDFSig(t, file, a.RootPEM())
	}
	judges.PyHanko(t, file, a.RootPEM(), judges.Options{Stamped: level.Includes(BT), Extended: later})
	judges.DSS(t, file, a.RootPEM(), string(level), judges.Options{Offline: later})
	if level == BLTA {
		judges.PyHankoLTA(t, file, a.RootPEM())
	}
	hole, cms := holeOf(t, sealed)
	judges.OpenSSL(t, cms, append(bytes.Clone(sealed[:hole.start]), sealedPartOf(t, sealed)[hole.end:]...), a.RootPEM())
}

func holeOf(t testing.TB, sealed []byte) (value, []byte) {
	t.Helper()
	d, err := readDocument(sealed)
	if err != nil {
		t.Fatal(err)
	}
	_, f, err := d.sealedPart()
	if err != nil {
		t.Fatal(err)
	}
	der, err := f.contents()
	if err != nil {
		t.Fatal(err)
	}
	return f.hole, der
}

func sealedPartOf(t testing.TB, sealed []byte) []byte {
	t.Helper()
	d, err := readDocument(sealed)
	if err != nil {
		t.Fatal(err)
	}
	part, _, err := d.sealedPart()
	if err != nil {
		t.Fatal(err)
	}
	return part.file
}
