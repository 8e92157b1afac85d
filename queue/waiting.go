package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// States tells for each request where its job stands: the job that is furthest,
// where it has several. It is one exchange with Redis for all ids given; a few
// hundred at a time are a good number. The error is ErrAway.
func (q *Queue) States(ctx context.Context, ids []string) ([]JobState, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	asked := make([]*redis.SliceCmd, 0, len(ids)*len(places))
	_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range ids {
			for _, name := range places {
				asked = append(asked, p.HMGet(ctx, taskKey(id, name), "msg", "state"))
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	states := make([]JobState, len(ids))
	for i, a := range asked {
		fields, err := a.Result()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAway, err)
		}
		if state := stateOf(fields[0], fields[1]); rank[state] > rank[states[i/len(places)]] {
			states[i/len(places)] = state
		}
	}
	return states, nil
}

// rank orders the states by how far they are.
var rank = map[JobState]int{NoJob: 0, Dead: 1, Delayed: 2, Pending: 3, Active: 4}

// stateOf reads asynq's word for where a task stands.
func stateOf(message, state any) JobState {
	if message == nil {
		return NoJob
	}
	switch state {
	case "pending":
		return Pending
	case "active":
		return Active
	case "scheduled", "retry":
		return Delayed
	}
	return Dead
}
