package staff

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"segell/ledger"
)

var (
	// ErrNotFound says that there is no account of a login.
	ErrNotFound = errors.New("there is no account of this login")
	// ErrExists says that there is an account of a login already.
	ErrExists = ledger.ErrStaffExists
	// ErrLogin says what a login may be.
	ErrLogin = ledger.ErrStaffLogin
	// ErrAccount says that an account cannot be as it was asked for; what wraps it
	// says why.
	ErrAccount = errors.New("the account cannot be so")
	// ErrExternal says that the issuer keeps what should be changed of an account.
	ErrExternal = errors.New("the person logs in at the issuer, which keeps password, second factor and roles")
)

// Account is a member of staff, without what proves them.
type Account struct {
	Login     string    `json:"login"`
	Name      string    `json:"name"`
	Roles     []Role    `json:"roles"`
	Language  string    `json:"language,omitempty"` // of the console, such as ca; empty: the browser's
	Disabled  bool      `json:"disabled"`
	HasTOTP   bool      `json:"totp"`
	External  bool      `json:"external"` // the issuer vouches for the person
	CreatedAt time.Time `json:"created_at"`
	LastLogin time.Time `json:"last_login,omitzero"`
}

func accountOf(a ledger.StaffAccount) Account {
	return Account{Login: a.Login, Name: a.Name, Roles: rolesOf(a.Roles), Language: a.Language, Disabled: a.Disabled, HasTOTP: a.TOTP,
		External: a.Issuer != "", CreatedAt: a.CreatedAt, LastLogin: a.LastLogin}
}

// rolesOf are the roles that we know of those that are kept.
func rolesOf(names []string) []Role {
	roles := []Role{}
	for _, role := range Roles() {
		if slices.Contains(names, string(role)) {
			roles = append(roles, role)
		}
	}
	return roles
}

func roleNames(roles []Role) []string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return names
}

// checkRoles refuses roles that there are not, and none.
func checkRoles(roles []Role) error {
	for _, role := range roles {
		if !slices.Contains(Roles(), role) {
			return fmt.Errorf("%w: there is no role %q: they are %s", ErrAccount, role, strings.Join(roleNames(Roles()), ", "))
		}
	}
	if len(roles) == 0 {
		return fmt.Errorf("%w: it needs a role: %s", ErrAccount, strings.Join(roleNames(Roles()), ", "))
	}
	return nil
}

const nameMost = 100 // characters

func checkName(name string) error {
	if name == "" || len([]rune(name)) > nameMost || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%w: the person's name has 1 to %d characters", ErrAccount, nameMost)
	}
	return nil
}

var languageTag = regexp.MustCompile(`^([a-z]{2}(-[A-Z]{2})?)?$`)

func checkLanguage(tag string) error {
	if !languageTag.MatchString(tag) {
		return fmt.Errorf("%w: a language is a tag such as ca or pt-PT", ErrAccount)
	}
	return nil
}

// Add makes a local account of a.Login, Name, Roles and Language. If password is
// empty one is drawn and returned; it is kept nowhere. The error may be ErrLogin,
// ErrExists, ErrPassword or ErrAccount.
func (d *Desk) Add(ctx context.Context, by Actor, a Account, password string) (drawn string, err error) {
	a.Name = strings.TrimSpace(a.Name)
	for _, err := range []error{ledger.CheckStaffLogin(a.Login), checkName(a.Name), checkRoles(a.Roles), checkLanguage(a.Language)} {
		if err != nil {
			return "", err
		}
	}
	if _, err := d.account(ctx, a.Login); !errors.Is(err, ErrNotFound) {
		if err == nil {
			err = ErrExists
		}
		return "", err
	}
	drawn, hash, err := d.newPassword(ctx, a.Login, password)
	if err != nil {
		return "", err
	}
	roles := roleNames(rolesOf(roleNames(a.Roles)))
	if err := d.wrote(ctx, by, "staff.add", a.Login, "roles: "+strings.Join(roles, ", ")); err != nil {
		return "", err
	}
	err = d.Ledger.AddStaff(ctx, ledger.StaffAccount{Login: a.Login, Name: a.Name, Roles: roles, Language: a.Language, Password: hash, CreatedAt: d.Now().UTC().Truncate(time.Second)})
	return drawn, err
}

// newPassword judges and hashes a password, or draws one.
func (d *Desk) newPassword(ctx context.Context, login, password string) (drawn, hash string, err error) {
	if password == "" {
		if drawn, err = drawPassword(d.Random); err != nil {
			return "", "", err
		}
		password = drawn
	}
	if err := checkPassword(login, password); err != nil {
		return "", "", err
	}
	hash, err = d.kiln.hash(ctx, password)
	return drawn, hash, err
}

// SetPassword gives a local account another password and ends its sessions and its
// tokens. If password is empty one is drawn and returned.
func (d *Desk) SetPassword(ctx context.Context, by Actor, login, password string) (drawn string, err error) {
	drawn, _, err = d.setPassword(ctx, by, login, password)
	return drawn, err
}

func (d *Desk) setPassword(ctx context.Context, by Actor, login, password string) (drawn string, changed ledger.StaffAccount, err error) {
	if _, err := d.local(ctx, login); err != nil {
		return "", changed, err
	}
	drawn, hash, err := d.newPassword(ctx, login, password)
	if err != nil {
		return "", changed, err
	}
	if err := d.wrote(ctx, by, "staff.password", login, ""); err != nil {
		return "", changed, err
	}
	changed, err = d.Ledger.ChangeStaff(ctx, login, func(a *ledger.StaffAccount) error {
		a.Password = hash
		a.EndAll()
		return nil
	})
	return drawn, changed, err
}

// ChangePassword is for somebody who is logged in: the old password is judged as
// Login judges it. All of their sessions and tokens end, and a fresh session
// begins.
func (d *Desk) ChangePassword(ctx context.Context, login, old, password string, from netip.Addr) (cookie string, s Session, err error) {
	if _, err := d.local(ctx, login); err != nil {
		return "", Session{}, err
	}
	if err := d.Prove(ctx, login, old, from); err != nil {
		return "", Session{}, err
	}
	if password == "" || password == old {
		return "", Session{}, fmt.Errorf("%w: it must be another one", ErrPassword)
	}
	_, changed, err := d.setPassword(ctx, Actor{Who: login, From: addressText(from)}, login, password)
	if err != nil {
		return "", Session{}, err
	}
	if changed.Disabled {
		return "", Session{}, ErrWrong
	}
	return d.begin(ctx, changed, from, false)
}

// Disable lets an account in no more: its sessions and its tokens end for good.
func (d *Desk) Disable(ctx context.Context, by Actor, login string) error {
	if _, err := d.account(ctx, login); err != nil {
		return err
	}
	if err := d.wrote(ctx, by, "staff.disable", login, ""); err != nil {
		return err
	}
	return d.change(ctx, login, func(a *ledger.StaffAccount) error {
		a.Disabled = true
		a.EndAll()
		return nil
	})
}

// Enable lets an account in again.
func (d *Desk) Enable(ctx context.Context, by Actor, login string) error {
	if _, err := d.account(ctx, login); err != nil {
		return err
	}
	if err := d.wrote(ctx, by, "staff.enable", login, ""); err != nil {
		return err
	}
	return d.change(ctx, login, func(a *ledger.StaffAccount) error {
		a.Disabled = false
		return nil
	})
}

// SetRoles gives a local account other roles. They are in force at once, in the
// sessions and for the tokens that there are too.
func (d *Desk) SetRoles(ctx context.Context, by Actor, login string, roles ...Role) error {
	if err := checkRoles(roles); err != nil {
		return err
	}
	if _, err := d.local(ctx, login); err != nil {
		return err
	}
	names := roleNames(rolesOf(roleNames(roles)))
	if err := d.wrote(ctx, by, "staff.roles", login, "roles: "+strings.Join(names, ", ")); err != nil {
		return err
	}
	return d.change(ctx, login, func(a *ledger.StaffAccount) error {
		a.Roles = names
		return nil
	})
}

// SetLanguage chooses the language in which an account reads the console; empty:
// the browser's.
func (d *Desk) SetLanguage(ctx context.Context, login, language string) error {
	if err := checkLanguage(language); err != nil {
		return err
	}
	return d.change(ctx, login, func(a *ledger.StaffAccount) error {
		a.Language = language
		return nil
	})
}

// Account returns the account of a login, or ErrNotFound.
func (d *Desk) Account(ctx context.Context, login string) (Account, error) {
	a, err := d.account(ctx, login)
	if err != nil {
		return Account{}, err
	}
	return accountOf(a), nil
}

// Accounts lists all accounts by login. One that is damaged is logged and passed
// over.
func (d *Desk) Accounts(ctx context.Context) ([]Account, error) {
	all := []Account{}
	for a, err := range d.Ledger.AllStaff(ctx) {
		switch {
		case errors.Is(err, ledger.ErrDamaged):
			d.Log.Error("an account of staff cannot be read", "why", err)
		case err != nil:
			return nil, err
		default:
			all = append(all, accountOf(a))
		}
	}
	return all, nil
}

func (d *Desk) account(ctx context.Context, login string) (ledger.StaffAccount, error) {
	a, err := d.Ledger.Staff(ctx, login)
	return a, notFound(err)
}

// local returns an account that has its password here, or ErrExternal.
func (d *Desk) local(ctx context.Context, login string) (ledger.StaffAccount, error) {
	a, err := d.account(ctx, login)
	if err == nil && a.Issuer != "" {
		err = ErrExternal
	}
	return a, err
}

func (d *Desk) change(ctx context.Context, login string, change func(*ledger.StaffAccount) error) error {
	_, err := d.Ledger.ChangeStaff(ctx, login, change)
	return notFound(err)
}

func notFound(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return ErrNotFound
	}
	return err
}
