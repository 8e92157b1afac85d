package audit

import (
	"fmt"
	"time"

	"segell/ledger"
)

// Filled returns a Reader that knows n entries of two hundred clerks, and has no
// bucket to ask for more.
func Filled(n int) *Reader {
	r := &Reader{Config: Config{Now: time.Now}, chains: map[string]*chain{}, found: map[ledger.AuditFault]bool{}, asOf: time.Now().Add(time.Hour), complete: true}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		at := begin.Add(time.Duration(i) * time.Second)
		r.unsorted = append(r.unsorted, newEntry(ledger.AuditRecord{Writer: fmt.Sprintf("0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7%03x", i%100), Sequence: int64(i/100 + 1), At: at,
			AuditEntry: ledger.AuditEntry{Who: fmt.Sprintf("clerk%d", i%200), What: "jobs.retry", ID: fmt.Sprintf("0199e0a0-5b7c-7c1e-9a54-%012x", i),
				Why: fmt.Sprintf("incident %d", i%1000), From: fmt.Sprintf("192.0.2.%d", i%200)}}))
	}
	r.settle()
	return r
}
