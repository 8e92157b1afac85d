package upkeep_test

import (
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"segell/ledger"
	"segell/storage/storagetest"
	"segell/upkeep"
)

// kept is a register at a time that a test moves.
type kept struct {
	*upkeep.Retention
	t    *testing.T
	at   time.Time
	ids  map[string]string
	told []string // ids of which it was told that they changed
}

func newKept(t *testing.T, policy upkeep.Policy) *kept {
	t.Helper()
	k := &kept{t: t, at: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), ids: map[string]string{}}
	bucket := &storagetest.Memory{Now: func() time.Time { return k.at }}
	k.Retention = &upkeep.Retention{Ledger: ledgerOn(t, bucket), Policy: policy, Now: func() time.Time { return k.at }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		OnChanged: func(id string) { k.told = append(k.told, id) }}
	return k
}

// issue registers a document of a kind.
func (k *kept) issue(kind, validUntil string) string {
	k.t.Helper()
	id := k.accept(kind)
	request, err := k.Ledger.Request(k.t.Context(), id)
	if err != nil {
		k.t.Fatal(err)
	}
	d, err := k.Ledger.Issue(k.t.Context(), request, []byte("%PDF"), ledger.Document{Level: "B-T", Pages: 1})
	if err == nil {
		err = k.Ledger.Finish(k.t.Context(), request, d, "ca", validUntil, ledger.Masked{}, ledger.Making{})
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return id
}

func (k *kept) accept(kind string) string {
	k.t.Helper()
	r, err := k.Ledger.Accept(k.t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: kind, Kind: kind, Code: "COB", CASSNumber: "000000A",
		Queue: "interactive", Body: []byte(`{}`), At: k.at})
	if err != nil {
		k.t.Fatal(err)
	}
	return r.ID
}

// pass makes a dry run and then a real one so many days after the beginning, and
// wants them to agree.
func (k *kept) pass(day int) upkeep.RetentionReport {
	k.t.Helper()
	k.at = time.Date(2026, 3, 2, 13, 0, 0, 0, time.UTC).AddDate(0, 0, day)
	k.told = nil
	dry, err := k.Pass(k.t.Context(), true, nil)
	if err != nil || len(k.told) != 0 {
		k.t.Fatalf("a dry run told of %q, %v", k.told, err)
	}
	wet, err := k.Pass(k.t.Context(), false, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	if dry.Files != wet.Files || dry.Records != wet.Records || dry.Cancelled != wet.Cancelled || dry.Traces != wet.Traces || dry.Failed+wet.Failed != 0 || !wet.Complete {
		k.t.Errorf("day %d: the dry run says %+v, the real one %+v", day, dry, wet)
	}
	return wet
}

func TestRetention(t *testing.T) {
	k := newKept(t, upkeep.Policy{Documents: map[string]int{"travel_form": 100}, Default: 10, Records: 1000, Failed: 30, Keys: 400})
	ctx := t.Context()
	extract, certificate, form, failed := k.issue("points_extract", ""), k.issue("coverage_certificate", "2026-03-31"), k.issue("travel_form", ""), k.accept("income_extract")
	if err := k.Ledger.GiveUp(ctx, ledger.Failure{ID: failed, Kind: "income_extract", Cause: "missing_glyph", FailedAt: k.at}); err != nil {
		t.Fatal(err)
	}
	state := func(id string) (ledger.State, bool) {
		standing, err := k.Ledger.Look(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return standing.State, standing.Record != nil && standing.Record.RemovedAt != nil
	}
	for _, step := range []struct {
		day                       int
		files, records, cancelled int
		keys                      int
	}{
		{9, 0, 0, 0, 0},
		{10, 1, 0, 0, 0}, // the extract, ten days after its issue
		{11, 0, 0, 0, 0}, // only once
		{30, 0, 0, 1, 0}, // the failure
		{39, 0, 0, 0, 0},
		{41, 1, 0, 0, 0},  // the certificate, ten days after its validity
		{101, 1, 0, 0, 0}, // the form, whose kind has a time of its own
		{401, 0, 0, 0, 4},
		{1001, 0, 3, 0, 0},
		{1002, 0, 0, 0, 0},
	} {
		r := k.pass(step.day)
		if r.Files != step.files || r.Records != step.records || r.Cancelled != step.cancelled || r.Keys != step.keys {
			t.Errorf("day %d: %+v, want %+v", step.day, r, step)
		}
		if len(k.told) != step.records+step.cancelled {
			t.Errorf("day %d: told was of %q", step.day, k.told)
		}
		switch step.day {
		case 30:
			if !slices.Equal(k.told, []string{failed}) {
				t.Errorf("told was of %q, not of the failure", k.told)
			}
			if s, _ := state(failed); s != ledger.StateCancelled {
				t.Errorf("what failed long ago stands at %q", s)
			}
		case 101:
			for _, id := range []string{extract, certificate, form} {
				if s, gone := state(id); s != ledger.StateIssued || !gone {
					t.Errorf("a document whose file was removed stands at %q, removed: %t", s, gone)
				}
			}
		case 1001:
			for _, id := range []string{extract, certificate, form} {
				if !slices.Contains(k.told, id) {
					t.Errorf("nobody was told that %s is out of the register", id)
				}
			}
			for _, id := range []string{extract, failed} {
				if _, err := k.Ledger.Look(ctx, id); !errors.Is(err, ledger.ErrNotFound) {
					t.Errorf("a request whose time is over is still there: %v", err)
				}
			}
			if r.Traces != 2 {
				t.Errorf("of a request that was cancelled %d traces were removed, want its tombstone and its pointer", r.Traces)
			}
		}
	}
}

// Without a policy nothing is ever removed.
func TestNoRetention(t *testing.T) {
	k := newKept(t, upkeep.Policy{})
	if id := k.issue("points_extract", ""); id == "" || !k.Policy.Empty() {
		t.Fatal("not a policy that keeps all")
	}
	if r := k.pass(36500); r.Files+r.Records+r.Cancelled+r.Keys != 0 {
		t.Errorf("removed %+v", r)
	}
}

// An erasure that did not come to its end does so, and those who show lists are told.
func TestErasuresGoOn(t *testing.T) {
	k := newKept(t, upkeep.Policy{})
	issued, waiting := k.issue("points_extract", ""), k.accept("travel_form")
	if _, err := k.Ledger.OpenErasure(t.Context(), "000000A", "clerk", "petition 12"); err != nil {
		t.Fatal(err)
	}
	job := (&upkeep.Erasures{Ledger: k.Ledger, Log: k.Log, OnChanged: k.OnChanged}).Job(time.Minute)
	for range 2 { // the second time there is nothing left to do
		if err := job.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{issued, waiting}
	slices.Sort(want)
	if slices.Sort(k.told); !slices.Equal(k.told, want) {
		t.Errorf("told was of %q, not of %q", k.told, want)
	}
	for id, want := range map[string]ledger.State{issued: ledger.StateErased, waiting: ledger.StateCancelled} {
		if standing, err := k.Ledger.Look(t.Context(), id); err != nil || standing.State != want {
			t.Errorf("%s stands at %q, %v; want %q", id, standing.State, err, want)
		}
	}
}
