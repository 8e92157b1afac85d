package acts_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"segell/acts"
	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
	"segell/storage/storagetest"
)

const (
	holderName = "Canari Groc, Aloma"
	holderCASS = "731234A"
	reason     = "the certificate is installed"
	leaseKey   = "segell:lease:bulks"
)

var body = []byte(`{"language":"ca","holder":{"full_name":"` + holderName + `","cass_number":"` + holderCASS + `"}}`)

var anna, bru = acts.Actor{Who: "anna", From: "10.0.0.1"}, acts.Actor{Who: "bru", From: "10.0.0.2"}

// house is a bucket in memory and a real Redis, in which any number of processes live.
type house struct {
	t      testing.TB
	bucket *storagetest.Memory
	redis  *servers.Redis
	config ledger.Config
	keys   atomic.Int64
}

func newHouse(t testing.TB) *house {
	t.Helper()
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	bucket := &storagetest.Memory{}
	return &house{t: t, bucket: bucket, redis: servers.NewRedis(t, servers.RedisOptions{}),
		config: ledger.Config{Objects: bucket, Keyset: keyset, HMACKey: bytes.Repeat([]byte{7}, ledger.HMACKeySize), Now: time.Now, Random: rand.Reader}}
}

// process is one with an audit chain, a client of Redis and acts of its own.
type process struct {
	*acts.Acts
	ledger *ledger.Ledger
	queue  *queue.Queue
	redis  redis.UniversalClient
	life   *life
	log    *bytes.Buffer
}

// life is how a process reaches the bucket. Its writes are counted; when the one
// at which it dies comes, nothing reaches the bucket any more, or nothing after.
type life struct {
	*storagetest.Memory
	mu     sync.Mutex
	writes int
	diesAt int  // 0: it lives
	after  bool // the write at which it dies is still carried out
	dead   bool
	died   chan struct{}
}

func (l *life) write(act func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return storage.ErrUnavailable
	}
	l.writes++
	if l.writes == l.diesAt {
		l.dead = true
		close(l.died)
		if l.after {
			_ = act()
		}
		return storage.ErrUnavailable
	}
	return act()
}

func (l *life) Create(ctx context.Context, key string, body []byte, p storage.Put) (etag string, err error) {
	err = l.write(func() (err error) { etag, err = l.Memory.Create(ctx, key, body, p); return err })
	return etag, err
}

func (l *life) Write(ctx context.Context, key string, body []byte, p storage.Put) (etag string, err error) {
	err = l.write(func() (err error) { etag, err = l.Memory.Write(ctx, key, body, p); return err })
	return etag, err
}

func (l *life) Replace(ctx context.Context, key, was string, body []byte, p storage.Put) (etag string, err error) {
	err = l.write(func() (err error) { etag, err = l.Memory.Replace(ctx, key, was, body, p); return err })
	return etag, err
}

func (l *life) Delete(ctx context.Context, key string) error {
	return l.write(func() error { return l.Memory.Delete(ctx, key) })
}

// process begins one; change may alter what its acts stand on.
func (h *house) process(change ...func(*acts.Config)) *process {
	h.t.Helper()
	p := &process{life: &life{Memory: h.bucket, died: make(chan struct{})}, log: &bytes.Buffer{}}
	config := h.config
	config.Objects = p.life
	var err error
	if p.ledger, err = ledger.New(config); err != nil {
		h.t.Fatal(err)
	}
	if p.redis, err = queue.Open("redis://" + h.redis.Addr()); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { p.redis.Close() })
	p.queue = queue.New(p.redis)
	c := acts.Config{Ledger: p.ledger, Queue: p.queue, Redis: p.redis, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now, Random: rand.Reader, Rate: 1e6}
	for _, one := range change {
		one(&c)
	}
	if p.Acts, err = acts.New(c); err != nil {
		h.t.Fatal(err)
	}
	return p
}

// run carries bulks out in a process until the function returned is called.
func (h *house) run(p *process) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := p.Run(ctx); err != nil {
			h.t.Error(err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	h.t.Cleanup(stop)
	return stop
}

func (h *house) accept(p *process) ledger.Receipt {
	h.t.Helper()
	receipt, err := p.ledger.Accept(context.Background(), ledger.Submission{Client: "portal", IdempotencyKey: fmt.Sprint(h.keys.Add(1)), Kind: "coverage_certificate", Code: "COB",
		CASSNumber: holderCASS, Queue: queue.Interactive, Body: body, At: time.Now()})
	if err != nil {
		h.t.Fatal(err)
	}
	return receipt
}

// failed accepts n requests and gives them up.
func (h *house) failed(n int) []string {
	h.t.Helper()
	p := h.process()
	ids := make([]string, n)
	for i := range ids {
		r := h.accept(p)
		ids[i] = r.ID
		h.giveUp(p, r.ID)
	}
	return ids
}

func (h *house) giveUp(p *process, id string) {
	h.t.Helper()
	if err := p.ledger.GiveUp(context.Background(), ledger.Failure{ID: id, Kind: "coverage_certificate", Client: "portal", Stage: ledger.StageSeal, Cause: "seal_certificate_expired", FailedAt: time.Now()}); err != nil {
		h.t.Fatal(err)
	}
}

// issued accepts a request and issues its document.
func (h *house) issued(p *process) string {
	h.t.Helper()
	id := h.accept(p).ID
	h.issue(p, id)
	return id
}

func (h *house) issue(p *process, id string) {
	h.t.Helper()
	ctx := context.Background()
	r, err := p.ledger.Request(ctx, id)
	var d ledger.Document
	if err == nil {
		d, err = p.ledger.Issue(ctx, r, []byte("%PDF "+id), ledger.Document{Level: "B-T", Pages: 1})
	}
	if err == nil {
		err = p.ledger.Finish(ctx, r, d, "ca", "", ledger.Masked{}, ledger.Making{})
	}
	if err != nil {
		h.t.Errorf("issuing: %v", err)
	}
}

// work issues what lies in a queue, a few at a time, as a worker does.
func (h *house) work(p *process, name string, atOnce int, takes time.Duration) {
	h.t.Helper()
	server := asynq.NewServerFromRedisClient(p.redis, asynq.Config{Concurrency: atOnce, Queues: map[string]int{name: 1}, TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel})
	err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		time.Sleep(takes)
		if _, err := p.ledger.Request(context.Background(), string(task.Payload())); err == nil {
			h.issue(p, string(task.Payload()))
		}
		return nil
	}))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(server.Shutdown)
}

func (h *house) until(what string, true func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !true(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("after 30 s still waiting for %s", what)
		}
	}
}

// bulk reads a bulk as another process sees it.
func (h *house) bulk(id string) acts.Bulk {
	h.t.Helper()
	b, err := h.process().Bulk(context.Background(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *house) start(p *process, actor acts.Actor, s acts.Selection, what acts.BulkAct) acts.Bulk {
	h.t.Helper()
	id, err := p.NewBatch()
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := p.Start(context.Background(), actor, id, s, what, reason)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

// trail is how often each act was written down, by its word and what it was done to.
func (h *house) trail() map[string]int {
	h.t.Helper()
	l, err := ledger.New(h.config)
	if err != nil {
		h.t.Fatal(err)
	}
	times := map[string]int{}
	for record, err := range l.AuditTrail(context.Background()) {
		if err != nil {
			h.t.Fatal(err)
		}
		times[record.What+" "+record.ID]++
	}
	if report, err := l.VerifyAudit(context.Background(), nil); err != nil || len(report.Faults) > 0 {
		h.t.Errorf("the audit trail is not whole: %+v, %v", report.Faults, err)
	}
	return times
}

// objects are the keys in the bucket with their ETags, but for some folders.
func (h *house) objects(but ...string) []string {
	h.t.Helper()
	var all []string
	for info, err := range h.bucket.List(context.Background(), "", "") {
		if err != nil {
			h.t.Fatal(err)
		}
		if folder, _, _ := strings.Cut(info.Key, "/"); !slices.Contains(but, folder) {
			all = append(all, info.Key+" "+info.ETag)
		}
	}
	return all
}
