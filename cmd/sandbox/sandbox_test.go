package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"segell/internal/judges"
	"segell/samples"
	"segell/templates"
)

// The sandbox holds an S3 server of which there is one per process, so each test
// runs it as a child. raceFlag builds it with the race detector if the tests are.
var (
	raceFlag                      []string
	sandboxProgram, segellProgram string // the programs sandbox and segell
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "segell-sandbox")
	if err != nil {
		panic(err)
	}
	code := 1
	sandboxProgram, segellProgram = filepath.Join(dir, "sandbox"), filepath.Join(dir, "segell")
	// segell only verifies here, a file at a time: nothing in it can race.
	for path, flags := range map[string][]string{sandboxProgram: append(slices.Clone(raceFlag), "-o", sandboxProgram, "."), segellProgram: {"-o", segellProgram, "../segell"}} {
		words, err := exec.Command("go", append([]string{"build"}, flags...)...).CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "go build %s: %v\n%s", path, err, words)
			os.RemoveAll(dir)
			os.Exit(code)
		}
	}
	code = m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// once runs the sandbox with -once and returns what it printed.
func once(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command(sandboxProgram, "-once", "-dir", dir, "-listen", "127.0.0.1:0")
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		t.Fatalf("sandbox -once: %v\n%s%s", err, &out, &faults)
	}
	if faults.Len() > 0 {
		t.Errorf("sandbox -once complains:\n%s", &faults)
	}
	return out.String()
}

// tree is the digest of every file below dir, by its path.
func tree(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	all := map[string][sha256.Size]byte{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir+"/")] = sha256.Sum256(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOnceIssuesEverySampleOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a folder", "sandbox")
	out := once(t, dir)

	var want []string
	for _, kind := range templates.Kinds() {
		for _, language := range kind.Languages {
			want = append(want, kind.ID+"."+language+".pdf")
		}
	}
	for s := range samples.All() {
		if s.Name != samples.Standard {
			want = append(want, s.Kind+"."+s.Name+"."+s.Language+".pdf")
		}
	}
	slices.Sort(want)
	var got []string
	issued := tree(t, filepath.Join(dir, "issued"))
	for name := range issued {
		got = append(got, name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("issued/ holds\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if !strings.Contains(out, fmt.Sprintf("\n%d documents issued; ", len(want))) {
		t.Errorf("it does not say that it issued %d:\n%s", len(want), out)
	}
	// pdfsig asks the OCSP responder that the certificate names: a sandbox must be up.
	up := start(t, dir)
	if again := up.out.String(); !strings.Contains(again, fmt.Sprintf("\n0 documents issued, %d had been before; ", len(want))) {
		t.Errorf("the next start says:\n%s", again)
	}
	if words, err := exec.Command("sh", "-c", `. "$1" && "$2" jobs list && "$2" audit list --what staff.add`, "sh", filepath.Join(dir, settingsName), segellProgram).CombinedOutput(); err != nil ||
		!bytes.Contains(words, []byte("Tot bé")) || !bytes.Contains(words, []byte("staff.add")) {
		t.Errorf("the commands of staff, with the settings that it wrote: %v\n%s", err, words)
	}
	root := filepath.Join(dir, "pki", "root.pem")
	for _, name := range got {
		file := filepath.Join(dir, "issued", name)
		if !strings.Contains(out, file+"\n") {
			t.Errorf("the output does not say where %s lies:\n%s", name, out)
		}
		judges.PDFSigSeal(t, file, root)
		judges.QPDF(t, file)
		if text := judges.Text(t, file); !strings.Contains(text, "PROVA") {
			t.Errorf("%s does not say PROVA:\n%s", name, text)
		}
		if words, err := exec.Command(segellProgram, "verify", "--seal-roots-file", root, file).CombinedOutput(); err != nil || !bytes.HasPrefix(words, []byte("VALID: ")) || !bytes.Contains(words, []byte("level B-LTA")) {
			t.Errorf("segell verify %s: %v\n%s", name, err, words)
		}
	}
	up.end(os.Interrupt)

	// A bit of the page, and of the time-stamp's hexadecimal digits.
	whole, err := os.ReadFile(filepath.Join(dir, "issued", got[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{20, len(whole) / 3, bytes.Index(whole, []byte("/Contents<")) + 40} {
		spoiled := filepath.Join(t.TempDir(), "spoiled.pdf")
		data := bytes.Clone(whole)
		data[at] ^= 1
		if err := os.WriteFile(spoiled, data, 0o600); err != nil {
			t.Fatal(err)
		}
		words, err := exec.Command(segellProgram, "verify", "--seal-roots-file", root, spoiled).CombinedOutput()
		if err == nil || !bytes.HasPrefix(words, []byte("NOT VALID")) {
			t.Errorf("a bit at %d: %v\n%s", at, err, words)
		}
	}

	// Again, on the same folder: the same documents, byte for byte, and nothing more in the bucket.
	documents := func() map[string][sha256.Size]byte {
		return tree(t, filepath.Join(dir, "bucket", bucketName, "documents"))
	}
	before := documents()
	if len(before) != len(want) {
		t.Errorf("the bucket holds %d documents, want %d", len(before), len(want))
	}
	out = once(t, dir)
	if !strings.Contains(out, fmt.Sprintf("\n0 documents issued, %d had been before; ", len(want))) {
		t.Errorf("the second start says:\n%s", out)
	}
	again, after := tree(t, filepath.Join(dir, "issued")), documents()
	for name, digest := range issued {
		if again[name] != digest {
			t.Errorf("the second start made another %s", name)
		}
	}
	if len(after) != len(before) {
		t.Errorf("the second start left %d documents in the bucket, %d were there", len(after), len(before))
	}
	for name, digest := range before {
		if after[name] != digest {
			t.Errorf("the second start changed %s", name)
		}
	}
}

// child is a sandbox that stays up.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   *words
	ended chan struct{}
	api   string
	token string
}

// words is what a child printed.
type words struct {
	mu sync.Mutex
	b  strings.Builder
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

var (
	printedAPI   = regexp.MustCompile(`(?m)^  API +(http://[0-9.:]+)/v1/documents/`)
	printedToken = regexp.MustCompile(`(?m)^  API token +(segell_\S+)$`)
)

// start starts a sandbox and reads from its output what a newcomer would.
func start(t *testing.T, dir string, flags ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(sandboxProgram, append(flags, "-dir", dir, "-listen", "127.0.0.1:0")...), out: &words{}, ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait() // how it ended is in its state
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // fails only where it has ended
		<-c.ended
		if t.Failed() {
			t.Logf("the sandbox said:\n%s", c.out)
		}
	})
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		said := c.out.String()
		if strings.Contains(said, "Ctrl-C stops it") {
			c.api, c.token = printedAPI.FindStringSubmatch(said)[1], printedToken.FindStringSubmatch(said)[1]
			return c
		}
		select {
		case <-c.ended:
			t.Fatal("the sandbox ended at once")
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("the sandbox is not up after two minutes")
		}
	}
}

// end sends a signal and waits for the end.
func (c *child) end(signal os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
	select {
	case <-c.ended:
	case <-time.After(30 * time.Second):
		c.t.Fatalf("still there 30 s after %v", signal)
	}
}

func (c *child) ask(method, path string, body []byte) (int, []byte, error) {
	request, err := http.NewRequest(method, c.api+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", rand.Text())
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// The embedded Redis forgets everything with the process; the ledger does not.
func TestAStoppedSandboxLosesNothing(t *testing.T) {
	for name, signal := range map[string]os.Signal{"by Ctrl-C": os.Interrupt, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c := start(t, dir)
			body, err := os.ReadFile(filepath.Join(dir, "request.json")) // as the output says
			if err != nil {
				t.Fatal(err)
			}
			const n = 60
			ids := make(chan string, n)
			var all sync.WaitGroup
			gate := make(chan struct{}, 16)
			for range n {
				all.Go(func() {
					gate <- struct{}{}
					defer func() { <-gate }()
					status, text, err := c.ask("POST", "/v1/documents/coverage_certificate", body)
					var accepted struct{ ID string }
					if err == nil && status == http.StatusAccepted && json.Unmarshal(text, &accepted) == nil {
						ids <- accepted.ID
					}
				})
			}
			all.Wait()
			close(ids)
			if len(ids) != n {
				t.Fatalf("%d of %d were accepted", len(ids), n)
			}
			c.end(signal)
			if code := c.cmd.ProcessState.ExitCode(); signal == os.Interrupt && (code != 0 || !strings.Contains(c.out.String(), "\nStopped. ")) {
				t.Errorf("Ctrl-C ended it with exit code %d", code)
			}
			open := len(tree(t, filepath.Join(dir, "bucket", bucketName, "requests")))
			if open == 0 {
				t.Fatal("everything was issued before the end: this proves nothing")
			}
			t.Logf("%d of %d were open", open, n)

			logins := c.logins()
			c = start(t, dir)
			if again := c.logins(); again != logins {
				t.Errorf("the logins of the console are\n%s, they were\n%s", again, logins)
			}
			c.browser("act")
			deadline := time.Now().Add(2 * time.Minute)
			for id := range ids {
				for {
					status, text, err := c.ask("GET", "/v1/requests/"+id, nil)
					var now struct{ State string }
					if err == nil && status == http.StatusOK && json.Unmarshal(text, &now) == nil && now.State == "issued" {
						break
					}
					if time.Now().After(deadline) {
						t.Fatalf("%s is not issued: %d %s %v", id, status, text, err)
					}
					time.Sleep(50 * time.Millisecond)
				}
			}
			issued := 0
			for range samples.Issued() {
				issued++
			}
			if got := len(tree(t, filepath.Join(dir, "bucket", bucketName, "documents"))); got != n+issued {
				t.Errorf("the bucket holds %d documents, want %d", got, n+issued)
			}
			c.end(os.Interrupt)
		})
	}
}

func TestTheSandboxTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct {
		args  []string
		code  int
		words string
	}{
		{[]string{"-listen", "0.0.0.0:8642"}, 1, "the sandbox serves on loopback only"},
		{[]string{"-listen", "8642"}, 1, "the sandbox serves on loopback only"},
		{[]string{"-port", "1"}, 2, "-listen"},
		{[]string{"once"}, 2, `"once" is no flag`},
		{[]string{"-h"}, 0, "-once"},
		{[]string{"-once", "-troubles"}, 2, "leave -once away"},
		{[]string{"-once", "-listen", "127.0.0.1:0", "-dir", "/dev/null/here"}, 1, "/dev/null/here"},
	} {
		cmd := exec.Command(sandboxProgram, wrong.args...)
		cmd.Dir = t.TempDir()
		text, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != wrong.code || !strings.Contains(string(text), wrong.words) {
			t.Errorf("sandbox %q: exit code %d, %v\n%s", wrong.args, code, err, text)
		}
	}
}

// aSecondSays has another sandbox started on the same folder, and on the same
// address: it says what is wrong, and the first goes on.
func aSecondSays(t *testing.T, first *child, dir string) {
	t.Helper()
	text, err := exec.Command(sandboxProgram, "-once", "-listen", "127.0.0.1:0", "-dir", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(text), "another sandbox") {
		t.Errorf("a second sandbox on the same folder: %v\n%s", err, text)
	}
	if status, text, err := first.ask("GET", "/openapi.json", nil); err != nil || status != http.StatusOK {
		t.Errorf("the first one: %d %s %v", status, text, err)
	}
	text, err = exec.Command(sandboxProgram, "-once", "-dir", t.TempDir(), "-listen", strings.TrimPrefix(first.api, "http://")).CombinedOutput()
	if err == nil || !strings.Contains(string(text), "choose another address with -listen") {
		t.Errorf("an address that is taken: %v\n%s", err, text)
	}
}
