package faults

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"segell/access"
	"segell/internal/servers"
	"segell/ledger"
	"segell/pki"
	"segell/storage"
)

// house is everything that runs: the servers that Segell needs, troubles before
// the store, several processes of Segell that are started again when they die,
// and who listens to callbacks.
type house struct {
	t       testing.TB
	dir     string
	redis   *servers.Redis
	s3      *servers.S3
	store   *store
	bucket  *storage.Bucket // to the server itself, past the troubles
	pki     *pki.Authority
	keyset  *ledger.Keyset
	hmacKey []byte
	token   string
	told    *listener
	doors   []string // addresses of the intakes
	workers []*role
	intakes []*role
	client  *http.Client
}

const (
	intakes = 2
	workers = 3
	// reconcile is how often the workers look for requests without a job.
	reconcile = 3 * time.Second
)

// binary is segell built with the tag failpoints.
func binary(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "segell")
	build := exec.Command("go", "build", "-tags", "failpoints", "-o", path, "segell/cmd/segell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if words, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, words)
	}
	return path
}

func newHouse(t testing.TB, path string, more ...string) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), redis: servers.NewRedis(t, servers.RedisOptions{}), s3: servers.NewS3(t)}
	h.bucket = h.s3.Bucket("segell")
	var err error
	if h.store, err = newStore(h.s3.Endpoint); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(h.store)
	t.Cleanup(front.Close)
	if h.pki, err = pki.New(filepath.Join(h.dir, "pki"), pki.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.pki.Close() })
	h.told = listen(t)

	keyset, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	if h.keyset, err = ledger.ReadKeyset(keyset); err != nil {
		t.Fatal(err)
	}
	h.hmacKey = bytes.Repeat([]byte{7}, ledger.HMACKeySize)
	token, line, err := access.NewToken("portal")
	if err != nil {
		t.Fatal(err)
	}
	h.token = token
	p12, err := h.pki.Seal().PKCS12("secret")
	if err != nil {
		t.Fatal(err)
	}
	points := filepath.Join(h.dir, "failpoints")
	if err := os.Mkdir(points, 0o700); err != nil {
		t.Fatal(err)
	}
	environment := append([]string{
		"HOME=" + h.dir, "TMPDIR=" + os.TempDir(), "SEGELL_FAILPOINTS_DIR=" + points,
		"SEGELL_S3_ENDPOINT=" + front.URL, "SEGELL_S3_BUCKET=segell", "SEGELL_S3_ACCESS_KEY=" + h.s3.AccessKey, "SEGELL_S3_SECRET_KEY=" + h.s3.SecretKey,
		"SEGELL_REDIS_URL=redis://" + h.redis.Addr() + "/0", "SEGELL_LEDGER_KEYSET=" + string(keyset), "SEGELL_LEDGER_HMAC_KEY=" + hmacText(h.hmacKey),
		"SEGELL_API_TOKENS=" + line, "SEGELL_API_RATE=10000", "SEGELL_PUBLIC_URL=https://segell.example",
		"SEGELL_SEAL_P12_FILE=" + h.file("seal.p12", p12), "SEGELL_SEAL_PASSWORD=secret", "SEGELL_SEAL_ROOTS_FILE=" + h.pki.RootPEM(),
		"SEGELL_SEAL_LEVEL=B-LTA", "SEGELL_TSA_URLS=" + h.pki.TSAURL(), "SEGELL_TSA_ROOTS_FILE=" + h.pki.RootPEM(), "SEGELL_REVOCATION_HOSTS=" + h.pki.Host(),
		"SEGELL_RECONCILE_EVERY=" + reconcile.String(), "SEGELL_CALLBACKS=" + h.told.configuration("portal"),
	}, more...)
	for range intakes {
		door := servers.FreeAddress(t)
		h.doors = append(h.doors, door)
		h.intakes = append(h.intakes, h.role(path, "intake", append(environment, "SEGELL_LISTEN="+door)))
	}
	for range workers {
		h.workers = append(h.workers, h.role(path, "worker", environment))
	}
	h.client = &http.Client{Timeout: 40 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return h
}

func hmacText(key []byte) string { return hex.EncodeToString(key) }

func (h *house) file(name string, body []byte) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, body, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// point writes what the processes of the tag failpoints look at.
func (h *house) point(name, text string) {
	h.t.Helper()
	// By rename: nobody reads half of it.
	whole := h.file("failpoints/."+name+rand.Text(), []byte(text))
	if err := os.Rename(whole, filepath.Join(h.dir, "failpoints", name)); err != nil {
		h.t.Fatal(err)
	}
}

// unpoint takes it away and reports whether it was still there.
func (h *house) unpoint(name string) bool {
	h.t.Helper()
	err := os.Remove(filepath.Join(h.dir, "failpoints", name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	return err == nil
}

// role is a process of Segell that is started again whenever it ends.
type role struct {
	h           *house
	path, name  string
	environment []string
	admin       string

	mu      sync.Mutex
	cmd     *exec.Cmd
	ended   chan struct{}
	stopped bool
	deaths  int
	refused int      // starts that it refused, saying why
	failed  []string // how it ended when nobody had killed it
	log     *lastLines
}

func (h *house) role(path, name string, environment []string) *role {
	h.t.Helper()
	r := &role{h: h, path: path, name: name, admin: servers.FreeAddress(h.t)}
	r.environment = append(environment[:len(environment):len(environment)], "SEGELL_ADMIN_LISTEN="+r.admin)
	r.mu.Lock()
	err := r.start()
	r.mu.Unlock()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		r.mu.Lock()
		r.stopped = true
		ended := r.ended
		_ = r.cmd.Process.Kill() // fails only where it has ended
		r.mu.Unlock()
		<-ended
		if h.t.Failed() {
			h.t.Logf("the last words of %s at %s:\n%s", name, r.admin, r.log.String())
		}
	})
	return r
}

// start runs the process; mu is held.
func (r *role) start() error {
	said := &lastLines{}
	if r.log != nil {
		_, _ = said.Write([]byte(r.log.String())) // a buffer of ours takes everything
	}
	before := len(said.String())
	cmd := exec.Command(r.path, r.name)
	cmd.Env = r.environment
	cmd.Stdout, cmd.Stderr = said, said
	r.log = said
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	r.cmd, r.ended = cmd, ended
	go func() {
		err := cmd.Wait()
		close(ended)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.stopped {
			return
		}
		r.deaths++
		var exit *exec.ExitError
		words := said.String()
		words = words[min(before, len(words)):]
		switch {
		case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled():
		case !strings.Contains(words, "the worker begins") && !strings.Contains(words, "the doors are open") && strings.Contains(words, "segell: "):
			// It would not start and said why: by its clock its certificate had not
			// begun, or the store failed its proof. The supervisor tries again.
			r.refused++
		default:
			r.failed = append(r.failed, fmt.Sprintf("%v: %.500s", err, words)) // nobody told it to end like this
		}
		time.Sleep(300 * time.Millisecond) // as a supervisor does
		if err := r.start(); err != nil {
			r.failed = append(r.failed, err.Error())
		}
	}()
	return nil
}

// kill ends the process without a word.
func (r *role) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.cmd.Process.Kill() // it may have been ended a moment before
}

// stop ends the process politely and waits.
func (r *role) stop() error {
	r.mu.Lock()
	r.stopped = true
	cmd, ended := r.cmd, r.ended
	_ = cmd.Process.Signal(syscall.SIGTERM)
	r.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(40 * time.Second):
		return errors.New("it did not end within 40 s of SIGTERM")
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("it ended with %v", cmd.ProcessState)
	}
	return nil
}

// open waits until every door answers.
func (h *house) open() {
	h.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for _, r := range append(append([]*role{}, h.intakes...), h.workers...) {
		for {
			answer, err := http.Get("http://" + r.admin + "/readyz")
			if err == nil {
				answer.Body.Close()
				if answer.StatusCode == http.StatusOK {
					break
				}
			}
			if time.Now().After(deadline) {
				h.t.Fatalf("%s is not ready after a minute: %v\n%s", r.name, err, r.log.String())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// ledger opens the ledger from outside, past all troubles.
func (h *house) ledger() *ledger.Ledger {
	h.t.Helper()
	l, err := ledger.New(ledger.Config{Objects: h.bucket, Keyset: h.keyset, HMACKey: h.hmacKey, Now: time.Now, Random: rand.Reader})
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

// lastLines keeps the end of what a process says.
type lastLines struct {
	mu sync.Mutex
	b  []byte
}

func (l *lastLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 64 << 10
	if l.b = append(l.b, b...); len(l.b) > 2*most {
		l.b = append(l.b[:0], l.b[len(l.b)-most:]...)
	}
	return len(b), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

// pause waits, unless the run is over.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// pointed tells whether a step is still waited for.
func (h *house) pointed(name string) bool {
	_, err := os.Stat(filepath.Join(h.dir, "failpoints", name))
	return err == nil
}
