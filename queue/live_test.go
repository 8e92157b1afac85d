package queue_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"segell/internal/servers"
	"segell/queue"
)

// The rule of what is live, for many at once, agrees with what asynq says of each.
func TestWhatIsLive(t *testing.T) {
	q, client, server := open(t, servers.RedisOptions{})
	inspector := asynq.NewInspectorFromRedisClient(client)
	ids := make([]string, 7)
	for i := range ids {
		ids[i] = newID()
		if err := q.Enqueue(t.Context(), ids[i], queue.Batch, queue.Door); err != nil {
			t.Fatal(err)
		}
		if i == 0 { // the first is active; taken before others lie there
			client.RPopLPush(t.Context(), "asynq:{batch}:pending", "asynq:{batch}:active")
			client.HSet(t.Context(), "asynq:{batch}:t:"+ids[0], "state", "active")
			client.ZAdd(t.Context(), "asynq:{batch}:lease", z(ids[0]))
		}
	}
	for _, err := range []error{
		inspector.ArchiveTask(queue.Batch, ids[2]),
		inspector.DeleteTask(queue.Batch, ids[3]),
		client.HDel(t.Context(), "asynq:{batch}:t:"+ids[4], "msg").Err(),
		client.HSet(t.Context(), "asynq:{batch}:t:"+ids[5], "state", "active").Err(), // and no lease: nobody would ever give it back
		client.HSet(t.Context(), "asynq:{batch}:t:"+ids[6], "state", "completed").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	live, err := q.Live(t.Context(), ids)
	if want := []bool{true, true, false, false, false, false, false}; err != nil || !slices.Equal(live, want) {
		t.Errorf("live: %v, %v; want %v", live, err, want)
	}
	server.Kill()
	if _, err := q.Live(t.Context(), ids); !errors.Is(err, queue.ErrAway) {
		t.Errorf("without Redis: %v", err)
	}
}

// Only what waits for the reason that is gone is woken.
func TestWakingWhatWaits(t *testing.T) {
	q, client, server := open(t, servers.RedisOptions{})
	waits, paused, other := newID(), newID(), newID()
	words := map[string]string{waits: "tsa_away", paused: queue.Paused, other: "unexpected"}
	handled := make(chan struct{}, 10)
	worker := asynq.NewServerFromRedisClient(client, asynq.Config{Concurrency: 1, Queues: map[string]int{queue.Batch: 1}, TaskCheckInterval: 10 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour }, Logger: quiet{t}})
	if err := worker.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		handled <- struct{}{}
		return errors.New(words[string(task.Payload())])
	})); err != nil {
		t.Fatal(err)
	}
	for id := range words {
		if err := q.Enqueue(t.Context(), id, queue.Batch, queue.Door); err != nil {
			t.Fatal(err)
		}
	}
	for range words {
		<-handled
	}
	worker.Shutdown()
	job := func(id string) queue.JobState {
		job, err := q.Job(t.Context(), id, queue.Batch)
		if err != nil {
			t.Fatal(err)
		}
		return job.State
	}
	if job(waits) != queue.Delayed || job(paused) != queue.Pending || job(other) != queue.Delayed {
		t.Errorf("before: %s, %s, %s; what is paused waits its turn", job(waits), job(paused), job(other))
	}
	if n, err := q.Wake(t.Context(), "tsa_away"); err != nil || n != 1 || job(waits) != queue.Pending || job(other) != queue.Delayed {
		t.Errorf("woken: %d, %v; %s, %s", n, err, job(waits), job(other))
	}
	if n, err := q.Wake(t.Context(), "tsa_away", queue.Paused); err != nil || n != 1 {
		t.Errorf("woken: %d, %v", n, err)
	}
	if list, err := client.LRange(t.Context(), "asynq:{batch}:pending", 0, -1).Result(); err != nil || len(list) != 2 {
		t.Errorf("pending: %v, %v", list, err)
	}
	if n, err := q.WakeFar(t.Context(), 2*time.Hour); err != nil || n != 0 || job(other) != queue.Delayed {
		t.Errorf("of those that wait longer than two hours: %d, %v; %s", n, err, job(other))
	}
	if n, err := q.WakeFar(t.Context(), time.Hour/2); err != nil || n != 1 || job(other) != queue.Pending {
		t.Errorf("of those that wait longer than half an hour: %d, %v; %s", n, err, job(other))
	}
	server.Kill()
	if _, err := q.Wake(t.Context(), "unexpected"); !errors.Is(err, queue.ErrAway) {
		t.Errorf("without Redis: %v", err)
	}
	if _, err := q.WakeFar(t.Context(), time.Hour); !errors.Is(err, queue.ErrAway) {
		t.Errorf("without Redis: %v", err)
	}
}

func z(id string) redis.Z {
	return redis.Z{Score: float64(time.Now().Add(30 * time.Second).Unix()), Member: id}
}
