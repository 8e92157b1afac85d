package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"segell/storage"
)

// bulkBegins is how long what is written before a bulk's order waits for it.
const bulkBegins = 24 * time.Hour

// bulkRest is what lies in the folder of a bulk besides its order.
type bulkRest struct {
	ids, other []storage.Info
	ordered    bool
}

// SweepBulks deletes what whoever ended before had cleared up left of bulks: the
// lists of those that are over, and, a day after, what was written for one that
// was never begun. It returns how many objects it deleted.
func (l *Ledger) SweepBulks(ctx context.Context) (deleted int, err error) {
	rests, err := l.bulkRests(ctx)
	if err != nil {
		return 0, err
	}
	for id, rest := range rests {
		gone, err := l.goneOfBulk(ctx, id, rest)
		if err != nil {
			return deleted, err
		}
		for _, object := range gone {
			if err := l.objects.Delete(ctx, object.Key); err != nil {
				return deleted, fmt.Errorf("deleting what is left of a bulk: %w", err)
			}
			deleted++
		}
	}
	return deleted, nil
}

// bulkRests lists the folders in which something may be left, by the bulk's id.
func (l *Ledger) bulkRests(ctx context.Context) (map[string]*bulkRest, error) {
	rests := map[string]*bulkRest{}
	for object, err := range l.objects.List(ctx, bulksPrefix, "") {
		if err != nil {
			return nil, fmt.Errorf("listing what lies of bulks: %w", err)
		}
		id, name, _ := strings.Cut(strings.TrimPrefix(object.Key, bulksPrefix), "/")
		if CheckID(id) != nil {
			continue
		}
		rest := rests[id]
		if rest == nil {
			rest = &bulkRest{}
			rests[id] = rest
		}
		switch {
		case name == "order":
			rest.ordered = true
		case strings.HasPrefix(name, "ids/"):
			rest.ids = append(rest.ids, object)
		default:
			rest.other = append(rest.other, object)
		}
	}
	return rests, nil
}

// goneOfBulk is what of a bulk nobody will read any more.
func (l *Ledger) goneOfBulk(ctx context.Context, id string, rest *bulkRest) ([]storage.Info, error) {
	if !rest.ordered {
		all := append(rest.other, rest.ids...)
		for _, object := range all {
			if l.now().Sub(object.LastModified) < bulkBegins {
				return nil, nil
			}
		}
		return all, nil
	}
	if len(rest.ids) == 0 {
		return nil, nil
	}
	b, err := l.Bulk(ctx, id)
	switch {
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrNotFound):
		return nil, nil // it does not say that it is over
	case err != nil:
		return nil, err
	case b.State.Open():
		return nil, nil
	}
	return rest.ids, nil
}
