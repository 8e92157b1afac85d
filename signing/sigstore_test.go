package signing

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/internal/judges"
	"segell/internal/servers"
	"segell/pki"
)

// sigstoreTSA is somebody else's time-stamping authority: sigstore's timestamp-server, as a child process with a signer
// of its own in memory.
type sigstoreTSA struct {
	url   string
	chain []*x509.Certificate // the signer, its authority, the root
	stop  func()
}

// sigstorePolicy is the policy that the server stamps under unless it is told another.
const sigstorePolicy = "1.3.6.1.4.1.57264.2"

// newSigstoreTSA starts the server. One at a time: it takes port 2112 for its metrics, whatever it is told.
func newSigstoreTSA(t *testing.T, args ...string) *sigstoreTSA {
	t.Helper()
	program := filepath.Join("..", ".cache", "bin", "timestamp-server")
	if bin := os.Getenv("SEGELL_TOOLS_BIN"); bin != "" {
		program = filepath.Join(bin, "timestamp-server")
	}
	if _, err := os.Stat(program); err != nil {
		var missing error
		if program, missing = exec.LookPath("timestamp-server"); missing != nil {
			t.Fatal("timestamp-server is missing; install it with: make tools")
		}
	}
	port := int(netip.MustParseAddrPort(servers.FreeAddress(t)).Port())

	var log bytes.Buffer
	cmd := exec.Command(program, append([]string{"serve", "--host", "127.0.0.1", "--port", strconv.Itoa(port),
		"--timestamp-signer", "memory", "--disable-ntp-monitoring"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // where it would look for settings
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
	}()
	s := &sigstoreTSA{url: fmt.Sprintf("http://127.0.0.1:%d/api/v1/timestamp", port)}
	s.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // fails only where it has ended
		<-ended
		if t.Failed() {
			t.Logf("timestamp-server said:\n%s", &log)
		}
	})
	t.Cleanup(s.stop)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var err error
		if s.chain, err = chainFrom(s.url + "/certchain"); err == nil {
			return s
		}
		select {
		case <-ended:
			t.Fatalf("timestamp-server ended at once (does another listen on port 2112?):\n%s", &log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("timestamp-server does not answer: %v", err)
		}
	}
}

func chainFrom(url string) ([]*x509.Certificate, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %w", answer.Status, err)
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(body); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	if len(chain) != 3 || !selfIssued(chain[2]) {
		return nil, errors.New("the chain is not a signer, an authority and a root")
	}
	return chain, nil
}

// pool trusts the certificates of the chain from the one given on.
func (s *sigstoreTSA) pool(from int) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range s.chain[from:] {
		pool.AddCert(c)
	}
	return pool
}

func writePEMs(t *testing.T, certs ...*x509.Certificate) string {
	t.Helper()
	var b bytes.Buffer
	for _, c := range certs {
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Level B-T does not rest on our own TSA: one that others wrote stamps as well, and the judges agree.
func TestSealWithSigstoresTSA(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	config := func(s *sigstoreTSA, trusted int, policy string) Config {
		c := configOf(t, a, a.Seal(), BT)
		c.TSAs = []TSA{{URL: s.url, Roots: s.pool(trusted), Policy: policy, Timeout: 10 * time.Second}}
		return c
	}
	const root, authority = 2, 1

	s := newSigstoreTSA(t, "--include-chain-in-response")
	for name, pdf := range map[string][]byte{"one page": minimalPDF(1, 0), "maroto": marotoPDF(t)} {
		t.Run(name, func(t *testing.T) {
			sealed, err := newSealer(t, config(s, root, sigstorePolicy)).Seal(context.Background(), pdf)
			if err != nil {
				t.Fatal(err)
			}
			r := inspect(t, sealed, Trust{Roots: a.Roots(), TSARoots: s.pool(root)})
			if !r.Valid || r.Level != BT || r.StampedBy != s.chain[0].Subject.CommonName || time.Since(r.StampedAt).Abs() > time.Minute {
				t.Errorf("Inspect: valid %v, level %q, stamped by %q at %s: %v", r.Valid, r.Level, r.StampedBy, r.StampedAt, r.Err())
			}
			file := write(t, sealed)
			judges.QPDF(t, file)
			judges.PDFSig(t, file, a.RootPEM())
			// This TSA's certificates name no place to ask about revocation.
			judges.PyHanko(t, file, writePEMs(t, a.Root(), s.chain[root]), judges.Options{Stamped: true, Offline: true})
			_, der := holeOf(t, sealed)
			cms, err := parseSignedData(der, nil)
			if err != nil {
				t.Fatal(err)
			}
			token, err := single(cms.unsigned, oidSignatureTimeStamp)
			if err != nil {
				t.Fatal(err)
			}
			judges.OpenSSLTimestamp(t, token, cms.signature, writePEMs(t, s.chain[root]))

			// Trust in the seal's root is no trust in this TSA, neither for us nor for pyHanko.
			if r := inspect(t, sealed, trustOf(a)); r.Valid || r.Level == BT {
				t.Errorf("a TSA that nobody trusts: valid %v, level %q", r.Valid, r.Level)
			}
			judges.RefusedByPyHanko(t, file, a.RootPEM(), judges.Options{Stamped: true, Offline: true}, "TIMESTAMP_TOKEN<INTACT:UNTRUSTED>")
		})
	}
	for _, refused := range []struct {
		what   string
		config Config
		words  string
	}{
		{"roots of another", func() Config { c := config(s, root, ""); c.TSAs[0].Roots = a.Roots(); return c }(), "not trusted"},
		{"a policy it does not have", config(s, root, "2.999.7"), ""},
	} {
		sealed, err := newSealer(t, refused.config).Seal(context.Background(), minimalPDF(1, 0))
		if !errors.Is(err, ErrTSAUnavailable) || sealed != nil || !strings.Contains(fmt.Sprint(err), refused.words) {
			t.Errorf("%s: %v; want ErrTSAUnavailable and no document", refused.what, err)
		}
	}
	s.stop()

	// As it answers by default, without its authority's certificate: a stranger could not follow the chain to the root,
	// so it is refused, unless the authority itself is what is trusted.
	s = newSigstoreTSA(t)
	sealed, err := newSealer(t, config(s, root, "")).Seal(context.Background(), minimalPDF(1, 0))
	if !errors.Is(err, ErrTSAUnavailable) || sealed != nil || !strings.Contains(fmt.Sprint(err), "not trusted") {
		t.Errorf("a token without its chain: %v", err)
	}
	if sealed, err = newSealer(t, config(s, authority, "")).Seal(context.Background(), minimalPDF(1, 0)); err != nil {
		t.Fatal(err)
	}
	if r := inspect(t, sealed, Trust{Roots: a.Roots(), TSARoots: s.pool(authority)}); !r.Valid || r.Level != BT {
		t.Errorf("the authority trusted: valid %v, level %q: %v", r.Valid, r.Level, r.Err())
	}
	s.stop()
	if _, err := newSealer(t, config(s, authority, "")).Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrTSAUnavailable) || !strings.Contains(err.Error(), s.url) {
		t.Errorf("a TSA that is gone: %v", err)
	}
}
