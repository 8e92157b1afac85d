package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"segell/access"
	"segell/internal/judges"
	"segell/internal/servers"
)

// process is segell as an operator runs it: the built binary, its settings in
// the environment.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	log   lockedBuffer
	ended chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// command is the built segell in this house; more settings go before its own.
func (h *house) command(more map[string]string, args ...string) *exec.Cmd {
	h.t.Helper()
	path, err := built()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"HOME=" + h.dir, "TMPDIR=" + os.TempDir()}
	for name, value := range h.settings {
		if _, other := more[name]; !other {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	for name, value := range more {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// run runs a command to its end.
func (h *house) run(args ...string) (out string, code int) {
	h.t.Helper()
	text, err := h.command(nil, args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		h.t.Fatal(err)
	}
	return string(text), code
}

// start starts a role and waits until its admin address says that it is ready.
func (h *house) start(role string, more map[string]string) *process {
	h.t.Helper()
	p := &process{t: h.t, cmd: h.command(more, role), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its state
		close(p.ended)
	}()
	h.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // fails only where it has ended
		<-p.ended
		if h.t.Failed() {
			h.t.Logf("segell %s said:\n%s", role, p.log.String())
		}
	})
	admin := h.settings["SEGELL_ADMIN_LISTEN"]
	if other, ok := more["SEGELL_ADMIN_LISTEN"]; ok {
		admin = other
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://" + admin + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return p
			}
		}
		select {
		case <-p.ended:
			h.t.Fatalf("segell %s ended at once:\n%s", role, p.log.String())
		default:
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("segell %s is not ready after a minute: %v", role, err)
		}
	}
}

// stop asks the process to end, and wants it to within a time and with success.
func (p *process) stop(within time.Duration) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			p.t.Fatalf("ended with exit code %d:\n%s", code, p.log.String())
		}
	case <-time.After(within):
		p.t.Fatalf("still there %v after SIGTERM", within)
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// stranger asks as somebody with nothing of ours would: with curl where there is
// one, else with Go's client. It follows no redirect.
func stranger(t testing.TB, method, url string, header map[string]string, body []byte) (status int, location string, text []byte) {
	t.Helper()
	curl, err := exec.LookPath("curl")
	if err != nil {
		request, err := http.NewRequest(method, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range header {
			request.Header.Set(name, value)
		}
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if text, err = io.ReadAll(answer.Body); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, answer.Header.Get("Location"), text
	}
	out := filepath.Join(t.TempDir(), "answer")
	args := []string{"-sS", "-X", method, "-o", out, "-w", "%{http_code} %header{location}", url}
	for name, value := range header {
		args = append(args, "-H", name+": "+value)
	}
	if body != nil {
		args = append(args, "--data-binary", "@-")
	}
	cmd := exec.Command(curl, args...)
	cmd.Stdin = bytes.NewReader(body)
	told, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl: %v", err)
	}
	code, location, _ := strings.Cut(string(told), " ")
	if status, err = strconv.Atoi(code); err != nil {
		t.Fatalf("curl says %q", told)
	}
	if text, err = os.ReadFile(out); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return status, location, text
}

// A stranger with a token and the README asks for a document and holds it.
func TestFromTheDoorToTheDownload(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	p := h.start("serve", nil)
	door := h.settings["SEGELL_PUBLIC_URL"]
	if out, code := h.run("health"); code != 0 || !strings.HasPrefix(out, "ready\n") {
		t.Errorf("health: %d %s", code, out)
	}

	body := sample(t).Body
	header := map[string]string{"Authorization": "Bearer " + h.token, "Content-Type": "application/json", "Idempotency-Key": "one-and-only"}
	for _, bad := range []struct {
		what   string
		path   string
		header map[string]string
		body   []byte
		status int
		words  string
	}{
		{"without a token", "coverage_certificate", map[string]string{"Content-Type": "application/json", "Idempotency-Key": "x"}, body, 401, "Bearer"},
		{"another kind", "birth_certificate", header, body, 404, "coverage_certificate"},
		{"not JSON", "coverage_certificate", header, []byte("{"), 400, "malformed-json"},
		{"a field too many", "coverage_certificate", header, bytes.Replace(body, []byte("{"), []byte(`{"surprise": 1,`), 1), 422, "/surprise"},
		{"too large", "coverage_certificate", header, bytes.Repeat([]byte(" "), 2<<20), 413, "too-large"},
	} {
		if status, _, text := stranger(t, "POST", door+"/v1/documents/"+bad.path, bad.header, bad.body); status != bad.status || !bytes.Contains(text, []byte(bad.words)) {
			t.Errorf("%s: answered %d %s, want %d and %q", bad.what, status, text, bad.status, bad.words)
		}
	}

	status, address, text := stranger(t, "POST", door+"/v1/documents/coverage_certificate", header, body)
	if status != http.StatusAccepted || !strings.HasPrefix(address, door+"/v1/requests/") {
		t.Fatalf("asking: %d %q %s", status, address, text)
	}
	if status, again, text := stranger(t, "POST", door+"/v1/documents/coverage_certificate", header, body); status != http.StatusAccepted || again != address {
		t.Errorf("the same again: %d %q %s; want %s", status, again, text, address)
	}
	own := map[string]string{"Authorization": header["Authorization"]}
	var state struct {
		State    string
		Document struct {
			Level string
			Size  int
		}
	}
	for deadline := time.Now().Add(time.Minute); state.State != "issued"; time.Sleep(50 * time.Millisecond) {
		status, _, text := stranger(t, "GET", address, own, nil)
		if status != http.StatusOK || json.Unmarshal(text, &state) != nil || time.Now().After(deadline) {
			t.Fatalf("its state: %d %s", status, text)
		}
	}
	status, store, text := stranger(t, "GET", address+"/content", own, nil)
	if status != http.StatusSeeOther {
		t.Fatalf("its content: %d %s", status, text)
	}
	status, _, pdf := stranger(t, "GET", store, nil, nil) // the store has no business with our token
	if status != http.StatusOK || len(pdf) != state.Document.Size || state.Document.Level != "B-T" {
		t.Fatalf("the download: %d, %d bytes; the state told %+v", status, len(pdf), state)
	}
	file := h.file("document.pdf", string(pdf))
	if out, code := h.run("verify", file); code != 0 || !strings.HasPrefix(out, "VALID: ") {
		t.Errorf("verify: %d %s", code, out)
	}
	judges.PDFSig(t, file, h.pki.RootPEM())
	judges.QPDF(t, file)

	// Anybody reads its address and sees that it is in force.
	printed := regexp.MustCompile(regexp.QuoteMeta(door) + `/v/[0-9A-Z*~$=U]{22}`).FindString(judges.Text(t, file))
	if printed == "" {
		t.Fatalf("the document prints no address of verification:\n%s", judges.Text(t, file))
	}
	status, _, text = stranger(t, "GET", printed, map[string]string{"Accept": "application/json"}, nil)
	if status != http.StatusOK || !bytes.Contains(text, []byte("coverage_certificate")) || bytes.Contains(text, []byte("Puig")) {
		t.Errorf("verification: %d %s", status, text)
	}

	p.stop(25 * time.Second)
	log := p.log.String()
	for _, secret := range []string{"Puig", "Cerqueda", "000000A", "1984-07-19", h.token, h.s3.SecretKey, "a secret of the seal"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, "msg=ended") {
		t.Errorf("the log does not tell of the end:\n%s", log)
	}
}

// Whatever ends the process, what was accepted is issued, once.
func TestWhatWasAcceptedOutlivesTheProcess(t *testing.T) {
	for name, end := range map[string]func(*process){
		"asked to stop":  func(p *process) { p.stop(30 * time.Second) },
		"killed":         (*process).kill,
		"asked, killed ": func(p *process) { _ = p.cmd.Process.Signal(syscall.SIGTERM); p.kill() },
	} {
		t.Run(strings.TrimSpace(name), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, servers.RedisOptions{AppendOnly: true})
			p := h.start("serve", nil)
			ids, err := h.post(60)
			if err != nil {
				t.Fatal(err)
			}
			end(p)
			unfinished := h.count("requests/")
			if unfinished == 0 {
				t.Fatal("everything was issued before the end: this proves nothing")
			}
			p = h.start("serve", nil)
			// A job in the middle of which a worker is killed waits until the reaper notices.
			if err := h.wait("issued", ids, 2*time.Minute); err != nil {
				t.Fatal(err)
			}
			for prefix, want := range map[string]int{"documents/": len(ids), "records/": len(ids), "codes/": len(ids), "requests/": 0, "failures/": 0} {
				if got := h.count(prefix); got != want {
					t.Errorf("%d objects lie under %s, want %d", got, prefix, want)
				}
			}
			p.stop(25 * time.Second)
			t.Logf("%d of %d were unfinished", unfinished, len(ids))
		})
	}
}

func (h *house) count(prefix string) (n int) {
	h.t.Helper()
	for _, err := range h.bucket.List(h.t.Context(), prefix, "") {
		if err != nil {
			h.t.Fatal(err)
		}
		n++
	}
	return n
}

// Intake and worker are two processes that share nothing but the bucket and Redis.
func TestIntakeAndWorkerApart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	callbacks := `{"portale":{"url":"https://portal.example","secrets":["whsec_` + strings.Repeat("c2VjcmV0", 4) + `"]}}`
	door := h.start("intake", map[string]string{"SEGELL_SEAL_P12_FILE": "", "SEGELL_SEAL_PASSWORD_FILE": "", // the door has no key
		"SEGELL_CALLBACKS": callbacks, "SEGELL_RETENTON": "default=1d"})
	door.said(`level=WARN msg="a variable is no setting .* variable=SEGELL_RETENTON`)
	door.said(`level=WARN msg="callbacks are configured for a client that SEGELL_API_TOKENS does not know.* client=portale`)
	ids, err := h.post(5)
	if err != nil {
		t.Fatal(err)
	}
	h.readClientsAgain(door)
	if out, code := h.run("jobs", "show", ids[0]); code != 0 || !strings.Contains(out, "espera torn") {
		t.Errorf("jobs show without a worker: %d %s", code, out)
	}
	for range 2 { // to cancel again changes nothing
		if out, code := h.run("jobs", "cancel", ids[4], "--reason", "asked_again"); code != 0 || !strings.Contains(out, "anul·lada") {
			t.Errorf("jobs cancel: %d %s", code, out)
		}
	}
	if out, code := h.run("jobs", "cancel", ids[3], "--reason", "whim"); code == 0 || !strings.Contains(out, "sent_in_error") {
		t.Errorf("jobs cancel for no reason of the list: %d %s", code, out)
	}
	ids = ids[:4]
	h.start("worker", map[string]string{"SEGELL_ADMIN_LISTEN": servers.FreeAddress(t), "SEGELL_API_TOKENS_FILE": ""})
	if err := h.wait("issued", ids, time.Minute); err != nil {
		t.Fatal(err)
	}
	if out, code := h.run("jobs", "cancel", ids[0], "--reason", "asked_again"); code != 1 || !strings.Contains(out, "ja té document") {
		t.Errorf("jobs cancel of an issued request: %d %s", code, out)
	}
}

// readClientsAgain changes who may use the API while the doors are open: what
// cannot be used changes nothing, and no call is lost.
func (h *house) readClientsAgain(door *process) {
	h.t.Helper()
	path := h.settings["SEGELL_API_TOKENS_FILE"]
	before, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	other, line, err := access.NewToken("office")
	if err != nil {
		h.t.Fatal(err)
	}
	again := func(tokens, said string, mine, others int) {
		h.t.Helper()
		h.file(filepath.Base(path), tokens)
		if err := door.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			h.t.Fatal(err)
		}
		door.said(said)
		for token, want := range map[string]int{h.token: mine, other: others} {
			if status, _, text := stranger(h.t, "GET", h.settings["SEGELL_PUBLIC_URL"]+"/v1/requests/none", map[string]string{"Authorization": "Bearer " + token}, nil); status != want {
				h.t.Errorf("after %s: %d %s, want %d", said, status, text, want)
			}
		}
	}
	again(string(before)+"office hunter2\n", `level=ERROR msg="the clients were read again and cannot be used; those before stay" why=.*line 3 `, 404, 401)
	again(line+"\n", `level=INFO msg="the clients were read again"`, 401, 404)
	again(string(before), `(?s)(msg="the clients were read again"\n.*){2}`, 404, 401)
	if strings.Contains(door.log.String(), "hunter2") {
		h.t.Error("the log tells what a line holds")
	}
}

// After a power cut everything starts at once: Segell waits for the others.
func TestServeWaitsForItsServers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	h.s3.Kill()
	h.redis.Kill()
	back := time.AfterFunc(4*time.Second, func() {
		h.s3.Restart()
		h.redis.Restart()
	})
	defer back.Stop()
	p := h.start("serve", nil)
	ids, err := h.post(3)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.wait("issued", ids, time.Minute); err != nil {
		t.Fatal(err)
	}
	if log := p.log.String(); !strings.Contains(log, "SEGELL_S3_ENDPOINT: "+h.s3.Endpoint) {
		t.Errorf("the log does not tell for whom it waited:\n%s", log)
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	for _, variable := range []string{"SEGELL_LISTEN", "SEGELL_ADMIN_LISTEN"} {
		taken, err := net.Listen("tcp", h.settings[variable])
		if err != nil {
			t.Fatal(err)
		}
		out, code := h.run("serve")
		if code != 1 || !strings.Contains(out, variable+": another process listens on "+h.settings[variable]) {
			t.Errorf("%s: %d %s", variable, code, out)
		}
		taken.Close()
	}
}

// listenerFiles are the PEM files of a certificate for loopback and its key, and
// what trusts it.
func (h *house) listenerFiles() (certFile, keyFile string, roots *x509.CertPool) {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "segell"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		h.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		h.t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(chain)
	return h.file("tls.pem", string(chain)), h.file("tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))), roots
}

func TestTheListenerSpeaksTLS(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	certFile, keyFile, roots := h.listenerFiles()
	h.start("serve", map[string]string{"SEGELL_PUBLIC_URL": "https://" + h.settings["SEGELL_LISTEN"], "SEGELL_TLS_CERT_FILE": certFile, "SEGELL_TLS_KEY_FILE": keyFile})
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("https://" + h.settings["SEGELL_LISTEN"] + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 || answer.TLS.Version < tls.VersionTLS12 {
		t.Errorf("answered %s over %s, TLS %x", answer.Status, answer.Proto, answer.TLS.Version)
	}
	old := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}}}
	if answer, err := old.Get("https://" + h.settings["SEGELL_LISTEN"] + "/openapi.json"); err == nil {
		answer.Body.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

// The binary of production holds nothing of the sandbox and of the tests.
func TestTheBinaryHoldsNoSandbox(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dependency := range strings.Lines(string(out)) {
		dependency = strings.TrimSpace(dependency)
		if dependency == "segell/internal/failpoint" {
			continue // what it does is compiled under a tag only: looked for below
		}
		// The samples are in it: the description of the API has them as examples.
		for _, banned := range []string{"segell/pki", "segell/internal/", "segell/storage/storagetest", "github.com/alicebob/miniredis", "github.com/versity/", "testing"} {
			if dependency == banned || strings.HasPrefix(dependency, strings.TrimSuffix(banned, "/")+"/") {
				t.Errorf("cmd/segell is linked with %s", dependency)
			}
		}
	}
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(binary, []byte("SEGELL_FAILPOINTS")) {
		t.Error("the binary can be made to fail")
	}
	version, err := exec.Command(path, "version").Output()
	if err != nil || string(version) != "segell test\n" {
		t.Errorf("version: %q, %v", version, err)
	}
}
