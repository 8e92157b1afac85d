package queue_test

import (
	"testing"
	"time"

	"segell/internal/servers"
	"segell/queue"
)

func begin(t *testing.T, q *queue.Queue, name, worker string) queue.Begun {
	t.Helper()
	begun, err := q.Begin(t.Context(), id, name, worker)
	if err != nil {
		t.Fatal(err)
	}
	return begun
}

func TestDeathsAreCountedAndOrderlyEndsAreNot(t *testing.T) {
	q, client, _ := open(t, servers.RedisOptions{})
	if err := q.Enqueue(t.Context(), id, queue.Batch, queue.Door); err != nil {
		t.Fatal(err)
	}
	end := func(worker string) {
		if err := q.End(t.Context(), id, queue.Batch, worker); err != nil {
			t.Fatal(err)
		}
	}
	client.ScriptFlush(t.Context()) // a Redis that has just started knows no script
	for _, step := range []struct {
		what   string
		worker string
		deaths int
		ends   string
	}{
		{"the first run", "a", 0, "a"},
		{"after an orderly end", "b", 0, ""},
		{"the same process once more", "b", 0, ""},
		{"another, while b had not ended", "c", 1, "b"}, // b's late word is not about c's run
		{"after c died", "d", 2, "d"},
		{"after an orderly end the deaths stay", "e", 2, ""},
	} {
		if got := begin(t, q, queue.Batch, step.worker); got.Deaths != step.deaths || got.Elsewhere {
			t.Errorf("%s: %+v, want %d deaths", step.what, got, step.deaths)
		}
		if step.ends != "" {
			end(step.ends)
		}
	}
}

func TestAJobInQuarantine(t *testing.T) {
	q, client, server := open(t, servers.RedisOptions{})
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Door); err != nil {
		t.Fatal(err)
	}
	begin(t, q, queue.Interactive, "a")
	tries := queue.Progress{Step: "render", Tries: []queue.Try{{At: time.Unix(1, 0).UTC(), Stage: "seal", Cause: "tsa_away", Waiting: true}}}
	for range 2 { // again, after a worker died between this and the end of its job
		if err := q.Isolate(t.Context(), id, tries); err != nil {
			t.Fatal(err)
		}
	}
	if got := begin(t, q, queue.Interactive, "a"); !got.Elsewhere {
		t.Errorf("the job beside it: %+v", got)
	}
	if err := q.Remove(t.Context(), id, queue.Interactive); err != nil {
		t.Fatal(err)
	}
	job, name, err := q.Find(t.Context(), id)
	if err != nil || name != queue.Quarantine || !job.Live() || job.Step != "render" || len(job.Tries) != 1 {
		t.Errorf("Find: %+v in %q, %v", job, name, err)
	}
	if live, err := q.Live(t.Context(), []string{id, newID()}); err != nil || !live[0] || live[1] {
		t.Errorf("live: %v, %v", live, err)
	}
	if got := begin(t, q, queue.Quarantine, "a"); got.Deaths != 0 || len(got.Tries) != 1 {
		t.Errorf("its first run there: %+v", got)
	}
	if got := begin(t, q, queue.Quarantine, "b"); got.Deaths != 1 {
		t.Errorf("after it ended a worker there: %+v", got)
	}
	// The counts go with Redis: then it begins anew as any request does.
	server.FlushAll()
	if err := q.Enqueue(t.Context(), id, queue.Interactive, queue.Reconciler); err != nil {
		t.Fatal(err)
	}
	if got := begin(t, q, queue.Interactive, "a"); got.Deaths != 0 || got.Elsewhere || len(got.Tries) != 0 {
		t.Errorf("after Redis was emptied: %+v", got)
	}
	if n := client.Exists(t.Context(), "asynq:{quarantine}:t:"+id).Val(); n != 0 {
		t.Error("something is left in quarantine")
	}
}
