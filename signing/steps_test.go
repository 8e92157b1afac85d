package signing

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"segell/pki"
)

// memoryJournal keeps in memory and tells what it was given.
type memoryJournal struct {
	mu     sync.Mutex
	kept   []byte
	steps  []Step
	broken error
	unkept error
}

func (j *memoryJournal) Last(context.Context) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.kept, j.broken
}

func (j *memoryJournal) Keep(ctx context.Context, done Step, document []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if j.unkept != nil {
		return j.unkept
	}
	j.kept, j.steps = bytes.Clone(document), append(j.steps, done)
	return nil
}

// An authority that is away, and away again at the next step, costs no second operation of the key.
func TestOneKeyOperationThroughOutages(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	c := configOf(t, a, a.Seal(), BLTA)
	key := &watchedKey{Key: c.Key}
	c.Key = key
	s := newSealer(t, c)
	trial := key.signed.Load()
	pdf := minimalPDF(2, 10)
	j := &memoryJournal{}
	try := func() ([]byte, error) { return s.SealInSteps(context.Background(), pdf, j) }

	a.Misbehave(pki.ServerError)
	for range 3 {
		if _, err := try(); !errors.Is(err, ErrTSAUnavailable) {
			t.Fatalf("%v; want ErrTSAUnavailable", err)
		}
	}
	a.Misbehave(pki.Behave)
	a.MisbehaveOCSP(pki.ServerError)
	a.MisbehaveCRL(pki.ServerError)
	if _, err := try(); !errors.Is(err, ErrRevocationUnavailable) {
		t.Fatalf("%v; want ErrRevocationUnavailable", err)
	}
	a.MisbehaveOCSP(pki.Behave)
	// Stamped, then the proofs fail: another sealer, as after a crash, goes on.
	stamped := sealedTo(t, s, pdf)[BT]
	used := key.signed.Load()
	j.kept = stamped
	a.MisbehaveOCSP(pki.ServerError)
	s = newSealer(t, c)
	used++ // its trial
	if _, err := try(); !errors.Is(err, ErrRevocationUnavailable) || j.steps[len(j.steps)-1] != Stamped {
		t.Fatalf("%v, kept %q", err, j.steps)
	}
	a.MisbehaveOCSP(pki.Behave)
	a.Misbehave(pki.ServerError)
	if _, err := try(); !errors.Is(err, ErrTSAUnavailable) || j.steps[len(j.steps)-1] != LongTerm {
		t.Fatalf("%v, kept %q", err, j.steps)
	}
	a.Misbehave(pki.Behave)
	sealed, err := try()
	if err != nil {
		t.Fatal(err)
	}
	if r := inspect(t, sealed, trustOf(a)); !r.Valid || r.Level != BLTA || !bytes.HasPrefix(sealed, pdf) {
		t.Error(r.Level, r.Err())
	}
	if n := key.signed.Load() - used; n != 0 {
		t.Errorf("%d operations of the key after the outages", n)
	}
	if n := used - trial; n != 3 { // the first try, the one of sealedTo, the trial of the second sealer
		t.Errorf("%d operations of the key in all, want 3", n)
	}
}

// Jobs that wait out an outage, all at once: each is sealed by one operation, at the full level.
func TestManyJobsThroughAnOutage(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	c := configOf(t, a, a.Seal(), BLTA)
	key := &watchedKey{Key: c.Key}
	c.Key = key
	s := newSealer(t, c)
	before := key.signed.Load()
	const jobs = 20
	a.Misbehave(pki.ServerError)
	time.AfterFunc(300*time.Millisecond, func() { a.Misbehave(pki.Behave) })
	var wg sync.WaitGroup
	for n := range jobs {
		wg.Go(func() {
			pdf, j := minimalPDF(1, n), &memoryJournal{}
			for range 200 {
				sealed, err := s.SealInSteps(context.Background(), pdf, j)
				if errors.Is(err, ErrTSAUnavailable) {
					time.Sleep(50 * time.Millisecond)
					continue
				}
				if err != nil {
					t.Error(err)
				} else if r := inspect(t, sealed, trustOf(a)); r.Level != BLTA {
					t.Error(r.Level, r.Err())
				}
				return
			}
			t.Error("never sealed")
		})
	}
	wg.Wait()
	if n := key.signed.Load() - before; n != jobs {
		t.Errorf("%d operations of the key for %d documents", n, jobs)
	}
}

// What a journal keeps is looked at like any other file.
func TestJournalsThatLeadNowhere(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	pdf := minimalPDF(1, 0)
	s := newSealer(t, configOf(t, a, a.Seal(), BLTA))
	other, err := a.Issue(pki.LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made := sealedTo(t, s, pdf)
	for name, kept := range map[string][]byte{
		"nothing": nil, "something else": []byte("hello"), "the document itself": pdf,
		"another document":          sealedTo(t, s, minimalPDF(1, 5))[BT],
		"another certificate":       sealedTo(t, newSealer(t, configOf(t, a, other, BLTA)), pdf)[BT],
		"no space for a time-stamp": seal(t, a, BB, pdf),
		"damaged":                   flipped(made[BLT], len(made[BT])+200, 1),
		"finished":                  made[BLTA],
	} {
		sealed, err := s.SealInSteps(context.Background(), pdf, &memoryJournal{kept: kept})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r := inspect(t, sealed, trustOf(a)); !r.Valid || r.Level != BLTA || !bytes.HasPrefix(sealed, pdf) {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
	broken := errors.New("the store is away")
	if _, err := s.SealInSteps(context.Background(), pdf, &memoryJournal{broken: broken}); !errors.Is(err, broken) {
		t.Errorf("a journal that cannot be read: %v", err)
	}
	a.Misbehave(pki.ServerError)
	if _, err := s.SealInSteps(context.Background(), pdf, &memoryJournal{unkept: broken}); !errors.Is(err, broken) || !errors.Is(err, ErrTSAUnavailable) {
		t.Errorf("a journal that cannot be written: %v", err)
	}
	// The context ends while the authority hangs: what is done is kept all the same.
	a.Misbehave(pki.Hang)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	j := &memoryJournal{}
	if _, err := s.SealInSteps(ctx, pdf, j); !errors.Is(err, context.Canceled) || len(j.kept) == 0 {
		t.Errorf("%v, %d bytes kept", err, len(j.kept))
	}
	// A time-stamp whose authority was revoked meanwhile is of no use: sealed anew, under another.
	good := ownAuthority(t, pki.Options{})
	c := configOf(t, a, a.Seal(), BLT)
	c.TSAs = append(c.TSAs, TSA{URL: good.TSAURL(), Roots: good.Roots()})
	c.Revocation.Hosts = append(c.Revocation.Hosts, good.Host())
	a.Misbehave(pki.Behave)
	if err := a.Revoke(a.TSA()); err != nil {
		t.Fatal(err)
	}
	s = newSealer(t, c)
	sealed, err := s.SealInSteps(context.Background(), pdf, &memoryJournal{kept: made[BT]})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Inspect(context.Background(), sealed, s.trust()); err != nil || r.Level != BLT || bytes.HasPrefix(sealed, made[BT]) {
		t.Error(r.Level, err)
	}
}
