package intake_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segell/intake"
	"segell/ledger"
	"segell/queue"
)

// accepted gives the door a request and returns its id.
func (d *door) accepted(edits ...edit) string {
	d.t.Helper()
	a := d.ask("POST", path, standard(d.t), edits...)
	if a.status != http.StatusAccepted {
		d.t.Fatalf("answered %d %s", a.status, a.body)
	}
	return fmt.Sprint(a.text("id"))
}

// issue does what a worker does, and tells.
func (d *door) issue(id string) {
	d.t.Helper()
	ctx := context.Background()
	request, err := d.ledger.Request(ctx, id)
	if err != nil {
		d.t.Fatal(err)
	}
	document, err := d.ledger.Issue(ctx, request, []byte("%PDF-sealed"), ledger.Document{Level: "B-T", Pages: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.ledger.Finish(ctx, request, document, "ca", "2026-06-02", ledger.Masked{Initials: "M. P.", CASSNumber: "•••••0A"}, ledger.Making{}); err != nil {
		d.t.Fatal(err)
	}
	d.queue.Tell(ctx, queue.Move{ID: id})
}

func (d *door) api() *intake.API { return d.server.Config.Handler.(*intake.API) }

// listening waits until so many wait for news.
func (d *door) listening(n int) {
	d.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if got, _ := d.api().Listening(); got == n {
			return
		} else if time.Now().After(deadline) {
			d.t.Fatalf("after 20 s %d wait for news, want %d", got, n)
		}
	}
}

func TestWaitingForTheDocument(t *testing.T) {
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprintf("redis away: %v", away), func(t *testing.T) {
			d := newDoor(t)
			key := with("Idempotency-Key", "0d1f")
			if away {
				d.redis.Kill()
			}
			answered := make(chan answer)
			go func() { answered <- d.ask("POST", path, standard(t), key, with("Prefer", "respond-async, wait=25")) }()
			d.listening(1)
			for info, err := range d.bucket.List(t.Context(), "requests/", "") {
				if err != nil {
					t.Fatal(err)
				}
				d.issue(info.Key[strings.LastIndexByte(info.Key, '/')+1:])
			}
			first := <-answered
			document, _ := first.json["document"].(map[string]any)
			if first.status != http.StatusCreated || first.text("state") != "issued" || document["pages"] != 1.0 || first.header.Get("Preference-Applied") != "respond-async, wait=25" || first.header.Get("Location") == "" {
				t.Errorf("answered %d %v %s", first.status, first.header, first.body)
			}
			if again := d.ask("POST", path, standard(t), key, with("Prefer", "wait=5")); again.status != http.StatusOK || again.text("id") != first.text("id") || again.text("state") != "issued" {
				t.Errorf("the repeat was answered %d %s", again.status, again.body)
			}
			d.listening(0)
		})
	}
}

func TestWaitingIsBounded(t *testing.T) {
	d := newDoor(t)
	if a := d.ask("POST", path, standard(t), with("Prefer", "wait=1")); a.status != http.StatusAccepted || a.text("state") != "accepted" || a.header.Get("Preference-Applied") != "wait=1" {
		t.Errorf("answered %d %v %s", a.status, a.header, a.body)
	}
	if a := d.ask("POST", path, standard(t), with("Prefer", "respond-async")); a.status != http.StatusAccepted || a.header.Get("Preference-Applied") != "respond-async" {
		t.Errorf("answered %d %v", a.status, a.header)
	}
	if a := d.ask("POST", path, standard(t)); a.header.Get("Preference-Applied") != "" {
		t.Errorf("nobody preferred anything, and applied is %v", a.header)
	}
}

func TestConditionalGet(t *testing.T) {
	d := newDoor(t)
	id := d.accepted()
	first := d.ask("GET", "/v1/requests/"+id, "")
	tag := first.header.Get("ETag")
	if first.status != 200 || !strings.HasPrefix(tag, `"`) || first.header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("answered %d %v", first.status, first.header)
	}
	for _, header := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		if a := d.ask("GET", "/v1/requests/"+id, "", with("If-None-Match", header)); a.status != http.StatusNotModified || a.body != "" || a.header.Get("ETag") != tag {
			t.Errorf("If-None-Match: %s was answered %d %v %s", header, a.status, a.header, a.body)
		}
	}
	// With a preference the answer waits for the end, and is another one then.
	answered := make(chan answer)
	go func() {
		answered <- d.ask("GET", "/v1/requests/"+id, "", with("If-None-Match", tag), with("Prefer", "wait=20"))
	}()
	d.listening(1)
	d.issue(id)
	if a := <-answered; a.status != 200 || a.text("state") != "issued" || a.header.Get("ETag") == tag || a.header.Get("Preference-Applied") != "wait=20" {
		t.Errorf("answered %d %v %s", a.status, a.header, a.body)
	}
}

// event is one Server-Sent Event.
type event struct{ id, name, state string }

// stream reads the events of a request until they end.
func (d *door) stream(ctx context.Context, server *httptest.Server, id, last string) (int, <-chan event, *atomic.Int64) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/v1/requests/"+id+"/events", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	got, err := server.Client().Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	events, beats := make(chan event, 100), &atomic.Int64{}
	go func() {
		defer got.Body.Close()
		defer close(events)
		var e event
		for lines := bufio.NewScanner(got.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case name == "id":
				e.id = value
			case name == "event":
				e.name = value
			case name == "data":
				var data struct {
					State string `json:"state"`
				}
				if json.Unmarshal([]byte(value), &data) == nil {
					e.state = data.State
				}
			case lines.Text() == ":":
				beats.Add(1)
			case lines.Text() == "" && e.id != "":
				events <- e
				e = event{}
			}
		}
	}()
	return got.StatusCode, events, beats
}

func (d *door) next(events <-chan event, want string) event {
	d.t.Helper()
	select {
	case e, open := <-events:
		if !open || e.state != want || e.name != "state" || e.id == "" {
			d.t.Fatalf("the next event is %+v (open: %v), want %s", e, open, want)
		}
		return e
	case <-time.After(20 * time.Second):
		d.t.Fatalf("no event in 20 s, want %s", want)
	}
	return event{}
}

func (d *door) ended(events <-chan event) {
	d.t.Helper()
	select {
	case e, open := <-events:
		if open {
			d.t.Fatalf("another event: %+v", e)
		}
	case <-time.After(20 * time.Second):
		d.t.Fatal("the stream does not end")
	}
}

// A stream outlives the limits that the server sets to answers, tells every
// change, and ends with the request.
func TestEvents(t *testing.T) {
	d := newDoor(t)
	d.api().SetHeartbeat(50 * time.Millisecond)
	strict := httptest.NewUnstartedServer(d.api())
	strict.Config.ReadTimeout, strict.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	strict.Start()
	t.Cleanup(strict.Close) // after the context of the test, with which the streams end
	id := d.accepted()
	_, events, beats := d.stream(t.Context(), strict, id, "")
	first := d.next(events, "accepted")
	for beats.Load() < 15 { // well beyond the server's limits
		time.Sleep(10 * time.Millisecond)
	}
	tell := func(step string) { d.queue.Tell(t.Context(), queue.Move{ID: id, Step: step}) }
	for _, step := range []struct{ told, state string }{{"render", "rendering"}, {"seal", "sealing"}, {"retrying", "retrying"}, {"render", "rendering"}, {"store", "storing"}} {
		tell(step.told)
		d.next(events, step.state)
	}
	tell("store") // nothing new
	// Who comes back is not told again what it has read: no worker has noted
	// anything, so the request still stands as it did at first.
	_, late, _ := d.stream(t.Context(), strict, id, first.id)
	d.issue(id)
	last := d.next(events, "issued")
	d.next(late, "issued")
	d.ended(events)
	d.ended(late)
	if status, _, _ := d.stream(t.Context(), strict, id, last.id); status != http.StatusNoContent {
		t.Errorf("who has read the end is answered %d", status)
	}
	_, again, _ := d.stream(t.Context(), strict, id, first.id)
	d.next(again, "issued")
	d.ended(again)
	d.listening(0)
}

func TestEventsWithoutRedis(t *testing.T) {
	d := newDoor(t)
	id := d.accepted()
	d.redis.Kill()
	_, events, _ := d.stream(t.Context(), d.server, id, "")
	d.next(events, "accepted")
	if err := d.ledger.GiveUp(t.Context(), ledger.Failure{ID: id, Stage: ledger.StageRender, Cause: "missing_glyph", FailedAt: now}); err != nil {
		t.Fatal(err)
	}
	d.next(events, "failed")
	d.ended(events)
}

func TestStreamsAreLimitedAndForgotten(t *testing.T) {
	d := newDoor(t)
	id := d.accepted()
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	var opening sync.WaitGroup
	for range intake.StreamsMost {
		opening.Go(func() { d.stream(ctx, d.server, id, "") })
	}
	opening.Wait()
	refused := d.ask("GET", "/v1/requests/"+id+"/events", "")
	refused.problem(t, 429, "too-many-streams")
	if refused.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	if _, requests := d.api().Listening(); requests != 1 {
		t.Errorf("%d requests are watched", requests)
	}
	hangUp()
	d.listening(0)
	_, events, _ := d.stream(t.Context(), d.server, id, "")
	d.next(events, "accepted")
	d.ask("GET", "/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/events", "").problem(t, 404, "not-found")
}
