package staff

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"segell/ledger"
)

var (
	// ErrWrong says that a login is not let in, and does not say why: there is no
	// such account, it is disabled, its password or code is another.
	ErrWrong = errors.New("the login, the password or the code is not right")
	// ErrCodeNeeded says that the password is right, and that a code of the second
	// factor is needed besides.
	ErrCodeNeeded = errors.New("a code of the second factor is needed")
)

// ErrSlow says that too many tries were wrong: the next one is judged after Wait.
// Find it with errors.As.
type ErrSlow struct{ Wait time.Duration }

// ErrBusy says that so many are logging in at this moment that one more cannot be
// judged: try again some seconds later.
var ErrBusy = errors.New("too many are logging in at this moment")

func (e ErrSlow) Error() string {
	return fmt.Sprintf("too many tries were wrong: the next is judged in %s", e.Wait.Round(time.Second))
}

// Login lets a person in by password and, if the account has a second factor, its
// code. cookie is the session's secret, for the browser alone. The error is
// ErrWrong, ErrCodeNeeded, an ErrSlow, ErrBusy, or why it cannot be judged now.
func (d *Desk) Login(ctx context.Context, login, password, code string, by Browser) (cookie string, s Session, err error) {
	login = tidyLogin(login)
	from, known := by.From, d.known(login, by.Keepsake)
	var a ledger.StaffAccount
	err = d.tried(login, known, from, func(t *try) error {
		if a, err = d.prove(ctx, login, password, known, from); err != nil {
			return err
		}
		if a.Disabled {
			d.refused(ctx, login, from, "the account is disabled")
			return ErrWrong
		}
		a, err = d.admit(ctx, t, a, code, from)
		return err
	})
	if err != nil {
		return "", Session{}, err
	}
	cookie, s, err = d.begin(ctx, a, from, false)
	if err == nil {
		d.logins.WithLabelValues(resultIn).Inc()
	}
	return cookie, s, err
}

// Prove checks the password of a person who is logged in once more, before what
// only they may do. The errors are those of Login.
func (d *Desk) Prove(ctx context.Context, login, password string, from netip.Addr) error {
	known := inSession(login)
	return d.tried(login, known, from, func(*try) error {
		_, err := d.prove(ctx, login, password, known, from)
		return err
	})
}

// tried judges a try unless it must wait, and counts what became of it.
func (d *Desk) tried(login, known string, from netip.Addr, judge func(*try) error) error {
	t, wait := d.slow.begin(login, known, from, d.Now())
	err := error(ErrSlow{wait})
	if wait == 0 {
		err = judge(t)
	}
	var slow ErrSlow
	switch {
	case err == nil:
		t.back()
	case errors.Is(err, ErrWrong):
		d.logins.WithLabelValues(resultWrong).Inc()
	case errors.As(err, &slow):
		d.logins.WithLabelValues(resultSlow).Inc()
		t.back()
	case errors.Is(err, ErrBusy):
		d.logins.WithLabelValues(resultBusy).Inc()
		t.back()
	case errors.Is(err, ErrCodeNeeded):
		d.logins.WithLabelValues(resultCodeNeeded).Inc()
		t.back()
	default: // nobody is to blame
		t.back()
	}
	return err
}

// tidyLogin is a login as it was meant. It is cut to what could be one, so that
// nothing long is remembered.
func tidyLogin(typed string) string {
	typed = strings.ToLower(strings.TrimSpace(typed))
	return typed[:min(len(typed), 64)]
}

// prove returns the account of a login if the password is its. Whether there is
// one, whether it has a password: it costs one reading and one hash. It is ErrBusy
// before the reading.
func (d *Desk) prove(ctx context.Context, login, password, keepsake string, from netip.Addr) (ledger.StaffAccount, error) {
	oven := d.kiln.oven(keepsake != "")
	leave, err := oven.queue()
	if err != nil {
		return ledger.StaffAccount{}, err
	}
	defer leave()
	a, err := d.Ledger.Staff(ctx, login)
	known := err == nil
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return a, err
	}
	right, err := d.kiln.right(ctx, oven, a.Password, password)
	switch {
	case err != nil:
		return a, err
	case right && known:
		return a, nil
	case known:
		d.refused(ctx, login, from, "wrong password")
	}
	return a, ErrWrong
}

// admit judges the second factor of an account whose password is right, and notes
// the login in the account. A code is used up by it, in every process.
func (d *Desk) admit(ctx context.Context, t *try, proved ledger.StaffAccount, code string, from netip.Addr) (ledger.StaffAccount, error) {
	now := d.Now()
	var step int64
	if proved.TOTP {
		var err error
		if digits(code) != "" {
			if wait := t.code(now); wait > 0 {
				return proved, ErrSlow{wait}
			}
		}
		if step, err = d.factor(ctx, proved, code, now); err != nil {
			if errors.Is(err, ErrWrong) {
				d.refused(ctx, proved.Login, from, "wrong code of the second factor")
			}
			return proved, err
		}
	}
	return d.Ledger.ChangeStaff(ctx, proved.Login, func(a *ledger.StaffAccount) error {
		// Judged again: it may have been changed since it was read.
		if a.Disabled || a.Password != proved.Password || a.TOTP != proved.TOTP || a.TOTP && a.TOTPStep >= step {
			return ErrWrong
		}
		a.LastLogin = now.UTC().Truncate(time.Second)
		if a.TOTP {
			a.TOTPStep = step
		}
		return nil
	})
}
