package staff

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"segell/ledger"
)

// How long a personal token lasts.
const (
	TokenLifetime     = 90 * 24 * time.Hour // where nothing is said
	TokenLifetimeMost = 366 * 24 * time.Hour
)

const (
	tokenPrefix = "segell_staff_" // so that scanners for lost secrets know it
	tokenBytes  = 20
	tokenDigits = 32 // of its secret, before its mark
	tokensMost  = 20 // of one account
)

// Token is a personal token for the staff API, without its secret.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"` // what it is for, as its owner says
	Roles     []Role    `json:"roles"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

func tokenOf(t ledger.StaffToken) Token {
	return Token{ID: t.ID, Name: t.Name, Roles: rolesOf(t.Roles), CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
}

// NewToken draws a token for an account and returns its secret, which is kept
// nowhere. It may do no more than the account: roles are some of what it may
// (none: all of its own). lifetime is at most TokenLifetimeMost; zero: TokenLifetime.
func (d *Desk) NewToken(ctx context.Context, by Actor, login, name string, roles []Role, lifetime time.Duration) (bearer string, t Token, err error) {
	a, err := d.account(ctx, login)
	if err != nil {
		return "", Token{}, err
	}
	if len(roles) == 0 {
		roles = rolesOf(a.Roles)
	}
	if lifetime == 0 {
		lifetime = TokenLifetime
	}
	name = strings.TrimSpace(name)
	if err := d.checkToken(ctx, a, name, roles, lifetime); err != nil {
		return "", Token{}, err
	}
	bits := make([]byte, tokenBytes)
	if _, err := io.ReadFull(d.Random, bits); err != nil {
		return "", Token{}, fmt.Errorf("drawing a token: %w", err)
	}
	names := roleNames(rolesOf(roleNames(roles)))
	detail := fmt.Sprintf("roles: %s; %d h", strings.Join(names, ", "), int(lifetime.Hours()))
	if err := d.wrote(ctx, by, "staff.token_new", login, detail); err != nil {
		return "", Token{}, err
	}
	secret := strings.ToLower(base32Text.EncodeToString(bits))
	bearer = tokenPrefix + secret + d.Ledger.StaffTokenMark(secret)
	now := d.Now().UTC().Truncate(time.Second)
	kept, err := d.Ledger.KeepStaffToken(ctx, bearer, ledger.StaffToken{Login: login, Name: name, Roles: names, Epoch: a.Epoch, CreatedAt: now, ExpiresAt: now.Add(lifetime)})
	if err != nil {
		return "", Token{}, err
	}
	return bearer, tokenOf(kept), nil
}

func (d *Desk) checkToken(ctx context.Context, a ledger.StaffAccount, name string, roles []Role, lifetime time.Duration) error {
	if err := checkRoles(roles); err != nil {
		return err
	}
	for _, role := range roles {
		if !may(a, role) {
			return fmt.Errorf("%w: its token cannot have the role %s, which it has not itself", ErrAccount, role)
		}
	}
	switch {
	case a.Disabled:
		return fmt.Errorf("%w: it is disabled", ErrAccount)
	case d.mustEnroll(a):
		return fmt.Errorf("%w: it needs a second factor before it may have a token", ErrAccount)
	case name == "" || len([]rune(name)) > nameMost || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: a token needs a name of at most %d characters that says what it is for", ErrAccount, nameMost)
	case lifetime < time.Hour || lifetime > TokenLifetimeMost:
		return fmt.Errorf("%w: a token lasts from an hour to %d days", ErrAccount, int(TokenLifetimeMost.Hours()/24))
	}
	tokens, err := d.goodTokens(ctx, a)
	if err == nil && len(tokens) >= tokensMost {
		err = fmt.Errorf("%w: it has %d tokens already: revoke one first", ErrAccount, len(tokens))
	}
	return err
}

// may reports whether an account may do what needs a role.
func may(a ledger.StaffAccount, r Role) bool { return Session{Roles: rolesOf(a.Roles)}.May(r) }

// Drew reports whether a text is a token that was drawn here, whatever has become of
// it. It asks the bucket nothing: who makes tokens up costs nothing.
func (d *Desk) Drew(bearer string) bool {
	text, ok := strings.CutPrefix(bearer, tokenPrefix)
	if !ok || len(text) < tokenDigits {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(text[tokenDigits:]), []byte(d.Ledger.StaffTokenMark(text[:tokenDigits]))) == 1
}

// IssuerWithin is how long the tokens of somebody whom an issuer vouches for are good
// after their last login there: who left the institution comes there no more.
const IssuerWithin = 30 * 24 * time.Hour

// ErrIssuerLogin says that a token stands still until its owner logs in at the issuer
// again. It is an ErrNoSession.
var ErrIssuerLogin = fmt.Errorf("%w: the owner of the token has not logged in at the issuer for %d days", ErrNoSession, int(IssuerWithin.Hours()/24))

// Token returns what a program with a personal token may do: ErrNoSession if the
// token is none, has expired or was revoked, its account is disabled or all of its
// sessions were ended since; ErrIssuerLogin. It may do what both the token and its
// account may.
func (d *Desk) Token(ctx context.Context, bearer string) (Session, error) {
	if !d.Drew(bearer) {
		return Session{}, ErrNoSession
	}
	t, err := d.Ledger.StaffToken(ctx, bearer)
	if err != nil {
		return Session{}, noSession(err)
	}
	if !d.Now().Before(t.ExpiresAt) {
		return Session{}, ErrNoSession
	}
	a, err := d.Ledger.Staff(ctx, t.Login)
	if err != nil {
		return Session{}, noSession(err)
	}
	switch {
	case a.Disabled || a.Epoch != t.Epoch:
		return Session{}, ErrNoSession
	case a.Issuer != "" && d.Now().Sub(a.LastLogin) > IssuerWithin:
		return Session{}, ErrIssuerLogin
	}
	roles := slices.DeleteFunc(rolesOf(t.Roles), func(r Role) bool { return !may(a, r) })
	return Session{Login: a.Login, Name: a.Name, Roles: roles, Language: a.Language, Begun: t.CreatedAt, Ends: t.ExpiresAt,
		External: a.Issuer != "", MustEnroll: d.mustEnroll(a)}, nil
}

// Tokens lists the tokens of an account that are good, oldest first.
func (d *Desk) Tokens(ctx context.Context, login string) ([]Token, error) {
	a, err := d.account(ctx, login)
	if err != nil {
		return nil, err
	}
	return d.goodTokens(ctx, a)
}

func (d *Desk) goodTokens(ctx context.Context, a ledger.StaffAccount) ([]Token, error) {
	kept, err := d.Ledger.StaffTokens(ctx, a.Login)
	if err != nil {
		return nil, err
	}
	all := []Token{}
	for _, t := range kept {
		if d.Now().Before(t.ExpiresAt) && t.Epoch == a.Epoch {
			all = append(all, tokenOf(t))
		}
	}
	return all, nil
}

// ErrNoToken says that an account has no token of an id.
var ErrNoToken = errors.New("the account has no such token")

// RevokeToken ends a token of an account for good.
func (d *Desk) RevokeToken(ctx context.Context, by Actor, login, id string) error {
	tokens, err := d.Ledger.StaffTokens(ctx, login)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(tokens, func(t ledger.StaffToken) bool { return t.ID == id }) {
		return ErrNoToken
	}
	if err := d.wrote(ctx, by, "staff.token_revoke", login, "token "+id); err != nil {
		return err
	}
	err = d.Ledger.RevokeStaffToken(ctx, login, id)
	if errors.Is(err, ledger.ErrNotFound) { // by another at the same time
		return nil
	}
	return err
}
