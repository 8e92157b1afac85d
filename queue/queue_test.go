package queue_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"segell/internal/servers"
	"segell/queue"
)

func open(t *testing.T, o servers.RedisOptions) (*queue.Queue, redis.UniversalClient, *servers.Redis) {
	t.Helper()
	server := servers.NewRedis(t, o)
	client, err := queue.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return queue.New(client), client, server
}

const id = "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"

func state(t *testing.T, q *queue.Queue, name string) queue.JobState {
	t.Helper()
	job, err := q.Job(t.Context(), id, name)
	if err != nil {
		t.Fatal(err)
	}
	return job.State
}

func TestAJobIsEnqueuedOnce(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	for range 3 {
		if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
			t.Fatal(err)
		}
	}
	if got := state(t, q, queue.Interactive); got != queue.Pending {
		t.Errorf("the job is %q, want pending", got)
	}
	if n := client.LLen(t.Context(), "asynq:{interactive}:pending").Val(); n != 1 {
		t.Errorf("%d jobs lie in the queue, want 1", n)
	}
	if job, name, err := q.Find(t.Context(), id); err != nil || name != queue.Interactive || !job.Live() {
		t.Errorf("Find gave %v in %q, %v", job, name, err)
	}
}

// A task id stays taken by tasks that will never run again. Enqueue must see
// through that, or a request whose task was archived would wait for ever.
func TestAJobThatWillNeverRunIsReplaced(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	inspector := asynq.NewInspectorFromRedisClient(client)
	if err := q.Enqueue(t.Context(), id, queue.Batch, queue.Door); err != nil {
		t.Fatal(err)
	}
	if err := inspector.ArchiveTask(queue.Batch, id); err != nil {
		t.Fatal(err)
	}
	if got := state(t, q, queue.Batch); got != queue.Dead {
		t.Fatalf("an archived job is %q, want dead", got)
	}
	if err := q.Enqueue(t.Context(), id, queue.Batch, queue.Reconciler); err != nil {
		t.Fatal(err)
	}
	if got := state(t, q, queue.Batch); got != queue.Pending {
		t.Errorf("after it was enqueued again the job is %q, want pending", got)
	}
}

// A task whose message is gone while its id still lies in a list must not count
// as a job: asynq itself passes it over.
func TestAJobWithoutItsMessageIsNone(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	if n := client.Del(t.Context(), "asynq:{interactive}:t:"+id).Val(); n != 1 {
		t.Fatal("asynq keeps its messages elsewhere than it did: look at what this package knows of its keys")
	}
	if got := state(t, q, queue.Interactive); got != queue.NoJob {
		t.Errorf("a job without a message is %q, want none", got)
	}
}

// A producer names its queue to Redis once. After Redis was emptied a job that is
// enqueued anew must not look as if it were none.
func TestAJobIsSeenAfterRedisWasEmptied(t *testing.T) {
	q, _, server := open(t, servers.RedisOptions{})
	for range 2 {
		if err := q.Enqueue(t.Context(), id, queue.Batch, queue.Door); err != nil {
			t.Fatal(err)
		}
		if got := state(t, q, queue.Batch); got != queue.Pending {
			t.Errorf("the job is %q, want pending", got)
		}
		server.FlushAll()
	}
}

// What is left of a task when Redis was emptied under a worker must be neither a
// live job nor an obstacle.
func TestHalfATaskIsReplaced(t *testing.T) {
	q, client, server := open(t, servers.RedisOptions{})
	if err := q.Enqueue(t.Context(), id, queue.Batch, queue.Door); err != nil {
		t.Fatal(err)
	}
	server.FlushAll()
	if err := q.Note(t.Context(), id, queue.Batch, queue.Progress{Step: "seal"}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Begin(t.Context(), id, queue.Batch, "worker"); err != nil {
		t.Errorf("beginning a job that is gone: %v", err)
	}
	if n := client.Exists(t.Context(), "asynq:{batch}:t:"+id).Val(); n != 0 {
		t.Error("a note on a job that is gone made half a task")
	}
	// One that is there all the same (written by asynq's own ResultWriter, say).
	if err := client.HSet(t.Context(), "asynq:{batch}:t:"+id, "result", "x").Err(); err != nil {
		t.Fatal(err)
	}
	if got := state(t, q, queue.Batch); got != queue.Dead {
		t.Errorf("half a task is %q, want dead", got)
	}
	if err := q.Enqueue(t.Context(), id, queue.Batch, queue.Reconciler); err != nil {
		t.Fatal(err)
	}
	if got := state(t, q, queue.Batch); got != queue.Pending {
		t.Errorf("after it was enqueued the job is %q, want pending", got)
	}
}

func TestARedisThatIsAwayIsSaidToBe(t *testing.T) {
	q, _, server := open(t, servers.RedisOptions{})
	server.Kill()
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); !errors.Is(err, queue.ErrAway) {
		t.Errorf("Enqueue without Redis: %v, want ErrAway", err)
	}
	if _, err := q.Job(t.Context(), id, queue.Interactive); !errors.Is(err, queue.ErrAway) {
		t.Errorf("Job without Redis: %v, want ErrAway", err)
	}
	if err := q.Ping(t.Context()); !errors.Is(err, queue.ErrAway) {
		t.Errorf("Ping without Redis: %v, want ErrAway", err)
	}
	server.Restart()
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Errorf("Enqueue after Redis came back: %v", err)
	}
}

// A Redis that hangs must cost the door no more than the time it gives.
func TestARedisThatHangsIsGivenUpInTime(t *testing.T) {
	q, _, server := open(t, servers.RedisOptions{})
	server.Pause()
	defer server.Continue()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- q.Enqueue(ctx, id, queue.Interactive, queue.Door) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a Redis that hangs took a job")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Enqueue did not come back")
	}
}

func TestKeepNamesTheQueuesAgainAndCounts(t *testing.T) {
	q, client, server := open(t, servers.RedisOptions{})
	q.Keep(t.Context())
	for range 5 {
		if err := q.Enqueue(t.Context(), newID(), queue.Batch, queue.Door); err != nil {
			t.Fatal(err)
		}
	}
	info, err := asynq.NewInspectorFromRedisClient(client).GetQueueInfo(queue.Batch)
	if err != nil || info.Size != 5 {
		t.Fatalf("asynq counts %v jobs, %v", info, err)
	}
	eventually(t, "five jobs counted", func() bool { return q.Jobs() == 5 })
	server.FlushAll()
	eventually(t, "an emptied Redis counted and named again", func() bool {
		names := client.SMembers(t.Context(), "asynq:queues").Val()
		slices.Sort(names)
		return q.Jobs() == 0 && slices.Equal(names, []string{queue.Batch, queue.Interactive, queue.Quarantine})
	})
}

func TestAFullRedisGetsNoMoreJobs(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	if err := client.ConfigSet(t.Context(), "maxmemory", "68mb").Err(); err != nil {
		t.Fatal(err)
	}
	q.Keep(t.Context())
	if err := q.Enqueue(t.Context(), newID(), queue.Batch, queue.Door); err != nil {
		t.Fatalf("a Redis with room refused a job: %v", err)
	}
	for i := range 52 {
		if err := client.Set(t.Context(), fmt.Sprint("ballast", i), strings.Repeat("x", 1<<20), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the queue full", func() bool {
		return errors.Is(q.Enqueue(t.Context(), newID(), queue.Batch, queue.Door), queue.ErrFull)
	})
	for i := range 52 {
		client.Del(t.Context(), fmt.Sprint("ballast", i))
	}
	eventually(t, "room again", func() bool { return q.Enqueue(t.Context(), newID(), queue.Batch, queue.Door) == nil })
}

func TestNoMoreThanTheBoundIsEnqueued(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	many := make([]any, queue.Bound)
	for i := range many {
		many[i] = "x"
	}
	if err := client.LPush(t.Context(), "asynq:{batch}:pending", many...).Err(); err != nil {
		t.Fatal(err)
	}
	q.Keep(t.Context())
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); !errors.Is(err, queue.ErrFull) {
		t.Errorf("beyond the bound: %v, want ErrFull", err)
	}
}

// Batches stop at three quarters of the bound: a queue from which nobody takes
// does not shut out people who wait.
func TestBatchesLeaveRoomForPeople(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	many := make([]any, queue.Bound*3/4-1)
	for i := range many {
		many[i] = "x"
	}
	if err := client.LPush(t.Context(), "asynq:{batch}:pending", many...).Err(); err != nil {
		t.Fatal(err)
	}
	q.Keep(t.Context())
	if err := q.Enqueue(t.Context(), newID(), queue.Batch, queue.Door); err != nil {
		t.Fatalf("the last of their share: %v", err)
	}
	if err := q.Enqueue(t.Context(), newID(), queue.Batch, queue.Door); !errors.Is(err, queue.ErrFull) {
		t.Errorf("one beyond: %v, want ErrFull", err)
	}
	if err := q.Enqueue(t.Context(), newID(), queue.Interactive, queue.Door); err != nil {
		t.Errorf("somebody who waits: %v", err)
	}
}

func TestARedisThatEvictsIsRefused(t *testing.T) {
	_, client, _ := open(t, servers.RedisOptions{})
	server, err := queue.Check(t.Context(), client)
	if err != nil || server.Policy != "noeviction" || server.Version == "" {
		t.Fatalf("Check of a good Redis: %+v, %v", server, err)
	}
	for _, policy := range []string{"allkeys-lru", "volatile-ttl", "volatile-lru", "allkeys-random"} {
		if err := client.ConfigSet(t.Context(), "maxmemory-policy", policy).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := queue.Check(t.Context(), client); !errors.Is(err, queue.ErrEvicts) {
			t.Errorf("with %s: %v, want ErrEvicts", policy, err)
		}
	}
}

func TestALeaseHasOneHolder(t *testing.T) {
	_, client, _ := open(t, servers.RedisOptions{})
	one, other := queue.NewLease(client, "test", "one"), queue.NewLease(client, "test", "other")
	take := func(l *queue.Lease) bool {
		ours, err := l.Take(t.Context(), 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		return ours
	}
	if !take(one) || take(other) || !take(one) {
		t.Error("the lease did not stay with its first holder")
	}
	other.Drop(t.Context()) // not its own: nothing happens
	if take(other) {
		t.Error("who did not hold the lease dropped it")
	}
	one.Drop(t.Context())
	if !take(other) {
		t.Error("a dropped lease was not free")
	}
	eventually(t, "a lease that ended was free", func() bool { return take(one) })
}

func TestAnAddressOfRedisIsRefusedWithoutBeingRepeated(t *testing.T) {
	_, err := queue.Open("http://user:secret@host")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Open: %v", err)
	}
}

func newID() string {
	return fmt.Sprintf("0199e0a0-5b7c-7c1e-9a54-%s", strings.ToLower(rand.Text()[:12]))
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen in 20 s: %s", what)
		}
	}
}
