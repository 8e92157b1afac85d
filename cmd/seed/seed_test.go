package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"segell/index"
	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
	"segell/templates"
)

// place is a bucket and a Redis to fill, as variables.
func place(t *testing.T) (env map[string]string, bucket *storage.Bucket) {
	t.Helper()
	s3, redis := servers.NewS3(t), servers.NewRedis(t, servers.RedisOptions{})
	keyset, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, ledger.HMACKeySize)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"SEGELL_S3_ENDPOINT": s3.Endpoint, "SEGELL_S3_BUCKET": "seeded", "SEGELL_S3_ACCESS_KEY": s3.AccessKey, "SEGELL_S3_SECRET_KEY": s3.SecretKey,
		"SEGELL_LEDGER_KEYSET": string(keyset), "SEGELL_LEDGER_HMAC_KEY": hex.EncodeToString(key), "SEGELL_REDIS_URL": "redis://" + redis.Addr()}, s3.Bucket("seeded")
}

func seed(ctx context.Context, env map[string]string, args ...string) (string, error) {
	out := &strings.Builder{}
	err := run(ctx, args, func(name string) string { return env[name] }, out)
	return out.String(), err
}

func TestARegisterIsFilledAndItsIndexBuilt(t *testing.T) {
	env, bucket := place(t)
	args := []string{"-n", "400", "-complete", "10", "-days", "30", "-workers", "8"}
	out, err := seed(t.Context(), env, args...)
	if err != nil || !strings.Contains(out, "400 of 400") || !strings.Contains(out, "The index has 400 rows") {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := read(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Config{Objects: bucket, Keyset: s.keyset, HMACKey: s.hmacKey, Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	client, err := queue.Open(s.redis)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	x := index.New(index.Config{Redis: client, Ledger: l, Queue: queue.New(client), Now: time.Now})
	counts, err := x.Counts(t.Context())
	if err != nil || counts[ledger.StateAccepted] != 4 || counts[ledger.StateFailed] != 8 || counts[ledger.StateWithdrawn] == 0 || counts[ledger.StateReplaced] == 0 {
		t.Errorf("the index counts %v, %v", counts, err)
	}
	complete, numbers := 0, map[string]string{}
	for id, err := range x.IDs(t.Context(), index.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		standing, err := l.Look(t.Context(), id)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if other := numbers[standing.Number]; other != "" {
			t.Errorf("%s and %s have the number %s", id, other, standing.Number)
		}
		numbers[standing.Number] = id
		if standing.Record == nil {
			acceptable(t, l, id)
			continue
		}
		if _, err := l.Issued(t.Context(), id); err == nil {
			complete++
			page, err := l.History(t.Context(), ledger.HistoryQuery{Holder: standing.Record.Holder, Limit: 100})
			if err != nil || len(page.Requests) == 0 {
				t.Errorf("%s is not in its holder's history: %v", id, err)
			}
		} else if !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if complete != 36 { // every tenth of 400, less 4 that failed
		t.Errorf("%d documents are complete", complete)
	}
	// Numbers given out from now on are others.
	receipt, err := l.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: "new", Kind: "coverage_certificate", Code: "COB", CASSNumber: "000000A",
		Queue: queue.Batch, Body: []byte(`{}`), At: time.Now()})
	if err != nil || numbers[receipt.Number] != "" {
		t.Errorf("a new request has the number %s: %v", receipt.Number, err)
	}
	if out, err := seed(t.Context(), env, args...); err != nil || !strings.Contains(out, "The index has") {
		t.Errorf("again: %v\n%s", err, out)
	}
	if _, err := seed(t.Context(), env, "-n", "2000"); err == nil {
		t.Error("another plan is carried out in the same bucket")
	}
}

// acceptable holds a request that waits or failed against the rules of its kind.
func acceptable(t *testing.T, l *ledger.Ledger, id string) {
	t.Helper()
	request, err := l.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	kind, ok := templates.Lookup(request.Kind)
	if !ok {
		t.Fatalf("there is no kind %s", request.Kind)
	}
	if _, err := kind.Decode(request.Body, request.IssuedAt); err != nil {
		t.Errorf("%s of kind %s could not be made: %v", id, request.Kind, err)
	}
}

func TestARunGoesOnWhereTheLastOneEnded(t *testing.T) {
	env, bucket := place(t)
	delete(env, "SEGELL_REDIS_URL")
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer stop()
		for ctx.Err() == nil { // until some are there
			n := 0
			for range bucket.List(ctx, "records/", "") {
				n++
			}
			if n > 520 {
				return
			}
		}
	}()
	if out, err := seed(ctx, env, "-n", "800", "-workers", "2"); err == nil {
		t.Fatalf("it was not interrupted:\n%s", out)
	}
	if out, err := seed(t.Context(), env, "-n", "800"); err != nil || !strings.Contains(out, "800 of 800") {
		t.Fatalf("%v\n%s", err, out)
	}
	there := map[string]int{}
	for _, prefix := range []string{"records/", "requests/"} {
		for _, err := range bucket.List(t.Context(), prefix, "") {
			if err != nil {
				t.Fatal(err)
			}
			there[prefix]++
		}
	}
	if fmt.Sprint(there) != "map[records/:776 requests/:24]" {
		t.Errorf("there are %v", there)
	}
}

func TestRealDocumentsAreLeftAlone(t *testing.T) {
	env, bucket := place(t)
	if _, err := bucket.Create(t.Context(), "records/2026/03/02/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e", []byte("{}"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	if _, err := seed(t.Context(), env, "-n", "10"); !errors.Is(err, errOthers) {
		t.Errorf("it says %v", err)
	}
	for info, err := range bucket.List(t.Context(), "", "") {
		if err != nil || !strings.HasPrefix(info.Key, "records/2026/03/02/") {
			t.Errorf("it wrote %s, %v", info.Key, err)
		}
	}
}

// A register that a command has filled that made nothing else gets the rest on the
// next run, once.
func TestWhatStaffDidIsAddedToARegisterThatIsThere(t *testing.T) {
	env, bucket := place(t)
	delete(env, "SEGELL_REDIS_URL")
	s, err := read(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Config{Objects: bucket, Keyset: s.keyset, HMACKey: s.hmacKey, Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	until := time.Now().UTC().Format(time.RFC3339)
	note := func(more string) {
		t.Helper()
		plan := fmt.Sprintf(`{"n":30000,"days":365,"complete":100,"until":%q,"done":30000,"first":{}%s}`, until, more)
		if _, err := bucket.Write(t.Context(), planKey, []byte(plan), storage.Put{}); err != nil {
			t.Fatal(err)
		}
	}
	there := func() map[string]string {
		t.Helper()
		all := map[string]string{}
		for info, err := range bucket.List(t.Context(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			if info.Key != planKey {
				all[info.Key] = info.ETag
			}
		}
		return all
	}
	note("")
	out, err := seed(t.Context(), env, "-n", "30000")
	if err != nil || !strings.Contains(out, "6 bulks that ended, 3 callbacks that were given up, 600 entries") {
		t.Fatalf("%v\n%s", err, out)
	}
	bulks, err := l.Bulks(t.Context())
	if err != nil || len(bulks) != 6 {
		t.Fatalf("there are the bulks %q, %v", bulks, err)
	}
	states := map[ledger.BulkState]int{}
	for _, id := range bulks {
		b, err := l.Bulk(t.Context(), id)
		if err != nil || b.State.Open() || b.Ended.Before(b.Proposed) || b.Proposed.Sub(ledger.TimeOf(id)).Abs() > time.Second {
			t.Errorf("a bulk is %+v, %v", b, err)
		}
		states[b.State]++
		meant := map[string]bool{}
		for id, err := range l.BulkIDs(t.Context(), b, 0) {
			if err != nil || ledger.TimeOf(id).After(b.Ended.Add(24*time.Hour)) {
				t.Fatalf("%s, %v is meant by a bulk of %v", id, err, b.Ended)
			}
			meant[id] = true
		}
		p, err := l.BulkProgress(t.Context(), id)
		if err != nil || len(meant) != b.Total || p.Next == 0 || b.State == ledger.BulkDone && p.Next != b.Total {
			t.Errorf("of %d requests, %d different, it did %+v, %v", b.Total, len(meant), p, err)
		}
	}
	if states[ledger.BulkDone] != 5 || states[ledger.BulkStopped] != 1 {
		t.Errorf("bulks ended as %v", states)
	}
	undelivered := 0
	for n, err := range l.Undelivered(t.Context()) {
		if err != nil || len(n.Tries) == 0 || n.DeadAt.IsZero() || n.Number == "" {
			t.Errorf("a callback is %+v, %v", n, err)
		}
		undelivered++
	}
	report, err := l.VerifyAudit(t.Context(), nil)
	if err != nil || undelivered != 3 || report.Entries != 600 || len(report.Heads) != 2 || len(report.Faults) != 0 {
		t.Errorf("%d callbacks; the audit trail is %+v, %v", undelivered, report, err)
	}
	// One that ended between what it made and its note of that makes it again.
	was := there()
	note(`,"bulks":2,"callbacks":1,"chains":1`)
	if out, err := seed(t.Context(), env, "-n", "30000"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	is := there()
	if !maps.Equal(was, is) {
		t.Errorf("there were %d objects, and now others, %d", len(was), len(is))
	}
}
