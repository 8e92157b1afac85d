package staff_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/ledger"
	"segell/staff"
	"segell/storage/storagetest"
)

// house is a desk on a bucket in memory, with a clock that is moved by hand.
type house struct {
	*staff.Desk
	t      *testing.T
	config staff.Config
	ledger ledger.Config
	bucket *storagetest.Memory
	log    *lines
	clock  *clock
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// lines is a log that tests read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}
func (l *lines) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.text.String() }

func newHouse(t *testing.T, change func(*staff.Config)) *house {
	t.Helper()
	bucket := &storagetest.Memory{}
	h := newHouseAt(t, bucket, change)
	h.bucket = bucket
	bucket.Now = h.clock.now
	return h
}

// newHouseAt is one at another bucket.
func newHouseAt(t *testing.T, bucket ledger.Objects, change func(*staff.Config)) *house {
	t.Helper()
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, log: &lines{}, clock: &clock{at: time.Now()}}
	h.ledger = ledger.Config{Objects: bucket, Keyset: keyset, HMACKey: bytes.Repeat([]byte{7}, ledger.HMACKeySize), Now: h.clock.now, Random: rand.Reader}
	h.config = staff.Config{Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: h.clock.now, Random: rand.Reader}
	if change != nil {
		change(&h.config)
	}
	h.Desk = h.desk()
	t.Cleanup(h.settle)
	return h
}

// desk opens another process's desk on the same bucket.
func (h *house) desk() *staff.Desk {
	h.t.Helper()
	l, err := ledger.New(h.ledger)
	if err != nil {
		h.t.Fatal(err)
	}
	c := h.config
	c.Ledger = l
	d, err := staff.New(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

// settle waits for the entries of the audit trail that are written behind the
// answers.
func (h *house) settle() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	h.Run(ended)
}

var (
	office    = netip.MustParseAddr("192.0.2.10")
	elsewhere = netip.MustParseAddr("2001:db8::1")
	operator  = staff.Actor{Who: "operator", From: "host"}
)

const secret = "quatre cavalls blaus"

// add makes an account with the password secret.
func (h *house) add(login string, roles ...staff.Role) {
	h.t.Helper()
	if _, err := h.Add(h.t.Context(), operator, staff.Account{Login: login, Name: "Maria Puig", Roles: roles}, secret); err != nil {
		h.t.Fatal(err)
	}
}

// Login is one from a browser that nobody got in with before.
func (h *house) Login(ctx context.Context, login, password, code string, from netip.Addr) (string, staff.Session, error) {
	return h.Desk.Login(ctx, login, password, code, staff.Browser{From: from})
}

func (h *house) in(login, password, code string) (cookie string, s staff.Session) {
	h.t.Helper()
	cookie, s, err := h.Login(h.t.Context(), login, password, code, office)
	if err != nil {
		h.t.Fatalf("logging in as %s: %v", login, err)
	}
	return cookie, s
}

// acts are the entries of the audit trail, "what who why" each.
func (h *house) acts() []string {
	h.t.Helper()
	h.settle()
	var all []string
	for r, err := range h.Ledger.AuditTrail(h.t.Context()) {
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(r.What+" "+r.Who+" "+r.Why))
	}
	return all
}

func (h *house) wantActs(want ...string) {
	h.t.Helper()
	got := h.acts()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		h.t.Errorf("the audit trail:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (h *house) wantEnded(why string, cookies ...string) {
	h.t.Helper()
	for _, cookie := range cookies {
		if s, err := h.Session(h.t.Context(), cookie); !errors.Is(err, staff.ErrNoSession) {
			h.t.Errorf("%s: the session goes on: %+v, %v", why, s, err)
		}
	}
}

func (h *house) wantAlive(why, cookie string) staff.Session {
	h.t.Helper()
	s, err := h.Session(h.t.Context(), cookie)
	if err != nil {
		h.t.Errorf("%s: the session has ended: %v", why, err)
	}
	return s
}

func TestWhatIsMissingIsToldAtOnce(t *testing.T) {
	_, err := staff.New(staff.Config{Idle: -1, OIDC: &staff.OIDC{Issuer: "http://login.example.ad", RedirectURL: "x", Roles: map[string]staff.Role{"a": "boss"}}})
	for _, part := range []string{"Ledger", "Log", "Now", "Random", "no time", "OIDC.Issuer must begin with https", "OIDC.RedirectURL", "ClientID", "OIDC.Roles"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("nothing is said of %s: %v", part, err)
		}
	}
}

func TestRoles(t *testing.T) {
	for _, c := range []struct {
		roles            []staff.Role
		look, act, audit bool
	}{
		{nil, false, false, false},
		{[]staff.Role{staff.Look}, true, false, false},
		{[]staff.Role{staff.Act}, true, true, false},
		{[]staff.Role{staff.Audit}, true, false, true},
		{[]staff.Role{staff.Act, staff.Audit}, true, true, true},
	} {
		s := staff.Session{Roles: c.roles}
		if s.May(staff.Look) != c.look || s.May(staff.Act) != c.act || s.May(staff.Audit) != c.audit || s.May("") || s.May("boss") {
			t.Errorf("%v may look %v, act %v, audit %v", c.roles, s.May(staff.Look), s.May(staff.Act), s.May(staff.Audit))
		}
		s.MustEnroll = true
		if s.May(staff.Look) || s.May(staff.Act) || s.May(staff.Audit) {
			t.Errorf("%v may something before a second factor is set up", c.roles)
		}
	}
}

// An account's life as the operator leads it, with the trail that it leaves.
func TestAnAccount(t *testing.T) {
	h := newHouse(t, nil)
	ctx := t.Context()
	h.add("maria.puig", staff.Act, staff.Act)
	if _, err := h.Add(ctx, operator, staff.Account{Login: "maria.puig", Name: "Another", Roles: []staff.Role{staff.Look}}, secret); !errors.Is(err, staff.ErrExists) {
		t.Errorf("a second of the same login: %v", err)
	}
	drawn, err := h.Add(ctx, operator, staff.Account{Login: "joan", Name: "Joan", Roles: []staff.Role{staff.Look}}, "")
	if err != nil || len(drawn) != 24 {
		t.Fatalf("a drawn password: %d characters, %v", len(drawn), err)
	}
	if _, s := h.in(" Joan ", drawn, ""); s.Login != "joan" || !s.May(staff.Look) || s.May(staff.Act) || s.CSRF == "" || s.From != office.String() {
		t.Errorf("with the drawn password: %+v", s)
	}
	cookie, _ := h.in("maria.puig", secret, "")
	if err := h.SetRoles(ctx, operator, "maria.puig", staff.Audit, staff.Look); err != nil {
		t.Fatal(err)
	}
	if s := h.wantAlive("roles changed", cookie); s.May(staff.Act) || !s.May(staff.Audit) {
		t.Errorf("a session that began before the roles changed: %v", s.Roles)
	}
	if err := h.SetLanguage(ctx, "joan", "pt-PT"); err != nil {
		t.Error(err)
	}
	all, err := h.Accounts(ctx)
	if err != nil || len(all) != 2 || all[0].Login != "joan" || all[0].Language != "pt-PT" || all[0].LastLogin.IsZero() || len(all[1].Roles) != 2 {
		t.Errorf("the accounts: %+v, %v", all, err)
	}
	for what, err := range map[string]error{
		"another's password": second(h.SetPassword(ctx, operator, "nobody", secret)), "roles": h.SetRoles(ctx, operator, "nobody", staff.Look),
		"disable": h.Disable(ctx, operator, "nobody"), "enable": h.Enable(ctx, operator, "nobody"), "end": h.EndAll(ctx, operator, "nobody"),
		"language": h.SetLanguage(ctx, "nobody", "ca"), "totp": second(h.BeginTOTP(ctx, "nobody")), "drop": h.DropTOTP(ctx, operator, "nobody"),
		"account": second(h.Account(ctx, "nobody")), "path": second(h.Account(ctx, "../staff/joan")), "tokens": second(h.Tokens(ctx, "nobody")),
	} {
		if !errors.Is(err, staff.ErrNotFound) {
			t.Errorf("%s of nobody: %v", what, err)
		}
	}
	h.wantActs("staff.add operator roles: act", "staff.add operator roles: look", "staff.login joan password", "staff.login maria.puig password", "staff.roles operator roles: look, audit")
}

func second[V any](_ V, err error) error { return err }

func TestWhatAnAccountMayBe(t *testing.T) {
	h := newHouse(t, nil)
	good := staff.Account{Login: "maria", Name: "Maria", Roles: []staff.Role{staff.Look}}
	for _, c := range []struct {
		what     string
		change   func(*staff.Account)
		password string
		want     error
	}{
		{"an empty login", func(a *staff.Account) { a.Login = "" }, secret, staff.ErrLogin},
		{"a login in capitals", func(a *staff.Account) { a.Login = "Maria" }, secret, staff.ErrLogin},
		{"a login with a slash", func(a *staff.Account) { a.Login = "a/b" }, secret, staff.ErrLogin},
		{"a login that is a number", func(a *staff.Account) { a.Login = "a.123456b" }, secret, staff.ErrLogin},
		{"a login of 41 characters", func(a *staff.Account) { a.Login = strings.Repeat("a", 41) }, secret, staff.ErrLogin},
		{"no name", func(a *staff.Account) { a.Name = " " }, secret, staff.ErrAccount},
		{"a name of two lines", func(a *staff.Account) { a.Name = "a\nb" }, secret, staff.ErrAccount},
		{"no role", func(a *staff.Account) { a.Roles = nil }, secret, staff.ErrAccount},
		{"a strange role", func(a *staff.Account) { a.Roles = []staff.Role{"boss"} }, secret, staff.ErrAccount},
		{"a strange language", func(a *staff.Account) { a.Language = "català" }, secret, staff.ErrAccount},
		{"a short password", nil, "onze lletre", staff.ErrPassword},
		{"an endless password", nil, strings.Repeat("abcdefgh ", 40), staff.ErrPassword},
		{"the login as a password", nil, "maria.MARIA.maria.", staff.ErrPassword},
		{"one key held down", nil, "aaaaaaaaaaaaab", staff.ErrPassword},
		{"a control character", nil, secret + "\x00", staff.ErrPassword},
	} {
		a := good
		if c.change != nil {
			c.change(&a)
		}
		if _, err := h.Add(t.Context(), operator, a, c.password); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		} else if strings.Contains(err.Error(), c.password) {
			t.Errorf("%s: the error tells the password", c.what)
		}
	}
	if acts := h.acts(); len(acts) > 0 {
		t.Errorf("what was refused is in the trail: %v", acts)
	}
}

// An account that is not in the audit trail is not made, and nobody is let in
// unseen.
func TestNothingIsDoneUnseen(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	away := errors.New("away")
	h.bucket.Fault = func(op, key string) error {
		if strings.HasPrefix(key, "audit/") {
			return away
		}
		return nil
	}
	for what, err := range map[string]error{
		"an account":    second(h.Add(t.Context(), operator, staff.Account{Login: "joan", Name: "Joan", Roles: []staff.Role{staff.Look}}, secret)),
		"a login":       third(h.Login(t.Context(), "maria", secret, "", office)),
		"a password":    second(h.SetPassword(t.Context(), operator, "maria", secret)),
		"roles":         h.SetRoles(t.Context(), operator, "maria", staff.Audit),
		"disabling":     h.Disable(t.Context(), operator, "maria"),
		"a token":       third(h.NewToken(t.Context(), operator, "maria", "x", nil, 0)),
		"ending":        h.EndAll(t.Context(), operator, "maria"),
		"no second one": h.DropTOTP(t.Context(), operator, "maria"),
	} {
		if !errors.Is(err, away) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for info, err := range h.bucket.List(t.Context(), "", "") {
		if err != nil || strings.HasPrefix(info.Key, "sessions/") || strings.HasPrefix(info.Key, "staff-tokens/") || info.Key == "staff/joan" {
			t.Errorf("%s, %v", info.Key, err)
		}
	}
	if a, err := h.Account(t.Context(), "maria"); err != nil || a.Disabled || a.Roles[0] != staff.Act {
		t.Errorf("%+v, %v", a, err)
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

// The whole of it at a real object store, whose names, listings and conditions are
// its own.
func TestAtARealBucket(t *testing.T) {
	bucket := servers.NewS3(t).Bucket("segell")
	h := newHouseAt(t, bucket, nil)
	ctx := t.Context()
	h.add("maria.puig", staff.Act)
	h.add("maria", staff.Look) // whose login is the beginning of another's
	e := h.enrol("maria.puig")
	cookie, _ := h.in("maria.puig", secret, h.code(e, 0))
	if err := third(h.Login(ctx, "maria.puig", secret, h.code(e, 0), office)); !errors.Is(err, staff.ErrWrong) {
		t.Errorf("a code again: %v", err)
	}
	other, _ := h.in("maria", secret, "")
	h.clock.add(20 * time.Minute)
	h.wantAlive("used", cookie)
	bearer, token, err := h.NewToken(ctx, operator, "maria.puig", "report", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if tokens, err := h.Tokens(ctx, "maria.puig"); err != nil || len(tokens) != 1 || tokens[0].ID != token.ID {
		t.Errorf("%+v, %v", tokens, err)
	}
	if err := h.RevokeToken(ctx, operator, "maria", token.ID); !errors.Is(err, staff.ErrNoToken) {
		t.Errorf("another's token: %v", err)
	}
	if err := h.RevokeToken(ctx, operator, "maria.puig", token.ID); err != nil {
		t.Error(err)
	}
	if _, err := h.Token(ctx, bearer); !errors.Is(err, staff.ErrNoSession) {
		t.Errorf("a revoked token: %v", err)
	}
	if err := errors.Join(h.DropTOTP(ctx, operator, "maria.puig"), h.End(ctx, other)); err != nil {
		t.Error(err)
	}
	h.wantEnded("dropped, logged out", cookie, other)
	if all, err := h.Accounts(ctx); err != nil || len(all) != 2 || all[1].HasTOTP {
		t.Errorf("%+v, %v", all, err)
	}
	h.clock.add(2 * time.Hour) // the bucket's own clock stands behind
	if err := h.Sweep(ctx); err != nil {
		t.Error(err)
	}
	for _, prefix := range []string{"sessions/", "staff-totp/", "staff-tokens/"} {
		for info, err := range bucket.List(ctx, prefix, "") {
			t.Errorf("left: %s, %v", info.Key, err)
		}
	}
	if report, err := h.Ledger.VerifyAudit(ctx, nil); err != nil || len(report.Faults) > 0 {
		t.Errorf("the trail: %+v, %v", report, err)
	}
}
