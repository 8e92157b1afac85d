package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/ledger"
	"segell/storage"
)

// household is one holder with a request in every state, and a neighbour's document.
type household struct {
	issued, waiting, failed, cancelled string
	neighbour                          string
}

const sealedBytes = "%PDF of Canari Groc, Aloma"

func newHousehold(t *testing.T, s *setting) household {
	t.Helper()
	ctx := t.Context()
	issue := func(id string) {
		request, err := s.Request(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Issue(ctx, request, []byte(sealedBytes), ledger.Document{Level: "B-T", Pages: 1})
		if err == nil {
			err = s.Finish(ctx, request, d, "ca", "", ledger.Mask("Canari Groc, Aloma", "000000A"), ledger.Making{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	h := household{issued: accept(t, s.Ledger, "1").ID, waiting: accept(t, s.Ledger, "2").ID, failed: accept(t, s.Ledger, "3").ID, cancelled: accept(t, s.Ledger, "4").ID}
	other := submission("5")
	other.CASSNumber = "000001B"
	receipt, err := s.Accept(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	h.neighbour = receipt.ID
	for _, id := range []string{h.issued, h.failed, h.cancelled} { // each has a past
		err := s.GiveUp(ctx, ledger.Failure{ID: id, Client: "portal", Kind: "coverage_certificate", Cause: "unexpected", FailedAt: noon.Add(-time.Hour)})
		if err == nil {
			_, err = s.Reopen(ctx, id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	issue(h.issued)
	issue(h.neighbour)
	if err := s.GiveUp(ctx, ledger.Failure{ID: h.failed, Client: "portal", Kind: "coverage_certificate", Cause: "missing_glyph", FailedAt: noon}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cancel(ctx, h.cancelled, ledger.CancelledByClient); err != nil {
		t.Fatal(err)
	}
	return h
}

// erased checks that nothing of the holder is left but what says "erased".
func (h household) erased(t *testing.T, s *setting, when string) {
	t.Helper()
	if left := keys(t, s.bucket, "past/"); len(left) != 0 {
		t.Errorf("%s: left is %q", when, left)
	}
	ctx := t.Context()
	for id, want := range map[string]ledger.State{h.issued: ledger.StateErased, h.waiting: ledger.StateCancelled, h.failed: ledger.StateCancelled,
		h.cancelled: ledger.StateCancelled, h.neighbour: ledger.StateIssued} {
		if standing, err := s.Look(ctx, id); err != nil || standing.State != want {
			t.Errorf("%s: a request stands at %q, %v; want %q", when, standing.State, err, want)
		}
	}
	holder := s.HolderDigest("000000A")
	for _, key := range keys(t, s.bucket, "") {
		object, err := s.bucket.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(key, "erasures/") || strings.Contains(key, h.neighbour) {
			continue
		}
		if strings.Contains(key, holder) || strings.Contains(string(object.Body), holder) || strings.Contains(string(object.Body), "0A") && strings.HasPrefix(key, "records/") ||
			strings.Contains(string(object.Body), "Canari") {
			t.Errorf("%s: %s still tells of the holder: %s", when, key, object.Body)
		}
	}
	if left := keys(t, s.bucket, "requests/"); len(left) != 0 {
		t.Errorf("%s: %q are left", when, left)
	}
	if record, err := s.Record(ctx, h.neighbour); err != nil || record.Masked.Initials == "" {
		t.Errorf("%s: the neighbour lost something: %+v, %v", when, record, err)
	}
}

func TestErasure(t *testing.T) {
	s := newSetting(t)
	h := newHousehold(t, s)
	record, err := s.Record(t.Context(), h.issued)
	if err != nil || record.Code == "" {
		t.Fatal(err, record)
	}
	e, err := s.OpenErasure(t.Context(), "000000A", "clerk", "petition 12")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	e.OnChanged = func(id string) { told = append(told, id) }
	if e, err = s.Erase(t.Context(), e); err != nil || e.Documents != 1 || e.Requests != 3 || e.FinishedAt.IsZero() {
		t.Fatalf("%+v, %v", e, err)
	}
	h.erased(t, s, "after it")
	want := []string{h.issued, h.waiting, h.failed, h.cancelled}
	slices.Sort(want)
	if slices.Sort(told); !slices.Equal(told, want) {
		t.Errorf("told were %q, not %q", told, want)
	}
	for open, err := range s.OpenErasures(t.Context()) {
		t.Errorf("%+v, %v is still open", open, err)
	}
	// The same key and body again do not bring it back.
	if receipt := accept(t, s.Ledger, "1"); receipt.ID != h.issued || !receipt.Finished {
		t.Errorf("repeated: %+v", receipt)
	}
}

// Whatever operation of the erasure is lost, it is found open and comes to the same end.
func TestErasureMayDieAnywhere(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for n := 0; ; n++ {
			s := newSetting(t)
			h := newHousehold(t, s)
			count, hit := 0, false
			die := func(op, key string) error {
				if count++; count-1 == n {
					hit = true
				}
				if hit {
					return fmt.Errorf("%w: dead", storage.ErrUnavailable)
				}
				return nil
			}
			if lost {
				s.bucket.After = die
			} else {
				s.bucket.Fault = die
			}
			e, err := s.OpenErasure(t.Context(), "000000A", "clerk", "petition 12")
			if err == nil {
				_, err = s.Erase(t.Context(), e)
			}
			s.bucket.After, s.bucket.Fault = nil, nil
			if !hit {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			when := fmt.Sprintf("dead at operation %d (lost reply: %v)", n, lost)
			if len(keys(t, s.bucket, "erasures/")) == 0 {
				continue // nothing was promised yet
			}
			for e, err := range s.OpenErasures(t.Context()) {
				if err == nil {
					_, err = s.Erase(t.Context(), e)
				}
				if err != nil {
					t.Fatal(when, err)
				}
			}
			h.erased(t, s, when)
		}
	}
}

// A document that is between its bytes and its record is erased when it is there.
func TestErasureWaitsForWhatIsBeingIssued(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	id := accept(t, s.Ledger, "1").ID
	request, err := s.Request(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Issue(ctx, request, []byte(sealedBytes), ledger.Document{Level: "B-T", Pages: 1})
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.OpenErasure(ctx, "000000A", "clerk", "petition 12")
	if err != nil {
		t.Fatal(err)
	}
	if e, err = s.Erase(ctx, e); !errors.Is(err, ledger.ErrErasing) || !e.FinishedAt.IsZero() {
		t.Fatalf("%+v, %v", e, err)
	}
	if err := s.Finish(ctx, request, d, "ca", "", ledger.Mask("Canari Groc, Aloma", "000000A"), ledger.Making{}); err != nil {
		t.Fatal(err)
	}
	if e, err = s.Erase(ctx, e); err != nil || e.Documents != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	if standing, err := s.Look(ctx, id); err != nil || standing.State != ledger.StateErased {
		t.Errorf("%+v, %v", standing, err)
	}
}

// The door writes a holder's pointer first: an erasure that comes between the
// pointer and the request must find the request.
func TestErasureWaitsForTheDoor(t *testing.T) {
	s := newSetting(t)
	erased := false
	s.bucket.Fault = func(op, key string) error {
		if op == "create" && strings.HasPrefix(key, "requests/") && !erased {
			erased = true
			e, err := s.OpenErasure(t.Context(), "000000A", "clerk", "petition 12")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Erase(t.Context(), e); !errors.Is(err, ledger.ErrErasing) {
				t.Errorf("between pointer and request: %v", err)
			}
		}
		return nil
	}
	id := accept(t, s.Ledger, "1").ID
	s.bucket.Fault = nil
	for e, err := range s.OpenErasures(t.Context()) {
		if err == nil {
			_, err = s.Erase(t.Context(), e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if standing, err := s.Look(t.Context(), id); err != nil || standing.State != ledger.StateCancelled {
		t.Errorf("%+v, %v", standing, err)
	}
}

// A document that is missing in the bucket keeps nobody from being erased, its own
// holder neither.
func TestErasureOfADamagedDocument(t *testing.T) {
	s := newSetting(t)
	h := newHousehold(t, s)
	if err := s.bucket.Delete(t.Context(), ledger.DocumentKey(h.issued)); err != nil {
		t.Fatal(err)
	}
	e, err := s.OpenErasure(t.Context(), "000000A", "clerk", "petition 12")
	if err == nil {
		_, err = s.Erase(t.Context(), e)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.erased(t, s, "without its document")
}

// A file whose time is over goes, also when the process dies between two writes,
// and its place in the register stays until its own time is over.
func TestExpiryMayDieAnywhere(t *testing.T) {
	for n := 0; ; n++ {
		s := newSetting(t)
		h := newHousehold(t, s)
		count := 0
		s.bucket.Fault = func(op, key string) error {
			if count++; count > n {
				return fmt.Errorf("%w: dead", storage.ErrUnavailable)
			}
			return nil
		}
		err := s.Expire(t.Context(), h.issued)
		s.bucket.Fault = nil
		if err == nil {
			break
		}
		if record, err := s.Record(t.Context(), h.issued); err != nil || record.RemovedAt != nil && !record.Removing {
			if object, err := s.bucket.Get(t.Context(), ledger.DocumentKey(h.issued)); err != nil || len(object.Body) > 0 {
				t.Fatalf("after %d operations the record says that the file is gone, and it is not (%v)", n, err)
			}
		}
		for range 2 {
			if err := s.Expire(t.Context(), h.issued); err != nil {
				t.Fatal(n, err)
			}
		}
		record, err := s.Record(t.Context(), h.issued)
		if err != nil || record.Status != ledger.StateIssued || record.RemovedAt == nil || record.Removing || record.Masked.Initials == "" {
			t.Errorf("after %d operations and again: %+v, %v", n, record, err)
		}
		if object, err := s.bucket.Get(t.Context(), ledger.DocumentKey(h.issued)); err != nil || len(object.Body) != 0 {
			t.Errorf("after %d operations and again, the bytes are still there (%v)", n, err)
		}
	}
}

func TestUnregister(t *testing.T) {
	s := newSetting(t)
	h := newHousehold(t, s)
	for range 2 {
		if err := s.Unregister(t.Context(), h.issued); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Look(t.Context(), h.issued); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("it is still known: %v", err)
	}
	for _, key := range keys(t, s.bucket, "") {
		if strings.Contains(key, h.issued) {
			t.Errorf("%s is left", key)
		}
	}
	if left := keys(t, s.bucket, "codes/"); len(left) != 1 { // the neighbour's
		t.Errorf("codes left: %q", left)
	}
}

// Only what never became a document leaves traces that may go, and only long after.
func TestSweepTraces(t *testing.T) {
	s := newSetting(t)
	h := newHousehold(t, s)
	later := s.config
	later.Now = func() time.Time { return noon.AddDate(1, 0, 0) }
	l := open(t, later)
	if _, err := l.SweepTraces(t.Context(), noon.AddDate(1, 0, -1), false); err == nil {
		t.Error("traces of yesterday may go")
	}
	all := len(keys(t, s.bucket, ""))
	for _, step := range []struct {
		before time.Time
		dryRun bool
		want   int
	}{{noon, false, 0}, {noon.AddDate(0, 0, 1), true, 2}, {noon.AddDate(0, 0, 1), false, 2}, {noon.AddDate(0, 0, 1), false, 0}} {
		if n, err := l.SweepTraces(t.Context(), step.before, step.dryRun); err != nil || n != step.want {
			t.Errorf("%+v: %d, %v", step, n, err)
		}
	}
	for _, key := range keys(t, s.bucket, "") {
		if !strings.HasPrefix(key, "notify/") && strings.Contains(key, h.cancelled) {
			t.Errorf("%s is left", key)
		}
	}
	if left := len(keys(t, s.bucket, "")); left != all-3 { // two pointers or tombstones and a past
		t.Errorf("of %d objects %d are left", all, left)
	}
}
