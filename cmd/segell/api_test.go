package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"segell/internal/servers"
)

// apiJudge is a program under .cache that `make tools` puts there.
func apiJudge(t *testing.T, place string) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "..", "..", ".cache", place)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing: make tools", filepath.Base(path))
	}
	return path
}

// apiExamples is how many cases are made per operation: few in every run of the
// tests, more in `make api`.
func apiExamples(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SEGELL_API_EXAMPLES")
	if text == "" {
		return 4
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatal("SEGELL_API_EXAMPLES must be a number of cases per operation")
	}
	return n
}

// crowd is a proxy before a door, behind which every call comes from another
// address: one address that asks so often without a token is rightly turned away,
// whatever it asks.
func crowd(t *testing.T, door string) string {
	t.Helper()
	to, err := url.Parse(door)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Uint32
	pass := &httputil.ReverseProxy{Transport: &http.Transport{DisableKeepAlives: true}, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		n := calls.Add(1)
		r.Out.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255))
	}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Whole, so that an answer which comes before its end cuts nothing off.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the caller is gone
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// The description keeps the rules of OpenAPI (Spectral), and the running service
// keeps what the description says (Schemathesis, with every check).
func TestTheServiceIsWhatItsDescriptionSays(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	tokens := h.settings["SEGELL_API_TOKENS_FILE"]
	line, err := os.ReadFile(tokens)
	if err != nil {
		t.Fatal(err)
	}
	// The limit of calls is tried elsewhere: here it would answer for everything.
	if err := os.WriteFile(tokens, append(line, "portal limits rate=100000\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	h.start("serve", map[string]string{"SEGELL_TRUSTED_PROXIES": "127.0.0.1"})
	door := h.settings["SEGELL_PUBLIC_URL"]
	_, _, description := stranger(t, "GET", door+"/openapi.json", nil, nil)
	rules, err := filepath.Abs("testdata/api")
	if err != nil {
		t.Fatal(err)
	}

	file := h.file("openapi.json", string(description))
	spectral := exec.Command(apiJudge(t, "judges/node_modules/.bin/spectral"), "lint", "--ruleset", filepath.Join(rules, "spectral.yaml"), "--fail-severity", "warn", file)
	if out, err := spectral.CombinedOutput(); err != nil {
		t.Errorf("spectral: %v\n%s", err, out)
	}

	n := apiExamples(t)
	within, cancel := context.WithTimeout(t.Context(), 5*time.Minute+time.Duration(n)*10*time.Second)
	defer cancel()
	judge := func() ([]byte, error) {
		schemathesis := exec.CommandContext(within, apiJudge(t, "venv/bin/schemathesis"), "--config-file", filepath.Join(rules, "schemathesis.toml"),
			"run", door+"/openapi.json", "--url", crowd(t, door), "--header", "Authorization: Bearer "+h.token, "--checks", "all", "--max-examples", strconv.Itoa(n),
			"--seed", "1", "--request-timeout", "60", "--workers", "2", "--warnings", "off", "--no-color")
		schemathesis.Dir = t.TempDir() // where it keeps what it found
		schemathesis.Env = append(os.Environ(), "SEGELL_API_RULES="+rules)
		return schemathesis.CombinedOutput()
	}
	out, err := judge()
	if err != nil && bytes.Contains(out, []byte("AST constructor recursion depth mismatch")) {
		// A fault of CPython 3.11's own, seen once in about thirty runs: nothing was judged.
		out, err = judge()
	}
	if err != nil {
		t.Errorf("schemathesis: %v\n%s", err, out)
		return
	}
	t.Logf("%s", out)
}
