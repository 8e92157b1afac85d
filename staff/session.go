package staff

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"segell/ledger"
)

// ErrNoSession says that a cookie or token opens nothing, or nothing any more.
var ErrNoSession = errors.New("there is no such session, or it has ended")

// Session is somebody who is logged in, or a program with a token of theirs.
type Session struct {
	Login      string
	Name       string // of the person, as shown
	Roles      []Role
	Language   string // empty: the browser's
	Begun      time.Time
	Ends       time.Time // unless it is used before; of a token, its end
	CSRF       string    // must come with every form of this session; of a token empty
	From       string    // address of the login
	External   bool      // an issuer vouches for the person: no password or second factor to change here
	MustEnroll bool      // nothing is allowed before a second factor is set up
}

// May reports whether somebody may do what needs a role.
func (s Session) May(r Role) bool {
	if s.MustEnroll {
		return false
	}
	return slices.Contains(s.Roles, r) || r == Look && len(s.Roles) > 0
}

// ValidCSRF reports whether a form is of this session.
func (s Session) ValidCSRF(token string) bool {
	return s.CSRF != "" && subtle.ConstantTimeCompare([]byte(s.CSRF), []byte(token)) == 1
}

const (
	cookieBytes   = 32 // of a session's secret
	sessionsMost  = 20 // of one account at a time: another one ends the oldest
	cookiePurpose = "staff session"
)

// drawCookie draws the secret of a session. It is encrypted, so that what is no
// cookie of ours is known without asking the bucket.
func (d *Desk) drawCookie() (string, error) {
	bits := make([]byte, cookieBytes)
	if _, err := io.ReadFull(d.Random, bits); err != nil {
		return "", fmt.Errorf("drawing a session: %w", err)
	}
	return d.Ledger.Refer(cookiePurpose, "", bits)
}

// begin begins a session of an account, with a cookie that was never used before.
func (d *Desk) begin(ctx context.Context, a ledger.StaffAccount, from netip.Addr, issued bool) (cookie string, s Session, err error) {
	how := "password"
	switch {
	case issued:
		how = "issuer"
	case a.TOTP:
		how = "password and code"
	}
	if err := d.wrote(ctx, Actor{Who: a.Login, From: addressText(from)}, "staff.login", a.Login, how); err != nil {
		return "", Session{}, err
	}
	if cookie, err = d.drawCookie(); err != nil {
		return "", Session{}, err
	}
	now := d.Now().UTC()
	if err := d.makeRoom(ctx, a.Login, ledger.StaffLogin{ID: ledger.StaffSessionID(cookie), Begun: now}); err != nil {
		return "", Session{}, err
	}
	kept := ledger.StaffSession{Login: a.Login, Epoch: a.Epoch, Begun: now, Seen: now, From: addressText(from), Issued: issued}
	if err := d.Ledger.BeginStaffSession(ctx, cookie, kept); err != nil {
		return "", Session{}, err
	}
	return cookie, d.describe(a, kept, cookie), nil
}

// makeRoom notes a session in its account, and ends the oldest that are too many.
func (d *Desk) makeRoom(ctx context.Context, login string, fresh ledger.StaffLogin) error {
	var over []ledger.StaffLogin
	_, err := d.Ledger.ChangeStaff(ctx, login, func(a *ledger.StaffAccount) error {
		a.Sessions = append(slices.DeleteFunc(a.Sessions, func(s ledger.StaffLogin) bool { return fresh.Begun.Sub(s.Begun) > d.Most }), fresh)
		n := max(0, len(a.Sessions)-sessionsMost)
		over, a.Sessions = a.Sessions[:n], a.Sessions[n:]
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range over {
		if err := d.Ledger.EndStaffSession(ctx, s.ID); err != nil {
			return err
		}
	}
	return nil
}

func (d *Desk) describe(a ledger.StaffAccount, kept ledger.StaffSession, cookie string) Session {
	return Session{Login: a.Login, Name: a.Name, Roles: rolesOf(a.Roles), Language: a.Language, Begun: kept.Begun, Ends: d.ends(kept),
		CSRF: csrf(cookie), From: kept.From, External: a.Issuer != "", MustEnroll: d.mustEnroll(a)}
}

func (d *Desk) mustEnroll(a ledger.StaffAccount) bool {
	return d.RequireTOTP && a.Issuer == "" && !a.TOTP
}

// ends is when a session ends unless it is used before.
func (d *Desk) ends(kept ledger.StaffSession) time.Time {
	idle, most := kept.Seen.Add(d.Idle), kept.Begun.Add(d.Most)
	if most.Before(idle) {
		return most
	}
	return idle
}

// csrf is derived from the cookie, which no other site knows, and does not tell it.
func csrf(cookie string) string {
	h := hmac.New(sha256.New, []byte(cookie))
	io.WriteString(h, "segell console form")
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Session returns the session of a cookie and notes that it is used: ErrNoSession
// if it has ended, because it was not used, lasted its time, was ended, or the
// account was disabled, or its password or second factor changed. Roles are those
// that the account has now.
func (d *Desk) Session(ctx context.Context, cookie string) (Session, error) {
	return d.session(ctx, cookie, true)
}

// Peek is Session for what a page does by itself, such as asking for news: it
// does not keep the session of somebody who left from ending.
func (d *Desk) Peek(ctx context.Context, cookie string) (Session, error) {
	return d.session(ctx, cookie, false)
}

func (d *Desk) session(ctx context.Context, cookie string, used bool) (Session, error) {
	var bits []byte
	if d.Ledger.Resolve(cookiePurpose, "", cookie, &bits) != nil || len(bits) != cookieBytes {
		return Session{}, ErrNoSession
	}
	kept, err := d.Ledger.StaffSession(ctx, cookie)
	if err != nil {
		return Session{}, noSession(err)
	}
	now := d.Now().UTC()
	if !now.Before(d.ends(kept)) {
		return Session{}, ErrNoSession
	}
	a, err := d.Ledger.Staff(ctx, kept.Login)
	if err != nil {
		return Session{}, noSession(err)
	}
	if a.Disabled || a.Epoch != kept.Epoch {
		return Session{}, ErrNoSession
	}
	if used && now.Sub(kept.Seen) >= d.seenEvery() {
		if err := d.Ledger.SeeStaffSession(ctx, kept, now); err != nil {
			d.Log.Warn("the use of a session is not noted: it may end early", "login", a.Login, "why", err)
		}
		kept.Seen = now
	}
	return d.describe(a, kept, cookie), nil
}

// seenEvery is how often the use of a session is noted. A session that ends idle
// does so by as much too early, never too late.
func (d *Desk) seenEvery() time.Duration { return d.Idle / 30 }

func noSession(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return ErrNoSession
	}
	return err
}

// End ends a session (logout). One that has ended already is no fault.
func (d *Desk) End(ctx context.Context, cookie string) error {
	s, err := d.Peek(ctx, cookie)
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.wrote(ctx, Actor{Who: s.Login, From: s.From}, "staff.logout", s.Login, ""); err != nil {
		return err
	}
	id := ledger.StaffSessionID(cookie)
	if err := d.Ledger.EndStaffSession(ctx, id); err != nil {
		return err
	}
	return d.change(ctx, s.Login, func(a *ledger.StaffAccount) error {
		a.Sessions = slices.DeleteFunc(a.Sessions, func(s ledger.StaffLogin) bool { return s.ID == id })
		return nil
	})
}

// EndAll ends every session and token of an account, wherever it was begun.
func (d *Desk) EndAll(ctx context.Context, by Actor, login string) error {
	if _, err := d.account(ctx, login); err != nil {
		return err
	}
	if err := d.wrote(ctx, by, "staff.sessions_end", login, ""); err != nil {
		return err
	}
	return d.change(ctx, login, func(a *ledger.StaffAccount) error {
		a.EndAll()
		return nil
	})
}
