package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"segell/ledger"
	"segell/storage"
)

func entry(n int) ledger.AuditEntry {
	return ledger.AuditEntry{Who: "staff", What: "jobs.retry", ID: "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e", Why: fmt.Sprintf("reason %d", n), From: "host", Count: n}
}

// Two processes, many at once in each: two chains, whole, with every entry once.
func TestTheAuditTrailIsAChainPerProcess(t *testing.T) {
	s := newSetting(t)
	other := open(t, s.config)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			l := s.Ledger
			if i%2 == 0 {
				l = other
			}
			if err := l.Audit(t.Context(), entry(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	seen := map[int]bool{}
	for record, err := range s.AuditTrail(t.Context()) {
		if err != nil || record.Who != "staff" || !record.At.Equal(noon) {
			t.Errorf("%+v, %v", record, err)
		}
		seen[record.Count] = true
	}
	report, err := s.VerifyAudit(t.Context(), nil)
	if err != nil || len(report.Faults) > 0 || report.Entries != 40 || len(report.Heads) != 2 || len(seen) != 40 {
		t.Errorf("%+v, %v; %d entries seen", report, err, len(seen))
	}
	for _, head := range report.Heads {
		if head.Sequence != 20 {
			t.Errorf("a chain has %d entries", head.Sequence)
		}
	}
}

// A reply that is lost neither doubles an entry nor breaks the chain; an entry
// that could not be written is not said to be.
func TestTheAuditTrailAtAStoreThatFails(t *testing.T) {
	s := newSetting(t)
	audit := func(n int) error { return s.Audit(t.Context(), entry(n)) }
	if err := audit(1); err != nil {
		t.Fatal(err)
	}
	s.bucket.After = func(op, key string) error { // the write is done, the reply lost
		if op == "create" {
			return fmt.Errorf("%w: cut", storage.ErrUnavailable)
		}
		return nil
	}
	if err := audit(2); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a lost reply: %v", err)
	}
	s.bucket.After = nil
	if err := audit(2); err != nil { // its caller tries again: the same entry is there
		t.Error(err)
	}
	s.bucket.After = func(op, key string) error {
		if op == "create" {
			return fmt.Errorf("%w: cut", storage.ErrUnavailable)
		}
		return nil
	}
	_ = audit(3)
	s.bucket.After = nil
	s.bucket.Fault = func(op, key string) error {
		if op == "create" {
			return fmt.Errorf("%w: refused", storage.ErrDenied)
		}
		return nil
	}
	if err := audit(4); !errors.Is(err, storage.ErrDenied) {
		t.Errorf("a refused write: %v", err)
	}
	s.bucket.Fault = nil
	if err := audit(5); err != nil { // another entry, after one whose reply was lost
		t.Error(err)
	}
	var counts []int
	for record, err := range s.AuditTrail(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, record.Count)
	}
	report, err := s.VerifyAudit(t.Context(), nil)
	if fmt.Sprint(counts) != "[1 2 3 5]" || err != nil || len(report.Faults) > 0 {
		t.Errorf("the trail has %v: %+v, %v", counts, report, err)
	}
}

// Whatever is done to the bucket, verify says so; of a chain's end only with the
// heads from before.
func TestWhatIsDoneToTheAuditTrailIsSeen(t *testing.T) {
	for what, tamper := range map[string]func(t *testing.T, s *setting, keys []string){
		"one taken out":   func(t *testing.T, s *setting, keys []string) { remove(t, s, keys[2]) },
		"the first taken": func(t *testing.T, s *setting, keys []string) { remove(t, s, keys[0]) },
		"one changed": func(t *testing.T, s *setting, keys []string) {
			overwrite(t, s, keys[2], bytes.ReplaceAll(read(t, s, keys[2]), []byte("reason 3"), []byte("reason 9")))
		},
		"two exchanged": func(t *testing.T, s *setting, keys []string) {
			a, b := read(t, s, keys[1]), read(t, s, keys[2])
			overwrite(t, s, keys[1], b)
			overwrite(t, s, keys[2], a)
		},
		"one that is no entry": func(t *testing.T, s *setting, keys []string) { overwrite(t, s, keys[3], []byte("x")) },
		"one put in": func(t *testing.T, s *setting, keys []string) {
			overwrite(t, s, strings.TrimSuffix(keys[4], "5")+"6", bytes.ReplaceAll(read(t, s, keys[4]), []byte(`"sequence":5`), []byte(`"sequence":6`)))
		},
		"something else there": func(t *testing.T, s *setting, keys []string) { overwrite(t, s, keys[4]+"x", []byte("x")) },
		"the end cut off":      func(t *testing.T, s *setting, keys []string) { remove(t, s, keys[4]) },
		"all of it":            func(t *testing.T, s *setting, keys []string) { remove(t, s, keys...) },
	} {
		s := newSetting(t)
		for n := 1; n <= 5; n++ {
			if err := s.Audit(t.Context(), entry(n)); err != nil {
				t.Fatal(err)
			}
		}
		before, err := s.VerifyAudit(t.Context(), nil)
		if err != nil || len(before.Faults) > 0 {
			t.Fatalf("untouched: %+v, %v", before, err)
		}
		tamper(t, s, keys(t, s.bucket, "audit/"))
		alone, err := s.VerifyAudit(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		withHeads, err := s.VerifyAudit(t.Context(), before.Heads)
		if err != nil {
			t.Fatal(err)
		}
		end := what == "the end cut off" || what == "all of it"
		if len(alone.Faults) == 0 != end || len(withHeads.Faults) == 0 {
			t.Errorf("%s: %+v; with the heads from before %+v", what, alone.Faults, withHeads.Faults)
		}
	}
}

func read(t *testing.T, s *setting, key string) []byte {
	t.Helper()
	object, err := s.bucket.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return object.Body
}

func overwrite(t *testing.T, s *setting, key string, body []byte) {
	t.Helper()
	if _, err := s.bucket.Write(t.Context(), key, body, storage.Put{}); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s *setting, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := s.bucket.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
}

// Nothing gets into the trail that names a person, and no error repeats it.
func TestTheAuditTrailRefusesPersonalData(t *testing.T) {
	s := newSetting(t)
	for _, why := range []string{"asked by 123456A", "for 123456-Z", "born 1984-07-19", "born 19/07/1984", "born 9.7.84", "aloma@example.ad", "passport PP000000", "call 600000000",
		"two\nlines", strings.Repeat("x", 201),
		// A CASS number in other spellings.
		"for 731.234-A", "for 731 234 A", "for 731\u00a0234\u00a0A", "for 731234\u202fA", "for ７３１２３４Ａ", "for 731\u2011234\u2011a", "for 73-12-34.Z,", "for 731234_A",
		"for 7\u200b31234A", "for 731\u00ad234A", "for 73123\u03014A", "for ٧٣١٢٣٤A", "for 𝟕𝟑𝟏𝟐𝟑𝟒-𝐀", "(731·234·A)", "731234Á", "born 1984‑07‑19", "call ６００００００００", "aloma＠example.ad",
		// What does not show as it is, and what says nothing.
		"one\u2028two", "one\u2029two", "one\u0085two", "seen\u202enees", "un\u200bseen", "\u2066x\u2069", "soft\u00adhyphen", "tag\U000e0041", "not \xff UTF-8",
		" ", "\u00a0", "\u200b", "\u3164", "...", "—", "\u2800"} {
		e := entry(1)
		e.Why = why
		if err := s.Audit(t.Context(), e); !errors.Is(err, ledger.ErrAuditEntry) || why != " " && strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v", why, err)
		}
	}
	for _, e := range []ledger.AuditEntry{{What: "jobs.retry"}, {Who: "staff"}, {Who: "Canari Groc", What: "jobs.retry"}, {Who: "staff", What: "jobs.retry", ID: "123456A"},
		{Who: "staff", What: "jobs.retry", ID: "1984-07-19"}, {Who: "staff", What: "jobs.retry", ID: "731.234-A"},
		{Who: "staff", What: "jobs.retry", From: "a\u202eb"}, {Who: "staff", What: "Retry it"}, {Who: "staff", What: "jobs.retry", Count: -1}, {Who: "staff", What: "jobs.retry", From: "a\nb"}} {
		if err := s.Audit(t.Context(), e); !errors.Is(err, ledger.ErrAuditEntry) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	if got := keys(t, s.bucket, "audit/"); len(got) != 0 {
		t.Errorf("written all the same: %v", got)
	}
	for _, why := range []string{"", "the new certificate is installed", "incident 2026-14: the store was away", "scope: documents.cancel", "el magatzem torna a funcionar", "«Col·lecció» d’octubre — 3 documents, 25 %",
		"from 2019 to 2021, 12.345 of 67.890 pages", "tsa.example:8443 is away since 14.30", "日本語 ок ✓", "9"} {
		e := entry(1)
		e.Why = why
		if err := s.Audit(t.Context(), e); err != nil {
			t.Errorf("%q: %v", why, err)
		}
	}
	e := entry(1)
	e.ID = "0123456789012345" // of a group of failures
	if err := s.Audit(t.Context(), e); err != nil {
		t.Errorf("%q: %v", e.ID, err)
	}
}
