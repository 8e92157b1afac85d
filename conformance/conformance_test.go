// Package conformance judges from outside what Segell issues: every document of
// the sandbox, sealed, before judges that nobody here wrote. It prints a line
// per document and judge; `make conformance` runs it.
package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phpdave11/gofpdf/judges"
	"golang.org/x/text/unicode/norm"

	seal "segell/internal/judges"
	"segell/samples"
)

// issue runs the sandbox once and returns its folder.
func issue(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	program := filepath.Join(t.TempDir(), "sandbox")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "segell/cmd/sandbox").CombinedOutput(); err != nil {
		t.Fatalf("building the sandbox: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(ctx, program, "-once", "-dir", dir, "-listen", "127.0.0.1:0").CombinedOutput()
	if err != nil {
		t.Fatalf("the sandbox: %v\n%s", err, out)
	}
	return dir
}

func TestEveryIssuedDocument(t *testing.T) {
	dir := issue(t)
	root := filepath.Join(dir, "pki", "root.pem")
	profiles := map[string]string{}
	for sample := range samples.Issued() {
		profiles[filepath.Join(dir, "issued", sample.FileName())] = "2a,ua1"
	}
	files, err := filepath.Glob(filepath.Join(dir, "issued", "*.pdf"))
	if err != nil || len(files) != len(profiles) {
		t.Fatalf("%d files for %d samples (%v)", len(files), len(profiles), err)
	}
	verdicts, err := judges.VeraPDF(t.Context(), "..", profiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		say(t, v)
	}
	for sample := range samples.Issued() {
		file := filepath.Join(dir, "issued", sample.FileName())
		v, err := judges.QPDF(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		say(t, v)
		judged := map[string]func() error{"words": func() error { return words(t, file, sample) }}
		if sample.Name == samples.Standard && sample.Language == sample.Languages[0] {
			// Every document is sealed alike; a NSS database is made for each that is asked about.
			judged["pdfsig"] = func() error { return asked(t, func(t *testing.T) { seal.PDFSigSeal(t, file, root) }) }
		}
		if sample.FileName() == string(onePage) {
			// The sandbox's seal certificate names no OCSP responder (pki.Options.NoOCSP).
			judged["pyHanko LTA"] = func() error { return asked(t, func(t *testing.T) { seal.PyHankoLTAByList(t, file, root) }) }
			judged["EU DSS"] = func() error {
				return asked(t, func(t *testing.T) { seal.DSS(t, file, root, "B-LTA", seal.Options{Offline: true}) })
			}
		}
		for name, judge := range judged {
			v := judges.Verdict{File: file, Judge: name, Pass: true}
			if err := judge(); err != nil {
				v.Pass, v.Detail = false, err.Error()
			}
			say(t, v)
		}
	}
}

// say prints a verdict as one line.
func say(t *testing.T, v judges.Verdict) {
	t.Helper()
	v.File = filepath.Base(v.File)
	fmt.Println(v)
	if !v.Pass {
		t.Error(v)
	}
}

// asked runs a judge that speaks through a test.
func asked(t *testing.T, judge func(*testing.T)) error {
	t.Helper()
	if !t.Run("judge", judge) {
		return fmt.Errorf("refused, as said above")
	}
	return nil
}

// words asks two readers for the text. What a screen reader follows (the
// structure) must come in the order of the page, and what the portal sent of the
// person must be there whole, to be selected and copied.
func words(t *testing.T, file string, sample samples.Sample) error {
	t.Helper()
	text, err := judges.Text(t.Context(), file)
	if err != nil {
		return err
	}
	tree, err := judges.Tree(t.Context(), file)
	if err != nil {
		return err
	}
	page := strings.Fields(plain(text))
	at := 0
	read := 0
	for line := range strings.Lines(tree) {
		spoken, ok := strings.CutPrefix(strings.TrimSpace(line), `"`)
		if !ok {
			continue
		}
		for _, word := range strings.Fields(plain(strings.TrimSuffix(spoken, `"`))) {
			read++
			from := at
			for at < len(page) && page[at] != word {
				at++
			}
			if at == len(page) {
				return fmt.Errorf("the structure says %q where the page, after %q, does not", word, strings.Join(page[max(0, from-5):from], " "))
			}
			at++
		}
	}
	if read < 20 {
		return fmt.Errorf("the structure holds %d words", read)
	}
	var body struct {
		Holder struct {
			FullName   string `json:"full_name"`
			CASSNumber string `json:"cass_number"`
		} `json:"holder"`
	}
	if err := json.Unmarshal(sample.Body, &body); err != nil {
		return err
	}
	whole := strings.Join(page, " ")
	for _, value := range []string{body.Holder.FullName, body.Holder.CASSNumber} {
		if want := strings.Join(strings.Fields(plain(value)), " "); !strings.Contains(whole, want) {
			return fmt.Errorf("a value that was sent cannot be copied whole")
		}
	}
	return nil
}

// plain is a text as pdftotext gives it: composed, and without the narrow
// no-break space of French, which poppler takes for kerning.
func plain(text string) string { return strings.ReplaceAll(norm.NFC.String(text), "\u202f", "") }

func TestMain(m *testing.M) {
	// Judges are started beside the module's root.
	if _, err := os.Stat("pom.xml"); err != nil {
		panic("the tests run in their own folder: " + err.Error())
	}
	os.Exit(m.Run())
}
