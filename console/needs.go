package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"segell/acts"
	"segell/index"
	"segell/ledger"
	"segell/queue"
)

const (
	// heldTooLong is how long a pause stands before the requests behind it need
	// somebody: it was forgotten, or it takes longer than who waits was told.
	heldTooLong = 5 * time.Minute
	// proposedWithin is how old a bulk can be that is still to be approved: package
	// acts lets it lapse after a day, and its id may be an hour older.
	proposedWithin = 26 * time.Hour
	// proposalsMost is how many bulks are looked at, the newest.
	proposalsMost = 100
	// givenUpMost is how many callbacks are counted: each is an object to read.
	givenUpMost = 10
	// readAtOnce is how many objects a page reads at a time.
	readAtOnce = 16
)

// heldRow is a pause behind which requests wait.
type heldRow struct {
	ledger.Pause
	Waiting int64
}

// toApprove finds the bulks that wait for a second person and that another has
// proposed, oldest first.
func (c *Console) toApprove(ctx context.Context, login string) ([]acts.Bulk, error) {
	ids, err := c.Ledger.Bulks(ctx)
	if err != nil {
		return nil, err
	}
	now := c.Now()
	ids = slices.DeleteFunc(ids, func(id string) bool { return now.Sub(ledger.TimeOf(id)) > proposedWithin })
	ids = ids[:min(len(ids), proposalsMost)]
	found := make([]*acts.Bulk, len(ids))
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(readAtOnce)
	for i, id := range ids {
		reading.Go(func() error {
			order, err := c.Ledger.Bulk(ctx, id)
			if err == nil && order.State == ledger.BulkProposed && order.Who != login {
				var b acts.Bulk
				if b, err = c.Acts.Bulk(ctx, id); err == nil && b.State == ledger.BulkProposed {
					found[i] = &b
				}
			}
			if errors.Is(err, ledger.ErrNotFound) { // it is being written
				return nil
			}
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	var bulks []acts.Bulk
	for _, b := range slices.Backward(found) {
		if b != nil {
			bulks = append(bulks, *b)
		}
	}
	return bulks, nil
}

// givenUp counts the callbacks that were given up, as far as givenUpMost.
func (c *Console) givenUp(ctx context.Context) (n int, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sourcesWithin)
	defer cancel()
	for _, err := range c.Ledger.Undelivered(ctx) {
		if err != nil && !errors.Is(err, ledger.ErrDamaged) {
			return n, false, err
		}
		if n == givenUpMost {
			return n, true, nil
		}
		n++
	}
	return n, false, nil
}

// readPauses finds the pauses behind which requests wait.
func (c *Console) readPauses(r *http.Request, p *landingPage) {
	ctx := r.Context()
	pauses, err := c.Ledger.Pauses(ctx)
	if p.PausesMissing = c.troubleWord(r, "pauses", err); err != nil || len(pauses) == 0 {
		return
	}
	depths, err := c.Queue.Depths(ctx)
	if p.PausesMissing = c.troubleWord(r, "queues", err); err != nil {
		return
	}
	for _, pause := range pauses {
		row := heldRow{Pause: pause}
		if row.Waiting, err = c.waitingBehind(ctx, pause, depths); err != nil {
			p.PausesMissing = c.troubleWord(r, "waiting", err)
			return
		}
		if row.Waiting == 0 {
			continue
		}
		p.Held = append(p.Held, row)
		if c.Now().Sub(pause.Since) > heldTooLong {
			p.HeldTooLong = append(p.HeldTooLong, row)
		}
	}
}

// waitingBehind counts the requests that a pause holds back.
func (c *Console) waitingBehind(ctx context.Context, pause ledger.Pause, depths []queue.Depth) (int64, error) {
	if pause.Scope == ledger.PauseKind {
		return c.Index.Count(ctx, index.Query{Kinds: []string{pause.Name}, States: []ledger.State{ledger.StateAccepted}})
	}
	for _, depth := range depths {
		if depth.Queue == pause.Name {
			return depth.Waiting, nil
		}
	}
	return 0, nil
}

// readOldest finds the request that waits longest, the pause behind which it waits,
// and whether one waits for too long that no pause holds back.
func (c *Console) readOldest(r *http.Request, p *landingPage) {
	ctx := r.Context()
	oldest, ok, err := c.Index.OldestWaiting(ctx)
	if p.OldestMissing = c.troubleWord(r, "oldest", err); err != nil || !ok {
		return
	}
	p.Oldest, p.OldestHeld = &oldest, c.holdOf(ctx, oldest, p.Held)
	first := oldest
	if p.OldestHeld != nil {
		if first, ok, err = c.oldestFree(ctx, p.Held); err != nil || !ok {
			p.OldestMissing = c.troubleWord(r, "oldest", err)
			return
		}
	}
	p.TooLong = c.Now().Sub(first.AcceptedAt) > waitedTooLong && c.holdOf(ctx, first, p.Held) == nil
}

// holdOf is the pause behind which a request waits, or nil.
func (c *Console) holdOf(ctx context.Context, row index.Row, held []heldRow) *ledger.Pause {
	for i, h := range held {
		if h.Scope == ledger.PauseKind && h.Name == row.Kind {
			return &held[i].Pause
		}
	}
	at := slices.IndexFunc(held, func(h heldRow) bool { return h.Scope == ledger.PauseQueue })
	if at < 0 {
		return nil
	}
	queued, err := c.Ledger.QueueOf(ctx, row.ID)
	if err != nil {
		return nil // it finished this moment, or cannot be read: then it waits for another reason
	}
	for i, h := range held {
		if h.Scope == ledger.PauseQueue && h.Name == queued {
			return &held[i].Pause
		}
	}
	return nil
}

// oldestFree is the oldest waiting request of the kinds that are not paused.
func (c *Console) oldestFree(ctx context.Context, held []heldRow) (row index.Row, ok bool, err error) {
	var pauses []ledger.Pause
	for _, h := range held {
		pauses = append(pauses, h.Pause)
	}
	kinds, _ := pausable(pauses)
	if len(kinds) == 0 {
		return row, false, nil
	}
	found, err := c.Index.Search(ctx, index.Query{Kinds: kinds, States: []ledger.State{ledger.StateAccepted}, Newer: true, Limit: 1})
	if err != nil || len(found.Rows) == 0 {
		return row, false, err
	}
	return found.Rows[0], true, nil
}
