package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"segell/ledger"
	"segell/queue"
	"segell/samples"
	"segell/signing"
	"segell/storage"
)

// settled does what the reconciler would: whatever is unfinished is run again.
// Then it says how the request ended, and complains of what lies about.
func (b *bench) settled(t *testing.T, when, id string) ledger.State {
	t.Helper()
	for id, err := range b.Ledger.Unfinished(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if err := b.handle(t.Context(), task(id, queue.Reconciler)); err != nil {
			t.Fatalf("%s: the reconciler's run: %v", when, err)
		}
	}
	for f, err := range b.Ledger.Failures(t.Context()) { // takes away those beside a document
		t.Errorf("%s: staff are shown a failure: %v, %v", when, f, err)
	}
	standing, err := b.Ledger.Look(t.Context(), id)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	want := 0
	switch standing.State {
	case ledger.StateIssued:
		want = 1
	case ledger.StateCancelled:
		if standing.Client != "portal" || standing.Kind != "coverage_certificate" || standing.Number == "" {
			t.Errorf("%s: the tombstone says %+v", when, standing)
		}
	default:
		t.Errorf("%s: it ended %s", when, standing.State)
	}
	for prefix, n := range map[string]int{"requests/": 0, "failures/": 0, "work/": 0, "records/": want, "codes/": want, "documents/": 1} {
		if got := b.keys(t, prefix); len(got) != n {
			t.Errorf("%s: it ended %s and there lie %v, want %d", when, standing.State, got, n)
		}
	}
	return standing.State
}

// A cancellation comes between any two operations of an issue, and an issue
// between any two of a cancellation: exactly one of them wins, and says so.
func TestEitherTheCancellationWinsOrTheIssue(t *testing.T) {
	seen := map[ledger.State]int{}
	for _, failed := range []bool{false, true} {
		for _, inside := range []string{"issue", "cancel"} {
			for n := 0; ; n++ {
				b := newBench(t)
				id := b.accept(t, sample(t, samples.Standard))
				if failed {
					if err := b.Ledger.GiveUp(t.Context(), ledger.Failure{ID: id, Cause: "unexpected"}); err != nil {
						t.Fatal(err)
					}
				}
				var cancelled error
				cancel := func() { _, cancelled = b.Ledger.Cancel(context.Background(), id, ledger.CancelledByClient) }
				issue := func() {
					if err := b.handle(context.Background(), task(id, queue.Door)); err != nil {
						t.Errorf("the worker ended with %v", err)
					}
				}
				outer, inner := issue, cancel
				if inside == "cancel" {
					outer, inner = cancel, issue
				}
				count, hit := 0, false
				b.bucket.Fault = func(op, key string) error {
					if count++; count == n+1 {
						hit = true
						inner()
					}
					return nil
				}
				outer()
				b.bucket.Fault = nil
				if !hit {
					if n < 4 {
						t.Fatalf("only %d operations: the test sees too few", n)
					}
					break
				}
				when := fmt.Sprintf("inside %s at operation %d, failed before: %v", inside, n, failed)
				state := b.settled(t, when, id)
				seen[state]++
				if won := cancelled == nil; won != (state == ledger.StateCancelled) || !won && !errors.Is(cancelled, ledger.ErrIssued) {
					t.Errorf("%s: the cancellation said %v and the request is %s", when, cancelled, state)
				}
				if _, err := b.Ledger.Cancel(t.Context(), id, ledger.CancelledByClient); (err == nil) != (state == ledger.StateCancelled) {
					t.Errorf("%s: cancelled again: %v", when, err)
				}
			}
		}
	}
	if seen[ledger.StateIssued] == 0 || seen[ledger.StateCancelled] == 0 {
		t.Errorf("one side always won: %v", seen)
	}
}

// Who cancels may die before or after any operation: what is left is run to its
// end by the reconciler, and cancelling again ends it too.
func TestACancellationMayDieAnywhere(t *testing.T) {
	for _, failed := range []bool{false, true} {
		for _, lost := range []bool{false, true} {
			for _, repeated := range []bool{false, true} {
				for n := 0; ; n++ {
					b := newBench(t)
					id := b.accept(t, sample(t, samples.Standard))
					if failed {
						if err := b.Ledger.GiveUp(t.Context(), ledger.Failure{ID: id, Cause: "unexpected"}); err != nil {
							t.Fatal(err)
						}
					}
					count, hit := 0, false
					die := func(op, key string) error {
						if count++; count > n {
							hit = true
							return fmt.Errorf("%w: dead", storage.ErrUnavailable)
						}
						return nil
					}
					if lost {
						b.bucket.After = die
					} else {
						b.bucket.Fault = die
					}
					_, err := b.Ledger.Cancel(t.Context(), id, ledger.CancelledByClient)
					b.bucket.Fault, b.bucket.After = nil, nil
					if !hit {
						if err != nil || n < 4 {
							t.Fatalf("after %d operations: %v", n, err)
						}
						break
					}
					if err == nil {
						t.Fatalf("operation %d was lost, and the cancellation says that all is well", n)
					}
					when := fmt.Sprintf("dead at operation %d, lost reply %v, failed before %v, repeated %v", n, lost, failed, repeated)
					if repeated {
						if _, err := b.Ledger.Cancel(t.Context(), id, ledger.CancelledByClient); err != nil {
							t.Errorf("%s: cancelled again: %v", when, err)
						}
					}
					if standing, err := b.Ledger.Look(t.Context(), id); err != nil || standing.State == ledger.StateFailed {
						if err == nil && len(b.keys(t, "documents/")) == 0 {
							continue // it died before it had done anything: the failure still stands, whole
						}
						t.Fatalf("%s: it stands %s, %v", when, standing.State, err)
					}
					if state := b.settled(t, when, id); repeated && state != ledger.StateCancelled {
						t.Errorf("%s: it ended %s", when, state)
					}
				}
			}
		}
	}
}

// A run that gives a request up while it is cancelled leaves no failure behind.
func TestACancelledRequestIsNotGivenUp(t *testing.T) {
	for _, at := range []string{"create", "get"} {
		b := newBench(t)
		id := b.accept(t, sample(t, samples.Standard))
		b.sealer.seal = func(context.Context, []byte) ([]byte, error) { return nil, signing.ErrCertificateExpired }
		done := false
		b.bucket.Fault = func(op, key string) error {
			if !done && op == at && (op == "create" || key == ledger.DocumentKey(id) && len(b.keys(t, "failures/")) > 0) {
				done = true
				if _, err := b.Ledger.Cancel(context.Background(), id, ledger.CancelledByClient); err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		if err := b.handle(t.Context(), task(id, queue.Door)); err != nil || !done {
			t.Errorf("cancelled beside %s (%v): the worker ended with %v", at, done, err)
		}
		b.bucket.Fault = nil
		if state := b.settled(t, "cancelled beside "+at, id); state != ledger.StateCancelled {
			t.Errorf("it ended %s", state)
		}
	}
}

// A worker may die at any operation of a replacement: in the end the new document
// is in force and the old one names it.
func TestAReplacementMayDieAnywhere(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for n := 0; ; n++ {
			b := newBench(t)
			old := b.accept(t, sample(t, samples.Standard))
			if err := b.handle(t.Context(), task(old, queue.Door)); err != nil {
				t.Fatal(err)
			}
			receipt, err := b.Ledger.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: "k", Kind: "coverage_certificate", Code: "COB",
				CASSNumber: "000000A", Queue: queue.Interactive, Body: sample(t, samples.Standard), Replaces: old, At: b.now})
			if err != nil {
				t.Fatal(err)
			}
			count, hit := 0, false
			die := func(op, key string) error {
				if count++; count > n {
					hit = true
					return fmt.Errorf("%w: dead", storage.ErrUnavailable)
				}
				return nil
			}
			if lost {
				b.bucket.After = die
			} else {
				b.bucket.Fault = die
			}
			first := b.handle(t.Context(), task(receipt.ID, queue.Door))
			b.bucket.Fault, b.bucket.After = nil, nil
			if hit {
				// Never is the old one marked while the new one is not in the register.
				before, err := b.Ledger.Record(t.Context(), old)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := b.Ledger.Record(t.Context(), receipt.ID); err != nil && before.Status != ledger.StateIssued {
					t.Errorf("dead at operation %d (lost reply %v): the old one is %s and the new one not there", n, lost, before.Status)
				}
				for id := range b.Ledger.Unfinished(t.Context()) {
					if err := b.handle(t.Context(), task(id, queue.Reconciler)); err != nil {
						t.Fatalf("dead at operation %d (lost reply %v): the next run: %v", n, lost, err)
					}
				}
			} else if first != nil {
				t.Fatal(first)
			}
			was, err := b.Ledger.Record(t.Context(), old)
			if err != nil || was.Status != ledger.StateReplaced || was.ReplacedBy != receipt.Number || was.WithdrawnAt == nil {
				t.Errorf("dead at operation %d (lost reply %v): the old record is %+v, %v", n, lost, was, err)
			}
			is, err := b.Ledger.Record(t.Context(), receipt.ID)
			if err != nil || is.Status != ledger.StateIssued || is.Replaces != old {
				t.Errorf("dead at operation %d (lost reply %v): the new record is %+v, %v", n, lost, is, err)
			}
			if left := b.keys(t, "requests/"); len(left) > 0 {
				t.Errorf("dead at operation %d (lost reply %v): left behind %v", n, lost, left)
			}
			if !hit {
				if n < 7 {
					t.Fatalf("only %d operations: the test sees too few", n)
				}
				break
			}
		}
	}
}
