package console

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"segell/acts"
	"segell/audit"
	"segell/ledger"
	"segell/staff"
)

// bodyMost bounds a form, in bytes; the largest is a selection of 500 requests.
const bodyMost = 256 << 10

// visit is what the guard found out about who asks.
type visit struct {
	session staff.Session // the zero one where nobody is logged in
	in      bool
	cookie  string // of the session
	from    netip.Addr
	words   *words
}

type visitKey struct{}

func visitOf(r *http.Request) *visit {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{}
}

// session is who asks; the guard let nobody else through.
func session(r *http.Request) staff.Session { return visitOf(r).session }

// actorOf is who asks, for the audit trail.
func actorOf(r *http.Request) acts.Actor {
	v := visitOf(r)
	return acts.Actor{Who: v.session.Login, From: v.fromText()}
}

func (v *visit) fromText() string {
	if !v.from.IsValid() {
		return ""
	}
	return v.from.String()
}

// guard lets through to a route who may use it, and puts the visit into the
// context of the request.
func (c *Console) guard(rt route) http.Handler {
	refusals := &audit.Refusals{Ledger: c.Ledger, Log: c.Log}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{from: c.from(r)}
		err := c.recognise(r, v)
		v.words = c.chooseWords(r, v)
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
		r.Body = http.MaxBytesReader(w, r.Body, bodyMost)
		switch {
		case rt.need == open:
			rt.serve(w, r)
		case err != nil:
			c.problem(w, r, err)
		case !v.in:
			c.toLogin(w, r)
		case rt.method == http.MethodPost && !c.validForm(r, v):
			c.refuse(w, r, http.StatusForbidden, "form")
		case v.session.MustEnroll && !enrolling(r):
			http.Redirect(w, r, "/account", http.StatusSeeOther)
		case rt.need != member && !v.session.May(rt.need):
			c.denied(r, rt, refusals)
			c.refuse(w, r, http.StatusForbidden, "role")
		default:
			rt.serve(w, r)
		}
	})
}

// denied notes that somebody tried what their roles do not allow; many times the
// same are few entries of the trail.
func (c *Console) denied(r *http.Request, rt route, refusals *audit.Refusals) {
	actor := actorOf(r)
	c.Log.Warn("console: refused for want of a role", "login", actor.Who, "route", rt.method+" "+rt.pattern, "needs", rt.need)
	if rt.method != http.MethodPost {
		return // a page that the navigation does not show is no act
	}
	act := strings.NewReplacer("/", ".", "{", "", "}", "", "$", "").Replace(strings.Trim(rt.pattern, "/"))
	refusals.Note(r.Context(), ledger.AuditEntry{Who: actor.Who, What: "staff.denied", ID: act, Why: "needs the role " + string(rt.need), From: actor.From})
}

// recognise finds the session of a request. What a page asks for by itself does
// not keep a session from ending idle.
func (c *Console) recognise(r *http.Request, v *visit) error {
	cookie, err := r.Cookie(c.cookieName(sessionCookie))
	if err != nil {
		return nil
	}
	find := c.Desk.Session
	if byItself(r) {
		find = c.Desk.Peek
	}
	s, err := find(r.Context(), cookie.Value)
	if errors.Is(err, staff.ErrNoSession) {
		return nil
	}
	if err != nil {
		return err
	}
	v.session, v.in, v.cookie = s, true, cookie.Value
	return nil
}

// liveHeader is what a page sends when it asks by itself.
const liveHeader = "Segell-Live"

func byItself(r *http.Request) bool { return r.Header.Get(liveHeader) != "" || r.URL.Path == "/live" }

// validForm says that a form is one of this session's own.
func (c *Console) validForm(r *http.Request, v *visit) bool {
	return v.session.ValidCSRF(r.PostFormValue("csrf"))
}

// enrolling is what a session may do that must set up a second factor first.
func enrolling(r *http.Request) bool {
	return r.URL.Path == "/account" || strings.HasPrefix(r.URL.Path, "/account/totp") || r.URL.Path == "/logout"
}

// toLogin leads who is not logged in there, and back afterwards where that can be.
func (c *Console) toLogin(w http.ResponseWriter, r *http.Request) {
	if byItself(r) {
		http.Error(w, "not logged in", http.StatusUnauthorized)
		return
	}
	to := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// local is an address within the console to lead to, or "/": never another site.
func local(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(address, "/") ||
		strings.HasPrefix(address, "//") || strings.ContainsAny(address, "\\\r\n\t") || strings.HasPrefix(u.Path, "/login") || u.Path == "/live" {
		return "/"
	}
	return u.RequestURI()
}

// sameOrigin refuses forms of other sites (Fetch Metadata, Origin), before any
// token is looked at.
func (c *Console) sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		// A proxy may hand another Host on than the browser's; New has checked the URL.
		_ = protection.AddTrustedOrigin(u.Scheme + "://" + u.Host)
	}
	protection.SetDenyHandler(c.guard(route{pattern: "/", need: open, serve: func(w http.ResponseWriter, r *http.Request) {
		c.Log.Warn("console: refused a form of another site", "path", r.URL.Path)
		c.refuse(w, r, http.StatusForbidden, "form")
	}}))
	return protection.Handler(next)
}

// contentPolicy allows what the console serves itself, and no script or style
// within a page.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// headers keep every answer out of caches, frames, search engines and Referer.
func (c *Console) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Cross-Origin-Embedder-Policy", "require-corp")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		if c.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// from is the address of who asks: the connection's, or what proxies that are
// believed say of it, the nearest first.
func (c *Console) from(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && c.believed(address); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop.Unmap()
	}
	return address
}

func (c *Console) believed(address netip.Addr) bool {
	for _, prefix := range c.Proxies {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
