package console

import (
	"net/http"
	"time"
)

// The cookies of the console. None is readable by scripts.
const (
	sessionCookie  = "segell_session"
	languageCookie = "segell_language"
	doneCookie     = "segell_done"  // what was just done, for the page that is shown next
	formCookie     = "segell_form"  // binds a login form to the browser that asked for it
	oidcCookie     = "segell_login" // of a login that is under way at the issuer
	knownCookie    = "segell_known" // the keepsake of who got in with this browser before: strangers do not slow them
)

// cookieName is a cookie's name here: with __Host- browsers take it from this
// host by https alone (RFC 6265bis, 4.1.3.2).
func (c *Console) cookieName(name string) string {
	if c.Secure {
		return "__Host-" + name
	}
	return name
}

// setCookie keeps a value in the browser for as long as said, 0: until it is closed.
// Lax, because browsers that come back from an issuer must bring theirs.
func (c *Console) setCookie(w http.ResponseWriter, name, value string, keep time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: c.cookieName(name), Value: value, Path: "/", MaxAge: int(keep / time.Second),
		Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (c *Console) dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: c.cookieName(name), Path: "/", MaxAge: -1, Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (c *Console) cookie(r *http.Request, name string) string {
	if cookie, err := r.Cookie(c.cookieName(name)); err == nil {
		return cookie.Value
	}
	return ""
}
