package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"segell/storage"
)

// PauseScope says what a pause halts.
type PauseScope string

const (
	PauseKind  PauseScope = "kind"  // one kind of document, by its identifier
	PauseQueue PauseScope = "queue" // one queue
)

// Pause is the word of an operator that workers leave something alone until it
// is resumed. Requests are still accepted and wait.
type Pause struct {
	Scope PauseScope `json:"scope"`
	Name  string     `json:"name"`
	Who   string     `json:"who"` // the login of the member of staff
	Why   string     `json:"why"`
	Since time.Time  `json:"since"`
}

// pausesKey holds all pauses in one object, so that a worker learns of them by
// one GET. It lies in the bucket and not in Redis, which may be emptied.
const pausesKey = "control/pauses"

// Pauses returns the pauses in force, oldest first.
func (l *Ledger) Pauses(ctx context.Context) ([]Pause, error) {
	pauses, _, err := l.pauses(ctx)
	return pauses, err
}

func (l *Ledger) pauses(ctx context.Context) (pauses []Pause, etag string, err error) {
	object, err := l.readJSON(ctx, pausesKey, &pauses)
	if errors.Is(err, ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading the pauses: %w", err)
	}
	return pauses, object.ETag, nil
}

// Pause puts a pause in force. One of the same scope and name that is in force
// already stands as it is. Since is the ledger's clock.
func (l *Ledger) Pause(ctx context.Context, p Pause) error {
	p.Who, p.Why = strings.TrimSpace(p.Who), strings.TrimSpace(p.Why)
	if p.Scope != PauseKind && p.Scope != PauseQueue || p.Name == "" || p.Who == "" || p.Why == "" {
		return errors.New("a pause needs a scope (kind or queue), a name, who and why")
	}
	p.Since = l.now().UTC().Truncate(time.Second)
	return l.changePauses(ctx, func(pauses []Pause) ([]Pause, bool) {
		if slices.ContainsFunc(pauses, p.same) {
			return pauses, false
		}
		return append(pauses, p), true
	})
}

// Resume ends a pause. It reports false if there was none.
func (l *Ledger) Resume(ctx context.Context, scope PauseScope, name string) (ended bool, err error) {
	wanted := Pause{Scope: scope, Name: name}
	err = l.changePauses(ctx, func(pauses []Pause) ([]Pause, bool) {
		found := slices.ContainsFunc(pauses, wanted.same)
		ended = ended || found // a write whose reply was lost finds it gone the second time
		return slices.DeleteFunc(pauses, wanted.same), found
	})
	return ended, err
}

func (p Pause) same(other Pause) bool { return p.Scope == other.Scope && p.Name == other.Name }

// pauseTries is how often a change is tried when others change them too.
const pauseTries = 20

func (l *Ledger) changePauses(ctx context.Context, change func([]Pause) ([]Pause, bool)) error {
	var err error
	for range pauseTries {
		pauses, etag, reading := l.pauses(ctx)
		if reading != nil {
			return reading
		}
		changed, write := change(pauses)
		if !write {
			return nil
		}
		body, encoding := json.Marshal(changed)
		if encoding != nil {
			return fmt.Errorf("encoding the pauses: %w", encoding)
		}
		if etag == "" {
			_, err = l.objects.Create(ctx, pausesKey, body, storage.Put{ContentType: jsonType})
		} else {
			_, err = l.objects.Replace(ctx, pausesKey, etag, body, storage.Put{ContentType: jsonType})
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, storage.ErrExists) && !errors.Is(err, storage.ErrChanged) {
			break
		}
	}
	return fmt.Errorf("writing the pauses: %w", err)
}
