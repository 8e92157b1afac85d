package acts_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segell/acts"
	"segell/ledger"
	"segell/storage"
)

// shifted is a clock that can be put on.
type shifted struct {
	mu sync.Mutex
	by time.Duration
}

func (s *shifted) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.by)
}

func (s *shifted) put(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = by
}

// batchAt is the id of a bulk that carries another time than now.
func batchAt(t *testing.T, by time.Duration) string {
	t.Helper()
	id, err := ledger.NewID(time.Now().Add(by), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Whoever begins a bulk chooses its id, and cannot choose its time: an id of
// another hour begins nothing. What was begun within the hour counts together
// whatever the ids say; what lies under an id is found under it for ever.
func TestTheIDOfABulkIsOfItsHour(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	clock := &shifted{}
	p := h.process(func(c *acts.Config) { c.FourEyes, c.Now = 10, clock.now })
	ids := h.failed(20)
	before := h.objects()
	for _, by := range []time.Duration{-50 * 365 * 24 * time.Hour, -3 * time.Hour, -61 * time.Minute, 2 * time.Minute, 50 * 365 * 24 * time.Hour} {
		if b, err := p.Start(t.Context(), anna, batchAt(t, by), acts.Selection{IDs: ids[:10]}, acts.BulkCancel, reason); !errors.Is(err, acts.ErrBatchTime) {
			t.Errorf("under an id of %v from now: %+v, %v", by, b, err)
		}
	}
	if after := h.objects(); !slices.Equal(before, after) {
		t.Errorf("something was written: %v", after)
	}
	first, err := p.Start(t.Context(), anna, batchAt(t, -59*time.Minute), acts.Selection{IDs: ids[:6]}, acts.BulkCancel, reason)
	if err != nil || first.State != ledger.BulkRunning {
		t.Fatalf("under an id of 59 minutes ago: %+v, %v", first, err)
	}
	clock.put(50 * time.Minute) // 109 minutes after the id, 50 after the bulk
	second := h.start(p, anna, acts.Selection{IDs: ids[6:12]}, acts.BulkCancel)
	if second.State != ledger.BulkProposed {
		t.Errorf("twelve in 50 minutes are %s", second.State)
	}
	clock.put(61 * time.Minute)
	if again, err := p.Start(t.Context(), anna, first.ID, acts.Selection{IDs: ids[:6]}, acts.BulkCancel, reason); err != nil || again.Total != 6 {
		t.Errorf("begun again after an hour: %+v, %v", again, err)
	}
	if third := h.start(p, anna, acts.Selection{IDs: ids[12:18]}, acts.BulkCancel); third.State != ledger.BulkRunning {
		t.Errorf("six more after an hour are %s", third.State)
	}
}

// slow is a bucket at which two that begin at once are under way together.
type slow struct{ *life }

func (s slow) Create(ctx context.Context, key string, body []byte, p storage.Put) (string, error) {
	time.Sleep(10 * time.Millisecond)
	return s.life.Create(ctx, key, body, p)
}

// Slices that several processes begin at once count together too: of each hour one
// process lets through what one person may do, and the others see it.
func TestSlicesByManyProcessesAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const processes, slice = 6, 5
	ids := h.failed(processes * slice)
	var running sync.Map
	var all sync.WaitGroup
	for i := range processes {
		p := h.process()
		config := h.config
		config.Objects = slow{p.life}
		slowly, err := ledger.New(config)
		if err != nil {
			t.Fatal(err)
		}
		p = h.process(func(c *acts.Config) { c.FourEyes, c.Ledger = 10, slowly })
		all.Go(func() {
			id, err := p.NewBatch()
			var b acts.Bulk
			if err == nil {
				b, err = p.Start(context.Background(), anna, id, acts.Selection{IDs: ids[i*slice : (i+1)*slice]}, acts.BulkCancel, reason)
			}
			if err != nil {
				t.Error(err)
			} else if b.State == ledger.BulkRunning {
				running.Store(i, true)
			}
		})
	}
	all.Wait()
	begun := 0
	running.Range(func(any, any) bool { begun++; return true })
	if begun != 2 {
		t.Errorf("%d slices of 5 were begun without a second person, want 2", begun)
	}
}

// Whoever dies while beginning a bulk, at whichever write: begun again under its id
// it counts once, and what it may not do it cannot do by dying either.
func TestACrashWhileABulkIsCounted(t *testing.T) {
	t.Parallel()
	for at := 1; ; at++ {
		h := newHouse(t)
		strict := func(c *acts.Config) { c.FourEyes = 10 }
		dying, p := h.process(strict), h.process(strict)
		ids := h.failed(11)
		dying.life.diesAt, dying.life.after = at, at%2 == 0
		id, err := p.NewBatch()
		if err != nil {
			t.Fatal(err)
		}
		six := acts.Selection{IDs: ids[:6]}
		_, err = dying.Start(t.Context(), anna, id, six, acts.BulkCancel, reason)
		if b, err := p.Start(t.Context(), anna, id, six, acts.BulkCancel, reason); err != nil || b.State != ledger.BulkRunning {
			t.Errorf("died at write %d; begun again it is %+v, %v", at, b, err)
		}
		if b := h.start(p, anna, acts.Selection{IDs: ids[6:10]}, acts.BulkCancel); b.State != ledger.BulkRunning {
			t.Errorf("died at write %d; four more are %s", at, b.State)
		}
		if b := h.start(p, anna, acts.Selection{IDs: ids[10:]}, acts.BulkCancel); b.State != ledger.BulkProposed {
			t.Errorf("died at write %d; the eleventh is %s", at, b.State)
		}
		if err == nil { // it came to its end
			if at < 4 {
				t.Errorf("beginning a bulk took only %d writes", at-1)
			}
			return
		}
	}
}

// What a person cancels, withdraws and replaces one at a time counts with the bulks:
// over the bound the next is refused, whichever it is and however the login is
// spelled, and a bulk needs a second person. What was refused, what was done before
// and what is an hour ago does not count.
func TestSingleActsCountTogether(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	clock := &shifted{}
	p := h.process(func(c *acts.Config) { c.FourEyes, c.Now = 10, clock.now })
	failed := h.failed(10)
	var issued []string
	for range 8 {
		issued = append(issued, h.issued(p))
		time.Sleep(2 * time.Millisecond) // ids are in the order of their milliseconds
	}
	cancel := func(who acts.Actor, id, why string) error {
		_, err := p.Cancel(t.Context(), who, id, ledger.CancelImpossible, why)
		return err
	}
	withdraw := func(id string) error {
		_, err := p.Withdraw(t.Context(), anna, id, ledger.WithdrawnFraud, reason)
		return err
	}
	replace := func(id string) error { return p.Replace(t.Context(), anna, id, issued[7], reason) }
	if err := cancel(anna, failed[0], "asked by "+holderCASS); !errors.Is(err, ledger.ErrAuditEntry) {
		t.Errorf("a reason that names a person: %v", err)
	}
	if b := h.start(p, anna, acts.Selection{IDs: failed[8:]}, acts.BulkCancel); b.State != ledger.BulkRunning {
		t.Errorf("a bulk of two is %s", b.State)
	}
	for range 2 { // the second time they are done
		for i := range 3 {
			if err := errors.Join(cancel(anna, failed[i], reason), withdraw(issued[i])); err != nil {
				t.Error(err)
			}
		}
		for i := range 2 {
			if err := replace(issued[3+i]); err != nil {
				t.Error(err)
			}
		}
	}
	before := h.objects()
	for name, err := range map[string]error{"cancel": cancel(anna, failed[4], reason), "withdraw": withdraw(issued[5]), "replace": replace(issued[6]),
		"cancel under another spelling": cancel(acts.Actor{Who: "An.na@cass.example"}, failed[4], reason), "cancel as somebody": cancel(acts.Actor{Who: "root"}, failed[4], reason)} {
		if !errors.Is(err, acts.ErrSecondNeeded) {
			t.Errorf("%s the eleventh: %v", name, err)
		}
	}
	if after := h.objects(); !slices.Equal(before, after) {
		t.Errorf("what was refused left %v", after)
	}
	if plan, err := p.Count(t.Context(), anna, acts.Selection{IDs: failed[4:5]}, acts.BulkCancel); err != nil || !plan.NeedsSecond {
		t.Errorf("the plan of a bulk of one: %+v, %v", plan, err)
	}
	if b := h.start(p, anna, acts.Selection{IDs: failed[4:5]}, acts.BulkCancel); b.State != ledger.BulkProposed {
		t.Errorf("a bulk of one after ten alone is %s", b.State)
	}
	if err := cancel(bru, failed[5], reason); err != nil {
		t.Errorf("by another person: %v", err)
	}
	if err := p.Retry(t.Context(), anna, failed[6], acts.WhereItStopped, reason); err != nil {
		t.Errorf("what can be undone: %v", err)
	}
	clock.put(62 * time.Minute)
	if err := cancel(anna, failed[7], reason); err != nil {
		t.Errorf("after an hour: %v", err)
	}
}

// A proposal waits a day: after that nobody can approve it, whether somebody looked
// after it meanwhile or not, and its list goes.
func TestAProposalLapses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	clock := &shifted{}
	p := h.process(func(c *acts.Config) { c.FourEyes, c.Now = 2, clock.now })
	ids := h.failed(6)
	early, late := h.start(p, anna, acts.Selection{IDs: ids[:3]}, acts.BulkCancel), h.start(p, anna, acts.Selection{IDs: ids[3:]}, acts.BulkCancel)
	clock.put(24*time.Hour - time.Minute)
	if b, err := p.Approve(t.Context(), bru, early.ID); err != nil || b.State != ledger.BulkRunning {
		t.Errorf("approved within the day: %+v, %v", b, err)
	}
	clock.put(24*time.Hour + time.Second)
	for name, act := range map[string]func() (acts.Bulk, error){
		"approve": func() (acts.Bulk, error) { return p.Approve(t.Context(), bru, late.ID) },
		"refuse":  func() (acts.Bulk, error) { return p.Refuse(t.Context(), bru, late.ID, "") },
		"stop":    func() (acts.Bulk, error) { return p.Stop(t.Context(), bru, late.ID, "") },
	} {
		if b, err := act(); !errors.Is(err, acts.ErrOver) {
			t.Errorf("%s after the day: %+v, %v", name, b, err)
		}
	}
	lapsed := func(b acts.Bulk) bool {
		return b.State == ledger.BulkRefused && b.RefusedBy == "" && b.ApprovedBy == "" && b.Ended.Equal(b.Proposed.Add(24*time.Hour))
	}
	if b, err := p.Bulk(t.Context(), late.ID); err != nil || !lapsed(b) {
		t.Errorf("before anybody looked after it: %+v, %v", b, err)
	}
	h.run(p)
	h.until("it to be written", func() bool { return lapsed(h.bulk(late.ID)) && len(h.list("bulks/"+late.ID+"/ids/")) == 0 })
	h.until("the approved one to be done", func() bool { return h.bulk(early.ID).Done == 3 })
	if counts := h.states(p, ids[3:]); counts[ledger.StateFailed] != 3 {
		t.Errorf("of what nobody approved: %v", counts)
	}
	if trail := h.trail(); trail["bulk.approve "+late.ID]+trail["bulk.refuse "+late.ID]+trail["bulk.stop "+late.ID] > 0 {
		t.Errorf("the trail holds %v", trail)
	}
}

// Of two who do something to one bulk at the same moment, one did it: the trail says
// of the other that it came to nothing. A change whose reply was lost came to
// something.
func TestTheTrailSaysWhoCameTooLate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p, other := h.process(func(c *acts.Config) { c.FourEyes = 2 }), h.process()
	between := func(word string, act func()) { // does act after something was written down, before it is done
		var done atomic.Bool // act comes here too
		h.bucket.After = func(op, key string) error {
			if op == "create" && strings.HasPrefix(key, "audit/") {
				object, err := h.bucket.Get(context.Background(), key)
				if err == nil && strings.Contains(string(object.Body), `"`+word+`"`) && done.CompareAndSwap(false, true) {
					act()
				}
			}
			return nil
		}
	}
	propose := func() string { return h.start(p, anna, acts.Selection{IDs: h.failed(3)}, acts.BulkCancel).ID }
	whys := func(id string) (all []string) {
		for record, err := range p.ledger.AuditTrail(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if record.ID == id && record.What != "bulk.propose" {
				all = append(all, record.Who+" "+record.What+" "+record.Why)
			}
		}
		slices.Sort(all)
		return all
	}

	id := propose()
	between("bulk.refuse", func() {
		if _, err := other.Approve(context.Background(), bru, id); err != nil {
			t.Error(err)
		}
	})
	if _, err := p.Refuse(t.Context(), anna, id, "not yet"); !errors.Is(err, acts.ErrOver) {
		t.Errorf("refused what was approved meanwhile: %v", err)
	}
	h.bucket.After = nil
	if got, want := fmt.Sprint(whys(id)), "[anna bulk.refuse not yet anna bulk.too_late bulk.refuse bru bulk.approve ]"; got != want {
		t.Errorf("the trail says %s, want %s", got, want)
	}

	id = propose()
	between("bulk.approve", func() {
		if _, err := other.Approve(context.Background(), bru, id); err != nil {
			t.Error(err)
		}
	})
	if b, err := p.Approve(t.Context(), bru, id); err != nil || b.State != ledger.BulkRunning {
		t.Errorf("approved twice: %+v, %v", b, err)
	}
	h.bucket.After = nil
	if got, want := fmt.Sprint(whys(id)), "[bru bulk.approve  bru bulk.approve  bru bulk.too_late bulk.approve]"; got != want {
		t.Errorf("the trail says %s, want %s", got, want)
	}

	id = propose()
	var lost sync.Once
	h.bucket.After = func(op, key string) (err error) {
		if op == "replace" && key == "bulks/"+id+"/order" {
			lost.Do(func() { err = fmt.Errorf("%w: our own write", storage.ErrChanged) })
		}
		return err
	}
	if b, err := p.Approve(t.Context(), bru, id); err != nil || b.ApprovedBy != "bru" {
		t.Errorf("approved, the reply lost: %+v, %v", b, err)
	}
	h.bucket.After = nil
	if got, want := fmt.Sprint(whys(id)), "[bru bulk.approve ]"; got != want {
		t.Errorf("the trail says %s, want %s", got, want)
	}
}

// However many bulks lie before it by their ids, over or waiting for somebody, a
// bulk is carried out, and listed.
func TestNoBulksHideAnother(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.process()
	honest := h.start(p, anna, acts.Selection{IDs: h.failed(3)}, acts.BulkCancel)
	for i := range 1200 { // as they could be begun before ids had to be of their hour
		state := ledger.BulkDone
		if i%2 == 0 {
			state = ledger.BulkProposed
		}
		order := ledger.Bulk{ID: batchAt(t, 50*365*24*time.Hour+time.Duration(i)*time.Second), What: string(acts.BulkCancel), Selection: []byte(`{"ids":[]}`), Why: reason, Who: "anna", State: state}
		if _, err := p.ledger.CreateBulk(t.Context(), order, []string{honest.ID}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := p.Bulks(t.Context())
	if err != nil || len(list) != 50 || list[0].ID != honest.ID {
		t.Errorf("of %d bulks the list does not begin with the newest that can be: %v", len(list), err)
	}
	h.run(p)
	other := h.start(h.process(), bru, acts.Selection{IDs: h.failed(3)}, acts.BulkCancel)
	h.until("both bulks to be done", func() bool {
		p.redis.Incr(t.Context(), "segell:bulks:woken") // as any bulk that is begun does
		return h.bulk(honest.ID).State == ledger.BulkDone && h.bulk(other.ID).State == ledger.BulkDone
	})
}

// A reason that says nothing is none, at whatever asks for one; where it may be left
// out, it may not be nothing in disguise.
func TestReasonsSaySomething(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.process(func(c *acts.Config) { c.FourEyes = 2 })
	failed := h.failed(5)
	shown, issued := h.accept(p).ID, h.issued(p)
	time.Sleep(2 * time.Millisecond)
	newer := h.issued(p)
	proposed := h.start(p, anna, acts.Selection{IDs: failed[1:4]}, acts.BulkCancel).ID
	if err := p.Pause(t.Context(), anna, ledger.PauseQueue, "batch", reason); err != nil {
		t.Fatal(err)
	}
	do := func(_ any, err error) error { return err }
	before := h.objects()
	for _, why := range []string{" ", ".", "---", "\u200b", "\u2060\u200d", "\u3164", "\u00a0", "…!?"} {
		for name, act := range map[string]func() error{
			"retry":    func() error { return p.Retry(t.Context(), anna, failed[0], acts.WhereItStopped, why) },
			"cancel":   func() error { return do(p.Cancel(t.Context(), anna, failed[0], ledger.CancelInError, why)) },
			"withdraw": func() error { return do(p.Withdraw(t.Context(), anna, issued, ledger.WithdrawnFraud, why)) },
			"replace":  func() error { return p.Replace(t.Context(), anna, issued, newer, why) },
			"show":     func() error { return do(p.Show(t.Context(), anna, shown, why)) },
			"document": func() error { return do(p.Document(t.Context(), anna, issued, why)) },
			"replay":   func() error { return p.Replay(t.Context(), anna, issued+"/document.issued", why) },
			"pause":    func() error { return p.Pause(t.Context(), anna, ledger.PauseKind, "coverage_certificate", why) },
			"resume":   func() error { return p.Resume(t.Context(), anna, ledger.PauseQueue, "batch", why) },
			"refuse":   func() error { return do(p.Refuse(t.Context(), bru, proposed, why)) },
			"stop":     func() error { return do(p.Stop(t.Context(), bru, proposed, why)) },
			"bulk": func() error {
				return do(p.Start(t.Context(), anna, batchAt(t, 0), acts.Selection{IDs: failed}, acts.BulkRetry, why))
			},
		} {
			if err := act(); !errors.Is(err, acts.ErrWhy) {
				t.Errorf("%s for %q: %v", name, why, err)
			}
		}
	}
	if after := h.objects(); !slices.Equal(before, after) {
		t.Errorf("something was done: %v", after)
	}
	if err := errors.Join(p.Retry(t.Context(), anna, failed[0], acts.WhereItStopped, ""), p.Resume(t.Context(), anna, ledger.PauseQueue, "batch", ""),
		p.Retry(t.Context(), anna, failed[4], acts.WhereItStopped, "№ 7 é")); err != nil {
		t.Error(err)
	}
}
