package main

import (
	"slices"
	"testing"
	"time"

	"segell/ledger"
)

// The trail is read chain by chain, and shown in the order of time.
func TestTheAuditTrailIsShownInOrderOfTime(t *testing.T) {
	at := func(minute int, what string) ledger.AuditRecord {
		var r ledger.AuditRecord
		r.At, r.What = time.Date(2026, 3, 1, 9, minute, 0, 0, time.UTC), what
		return r
	}
	records := []ledger.AuditRecord{at(1, "a"), at(4, "d"), at(4, "e"), at(2, "b"), at(3, "c")}
	byTime(records)
	var order []string
	for _, r := range records {
		order = append(order, r.What)
	}
	if !slices.Equal(order, []string{"a", "b", "c", "d", "e"}) {
		t.Errorf("shown in the order %v", order)
	}
}
