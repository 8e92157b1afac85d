package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/internal/servers"
	"segell/queue"
)

// noting is a queue on a real Redis whose notes of changes are looked at.
func noting(t *testing.T, o servers.RedisOptions) (*queue.Queue, *servers.Redis) {
	t.Helper()
	server := servers.NewRedis(t, o)
	client, err := queue.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return queue.New(client), server
}

func noted(t *testing.T, q *queue.Queue) map[string]queue.Change {
	t.Helper()
	changes, err := q.Changes(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]queue.Change{}
	for _, c := range changes {
		all[c.ID] = c
	}
	return all
}

func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 15 s: %s", what)
		}
	}
}

// A hint that somebody let go of a request is a note; one of its steps is none.
func TestWhatTheLedgerKnowsIsNoted(t *testing.T) {
	q, _ := noting(t, servers.RedisOptions{})
	q.Tell(t.Context(), queue.Move{ID: "step", Step: "render"})
	q.Tell(t.Context(), queue.Move{ID: "retrying", Step: queue.StepRetrying})
	q.Tell(t.Context(), queue.Move{ID: "done"})
	all := noted(t, q)
	if len(all) != 1 || time.Since(all["done"].At) > time.Minute {
		t.Fatalf("noted are %v", all)
	}
	// Noted again between the look and the settling, it stays.
	looked := all["done"]
	q.Tell(t.Context(), queue.Move{ID: "done"})
	if err := q.Settle(t.Context(), []queue.Change{looked}); err != nil {
		t.Fatal(err)
	}
	all = noted(t, q)
	if len(all) != 1 {
		t.Fatalf("what changed meanwhile is gone: %v", all)
	}
	if err := q.Settle(t.Context(), []queue.Change{all["done"]}); err != nil {
		t.Fatal(err)
	}
	if all = noted(t, q); len(all) != 0 {
		t.Errorf("left are %v", all)
	}
}

// The door tells without waiting for Redis, and what it told while Redis was away
// is noted afterwards.
func TestTheDoorTellsInTheBackground(t *testing.T) {
	q, server := noting(t, servers.RedisOptions{})
	ctx, stop := context.WithCancel(t.Context())
	q.Keep(ctx)
	q.Changed("one")
	within(t, "it is noted", func() bool { return len(noted(t, q)) == 1 })
	// Who tells at once spares the note that was to follow.
	q.Changed("two")
	q.Tell(t.Context(), queue.Move{ID: "two"})
	was := noted(t, q)["two"]
	time.Sleep(2 * time.Second)
	if is := noted(t, q)["two"]; was.At.IsZero() || !is.At.Equal(was.At) {
		t.Errorf("it was told %v, and again %v", was, is)
	}
	server.Kill()
	for i := range 1200 { // more than goes in one exchange
		q.Changed(fmt.Sprint("away", i))
	}
	q.Tell(t.Context(), queue.Move{ID: "told"})
	q.Tell(t.Context(), queue.Move{ID: "muted"})
	server.Restart() // empty
	within(t, "all are noted", func() bool { n, _, err := q.ChangesWaiting(t.Context()); return err == nil && n == 1202 })
	q.Changed("last")
	stop()
	within(t, "the last word is told too", func() bool { n, _, err := q.ChangesWaiting(t.Context()); return err == nil && n == 1203 })
}

// Where nobody takes the notes there are only so many, and it is known that some
// were missed.
func TestNotesAreBounded(t *testing.T) {
	q, server := noting(t, servers.RedisOptions{})
	client, err := queue.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for told := 0; told < queue.ChangedMost-10; told += 9999 {
		var notes []redis.Z
		for i := range 9999 {
			notes = append(notes, redis.Z{Score: float64(1 + told + i), Member: fmt.Sprintf("%036d", told+i)})
		}
		if err := client.ZAdd(t.Context(), "segell:{index}:changed", notes...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	q.Keep(t.Context())
	for i := range 50 {
		q.Changed(fmt.Sprint("more", i))
	}
	within(t, "some are missed", func() bool { _, missed, err := q.ChangesWaiting(t.Context()); return err == nil && missed != "" })
	n, missed, err := q.ChangesWaiting(t.Context())
	if err != nil || n != queue.ChangedMost || missed == "" {
		t.Fatalf("%d wait, missed %q, %v", n, missed, err)
	}
	// One that is there already has room.
	first := noted(t, q)
	for id, was := range first {
		q.Tell(t.Context(), queue.Move{ID: id})
		within(t, "it is noted again", func() bool {
			changes, err := q.Changes(t.Context(), queue.ChangedMost)
			return err == nil && changes[len(changes)-1].ID == id && changes[len(changes)-1].At.After(was.At)
		})
		break
	}
	if err := q.MadeGood(t.Context(), "another"); err != nil {
		t.Fatal(err)
	}
	if _, still, _ := q.ChangesWaiting(t.Context()); still == "" {
		t.Error("a mark was taken away by who did not know it")
	}
	_, missed, _ = q.ChangesWaiting(t.Context())
	if err := q.MadeGood(t.Context(), missed); err != nil {
		t.Fatal(err)
	}
	if _, still, _ := q.ChangesWaiting(t.Context()); still != "" {
		t.Error("the mark is still there")
	}
}
