package index_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/index"
	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
	"segell/storage/storagetest"
)

// desk is an index on a real Redis, and a ledger.
type desk struct {
	*index.Index
	t      testing.TB
	redis  *servers.Redis
	ledger *ledger.Ledger
	queue  *queue.Queue
	log    *lockedBuffer
	config index.Config
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newDesk(t testing.TB, objects ledger.Objects) *desk {
	t.Helper()
	return deskOn(t, objects, servers.NewRedis(t, servers.RedisOptions{}))
}

func deskOn(t testing.TB, objects ledger.Objects, server *servers.Redis) *desk {
	t.Helper()
	d := deskAt(t, objects, server.Addr())
	d.redis = server
	return d
}

// deskAt is a desk on the Redis at an address.
func deskAt(t testing.TB, objects ledger.Objects, address string) *desk {
	t.Helper()
	d := &desk{t: t, log: &lockedBuffer{}}
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	d.ledger, err = ledger.New(ledger.Config{Objects: objects, Keyset: keyset, HMACKey: make([]byte, ledger.HMACKeySize), Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	client, err := queue.Open("redis://" + address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	d.queue = queue.New(client)
	d.config = index.Config{Redis: client, Ledger: d.ledger, Queue: d.queue, Log: slog.New(slog.NewTextHandler(d.log, nil)), Now: time.Now}
	d.Index = index.New(d.config)
	return d
}

// run runs the index until the test ends, or it is stopped.
func (d *desk) run(sweep, full time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(d.t.Context())
	var running sync.WaitGroup
	d.Hurry(sweep, full)
	running.Go(func() { d.Run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	d.t.Cleanup(stop)
	return stop
}

// eventually waits until something holds.
func (d *desk) eventually(what string, holds func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("not in 20 s: %s\n%s", what, d.log)
		}
	}
}

func (d *desk) condition() index.Condition {
	d.t.Helper()
	c, err := d.Condition(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// stands reports where the index has a request, "" for nowhere and "?" for in two
// places.
func (d *desk) stands(id string) ledger.State {
	d.t.Helper()
	at := ledger.TimeOf(id)
	page, err := d.Search(d.t.Context(), index.Query{From: at, Until: at.Add(time.Millisecond), Limit: 500})
	if err != nil {
		d.t.Fatal(err)
	}
	state := ledger.State("")
	for _, row := range page.Rows {
		if row.ID == id && state != "" {
			return "?"
		}
		if row.ID == id {
			state = row.State
		}
	}
	return state
}

const body = `{"language":"ca","holder":{"full_name":"Canari Groc, Aloma","cass_number":"731234Z"}}`

var accepted int

// accept, issue, fail and so on do what doors, workers and staff do to the ledger;
// none tells the index.
func (d *desk) accept(kind, code string, at time.Time) string {
	d.t.Helper()
	accepted++
	receipt, err := d.ledger.Accept(d.t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: fmt.Sprint(accepted), Kind: kind, Code: code,
		CASSNumber: "731234Z", Queue: queue.Batch, Body: []byte(body), At: at})
	if err != nil {
		d.t.Fatal(err)
	}
	return receipt.ID
}

func (d *desk) coverage() string { return d.accept("coverage_certificate", "COB", time.Now()) }

func (d *desk) issue(id string) {
	d.t.Helper()
	request, err := d.ledger.Request(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	document, err := d.ledger.Issue(d.t.Context(), request, []byte("%PDF"), ledger.Document{Level: "B-T", Pages: 1})
	if err == nil {
		err = d.ledger.Finish(d.t.Context(), request, document, "ca", "", ledger.Mask("Canari Groc, Aloma", "731234Z"), ledger.Making{})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) fail(id, cause, detail string) {
	d.t.Helper()
	request, err := d.ledger.Request(d.t.Context(), id)
	if err == nil {
		err = d.ledger.GiveUp(d.t.Context(), ledger.Failure{ID: id, Kind: request.Kind, Number: request.Number, Client: request.Client, Stage: ledger.StageRender,
			Cause: cause, Detail: detail, FailedAt: time.Now().UTC()})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) cancel(id string) {
	d.t.Helper()
	if _, err := d.ledger.Cancel(d.t.Context(), id, ledger.CancelledByClient); err != nil {
		d.t.Fatal(err)
	}
}

// register accepts some requests of many days and lets them come to every end.
func (d *desk) register(n int) map[string]ledger.State {
	d.t.Helper()
	stand := map[string]ledger.State{}
	for i := range n {
		id := d.accept("coverage_certificate", "COB", time.Now().AddDate(0, 0, -3*i))
		switch i % 6 {
		case 0:
			stand[id] = ledger.StateAccepted
		case 1:
			d.fail(id, "missing_glyph", fmt.Sprintf("page %d: no glyph for U+1F%03d", i, i))
			stand[id] = ledger.StateFailed
		case 2:
			d.cancel(id)
			stand[id] = ledger.StateCancelled
		case 3:
			d.issue(id)
			if _, err := d.ledger.Withdraw(d.t.Context(), id, ledger.WithdrawalReasons[0]); err != nil {
				d.t.Fatal(err)
			}
			stand[id] = ledger.StateWithdrawn
		default:
			d.issue(id)
			stand[id] = ledger.StateIssued
		}
	}
	return stand
}

// holds reports whether the index has exactly these requests where they stand.
func (d *desk) holds(stand map[string]ledger.State) bool {
	d.t.Helper()
	got := map[string]ledger.State{}
	for q := (index.Query{Limit: 7}); ; {
		page, err := d.Search(d.t.Context(), q)
		if err != nil {
			return false
		}
		for _, row := range page.Rows {
			got[row.ID] = row.State
		}
		if q.Cursor = page.Older; q.Cursor == "" {
			break
		}
	}
	if len(got) != len(stand) {
		return false
	}
	for id, state := range stand {
		if got[id] != state {
			return false
		}
	}
	return true
}

func TestTheIndexIsBuiltFromTheLedger(t *testing.T) {
	d := newDesk(t, servers.NewS3(t).Bucket("index"))
	stand := d.register(24)
	if c := d.condition(); c.Complete || c.Done != 0 {
		t.Fatalf("before: %+v", c)
	}
	d.run(time.Hour, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete })
	if !d.holds(stand) {
		t.Error("it holds something else than the ledger")
	}
	if c := d.condition(); c.Building || c.Done != 24 || c.BuiltAt.IsZero() || c.Waiting != 0 || c.TooBig {
		t.Errorf("its condition is %+v", c)
	}
	// What moves while it runs is told by id.
	id := d.coverage()
	d.queue.Tell(t.Context(), queue.Move{ID: id})
	d.eventually("a request is found", func() bool { return d.stands(id) == ledger.StateAccepted })
	d.issue(id)
	d.queue.Tell(t.Context(), queue.Move{ID: id})
	d.eventually("it is issued", func() bool { return d.stands(id) == ledger.StateIssued })
	d.eventually("no hint is left", func() bool { return d.condition().Waiting == 0 })

	d.redis.FlushAll()
	stand[id] = ledger.StateIssued
	d.eventually("it is built again", func() bool { return d.condition().Complete && d.holds(stand) })
}

func TestABuildGoesOnWhereItWas(t *testing.T) {
	// All was written long before the build, by the store's clock.
	bucket := &storagetest.Memory{Now: func() time.Time { return time.Now().AddDate(0, 0, -1) }}
	d := newDesk(t, bucket)
	stand := d.issued(600)
	var mu sync.Mutex
	reads, most := 0, 400 // then the store is away
	bucket.Fault = func(op, key string) error {
		mu.Lock()
		defer mu.Unlock()
		if op != "get" || !strings.HasPrefix(key, "records/") {
			return nil
		}
		if reads++; reads > most {
			return storage.ErrUnavailable
		}
		return nil
	}
	stop := d.run(time.Hour, time.Hour)
	d.eventually("it is half built", func() bool { c := d.condition(); return c.Building && c.Done > 0 })
	d.eventually("it comes no further", func() bool { return strings.Contains(d.log.String(), "could not be built") })
	stop()
	half := d.condition().Done
	mu.Lock()
	reads, most = 0, 1000
	mu.Unlock()
	d.run(time.Hour, time.Hour)
	d.eventually("it is complete", func() bool { return d.condition().Complete && d.holds(stand) })
	mu.Lock()
	defer mu.Unlock()
	if half == 0 || half >= 600 || int64(reads) != 600-half {
		t.Errorf("%d were in, and %d were looked up after that", half, reads)
	}
}

// issued is a register of documents, more than are looked up at a time.
func (d *desk) issued(n int) map[string]ledger.State {
	d.t.Helper()
	stand := map[string]ledger.State{}
	for i := range n {
		id := d.accept("coverage_certificate", "COB", time.Now().Add(-time.Duration(i)*time.Hour))
		d.issue(id)
		stand[id] = ledger.StateIssued
	}
	return stand
}

// What a build had put in before Redis lost it is not held to be there.
func TestRedisIsEmptiedDuringABuild(t *testing.T) {
	bucket := &storagetest.Memory{}
	d := newDesk(t, bucket)
	stand := d.issued(600)
	var mu sync.Mutex
	reads := 0
	bucket.Fault = func(op, key string) error {
		mu.Lock()
		defer mu.Unlock()
		if op == "get" && strings.HasPrefix(key, "records/") {
			if reads++; reads == 400 {
				d.redis.FlushAll()
			}
		}
		return nil
	}
	d.run(time.Hour, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete })
	if !d.holds(stand) {
		t.Errorf("it claims to be complete, with %d rows of %d", d.condition().Done, len(stand))
	}
}

// What no hint told is found by sweeps: what moved by the short one, what changed
// in the register by the long one.
func TestSweepsFindWhatNobodyTold(t *testing.T) {
	bucket := &storagetest.Memory{}
	d := newDesk(t, bucket)
	waiting, failed, issued, old, retried := d.coverage(), d.coverage(), d.coverage(), d.accept("work_history", "LAB", time.Now().AddDate(-1, 0, 0)), d.coverage()
	// Alone on their days, newer and older than what stays.
	between, first := d.accept("work_history", "LAB", time.Now().AddDate(0, -5, 0)), d.accept("work_history", "LAB", time.Now().AddDate(-2, 0, 0))
	for _, id := range []string{issued, old, between, first} {
		d.issue(id)
	}
	d.fail(retried, "missing_glyph", "one")
	stop := d.run(time.Hour, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete })
	stop()

	d.fail(failed, "missing_glyph", "no glyph")
	d.issue(waiting)
	if _, err := d.ledger.Reopen(t.Context(), retried); err != nil {
		t.Fatal(err)
	}
	brandNew := d.coverage()
	stop = d.run(100*time.Millisecond, time.Hour)
	d.eventually("the short sweep finds what moved", func() bool {
		return d.stands(failed) == ledger.StateFailed && d.stands(waiting) == ledger.StateIssued && d.stands(brandNew) == ledger.StateAccepted &&
			d.stands(retried) == ledger.StateAccepted
	})
	stop()

	if _, err := d.ledger.Withdraw(t.Context(), old, ledger.WithdrawalReasons[0]); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{issued, between, first} {
		if err := d.ledger.Unregister(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	number := numberOf(d, issued)
	d.run(time.Hour, 100*time.Millisecond)
	d.eventually("the long sweep finds what changed", func() bool {
		return d.stands(old) == ledger.StateWithdrawn && d.stands(issued) == "" && d.stands(between) == "" && d.stands(first) == ""
	})
	if _, err := d.ByNumber(t.Context(), number); err == nil {
		t.Error("what is out of the register is still found by its number")
	}
}

// numberOf is the number that the index shows.
func numberOf(d *desk, id string) string {
	d.t.Helper()
	page, err := d.Search(d.t.Context(), index.Query{Limit: 500})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, row := range page.Rows {
		if row.ID == id {
			return row.Number
		}
	}
	d.t.Fatalf("%s is not in the index", id)
	return ""
}

// Hints beyond the bound are not kept, and known to be missed.
func TestMissedHintsAreMadeGood(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	id := d.accept("work_history", "LAB", time.Now().AddDate(-1, 0, 0))
	d.issue(id)
	stop := d.run(time.Hour, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete })
	stop()
	if _, err := d.ledger.Withdraw(t.Context(), id, ledger.WithdrawalReasons[0]); err != nil {
		t.Fatal(err)
	}
	if err := d.config.Redis.Set(t.Context(), "segell:{index}:missed", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if d.condition().Complete {
		t.Error("it claims to be complete")
	}
	d.run(time.Hour, time.Hour)
	d.eventually("it is complete again", func() bool { return d.condition().Complete })
	if got := d.stands(id); got != ledger.StateWithdrawn {
		t.Errorf("the request stands %s", got)
	}
}

// Two processes keep one index: one of them works, and when it ends the other does.
func TestAnotherProcessTakesOver(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	other := *d
	other.Index = index.New(d.config)
	stop := d.run(time.Hour, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete })
	other.run(time.Hour, time.Hour)
	stop()
	id := d.coverage()
	d.queue.Tell(t.Context(), queue.Move{ID: id})
	d.eventually("the other goes on", func() bool { return d.stands(id) == ledger.StateAccepted })
}

func TestNothingWhereRedisIsTooFull(t *testing.T) {
	d := deskOn(t, &storagetest.Memory{}, servers.NewRedis(t, servers.RedisOptions{MaxMemory: "20mb"}))
	id := d.coverage()
	var ballast []string
	for i := range 13 {
		ballast = append(ballast, fmt.Sprint("ballast", i))
		if err := d.config.Redis.Set(t.Context(), ballast[i], strings.Repeat("x", 1<<20), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	d.run(time.Hour, time.Hour)
	d.eventually("it says so", func() bool { return d.condition().TooBig })
	if c := d.condition(); c.Complete || d.stands(id) != "" {
		t.Errorf("it was built all the same: %+v", c)
	}
	if err := d.config.Redis.Del(t.Context(), ballast...).Err(); err != nil {
		t.Fatal(err)
	}
	d.eventually("it goes on", func() bool { c := d.condition(); return c.Complete && !c.TooBig && d.stands(id) != "" })

	// One that was complete is so no longer while it stands still, though it had no
	// failure to tell of: there may be some by now.
	for _, name := range ballast[:11] {
		if err := d.config.Redis.Set(t.Context(), name, strings.Repeat("x", 1<<20), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	d.eventually("it stands still", func() bool { return d.condition().TooBig })
	d.fail(id, "missing_glyph", "no glyph")
	d.queue.Tell(t.Context(), queue.Move{ID: id})
	for range 5 {
		if c := d.condition(); c.Complete || c.Lack != index.LackRoom || c.Building {
			t.Fatalf("it stands still and says %+v", c)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := d.config.Redis.Del(t.Context(), ballast...).Err(); err != nil {
		t.Fatal(err)
	}
	d.eventually("it catches up", func() bool { c := d.condition(); return c.Complete && d.stands(id) == ledger.StateFailed })
}

// Who relies on the index is told for which of the reasons it cannot be relied on.
func TestWhatTheIndexLacks(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	lacks := func(when string, want index.Lack, behind time.Duration) {
		t.Helper()
		if c := d.condition(); c.Lack != want || c.Complete != (want == index.LackNothing) || c.Behind < behind || c.Behind > behind+30*time.Second {
			t.Errorf("%s: %+v, want %q", when, c, want)
		}
	}
	lacks("before its build", index.LackBuild, 0)
	stop := d.run(time.Hour, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete })
	stop()
	lacks("built", index.LackNothing, 0)
	id := d.coverage()
	d.queue.Tell(t.Context(), queue.Move{ID: id})
	lacks("a change has just come", index.LackNothing, 0)
	// Nobody has taken it for ten minutes: no process keeps the index, or none can.
	note := redis.Z{Score: float64(time.Now().Add(-10 * time.Minute).UnixMicro()), Member: id}
	if err := d.config.Redis.ZAdd(t.Context(), "segell:{index}:changed", note).Err(); err != nil {
		t.Fatal(err)
	}
	lacks("a change waits", index.LackChanges, 10*time.Minute)
	stop = d.run(time.Hour, time.Hour)
	d.eventually("it is in", func() bool { return d.condition().Complete && d.stands(id) == ledger.StateAccepted })
	stop()

	// Another version of Segell had made it in another form.
	if err := d.config.Redis.HSet(t.Context(), "segell:{index}:state", "format", "1").Err(); err != nil {
		t.Fatal(err)
	}
	left := redis.Z{Member: strings.Repeat("x", 16)}
	if err := d.config.Redis.ZAdd(t.Context(), "segell:{index}:p:coverage_certificate:issued", left).Err(); err != nil {
		t.Fatal(err)
	}
	lacks("in another form", index.LackBuild, 0)
	d.run(time.Hour, time.Hour)
	d.eventually("it is built again", func() bool { return d.condition().Complete })
	if !d.holds(map[string]ledger.State{id: ledger.StateAccepted}) {
		t.Error("something of the other form is left")
	}
}

func TestListenersHearOfChanges(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	d.run(time.Hour, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete })
	ctx, leave := context.WithCancel(t.Context())
	one, two := d.Changes(ctx), d.Changes(t.Context())
	heard := func(changes <-chan struct{}) {
		t.Helper()
		// The subscription may come after the first change.
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			d.queue.Tell(t.Context(), queue.Move{ID: d.coverage()})
			select {
			case <-changes:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
		t.Fatal("nothing was heard")
	}
	heard(one)
	heard(two)
	leave()
	d.eventually("the one who left is let go", func() bool {
		select {
		case _, open := <-one:
			return !open
		default:
			return false
		}
	})
	heard(two)
}

// Everything that a person could be known by stays out of Redis.
func TestNothingOfAPersonIsInRedis(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	stand := d.register(12)
	quoted := d.coverage()
	d.fail(quoted, "data_unusable", `the value "Canari Groc" of 731234Z is no name, also 'Aloma' and «Groc»`)
	stand[quoted] = ledger.StateFailed
	d.run(time.Hour, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete && d.holds(stand) })
	dump := dumped(d)
	if !strings.Contains(dump, "missing_glyph") {
		t.Fatalf("the dump shows nothing: %.200s", dump)
	}
	holder := d.ledger.HolderDigest("731234Z")
	for _, canary := range []string{"Canari", "Groc", "Aloma", "731234Z", "731234", "M. C.", "A. C. G.", holder, "portal"} {
		if strings.Contains(dump, canary) || strings.Contains(d.log.String(), canary) {
			t.Errorf("%q is in Redis or in the log", canary)
		}
	}
}

// dumped is everything that Redis holds, as text.
func dumped(d *desk) string {
	d.t.Helper()
	ctx, r := d.t.Context(), d.config.Redis
	keys, err := r.Keys(ctx, "*").Result()
	if err != nil {
		d.t.Fatal(err)
	}
	out := &strings.Builder{}
	for _, key := range keys {
		var value any
		switch kind := r.Type(ctx, key).Val(); kind {
		case "string":
			value = r.Get(ctx, key).Val()
		case "hash":
			value = r.HGetAll(ctx, key).Val()
		case "set":
			value = r.SMembers(ctx, key).Val()
		case "zset":
			value = r.ZRange(ctx, key, 0, -1).Val()
		default:
			d.t.Fatalf("%s is a %s", key, kind)
		}
		text, err := json.Marshal(value)
		if err != nil {
			d.t.Fatal(err)
		}
		fmt.Fprintf(out, "%s %s\n", key, text)
	}
	return out.String()
}
