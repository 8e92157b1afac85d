package index

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Condition says how far the index can be relied on.
type Condition struct {
	Complete bool          // everything in the ledger was once looked at, and no change was missed since
	Lack     Lack          // why it is not complete
	Building bool          // somebody is at it
	Done     int64         // rows it holds
	BuiltAt  time.Time     // when the last build ended; zero: never
	Took     time.Duration // the last build
	Waiting  int64         // changes not yet in
	Behind   time.Duration // how long that of them has waited that waits longest
	TooBig   bool          // it stands still: Redis is too full for it
}

// Lack is why the index is not complete: counts and lists may be wrong until that
// is over, also those that say that there is nothing.
type Lack string

const (
	LackNothing Lack = ""        // it is complete
	LackRoom    Lack = "room"    // Redis is too full: nothing comes in until it has room
	LackBuild   Lack = "build"   // it has not been built yet
	LackChanges Lack = "changes" // changes are not in yet: some were missed, or wait for long
)

// behindMost is how long a change may wait before the index is no longer complete.
const behindMost = time.Minute

// The fields of the hash of state. Times are milliseconds of Unix time.
const (
	fieldFormat = "format"
	fieldBegun  = "begun" // the build; missing when it has ended
	fieldBuilt  = "built" // when it ended
	fieldTook   = "took"  // how long it took, milliseconds
	fieldSwept  = "swept" // when the last full sweep began
)

// state is what was built and swept when.
type state struct {
	format              string
	begun, built, swept time.Time
	took                time.Duration
}

func stateFrom(fields map[string]string) state {
	at := func(name string) time.Time {
		ms, err := strconv.ParseInt(fields[name], 10, 64)
		if err != nil {
			return time.Time{}
		}
		return time.UnixMilli(ms)
	}
	took, _ := strconv.ParseInt(fields[fieldTook], 10, 64)
	return state{format: fields[fieldFormat], begun: at(fieldBegun), built: at(fieldBuilt), swept: at(fieldSwept), took: time.Duration(took) * time.Millisecond}
}

func (x *Index) state(ctx context.Context) (state, error) {
	fields, err := x.Redis.HGetAll(ctx, stateKey).Result()
	if err != nil {
		return state{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return stateFrom(fields), nil
}

// Condition says how far the index can be relied on. The error is ErrAway.
func (x *Index) Condition(ctx context.Context) (Condition, error) {
	s, err := x.state(ctx)
	if err != nil {
		return Condition{}, err
	}
	waiting, missed, err := x.Queue.ChangesWaiting(ctx)
	if err != nil {
		return Condition{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	counts, err := x.Counts(ctx)
	if err != nil {
		return Condition{}, err
	}
	full, err := x.isFull(ctx)
	if err != nil {
		return Condition{}, err
	}
	behind, err := x.behind(ctx)
	if err != nil {
		return Condition{}, err
	}
	c := Condition{Waiting: waiting, Behind: behind, TooBig: full, BuiltAt: s.built, Took: s.took}
	built := s.format == format && !s.built.IsZero()
	switch {
	case full:
		c.Lack = LackRoom
	case !built:
		c.Lack = LackBuild
	case missed != "" || behind > behindMost:
		c.Lack = LackChanges
	}
	c.Complete = c.Lack == LackNothing
	c.Building = !full && (missed != "" || !built && !s.begun.IsZero())
	for _, n := range counts {
		c.Done += n
	}
	return c, nil
}

// behind is how long the change has waited that waits longest.
func (x *Index) behind(ctx context.Context) (time.Duration, error) {
	changes, err := x.Queue.Changes(ctx, 1)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if len(changes) == 0 {
		return 0, nil
	}
	return max(0, x.Now().Sub(changes[0].At)), nil
}

// memoryMost is the share of maxmemory, in percent, above which the index takes no
// more: jobs come first, and the queue takes none above 75.
const memoryMost = 60

// isFull reports whether Redis has no room for the index. It asks once a second.
func (x *Index) isFull(ctx context.Context) (bool, error) {
	x.mu.Lock()
	full, known := x.full, time.Since(x.fullAt) < time.Second
	x.mu.Unlock()
	if known {
		return full, nil
	}
	used, most, err := x.Queue.Memory(ctx)
	if err != nil {
		// One that keeps no such account (as in the sandbox) has no limit either.
		if x.Queue.Ping(ctx) != nil {
			return false, fmt.Errorf("%w: %w", ErrAway, err)
		}
		used, most = 0, 0
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.full, x.fullAt = most > 0 && used*100 > most*memoryMost, time.Now()
	return x.full, nil
}

func millis(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }

// endBuild says that everything was looked at, unless Redis was emptied since the
// build began: then it is not so.
var endBuild = redis.NewScript(`
if redis.call("HGET", KEYS[1], "begun") ~= ARGV[1] then return 0 end
redis.call("HDEL", KEYS[1], "begun")
redis.call("HSET", KEYS[1], "built", ARGV[2], "took", ARGV[3], "swept", ARGV[1])
return 1`)

// endSweep says when the last full sweep began, unless Redis was emptied since.
var endSweep = redis.NewScript(`
if redis.call("HEXISTS", KEYS[1], "built") == 0 then return 0 end
redis.call("HSET", KEYS[1], "swept", ARGV[1])
return 1`)
