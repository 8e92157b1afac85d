package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// A request whose data ends the process that works on it leaves no word behind.
// So a worker marks each job that it begins and takes the mark away when it lets
// go of it in an orderly way. Who begins a job that still carries the mark of
// another process knows that a worker died with it. The count lies with the task,
// whoever gave it back (the reaper, asynq itself, staff).

// DeathsMost is how often workers may die with a job before it runs in
// quarantine, where one death more is its end.
const DeathsMost = 2

// Begun is what lies with a job when a worker begins it.
type Begun struct {
	// Deaths is how often a worker died with the job in this queue.
	Deaths int
	// Elsewhere: the request has a job in quarantine, and this one is one too many.
	Elsewhere bool
	Progress
}

// beginRun counts a death where the task carries another worker's mark, and
// leaves our own.
var beginRun = redis.NewScript(`
if redis.call("HEXISTS", KEYS[1], "msg") == 0 then return {0, false} end
local mark = redis.call("HGET", KEYS[1], "segell-begun")
if mark and mark ~= ARGV[1] then redis.call("HINCRBY", KEYS[1], "segell-deaths", 1) end
redis.call("HSET", KEYS[1], "segell-begun", ARGV[1])
return {tonumber(redis.call("HGET", KEYS[1], "segell-deaths") or "0"), redis.call("HGET", KEYS[1], "result")}`)

// endRun takes the mark away if it is ours.
var endRun = redis.NewScript(`
if redis.call("HGET", KEYS[1], "segell-begun") == ARGV[1] then return redis.call("HDEL", KEYS[1], "segell-begun") end
return 0`)

// Begin marks a job as begun by a worker, which is named by a text that no other
// process has, and says what lies with it.
func (q *Queue) Begin(ctx context.Context, id, queue, worker string) (Begun, error) {
	var begin *redis.Cmd
	var elsewhere *redis.BoolCmd
	run := func(how func(redis.Pipeliner) *redis.Cmd) error {
		_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			begin = how(p)
			if queue != Quarantine {
				elsewhere = p.HExists(ctx, taskKey(id, Quarantine), "msg")
			}
			return nil
		})
		return err
	}
	keys := []string{taskKey(id, queue)}
	err := run(func(p redis.Pipeliner) *redis.Cmd { return beginRun.EvalSha(ctx, p, keys, worker) })
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		err = run(func(p redis.Pipeliner) *redis.Cmd { return beginRun.Eval(ctx, p, keys, worker) })
	}
	if err != nil {
		return Begun{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	var b Begun
	if fields, err := begin.Slice(); err == nil && len(fields) == 2 {
		deaths, _ := fields[0].(int64)
		b.Deaths = int(deaths)
		if text, ok := fields[1].(string); ok {
			// What is no progress is of an older version: there is none then.
			_ = json.Unmarshal([]byte(text), &b.Progress)
		}
	}
	b.Elsewhere = elsewhere != nil && elsewhere.Val()
	return b, nil
}

// End says that a worker has let go of a job in an orderly way.
func (q *Queue) End(ctx context.Context, id, queue, worker string) error {
	if err := endRun.Run(ctx, q.redis, []string{taskKey(id, queue)}, worker).Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// quarantineAfter gives Isolate the time to note the progress before the job runs.
const quarantineAfter = time.Second

// Isolate gives a request a job in quarantine, with what is known of its tries.
// Its caller, who runs the job that it has elsewhere, ends that one afterwards.
func (q *Queue) Isolate(ctx context.Context, id string, p Progress) error {
	if err := q.place(ctx, id, Quarantine, Reconciler, asynq.ProcessIn(quarantineAfter)); err != nil {
		return err
	}
	return q.Note(ctx, id, Quarantine, p)
}
