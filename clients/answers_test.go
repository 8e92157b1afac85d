package clients

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// pane stands between a client and the press: it may change the answers that are
// JSON objects, and keeps them as the client saw them.
type pane struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer
}

// answer is one answer of an operation.
type answer struct {
	Path   string // as the description has it, with {id}
	Method string // get, post
	Status int
	Media  string
	Body   map[string]any
}

// between opens a pane before the press; alter changes an answer in place.
func between(t *testing.T, p press, alter func(map[string]any)) *pane {
	t.Helper()
	target, err := url.Parse(p.door)
	if err != nil {
		t.Fatal(err)
	}
	w := &pane{}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error { return w.pass(r, alter) },
	}
	w.Server = httptest.NewServer(proxy)
	t.Cleanup(w.Close)
	return w
}

func (w *pane) pass(r *http.Response, alter func(map[string]any)) error {
	media := r.Header.Get("Content-Type")
	if !strings.HasSuffix(media, "json") {
		return nil
	}
	seen := answer{Path: template(r.Request.URL.Path), Method: strings.ToLower(r.Request.Method), Status: r.StatusCode, Media: media}
	decoder := json.NewDecoder(r.Body)
	decoder.UseNumber()
	if err := decoder.Decode(&seen.Body); err != nil {
		return err
	}
	if err := r.Body.Close(); err != nil {
		return err
	}
	alter(seen.Body)
	text, err := json.Marshal(seen.Body)
	if err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	r.Header.Set("Content-Length", strconv.Itoa(len(text)))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers, seen)
	return nil
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func template(path string) string { return uuid.ReplaceAllString(path, "{id}") }

// seen are the answers that went through.
func (w *pane) seen() []answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers
}

// later adds what a later version might: a client must not mind.
func later(body map[string]any) { body["a_later_member"] = "of a later version" }

// without takes away what an answer must have.
func without(member string) func(map[string]any) {
	return func(body map[string]any) { delete(body, member) }
}
