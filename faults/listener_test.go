package faults

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// listener is the portal's side of callbacks. It fails at some, and believes none
// without its signature.
type listener struct {
	server *httptest.Server
	key    []byte

	mu     sync.Mutex
	events map[string]string // request and event, to the state that was told
	failed map[string]bool   // messages that it was not ready for
	forged int
}

func listen(t testing.TB) *listener {
	t.Helper()
	l := &listener{key: []byte("a key of thirty-two bytes or so!"), events: map[string]string{}, failed: map[string]bool{}}
	l.server = httptest.NewServer(l)
	t.Cleanup(l.server.Close)
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	mac := hmac.New(sha256.New, l.key)
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	var event struct {
		Type string
		Data struct{ ID, State string }
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !strings.Contains(r.Header.Get("webhook-signature"), want) || json.Unmarshal(body, &event) != nil {
		l.forged++
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	// A portal has its bad moments too; it fails at a message once, because the
	// third try is minutes later.
	if id := r.Header.Get("webhook-id"); !l.failed[id] && rand.IntN(20) == 0 {
		l.failed[id] = true
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	l.events[event.Data.ID+" "+event.Type] = event.Data.State
	w.WriteHeader(http.StatusNoContent)
}

func (l *listener) heard(id, event string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.events[id+" "+event]
	return ok
}

// lies are callbacks that told another end than the request came to, or were not
// signed.
func (l *listener) lies(ends map[string]state) (lies []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for told, state := range l.events {
		id, event, _ := strings.Cut(told, " ")
		if s := ends[id].State; s != state || event != "document."+s {
			lies = append(lies, fmt.Sprintf("%s (%s), which is %q", told, state, s))
		}
	}
	if l.forged > 0 {
		lies = append(lies, fmt.Sprintf("%d callbacks without a good signature", l.forged))
	}
	return lies
}

func (l *listener) secret() string { return "whsec_" + base64.StdEncoding.EncodeToString(l.key) }

// configuration is what Segell is told of the listener.
func (l *listener) configuration(client string) string {
	text, err := json.Marshal(map[string]any{client: map[string]any{"url": l.server.URL, "secrets": []string{l.secret()}, "allow_http": true, "allow_networks": []string{"127.0.0.0/8"}}})
	if err != nil {
		panic(err) // it is text only
	}
	return string(text)
}
