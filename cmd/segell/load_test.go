package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/internal/servers"
)

// resident is the memory of a process, in MB (proc(5), VmRSS).
func (p *process) resident() float64 {
	p.t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(text)[0])
			if err != nil {
				p.t.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	p.t.Fatal("no VmRSS")
	return 0
}

// peak samples the memory of processes until its context ends.
func peak(ctx context.Context, processes ...*process) (most []float64) {
	most = make([]float64, len(processes))
	for ctx.Err() == nil {
		for i, p := range processes {
			most[i] = max(most[i], p.resident())
		}
		time.Sleep(100 * time.Millisecond)
	}
	return most
}

// timed asks for n documents with a number of clients and returns how long each
// answer took, in order of length.
func (h *house) timed(n, clients int) []time.Duration {
	h.t.Helper()
	body := sample(h.t).Body
	took := make([]time.Duration, n)
	next := make(chan int)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := range next {
				began := time.Now()
				if status, text, err := h.ask("POST", "/v1/documents/coverage_certificate", body); err != nil || status != http.StatusAccepted {
					h.t.Errorf("asking: %d %s %v", status, text, err)
				}
				took[i] = time.Since(began)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	slices.Sort(took)
	return took
}

// What a long queue costs in memory, and what a client waits while the workers
// have all that they can do. For docs/performance.md:
// go test -v -run '^$' -bench Saturated -benchtime 1x -timeout 60m ./cmd/segell
func BenchmarkSaturated(b *testing.B) {
	queued := 10_000
	if text := os.Getenv("QUEUED"); text != "" {
		var err error
		if queued, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for range b.N {
		h := newHouse(b, servers.RedisOptions{AppendOnly: true})
		h.settings["SEGELL_API_RATE"] = "100000"
		door := h.start("intake", map[string]string{"SEGELL_SEAL_P12_FILE": "", "SEGELL_SEAL_PASSWORD_FILE": ""})
		if out, code := h.run("pause", "--queue", "interactive", "--reason", "load"); code != 0 {
			b.Fatal(out)
		}
		press := h.start("worker", map[string]string{"SEGELL_ADMIN_LISTEN": servers.FreeAddress(b), "SEGELL_API_TOKENS_FILE": ""})
		h.timed(200, 4) // warm
		doorAt, pressAt := door.resident(), press.resident()

		ctx, stop := context.WithCancel(b.Context())
		filling := make(chan []float64)
		go func() { filling <- peak(ctx, door, press) }()
		began := time.Now()
		quiet := h.timed(queued, 4)
		filled := time.Since(began)
		stop()
		most := <-filling
		b.Logf("with %d queued: intake %.0f MB before, %.0f at most; worker %.0f and %.0f; %.0f a second accepted, answers p50 %v p99 %v", queued, doorAt, most[0], pressAt, most[1],
			float64(queued)/filled.Seconds(), quiet[len(quiet)/2], quiet[len(quiet)*99/100])
		b.ReportMetric(most[0]-doorAt, "intake-MB-more")
		b.ReportMetric(most[1]-pressAt, "worker-MB-more")

		if out, code := h.run("resume", "--queue", "interactive"); code != 0 {
			b.Fatal(out)
		}
		time.Sleep(6 * time.Second) // the worker has read it, and is at it
		left := h.count("requests/")
		ctx, stop = context.WithCancel(b.Context())
		draining := make(chan []float64)
		go func() { draining <- peak(ctx, door, press) }()
		busy := h.timed(1000, 2)
		stop()
		most = <-draining
		b.Logf("workers saturated, %d to %d left: answers p50 %v p95 %v p99 %v; intake %.0f MB at most, worker %.0f", left, h.count("requests/"), busy[len(busy)/2],
			busy[len(busy)*95/100], busy[len(busy)*99/100], most[0], most[1])
		b.ReportMetric(float64(busy[len(busy)*99/100].Microseconds())/1000, "busy-p99-ms")
		load, err := os.ReadFile("/proc/loadavg")
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("load %s", load)
	}
}
