package ledger_test

import (
	"slices"
	"testing"

	"segell/ledger"
	"segell/storage"
)

// A process ends after it has written a failure and before it looks for a
// tombstone, and one after it has written the tombstone and before it clears up:
// the request is cancelled, whoever asks, and what both left goes.
func TestAFailureBesideATombstone(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	var all []string
	for _, key := range []string{"a", "b", "c"} {
		all = append(all, accept(t, s.Ledger, key).ID)
	}
	slices.Sort(all)
	both := all[1]
	s.bucket.After = func(op, key string) error {
		if op == "create" && key == ledger.DocumentKey(both) {
			s.bucket.Fault = func(string, string) error { return storage.ErrUnavailable } // it dies
		}
		return nil
	}
	if _, err := s.Cancel(ctx, both, ledger.CancelInError); err == nil {
		t.Fatal("it did not die")
	}
	s.bucket.Fault, s.bucket.After = nil, nil
	for _, id := range all {
		s.bucket.After = func(op, key string) error {
			if op == "create" && id == both {
				s.bucket.Fault = func(string, string) error { return storage.ErrUnavailable }
			}
			return nil
		}
		_ = s.GiveUp(ctx, ledger.Failure{ID: id, Kind: "coverage_certificate", Cause: "data_unusable"})
		s.bucket.Fault, s.bucket.After = nil, nil
	}
	if left := keys(t, s.bucket, "failures/"); len(left) != 3 {
		t.Fatalf("there are %v", left)
	}
	if standing, err := s.Look(ctx, both); err != nil || standing.State != ledger.StateCancelled || standing.Failure != nil || standing.Reason != string(ledger.CancelInError) {
		t.Errorf("it stands as %+v, %v", standing, err)
	}
	var listed []string
	for f, err := range s.Failures(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, f.ID)
	}
	if !slices.Equal(listed, []string{all[0], all[2]}) {
		t.Errorf("listed as failed: %v of %v", listed, all)
	}
	if left := append(keys(t, s.bucket, "failures/"), keys(t, s.bucket, "requests/")...); len(left) != 4 {
		t.Errorf("left is %v", left)
	}
}
