package queue_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"segell/internal/servers"
	"segell/queue"
)

// Where the jobs of many requests stand, of those with several the one that is
// furthest, agrees with what asynq says of each.
func TestStates(t *testing.T) {
	q, client, server := open(t, servers.RedisOptions{})
	inspector := asynq.NewInspectorFromRedisClient(client)
	ids := make([]string, 6)
	for i := range ids {
		ids[i] = newID()
		if i == 5 {
			break // it has no job
		}
		if err := q.Enqueue(t.Context(), ids[i], queue.Batch, queue.Staff); err != nil {
			t.Fatal(err)
		}
	}
	_, scheduling := asynq.NewClientFromRedisClient(client).Enqueue(asynq.NewTask(queue.TypeIssue, []byte(ids[4])), asynq.TaskID(ids[4]), asynq.Queue(queue.Interactive), asynq.ProcessIn(time.Hour))
	for _, err := range []error{
		scheduling, // besides the one that waits its turn
		inspector.ArchiveTask(queue.Batch, ids[1]),
		client.HDel(t.Context(), "asynq:{batch}:t:"+ids[2], "msg").Err(),
		client.HSet(t.Context(), "asynq:{batch}:t:"+ids[3], "state", "active").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	states, err := q.States(t.Context(), ids)
	want := []queue.JobState{queue.Pending, queue.Dead, queue.NoJob, queue.Active, queue.Pending, queue.NoJob}
	if err != nil || !slices.Equal(states, want) {
		t.Errorf("%q, %v; want %q", states, err, want)
	}
	if err := inspector.DeleteTask(queue.Batch, ids[4]); err != nil {
		t.Fatal(err)
	}
	if states, err := q.States(t.Context(), ids[4:5]); err != nil || states[0] != queue.Delayed {
		t.Errorf("%q, %v", states, err)
	}
	server.Kill()
	if _, err := q.States(t.Context(), ids); !errors.Is(err, queue.ErrAway) {
		t.Errorf("without Redis: %v", err)
	}
}
