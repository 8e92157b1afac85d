package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"segell/ledger"
	"segell/storage"
)

// failedOf is a failure of a request at an hour.
func failedOf(id string, hour int) ledger.Failure {
	at := noon.Add(time.Duration(hour) * time.Hour)
	return ledger.Failure{ID: id, Kind: "coverage_certificate", Client: "portal", Stage: ledger.StageSeal, Cause: "tsa_away", Detail: fmt.Sprint("hour ", hour),
		FailedAt: at, Tries: []ledger.Try{{At: at.Add(-time.Minute), Stage: ledger.StageSeal, Cause: "tsa_away"}, {At: at, Stage: ledger.StageSeal, Cause: "tsa_away"}}}
}

func detailsOf(t *testing.T, s *setting, id string) (details []string) {
	t.Helper()
	past, err := s.Past(t.Context(), ledger.Standing{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range past {
		if f.ID != id || len(f.Tries) != 2 {
			t.Errorf("kept %+v", f)
		}
		details = append(details, f.Detail)
	}
	return details
}

// What a request failed of is kept when it is opened again and when it is taken
// back, each once, wherever whoever did it ended.
func TestAFailureIsKeptThatWasOvercome(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	id := accept(t, s.Ledger, "a").ID
	if past := detailsOf(t, s, id); past != nil {
		t.Errorf("a request that never failed has the past %q", past)
	}
	acts := []func() error{
		func() error { _, err := s.Reopen(ctx, id); return err },
		func() error { _, err := s.Reopen(ctx, id); return err },
		func() error { _, err := s.Cancel(ctx, id, ledger.CancelInError); return err },
	}
	var want []string
	for hour, act := range acts {
		if err := s.GiveUp(ctx, failedOf(id, hour)); err != nil {
			t.Fatal(err)
		}
		for dies := 1; ; dies++ {
			writes := 0
			s.bucket.Fault = func(op, _ string) error {
				if op == "create" || op == "write" || op == "replace" || op == "delete" {
					if writes++; writes >= dies {
						return storage.ErrUnavailable
					}
				}
				return nil
			}
			err := act()
			s.bucket.Fault = nil
			if err == nil {
				break
			}
			if dies > 20 {
				t.Fatal(err)
			}
			if _, err := s.Failure(ctx, id); err != nil { // the act itself was done
				if hour == len(acts)-1 {
					_ = act()
				}
				break
			}
		}
		if want = append(want, fmt.Sprint("hour ", hour)); !slices.Equal(detailsOf(t, s, id), want) {
			t.Errorf("kept %q, want %q", detailsOf(t, s, id), want)
		}
	}
	if standing, err := s.Look(ctx, id); err != nil || standing.State != ledger.StateCancelled {
		t.Errorf("it stands as %+v, %v", standing, err)
	}
}

// Of many failures the first and the newest are kept; what was kept and cannot be
// read is left to staff, and does not keep a request from being opened again.
func TestAPastWithoutEnd(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	id := accept(t, s.Ledger, "a").ID
	again := func(hour int) {
		t.Helper()
		err := s.GiveUp(ctx, failedOf(id, hour))
		if err == nil {
			_, err = s.Reopen(ctx, id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for hour := range 30 {
		again(hour)
	}
	past := detailsOf(t, s, id)
	if len(past) != 20 || past[0] != "hour 0" || past[1] != "hour 11" || past[19] != "hour 29" {
		t.Errorf("of thirty there are %q", past)
	}
	key := keys(t, s.bucket, "past/")
	if len(key) != 1 {
		t.Fatalf("kept under %q", key)
	}
	if _, err := s.bucket.Write(ctx, key[0], []byte("{"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	again(30)
	if _, err := s.Past(ctx, ledger.Standing{ID: id}); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("what is no past reads %v", err)
	}
	if object, err := s.bucket.Get(ctx, key[0]); err != nil || string(object.Body) != "{" {
		t.Errorf("what staff must look at is %q, %v", object.Body, err)
	}
}

// Who opens a request again ends between the two writes: its failure is told once.
func TestAFailureIsToldOnce(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	id := accept(t, s.Ledger, "a").ID
	if err := s.GiveUp(ctx, failedOf(id, 1)); err != nil {
		t.Fatal(err)
	}
	s.bucket.Fault = func(op, key string) error {
		if op == "delete" {
			return storage.ErrUnavailable
		}
		return nil
	}
	if _, err := s.Reopen(ctx, id); err == nil {
		t.Fatal("it did not end")
	}
	s.bucket.Fault = nil
	standing, err := s.Look(ctx, id)
	if err != nil || standing.State != ledger.StateFailed || len(detailsOf(t, s, id)) != 1 {
		t.Fatalf("it stands as %+v, %v, with the past %q", standing, err, detailsOf(t, s, id))
	}
	if past, err := s.Past(ctx, standing); err != nil || len(past) != 0 {
		t.Errorf("its failure is told twice: %+v, %v", past, err)
	}
}
