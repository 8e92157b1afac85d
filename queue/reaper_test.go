package queue_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"segell/internal/servers"
	"segell/queue"
)

// quiet is for servers whose Redis is taken from them.
type quiet struct{ t testing.TB }

func (q quiet) Debug(...any)      {}
func (q quiet) Info(...any)       {}
func (q quiet) Warn(...any)       {}
func (q quiet) Error(...any)      {}
func (q quiet) Fatal(args ...any) { q.t.Error(args...) }

// mortal is the way of a worker to Redis, which a test can cut.
type mortal struct{ dead atomic.Bool }

func (m *mortal) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m *mortal) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if m.dead.Load() {
			cmd.SetErr(net.ErrClosed)
			return net.ErrClosed
		}
		return next(ctx, cmd)
	}
}

func (m *mortal) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// works starts an asynq server of one queue on a client of its own and returns
// what it is given to do. A job goes on until the test ends.
func works(t *testing.T, address, name string) (taken <-chan *asynq.Task, way *mortal) {
	t.Helper()
	client, err := queue.Open("redis://" + address)
	if err != nil {
		t.Fatal(err)
	}
	way = &mortal{}
	client.AddHook(way)
	tasks, ended := make(chan *asynq.Task, 10), make(chan struct{})
	server := asynq.NewServerFromRedisClient(client, asynq.Config{Concurrency: 2, Queues: map[string]int{name: 1}, TaskCheckInterval: 10 * time.Millisecond,
		ShutdownTimeout: 10 * time.Millisecond, Logger: quiet{t}})
	if err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error { tasks <- task; <-ended; return nil })); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(ended)
		server.Shutdown()
		client.Close()
	})
	return tasks, way
}

func look(t *testing.T, r *queue.Reaper) []string {
	t.Helper()
	ids, err := r.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// dies takes a server's Redis away, as far as its jobs show: nobody lists them
// any more, and nobody renews their leases.
func dies(t *testing.T, worker *mortal, client redis.UniversalClient) {
	t.Helper()
	worker.dead.Store(true)
	for _, key := range client.Keys(t.Context(), "asynq:workers:*").Val() {
		client.Del(t.Context(), key)
	}
}

// The contract with asynq 0.26: where it keeps what is active, who works on it
// and the leases; and that a job given back is run by another worker with its
// message as it was and no attempt spent.
func TestTheReaperGivesBackWhatADeadWorkerHad(t *testing.T) {
	t.Parallel()
	q, client, server := open(t, servers.RedisOptions{})
	if err := q.EnqueueCallback(t.Context(), "portal", id+"/issued"); err != nil {
		t.Fatal(err)
	}
	callback := queue.NotifyQueue("portal")
	client.RPopLPush(t.Context(), "asynq:{"+callback+"}:pending", "asynq:{"+callback+"}:active")
	client.HSet(t.Context(), "asynq:{"+callback+"}:t:"+id+"/issued", "state", "active") // of a worker that is long dead
	taken, worker := works(t, server.Addr(), queue.Interactive)
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Staff); err != nil {
		t.Fatal(err)
	}
	<-taken
	if err := q.Note(t.Context(), id, queue.Interactive, queue.Progress{Step: "seal"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker to list its job", func() bool {
		for _, key := range client.Keys(t.Context(), "asynq:workers:*").Val() {
			if client.HExists(t.Context(), key, id).Val() {
				return true
			}
		}
		return false
	})
	reaper, other := q.NewReaper(), q.NewReaper()
	var callbacks []string
	for range queue.LooksNeeded {
		callbacks = look(t, reaper)
	}
	if !slices.Equal(callbacks, []string{id + "/issued"}) {
		t.Errorf("of callbacks and jobs were given back %v, want the callback of a dead worker", callbacks)
	}
	for range 2 * queue.LooksNeeded {
		if ids := look(t, reaper); len(ids) > 0 {
			t.Fatalf("a living worker lost %v", ids)
		}
	}
	dies(t, worker, client)
	for range queue.LooksNeeded - 1 {
		if ids := append(look(t, reaper), look(t, other)...); len(ids) > 0 {
			t.Fatalf("given back too early: %v", ids)
		}
	}
	if ids := look(t, reaper); !slices.Equal(ids, []string{id}) {
		t.Fatalf("given back: %v", ids)
	}
	if ids := look(t, other); len(ids) > 0 {
		t.Errorf("given back twice: %v", ids)
	}
	info, err := asynq.NewInspectorFromRedisClient(client).GetTaskInfo(queue.Interactive, id)
	if err != nil || info.State != asynq.TaskStatePending || info.Retried != 0 || info.LastErr != "" {
		t.Errorf("the task: %+v, %v", info, err)
	}
	if n := client.ZCard(t.Context(), "asynq:{interactive}:lease").Val() + client.LLen(t.Context(), "asynq:{interactive}:active").Val(); n != 0 {
		t.Errorf("%d entries of the dead run are left", n)
	}
	again, _ := works(t, server.Addr(), queue.Interactive)
	select {
	case task := <-again:
		if string(task.Payload()) != id || queue.OriginOf(task) != queue.Staff || task.Type() != queue.TypeIssue {
			t.Errorf("the other worker was given %s %q", task.Type(), task.Payload())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody runs it")
	}
	if job, err := q.Job(t.Context(), id, queue.Interactive); err != nil || job.State != queue.Active || job.Step != "seal" {
		t.Errorf("its job: %+v, %v", job, err)
	}
}

// orphan makes a job active as asynq does, with a lease until a time.
func orphan(t *testing.T, q *queue.Queue, client redis.UniversalClient, id string, until int64) {
	t.Helper()
	if err := q.Enqueue(t.Context(), id, queue.Batch, queue.Door); err != nil {
		t.Fatal(err)
	}
	client.RPopLPush(t.Context(), "asynq:{batch}:pending", "asynq:{batch}:active")
	client.HSet(t.Context(), "asynq:{batch}:t:"+id, "state", "active")
	client.ZAdd(t.Context(), "asynq:{batch}:lease", redis.Z{Score: float64(until), Member: id})
}

// A run that began between two looks is another run: it has not been seen yet.
func TestTheReaperTellsRunsApart(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	until := time.Now().Unix()
	orphan(t, q, client, id, until)
	reaper := q.NewReaper()
	for i := range int64(6) {
		client.ZAdd(t.Context(), "asynq:{batch}:lease", redis.Z{Score: float64(until + i/2), Member: id})
		if ids := look(t, reaper); len(ids) > 0 {
			t.Fatalf("look %d gave back %v", i+1, ids)
		}
	}
	if ids := look(t, reaper); !slices.Equal(ids, []string{id}) {
		t.Errorf("after three looks at one run: %v", ids)
	}
}

// What is left of a task without its message stops asynq's own recovery of the
// whole queue. The reaper takes it away, and a failed look is no look.
func TestTheReaperRemovesHalfATask(t *testing.T) {
	q, client, server := open(t, servers.RedisOptions{AppendOnly: true})
	orphan(t, q, client, id, time.Now().Unix())
	client.HDel(t.Context(), "asynq:{batch}:t:"+id, "msg")
	client.LPush(t.Context(), "asynq:{batch}:active", "nothing-but-an-id")
	reaper := q.NewReaper()
	look(t, reaper)
	look(t, reaper)
	server.Kill()
	if _, err := reaper.Look(t.Context()); err == nil {
		t.Error("a look at nothing succeeded")
	}
	server.Restart()
	for i := range queue.LooksNeeded {
		if n := client.LLen(t.Context(), "asynq:{batch}:active").Val(); n != 2 {
			t.Fatalf("before look %d there are %d", i+1, n)
		}
		if ids := look(t, reaper); len(ids) > 0 {
			t.Errorf("half a task was given back: %v", ids)
		}
	}
	if n := client.Exists(t.Context(), "asynq:{batch}:t:"+id, "asynq:{batch}:active", "asynq:{batch}:lease", "asynq:{batch}:pending").Val(); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	live, err := q.Live(t.Context(), []string{id})
	if err != nil || live[0] {
		t.Errorf("it counts as live: %v, %v", live, err)
	}
}

// Hashes of workers that died long ago are forgotten; Run does what Look does.
func TestTheReaperRuns(t *testing.T) {
	t.Parallel()
	q, client, _ := open(t, servers.RedisOptions{})
	for i := range 10 {
		client.ZAdd(t.Context(), "asynq:workers", redis.Z{Score: float64(time.Now().Add(-2 * time.Hour).Unix()), Member: "asynq:workers:{old:" + strconv.Itoa(i) + "}"})
	}
	orphan(t, q, client, id, time.Now().Unix())
	var said strings.Builder
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		q.NewReaper().Run(ctx, slog.New(slog.NewTextHandler(&said, nil)))
	}()
	eventually(t, "the job to be pending", func() bool { return state(t, q, queue.Batch) == queue.Pending })
	stop()
	<-ended
	if !strings.Contains(said.String(), id) || client.ZCard(t.Context(), "asynq:workers").Val() != 0 {
		t.Errorf("said %q; %d old workers are left", said.String(), client.ZCard(t.Context(), "asynq:workers").Val())
	}
}
