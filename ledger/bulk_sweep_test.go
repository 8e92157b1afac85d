package ledger_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"segell/ledger"
	"segell/storage"
)

// What is left of bulks goes: the list of one that is over, whose end came before
// it was deleted, and, after a day, what was written for one that never began. What
// is under way, or being written, stays.
func TestWhatIsLeftOfBulksGoes(t *testing.T) {
	s := newSetting(t)
	now := noon
	s.bucket.Now = func() time.Time { return now }
	s.config.Now = s.bucket.Now
	s.Ledger = open(t, s.config)
	create := func() ledger.Bulk {
		b, err := s.CreateBulk(t.Context(), order(t, s), ids(t, s, 6_000))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	over, running, damaged := create(), create(), create()
	if _, err := s.AmendBulk(t.Context(), over.ID, func(b *ledger.Bulk) error { b.State = ledger.BulkDone; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.bucket.Write(t.Context(), "bulks/"+damaged.ID+"/order", []byte("{"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	never := order(t, s)
	s.bucket.Fault = func(op, key string) error {
		if op == "create" && strings.HasSuffix(key, "/order") {
			return storage.ErrUnavailable
		}
		return nil
	}
	if _, err := s.CreateBulk(t.Context(), never, ids(t, s, 3)); err == nil {
		t.Fatal("a bulk was written without its order")
	}
	s.bucket.Fault = nil
	kept := slices.DeleteFunc(keys(t, s.bucket, "bulks/"), func(key string) bool { return strings.Contains(key, over.ID+"/ids/") })
	sweep := func(deleted int, left []string) {
		t.Helper()
		n, err := s.SweepBulks(t.Context())
		if got := keys(t, s.bucket, "bulks/"); err != nil || n != deleted || !slices.Equal(got, left) {
			t.Errorf("%d deleted, %v; left are %v, want %v", n, err, got, left)
		}
	}
	sweep(2, kept)
	now = now.Add(23 * time.Hour)
	sweep(0, kept)
	now = now.Add(2 * time.Hour)
	sweep(1, slices.DeleteFunc(slices.Clone(kept), func(key string) bool { return strings.Contains(key, never.ID) }))
	if b, err := s.Bulk(t.Context(), running.ID); err != nil || b.State != ledger.BulkRunning {
		t.Errorf("the one under way: %+v, %v", b, err)
	}
}
