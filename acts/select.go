package acts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"segell/index"
	"segell/ledger"
	"segell/storage"
	"segell/templates"
)

// Selection is what a bulk is for: a list, or everything failed that a query
// finds. Of the query what concerns pages and states does not matter.
type Selection struct {
	IDs   []string     `json:"ids,omitempty"`
	Query *index.Query `json:"query,omitempty"`
}

// ErrSelection says that a selection is neither a list nor a query, or both.
var ErrSelection = errors.New("a selection is either a list of requests or a query")

// Plan is what a bulk would do.
type Plan struct {
	Will        int            `json:"will"`             // on so many it can be done
	Cannot      map[string]int `json:"cannot,omitempty"` // on the others not: by reason
	ByKind      map[string]int `json:"by_kind"`          // of those on which it can
	ByCause     map[string]int `json:"by_cause,omitempty"`
	NeedsSecond bool           `json:"needs_second"` // a second person must approve it
	Sample      []string       `json:"sample"`       // some ids on which it can be done
	// Checked is how many of them were looked at in the ledger. Of the others the
	// index says that they failed; what it cannot be done on shows as it goes on.
	// Of thousands that a query found in the ledger only the failures were read.
	Checked int `json:"checked"`
}

// Why something cannot be done on a request.
const (
	CannotUnknown    = "unknown"    // there is no such request
	CannotWaiting    = "waiting"    // it did not fail: it waits, or is worked on
	CannotIssued     = "issued"     // it has its document
	CannotCancelled  = "cancelled"  // it was taken back
	CannotUnreadable = "unreadable" // it is damaged, or encrypted under a key that is not here
	CannotError      = "error"      // something else came between; the log says what
)

// Cannots are all reasons.
var Cannots = []string{CannotUnknown, CannotWaiting, CannotIssued, CannotCancelled, CannotUnreadable, CannotError}

const (
	// checkMost is how many requests that a query found a dry run looks at in the
	// ledger: a page waits for it. Those that somebody chose are all looked at.
	checkMost = 200
	// checkAtOnce is how many are read at a time.
	checkAtOnce = 16
	// sampleMost is how many ids a plan names.
	sampleMost = 5
)

// Count is the dry run: it says what a bulk would do, and changes nothing. The
// actor is who would begin it.
func (a *Acts) Count(ctx context.Context, actor Actor, s Selection, what BulkAct) (Plan, error) {
	if !what.known() {
		return Plan{}, ErrBulkAct
	}
	meant, err := a.meant(ctx, s)
	if err != nil {
		return Plan{}, err
	}
	ids := meant.ids
	plan := Plan{Cannot: map[string]int{}, ByKind: map[string]int{}, ByCause: map[string]int{}, Checked: len(ids)}
	switch {
	case s.Query == nil || len(ids) <= checkMost:
		err = a.countByLedger(ctx, ids, what, &plan)
	case meant.byIndex:
		plan.Checked = 0
		plan.Will, plan.Sample = len(ids), slices.Clone(ids[:sampleMost])
		err = a.countByIndex(ctx, *s.Query, &plan)
	default:
		plan.Will, plan.Sample = len(ids), slices.Clone(ids[:sampleMost])
		plan.ByKind, plan.ByCause = meant.byKind, meant.byCause
	}
	if err != nil {
		return Plan{}, err
	}
	plan.NeedsSecond, err = a.needsSecond(ctx, actor, len(ids))
	return plan, err
}

// countByIndex says of what kinds a query's requests are.
func (a *Acts) countByIndex(ctx context.Context, q index.Query, plan *Plan) error {
	for _, kind := range templates.Kinds() {
		if len(q.Kinds) > 0 && !slices.Contains(q.Kinds, kind.ID) {
			continue
		}
		one := failed(q)
		one.Kinds = []string{kind.ID}
		n, err := a.Index.Count(ctx, one)
		if err != nil {
			return fmt.Errorf("counting what is selected: %w", err)
		}
		if n > 0 {
			plan.ByKind[kind.ID] = int(n)
		}
	}
	if q.Cause != "" {
		plan.ByCause[q.Cause] = plan.Will
	}
	return nil
}

// countByLedger looks at every request.
func (a *Acts) countByLedger(ctx context.Context, ids []string, what BulkAct, plan *Plan) error {
	judged := make([]judgement, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(checkAtOnce)
	for i, id := range ids {
		group.Go(func() (err error) {
			judged[i], err = a.judge(ctx, id, what)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("looking at what is selected: %w", err)
	}
	for i, j := range judged {
		if j.cannot != "" {
			plan.Cannot[j.cannot]++
			continue
		}
		plan.Will++
		plan.ByKind[j.kind]++
		if j.cause != "" {
			plan.ByCause[j.cause]++
		}
		if len(plan.Sample) < sampleMost {
			plan.Sample = append(plan.Sample, ids[i])
		}
	}
	return nil
}

// judgement says whether a thing can be done on a request.
type judgement struct{ kind, cause, cannot string }

// judge looks at a request. Its error says that the ledger is away. Most have
// failed, and cost two reads then.
func (a *Acts) judge(ctx context.Context, id string, what BulkAct) (j judgement, err error) {
	failure, err := a.Ledger.Failure(ctx, id)
	if err == nil {
		j.kind, j.cause = failure.Kind, failure.Cause
		if what != BulkCancel {
			_, err = a.Ledger.Request(ctx, id)
		}
	}
	if errors.Is(err, ledger.ErrNotFound) { // no failure, or one whose request is gone
		var standing ledger.Standing
		if standing, err = a.Ledger.Look(ctx, id); err == nil {
			j.kind, j.cannot = standing.Kind, cannotOf(standing.State, what)
		}
	}
	if err != nil {
		j.cannot, err = obstacle(err)
	}
	return j, err
}

// cannotOf is why a thing cannot be done on a request in a state, or "".
func cannotOf(state ledger.State, what BulkAct) string {
	switch state {
	case ledger.StateFailed:
		return ""
	case ledger.StateCancelled:
		return CannotCancelled
	case ledger.StateIssued, ledger.StateWithdrawn, ledger.StateReplaced, ledger.StateErased:
		return CannotIssued
	}
	if what == BulkCancel {
		return ""
	}
	return CannotWaiting
}

// obstacle sorts an error of the ledger: either a reason why nothing can be done
// on this one request, or an error that concerns all.
func obstacle(err error) (cannot string, all error) {
	switch {
	case errors.Is(err, ErrNotFailed):
		return CannotWaiting, nil
	case errors.Is(err, ledger.ErrNotFound):
		return CannotUnknown, nil
	case errors.Is(err, ledger.ErrIssued):
		return CannotIssued, nil
	case errors.Is(err, ledger.ErrCancelled):
		return CannotCancelled, nil
	case errors.Is(err, ledger.ErrDamaged), errors.Is(err, ledger.ErrKeyUnknown):
		return CannotUnreadable, nil
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrDenied),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", err
	}
	return CannotError, nil
}

// found is what a selection means, and by what that is known.
type found struct {
	ids     []string
	byIndex bool
	// Where a query was answered by the ledger: how many of each.
	byKind, byCause map[string]int
}

// resolve names the requests of a selection, each once.
func (a *Acts) resolve(ctx context.Context, s Selection) (ids []string, err error) {
	meant, err := a.meant(ctx, s)
	return meant.ids, err
}

// meant finds the requests of a selection, each once.
func (a *Acts) meant(ctx context.Context, s Selection) (f found, err error) {
	switch {
	case (len(s.IDs) > 0) == (s.Query != nil):
		return found{}, ErrSelection
	case s.Query == nil:
		f.ids, err = listed(s.IDs)
	case a.relyOnIndex(ctx):
		f.byIndex = true
		f.ids, err = a.fromIndex(ctx, *s.Query)
	default:
		f, err = a.fromLedger(ctx, *s.Query)
	}
	if err == nil && len(f.ids) == 0 {
		err = ErrNothing
	}
	return f, err
}

func listed(given []string) ([]string, error) {
	ids := make([]string, 0, len(given))
	seen := make(map[string]bool, len(given))
	for _, id := range given {
		if err := ledger.CheckID(id); err != nil {
			return nil, err
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if len(ids) > ledger.BulkMost {
		return nil, ErrTooMany
	}
	return ids, nil
}

// relyOnIndex reports whether the index knows every failure.
func (a *Acts) relyOnIndex(ctx context.Context) bool {
	if a.Index == nil {
		return false
	}
	condition, err := a.Index.Condition(ctx)
	return err == nil && condition.Complete
}

// failed is q without what concerns pages, for what failed only.
func failed(q index.Query) index.Query {
	q.States, q.Cursor, q.Newer, q.Limit = []ledger.State{ledger.StateFailed}, "", false, 0
	return q
}

func (a *Acts) fromIndex(ctx context.Context, q index.Query) (ids []string, err error) {
	for id, err := range a.Index.IDs(ctx, failed(q)) {
		if err != nil {
			return nil, fmt.Errorf("finding what is selected: %w", err)
		}
		if ids = append(ids, id); len(ids) > ledger.BulkMost {
			return nil, ErrTooMany
		}
	}
	return ids, nil
}

// fromLedger reads every failure, and counts in the same pass. What group one is
// in, only the index knows.
func (a *Acts) fromLedger(ctx context.Context, q index.Query) (found, error) {
	all := found{byKind: map[string]int{}, byCause: map[string]int{}}
	if q.Group != "" {
		return all, fmt.Errorf("finding the failures of a group: %w", index.ErrAway)
	}
	for f, err := range a.Ledger.Failures(ctx) {
		if errors.Is(err, ledger.ErrDamaged) {
			continue // it says neither its kind nor its cause
		}
		if err != nil {
			return all, fmt.Errorf("finding what is selected: %w", err)
		}
		if !finds(q, f) {
			continue
		}
		all.byKind[f.Kind]++
		if f.Cause != "" {
			all.byCause[f.Cause]++
		}
		if all.ids = append(all.ids, f.ID); len(all.ids) > ledger.BulkMost {
			return all, ErrTooMany
		}
	}
	return all, nil
}

// finds reports whether a query finds a failure.
func finds(q index.Query, f ledger.Failure) bool {
	at := ledger.TimeOf(f.ID)
	return (len(q.Kinds) == 0 || slices.Contains(q.Kinds, f.Kind)) && (q.Cause == "" || q.Cause == f.Cause) &&
		(q.From.IsZero() || !at.Before(q.From)) && (q.Until.IsZero() || at.Before(q.Until))
}

// Asks reports whether a bulk is what is asked for: the same act on the same
// selection for the same reason.
func (b Bulk) Asks(s Selection, what BulkAct, why string) bool {
	asked, err := newOrder(Actor{}, b.ID, s, what, why)
	if err != nil {
		return false
	}
	is, err := newOrder(Actor{}, b.ID, b.Selection, b.What, b.Why)
	return err == nil && asked.What == is.What && asked.Why == is.Why && bytes.Equal(asked.Selection, is.Selection)
}
