// Package index is the register as staff search it: by kind, state, cause, time
// and number, page after page, without reading the ledger. It lies in Redis, is
// made from the ledger and is never the truth: whoever acts on a request looks at
// the ledger first. Lose it, and it is built again.
//
// What it holds is ids, document numbers, kinds, states, and of failures the
// cause and a text without any value in it. Nothing in it says who a document is
// about.
//
// Three things keep it right, each where the one before falls short. Hints: who
// changes the ledger notes the id (queue.Changed, queue.Tell), and the index looks
// that request up. Sweeps: every few minutes what is unfinished, what failed and
// the register of the last two days are listed and compared with it. Full sweeps:
// every hour, and when hints were missed, the whole register is listed, and what
// was written since the last one is looked up; the first of them builds the index.
package index

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
	"segell/queue"
)

var (
	// ErrAway: Redis does not answer, or refuses. The ledger can be asked instead.
	ErrAway = errors.New("the index does not answer")
	// ErrCursor says that a text is no cursor of a page.
	ErrCursor = errors.New("not a cursor of this index")
)

// Config is what an Index stands on. All fields but Workers are required.
type Config struct {
	Redis   redis.UniversalClient
	Ledger  *ledger.Ledger
	Queue   *queue.Queue
	Log     *slog.Logger
	Now     func() time.Time
	Workers int // how many requests are looked up in the ledger at a time; 0: 16
}

// Index answers searches, and is kept up to date while Run runs in any process.
// It is safe for concurrent use.
type Index struct {
	Config
	every intervals

	mu      sync.Mutex
	looking map[string]bool // requests that are being looked up, by whichever part of Run
	full    bool            // Redis has no room for the index, as last seen
	fullAt  time.Time       // and when that was

	listeners listeners
}

// intervals are the times between two of a thing.
type intervals struct {
	look  time.Duration // for hints
	tend  time.Duration // looks whether anything is due
	sweep time.Duration
	full  time.Duration // sweeps of everything
	lease time.Duration // renewals of the lease, which lives three of them
}

// New returns an Index. It does not connect.
func New(c Config) *Index {
	if c.Workers <= 0 {
		c.Workers = 16
	}
	return &Index{Config: c, looking: map[string]bool{},
		every: intervals{look: 200 * time.Millisecond, tend: time.Second, sweep: 5 * time.Minute, full: time.Hour, lease: 5 * time.Second}}
}
