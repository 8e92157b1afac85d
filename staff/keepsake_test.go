package staff_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/staff"
)

// keepsake is what the browser of somebody who gets in is given.
func (h *house) keepsake(login string, had string) string {
	h.t.Helper()
	_, s := h.in(login, secret, "")
	kept, err := h.Keepsake(s, had)
	if err != nil {
		h.t.Fatal(err)
	}
	return kept
}

// Strangers who never stop asking, from the same address or from many others, for the
// same login or for any, do not keep out who got in with a browser before; and who is
// logged in proves themselves. The strangers are slowed as ever.
func TestStrangersDoNotSlowWhoWasHereBefore(t *testing.T) {
	for what, c := range map[string]struct {
		login string
		from  func(n int) netip.Addr
	}{
		"for any login from the same address":  {"nobody", func(int) netip.Addr { return office }},
		"for her login from the same address":  {"maria", func(int) netip.Addr { return office }},
		"for her login from everywhere":        {"maria", func(n int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, byte(n >> 8), byte(n)}) }},
		"for her login with some other cookie": {"maria", func(n int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(n % 3)}) }},
	} {
		h := newHouse(t, nil)
		h.add("maria", staff.Act)
		kept := h.keepsake("maria", "")
		judged := 0
		for second := range 1800 {
			err := third(h.Desk.Login(t.Context(), c.login, "wrong password", "", staff.Browser{From: c.from(second), Keepsake: strings.Repeat("A", second%200)}))
			if errors.Is(err, staff.ErrWrong) {
				judged++
			}
			if second%7 == 3 {
				if err := third(h.Desk.Login(t.Context(), "maria", secret, "", staff.Browser{From: office, Keepsake: kept})); err != nil {
					t.Fatalf("%s, after %d s: %v", what, second, err)
				}
				if err := h.Prove(t.Context(), "maria", secret, office); err != nil {
					t.Fatalf("%s, after %d s, within the session: %v", what, second, err)
				}
			}
			h.clock.add(time.Second)
		}
		if judged > 80 {
			t.Errorf("%s: %d guesses were judged in half an hour", what, judged)
		}
		h.settle()
	}
}

// Who has stolen a keepsake or a session has no more tries with it than a stranger
// has, from wherever.
func TestAStolenKeepsakeOpensNothing(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	kept := h.keepsake("maria", "")
	for what, try := range map[string]func(from netip.Addr) error{
		"a keepsake": func(from netip.Addr) error {
			return third(h.Desk.Login(t.Context(), "maria", "wrong password", "", staff.Browser{From: from, Keepsake: kept}))
		},
		"a session": func(from netip.Addr) error { return h.Prove(t.Context(), "maria", "wrong password", from) },
	} {
		began := h.clock.now()
		for wrong := 0; wrong < 20; {
			err := try(netip.AddrFrom4([4]byte{198, 51, 100, byte(wrong)}))
			var slow staff.ErrSlow
			switch {
			case errors.As(err, &slow):
				h.clock.add(slow.Wait)
			case errors.Is(err, staff.ErrWrong):
				wrong++
			default:
				t.Fatalf("%s: %v", what, err)
			}
		}
		if took := h.clock.now().Sub(began); took < 4*time.Minute {
			t.Errorf("20 wrong passwords with %s took %v", what, took)
		}
	}
	h.settle()
}

// tries is how many wrong passwords are judged at once in a browser, of forty.
func (h *house) tries(login, kept string) int {
	h.t.Helper()
	for n := range 40 {
		err := third(h.Desk.Login(h.t.Context(), login, "wrong password", "", staff.Browser{From: office, Keepsake: kept}))
		if !errors.Is(err, staff.ErrWrong) {
			return n
		}
	}
	return 40
}

// strangersAtTheOffice guess until nothing more is judged there.
func (h *house) strangersAtTheOffice() {
	h.t.Helper()
	if n := h.tries("nobody", "") + h.tries("anybody", ""); n != 10 {
		h.t.Fatalf("%d guesses were judged", n)
	}
}

// A keepsake is somebody's alone and tells nobody whose; it lasts a month from the
// last login, and a browser has room for those of a few.
func TestWhatAKeepsakeIs(t *testing.T) {
	h := newHouse(t, nil)
	for _, login := range []string{"maria", "joan", "anna", "olga"} {
		h.add(login, staff.Act)
	}
	kept := h.keepsake("maria", "")
	for _, one := range strings.Split(kept, ".") {
		if plain, err := base64.RawURLEncoding.DecodeString(one); err != nil || strings.Contains(string(plain)+kept, "maria") {
			t.Errorf("%q, %v", plain, err)
		}
	}
	h.strangersAtTheOffice()
	if n := h.tries("joan", kept); n != 0 {
		t.Errorf("another's keepsake: %d tries", n)
	}
	if n := h.tries("maria", kept[1:]+"."+strings.Repeat("x", 5000)); n != 0 {
		t.Errorf("a forged one: %d tries", n)
	}
	if n := h.tries("maria", kept); n != 5 {
		t.Errorf("her own: %d tries", n)
	}
	// Another login does not make another: its tries are used up.
	h.clock.add(time.Minute)
	again, err := h.Keepsake(staff.Session{Login: "maria"}, kept)
	if err != nil || again == kept {
		t.Fatal(err)
	}
	if n := h.tries("maria", again); n != 1 {
		t.Errorf("the same, renewed: %d tries", n)
	}
	h.clock.add(time.Hour)
	several := again
	for _, login := range []string{"joan", "anna"} {
		several = h.keepsake(login, several)
	}
	if n := h.tries("maria", several); n != 5 {
		t.Errorf("among others': %d tries", n)
	}
	h.clock.add(time.Hour)
	several = h.keepsake("olga", several)
	h.strangersAtTheOffice()
	if old, fresh := h.tries("maria", several), h.tries("olga", several); old != 0 || fresh != 5 {
		t.Errorf("a fourth person's puts the oldest out: %d and %d tries", old, fresh)
	}
	if len(several) > 1000 {
		t.Errorf("%d bytes for a cookie", len(several))
	}
	h.clock.add(31 * 24 * time.Hour)
	h.strangersAtTheOffice()
	if n := h.tries("olga", several); n != 0 {
		t.Errorf("after a month: %d tries", n)
	}
	h.settle()
}

// The way back from the issuer is free too for who took it before.
func TestAKeepsakeOfTheIssuers(t *testing.T) {
	f := newForge(t)
	h := f.house()
	_, s, err := f.login(h, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.kept, err = h.Keepsake(s, ""); err != nil {
		t.Fatal(err)
	}
	h.strangersAtTheOffice()
	var slow staff.ErrSlow
	if _, _, err := f.login(h, nil); err != nil {
		t.Errorf("with the keepsake: %v", err)
	}
	f.kept = ""
	if _, _, err := f.login(h, nil); !errors.As(err, &slow) {
		t.Errorf("the address is not slowed at all: %v", err)
	}
}

// In a flood of logins a few wait and the others are told so at once, before the
// bucket is asked for them; it is nobody's wrong try. Who was here before has a place.
func TestAFloodOfLogins(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	kept := h.keepsake("maria", "")
	hold, arrived := make(chan struct{}), make(chan struct{}, 100)
	h.bucket.Fault = func(_, key string) error {
		if strings.HasPrefix(key, "staff/flood") {
			arrived <- struct{}{}
			<-hold
		}
		if strings.HasPrefix(key, "staff/late") {
			t.Error("the bucket was asked for one too many")
		}
		return nil
	}
	var all sync.WaitGroup
	for n := range staff.StrangersMost {
		all.Go(func() {
			from := netip.AddrFrom4([4]byte{203, 0, 113, byte(n)})
			if err := third(h.Login(t.Context(), fmt.Sprintf("flood%d", n), secret, "", from)); !errors.Is(err, staff.ErrWrong) {
				t.Errorf("one who waited: %v", err)
			}
		})
	}
	for range staff.StrangersMost {
		<-arrived
	}
	for n := range 30 {
		if err := third(h.Login(t.Context(), fmt.Sprintf("late%d", n), secret, "", elsewhere)); !errors.Is(err, staff.ErrBusy) {
			t.Errorf("one too many: %v", err)
		}
	}
	if err := third(h.Desk.Login(t.Context(), "maria", secret, "", staff.Browser{From: office, Keepsake: kept})); err != nil {
		t.Errorf("who was here before: %v", err)
	}
	if err := h.Prove(t.Context(), "maria", secret, office); err != nil {
		t.Errorf("who is logged in: %v", err)
	}
	close(hold)
	all.Wait()
	if err := third(h.Login(t.Context(), "maria", secret, "", elsewhere)); err != nil {
		t.Errorf("a moment later: %v", err)
	}
	h.settle()
}
