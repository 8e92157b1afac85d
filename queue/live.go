package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Live tells for each request whether it has a live job in any queue: one whose
// message is there and which waits, is delayed, or is active under a lease, which
// the reaper watches. It is one exchange with Redis for all ids given; a few
// hundred at a time are a good number.
func (q *Queue) Live(ctx context.Context, ids []string) ([]bool, error) {
	type place struct {
		whole *redis.BoolCmd
		state *redis.StringCmd
		lease *redis.FloatCmd
	}
	asked := make([]place, 0, len(ids)*len(places))
	_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range ids {
			for _, name := range places {
				key := taskKey(id, name)
				asked = append(asked, place{p.HExists(ctx, key, "msg"), p.HGet(ctx, key, "state"), p.ZScore(ctx, listKey(name, "lease"), id)})
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	live := make([]bool, len(ids))
	for i, a := range asked {
		if a.whole.Err() != nil || a.state.Err() != nil && !errors.Is(a.state.Err(), redis.Nil) {
			return nil, fmt.Errorf("%w: %w", ErrAway, errors.Join(a.whole.Err(), a.state.Err()))
		}
		if !a.whole.Val() {
			continue
		}
		switch a.state.Val() {
		case "pending", "scheduled", "retry":
			live[i/len(places)] = true
		case "active":
			live[i/len(places)] = live[i/len(places)] || a.lease.Err() == nil
		}
	}
	return live, nil
}

// Paused is what a worker says of a job that it handed back because somebody
// halted its kind. It is kept with the job, which counts as waiting its turn.
const Paused = "paused"

// Wake lets every job that waits for its next try, and whose last try ended with
// one of these words, run now. It returns how many there were.
func (q *Queue) Wake(ctx context.Context, words ...string) (int, error) {
	woken := 0
	for _, name := range places {
		ids, err := q.delayed(ctx, name, words)
		if err != nil {
			return woken, err
		}
		n, err := q.runNow(ctx, name, ids)
		if woken += n; err != nil {
			return woken, err
		}
	}
	return woken, nil
}

// WakeFar lets every job run now that waits longer than a time: the clock was ahead
// when it was put off, for nothing is put off so long. It returns how many there were.
func (q *Queue) WakeFar(ctx context.Context, longest time.Duration) (int, error) {
	woken := 0
	from := strconv.FormatInt(time.Now().Add(longest).Unix(), 10)
	for _, name := range places {
		ids, err := q.redis.ZRangeByScore(ctx, listKey(name, "retry"), &redis.ZRangeBy{Min: from, Max: "+inf", Count: wakePage}).Result()
		if err != nil {
			return woken, fmt.Errorf("%w: %w", ErrAway, err)
		}
		n, err := q.runNow(ctx, name, ids)
		if woken += n; err != nil {
			return woken, err
		}
	}
	return woken, nil
}

func (q *Queue) runNow(ctx context.Context, name string, ids []string) (woken int, err error) {
	for _, id := range ids {
		_, err := inTime(ctx, func() (struct{}, error) { return struct{}{}, q.inspector.RunTask(name, id) })
		switch {
		case err == nil:
			woken++
		case ctx.Err() != nil, q.Ping(ctx) != nil:
			return woken, fmt.Errorf("%w: %w", ErrAway, err)
		}
		// Else it runs already, or is gone.
	}
	return woken, nil
}

const wakePage = 500

// delayed lists the jobs of a queue whose last try ended with one of these words.
func (q *Queue) delayed(ctx context.Context, name string, words []string) ([]string, error) {
	var ids []string
	for page := 1; ; page++ {
		tasks, err := inTime(ctx, func() ([]*asynq.TaskInfo, error) {
			return q.inspector.ListRetryTasks(name, asynq.PageSize(wakePage), asynq.Page(page))
		})
		if errors.Is(err, asynq.ErrQueueNotFound) {
			return ids, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAway, err)
		}
		for _, task := range tasks {
			for _, word := range words {
				if task.LastErr == word {
					ids = append(ids, task.ID)
				}
			}
		}
		if len(tasks) < wakePage {
			return ids, nil
		}
	}
}
