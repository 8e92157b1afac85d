package queue_test

import (
	"context"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/queue"
)

// Hints reach who listens, also after Redis was away, and stop with the context.
func TestHintsAreHeardAgainAfterRedisWasAway(t *testing.T) {
	server := servers.NewRedis(t, servers.RedisOptions{})
	client, err := queue.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	q := queue.New(client)
	ctx, stop := context.WithCancel(t.Context())
	moves := q.Moves(ctx)
	heard := func(step string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			q.Tell(t.Context(), queue.Move{ID: "a", Step: step})
			select {
			case m := <-moves:
				if m.ID != "a" {
					t.Fatalf("heard %+v", m)
				}
				if m.Step == step {
					return
				}
			case <-time.After(50 * time.Millisecond):
			}
		}
		t.Fatalf("%q was not heard in 20 s", step)
	}
	heard("render")
	heard("")
	server.Kill()
	q.Tell(t.Context(), queue.Move{ID: "a", Step: "seal"}) // nobody hears it, nobody waits
	server.Restart()
	heard("store")
	stop()
	for range moves { // ends
	}
}
