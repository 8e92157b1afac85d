package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/pki"
)

// withDoor is a house with a door and no worker yet.
func withDoor(t testing.TB) *house {
	t.Helper()
	h := newHouse(t, servers.RedisOptions{})
	h.start("intake", map[string]string{"SEGELL_SEAL_P12_FILE": "", "SEGELL_SEAL_PASSWORD_FILE": ""})
	return h
}

// twoWorkers starts one worker whose job hangs at the time-stamping authority,
// for a time, and then a second which has nothing to do.
func (h *house) twoWorkers(hangs time.Duration) (first, second *process, id string) {
	h.t.Helper()
	more := func() map[string]string {
		return map[string]string{"SEGELL_ADMIN_LISTEN": servers.FreeAddress(h.t), "SEGELL_API_TOKENS_FILE": "", "SEGELL_SHUTDOWN_WITHIN": "1s", "SEGELL_RECONCILE_EVERY": "1h"}
	}
	first = h.start("worker", more())
	before := h.pki.Hung()
	h.pki.Misbehave(pki.Hang)
	ids, err := h.post(1)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.wait("sealing", ids, time.Minute); err != nil {
		h.t.Fatal(err)
	}
	for h.pki.Hung() == before { // it says so before it asks
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(hangs)
	h.pki.Misbehave(pki.Behave) // the first goes on waiting for the answer that it was not given
	return first, h.start("worker", more()), ids[0]
}

// A worker that is asked to stop hands back what it cannot end in its time, and
// another has it at once.
func TestAStoppedWorkerHandsItsJobOver(t *testing.T) {
	t.Parallel()
	h := withDoor(t)
	first, second, id := h.twoWorkers(0)
	first.stop(10 * time.Second)
	stopped := time.Now()
	if err := h.wait("issued", []string{id}, 8*time.Second); err != nil { // sooner than any reaper
		t.Fatal(err)
	}
	t.Logf("issued elsewhere %v after the end of the process", time.Since(stopped).Round(10*time.Millisecond))
	second.stop(10 * time.Second)
	if log := second.log.String(); strings.Contains(log, "died") {
		t.Errorf("it was held to have died:\n%s", log)
	}
}

// How long the job of a killed worker waits, for docs/states.md:
// go test -run '^$' -bench KilledWorker -benchtime 10x ./cmd/segell
func BenchmarkKilledWorker(b *testing.B) {
	h := withDoor(b)
	var worst time.Duration
	for b.Loop() {
		// At any moment of a heartbeat, and listed by its worker or not yet.
		first, second, id := h.twoWorkers(rand.N(7 * time.Second))
		first.kill()
		killed := time.Now()
		if err := h.wait("issued", []string{id}, time.Minute); err != nil {
			b.Fatal(err)
		}
		took := time.Since(killed)
		worst = max(worst, took)
		b.Logf("%v", took.Round(10*time.Millisecond))
		second.stop(10 * time.Second)
	}
	b.ReportMetric(worst.Seconds(), "worst-s")
}

// A worker that is killed says nothing: the others notice within the time
// promised, and no try is spent.
func TestAKilledWorkersJobRunsElsewhere(t *testing.T) {
	t.Parallel()
	h := withDoor(t)
	first, second, id := h.twoWorkers(0)
	first.kill()
	killed := time.Now()
	if err := h.wait("issued", []string{id}, time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Logf("issued elsewhere %v after kill -9", time.Since(killed).Round(10*time.Millisecond))
	second.stop(10 * time.Second)
	if log := second.log.String(); !strings.Contains(log, "a worker died with a job: it runs again") || strings.Contains(log, "tried again") {
		t.Errorf("the log does not tell what happened:\n%s", log)
	}
}
