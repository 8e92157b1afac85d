package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"segell/access"
	"segell/internal/servers"
	"segell/ledger"
	"segell/pki"
	"segell/samples"
	"segell/signing"
	"segell/storage"
	"segell/templates"
)

// TestMain lets the scripts run this test's own binary as segell, so that races
// are detected there as well, and removes what built gives.
func TestMain(m *testing.M) {
	testscript.Main(cleaning{m}, map[string]func(){"segell": main})
}

type cleaning struct{ *testing.M }

func (m cleaning) Run() int {
	code := m.M.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	return code
}

var builtIn string

// built is the path of segell as `make build` makes it.
var built = sync.OnceValues(func() (string, error) {
	var err error
	if builtIn, err = os.MkdirTemp("", "segell"); err != nil {
		return "", err
	}
	path := filepath.Join(builtIn, "segell")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if words, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, words)
	}
	return path, nil
})

// house is what an operator has around Segell: an S3 server with a bucket, a
// Redis, a seal with its time-stamping authority, keys and a token. Its settings
// are the environment of the segell that is tried.
type house struct {
	t        testing.TB
	dir      string
	s3       *servers.S3
	bucket   *storage.Bucket
	redis    *servers.Redis
	pki      *pki.Authority
	token    string
	settings map[string]string
}

func newHouse(t testing.TB, redis servers.RedisOptions) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), s3: servers.NewS3(t), redis: servers.NewRedis(t, redis)}
	h.bucket = h.s3.Bucket("segell")
	var err error
	if h.pki, err = pki.New(filepath.Join(h.dir, "pki"), pki.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.pki.Close() })
	keyset, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	hmacKey, err := ledger.NewHMACKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token, line, err := access.NewToken("portal")
	if err != nil {
		t.Fatal(err)
	}
	h.token = token
	door := servers.FreeAddress(t)
	h.settings = map[string]string{
		"SEGELL_S3_ENDPOINT": h.s3.Endpoint, "SEGELL_S3_BUCKET": "segell", "SEGELL_S3_ACCESS_KEY": h.s3.AccessKey,
		"SEGELL_S3_SECRET_KEY_FILE": h.file("s3-secret", h.s3.SecretKey+"\n"), "SEGELL_REDIS_URL": "redis://" + h.redis.Addr() + "/0",
		"SEGELL_LEDGER_KEYSET_FILE": h.file("keyset.json", string(keyset)), "SEGELL_LEDGER_HMAC_KEY_FILE": h.file("hmac-key", hmacKey+"\n"),
		"SEGELL_API_TOKENS_FILE": h.file("tokens", "# who may ask\n"+line+"\n"),
		"SEGELL_PUBLIC_URL":      "http://" + door, "SEGELL_LISTEN": door, "SEGELL_ADMIN_LISTEN": servers.FreeAddress(t),
		"SEGELL_SEAL_P12_FILE": filepath.Join(h.dir, "seal.p12"), "SEGELL_SEAL_PASSWORD_FILE": h.file("seal-password", "a secret of the seal"),
		"SEGELL_SEAL_ROOTS_FILE": h.pki.RootPEM(), "SEGELL_TSA_URLS": h.pki.TSAURL(), "SEGELL_TSA_ROOTS_FILE": h.pki.RootPEM(),
	}
	h.seal(h.pki.Seal())
	return h
}

// seal installs a seal certificate.
func (h *house) seal(leaf *pki.Leaf) {
	h.t.Helper()
	p12, err := leaf.PKCS12("a secret of the seal")
	if err != nil {
		h.t.Fatal(err)
	}
	h.file("seal.p12", string(p12))
}

func (h *house) file(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// sample is the standard request of the first kind.
func sample(t testing.TB) samples.Sample {
	t.Helper()
	for s := range samples.All() {
		if s.Kind == "coverage_certificate" && s.Name == samples.Standard {
			return s
		}
	}
	t.Fatal("there is no standard sample of coverage_certificate")
	return samples.Sample{}
}

// document is the standard sample, rendered and sealed at B-T by leaf.
func (h *house) document(leaf *pki.Leaf) []byte {
	h.t.Helper()
	s := sample(h.t)
	kind, _ := templates.Lookup(s.Kind)
	request, err := kind.Decode(s.Body, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	rendered, err := templates.Render(h.t.Context(), request, templates.Issue{Number: "CASS-2026-COB-0000001", CSV: "0000-0000-0000-0000-0000-00",
		VerificationURL: "https://segell.example/v/0000000000000000000000", IssuedAt: time.Now(), SealedBy: "Caixa Andorrana de Seguretat Social", Proof: true})
	if err != nil {
		h.t.Fatal(err)
	}
	p12, err := leaf.PKCS12("x")
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := signing.OpenPKCS12(p12, "x")
	if err != nil {
		h.t.Fatal(err)
	}
	sealer, err := signing.NewSealer(signing.Config{Key: key, Roots: h.pki.Roots(), Level: signing.BT,
		TSAs: []signing.TSA{{URL: h.pki.TSAURL(), Roots: h.pki.Roots()}}})
	if err != nil {
		h.t.Fatal(err)
	}
	sealed, err := sealer.Seal(h.t.Context(), rendered.PDF)
	if err != nil {
		h.t.Fatal(err)
	}
	return sealed
}

// ask sends one request to the running Segell, as a client of the API.
func (h *house) ask(method, path string, body []byte) (status int, text []byte, err error) {
	request, err := http.NewRequest(method, h.settings["SEGELL_PUBLIC_URL"]+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+h.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", rand.Text())
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// post asks for n documents at once and returns the ids of the requests.
func (h *house) post(n int) ([]string, error) {
	body := sample(h.t).Body
	ids, faults := make([]string, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			status, text, err := h.ask("POST", "/v1/documents/coverage_certificate", body)
			var accepted struct{ ID string }
			if err != nil || status != http.StatusAccepted || json.Unmarshal(text, &accepted) != nil {
				faults[i] = fmt.Errorf("asking: %d %s %w", status, text, err)
				return
			}
			ids[i] = accepted.ID
		})
	}
	all.Wait()
	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// wait waits until every request is in a state.
func (h *house) wait(state string, ids []string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), within)
	defer cancel()
	for _, id := range ids {
		for {
			status, text, err := h.ask("GET", "/v1/requests/"+id, nil)
			var now struct{ State string }
			if err == nil && status == http.StatusOK && json.Unmarshal(text, &now) == nil && now.State == state {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("after %v %s is not %s: %d %s %v", within, id, state, status, text, err)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

var formField = regexp.MustCompile(`name="form" value="([^"]+)"`)

// login logs in to the console as a browser does that trusts these roots, and
// returns the answer and the browser.
func login(console, name, password string, roots *x509.CertPool) (*http.Response, *http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, nil, err
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	page, err := browser.Get(console + "/login")
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(page.Body)
	page.Body.Close()
	form := formField.FindSubmatch(text)
	if err != nil || form == nil {
		return nil, nil, fmt.Errorf("no form to log in with: %d %w", page.StatusCode, err)
	}
	answer, err := browser.PostForm(console+"/login", url.Values{"form": {string(form[1])}, "login": {name}, "password": {password}, "next": {"/"}})
	if err != nil {
		return nil, nil, err
	}
	answer.Body.Close()
	return answer, browser, nil
}

func TestScripts(t *testing.T) {
	type key struct{}
	of := func(ts *testscript.TestScript) *house {
		h, ok := ts.Value(key{}).(**house)
		if !ok || *h == nil {
			ts.Fatalf("the script must say house first")
		}
		return *h
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[key{}] = new(*house)
			e.Values["t"] = e.T()
			for s := range samples.All() {
				if s.Kind == "coverage_certificate" {
					if err := os.WriteFile(filepath.Join(e.WorkDir, s.Name+".json"), s.Body, 0o600); err != nil {
						return err
					}
				}
			}
			// Nothing of the machine's own settings.
			e.Setenv("TZ", "America/New_York") // times are Andorra's wherever staff sit
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// house [POLICY]: real servers and settings for them; POLICY is Redis's maxmemory-policy.
			"house": func(ts *testscript.TestScript, _ bool, args []string) {
				var o servers.RedisOptions
				if len(args) == 1 {
					o.Policy = args[0]
				}
				h := newHouse(ts.Value("t").(testing.TB), o)
				*ts.Value(key{}).(**house) = h
				for name, value := range h.settings {
					ts.Setenv(name, value)
				}
				ts.Setenv("ROOT", h.pki.RootPEM())
			},
			// document FILE [foreign]: a sealed document, of this house or of another.
			"document": func(ts *testscript.TestScript, _ bool, args []string) {
				h := of(ts)
				if len(args) == 2 && args[1] == "foreign" {
					h = newHouse(h.t, servers.RedisOptions{})
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), h.document(h.pki.Seal()), 0o600))
			},
			// flip FROM TO WHERE: changes one bit of the byte at WHERE, in per mille of the file or at a text.
			"flip": func(ts *testscript.TestScript, _ bool, args []string) {
				data := []byte(ts.ReadFile(args[0]))
				at := 0
				if share, err := strconv.Atoi(args[2]); err == nil {
					at = min(len(data)-1, len(data)*share/1000)
				} else if at = bytes.LastIndex(data, []byte(args[2])); at < 0 {
					ts.Fatalf("%s holds no %q", args[0], args[2])
				}
				data[at] ^= 1
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
			},
			// post NAME: asks for a document and sets $NAME to the id of the request.
			"post": func(ts *testscript.TestScript, _ bool, args []string) {
				ids, err := of(ts).post(len(args))
				ts.Check(err)
				for i, name := range args {
					ts.Setenv(name, ids[i])
				}
			},
			// until STATE ID...: waits at most two minutes.
			"until": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(of(ts).wait(args[0], args[1:], 2*time.Minute))
			},
			// ready: waits until segell health says so.
			"ready": func(ts *testscript.TestScript, _ bool, _ []string) {
				for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
					answer, err := http.Get("http://" + ts.Getenv("SEGELL_ADMIN_LISTEN") + "/readyz")
					if err == nil {
						answer.Body.Close()
						if answer.StatusCode == http.StatusOK {
							return
						}
					}
					if time.Now().After(deadline) {
						ts.Fatalf("segell is not ready after a minute: %v", err)
					}
				}
			},
			// console: gives the console an address of its own.
			"console": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Setenv("SEGELL_CONSOLE_LISTEN", servers.FreeAddress(of(ts).t))
			},
			// login NAME PASSWORD STATUS: logs in to the console as a browser does; STATUS is a pattern.
			"login": func(ts *testscript.TestScript, _ bool, args []string) {
				answer, _, err := login("http://"+ts.Getenv("SEGELL_CONSOLE_LISTEN"), args[0], args[1], nil)
				ts.Check(err)
				if !regexp.MustCompile("^" + args[2] + "$").MatchString(strconv.Itoa(answer.StatusCode)) {
					ts.Fatalf("the console answered %d, not %s", answer.StatusCode, args[2])
				}
			},
			// seal short|good: installs a certificate that ends in five seconds, or the good one.
			"seal": func(ts *testscript.TestScript, _ bool, args []string) {
				h := of(ts)
				if args[0] == "good" {
					h.seal(h.pki.Seal())
					return
				}
				leaf, err := h.pki.ShortLived(pki.P256, time.Now().Add(5*time.Second))
				ts.Check(err)
				h.seal(leaf)
				ts.Setenv("SEAL_ENDS", strconv.FormatInt(leaf.Certificate.NotAfter.Unix(), 10))
			},
			// expire: waits until the short certificate has ended.
			"expire": func(ts *testscript.TestScript, _ bool, _ []string) {
				ends, err := strconv.ParseInt(ts.Getenv("SEAL_ENDS"), 10, 64)
				ts.Check(err)
				time.Sleep(time.Until(time.Unix(ends, 0)) + 1100*time.Millisecond)
			},
			// exits CODE COMMAND ARGS...: runs a command that must end with this exit code.
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				err := ts.Exec(args[1], args[2:]...)
				code := 0
				if exit, ok := errors.AsType[*exec.ExitError](err); ok {
					code = exit.ExitCode()
				} else if err != nil {
					ts.Fatalf("%s: %v", args[1], err)
				}
				if strconv.Itoa(code) != args[0] {
					ts.Fatalf("exit code %d, not %s", code, args[0])
				}
			},
			// kill-redis, kill-s3
			"kill-redis": func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).redis.Kill() },
			"kill-s3":    func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).s3.Kill() },
			// json FILE POINTER WANT: what a JSON file holds there, members and indexes with dots between.
			"json": func(ts *testscript.TestScript, _ bool, args []string) {
				var value any
				ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &value))
				for step := range strings.SplitSeq(args[1], ".") {
					switch v := value.(type) {
					case map[string]any:
						value = v[step]
					case []any:
						if step == "len" {
							value = len(v)
						} else if i, err := strconv.Atoi(step); err == nil && i < len(v) {
							value = v[i]
						} else {
							value = nil
						}
					default:
						value = nil
					}
				}
				if got := fmt.Sprint(value); got != args[2] {
					ts.Fatalf("%s of %s is %s, not %s", args[1], args[0], got, args[2])
				}
			},
		},
	})
}
