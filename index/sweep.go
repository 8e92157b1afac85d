package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
)

// tend builds the index where there is none, and sweeps.
func (x *Index) tend(ctx context.Context) {
	var swept time.Time
	quiet := true
	for ctx.Err() == nil {
		did, err := x.tendOnce(ctx, time.Since(swept) >= x.every.sweep)
		switch {
		case err != nil && ctx.Err() == nil:
			if quiet {
				x.Log.Warn("the index could not be built or swept yet", "why", err)
			}
			quiet = false
		default:
			quiet = true
		}
		if did && err == nil {
			swept = time.Now()
		}
		x.sleep(ctx, x.every.tend)
	}
}

// tendOnce does what is due, if anything is.
func (x *Index) tendOnce(ctx context.Context, sweepDue bool) (did bool, err error) {
	s, err := x.state(ctx)
	if err != nil {
		return false, err
	}
	if s.format != format {
		if err := x.clear(ctx); err != nil {
			return false, err
		}
		s = state{}
	}
	if s.built.IsZero() {
		return true, x.build(ctx, s.begun)
	}
	_, missed, err := x.Queue.ChangesWaiting(ctx)
	switch {
	case err != nil:
		return false, err
	case missed != "" || x.Now().Sub(s.swept) >= x.every.full:
		return true, x.sweepAll(ctx, s.swept, missed)
	case sweepDue:
		return true, x.sweepRecent(ctx)
	}
	return false, nil
}

// clear removes an index of another format, or what was left of one.
func (x *Index) clear(ctx context.Context) error {
	var keys []string
	scan := x.Redis.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for scan.Next(ctx) {
		if key := scan.Val(); !strings.HasPrefix(key, prefix+"claims:") && !strings.HasSuffix(key, ":changed") && !strings.HasSuffix(key, ":missed") {
			keys = append(keys, key)
		}
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	for _, key := range keys {
		if err := x.Redis.Unlink(ctx, key).Err(); err != nil {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
	}
	return nil
}

// build looks at everything that is not in the index yet. One that ended early
// lists all again and goes on where it was: what is in is not looked up twice,
// unless it was written since the build began.
func (x *Index) build(ctx context.Context, begun time.Time) error {
	if begun.IsZero() {
		begun = x.Now()
		if err := x.Redis.HSet(ctx, stateKey, fieldFormat, format, fieldBegun, millis(begun)).Err(); err != nil {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
		x.Log.Info("the index is being built")
	}
	w := &walk{Index: x, since: begun.Add(-clockSkew)}
	if err := w.everything(ctx); err != nil {
		return err
	}
	took := x.Now().Sub(begun)
	ended, err := endBuild.Run(ctx, x.Redis, []string{stateKey}, millis(begun), millis(x.Now()), took.Milliseconds()).Int()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	if ended == 1 {
		x.Log.Info("the index was built", "looked_up", w.looked, "after", took.Round(time.Millisecond))
	}
	return nil
}

// clockSkew is how far the clocks of the store and of this machine may be apart.
const clockSkew = 5 * time.Minute

// sweepAll compares everything with the index, and looks up what was written since
// the last time.
func (x *Index) sweepAll(ctx context.Context, last time.Time, missed string) error {
	begun := x.Now()
	w := &walk{Index: x, since: last.Add(-clockSkew)}
	if err := w.everything(ctx); err != nil {
		return err
	}
	if err := x.dropGroups(ctx); err != nil {
		return err
	}
	if err := endSweep.Run(ctx, x.Redis, []string{stateKey}, millis(begun)).Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	w.tell("everything")
	if missed == "" {
		return nil
	}
	return x.Queue.MadeGood(ctx, missed)
}

// sweepRecent compares with the index what moves: what is unfinished or failed, and
// what came to its end today and yesterday.
func (x *Index) sweepRecent(ctx context.Context) error {
	w := &walk{Index: x}
	if err := w.moving(ctx); err != nil {
		return err
	}
	today := x.Now().UTC()
	if err := w.register(ctx, []string{today.Format(dayForm), today.AddDate(0, 0, -1).Format(dayForm)}, false); err != nil {
		return err
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	w.tell("what moves")
	return nil
}

const dayForm = "2006/01/02"

// walk compares the ledger with the index and looks up where they differ.
type walk struct {
	*Index
	since   time.Time // what was written after it is looked up too; zero: only what differs
	pending []string
	looked  int
}

func (w *walk) tell(what string) {
	if w.looked > 0 {
		w.Log.Info("the index was swept", "what", what, "looked_up", w.looked)
	}
}

// everything walks over the whole ledger: what failed and what waits first, for
// that is what staff look for, then the register, newest day first.
func (w *walk) everything(ctx context.Context) error {
	if err := w.moving(ctx); err != nil {
		return err
	}
	days, err := w.Ledger.RegisterDays(ctx)
	if err != nil {
		return err
	}
	if err := w.register(ctx, days, true); err != nil {
		return err
	}
	return w.flush(ctx)
}

// need notes a request to be looked up.
func (w *walk) need(ctx context.Context, id string) error {
	w.pending = append(w.pending, id)
	if len(w.pending) < lookAtOnce {
		return nil
	}
	return w.flush(ctx)
}

// flush looks up what was noted. What follow is just looking up needs no second look.
func (w *walk) flush(ctx context.Context) error {
	for len(w.pending) > 0 {
		_, err := w.refresh(ctx, w.pending, func(string) time.Time { return time.Time{} })
		if errors.Is(err, errFull) && ctx.Err() == nil {
			w.sleep(ctx, awayFor) // until there is room
			continue
		}
		if err != nil {
			return err
		}
		w.looked += len(w.pending)
		w.pending = w.pending[:0]
	}
	return nil
}

// wrote reports whether an entry is new enough to be looked up in any case.
func (w *walk) wrote(e ledger.Entry) bool { return !w.since.IsZero() && !e.ChangedAt.Before(w.since) }

// moving compares what is unfinished and what failed.
func (w *walk) moving(ctx context.Context) error {
	failures, err := listed(w.Ledger.FailureEntries(ctx))
	if err != nil {
		return err
	}
	requests, err := listed(w.Ledger.RequestEntries(ctx))
	if err != nil {
		return err
	}
	failed, err := w.indexed(ctx, whole, ledger.StateFailed)
	if err != nil {
		return err
	}
	waiting, err := w.indexed(ctx, whole, ledger.StateAccepted)
	if err != nil {
		return err
	}
	lost, err := w.tallyGroups(ctx, failed)
	if err != nil {
		return err
	}
	for key, e := range failures {
		if group, there := failed[key]; !there || lost[group] || w.wrote(e) {
			if err := w.need(ctx, e.ID); err != nil {
				return err
			}
		}
	}
	for key, e := range requests {
		_, gaveUp := failures[key]
		if _, there := waiting[key]; !gaveUp && !there {
			if err := w.need(ctx, e.ID); err != nil {
				return err
			}
		}
	}
	return errors.Join(w.missing(ctx, failed, failures), w.missing(ctx, waiting, requests))
}

// missing looks up what the index has and the ledger does not list.
func (w *walk) missing(ctx context.Context, indexed map[rowKey]string, listed map[rowKey]ledger.Entry) error {
	for key := range indexed {
		if _, there := listed[key]; !there {
			if err := w.need(ctx, key.id()); err != nil {
				return err
			}
		}
	}
	return nil
}

// register compares the register of these days, which are newest first. With gaps,
// also what the index has of days between and before them, which have gone.
func (w *walk) register(ctx context.Context, days []string, gaps bool) error {
	end := whole.end
	for _, day := range days {
		begins, err := time.Parse(dayForm, day)
		if err != nil {
			continue // no folder of ours
		}
		of := span{keyAt(begins), keyAt(begins.AddDate(0, 0, 1))}
		if gaps {
			of.end = end
		}
		end = of.first
		if err := w.day(ctx, day, of); err != nil {
			return err
		}
	}
	if !gaps {
		return nil
	}
	rest, err := w.indexed(ctx, span{end: end}, ended...)
	if err != nil {
		return err
	}
	return w.missing(ctx, rest, nil)
}

// day compares the register of one day.
func (w *walk) day(ctx context.Context, day string, of span) error {
	records, err := listed(w.Ledger.RecordsOn(ctx, day))
	if err != nil {
		return err
	}
	tombstones, err := listed(w.Ledger.TombstonesOn(ctx, day))
	if err != nil {
		return err
	}
	indexed, err := w.indexed(ctx, of, ended...)
	if err != nil {
		return err
	}
	for _, entries := range []map[rowKey]ledger.Entry{records, tombstones} {
		for key, e := range entries {
			if _, there := indexed[key]; !there || w.wrote(e) {
				if err := w.need(ctx, e.ID); err != nil {
					return err
				}
			}
			records[key] = e
		}
	}
	return w.missing(ctx, indexed, records)
}

// listed is a listing of the ledger by key.
func listed(entries iter.Seq2[ledger.Entry, error]) (map[rowKey]ledger.Entry, error) {
	all := map[rowKey]ledger.Entry{}
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if key, ok := keyOf(e.ID); ok {
			all[key] = e
		}
	}
	return all, nil
}

// membersAtOnce is how many members of a partition are read in one exchange.
const membersAtOnce = 5000

// indexed is what the index has in some states within a span, with the groups of
// failures.
func (x *Index) indexed(ctx context.Context, of span, states ...ledger.State) (map[rowKey]string, error) {
	parts, err := x.partitions(ctx, Query{States: states})
	if err != nil {
		return nil, err
	}
	all := map[rowKey]string{}
	rests := make([]span, len(parts))
	for i := range rests {
		rests[i] = of
	}
	for len(parts) > 0 {
		lists := make([]*redis.StringSliceCmd, len(parts))
		_, err := x.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, part := range parts {
				lists[i] = p.ZRangeByLex(ctx, part.key, rests[i].by(membersAtOnce))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAway, err)
		}
		var more []partition
		var from []span
		for i, part := range parts {
			members := membersOf(&part, lists[i].Val())
			for _, m := range members {
				all[m.key] = m.group()
			}
			if len(members) == membersAtOnce {
				more, from = append(more, part), append(from, span{members[len(members)-1].key.next(), of.end})
			}
		}
		parts, rests = more, from
	}
	return all, nil
}
