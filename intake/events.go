package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"segell/access"
	"segell/ledger"
)

const (
	// heartbeat keeps proxies from closing a stream on which nothing happens, and
	// notices readers that are gone.
	heartbeat = 15 * time.Second
	// eventWithin is how long a reader may keep one event waiting.
	eventWithin = 10 * time.Second
	// streamMost ends a stream, so that readers spread over the processes there
	// are; they come back by themselves, with Last-Event-ID.
	streamMost = 15 * time.Minute
	// streamsMost is how many streams a client may have open.
	streamsMost = 200
	// reconnectAfter is what readers are asked to wait before they come back.
	reconnectAfter = 2 * time.Second
)

type eventsInput struct {
	ID          string `path:"id" format:"uuid" doc:"Id of the request" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
	LastEventID string `header:"Last-Event-ID" doc:"Id of the last event that was read; browsers send it by themselves. What it told is not told again" example:"n4bQgYhMfWWaL-qgxVrQFQ"`
}

func (a *API) registerEvents() {
	state := a.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[RequestState](), true, "")
	text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeObject, Description: "One event (HTML standard, section 9.2)", Required: []string{"id", "event", "data"},
		Properties: map[string]*huma.Schema{
			"id":    {Type: huma.TypeString, Description: "Send the last one as Last-Event-ID to go on after it"},
			"event": {Type: huma.TypeString, Enum: []any{"state"}, Description: "Its name"},
			"data":  {Type: huma.TypeString, Description: "The request as it stands, as JSON", Extensions: map[string]any{"contentMediaType": "application/json", "contentSchema": state}},
		}}}
	register(a, huma.Operation{OperationID: "get-request-events", Method: http.MethodGet, Path: "/v1/requests/{id}/events", SkipValidateParams: true, Tags: []string{tagRequests},
		Security: needs(access.ScopeRead), Summary: "Changes of a request as they happen",
		Description: "Server-Sent Events. Each event is named state; its data is what GET /v1/requests/{id} would answer. The first says where the request stands, " +
			"the last how it ended; then the stream is closed. Steps in between may be left out where they were short, the last word never is. " +
			fmt.Sprintf("A comment every %d seconds keeps the line open. A stream lasts %d minutes at most; come back with Last-Event-ID. ", int(heartbeat/time.Second), int(streamMost/time.Minute)) +
			"204 answers who comes back after the last event: nothing more will come.",
		Responses: map[string]*huma.Response{
			"200": {Description: "The events", Content: map[string]*huma.MediaType{"text/event-stream": text}},
			"204": {Description: "The last event was read already"},
		},
		Errors: refusals(404)}, a.events)
}

func (a *API) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	if ledger.CheckID(in.ID) != nil {
		return nil, a.problem("not-found", "There is no such request.")
	}
	leave, ok := a.watcher.admit(clientOf(ctx), func(w *watching) *int { return &w.streams }, streamsMost)
	if !ok {
		p := a.problem("too-many-streams", fmt.Sprintf("A client may have %d streams of events open at a time.", streamsMost))
		p.retryAfter = 5 * time.Second
		return nil, p
	}
	l := a.watcher.listen(in.ID)
	end := func() {
		a.watcher.leave(l)
		leave()
	}
	standing, err := a.look(ctx, in.ID)
	if err != nil {
		end()
		return nil, err
	}
	seen := a.state(ctx, standing)
	a.watcher.first(l, seen)
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer end()
		r, w := humago.Unwrap(c)
		a.stream(r, w, l, seen, in.LastEventID)
	}}, nil
}

// stream writes the events of one request until it has ended, the reader has
// gone or its time is over.
func (a *API) stream(r *http.Request, w http.ResponseWriter, l *listener, seen RequestState, last string) {
	if final(seen.State) && last == eventID(seen) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := &eventWriter{w: w, control: http.NewResponseController(w), last: last}
	// The server's limits are for answers that come to an end at once. Who still
	// sends a body keeps its limit.
	if r.ContentLength != 0 {
		a.Log.Debug("a stream keeps its read deadline", "why", "the request has a body")
	} else if err := out.control.SetReadDeadline(time.Time{}); err != nil {
		a.Log.Debug("a stream keeps its read deadline", "why", err)
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	over := time.NewTimer(streamMost)
	defer over.Stop()
	beat := time.NewTicker(a.heartbeat)
	defer beat.Stop()
	err := out.write(fmt.Sprintf("retry: %d\n\n", reconnectAfter/time.Millisecond))
	if err == nil {
		err = out.tell(seen)
	}
	for err == nil && !final(seen.State) {
		select {
		case seen = <-l.news:
			err = out.tell(seen)
		case <-beat.C:
			err = out.write(":\n\n")
		case <-r.Context().Done():
			return
		case <-over.C:
			return
		case <-a.watcher.over:
			return
		}
	}
}

// eventID is the id of the event that tells a state: its entity tag without quotes.
func eventID(s RequestState) string {
	tag := s.tag()
	return tag[1 : len(tag)-1]
}

// eventWriter writes events, each within eventWithin.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    string // id of the last event that the reader has
}

func (e *eventWriter) tell(s RequestState) error {
	id := eventID(s)
	if id == e.last {
		return nil
	}
	e.last = id
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return e.write("id: " + id + "\nevent: state\ndata: " + string(data) + "\n\n")
}

func (e *eventWriter) write(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(eventWithin)); err != nil {
		return err
	}
	if _, err := io.WriteString(e.w, text); err != nil {
		return err
	}
	return e.control.Flush()
}
