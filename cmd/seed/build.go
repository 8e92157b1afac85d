package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"segell/index"
	"segell/ledger"
	"segell/queue"
)

// buildIndex has the index built, and tells what it costs.
func buildIndex(ctx context.Context, address string, l *ledger.Ledger, out io.Writer) error {
	client, err := queue.Open(address)
	if err != nil {
		return err
	}
	defer client.Close()
	q := queue.New(client)
	before, _, err := q.Memory(ctx)
	if err != nil {
		return err
	}
	x := index.New(index.Config{Redis: client, Ledger: l, Queue: q, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { x.Run(ctx) })
	for told := time.Now(); ; {
		c, err := x.Condition(ctx)
		if err != nil {
			return err
		}
		switch {
		case c.TooBig:
			return fmt.Errorf("redis is too full for the index: it has %d rows", c.Done)
		case c.Complete:
			after, _, err := q.Memory(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "The index has %d rows. Its build took %v; Redis grew by %.1f MB.\n", c.Done, c.Took.Round(time.Millisecond), float64(after-before)/1e6)
			return nil
		case time.Since(told) > 10*time.Second:
			told = time.Now()
			fmt.Fprintf(out, "The index is being built: %d rows\n", c.Done)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
