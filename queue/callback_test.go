package queue_test

import (
	"errors"
	"testing"

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
