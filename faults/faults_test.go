package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/ledger"
	"segell/pki"
	"segell/signing"
)

// number reads a figure that `make faults` sets.
func number(t testing.TB, variable string, usual int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q: a number above 0 is expected", variable, text)
	}
	return n
}

// Whatever dies, a 202 is kept, once. Requests stream in while everything around
// several processes breaks; then each is looked at from outside.
func TestFaults(t *testing.T) {
	n, faults := number(t, "SEGELL_FAULT_REQUESTS", 160), number(t, "SEGELL_FAULTS", 14)
	seed := uint64(number(t, "SEGELL_FAULT_SEED", int(time.Now().UnixNano()%1_000_000)+1))
	t.Logf("%d requests, %d faults, SEGELL_FAULT_SEED=%d", n, faults, seed)
	h := newHouse(t, binary(t))
	h.open()

	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(faults)*6*time.Second+5*time.Minute)
	defer cancel()
	broken := make(chan map[string]int, 1)
	breaking, mended := context.WithCancel(ctx)
	go func() {
		defer mended()
		broken <- strike(ctx, h, faults, rand.New(rand.NewPCG(seed, seed)))
	}()
	all := requests(t, n)
	p := &portal{h: h}
	stream(ctx, breaking, p, all, faults)
	struck := <-broken
	total, table := counted(struck)
	deaths, refused := 0, 0
	for _, r := range append(append([]*role{}, h.intakes...), h.workers...) {
		r.mu.Lock()
		deaths += r.deaths
		refused += r.refused
		for _, why := range r.failed {
			t.Errorf("%s ended by itself: %s", r.name, why)
		}
		r.mu.Unlock()
	}
	for _, why := range p.refused {
		t.Errorf("a good request was refused: %s", why)
	}
	began := time.Now()
	v := h.verdict(ctx, all)
	t.Logf("%d faults struck:%s\n%d processes died or would not start (%d of them said why they would not); the portal repeated %d times after no answer or a 5xx, %d times after a 429, and was promised %d documents\n"+
		"settled %v after the last fault: %s", total, table, deaths, refused, p.repeats.Load(), p.full.Load(), p.accepted.Load(), time.Since(began).Round(time.Second), v)
	if total < faults {
		t.Errorf("only %d of %d faults struck", total, faults)
	}
	for _, complaint := range v.complaints {
		t.Error(complaint)
	}
	for _, r := range append(append([]*role{}, h.intakes...), h.workers...) {
		if err := r.stop(); err != nil {
			t.Errorf("stopping %s politely: %v", r.name, err)
		}
	}
}

// Without the reconciler the same suite must find requests that nobody works on:
// else it could not fail.
func TestTheSuiteFindsWhatIsLost(t *testing.T) {
	h := newHouse(t, binary(t), "SEGELL_FAILPOINTS_NO_RECONCILER=1")
	h.open()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	h.pki.Misbehave(pki.ServerError) // so that jobs wait, and are in Redis when it is emptied
	all := requests(t, 24)
	p := &portal{h: h}
	stream(ctx, ctx, p, all, 0)
	h.redis.FlushAll()
	h.pki.Misbehave("")
	settling, enough := context.WithTimeout(ctx, 20*time.Second)
	defer enough()
	v := h.verdict(settling, all)
	if v.lost == 0 {
		t.Errorf("Redis was emptied, nobody reconciled, and nothing was found to be lost: %s", v)
	}
	t.Logf("without the reconciler: %s", v)
}

// Redis is emptied in the middle of many open requests: the reconciler brings all
// of them back. How long that took, in periods of the reconciler, is told; `make
// faults` does it with 1,000 requests and the period that operators have.
func TestAnEmptiedRedis(t *testing.T) {
	n := number(t, "SEGELL_FAULT_OPEN", 60)
	period := reconcile
	if os.Getenv("SEGELL_FAULT_OPEN") != "" {
		period = time.Minute
	}
	h := newHouse(t, binary(t), "SEGELL_RECONCILE_EVERY="+period.String())
	h.open()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	h.pki.Misbehave(pki.ServerError) // so that they are open when Redis is emptied
	all := requests(t, n)
	p := &portal{h: h}
	stream(ctx, ctx, p, all, 0)
	began := time.Now()
	h.redis.FlushAll()
	h.pki.Misbehave(pki.Behave)
	h.settle(ctx, all)
	took := time.Since(began)
	v := h.verdict(ctx, all)
	t.Logf("%d open requests, Redis emptied: all ended after %v, %.1f periods of the reconciler; %s", n, took.Round(time.Second), took.Seconds()/period.Seconds(), v)
	for _, complaint := range v.complaints {
		t.Error(complaint)
	}
}

// stream sends all requests, eight at a time, spread over the time that faults
// take, and no slower once they are over.
func stream(ctx, breaking context.Context, p *portal, all []*asked, faults int) {
	queue := make(chan *asked)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for a := range queue {
				p.send(ctx, a)
			}
		})
	}
	each := time.Duration(faults) * 1900 * time.Millisecond / time.Duration(len(all))
	for _, a := range all {
		select {
		case queue <- a:
		case <-ctx.Done():
		}
		if each > 0 && breaking.Err() == nil {
			pause(breaking, each)
		}
	}
	close(queue)
	senders.Wait()
}

// verdict is what an outsider finds.
type verdict struct {
	issued, failed            int
	lost, double, unexplained int
	delivered, dead           int
	complaints                []string
}

func (v *verdict) String() string {
	return fmt.Sprintf("%d issued, %d failed with a cause, %d lost, %d double, %d unexplained; callbacks: %d delivered, %d recorded dead",
		v.issued, v.failed, v.lost, v.double, v.unexplained, v.delivered, v.dead)
}

func (v *verdict) complain(format string, args ...any) {
	const most = 30
	if len(v.complaints) < most {
		v.complaints = append(v.complaints, fmt.Sprintf(format, args...))
	}
}

// verdict waits until every promised request has come to its end, and then looks
// at each of them, at the whole bucket and at what the portal was told.
func (h *house) verdict(ctx context.Context, all []*asked) *verdict {
	h.t.Helper()
	v := &verdict{}
	ends := h.settle(ctx, all)
	documents := map[string]string{} // id to SHA-256
	numbers := map[string]string{}
	for _, a := range all {
		if a.id == "" {
			v.complain("%s was never accepted", a.key)
			continue
		}
		if other, twice := numbers[a.number]; twice && other != a.id {
			v.double++
			v.complain("the number %s was given twice", a.number)
		}
		numbers[a.number] = a.id
		s := ends[a.id]
		switch {
		case s.State == "issued" && !a.poison && s.Number == a.number && s.Document != nil:
			v.issued++
			documents[a.id] = s.Document.SHA256
		case s.State == "failed" && s.Failure != nil && ledger.CauseOf(s.Failure.Cause).ID == s.Failure.Cause && explains(a, s.Failure.Cause):
			v.failed++
		case s.State == "issued" || s.State == "failed":
			v.unexplained++
			failure, err := h.ledger().Failure(ctx, a.id) // the portal is not told the detail
			v.complain("%s of %s ended as %s, poisoned: %t: %s, %+v, %v", a.kind, a.id, s, a.poison, failure.Detail, failure.Tries, err)
		default:
			v.lost++
			v.complain("%s of %s stands at %q and nobody works on it", a.kind, a.id, s.State)
		}
	}
	h.judgeBucket(ctx, v, documents)
	h.judgeDownloads(v, all, documents)
	h.judgeCallbacks(ctx, v, ends)
	if v.lost == 0 {
		h.judgeLeftovers(ctx, v)
	}
	return v
}

// explains tells whether a failure may be: of a poisoned request for its glyph,
// of no other.
func explains(a *asked, cause string) bool { return a.poison && cause == "missing_glyph" }

// settle asks until every promised request is issued or failed, or ctx ends.
func (h *house) settle(ctx context.Context, all []*asked) map[string]state {
	ends := map[string]state{}
	for {
		open := 0
		for _, a := range all {
			if a.id == "" {
				continue
			}
			if s := ends[a.id]; s.State == "issued" || s.State == "failed" {
				continue
			}
			s, err := h.ask(a.id)
			if err == nil {
				ends[a.id] = s
			}
			if s.State != "issued" && s.State != "failed" {
				open++
			}
		}
		if open == 0 || ctx.Err() != nil {
			return ends
		}
		pause(ctx, 500*time.Millisecond)
	}
}

// judgeBucket walks over all documents: each belongs to a request that says it is
// issued, is whole and soundly sealed, and there is no other.
func (h *house) judgeBucket(ctx context.Context, v *verdict, documents map[string]string) {
	found := 0
	trust := signing.Trust{Roots: h.pki.Roots(), TSARoots: h.pki.Roots(), Now: time.Now}
	for info, err := range h.bucket.List(context.WithoutCancel(ctx), "documents/", "") {
		if err != nil {
			v.complain("listing the bucket: %v", err)
			return
		}
		id := strings.TrimSuffix(info.Key[strings.LastIndexByte(info.Key, '/')+1:], ".pdf")
		sum, known := documents[id]
		if !known {
			v.double++
			v.complain("the document %s belongs to no issued request", info.Key)
			continue
		}
		found++
		object, err := h.bucket.Get(context.WithoutCancel(ctx), info.Key)
		if err != nil {
			v.complain("reading %s: %v", info.Key, err)
			continue
		}
		if got := sha256.Sum256(object.Body); hex.EncodeToString(got[:]) != sum {
			v.complain("the bytes of %s are not those of its record", info.Key)
		}
		report, err := signing.Inspect(context.WithoutCancel(ctx), object.Body, trust)
		if err != nil || !report.Valid || report.Level != signing.BLTA {
			v.complain("%s is not soundly sealed at B-LTA: %+v, %v", info.Key, report, err)
		}
	}
	if found != len(documents) {
		v.complain("%d documents for %d issued requests", found, len(documents))
	}
}

// judgeLeftovers gives the reconcilers time to clear up, and then wants nothing to
// lie about but what failed.
func (h *house) judgeLeftovers(ctx context.Context, v *verdict) {
	want := map[string]int{"requests/": v.failed, "failures/": v.failed, "work/": 0}
	for deadline := time.Now().Add(time.Minute); ; pause(ctx, time.Second) {
		var left []string
		for prefix, right := range want {
			n := 0
			for _, err := range h.bucket.List(context.WithoutCancel(ctx), prefix, "") {
				if err != nil {
					v.complain("listing the bucket: %v", err)
					return
				}
				n++
			}
			if n != right {
				left = append(left, fmt.Sprintf("%d objects lie under %s, %d are right", n, prefix, right))
			}
		}
		if n := h.owed(ctx, v); n > 0 {
			left = append(left, fmt.Sprintf("%d callbacks are still owed", n))
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			v.complain("a minute after the end %s", strings.Join(left, "; "))
			return
		}
	}
}

// owed counts the callbacks of what came about. One that a process wrote down
// before an event, and then died before it, is never sent and goes after an hour.
func (h *house) owed(ctx context.Context, v *verdict) (n int) {
	l := h.ledger()
	for name, err := range l.Notices(context.WithoutCancel(ctx)) {
		var notice ledger.Notice
		var came bool
		if err == nil {
			notice, err = l.Notice(context.WithoutCancel(ctx), name)
		}
		if err == nil {
			came, err = l.CameTrue(context.WithoutCancel(ctx), notice)
		}
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			v.complain("looking at a callback: %v", err)
		}
		if err == nil && came {
			n++
		}
	}
	return n
}

// judgeDownloads fetches some documents the way a person does.
func (h *house) judgeDownloads(v *verdict, all []*asked, documents map[string]string) {
	tried := 0
	for _, a := range all {
		sum, issued := documents[a.id]
		if !issued || tried >= 50 {
			continue
		}
		tried++
		file, err := h.download(a.id)
		if got := sha256.Sum256(file); err != nil || hex.EncodeToString(got[:]) != sum {
			v.complain("what a person downloads of %s is not its document: %v", a.id, err)
		}
	}
}

// judgeCallbacks wants every end to have been told, or recorded as impossible to tell.
func (h *house) judgeCallbacks(ctx context.Context, v *verdict, ends map[string]state) {
	l := h.ledger()
	for deadline := time.Now().Add(90 * time.Second); ; pause(ctx, 500*time.Millisecond) {
		dead := map[string]bool{}
		for n, err := range l.Undelivered(context.WithoutCancel(ctx)) {
			if err != nil {
				v.complain("listing what could not be delivered: %v", err)
				return
			}
			dead[n.Request+" "+string(n.Event)] = true
		}
		v.delivered, v.dead = 0, len(dead)
		var missing error
		for id, s := range ends {
			event := map[string]ledger.Event{"issued": ledger.EventIssued, "failed": ledger.EventFailed}[s.State]
			switch {
			case event == "": // not ended: it was complained about
			case h.told.heard(id, string(event)):
				v.delivered++
			case !dead[id+" "+string(event)]:
				missing = errors.Join(missing, fmt.Errorf("nobody was told that %s is %s", id, s.State))
			}
		}
		if missing == nil || time.Now().After(deadline) || ctx.Err() != nil {
			if missing != nil && v.lost == 0 {
				v.complain("%v", missing)
			}
			for _, lie := range h.told.lies(ends) {
				v.complain("the portal was told what is not so: %s", lie)
			}
			return
		}
	}
}
