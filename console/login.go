package console

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"segell/staff"
)

func (c *Console) loginRoutes() []route {
	return []route{
		{http.MethodGet, "/login", open, c.loginForm},
		{http.MethodPost, "/login", open, c.login},
		{http.MethodGet, "/login/oidc", open, c.oidcBegin},
		{http.MethodGet, "/login/oidc/return", open, c.oidcEnd},
		{http.MethodPost, "/logout", member, c.logout},
	}
}

// loginView is what templates/login.html sees.
type loginView struct {
	Form   string // ties the form to this browser
	Next   string // where to after it
	Login  string // as it was typed
	OIDC   bool   // an issuer can be asked
	Out    bool   // somebody just logged out
	Code   bool   // the code is what was missing
	Faults faults
}

// formKept is how long a login form stands.
const formKept = time.Hour

func (c *Console) loginForm(w http.ResponseWriter, r *http.Request) {
	next := local(r.URL.Query().Get("next"))
	if visitOf(r).in {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	c.showLogin(w, r, http.StatusOK, loginView{Next: next, Out: r.URL.Query().Has("out")})
}

// showLogin shows the form, tied to this browser by a cookie: a form that another
// site sends has not what the cookie has.
func (c *Console) showLogin(w http.ResponseWriter, r *http.Request, status int, v loginView) {
	v.Form = c.cookie(r, formCookie)
	if len(v.Form) < 22 {
		drawn := make([]byte, 18)
		if _, err := io.ReadFull(c.Desk.Random, drawn); err != nil {
			c.problem(w, r, err)
			return
		}
		v.Form = base64.RawURLEncoding.EncodeToString(drawn)
	}
	c.setCookie(w, formCookie, v.Form, formKept)
	v.OIDC = c.Desk.OIDC != nil
	c.page(w, r, status, "login", v)
}

func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	form := c.cookie(r, formCookie)
	if form == "" || subtle.ConstantTimeCompare([]byte(form), []byte(r.PostFormValue("form"))) != 1 {
		c.refuse(w, r, http.StatusForbidden, "form")
		return
	}
	v := loginView{Next: local(r.PostFormValue("next")), Login: r.PostFormValue("login")}
	cookie, s, err := c.Desk.Login(r.Context(), v.Login, r.PostFormValue("password"), r.PostFormValue("code"), c.browser(r))
	if err != nil {
		c.loginFailed(w, r, v, err)
		return
	}
	c.letIn(w, r, cookie, s, v.Next)
}

// browser is what asks to be let in.
func (c *Console) browser(r *http.Request) staff.Browser {
	return staff.Browser{From: visitOf(r).from, Keepsake: c.cookie(r, knownCookie)}
}

// letIn gives the browser its session and leads on.
func (c *Console) letIn(w http.ResponseWriter, r *http.Request, cookie string, s staff.Session, next string) {
	// Whoever was logged in here before no longer is.
	if before := visitOf(r); before.in {
		if err := c.Desk.End(r.Context(), before.cookie); err != nil {
			c.Log.Warn("console: ending a session that another follows", "error", err)
		}
	}
	c.setCookie(w, sessionCookie, cookie, 0)
	if keepsake, err := c.Desk.Keepsake(s, c.cookie(r, knownCookie)); err != nil {
		c.Log.Warn("console: a browser is given no keepsake", "error", err)
	} else {
		c.setCookie(w, knownCookie, keepsake, staff.KeepsakeFor)
	}
	c.dropCookie(w, formCookie)
	if s.Language != "" {
		c.setCookie(w, languageCookie, s.Language, languageKept)
	}
	if s.MustEnroll {
		next = "/account"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// busyRetry is when to try again what is too much at this moment, in seconds.
const busyRetry = "5"

// loginFailed shows the form again and says what can be said.
func (c *Console) loginFailed(w http.ResponseWriter, r *http.Request, v loginView, err error) {
	words := visitOf(r).words
	status := http.StatusUnprocessableEntity
	var slow staff.ErrSlow
	switch {
	case errors.As(err, &slow):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(slow.Wait.Seconds()))))
		wait := (&formatter{words: words}).duration(max(slow.Wait, time.Second).Round(time.Second))
		v.Faults.add("", string(fill(words.text("login.slow"), "wait", wait)))
	case errors.Is(err, staff.ErrBusy):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", busyRetry)
		v.Faults.add("", words.text("login.busy"))
	case errors.Is(err, staff.ErrCodeNeeded):
		v.Code = true
		v.Faults.add("code", words.text("login.code_needed"))
	case errors.Is(err, staff.ErrWrong):
		v.Faults.add("login", words.text("login.wrong"))
	case errors.Is(err, staff.ErrNoRole):
		status = http.StatusForbidden
		v.Faults.add("", words.text("login.no_role"))
	case errors.Is(err, staff.ErrRenamed):
		status = http.StatusForbidden
		v.Faults.add("", words.text("login.renamed"))
	case errors.Is(err, staff.ErrBegin):
		v.Faults.add("", words.text("login.begin_again"))
	default:
		c.problem(w, r, err)
		return
	}
	c.showLogin(w, r, status, v)
}

// oidcKept is how long a login at the issuer may take.
const oidcKept = 15 * time.Minute

// oidcBegin leads to the issuer. What must come back with the browser, and where it
// wanted to go, lie in a cookie.
func (c *Console) oidcBegin(w http.ResponseWriter, r *http.Request) {
	to, kept, err := c.Desk.OIDCBegin(r.Context())
	if errors.Is(err, staff.ErrNoIssuer) {
		c.refuse(w, r, http.StatusNotFound, "not_found")
		return
	}
	if err != nil {
		c.problem(w, r, err)
		return
	}
	c.setCookie(w, oidcCookie, url.Values{"kept": {kept}, "next": {local(r.URL.Query().Get("next"))}}.Encode(), oidcKept)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (c *Console) oidcEnd(w http.ResponseWriter, r *http.Request) {
	kept, err := url.ParseQuery(c.cookie(r, oidcCookie))
	if err != nil || c.Desk.OIDC == nil {
		kept = url.Values{}
	}
	c.dropCookie(w, oidcCookie)
	q, v := r.URL.Query(), loginView{Next: local(kept.Get("next"))}
	if kept.Get("kept") == "" || q.Get("code") == "" { // not begun here, or the issuer refused
		c.loginFailed(w, r, v, staff.ErrBegin)
		return
	}
	cookie, s, err := c.Desk.OIDCEnd(r.Context(), kept.Get("kept"), q.Get("state"), q.Get("code"), c.browser(r))
	if err != nil {
		c.loginFailed(w, r, v, err)
		return
	}
	c.letIn(w, r, cookie, s, v.Next)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	// A browser that does not wait for the answer is logged out all the same.
	if err := c.Desk.End(context.WithoutCancel(r.Context()), visitOf(r).cookie); err != nil {
		c.problem(w, r, err)
		return
	}
	c.out(w, r)
}

// out takes the cookie of a session that has ended.
func (c *Console) out(w http.ResponseWriter, r *http.Request) {
	c.dropCookie(w, sessionCookie)
	http.Redirect(w, r, "/login?out", http.StatusSeeOther)
}
