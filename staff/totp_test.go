package staff_test

import (
	"encoding/base32"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segell/ledger"
	"segell/staff"
)

// Appendix B of RFC 6238, the last six of its eight digits, at steps of 30 s.
func TestTheCodesOfTheStandard(t *testing.T) {
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := staff.TOTPCode([]byte("12345678901234567890"), at/30); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

// code is what an authenticator shows a while from now.
func (h *house) code(e staff.Enrolment, later time.Duration) string {
	h.t.Helper()
	uri, err := url.Parse(e.URI)
	if err != nil {
		h.t.Fatal(err)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(uri.Query().Get("secret"))
	if err != nil {
		h.t.Fatal(err)
	}
	return staff.TOTPCode(secret, h.clock.now().Add(later).Unix()/30)
}

// enrol sets a second factor up.
func (h *house) enrol(login string) staff.Enrolment {
	h.t.Helper()
	e, err := h.BeginTOTP(h.t.Context(), login)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.ConfirmTOTP(h.t.Context(), operator, login, e.Reference, h.code(e, 0)); err != nil {
		h.t.Fatal(err)
	}
	h.clock.add(30 * time.Second) // that code is used
	return e
}

func TestASecondFactorIsSetUp(t *testing.T) {
	h := newHouse(t, func(c *staff.Config) { c.Institution = "Caixa de Prova" })
	ctx := t.Context()
	h.add("maria", staff.Act)
	h.add("joan", staff.Act)
	e, err := h.BeginTOTP(ctx, "maria")
	if err != nil {
		t.Fatal(err)
	}
	if uri, err := url.Parse(e.URI); err != nil || uri.Scheme != "otpauth" || uri.Host != "totp" || uri.Path != "/Caixa de Prova:maria" ||
		uri.Query().Get("issuer") != "Caixa de Prova" || uri.Query().Get("secret") != e.Secret || strings.Contains(e.URI, "+") {
		t.Errorf("%s, %v", e.URI, err)
	}
	h.in("maria", secret, "") // nothing has changed yet
	for what, c := range map[string]struct {
		login, reference, code string
		want                   error
	}{
		"a wrong code":          {"maria", e.Reference, "000000", staff.ErrWrong},
		"an old code":           {"maria", e.Reference, h.code(e, -2*time.Minute), staff.ErrWrong},
		"no code":               {"maria", e.Reference, "", staff.ErrWrong},
		"another's reference":   {"joan", e.Reference, h.code(e, 0), staff.ErrEnrolment},
		"a reference of nobody": {"maria", "x", h.code(e, 0), staff.ErrEnrolment},
	} {
		if err := h.ConfirmTOTP(ctx, operator, c.login, c.reference, c.code); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	h.clock.add(16 * time.Minute)
	if err := h.ConfirmTOTP(ctx, operator, "maria", e.Reference, h.code(e, 0)); !errors.Is(err, staff.ErrEnrolment) {
		t.Errorf("too late: %v", err)
	}
	h.enrol("maria")
	if a, err := h.Account(ctx, "maria"); err != nil || !a.HasTOTP {
		t.Errorf("%+v, %v", a, err)
	}
	if err := third(h.Login(ctx, "maria", secret, "", office)); !errors.Is(err, staff.ErrCodeNeeded) {
		t.Errorf("without its code: %v", err)
	}
}

// A reference serves once, and not after anything else has changed; who sets a factor
// up within a session goes on in a fresh one.
func TestAnEnrolmentServesOnce(t *testing.T) {
	h := newHouse(t, nil)
	ctx := t.Context()
	h.add("maria", staff.Act)
	stolen, _ := h.in("maria", secret, "")
	e, err := h.BeginTOTP(ctx, "maria")
	if err != nil {
		t.Fatal(err)
	}
	code := h.code(e, 0)
	fresh, s, err := h.EnrolTOTP(ctx, "maria", e.Reference, code, office)
	if err != nil || !s.May(staff.Act) {
		t.Fatalf("%+v, %v", s, err)
	}
	h.wantEnded("begun with the password alone", stolen)
	h.wantAlive("the one that set it up", fresh)
	again := func(what string) {
		t.Helper()
		if err := h.ConfirmTOTP(ctx, operator, "maria", e.Reference, code); !errors.Is(err, staff.ErrEnrolment) {
			t.Errorf("%s: %v", what, err)
		}
	}
	again("at once")
	if err := h.DropTOTP(ctx, operator, "maria"); err != nil {
		t.Fatal(err)
	}
	again("after the factor was dropped")
	if _, err := h.Ledger.StaffTOTP(ctx, "maria"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("the secret that was dropped is back: %v", err)
	}
	if a, err := h.Account(ctx, "maria"); err != nil || a.HasTOTP {
		t.Errorf("%+v, %v", a, err)
	}
	if e, err = h.BeginTOTP(ctx, "maria"); err != nil {
		t.Fatal(err)
	}
	if err := h.EndAll(ctx, operator, "maria"); err != nil {
		t.Fatal(err)
	}
	code = h.code(e, 0)
	again("begun by a session that was ended")
}

// A code opens once: not again, not after a later one, not in two processes at
// once.
func TestAStepIsNeverUsedTwice(t *testing.T) {
	h := newHouse(t, nil)
	ctx := t.Context()
	h.add("maria", staff.Act)
	e, err := h.BeginTOTP(ctx, "maria")
	if err != nil {
		t.Fatal(err)
	}
	first := h.code(e, 0)
	if err := h.ConfirmTOTP(ctx, operator, "maria", e.Reference, first); err != nil {
		t.Fatal(err)
	}
	if err := third(h.Login(ctx, "maria", secret, first, office)); !errors.Is(err, staff.ErrWrong) {
		t.Errorf("the code that set the factor up: %v", err)
	}
	h.clock.add(time.Minute)
	early, now, next := h.code(e, -30*time.Second), h.code(e, 0), h.code(e, 30*time.Second)
	h.in("maria", secret, now[:3]+" "+now[3:])
	for what, code := range map[string]string{"the same again": now, "the one before it": early} {
		if err := third(h.Login(ctx, "maria", secret, code, office)); !errors.Is(err, staff.ErrWrong) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var in atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		other := h.desk()
		all.Go(func() {
			if err := third(other.Login(ctx, "maria", secret, next, staff.Browser{From: office})); err == nil {
				in.Add(1)
			} else if !errors.Is(err, staff.ErrWrong) {
				t.Errorf("at once: %v", err)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("one code let %d in", in.Load())
	}
	// A factor that was dropped and one that is new: the old codes stay used, the new ones are good.
	if err := h.DropTOTP(ctx, operator, "maria"); err != nil {
		t.Fatal(err)
	}
	h.in("maria", secret, "")
	h.clock.add(time.Minute)
	e = h.enrol("maria")
	h.in("maria", secret, h.code(e, 0))
}

// Wrong codes are slowed harder than wrong passwords: who tries them has the
// password. A wrong password costs no code, and the code alone opens nothing.
func TestWrongCodesAreSlowed(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	e := h.enrol("maria")
	if err := third(h.Login(t.Context(), "maria", "not the password", h.code(e, 0), office)); !errors.Is(err, staff.ErrWrong) {
		t.Errorf("the code alone: %v", err)
	}
	h.in("maria", secret, h.code(e, 0))
	began := h.clock.now()
	for range 20 {
		for {
			err := third(h.Login(t.Context(), "maria", secret, "12345", office)) // never a code
			var slow staff.ErrSlow
			if errors.As(err, &slow) {
				h.clock.add(slow.Wait)
				continue
			}
			if !errors.Is(err, staff.ErrWrong) {
				t.Fatal(err)
			}
			break
		}
	}
	if took := h.clock.now().Sub(began); took < time.Hour {
		t.Errorf("20 wrong codes took %v", took)
	}
}

// With another keyset nobody is let in by the password alone.
func TestAFactorThatCannotBeRead(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	e := h.enrol("maria")
	h.clock.add(time.Minute)
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	if h.ledger.Keyset, err = ledger.ReadKeyset(text); err != nil {
		t.Fatal(err)
	}
	if err := third(h.desk().Login(t.Context(), "maria", secret, h.code(e, 0), staff.Browser{From: office})); !errors.Is(err, ledger.ErrKeyUnknown) {
		t.Errorf("another keyset: %v", err)
	}
	if err := h.Ledger.DropStaffTOTP(t.Context(), "maria"); err != nil {
		t.Fatal(err)
	}
	if err := third(h.Login(t.Context(), "maria", secret, h.code(e, 0), office)); err == nil {
		t.Error("the secret is gone, and the code is good")
	}
}
