package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"segell/storage"
)

// Entry is an object in a listing: whose it is, and when it was last written by
// the clock of the store.
type Entry struct {
	ID        string
	ChangedAt time.Time
}

// RegisterDays returns the days (yyyy/mm/dd, UTC) of the requests that have come
// to an end other than failure, newest first.
func (l *Ledger) RegisterDays(ctx context.Context) ([]string, error) {
	var all []string
	for _, prefix := range []string{recordsPrefix, documentsPrefix} {
		for folder, err := range l.days(ctx, prefix, 3) {
			if err != nil {
				return nil, fmt.Errorf("listing the days of the register: %w", err)
			}
			all = append(all, folder[len(prefix):len(folder)-1])
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	slices.Reverse(all)
	return all, nil
}

const (
	recordsPrefix   = "records/"
	documentsPrefix = "documents/"
)

// RecordsOn yields the register's entries of a day (yyyy/mm/dd), oldest first. An
// error ends it.
func (l *Ledger) RecordsOn(ctx context.Context, day string) iter.Seq2[Entry, error] {
	return l.entries(ctx, recordsPrefix+day+"/", "listing the register", nil)
}

// TombstonesOn yields the requests of a day (yyyy/mm/dd) at whose document's place
// lies a tombstone: they were cancelled, or the register says what became of them.
func (l *Ledger) TombstonesOn(ctx context.Context, day string) iter.Seq2[Entry, error] {
	empty := func(info storage.Info) bool { return info.Size == 0 }
	return l.entries(ctx, documentsPrefix+day+"/", "listing tombstones", empty)
}

// RequestEntries yields all requests that have not come to an end, the failed ones
// included, oldest first. An error ends it.
func (l *Ledger) RequestEntries(ctx context.Context) iter.Seq2[Entry, error] {
	return l.entries(ctx, requestsPrefix, "listing requests", nil)
}

// FailureEntries yields all failures, oldest request first, also those whose
// request is gone. An error ends it.
func (l *Ledger) FailureEntries(ctx context.Context) iter.Seq2[Entry, error] {
	return l.entries(ctx, failuresPrefix, "listing failures", nil)
}

func (l *Ledger) entries(ctx context.Context, prefix, doing string, wanted func(storage.Info) bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for info, err := range l.objects.List(ctx, prefix, "") {
			if err != nil {
				yield(Entry{}, fmt.Errorf("%s: %w", doing, err))
				return
			}
			if wanted != nil && !wanted(info) {
				continue
			}
			if id := idOfKey(strings.TrimSuffix(info.Key, ".pdf")); id != "" && !yield(Entry{ID: id, ChangedAt: info.LastModified}, nil) {
				return
			}
		}
	}
}
