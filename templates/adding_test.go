package templates

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// docs/adding-a-kind.md promises that a kind is a file, its words, a line in the
// registry and samples. Here such a kind is added to a copy of the module, the
// tests that judge every kind are run with it, and its document is made.
func TestATwelfthKindTouchesNothingElse(t *testing.T) {
	const id = "contribution_status"
	dir := t.TempDir()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		from, to := filepath.Join("..", entry.Name()), filepath.Join(dir, entry.Name())
		switch name := entry.Name(); {
		case strings.HasPrefix(name, "."), name == "bin", name == "sandbox-data":
		case entry.IsDir():
			if err := os.CopyFS(to, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
		default:
			place(t, from, to)
		}
	}
	twelfth := func(from, to string) {
		t.Helper()
		place(t, filepath.Join("testdata", "twelfth", from), filepath.Join(dir, to))
	}
	twelfth(id+".go.txt", "templates/"+id+".go")
	for _, lang := range []string{"ca", "es", "fr", "pt", "en"} {
		twelfth(id+"."+lang+".json", "templates/locales/"+id+"."+lang+".json")
	}
	twelfth("standard.json", "samples/"+id+"/standard.json")
	twelfth("refused_owes.json", "samples/"+id+"/refused/owes.json")
	twelfth("refused_future.json", "samples/"+id+"/refused/month_to_come.json")
	registry, err := os.ReadFile("kinds.go")
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(registry, []byte("\n}\n"), []byte("\n\tcontributionStatus,\n}\n"), 1)
	if bytes.Equal(changed, registry) {
		t.Fatal("the registry has another form than this test knows")
	}
	if err := os.WriteFile(filepath.Join(dir, "templates", "kinds.go"), changed, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		command := exec.Command("go", args...)
		command.Dir = dir
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	run("the tests of every kind's words", "test", "./templates", "-run", "^(TestWordsAreCompleteAndUsed|TestLanguagesAgree|TestEveryKindHasATitle)$")
	run("the tests of every sample", "test", "./samples")
	run("the door's test of what is refused", "test", "./intake", "-run", "^TestTheRefusedSamplesAreRefused$")
	sample := filepath.Join(dir, "samples", id, "standard.json")
	pdf := filepath.Join(dir, "document.pdf")
	run("its document", "run", "./cmd/segell", "render", id, sample, "-o", pdf)
	words, err := exec.Command("pdftotext", pdf, "-").Output()
	if err != nil {
		t.Fatalf("pdftotext (apt-get install poppler-utils): %v", err)
	}
	if !strings.Contains(string(words), "Certificat d’estar al corrent de pagament") {
		t.Errorf("its page does not say what it is:\n%s", words)
	}
}

// place copies a file to a place whose folder may not be there yet.
func place(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
