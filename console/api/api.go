// Package api is the staff API, on the console's port below /api/v1: the same acts
// as the console's pages and the commands of staff, for programs. Its description
// is at /api/openapi.json. A caller shows a personal token of a member of staff,
// and may do what that person's roles, and the token's, allow.
//
// Personal data do not leave by this door: holders are masked, and to show one is
// for a person at a page.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"segell/access"
	"segell/acts"
	"segell/audit"
	"segell/index"
	"segell/ledger"
	"segell/queue"
	"segell/staff"
)

// Config is what the API stands on. All fields but Proxies are required.
type Config struct {
	Ledger *ledger.Ledger
	Queue  *queue.Queue
	Index  *index.Index
	Acts   *acts.Acts
	Desk   *staff.Desk
	Audit  *audit.Reader
	Log    *slog.Logger
	Now    func() time.Time

	PublicURL string // where staff reach the console, without a slash at the end
	Version   string // of Segell, for the description
	Proxies   []netip.Prefix
}

// api is the door. It serves everything under /api/.
type api struct {
	Config
	huma     huma.API
	callers  *limits // by login
	guesses  *limits // by network
	proven   *proven
	refusals *audit.Refusals
}

// New returns the handler of everything under /api/, or an error naming every
// field missing.
func New(c Config) (http.Handler, error) {
	var faults []error
	for name, missing := range map[string]bool{"Ledger": c.Ledger == nil, "Queue": c.Queue == nil, "Index": c.Index == nil, "Acts": c.Acts == nil, "Desk": c.Desk == nil,
		"Audit": c.Audit == nil, "Log": c.Log == nil, "Now": c.Now == nil, "PublicURL": c.PublicURL == ""} {
		if missing {
			faults = append(faults, fmt.Errorf("console/api: %s is missing", name))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	a := &api{Config: c, callers: newLimits(callerRate), guesses: newLimits(guessRate), proven: newProven(), refusals: &audit.Refusals{Ledger: c.Ledger, Log: c.Log}}
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Segell staff API", c.Version)
	describe(&config)
	config.Servers = []*huma.Server{{URL: c.PublicURL}}
	a.huma = humago.New(mux, config)
	a.huma.UseMiddleware(a.authorize)
	a.registerCauses()
	a.registerJobs()
	a.registerActs()
	a.registerBulks()
	a.registerWork()
	a.registerCallbacks()
	a.registerAudit()
	a.describeProblems()
	if err := a.everyOperationDeclaresItsRole(); err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /api/problems/{kind}", a.problemPage)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.problem("not-found", "There is nothing at this address.").write(w)
	})
	return a.guard(a.allowed(mux)), nil
}

type contextKey int

const (
	keyAPI contextKey = iota
	keyCaller
)

// caller is who calls, and from where.
type caller struct {
	staff.Session
	address netip.Addr
}

func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(keyCaller).(*caller)
	return c
}

// actor is the caller as the acts write it down.
func actor(ctx context.Context) acts.Actor {
	c := callerOf(ctx)
	who := acts.Actor{Who: c.Login}
	if c.address.IsValid() {
		who.From = c.address.String()
	}
	return who
}

// guard lets in who has a token, sets the headers that every answer has, and
// writes the log's line, which holds the pattern of an address and no address:
// those name requests, and what was searched for.
func (a *api) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := a.Now()
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		answer := &statusWriter{ResponseWriter: w}
		login := ""
		// ServeMux writes the pattern into the request that it serves.
		r = r.WithContext(context.WithValue(r.Context(), keyAPI, a))
		r.Pattern = ""
		if isOpen(r.URL.Path) {
			if r.ContentLength != 0 {
				access.Dismiss(answer, r)
			}
			a.caught(next, answer, r)
		} else if who, refusal := a.admit(r); refusal != nil {
			access.Dismiss(answer, r)
			refusal.write(answer)
		} else {
			login = who.Login
			r = r.WithContext(context.WithValue(r.Context(), keyCaller, who))
			a.caught(next, answer, r)
		}
		a.Log.Info("answered", "method", r.Method, "route", r.Pattern, "status", answer.status, "login", login, "took", a.Now().Sub(began).Round(time.Microsecond))
	})
}

// isOpen tells what may be read without a token: how to use the API.
func isOpen(path string) bool {
	return path == descriptionPath+".json" || path == descriptionPath+".yaml" || strings.HasPrefix(path, problemsPath)
}

// caught serves r, and answers with a problem where a handler panics. What the
// panic says may quote a request: its type and the stack say enough.
func (a *api) caught(next http.Handler, w *statusWriter, r *http.Request) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if value == http.ErrAbortHandler { // net/http's own way to hang up
			panic(value)
		}
		a.Log.Error("a panic was caught", "route", r.Pattern, "type", fmt.Sprintf("%T", value), "stack", string(debug.Stack()))
		if w.status == 0 {
			a.problem("internal", "").write(w)
		}
	}()
	next.ServeHTTP(w, r)
}

// allowed answers a known address with an unknown method by a problem instead of
// ServeMux's own words.
func (a *api) allowed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		if pattern != "/" && pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var methods []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, p := mux.Handler(other); p != "/" && p != "" {
				methods = append(methods, method)
			}
		}
		if len(methods) == 0 {
			a.problem("not-found", "There is nothing at this address.").write(w)
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		a.problem("method-not-allowed", "").write(w)
	})
}

// everyOperationDeclaresItsRole refuses to open a door beside the guard.
func (a *api) everyOperationDeclaresItsRole() error {
	var faults []error
	for path, item := range a.huma.OpenAPI().Paths {
		for _, o := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete, item.Options, item.Head, item.Patch, item.Trace} {
			if o != nil && !slices.Contains([]staff.Role{staff.Look, staff.Act, staff.Audit}, roleOf(o)) {
				faults = append(faults, fmt.Errorf("console/api: the operation %s at %s declares no role", o.OperationID, path))
			}
		}
	}
	return errors.Join(faults...)
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// huma keeps its way of making errors in package variables. Ours is set once, and
// asks the way that was there before for what is none of ours.
func init() {
	others := huma.NewErrorWithContext
	huma.NewErrorWithContext = func(c huma.Context, status int, detail string, errs ...error) huma.StatusError {
		if c != nil {
			if a, ok := c.Context().Value(keyAPI).(*api); ok {
				return a.ofStatus(status, detail, errs...)
			}
		}
		return others(c, status, detail, errs...)
	}
}
