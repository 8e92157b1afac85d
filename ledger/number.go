package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"segell/storage"
)

// numberBlockSize is how many document numbers a process reserves at once. What
// it does not use before it ends is lost: numbers are unique, neither gapless
// nor in order.
const numberBlockSize = 1000

// numbers hands out document numbers, a block at a time per year and kind.
type numbers struct {
	mu     sync.Mutex
	blocks map[string]*numberBlock
}

type numberBlock struct {
	turn      chan struct{} // holds one token; a wait for it ends with the context
	next, end int64
}

type counter struct {
	Next int64 `json:"next"`
}

// nextNumber returns a document number such as CASS-2026-COB-0001234, which no
// other call in any process gets. The digits widen past 9,999,999, never wrap.
func (l *Ledger) nextNumber(ctx context.Context, year int, code string) (string, error) {
	key := counterKey(year, code)
	l.numbers.mu.Lock()
	block := l.numbers.blocks[key]
	if block == nil {
		block = &numberBlock{turn: make(chan struct{}, 1)}
		block.turn <- struct{}{}
		l.numbers.blocks[key] = block
	}
	l.numbers.mu.Unlock()

	select {
	case <-block.turn:
		defer func() { block.turn <- struct{}{} }()
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for document numbers: %w", ctx.Err())
	}
	if block.next == block.end {
		first, err := l.reserveNumbers(ctx, key)
		if err != nil {
			return "", err
		}
		block.next, block.end = first, first+numberBlockSize
	}
	n := block.next
	block.next++
	return fmt.Sprintf("CASS-%d-%s-%07d", year, code, n), nil
}

// reserveNumbers moves the counter at key on by one block and returns the
// block's first number. A write whose outcome is unknown costs its block.
func (l *Ledger) reserveNumbers(ctx context.Context, key string) (first int64, err error) {
	for {
		var c counter
		object, err := l.readJSON(ctx, key, &c)
		switch {
		case errors.Is(err, ErrNotFound):
			c.Next = 1
		case err != nil:
			return 0, fmt.Errorf("reading the document counter: %w", err)
		case c.Next < 1:
			return 0, fmt.Errorf("%w: the document counter is below one", ErrDamaged)
		}
		body, err := json.Marshal(counter{Next: c.Next + numberBlockSize})
		if err != nil {
			return 0, err
		}
		if object.ETag == "" {
			_, err = l.objects.Create(ctx, key, body, storage.Put{ContentType: jsonType})
		} else {
			_, err = l.objects.Replace(ctx, key, object.ETag, body, storage.Put{ContentType: jsonType})
		}
		switch {
		case err == nil:
			return c.Next, nil
		case errors.Is(err, storage.ErrExists), errors.Is(err, storage.ErrChanged):
			if ctx.Err() != nil {
				return 0, fmt.Errorf("reserving document numbers: %w", ctx.Err())
			}
			continue // another process was first, or our own write before a lost reply
		default:
			return 0, fmt.Errorf("reserving document numbers: %w", err)
		}
	}
}
