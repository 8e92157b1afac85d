package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Depth is how many jobs a queue holds.
type Depth struct {
	Queue   string
	Waiting int64 // for a worker
	Active  int64 // a worker has them
	Delayed int64 // for their next try
}

// Depths counts the jobs of every queue of requests, in the order of urgency. The
// error is ErrAway.
func (q *Queue) Depths(ctx context.Context) ([]Depth, error) {
	type sizes struct{ pending, active, scheduled, retry *redis.IntCmd }
	asked := make([]sizes, len(places))
	_, err := q.redis.Pipelined(ctx, func(r redis.Pipeliner) error {
		for i, name := range places {
			asked[i] = sizes{r.LLen(ctx, listKey(name, "pending")), r.LLen(ctx, listKey(name, "active")),
				r.ZCard(ctx, listKey(name, "scheduled")), r.ZCard(ctx, listKey(name, "retry"))}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	depths := make([]Depth, len(places))
	for i, s := range asked {
		depths[i] = Depth{places[i], s.pending.Val(), s.active.Val(), s.scheduled.Val() + s.retry.Val()}
	}
	return depths, nil
}

// Memory is how many bytes Redis uses and may use; most is 0 where it has no
// limit. The error is ErrAway.
func (q *Queue) Memory(ctx context.Context) (used, most int64, err error) {
	if used, most, err = memory(ctx, q.redis); err != nil {
		return 0, 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return used, most, nil
}
