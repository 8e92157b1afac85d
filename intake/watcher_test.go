package intake

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segell/ledger"
	"segell/queue"
)

func TestPrefer(t *testing.T) {
	for header, want := range map[string]preference{
		"":                                  {},
		"respond-async":                     {async: true},
		"wait=5":                            {wait: 5 * time.Second},
		"respond-async, wait=5":             {async: true, wait: 5 * time.Second},
		`Wait="7"; foo=bar , Respond-Async`: {async: true, wait: 7 * time.Second},
		"wait=9999999":                      {wait: waitMost},
		"wait=5, wait=9":                    {wait: 5 * time.Second},
		"wait=-1":                           {},
		"wait=10s":                          {},
		"wait":                              {},
		"return=minimal":                    {},
	} {
		if got := readPrefer(header); got != want {
			t.Errorf("Prefer: %s gave %+v, want %+v", header, got, want)
		}
	}
	if got := (preference{async: true, wait: 5 * time.Second}).applied(true); got != "respond-async, wait=5" {
		t.Errorf("Preference-Applied: %s", got)
	}
}

// watching is a watcher whose queue is away and whose ledger says what it is told.
func newWatching(t *testing.T, look func(id string) RequestState) (*watcher, *atomic.Int64) {
	t.Helper()
	client, err := queue.Open("redis://127.0.0.1:1") // nothing listens there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	looks := &atomic.Int64{}
	w := newWatcher(queue.New(client), func(_ context.Context, id string, _ bool) (RequestState, error) {
		looks.Add(1)
		return look(id), nil
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { w.run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return w, looks
}

// A slow reader loses the oldest news and never the newest, and costs others nothing.
func TestASlowListenerHasTheLastWord(t *testing.T) {
	w, _ := newWatching(t, func(id string) RequestState { return RequestState{ID: id, State: string(ledger.StateIssued)} })
	slow := w.listen("a")
	defer w.leave(slow)
	w.first(slow, RequestState{ID: "a", State: string(ledger.StateAccepted)})
	for i := range 10 * newsKept {
		w.heard(queue.Move{ID: "a", Step: []string{"render", "seal"}[i%2]})
	}
	w.heard(queue.Move{ID: "a"})
	for deadline := time.Now().Add(10 * time.Second); ; {
		select {
		case news := <-slow.news:
			if news.State == string(ledger.StateIssued) {
				return
			}
		case <-time.After(time.Until(deadline)):
			t.Fatal("the end was not told")
		}
	}
}

// However many wait for one request, one look serves them all.
func TestAThousandWaitersCostOneLook(t *testing.T) {
	ended := &atomic.Bool{}
	w, looks := newWatching(t, func(id string) RequestState {
		if ended.Load() {
			return RequestState{ID: id, State: string(ledger.StateIssued)}
		}
		return RequestState{ID: id, State: string(ledger.StateAccepted)}
	})
	seen := RequestState{ID: "a", State: string(ledger.StateAccepted)}
	got := make(chan RequestState)
	var waiters sync.WaitGroup
	for range 1000 {
		l := w.listen("a")
		waiters.Go(func() {
			defer w.leave(l)
			got <- w.await(context.Background(), l, seen, time.Minute)
		})
	}
	for n := 0; n < 1000; { // all have said what they saw
		w.mu.Lock()
		if of := w.watched["a"]; of != nil && of.last != nil {
			n = len(of.listeners)
		}
		w.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	ended.Store(true)
	w.heard(queue.Move{ID: "a"})
	for range 1000 {
		if s := <-got; s.State != string(ledger.StateIssued) {
			t.Fatalf("one was told %s", s.State)
		}
	}
	if n := looks.Load(); n > 2 { // one may be a sweep's
		t.Errorf("the ledger was asked %d times", n)
	}
	waiters.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.watched) != 0 {
		t.Errorf("%d requests are still watched", len(w.watched))
	}
}

// A hint that comes late does not bring a request back to life, and one without a
// listener costs nothing.
func TestLateHints(t *testing.T) {
	w, looks := newWatching(t, func(id string) RequestState { return RequestState{ID: id, State: string(ledger.StateIssued)} })
	w.heard(queue.Move{ID: "nobody"})
	l := w.listen("a")
	defer w.leave(l)
	w.first(l, RequestState{ID: "a", State: string(ledger.StateIssued)})
	w.heard(queue.Move{ID: "a", Step: "store"})
	select {
	case news := <-l.news:
		t.Errorf("an issued request was told to be %s", news.State)
	default:
	}
	if n := looks.Load(); n > 0 {
		t.Errorf("the ledger was asked %d times", n)
	}
}
