// Package intake is the portal's door: it checks a request, writes it to the
// ledger, enqueues its job and answers 202. What it accepted is never lost,
// whether or not Redis answers. It also says where a request stands and leads to
// the finished document.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"segell/access"
	"segell/ledger"
	"segell/queue"
)

// Config is what the API stands on. All fields are required.
type Config struct {
	Ledger    *ledger.Ledger
	Queue     *queue.Queue
	Access    *access.Gate // who may what
	Log       *slog.Logger
	Now       func() time.Time
	PublicURL string // where clients reach this API and the pages about problems, without a slash at the end
	Version   string // of Segell, for the API's description

	// MostUnfinished is how many requests may be unfinished before no more are
	// taken; DefaultMostUnfinished when 0. Those of batches are refused earlier.
	MostUnfinished int
}

// API is the door. It is an http.Handler for everything under /v1/ and
// /problems/, and the description of the API at /openapi.json, for people at /docs.
type API struct {
	Config
	publicURL string
	api       huma.API
	handler   http.Handler
	enqueuer  *enqueuer
	watcher   *watcher
	heartbeat time.Duration
}

// New returns the API, or an error naming every field missing.
func New(c Config) (*API, error) {
	var faults []error
	for name, missing := range map[string]bool{
		"Ledger": c.Ledger == nil, "Queue": c.Queue == nil, "Access": c.Access == nil, "Log": c.Log == nil, "Now": c.Now == nil, "PublicURL": c.PublicURL == "",
	} {
		if missing {
			faults = append(faults, fmt.Errorf("intake: %s is missing", name))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.MostUnfinished <= 0 {
		c.MostUnfinished = DefaultMostUnfinished
	}
	a := &API{Config: c, publicURL: c.PublicURL, enqueuer: newEnqueuer(c.Queue, c.Log), heartbeat: heartbeat}
	a.watcher = newWatcher(c.Queue, a.watch)

	mux := http.NewServeMux()
	config := huma.DefaultConfig("Segell intake API", c.Version)
	describe(&config)
	config.DocsPath = ""     // its page would load scripts from elsewhere
	config.CreateHooks = nil // no $schema member in answers
	config.SchemasPath = ""
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Security = []map[string][]string{{"token": {}}}
	config.Servers = []*huma.Server{{URL: c.PublicURL}}
	a.api = humago.New(mux, config)
	a.api.UseMiddleware(a.authorize)
	a.registerDocuments(mux)
	a.registerBatch()
	a.registerRequests()
	a.registerEvents()
	a.registerCancel()
	a.registerWithdrawal()
	a.registerTickets()
	a.registerHistory()
	if err := a.everyOperationDeclaresItsScope(); err != nil {
		return nil, err
	}
	if err := a.registerDocs(mux); err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /problems/{kind}", a.problemPage)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.problem("not-found", "There is nothing at this address.").write(w)
	})
	a.handler = a.guard(a.bodies(bodiesMost, bodiesWithin, allowed(mux, a)))
	return a, nil
}

// Run enqueues what could not be enqueued while Redis was away, and tells those
// who wait when their request moves, until ctx ends; then it ends every stream of
// events. A door without Run accepts requests all the same, and lets nobody wait.
// Run may be called once.
func (a *API) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { a.enqueuer.run(ctx) })
	both.Go(func() { a.watcher.run(ctx) })
	both.Wait()
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

type contextKey int

const keyAPI contextKey = iota

// guard lets in who has a token, sets the headers that every answer has, and
// writes the log's line, which holds no address: those could hold a code or an
// id of somebody.
func (a *API) guard(next http.Handler) http.Handler {
	open := a.Access.Public(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		answer := &statusWriter{ResponseWriter: w}
		// ServeMux writes the pattern into the request that it serves.
		r = r.WithContext(context.WithValue(r.Context(), keyAPI, a))
		if twice := repeated(r.Header); twice != "" {
			access.Dismiss(answer, r)
			a.problem("bad-request", "The header "+twice+" is there more than once.").write(answer)
		} else if isOpen(r.URL.Path) {
			if r.ContentLength != 0 {
				access.Dismiss(answer, r)
			}
			r.Pattern = ""
			a.caught(open, answer, r)
		} else if caller, refusal := a.Access.Admit(r); refusal != nil {
			access.Dismiss(answer, r)
			a.refused(refusal).write(answer)
		} else {
			r = r.WithContext(access.With(r.Context(), caller))
			r.Pattern = ""
			if refusal := a.Access.Charge(caller, "", access.Call); refusal != nil {
				a.Access.SetHeaders(caller, header)
				access.Dismiss(answer, r)
				a.refused(refusal).write(answer)
			} else {
				a.Access.SetHeaders(caller, header)
				a.caught(next, answer, r)
			}
		}
		a.Log.Info("answered", "method", r.Method, "route", r.Pattern, "status", answer.status, "client", clientOf(r.Context()), "took", time.Since(began).Round(time.Microsecond))
	})
}

// caught serves r, and answers with a problem where a handler panics. What the
// panic says may quote a request: its type and the stack say enough.
func (a *API) caught(next http.Handler, w *statusWriter, r *http.Request) {
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

// repeated names a header that decides something and is there more than once:
// which of them counts would be a guess.
func repeated(h http.Header) string {
	for _, name := range []string{"Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", "Last-Event-Id"} {
		if len(h.Values(name)) > 1 {
			return name
		}
	}
	return ""
}

// isOpen tells what may be read without a token: how to use the API.
func isOpen(path string) bool {
	return path == "/openapi.json" || path == "/openapi.yaml" || path == "/docs" || path == "/docs/style.css" || len(path) > 10 && path[:10] == "/problems/"
}

// allowed answers a known address with an unknown method by a problem instead of
// ServeMux's own words.
func allowed(mux *http.ServeMux, a *API) http.Handler {
	exact := a.exactAddresses()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		r.Pattern = pattern
		methods, known := exact[r.URL.Path]
		switch {
		case known && !slices.Contains(methods, r.Method):
			// Else the name in the address could pass for an id.
		case pattern != "/" && pattern != "":
			mux.ServeHTTP(w, r)
			return
		default:
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
				other := r.Clone(r.Context())
				other.Method = method
				if _, p := mux.Handler(other); p != "/" && p != "" {
					methods = append(methods, method)
				}
			}
		}
		if len(methods) == 0 {
			handler.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		a.problem("method-not-allowed", "").write(w)
	})
}

// exactAddresses are the addresses of operations that have no variable part, with
// their methods.
func (a *API) exactAddresses() map[string][]string {
	exact := map[string][]string{}
	for path, item := range a.api.OpenAPI().Paths {
		if strings.Contains(path, "{") {
			continue
		}
		for method, o := range map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodHead: item.Get, http.MethodPost: item.Post, http.MethodDelete: item.Delete} {
			if o != nil {
				exact[path] = append(exact[path], method)
			}
		}
		slices.Sort(exact[path])
	}
	return exact
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

// huma keeps its way of making errors in package variables. Ours are set once:
// every refusal of its own becomes a problem of our registry. Another API in the
// process has its own way, which is asked for what is none of ours.
func init() {
	others := huma.NewErrorWithContext
	huma.NewError = func(status int, detail string, _ ...error) huma.StatusError {
		return &Problem{Status: status, Title: http.StatusText(status), Detail: detail}
	}
	huma.NewErrorWithContext = func(c huma.Context, status int, detail string, errs ...error) huma.StatusError {
		if c != nil {
			if a, ok := c.Context().Value(keyAPI).(*API); ok {
				return a.ofStatus(status, detail, errs...)
			}
		}
		return others(c, status, detail, errs...)
	}
}
