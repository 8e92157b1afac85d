package ledger_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"segell/ledger"
	"segell/storage"
)

func TestWorkIsKeptEncryptedAndGoesWithItsRequest(t *testing.T) {
	s := newSetting(t)
	first, second := accept(t, s.Ledger, "1"), accept(t, s.Ledger, "2")
	made := []byte("%PDF-1.7 Canari Groc, Aloma")
	for _, id := range []string{first.ID, second.ID} {
		for _, name := range []string{"seal-a", "seal-b"} {
			if err := s.KeepWork(t.Context(), id, name, "signed", append(bytes.Clone(made), name...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := s.Work(t.Context(), first.ID, "seal-b"); err != nil || string(got) != string(made)+"seal-b" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := s.Work(t.Context(), first.ID, "seal-c"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("what nobody kept: %v", err)
	}
	for _, key := range keys(t, s.bucket, "work/") {
		if object, err := s.bucket.Get(t.Context(), key); err != nil || bytes.Contains(object.Body, []byte("Canari")) || bytes.Contains(object.Body, []byte("PDF")) {
			t.Errorf("%s is in clear, or %v", key, err)
		}
	}
	// A ciphertext under another name does not open: steps are never mixed.
	swap := keys(t, s.bucket, "work/"+first.ID)
	object, err := s.bucket.Get(t.Context(), swap[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.bucket.Write(t.Context(), swap[1], object.Body, storage.Put{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Work(t.Context(), first.ID, "seal-b"); !errors.Is(err, ledger.ErrDamaged) {
		t.Errorf("another step's work: %v", err)
	}
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	config := s.config
	if config.Keyset, err = ledger.ReadKeyset(text); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, config).Work(t.Context(), first.ID, "seal-a"); !errors.Is(err, ledger.ErrKeyUnknown) {
		t.Errorf("under a key that is not ours: %v", err)
	}

	if err := s.Forget(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if left := keys(t, s.bucket, "work/"); len(left) != 2 || !strings.HasPrefix(left[0], "work/"+second.ID) {
		t.Errorf("left: %v", left)
	}
}

// A worker may keep something after another has issued the document.
func TestWorkWithoutARequestIsSwept(t *testing.T) {
	s := newSetting(t)
	var ids []string
	for _, key := range []string{"1", "2", "3"} {
		id := accept(t, s.Ledger, key).ID
		ids = append(ids, id)
		for _, name := range []string{"seal-a", "seal-b"} {
			if err := s.KeepWork(t.Context(), id, name, "stamped", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	issue(t, s, ids[1]) // finishes without Forget
	if got := keys(t, s.bucket, "work/"); len(got) != 6 {
		t.Fatalf("finishing took the work away by itself, at the cost of a listing: %v", got)
	}
	if swept, err := s.SweepWork(t.Context()); err != nil || swept != 1 {
		t.Errorf("swept of %d requests, %v", swept, err)
	}
	if got := keys(t, s.bucket, "work/"); len(got) != 4 || strings.Contains(strings.Join(got, " "), ids[1]) {
		t.Errorf("left: %v", got)
	}
	s.bucket.Fault = func(op, key string) error {
		if op == "head" {
			return storage.ErrUnavailable
		}
		return nil
	}
	if swept, err := s.SweepWork(t.Context()); !errors.Is(err, storage.ErrUnavailable) || swept != 0 {
		t.Errorf("with the store half away: %d, %v", swept, err)
	}
	if got := keys(t, s.bucket, "work/"); len(got) != 4 {
		t.Errorf("work was removed on a guess; left: %v", got)
	}
}
