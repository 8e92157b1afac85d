package ledger_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"segell/ledger"
	"segell/storage"
)

var (
	firstEnd = noon.AddDate(1, 0, 0)
	laterEnd = noon.AddDate(6, 0, 0)
)

// archived issues a document whose proof has an end.
func archived(t *testing.T, s *setting, key string) string {
	t.Helper()
	id := accept(t, s.Ledger, key).ID
	request, err := s.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Issue(t.Context(), request, []byte("%PDF sealed "+id), ledger.Document{Level: "B-LTA", Pages: 1, Certificate: "c", ProofEnd: firstEnd})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(t.Context(), request, d, "ca", "", ledger.Masked{}, ledger.Making{}); err != nil {
		t.Fatal(err)
	}
	return id
}

// renew does what a pass does with one document: it finishes what an earlier one
// left, or renews.
func renew(t *testing.T, s *setting, id string) error {
	t.Helper()
	record, err := s.Record(t.Context(), id)
	if err != nil {
		return err
	}
	stored, err := s.Stored(t.Context(), id)
	if err != nil {
		return err
	}
	if current, _ := record.Current(); current.SHA256 != stored.SHA256 {
		return s.Settle(t.Context(), id, stored.SHA256)
	}
	return s.Renewed(t.Context(), id, stored, append(bytes.Clone(stored.PDF), "% time-stamp "+rand.Text()...), laterEnd)
}

// sound checks what must hold at every moment: the bytes are a version of the
// record, and describe themselves rightly.
func sound(t *testing.T, s *setting, id, when string) (ledger.Record, ledger.Document) {
	t.Helper()
	record, err := s.Record(t.Context(), id)
	if err != nil {
		t.Fatal(when, err)
	}
	d, err := s.Issued(t.Context(), id)
	if err != nil {
		t.Fatal(when, err)
	}
	current, ok := record.Current()
	if !ok || !record.Holds(d.SHA256) || !record.Unsettled() && (current.SHA256 != d.SHA256 || !current.ProofEnd.Equal(d.ProofEnd) || current.Size != d.Size) {
		t.Errorf("%s: the bytes are %+v, the record says %+v", when, d, record.Versions)
	}
	return record, d
}

// Whatever operation of the renewal is lost, the next pass ends with one settled
// version, and meanwhile no copy is unknown to the register.
func TestRenewalMayDieAnywhere(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for n := 0; ; n++ {
			s := newSetting(t)
			id := archived(t, s, "1")
			before, err := s.Stored(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			when := fmt.Sprintf("dead at operation %d (lost reply: %v)", n, lost)
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
			first := renew(t, s, id)
			s.bucket.Fault, s.bucket.After = nil, nil
			if !hit {
				if first != nil || n < 5 {
					t.Fatalf("%v after %d operations", first, n)
				}
				break
			}
			sound(t, s, id, when)
			if err := renew(t, s, id); err != nil {
				t.Fatal(when, err)
			}
			record, d := sound(t, s, id, when)
			after, err := s.Stored(t.Context(), id)
			if err != nil || record.Unsettled() || !bytes.HasPrefix(after.PDF, before.PDF) || len(after.PDF) == len(before.PDF) || !d.ProofEnd.Equal(laterEnd) {
				t.Errorf("%s: in the end %+v, %v", when, record.Versions, err)
			}
			if record.Versions[0].SHA256 != before.SHA256 || d.Certificate != "c" || d.Level != "B-LTA" || d.Pages != 1 {
				t.Errorf("%s: what was known before is lost: %+v, %+v", when, record.Versions, d)
			}
		}
	}
}

// Two at once: one wins, the other notices, and no version stays pending.
func TestTwoRenewalsOfOneDocument(t *testing.T) {
	s := newSetting(t)
	id := archived(t, s, "1")
	var inner error
	nested := false
	s.bucket.Fault = func(op, key string) error {
		if op == "replace" && key == ledger.DocumentKey(id) && !nested {
			nested = true
			inner = renew(t, s, id)
		}
		return nil
	}
	if err := renew(t, s, id); !errors.Is(err, ledger.ErrOvertaken) || inner != nil {
		t.Errorf("the loser: %v; the winner: %v", err, inner)
	}
	record, _ := sound(t, s, id, "after both")
	if record.Unsettled() || len(record.Versions) != 2 {
		t.Errorf("versions %+v", record.Versions)
	}
}

func TestRenewalNeverUndoesAnErasureOrAWithdrawal(t *testing.T) {
	s := newSetting(t)
	id := archived(t, s, "1")
	s.bucket.Fault = func(op, key string) error {
		if op == "replace" && key == ledger.DocumentKey(id) {
			s.bucket.Fault = nil
			_, err := s.bucket.Write(t.Context(), key, nil, storage.Put{Metadata: map[string]string{"tombstone": "erased"}})
			return err
		}
		return nil
	}
	if err := renew(t, s, id); !errors.Is(err, ledger.ErrErased) {
		t.Errorf("erased meanwhile: %v", err)
	}
	if _, err := s.Stored(t.Context(), id); !errors.Is(err, ledger.ErrErased) {
		t.Errorf("the tombstone: %v", err)
	}
	id = archived(t, s, "2")
	s.bucket.Fault = func(op, key string) error {
		if op == "replace" { // of the record
			s.bucket.Fault = nil
			_, err := s.Withdraw(t.Context(), id, ledger.WithdrawnInError)
			return err
		}
		return nil
	}
	if err := renew(t, s, id); err != nil {
		t.Fatal(err)
	}
	if record, _ := sound(t, s, id, "withdrawn meanwhile"); record.Status != ledger.StateWithdrawn || len(record.Versions) != 2 {
		t.Errorf("record %+v", record)
	}
}

func TestOnlyWhatBeginsWithTheOldIsPutInItsPlace(t *testing.T) {
	s := newSetting(t)
	id := archived(t, s, "1")
	stored, err := s.Stored(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	changed := append(bytes.Clone(stored.PDF), "% more"...)
	changed[3] ^= 1
	for name, pdf := range map[string][]byte{"a byte changed": changed, "the same": stored.PDF, "shorter": stored.PDF[:10], "nothing": nil} {
		if err := s.Renewed(t.Context(), id, stored, pdf, laterEnd); err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
	if record, _ := sound(t, s, id, "after refusals"); len(record.Versions) != 1 {
		t.Errorf("versions %+v", record.Versions)
	}
}

func TestTheRegisterIsWalkedOldestFirst(t *testing.T) {
	s := newSetting(t)
	now := noon
	s.config.Now = func() time.Time { return now }
	s.Ledger = open(t, s.config)
	var ids []string
	for n, at := range []time.Time{noon.AddDate(0, 9, 3), noon, noon.AddDate(1, 0, 0), noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 1).Add(time.Hour)} {
		submission := submission(fmt.Sprint(n))
		submission.At = at
		receipt, err := s.Accept(t.Context(), submission)
		if err != nil {
			t.Fatal(err)
		}
		issue(t, s, receipt.ID)
		ids = append(ids, receipt.ID)
	}
	var got []string
	for id, err := range s.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	if !slices.Equal(got, sorted(ids...)) {
		t.Errorf("walked %v, want %v", got, sorted(ids...))
	}
	for _, broken := range []string{"list", "folders"} {
		s.bucket.Fault = func(op, _ string) error {
			if op == broken {
				return storage.ErrUnavailable
			}
			return nil
		}
		ended := false
		for _, err := range s.Records(t.Context()) {
			ended = errors.Is(err, storage.ErrUnavailable)
		}
		if !ended {
			t.Errorf("a failing %s is not told", broken)
		}
	}
}
