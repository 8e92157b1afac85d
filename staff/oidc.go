package staff

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"segell/ledger"
)

var (
	// ErrIssuerAway says that the issuer does not answer, or not as one.
	ErrIssuerAway = errors.New("the issuer of logins is out of reach")
	// ErrNoIssuer says that no issuer is configured.
	ErrNoIssuer = errors.New("no issuer of logins is configured")
	// ErrNoRole says that the issuer vouches for a person who has no role here.
	ErrNoRole = errors.New("the issuer gives this person no role here")
	// ErrRenamed says that the issuer now has another login for a person who has an
	// account here. Release lets them have one of the new login.
	ErrRenamed = errors.New("the issuer has another login for this person than before")
	// ErrBegin says that a login by the issuer is not one that this browser began a
	// moment ago: begin again.
	ErrBegin = errors.New("this login was not begun here, or too long ago")
)

// OIDC is the OpenID Connect issuer that vouches for members of staff.
type OIDC struct {
	Issuer       string          // its address, as in the claim "iss"; https, or http on loopback
	ClientID     string          // our name at the issuer
	ClientSecret string          // empty: we are a public client there
	RedirectURL  string          // where the issuer sends browsers back: the console's /login/oidc/return
	Scopes       []string        // asked for besides openid and profile
	LoginClaim   string          // claim that is the login; empty: preferred_username
	Domain       string          // of logins that are e-mail addresses: cut off; those of another are refused
	RolesClaim   string          // claim that lists roles or groups; a path with dots where they lie deeper; empty: roles
	Roles        map[string]Role // which of its values is which role; nil: look, act and audit are called so
	Client       *http.Client    // to reach the issuer; nil: one with a time limit
}

func (c *OIDC) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("staff: "+format, args...)) }
	for name, text := range map[string]string{"Issuer": c.Issuer, "RedirectURL": c.RedirectURL} {
		address, err := url.Parse(text)
		switch {
		case err != nil || address.Host == "" || address.RawQuery != "" || address.Fragment != "" || address.User != nil:
			fault("OIDC.%s must be an address such as https://login.example.ad", name)
		case address.Scheme != "https" && !(address.Scheme == "http" && loopback(address.Hostname())):
			fault("OIDC.%s must begin with https:// (http:// is for loopback alone)", name)
		}
	}
	if c.ClientID == "" {
		fault("OIDC.ClientID is missing")
	}
	for value, role := range c.Roles {
		if value == "" || !slices.Contains(Roles(), role) {
			fault("OIDC.Roles must name look, act or audit for each value of the claim")
		}
	}
	return errors.Join(faults...)
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

const (
	issuerWithin = 10 * time.Second // for one question to the issuer
	issuerPause  = 5 * time.Second  // after it did not answer
	oidcWithin   = 10 * time.Minute // a person may take to log in there
	idTokenMost  = 64 << 10         // bytes
)

// idTokenAlgorithms are the signatures that are accepted (RFC 7518): none that
// shares a secret, and none at all is not among them.
var idTokenAlgorithms = []string{"RS256", "PS256", "ES256"}

// issuer is the configured issuer, whose description is read when it is needed.
type issuer struct {
	OIDC
	now func() time.Time

	mu       sync.Mutex
	provider *oidc.Provider
	tried    time.Time // when it last did not answer
}

func newIssuer(c OIDC, now func() time.Time) *issuer {
	if c.Client == nil {
		c.Client = &http.Client{Timeout: issuerWithin}
	}
	if c.LoginClaim == "" {
		c.LoginClaim = "preferred_username"
	}
	if c.RolesClaim == "" {
		c.RolesClaim = "roles"
	}
	if c.Roles == nil {
		c.Roles = map[string]Role{string(Look): Look, string(Act): Act, string(Audit): Audit}
	}
	return &issuer{OIDC: c, now: now}
}

// described returns the issuer's description: ErrIssuerAway if it cannot be had.
func (i *issuer) described(ctx context.Context) (*oidc.Provider, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.provider != nil:
		return i.provider, nil
	case !i.tried.IsZero() && i.now().Sub(i.tried).Abs() < issuerPause:
		return nil, ErrIssuerAway
	}
	// Its keys are read with this context later on, so it must not end.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), i.Client), i.Issuer)
	if err != nil {
		i.tried = i.now()
		return nil, fmt.Errorf("%w: its description cannot be read: %w", ErrIssuerAway, err)
	}
	i.provider = provider
	return provider, nil
}

func (i *issuer) oauth(provider *oidc.Provider) *oauth2.Config {
	endpoint := provider.Endpoint()
	if i.ClientSecret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: i.ClientID, ClientSecret: i.ClientSecret, Endpoint: endpoint, RedirectURL: i.RedirectURL,
		Scopes: append([]string{oidc.ScopeOpenID, "profile"}, i.Scopes...)}
}

// begun is what a browser keeps, encrypted, while its person is at the issuer.
type begun struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // of PKCE (RFC 7636)
	At       time.Time `json:"at"`
}

const oidcPurpose = "staff oidc"

// OIDCBegin begins a login by the issuer: the browser is sent to redirectTo, and
// keeps kept in a cookie until it comes back (HttpOnly, SameSite=Lax, some
// minutes). The error is ErrNoIssuer or wraps ErrIssuerAway.
func (d *Desk) OIDCBegin(ctx context.Context) (redirectTo, kept string, err error) {
	if d.issuer == nil {
		return "", "", ErrNoIssuer
	}
	provider, err := d.issuer.described(ctx)
	if err != nil {
		d.logins.WithLabelValues(resultIssuerAway).Inc()
		return "", "", err
	}
	b := begun{At: d.Now()}
	for _, secret := range []*string{&b.State, &b.Nonce, &b.Verifier} {
		bits := make([]byte, 32)
		if _, err := io.ReadFull(d.Random, bits); err != nil {
			return "", "", fmt.Errorf("drawing a login: %w", err)
		}
		*secret = base64.RawURLEncoding.EncodeToString(bits)
	}
	if kept, err = d.Ledger.Refer(oidcPurpose, d.issuer.Issuer, b); err != nil {
		return "", "", err
	}
	return d.issuer.oauth(provider).AuthCodeURL(b.State, oauth2.SetAuthURLParam("nonce", hashed256(b.Nonce)), oauth2.S256ChallengeOption(b.Verifier)), kept, nil
}

// hashed256 hides a nonce from whoever sees addresses; the token carries the hash.
func hashed256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// OIDCEnd lets in who comes back from the issuer: kept is what the browser's
// cookie holds, state and code are of the address that it asks for. The account of
// a person who was never here is made. The error is ErrBegin, ErrWrong, ErrNoRole,
// ErrRenamed, an ErrSlow, or wraps ErrIssuerAway.
func (d *Desk) OIDCEnd(ctx context.Context, kept, state, code string, by Browser) (cookie string, s Session, err error) {
	if d.issuer == nil {
		return "", Session{}, ErrNoIssuer
	}
	var b begun
	if d.Ledger.Resolve(oidcPurpose, d.issuer.Issuer, kept, &b) != nil || d.Now().Sub(b.At).Abs() > oidcWithin ||
		subtle.ConstantTimeCompare([]byte(b.State), []byte(state)) != 1 {
		d.logins.WithLabelValues(resultIssuerRefused).Inc()
		return "", Session{}, ErrBegin
	}
	from := by.From
	t, wait := d.slow.begin("", d.known(atIssuer, by.Keepsake), from, d.Now())
	if wait > 0 {
		d.logins.WithLabelValues(resultSlow).Inc()
		return "", Session{}, ErrSlow{wait}
	}
	a, err := d.vouched(ctx, b, code, from)
	switch {
	case err == nil:
		t.back()
		d.logins.WithLabelValues(resultIssuerIn).Inc()
		return d.begin(ctx, a, from, true)
	case errors.Is(err, ErrWrong), errors.Is(err, ErrNoRole), errors.Is(err, ErrRenamed):
		d.logins.WithLabelValues(resultIssuerRefused).Inc()
	default:
		t.back()
		d.logins.WithLabelValues(resultIssuerAway).Inc()
	}
	return "", Session{}, err
}

// vouched asks the issuer who came back, and returns their account.
func (d *Desk) vouched(ctx context.Context, b begun, code string, from netip.Addr) (ledger.StaffAccount, error) {
	p, err := d.issuer.person(ctx, b, code)
	if err != nil {
		return ledger.StaffAccount{}, err
	}
	if err := d.sameLogin(ctx, p, from); err != nil {
		return ledger.StaffAccount{}, err
	}
	a, err := d.Ledger.Staff(ctx, p.login)
	known := err == nil
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return a, err
	}
	if known && d.theirs(a, p) && len(p.roles) == 0 {
		if err := d.takeRoles(ctx, a, from); err != nil {
			return a, err
		}
	}
	why, err := d.unfit(a, known, p)
	if err != nil {
		if known {
			d.refused(ctx, p.login, from, why)
		} else {
			d.Log.Info("a person whom the issuer vouches for is refused", "why", err)
		}
		return a, err
	}
	if err := d.bind(ctx, p, from); err != nil {
		return a, err
	}
	if !known {
		return d.addVouched(ctx, p, from)
	}
	return d.Ledger.ChangeStaff(ctx, p.login, func(a *ledger.StaffAccount) error {
		if _, err := d.unfit(*a, true, p); err != nil {
			return err
		}
		a.Name, a.Roles, a.LastLogin = p.name, roleNames(p.roles), d.Now().UTC().Truncate(time.Second)
		return nil
	})
}

// addVouched makes the account of a person who was never here.
func (d *Desk) addVouched(ctx context.Context, p person, from netip.Addr) (a ledger.StaffAccount, err error) {
	if err := d.wrote(ctx, Actor{Who: p.login, From: addressText(from)}, "staff.add", p.login, "by the issuer; roles: "+strings.Join(roleNames(p.roles), ", ")); err != nil {
		return a, err
	}
	now := d.Now().UTC().Truncate(time.Second)
	a = ledger.StaffAccount{Login: p.login, Name: p.name, Roles: roleNames(p.roles), Issuer: d.issuer.Issuer, Subject: p.subject, CreatedAt: now, LastLogin: now}
	return a, d.Ledger.AddStaff(ctx, a) // ErrStaffExists: another login of the same person at this moment, to be repeated
}

// theirs reports whether an account is that of a person of our issuer.
func (d *Desk) theirs(a ledger.StaffAccount, p person) bool {
	return a.Issuer == d.issuer.Issuer && a.Subject == p.subject
}

// sameLogin refuses a person who has an account of another login than the issuer gives
// them now: the claim may be one that they change themselves, and one person must not
// be two here. What they have not at the issuer any more, that account loses.
func (d *Desk) sameLogin(ctx context.Context, p person, from netip.Addr) error {
	bound, err := d.Ledger.StaffSubject(ctx, d.issuer.Issuer, p.subject)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && bound == p.login {
		return nil
	}
	if err != nil {
		return err
	}
	a, err := d.Ledger.Staff(ctx, bound)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	if err == nil && d.theirs(a, p) && len(p.roles) == 0 {
		if err := d.takeRoles(ctx, a, from); err != nil {
			return err
		}
	}
	return d.renamed(ctx, bound, p, from)
}

func (d *Desk) renamed(ctx context.Context, bound string, p person, from netip.Addr) error {
	d.refused(ctx, bound, from, "the issuer gives this person the login "+p.login+" now; `segell staff release "+bound+"` lets them have it")
	return ErrRenamed
}

// bind binds a person to their login, for good unless Release unbinds them.
func (d *Desk) bind(ctx context.Context, p person, from netip.Addr) error {
	bound, err := d.Ledger.ClaimStaffSubject(ctx, d.issuer.Issuer, p.subject, p.login)
	if err == nil && bound != p.login { // by another login of theirs at the same time
		err = d.renamed(ctx, bound, p, from)
	}
	return err
}

// takeRoles takes from an account what the issuer has taken from its person: sessions
// and tokens end too.
func (d *Desk) takeRoles(ctx context.Context, a ledger.StaffAccount, from netip.Addr) error {
	if len(a.Roles) == 0 {
		return nil
	}
	if err := d.wrote(ctx, Actor{Who: a.Login, From: addressText(from)}, "staff.roles", a.Login, "by the issuer; roles: none"); err != nil {
		return err
	}
	return d.change(ctx, a.Login, func(a *ledger.StaffAccount) error {
		a.Roles = nil
		a.EndAll()
		return nil
	})
}

// Release lets the person of an issuer's account come back under another login, after
// they were given one there: this account is disabled, and the next login makes one of
// the new login. ErrAccount: it is no issuer's account.
func (d *Desk) Release(ctx context.Context, by Actor, login string) error {
	a, err := d.account(ctx, login)
	if err != nil {
		return err
	}
	if a.Issuer == "" {
		return fmt.Errorf("%w: its person does not log in at an issuer", ErrAccount)
	}
	by.Why = strings.TrimSuffix("the issuer's person is released; "+by.Why, "; ")
	if err := d.Disable(ctx, by, login); err != nil {
		return err
	}
	bound, err := d.Ledger.StaffSubject(ctx, a.Issuer, a.Subject)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && bound != login {
		return nil
	}
	if err != nil {
		return err
	}
	return d.Ledger.ReleaseStaffSubject(ctx, a.Issuer, a.Subject)
}

// unfit says why a person whom the issuer vouches for is not let in, in words for
// the audit trail.
func (d *Desk) unfit(a ledger.StaffAccount, known bool, p person) (why string, err error) {
	switch {
	case known && !d.theirs(a, p):
		return "the login belongs to another account than the issuer's", ErrWrong
	case known && a.Disabled:
		return "the account is disabled", ErrWrong
	case len(p.roles) == 0:
		return "the issuer gives no role", ErrNoRole
	}
	return "", nil
}

// person is who the issuer says came back.
type person struct {
	subject string // never given to another person there, unlike a login
	login   string
	name    string
	roles   []Role
}

// person exchanges a code and judges what the issuer says. The error is ErrWrong
// or wraps ErrIssuerAway, and quotes nothing of a token.
func (i *issuer) person(ctx context.Context, b begun, code string) (person, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, i.Client), 3*issuerWithin)
	defer cancel()
	provider, err := i.described(ctx)
	if err != nil {
		return person{}, err
	}
	exchange := i.oauth(provider)
	given, err := exchange.Exchange(ctx, code, oauth2.VerifierOption(b.Verifier))
	var answered *oauth2.RetrieveError
	if errors.As(err, &answered) && answered.Response.StatusCode < 500 {
		if answered.ErrorCode == "invalid_client" || answered.ErrorCode == "unauthorized_client" {
			return person{}, fmt.Errorf("%w: it does not know us by this client id and secret", ErrIssuerAway)
		}
		return person{}, ErrWrong
	}
	if err != nil {
		return person{}, fmt.Errorf("%w: it gave no tokens", ErrIssuerAway)
	}
	c, err := i.identity(ctx, provider, given, b)
	if err != nil {
		return person{}, err
	}
	if c.text(i.LoginClaim) == "" || c.value(i.RolesClaim) == nil {
		if err := c.complete(ctx, provider, exchange.TokenSource(ctx, given)); err != nil {
			return person{}, err
		}
	}
	return i.read(c)
}

// claims are what the issuer says of a person.
type claims map[string]any

// identity judges the ID token (OpenID Connect Core 1.0 section 3.1.3.7).
func (i *issuer) identity(ctx context.Context, provider *oidc.Provider, given *oauth2.Token, b begun) (claims, error) {
	raw, _ := given.Extra("id_token").(string)
	if raw == "" || len(raw) > idTokenMost {
		return nil, ErrWrong
	}
	token, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: i.ClientID, SupportedSigningAlgs: idTokenAlgorithms, Now: i.now}).Verify(ctx, raw)
	if err != nil {
		return nil, ErrWrong
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(hashed256(b.Nonce))) != 1 || token.Subject == "" {
		return nil, ErrWrong
	}
	c := claims{}
	if token.Claims(&c) != nil {
		return nil, ErrWrong
	}
	if party := c.text("azp"); party != "" && party != i.ClientID || party == "" && len(token.Audience) > 1 {
		return nil, ErrWrong
	}
	return c, nil
}

// complete adds what the issuer says at its userinfo endpoint, which is where
// claims lie that the ID token has no room for (section 5.3). What the token says
// is not changed by it.
func (c claims) complete(ctx context.Context, provider *oidc.Provider, source oauth2.TokenSource) error {
	if provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := provider.UserInfo(ctx, source)
	if err != nil {
		return fmt.Errorf("%w: it tells no more of the person", ErrIssuerAway)
	}
	if info.Subject != c.text("sub") { // section 5.3.2: it may be another person's
		return ErrWrong
	}
	more := claims{}
	if info.Claims(&more) != nil {
		return ErrWrong
	}
	for name, value := range more {
		if _, there := c[name]; !there {
			c[name] = value
		}
	}
	return nil
}

// read makes a person of claims.
func (i *issuer) read(c claims) (person, error) {
	p := person{subject: c.text("sub"), login: strings.ToLower(c.text(i.LoginClaim)), name: strings.TrimSpace(c.text("name"))}
	if verified, _ := c["email_verified"].(bool); i.LoginClaim == "email" && !verified {
		return person{}, ErrWrong
	}
	if i.Domain != "" {
		var ours bool
		if p.login, ours = strings.CutSuffix(p.login, "@"+strings.ToLower(i.Domain)); !ours {
			return person{}, ErrWrong
		}
	}
	if ledger.CheckStaffLogin(p.login) != nil {
		return person{}, ErrWrong
	}
	if checkName(p.name) != nil {
		p.name = p.login
	}
	var named []string
	for _, value := range c.list(i.RolesClaim) {
		if role, known := i.Roles[value]; known {
			named = append(named, string(role))
		}
	}
	p.roles = rolesOf(named)
	return p, nil
}

// value is a claim by its name, or by its path where it lies deeper.
func (c claims) value(name string) any {
	if value, there := c[name]; there {
		return value
	}
	first, rest, deeper := strings.Cut(name, ".")
	below, _ := c[first].(map[string]any)
	if !deeper || below == nil {
		return nil
	}
	return claims(below).value(rest)
}

func (c claims) text(name string) string {
	text, _ := c.value(name).(string)
	return text
}

// list is a claim that some issuers write as an array and others, of one value, as
// a text.
func (c claims) list(name string) []string {
	switch value := c.value(name).(type) {
	case string:
		return []string{value}
	case []any:
		var all []string
		for _, one := range value {
			if text, ok := one.(string); ok {
				all = append(all, text)
			}
		}
		return all
	}
	return nil
}
