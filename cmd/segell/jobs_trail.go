package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"golang.org/x/sync/errgroup"

	"segell/ledger"
)

// trailAtOnce is how many entries of the audit trail are read at a time.
const trailAtOnce = 16

// trail reads what was written into the audit trail from a time on and before
// another (zero: until now), in the order in which it was done. Chains are in the
// order of time, so that only the part that is asked for is read.
func (p *staff) trail(ctx context.Context, from, until time.Time, match func(ledger.AuditRecord) bool) ([]ledger.AuditRecord, error) {
	lengths := map[string]int64{}
	for place, err := range p.Ledger.AuditPlaces(ctx, time.Time{}) {
		if err != nil {
			return nil, fmt.Errorf("looking into the audit trail: %w", err)
		}
		if until.IsZero() || ledger.TimeOf(place.Writer).Before(until) {
			lengths[place.Writer] = max(lengths[place.Writer], place.Sequence)
		}
	}
	var found []ledger.AuditRecord
	for writer, last := range lengths {
		records, err := p.chain(ctx, writer, last, from, until)
		if err != nil {
			return nil, fmt.Errorf("looking into the audit trail: %w", err)
		}
		for _, record := range records {
			if record.Writer != "" && match(record) {
				found = append(found, record)
			}
		}
	}
	byTime(found)
	return found, nil
}

// chain reads the entries of one chain that were written in a span of time; one
// that cannot be read is a zero record.
func (p *staff) chain(ctx context.Context, writer string, last int64, from, until time.Time) (records []ledger.AuditRecord, err error) {
	read := func(sequence int64) (ledger.AuditRecord, error) {
		record, _, err := p.Ledger.AuditAt(ctx, ledger.AuditPlace{Writer: writer, Sequence: sequence})
		if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrDamaged) { // `segell audit verify` tells of it
			return ledger.AuditRecord{}, nil
		}
		return record, err
	}
	place := func(at time.Time) int64 { // of the first entry that was written then or later
		return 1 + int64(sort.Search(int(last), func(i int) bool {
			record, reading := read(int64(i) + 1)
			if reading != nil {
				err = reading
			}
			return !record.At.IsZero() && !record.At.Before(at)
		}))
	}
	first, end := place(from), last+1
	if !until.IsZero() {
		end = place(until)
	}
	if err != nil || first >= end {
		return nil, err
	}
	records = make([]ledger.AuditRecord, end-first)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(trailAtOnce)
	for i := range records {
		group.Go(func() (err error) {
			records[i], err = read(first + int64(i))
			return err
		})
	}
	return records, group.Wait()
}
