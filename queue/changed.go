package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// What changes in the ledger is noted in Redis for whoever keeps the index of the
// console: the ids, each once, with the time of the last change. The notes are
// bounded, for nobody may be there to take them; beyond the bound only a mark
// says that some were missed.

const (
	changedKey = "segell:{index}:changed"
	missedKey  = "segell:{index}:missed"

	// ChangedMost is how many ids may wait there.
	ChangedMost = 100_000
)

// noteChanged notes ids unless there is no room.
var noteChanged = redis.NewScript(`
local room = tonumber(ARGV[1]) - redis.call("ZCARD", KEYS[1])
for i = 3, #ARGV do
  if room > 0 or redis.call("ZSCORE", KEYS[1], ARGV[i]) then
    room = room - redis.call("ZADD", KEYS[1], ARGV[2], ARGV[i])
  else
    redis.call("SET", KEYS[2], ARGV[2])
  end
end
return room`)

func noteOf(most int, ids []string) (keys []string, args []any) {
	args = []any{most, strconv.FormatInt(time.Now().UnixMicro(), 10)}
	for _, id := range ids {
		args = append(args, id)
	}
	return []string{changedKey, missedKey}, args
}

// changed are ids that are not yet noted in Redis, with the time since when.
type changed struct {
	mu  sync.Mutex
	ids map[string]time.Time
}

const (
	changedEvery = 500 * time.Millisecond
	// changedAge is how long an id is kept here before it is noted. Most documents
	// are issued sooner, and who tells of that spares the look at what was accepted.
	changedAge  = time.Second
	changedAsk  = 500    // ids in one exchange
	changedKept = 20_000 // here, while Redis is away; more are dropped, and found by the index's own sweeps
)

// Changed notes that the ledger knows more of a request than before: about a
// second later, while Keep runs, and without an exchange with Redis by its caller.
func (q *Queue) Changed(id string) { q.changed.add(time.Now(), id) }

func (c *changed) add(at time.Time, ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil {
		c.ids = map[string]time.Time{}
	}
	for _, id := range ids {
		if len(c.ids) < changedKept {
			c.ids[id] = at
		}
	}
}

// take takes out some of those that were added before a time.
func (c *changed) take(before time.Time) (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, at := range c.ids {
		if len(ids) == changedAsk {
			break
		}
		if at.Before(before) {
			ids = append(ids, id)
			delete(c.ids, id)
		}
	}
	return ids
}

func (c *changed) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ids, id)
}

// noteAll notes what was told by Changed until ctx ends, and all that is left then.
func (q *Queue) noteAll(ctx context.Context) {
	ticker := time.NewTicker(changedEvery)
	defer ticker.Stop()
	var again time.Time
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			q.noteThose(last, time.Now())
			return
		case <-ticker.C:
			if time.Now().Before(again) {
				continue
			}
			if !q.noteThose(ctx, time.Now().Add(-changedAge)) { // Redis is away, or full
				again = time.Now().Add(muteFor)
			}
		}
	}
}

// noteThose notes what was told before a time, and keeps what Redis did not take.
func (q *Queue) noteThose(ctx context.Context, before time.Time) bool {
	for {
		ids := q.changed.take(before)
		if len(ids) == 0 {
			return true
		}
		keys, args := noteOf(ChangedMost, ids)
		if noteChanged.Run(ctx, q.redis, keys, args...).Err() != nil {
			q.changed.add(before.Add(-time.Nanosecond), ids...)
			return false
		}
	}
}

// tell passes a hint on and notes the change in one exchange with Redis.
func (q *Queue) tell(ctx context.Context, m Move) (told bool) {
	keys, args := noteOf(ChangedMost, []string{m.ID})
	var publish *redis.IntCmd
	var note *redis.Cmd
	run := func(how func(redis.Pipeliner) *redis.Cmd) {
		_, _ = q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			publish, note = p.Publish(ctx, movesChannel, m.text()), how(p)
			return nil
		}) // each command has its own error
	}
	run(func(p redis.Pipeliner) *redis.Cmd { return noteChanged.EvalSha(ctx, p, keys, args...) })
	err := note.Err()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		err = noteChanged.Eval(ctx, q.redis, keys, args...).Err()
	}
	if err != nil {
		q.Changed(m.ID)
	} else {
		q.changed.drop(m.ID)
	}
	return publish.Err() == nil
}

// Change is a note that was read.
type Change struct {
	ID string
	At time.Time // of the last change, by the clock of who told
}

// Changes reads the notes that wait longest. They stay until they are settled.
func (q *Queue) Changes(ctx context.Context, most int) ([]Change, error) {
	found, err := q.redis.ZRangeWithScores(ctx, changedKey, 0, int64(most)-1).Result()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	changes := make([]Change, 0, len(found))
	for _, z := range found {
		id, _ := z.Member.(string)
		changes = append(changes, Change{ID: id, At: time.UnixMicro(int64(z.Score))})
	}
	return changes, nil
}

// settleChanged takes notes away whose time is still the one that was read.
var settleChanged = redis.NewScript(`
for i = 1, #ARGV, 2 do
  if tonumber(redis.call("ZSCORE", KEYS[1], ARGV[i]) or "0") == tonumber(ARGV[i + 1]) then redis.call("ZREM", KEYS[1], ARGV[i]) end
end
return 0`)

// Settle takes away notes that were dealt with. One that was noted again since it
// was read stays.
func (q *Queue) Settle(ctx context.Context, changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	args := make([]any, 0, 2*len(changes))
	for _, c := range changes {
		args = append(args, c.ID, strconv.FormatInt(c.At.UnixMicro(), 10))
	}
	if err := settleChanged.Run(ctx, q.redis, []string{changedKey}, args...).Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// ChangesWaiting counts the notes. missed is not empty where some had no room: a
// mark that MadeGood takes away.
func (q *Queue) ChangesWaiting(ctx context.Context) (n int64, missed string, err error) {
	var count *redis.IntCmd
	var mark *redis.StringCmd
	_, err = q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		count, mark = p.ZCard(ctx, changedKey), p.Get(ctx, missedKey)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, "", fmt.Errorf("%w: %w", ErrAway, err)
	}
	return count.Val(), mark.Val(), nil
}

var dropMissed = redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`)

// MadeGood says that what was missed up to a mark was found in another way.
func (q *Queue) MadeGood(ctx context.Context, missed string) error {
	if err := dropMissed.Run(ctx, q.redis, []string{missedKey}, missed).Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}
