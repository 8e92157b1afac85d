package acts

import (
	"context"
	"slices"
	"time"

	"segell/queue"
)

// What a bulk opens again goes to the queue of batches, whatever the request
// named at the door: nobody waits for it at a screen any more, and workers keep
// most of their places for those who do. And it goes there little by little: as
// much as the workers take at once, twice, so that they never want for it and
// nothing queues up behind it. While people wait for a worker it steps back: then
// it has one job at a time. What waits for its next try counts too, up to a
// larger number: where the cause is not mended after all, a bulk must not fill
// Redis with ten thousand jobs that all fail again.
const (
	defaultRate = 50 // requests a second
	// waitingAlone is how many may wait where there is no worker.
	waitingAlone = 8
	// mostLive is how many jobs of one bulk may be in the queue, in whatever state.
	mostLive = 400
	// workersKnown is how long a count of the workers is good for.
	workersKnown = 3 * time.Second
)

// bulkQueue is where a bulk's jobs go.
const bulkQueue = queue.Batch

// crowd is what all bulks under way in this process have in the queue.
type crowd struct {
	paces     []*pace
	atOnce    int // how many jobs of batches all workers do at a time
	countedAt time.Time
}

// pace follows the jobs that one bulk has in the queue.
type pace struct {
	crowd    *crowd
	followed []string // ids whose jobs may be live
	waiting  int      // of them, when they were last looked at
}

func (c *crowd) join() *pace {
	p := &pace{crowd: c}
	c.paces = append(c.paces, p)
	return p
}

func (c *crowd) leave(p *pace) {
	c.paces = slices.DeleteFunc(c.paces, func(one *pace) bool { return one == p })
}

// most is how many jobs may wait, of all bulks together. Its error is queue.ErrAway.
func (c *crowd) most(ctx context.Context, q *queue.Queue) (int, error) {
	if time.Since(c.countedAt) >= workersKnown {
		workers, err := q.Workers(ctx)
		if err != nil {
			return 0, err
		}
		c.atOnce, c.countedAt = 0, time.Now()
		for _, w := range workers {
			if !w.Stopping {
				c.atOnce += max(1, w.Concurrency/4) // what a worker keeps for batches
			}
		}
	}
	if c.atOnce == 0 {
		return waitingAlone, nil
	}
	return 2 * c.atOnce, nil
}

// room is how many more requests the bulk may open now. Its error is queue.ErrAway.
func (p *pace) room(ctx context.Context, q *queue.Queue) (int, error) {
	if !q.HasRoom(bulkQueue) {
		return 0, nil
	}
	most, err := p.crowd.most(ctx, q)
	if err != nil {
		return 0, err
	}
	states, err := q.States(ctx, p.followed)
	if err != nil {
		return 0, err
	}
	var live []string
	p.waiting = 0
	for i, state := range states {
		switch state {
		case queue.Pending:
			p.waiting++
			fallthrough
		case queue.Active, queue.Delayed:
			live = append(live, p.followed[i])
		}
	}
	p.followed = live
	for _, one := range p.crowd.paces {
		most -= one.waiting
	}
	depths, err := q.Depths(ctx)
	if err != nil {
		return 0, err
	}
	if most > 0 && slices.ContainsFunc(depths, func(d queue.Depth) bool { return d.Queue == queue.Interactive && d.Waiting > 0 && d.Active > 0 }) {
		most = 1 - len(live)
	}
	return max(0, min(most, mostLive-len(live))), nil
}

// follow says that a request has a job now.
func (p *pace) follow(id string) {
	p.followed = append(p.followed, id)
	p.waiting++
}
