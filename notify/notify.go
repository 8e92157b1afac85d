// Package notify tells clients what became of their requests: callbacks by the
// Standard Webhooks specification (standardwebhooks.com), to endpoints that the
// operator configures and no request can name.
//
// A callback is delivered at least once or recorded as undelivered, never lost:
// it lies in the ledger from before its event until then, and asynq only hands it
// out. So a client may get one twice, with the same webhook-id, and it may get
// them in another order than things happened: what a callback says is where the
// request stood, what the client should go by is the state it then asks for.
//
// Nothing personal is in a callback: ids, kind, number, state, addresses.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"segell/ledger"
	"segell/queue"
)

// Config is what a Notifier stands on. All fields but those with a default are
// required.
type Config struct {
	Ledger    *ledger.Ledger
	Queue     *queue.Queue
	Endpoints Endpoints // none is no fault
	Log       *slog.Logger
	Now       func() time.Time
	Random    func() float64 // 0 to 1: spreads tries that failed together
	PublicURL string         // of the intake API, without a slash at the end
	Version   string         // of Segell, for User-Agent

	CheckInterval  time.Duration // how often an idle server looks for callbacks; default 200 ms
	ShutdownWithin time.Duration // default 20 s
}

// Notifier delivers callbacks. It is safe for concurrent use.
type Notifier struct {
	Config
	senders map[string]*sender // by client
}

// New returns a Notifier, or an error naming every field missing.
func New(c Config) (*Notifier, error) {
	var faults []error
	for name, missing := range map[string]bool{"Ledger": c.Ledger == nil, "Queue": c.Queue == nil, "Log": c.Log == nil,
		"Now": c.Now == nil, "Random": c.Random == nil, "PublicURL": c.PublicURL == ""} {
		if missing {
			faults = append(faults, fmt.Errorf("notify: %s is missing", name))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.CheckInterval <= 0 {
		c.CheckInterval = 200 * time.Millisecond
	}
	if c.ShutdownWithin <= 0 {
		c.ShutdownWithin = 20 * time.Second
	}
	n := &Notifier{Config: c, senders: map[string]*sender{}}
	for client, endpoint := range c.Endpoints {
		n.senders[client] = newSender(endpoint, c.Version)
	}
	return n, nil
}

// perClient is how many callbacks of one client are under way at a time in one
// process.
const perClient = 8

// Run delivers what is enqueued until ctx ends. Reconcile enqueues what is not.
func (n *Notifier) Run(ctx context.Context) error {
	var clients []string
	for client := range n.Endpoints {
		clients = append(clients, client)
	}
	slices.Sort(clients)
	return n.Queue.ServeCallbacks(ctx, queue.CallbackServers{Clients: clients, Concurrency: perClient, CheckInterval: n.CheckInterval,
		ShutdownWithin: n.ShutdownWithin, Log: n.Log, Handle: n.Deliver})
}

// Subscribers tells the ledger who is told of what, and enqueues what can be
// delivered.
type Subscribers struct {
	Endpoints Endpoints
	Queue     *queue.Queue
	Log       *slog.Logger
}

var _ ledger.Subscribers = Subscribers{}

// Wants reports whether a client has an endpoint for an event.
func (s Subscribers) Wants(client string, e ledger.Event) bool {
	endpoint, ok := s.Endpoints[client]
	return ok && slices.Contains(endpoint.Events, e)
}

// Noticed enqueues a callback. Where Redis does not take it the next Reconcile does.
func (s Subscribers) Noticed(ctx context.Context, n ledger.Notice) {
	if s.Queue == nil {
		return // a command without Redis: the next Reconcile finds it
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.Queue.EnqueueCallback(ctx, n.Client, n.Name()); err != nil {
		s.Log.Debug("a callback was not enqueued yet", "id", n.Request, "event", n.Event, "why", err)
	}
}
