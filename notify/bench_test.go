package notify

import (
	"testing"

	"segell/ledger"
)

// What a callback costs besides the object store: two reads, the call, a deletion.
func BenchmarkDeliver(b *testing.B) {
	c := newClient(b)
	bench := newBench(b, c.URL)
	names := make([]string, b.N)
	for i := range names {
		request := bench.accept(b, "")
		if err := bench.issue(b.Context(), request); err != nil {
			b.Fatal(err)
		}
		names[i] = request.ID + "/" + string(ledger.EventIssued)
	}
	b.ResetTimer()
	for _, name := range names {
		if again := bench.notifier.Deliver(b.Context(), name); again != 0 {
			b.Fatalf("again in %s", again)
		}
	}
}
