package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
)

// ledger opens this house's bucket as another process would.
func (h *house) ledger() *ledger.Ledger {
	h.t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(h.settings[name])
		if err != nil {
			h.t.Fatal(err)
		}
		return text
	}
	keyset, err := ledger.ReadKeyset(read("SEGELL_LEDGER_KEYSET_FILE"))
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := ledger.ReadHMACKey(strings.TrimSpace(string(read("SEGELL_LEDGER_HMAC_KEY_FILE"))))
	if err != nil {
		h.t.Fatal(err)
	}
	l, err := ledger.New(ledger.Config{Objects: h.bucket, Keyset: keyset, HMACKey: key, Now: time.Now, Random: rand.Reader})
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

// fail puts n requests into the bucket that were given up.
func (h *house) fail(l *ledger.Ledger, n int) {
	h.t.Helper()
	body := sample(h.t).Body
	var all errgroup.Group
	all.SetLimit(8)
	for i := range n {
		all.Go(func() error {
			r, err := l.Accept(h.t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: "failed-" + strconv.Itoa(i), Kind: "coverage_certificate", Code: "COB",
				CASSNumber: "000000A", Queue: queue.Interactive, Body: body, At: time.Now()})
			if err != nil {
				return err
			}
			return l.GiveUp(h.t.Context(), ledger.Failure{ID: r.ID, Kind: r.Kind, Number: r.Number, Client: "portal", Stage: ledger.StageSeal, Cause: "seal_certificate_expired", FailedAt: time.Now()})
		})
	}
	if err := all.Wait(); err != nil {
		h.t.Fatal(err)
	}
}

// issueTimes asks for a document every now and then and returns how long each took
// from the question to its record.
func (h *house) issueTimes(l *ledger.Ledger, n int, every time.Duration) []time.Duration {
	h.t.Helper()
	took := make([]time.Duration, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			began := time.Now()
			ids, err := h.post(1)
			for err == nil {
				if _, err = l.Record(h.t.Context(), ids[0]); errors.Is(err, ledger.ErrNotFound) {
					time.Sleep(5 * time.Millisecond)
					err = nil
					continue
				}
				break
			}
			if err != nil {
				h.t.Errorf("a request of a person who waits: %v", err)
			}
			took[i] = time.Since(began)
		})
		time.Sleep(every)
	}
	all.Wait()
	return took
}

// What a bulk retry of thousands costs those who wait for a document meanwhile, and
// how many of its jobs lie in the queue at a time. For docs/performance.md:
// QUEUED=10000 go test -v -run '^$' -bench BulkRetry -benchtime 1x -timeout 60m ./cmd/segell
func BenchmarkBulkRetry(b *testing.B) {
	failures := 1000
	if text := os.Getenv("QUEUED"); text != "" {
		var err error
		if failures, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for range b.N {
		h := newHouse(b, servers.RedisOptions{AppendOnly: true})
		h.settings["SEGELL_API_RATE"], h.settings["SEGELL_BULK_FOUR_EYES"] = "100000", "0"
		h.settings["SEGELL_NICE"] = "0" // who waits for a document waits for the worker, and here it is not to step back for others
		h.start("intake", map[string]string{"SEGELL_SEAL_P12_FILE": "", "SEGELL_SEAL_PASSWORD_FILE": ""})
		h.start("worker", map[string]string{"SEGELL_ADMIN_LISTEN": servers.FreeAddress(b), "SEGELL_API_TOKENS_FILE": ""})
		l := h.ledger()
		h.fail(l, failures)
		h.issueTimes(l, 20, 100*time.Millisecond) // warm

		retry := h.command(nil, "jobs", "retry", "--all", "--reason", "a test of load", "--yes")
		var said lockedBuffer
		retry.Stdout, retry.Stderr = &said, &said
		began := time.Now()
		if err := retry.Start(); err != nil {
			b.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- retry.Wait() }()
		h.underWay(l)
		ctx, stop := context.WithCancel(b.Context())
		watched := make(chan int64)
		go func() { watched <- h.mostWaiting(ctx) }()
		// In turn, for other things happen on the machine.
		var with, without []time.Duration
		settled := [2]int{h.settledBulk(l)}
		for range 4 {
			with = append(with, h.issueTimes(l, 100, 100*time.Millisecond)...)
			settled[1] = h.settledBulk(l)
			h.heed(b, "pause")
			without = append(without, h.issueTimes(l, 100, 100*time.Millisecond)...)
			h.heed(b, "resume")
		}
		select {
		case err := <-ended:
			b.Errorf("the bulk was over before the measurement: %v\n%s", err, said.String())
		default:
		}
		measured := time.Since(began)
		tell := func(when string, took []time.Duration) {
			slices.Sort(took)
			b.Logf("%s: issued after p50 %v p95 %v p99 %v, at most %v", when, took[len(took)/2], took[len(took)*95/100], took[len(took)*99/100], took[len(took)-1])
		}
		tell("while a bulk retries "+strconv.Itoa(failures), with)
		tell("while it is paused", without)
		b.ReportMetric(float64(with[len(with)*95/100].Microseconds())/1000, "with-p95-ms")
		b.ReportMetric(float64(without[len(without)*95/100].Microseconds())/1000, "without-p95-ms")
		left, since := failures-h.settledBulk(l), time.Now()
		if err := <-ended; err != nil {
			b.Errorf("%v\n%s", err, said.String())
		}
		stop()
		b.Logf("%d were settled while it was measured, in %v; the last %d took %v, %.0f a second; at most %d of its jobs waited", settled[1]-settled[0], measured.Round(time.Second),
			left, time.Since(since).Round(time.Second), float64(left)/time.Since(since).Seconds(), <-watched)
		load, err := os.ReadFile("/proc/loadavg")
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("load of the machine: %s", load)
	}
}

// heed pauses or resumes the queue that bulks use, and waits until every worker and
// what it had begun have heard of it.
func (h *house) heed(b *testing.B, word string) {
	b.Helper()
	if out, code := h.run(word, "--queue", "batch", "--reason", "a test of load"); code != 0 {
		b.Fatal(out)
	}
	time.Sleep(7 * time.Second)
}

// underWay waits until the one bulk has begun.
func (h *house) underWay(l *ledger.Ledger) {
	h.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); h.settledBulk(l) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatal("no bulk is under way after five minutes")
		}
	}
}

// settledBulk is how far the one bulk is.
func (h *house) settledBulk(l *ledger.Ledger) int {
	h.t.Helper()
	ids, err := l.Bulks(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if len(ids) == 0 {
		return 0
	}
	p, err := l.BulkProgress(h.t.Context(), ids[0])
	if err != nil {
		h.t.Fatal(err)
	}
	return p.Next
}

// mostWaiting is how many jobs of batches waited at a time until ctx ended.
func (h *house) mostWaiting(ctx context.Context) (most int64) {
	client, err := queue.Open("redis://" + h.redis.Addr())
	if err != nil {
		h.t.Error(err)
		return 0
	}
	defer client.Close()
	q := queue.New(client)
	for ctx.Err() == nil {
		depths, err := q.Depths(ctx)
		if err != nil {
			break
		}
		most = max(most, depths[1].Waiting)
		time.Sleep(20 * time.Millisecond)
	}
	return most
}
