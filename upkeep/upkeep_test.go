package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/queue"
	"segell/upkeep"
)

// Three processes, one job: a pass at once, one per period and never two at a
// time; one that failed is not forgotten; where the process that made it ends,
// another goes on.
func TestOneProcessAtATimeOncePerPeriod(t *testing.T) {
	server := servers.NewRedis(t, servers.RedisOptions{})
	client, err := queue.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	var running, most, passes atomic.Int64
	job := upkeep.Job{Name: "test", Every: 400 * time.Millisecond, Pass: func(ctx context.Context) error {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		time.Sleep(20 * time.Millisecond)
		if passes.Add(1) == 2 {
			return errors.New("the second one fails")
		}
		return nil
	}}
	log := slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil))
	var stops []func()
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); upkeep.Run(ctx, client, log, job) }()
		stops = append(stops, func() { cancel(); <-ended })
	}
	began := time.Now()
	wait := func(n int64) {
		for passes.Load() < n {
			if time.Since(began) > 20*time.Second {
				t.Fatalf("%d passes in %v", passes.Load(), time.Since(began))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	wait(1)
	stops[0]()
	stops[1]()
	wait(4)
	if n, longest := passes.Load(), int64(time.Since(began)/(380*time.Millisecond))+2; n > longest {
		t.Errorf("%d passes in %v", n, time.Since(began))
	}
	stops[2]()
	if most.Load() != 1 {
		t.Errorf("%d passes at a time", most.Load())
	}
	// A command finds the lease free, and keeps others out while it has it.
	lease := upkeep.RunningLease(client, "test")
	if ours, err := lease.Take(t.Context(), upkeep.LeaseLife); err != nil || !ours {
		t.Fatalf("%v, %v", ours, err)
	}
	if ours, err := upkeep.RunningLease(client, "test").Take(t.Context(), upkeep.LeaseLife); err != nil || ours {
		t.Errorf("taken twice: %v, %v", ours, err)
	}
	upkeep.Drop(t.Context(), lease)
}
