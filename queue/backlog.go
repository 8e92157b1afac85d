package queue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// The backlog is how many requests the ledger holds that are neither issued nor
// given up. The reconciler counts it on each pass, which costs a listing; between
// two passes every door adds what it accepted and every worker takes away what it
// ended, once a second, in one counter in Redis. So it may be wrong by a second
// of work, and nobody lists a bucket to answer a request.
//
// While Redis is away each door goes on from the last number with its own alone.

const backlogKey = "segell:backlog"

type backlog struct {
	shared atomic.Int64 // as last read from Redis
	ours   atomic.Int64 // of this process, not yet told
}

// Accepted says that the ledger has one request more.
func (q *Queue) Accepted() { q.backlog.ours.Add(1) }

// Ended says that a request was issued, given up or cancelled.
func (q *Queue) Ended() { q.backlog.ours.Add(-1) }

// Backlog is how many requests are unfinished, as far as is known here.
func (q *Queue) Backlog() int64 { return max(0, q.backlog.shared.Load()+q.backlog.ours.Load()) }

// share tells Redis what changed here and reads what all say together.
func (b *backlog) share(ctx context.Context, client redis.UniversalClient) {
	told := b.ours.Load()
	var all int64
	var err error
	if told == 0 { // nothing to write
		if all, err = client.Get(ctx, backlogKey).Int64(); errors.Is(err, redis.Nil) {
			err = nil
		}
	} else {
		all, err = client.IncrBy(ctx, backlogKey, told).Result()
	}
	if err != nil {
		return // the next look tells it
	}
	b.shared.Store(all)
	b.ours.Add(-told)
}

// BacklogMark reads the counter before the ledger is counted.
func (q *Queue) BacklogMark(ctx context.Context) (int64, error) {
	n, err := q.redis.Get(ctx, backlogKey).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return n, nil
}

// Recount puts the counter right by a count of the ledger that began at a mark.
// What was told since stays counted.
func (q *Queue) Recount(ctx context.Context, mark int64, counted int) error {
	all, err := q.redis.IncrBy(ctx, backlogKey, int64(counted)-mark).Result()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	q.backlog.shared.Store(all)
	return nil
}
