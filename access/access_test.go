package access_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segell/access"
)

func newGate(t testing.TB, config access.Config, lines ...string) *access.Gate {
	t.Helper()
	clients, err := access.ReadClients(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	config.Clients = clients
	if config.Now == nil {
		config.Now = time.Now
	}
	gate, err := access.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return gate
}

func newToken(t testing.TB, client string, allowed ...string) (token, line string) {
	t.Helper()
	token, line, err := access.NewToken(client, allowed...)
	if err != nil {
		t.Fatal(err)
	}
	return token, line
}

func TestTokens(t *testing.T) {
	c := &clock{}
	all, first := newToken(t, "portal")
	few, second := newToken(t, "portal", "scopes=documents.read", "kinds=points_extract", "expires="+c.now().AddDate(0, 0, 1).Format(time.DateOnly))
	registry := prometheus.NewRegistry()
	gate := newGate(t, access.Config{Now: c.now, Metrics: registry}, "# clients", first, "", second)

	caller, refusal := call(gate, all) // a line of an earlier version: everything is allowed
	if refusal != nil || caller.Client != "portal" || gate.Authorize(caller, "x", access.Scopes()...) != nil || gate.AuthorizeKind(caller, "x", "work_history") != nil {
		t.Errorf("a token without limits: %+v, %+v", caller, refusal)
	}
	caller, refusal = call(gate, few)
	if refusal != nil || gate.Authorize(caller, "x", access.ScopeRead) != nil || gate.AuthorizeKind(caller, "x", "points_extract") != nil {
		t.Errorf("what a token allows is refused: %+v", refusal)
	}
	wantRefusal(t, "another scope", gate.Authorize(caller, "x", access.ScopeRequest), 403, access.ReasonScope)
	wantRefusal(t, "another kind", gate.AuthorizeKind(caller, "x", "work_history"), 403, access.ReasonKind)
	c.advance(48 * time.Hour)
	_, refusal = call(gate, few)
	wantRefusal(t, "expired", refusal, 401, access.ReasonExpired)
	_, refusal = call(gate, "segell_nobody")
	wantRefusal(t, "unknown", refusal, 401, access.ReasonUnknownToken)
	if refusal != nil && strings.Contains(refusal.Challenge+refusal.Detail, "nobody") {
		t.Error("a refusal quotes the token")
	}
	_, refusal = call(gate, "")
	wantRefusal(t, "none", refusal, 401, access.ReasonNoToken)
	if refusal != nil && strings.Contains(refusal.Challenge, "error") { // RFC 6750 section 3.1
		t.Error("who sent no token is told of an error in it")
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "segell_access_refusals_total" {
		t.Fatalf("counted: %v, %v", families, err)
	}
	counted := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		counted[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	for _, reason := range []string{access.ReasonScope, access.ReasonKind, access.ReasonExpired, access.ReasonUnknownToken, access.ReasonNoToken} {
		if counted[reason] != 1 {
			t.Errorf("%s was counted %v times", reason, counted[reason])
		}
	}
}

// The clients change without a stop: who was taken away is a stranger, who stays
// keeps what it has left of its limits, and what does not fit changes nothing.
func TestOtherClientsAreLetIn(t *testing.T) {
	c := &clock{}
	goes, first := newToken(t, "office")
	stays, second := newToken(t, "portal")
	comes, third := newToken(t, "bank")
	const limits = "\nportal limits rate=0.001 burst=2"
	gate := newGate(t, access.Config{Now: c.now}, first, second+limits)
	use := func(lines string) error {
		t.Helper()
		clients, err := access.ReadClients(lines)
		if err != nil {
			t.Fatal(err)
		}
		return gate.Use(clients)
	}
	charge := func() *access.Refusal {
		t.Helper()
		caller, refusal := call(gate, stays)
		if refusal != nil {
			t.Fatal(refusal)
		}
		return gate.Charge(caller, "x", access.Call)
	}
	if refusal := charge(); refusal != nil {
		t.Error(refusal)
	}
	if err := use(second + "\nportal oidc:a"); err == nil || !strings.Contains(err.Error(), "no issuer is configured") {
		t.Errorf("an id at no issuer: %v", err)
	}
	if _, refusal := call(gate, goes); refusal != nil {
		t.Errorf("what did not fit changed something: %v", refusal)
	}
	if err := use(second + limits + "\n" + third); err != nil {
		t.Fatal(err)
	}
	_, refusal := call(gate, goes)
	wantRefusal(t, "who was taken away", refusal, 401, access.ReasonUnknownToken)
	if _, refusal := call(gate, comes); refusal != nil {
		t.Errorf("who came: %v", refusal)
	}
	if refusal := charge(); refusal != nil {
		t.Errorf("the second of two calls: %v", refusal)
	}
	wantRefusal(t, "the third of two calls", charge(), 429, access.ReasonRateLimited)
	if err := use(second + "\nportal limits rate=5"); err != nil {
		t.Fatal(err)
	}
	if refusal := charge(); refusal != nil {
		t.Errorf("under its new limits: %v", refusal)
	}
}

func TestConfigurationsThatAreNone(t *testing.T) {
	_, line := newToken(t, "portal")
	for _, bad := range []string{"", "# nothing", "portal", "portal sha256:00", "Portal " + line[7:], line + "x", "portal " + strings.Repeat("z", 64),
		line + "\n" + line, line + " scopes=", line + " scopes=documents.eat", line + " kinds=coverage_certificate,", line + " kinds=none",
		line + " expires=soon", line + " expires=2027-01-01 expires=2028-01-01", line + " anything", line + "\nportal limits", line + "\nportal limits rate=0",
		line + "\nportal limits rate=1 burst=0", line + "\nportal limits rate=5\nportal limits rate=6", line + "\nportal limits rate=NaN", line + "\nportal cert:dns:", line + "\nportal cert:sha256:zz",
		line + "\nportal cert:email:a@b", line + "\noffice cert:dns:a.example", line + "\nportal oidc:", line + "\nportal oidc:a\noffice oidc:a", line + "\noffice limits rate=5"} {
		if clients, err := access.ReadClients(bad); err == nil {
			t.Errorf("%q was taken: %+v", bad, clients)
		} else if strings.Contains(err.Error(), line[15:30]) || strings.Contains(err.Error(), "a@b") {
			t.Errorf("%q is quoted: %v", bad, err)
		}
	}
	// All that is wrong at once, line by line; of a client whose line was not
	// understood nobody knows what it lacks.
	_, err := access.ReadClients("portal sha256:00\n" + line + "\nPortal x\noffice limits rate=0\nbank limits rate=5\nward sha256:" + strings.Repeat("ab", 32) + " kinds=none")
	for _, want := range []string{"line 1 ", "line 3 ", "line 4 ", "line 6 ", "the client bank has neither"} {
		if err == nil || strings.Count(err.Error(), want) != 1 || len(strings.Split(err.Error(), "\n")) != 5 {
			t.Errorf("five things are wrong, and told is %v; where is %q?", err, want)
		}
	}
	for _, bad := range [][]string{{"the portal"}, {"portal", "scopes=none"}, {"portal", "rate=1"}} {
		if _, _, err := access.NewToken(bad[0], bad[1:]...); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	for what, lines := range map[string]string{"an id at an issuer without an issuer": line + "\nportal oidc:a", "a certificate that nobody asks for": line + "\nportal cert:dns:a.example"} {
		clients, err := access.ReadClients(lines)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := access.New(access.Config{Clients: clients, Now: time.Now}); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

func TestEachClientHasItsRate(t *testing.T) {
	c := &clock{}
	fixed := c.now()
	now := fixed
	slow, first := newToken(t, "slow")
	quick, second := newToken(t, "quick")
	gate := newGate(t, access.Config{Now: func() time.Time { return now }, Rate: access.Rate{PerSecond: 100, Burst: 100}}, first, "slow limits rate=2 burst=8", second)
	a, _ := call(gate, slow)
	b, _ := call(gate, quick)
	for i := range 8 {
		if r := gate.Charge(a, "x", access.Call); r != nil {
			t.Fatalf("call %d of 8: %+v", i, r)
		}
	}
	r := gate.Charge(a, "x", access.Call)
	wantRefusal(t, "the ninth at once", r, 429, access.ReasonRateLimited)
	if r != nil && (r.RetryAfter <= 0 || r.RetryAfter > 600*time.Millisecond) {
		t.Errorf("at two a second the next is free in half a second, not in %v", r.RetryAfter)
	}
	h := http.Header{}
	gate.SetHeaders(a, h)
	if h.Get("RateLimit-Policy") != `"client";q=8;w=4` || h.Get("RateLimit") != `"client";r=0;t=4` {
		t.Errorf("the headers are %v", h)
	}
	if r := gate.Charge(b, "x", access.Call); r != nil {
		t.Errorf("one client's haste is another's wait: %+v", r)
	}
	now = now.Add(500 * time.Millisecond)
	if r := gate.Charge(a, "x", access.Call); r != nil {
		t.Errorf("after half a second: %+v", r)
	}
	// A batch weighs little, and leaves a quarter to persons who wait.
	now = now.Add(time.Hour)
	documents := 0
	for gate.Charge(a, "x", access.BatchDocument) == nil {
		documents++
	}
	if documents != 60 { // of 80 units
		t.Errorf("%d documents in a batch", documents)
	}
	if r := gate.Charge(a, "x", access.Call); r != nil {
		t.Errorf("a batch took what is kept for persons: %+v", r)
	}
}

func TestAFloodIsTurnedAwayByAddress(t *testing.T) {
	now := time.Now()
	token, line := newToken(t, "portal")
	proxies, err := access.ReadProxies("10.0.0.0/8, 192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	gate := newGate(t, access.Config{Now: func() time.Time { return now }, Proxies: proxies, Failures: access.Rate{PerSecond: 1, Burst: 3}}, line)
	from := func(peer, forwarded, token string) *access.Refusal {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		_, refusal := gate.Admit(r)
		return refusal
	}
	for range 3 {
		wantRefusal(t, "a wrong token", from("203.0.113.1:1000", "", "x"), 401, access.ReasonUnknownToken)
	}
	wantRefusal(t, "one too many", from("203.0.113.1:1001", "", "x"), 429, access.ReasonAddressLimited)
	wantRefusal(t, "with a header that nobody need believe", from("203.0.113.1:1002", "198.51.100.9", "x"), 429, access.ReasonAddressLimited)
	if r := from("203.0.113.2:1000", "", token); r != nil {
		t.Errorf("another address: %+v", r)
	}
	// Behind a proxy that is known, the address before it counts; what stands
	// further left may be anybody's invention.
	for i := range 3 {
		wantRefusal(t, "through proxies", from("10.1.2.3:1000", fmt.Sprintf("198.51.100.%d, 203.0.113.7, 192.0.2.1", i), "x"), 401, access.ReasonUnknownToken)
	}
	wantRefusal(t, "through proxies, one too many", from("10.1.2.3:1000", "203.0.113.7", "x"), 429, access.ReasonAddressLimited)
	if r := from("10.1.2.3:1000", "203.0.113.8", token); r != nil {
		t.Errorf("somebody else behind the same proxy: %+v", r)
	}
	// The addresses of one IPv6 subscriber are one.
	for i := range 3 {
		wantRefusal(t, "IPv6", from(fmt.Sprintf("[2001:db8:1:2::%d]:1000", i+1), "", "x"), 401, access.ReasonUnknownToken)
	}
	wantRefusal(t, "IPv6, one too many", from("[2001:db8:1:2:ffff::9]:1000", "", "x"), 429, access.ReasonAddressLimited)
	now = now.Add(time.Second)
	wantRefusal(t, "after a second", from("203.0.113.1:1003", "", "x"), 401, access.ReasonUnknownToken)
	if _, err := access.ReadProxies("10.0.0.0/8, proxy.example"); err == nil {
		t.Error("a name was taken for an address")
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header.Set("X-Forwarded-For", "203.0.113.9, nonsense")
	if got := access.Address(r, proxies); got != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("an address that is none gave %v", got)
	}
}

// Public pages are limited by address before anything is asked of the ledger,
// and a flood from everywhere takes no memory.
func TestPublicPagesAreLimited(t *testing.T) {
	now := time.Now()
	_, line := newToken(t, "portal")
	gate := newGate(t, access.Config{Now: func() time.Time { return now }, Public: access.Rate{PerSecond: 1, Burst: 5}}, line)
	served := 0
	door := gate.Public(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { served++ }))
	ask := func(peer string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/v/X", nil)
		r.RemoteAddr = peer
		door.ServeHTTP(w, r)
		return w
	}
	for range 20 {
		ask("203.0.113.1:9")
	}
	w := ask("203.0.113.1:9")
	if served != 5 || w.Code != 429 || w.Header().Get("Retry-After") != "1" || strings.Count(w.Body.String(), "\n") != 5 {
		t.Errorf("served %d, then %d %v %q", served, w.Code, w.Header(), w.Body)
	}
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := memory()
	for i := range 80_000 { // more than twice what is remembered
		ask(fmt.Sprintf("%d.%d.%d.7:1", 11+i>>16, i>>8&255, i&255))
	}
	if grown := int64(memory() - before); grown > 16<<20 {
		t.Errorf("80,000 addresses took %d bytes", grown)
	}
	runtime.KeepAlive(gate)
}

// What known clients may not do is reported once for a burst, and again if the
// report could not be kept.
func TestRefusalsAreReportedAsBursts(t *testing.T) {
	c := &clock{}
	token, line := newToken(t, "portal", "scopes=documents.read")
	gate := newGate(t, access.Config{Now: c.now}, line)
	var mu sync.Mutex
	var told []access.Refused
	broken := true
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		gate.Report(ctx, func(_ context.Context, r access.Refused) error {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				broken = false
				return errors.New("away")
			}
			told = append(told, r)
			return nil
		})
	}()
	caller, _ := call(gate, token)
	for range 1000 {
		gate.Authorize(caller, "cancel-request", access.ScopeCancel)
	}
	_, _ = call(gate, "a stranger's")
	for failed := false; !failed; time.Sleep(time.Millisecond) {
		mu.Lock()
		failed = !broken
		mu.Unlock()
	}
	cancel()
	<-ended
	mu.Lock()
	defer mu.Unlock()
	total := 0
	for _, r := range told {
		total += r.Count
		if r.Client != "portal" || r.Operation != "cancel-request" || r.Reason != access.ReasonScope || r.Needs != access.ScopeCancel || r.From != "192.0.2.1" {
			t.Errorf("reported: %+v", r)
		}
	}
	if len(told) > 3 || total != 1000 {
		t.Errorf("%d reports of %d refusals", len(told), total)
	}
}

// authority makes client certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}
}

func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Over real TLS: who is bound to a certificate needs it, and it alone will do.
func TestClientCertificates(t *testing.T) {
	ours := newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(ours.certificate)
	mine, twin := ours.issue(t, "portal.example"), ours.issue(t, "office.example")
	foreign := newAuthority(t).issue(t, "portal.example")
	byHash := ours.issue(t, "batch.example")
	sum := sha256.Sum256(byHash.Certificate[0])

	bound, first := newToken(t, "portal")
	free, second := newToken(t, "free")
	hashed, third := newToken(t, "batch")
	key := ecKey(t, "k")
	f := newForge(t, key)
	thumbprint := sha256.Sum256(mine.Certificate[0])
	jwt := f.token(key, "at+jwt", map[string]any{"client_id": "free-app", "cnf": map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:])}})
	clients, err := access.ReadClients(strings.Join([]string{first, "portal cert:dns:Portal.example", second, "free oidc:free-app", third, "batch cert:sha256:" + hex.EncodeToString(sum[:])}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{access.CertificatesOptional, access.CertificatesRequired} {
		issuer, err := access.NewIssuer(access.IssuerConfig{URL: f.server.URL, Audience: "segell", Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		gate, err := access.New(access.Config{Clients: clients, Issuer: issuer, Certificates: mode, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, refusal := gate.Admit(r); refusal != nil {
				w.WriteHeader(refusal.Status)
			}
		}))
		server.TLS = &tls.Config{ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
		server.StartTLS()
		defer server.Close()
		for _, try := range []struct {
			what        string
			token       string
			certificate *tls.Certificate
			good        bool
		}{
			{"bound, its own", bound, &mine, true}, {"bound, another's", bound, &twin, false}, {"bound, none", bound, nil, false}, {"bound, another authority's", bound, &foreign, false},
			{"by hash", hashed, &byHash, true}, {"by hash, another", hashed, &mine, false},
			{"free, any", free, &twin, true}, {"free, none", free, nil, mode == access.CertificatesOptional},
			{"a token bound to it", jwt, &mine, true}, {"a token bound to another", jwt, &twin, false}, {"a bound token without", jwt, nil, false},
		} {
			transport := server.Client().Transport.(*http.Transport).Clone()
			if try.certificate != nil {
				// Sent even where the server's list of authorities does not name its issuer.
				transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return try.certificate, nil }
			}
			request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+try.token)
			answer, err := (&http.Client{Transport: transport}).Do(request)
			got := err == nil && answer.StatusCode == http.StatusOK
			if err == nil {
				answer.Body.Close()
			}
			transport.CloseIdleConnections()
			if got != try.good {
				t.Errorf("%s, %s: let in %v (%v)", mode, try.what, got, err)
			}
		}
	}
}

func FuzzReadClients(f *testing.F) {
	_, line, err := access.NewToken("portal", "scopes=documents.read", "expires=2027-01-01")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line + "\nportal limits rate=5 burst=10\nportal cert:dns:a.example\nportal oidc:x kinds=points_extract")
	f.Fuzz(func(t *testing.T, text string) {
		clients, err := access.ReadClients(text)
		if (clients == nil) == (err == nil) {
			t.Error("neither or both of clients and error")
		}
	})
}
