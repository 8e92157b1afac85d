package staff_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"segell/staff"
)

func TestASessionEndsIdle(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	cookie, s := h.in("maria", secret, "")
	if want := h.clock.now().Add(30 * time.Minute); !s.Ends.Equal(want.UTC()) {
		t.Errorf("it ends at %v, want %v", s.Ends, want)
	}
	for range 4 { // used, it goes on
		h.clock.add(20 * time.Minute)
		h.wantAlive("used", cookie)
	}
	h.clock.add(29 * time.Minute)
	h.wantAlive("just before", cookie)
	// What pages do by themselves does not keep it.
	h.clock.add(20 * time.Minute)
	if _, err := h.Peek(t.Context(), cookie); err != nil {
		t.Errorf("peeking: %v", err)
	}
	h.clock.add(10 * time.Minute)
	h.wantEnded("idle", cookie)
	h.clock.add(-10 * time.Minute) // nor does the end of it, found out
	h.wantAlive("a clock put right", cookie)
}

func TestASessionLastsNoLongerThanMost(t *testing.T) {
	h := newHouse(t, func(c *staff.Config) { c.Idle, c.Most = time.Hour, 3*time.Hour })
	h.add("maria", staff.Act)
	cookie, _ := h.in("maria", secret, "")
	for range 5 {
		h.clock.add(35 * time.Minute)
		if s := h.wantAlive("used", cookie); s.Ends.Sub(s.Begun) > 3*time.Hour {
			t.Errorf("it ends %v after its beginning", s.Ends.Sub(s.Begun))
		}
	}
	h.clock.add(5 * time.Minute)
	h.wantEnded("most", cookie)
}

// Each of these ends every session and token of the account, in another process too,
// and nobody else's.
func TestWhatEndsSessions(t *testing.T) {
	for what, act := range map[string]func(h *house) error{
		"end-sessions": func(h *house) error { return h.EndAll(h.t.Context(), operator, "maria") },
		"disable":      func(h *house) error { return h.Disable(h.t.Context(), operator, "maria") },
		"disable and enable": func(h *house) error {
			return errors.Join(h.Disable(h.t.Context(), operator, "maria"), h.Enable(h.t.Context(), operator, "maria"))
		},
		"another password": func(h *house) error {
			return second(h.SetPassword(h.t.Context(), operator, "maria", "un altre mot de pas"))
		},
		"the factor gone": func(h *house) error { return h.DropTOTP(h.t.Context(), operator, "maria") },
		"a factor set up": func(h *house) error { h.enrol("maria"); return nil },
		"another password of her own": func(h *house) error {
			return third(h.ChangePassword(h.t.Context(), "maria", secret, "un altre mot de pas", office))
		},
	} {
		h := newHouse(t, nil)
		h.add("maria", staff.Act)
		h.add("joan", staff.Look)
		first, _ := h.in("maria", secret, "")
		again, _ := h.in("maria", secret, "")
		other, _ := h.in("joan", secret, "")
		if first == again {
			t.Fatal("two sessions have one cookie")
		}
		bearer, _ := h.token()
		elsewhere := h.desk()
		if _, err := elsewhere.Session(t.Context(), first); err != nil {
			t.Errorf("%s: before, in another process: %v", what, err)
		}
		if err := act(h); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		h.wantEnded(what, first, again)
		if _, err := elsewhere.Session(t.Context(), first); !errors.Is(err, staff.ErrNoSession) {
			t.Errorf("%s: in another process the session goes on", what)
		}
		if _, err := elsewhere.Token(t.Context(), bearer); !errors.Is(err, staff.ErrNoSession) {
			t.Errorf("%s: the token is good: %v", what, err)
		}
		if left, err := h.Tokens(t.Context(), "maria"); err != nil || len(left) > 0 {
			t.Errorf("%s: tokens that are shown as good: %v, %v", what, left, err)
		}
		h.wantAlive(what, other)
	}
}

func TestLogout(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	cookie, _ := h.in("maria", secret, "")
	other, _ := h.in("maria", secret, "")
	for range 2 { // twice is no fault
		if err := h.End(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
	}
	h.wantEnded("logout", cookie)
	h.wantAlive("logout of another", other)
	h.wantActs("staff.add operator roles: act", "staff.login maria password", "staff.login maria password", "staff.logout maria")
}

// A person changes the password with the old one; the session that did it goes on
// as a fresh one, and all others end.
func TestAPersonChangesThePassword(t *testing.T) {
	h := newHouse(t, nil)
	ctx := t.Context()
	h.add("maria", staff.Act)
	cookie, _ := h.in("maria", secret, "")
	other, _ := h.in("maria", secret, "")
	for what, c := range map[string]struct {
		old, password string
		want          error
	}{
		"without the old one": {"", "un altre mot de pas", staff.ErrWrong}, "a short one": {secret, "curta", staff.ErrPassword},
		"none": {secret, "", staff.ErrPassword}, "the same": {secret, secret, staff.ErrPassword},
	} {
		if err := third(h.ChangePassword(ctx, "maria", c.old, c.password, office)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	h.wantAlive("nothing changed", cookie)
	fresh, s, err := h.ChangePassword(ctx, "maria", secret, "un altre mot de pas", office)
	if err != nil || s.Login != "maria" {
		t.Fatalf("%+v, %v", s, err)
	}
	h.wantEnded("changed", cookie, other)
	h.wantAlive("the fresh one", fresh)
	if err := third(h.Login(ctx, "maria", secret, "", office)); !errors.Is(err, staff.ErrWrong) {
		t.Errorf("the old password: %v", err)
	}
	h.in("maria", "un altre mot de pas", "")
}

// An account has so many sessions and no more: another one ends the oldest. Those that
// somebody logged out of, or that ended long ago, take nobody's place.
func TestSessionsOfOneAccount(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	h.add("joan", staff.Act)
	other, _ := h.in("joan", secret, "")
	var cookies []string
	for range staff.SessionsMost {
		cookie, _ := h.in("maria", secret, "")
		cookies = append(cookies, cookie)
	}
	for range 2 { // into the place that was left
		if err := h.End(t.Context(), cookies[len(cookies)-1]); err != nil {
			t.Fatal(err)
		}
		cookies[len(cookies)-1], _ = h.in("maria", secret, "")
	}
	h.wantAlive("as many as may be", cookies[0])
	fresh, _ := h.in("maria", secret, "")
	h.wantEnded("one too many", cookies[0])
	for _, cookie := range append(cookies[1:], fresh, other) {
		h.wantAlive("one too many", cookie)
	}
	h.clock.add(staff.DefaultMost + time.Minute)
	for range staff.SessionsMost - 1 {
		h.in("maria", secret, "")
	}
	if a, err := h.Ledger.Staff(t.Context(), "maria"); err != nil || len(a.Sessions) != staff.SessionsMost-1 {
		t.Errorf("%d sessions are noted, %v", len(a.Sessions), err)
	}
}

// What is no cookie of ours is refused without asking the bucket: it costs nothing to
// be asked for many.
func TestForgedCookiesCostNothing(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	cookie, _ := h.in("maria", secret, "")
	asked := 0
	h.bucket.Fault = func(string, string) error { asked++; return nil }
	h.wantEnded("forged", strings.Repeat("A", 43), strings.Repeat("A", len(cookie)), cookie[:len(cookie)-2]+"AA", "B"+cookie[1:], strings.Repeat("A", 1<<20))
	if asked > 0 {
		t.Errorf("the bucket was asked %d times", asked)
	}
	h.wantAlive("its own", cookie)
	if asked != 2 {
		t.Errorf("for a good one the bucket was asked %d times: the test does not count", asked)
	}
}

func TestCookiesThatAreNone(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	cookie, s := h.in("maria", secret, "")
	h.wantEnded("forged", "", "maria", cookie[:42], cookie+"A", strings.ToUpper(cookie), "A"+cookie[1:]+"=", strings.Repeat("A", 43), "../staff/maria")
	_, other := h.in("maria", secret, "")
	switch {
	case !s.ValidCSRF(s.CSRF) || s.CSRF == cookie || len(s.CSRF) < 32:
		t.Error("a form's own token is not good")
	case s.ValidCSRF("") || s.ValidCSRF(other.CSRF) || (staff.Session{}).ValidCSRF(""):
		t.Error("a form without the session's token is good")
	case h.wantAlive("read again", cookie).CSRF != s.CSRF:
		t.Error("the token of forms changes within a session")
	}
}

// Sessions and tokens that ended leave the bucket, those that live stay.
func TestSweeping(t *testing.T) {
	h := newHouse(t, nil)
	ctx := t.Context()
	h.add("maria", staff.Act)
	old, _ := h.in("maria", secret, "")
	for what, life := range map[string]time.Duration{"short": time.Hour, "long": 48 * time.Hour} {
		if _, _, err := h.NewToken(ctx, operator, "maria", what, nil, life); err != nil {
			t.Fatal(err)
		}
	}
	h.clock.add(25 * time.Minute)
	live, _ := h.in("maria", secret, "")
	h.clock.add(25 * time.Minute)
	h.wantAlive("used", live)
	h.clock.add(25 * time.Minute)
	if err := h.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	left := map[string]int{}
	for info, err := range h.bucket.List(ctx, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		left[info.Key[:strings.IndexByte(info.Key, '/')]]++
	}
	if left["sessions"] != 1 || left["staff-tokens"] != 1 || left["staff"] != 1 {
		t.Errorf("left: %v", left)
	}
	h.wantAlive("swept around", live)
	h.wantEnded("swept", old)
}

// Where a second factor is required a session without one may do nothing, and is
// good as soon as there is one.
func TestARequiredSecondFactor(t *testing.T) {
	h := newHouse(t, func(c *staff.Config) { c.RequireTOTP = true })
	h.add("maria", staff.Act)
	cookie, s := h.in("maria", secret, "")
	if !s.MustEnroll || s.May(staff.Look) {
		t.Errorf("without a second factor: %+v", s)
	}
	if err := third(h.NewToken(t.Context(), operator, "maria", "x", nil, 0)); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("a token without a second factor: %v", err)
	}
	e, err := h.BeginTOTP(t.Context(), "maria")
	if err != nil {
		t.Fatal(err)
	}
	fresh, _, err := h.EnrolTOTP(t.Context(), "maria", e.Reference, h.code(e, 0), office)
	if err != nil {
		t.Fatal(err)
	}
	h.wantEnded("enrolled", cookie)
	if s := h.wantAlive("enrolled", fresh); s.MustEnroll || !s.May(staff.Act) {
		t.Errorf("with one: %+v", s)
	}
}
