package intake

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"segell/access"
	"segell/ledger"
)

// reading is a door that holds most bytes of bodies and the clients one and other.
// Its handler reads the body, unless it is told in the address not to, and ends
// when it is let.
type reading struct {
	handler http.Handler
	inside  chan struct{}
	goOn    chan struct{}
}

func newReading(most int64) *reading {
	d := &reading{inside: make(chan struct{}, 10), goOn: make(chan struct{})}
	a := &API{publicURL: "https://segell.example"}
	d.handler = a.bodies(most, 50*time.Millisecond, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/unread" {
			_, _ = io.Copy(w, r.Body)
		}
		d.inside <- struct{}{}
		select {
		case <-d.goOn:
		case <-time.After(5 * time.Second): // one that should not have got in
		}
		_, _ = io.Copy(w, r.Body)
	}))
	return d
}

func (d *reading) ask(client, method, path string, length int64) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader("body"))
	if r.ContentLength = length; length == 0 {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r.WithContext(access.With(r.Context(), &access.Caller{Client: client})))
	return w
}

// enter asks and returns when the handler has begun; what it answers comes later.
func (d *reading) enter(t *testing.T, client, path string, length int64) <-chan *httptest.ResponseRecorder {
	t.Helper()
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() { done <- d.ask(client, http.MethodPost, path, length) }()
	select {
	case <-d.inside:
	case w := <-done:
		t.Fatalf("%s with %d bytes did not get in: %d %s", client, length, w.Code, w.Body)
	}
	return done
}

func refusedForNow(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || w.Header().Get("Connection") != "close" || !strings.Contains(w.Body.String(), "/problems/overloaded") {
		t.Errorf("%s: %d %v %s", what, w.Code, w.Header(), w.Body)
	}
}

// The bytes of bodies are bounded, for all and for each client: who finds no place
// is asked to come back, and what has no body is not kept waiting.
func TestBodiesHaveTheirPlaces(t *testing.T) {
	d := newReading(4 * bodyLeast)
	var answers []<-chan *httptest.ResponseRecorder
	for _, client := range []string{"one", "one", "other"} {
		answers = append(answers, d.enter(t, client, "/unread", 4))
	}
	refusedForNow(t, "the third of one client", d.ask("one", http.MethodPost, "/unread", 4))
	answers = append(answers, d.enter(t, "other", "/unread", 4))
	refusedForNow(t, "a third client where all is taken", d.ask("third", http.MethodPost, "/unread", 4))
	bare := make(chan *httptest.ResponseRecorder, 1)
	go func() { bare <- d.ask("one", http.MethodGet, "/", 0) }()
	answers = append(answers, bare)
	close(d.goOn)
	for _, answer := range answers {
		if w := <-answer; w.Code != http.StatusOK {
			t.Errorf("one with a place, or without a body: %d %s", w.Code, w.Body)
		}
	}
	// One that does not say how long it is takes all that a client may have for such,
	// and still gets in.
	if w := d.ask("one", http.MethodPost, "/", -1); w.Code != http.StatusOK || w.Body.String() != "body" {
		t.Errorf("of unknown length: %d %s", w.Code, w.Body)
	}
}

// Bodies of unknown length that never end leave room for the short ones of the
// same client.
func TestUnendingBodiesLeaveRoom(t *testing.T) {
	d := newReading(bodiesMost)
	defer close(d.goOn)
	for range bodiesMost / 2 * 3 / 4 / bodyLargest {
		d.enter(t, "one", "/unread", -1)
	}
	refusedForNow(t, "one more of them", d.ask("one", http.MethodPost, "/unread", -1))
	d.enter(t, "one", "/unread", 10_000)
	d.enter(t, "other", "/unread", -1)
}

// A handler that goes on after the body was read holds the place of what it read.
func TestAPlaceShrinksWhenTheBodyIsRead(t *testing.T) {
	d := newReading(bodiesMost)
	defer close(d.goOn)
	for range 20 { // unread, three of them take all that a client has for such
		d.enter(t, "one", "/", -1)
	}
	d = newReading(2 * 2 * bodyLeast)
	defer close(d.goOn)
	d.enter(t, "one", "/", -1)
	d.enter(t, "one", "/", 4)
	refusedForNow(t, "beyond what was read", d.ask("one", http.MethodPost, "/", 4))
}

// Only POST has a body here. That of another call is not read: it takes no place,
// and its connection ends with the answer.
func TestABodyWhereNoneBelongsTakesNoPlace(t *testing.T) {
	seen := make(chan *http.Request, 1)
	a := &API{}
	h := a.bodies(bodyLeast, time.Second, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen <- r }))
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodPut} {
		for _, length := range []int64{-1, 4} {
			r := httptest.NewRequest(method, "/", strings.NewReader("body"))
			r.ContentLength = length
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := <-seen; got.Body != http.NoBody || got.ContentLength != 0 || w.Header().Get("Connection") != "close" {
				t.Errorf("%s with %d bytes: body %v of %d bytes, %v", method, length, got.Body, got.ContentLength, w.Header())
			}
		}
	}
}

// deadlines records the read deadlines that a handler sets.
type deadlines struct {
	*httptest.ResponseRecorder
	read []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error { d.read = append(d.read, at); return nil }
func (d *deadlines) SetWriteDeadline(time.Time) error   { return nil }

// A stream lifts the server's limit for reading, but not for who still sends.
func TestAStreamWithABodyKeepsItsDeadline(t *testing.T) {
	a := &API{Config: Config{Log: slog.New(slog.DiscardHandler)}, heartbeat: time.Hour}
	for length, lifted := range map[int64]int{0: 1, -1: 0, 4: 0} {
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.ContentLength = length
		a.stream(r, w, nil, RequestState{State: string(ledger.StateIssued)}, "")
		if len(w.read) != lifted || !strings.Contains(w.Body.String(), "event: state") {
			t.Errorf("a body of %d bytes: deadlines set %v; %s", length, w.read, w.Body)
		}
	}
}
