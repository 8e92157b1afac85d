package index_test

import (
	"testing"
	"time"

	"segell/index"
	"segell/ledger"
	"segell/storage/storagetest"
)

func TestTempo(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	now := time.Date(2026, 3, 2, 9, 2, 0, 0, time.UTC)
	d.config.Now = func() time.Time { return now }
	d.Index = index.New(d.config)
	serial := 0
	accept := func(at time.Time) ledger.Standing {
		t.Helper()
		serial++
		id, err := ledger.NewID(at, readerOf(serial))
		if err != nil {
			t.Fatal(err)
		}
		s := ledger.Standing{ID: id, Kind: "work_history", State: ledger.StateAccepted}
		if err := d.Enter(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	issue := func(s ledger.Standing, after time.Duration) {
		t.Helper()
		s.State, s.Failure = ledger.StateIssued, nil
		told := ledger.TimeOf(s.ID).Add(after)
		s.Record = &ledger.Record{Versions: []ledger.Version{{At: told.Truncate(time.Second)}}}
		for range 2 { // to be told twice counts once
			if err := d.EnterTold(t.Context(), told, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := time.Date(2026, 3, 2, 8, 1, 0, 0, time.UTC)
	for i := range 100 {
		issue(accept(at), time.Duration(i+1)*100*time.Millisecond) // 0.1 s to 10 s
	}
	late := accept(at)
	late.State, late.Failure = ledger.StateFailed, &ledger.Failure{Cause: "tsa_away", FailedAt: at.Add(6 * time.Minute)}
	if err := d.Enter(t.Context(), late, late); err != nil {
		t.Fatal(err)
	}
	issue(late, 12*time.Minute)
	accept(now.AddDate(0, 0, -3)) // too long ago to be told

	slots, err := d.Tempo(t.Context(), 2)
	if err != nil || len(slots) != 24 {
		t.Fatalf("%d slots, %v", len(slots), err)
	}
	if first, last := slots[0].Begins, slots[23].Begins; !last.Equal(now.Truncate(5*time.Minute)) || !first.Equal(last.Add(-115*time.Minute)) {
		t.Errorf("slots are from %v to %v", first, last)
	}
	near := func(got, want time.Duration) bool { return got > want*94/100 && got < want*106/100 }
	for _, s := range slots {
		var want index.Slot
		switch {
		case s.Begins.Equal(at.Truncate(5 * time.Minute)):
			if want = (index.Slot{Accepted: 101, Issued: 100}); !near(s.Median, 5*time.Second) || !near(s.P95, 9500*time.Millisecond) {
				t.Errorf("half took %v, 95 %% %v", s.Median, s.P95)
			}
		case s.Begins.Equal(at.Add(6 * time.Minute).Truncate(5 * time.Minute)):
			want.Failed = 1
		case s.Begins.Equal(at.Add(12 * time.Minute).Truncate(5 * time.Minute)):
			if want.Issued = 1; !near(s.Median, 12*time.Minute) || s.P95 != s.Median {
				t.Errorf("it took %v, %v", s.Median, s.P95)
			}
		}
		if s.Accepted != want.Accepted || s.Issued != want.Issued || s.Failed != want.Failed {
			t.Errorf("in the slot of %v: %+v", s.Begins, s)
		}
	}
	for hours, want := range map[int]int{-1: 12, 0: 12, 1: 12, 48: 576, 1000: 576} {
		if slots, err := d.Tempo(t.Context(), hours); err != nil || len(slots) != want {
			t.Errorf("%d hours have %d slots, %v", hours, len(slots), err)
		}
	}
}

// Of what the index learns from the register alone only the second of its issue is
// known: it has no duration that is none.
func TestTheTempoOfAnIndexThatWasBuiltAgain(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	now := time.Date(2026, 3, 2, 9, 2, 0, 0, time.UTC)
	d.config.Now = func() time.Time { return now }
	d.Index = index.New(d.config)
	serial := 0
	issue := func(at time.Time, took time.Duration, told time.Time) {
		t.Helper()
		serial++
		id, err := ledger.NewID(at, readerOf(serial))
		if err != nil {
			t.Fatal(err)
		}
		s := ledger.Standing{ID: id, Kind: "work_history", State: ledger.StateIssued,
			Record: &ledger.Record{IssuedAt: at.Truncate(time.Second), Versions: []ledger.Version{{At: at.Add(took).Truncate(time.Second)}}}}
		if err := d.EnterTold(t.Context(), told, s); err != nil {
			t.Fatal(err)
		}
	}
	slot := func(at time.Time) index.Slot {
		t.Helper()
		slots, err := d.Tempo(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range slots {
			if s.Begins.Equal(at.Truncate(5 * time.Minute)) {
				return s
			}
		}
		t.Fatalf("no slot of %v", at)
		return index.Slot{}
	}
	// Accepted late in a second, and issued before its end or soon after.
	at := time.Date(2026, 3, 2, 8, 31, 0, 700e6, time.UTC)
	for i := range 40 {
		issue(at, time.Duration(100+50*i)*time.Millisecond, time.Time{})
	}
	if s := slot(at); s.Issued != 40 || s.Median != 0 || s.P95 != 0 {
		t.Errorf("forty that took 0.1 to 2 s, nobody knows how long exactly: %+v", s)
	}
	// Those that took long are known well enough, and are the slowest of all.
	for range 10 {
		issue(at, 90*time.Second, time.Time{})
	}
	if s := slot(at); s.Issued != 50 || s.Median != 0 || s.P95 < 85*time.Second || s.P95 > 95*time.Second {
		t.Errorf("with ten that took 90 s: %+v", s)
	}
	// By the clock of who issued it, it was issued before it was accepted.
	early := at.Add(10 * time.Minute)
	issue(early, -200*time.Millisecond, early.Add(-200*time.Millisecond))
	if s := slot(early); s.Issued != 1 || s.Median != 0 || s.P95 != 0 {
		t.Errorf("of two clocks: %+v", s)
	}
}
