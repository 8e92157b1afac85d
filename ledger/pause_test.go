package ledger_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"segell/ledger"
	"segell/storage"
)

func TestPauses(t *testing.T) {
	s := newSetting(t)
	kind := ledger.Pause{Scope: ledger.PauseKind, Name: "coverage_certificate", Who: " anna ", Why: "the rates are being corrected"}
	for _, bad := range []ledger.Pause{{}, {Scope: "moon", Name: "x", Who: "x", Why: "x"}, {Scope: ledger.PauseKind, Name: "x", Who: "x", Why: " "}} {
		if err := s.Pause(t.Context(), bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if err := s.Pause(t.Context(), kind); err != nil {
		t.Fatal(err)
	}
	again := kind
	again.Who = "berta"
	if err := s.Pause(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	pauses, err := s.Pauses(t.Context())
	if err != nil || len(pauses) != 1 || pauses[0].Who != "anna" || !pauses[0].Since.Equal(noon) {
		t.Errorf("pauses %+v, %v; the first stands", pauses, err)
	}
	if ended, err := s.Resume(t.Context(), ledger.PauseQueue, kind.Name); err != nil || ended {
		t.Errorf("another scope was resumed: %v, %v", ended, err)
	}
	if ended, err := s.Resume(t.Context(), kind.Scope, kind.Name); err != nil || !ended {
		t.Errorf("resumed: %v, %v", ended, err)
	}
	if pauses, err := s.Pauses(t.Context()); err != nil || len(pauses) != 0 {
		t.Errorf("pauses %+v, %v", pauses, err)
	}
}

// Two who change the pauses at once, and a reply that was lost, lose nothing.
func TestPausesChangedAtOnce(t *testing.T) {
	s := newSetting(t)
	var lost sync.Once
	s.bucket.After = func(op, key string) (err error) {
		if op == "replace" {
			lost.Do(func() { err = fmt.Errorf("%w: the reply is lost", storage.ErrChanged) })
		}
		return err
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := s.Pause(t.Context(), ledger.Pause{Scope: ledger.PauseQueue, Name: fmt.Sprint(i), Who: "anna", Why: "x"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	pauses, err := s.Pauses(t.Context())
	if err != nil || len(pauses) != 8 {
		t.Fatalf("%d pauses are left of 8, %v", len(pauses), err)
	}
	lost = sync.Once{}
	if ended, err := s.Resume(t.Context(), ledger.PauseQueue, "3"); err != nil || !ended {
		t.Errorf("resumed: %v, %v", ended, err)
	}
	for info, err := range s.bucket.List(t.Context(), "", "") {
		if err != nil || !strings.HasPrefix(info.Key, "control/") {
			t.Errorf("%s lies there, %v", info.Key, err)
		}
	}
}
