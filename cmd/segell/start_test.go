package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segell/internal/servers"
)

// losing passes everything on to an S3 server and loses the answers to the first
// few writes of one object: they are done, and nobody hears of it.
func losing(t *testing.T, endpoint, object string, answers int32) (address string, lost *atomic.Int32) {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	lost = &atomic.Int32{}
	behind := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // Host stays: it is signed
	}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, object) && lost.Add(1) <= answers {
			behind.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL, lost
}

// A store that loses an answer while it is tried says nothing of its promises: the
// start tries again.
func TestAStartTriesAgainWhereAnAnswerIsLost(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	address, lost := losing(t, h.s3.Endpoint, "/replace", 1)
	p := h.start("intake", map[string]string{"SEGELL_S3_ENDPOINT": address})
	if n := lost.Load(); n < 2 {
		t.Fatalf("%d writes of that object: no answer was lost", n)
	}
	if log := p.log.String(); !strings.Contains(log, "could not be tried to the end, which is done again") || !strings.Contains(log, "the bucket holds what it must") {
		t.Errorf("the log:\n%s", log)
	}
	p.stop(20 * time.Second)
}

// One that never comes to an end is told, and is no reason to wait for ever.
func TestAStartEndsWhereABucketGivesNoVerdict(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(refusing.Close)
	h.settings["SEGELL_S3_ENDPOINT"] = refusing.URL
	began := time.Now()
	out, code := h.run("intake")
	if code != 1 || !strings.Contains(out, "SEGELL_S3_ENDPOINT") || time.Since(began) < 4*2*time.Second {
		t.Errorf("exit code %d after %v:\n%s", code, time.Since(began), out)
	}
}
