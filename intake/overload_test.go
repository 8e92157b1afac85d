package intake

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The bytes of bodies are bounded: who finds no place is asked to come back, and
// what has no body is not kept waiting.
func TestBodiesHaveTheirPlaces(t *testing.T) {
	a := &API{publicURL: "https://segell.example"}
	inside, goOn := make(chan struct{}, 10), make(chan struct{})
	handler := a.bodies(3*bodyLeast, 50*time.Millisecond, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			inside <- struct{}{}
			<-goOn
		}
		_, _ = io.Copy(w, r.Body)
	}))
	ask := func(method string, length int64) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", strings.NewReader("body"))
		r.ContentLength = length
		if method == http.MethodGet {
			r.Body, r.ContentLength = http.NoBody, 0
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	done := make(chan int, 3)
	for range 3 {
		go func() { done <- ask(http.MethodPost, 4).Code }()
		<-inside
	}
	if w := ask(http.MethodPost, 4); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "/problems/overloaded") {
		t.Errorf("the fourth: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := ask(http.MethodGet, 0); w.Code != http.StatusOK {
		t.Errorf("without a body: %d", w.Code)
	}
	close(goOn)
	for range 3 {
		if code := <-done; code != http.StatusOK {
			t.Errorf("one with a place: %d", code)
		}
	}
	// One that does not say how long it is takes all there is, and still gets in.
	if w := ask(http.MethodPost, -1); w.Code != http.StatusOK || w.Body.String() != "body" {
		t.Errorf("of unknown length: %d %s", w.Code, w.Body)
	}
}
