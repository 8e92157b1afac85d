package intake

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"segell/access"
	"segell/queue"
)

// The door takes no more than the press can print: beyond a number of unfinished
// requests it answers 429 and writes nothing, and the bytes of bodies that it
// holds at a time are bounded, so that its memory stays flat whoever comes.

const (
	// DefaultMostUnfinished is how many requests may be unfinished before the door
	// takes no more.
	DefaultMostUnfinished = 100_000
	// batchShare is how much of that, in percent, may be there before the door takes
	// no more for the queue of batches: people who wait keep the rest.
	batchShare = 75

	// bodiesMost is how many bytes of bodies are held at a time, and
	// bodiesWithin how long a body waits for its place.
	bodiesMost   = 256 << 20
	bodiesWithin = 5 * time.Second
	// bodyLargest is the place kept for a body that does not say how long it is, and
	// the most for any: no kind takes more, and of a batch no more than batchAtOnce
	// lines are held. bodyLeast is the place of the shortest.
	bodyLargest = 32 << 20
	bodyLeast   = 32 << 10
	// bodyLong is what makes a body a long one: see places.
	bodyLong = 1 << 20

	waitInteractive = 10 * time.Second
	waitBatch       = time.Minute
)

// full is the problem of a request for a queue that takes no more, or nil.
func (a *API) full(name string) *Problem {
	most, wait := int64(a.MostUnfinished), waitInteractive
	if name == queue.Batch {
		most, wait = most*batchShare/100, waitBatch
	}
	if a.Queue.Backlog() < most {
		return nil
	}
	return a.overloaded(wait, fmt.Sprintf("%d requests are unfinished: as many as may be for the priority %s.", most, name))
}

// overloaded asks to come back later, and not everybody at once.
func (a *API) overloaded(wait time.Duration, detail string) *Problem {
	p := a.problem("overloaded", detail)
	p.retryAfter = wait + rand.N(wait)
	return p
}

// bodies keeps a place for the body of a request before it is read. There is room
// for most bytes; who finds none within a time is turned away. When the body has
// been read, its place shrinks to what it is; it goes when the handler ends.
func (a *API) bodies(most int64, within time.Duration, next http.Handler) http.Handler {
	places := newPlaces(most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.ContentLength == 0 || r.Body == http.NoBody:
			next.ServeHTTP(w, r)
			return
		case r.Method != http.MethodPost: // nothing here reads it: it takes no place, and is not waited for
			access.Dismiss(w, r)
			r.ContentLength = 0
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		place := places.take(ctx, clientOf(r.Context()), r.ContentLength)
		if place == nil {
			w.Header().Set("Connection", "close") // its body is not read
			a.overloaded(waitInteractive, "Too many requests are being read at this moment.").write(w)
			return
		}
		defer place.shrink(0)
		r.Body = &placedBody{ReadCloser: r.Body, place: place}
		next.ServeHTTP(w, r)
	})
}
