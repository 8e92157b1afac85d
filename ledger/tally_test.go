package ledger_test

import (
	"errors"
	"sync"
	"testing"

	"segell/ledger"
	"segell/storage"
)

// Whoever counts at once counts all: no change is lost, none is made that was
// refused, and a tally that is damaged is not begun anew.
func TestTheTallyLosesNothing(t *testing.T) {
	s := newSetting(t)
	add := func(rows []ledger.TallyRow) ([]ledger.TallyRow, error) {
		return append(rows, ledger.TallyRow{Who: "anna", Count: 1, At: noon}), nil
	}
	if rows, err := s.Tally(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("before anything was counted: %v, %v", rows, err)
	}
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if err := s.ChangeTally(t.Context(), add); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	refusal := errors.New("too many")
	if err := s.ChangeTally(t.Context(), func(rows []ledger.TallyRow) ([]ledger.TallyRow, error) { return nil, refusal }); !errors.Is(err, refusal) {
		t.Errorf("refused: %v", err)
	}
	if rows, err := s.Tally(t.Context()); err != nil || len(rows) != 12 || rows[11].Who != "anna" || !rows[11].At.Equal(noon) {
		t.Errorf("counted by twelve at once: %v, %v", rows, err)
	}
	if _, err := s.bucket.Write(t.Context(), "control/tally", []byte("{"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	if err := s.ChangeTally(t.Context(), add); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("a damaged one: %v", err)
	}
}
