package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"segell/staff"
)

const (
	// streamsMost is how many pages of one session are told of changes at a time. The
	// others ask every few seconds: browsers have six connections to a host.
	streamsMost = 4
	// streamsOfLogin is how many the pages of one person have, in all of their sessions.
	streamsOfLogin = 12
	// beatEvery keeps proxies from closing a stream, tells pages that they are up to
	// date, and finds out whether the session has ended.
	beatEvery = 10 * time.Second
	// changeEvery is the least time between two words of change in a stream.
	changeEvery = time.Second
	// streamWithin is how long a reader may keep one word waiting.
	streamWithin = 10 * time.Second
	// streamLast ends a stream, so that readers spread over the processes there are;
	// browsers come back by themselves.
	streamLast = 15 * time.Minute
)

// streams tells pages that something has changed. While one is open it listens to
// the index, once for all.
type streams struct {
	changes func(context.Context) <-chan struct{}
	beat    time.Duration // beatEvery
	over    chan struct{}
	once    sync.Once

	mu       sync.Mutex
	ears     map[chan struct{}]listener
	stopHear context.CancelFunc
}

// listener is whose an ear is.
type listener struct{ session, login string }

func newStreams(changes func(context.Context) <-chan struct{}) *streams {
	return &streams{changes: changes, beat: beatEvery, over: make(chan struct{}), ears: map[chan struct{}]listener{}}
}

func (s *streams) close() { s.once.Do(func() { close(s.over) }) }

// join opens an ear of a session, unless it or its person has enough.
func (s *streams) join(who listener) (ear chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ofSession, ofLogin := 0, 0
	for _, other := range s.ears {
		if other.session == who.session {
			ofSession++
		}
		if other.login == who.login {
			ofLogin++
		}
	}
	if ofSession >= streamsMost || ofLogin >= streamsOfLogin {
		return nil, false
	}
	ear = make(chan struct{}, 1)
	s.ears[ear] = who
	if s.stopHear == nil {
		ctx, stop := context.WithCancel(context.Background())
		s.stopHear = stop
		go s.hear(ctx)
	}
	return ear, true
}

func (s *streams) leave(ear chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ears, ear)
	if len(s.ears) == 0 && s.stopHear != nil {
		s.stopHear()
		s.stopHear = nil
	}
}

// hear passes changes on until ctx ends.
func (s *streams) hear(ctx context.Context) {
	changes := s.changes(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case _, more := <-changes:
			if !more {
				return // pages still ask at every beat
			}
			s.tell()
		}
	}
}

func (s *streams) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ear := range s.ears {
		select {
		case ear <- struct{}{}:
		default: // it has not read the last word yet, which says the same
		}
	}
}

// live is the stream of changes: "change" says that a page may look different now,
// "beat" that the stream still stands, "end" that the session is over. Their data
// is the time of day; what changed, a page asks for itself.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	ear, ok := c.streams.join(listener{v.cookie, v.session.Login})
	if !ok {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "this session or its login has as many streams open as it may", http.StatusTooManyRequests)
		return
	}
	defer c.streams.leave(ear)
	out := &eventWriter{w: w, control: http.NewResponseController(w), now: c.Now}
	if err := out.begin(); err != nil {
		return
	}
	last := time.NewTimer(streamLast)
	defer last.Stop()
	beat := time.NewTicker(c.streams.beat)
	defer beat.Stop()
	for err := out.tell("beat"); err == nil; {
		select {
		case <-ear:
			err = out.tell("change")
			pause(r.Context(), c.streams.over)
		case <-beat.C:
			// Where the store does not answer the session may well stand: the page finds
			// out that it cannot be brought up to date, and says so.
			if _, gone := c.Desk.Peek(r.Context(), v.cookie); errors.Is(gone, staff.ErrNoSession) {
				_ = out.tell("end")
				return
			}
			err = out.tell("beat")
		case <-r.Context().Done():
			return
		case <-last.C:
			return
		case <-c.streams.over:
			return
		}
	}
}

// pause waits changeEvery, or until the stream is over.
func pause(ctx context.Context, over <-chan struct{}) {
	wait := time.NewTimer(changeEvery)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	case <-over:
	}
}

// eventWriter writes server-sent events (HTML standard, 9.2).
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

func (e *eventWriter) begin() error {
	// The server's limits are for answers that come to an end at once.
	if err := e.control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	e.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	e.w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	return e.write("retry: 3000\n\n")
}

func (e *eventWriter) tell(event string) error {
	return e.write(fmt.Sprintf("event: %s\ndata: %s\n\n", event, e.now().UTC().Format(time.RFC3339)))
}

func (e *eventWriter) write(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(streamWithin)); err != nil {
		return err
	}
	if _, err := io.WriteString(e.w, text); err != nil {
		return err
	}
	return e.control.Flush()
}
