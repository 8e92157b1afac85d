package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"segell/ledger"
	"segell/storage/storagetest"
)

func keysetOf(t *testing.T, text []byte) *ledger.Keyset {
	t.Helper()
	k, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// withKeyset opens the ledger as a process with another keyset file does.
func (s *setting) withKeyset(t *testing.T, text []byte) *ledger.Ledger {
	t.Helper()
	c := s.config
	c.Keyset = keysetOf(t, text)
	return open(t, c)
}

// The whole way of a rotation, with the processes of each step at work at once:
// what is accepted is read and issued whichever keyset wrote it.
func TestARotationUnderWayLosesNothing(t *testing.T) {
	s := newSetting(t)
	first, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	added, coming, err := ledger.AddKey(first)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ledger.AddKey(added); !errors.Is(err, ledger.ErrKeyStep) {
		t.Errorf("a second key at once: %v", err)
	}
	promoted, primary, err := ledger.PromoteKey(added)
	if err != nil || primary != coming {
		t.Fatalf("promoted %s, added %s: %v", primary, coming, err)
	}
	if _, _, err := ledger.PromoteKey(first); !errors.Is(err, ledger.ErrKeyStep) {
		t.Errorf("promoting nothing: %v", err)
	}
	retired, gone, err := ledger.RetireKeys(promoted)
	if err != nil || len(gone) != 1 || keysetOf(t, retired).Primary() != coming {
		t.Fatalf("retired %v: %v", gone, err)
	}
	old := gone[0]

	// Doors of both steps accept while a worker reads and issues and the rotation
	// encrypts again.
	byOld, byNew := s.withKeyset(t, added), s.withKeyset(t, promoted)
	if _, err := byOld.CheckKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	var accepted sync.Map
	var kept, issued atomic.Int64
	var doors, others sync.WaitGroup
	for n, l := range []*ledger.Ledger{byOld, byNew} {
		doors.Go(func() {
			for i := range 60 {
				receipt, err := l.Accept(t.Context(), submission(fmt.Sprint(n, "-", i)))
				if err != nil {
					t.Error(err)
					return
				}
				accepted.Store(receipt.ID, true)
				if err := l.KeepWork(t.Context(), receipt.ID, "step", "render", []byte("half")); err != nil {
					t.Error(err)
				}
				kept.Add(1)
			}
		})
	}
	done := make(chan struct{})
	others.Go(func() {
		for {
			if _, err := byNew.Reencrypt(t.Context()); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	others.Go(func() { // issues half of what it sees
		for ended := false; !ended; {
			select {
			case <-done:
				ended = true
			default:
			}
			accepted.Range(func(id, _ any) bool {
				if issued.Load() >= 60 {
					return false
				}
				request, err := byOld.Request(t.Context(), id.(string))
				if errors.Is(err, ledger.ErrNotFound) {
					return true // issued before
				}
				if err != nil {
					t.Error(err)
					return false
				}
				document, err := byOld.Issue(t.Context(), request, []byte("%PDF-"+request.ID), ledger.Document{Level: "B-T", Pages: 1})
				if err == nil {
					err = byOld.Finish(t.Context(), request, document, "ca", "", ledger.Masked{}, ledger.Making{})
				}
				if err == nil {
					err = byOld.DropWork(t.Context(), request.ID)
				}
				if err != nil {
					t.Error(err)
					return false
				}
				issued.Add(1)
				return true
			})
		}
	})
	doors.Wait()
	close(done)
	others.Wait()

	// No process writes with the old key any more: one pass is enough.
	if _, err := byNew.Reencrypt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, err := byNew.Reencrypt(t.Context()); err != nil || again != 0 {
		t.Errorf("a second pass found %d, %v", again, err)
	}
	use, err := byNew.KeyUse(t.Context())
	if err != nil || use[old] != 0 || use[coming] == 0 || use["unknown"] != 0 {
		t.Errorf("the keys are used %v, %v", use, err)
	}
	// Without the old key everything that waits is read, and what was issued stayed issued.
	after := s.withKeyset(t, retired)
	if err := after.Retire(t.Context(), gone); err != nil {
		t.Error(err)
	}
	if missing, err := after.CheckKeys(t.Context()); err != nil || len(missing) > 0 {
		t.Errorf("after retiring: %v, %v", missing, err)
	}
	states := map[ledger.State]int{}
	accepted.Range(func(id, _ any) bool {
		standing, err := after.Look(t.Context(), id.(string))
		if err != nil {
			t.Error(err)
		}
		states[standing.State]++
		if standing.State == ledger.StateAccepted {
			if work, err := after.Work(t.Context(), id.(string), "step"); err != nil || string(work) != "half" {
				t.Errorf("the work of %s: %q, %v", id, work, err)
			}
			if name, err := after.QueueOf(t.Context(), id.(string)); err != nil || name != "interactive" {
				t.Errorf("the queue of %s is %q, %v", id, name, err)
			}
		}
		return true
	})
	if states[ledger.StateIssued] != int(issued.Load()) || states[ledger.StateIssued]+states[ledger.StateAccepted] != 120 {
		t.Errorf("%d were issued; the states are %v", issued.Load(), states)
	}
	if n := len(keys(t, s.bucket, "requests/")); n != states[ledger.StateAccepted] {
		t.Errorf("%d requests lie there, %d wait: one came back", n, states[ledger.StateAccepted])
	}
}

// A process that is a step behind waits; a retired key that is still in use is
// found.
func TestAKeyThatIsMissingMeansWait(t *testing.T) {
	s := newSetting(t)
	first, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	added, _, err := ledger.AddKey(first)
	if err != nil {
		t.Fatal(err)
	}
	promoted, _, err := ledger.PromoteKey(added)
	if err != nil {
		t.Fatal(err)
	}
	retired, _, err := ledger.RetireKeys(promoted)
	if err != nil {
		t.Fatal(err)
	}
	behind, ahead, alone := s.withKeyset(t, first), s.withKeyset(t, promoted), s.withKeyset(t, retired)
	if _, err := ahead.CheckKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if missing, err := behind.CheckKeys(t.Context()); err != nil || len(missing) != 1 {
		t.Errorf("a process that lacks the new key: %v, %v", missing, err)
	}
	receipt := accept(t, ahead, "k")
	if _, err := behind.Request(t.Context(), receipt.ID); !errors.Is(err, ledger.ErrKeyUnknown) {
		t.Errorf("reading what a new key wrote: %v", err)
	}
	if _, err := behind.Reencrypt(t.Context()); !errors.Is(err, ledger.ErrKeyUnknown) {
		t.Errorf("encrypting again without the key: %v", err)
	}
	accept(t, behind, "l")
	if err := alone.Retire(t.Context(), []string{keysetOf(t, first).Primary()}); !errors.Is(err, ledger.ErrKeyInUse) {
		t.Errorf("retiring a key in use: %v", err)
	}
	if seen, err := ahead.KeySeen(t.Context(), keysetOf(t, first).Primary()); err != nil || !seen {
		t.Errorf("the canary of a key in use was taken: %v, %v", seen, err)
	}
}

func TestWrongKeysAreFoundAtTheStart(t *testing.T) {
	s := newSetting(t)
	if missing, err := s.CheckKeys(t.Context()); err != nil || len(missing) > 0 {
		t.Fatalf("a bucket that knows no keys: %v, %v", missing, err)
	}
	if _, err := open(t, s.config).CheckKeys(t.Context()); err != nil {
		t.Errorf("the same keys again: %v", err)
	}
	before := fmt.Sprint(keys(t, s.bucket, ""))
	foreign, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.withKeyset(t, foreign).CheckKeys(t.Context()); !errors.Is(err, ledger.ErrKeyWrong) {
		t.Errorf("another keyset: %v", err)
	}
	c := s.config
	c.HMACKey = bytes.Repeat([]byte{8}, ledger.HMACKeySize)
	if _, err := open(t, c).CheckKeys(t.Context()); !errors.Is(err, ledger.ErrKeyWrong) {
		t.Errorf("another HMAC key: %v", err)
	}
	// The same id with another key inside: copied together by hand.
	c = s.config
	c.Objects = &storagetest.Memory{}
	fresh := open(t, c)
	id := s.config.Keyset.Primary()
	overwrite(t, &setting{bucket: c.Objects.(*storagetest.Memory)}, "keys/canary/"+id, read(t, s, "keys/canary/"+id)[:20])
	if _, err := fresh.CheckKeys(t.Context()); err == nil {
		t.Error("a canary that does not open was taken")
	}
	if after := fmt.Sprint(keys(t, s.bucket, "")); after != before {
		t.Errorf("wrong keys wrote something: %s, before %s", after, before)
	}
}

// Who retires with the keyset of another press must not take away what tells
// that it is another's.
func TestRetiringLeavesTheCanariesOfOtherKeysets(t *testing.T) {
	s := newSetting(t)
	if _, err := s.CheckKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(keys(t, s.bucket, ""))
	foreign, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ledger.RetireKeys(foreign); !errors.Is(err, ledger.ErrKeyStep) {
		t.Errorf("a keyset of one key has nothing to retire: %v", err)
	}
	l := s.withKeyset(t, foreign)
	if _, err := l.CompareKeys(t.Context()); !errors.Is(err, ledger.ErrKeyWrong) {
		t.Errorf("another keyset: %v", err)
	}
	if err := l.Retire(t.Context(), []string{keysetOf(t, foreign).Primary(), "no id"}); err != nil {
		t.Error(err)
	}
	if after := fmt.Sprint(keys(t, s.bucket, "")); after != before {
		t.Errorf("the bucket holds %s, before %s", after, before)
	}
}

func TestComparingKeysWritesNothing(t *testing.T) {
	s := newSetting(t)
	if missing, err := s.CompareKeys(t.Context()); err != nil || len(missing) > 0 {
		t.Errorf("a bucket that knows no keys: %v, %v", missing, err)
	}
	if left := keys(t, s.bucket, ""); len(left) > 0 {
		t.Errorf("comparing wrote %v", left)
	}
	if _, err := s.CheckKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := s.config
	c.HMACKey = bytes.Repeat([]byte{8}, ledger.HMACKeySize)
	if _, err := open(t, c).CompareKeys(t.Context()); !errors.Is(err, ledger.ErrKeyWrong) {
		t.Errorf("another HMAC key: %v", err)
	}
	if _, err := open(t, s.config).CompareKeys(t.Context()); err != nil {
		t.Errorf("the same keys: %v", err)
	}
}
