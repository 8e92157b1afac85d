package notify

import (
	"context"
	"errors"
	"time"

	"segell/ledger"
)

const (
	// ledgerPause is how long a callback waits where the bucket does not answer.
	ledgerPause = 15 * time.Second
	// eventPause is how long it waits where what it tells of is not to be seen yet.
	eventPause = 10 * time.Second
	// eventWithin is how long that may take. Who was about to do it has ended by then.
	eventWithin = time.Hour
	// clocksApart is how far the clocks of two machines may be apart before what one wrote is no time of the other:
	// as far as a time-stamping authority may be.
	clocksApart = time.Minute
)

// Deliver makes one try at a callback, by its name in the ledger, and returns how
// long to wait for the next; 0: there is nothing more to do.
func (n *Notifier) Deliver(ctx context.Context, name string) (again time.Duration) {
	notice, err := n.Ledger.Notice(ctx, name)
	switch {
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, ledger.ErrNoticeName):
		return 0 // delivered, or given up, by an earlier run
	case errors.Is(err, ledger.ErrDamaged):
		n.Log.Error("a callback cannot be read: staff must look", "name", name, "why", err)
		return 0
	case err != nil:
		return ledgerPause
	}
	if wait := untilNext(notice, n.Now()); wait > 0 {
		return wait // Redis had forgotten it
	}
	switch stands, err := n.Ledger.CameTrue(ctx, notice); {
	case err != nil:
		return ledgerPause
	case !stands:
		return n.await(ctx, notice)
	}
	return n.try(ctx, notice)
}

// untilNext is how long a callback waits for its next try. Where its last try lies in the time to come, a clock was
// changed since: when the next is due is not known then, and it is due now.
func untilNext(notice ledger.Notice, now time.Time) time.Duration {
	if tries := notice.Tries; len(tries) > 0 && tries[len(tries)-1].At.Sub(now) > clocksApart {
		return 0
	}
	return notice.NextAt.Sub(now)
}

// await puts a callback off whose event the ledger does not show, and takes it
// away after a time.
func (n *Notifier) await(ctx context.Context, notice ledger.Notice) time.Duration {
	since := notice.At
	if notice.ReplayedAt.After(since) {
		since = notice.ReplayedAt
	}
	if n.Now().Sub(since) < eventWithin {
		return eventPause
	}
	if err := n.Ledger.Delivered(ctx, notice); err != nil {
		return ledgerPause
	}
	n.Log.Info("a callback was dropped: what it tells of did not come about, or is no longer so", "id", notice.Request, "event", notice.Event)
	return 0
}

func (n *Notifier) try(ctx context.Context, notice ledger.Notice) time.Duration {
	log := n.Log.With("id", notice.Request, "event", notice.Event, "client", notice.Client)
	body, err := bodyOf(notice, n.PublicURL)
	if err != nil {
		log.Error("a callback cannot be written", "why", err)
		return ledgerPause
	}
	began := n.Now()
	end := outcome{cause: CauseNotConfigured}
	if sender, ok := n.senders[notice.Client]; ok {
		end = sender.send(ctx, notice.MessageID(), began, body)
	}
	if end.cause != "" && ctx.Err() != nil {
		return eventPause // the process is stopping: whether it arrived is unknown, so that is no try
	}
	// What came of it is kept also where the process is told to stop just now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if end.cause == "" {
		if err := n.Ledger.Delivered(ctx, notice); err != nil {
			log.Warn("a callback arrived, and the ledger could not be told: it will arrive again", "why", err)
			return ledgerPause
		}
		log.Info("a callback was delivered", "status", end.status, "tries", len(notice.Tries)+1, "took", n.Now().Sub(began).Round(time.Millisecond))
		return 0
	}
	return n.failed(ctx, notice, began, end)
}

// failed notes a try that did not succeed, and gives the callback up where it was
// the last.
func (n *Notifier) failed(ctx context.Context, notice ledger.Notice, at time.Time, end outcome) time.Duration {
	log := n.Log.With("id", notice.Request, "event", notice.Event, "client", notice.Client, "cause", end.cause, "status", end.status,
		"tries", len(notice.Tries)+1)
	try := ledger.NoticeTry{At: at.UTC().Truncate(time.Second), Cause: end.cause, Status: end.status}
	wait, more := pause(len(notice.Tries)+1, n.Random())
	if !more || end.cause == CauseGone {
		notice.Tries = append(notice.Tries, try)
		if err := n.Ledger.Undeliverable(ctx, notice); err != nil {
			log.Warn("a callback could not be recorded as undelivered yet", "why", err)
			return ledgerPause
		}
		log.Error("a callback was given up; `segell callbacks replay` sends it again")
		return 0
	}
	wait = max(wait, end.retryAfter)
	_, err := n.Ledger.NoteTry(ctx, notice, try, n.Now().Add(wait))
	switch {
	case errors.Is(err, ledger.ErrOvertaken):
		return eventPause // another run had it too: look at what that left
	case err != nil:
		return ledgerPause // not noted: it is tried again, and counts then
	}
	log.Warn("a callback was not delivered", "again_in", wait.Round(time.Second))
	return wait
}
