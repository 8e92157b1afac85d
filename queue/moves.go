package queue

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// movesChannel is where workers say that a request has moved. A message is its id
// and what the worker does now, nothing else.
const movesChannel = "segell:moves"

// Move is a hint that a request has moved. It may be lost and it may come late:
// who must know asks the ledger.
type Move struct {
	ID string
	// Step is what the worker does now (a stage of the ledger), StepRetrying, or ""
	// when it has let go of the request: then the ledger knows more, or nobody.
	Step string
}

// StepRetrying says that the request waits for its next try.
const StepRetrying = "retrying"

func (m Move) text() string { return m.ID + " " + m.Step }

const (
	tellWithin = time.Second
	// muteFor is how long nothing is told after Redis did not take a hint: a worker
	// must not wait for it at every step.
	muteFor = time.Second
)

// Tell passes a hint on to whoever listens, and where nobody works on the request
// any more, so that the ledger may know more of it, notes that for the index. It
// is best effort and never keeps its caller long.
func (q *Queue) Tell(ctx context.Context, m Move) {
	if time.Now().UnixNano() < q.muted.Load() {
		if m.Step == "" {
			q.Changed(m.ID)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWithin)
	defer cancel()
	told := false
	if m.Step == "" {
		told = q.tell(ctx, m)
	} else {
		told = q.redis.Publish(ctx, movesChannel, m.text()).Err() == nil
	}
	if !told {
		q.muted.Store(time.Now().Add(muteFor).UnixNano())
	}
}

// movesKept is how many hints wait for a slow listener; more are dropped.
const movesKept = 4096

// Moves listens for hints until ctx ends, through every loss of Redis. One
// listener serves a whole process.
func (q *Queue) Moves(ctx context.Context) <-chan Move {
	heard := q.redis.Subscribe(ctx, movesChannel)
	moves := make(chan Move, movesKept)
	go func() {
		defer close(moves)
		defer heard.Close()
		messages := heard.Channel(redis.WithChannelSize(movesKept))
		for {
			select {
			case <-ctx.Done():
				return
			case message, open := <-messages:
				if !open {
					return
				}
				id, step, _ := strings.Cut(message.Payload, " ")
				select {
				case moves <- Move{ID: id, Step: step}:
				default: // a hint less: the ledger is asked by and by all the same
				}
			}
		}
	}()
	return moves
}

// Withdraw takes the job of a request that needs none any more out of its queue,
// where that can be done: a job that runs finds out by itself.
func (q *Queue) Withdraw(ctx context.Context, id, queue string) {
	if queue == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = q.Remove(ctx, id, queue)
}
