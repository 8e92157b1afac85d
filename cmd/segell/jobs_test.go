package main

import (
	"strings"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/ledger"
)

// A bulk outlives the process that carries it out: killed in the middle, another
// goes on with it, and every request is retried once and written down once.
func TestABulkOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	const failures = 60
	h := newHouse(t, servers.RedisOptions{})
	h.settings["SEGELL_BULK_RATE"], h.settings["SEGELL_LANGUAGE"] = "20", "en"
	h.start("worker", map[string]string{"SEGELL_API_TOKENS_FILE": ""})
	l := h.ledger()
	h.fail(l, failures)
	retry := h.command(nil, "jobs", "retry", "--all", "--reason", "a test of crashes", "--yes")
	if err := retry.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); h.settledBulk(l) < failures/4; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("after a minute the bulk has not come far")
		}
	}
	if err := retry.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = retry.Wait() // it was killed
	ids, err := l.Bulks(t.Context())
	if err != nil || len(ids) != 1 {
		t.Fatalf("%v, %v", ids, err)
	}
	if b, err := l.Bulk(t.Context(), ids[0]); err != nil || b.State != ledger.BulkRunning || h.settledBulk(l) == failures {
		t.Fatalf("it was over before it was killed: %+v, %v", b, err)
	}
	if out, code := h.run("jobs", "bulk", "follow", ids[0]); code != 0 || !strings.Contains(out, "60 requests are tried again.") {
		t.Errorf("followed: %d %s", code, out)
	}
	for deadline := time.Now().Add(time.Minute); h.count("records/") < failures || h.count("requests/") > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute %d of %d have their document", h.count("records/"), failures)
		}
	}
	written := map[string]int{}
	for record, err := range l.AuditTrail(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if record.What == "jobs.retry" && record.Bulk == ids[0] {
			written[record.ID]++
		}
	}
	if len(written) != failures {
		t.Errorf("%d retries are written down, want %d", len(written), failures)
	}
	for id, times := range written {
		if times != 1 {
			t.Errorf("the retry of %s is written down %d times", id, times)
		}
	}
}
