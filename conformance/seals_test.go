package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/phpdave11/gofpdf/judges"

	seal "segell/internal/judges"
	"segell/pki"
	"segell/samples"
	"segell/signing"
	"segell/templates"
)

// everySeal names the variable that asks for every seal, as `make conformance`
// and `make test-long` do. Without it a diagonal is judged that has each level,
// kind of key and length at least once: a run of all takes minutes.
const everySeal = "SEGELL_EVERY_SEAL"

// length is how long a document is, by the sample that is rendered.
type length string

const (
	onePage      length = "coverage_certificate.ca.pdf"
	hundredPages length = "benefit_sheet_copies.a_hundred_sheets.ca.pdf"
)

// sealing is one way to seal a document.
type sealing struct {
	level   signing.Level
	renewed bool // by a later time-stamp, once
	key     pki.KeyKind
	length  length
}

func (s sealing) name() string {
	name := fmt.Sprintf("%s.%s", s.key, s.level)
	if s.renewed {
		name += ".renewed"
	}
	return name + "." + string(s.length)
}

var diagonal = []sealing{
	{signing.BB, false, pki.P256, onePage},
	{signing.BT, false, pki.RSA3072, onePage},
	{signing.BLT, false, pki.P256, onePage},
	{signing.BLTA, false, pki.RSA3072, onePage},
	{signing.BLTA, true, pki.P256, hundredPages},
}

func sealings() []sealing {
	if os.Getenv(everySeal) == "" {
		return diagonal
	}
	var all []sealing
	for _, key := range []pki.KeyKind{pki.P256, pki.RSA3072} {
		for _, l := range []length{onePage, hundredPages} {
			for _, level := range []signing.Level{signing.BB, signing.BT, signing.BLT, signing.BLTA} {
				all = append(all, sealing{level, false, key, l})
			}
			all = append(all, sealing{signing.BLTA, true, key, l})
		}
	}
	return all
}

// Every level with every kind of key, on documents of one and of a hundred pages
// that our own writer made, and renewed: before all judges of seals, and before
// veraPDF, for what is sealed must still be PDF/A-2a and PDF/UA-1.
func TestEverySeal(t *testing.T) {
	dir := t.TempDir()
	pages := map[length][]byte{onePage: rendered(t, onePage), hundredPages: rendered(t, hundredPages)}
	authorities := map[pki.KeyKind]*pki.Authority{}
	for _, key := range []pki.KeyKind{pki.P256, pki.RSA3072} {
		authorities[key] = authority(t, key)
	}
	all := sealings()
	made := map[sealing][]byte{}
	for _, s := range all {
		made[s] = sealed(t, authorities[s.key], s.level, pages[s.length])
	}
	for _, a := range authorities {
		if err := a.RenewTSA(); err != nil {
			t.Fatal(err)
		}
	}
	profiles := map[string]string{}
	for _, s := range all {
		if s.renewed {
			made[s] = renewed(t, authorities[s.key], made[s])
		}
		file := filepath.Join(dir, s.name())
		if err := os.WriteFile(file, made[s], 0o600); err != nil {
			t.Fatal(err)
		}
		profiles[file] = "2a,ua1"
	}

	// veraPDF takes as long as all others together.
	type answer struct {
		verdicts []judges.Verdict
		err      error
	}
	vera := make(chan answer, 1)
	go func() {
		verdicts, err := judges.VeraPDF(t.Context(), "..", profiles)
		vera <- answer{verdicts, err}
	}()
	for _, s := range all {
		judgeSeal(t, s, authorities[s.key], filepath.Join(dir, s.name()))
	}
	formats := <-vera
	if formats.err != nil {
		t.Fatal(formats.err)
	}
	for _, v := range formats.verdicts {
		say(t, v)
	}
}

// judgeSeal asks every judge of signatures. B-B and B-T say nothing of
// revocation, so the authorities are asked; B-LT and B-LTA must hold without
// anybody being asked.
func judgeSeal(t *testing.T, s sealing, a *pki.Authority, file string) {
	t.Helper()
	evidence := s.level.Includes(signing.BLT)
	root := a.RootPEM()
	judged := []struct {
		judge string
		ask   func(*testing.T)
	}{
		{"Segell", func(t *testing.T) { inspected(t, a, s.level, file) }},
		{"qpdf", func(t *testing.T) { seal.QPDF(t, file) }},
		{"pdfsig", func(t *testing.T) {
			if evidence {
				seal.PDFSigSeal(t, file, root)
			} else {
				seal.PDFSig(t, file, root)
			}
		}},
		{"EU DSS", func(t *testing.T) { seal.DSS(t, file, root, string(s.level), seal.Options{Offline: evidence}) }},
		{"pyHanko", func(t *testing.T) {
			seal.PyHanko(t, file, root, seal.Options{Stamped: s.level.Includes(signing.BT), Extended: evidence})
		}},
	}
	if s.level == signing.BLTA {
		judged = append(judged, struct {
			judge string
			ask   func(*testing.T)
		}{"pyHanko LTA", func(t *testing.T) { seal.PyHankoLTA(t, file, root) }})
	}
	for _, j := range judged {
		v := judges.Verdict{File: file, Judge: j.judge, Pass: true}
		if err := asked(t, j.ask); err != nil {
			v.Pass, v.Detail = false, err.Error()
		}
		say(t, v)
	}
}

func inspected(t *testing.T, a *pki.Authority, level signing.Level, file string) {
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := signing.Inspect(t.Context(), body, signing.Trust{Roots: a.Roots(), TSARoots: a.Roots()})
	if err != nil || !r.Valid || r.Level != level {
		t.Errorf("%s: level %q: %v %v", filepath.Base(file), r.Level, err, r.Err())
	}
}

// rendered draws the sample of a length as a worker would.
func rendered(t *testing.T, l length) []byte {
	t.Helper()
	issuedAt := time.Date(2026, 3, 2, 9, 14, 5, 0, templates.Andorra)
	for sample := range samples.Issued() {
		if sample.FileName() != string(l) {
			continue
		}
		kind, ok := templates.Lookup(sample.Kind)
		if !ok {
			t.Fatalf("%s is no kind", sample.Kind)
		}
		request, err := kind.Decode(sample.Body, issuedAt)
		if err != nil {
			t.Fatal(err)
		}
		out, err := templates.Render(t.Context(), request, templates.Issue{Number: "CASS-2026-" + kind.Code + "-0001234", CSV: "0123-4567-89AB-CDEF-GHZ0-9E",
			VerificationURL: "https://segell.example/v/0123456789ABCDEFGHZ09E", IssuedAt: issuedAt, SealedBy: "Caixa Andorrana de Seguretat Social", Proof: true})
		if err != nil {
			t.Fatal(err)
		}
		if want := map[length]int{onePage: 1, hundredPages: 100}[l]; out.Pages < want || l == onePage && out.Pages > 1 {
			t.Fatalf("%s has %d pages, %d are wanted", l, out.Pages, want)
		}
		return out.PDF
	}
	t.Fatalf("no sample gives %s", l)
	return nil
}

// authority is a test PKI whose time-stamping certificate has a year left, so
// that a later one can prove for longer.
func authority(t *testing.T, key pki.KeyKind) *pki.Authority {
	t.Helper()
	a, err := pki.New(filepath.Join(t.TempDir(), "pki"), pki.Options{Seal: key, Authorities: key, TSALife: 365 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func tsas(a *pki.Authority) []signing.TSA { return []signing.TSA{{URL: a.TSAURL(), Roots: a.Roots()}} }

func sealed(t *testing.T, a *pki.Authority, level signing.Level, pdf []byte) []byte {
	t.Helper()
	p12, err := a.Seal().PKCS12("prova")
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.OpenPKCS12(p12, "prova")
	if err != nil {
		t.Fatal(err)
	}
	s, err := signing.NewSealer(signing.Config{Key: key, Roots: a.Roots(), Level: level, TSAs: tsas(a),
		Revocation: signing.Revocation{Hosts: []string{a.Host()}}, Name: "PROVA - Segell electronic", Reason: "Document emission", Location: "Andorra la Vella"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Seal(t.Context(), pdf)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func renewed(t *testing.T, a *pki.Authority, pdf []byte) []byte {
	t.Helper()
	r, err := signing.NewRenewer(signing.RenewerConfig{Trust: signing.Trust{Roots: a.Roots(), TSARoots: a.Roots()}, TSAs: tsas(a),
		Revocation: signing.Revocation{Hosts: []string{a.Host()}}})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := r.Renew(t.Context(), pdf)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
