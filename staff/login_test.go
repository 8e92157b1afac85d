package staff_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segell/staff"
)

// All that is wrong is wrong alike, and in the trail only where there is an
// account.
func TestWrongLogins(t *testing.T) {
	h := newHouse(t, nil)
	ctx := t.Context()
	h.add("maria", staff.Act)
	h.add("joan", staff.Look)
	if err := h.Disable(ctx, operator, "joan"); err != nil {
		t.Fatal(err)
	}
	for what, try := range map[string][2]string{
		"a wrong password": {"maria", "quatre cavalls verds"}, "no password": {"maria", ""}, "another's case": {"maria", strings.ToUpper(secret)},
		"an endless password": {"maria", strings.Repeat(secret, 1000)}, "nobody": {"nobody", secret}, "no login": {"", secret},
		"no login at all": {"../staff/maria", secret}, "a disabled account": {"joan", secret}, "an object's name": {"maria\x00", secret},
	} {
		cookie, s, err := h.Login(ctx, try[0], try[1], "", netip.AddrFrom4([4]byte{198, 51, 100, byte(len(what))}))
		if !errors.Is(err, staff.ErrWrong) || err.Error() != staff.ErrWrong.Error() || cookie != "" || s.Login != "" {
			t.Errorf("%s: %q, %+v, %v", what, cookie, s, err)
		}
		h.clock.add(time.Hour)
	}
	h.in("maria", secret, "")
	acts := h.acts()
	want := map[string]int{"staff.refused maria wrong password": 4, "staff.refused joan the account is disabled": 1, "staff.login maria password": 1}
	for act, n := range want {
		if got := len(slices.DeleteFunc(slices.Clone(acts), func(s string) bool { return s != act })); got != n {
			t.Errorf("%d times in the trail: %s", got, act)
		}
	}
	if len(acts) != 3+4+1+1 {
		t.Errorf("the trail: %q", acts)
	}
}

// What happens until a wrong login is answered is the same whether there is an
// account or not: the same readings and one hash, and what tells the trail of it
// comes after the answer.
func TestNobodyLearnsWhichLoginsExist(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	h.add("disabled", staff.Act)
	if err := h.Disable(t.Context(), operator, "disabled"); err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	var mu sync.Mutex
	var ops []string
	h.bucket.Fault = func(op, key string) error {
		if strings.HasPrefix(key, "audit/") {
			<-hold // the trail does not answer, and nobody waits for it
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		ops = append(ops, op+" "+key[:strings.IndexByte(key, '/')])
		return nil
	}
	steps := map[string]string{}
	hashes := map[string]int64{}
	for _, login := range []string{"maria", "nobody", "disabled"} {
		ops = nil
		before := staff.Hashes()
		if err := third(h.Login(t.Context(), login, "not the password", "123456", office)); !errors.Is(err, staff.ErrWrong) {
			t.Errorf("%s: %v", login, err)
		}
		mu.Lock()
		steps[login] = fmt.Sprint(ops)
		mu.Unlock()
		hashes[login] = staff.Hashes() - before
	}
	close(hold)
	for login, taken := range steps {
		if taken != "[get staff]" || hashes[login] != 1 {
			t.Errorf("%s: %s and %d hashes", login, taken, hashes[login])
		}
	}
	h.settle()
}

// Twenty wrong passwords take minutes, however they are tried; a right one from
// another address does not wait for long.
func TestWrongPasswordsAreSlowed(t *testing.T) {
	registry := prometheus.NewRegistry()
	h := newHouse(t, func(c *staff.Config) { c.Metrics = registry })
	h.add("maria", staff.Act)
	h.add("joan", staff.Act)
	began := h.clock.now()
	for n := range 20 {
		err := h.patient("maria", "wrong password "+fmt.Sprint(n), office)
		if !errors.Is(err, staff.ErrWrong) {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	if took := h.clock.now().Sub(began); took < 4*time.Minute || took > 20*time.Minute {
		t.Errorf("20 wrong passwords took %v", took)
	}
	// From elsewhere the right one is judged within half a minute, and another login from there at once.
	if err := third(h.Login(t.Context(), "joan", secret, "", elsewhere)); err != nil {
		t.Errorf("another login, elsewhere: %v", err)
	}
	began = h.clock.now()
	if err := h.patient("maria", secret, elsewhere); err != nil || h.clock.now().Sub(began) > 30*time.Second {
		t.Errorf("the right password, elsewhere: after %v %v", h.clock.now().Sub(began), err)
	}
	// And also where the wrong ones came from, somewhat later.
	began = h.clock.now()
	if err := h.patient("maria", secret, office); err != nil || h.clock.now().Sub(began) > time.Minute {
		t.Errorf("the right password, there: after %v %v", h.clock.now().Sub(began), err)
	}
	for result, want := range map[string]float64{"in": 3, "wrong": 20, "slow": 17, "code_needed": 0, "issuer_in": 0} {
		if got := counted(t, registry, result); got != want {
			t.Errorf("the metric counts %v %s, want %v", got, result, want)
		}
	}
}

// counted is segell_staff_logins_total of a result; -1 if there is none.
func counted(t *testing.T, registry *prometheus.Registry, result string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "segell_staff_logins_total" && metric.GetLabel()[0].GetValue() == result {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return -1
}

// patient tries and waits as long as it is told.
func (h *house) patient(login, password string, from netip.Addr) error {
	for {
		err := third(h.Login(h.t.Context(), login, password, "", from))
		var slow staff.ErrSlow
		if !errors.As(err, &slow) {
			return err
		}
		if slow.Wait <= 0 {
			h.t.Fatalf("told to wait %v", slow.Wait)
		}
		h.clock.add(slow.Wait)
	}
}

// From many addresses at once, one login; many logins from one address; and all at
// the same moment: a few are judged.
func TestWrongPasswordsAtTheSameMoment(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	kept := h.keepsake("maria", "")
	for what, try := range map[string]func(int) (string, netip.Addr){
		"one login from everywhere": func(n int) (string, netip.Addr) { return "maria", netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}) },
		"every login from one place": func(n int) (string, netip.Addr) {
			return fmt.Sprintf("login%d", n), netip.MustParseAddr(fmt.Sprintf("2001:db8:1:1::%d", n+1)) // a subscriber has all of these
		},
	} {
		var judged atomic.Int64
		var all sync.WaitGroup
		for n := range 40 {
			all.Go(func() {
				login, from := try(n)
				err := third(h.Login(t.Context(), login, "wrong password", "", from))
				var slow staff.ErrSlow
				switch {
				case errors.Is(err, staff.ErrWrong):
					judged.Add(1)
				case !errors.As(err, &slow):
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		all.Wait()
		if n := judged.Load(); n < 5 || n > 10 {
			t.Errorf("%s: %d of 40 were judged", what, n)
		}
	}
	// Who got in with a browser before is not locked out by it.
	if err := third(h.Desk.Login(t.Context(), "maria", secret, "", staff.Browser{From: office, Keepsake: kept})); err != nil {
		t.Error(err)
	}
}

// What keeps a login from being judged is nobody's wrong try.
func TestAnOutageIsNoWrongTry(t *testing.T) {
	h := newHouse(t, nil)
	h.add("maria", staff.Act)
	away := errors.New("away")
	h.bucket.Fault = func(string, string) error { return away }
	for range 30 {
		if err := third(h.Login(t.Context(), "maria", secret, "", office)); !errors.Is(err, away) {
			t.Fatalf("%v", err)
		}
	}
	h.bucket.Fault = nil
	h.in("maria", secret, "")
}

// Nothing that proves anybody is in the log, the trail, an error or the bucket.
func TestNothingSecretIsLeft(t *testing.T) {
	h := newHouse(t, nil)
	ctx := t.Context()
	var secrets []string
	var errs []error
	keep := func(secret string) string { secrets = append(secrets, secret); return secret }
	check := func(err error) { errs = append(errs, err) }

	drawn, err := h.Add(ctx, operator, staff.Account{Login: "maria", Name: "Maria", Roles: []staff.Role{staff.Act}}, "")
	if err != nil {
		t.Fatal(err)
	}
	cookie, _ := h.in("maria", keep(drawn), "")
	enrolment := h.enrol("maria")
	keep(enrolment.Secret)
	check(third(h.Login(ctx, "maria", keep("wrong canary password"), "", office)))
	check(third(h.Login(ctx, "maria", drawn, keep("000111"), office)))
	bearer, _, err := h.NewToken(ctx, operator, "maria", "canary token", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	keep(cookie)
	keep(bearer)
	check(second(h.Session(ctx, keep("A"+cookie[1:]))))
	check(second(h.Token(ctx, keep("segell_staff_"+strings.Repeat("z", 32)))))
	fresh, _, err := h.ChangePassword(ctx, "maria", drawn, keep("cinc gossos i un gat"), office)
	check(err)
	keep(fresh)
	_, err = h.SetPassword(ctx, operator, "maria", keep("curta canar"))
	check(err)
	check(h.End(ctx, fresh))
	h.settle()

	text := h.log.String() + strings.Join(h.acts(), "\n") + errors.Join(errs...).Error()
	for info, err := range h.bucket.List(ctx, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		object, err := h.bucket.Get(ctx, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		text += info.Key + string(object.Body)
	}
	for i, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("secret %d (%q) is left somewhere", i, secret)
		}
	}
	if !strings.Contains(text, "canary token") || !strings.Contains(text, "argon2id") {
		t.Error("the test does not look where it should")
	}
}
