package e2e

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// front is the proxy before the console. It stays where it is while the console
// behind it ends and begins again, writes down what goes through, and cuts what a
// test wants cut.
type front struct {
	URL   string
	cut   atomic.Bool // streams are cut, as by a proxy that knows none
	asked atomic.Int64

	mu     sync.Mutex
	behind *url.URL
	passed []exchange
}

// exchange is a request and its answer. Files that are not pages have no body here.
type exchange struct {
	method, address string
	sent            string // headers, without the cookie of the session
	header          string // of the answer
	body            string
	live            bool // asked for by the page itself
	status          int
}

func newFront(t *testing.T) *front {
	f := &front{}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		f.mu.Lock()
		r.SetURL(f.behind)
		f.mu.Unlock()
		r.Out.Host = r.In.Host
	}, ModifyResponse: f.note, ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		away := f.behind == nil
		f.mu.Unlock()
		if r.Header.Get("Segell-Live") != "" {
			f.asked.Add(1)
		}
		if away || f.cut.Load() && r.URL.Path == "/live" {
			panic(http.ErrAbortHandler) // the connection ends without an answer
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// leadTo puts a console behind the proxy, or none.
func (f *front) leadTo(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind = nil
	if address != "" {
		f.behind, _ = url.Parse(address)
	}
}

func (f *front) note(answer *http.Response) error {
	r := answer.Request
	e := exchange{method: r.Method, address: r.URL.RequestURI(), status: answer.StatusCode, live: r.Header.Get("Segell-Live") != "",
		sent: fmt.Sprint(r.Header), header: fmt.Sprint(answer.Header)}
	if kind := answer.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/html") || strings.HasPrefix(kind, "text/csv") || strings.HasPrefix(kind, "application/json") {
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		answer.Body = io.NopCloser(bytes.NewReader(body))
		e.body = string(body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passed = append(f.passed, e)
	return nil
}

// exchanges is everything that went through so far.
func (f *front) exchanges() []exchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passed[:len(f.passed):len(f.passed)]
}
