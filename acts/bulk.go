package acts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"segell/ledger"
)

// BulkAct is what a bulk does to each of its requests.
type BulkAct string

// The acts that can be done on many.
const (
	BulkRetry       BulkAct = "retry"
	BulkRetryRender BulkAct = "retry_render"
	BulkCancel      BulkAct = "cancel" // as requests of which no document can be made
)

// BulkActs are all of them.
var BulkActs = []BulkAct{BulkRetry, BulkRetryRender, BulkCancel}

// ErrBulkAct says that a word is none of BulkActs.
var ErrBulkAct = errors.New("not something that can be done on many requests")

func (w BulkAct) known() bool { return w == BulkRetry || w == BulkRetryRender || w == BulkCancel }

// from says from which step a bulk tries again.
func (w BulkAct) from() From {
	if w == BulkRetryRender {
		return RenderAgain
	}
	return WhereItStopped
}

// BulkState is where a bulk stands.
type BulkState = ledger.BulkState

// Bulk is an act on many requests, with how far it is.
type Bulk struct {
	ID         string               `json:"id"`
	What       BulkAct              `json:"what"`
	Selection  Selection            `json:"selection"`
	Why        string               `json:"why"`
	Who        string               `json:"who"`
	From       string               `json:"from"`
	ApprovedBy string               `json:"approved_by,omitempty"`
	RefusedBy  string               `json:"refused_by,omitempty"`
	StoppedBy  string               `json:"stopped_by,omitempty"`
	State      BulkState            `json:"state"`
	Total      int                  `json:"total"`
	Done       int                  `json:"done"`
	Failed     int                  `json:"failed"`             // an error came between
	Cannot     map[string]int       `json:"cannot,omitempty"`   // by reason
	Examples   []ledger.BulkOutcome `json:"examples,omitempty"` // of those on which it was not done
	Proposed   time.Time            `json:"proposed_at"`
	Begun      time.Time            `json:"begun_at,omitzero"`
	Ended      time.Time            `json:"ended_at,omitzero"`
	MovedAt    time.Time            `json:"moved_at,omitzero"` // when it last went on
	Holds      string               `json:"holds,omitempty"`   // why it does not go on: a row of Holds
}

// Settled is on how many requests it was done, or could not be.
func (b Bulk) Settled() int {
	n := b.Done + b.Failed
	for _, count := range b.Cannot {
		n += count
	}
	return n
}

// NewBatch draws the id of a bulk, for the page that shows its dry run.
func (a *Acts) NewBatch() (string, error) { return ledger.NewID(a.Now(), a.Random) }

const (
	// batchKeeps is how long after its dry run a bulk may be begun.
	batchKeeps = time.Hour
	// batchAhead is how far apart the clocks of two processes may be.
	batchAhead = time.Minute
	// proposalKeeps is how long a bulk waits for a second person.
	proposalKeeps = 24 * time.Hour
)

// Start begins a bulk under the id that NewBatch drew for it within the last hour,
// else ErrBatchTime: ids say in which order bulks were begun. What it means is
// settled now: what fails later is not in it. Under the same id again it changes
// nothing and returns the bulk as it is, or ErrBatchUsed if that is another one.
// Where a second person is needed the bulk is proposed, and waits for Approve a day
// at most; then ErrNobody for a login that several share.
func (a *Acts) Start(ctx context.Context, actor Actor, batchID string, s Selection, what BulkAct, why string) (Bulk, error) {
	if err := ledger.CheckID(batchID); err != nil {
		return Bulk{}, err
	}
	if err := needed(why); err != nil {
		return Bulk{}, err
	}
	if err := ledger.CheckReason(strings.TrimSpace(why)); err != nil {
		return Bulk{}, err
	}
	if !what.known() {
		return Bulk{}, ErrBulkAct
	}
	order, err := newOrder(actor, batchID, s, what, why)
	if err != nil {
		return Bulk{}, err
	}
	a.starting.Lock() // a button that was pressed twice
	defer a.starting.Unlock()
	first, err := a.Ledger.Bulk(ctx, batchID)
	if err == nil {
		return a.again(ctx, first, order)
	}
	if !errors.Is(err, ledger.ErrNotFound) {
		return Bulk{}, err
	}
	if at := ledger.TimeOf(batchID); a.Now().Sub(at) > batchKeeps || at.Sub(a.Now()) > batchAhead {
		return Bulk{}, ErrBatchTime
	}
	ids, err := a.resolve(ctx, s)
	if err != nil {
		return Bulk{}, err
	}
	return a.create(ctx, actor, order, ids)
}

// newOrder is what the ledger keeps of a bulk.
func newOrder(actor Actor, id string, s Selection, what BulkAct, why string) (ledger.Bulk, error) {
	if s.Query != nil {
		q := failed(*s.Query)
		s.Query = &q
	}
	selection, err := json.Marshal(s)
	if err != nil {
		return ledger.Bulk{}, fmt.Errorf("encoding a selection: %w", err)
	}
	return ledger.Bulk{ID: id, What: string(what), Selection: selection, Why: strings.TrimSpace(why), Who: actor.Who, From: actor.From}, nil
}

// again answers a Start that was made before.
func (a *Acts) again(ctx context.Context, first, order ledger.Bulk) (Bulk, error) {
	if first.What != order.What || first.Who != order.Who || first.Why != order.Why || !bytes.Equal(first.Selection, order.Selection) {
		return Bulk{}, ErrBatchUsed
	}
	return a.withProgress(ctx, first)
}

// create counts a bulk and writes it down, in the audit trail first.
func (a *Acts) create(ctx context.Context, actor Actor, order ledger.Bulk, ids []string) (Bulk, error) {
	err := a.take(ctx, actor, order.ID, len(ids))
	second := errors.Is(err, ErrSecondNeeded)
	if err != nil && !second {
		return Bulk{}, err
	}
	if second && person(actor.Who) == "" {
		return Bulk{}, ErrNobody
	}
	word := "bulk.start"
	order.State, order.Begun = ledger.BulkRunning, a.Now().UTC().Truncate(time.Second)
	if second {
		word, order.State, order.Begun = "bulk.propose", ledger.BulkProposed, time.Time{}
	}
	entry := actor.entry(word, order.ID, order.Why)
	entry.Count = len(ids)
	if err := a.Ledger.Audit(ctx, entry); err != nil {
		return Bulk{}, err
	}
	kept, err := a.Ledger.CreateBulk(ctx, order, ids)
	if errors.Is(err, ledger.ErrBulkExists) {
		a.tooLate(ctx, actor, order.ID, word)
		return a.again(ctx, kept, order)
	}
	if err != nil {
		return Bulk{}, err
	}
	a.Log.Info("a bulk was begun", "bulk", kept.ID, "what", kept.What, "requests", kept.Total, "state", string(kept.State))
	a.wake(ctx)
	return a.withProgress(ctx, kept)
}

// Bulk reads a bulk: ledger.ErrNotFound if there is none.
func (a *Acts) Bulk(ctx context.Context, id string) (Bulk, error) {
	order, err := a.Ledger.Bulk(ctx, id)
	if err != nil {
		return Bulk{}, err
	}
	return a.withProgress(ctx, order)
}

func (a *Acts) withProgress(ctx context.Context, order ledger.Bulk) (Bulk, error) {
	p, err := a.Ledger.BulkProgress(ctx, order.ID)
	if errors.Is(err, ledger.ErrDamaged) { // then nobody can say how far it is
		p, err = ledger.BulkProgress{Holds: HoldsDamaged}, nil
	}
	if err != nil {
		return Bulk{}, err
	}
	order = a.asOf(order)
	b := Bulk{ID: order.ID, What: BulkAct(order.What), Why: order.Why, Who: order.Who, From: order.From, StoppedBy: order.Stopper, State: order.State, Total: order.Total,
		Done: p.Done, Failed: p.Failed, Cannot: p.Cannot, Examples: p.Examples, Proposed: order.Proposed, Begun: order.Begun, Ended: order.Ended, MovedAt: p.At}
	if order.State == ledger.BulkRefused {
		b.RefusedBy = order.Judge
	} else {
		b.ApprovedBy = order.Judge
	}
	if order.State.Open() || p.Holds == HoldsDamaged {
		b.Holds = p.Holds
	}
	if err := json.Unmarshal(order.Selection, &b.Selection); err != nil {
		return Bulk{}, fmt.Errorf("%w: a bulk does not say what it selects", ledger.ErrDamaged)
	}
	return b, nil
}

// asOf is an order as it stands now: a proposal that nobody approved in time is
// refused, by nobody, whether that is written already or not.
func (a *Acts) asOf(order ledger.Bulk) ledger.Bulk {
	if lapses := order.Proposed.Add(proposalKeeps); order.State == ledger.BulkProposed && !a.Now().Before(lapses) {
		order.State, order.Ended = ledger.BulkRefused, lapses
	}
	return order
}

const (
	bulksMost   = 50 // that a list shows
	bulksAtOnce = 16 // that are read at a time
)

// Bulks returns the bulks that were begun last, newest first.
func (a *Acts) Bulks(ctx context.Context) ([]Bulk, error) {
	ids, err := a.Ledger.Bulks(ctx)
	if err != nil {
		return nil, err
	}
	// Ids of a time to come, which Start does not take, come last: they hide nothing.
	ahead := func(id string) bool { return ledger.TimeOf(id).Sub(a.Now()) > batchAhead }
	if now := slices.IndexFunc(ids, func(id string) bool { return !ahead(id) }); now > 0 {
		ids = slices.Concat(ids[now:], ids[:now])
	}
	ids = ids[:min(len(ids), bulksMost)]
	found := make([]*Bulk, len(ids))
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(bulksAtOnce)
	for i, id := range ids {
		reading.Go(func() error {
			b, err := a.Bulk(ctx, id)
			if errors.Is(err, ledger.ErrNotFound) {
				return nil // its list is being written
			}
			found[i] = &b
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	bulks := make([]Bulk, 0, len(found))
	for _, b := range found {
		if b != nil {
			bulks = append(bulks, *b)
		}
	}
	return bulks, nil
}

// Stop ends a bulk before it has come to its end. What was done stays done. Who
// carries it out notices within seconds. One that was stopped before stays as it
// is; ErrOver if it had ended otherwise.
func (a *Acts) Stop(ctx context.Context, actor Actor, id, why string) (Bulk, error) {
	return a.turn(ctx, actor, id, "bulk.stop", why, func(order *ledger.Bulk) error {
		switch order.State {
		case ledger.BulkStopping, ledger.BulkStopped:
			return errAsItIs
		case ledger.BulkProposed:
			order.State, order.Ended = ledger.BulkStopped, a.Now().UTC().Truncate(time.Second)
		case ledger.BulkRunning:
			order.State = ledger.BulkStopping
		default:
			return ErrOver
		}
		order.Stopper = actor.Who
		return nil
	})
}

// Approve lets a proposed bulk go on. ErrSamePerson for who proposed it, however
// the login is spelled; ErrNobody for a login that several share; ErrOver if it is
// not proposed any more, or was proposed a day ago.
func (a *Acts) Approve(ctx context.Context, actor Actor, id string) (Bulk, error) {
	return a.turn(ctx, actor, id, "bulk.approve", "", func(order *ledger.Bulk) error {
		switch {
		case order.State == ledger.BulkRunning && order.Judge == actor.Who:
			return errAsItIs
		case order.State != ledger.BulkProposed:
			return ErrOver
		case person(actor.Who) == "":
			return ErrNobody
		case !second(order.Who, actor.Who):
			return ErrSamePerson
		}
		order.State, order.Judge, order.Begun = ledger.BulkRunning, actor.Who, a.Now().UTC().Truncate(time.Second)
		return nil
	})
}

// Refuse ends a proposed bulk. Whoever proposed it may do so too.
func (a *Acts) Refuse(ctx context.Context, actor Actor, id, why string) (Bulk, error) {
	return a.turn(ctx, actor, id, "bulk.refuse", why, func(order *ledger.Bulk) error {
		switch {
		case order.State == ledger.BulkRefused && order.Judge == actor.Who:
			return errAsItIs
		case order.State != ledger.BulkProposed:
			return ErrOver
		}
		order.State, order.Judge, order.Ended = ledger.BulkRefused, actor.Who, a.Now().UTC().Truncate(time.Second)
		return nil
	})
}

// errAsItIs ends a change that has nothing to change.
var errAsItIs = errors.New("nothing to change")

// turn changes the order of a bulk: what would be refused is not written down,
// and what is written down is tried. Where another was faster, the trail says that
// too.
func (a *Acts) turn(ctx context.Context, actor Actor, id, word, why string, change func(*ledger.Bulk) error) (Bulk, error) {
	if err := fit(why); err != nil {
		return Bulk{}, err
	}
	order, err := a.Ledger.Bulk(ctx, id)
	if err != nil {
		return Bulk{}, err
	}
	tried := a.asOf(order)
	switch err := change(&tried); {
	case errors.Is(err, errAsItIs):
		return a.withProgress(ctx, order)
	case err != nil:
		return Bulk{}, err
	}
	mark, err := ledger.NewID(a.Now(), a.Random)
	if err != nil {
		return Bulk{}, err
	}
	entry := actor.entry(word, id, why)
	entry.Count = order.Total
	if err := a.Ledger.Audit(ctx, entry); err != nil {
		return Bulk{}, err
	}
	order, err = a.Ledger.AmendBulk(ctx, id, func(order *ledger.Bulk) error {
		if order.Mark == mark { // our own write, whose reply was lost
			return errAsItIs
		}
		*order = a.asOf(*order)
		if err := change(order); err != nil {
			return err
		}
		order.Mark = mark
		return nil
	})
	if order.Mark != mark && (errors.Is(err, errAsItIs) || errors.Is(err, ErrOver)) {
		a.tooLate(ctx, actor, id, word)
	}
	if err != nil && !errors.Is(err, errAsItIs) {
		return Bulk{}, err
	}
	a.Log.Info("a bulk was changed", "bulk", id, "act", word, "state", string(order.State))
	if order.State == ledger.BulkStopped || order.State == ledger.BulkRefused {
		a.closeBulk(ctx, order)
	}
	a.wake(ctx)
	return a.withProgress(ctx, order)
}

// closeBulk drops the list of a bulk that is over, best effort.
func (a *Acts) closeBulk(ctx context.Context, order ledger.Bulk) {
	if err := a.Ledger.CloseBulk(ctx, order); err != nil {
		a.Log.Warn("the list of a bulk that is over lies there still", "bulk", order.ID, "why", err)
	}
}

// tooLate writes down that what the trail says last of this actor and bulk changed
// nothing: another, or the same person twice at once, was faster.
func (a *Acts) tooLate(ctx context.Context, actor Actor, id, word string) {
	if err := a.Ledger.Audit(ctx, actor.entry("bulk.too_late", id, word)); err != nil {
		a.Log.Warn("the audit trail does not say that an act on a bulk came too late", "bulk", id, "act", word, "why", err)
	}
}
