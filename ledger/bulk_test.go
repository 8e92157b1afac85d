package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"segell/ledger"
	"segell/storage"
)

func order(t *testing.T, s *setting) ledger.Bulk {
	t.Helper()
	id, err := ledger.NewID(noon, s.config.Random)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Bulk{ID: id, What: "retry", Selection: []byte(`{"ids":[]}`), Why: "the certificate is installed", Who: "anna", State: ledger.BulkRunning}
}

func ids(t *testing.T, s *setting, n int) []string {
	t.Helper()
	out := make([]string, n)
	for i := range out {
		var err error
		if out[i], err = ledger.NewID(noon, s.config.Random); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// What a bulk means is what was given, from any place on, and goes when it is over.
func TestABulkMeansWhatWasGiven(t *testing.T) {
	s := newSetting(t)
	meant := ids(t, s, 12_001)
	b, err := s.CreateBulk(t.Context(), order(t, s), meant)
	if err != nil || b.Total != len(meant) || !b.Proposed.Equal(noon) {
		t.Fatalf("%+v, %v", b, err)
	}
	for _, from := range []int{0, 1, 4_999, 5_000, 9_999, 12_000, 12_001} {
		var got []string
		for id, err := range s.BulkIDs(t.Context(), b, from) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, id)
		}
		if !slices.Equal(got, meant[from:]) {
			t.Errorf("from %d: %d ids", from, len(got))
		}
	}
	if listed, err := s.Bulks(t.Context()); err != nil || len(listed) != 1 || listed[0] != b.ID {
		t.Errorf("listed: %v, %v", listed, err)
	}
	if err := s.CloseBulk(t.Context(), b); err == nil {
		t.Error("the list of a bulk that is under way was deleted")
	}
	done, err := s.AmendBulk(t.Context(), b.ID, func(b *ledger.Bulk) error {
		b.State, b.Total, b.List, b.What = ledger.BulkDone, 1, "other", "cancel" // what it means stays
		return nil
	})
	if err != nil || done.State != ledger.BulkDone || done.Total != b.Total || done.List != b.List || done.What != "retry" {
		t.Errorf("%+v, %v", done, err)
	}
	for range 2 {
		if err := s.CloseBulk(t.Context(), done); err != nil {
			t.Fatal(err)
		}
	}
	if left := keys(t, s.bucket, "bulks/"); len(left) != 1 {
		t.Errorf("left is %v", left)
	}
	for name, wrong := range map[string][]string{"nothing": nil, "no id": {"17"}, "too many": make([]string, ledger.BulkMost+1)} {
		if _, err := s.CreateBulk(t.Context(), order(t, s), wrong); err == nil {
			t.Errorf("a bulk of %s was written", name)
		}
	}
}

// A bulk is written once, whoever else writes one of the same id; a part of a list
// that is damaged is told, not guessed.
func TestABulkIsWrittenOnce(t *testing.T) {
	s := newSetting(t)
	b := order(t, s)
	var all sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	for i := range 8 {
		meant := ids(t, s, i+1)
		all.Go(func() {
			kept, err := open(t, s.config).CreateBulk(t.Context(), b, meant)
			if err != nil && !errors.Is(err, ledger.ErrBulkExists) {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			won[fmt.Sprint(kept.List, " ", kept.Total)]++
		})
	}
	all.Wait()
	if len(won) != 1 || len(keys(t, s.bucket, "bulks/")) != 2 {
		t.Errorf("%v won; there are %v", won, keys(t, s.bucket, "bulks/"))
	}

	lost := order(t, s)
	s.bucket.After = func(op, key string) error {
		if op == "create" && strings.HasSuffix(key, "/order") {
			s.bucket.After = nil
			return storage.ErrExists // our own write, whose reply was lost and which was tried again
		}
		return nil
	}
	kept, err := s.CreateBulk(t.Context(), lost, ids(t, s, 3))
	if err != nil || kept.Total != 3 {
		t.Errorf("%+v, %v", kept, err)
	}
	for _, key := range keys(t, s.bucket, "bulks/"+kept.ID+"/ids/") {
		if _, err := s.bucket.Write(t.Context(), key, []byte("17\n18"), storage.Put{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range s.BulkIDs(t.Context(), kept, 0) {
		if !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("a damaged list: %v", err)
		}
	}
	if _, err := s.Bulk(t.Context(), "../17"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a bulk of no id: %v", err)
	}
}

// Of two that write how far a bulk is, one learns that it is overtaken; a lost
// reply is no overtaking.
func TestProgressIsOvertaken(t *testing.T) {
	s := newSetting(t)
	b, err := s.CreateBulk(t.Context(), order(t, s), ids(t, s, 5))
	if err != nil {
		t.Fatal(err)
	}
	one, err := s.BulkProgress(t.Context(), b.ID)
	if err != nil || one.Next != 0 {
		t.Fatalf("%+v, %v", one, err)
	}
	other := one
	one.Next = 1
	if one, err = s.SaveBulkProgress(t.Context(), b.ID, one); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveBulkProgress(t.Context(), b.ID, other); !errors.Is(err, ledger.ErrOvertaken) {
		t.Errorf("begun by both: %v", err)
	}
	if other, err = s.BulkProgress(t.Context(), b.ID); err != nil || other.Next != 1 {
		t.Fatalf("%+v, %v", other, err)
	}
	other.Next = 2
	if other, err = s.SaveBulkProgress(t.Context(), b.ID, other); err != nil {
		t.Fatal(err)
	}
	one.Next = 3
	if _, err := s.SaveBulkProgress(t.Context(), b.ID, one); !errors.Is(err, ledger.ErrOvertaken) {
		t.Errorf("written over another's: %v", err)
	}
	s.bucket.After = func(op, key string) error {
		if op == "replace" {
			s.bucket.After = nil
			return storage.ErrChanged
		}
		return nil
	}
	other.Next = 4
	if other, err = s.SaveBulkProgress(t.Context(), b.ID, other); err != nil {
		t.Errorf("its own write whose reply was lost: %v", err)
	}
	other.Next = 5
	if _, err = s.SaveBulkProgress(t.Context(), b.ID, other); err != nil {
		t.Errorf("and the one after: %v", err)
	}
}
