// Package upkeep does now and then what issued documents and finished requests
// need after their time: archive time-stamps are renewed before their proof ends,
// and what is left of requests that are gone is removed.
//
// A job runs in the worker process, in one process at a time (a lease in Redis),
// soon after the start and then once a period. Nothing is harmed where two run at
// once, or where Redis forgets who did what: a pass finds what is done, and does
// it once.
package upkeep

import (
	"context"
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/queue"
)

// Job is something to do once a period.
type Job struct {
	Name  string        // of its leases, and in the log
	Every time.Duration // between two passes, more or less a twentieth
	// Pass does it. An error means that it did not come to its end: it is tried
	// again after a pause. It ends soon after its context does.
	Pass func(context.Context) error
}

// A running pass keeps its lease by a beat, so that another process takes over
// soon after one was killed.
const (
	leaseBeat = 5 * time.Second
	// LeaseLife is how long a lease is taken for.
	LeaseLife = 3 * leaseBeat
	// lookEvery is how often each process looks whether a pass is due.
	lookEvery = time.Minute
	// retryAfter is the pause after a pass that failed.
	retryAfter = 10 * time.Minute
)

// Run keeps the jobs going until ctx ends.
func Run(ctx context.Context, client redis.UniversalClient, log *slog.Logger, jobs ...Job) {
	var all sync.WaitGroup
	for _, job := range jobs {
		all.Go(func() {
			for {
				turn(ctx, client, log, job)
				select {
				case <-ctx.Done():
					return
				case <-time.After(jitter(min(lookEvery, job.Every))):
				}
			}
		})
	}
	all.Wait()
}

// jitter is d, more or less a twentieth: processes that started together do not
// stay together.
func jitter(d time.Duration) time.Duration {
	return d - d/20 + mathrand.N(d/10+1)
}

// turn makes a pass if one is due and nobody else is at it.
func turn(ctx context.Context, client redis.UniversalClient, log *slog.Logger, job Job) {
	running := RunningLease(client, job.Name)
	if ours, err := running.Take(ctx, LeaseLife); err != nil || !ours {
		return
	}
	defer Drop(ctx, running)
	// Whoever holds the other lease has made the last pass; it ends when the next
	// is due. It is asked for under a new name each time, so also its holder waits.
	rest := queue.NewLease(client, "upkeep:"+job.Name+":rest", rand.Text())
	if due, err := rest.Take(ctx, LeaseLife); err != nil || !due {
		return
	}
	err := Hold(ctx, job.Pass, running, rest)
	switch {
	case ctx.Err() != nil:
		Drop(ctx, rest) // the next process begins at once
	case err != nil:
		log.Error("upkeep did not come to its end", "job", job.Name, "why", err, "again_in", min(retryAfter, job.Every))
		_, _ = rest.Take(ctx, min(retryAfter, job.Every)) // if Redis is away, the next look is early
	default:
		_, _ = rest.Take(ctx, jitter(job.Every))
	}
}

// RunningLease is the lease that a pass of a job holds: a command that does the
// same takes it too.
func RunningLease(client redis.UniversalClient, job string) *queue.Lease {
	return queue.NewLease(client, "upkeep:"+job, rand.Text())
}

// Hold runs pass and renews the leases, which must be taken, until it returns.
func Hold(ctx context.Context, pass func(context.Context) error, leases ...*queue.Lease) error {
	ended := make(chan struct{})
	var renewing sync.WaitGroup
	renewing.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(leaseBeat):
				for _, lease := range leases {
					_, _ = lease.Take(ctx, LeaseLife) // lost, another may begin: that harms nothing
				}
			}
		}
	})
	defer renewing.Wait()
	defer close(ended)
	return pass(ctx)
}

// Drop gives a lease back, also when ctx has ended.
func Drop(ctx context.Context, lease *queue.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	lease.Drop(ctx)
}
