package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Every worker says every few seconds who it is and what it sees of the things it
// depends on. It lies in Redis for as long as a worker may miss a few of these
// times and no longer: who is not listed is not there, or cannot reach Redis.

// PresentEvery is how often a worker says that it is there.
const PresentEvery = 3 * time.Second

// presentFor is how long what it said stands.
const presentFor = 5 * PresentEvery

// The set of the workers' names, and before each name where it said what it is.
// Redis forgets what was said by itself; the name goes when somebody notices.
const (
	workersKey = "segell:workers"
	workerKey  = "segell:worker:"
)

// Presence is what a worker says of itself. Nothing in it is of a person.
type Presence struct {
	Name    string    `json:"name"` // that no other process has
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Since   time.Time `json:"since"`   // when it began
	SaidAt  time.Time `json:"said_at"` // by its own clock

	Level       string    `json:"level"`               // PAdES level of kinds without one of their own
	SealEnds    time.Time `json:"seal_ends"`           // when the certificate that seals ends
	StampEnds   time.Time `json:"stamp_ends,omitzero"` // when the chain of the last time-stamp ends; zero: none seen yet
	Busy        int       `json:"busy"`                // jobs that run now
	Concurrency int       `json:"concurrency"`         // jobs that may run at a time
	TSA         Contact   `json:"tsa"`                 // the time-stamping authorities, taken together
	Away        []Absence `json:"dependencies_away"`   // what it depends on and cannot reach
	Stopping    bool      `json:"stopping,omitempty"`  // it takes no more jobs and ends those begun
}

// Contact is what a worker saw of something outside since it began.
type Contact struct {
	Answers    int64     `json:"answers"` // documents for which it did what it must
	AnsweredAt time.Time `json:"answered_at,omitzero"`
	Troubles   int64     `json:"troubles"`
	TroubledAt time.Time `json:"troubled_at,omitzero"`
	Trouble    string    `json:"trouble,omitempty"` // the last, in technical words
}

// Absence is a dependency (ledger.Storage, ledger.SealKey, …) that is away as one
// worker sees it.
type Absence struct {
	Dependency string    `json:"dependency"`
	Since      time.Time `json:"since"`
	// Resting: enough requests met it that the worker takes no more jobs until it is
	// back.
	Resting bool `json:"resting"`
}

// Present says that a worker is there. Whoever says nothing for a quarter of a
// minute is not.
func (q *Queue) Present(ctx context.Context, p Presence) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = q.redis.Pipelined(ctx, func(r redis.Pipeliner) error {
		r.SAdd(ctx, workersKey, p.Name)
		r.Set(ctx, workerKey+p.Name, text, presentFor)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// Leave says that a worker has ended.
func (q *Queue) Leave(ctx context.Context, name string) error {
	_, err := q.redis.Pipelined(ctx, func(r redis.Pipeliner) error {
		r.Del(ctx, workerKey+name)
		r.SRem(ctx, workersKey, name)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// Workers lists the workers that are there, by host and age. The error is ErrAway.
func (q *Queue) Workers(ctx context.Context) ([]Presence, error) {
	names, err := q.redis.SMembers(ctx, workersKey).Result()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	said := make([]*redis.StringCmd, len(names))
	_, err = q.redis.Pipelined(ctx, func(r redis.Pipeliner) error {
		for i, name := range names {
			said[i] = r.Get(ctx, workerKey+name)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	var there []Presence
	for i, name := range names {
		var p Presence
		switch text, err := said[i].Bytes(); {
		case errors.Is(err, redis.Nil):
			// Should it come back in this moment, it names itself again with its next word.
			_ = q.redis.SRem(ctx, workersKey, name).Err()
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrAway, err)
		case json.Unmarshal(text, &p) == nil: // else it is of another version: it is there, and cannot be read
			there = append(there, p)
		default:
			there = append(there, Presence{Name: name})
		}
	}
	slices.SortFunc(there, func(a, b Presence) int {
		if by := strings.Compare(a.Host, b.Host); by != 0 {
			return by
		}
		return a.Since.Compare(b.Since)
	})
	return there, nil
}
