package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"segell/storage"
)

// A bulk is an act of staff on many requests. It lies in the bucket, so that it
// outlives Redis and the process that began it:
//
//	bulks/<id>/order             what is to be done, why, by whom, and whether it goes on
//	bulks/<id>/ids/<list>/<part> the requests it means, as they were when it was begun
//	bulks/<id>/progress          how far it is
//
// The order is written last: from then on the bulk exists. What is meant never
// changes after; the order changes by If-Match, and so does the progress, so that
// of two processes which carry out the same bulk one finds that it is overtaken.
const bulksPrefix = "bulks/"

func bulkFolder(id string) string      { return bulksPrefix + id + "/" }
func bulkKey(id string) string         { return bulkFolder(id) + "order" }
func bulkProgressKey(id string) string { return bulkFolder(id) + "progress" }
func bulkPartKey(id, list string, part int) string {
	return fmt.Sprintf("%sids/%s/%06d", bulkFolder(id), list, part)
}

const (
	// BulkMost is how many requests a bulk may mean.
	BulkMost = 1_000_000
	// bulkPart is how many ids lie in one object.
	bulkPart = 5_000
)

// ErrBulkExists says that there is a bulk of this id already.
var ErrBulkExists = errors.New("there is a bulk of this id already")

// BulkState is where a bulk stands.
type BulkState string

// The states of a bulk.
const (
	BulkProposed BulkState = "proposed" // waits for a second person
	BulkRunning  BulkState = "running"
	BulkStopping BulkState = "stopping" // somebody stopped it; whoever carries it out has not seen it yet
	BulkStopped  BulkState = "stopped"
	BulkDone     BulkState = "done"
	BulkRefused  BulkState = "refused" // by the second person
)

// Open reports whether anything may still be done in the bulk.
func (s BulkState) Open() bool {
	return s == BulkProposed || s == BulkRunning || s == BulkStopping
}

// Bulk is the order of a bulk. It holds no personal data.
type Bulk struct {
	ID        string          `json:"id"` // as that of a request: it carries the time at which it was drawn
	What      string          `json:"what"`
	Selection json.RawMessage `json:"selection"` // what was asked for, for who reads it
	List      string          `json:"list"`      // under which its ids lie
	Total     int             `json:"total"`     // how many they are
	Why       string          `json:"why"`
	Who       string          `json:"who"`  // the login of who began it
	From      string          `json:"from"` // address or host
	State     BulkState       `json:"state"`
	Proposed  time.Time       `json:"proposed_at"`          // when it was written
	Begun     time.Time       `json:"begun_at,omitzero"`    // when it could be carried out from
	Ended     time.Time       `json:"ended_at,omitzero"`    // when it was done, stopped or refused
	Judge     string          `json:"judged_by,omitempty"`  // the login of who approved or refused it; refused by nobody: it lapsed
	Stopper   string          `json:"stopped_by,omitempty"` // the login of who stopped it
	Mark      string          `json:"mark,omitempty"`       // drawn by who changed it last, to know a change of theirs whose reply was lost
}

// BulkProgress is how far a bulk is. It counts requests.
type BulkProgress struct {
	Next   int            `json:"next"`             // how many of its requests are settled: the place of the next
	Done   int            `json:"done"`             // on so many it was done
	Failed int            `json:"failed"`           // of so many it is not known: an error came between
	Cannot map[string]int `json:"cannot,omitempty"` // on the others it could not be done: by reason
	// Examples are some of those on which it was not done.
	Examples []BulkOutcome `json:"examples,omitempty"`
	// Claim is what whoever carries it out is at, written before.
	Claim *BulkClaim `json:"claim,omitempty"`
	At    time.Time  `json:"at"`              // when this was written
	Holds string     `json:"holds,omitempty"` // why it does not go on at present
	etag  string
}

// BulkOutcome says why something was not done on a request.
type BulkOutcome struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// BulkClaim says that a process is at the requests from Next on, so many. What it
// does to them is in its chain of the audit trail after its head: who goes on
// after it has died reads there which of them were begun, and adds a head.
type BulkClaim struct {
	Count int         `json:"count"`
	Heads []AuditHead `json:"heads"`
	At    time.Time   `json:"at"`
}

// CreateBulk writes a bulk and the requests that it means, of which at least one
// and at most BulkMost are needed. List, Total and Proposed are filled in. Where a
// bulk of this id lies already, it returns that one and ErrBulkExists.
func (l *Ledger) CreateBulk(ctx context.Context, b Bulk, ids []string) (Bulk, error) {
	if err := b.check(ids); err != nil {
		return Bulk{}, err
	}
	// Under a name of their own: two that write the same bulk at once do not mix.
	name := make([]byte, 8)
	if _, err := io.ReadFull(l.random, name); err != nil {
		return Bulk{}, fmt.Errorf("drawing the name of a list: %w", err)
	}
	b.List, b.Total, b.Proposed = fmt.Sprintf("%x", name), len(ids), l.now().UTC().Truncate(time.Second)
	part := 0
	for some := range slices.Chunk(ids, bulkPart) {
		if _, err := l.objects.Write(ctx, bulkPartKey(b.ID, b.List, part), []byte(strings.Join(some, "\n")), storage.Put{ContentType: "text/plain"}); err != nil {
			return Bulk{}, fmt.Errorf("writing what a bulk means: %w", err)
		}
		part++
	}
	body, err := json.Marshal(b)
	if err != nil {
		return Bulk{}, fmt.Errorf("encoding a bulk: %w", err)
	}
	_, err = l.objects.Create(ctx, bulkKey(b.ID), body, storage.Put{ContentType: jsonType})
	if errors.Is(err, storage.ErrExists) {
		first, err := l.Bulk(ctx, b.ID)
		if err != nil || first.List == b.List { // our own write, whose reply was lost
			return first, err
		}
		_ = l.dropBulkList(ctx, b) // best effort: it is small, and nobody reads it
		return first, ErrBulkExists
	}
	if err != nil {
		return Bulk{}, fmt.Errorf("writing a bulk: %w", err)
	}
	return b, nil
}

func (b Bulk) check(ids []string) error {
	switch {
	case CheckID(b.ID) != nil:
		return ErrID
	case len(ids) == 0 || len(ids) > BulkMost:
		return fmt.Errorf("a bulk means 1 to %d requests, not %d", BulkMost, len(ids))
	case b.What == "" || b.Who == "" || b.Why == "" || b.State == "":
		return errors.New("a bulk needs what, who, why and a state")
	}
	for _, id := range ids {
		if err := CheckID(id); err != nil {
			return err
		}
	}
	return nil
}

// Bulk reads the order of a bulk: ErrNotFound if there is none.
func (l *Ledger) Bulk(ctx context.Context, id string) (Bulk, error) {
	b, _, err := l.bulk(ctx, id)
	return b, err
}

func (l *Ledger) bulk(ctx context.Context, id string) (b Bulk, etag string, err error) {
	if CheckID(id) != nil {
		return b, "", ErrNotFound
	}
	object, err := l.readJSON(ctx, bulkKey(id), &b)
	if err != nil {
		return b, "", fmt.Errorf("reading a bulk: %w", err)
	}
	if b.ID != id {
		return b, "", fmt.Errorf("%w: a bulk is another", ErrDamaged)
	}
	return b, object.ETag, nil
}

// AmendBulk changes the order of a bulk by If-Match. change may be called several
// times, each time with the order as it is then; what it returns ends the change
// and is returned with the order as it was. What the bulk means stays.
func (l *Ledger) AmendBulk(ctx context.Context, id string, change func(*Bulk) error) (Bulk, error) {
	for range amendMost {
		b, etag, err := l.bulk(ctx, id)
		if err != nil {
			return b, err
		}
		changed := b
		if err := change(&changed); err != nil {
			return b, err
		}
		changed.ID, changed.What, changed.List, changed.Total = b.ID, b.What, b.List, b.Total
		body, err := json.Marshal(changed)
		if err != nil {
			return b, fmt.Errorf("encoding a bulk: %w", err)
		}
		_, err = l.objects.Replace(ctx, bulkKey(id), etag, body, storage.Put{ContentType: jsonType})
		if err == nil {
			return changed, nil
		}
		// It may be our own write whose reply was lost: the next look tells.
		if !errors.Is(err, storage.ErrChanged) {
			return b, fmt.Errorf("changing a bulk: %w", err)
		}
	}
	return Bulk{}, fmt.Errorf("changing a bulk: %w: others change it all the time", storage.ErrUnavailable)
}

// BulkIDs yields the requests that a bulk means, from a place on (0: the first),
// in the order in which they were given.
func (l *Ledger) BulkIDs(ctx context.Context, b Bulk, from int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for part := from / bulkPart; part*bulkPart < b.Total; part++ {
			object, err := l.objects.Get(ctx, bulkPartKey(b.ID, b.List, part))
			if errors.Is(err, storage.ErrNotFound) {
				yield("", fmt.Errorf("%w: a part of what a bulk means is gone", ErrDamaged))
				return
			}
			if err != nil {
				yield("", fmt.Errorf("reading what a bulk means: %w", err))
				return
			}
			ids := strings.Split(string(object.Body), "\n")
			if len(ids) != min(bulkPart, b.Total-part*bulkPart) {
				yield("", fmt.Errorf("%w: a part of what a bulk means has %d ids", ErrDamaged, len(ids)))
				return
			}
			for i := max(0, from-part*bulkPart); i < len(ids); i++ {
				if CheckID(ids[i]) != nil {
					yield("", fmt.Errorf("%w: what a bulk means is no id", ErrDamaged))
					return
				}
				if !yield(ids[i], nil) {
					return
				}
			}
		}
	}
}

// BulkProgress reads how far a bulk is; one that nobody has begun is at nought.
func (l *Ledger) BulkProgress(ctx context.Context, id string) (BulkProgress, error) {
	var p BulkProgress
	object, err := l.readJSON(ctx, bulkProgressKey(id), &p)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return p, fmt.Errorf("reading how far a bulk is: %w", err)
	}
	p.etag = object.ETag
	return p, nil
}

// SaveBulkProgress writes how far a bulk is, in the place of what was read before,
// and returns what it wrote, to be written over next. ErrOvertaken if somebody
// else wrote it meanwhile: then another process carries the bulk out.
func (l *Ledger) SaveBulkProgress(ctx context.Context, id string, p BulkProgress) (BulkProgress, error) {
	p.At = l.now().UTC()
	body, err := json.Marshal(p)
	if err != nil {
		return p, fmt.Errorf("encoding how far a bulk is: %w", err)
	}
	before := p.etag
	if before == "" {
		p.etag, err = l.objects.Create(ctx, bulkProgressKey(id), body, storage.Put{ContentType: jsonType})
	} else {
		p.etag, err = l.objects.Replace(ctx, bulkProgressKey(id), before, body, storage.Put{ContentType: jsonType})
	}
	if errors.Is(err, storage.ErrExists) || errors.Is(err, storage.ErrChanged) {
		// Perhaps by ourselves, and the reply was lost.
		object, reading := l.objects.Get(ctx, bulkProgressKey(id))
		if reading == nil && string(object.Body) == string(body) {
			p.etag = object.ETag
			return p, nil
		}
		return p, ErrOvertaken
	}
	if err != nil {
		return p, fmt.Errorf("writing how far a bulk is: %w", err)
	}
	return p, nil
}

// Bulks returns the ids of all bulks, newest first.
func (l *Ledger) Bulks(ctx context.Context) ([]string, error) {
	var ids []string
	for folder, err := range l.objects.Folders(ctx, bulksPrefix) {
		if err != nil {
			return nil, fmt.Errorf("listing bulks: %w", err)
		}
		if id := idOfKey(strings.TrimSuffix(folder, "/")); id != "" {
			ids = append(ids, id)
		}
	}
	slices.Reverse(ids)
	return ids, nil
}

// dropBulkList deletes the ids of a bulk under one list.
func (l *Ledger) dropBulkList(ctx context.Context, b Bulk) error {
	for part := 0; part*bulkPart < b.Total; part++ {
		if err := l.objects.Delete(ctx, bulkPartKey(b.ID, b.List, part)); err != nil {
			return fmt.Errorf("deleting what a bulk meant: %w", err)
		}
	}
	return nil
}

// CloseBulk deletes the list of what a bulk meant that is over: the audit trail
// says what was done, and the progress what was not. Repeating it is no error.
func (l *Ledger) CloseBulk(ctx context.Context, b Bulk) error {
	if b.State.Open() {
		return errors.New("a bulk that is open needs its list")
	}
	return l.dropBulkList(ctx, b)
}
