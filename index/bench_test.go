package index_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"segell/index"
	"segell/ledger"
	"segell/storage/storagetest"
)

// BenchmarkSearch measures what staff do on a register of a million requests, with
// SEGELL_BENCH_ROWS of another size:
//
//	go test ./index -run '^$' -bench Search -benchtime 300x
func BenchmarkSearch(b *testing.B) {
	rows := 1_000_000
	if text := os.Getenv("SEGELL_BENCH_ROWS"); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	d := newDesk(b, &storagetest.Memory{})
	began := time.Now()
	fillDirectly(b, d, rows)
	used, _, err := d.queue.Memory(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	b.Run("size", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := d.queue.Memory(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(used)/1e6, "MB")
		b.ReportMetric(float64(used)/float64(rows), "B/row")
		b.ReportMetric(float64(rows)/took.Seconds(), "rows-in/s")
	})
	groups, err := d.Groups(b.Context())
	if err != nil || len(groups) == 0 {
		b.Fatal(groups, err)
	}
	middle := index.Query{Until: base.Add(time.Duration(rows/2) * time.Second)}
	const day = 24 * time.Hour
	far, err := d.Search(b.Context(), middle)
	if err != nil || far.Older == "" {
		b.Fatal(far, err)
	}
	search := func(q index.Query) func(context.Context) error {
		return func(ctx context.Context) error {
			page, err := d.Search(ctx, q)
			if err == nil && len(page.Rows) == 0 {
				return fmt.Errorf("%+v finds nothing", q)
			}
			return err
		}
	}
	for _, c := range []struct {
		name string
		ask  func(context.Context) error
	}{
		{"newest", search(index.Query{})},
		{"deep", search(index.Query{Cursor: far.Older})},
		{"back", search(index.Query{Cursor: far.Older, Newer: true})},
		{"kind_and_state", search(index.Query{Kinds: []string{"kind3"}, States: []ledger.State{ledger.StateWithdrawn}})},
		{"failed", search(index.Query{States: []ledger.State{ledger.StateFailed}})},
		{"cause", search(index.Query{Cause: "tsa_away"})},
		{"group", search(index.Query{Group: groups[0].ID})},
		{"a_day", search(index.Query{From: middle.Until.Add(-day), Until: middle.Until, Limit: 500})},
		{"groups", func(ctx context.Context) error { _, err := d.Groups(ctx); return err }},
		{"counts", func(ctx context.Context) error { _, err := d.Counts(ctx); return err }},
		{"oldest_waiting", func(ctx context.Context) error { _, _, err := d.OldestWaiting(ctx); return err }},
		{"number", func(ctx context.Context) error { _, err := d.ByNumber(ctx, "CASS-2026-K03-0000003"); return err }},
		{"tempo_24h", func(ctx context.Context) error { _, err := d.Tempo(ctx, 24); return err }},
		{"condition", func(ctx context.Context) error { _, err := d.Condition(ctx); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var worst time.Duration
			for b.Loop() {
				began := time.Now()
				if err := c.ask(b.Context()); err != nil {
					b.Fatal(err)
				}
				worst = max(worst, time.Since(began))
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
		})
	}
}

// fillDirectly enters a register of eleven kinds of which 97 % are issued, 2 % failed
// and 1 % wait.
func fillDirectly(b *testing.B, d *desk, rows int) {
	b.Helper()
	var batch []ledger.Standing
	for i := range rows {
		at := base.Add(time.Duration(i) * time.Second)
		id, err := ledger.NewID(at, readerOf(i))
		if err != nil {
			b.Fatal(err)
		}
		kind := i % 11
		number := fmt.Sprintf("CASS-2026-K%02d-%07d", kind, i)
		s := ledger.Standing{ID: id, Kind: fmt.Sprint("kind", kind), Number: number, State: ledger.StateIssued}
		switch {
		case i%100 < 2:
			cause := []string{"missing_glyph", "tsa_away", "data_unusable"}[i/100%3]
			s.State = ledger.StateFailed
			s.Failure = &ledger.Failure{Stage: ledger.StageRender, Cause: cause, Detail: "in the form " + []string{"one", "two", "three", "four", "five", "six", "seven"}[i/300%7], FailedAt: at}
		case i%100 == 2:
			s.State = ledger.StateAccepted
		case i%100 < 5:
			s.State = ledger.StateWithdrawn
		}
		if batch = append(batch, s); len(batch) == 1000 || i == rows-1 {
			if err := d.Enter(b.Context(), batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// BenchmarkManyGroups measures what staff do on as many groups of failures as there
// can be, of eleven kinds:
//
//	go test ./index -run '^$' -bench ManyGroups -benchtime 100x
func BenchmarkManyGroups(b *testing.B) {
	d := newDesk(b, &storagetest.Memory{})
	const rows = 44 * index.GroupsMost
	var batch []ledger.Standing
	for i := range rows {
		s := failure(b, i, "unexpected", "in the form "+letters(i/44), base)
		s.Kind = fmt.Sprint("kind", i%11)
		if batch = append(batch, s); len(batch) == 1000 || i == rows-1 {
			if err := d.Enter(b.Context(), batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	cause := index.Query{Cause: "unexpected"}
	b.Run("cause", func(b *testing.B) {
		for b.Loop() {
			if page, err := d.Search(b.Context(), cause); err != nil || page.Total != rows {
				b.Fatal(page.Total, err)
			}
		}
	})
	b.Run("ids", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range d.IDs(b.Context(), cause) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != rows {
				b.Fatal(n)
			}
		}
	})
	b.Run("groups", func(b *testing.B) {
		for b.Loop() {
			if groups, err := d.Groups(b.Context()); err != nil || len(groups) != index.GroupsMost {
				b.Fatal(len(groups), err)
			}
		}
	})
}

// letters is a number as a word.
func letters(n int) string {
	word := ""
	for range 4 {
		word, n = word+string('k'+rune(n%10)), n/10
	}
	return word
}
