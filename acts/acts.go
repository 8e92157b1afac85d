// Package acts is what staff do to requests: retry, cancel, withdraw, replace,
// show, replay, pause, one at a time or many (a bulk). The console's pages, its API
// and the commands do the same by the same acts.
//
// Every act is in the audit trail before it is done: who, what, to what, why, from
// where. What cannot be written down is not done. An act that is repeated, because
// its answer was lost or its process ended, changes nothing more.
//
// A bulk lies in the ledger, so that it outlives Redis and the process that began
// it: what it is for, the requests it means as they were when it was begun, and
// how far it is. Run carries bulks out, in one process at a time.
package acts

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"segell/index"
	"segell/ledger"
	"segell/queue"
)

var (
	// ErrNotFailed says that a request is none that was given up, so that it cannot
	// be tried again.
	ErrNotFailed = errors.New("the request is not one that failed")
	// ErrWhy says that an act needs a reason and has none, or one that says nothing.
	ErrWhy = errors.New("a reason is needed, in words")
	// ErrPausable says that a thing cannot be paused: no such kind or queue.
	ErrPausable = errors.New("not a kind or a queue that can be paused")
	// ErrNotPaused says that what is to go on is not paused.
	ErrNotPaused = errors.New("not paused")
	// ErrNothing says that a selection holds no request.
	ErrNothing = errors.New("nothing is selected")
	// ErrTooMany says that a selection holds more requests than a bulk may.
	ErrTooMany = errors.New("more requests than a bulk may hold")
	// ErrBatchUsed says that the id of a bulk was used before for something else.
	ErrBatchUsed = errors.New("the batch id was used before for another bulk")
	// ErrBatchTime says that the id of a bulk that was not begun yet is older than its
	// dry run may be, or was not drawn by NewBatch.
	ErrBatchTime = errors.New("the batch id was not drawn within the last hour: count again, and begin the bulk under the id of that count")
	// ErrSecondNeeded says that a person did as much alone of late as one person may.
	ErrSecondNeeded = errors.New("as many requests as one person may act on within an hour: let another person do it, or begin a bulk, which another person approves")
	// ErrSamePerson says that the second pair of eyes is the first.
	ErrSamePerson = errors.New("whoever began a bulk cannot approve it")
	// ErrNobody says that a login names no person, where two must be told apart.
	ErrNobody = errors.New("the login names no one person")
	// ErrOver says that a bulk is not in a state in which that can be done to it.
	ErrOver = errors.New("the bulk is past that")
)

// Actor is the member of staff who acts.
type Actor struct {
	Who  string // login
	From string // address or host
}

// Config is what Acts stand on. All fields but Index, FourEyes and Rate are required.
type Config struct {
	Ledger *ledger.Ledger
	Queue  *queue.Queue
	Index  *index.Index // nil: selections are made from the ledger, which takes longer
	Redis  redis.UniversalClient
	Log    *slog.Logger
	Now    func() time.Time
	Random io.Reader

	// FourEyes is how many requests one person may act on within an hour, in bulks
	// and by cancelling, withdrawing and replacing one at a time, before a second
	// must approve; 0: any number.
	FourEyes int
	// Rate is how many requests a second a bulk acts on at most; 0: 50.
	Rate float64
}

// Acts does what staff ask. It is safe for concurrent use, in any number of
// processes.
type Acts struct {
	Config
	woken    chan struct{} // a bulk was begun, approved or stopped in this process
	starting sync.Mutex    // held by Start
	counting sync.Mutex    // held while the tally is changed: one process does not race itself
}

// New returns Acts, or an error naming every field missing.
func New(c Config) (*Acts, error) {
	var faults []error
	for name, missing := range map[string]bool{"Ledger": c.Ledger == nil, "Queue": c.Queue == nil, "Redis": c.Redis == nil,
		"Log": c.Log == nil, "Now": c.Now == nil, "Random": c.Random == nil} {
		if missing {
			faults = append(faults, fmt.Errorf("acts: %s is missing", name))
		}
	}
	if c.FourEyes < 0 || c.Rate < 0 {
		faults = append(faults, errors.New("acts: neither FourEyes nor Rate can be below nought"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.Rate == 0 {
		c.Rate = defaultRate
	}
	return &Acts{Config: c, woken: make(chan struct{}, 1)}, nil
}

// entry is what the audit trail says of an act.
func (actor Actor) entry(what, id, why string) ledger.AuditEntry {
	return ledger.AuditEntry{Who: actor.Who, What: what, ID: id, Why: strings.TrimSpace(why), From: actor.From}
}

// needed returns ErrWhy for a reason that says nothing: one without any letter or
// digit that can be seen.
func needed(why string) error {
	says := func(r rune) bool {
		return (unicode.IsLetter(r) || unicode.IsNumber(r)) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
	}
	if !strings.ContainsFunc(why, says) {
		return ErrWhy
	}
	return nil
}

// fit is needed for a reason that may be left out.
func fit(why string) error {
	if why == "" {
		return nil
	}
	return needed(why)
}
