package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
	"software.sslmate.com/src/go-pkcs12"
)

func start(t testing.TB, dir string, opts Options) *Authority {
	t.Helper()
	a, err := New(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func get(t testing.TB, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: HTTP %d, %v", url, resp.StatusCode, err)
	}
	return body
}

func post(t testing.TB, url, kind string, body []byte) []byte {
	t.Helper()
	resp, err := http.Post(url, kind, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: HTTP %d, %v", url, resp.StatusCode, err)
	}
	return reply
}

// No certificate of this package may pass as official.
func TestEveryCertificateSaysProva(t *testing.T) {
	a := start(t, t.TempDir(), Options{})
	expired, err := a.Expired(P256)
	if err != nil {
		t.Fatal(err)
	}
	certs := append(a.Intermediates(), a.Root(), a.Seal().Certificate, a.TSA(), expired.Certificate)
	for _, c := range []*ca{a.root, a.sealCA, a.tsaCA} {
		certs = append(certs, c.responder.Certificate)
	}
	for _, c := range certs {
		if !strings.HasPrefix(c.Subject.CommonName, "PROVA - ") || len(c.Subject.Organization) != 1 || c.Subject.Organization[0] != "PROVA - sense valor" {
			t.Errorf("subject %s", c.Subject)
		}
		if !strings.HasPrefix(c.Issuer.CommonName, "PROVA - ") {
			t.Errorf("issuer %s", c.Issuer)
		}
	}
}

func TestRenewTSA(t *testing.T) {
	dir := t.TempDir()
	a := start(t, dir, Options{TSALife: 40 * 24 * time.Hour})
	old := a.TSA()
	if life := time.Until(old.NotAfter); life > 40*24*time.Hour || life < 39*24*time.Hour {
		t.Errorf("it lives %s, 40 days were asked", life)
	}
	if err := a.RenewTSA(); err != nil {
		t.Fatal(err)
	}
	renewed := a.TSA()
	if !renewed.NotAfter.After(old.NotAfter) || bytes.Equal(renewed.RawSubjectPublicKeyInfo, old.RawSubjectPublicKeyInfo) {
		t.Errorf("from %s to %s, or the key is the same", old.NotAfter, renewed.NotAfter)
	}
	a.Close()
	if again := start(t, dir, Options{TSALife: 40 * 24 * time.Hour}); !again.TSA().Equal(renewed) {
		t.Error("a restart draws another certificate")
	}
}

func TestRestartKeepsRootAndSeal(t *testing.T) {
	dir := t.TempDir()
	a := start(t, dir, Options{})
	root, seal, url := a.Root(), a.Seal().Certificate, a.TSAURL()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := start(t, dir, Options{})
	if !b.Root().Equal(root) || !b.Seal().Certificate.Equal(seal) || b.TSAURL() != url {
		t.Error("root, seal or address changed")
	}
	if _, err := New(dir, Options{}); !errors.Is(err, ErrPortTaken) || !strings.Contains(err.Error(), filepath.Join(dir, "port")) {
		t.Errorf("second start on the same folder: %v; want ErrPortTaken that names the file", err)
	}
	b.Close()

	// Another port: everything but the root is issued anew, with the new addresses, by keys that are kept.
	if err := os.Remove(filepath.Join(dir, "port")); err != nil {
		t.Fatal(err)
	}
	c := start(t, dir, Options{})
	if !c.Root().Equal(root) {
		t.Error("the root changed with the port")
	}
	for _, cert := range append(c.Intermediates(), c.Seal().Certificate, c.TSA()) {
		if !strings.HasPrefix(cert.OCSPServer[0], c.base+"/") {
			t.Errorf("%s names %s", cert.Subject.CommonName, cert.OCSPServer[0])
		}
	}
	c.Close()

	// Another kind of seal key.
	d := start(t, dir, Options{Seal: RSA3072})
	if kindOf(d.Seal().Certificate.PublicKey) != RSA3072 || !d.Root().Equal(root) {
		t.Error("the kind of the seal's key is not the one asked for, or the root changed")
	}
}

func TestRenewsWhatHasEnded(t *testing.T) {
	dir := t.TempDir()
	a := start(t, dir, Options{})
	root, seal := a.Root(), a.Seal().Certificate
	a.Close()
	later := func() time.Time { return time.Now().Add(sealLife) }
	b := start(t, dir, Options{Now: later})
	if !b.Root().Equal(root) {
		t.Error("the root changed")
	}
	if b.Seal().Certificate.Equal(seal) || !b.Seal().Certificate.NotAfter.After(later()) {
		t.Error("the seal certificate was not renewed")
	}
	if !bytes.Equal(b.Seal().Certificate.RawSubjectPublicKeyInfo, seal.RawSubjectPublicKeyInfo) {
		t.Error("a renewal keeps the key")
	}
}

func TestChainsLeadToTheRoot(t *testing.T) {
	for _, kind := range []KeyKind{P256, RSA3072} {
		a := start(t, t.TempDir(), Options{Seal: kind, Authorities: kind})
		pool := x509.NewCertPool()
		for _, c := range a.Intermediates() {
			pool.AddCert(c)
		}
		for _, c := range []struct {
			cert  *x509.Certificate
			usage x509.ExtKeyUsage
		}{{a.Seal().Certificate, x509.ExtKeyUsageAny}, {a.TSA(), x509.ExtKeyUsageTimeStamping}, {a.sealCA.responder.Certificate, x509.ExtKeyUsageOCSPSigning}} {
			if _, err := c.cert.Verify(x509.VerifyOptions{Roots: a.Roots(), Intermediates: pool, KeyUsages: []x509.ExtKeyUsage{c.usage}}); err != nil {
				t.Errorf("%s: %v", c.cert.Subject.CommonName, err)
			}
		}
	}
}

func TestVariants(t *testing.T) {
	a := start(t, t.TempDir(), Options{})
	now := time.Now()
	end := now.Add(7 * time.Minute).Truncate(time.Second)
	for name, c := range map[string]struct {
		leaf func() (*Leaf, error)
		good func(*x509.Certificate) bool
	}{
		"expired":       {func() (*Leaf, error) { return a.Expired(RSA3072) }, func(c *x509.Certificate) bool { return now.After(c.NotAfter) && kindOf(c.PublicKey) == RSA3072 }},
		"not yet valid": {func() (*Leaf, error) { return a.NotYetValid(P256) }, func(c *x509.Certificate) bool { return now.Before(c.NotBefore) }},
		"short-lived":   {func() (*Leaf, error) { return a.ShortLived(P256, end) }, func(c *x509.Certificate) bool { return c.NotAfter.Equal(end) }},
		"wrong usage":   {func() (*Leaf, error) { return a.WrongUsage(P256) }, func(c *x509.Certificate) bool { return c.KeyUsage == x509.KeyUsageKeyEncipherment }},
		"revoked":       {func() (*Leaf, error) { return a.Revoked(P256) }, a.isRevoked},
	} {
		leaf, err := c.leaf()
		if err != nil {
			t.Fatal(err)
		}
		if !c.good(leaf.Certificate) || leaf.Certificate.CheckSignatureFrom(a.sealCA.cert) != nil {
			t.Errorf("%s: not what it should be", name)
		}
	}
}

// ask gives the OCSP reply about cert, verified under its issuer by golang.org/x/crypto/ocsp, by POST or by GET.
func ask(t testing.TB, cert, issuer *x509.Certificate, byGet bool) *ocsp.Response {
	t.Helper()
	req, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		t.Fatal(err)
	}
	var reply []byte
	if byGet {
		reply = get(t, cert.OCSPServer[0]+"/"+strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(base64.StdEncoding.EncodeToString(req)))
	} else {
		reply = post(t, cert.OCSPServer[0], "application/ocsp-request", req)
	}
	resp, err := ocsp.ParseResponseForCert(reply, cert, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestRevocation(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []KeyKind{P256, RSA3072} {
		a := start(t, filepath.Join(dir, string(kind)), Options{Authorities: kind})
		issuers := map[*x509.Certificate]*ca{a.Seal().Certificate: a.sealCA, a.TSA(): a.tsaCA, a.sealCA.cert: a.root, a.tsaCA.cert: a.root}
		for cert, issuer := range issuers {
			for _, byGet := range []bool{false, true} {
				resp := ask(t, cert, issuer.cert, byGet)
				if resp.Status != ocsp.Good || resp.ProducedAt.Before(resp.ThisUpdate) || !resp.NextUpdate.After(time.Now()) {
					t.Errorf("%s: status %d, produced %s, this update %s", cert.Subject.CommonName, resp.Status, resp.ProducedAt, resp.ThisUpdate)
				}
			}
		}

		if err := a.Revoke(a.Seal().Certificate); err != nil {
			t.Fatal(err)
		}
		if resp := ask(t, a.Seal().Certificate, a.sealCA.cert, false); resp.Status != ocsp.Revoked || time.Since(resp.RevokedAt) > time.Minute {
			t.Errorf("revoked: status %d at %s", resp.Status, resp.RevokedAt)
		}
		if resp := ask(t, a.TSA(), a.tsaCA.cert, false); resp.Status != ocsp.Good {
			t.Error("revoking one certificate touched another")
		}
		list, err := x509.ParseRevocationList(get(t, a.Seal().Certificate.CRLDistributionPoints[0]))
		if err != nil {
			t.Fatal(err)
		}
		if err := list.CheckSignatureFrom(a.sealCA.cert); err != nil {
			t.Error(err)
		}
		if len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(a.Seal().Certificate.SerialNumber) != 0 {
			t.Error("the list does not name the revoked certificate, alone")
		}
		revoked := a.Seal().Certificate
		stranger := start(t, t.TempDir(), Options{})
		if err := a.Revoke(stranger.Seal().Certificate); err == nil {
			t.Error("revoked a certificate of another authority")
		}
		a.Close()
		http.DefaultClient.CloseIdleConnections() // they lead to the one that was closed

		// A restart remembers, and has a seal that is not revoked.
		b := start(t, filepath.Join(dir, string(kind)), Options{Authorities: kind})
		if ask(t, revoked, b.sealCA.cert, false).Status != ocsp.Revoked {
			t.Error("a restart forgot the revocation")
		}
		if b.Seal().Certificate.Equal(revoked) {
			t.Error("the seal of a restart is a revoked certificate")
		}
	}
}

func TestOCSPThatIsNotOurs(t *testing.T) {
	a, stranger := start(t, t.TempDir(), Options{}), start(t, t.TempDir(), Options{})
	req, err := ocsp.CreateRequest(stranger.Seal().Certificate, stranger.sealCA.cert, nil)
	if err != nil {
		t.Fatal(err)
	}
	url := a.Seal().Certificate.OCSPServer[0]
	if got := post(t, url, "application/ocsp-request", req); !bytes.Equal(got, ocspFailure(ocspUnauthorized)) {
		t.Errorf("about a foreign certificate: %x", got)
	}
	if got := post(t, url, "application/ocsp-request", []byte("hello")); !bytes.Equal(got, ocspFailure(ocspMalformed)) {
		t.Errorf("not a request: %x", got)
	}
}

func TestIssuersCanBeFetched(t *testing.T) {
	a := start(t, t.TempDir(), Options{})
	for cert, issuer := range map[*x509.Certificate]*x509.Certificate{a.Seal().Certificate: a.sealCA.cert, a.sealCA.cert: a.root.cert, a.TSA(): a.tsaCA.cert} {
		if !bytes.Equal(get(t, cert.IssuingCertificateURL[0]), issuer.Raw) {
			t.Errorf("the issuer of %s is another", cert.Subject.CommonName)
		}
	}
}

func TestPKCS12(t *testing.T) {
	a := start(t, t.TempDir(), Options{})
	body, err := a.Seal().PKCS12("prova")
	if err != nil {
		t.Fatal(err)
	}
	key, cert, chain, err := pkcs12.DecodeChain(body, "prova")
	if err != nil || !cert.Equal(a.Seal().Certificate) || len(chain) != 1 || key == nil {
		t.Errorf("%v, %d in the chain", err, len(chain))
	}
}

// openssl asks for time-stamps and verifies them, with and without nonce, under each digest.
func TestTimeStampsByOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("openssl is missing: apt-get install openssl")
	}
	run := func(args ...string) string {
		out, err := exec.Command(openssl, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	a := start(t, t.TempDir(), Options{})
	dir := t.TempDir()
	data, query, reply := filepath.Join(dir, "data"), filepath.Join(dir, "query"), filepath.Join(dir, "reply")
	if err := os.WriteFile(data, []byte("PROVA"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-sha256", "-cert"}, {"-sha384", "-cert"}, {"-sha512", "-cert"}, {"-sha256", "-cert", "-no_nonce"}, {"-sha256", "-cert", "-tspolicy", TSAPolicy.String()}} {
		run(append([]string{"ts", "-query", "-data", data, "-out", query}, args...)...)
		body, err := os.ReadFile(query)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(reply, post(t, a.TSAURL(), "application/timestamp-query", body), 0o600); err != nil {
			t.Fatal(err)
		}
		if words := run("ts", "-verify", "-queryfile", query, "-in", reply, "-CAfile", a.RootPEM()); !strings.Contains(words, "Verification: OK") {
			t.Errorf("%v: %s", args, words)
		}
	}
	if a.Stamps() != 5 {
		t.Errorf("%d stamps counted, want 5", a.Stamps())
	}

	for _, args := range [][]string{{"-sha1"}, {"-sha256", "-tspolicy", "1.2.3.4"}} {
		run(append([]string{"ts", "-query", "-data", data, "-out", query}, args...)...)
		body, err := os.ReadFile(query)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(reply, post(t, a.TSAURL(), "application/timestamp-query", body), 0o600); err != nil {
			t.Fatal(err)
		}
		if words := run("ts", "-reply", "-in", reply, "-text"); !strings.Contains(words, "Status: Rejected") {
			t.Errorf("%v: %s", args, words)
		}
	}
}

func TestBrokenFolders(t *testing.T) {
	for name, body := range map[string]string{"port": "http", "root.pem": "no PEM", "seal.key": "no PEM", "revoked.json": "{"} {
		dir := t.TempDir()
		a := start(t, dir, Options{})
		a.Close()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := New(dir, Options{}); err == nil {
			b.Close()
			t.Errorf("a broken %s is accepted", name)
		} else if !strings.Contains(err.Error(), name) {
			t.Errorf("a broken %s is not named: %v", name, err)
		}
	}
	if _, err := New(t.TempDir(), Options{Seal: "DSA"}); err == nil {
		t.Error("a kind of key that nobody knows is accepted")
	}
}

func TestCloseEndsHangingReplies(t *testing.T) {
	a := start(t, t.TempDir(), Options{})
	a.Misbehave(Hang)
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := http.Post(a.TSAURL(), "application/timestamp-query", strings.NewReader("x"))
		if err == nil {
			resp.Body.Close()
		}
	}()
	time.Sleep(50 * time.Millisecond)
	a.Close()
	a.Close()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("a hanging reply outlives Close")
	}
}
