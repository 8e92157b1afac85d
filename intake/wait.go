package intake

import (
	"context"
	"sync"
	"time"

	"segell/ledger"
	"segell/queue"
)

// watcher tells those who wait for a request when it moves. However many wait,
// it listens once to the workers' hints, and asks the ledger once for all who
// wait for the same request: when a worker has let go of it, and otherwise every
// sweepAge at the earliest and sweepMost times a second at most. So hints make
// it quick and the ledger makes it right; without Redis it is only slower.
type watcher struct {
	queue *queue.Queue
	// look says where a request stands. alone: by the ledger's word alone.
	look func(ctx context.Context, id string, alone bool) (RequestState, error)

	mu      sync.Mutex
	watched map[string]*watched
	clients map[string]*watching
	pending []string      // ids that wait for a look
	wake    chan struct{} // one of them came
	over    chan struct{} // closed when run ends: nobody is told any more
	running bool
}

// watched is a request that somebody waits for.
type watched struct {
	listeners map[*listener]struct{}
	last      *RequestState // as last told; nil until the first listener has looked
	due       bool          // a look is asked for
	alone     bool          // and the ledger's word is enough for it
	busy      bool          // a look is under way
	hinted    bool          // since it began a hint has told more
	looked    time.Time
}

// watching counts what a client has open.
type watching struct{ waits, streams int }

// listener is one who waits. Who is slow loses the oldest news, never the newest.
type listener struct {
	id   string
	news chan RequestState
}

const (
	sweepAge   = 3 * time.Second
	sweepMost  = 50 // a second, over all requests
	lookWithin = 10 * time.Second
	looksMost  = 8 // at a time
	newsKept   = 16
)

func newWatcher(q *queue.Queue, look func(context.Context, string, bool) (RequestState, error)) *watcher {
	return &watcher{queue: q, look: look, watched: map[string]*watched{}, clients: map[string]*watching{},
		wake: make(chan struct{}, 1), over: make(chan struct{})}
}

// listen begins to collect the news of a request. The caller looks at it then,
// and says by first what it saw, so that nothing falls between the two.
func (w *watcher) listen(id string) *listener {
	l := &listener{id: id, news: make(chan RequestState, newsKept)}
	w.mu.Lock()
	defer w.mu.Unlock()
	of := w.watched[id]
	if of == nil {
		of = &watched{listeners: map[*listener]struct{}{}, looked: time.Now()}
		w.watched[id] = of
	}
	of.listeners[l] = struct{}{}
	return l
}

func (w *watcher) first(l *listener, seen RequestState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if of := w.watched[l.id]; of != nil && of.last == nil {
		of.last, of.looked = &seen, time.Now()
	}
}

func (w *watcher) leave(l *listener) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if of := w.watched[l.id]; of != nil {
		if delete(of.listeners, l); len(of.listeners) == 0 {
			delete(w.watched, l.id)
		}
	}
}

// admit counts a wait or a stream of a client, or refuses it. Who was admitted
// calls the function returned when it is over.
func (w *watcher) admit(client string, count func(*watching) *int, most int) (leave func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := w.clients[client]
	if of == nil {
		of = &watching{}
		w.clients[client] = of
	}
	n := count(of)
	if *n >= most || !w.running {
		return nil, false
	}
	*n++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		*n--
		if *of == (watching{}) {
			delete(w.clients, client)
		}
	}, true
}

// run tells the news until ctx ends.
func (w *watcher) run(ctx context.Context) {
	w.mu.Lock()
	w.running = true
	w.mu.Unlock()
	var looks sync.WaitGroup
	defer func() {
		w.mu.Lock()
		w.running = false
		w.mu.Unlock()
		close(w.over)
		looks.Wait()
	}()
	for range looksMost {
		looks.Go(func() { w.lookOn(ctx) })
	}
	moves := w.queue.Moves(ctx)
	sweep := time.NewTicker(time.Second)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case move, open := <-moves:
			if !open {
				moves = nil
				continue
			}
			w.heard(move)
		case now := <-sweep.C:
			w.sweep(now)
		}
	}
}

// steps are the states that workers' hints alone tell.
var steps = map[string]ledger.State{
	string(ledger.StageRead): ledger.StateRendering, string(ledger.StageRender): ledger.StateRendering,
	string(ledger.StageSeal): ledger.StateSealing, string(ledger.StageStore): ledger.StateStoring,
	queue.StepRetrying: ledger.StateRetrying,
}

// heard takes a hint. What the worker does is news at once; that it has let go
// is a reason to ask the ledger.
func (w *watcher) heard(m queue.Move) {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := w.watched[m.ID]
	if of == nil {
		return
	}
	state, onTheWay := steps[m.Step]
	if of.last == nil || !onTheWay {
		w.ask(m.ID, of, of.last != nil)
		return
	}
	if final(of.last.State) {
		return // a hint that came late
	}
	news := *of.last
	news.State, news.NextTryAt, of.hinted = string(state), nil, true
	w.tell(of, news)
}

// sweep asks for a look at what nobody has looked at for long. A map gives its
// entries in an order of chance, so everyone has a turn.
func (w *watcher) sweep(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := 0
	for id, of := range w.watched {
		if asked == sweepMost {
			break
		}
		if !of.due && !of.busy && now.Sub(of.looked) >= sweepAge {
			w.ask(id, of, false)
			asked++
		}
	}
}

// ask asks for a look. Its caller has the lock.
func (w *watcher) ask(id string, of *watched, alone bool) {
	if of.due {
		of.alone = of.alone && alone
		return
	}
	of.due, of.alone = true, alone
	if !of.busy {
		w.queueUp(id)
	}
}

func (w *watcher) queueUp(id string) {
	w.pending = append(w.pending, id)
	w.rouse()
}

// rouse wakes one who looks.
func (w *watcher) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next takes an id that a look is asked for.
func (w *watcher) next() (id string, alone, found bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) > 0 {
		id, w.pending = w.pending[0], w.pending[1:]
		if of := w.watched[id]; of != nil && of.due && !of.busy {
			of.due, of.busy, of.hinted = false, true, false
			if len(w.pending) > 0 {
				w.rouse()
			}
			return id, of.alone, true
		}
	}
	w.pending = nil
	return "", false, false
}

func (w *watcher) lookOn(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		for ctx.Err() == nil {
			id, alone, found := w.next()
			if !found {
				break
			}
			asked, cancel := context.WithTimeout(ctx, lookWithin)
			seen, err := w.look(asked, id, alone)
			cancel()
			w.looked(id, seen, alone, err)
		}
	}
}

func (w *watcher) looked(id string, seen RequestState, alone bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := w.watched[id]
	if of == nil {
		return
	}
	of.busy, of.looked = false, time.Now()
	if of.due {
		w.queueUp(id)
	}
	if err != nil {
		return // the next sweep asks again
	}
	// The ledger alone does not know what a worker does, and what a hint told
	// meanwhile is newer.
	if !final(seen.State) && (alone || of.hinted) {
		return
	}
	w.tell(of, seen)
}

// tell passes on what is new. Its caller has the lock.
func (w *watcher) tell(of *watched, news RequestState) {
	if of.last != nil && of.last.tag() == news.tag() {
		return
	}
	of.last = &news
	for l := range of.listeners {
		for sent := false; !sent; {
			select {
			case l.news <- news:
				sent = true
			default:
				select {
				case <-l.news: // the oldest gives way
				default:
				}
			}
		}
	}
}

// await waits until a request has ended, ctx ends or d is over, and returns the
// last that is known of it. seen is what the caller has seen after it called
// listen.
func (w *watcher) await(ctx context.Context, l *listener, seen RequestState, d time.Duration) RequestState {
	w.first(l, seen)
	over := time.NewTimer(d)
	defer over.Stop()
	for !final(seen.State) {
		select {
		case seen = <-l.news:
		case <-over.C:
			return seen
		case <-ctx.Done():
			return seen
		case <-w.over:
			return seen
		}
	}
	return seen
}

// final reports whether a request in this state waits for nobody but staff.
func final(state string) bool {
	switch ledger.State(state) {
	case ledger.StateIssued, ledger.StateFailed, ledger.StateCancelled, ledger.StateWithdrawn, ledger.StateReplaced, ledger.StateErased:
		return true
	}
	return false
}
