package queue_test

import (
	"errors"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
)

// Who looks sees the workers that spoke lately: one that left is gone at once, one
// that died when its word has grown old, and its name with it.
func TestWhichWorkersAreThere(t *testing.T) {
	t.Parallel()
	q, client, server := open(t, servers.RedisOptions{})
	at := time.Date(2026, 3, 2, 9, 14, 5, 0, time.UTC)
	one := queue.Presence{Name: "one", Host: "b", PID: 7, Version: "v1", Since: at, SaidAt: at.Add(time.Hour), Level: "B-LTA", SealEnds: at.AddDate(1, 0, 0),
		Busy: 3, Concurrency: 8, TSA: queue.Contact{Answers: 5, AnsweredAt: at, Troubles: 1, TroubledAt: at, Trouble: "no answer"},
		Away: []queue.Absence{{Dependency: ledger.TSA, Since: at, Resting: true}}}
	for _, p := range []queue.Presence{one, {Name: "two", Host: "a"}, {Name: "three", Host: "b", Since: at.Add(-time.Minute)}} {
		if err := q.Present(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (all string) {
		t.Helper()
		there, err := q.Workers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range there {
			all += p.Name + " "
			if p.Name == "one" && p.Host != "" && (p.TSA != one.TSA || !p.SealEnds.Equal(one.SealEnds) || len(p.Away) != 1 || p.Away[0] != one.Away[0] || p.Busy != 3) {
				t.Errorf("one says %+v", p)
			}
		}
		return all
	}
	if got := names(); got != "two three one " {
		t.Errorf("there are %q", got)
	}
	if life := client.PTTL(t.Context(), "segell:worker:one").Val(); life < 2*queue.PresentEvery || life > time.Minute {
		t.Errorf("what a worker said stands for %v", life)
	}
	if err := q.Leave(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	client.PExpire(t.Context(), "segell:worker:three", time.Millisecond)
	eventually(t, "only one to be there", func() bool { return names() == "one " })
	if n := client.SCard(t.Context(), "segell:workers").Val(); n != 1 {
		t.Errorf("%d names are kept, want 1", n)
	}

	client.Set(t.Context(), "segell:worker:one", `{"busy":"many"}`, time.Minute) // of a version to come
	if got := names(); got != "one " {
		t.Errorf("one that cannot be read: %q", got)
	}
	server.Kill()
	if _, err := q.Workers(t.Context()); !errors.Is(err, queue.ErrAway) {
		t.Errorf("without Redis: %v", err)
	}
	if err := q.Present(t.Context(), one); !errors.Is(err, queue.ErrAway) {
		t.Errorf("telling without Redis: %v", err)
	}
}

// Depths are what asynq itself would say.
func TestDepths(t *testing.T) {
	t.Parallel()
	q, client, server := open(t, servers.RedisOptions{MaxMemory: "64mb"})
	for range 3 {
		if err := q.Enqueue(t.Context(), newID(), queue.Batch, queue.Door); err != nil {
			t.Fatal(err)
		}
	}
	client.ZAdd(t.Context(), "asynq:{interactive}:retry", z("x"))
	depths, err := q.Depths(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []queue.Depth{{Queue: queue.Interactive, Delayed: 1}, {Queue: queue.Batch, Waiting: 3}, {Queue: queue.Quarantine}}
	if len(depths) != 3 || depths[0] != want[0] || depths[1] != want[1] || depths[2] != want[2] {
		t.Errorf("depths %+v, want %+v", depths, want)
	}
	if used, most, err := q.Memory(t.Context()); err != nil || most != 64<<20 || used < 100_000 || used > most {
		t.Errorf("memory %d of %d, %v", used, most, err)
	}
	server.Kill()
	if _, err := q.Depths(t.Context()); !errors.Is(err, queue.ErrAway) {
		t.Errorf("without Redis: %v", err)
	}
}
