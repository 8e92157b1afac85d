package console

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"segell/staff"
)

func (c *Console) accountRoutes() []route {
	return []route{
		{http.MethodGet, "/account", member, c.account},
		{http.MethodPost, "/account/password", member, c.changePassword},
		{http.MethodPost, "/account/totp/begin", member, c.beginTOTP},
		{http.MethodPost, "/account/totp/confirm", member, c.confirmTOTP},
		{http.MethodPost, "/account/totp/drop", member, c.dropTOTP},
		{http.MethodPost, "/account/tokens", member, c.newToken},
		{http.MethodPost, "/account/tokens/revoke", member, c.revokeToken},
		{http.MethodPost, "/account/sessions/end", member, c.endSessions},
	}
}

// accountView is what templates/account.html sees.
type accountView struct {
	Account   staff.Account
	Tokens    []staff.Token
	MustTOTP  bool // a second factor cannot be taken away
	Lifetimes []int
	Form      string // the form that has the faults
	Faults    faults
	TokenName string // as it was typed
}

// lifetimes are for how many days a token can be asked for.
var lifetimes = []int{7, 30, 90, 365}

func (c *Console) account(w http.ResponseWriter, r *http.Request) {
	c.showAccount(w, r, http.StatusOK, accountView{})
}

func (c *Console) showAccount(w http.ResponseWriter, r *http.Request, status int, v accountView) {
	login := session(r).Login
	var err error
	if v.Account, err = c.Desk.Account(r.Context(), login); err == nil {
		v.Tokens, err = c.Desk.Tokens(r.Context(), login)
	}
	if err != nil {
		c.problem(w, r, err)
		return
	}
	v.MustTOTP, v.Lifetimes = c.Desk.RequireTOTP, lifetimes
	c.page(w, r, status, "account", v)
}

func self(r *http.Request) staff.Actor {
	actor := actorOf(r)
	return staff.Actor{Who: actor.Who, From: actor.From}
}

// accountFault shows the page again with what is wrong in one of its forms.
func (c *Console) accountFault(w http.ResponseWriter, r *http.Request, form, field, key string) {
	v := accountView{Form: form, TokenName: r.PostFormValue("token-name")}
	v.Faults.add(field, visitOf(r).words.text("account.faults."+key))
	c.showAccount(w, r, http.StatusUnprocessableEntity, v)
}

// provingFailed answers a password that was asked for once more and is wrong.
func (c *Console) provingFailed(w http.ResponseWriter, r *http.Request, form, field string, err error) {
	var slow staff.ErrSlow
	switch {
	case errors.As(err, &slow):
		c.accountFault(w, r, form, field, "slow")
	case errors.Is(err, staff.ErrBusy):
		w.Header().Set("Retry-After", busyRetry)
		c.accountFault(w, r, form, field, "busy")
	case errors.Is(err, staff.ErrWrong):
		c.accountFault(w, r, form, field, "wrong")
	case errors.Is(err, staff.ErrExternal):
		c.accountFault(w, r, form, field, "external")
	default:
		c.problem(w, r, err)
	}
}

// proven asks for the password once more before what only its person may do: who
// finds a desk unattended gets no further. Who logs in at an issuer has none here.
func (c *Console) proven(w http.ResponseWriter, r *http.Request, form, field string) bool {
	s := session(r)
	if s.External {
		return true
	}
	if err := c.Desk.Prove(r.Context(), s.Login, r.PostFormValue(field), visitOf(r).from); err != nil {
		c.provingFailed(w, r, form, field, err)
		return false
	}
	return true
}

func (c *Console) changePassword(w http.ResponseWriter, r *http.Request) {
	fresh := r.PostFormValue("new-password")
	if fresh != r.PostFormValue("again") {
		c.accountFault(w, r, "password", "again", "not_the_same")
		return
	}
	cookie, _, err := c.Desk.ChangePassword(r.Context(), session(r).Login, r.PostFormValue("old-password"), fresh, visitOf(r).from)
	switch {
	case errors.Is(err, staff.ErrPassword):
		c.accountFault(w, r, "password", "new-password", "password")
	case err != nil:
		c.provingFailed(w, r, "password", "old-password", err)
	default:
		c.setCookie(w, sessionCookie, cookie, 0)
		c.done(w, r, "/account", "account.password")
	}
}

// totpView is what templates/totp.html sees. QR and Secret are shown once.
type totpView struct {
	staff.Enrolment
	QR     qrCode
	Faults faults
}

func (c *Console) beginTOTP(w http.ResponseWriter, r *http.Request) {
	if !c.proven(w, r, "totp", "totp-password") {
		return
	}
	enrolment, err := c.Desk.BeginTOTP(r.Context(), session(r).Login)
	if err != nil {
		c.provingFailed(w, r, "totp", "totp-password", err)
		return
	}
	code, err := newQR(enrolment.URI)
	if err != nil {
		c.problem(w, r, err)
		return
	}
	c.page(w, r, http.StatusOK, "totp", totpView{Enrolment: enrolment, QR: code})
}

func (c *Console) confirmTOTP(w http.ResponseWriter, r *http.Request) {
	reference := r.PostFormValue("reference")
	cookie, _, err := c.Desk.EnrolTOTP(r.Context(), session(r).Login, reference, strings.TrimSpace(r.PostFormValue("code")), visitOf(r).from)
	switch {
	case errors.Is(err, staff.ErrWrong):
		v := totpView{Enrolment: staff.Enrolment{Reference: reference}}
		v.Faults.add("code", visitOf(r).words.text("account.faults.code"))
		c.page(w, r, http.StatusUnprocessableEntity, "totp", v)
	case errors.Is(err, staff.ErrEnrolment):
		c.accountFault(w, r, "totp", "totp-password", "enrolment")
	case err != nil:
		c.problem(w, r, err)
	default:
		c.setCookie(w, sessionCookie, cookie, 0)
		c.done(w, r, "/account", "account.totp")
	}
}

func (c *Console) dropTOTP(w http.ResponseWriter, r *http.Request) {
	if c.Desk.RequireTOTP {
		c.refuse(w, r, http.StatusForbidden, "role")
		return
	}
	if !c.proven(w, r, "totp", "totp-password") {
		return
	}
	if err := c.Desk.DropTOTP(r.Context(), self(r), session(r).Login); err != nil {
		c.provingFailed(w, r, "totp", "totp-password", err)
		return
	}
	c.out(w, r)
}

// tokenView is what templates/token.html sees. Bearer is shown once.
type tokenView struct {
	Bearer string
	Token  staff.Token
}

func (c *Console) newToken(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.PostFormValue("token-name"))
	days, err := strconv.Atoi(r.PostFormValue("days"))
	switch {
	case name == "":
		c.accountFault(w, r, "tokens", "token-name", "token_name")
		return
	case err != nil || !slices.Contains(lifetimes, days):
		c.accountFault(w, r, "tokens", "days", "days")
		return
	}
	var roles []staff.Role
	for _, role := range r.PostForm["roles"] {
		roles = append(roles, staff.Role(role))
	}
	if len(roles) == 0 {
		c.accountFault(w, r, "tokens", "roles", "roles")
		return
	}
	if !c.proven(w, r, "tokens", "token-password") {
		return
	}
	bearer, token, err := c.Desk.NewToken(r.Context(), self(r), session(r).Login, name, roles, time.Duration(days)*24*time.Hour)
	if errors.Is(err, staff.ErrAccount) {
		c.accountFault(w, r, "tokens", "token-name", "token")
		return
	}
	if err != nil {
		c.problem(w, r, err)
		return
	}
	c.page(w, r, http.StatusOK, "token", tokenView{Bearer: bearer, Token: token})
}

func (c *Console) revokeToken(w http.ResponseWriter, r *http.Request) {
	err := c.Desk.RevokeToken(r.Context(), self(r), session(r).Login, r.PostFormValue("id"))
	if err != nil && !errors.Is(err, staff.ErrNoToken) { // gone already: that is what was wanted
		c.problem(w, r, err)
		return
	}
	c.done(w, r, "/account", "account.token")
}

func (c *Console) endSessions(w http.ResponseWriter, r *http.Request) {
	if err := c.Desk.EndAll(r.Context(), self(r), session(r).Login); err != nil {
		c.problem(w, r, err)
		return
	}
	c.out(w, r)
}
