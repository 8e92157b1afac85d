package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"segell/ledger"
	"segell/queue"
	"segell/storage"
)

// Pass is what one walk over the callbacks found.
type Pass struct {
	Waiting   int // to be delivered
	Enqueued  int // of them, those that had no task and got one
	Troubled  int // of them, those that could not be looked after, for a reason of their own
	Strangers int // of them, those of clients without an endpoint
	Full      int // of them, those that must wait until their client's queue has room
}

// Reconciler enqueues callbacks that no task stands for: what became true while
// Redis was away, and all after Redis was emptied. One may run at a time in a
// process; two processes at once do no harm.
type Reconciler struct {
	*Notifier
	clients map[string]string // by name of a callback, who it is for: that never changes
}

// Reconciler returns a new one.
func (n *Notifier) Reconciler() *Reconciler { return &Reconciler{Notifier: n} }

// Pass walks over every callback once, oldest request first. It costs, where
// nothing is wrong, a listing of notify/ and one read of Redis for each callback
// that waits; the first pass also reads each of them. It ends with an error if
// Redis or the bucket is away.
func (r *Reconciler) Pass(ctx context.Context) (Pass, error) {
	var pass Pass
	known := r.clients
	r.clients = map[string]string{}
	for name, err := range r.Ledger.Notices(ctx) {
		if err != nil {
			return pass, err
		}
		pass.Waiting++
		client, ok := known[name]
		if !ok {
			notice, err := r.Ledger.Notice(ctx, name)
			if errors.Is(err, ledger.ErrNotFound) {
				continue
			}
			if err != nil {
				if err := r.trouble(ctx, &pass, name, err); err != nil {
					return pass, err
				}
				continue
			}
			client = notice.Client
		}
		r.clients[name] = client
		if err := r.lookAfter(ctx, &pass, client, name); err != nil {
			if err := r.trouble(ctx, &pass, name, err); err != nil {
				return pass, err
			}
		}
	}
	if pass.Enqueued > 0 || pass.Full > 0 || pass.Troubled > 0 {
		r.Log.Info("callbacks were reconciled", "waiting", pass.Waiting, "enqueued", pass.Enqueued, "full", pass.Full, "troubled", pass.Troubled)
	}
	return pass, nil
}

// trouble decides whether what is wrong with one callback is all others' trouble.
func (r *Reconciler) trouble(ctx context.Context, pass *Pass, name string, err error) error {
	if errors.Is(err, queue.ErrAway) || errors.Is(err, storage.ErrUnavailable) || ctx.Err() != nil {
		return fmt.Errorf("looking after callbacks: %w", err)
	}
	pass.Troubled++
	r.Log.Error("a callback could not be looked after", "name", name, "why", err)
	return nil
}

func (r *Reconciler) lookAfter(ctx context.Context, pass *Pass, client, name string) error {
	if _, ok := r.senders[client]; !ok {
		pass.Strangers++
		return r.stranger(ctx, name)
	}
	live, err := r.Queue.LiveCallback(ctx, client, name)
	if err != nil || live {
		return err
	}
	switch err := r.Queue.EnqueueCallback(ctx, client, name); {
	case errors.Is(err, queue.ErrFull):
		pass.Full++
	case err != nil:
		return err
	default:
		pass.Enqueued++
	}
	return nil
}

// strangerWithin is how long a client without an endpoint may get one back, the
// time that others have to deliver.
const strangerWithin = 24 * time.Hour

// stranger gives up the callback of a client whose endpoint was taken out of the
// configuration a day ago or longer.
func (r *Reconciler) stranger(ctx context.Context, name string) error {
	notice, err := r.Ledger.Notice(ctx, name)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	now := r.Now()
	if now.Sub(notice.At) < strangerWithin || now.Sub(notice.ReplayedAt) < strangerWithin {
		return nil
	}
	notice.Tries = append(notice.Tries, ledger.NoticeTry{At: now.UTC().Truncate(time.Second), Cause: CauseNotConfigured})
	return r.Ledger.Undeliverable(ctx, notice)
}
