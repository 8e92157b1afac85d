package acts

import (
	"context"
	"errors"
	"sync"
	"time"

	"segell/ledger"
)

// chains are what processes wrote into the audit trail for a bulk since a window
// was claimed: on which of its requests they had begun to act. The zero chains are
// of a window that nobody else was at.
type chains struct {
	ledger    *ledger.Ledger
	bulk      string
	claimedAt time.Time
	mu        sync.Mutex
	heads     []ledger.AuditHead // as far as they were read
	ids       map[string]bool
}

// read reads on to the end of every chain.
func (c *chains) read(ctx context.Context) error {
	for i := range c.heads {
		head := &c.heads[i]
		for {
			record, _, err := c.ledger.AuditAt(ctx, ledger.AuditPlace{Writer: head.Writer, Sequence: head.Sequence + 1})
			if errors.Is(err, ledger.ErrNotFound) {
				break
			}
			if err != nil && !errors.Is(err, ledger.ErrDamaged) {
				return err
			}
			if err == nil && record.Bulk == c.bulk {
				c.ids[record.ID] = true
			}
			head.Sequence++
		}
	}
	return nil
}

// has reports whether somebody had begun with a request.
func (c *chains) has(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[id]
}

// hasNow reads on before it answers: whoever claimed the window may be alive after
// all, and act while we look.
func (c *chains) hasNow(ctx context.Context, id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[id] || c.ledger != nil && c.read(ctx) == nil && c.ids[id]
}
