package access_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"segell/access"
	"segell/internal/servers"
)

// clock is a time that tests move.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func ecKey(t testing.TB, id string) jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return servers.Key(id, "ES256", key)
}

func rsaKey(t testing.TB, id, algorithm string) jose.JSONWebKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return servers.Key(id, algorithm, key)
}

const clientsAtIssuer = `
portal oidc:portal-app scopes=documents.request,documents.read
office oidc:office-app
`

// gateOf makes a gate that believes an issuer.
func gateOf(t testing.TB, c *clock, config access.IssuerConfig, clients string) *access.Gate {
	t.Helper()
	config.Audience, config.Now = "segell", c.now
	issuer, err := access.NewIssuer(config)
	if err != nil {
		t.Fatal(err)
	}
	known, err := access.ReadClients(clients)
	if err != nil {
		t.Fatal(err)
	}
	gate, err := access.New(access.Config{Clients: known, Issuer: issuer, Now: c.now, Failures: access.Rate{PerSecond: 1e4, Burst: 1e4}})
	if err != nil {
		t.Fatal(err)
	}
	return gate
}

// call asks a gate as a client with a token does.
func call(gate *access.Gate, token string) (*access.Caller, *access.Refusal) {
	r := httptest.NewRequest("GET", "/v1/requests/x", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return gate.Admit(r)
}

func wantRefusal(t *testing.T, what string, got *access.Refusal, status int, reason string) {
	t.Helper()
	if got == nil || got.Status != status || got.Reason != reason {
		t.Errorf("%s: %+v, want %d %s", what, got, status, reason)
		return
	}
	if status == http.StatusUnauthorized && !strings.HasPrefix(got.Challenge, `Bearer realm="segell"`) {
		t.Errorf("%s: the challenge is %q", what, got.Challenge)
	}
}

// The whole life with a real issuer: its tokens are good, its keys change, it
// goes away and comes back.
func TestARealIssuer(t *testing.T) {
	first := []jose.JSONWebKey{ecKey(t, "first"), rsaKey(t, "first-rsa", ""), rsaKey(t, "first-ps", "PS256")}
	issuer := servers.NewIssuer(t, first...)
	c := &clock{}
	gate := gateOf(t, c, access.IssuerConfig{URL: issuer.URL(), KindsClaim: "segell_kinds"}, clientsAtIssuer)

	for _, algorithm := range access.Algorithms {
		token := issuer.Token("portal-app", "https://segell.example/"+algorithm, "documents.request", "holders.search")
		caller, refusal := call(gate, token)
		if refusal != nil || caller.Client != "portal" {
			t.Fatalf("%s: %+v, %+v", algorithm, caller, refusal)
		}
		if r := gate.Authorize(caller, "x", access.ScopeRequest); r != nil {
			t.Errorf("a scope that issuer and configuration give is refused: %+v", r)
		}
		r := gate.Authorize(caller, "x", access.ScopeHolders) // the issuer gives it, the configuration does not
		wantRefusal(t, "a scope above the configuration", r, 403, access.ReasonScope)
		if r == nil || r.Needs != access.ScopeHolders || !strings.Contains(r.Challenge, `error="insufficient_scope", scope="holders.search"`) {
			t.Errorf("the scope that is missing is not told: %+v", r)
		}
		wantRefusal(t, "a scope that was not asked for", gate.Authorize(caller, "x", access.ScopeRead), 403, access.ReasonScope)
		wantRefusal(t, "no claim of kinds", gate.AuthorizeKind(caller, "x", "points_extract"), 403, access.ReasonKind)
	}
	office, refusal := call(gate, issuer.Token("office-app", "https://segell.example/ES256", "documents.request"))
	if refusal != nil {
		t.Fatal(refusal)
	}
	if r := gate.AuthorizeKind(office, "x", "points_extract"); r != nil {
		t.Errorf("a kind that the issuer gives is refused: %+v", r)
	}
	wantRefusal(t, "another kind", gate.AuthorizeKind(office, "x", "coverage_certificate"), 403, access.ReasonKind)

	_, refusal = call(gate, issuer.Token("stranger-app", "https://segell.example/ES256", "documents.request"))
	wantRefusal(t, "a client of the issuer's that is not ours", refusal, 401, access.ReasonUnknownClient)
	_, refusal = call(gate, issuer.Token("portal-app", "https://other.example/", "documents.request"))
	wantRefusal(t, "another audience", refusal, 401, access.ReasonInvalidJWT)

	good := issuer.Token("portal-app", "https://segell.example/ES256", "documents.request")
	c.advance(5*time.Minute + 30*time.Second) // its life, and within the leeway
	if _, refusal := call(gate, good); refusal != nil {
		t.Errorf("within the leeway: %+v", refusal)
	}
	c.advance(time.Minute)
	_, refusal = call(gate, good)
	wantRefusal(t, "an expired token", refusal, 401, access.ReasonExpired)

	// The issuer changes its keys: a token by the new one is good at once, one by
	// the old one no longer once the set was read again.
	c.advance(-c.ahead)
	byOld := issuer.Token("portal-app", "https://segell.example/ES256", "documents.request")
	second := []jose.JSONWebKey{ecKey(t, "second"), rsaKey(t, "second-rsa", "")}
	issuer.Restart(second...)
	byNew := issuer.Token("portal-app", "https://segell.example/ES256", "documents.request")
	c.advance(11 * time.Second) // since the set was last asked for
	if caller, refusal := call(gate, byNew); refusal != nil || caller.Client != "portal" {
		t.Errorf("by a new key: %+v", refusal)
	}
	_, refusal = call(gate, byOld)
	wantRefusal(t, "by a key that the issuer took back", refusal, 401, access.ReasonInvalidJWT)

	// Away: what is known goes on, a key that is not known yet must wait.
	third := gateOf(t, c, access.IssuerConfig{URL: issuer.URL()}, clientsAtIssuer)
	issuer.Kill()
	c.advance(30 * time.Second)
	if _, refusal := call(gate, byNew); refusal != nil {
		t.Errorf("the issuer is away, its key is known: %+v", refusal)
	}
	_, refusal = call(third, byNew)
	wantRefusal(t, "a cold start without the issuer", refusal, 503, access.ReasonIssuerAway)
	if refusal != nil && refusal.RetryAfter <= 0 {
		t.Error("503 without a time to wait")
	}
	issuer.Restart()
	c.advance(11 * time.Second)
	if _, refusal := call(third, byNew); refusal != nil {
		t.Errorf("the issuer is back: %+v", refusal)
	}
}

// forge is an issuer of our own, to make what a real one would not.
type forge struct {
	t       testing.TB
	private []jose.JSONWebKey
	server  *httptest.Server
	keys    atomic.Pointer[jose.JSONWebKeySet]
	asked   atomic.Int32
	broken  atomic.Bool
}

func newForge(t testing.TB, keys ...jose.JSONWebKey) *forge {
	f := &forge{t: t, private: keys}
	f.publish(keys...)
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": f.server.URL, "jwks_uri": f.server.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		if f.broken.Load() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(f.keys.Load())
	})
	f.server = httptest.NewServer(mux)
	t.Cleanup(f.server.Close)
	return f
}

func (f *forge) publish(keys ...jose.JSONWebKey) {
	set := &jose.JSONWebKeySet{}
	for _, key := range keys {
		set.Keys = append(set.Keys, key.Public())
	}
	f.keys.Store(set)
}

// token signs claims, with those that every good token has beneath.
func (f *forge) token(key jose.JSONWebKey, kind string, claims map[string]any) string {
	f.t.Helper()
	all := map[string]any{"iss": f.server.URL, "aud": "segell", "client_id": "portal-app", "scope": "documents.request documents.read",
		"exp": time.Now().Add(5 * time.Minute).Unix(), "iat": time.Now().Unix()}
	for name, value := range claims {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		f.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(kind)))
	if err != nil {
		f.t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		f.t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

func TestWhatATokenMustSay(t *testing.T) {
	key, foreign := ecKey(t, "k"), ecKey(t, "k")
	f := newForge(t, key)
	gate := gateOf(t, &clock{}, access.IssuerConfig{URL: f.server.URL}, clientsAtIssuer)
	at := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for what, claims := range map[string]map[string]any{
		"nothing special":        {},
		"azp":                    {"client_id": nil, "azp": "portal-app"},
		"sub":                    {"client_id": nil, "sub": "portal-app"},
		"an audience among some": {"aud": []string{"other", "segell"}},
		"scp as an array":        {"scope": nil, "scp": []string{"documents.request", "documents.read"}},
		"not before, by leeway":  {"nbf": at(30 * time.Second)},
		"ended, by leeway":       {"exp": at(-30 * time.Second)},
	} {
		caller, refusal := call(gate, f.token(key, "at+jwt", claims))
		if refusal != nil || caller.Client != "portal" || gate.Authorize(caller, "x", access.ScopeRead) != nil {
			t.Errorf("%s: %+v, %+v", what, caller, refusal)
		}
	}
	for what, claims := range map[string]map[string]any{
		"another issuer":       {"iss": "https://login.example"},
		"another audience":     {"aud": "other"},
		"no audience":          {"aud": nil},
		"no end":               {"exp": nil},
		"an end that is text":  {"exp": "tomorrow"},
		"not yet":              {"nbf": at(2 * time.Minute)},
		"two clients":          {"azp": "office-app"},
		"a person logged in":   {"auth_time": 1790000000},
		"an ID token":          {"nonce": "n", "at_hash": "h"},
		"a scope that is none": {"scope": 7},
	} {
		_, refusal := call(gate, f.token(key, "at+jwt", claims))
		wantRefusal(t, what, refusal, 401, access.ReasonInvalidJWT)
	}
	_, refusal := call(gate, f.token(key, "at+jwt", map[string]any{"exp": at(-2 * time.Minute)}))
	wantRefusal(t, "ended", refusal, 401, access.ReasonExpired)
	_, refusal = call(gate, f.token(key, "logout+jwt", nil))
	wantRefusal(t, "a token for another use", refusal, 401, access.ReasonInvalidJWT)
	_, refusal = call(gate, f.token(foreign, "at+jwt", nil))
	wantRefusal(t, "another key under the same id", refusal, 401, access.ReasonInvalidJWT)
	_, refusal = call(gate, f.token(key, "at+jwt", map[string]any{"cnf": map[string]string{"x5t#S256": "AAAA"}}))
	wantRefusal(t, "bound to a certificate that is not there", refusal, 401, access.ReasonCertificate)

	good := strings.Split(f.token(key, "at+jwt", nil), ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	public, err := json.Marshal(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	shared := jose.JSONWebKey{Key: public, KeyID: "k", Algorithm: "HS256"} // the public key as a secret
	for what, token := range map[string]string{
		"alg none":                     none + "." + good[1] + ".",
		"alg none with a signature":    none + "." + good[1] + "." + good[2],
		"a shared secret":              f.token(shared, "at+jwt", nil),
		"a changed claim":              good[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"aud":"segell"}`)) + "." + good[2],
		"nothing but dots":             "..",
		"longer than any":              good[0] + "." + strings.Repeat("A", 9000) + "." + good[2],
		"an algorithm not on the list": f.token(func() jose.JSONWebKey { k := rsaKey(t, "k", "RS512"); return k }(), "at+jwt", nil),
	} {
		_, refusal := call(gate, token)
		wantRefusal(t, what, refusal, 401, access.ReasonInvalidJWT)
	}
}

// A flood of tokens with key ids that nobody knows asks the issuer once.
func TestUnknownKeysDoNotFloodTheIssuer(t *testing.T) {
	key := ecKey(t, "k")
	f := newForge(t, key)
	c := &clock{}
	gate := gateOf(t, c, access.IssuerConfig{URL: f.server.URL}, clientsAtIssuer)
	var all sync.WaitGroup
	for i := range 100 {
		token := f.token(ecKey(t, fmt.Sprint("unknown", i)), "at+jwt", nil)
		all.Go(func() {
			_, refusal := call(gate, token)
			if refusal == nil || refusal.Status != 401 {
				t.Errorf("an unknown key: %+v", refusal)
			}
		})
	}
	all.Wait()
	if n := f.asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
	// Keys go on for a day without the issuer, and no longer.
	f.broken.Store(true)
	token := f.token(key, "at+jwt", map[string]any{"exp": time.Now().Add(48 * time.Hour).Unix()})
	for _, step := range []struct {
		ahead time.Duration
		good  bool
	}{{0, true}, {6 * time.Minute, true}, {20 * time.Hour, true}, {5 * time.Hour, false}} {
		c.advance(step.ahead)
		_, refusal := call(gate, token)
		if step.good && refusal != nil || !step.good && (refusal == nil || refusal.Status != 503) {
			t.Errorf("after %v: %+v", c.ahead, refusal)
		}
	}
}

func TestAnIssuerThatIsNoneIsRefused(t *testing.T) {
	for _, bad := range []access.IssuerConfig{
		{Audience: "segell", Now: time.Now},
		{URL: "http://login.example", Audience: "segell", Now: time.Now},
		{URL: "https://user:password@login.example", Audience: "segell", Now: time.Now},
		{URL: "https://login.example", Now: time.Now},
	} {
		if _, err := access.NewIssuer(bad); err == nil || strings.Contains(err.Error(), "password") {
			t.Errorf("%q, audience %q: %v", bad.URL, bad.Audience, err)
		}
	}
}
