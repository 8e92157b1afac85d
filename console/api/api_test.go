package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/acts"
	"segell/audit"
	"segell/console/api"
	"segell/index"
	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/staff"
	"segell/storage/storagetest"
)

const (
	consoleURL = "https://console.example"
	canary     = "Canari Groc, Aloma" // a holder whose name nobody may read here
	cassNumber = "000000A"
)

// office is the staff API on a bucket in memory and a real Redis, with somebody of
// each role.
type office struct {
	t      *testing.T
	config api.Config
	server *httptest.Server
	redis  *servers.Redis
	bucket *storagetest.Memory
	tokens map[string]string // by login: looker, clerk, colleague, auditor
	log    *lockedBuffer
	other  *ledger.Ledger   // that of another process
	asked  func(key string) // is told of what the bucket is asked for; under watch
	watch  sync.Mutex

	mu       sync.Mutex
	answered []seen
	accepted int
}

// seen is what the API answered to an operation.
type seen struct {
	method, path string
	status       int
	header       http.Header
	body         string
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

// everybody is told of everything.
type everybody struct{}

func (everybody) Wants(string, ledger.Event) bool        { return true }
func (everybody) Noticed(context.Context, ledger.Notice) {}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, redis: servers.NewRedis(t, servers.RedisOptions{}), bucket: &storagetest.Memory{}, tokens: map[string]string{}, log: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(o.log, nil))
	o.bucket.Fault = func(_, key string) error {
		o.watch.Lock()
		defer o.watch.Unlock()
		if o.asked != nil {
			o.asked(key)
		}
		return nil
	}
	text, err := ledger.NewKeyset()
	o.must(err)
	keyset, err := ledger.ReadKeyset(text)
	o.must(err)
	c := &o.config
	c.Log, c.Now, c.PublicURL, c.Version = log, time.Now, consoleURL, "test"
	c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	books := ledger.Config{Objects: o.bucket, Keyset: keyset, HMACKey: make([]byte, ledger.HMACKeySize), Now: time.Now, Random: rand.Reader, Subscribers: everybody{}}
	c.Ledger, err = ledger.New(books)
	o.must(err)
	o.other, err = ledger.New(books)
	o.must(err)
	client, err := queue.Open("redis://" + o.redis.Addr())
	o.must(err)
	c.Queue = queue.New(client)
	c.Index = index.New(index.Config{Redis: client, Ledger: c.Ledger, Queue: c.Queue, Log: log, Now: time.Now})
	c.Acts, err = acts.New(acts.Config{Ledger: c.Ledger, Queue: c.Queue, Index: c.Index, Redis: client, Log: log, Now: time.Now, Random: rand.Reader, FourEyes: 5, Rate: 1000})
	o.must(err)
	c.Desk, err = staff.New(staff.Config{Ledger: c.Ledger, Log: log, Now: time.Now, Random: rand.Reader})
	o.must(err)
	c.Audit, err = audit.NewReader(audit.Config{Ledger: c.Ledger, Log: log, Now: time.Now})
	o.must(err)
	o.run(client)
	for login, role := range map[string]staff.Role{"looker": staff.Look, "clerk": staff.Act, "colleague": staff.Act, "auditor": staff.Audit} {
		// By the ledger: a password, which nobody uses here, takes long to hash.
		o.must(c.Ledger.AddStaff(t.Context(), ledger.StaffAccount{Login: login, Name: "Somebody", Roles: []string{string(role)}, Language: "en", Password: "none", CreatedAt: time.Now()}))
		o.tokens[login], _, err = c.Desk.NewToken(t.Context(), staff.Actor{Who: "operator"}, login, "test", nil, time.Hour)
		o.must(err)
	}
	handler, err := api.New(*c)
	o.must(err)
	o.server = httptest.NewServer(handler)
	t.Cleanup(o.server.Close)
	return o
}

// run lets the index, the bulks and the audit trail follow until the test ends.
func (o *office) run(client redis.UniversalClient) {
	o.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	beside.Go(func() { o.config.Index.Run(ctx) })
	beside.Go(func() { _ = o.config.Acts.Run(ctx) })
	beside.Go(func() { o.config.Audit.Run(ctx) })
	o.t.Cleanup(func() { stop(); beside.Wait(); client.Close() })
	o.until("the audit trail is read", func() bool { return o.config.Audit.Condition().Complete })
	o.until("the index is built", func() bool {
		c, err := o.config.Index.Condition(ctx)
		return err == nil && c.Complete
	})
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) until(what string, done func() bool) {
	o.t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			o.t.Fatalf("in vain waited until %s:\n%s", what, o.log.String())
		}
	}
}

// accept has a request accepted.
func (o *office) accept() ledger.Receipt {
	o.t.Helper()
	o.mu.Lock()
	o.accepted++
	key := fmt.Sprint("key ", o.accepted)
	o.mu.Unlock()
	time.Sleep(2 * time.Millisecond) // ids sort by time, to the millisecond
	receipt, err := o.config.Ledger.Accept(o.t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: key, Kind: "coverage_certificate", Code: "COB", CASSNumber: cassNumber,
		Queue: queue.Interactive, Body: []byte(`{"language":"ca","holder":{"full_name":"` + canary + `","cass_number":"` + cassNumber + `"}}`), At: time.Now()})
	o.must(err)
	o.config.Queue.Tell(o.t.Context(), queue.Move{ID: receipt.ID})
	return receipt
}

// failed is a request that was given up.
func (o *office) failed(cause string) string {
	o.t.Helper()
	r, at := o.accept(), time.Now()
	try := ledger.Try{At: at, Stage: ledger.StageSeal, Cause: cause}
	o.must(o.config.Ledger.GiveUp(o.t.Context(), ledger.Failure{ID: r.ID, Kind: r.Kind, Number: r.Number, Client: "portal", Stage: ledger.StageSeal, Cause: cause,
		Detail: "the authority answered 503", Tries: []ledger.Try{try}, FailedAt: at}))
	o.config.Queue.Tell(o.t.Context(), queue.Move{ID: r.ID})
	return r.ID
}

// issued is a request that has its document.
func (o *office) issued() ledger.Receipt {
	o.t.Helper()
	r := o.accept()
	request, err := o.config.Ledger.Request(o.t.Context(), r.ID)
	o.must(err)
	document, err := o.config.Ledger.Issue(o.t.Context(), request, []byte("%PDF-1.7 sealed"), ledger.Document{Level: "B-LTA", Pages: 1, Certificate: "00"})
	o.must(err)
	o.must(o.config.Ledger.Finish(o.t.Context(), request, document, "ca", "", ledger.Mask(canary, cassNumber), ledger.Making{}))
	o.config.Queue.Tell(o.t.Context(), queue.Move{ID: r.ID})
	return r
}

// undelivered is a callback that was given up.
func (o *office) undelivered() string {
	o.t.Helper()
	id := o.failed("data_unusable")
	for name, err := range o.config.Ledger.Notices(o.t.Context()) {
		o.must(err)
		if strings.HasPrefix(name, id) {
			n, err := o.config.Ledger.Notice(o.t.Context(), name)
			o.must(err)
			o.must(o.config.Ledger.Undeliverable(o.t.Context(), n))
			return name
		}
	}
	o.t.Fatal("a failure has no callback")
	return ""
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

type edit func(*http.Request)

func with(header, value string) edit { return func(r *http.Request) { r.Header.Set(header, value) } }

func as(o *office, login string) edit { return with("Authorization", "Bearer "+o.tokens[login]) }

// ask calls the API as a program of the clerk's would.
func (o *office) ask(method, path, body string, edits ...edit) answer {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), method, o.server.URL+path, strings.NewReader(body))
	o.must(err)
	as(o, "clerk")(request)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, e := range edits {
		e(request)
	}
	response, err := o.server.Client().Do(request)
	o.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	o.must(err)
	a := answer{status: response.StatusCode, header: response.Header, body: string(text)}
	_ = json.Unmarshal(text, &a.json) // not everything is an object
	o.mu.Lock()
	o.answered = append(o.answered, seen{method: method, path: request.URL.Path, status: a.status, header: a.header, body: a.body})
	o.mu.Unlock()
	if strings.Contains(a.body, "Groc") || strings.Contains(a.body, cassNumber) {
		o.t.Errorf("%s %s tells who it is about: %s", method, path, a.body)
	}
	if a.status >= 400 && (a.header.Get("Content-Type") != "application/problem+json" || !strings.HasPrefix(fmt.Sprint(a.json["type"]), consoleURL+"/api/problems/") || a.json["status"] != float64(a.status)) {
		o.t.Errorf("%s %s is refused by no problem: %d %v %s", method, path, a.status, a.header, a.body)
	}
	return a
}

// wants fails unless an answer has a status.
func (o *office) wants(a answer, status int) answer {
	o.t.Helper()
	if a.status != status {
		o.t.Errorf("answered %d %s, want %d", a.status, a.body, status)
	}
	return a
}

// refused fails unless an answer is a problem of a kind.
func (o *office) refused(a answer, kind string) answer {
	o.t.Helper()
	if got, _ := a.json["type"].(string); !strings.HasSuffix(got, "/api/problems/"+kind) {
		o.t.Errorf("answered %d %s, want the problem %s", a.status, a.body, kind)
	}
	return a
}

// at walks into an answer, such as "jobs.0.id".
func (a answer) at(path string) any {
	var v any = a.json
	for step := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// records is the audit trail.
func (o *office) records() (all []ledger.AuditRecord) {
	o.t.Helper()
	for r, err := range o.config.Ledger.AuditTrail(o.t.Context()) {
		o.must(err)
		all = append(all, r)
	}
	return all
}

// trail is what the audit trail holds of an act, oldest first: "who id why".
func (o *office) trail(what string) []string {
	o.t.Helper()
	var all []string
	for _, r := range o.records() {
		if r.What == what {
			all = append(all, strings.Join(strings.Fields(r.Who+" "+r.ID+" "+r.Why), " "))
		}
	}
	return all
}
