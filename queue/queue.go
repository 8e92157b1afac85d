// Package queue is the way from the door to the workers: asynq on one go-redis
// client. A job is the id of a request and nothing else, so Redis holds no
// personal data and may lose everything: the reconciler enqueues again whatever
// the ledger says is unfinished.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// The queues, by urgency.
const (
	Interactive = "interactive" // a person waits
	Batch       = "batch"
	Quarantine  = "quarantine" // what workers died with: one at a time, see Begin
)

// Names are the queues that a request can name at the door.
var Names = []string{Interactive, Batch}

// places are all queues in which the job of a request may be.
var places = []string{Interactive, Batch, Quarantine}

// TypeIssue is the asynq task that makes the document of a request.
const TypeIssue = "document:issue"

// Bound is how many jobs may lie in Redis. What is accepted beyond it stays in
// the ledger until the reconciler finds room: a Redis that is full stops the
// workers too.
const Bound = 20_000

// batchBound is how many jobs may lie there before no more of batches are added:
// people who wait keep the rest, also while nobody takes from the queue of batches.
const batchBound = Bound * 75 / 100

var (
	// ErrAway: Redis does not answer, or refuses. The ledger has the request; the
	// reconciler will enqueue it.
	ErrAway = errors.New("redis does not answer")
	// ErrUnusable: the task of one request is in a form that asynq does not know
	// and could not be replaced. Others are not touched by it.
	ErrUnusable = errors.New("the task of a request is unusable")
	// ErrFull: Redis holds as many jobs as it may of this queue, or its memory is
	// nearly full.
	ErrFull = errors.New("the queue is full")
)

// Attempt limits given to asynq. They never decide: whether and when a request
// is tried again is the worker's to say, from the ledger's table of causes.
const (
	maxRetry = 10_000
	timeout  = 5 * time.Minute
)

// Origin tells a worker who enqueued a job.
type Origin string

const (
	Door       Origin = "door" // just accepted
	Reconciler Origin = "reconciler"
	Staff      Origin = "staff" // a retry

	headerOrigin = "segell-origin"
)

// OriginOf reads who enqueued a task.
func OriginOf(task *asynq.Task) Origin { return Origin(task.Headers()[headerOrigin]) }

// Queue enqueues jobs and says where they stand. It is safe for concurrent use.
type Queue struct {
	redis     redis.UniversalClient
	client    *asynq.Client
	inspector *asynq.Inspector
	jobs      atomic.Int64 // in Redis, as last counted by Keep
	full      atomic.Bool  // memory above the mark, as last seen by Keep
	kept      atomic.Bool  // somebody runs Keep
	muted     atomic.Int64 // until then Tell says nothing; nanoseconds of Unix time
	backlog   backlog
	changed   changed
}

// New returns a Queue on a client that its caller opens and closes.
func New(client redis.UniversalClient) *Queue {
	return &Queue{redis: client, client: asynq.NewClientFromRedisClient(client), inspector: asynq.NewInspectorFromRedisClient(client)}
}

// Enqueue makes sure that a request has a live job: a new one, or the one it has.
// Errors are ErrAway and ErrFull, wrapped; after either the request is not lost.
func (q *Queue) Enqueue(ctx context.Context, id, queue string, origin Origin) error {
	if !q.HasRoom(queue) {
		return ErrFull
	}
	return q.place(ctx, id, queue, origin)
}

// place is Enqueue whether or not there is room.
func (q *Queue) place(ctx context.Context, id, queue string, origin Origin, more ...asynq.Option) error {
	options := append([]asynq.Option{asynq.TaskID(id), asynq.Queue(queue), asynq.MaxRetry(maxRetry), asynq.Timeout(timeout)}, more...)
	for range 2 {
		task := asynq.NewTaskWithHeaders(TypeIssue, []byte(id), map[string]string{headerOrigin: string(origin)})
		_, err := q.client.EnqueueContext(ctx, task, options...)
		switch {
		case err == nil:
			q.jobs.Add(1)
			return nil
		case !errors.Is(err, asynq.ErrTaskIDConflict):
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
		// The id is taken: by our own write whose reply was lost, by a repeat, or
		// by a task that will never run. Only the last is replaced.
		job, err := q.Job(ctx, id, queue)
		if err != nil {
			return err
		}
		if job.Live() {
			return nil
		}
		if err := q.Remove(ctx, id, queue); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %s can be neither used nor replaced", ErrUnusable, id)
}

// JobState is where a job stands in its queue.
type JobState string

const (
	NoJob   JobState = ""        // Redis knows none
	Pending JobState = "pending" // waits for a worker
	Active  JobState = "active"  // a worker has it
	Delayed JobState = "delayed" // waits for its next try
	Dead    JobState = "dead"    // archived or retained: it will never run
)

// HasRoom reports whether Redis may take another job of a queue, as last seen by
// Keep. Where batches have room, people who wait have it too.
func (q *Queue) HasRoom(queue string) bool {
	most := int64(Bound)
	if queue == Batch {
		most = batchBound
	}
	return q.jobs.Load() < most && !q.full.Load()
}

// Job says where the job of a request stands.
type Job struct {
	State  JobState
	NextAt time.Time // of the next try, where it waits for one
	PutOff time.Time // when it was put off until then, by the clock of who had it
	Progress
}

// Progress is what a worker notes of a job while it has it. It lies in Redis, in
// clear, and goes with the job.
type Progress struct {
	Step  string `json:"step,omitempty"`
	Tries []Try  `json:"tries,omitempty"`
}

// Try is one attempt that did not succeed. It mirrors ledger.Try.
type Try struct {
	At    time.Time `json:"at"`
	Stage string    `json:"stage"`
	Cause string    `json:"cause"`
	// Waiting: it cost no try.
	Waiting bool `json:"waiting,omitempty"`
}

// Live reports whether the job will run, or runs, without anybody's help. An
// active job counts as live: where its worker died, the reaper sees to it.
func (j Job) Live() bool {
	return j.State == Pending || j.State == Active || j.State == Delayed
}

// Job looks for the job of a request. A request without one gives the zero Job.
func (q *Queue) Job(ctx context.Context, id, queue string) (Job, error) {
	get := func() (*asynq.TaskInfo, error) { return q.inspector.GetTaskInfo(queue, id) }
	info, err := inTime(ctx, get)
	if errors.Is(err, asynq.ErrQueueNotFound) {
		// A Redis that was emptied has forgotten the names of its queues, and a
		// producer tells each only once: without this a live job would look dead.
		if err := q.redis.SAdd(ctx, queueNames, queue).Err(); err != nil {
			return Job{}, fmt.Errorf("%w: %w", ErrAway, err)
		}
		info, err = inTime(ctx, get)
	}
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return Job{}, nil
	case err != nil:
		// asynq gives up on a hash that is no task of its own. Whether it is that, or
		// Redis that is away, Redis itself says best.
		if whole, asked := q.redis.HExists(ctx, taskKey(id, queue), "msg").Result(); asked == nil && !whole {
			return Job{State: Dead}, nil
		}
		return Job{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	job := Job{State: Dead}
	switch info.State {
	case asynq.TaskStatePending:
		job.State = Pending
	case asynq.TaskStateActive:
		job.State = Active
	case asynq.TaskStateRetry, asynq.TaskStateScheduled:
		job.State, job.NextAt, job.PutOff = Delayed, info.NextProcessAt, info.LastFailedAt
		if info.LastErr == Paused {
			job.State, job.NextAt = Pending, time.Time{} // until somebody resumes it
		}
	}
	if len(info.Result) > 0 {
		// A result that is no progress is of an older version: there is none then.
		_ = json.Unmarshal(info.Result, &job.Progress)
	}
	return job, nil
}

// taskKey is where asynq keeps a task (a hash; its message is the field msg).
func taskKey(id, queue string) string { return "asynq:{" + queue + "}:t:" + id }

// noteProgress writes only where the task still is: a Redis that was emptied
// while a worker was busy must not be left with half a task, which asynq can
// neither run nor delete and whose id stays taken.
var noteProgress = redis.NewScript(`
if redis.call("HEXISTS", KEYS[1], "msg") == 0 then return 0 end
redis.call("HSET", KEYS[1], "result", ARGV[1])
return 1`)

// Note keeps what a worker has to say of the job that it has.
func (q *Queue) Note(ctx context.Context, id, queue string, p Progress) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := noteProgress.Run(ctx, q.redis, []string{taskKey(id, queue)}, text).Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// Find looks for the job of a request in every queue.
func (q *Queue) Find(ctx context.Context, id string) (job Job, queue string, err error) {
	for _, name := range places {
		job, err := q.Job(ctx, id, name)
		if err != nil || job.State != NoJob {
			return job, name, err
		}
	}
	return Job{}, "", nil
}

// Remove deletes the task of a request, if it is not running.
func (q *Queue) Remove(ctx context.Context, id, queue string) error {
	removed, err := removeHalf.Run(ctx, q.redis, []string{taskKey(id, queue)}).Int()
	if err != nil {
		return fmt.Errorf("%w: removing a task: %w", ErrAway, err)
	}
	if removed == 1 {
		return nil
	}
	_, err = inTime(ctx, func() (struct{}, error) { return struct{}{}, q.inspector.DeleteTask(queue, id) })
	if err != nil && !errors.Is(err, asynq.ErrTaskNotFound) && !errors.Is(err, asynq.ErrQueueNotFound) {
		return fmt.Errorf("%w: removing a task: %w", ErrAway, err)
	}
	return nil
}

// removeHalf removes what is no whole task, which asynq's own script cannot.
var removeHalf = redis.NewScript(`
if redis.call("EXISTS", KEYS[1]) == 1 and redis.call("HEXISTS", KEYS[1], "msg") == 0 then return redis.call("DEL", KEYS[1]) end
return 0`)

// inTime lets a call of the Inspector, which takes no context, be given up. The
// call itself ends with the client's own timeouts.
func inTime[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	if ctx.Done() == nil {
		return call()
	}
	got := make(chan answer, 1)
	go func() {
		value, err := call()
		got <- answer{value, err}
	}()
	select {
	case a := <-got:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// Keep does once a second what asynq leaves undone, until ctx ends: it counts
// the jobs and the memory of Redis for Enqueue, shares the count of the backlog,
// notes what changed (see Changed), and names the queues to the inspector again,
// which a Redis that was emptied has forgotten. It returns after the first look. Where the roles of one process share a Queue, one keeps it.
func (q *Queue) Keep(ctx context.Context) {
	if !q.kept.CompareAndSwap(false, true) {
		return
	}
	var once sync.Once
	ready := make(chan struct{})
	go q.noteAll(ctx)
	go func() {
		defer q.kept.Store(false)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			q.look(ctx)
			once.Do(func() { close(ready) })
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	select {
	case <-ready:
	case <-ctx.Done():
	}
}

// queueNames is the set in which asynq's inspector looks for queues.
const queueNames = "asynq:queues"

// memoryMark is the share of maxmemory, in percent, above which nothing is
// enqueued: at 100 a Redis that does not evict refuses the workers' writes too.
const memoryMark = 75

func (q *Queue) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	names := make([]any, len(places))
	for i, name := range places {
		names[i] = name
	}
	if err := q.redis.SAdd(ctx, queueNames, names...).Err(); err != nil {
		return // away, or full: the next look, or Enqueue itself, will tell
	}
	// asynq's own statistics measure the memory of every queue as well: too much
	// for once a second. A test holds these keys against them.
	var sizes []*redis.IntCmd
	_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, name := range places {
			for _, list := range []string{"pending", "active"} {
				sizes = append(sizes, p.LLen(ctx, "asynq:{"+name+"}:"+list))
			}
			for _, set := range []string{"scheduled", "retry", "archived", "completed"} {
				sizes = append(sizes, p.ZCard(ctx, "asynq:{"+name+"}:"+set))
			}
		}
		return nil
	})
	if err != nil {
		return
	}
	var jobs int64
	for _, size := range sizes {
		jobs += size.Val()
	}
	q.jobs.Store(jobs)
	q.backlog.share(ctx, q.redis)
	if used, most, err := memory(ctx, q.redis); err == nil {
		q.full.Store(most > 0 && used*100 > most*memoryMark)
	}
}

// Jobs is how many jobs Redis held when Keep last counted, and those enqueued since.
func (q *Queue) Jobs() int64 { return q.jobs.Load() }

// Ping asks Redis for an answer.
func (q *Queue) Ping(ctx context.Context) error {
	if err := q.redis.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}
