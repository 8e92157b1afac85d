package access_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"segell/access"
)

// What it costs to know who calls: by an API token, by an access token of an
// issuer whose keys are known, and to turn away an address that came too often.
func BenchmarkAdmit(b *testing.B) {
	run := func(name string, gate *access.Gate, token string, status int) {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			for b.Loop() {
				if _, refusal := gate.Admit(r); refusal == nil && status != http.StatusOK || refusal != nil && refusal.Status != status {
					b.Fatal(refusal)
				}
			}
		})
	}
	token, line := newToken(b, "portal")
	run("token", newGate(b, access.Config{}, line), token, http.StatusOK)
	f := newForge(b, ecKey(b, "k"), rsaKey(b, "r", "RS256"))
	jwt := gateOf(b, &clock{}, access.IssuerConfig{URL: f.server.URL}, clientsAtIssuer)
	for _, key := range f.private {
		run(key.Algorithm, jwt, f.token(key, "at+jwt", map[string]any{"exp": time.Now().Add(time.Hour).Unix()}), http.StatusOK)
	}
	flooded := newGate(b, access.Config{Failures: access.Rate{PerSecond: 1e-9, Burst: 1}}, line)
	_, _ = call(flooded, "x")
	run("flood", flooded, "x", http.StatusTooManyRequests)
}
