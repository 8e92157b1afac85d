package staff_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"segell/internal/servers"
	"segell/staff"
)

func signingKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const returnTo = "http://127.0.0.1:8082/login/oidc/return"

// With a real issuer: persons with roles get in, the account is made, roles follow
// the issuer, and neither code nor state nor cookie serves another.
func TestARealIssuer(t *testing.T) {
	issuer := servers.NewIssuer(t, servers.Key("one", "ES256", signingKey(t)))
	config := staff.OIDC{Issuer: issuer.URL(), ClientID: "console-app", ClientSecret: "secret-of-console-app", RedirectURL: returnTo, Scopes: []string{"groups"},
		RolesClaim: "groups", Roles: map[string]staff.Role{"segell-act": staff.Act, "segell-look": staff.Look, "segell-audit": staff.Audit}}
	h := newHouse(t, func(c *staff.Config) { c.OIDC, c.RequireTOTP = &config, true })
	ctx := t.Context()
	come := func(login string) (kept string, back url.Values) {
		t.Helper()
		redirect, kept, err := h.OIDCBegin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		address := issuer.LogIn(redirect, login)
		if !strings.HasPrefix(address.String(), returnTo+"?") {
			t.Fatalf("sent back to %s", address)
		}
		return kept, address.Query()
	}
	end := func(kept string, back url.Values) (string, staff.Session, error) {
		return h.OIDCEnd(ctx, kept, back.Get("state"), back.Get("code"), staff.Browser{From: office})
	}

	kept, back := come("maria.puig")
	cookie, s, err := end(kept, back)
	if err != nil || s.Login != "maria.puig" || s.Name != "Maria Puig Ferrer" || !s.May(staff.Act) || s.May(staff.Audit) || !s.External || s.MustEnroll {
		t.Fatalf("%+v, %v", s, err)
	}
	h.wantAlive("by the issuer", cookie)
	if _, _, err := end(kept, back); !errors.Is(err, staff.ErrWrong) {
		t.Errorf("the same code again: %v", err)
	}
	// Codes and cookies of two browsers do not mix.
	keptByJoan, joan := come("joan.serra")
	keptByAnna, anna := come("anna.riba")
	for what, c := range map[string]struct {
		kept, state, code string
		want              error
	}{
		"another browser's cookie":          {keptByAnna, joan.Get("state"), joan.Get("code"), staff.ErrBegin},
		"no cookie":                         {"", joan.Get("state"), joan.Get("code"), staff.ErrBegin},
		"no state":                          {keptByJoan, "", joan.Get("code"), staff.ErrBegin},
		"a code of nobody":                  {keptByJoan, joan.Get("state"), "x", staff.ErrWrong},
		"another's code (PKCE stops it)":    {keptByJoan, joan.Get("state"), anna.Get("code"), staff.ErrWrong},
		"a cookie that was never given out": {strings.Repeat("A", len(keptByJoan)), joan.Get("state"), joan.Get("code"), staff.ErrBegin},
	} {
		if err := third(h.OIDCEnd(ctx, c.kept, c.state, c.code, staff.Browser{From: elsewhere})); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, s, err := end(keptByJoan, joan); err != nil || !s.May(staff.Look) || s.May(staff.Act) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, _, err := end(come("pere.font")); !errors.Is(err, staff.ErrNoRole) {
		t.Errorf("somebody without a role: %v", err)
	}
	if _, err := h.Account(ctx, "pere.font"); !errors.Is(err, staff.ErrNotFound) {
		t.Errorf("an account for somebody without a role: %v", err)
	}
	// Too late, and at an issuer that went away.
	kept, back = come("anna.riba")
	h.clock.add(11 * time.Minute)
	if _, _, err := end(kept, back); !errors.Is(err, staff.ErrBegin) {
		t.Errorf("after eleven minutes: %v", err)
	}
	h.clock.add(-11 * time.Minute)
	issuer.Kill()
	if _, _, err := end(kept, back); !errors.Is(err, staff.ErrIssuerAway) {
		t.Errorf("the issuer is away: %v", err)
	}
	if _, _, err := h.desk().OIDCBegin(ctx); !errors.Is(err, staff.ErrIssuerAway) {
		t.Errorf("beginning while it is away: %v", err)
	}
	h.wantAlive("while the issuer is away", cookie)
}

// A person's account of the issuer's is a member of staff's: it can be disabled
// and have tokens, and nothing that the issuer keeps can be changed here.
func TestAnAccountOfTheIssuers(t *testing.T) {
	f := newForge(t)
	h := f.house()
	ctx := t.Context()
	cookie, s, err := f.login(h, nil)
	if err != nil || !s.May(staff.Act) {
		t.Fatalf("%+v, %v", s, err)
	}
	for what, err := range map[string]error{
		"a password": second(h.SetPassword(ctx, operator, "maria", secret)), "roles": h.SetRoles(ctx, operator, "maria", staff.Audit),
		"a second factor": second(h.BeginTOTP(ctx, "maria")), "her own password": third(h.ChangePassword(ctx, "maria", "", secret, office)), "dropping": h.DropTOTP(ctx, operator, "maria"),
	} {
		if !errors.Is(err, staff.ErrExternal) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := third(h.Login(ctx, "maria", "", "", office)); !errors.Is(err, staff.ErrWrong) {
		t.Errorf("without a password: %v", err)
	}
	h.settle()
	bearer, _, err := h.NewToken(ctx, operator, "maria", "x", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Her next login brings fewer roles: what she had before has no more.
	if _, _, err := f.login(h, claims{"roles": []string{"look"}}); err != nil {
		t.Fatal(err)
	}
	if s := h.wantAlive("fewer roles", cookie); s.May(staff.Act) {
		t.Errorf("an earlier session keeps %v", s.Roles)
	}
	if s, err := h.Token(ctx, bearer); err != nil || s.May(staff.Act) {
		t.Errorf("a token keeps %v, %v", s.Roles, err)
	}
	// None at all: she is not let in, what she had ends, and the trail says so.
	for range 2 { // the second time there is nothing left to end
		if _, _, err := f.login(h, claims{"roles": []string{"boss"}}); !errors.Is(err, staff.ErrNoRole) {
			t.Errorf("without a role: %v", err)
		}
	}
	h.wantEnded("without a role", cookie)
	if s, err := h.Token(ctx, bearer); !errors.Is(err, staff.ErrNoSession) {
		t.Errorf("a token outlives its owner's last role: %v, %v", s.Roles, err)
	}
	if a, err := h.Account(ctx, "maria"); err != nil || len(a.Roles) > 0 {
		t.Errorf("the account keeps %v, %v", a.Roles, err)
	}
	// With a role again she comes back, and what had ended does not.
	back, _, err := f.login(h, nil)
	if err != nil {
		t.Errorf("with a role again: %v", err)
	}
	h.wantAlive("with a role again", back)
	h.wantEnded("with a role again", cookie)
	if _, err := h.Token(ctx, bearer); !errors.Is(err, staff.ErrNoSession) {
		t.Errorf("with a role again an old token is good: %v", err)
	}
	if err := h.Disable(ctx, operator, "maria"); err != nil {
		t.Fatal(err)
	}
	h.wantEnded("disabled", cookie)
	if _, _, err := f.login(h, nil); !errors.Is(err, staff.ErrWrong) {
		t.Errorf("disabled: %v", err)
	}
	h.wantActs("staff.add maria by the issuer; roles: act", "staff.login maria issuer", "staff.refused maria wrong password", "staff.token_new operator roles: act; 2160 h", "staff.login maria issuer",
		"staff.roles maria by the issuer; roles: none", "staff.refused maria the issuer gives no role", "staff.refused maria the issuer gives no role", "staff.login maria issuer", "staff.disable operator", "staff.refused maria the account is disabled")
}

// Nobody becomes somebody else by a login that the issuer lets them choose.
func TestAnotherPersonOfTheSameLogin(t *testing.T) {
	f := newForge(t)
	h := f.house()
	h.add("joan", staff.Act)
	if _, _, err := f.login(h, claims{"preferred_username": "joan"}); !errors.Is(err, staff.ErrWrong) {
		t.Errorf("the login of a local account: %v", err)
	}
	if _, _, err := f.login(h, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.login(h, claims{"sub": "another"}); !errors.Is(err, staff.ErrWrong) {
		t.Errorf("another person of the same login: %v", err)
	}
	if a, err := h.Account(t.Context(), "joan"); err != nil || a.External || len(a.Roles) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	h.wantActs("staff.add operator roles: act", "staff.refused joan the login belongs to another account than the issuer's", "staff.add maria by the issuer; roles: act", "staff.login maria issuer",
		"staff.refused maria the login belongs to another account than the issuer's")
}

// One person of the issuer's has one account, whatever login they choose there; an
// operator lets them have another one.
func TestOnePersonHasOneAccount(t *testing.T) {
	f := newForge(t)
	h := f.house()
	ctx := t.Context()
	cookie, _, err := f.login(h, nil)
	if err != nil {
		t.Fatal(err)
	}
	renamed := claims{"preferred_username": "zoe.font"}
	if _, s, err := f.login(h, renamed); !errors.Is(err, staff.ErrRenamed) || s.Login != "" {
		t.Errorf("another login of the same person: %+v, %v", s, err)
	}
	if _, err := h.Account(ctx, "zoe.font"); !errors.Is(err, staff.ErrNotFound) {
		t.Errorf("an account of the other login: %v", err)
	}
	// In another process, at the same moment: one wins.
	var in atomic.Int64
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			login := fmt.Sprintf("race%d", n)
			if bound, err := h.Ledger.ClaimStaffSubject(ctx, f.server.URL, "another person", login); err != nil {
				t.Error(err)
			} else if bound == login {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("one person is bound to %d logins", in.Load())
	}
	// Under the other login too the roles that were taken are taken here.
	if _, _, err := f.login(h, claims{"preferred_username": "zoe.font", "roles": []string{}}); !errors.Is(err, staff.ErrRenamed) {
		t.Errorf("another login, without a role: %v", err)
	}
	h.wantEnded("no role under another login", cookie)
	if _, _, err := f.login(h, nil); err != nil {
		t.Errorf("the login as before: %v", err)
	}
	// The issuer did rename her.
	h.add("joan", staff.Look)
	if err := h.Release(ctx, operator, "joan"); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("a local account: %v", err)
	}
	if err := h.Release(ctx, operator, "maria"); err != nil {
		t.Fatal(err)
	}
	if _, s, err := f.login(h, renamed); err != nil || s.Login != "zoe.font" {
		t.Errorf("released: %+v, %v", s, err)
	}
	if err := h.Enable(ctx, operator, "maria"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.login(h, nil); !errors.Is(err, staff.ErrRenamed) {
		t.Errorf("the old login, enabled again: %v", err)
	}
	if err := h.Release(ctx, operator, "maria"); err != nil {
		t.Error(err)
	}
	if _, _, err := f.login(h, renamed); err != nil {
		t.Errorf("released twice: %v", err)
	}
	named := 0
	for _, act := range h.acts() {
		if act == "staff.refused maria the issuer gives this person the login zoe.font now; `segell staff release maria` lets them have it" {
			named++
		}
	}
	if acts := strings.Join(h.acts(), "\n"); named != 2 || !strings.Contains(acts, "staff.disable operator the issuer's person is released") {
		t.Errorf("the trail:\n%s", acts)
	}
}

// The tokens of who does not come by the issuer any more stand still until they do.
func TestATokenNeedsItsOwnerAtTheIssuer(t *testing.T) {
	f := newForge(t)
	h := f.house()
	ctx := t.Context()
	if _, _, err := f.login(h, nil); err != nil {
		t.Fatal(err)
	}
	bearer, _, err := h.NewToken(ctx, operator, "maria", "report", nil, staff.TokenLifetimeMost)
	if err != nil {
		t.Fatal(err)
	}
	h.clock.add(staff.IssuerWithin - time.Second)
	if _, err := h.Token(ctx, bearer); err != nil {
		t.Errorf("on the thirtieth day: %v", err)
	}
	h.clock.add(2 * time.Second)
	if _, err := h.Token(ctx, bearer); !errors.Is(err, staff.ErrIssuerLogin) || !errors.Is(err, staff.ErrNoSession) || !strings.Contains(err.Error(), "30 days") {
		t.Errorf("after it: %v", err)
	}
	f.age = time.Until(h.clock.now())
	if _, _, err := f.login(h, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Token(ctx, bearer); err != nil {
		t.Errorf("after a login there: %v", err)
	}
	// Who logs in here has no such limit.
	h.add("joan", staff.Look)
	if bearer, _, err = h.NewToken(ctx, operator, "joan", "report", nil, staff.TokenLifetimeMost); err != nil {
		t.Fatal(err)
	}
	h.clock.add(300 * 24 * time.Hour)
	if _, err := h.Token(ctx, bearer); err != nil {
		t.Errorf("of a local account: %v", err)
	}
}

// What an issuer, or somebody between, may say; and what is believed of it.
func TestForgedTokens(t *testing.T) {
	f := newForge(t)
	stranger := signingKey(t)
	now := time.Now()
	for what, c := range map[string]struct {
		change claims
		forge  func(*forge)
	}{
		"another nonce":              {claims{"nonce": "x"}, nil},
		"no nonce":                   {claims{"nonce": nil}, nil},
		"another issuer":             {claims{"iss": "https://login.example.ad"}, nil},
		"for somebody else":          {claims{"aud": "another-app"}, nil},
		"for several, none said":     {claims{"aud": []string{"console-app", "another-app"}}, nil},
		"asked for by somebody else": {claims{"aud": []string{"console-app", "another-app"}, "azp": "another-app"}, nil},
		"expired":                    {claims{"exp": now.Add(-time.Hour).Unix()}, nil},
		"not yet good":               {claims{"nbf": now.Add(time.Hour).Unix()}, nil},
		"no subject":                 {claims{"sub": nil}, nil},
		"another key": {nil, func(f *forge) {
			f.signer = jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: stranger, KeyID: "one"}}
		}},
		"a shared secret": {nil, func(f *forge) {
			f.signer = jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: []byte(strings.Repeat("secret-of-console-app", 2)), KeyID: "one"}}
		}},
		"no signature":              {nil, func(f *forge) { f.unsigned = true }},
		"no ID token":               {nil, func(f *forge) { f.without = true }},
		"a login with a slash":      {claims{"preferred_username": "../staff/maria"}, nil},
		"a login that is a number":  {claims{"preferred_username": "m.123456a"}, nil},
		"a login that is no text":   {claims{"preferred_username": []string{"maria"}}, nil},
		"an address for a login":    {claims{"preferred_username": "maria@cass.example"}, nil},
		"another person's userinfo": {claims{"roles": nil}, func(f *forge) { f.userinfo = claims{"sub": "another", "roles": []string{"act"}} }},
	} {
		h := f.house()
		f.reset()
		if c.forge != nil {
			c.forge(f)
		}
		cookie, s, err := f.login(h, c.change)
		if !errors.Is(err, staff.ErrWrong) || cookie != "" || s.Login != "" {
			t.Errorf("%s: %q, %+v, %v", what, cookie, s, err)
		}
		if acts := h.acts(); len(acts) > 0 {
			t.Errorf("%s: %q", what, acts)
		}
	}
}

// Where roles and logins stand, as issuers differ.
func TestWhereClaimsStand(t *testing.T) {
	f := newForge(t)
	nested := claims{"roles": nil, "resource_access": map[string]any{"console-app": map[string]any{"roles": []string{"x", "clerk"}}}}
	for what, c := range map[string]struct {
		config func(*staff.OIDC)
		change claims
		more   claims // at the userinfo endpoint
		login  string
		roles  int
		want   error
	}{
		"one text":  {nil, claims{"roles": "act"}, nil, "maria", 1, nil},
		"two roles": {nil, claims{"roles": []any{"audit", "act", 7}}, nil, "maria", 2, nil},
		"deeper": {func(c *staff.OIDC) {
			c.RolesClaim, c.Roles = "resource_access.console-app.roles", map[string]staff.Role{"clerk": staff.Act}
		}, nested, nil, "maria", 1, nil},
		"a name with dots":        {func(c *staff.OIDC) { c.RolesClaim = "https://cass.example/roles" }, claims{"https://cass.example/roles": []string{"act"}}, nil, "maria", 1, nil},
		"at userinfo":             {nil, claims{"roles": nil}, claims{"roles": []string{"act"}}, "maria", 1, nil},
		"the token before":        {nil, claims{"name": nil}, claims{"roles": []string{"act", "audit"}}, "maria", 1, nil},
		"nowhere":                 {nil, claims{"roles": nil}, claims{}, "", 0, staff.ErrNoRole},
		"an object":               {nil, claims{"roles": map[string]any{"act": true}}, nil, "", 0, staff.ErrNoRole},
		"our domain":              {func(c *staff.OIDC) { c.Domain = "cass.example" }, claims{"preferred_username": "Maria.Puig@CASS.example"}, nil, "maria.puig", 1, nil},
		"another domain":          {func(c *staff.OIDC) { c.Domain = "cass.example" }, claims{"preferred_username": "maria@other.example"}, nil, "", 0, staff.ErrWrong},
		"a domain that ends so":   {func(c *staff.OIDC) { c.Domain = "cass.example" }, claims{"preferred_username": "maria@notcass.example"}, nil, "", 0, staff.ErrWrong},
		"an address unverified":   {func(c *staff.OIDC) { c.LoginClaim, c.Domain = "email", "cass.example" }, claims{"email": "maria@cass.example"}, nil, "", 0, staff.ErrWrong},
		"an address verified":     {func(c *staff.OIDC) { c.LoginClaim, c.Domain = "email", "cass.example" }, claims{"email": "maria@cass.example", "email_verified": true}, nil, "maria", 1, nil},
		"no name":                 {nil, claims{"name": nil}, nil, "maria", 1, nil},
		"for several, and for us": {nil, claims{"aud": []string{"console-app", "another-app"}, "azp": "console-app"}, nil, "maria", 1, nil},
	} {
		f.reset()
		f.userinfo = c.more
		h := f.house(c.config)
		_, s, err := f.login(h, c.change)
		if !errors.Is(err, c.want) || s.Login != c.login || len(s.Roles) != c.roles || err == nil && s.Name == "" {
			t.Errorf("%s: %+v, %v", what, s, err)
		}
	}
}

// An issuer that answers nonsense is away; it is nobody's wrong try.
func TestAnIssuerThatFails(t *testing.T) {
	f := newForge(t)
	h := f.house()
	f.status = http.StatusBadGateway
	for range 15 {
		if _, _, err := f.login(h, nil); !errors.Is(err, staff.ErrIssuerAway) {
			t.Fatalf("it fails: %v", err)
		}
	}
	f.status, f.fault = http.StatusUnauthorized, "invalid_client"
	if _, _, err := f.login(h, nil); !errors.Is(err, staff.ErrIssuerAway) {
		t.Errorf("it does not know us: %v", err)
	}
	f.reset()
	if _, _, err := f.login(h, nil); err != nil {
		t.Errorf("it works again: %v", err)
	}
	if _, _, err := newHouse(t, nil).OIDCBegin(t.Context()); !errors.Is(err, staff.ErrNoIssuer) {
		t.Errorf("none is configured: %v", err)
	}
	// Codes that are none are wrong tries, and are slowed.
	f.status, f.fault = http.StatusBadRequest, "invalid_grant"
	var slow staff.ErrSlow
	for n := range 12 {
		if _, _, err := f.login(h, nil); n < 10 != errors.Is(err, staff.ErrWrong) || n > 10 && !errors.As(err, &slow) {
			t.Errorf("code %d that is none: %v", n, err)
		}
	}
}

type claims map[string]any

// forge is an issuer of our own, to say what a real one would not.
type forge struct {
	t      *testing.T
	server *httptest.Server
	key    *ecdsa.PrivateKey
	token  claims // the next ID token's
	kept   string // the browser's keepsake

	signer   jose.SigningKey
	age      time.Duration // how far its clock is ahead
	unsigned bool
	without  bool   // gives no ID token
	userinfo claims // nil: no such endpoint's answer
	status   int    // of the token endpoint, if it is not 200
	fault    string
}

func newForge(t *testing.T) *forge {
	f := &forge{t: t, key: signingKey(t)}
	f.reset()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		answer(w, claims{"issuer": f.server.URL, "authorization_endpoint": f.server.URL + "/auth", "token_endpoint": f.server.URL + "/token", "jwks_uri": f.server.URL + "/keys",
			"userinfo_endpoint": f.server.URL + "/me", "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: f.key.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if f.status != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(f.status)
			json.NewEncoder(w).Encode(claims{"error": f.fault})
			return
		}
		given := claims{"access_token": "access", "token_type": "Bearer", "expires_in": 60}
		if !f.without {
			given["id_token"] = f.sign()
		}
		answer(w, given)
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		info := claims{"sub": f.token["sub"]}
		maps.Copy(info, f.userinfo)
		answer(w, info)
	})
	f.server = httptest.NewServer(mux)
	t.Cleanup(f.server.Close)
	return f
}

// reset makes it an honest one.
func (f *forge) reset() {
	f.signer = jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: f.key, KeyID: "one"}}
	f.unsigned, f.without, f.userinfo, f.status, f.fault = false, false, nil, 0, ""
}

func (f *forge) sign() string {
	text, err := json.Marshal(f.token)
	if err != nil {
		f.t.Fatal(err)
	}
	if f.unsigned {
		part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		return part(`{"alg":"none"}`) + "." + part(string(text)) + "."
	}
	signer, err := jose.NewSigner(f.signer, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		f.t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		f.t.Fatal(err)
	}
	return compact
}

// house is one whose issuer this is.
func (f *forge) house(change ...func(*staff.OIDC)) *house {
	return newHouse(f.t, func(c *staff.Config) {
		c.OIDC = &staff.OIDC{Issuer: f.server.URL, ClientID: "console-app", RedirectURL: returnTo}
		for _, change := range change {
			if change != nil {
				change(c.OIDC)
			}
		}
	})
}

// login is a whole login of Maria, with some claims changed; nil takes one away.
func (f *forge) login(h *house, change claims) (string, staff.Session, error) {
	f.t.Helper()
	redirect, kept, err := h.OIDCBegin(context.Background())
	if err != nil {
		return "", staff.Session{}, err
	}
	address, err := url.Parse(redirect)
	if err != nil {
		f.t.Fatal(err)
	}
	asked := address.Query()
	if asked.Get("code_challenge_method") != "S256" || asked.Get("response_type") != "code" || asked.Get("redirect_uri") != returnTo || strings.Contains(redirect, kept) {
		f.t.Errorf("asked: %s", redirect)
	}
	f.token = claims{"iss": f.server.URL, "aud": "console-app", "sub": "person-1", "preferred_username": "maria", "name": "Maria", "roles": []string{"act"},
		"nonce": asked.Get("nonce"), "iat": time.Now().Add(f.age).Unix(), "exp": time.Now().Add(f.age + time.Minute).Unix()}
	maps.Copy(f.token, change)
	maps.DeleteFunc(f.token, func(_ string, v any) bool { return v == nil })
	defer h.settle() // so that the trail is in the order of the test
	return h.OIDCEnd(context.Background(), kept, asked.Get("state"), "code", staff.Browser{From: office, Keepsake: f.kept})
}
