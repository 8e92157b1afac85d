package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// TypeCallback is the asynq task that tells a client of an event.
const TypeCallback = "callback:deliver"

// Each client has a queue of callbacks of its own, and each process a server of
// its own for each: a client whose endpoint is slow or away holds up no other.
const notifyPrefix = "notify:"

// NotifyQueue is the name of a client's queue of callbacks.
func NotifyQueue(client string) string { return notifyPrefix + client }

// CallbackBound is how many callbacks of one client may lie in Redis. What is
// beyond stays in the ledger until there is room.
const CallbackBound = 10_000

// callbackTimeout bounds one try, far above what its own limits allow.
const callbackTimeout = time.Minute

// EnqueueCallback makes sure that a callback has a live task: a new one, or the
// one it has. Its name in the ledger is the task's id and all that it carries.
// Errors are ErrAway, ErrFull and ErrUnusable, wrapped; the ledger has the callback.
func (q *Queue) EnqueueCallback(ctx context.Context, client, name string) error {
	queue := NotifyQueue(client)
	waiting, err := q.callbacks(ctx, queue)
	if err != nil {
		return err
	}
	if waiting >= CallbackBound || q.full.Load() {
		return ErrFull
	}
	for range 2 {
		_, err := q.client.EnqueueContext(ctx, asynq.NewTask(TypeCallback, []byte(name)), asynq.TaskID(name), asynq.Queue(queue),
			asynq.MaxRetry(maxRetry), asynq.Timeout(callbackTimeout))
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, asynq.ErrTaskIDConflict):
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
		live, err := q.LiveCallback(ctx, client, name)
		if err != nil || live {
			return err
		}
		if err := q.Remove(ctx, name, queue); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the callback %s can be neither used nor replaced", ErrUnusable, name)
}

// clocksApart is how far the clocks of two machines may be apart.
const clocksApart = time.Minute

// LiveCallback reports whether a callback has a task that will run, or runs. One
// that was put off by a clock that was ahead would run hours late: it counts as none.
func (q *Queue) LiveCallback(ctx context.Context, client, name string) (bool, error) {
	job, err := q.Job(ctx, name, NotifyQueue(client))
	return job.Live() && time.Until(job.PutOff) < clocksApart, err
}

func (q *Queue) callbacks(ctx context.Context, queue string) (int64, error) {
	var sizes []*redis.IntCmd
	_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		sizes = []*redis.IntCmd{p.LLen(ctx, "asynq:{"+queue+"}:pending"), p.ZCard(ctx, "asynq:{"+queue+"}:retry")}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return sizes[0].Val() + sizes[1].Val(), nil
}

// CallbackServers says how callbacks are taken from their queues.
type CallbackServers struct {
	Clients        []string      // whose queues
	Concurrency    int           // at a time and per client
	CheckInterval  time.Duration // how often an idle server looks
	ShutdownWithin time.Duration // then what is unfinished is handed back
	Log            *slog.Logger
	// Handle makes one try at a callback. It returns how long to wait for the next,
	// 0 if there is nothing more to do.
	Handle func(ctx context.Context, name string) (again time.Duration)
}

// ServeCallbacks hands out callbacks until ctx ends.
func (q *Queue) ServeCallbacks(ctx context.Context, s CallbackServers) error {
	handler := asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		if pause := s.Handle(ctx, string(task.Payload())); pause > 0 {
			return later{pause}
		}
		return nil
	})
	var started []*asynq.Server
	defer func() {
		var closing sync.WaitGroup
		for _, server := range started {
			closing.Go(server.Shutdown)
		}
		closing.Wait()
	}()
	for _, client := range s.Clients {
		server := asynq.NewServerFromRedisClient(q.redis, asynq.Config{
			Concurrency:              s.Concurrency,
			Queues:                   map[string]int{NotifyQueue(client): 1},
			TaskCheckInterval:        s.CheckInterval,
			DelayedTaskCheckInterval: time.Second,
			ShutdownTimeout:          s.ShutdownWithin,
			RetryDelayFunc:           delayOf,
			IsFailure:                func(error) bool { return false }, // the ledger counts the tries
			Logger:                   asynqLog{s.Log},
			LogLevel:                 asynq.WarnLevel,
		})
		if err := server.Start(handler); err != nil {
			return fmt.Errorf("starting to deliver callbacks: %w", err)
		}
		started = append(started, server)
	}
	<-ctx.Done()
	return nil
}

// later asks asynq to hand a callback out again after a pause. Its text lies in
// Redis in clear.
type later struct{ pause time.Duration }

func (later) Error() string { return "later" }

func delayOf(_ int, err error, _ *asynq.Task) time.Duration {
	var l later
	if errors.As(err, &l) {
		return l.pause
	}
	return time.Second
}

// asynqLog passes on what asynq has to say: ids and errors of Redis.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Info(args ...any)  { l.log.Info(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Warn(args ...any)  { l.log.Warn(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Error(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }

// Fatal must not end the process.
func (l asynqLog) Fatal(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }
