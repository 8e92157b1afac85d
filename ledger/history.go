package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// HistoryQuery asks for the requests of one holder, newest first.
type HistoryQuery struct {
	Holder string    // HolderDigest of the CASS number
	Client string    // only this client's requests; "": of all, for staff
	Kinds  []string  // only these; none: all
	States []State   // only these; none: all. StateAccepted is all that is on its way
	From   time.Time // accepted at or after; zero: from the first
	Until  time.Time // accepted before; zero: to the last
	Before string    // only requests older than this id; "": from the newest
	Limit  int       // at most so many, 1 to HistoryMost
}

const (
	// HistoryMost is the largest page of a history.
	HistoryMost = 100
	// historyReads is how many requests one page may cost to read: where filters
	// match little the page is short, and More says that there is more.
	historyReads = 300
	// historyAtOnce is how many are read at a time.
	historyAtOnce = 8
)

// HistoryPage is a part of a history.
type HistoryPage struct {
	Requests []Standing // newest first
	// More reports that there may be older ones: ask again with Before = Last. A
	// page may be empty and have more after it.
	More bool
	Last string // id of the oldest request that was looked at
}

// History returns a page of the requests that name a holder. It costs one listing
// of the holder's pointers, and up to historyReads requests read.
func (l *Ledger) History(ctx context.Context, q HistoryQuery) (HistoryPage, error) {
	ids, err := l.pointers(ctx, q)
	if err != nil {
		return HistoryPage{}, err
	}
	q.Limit = min(max(q.Limit, 1), HistoryMost)
	var page HistoryPage
	for read := 0; read < len(ids); read += historyAtOnce {
		if read >= historyReads {
			page.More = true
			return page, nil
		}
		batch := ids[read:min(len(ids), read+historyAtOnce)]
		found, err := l.lookAtAll(ctx, batch)
		if err != nil {
			return HistoryPage{}, err
		}
		for i, s := range found {
			if len(page.Requests) == q.Limit {
				page.More = true
				return page, nil
			}
			page.Last = batch[i]
			if q.wants(s) {
				page.Requests = append(page.Requests, s)
			}
		}
	}
	return page, nil
}

// pointers lists the ids of a holder's requests that the times of q allow,
// newest first. An id is 36 bytes and a person has tens of them: they are held
// together, because a bucket lists from the oldest.
func (l *Ledger) pointers(ctx context.Context, q HistoryQuery) ([]string, error) {
	var ids []string
	for id, err := range l.ids(ctx, holderKey(q.Holder, "")) {
		if err != nil {
			return nil, fmt.Errorf("listing a holder's requests: %w", err)
		}
		at := TimeOf(id)
		if q.Before != "" && id >= q.Before || !q.Until.IsZero() && !at.Before(q.Until) {
			break // ids are in the order of their times
		}
		if !q.From.IsZero() && at.Before(q.From) {
			continue
		}
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	return ids, nil
}

// lookAtAll looks at several requests at a time. A pointer whose request was never
// accepted gives the zero Standing, and so does one that is damaged: it must not
// hide the others.
func (l *Ledger) lookAtAll(ctx context.Context, ids []string) ([]Standing, error) {
	found := make([]Standing, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	for i, id := range ids {
		group.Go(func() error {
			standing, err := l.Look(ctx, id)
			if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
				return nil
			}
			found[i] = standing
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("reading a holder's requests: %w", err)
	}
	return found, nil
}

func (q *HistoryQuery) wants(s Standing) bool {
	return s.ID != "" && (q.Client == "" || s.Client == q.Client) &&
		(len(q.Kinds) == 0 || slices.Contains(q.Kinds, s.Kind)) &&
		(len(q.States) == 0 || slices.Contains(q.States, s.State))
}
