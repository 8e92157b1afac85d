package clients

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"segell/access"
	"segell/internal/servers"
	"segell/ledger"
	"segell/pki"
)

// press is a running `segell serve`, with real servers around it.
type press struct {
	door  string // http://host:port
	token string
}

// startPress builds Segell and starts it with a Redis, an S3 server and a seal,
// all of them gone at the end of the test.
func startPress(t *testing.T) press {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "segell")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", program, "segell/cmd/segell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	run(t, build)

	token, line, err := access.NewToken("portal")
	if err != nil {
		t.Fatal(err)
	}
	door, admin := servers.FreeAddress(t), servers.FreeAddress(t)
	settings := append(surroundings(t, dir), "HOME="+dir, "TMPDIR="+os.TempDir(), "SEGELL_API_TOKENS="+line,
		"SEGELL_PUBLIC_URL=http://"+door, "SEGELL_LISTEN="+door, "SEGELL_ADMIN_LISTEN="+admin)
	serve := exec.Command(program, "serve")
	serve.Env = settings
	startAndWait(t, serve, "http://"+admin+"/readyz")
	return press{door: "http://" + door, token: token}
}

// surroundings starts what Segell stands on and gives the settings that say where
// it is.
func surroundings(t *testing.T, dir string) []string {
	t.Helper()
	s3, redis := servers.NewS3(t), servers.NewRedis(t, servers.RedisOptions{})
	s3.Bucket("segell")
	authority, err := pki.New(filepath.Join(dir, "pki"), pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { authority.Close() })
	p12, err := authority.Seal().PKCS12("x")
	if err != nil {
		t.Fatal(err)
	}
	seal := filepath.Join(dir, "seal.p12")
	write(t, seal, p12)
	keyset, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	hmacKey, err := ledger.NewHMACKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"SEGELL_S3_ENDPOINT=" + s3.Endpoint, "SEGELL_S3_BUCKET=segell", "SEGELL_S3_ACCESS_KEY=" + s3.AccessKey, "SEGELL_S3_SECRET_KEY=" + s3.SecretKey,
		"SEGELL_REDIS_URL=redis://" + redis.Addr() + "/0", "SEGELL_LEDGER_KEYSET=" + string(keyset), "SEGELL_LEDGER_HMAC_KEY=" + hmacKey,
		"SEGELL_SEAL_P12_FILE=" + seal, "SEGELL_SEAL_PASSWORD=x", "SEGELL_SEAL_ROOTS_FILE=" + authority.RootPEM(),
		"SEGELL_TSA_URLS=" + authority.TSAURL(), "SEGELL_TSA_ROOTS_FILE=" + authority.RootPEM(),
	}
}

// startAndWait starts a process that ends with the test, and waits until the
// address answers 200.
func startAndWait(t *testing.T, cmd *exec.Cmd, address string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(context.Background())
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		end()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // fails only where it has ended
		<-ended.Done()
		log.Close()
		if t.Failed() {
			words, _ := os.ReadFile(log.Name()) // without them the failure stands alone
			t.Logf("segell serve said:\n%s", words)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get(address); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if ended.Err() != nil || time.Now().After(deadline) {
			t.Fatal("segell serve does not get ready")
		}
	}
}

// description is what the press says of its API.
func (p press) description(t *testing.T) []byte {
	t.Helper()
	answer, err := http.Get(p.door + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("/openapi.json: %s, %v", answer.Status, err)
	}
	return text
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
