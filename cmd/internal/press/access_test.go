package press_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"segell/access"
	"segell/internal/servers"
	"segell/ledger"
)

// The doors as they are wired: a real issuer's token is good for what it says,
// what is refused to a known client gets into the audit trail and what is refused
// to strangers into the metrics, and the public pages stop who asks too often
// before the ledger is asked.
func TestTheDoorsKnowWhoComes(t *testing.T) {
	h := newHouse(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	real := servers.NewIssuer(t, servers.Key("k", "ES256", key))
	issuer, err := access.NewIssuer(access.IssuerConfig{URL: real.URL(), Audience: "segell", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	clients, err := access.ReadClients("portal oidc:portal-app")
	if err != nil {
		t.Fatal(err)
	}
	h.parts.Access = access.Config{Clients: clients, Issuer: issuer, Public: access.Rate{PerSecond: 0.001, Burst: 3}}
	h.press = h.open()
	handler, beside, err := h.press.Doors()
	if err != nil {
		t.Fatal(err)
	}
	go beside(t.Context())
	h.door = httptest.NewServer(handler)
	t.Cleanup(h.door.Close)

	h.token = real.Token("portal-app", "https://segell.example/ES256", access.ScopeRequest)
	ids := h.post(1)
	status, header, text, err := h.ask("GET", "/v1/requests/"+ids[0], nil)
	if err != nil || status != http.StatusForbidden || !strings.Contains(header.Get("WWW-Authenticate"), "documents.read") {
		t.Errorf("without the scope to read: %d %s %v", status, text, err)
	}
	h.token = "a stranger's"
	if status, _, _, err := h.ask("GET", "/v1/requests/"+ids[0], nil); err != nil || status != http.StatusUnauthorized {
		t.Errorf("a stranger: %d %v", status, err)
	}
	waitUntil(t, "the refusal to be written down", func() bool { return count(t, h.bucket, "audit/") > 0 })
	for record, err := range h.press.Ledger.AuditTrail(t.Context()) {
		want := ledger.AuditEntry{Who: "portal", What: "api.refused", ID: "get-request", Why: "scope: documents.read", From: "127.0.0.1", Count: 1}
		if err != nil || record.AuditEntry != want {
			t.Errorf("the trail has %+v, %v", record, err)
		}
	}
	page := httptest.NewRecorder()
	promhttp.HandlerFor(h.press.Metrics, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{`segell_access_refusals_total{reason="unknown_token"} 1`, `segell_access_refusals_total{reason="scope"} 1`, "go_goroutines"} {
		if !strings.Contains(page.Body.String(), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}

	h.s3.Kill() // whoever is answered as if it were there did not ask it
	codes := map[int]int{}
	for range 6 {
		answer, err := http.Get(h.door.URL + "/v/not-a-code")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		codes[answer.StatusCode]++
	}
	if codes[http.StatusNotFound] != 3 || codes[http.StatusTooManyRequests] != 3 {
		t.Errorf("the public pages answered %v", codes)
	}
}
