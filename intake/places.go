package intake

import (
	"context"
	"io"
	"sync"
)

// places is the room for bodies, in bytes. One client holds at most half of it,
// so that none shuts the door to the others; and long bodies, or those of unknown
// length, at most three quarters of that, so that its own short ones get in.
type places struct {
	most int64

	mu       sync.Mutex
	held     int64
	byClient map[string]int64
	freed    chan struct{} // closed when some room was given back
}

func newPlaces(most int64) *places {
	return &places{most: most, byClient: map[string]int64{}, freed: make(chan struct{})}
}

// take waits for room for a body of a length, -1 for unknown, until ctx ends;
// then it returns nil.
func (p *places) take(ctx context.Context, client string, length int64) *place {
	size, share := min(max(length, bodyLeast), bodyLargest), p.most/2
	if length < 0 {
		size = bodyLargest
	}
	if size > bodyLong {
		share = share * 3 / 4
	}
	size = min(size, share)
	for {
		p.mu.Lock()
		if p.held+size <= p.most && p.byClient[client]+size <= share {
			p.add(client, size)
			p.mu.Unlock()
			return &place{places: p, client: client, size: size}
		}
		freed := p.freed
		p.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil
		}
	}
}

// add counts size bytes more, or fewer, as held by a client.
func (p *places) add(client string, size int64) {
	p.held += size
	if p.byClient[client] += size; p.byClient[client] == 0 {
		delete(p.byClient, client)
	}
}

// place is the room that one body has. It is for one goroutine.
type place struct {
	places *places
	client string
	size   int64
}

// shrink gives back all but size bytes.
func (p *place) shrink(size int64) {
	if size >= p.size {
		return
	}
	p.places.mu.Lock()
	defer p.places.mu.Unlock()
	p.places.add(p.client, size-p.size)
	p.size = size
	close(p.places.freed)
	p.places.freed = make(chan struct{})
}

// placedBody shrinks its place when it has been read: a handler may go on for long
// after that, and holds no more than what it read.
type placedBody struct {
	io.ReadCloser
	place *place
	read  int64
}

func (b *placedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if err != nil {
		b.place.shrink(max(b.read, bodyLeast))
	}
	return n, err
}
