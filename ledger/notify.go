package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"segell/storage"
)

// A notice is a callback that is to be delivered. It lies under
// notify/<id>/<event> from before the event until the client has taken it, or
// until it is recorded under undelivered/. It is written before what it tells of
// and delivered once the ledger shows that, so a process may end between any two
// writes: either both come about, or neither does and the notice is taken away.
const (
	notifyPrefix      = "notify/"
	undeliveredPrefix = "undelivered/"
)

// Event is something that became of a request, of which its client may be told.
type Event string

// The events, by the names that clients read.
const (
	EventIssued    Event = "document.issued"
	EventFailed    Event = "document.failed"
	EventCancelled Event = "document.cancelled"
	EventWithdrawn Event = "document.withdrawn"
	EventReplaced  Event = "document.replaced"
)

// Events are all events.
var Events = []Event{EventIssued, EventFailed, EventCancelled, EventWithdrawn, EventReplaced}

// states is where a request stands after an event.
var states = map[Event]State{EventIssued: StateIssued, EventFailed: StateFailed, EventCancelled: StateCancelled,
	EventWithdrawn: StateWithdrawn, EventReplaced: StateReplaced}

// State is where a request stands after the event.
func (e Event) State() State { return states[e] }

// Subscribers says which clients are told of what. Implementations are safe for
// concurrent use.
type Subscribers interface {
	// Wants tells whether a client is told of an event. Every process on one bucket
	// must answer the same.
	Wants(client string, e Event) bool
	// Noticed says that a notice can be delivered now. It is best effort and returns
	// soon: what is missed here is found by who walks over Notices.
	Noticed(ctx context.Context, n Notice)
}

// Notice is a callback to deliver, with what was tried. It holds no personal data.
type Notice struct {
	Request    string      `json:"request"` // its id
	Event      Event       `json:"event"`
	At         time.Time   `json:"at"` // when it happened, to the second
	Client     string      `json:"client"`
	Kind       string      `json:"kind"`
	Number     string      `json:"number"`
	Tries      []NoticeTry `json:"tries,omitempty"` // that did not succeed, oldest first
	NextAt     time.Time   `json:"next_at,omitzero"`
	ReplayedAt time.Time   `json:"replayed_at,omitzero"` // when staff sent it again; Tries are those since
	DeadAt     time.Time   `json:"dead_at,omitzero"`     // when it was given up
	etag       string
}

// NoticeTry is one try that did not succeed.
type NoticeTry struct {
	At     time.Time `json:"at"`
	Cause  string    `json:"cause"`            // a closed set, see package notify
	Status int       `json:"status,omitempty"` // HTTP, where the endpoint answered
}

// Name is the notice's own: id and event, as it ends its key. A request fails
// again after each retry by staff, so its failures have their time in the name.
func (n Notice) Name() string {
	name := n.Request + "/" + string(n.Event)
	if n.Event == EventFailed {
		name += "." + strconv.FormatInt(n.At.Unix(), 10)
	}
	return name
}

// MessageID is the notice's id for who receives it: the same on every try and
// every replay, so that whoever gets it twice can tell.
func (n Notice) MessageID() string {
	sum := sha256.Sum256([]byte(n.Name()))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// ErrNoticeName says that a text is no name of a notice.
var ErrNoticeName = errors.New("not the name of a callback: the id of a request, a slash and an event are expected")

// CheckNoticeName returns ErrNoticeName unless name can be that of a notice. Names
// from outside pass here before they become part of a key.
func CheckNoticeName(name string) error {
	id, event, _ := strings.Cut(name, "/")
	if at, failed := strings.CutPrefix(event, string(EventFailed)+"."); failed {
		if unix, err := strconv.ParseInt(at, 10, 64); err != nil || strconv.FormatInt(unix, 10) != at {
			return ErrNoticeName
		}
		event = string(EventFailed)
	} else if event == string(EventFailed) {
		return ErrNoticeName
	}
	if CheckID(id) != nil || !slices.Contains(Events, Event(event)) {
		return ErrNoticeName
	}
	return nil
}

// give writes a notice, if its client wants it. It comes before what the notice
// tells of; one that lies there already says the same.
func (l *Ledger) give(ctx context.Context, n Notice) error {
	if l.subscribers == nil || !l.subscribers.Wants(n.Client, n.Event) {
		return nil
	}
	n.At = n.At.UTC().Truncate(time.Second)
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encoding a callback: %w", err)
	}
	_, err = l.objects.Create(ctx, notifyPrefix+n.Name(), body, storage.Put{ContentType: jsonType})
	if err != nil && !errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("writing a callback: %w", err)
	}
	return nil
}

// given tells that what a notice tells of has come about.
func (l *Ledger) given(ctx context.Context, n Notice) {
	if l.subscribers != nil && l.subscribers.Wants(n.Client, n.Event) {
		n.At = n.At.UTC().Truncate(time.Second)
		l.subscribers.Noticed(ctx, n)
	}
}

// noticeOf is the notice of an event in the life of a registered document.
func noticeOf(r *Record, e Event, at time.Time) Notice {
	return Notice{Request: r.ID, Event: e, At: at, Client: r.Client, Kind: r.Kind, Number: r.Number}
}

// Notices yields the names of what is to be delivered, oldest request first. It
// ends with the first error.
func (l *Ledger) Notices(ctx context.Context) iter.Seq2[string, error] {
	return l.names(ctx, notifyPrefix)
}

func (l *Ledger) names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for info, err := range l.objects.List(ctx, prefix, "") {
			if err != nil {
				yield("", fmt.Errorf("listing callbacks: %w", err))
				return
			}
			name := strings.TrimPrefix(info.Key, prefix)
			if CheckNoticeName(name) == nil && !yield(name, nil) {
				return
			}
		}
	}
}

// Notice reads what is to be delivered: ErrNotFound if it was, or is given up.
func (l *Ledger) Notice(ctx context.Context, name string) (Notice, error) {
	return l.notice(ctx, notifyPrefix, name)
}

func (l *Ledger) notice(ctx context.Context, prefix, name string) (Notice, error) {
	if err := CheckNoticeName(name); err != nil {
		return Notice{}, err
	}
	var n Notice
	object, err := l.readJSON(ctx, prefix+name, &n)
	if err != nil {
		return Notice{}, fmt.Errorf("reading a callback: %w", err)
	}
	if n.Name() != name || n.Client == "" {
		return Notice{}, fmt.Errorf("%w: a callback is another's", ErrDamaged)
	}
	n.etag = object.ETag
	return n, nil
}

// CameTrue reports whether the ledger shows what a notice tells of. Where it does
// not, its writer is about to write it, or ended before it had, or lost against
// another; staff may also have opened a failed request again since.
func (l *Ledger) CameTrue(ctx context.Context, n Notice) (bool, error) {
	var err error
	switch n.Event {
	case EventFailed:
		var f Failure
		if f, err = l.Failure(ctx, n.Request); err == nil {
			return f.FailedAt.Unix() == n.At.Unix(), nil
		}
	case EventCancelled:
		var standing Standing
		if standing, err = l.buried(ctx, n.Request); err == nil {
			return standing.State == StateCancelled, nil
		}
		if errors.Is(err, ErrIssued) {
			return false, nil
		}
	default:
		var r Record
		if r, err = l.Record(ctx, n.Request); err == nil {
			return n.Event == EventIssued || n.Event == EventWithdrawn && r.Reason != "" || n.Event == EventReplaced && r.ReplacedBy != "", nil
		}
	}
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return false, err
}

// NoteTry adds a try that did not succeed, and when the next is due. It returns
// ErrOvertaken if somebody else changed the notice since it was read.
func (l *Ledger) NoteTry(ctx context.Context, n Notice, try NoticeTry, next time.Time) (Notice, error) {
	n.Tries = append(slices.Clip(n.Tries), try)
	n.NextAt = next.UTC().Truncate(time.Second)
	body, err := json.Marshal(n)
	if err != nil {
		return n, fmt.Errorf("encoding a callback: %w", err)
	}
	n.etag, err = l.objects.Replace(ctx, notifyPrefix+n.Name(), n.etag, body, storage.Put{ContentType: jsonType})
	if errors.Is(err, storage.ErrChanged) {
		return n, ErrOvertaken
	}
	if err != nil {
		return n, fmt.Errorf("noting a try of a callback: %w", err)
	}
	return n, nil
}

// Delivered takes a notice away, for its client has it, or for what it tells of
// has not come about.
func (l *Ledger) Delivered(ctx context.Context, n Notice) error {
	if err := l.objects.Delete(ctx, notifyPrefix+n.Name()); err != nil {
		return fmt.Errorf("deleting a callback: %w", err)
	}
	if n.ReplayedAt.IsZero() {
		return nil
	}
	// A replay may have ended before it took this away.
	if err := l.objects.Delete(ctx, undeliveredPrefix+n.Name()); err != nil {
		return fmt.Errorf("deleting a callback that was given up: %w", err)
	}
	return nil
}

// Undeliverable gives a notice up: it is recorded, then no longer to be delivered.
func (l *Ledger) Undeliverable(ctx context.Context, n Notice) error {
	n.DeadAt, n.NextAt = l.now().UTC().Truncate(time.Second), time.Time{}
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encoding a callback: %w", err)
	}
	if _, err := l.objects.Write(ctx, undeliveredPrefix+n.Name(), body, storage.Put{ContentType: jsonType}); err != nil {
		return fmt.Errorf("recording a callback that was given up: %w", err)
	}
	if err := l.objects.Delete(ctx, notifyPrefix+n.Name()); err != nil {
		return fmt.Errorf("deleting a callback: %w", err)
	}
	return nil
}

// noticesAtOnce is how many notices are read at a time.
const noticesAtOnce = 16

// Undelivered yields the notices that were given up, oldest request first. One
// that cannot be read is yielded with its error, and the others follow; a listing
// that fails ends it.
func (l *Ledger) Undelivered(ctx context.Context) iter.Seq2[Notice, error] {
	return func(yield func(Notice, error) bool) {
		var names []string
		for name, err := range l.names(ctx, undeliveredPrefix) {
			if err != nil {
				if l.yieldUndelivered(ctx, names, yield) {
					yield(Notice{}, err)
				}
				return
			}
			if names = append(names, name); len(names) == noticesAtOnce {
				if !l.yieldUndelivered(ctx, names, yield) {
					return
				}
				names = names[:0]
			}
		}
		l.yieldUndelivered(ctx, names, yield)
	}
}

// yieldUndelivered reads notices at a time and yields them in their order, until
// yield has enough.
func (l *Ledger) yieldUndelivered(ctx context.Context, names []string, yield func(Notice, error) bool) (more bool) {
	notices, faults := make([]Notice, len(names)), make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { notices[i], faults[i] = l.notice(ctx, undeliveredPrefix, name) })
	}
	all.Wait()
	for i, n := range notices {
		if errors.Is(faults[i], ErrNotFound) {
			continue // replayed while we listed
		}
		if !yield(n, faults[i]) {
			return false
		}
	}
	return true
}

// UndeliveredNotice reads a notice that was given up: ErrNotFound if none of that
// name was.
func (l *Ledger) UndeliveredNotice(ctx context.Context, name string) (Notice, error) {
	return l.notice(ctx, undeliveredPrefix, name)
}

// Replay opens a notice again that was given up, with its tries counted afresh. It
// returns ErrNotFound if none of that name was.
func (l *Ledger) Replay(ctx context.Context, name string) (Notice, error) {
	n, err := l.UndeliveredNotice(ctx, name)
	if err != nil {
		return Notice{}, err
	}
	n.Tries, n.NextAt, n.DeadAt, n.ReplayedAt = nil, time.Time{}, time.Time{}, l.now().UTC().Truncate(time.Second)
	body, err := json.Marshal(n)
	if err != nil {
		return Notice{}, fmt.Errorf("encoding a callback: %w", err)
	}
	_, err = l.objects.Create(ctx, notifyPrefix+name, body, storage.Put{ContentType: jsonType})
	if err != nil && !errors.Is(err, storage.ErrExists) {
		return Notice{}, fmt.Errorf("writing a callback: %w", err)
	}
	if err := l.objects.Delete(ctx, undeliveredPrefix+name); err != nil {
		return Notice{}, fmt.Errorf("deleting a callback that was given up: %w", err)
	}
	l.given(ctx, n)
	return n, nil
}
