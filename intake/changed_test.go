package intake_test

import (
	"slices"
	"testing"
	"time"
)

// The index of the console learns of what is accepted, once, and its door waits
// for nothing.
func TestWhatIsAcceptedIsToldToTheIndex(t *testing.T) {
	d := newDoor(t)
	d.queue.Keep(t.Context())
	key := with("Idempotency-Key", "k")
	id := d.accepted(key)
	// told waits until somebody is told of these, and takes the notes away.
	told := func(want ...string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			changes, err := d.queue.Changes(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, c := range changes {
				ids = append(ids, c.ID)
			}
			if slices.Equal(ids, want) {
				if err := d.queue.Settle(t.Context(), changes); err != nil {
					t.Fatal(err)
				}
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("told are %v, not %v", ids, want)
			}
		}
	}
	told(id)
	d.accepted(key) // the same again changes nothing
	told(d.accepted(with("Idempotency-Key", "another")))
}
