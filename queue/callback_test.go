package queue_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"segell/internal/servers"
	"segell/queue"
)

const callback = "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/document.issued"

func TestACallbackHasOneTask(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	inspector := asynq.NewInspectorFromRedisClient(client)
	live := func(want bool) {
		t.Helper()
		if got, err := q.LiveCallback(t.Context(), "portal", callback); err != nil || got != want {
			t.Fatalf("it has a task: %t, %v; want %t", got, err, want)
		}
	}
	live(false)
	for range 2 {
		if err := q.EnqueueCallback(t.Context(), "portal", callback); err != nil {
			t.Fatal(err)
		}
	}
	live(true)
	tasks, err := inspector.ListPendingTasks(queue.NotifyQueue("portal"))
	if err != nil || len(tasks) != 1 || tasks[0].ID != callback || string(tasks[0].Payload) != callback {
		t.Fatalf("its tasks: %+v, %v", tasks, err)
	}

	// A task that will never run is replaced.
	if err := inspector.ArchiveTask(queue.NotifyQueue("portal"), callback); err != nil {
		t.Fatal(err)
	}
	live(false)
	if err := q.EnqueueCallback(t.Context(), "portal", callback); err != nil {
		t.Fatal(err)
	}
	live(true)
}

// A callback that waits is left alone, unless a clock that was ahead put it off.
func TestACallbackThatAWrongClockPutOff(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	name := queue.NotifyQueue("portal")
	if err := q.EnqueueCallback(t.Context(), "portal", callback); err != nil {
		t.Fatal(err)
	}
	worker := asynq.NewServerFromRedisClient(client, asynq.Config{Queues: map[string]int{name: 1}, TaskCheckInterval: 10 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 2 * time.Hour }, Logger: quiet{t}})
	tried := make(chan struct{}, 1)
	if err := worker.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { tried <- struct{}{}; return errors.New("503") })); err != nil {
		t.Fatal(err)
	}
	<-tried
	worker.Shutdown()
	for _, c := range []struct {
		ahead time.Duration
		live  bool
		state queue.JobState // after it was enqueued again
	}{{0, true, queue.Delayed}, {2 * time.Hour, false, queue.Pending}} {
		// asynq keeps when a task failed in its message, as field 11 (protobuf: the last word counts).
		key := "asynq:{" + name + "}:t:" + callback
		message, err := client.HGet(t.Context(), key, "msg").Bytes()
		if err != nil {
			t.Fatal(err)
		}
		message = binary.AppendUvarint(append(message, 11<<3), uint64(time.Now().Add(c.ahead).Unix()))
		if err := client.HSet(t.Context(), key, "msg", message).Err(); err != nil {
			t.Fatal(err)
		}
		if live, err := q.LiveCallback(t.Context(), "portal", callback); err != nil || live != c.live {
			t.Errorf("put off by a clock %v ahead it counts as live: %t, %v", c.ahead, live, err)
		}
		if err := q.EnqueueCallback(t.Context(), "portal", callback); err != nil {
			t.Fatal(err)
		}
		if job, err := q.Job(t.Context(), callback, name); err != nil || job.State != c.state {
			t.Errorf("put off by a clock %v ahead and enqueued again it is %s, %v", c.ahead, job.State, err)
		}
	}
}

// A client of whom too many wait leaves the others their room.
func TestCallbacksAreBoundedForEachClient(t *testing.T) {
	q, client, server := open(t, servers.RedisOptions{})
	many := make([]any, queue.CallbackBound)
	for i := range many {
		many[i] = "x"
	}
	if err := client.LPush(t.Context(), "asynq:{"+queue.NotifyQueue("portal")+"}:pending", many...).Err(); err != nil {
		t.Fatal(err)
	}
	if err := q.EnqueueCallback(t.Context(), "portal", callback); !errors.Is(err, queue.ErrFull) {
		t.Errorf("one more of the same client: %v", err)
	}
	if err := q.EnqueueCallback(t.Context(), "office", callback); err != nil {
		t.Errorf("one of another's: %v", err)
	}
	server.Kill()
	if err := q.EnqueueCallback(t.Context(), "office", callback); !errors.Is(err, queue.ErrAway) {
		t.Errorf("without Redis: %v", err)
	}
}
