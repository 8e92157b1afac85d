package console

import (
	"net/http"
	"slices"
	"strings"

	"segell/staff"
)

// What a route needs besides a role. A role of staff needs a session that has it.
const (
	open   staff.Role = ""         // nothing: who is not logged in may see it
	member staff.Role = "(member)" // a session, whatever its roles
)

// route is one row of the table that decides who may do what. Tests walk all rows.
type route struct {
	method  string // GET (HEAD with it) or POST
	pattern string // as http.ServeMux has it, without the method
	need    staff.Role
	serve   http.HandlerFunc
}

// frameRoutes are the routes of what every member of staff has and of the work
// itself; pageRoutes are those of the pages about requests.
func (c *Console) frameRoutes() []route {
	return slices.Concat([]route{
		{http.MethodGet, "/assets/{name}", open, c.asset},
		{http.MethodGet, "/live", staff.Look, c.live},
		{http.MethodPost, "/language", open, c.chooseLanguage},
	}, c.loginRoutes(), c.accountRoutes(), c.workRoutes(), c.callbackRoutes(), c.auditRoutes())
}

// newMux is the way from an address to its route, behind the guard.
func (c *Console) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, rt := range c.table {
		mux.Handle(rt.method+" "+rt.pattern, c.guard(rt))
	}
	if c.API != nil {
		mux.Handle("/api/", c.API)
	}
	mux.Handle("/", c.guard(route{pattern: "/", need: open, serve: c.nowhere}))
	return mux
}

// Handler serves everything of the console, behind its guards.
func (c *Console) Handler() http.Handler {
	return c.headers(c.sameOrigin(c.mux))
}

// nowhere answers what no route is for: another method of a page, or no page.
func (c *Console) nowhere(w http.ResponseWriter, r *http.Request) {
	if allowed := c.methodsOf(r); len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		c.refuse(w, r, http.StatusMethodNotAllowed, "method")
		return
	}
	c.refuse(w, r, http.StatusNotFound, "not_found")
}

// methodsOf are the methods that a path knows.
func (c *Console) methodsOf(r *http.Request) []string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		probe := &http.Request{Method: method, Host: r.Host, URL: r.URL}
		if _, pattern := c.mux.Handler(probe); strings.HasPrefix(pattern, http.MethodGet+" ") || strings.HasPrefix(pattern, http.MethodPost+" ") {
			allowed = append(allowed, method)
		}
	}
	return allowed
}
