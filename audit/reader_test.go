package audit_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/audit"
	"segell/ledger"
	"segell/storage"
	"segell/storage/storagetest"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// office is a bucket with an audit trail, at a time that is set by hand. Each
// process of it has a ledger, so a chain, of its own.
type office struct {
	t      *testing.T
	bucket *storagetest.Memory
	config ledger.Config
	mu     sync.Mutex
	now    time.Time
	log    bytes.Buffer
}

func newOffice(t *testing.T) *office {
	t.Helper()
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, bucket: &storagetest.Memory{}, now: noon}
	o.config = ledger.Config{Objects: o.bucket, Keyset: keyset, HMACKey: bytes.Repeat([]byte{7}, ledger.HMACKeySize), Now: o.time, Random: rand.Reader}
	return o
}

func (o *office) time() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

// Write makes the office the place of the log.
func (o *office) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.Write(p)
}

func (o *office) logged() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.String()
}

func (o *office) process() *ledger.Ledger {
	o.t.Helper()
	l, err := ledger.New(o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	return l
}

const (
	request = "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"
	bulk    = "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d90"
)

// write audits one act, a second after the last.
func (o *office) write(l *ledger.Ledger, who, what, why string) {
	o.t.Helper()
	o.pass(time.Second)
	if err := l.Audit(o.t.Context(), ledger.AuditEntry{Who: who, What: what, ID: request, Why: why, From: "192.0.2.7"}); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) reader(l *ledger.Ledger, headsFile string) *audit.Reader {
	o.t.Helper()
	r, err := audit.NewReader(audit.Config{Ledger: l, Log: slog.New(slog.NewTextHandler(o, nil)), Now: o.time, HeadsFile: headsFile, Every: 10 * time.Millisecond})
	if err != nil {
		o.t.Fatal(err)
	}
	return r
}

// follow runs a reader until the test ends, and waits until it has read the trail.
func (o *office) follow(r *audit.Reader) {
	o.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	o.t.Cleanup(func() { stop(); running.Wait() })
	o.until("the trail is read", func() bool { return r.Condition().Complete })
}

func (o *office) until(what string, done func() bool) {
	o.t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			o.t.Fatalf("in vain waited until %s:\n%s", what, o.logged())
		}
	}
}

func (o *office) keys() []string {
	o.t.Helper()
	var all []string
	for info, err := range o.bucket.List(o.t.Context(), "audit/", "") {
		if err != nil {
			o.t.Fatal(err)
		}
		all = append(all, info.Key)
	}
	return all
}

func whys(records []ledger.AuditRecord) string {
	var all []string
	for _, r := range records {
		all = append(all, r.Why)
	}
	return strings.Join(all, " ")
}

// What several processes wrote is found newest first, page by page, by everything
// that an entry says.
func TestTheTrailIsSearchedOverAllItsChains(t *testing.T) {
	o := newOffice(t)
	console, command, third := o.process(), o.process(), o.process()
	o.write(console, "maria", "jobs.retry", "a")
	o.write(command, "operator", "jobs.cancel", "b")
	o.write(console, "maria", "staff.login", "c")
	o.write(third, "joan", "jobs.retry", "Reparat")
	o.write(command, "operator", "work.pause", "e")
	o.pass(time.Second)
	if err := console.Audit(t.Context(), ledger.AuditEntry{Who: "joan", What: "jobs.show", ID: request, Why: "f", From: "192.0.2.7", Bulk: bulk}); err != nil {
		t.Fatal(err)
	}
	r := o.reader(console, "")
	o.follow(r)
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for _, c := range []struct {
		query audit.Query
		want  string
	}{
		{audit.Query{}, "f e Reparat c b a"},
		{audit.Query{Who: "maria"}, "c a"},
		{audit.Query{Who: "mar"}, ""},
		{audit.Query{What: "jobs.retry"}, "Reparat a"},
		{audit.Query{What: "jobs."}, "f Reparat b a"},
		{audit.Query{What: "jobs"}, ""},
		{audit.Query{ID: request, Limit: 2}, "f e"},
		{audit.Query{ID: strings.Replace(request, "8e", "8f", 1)}, ""},
		{audit.Query{ID: bulk}, "f"},
		{audit.Query{Text: "3f1d2b6c7d90"}, "f"},
		{audit.Query{From: at(3)}, "f e Reparat c"},
		// What nanoseconds in 64 bits cannot say.
		{audit.Query{Until: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, "f e Reparat c b a"},
		{audit.Query{Until: time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC)}, "f e Reparat c b a"},
		{audit.Query{From: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)}, "f e Reparat c b a"},
		{audit.Query{From: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}, ""},
		{audit.Query{Until: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)}, ""},
		{audit.Query{From: at(3), Until: at(5)}, "Reparat c"},
		{audit.Query{From: at(9)}, ""},
		{audit.Query{Text: "REPARAT"}, "Reparat"},
		{audit.Query{Text: "PAUSE"}, "e"},
		{audit.Query{Text: "192.0.2"}, "f e Reparat c b a"},
		{audit.Query{Text: "3f1d2b6c"}, "f e Reparat c b a"},
		{audit.Query{Text: "nobody"}, ""},
		{audit.Query{Who: "joan", What: "jobs.", Until: at(6)}, "Reparat"},
	} {
		page, err := r.Search(t.Context(), c.query)
		if err != nil || whys(page.Records) != c.want {
			t.Errorf("%+v finds %q, %v", c.query, whys(page.Records), err)
		}
		for record, err := range console.AuditTrail(t.Context()) {
			if err != nil || c.query.Limit == 0 && c.query.Match(record) != slices.Contains(page.Records, record) {
				t.Errorf("%+v: Match of %+v is not what Search finds, %v", c.query, record, err)
			}
		}
	}
	// Page by page, while others go on writing: nothing twice, nothing left out.
	var seen []string
	query := audit.Query{Limit: 2}
	for n := 0; ; n++ {
		page, err := r.Search(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, whys(page.Records))
		if query.Cursor = page.Older; query.Cursor == "" {
			break
		}
		o.write(console, "maria", "jobs.retry", fmt.Sprintf("later%d", n))
	}
	if got := strings.Join(seen, " "); got != "f e Reparat c b a" {
		t.Errorf("by pages: %q", got)
	}
	for _, cursor := range []string{"x", "AAAA", "MSAyIDM", query.Cursor + "é"} {
		if _, err := r.Search(t.Context(), audit.Query{Cursor: cursor}); !errors.Is(err, audit.ErrCursor) {
			t.Errorf("the cursor %q: %v", cursor, err)
		}
	}
}

// What this process writes is there at once and without asking the bucket; what
// others write, when somebody searches.
func TestTheTrailIsFollowed(t *testing.T) {
	o := newOffice(t)
	console, command := o.process(), o.process()
	o.write(command, "operator", "jobs.retry", "first")
	r := o.reader(console, "")
	r.Every = time.Hour
	o.write(console, "maria", "jobs.show", "before") // and before it is complete
	if page, err := r.Search(t.Context(), audit.Query{}); err != nil || page.Complete || whys(page.Records) != "before" {
		t.Errorf("before it is read: %+v, %v", page, err)
	}
	o.follow(r)
	find := func(want string) {
		t.Helper()
		var page audit.Page
		for end := time.Now().Add(10 * time.Second); whys(page.Records) != want && time.Now().Before(end); time.Sleep(time.Millisecond) {
			var err error
			if page, err = r.Search(t.Context(), audit.Query{}); err != nil || !page.Complete || len(page.Faults) > 0 {
				t.Fatalf("%+v, %v", page, err)
			}
		}
		if got := whys(page.Records); got != want {
			t.Errorf("found is %q, want %q", got, want)
		}
	}
	o.write(console, "maria", "jobs.show", "own")
	o.bucket.Fault = func(op, key string) error { return fmt.Errorf("%w: cut", storage.ErrUnavailable) }
	o.pass(time.Minute)
	find("own before first") // while the bucket is away
	o.until("the look has ended", func() bool { return strings.Contains(o.logged(), "could not be read") })
	o.bucket.Fault = nil
	o.pass(time.Minute)
	o.write(command, "operator", "jobs.retry", "grown")
	o.write(o.process(), "joan", "jobs.retry", "begun")
	o.pass(time.Minute)
	find("begun grown own before first")
	// A chain that began long ago, and grew yesterday, is asked for more.
	o.pass(20 * time.Hour)
	o.write(command, "operator", "jobs.retry", "one")
	o.write(command, "operator", "jobs.retry", "two")
	o.pass(time.Minute)
	find("two one begun grown own before first")
}

// Whatever is done to the bucket while a reader runs, it says so, in its answers
// and to the operator.
func TestAReaderSeesWhatIsDoneToTheTrail(t *testing.T) {
	for what, tamper := range map[string]func(o *office, keys []string){
		"the end taken": func(o *office, keys []string) { o.remove(keys[4]) },
		"one taken":     func(o *office, keys []string) { o.remove(keys[2]) },
		"all of it":     func(o *office, keys []string) { o.remove(keys...) },
	} {
		o := newOffice(t)
		l := o.process()
		for n := range 5 {
			o.write(l, "maria", "jobs.retry", fmt.Sprint(n))
		}
		r := o.reader(o.process(), "")
		o.follow(r)
		if c := r.Condition(); len(c.Faults) > 0 || c.Entries != 5 {
			t.Errorf("untouched: %+v", c)
		}
		tamper(o, o.keys())
		o.until(what+" is seen", func() bool { return len(r.Condition().Faults) > 0 })
		if !strings.Contains(o.logged(), "level=ERROR msg=\"the audit trail is not whole\"") {
			t.Errorf("%s: the operator is not told:\n%s", what, o.logged())
		}
		report, err := r.Verify(t.Context())
		if err != nil || len(report.Faults) == 0 {
			t.Errorf("%s: Verify says %+v, %v", what, report, err)
		}
	}
	// One that reads the trail afterwards sees what is missing within it, or changed.
	o := newOffice(t)
	l := o.process()
	for n := range 5 {
		o.write(l, "maria", "jobs.retry", fmt.Sprint(n))
	}
	keys := o.keys()
	o.remove(keys[1])
	if _, err := o.bucket.Write(t.Context(), keys[3], []byte("x"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	r := o.reader(o.process(), "")
	o.follow(r)
	if c := r.Condition(); len(c.Faults) != 3 || c.Entries != 3 {
		t.Errorf("read afterwards: %+v", c)
	}
}

func (o *office) remove(keys ...string) {
	o.t.Helper()
	for _, key := range keys {
		if err := o.bucket.Delete(o.t.Context(), key); err != nil {
			o.t.Fatal(err)
		}
	}
}

// A search in a trail of a million entries.
func BenchmarkSearch(b *testing.B) {
	r := audit.Filled(1_000_000)
	for name, q := range map[string]audit.Query{"newest": {}, "who is rare": {Who: "clerk199"}, "text is nowhere": {Text: "no such word"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Search(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
