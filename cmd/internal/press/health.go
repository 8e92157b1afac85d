package press

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"segell/console"
	"segell/ledger"
	"segell/queue"
	"segell/worker"
)

// What the console reads of the state of things, by console.Health.
const (
	well    = "well"
	mind    = "mind" // it works, and somebody should look
	halt    = "halt" // documents wait, or soon will
	unknown = "unknown"
)

const (
	// healthWithin bounds one look: a page must not wait for what is away.
	healthWithin = 2 * time.Second
	// healthFor is how long a look serves all who ask.
	healthFor = 2 * time.Second
	// memoryMind and memoryHalt are shares of Redis's memory, in percent. From the
	// second on nothing is enqueued, and the index of the console stops before.
	memoryMind, memoryHalt = 60, 75
)

// health looks at what a press stands on, for staff. It is safe for concurrent use.
type health struct {
	press *Press

	mu   sync.Mutex
	last []console.Health
	at   time.Time
}

// look is what console.Config wants as Health.
func (h *health) look(ctx context.Context) []console.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.press.parts.Now()
	if age := now.Sub(h.at); h.last != nil && age >= 0 && age < healthFor {
		return h.last
	}
	// Whoever asked may leave; others wait for the same answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthWithin)
	defer cancel()
	var redis, storage console.Health
	var workers []queue.Presence
	var away error
	var all sync.WaitGroup
	all.Go(func() { redis = h.redis(ctx) })
	all.Go(func() { storage = h.storage(ctx) })
	all.Go(func() { workers, away = h.press.Queue.Workers(ctx) })
	all.Wait()
	storage = absent(storage, workers, ledger.Storage) // it may answer us and refuse what workers write
	h.last, h.at = []console.Health{redis, storage, workersHealth(workers, away), tsaHealth(workers, now), sealHealth(workers, now)}, now
	return h.last
}

func (h *health) redis(ctx context.Context) console.Health {
	part := console.Health{Part: "redis", State: well, Detail: map[string]string{}}
	if err := h.press.Queue.Ping(ctx); err != nil {
		part.State, part.Detail["answer"] = halt, "none"
		return part
	}
	server, err := queue.Check(ctx, h.press.parts.Redis)
	if errors.Is(err, queue.ErrEvicts) {
		part.State = halt
	} else if err != nil {
		part.Detail["info"] = "not told"
		return part
	}
	part.Detail["version"], part.Detail["maxmemory-policy"] = server.Version, server.Policy
	part.Detail["appendonly"] = "yes"
	if !server.AOF {
		part.Detail["appendonly"] = "no"
		part.State = worse(part.State, mind)
	}
	used, most, err := h.press.Queue.Memory(ctx)
	if err != nil {
		return part
	}
	part.Detail["memory"] = megabytes(used)
	if most > 0 {
		share := used * 100 / most
		part.Detail["memory"] = fmt.Sprintf("%s of %s (%d %%)", megabytes(used), megabytes(most), share)
		switch {
		case share >= memoryHalt:
			part.State = worse(part.State, halt)
		case share >= memoryMind:
			part.State = worse(part.State, mind)
		}
	}
	return part
}

func megabytes(n int64) string { return strconv.FormatInt((n+1<<20-1)>>20, 10) + " MB" }

// pinger is a bucket that can be asked whether it is there; storage.Bucket is one.
type pinger interface {
	Ping(ctx context.Context) error
}

func (h *health) storage(ctx context.Context) console.Health {
	part := console.Health{Part: "storage", State: unknown, Detail: map[string]string{}}
	bucket, ok := h.press.parts.Bucket.(pinger)
	if !ok {
		return part
	}
	began := time.Now()
	if err := bucket.Ping(ctx); err != nil {
		part.State, part.Detail["answer"] = halt, err.Error()
		return part
	}
	part.State, part.Detail["answer"] = well, "in "+time.Since(began).Round(time.Millisecond).String()
	return part
}

func workersHealth(workers []queue.Presence, away error) console.Health {
	part := console.Health{Part: "workers", State: unknown, Detail: map[string]string{}}
	if away != nil {
		return part // who is there is told in Redis
	}
	part.Detail["workers"] = strconv.Itoa(len(workers))
	if len(workers) == 0 {
		part.State = halt
		return part
	}
	busy, concurrency, resting, lacking := 0, 0, 0, 0
	var versions, missed []string
	for _, w := range workers {
		busy, concurrency = busy+w.Busy, concurrency+w.Concurrency
		versions = append(versions, cmp.Or(w.Version, "?"))
		rests := false
		for _, absence := range w.Away {
			missed = append(missed, absence.Dependency)
			rests = rests || absence.Resting
		}
		if rests {
			resting++
		}
		if len(w.Away) > 0 {
			lacking++
		}
	}
	part.Detail["busy"] = fmt.Sprintf("%d of %d", busy, concurrency)
	part.Detail["versions"] = strings.Join(unique(versions), ", ")
	switch {
	case resting == len(workers):
		part.State = halt
	case len(missed) > 0:
		part.State = mind
	default:
		part.State = well
	}
	part.Away = lackingOf(lacking, len(workers))
	if len(missed) > 0 {
		part.Detail["away"] = strings.Join(unique(missed), ", ")
	}
	return part
}

// lackingOf says how many of the workers that are there cannot reach something.
func lackingOf(lacking, workers int) console.Absence {
	switch lacking {
	case 0:
		return ""
	case workers:
		return console.AwayFromAll
	}
	return console.AwayFromSome
}

func unique(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

func tsaHealth(workers []queue.Presence, now time.Time) console.Health {
	part := console.Health{Part: "tsa", State: unknown, Detail: map[string]string{}}
	var answered, troubled time.Time
	for _, w := range workers {
		if w.TSA.AnsweredAt.After(answered) {
			answered = w.TSA.AnsweredAt
		}
		if w.TSA.TroubledAt.After(troubled) {
			troubled = w.TSA.TroubledAt
			part.Detail["last trouble"] = w.TSA.Trouble
		}
		ends(&part, w.StampEnds, now)
	}
	if !answered.IsZero() {
		part.State = worse(part.State, well)
		part.Detail["last answer"] = answered.Format(time.RFC3339)
	}
	if !troubled.IsZero() {
		part.Detail["troubled at"] = troubled.Format(time.RFC3339)
	}
	return absent(part, workers, ledger.TSA)
}

func sealHealth(workers []queue.Presence, now time.Time) console.Health {
	part := console.Health{Part: "seal", State: unknown, Detail: map[string]string{}}
	var levels []string
	for _, w := range workers {
		if w.SealEnds.IsZero() {
			continue // a version that does not tell
		}
		part.State = worse(part.State, well)
		levels = append(levels, w.Level)
		ends(&part, w.SealEnds, now)
	}
	if len(levels) > 0 {
		part.Detail["level"] = strings.Join(unique(levels), ", ")
	}
	return absent(part, workers, ledger.SealKey, ledger.Revocation)
}

// ends notes the end of a certificate in a part, if it is the first to end.
func ends(part *console.Health, end, now time.Time) {
	if end.IsZero() || !part.Ends.IsZero() && !end.Before(part.Ends) {
		return
	}
	days := math.Floor(worker.DaysLeft(end, now))
	part.Ends, part.DaysLeft = end, &days
	switch {
	case days < 0:
		part.State = worse(part.State, halt)
	case days < worker.WarnDays:
		part.State = worse(part.State, mind)
	}
}

// absent notes in a part that workers cannot reach it: who cannot makes no
// documents now, or only those that do not need it.
func absent(part console.Health, workers []queue.Presence, dependencies ...string) console.Health {
	lacking := 0
	for _, w := range workers {
		lacks := false
		for _, absence := range w.Away {
			if !slices.Contains(dependencies, absence.Dependency) {
				continue
			}
			lacks = true
			part.Detail["away since"] = absence.Since.Format(time.RFC3339)
			state := mind // one request or two may have a trouble of their own
			if absence.Resting {
				state = halt
			}
			part.State = worse(part.State, state)
		}
		if lacks {
			lacking++
		}
	}
	part.Away = lackingOf(lacking, len(workers))
	return part
}

// worse returns the one of two states that staff must know of.
func worse(a, b string) string {
	order := []string{unknown, well, mind, halt}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}
