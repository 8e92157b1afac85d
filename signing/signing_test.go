package signing

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/pki"
)

// minimalPDF writes a PDF 1.7 by hand: pages pages, each with a line of text and filler bytes of comment in its content.
func minimalPDF(pages, filler int) []byte {
	var b bytes.Buffer
	var offsets []int
	object := func(body string) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), body)
	}
	b.WriteString("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
	object("<< /Type /Catalog /Pages 2 0 R /Lang (ca) /MarkInfo << /Marked true >> /ViewerPreferences << /DisplayDocTitle true >> >>")
	var kids strings.Builder
	for p := range pages {
		fmt.Fprintf(&kids, " %d 0 R", 5+2*p)
	}
	object(fmt.Sprintf("<< /Type /Pages /Kids [%s ] /Count %d /MediaBox [0 0 595.28 841.89] /Resources << /Font << /F1 3 0 R >> >> >>", kids.String(), pages))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	object("<< /Title (PROVA - sense valor) >>")
	for p := range pages {
		object(fmt.Sprintf("<< /Type /Page /Parent 2 0 R /Contents %d 0 R /Tabs /S >>", 6+2*p))
		content := fmt.Sprintf("BT /F1 12 Tf 72 720 Td (PROVA - sense valor, page %d) Tj ET\n%%%s\n", p+1, strings.Repeat("x", filler))
		object(fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content))
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<<\n/Size %d\n/Root 1 0 R\n/Info 4 0 R\n/ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]\n>>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, xref)
	return b.Bytes()
}

// marotoPDF is a file that stock maroto 2.3.3 wrote, brought to the form that sealing needs. Neither change moves a byte
// that the cross-reference points to.
func marotoPDF(t testing.TB) []byte {
	t.Helper()
	file, err := os.ReadFile("testdata/maroto.pdf")
	if err != nil {
		t.Fatal(err)
	}
	file = bytes.Replace(file, []byte("%PDF-1.3"), []byte("%PDF-1.7"), 1)
	return bytes.Replace(file, []byte("/Info 12 0 R\n"), []byte("/Info 12 0 R\n/ID [<00112233445566778899AABBCCDDEEFF> <00112233445566778899AABBCCDDEEFF>]\n"), 1)
}

// The test PKIs are shared: RSA keys are slow to make. Tests that make a TSA misbehave have their own.
var shared = struct {
	sync.Mutex
	dir string
	of  map[pki.KeyKind]*pki.Authority
}{of: map[pki.KeyKind]*pki.Authority{}}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "segell-signing")
	if err != nil {
		panic(err)
	}
	shared.dir = dir
	code := m.Run()
	for _, a := range shared.of {
		a.Close()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func sharedPKI(t testing.TB, kind pki.KeyKind) *pki.Authority {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if a, ok := shared.of[kind]; ok {
		return a
	}
	a, err := pki.New(filepath.Join(shared.dir, string(kind)), pki.Options{Seal: kind, Authorities: kind})
	if err != nil {
		t.Fatal(err)
	}
	shared.of[kind] = a
	return a
}

func ownAuthority(t testing.TB, opts pki.Options) *pki.Authority {
	t.Helper()
	a, err := pki.New(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// keyOf opens a leaf through PKCS#12, as an operator would.
func keyOf(t testing.TB, leaf *pki.Leaf) Key {
	t.Helper()
	body, err := leaf.PKCS12("prova")
	if err != nil {
		t.Fatal(err)
	}
	key, err := OpenPKCS12(body, "prova")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func configOf(t testing.TB, a *pki.Authority, leaf *pki.Leaf, level Level) Config {
	t.Helper()
	c := Config{Key: keyOf(t, leaf), Roots: a.Roots(), Level: level, Name: "PROVA - Segell electronic", Reason: "Document emission", Location: "Andorra la Vella"}
	if level.Includes(BT) {
		c.TSAs = []TSA{{URL: a.TSAURL(), Roots: a.Roots(), Timeout: 5 * time.Second}}
	}
	if level.Includes(BLT) {
		c.Revocation = Revocation{Hosts: []string{a.Host()}, Timeout: 5 * time.Second}
	}
	return c
}

func newSealer(t testing.TB, c Config) *Sealer {
	t.Helper()
	s, err := NewSealer(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func trustOf(a *pki.Authority) Trust { return Trust{Roots: a.Roots(), TSARoots: a.Roots()} }

func seal(t testing.TB, a *pki.Authority, level Level, pdf []byte) []byte {
	t.Helper()
	sealed, err := newSealer(t, configOf(t, a, a.Seal(), level)).Seal(context.Background(), pdf)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func inspect(t testing.TB, pdf []byte, trust Trust) Report {
	t.Helper()
	r, err := Inspect(context.Background(), pdf, trust)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t testing.TB, pdf []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "document.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
