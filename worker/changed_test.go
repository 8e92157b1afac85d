package worker

import (
	"testing"
	"time"

	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/samples"
)

// A document that another one replaces has changed too: the index is told of both.
func TestTheIndexIsToldOfWhatIsReplaced(t *testing.T) {
	client, err := queue.Open("redis://" + servers.NewRedis(t, servers.RedisOptions{}).Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	b := newBench(t)
	b.Queue = queue.New(client)
	b.Queue.Keep(t.Context())
	old := b.accept(t, sample(t, samples.Standard))
	if err := b.handle(t.Context(), task(old, queue.Door)); err != nil {
		t.Fatal(err)
	}
	changes, err := b.Queue.Changes(t.Context(), 10)
	if err != nil || len(changes) != 1 || changes[0].ID != old {
		t.Fatalf("told are %v, %v", changes, err)
	}
	if err := b.Queue.Settle(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	receipt, err := b.Ledger.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: "k", Kind: "coverage_certificate", Code: "COB",
		CASSNumber: "000000A", Queue: queue.Interactive, Body: sample(t, samples.Standard), Replaces: old, At: b.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.handle(t.Context(), task(receipt.ID, queue.Door)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		told := map[string]bool{}
		changes, err := b.Queue.Changes(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			told[c.ID] = true
		}
		if told[old] && told[receipt.ID] {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("told are %v", changes)
		}
	}
}
