package queue

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Reaper gives back to their queue the jobs of workers that died. asynq does so
// too, but after one to two minutes and at the cost of an attempt.
//
// A living worker lists what it works on in Redis every five seconds, in a hash
// that ends after ten, and renews the lease of each job. A job is an orphan if
// on LooksNeeded looks, LookEvery apart, nobody listed it and its lease was
// never renewed. Any number of reapers may look at one Redis: giving back is one
// step in Redis that holds only for the lease that was seen.
type Reaper struct {
	queue *Queue
	seen  map[activity]int // on how many looks in a row
}

const (
	// LookEvery is the time between two looks. Looks must span more than the
	// heartbeat of asynq, before which a job just begun is not listed.
	LookEvery = 4 * time.Second
	// LooksNeeded is how many looks in a row make an orphan.
	LooksNeeded = 3
)

// activity is one run of one job, as Redis shows it.
type activity struct {
	queue, id string
	lease     string // until when, in the words of Redis; changes when renewed, and with each run
}

// NewReaper returns a Reaper that has seen nothing yet.
func (q *Queue) NewReaper() *Reaper { return &Reaper{queue: q, seen: map[activity]int{}} }

// Run looks until ctx ends.
func (r *Reaper) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(LookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		ids, err := r.Look(ctx)
		if err != nil && ctx.Err() == nil {
			log.Debug("the reaper saw nothing", "why", err)
		}
		for _, id := range ids {
			log.Warn("a worker died with a job: it runs again", "id", id)
		}
	}
}

// Look looks once and returns the ids of the jobs that it gave back. A look that
// fails is none, and the looks begin anew.
func (r *Reaper) Look(ctx context.Context) ([]string, error) {
	running, err := r.queue.running(ctx)
	if err != nil {
		clear(r.seen)
		return nil, err
	}
	now := map[activity]int{}
	var back []string
	for _, a := range running {
		now[a] = r.seen[a] + 1
		if now[a] < LooksNeeded {
			continue
		}
		given, err := giveBack.Run(ctx, r.queue.redis, []string{listKey(a.queue, "active"), listKey(a.queue, "lease"), listKey(a.queue, "pending"), taskKey(a.id, a.queue)},
			a.id, a.lease, time.Now().UnixNano()).Int()
		if err != nil {
			clear(r.seen)
			return back, fmt.Errorf("%w: %w", ErrAway, err)
		}
		delete(now, a)
		if given == 1 {
			back = append(back, a.id)
		}
	}
	r.seen = now
	return back, nil
}

// giveBack puts a job at the head of its queue if its lease is still the one that
// was seen. What is left of a task without its message is removed: asynq could
// neither run it nor pass it over.
//
// The keys and fields are those of asynq 0.26, which a test holds against it.
var giveBack = redis.NewScript(`
local lease = redis.call("ZSCORE", KEYS[2], ARGV[1])
if (lease or "") ~= ARGV[2] then return 0 end
local removed = redis.call("LREM", KEYS[1], 0, ARGV[1]) + redis.call("ZREM", KEYS[2], ARGV[1])
if removed == 0 then return 0 end
if redis.call("HEXISTS", KEYS[4], "msg") == 0 then
  redis.call("DEL", KEYS[4])
  return 2
end
if redis.call("HGET", KEYS[4], "state") ~= "active" then return 2 end
redis.call("HSET", KEYS[4], "state", "pending", "pending_since", ARGV[3])
redis.call("RPUSH", KEYS[3], ARGV[1])
return 1`)

func listKey(queue, list string) string { return "asynq:{" + queue + "}:" + list }

const workerLists = "asynq:workers" // sorted set of the hashes in which workers list their jobs

// running returns what is active and listed by no living worker.
func (q *Queue) running(ctx context.Context) ([]activity, error) {
	names, err := q.watched(ctx)
	if err != nil {
		return nil, err
	}
	actives, leases := make([]*redis.StringSliceCmd, len(names)), make([]*redis.ZSliceCmd, len(names))
	var workers *redis.StringSliceCmd
	_, err = q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range names {
			actives[i] = p.LRange(ctx, listKey(name, "active"), 0, -1)
			leases[i] = p.ZRangeWithScores(ctx, listKey(name, "lease"), 0, -1)
		}
		// asynq forgets the hashes of dead workers only when somebody inspects them.
		p.ZRemRangeByScore(ctx, workerLists, "-inf", strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10))
		workers = p.ZRange(ctx, workerLists, 0, -1)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	runs := map[[2]string]string{}
	for i, name := range names {
		for _, id := range actives[i].Val() {
			runs[[2]string{name, id}] = ""
		}
		for _, z := range leases[i].Val() {
			id, _ := z.Member.(string)
			runs[[2]string{name, id}] = strconv.FormatFloat(z.Score, 'f', -1, 64)
		}
	}
	if len(runs) == 0 {
		return nil, nil
	}
	// Read after the active lists: who is listed by now is alive.
	var lists []*redis.StringSliceCmd
	if keys := workers.Val(); len(keys) > 0 {
		_, err = q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range keys {
				lists = append(lists, p.HKeys(ctx, key))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAway, err)
		}
	}
	listed := map[string]bool{}
	for _, list := range lists {
		for _, id := range list.Val() {
			listed[id] = true
		}
	}
	var orphans []activity
	for run, lease := range runs {
		if !listed[run[1]] {
			orphans = append(orphans, activity{queue: run[0], id: run[1], lease: lease})
		}
	}
	return orphans, nil
}

// watched returns the queues of requests and of callbacks, of which there is one
// for each client.
func (q *Queue) watched(ctx context.Context) ([]string, error) {
	known, err := q.redis.SMembers(ctx, queueNames).Result()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	names := slices.Clone(places)
	for _, name := range known {
		if strings.HasPrefix(name, notifyPrefix) {
			names = append(names, name)
		}
	}
	return names, nil
}
