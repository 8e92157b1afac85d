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
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"segell/ledger"
	"segell/queue"
)

// Config is what the API stands on. All fields are required.
type Config struct {
	Ledger    *ledger.Ledger
	Queue     *queue.Queue
	Tokens    *Tokens
	Log       *slog.Logger
	Now       func() time.Time
	PublicURL string // where clients reach this API and the pages about problems, without a slash at the end
	Version   string // of Segell, for the API's description
}

// API is the door. It is an http.Handler for everything under /v1/ and
// /problems/, and the description of the API at /openapi.json.
type API struct {
	Config
	publicURL string
	api       huma.API
	handler   http.Handler
	enqueuer  *enqueuer
}

// New returns the API, or an error naming every field missing.
func New(c Config) (*API, error) {
	var faults []error
	for name, missing := range map[string]bool{
		"Ledger": c.Ledger == nil, "Queue": c.Queue == nil, "Tokens": c.Tokens == nil, "Log": c.Log == nil, "Now": c.Now == nil, "PublicURL": c.PublicURL == "",
	} {
		if missing {
			faults = append(faults, fmt.Errorf("intake: %s is missing", name))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	a := &API{Config: c, publicURL: c.PublicURL, enqueuer: newEnqueuer(c.Queue, c.Log)}

	mux := http.NewServeMux()
	config := huma.DefaultConfig("Segell intake API", c.Version)
	config.Info.Description = "Asks for official documents of the social security fund and learns when each is ready."
	config.DocsPath = ""     // its page would load scripts from elsewhere
	config.CreateHooks = nil // no $schema member in answers
	config.SchemasPath = ""
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Security = []map[string][]string{{"token": {}}}
	config.Servers = []*huma.Server{{URL: c.PublicURL}}
	a.api = humago.New(mux, config)
	a.registerDocuments(mux)
	a.registerRequests()
	mux.HandleFunc("GET /problems/{kind}", a.problemPage)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.problem("not-found", "There is nothing at this address.").write(w)
	})
	a.handler = a.guard(allowed(mux, a))
	return a, nil
}

// Run enqueues what could not be enqueued while Redis was away, until ctx ends.
// The reconciler would too, a little later; a door without Run is right, only
// slower after such a time.
func (a *API) Run(ctx context.Context) { a.enqueuer.run(ctx) }

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

type contextKey int

const (
	keyClient contextKey = iota
	keyAPI
)

func clientOf(ctx context.Context) string { client, _ := ctx.Value(keyClient).(string); return client }

// guard lets in who has a token, sets the headers that every answer has, and
// writes the log's line, which holds no address: those could hold a code or an
// id of somebody.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		answer := &statusWriter{ResponseWriter: w}
		ctx := context.WithValue(r.Context(), keyAPI, a)
		client, known := a.Tokens.client(r)
		// ServeMux writes the pattern into the request that it serves.
		r = r.WithContext(context.WithValue(ctx, keyClient, client))
		if twice := repeated(r.Header); twice != "" {
			a.problem("bad-request", "The header "+twice+" is there more than once.").write(answer)
		} else if known || isOpen(r.URL.Path) {
			r.Pattern = ""
			a.caught(next, answer, r)
		} else {
			header.Set("Connection", "close") // who has no token is not waited for
			a.problem("unauthorized", "The header Authorization must be Bearer and a token that is known here.").write(answer)
		}
		a.Log.Info("answered", "method", r.Method, "route", r.Pattern, "status", answer.status, "client", client, "took", time.Since(began).Round(time.Microsecond))
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
	for _, name := range []string{"Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key"} {
		if len(h.Values(name)) > 1 {
			return name
		}
	}
	return ""
}

// isOpen tells what may be read without a token: how to use the API.
func isOpen(path string) bool {
	return path == "/openapi.json" || path == "/openapi.yaml" || len(path) > 10 && path[:10] == "/problems/"
}

// allowed answers a known address with an unknown method by a problem instead of
// ServeMux's own words.
func allowed(mux *http.ServeMux, a *API) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		r.Pattern = pattern
		if pattern == "/" || pattern == "" {
			var methods []string
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
				other := r.Clone(r.Context())
				other.Method = method
				if _, p := mux.Handler(other); p != "/" && p != "" {
					methods = append(methods, method)
				}
			}
			if len(methods) > 0 {
				for _, method := range methods {
					w.Header().Add("Allow", method)
				}
				a.problem("method-not-allowed", "").write(w)
				return
			}
			handler.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
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
// every refusal of its own becomes a problem of our registry.
func init() {
	huma.NewError = func(status int, detail string, _ ...error) huma.StatusError {
		return &Problem{Status: status, Title: http.StatusText(status), Detail: detail}
	}
	huma.NewErrorWithContext = func(c huma.Context, status int, detail string, errs ...error) huma.StatusError {
		if c != nil {
			if a, ok := c.Context().Value(keyAPI).(*API); ok {
				return a.ofStatus(status, detail)
			}
		}
		return huma.NewError(status, detail, errs...)
	}
}
