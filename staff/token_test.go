package staff_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"segell/staff"
)

func (h *house) token(roles ...staff.Role) (bearer string, t staff.Token) {
	h.t.Helper()
	bearer, t, err := h.NewToken(h.t.Context(), operator, "maria", "nightly report", roles, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return bearer, t
}

func TestAToken(t *testing.T) {
	h := newHouse(t, nil)
	ctx := t.Context()
	h.add("maria", staff.Act, staff.Audit)
	bearer, token := h.token(staff.Audit)
	s, err := h.Token(ctx, bearer)
	if err != nil || s.Login != "maria" || !s.May(staff.Audit) || s.May(staff.Act) || s.CSRF != "" || s.ValidCSRF("") {
		t.Fatalf("%+v, %v", s, err)
	}
	if !strings.HasPrefix(bearer, "segell_staff_") || strings.Contains(bearer, token.ID) {
		t.Errorf("its form: %s, %s", bearer, token.ID)
	}
	if _, err := h.Session(ctx, bearer); !errors.Is(err, staff.ErrNoSession) {
		t.Errorf("a token is a cookie: %v", err)
	}
	cookie, _ := h.in("maria", secret, "")
	for _, none := range []string{"", "Bearer " + bearer, bearer[:len(bearer)-1], bearer + "a", strings.ToUpper(bearer), cookie, "segell_" + cookie, "segell_staff_" + strings.Repeat("a", 48)} {
		if _, err := h.Token(ctx, none); !errors.Is(err, staff.ErrNoSession) {
			t.Errorf("%d characters that are no token: %v", len(none), err)
		}
	}
	// It may do no more than its owner, from one moment to the next.
	if err := h.SetRoles(ctx, operator, "maria", staff.Look, staff.Act); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Token(ctx, bearer); err != nil || s.May(staff.Audit) || s.May(staff.Look) {
		t.Errorf("its owner lost the role: %+v, %v", s, err)
	}
	// It lives on when its owner logs out, until its day.
	if err := h.End(ctx, cookie); err != nil {
		t.Fatal(err)
	}
	h.clock.add(staff.TokenLifetime - time.Minute)
	if _, err := h.Token(ctx, bearer); err != nil {
		t.Errorf("on its last day: %v", err)
	}
	h.clock.add(time.Minute)
	if _, err := h.Token(ctx, bearer); !errors.Is(err, staff.ErrNoSession) {
		t.Errorf("after its day: %v", err)
	}
	if left, err := h.Tokens(ctx, "maria"); err != nil || len(left) != 0 {
		t.Errorf("those that are good: %+v, %v", left, err)
	}
}

func TestWhatATokenMayBe(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	for what, c := range map[string]struct {
		name  string
		roles []staff.Role
		life  time.Duration
	}{
		"more than its owner": {"x", []staff.Role{staff.Audit}, 0},
		"a strange role":      {"x", []staff.Role{"boss"}, 0}, "without a name": {" ", nil, 0}, "for ever": {"x", nil, 10 * 366 * 24 * time.Hour},
		"for a moment": {"x", nil, time.Second}, "backwards": {"x", nil, -time.Hour},
	} {
		if err := third(h.NewToken(t.Context(), operator, "maria", c.name, c.roles, c.life)); !errors.Is(err, staff.ErrAccount) {
			t.Errorf("%s: %v", what, err)
		}
	}
	bearer, _, err := h.NewToken(t.Context(), operator, "maria", "reads only", []staff.Role{staff.Look}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := h.Token(t.Context(), bearer); err != nil || !s.May(staff.Look) || s.May(staff.Act) {
		t.Errorf("less than its owner: %+v, %v", s, err)
	}
	for n := range 19 {
		if _, _, err := h.NewToken(t.Context(), operator, "maria", fmt.Sprint(n), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := third(h.NewToken(t.Context(), operator, "maria", "x", nil, 0)); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("a twenty-first: %v", err)
	}
}

func TestATokenIsRevoked(t *testing.T) {
	h := newHouse(t, nil)
	ctx := t.Context()
	h.add("maria", staff.Act)
	h.add("joan", staff.Act)
	bearer, token := h.token()
	other, _ := h.token()
	for login, id := range map[string]string{"joan": token.ID, "maria": "0000-0000-0000", "nobody": token.ID, "anna": "../x"} {
		if err := h.RevokeToken(ctx, operator, login, id); !errors.Is(err, staff.ErrNoToken) {
			t.Errorf("%s of %s: %v", id, login, err)
		}
	}
	if err := h.RevokeToken(ctx, operator, "maria", token.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Token(ctx, bearer); !errors.Is(err, staff.ErrNoSession) {
		t.Errorf("revoked: %v", err)
	}
	// Disabling ends the others, and enabling brings none back.
	if err := h.Disable(ctx, operator, "maria"); err != nil {
		t.Fatal(err)
	}
	if err := third(h.NewToken(ctx, operator, "maria", "x", nil, 0)); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("a token of a disabled account: %v", err)
	}
	if err := h.Enable(ctx, operator, "maria"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Token(ctx, other); !errors.Is(err, staff.ErrNoSession) {
		t.Errorf("of an account that was disabled: %v", err)
	}
}
