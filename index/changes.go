package index

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// listeners are those in this process who want to know that something changed. One
// subscription serves them all, while there are any.
type listeners struct {
	mu   sync.Mutex
	all  map[chan struct{}]bool
	stop context.CancelFunc
}

// Changes yields when something in the index may have changed, until ctx ends,
// which closes it; many changes are one. While Redis is away nothing comes, and
// what changed meanwhile may go untold: who must know looks from time to time.
func (x *Index) Changes(ctx context.Context) <-chan struct{} {
	l := &x.listeners
	news := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		l.all = map[chan struct{}]bool{}
		var hearing context.Context
		hearing, l.stop = context.WithCancel(context.Background())
		go l.hear(hearing, x.Redis.Subscribe(hearing, movedName))
	}
	l.all[news] = true
	context.AfterFunc(ctx, func() { l.leave(news) })
	return news
}

func (l *listeners) leave(news chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, news)
	close(news)
	if len(l.all) == 0 {
		l.stop()
	}
}

func (l *listeners) hear(ctx context.Context, heard *redis.PubSub) {
	defer heard.Close()
	messages := heard.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-messages:
			if !open {
				return
			}
			l.tell()
		}
	}
}

func (l *listeners) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for news := range l.all {
		select {
		case news <- struct{}{}:
		default: // it has one to read
		}
	}
}
