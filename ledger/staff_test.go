package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/ledger"
	"segell/storage"
)

func account(login string) ledger.StaffAccount {
	return ledger.StaffAccount{Login: login, Name: "Maria Puig", Roles: []string{"act"}, Password: "$argon2id$" + login, CreatedAt: noon}
}

func TestLogins(t *testing.T) {
	for login, good := range map[string]bool{
		"maria": true, "maria.puig": true, "m-puig_2": true, "ab": true, strings.Repeat("a", 40): true,
		"": false, "a": false, "Maria": false, "2maria": false, ".maria": false, "maria.": false, "maria..puig": false, "maria/puig": false, "maria puig": false, "maria@cass.example": false,
		"m\u00e0ria": false, "maria\n": false, strings.Repeat("a", 41): false, "cass.123456a": false, "nif-1234567": false,
	} {
		if err := ledger.CheckStaffLogin(login); (err == nil) != good || err != nil && !errors.Is(err, ledger.ErrStaffLogin) {
			t.Errorf("%q: %v", login, err)
		}
		// What may be a login may stand in the audit trail.
		if good {
			s := newSetting(t)
			if err := s.Audit(t.Context(), ledger.AuditEntry{Who: login, What: "staff.login", ID: "staff:" + login}); err != nil {
				t.Errorf("%q: %v", login, err)
			}
		}
	}
}

func TestAccountsOfStaff(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	if err := s.AddStaff(ctx, account("maria")); err != nil {
		t.Fatal(err)
	}
	if err := s.AddStaff(ctx, account("joan")); err != nil {
		t.Fatal(err)
	}
	another := account("maria")
	another.Password = "another"
	if err := s.AddStaff(ctx, another); !errors.Is(err, ledger.ErrStaffExists) {
		t.Errorf("a second of the same login: %v", err)
	}
	if err := s.AddStaff(ctx, account("../maria")); !errors.Is(err, ledger.ErrStaffLogin) {
		t.Errorf("a login that is a path: %v", err)
	}
	if a, err := s.Staff(ctx, "maria"); err != nil || a.Password != "$argon2id$maria" || a.Name != "Maria Puig" {
		t.Errorf("%+v, %v", a, err)
	}
	for _, login := range []string{"nobody", "", "../staff/maria", "maria/"} {
		if _, err := s.Staff(ctx, login); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%q: %v", login, err)
		}
		if _, err := s.ChangeStaff(ctx, login, func(*ledger.StaffAccount) error { t.Error("changed"); return nil }); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%q: %v", login, err)
		}
	}
	// A damaged one does not hide the others, and one copied to another place is nobody's.
	object, err := s.bucket.Get(ctx, "staff/maria")
	if err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string]string{"staff/anna": string(object.Body), "staff/damaged": "{"} {
		if _, err := s.bucket.Write(ctx, key, []byte(body), storage.Put{}); err != nil {
			t.Fatal(err)
		}
	}
	good, damaged := 0, 0
	for _, err := range s.AllStaff(ctx) {
		switch {
		case errors.Is(err, ledger.ErrDamaged):
			damaged++
		case err != nil:
			t.Fatal(err)
		default:
			good++
		}
	}
	if good != 2 || damaged != 2 {
		t.Errorf("%d accounts and %d damaged", good, damaged)
	}
}

// Changes by many processes at once are all kept; one that is refused writes
// nothing; and one whose reply is lost is said to have been done once it is.
func TestAccountsChangeUnderRaces(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	if err := s.AddStaff(ctx, account("maria")); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		other := open(t, s.config)
		all.Go(func() {
			_, err := other.ChangeStaff(ctx, "maria", func(a *ledger.StaffAccount) error { a.Epoch++; return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	no := errors.New("no")
	if _, err := s.ChangeStaff(ctx, "maria", func(a *ledger.StaffAccount) error { a.Epoch = 100; return no }); err != no {
		t.Errorf("refused: %v", err)
	}
	if a, err := s.Staff(ctx, "maria"); err != nil || a.Epoch != 8 {
		t.Errorf("%+v, %v", a, err)
	}
	lost := true
	s.bucket.After = func(op, key string) error {
		if (op == "replace" || op == "create") && lost {
			lost = false
			return fmt.Errorf("%w: after a lost reply", map[string]error{"replace": storage.ErrChanged, "create": storage.ErrExists}[op])
		}
		return nil
	}
	if a, err := s.ChangeStaff(ctx, "maria", func(a *ledger.StaffAccount) error { a.Name = "Maria Riba"; return nil }); err != nil || a.Name != "Maria Riba" {
		t.Errorf("%+v, %v", a, err)
	}
	lost = true
	if err := s.AddStaff(ctx, account("joan")); err != nil {
		t.Errorf("our own account after a lost reply: %v", err)
	}
}

// The secret of a second factor lies encrypted, for its login alone, and a
// rotation of the keys takes it along.
func TestSecondFactorsOfStaff(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	before, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	added, _, err := ledger.AddKey(before)
	if err != nil {
		t.Fatal(err)
	}
	promoted, _, err := ledger.PromoteKey(added)
	if err != nil {
		t.Fatal(err)
	}
	rotated := s.config
	if s.config.Keyset, err = ledger.ReadKeyset(before); err != nil {
		t.Fatal(err)
	}
	if rotated.Keyset, err = ledger.ReadKeyset(promoted); err != nil {
		t.Fatal(err)
	}
	s.Ledger = open(t, s.config)
	if err := s.KeepStaffTOTP(ctx, "maria", []byte("a secret of twenty b")); err != nil {
		t.Fatal(err)
	}
	object, err := s.bucket.Get(ctx, "staff-totp/maria")
	if err != nil || strings.Contains(string(object.Body), "secret") {
		t.Errorf("in the bucket: %q, %v", object.Body, err)
	}
	if _, err := s.bucket.Write(ctx, "staff-totp/joan", object.Body, storage.Put{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.StaffTOTP(ctx, "joan"); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("copied to another login: %v", err)
	}
	if err := s.DropStaffTOTP(ctx, "joan"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.StaffTOTP(ctx, "joan"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("dropped: %v", err)
	}
	next := open(t, rotated)
	if use, err := next.KeyUse(ctx); err != nil || len(use) != 2 {
		t.Errorf("%v, %v", use, err)
	}
	if n, err := next.Reencrypt(ctx); err != nil || n != 1 {
		t.Errorf("encrypted again: %d, %v", n, err)
	}
	if secret, err := next.StaffTOTP(ctx, "maria"); err != nil || string(secret) != "a secret of twenty b" {
		t.Errorf("%q, %v", secret, err)
	}
	if _, err := s.StaffTOTP(ctx, "maria"); !errors.Is(err, ledger.ErrKeyUnknown) {
		t.Errorf("with the old keys alone: %v", err)
	}
}

// A session is found by its cookie alone; what the bucket shows opens nothing.
func TestSessionsOfStaff(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	const cookie = "a cookie of many bits"
	if err := s.BeginStaffSession(ctx, cookie, ledger.StaffSession{Login: "maria", Begun: noon, Seen: noon, From: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	key := keys(t, s.bucket, "sessions/")[0]
	if strings.Contains(key, "cookie") || len(key) != len("sessions/v1/")+64 {
		t.Errorf("it lies at %s", key)
	}
	if _, err := s.StaffSession(ctx, strings.TrimPrefix(key, "sessions/v1/")); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("what the bucket shows is a cookie: %v", err)
	}
	session, err := s.StaffSession(ctx, cookie)
	if err != nil || session.Login != "maria" || !session.Seen.Equal(noon) {
		t.Fatalf("%+v, %v", session, err)
	}
	if err := s.SeeStaffSession(ctx, session, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if seen, err := s.StaffSession(ctx, cookie); err != nil || !seen.Seen.Equal(noon.Add(time.Minute)) {
		t.Errorf("%+v, %v", seen, err)
	}
	// Another page noted it first: no fault. It was ended meanwhile: it stays so.
	if err := s.SeeStaffSession(ctx, session, noon.Add(time.Hour)); err != nil {
		t.Errorf("noted by another: %v", err)
	}
	session, _ = s.StaffSession(ctx, cookie)
	for range 2 {
		if err := s.EndStaffSession(ctx, ledger.StaffSessionID(cookie)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SeeStaffSession(ctx, session, noon.Add(time.Hour)); err != nil {
		t.Errorf("ended meanwhile: %v", err)
	}
	if left := keys(t, s.bucket, "sessions/"); len(left) > 0 {
		t.Errorf("it came back: %v", left)
	}
}

func TestTokensOfStaff(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	keep := func(bearer, login string, life time.Duration) ledger.StaffToken {
		t.Helper()
		kept, err := s.KeepStaffToken(ctx, bearer, ledger.StaffToken{Login: login, Name: bearer + "'s", Roles: []string{"look"}, CreatedAt: noon.Add(-life), ExpiresAt: noon.Add(life)})
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	first, second, other := keep("first", "maria", time.Hour), keep("second", "maria", 2*time.Hour), keep("third", "joan", time.Hour)
	if got, err := s.StaffToken(ctx, "first"); err != nil || got.ID != first.ID || got.Login != "maria" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, none := range []string{"", "fourth", first.ID} {
		if _, err := s.StaffToken(ctx, none); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%q: %v", none, err)
		}
	}
	if all, err := s.StaffTokens(ctx, "maria"); err != nil || len(all) != 2 || all[0].ID != second.ID || all[1].ID != first.ID {
		t.Errorf("oldest first: %+v, %v", all, err)
	}
	for what, c := range map[string][2]string{"another's": {"maria", other.ID}, "nobody's": {"nobody", first.ID}, "none": {"maria", ""}, "all": {"maria", "----"}, "part of one": {"maria", first.ID[:9]}} {
		if err := s.RevokeStaffToken(ctx, c[0], c[1]); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.RevokeStaffToken(ctx, "maria", first.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.StaffToken(ctx, "first"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("revoked: %v", err)
	}
	if n, err := s.SweepStaffTokens(ctx, noon.Add(90*time.Minute)); err != nil || n != 1 {
		t.Errorf("swept: %d, %v", n, err)
	}
	if left := keys(t, s.bucket, "staff-tokens/"); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

// A person of an issuer is bound to the login that claimed them first, until they are
// released; the key tells neither who nor where.
func TestSubjectsOfAnIssuer(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	claim := func(issuer, subject, login, want string) {
		t.Helper()
		if bound, err := s.ClaimStaffSubject(ctx, issuer, subject, login); err != nil || bound != want {
			t.Errorf("%s of %s is bound to %q, %v", subject, issuer, bound, err)
		}
	}
	if _, err := s.StaffSubject(ctx, "https://a.example", "1"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("nobody claimed: %v", err)
	}
	claim("https://a.example", "1", "maria", "maria")
	claim("https://a.example", "1", "zoe", "maria")
	claim("https://a.example", "1", "maria", "maria")
	claim("https://b.example", "1", "joan", "joan")
	claim("https://a.example/", "1", "anna", "anna")
	if _, err := s.ClaimStaffSubject(ctx, "https://a.example", "2", "../maria"); !errors.Is(err, ledger.ErrStaffLogin) {
		t.Errorf("a login that is a path: %v", err)
	}
	for _, key := range keys(t, s.bucket, "staff-subject/") {
		if len(key) != len("staff-subject/v1/")+64 || strings.Contains(key, "example") {
			t.Errorf("the key %s", key)
		}
	}
	for range 2 {
		if err := s.ReleaseStaffSubject(ctx, "https://a.example", "1"); err != nil {
			t.Fatal(err)
		}
	}
	claim("https://a.example", "1", "zoe", "zoe")
	if n := len(keys(t, s.bucket, "staff/")); n != 0 {
		t.Errorf("%d accounts", n)
	}
}
