package console_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/acts"
	"segell/audit"
	"segell/console"
	"segell/index"
	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/staff"
	"segell/storage"
	"segell/storage/storagetest"
)

// What must be in no page, no log and no Redis before somebody asked for it with a
// reason.
const (
	canaryName = "Canari Groc, Aloma"
	canaryCASS = "731234A"
	canaryBody = `{"language":"ca","data_as_of":"2026-03-01","requested_by":"self","holder":{"full_name":"` + canaryName +
		`","cass_number":"` + canaryCASS + `","birth_date":"1984-07-19","id_document":{"type":"passport","number":"PP7312345","country":"AD"}},"data":{"purpose":"Beca Canari"}}`
)

// office is a console on a bucket in memory and a real Redis, with a member of
// staff of every role.
type office struct {
	t       testing.TB
	bucket  *storagetest.Memory
	redis   *servers.Redis
	client  redis.UniversalClient
	ledger  *ledger.Ledger
	queue   *queue.Queue
	index   *index.Index
	acts    *acts.Acts
	server  *httptest.Server
	log     *officeLog
	console *console.Console
	desk    *staff.Desk
	away    *atomic.Bool                            // the bucket does not answer
	ahead   *atomic.Int64                           // how far the clock of the console is ahead, as a time.Duration
	held    *atomic.Pointer[func(key string) error] // answers for the bucket
	keys    int
}

type officeLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *officeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *officeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const officePassword = "una frase ben llarga 7"

func newOffice(t testing.TB, health func(context.Context) []console.Health) *office {
	t.Helper()
	o := &office{t: t, bucket: &storagetest.Memory{}, away: &atomic.Bool{}, held: &atomic.Pointer[func(string) error]{}, ahead: &atomic.Int64{}, redis: servers.NewRedis(t, servers.RedisOptions{}), log: &officeLog{}}
	o.bucket.Fault = func(op, key string) error {
		if o.away.Load() {
			return storage.ErrUnavailable
		}
		if held := o.held.Load(); held != nil {
			return (*held)(key)
		}
		return nil
	}
	text, err := ledger.NewKeyset()
	o.must(err)
	keyset, err := ledger.ReadKeyset(text)
	o.must(err)
	o.ledger, err = ledger.New(ledger.Config{Objects: o.bucket, Keyset: keyset, HMACKey: bytes.Repeat([]byte{7}, ledger.HMACKeySize), Now: time.Now, Random: rand.Reader})
	o.must(err)
	o.client, err = queue.Open("redis://" + o.redis.Addr())
	o.must(err)
	t.Cleanup(func() { o.client.Close() })
	log := slog.New(slog.NewTextHandler(o.log, nil))
	o.queue = queue.New(o.client)
	o.index = index.New(index.Config{Redis: o.client, Ledger: o.ledger, Queue: o.queue, Log: log, Now: time.Now})
	o.acts, err = acts.New(acts.Config{Ledger: o.ledger, Queue: o.queue, Index: o.index, Redis: o.client, Log: log, Now: time.Now, Random: rand.Reader, FourEyes: 20})
	o.must(err)
	trail, err := audit.NewReader(audit.Config{Ledger: o.ledger, Log: log, Now: time.Now})
	o.must(err)
	desk, err := staff.New(staff.Config{Ledger: o.ledger, Log: log, Now: time.Now, Random: rand.Reader})
	o.must(err)
	for login, roles := range map[string][]staff.Role{"mira": {staff.Look}, "anna": {staff.Act}, "bru": {staff.Act}, "olga": {staff.Audit}} {
		_, err := desk.Add(t.Context(), staff.Actor{Who: "test"}, staff.Account{Login: login, Name: strings.ToUpper(login[:1]) + login[1:] + " Prats", Roles: roles, Language: "ca"}, officePassword)
		o.must(err)
	}
	c, err := console.New(console.Config{Ledger: o.ledger, Queue: o.queue, Index: o.index, Desk: desk, Acts: o.acts, Audit: trail, Health: health,
		Log: log, Now: func() time.Time { return time.Now().Add(time.Duration(o.ahead.Load())) }, Institution: "Caixa Andorrana de Seguretat Social"})
	o.must(err)
	o.console, o.desk = c, desk
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { o.index.Run(ctx) })
	running.Go(func() { trail.Run(ctx) })
	running.Go(func() { o.queue.Keep(ctx) })
	running.Go(func() { _ = o.acts.Run(ctx) })
	o.server = httptest.NewServer(c.Handler())
	t.Cleanup(func() {
		c.Close()
		o.server.Close()
		cancel()
		running.Wait()
	})
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// accept puts a request of the canary's into the ledger, as the door does.
func (o *office) accept(kind, code string) ledger.Request {
	o.t.Helper()
	o.keys++
	time.Sleep(2 * time.Millisecond) // ids sort by their millisecond
	receipt, err := o.ledger.Accept(o.t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: fmt.Sprint("key ", o.keys), Kind: kind, Code: code,
		CASSNumber: canaryCASS, Queue: queue.Batch, Body: []byte(canaryBody), At: time.Now()})
	o.must(err)
	request, err := o.ledger.Request(o.t.Context(), receipt.ID)
	o.must(err)
	o.queue.Tell(o.t.Context(), queue.Move{ID: receipt.ID})
	return request
}

// fail gives a request up as a worker does.
func (o *office) fail(r ledger.Request, stage ledger.Stage, cause, detail string) {
	o.t.Helper()
	at := time.Now().Truncate(time.Second) // as a worker keeps it
	tries := []ledger.Try{{At: at.Add(-3 * time.Second), Stage: stage, Cause: cause}, {At: at, Stage: stage, Cause: cause}}
	o.must(o.ledger.GiveUp(o.t.Context(), ledger.Failure{ID: r.ID, Kind: r.Kind, Number: r.Number, Client: r.Client, Stage: stage, Cause: cause,
		Detail: detail, Tries: tries, FailedAt: at}))
	o.queue.Tell(o.t.Context(), queue.Move{ID: r.ID})
}

// issue stores a document for a request as a worker does.
func (o *office) issue(r ledger.Request) {
	o.t.Helper()
	d, err := o.ledger.Issue(o.t.Context(), r, []byte("%PDF-1.7 made for a test"), ledger.Document{Level: "PAdES-BASELINE-LTA", Pages: 2, Certificate: strings.Repeat("0", 64)})
	o.must(err)
	o.must(o.ledger.Finish(o.t.Context(), r, d, "ca", "2027-03-01", ledger.Mask(canaryName, canaryCASS), ledger.Making{
		Failed: []ledger.Try{{At: time.Now(), Stage: ledger.StageSeal, Cause: "tsa_away"}},
		Steps:  []ledger.StepTime{{Stage: ledger.StageRender, Milliseconds: 12}, {Stage: ledger.StageSeal, Milliseconds: 1240}}}))
	o.queue.Tell(o.t.Context(), queue.Move{ID: r.ID})
}

// settle waits until the index holds so many failures.
func (o *office) settle(failed, issued int64) {
	o.t.Helper()
	for range 800 {
		counts, err := o.index.Counts(o.t.Context())
		condition, _ := o.index.Condition(o.t.Context())
		if err == nil && condition.Complete && counts[ledger.StateFailed] == failed && counts[ledger.StateIssued] == issued {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	counts, err := o.index.Counts(o.t.Context())
	o.t.Fatalf("the index holds %v (%v), %d failed and %d issued are expected", counts, err, failed, issued)
}

// listed waits until the index holds so many requests in a state.
func (o *office) listed(state ledger.State, n int64) {
	o.t.Helper()
	for range 800 {
		if counts, err := o.index.Counts(o.t.Context()); err == nil && counts[state] == n {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	o.t.Fatalf("the index does not come to hold %d requests that are %s", n, state)
}

// browser is one that a member of staff has logged in with.
type browser struct {
	o    *office
	http *http.Client
}

// reply is what came back.
type reply struct {
	status   int
	header   http.Header
	body     string
	location string
}

func (o *office) login(name string) *browser {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	o.must(err)
	b := &browser{o, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	page := b.get("/login")
	form := url.Values{"login": {name}, "password": {officePassword}}
	for _, hidden := range hiddenField.FindAllStringSubmatch(page.body, -1) {
		form.Set(hidden[1], hidden[2])
	}
	if got := b.send(http.MethodPost, "/login", form); got.status != http.StatusSeeOther {
		o.t.Fatalf("%s cannot log in: %d %s", name, got.status, got.body)
	}
	return b
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

func (b *browser) get(path string) reply { return b.send(http.MethodGet, path, nil) }

// post sends a form with the token of the session.
func (b *browser) post(path string, pairs ...string) reply {
	b.o.t.Helper()
	form := url.Values{"csrf": {b.token()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.send(http.MethodPost, path, form)
}

func (b *browser) token() string {
	b.o.t.Helper()
	for _, hidden := range hiddenField.FindAllStringSubmatch(b.get("/find").body, -1) {
		if hidden[1] == "csrf" {
			return hidden[2]
		}
	}
	b.o.t.Fatal("a page has no token for its forms")
	return ""
}

func (b *browser) send(method, path string, form url.Values) reply {
	b.o.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(b.o.t.Context(), method, b.o.server.URL+path, body)
	b.o.must(err)
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := b.http.Do(request)
	b.o.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	b.o.must(err)
	return reply{answer.StatusCode, answer.Header, string(text), answer.Header.Get("Location")}
}

// main is what is the page's own.
func (r reply) main() string {
	_, own, found := strings.Cut(r.body, "<main")
	if !found {
		return r.body
	}
	own, _, _ = strings.Cut(own, "</main>")
	return own
}

// follow sends a form and opens the page that it leads to.
func (b *browser) follow(path string, pairs ...string) reply {
	b.o.t.Helper()
	got := b.post(path, pairs...)
	if got.status != http.StatusSeeOther {
		b.o.t.Fatalf("POST %s: %d, want a way to a page:\n%s", path, got.status, got.main())
	}
	return b.get(got.location)
}

// wants fails unless a page is there and says all of these.
func wants(t testing.TB, got reply, status int, texts ...string) {
	t.Helper()
	if got.status != status {
		t.Fatalf("status %d, want %d:\n%s", got.status, status, got.main())
	}
	for _, text := range texts {
		if !strings.Contains(got.body, text) {
			t.Errorf("the page does not say %q:\n%s", text, got.main())
		}
	}
}

// entries is the audit trail, as text.
func (o *office) entries() (list []ledger.AuditRecord, text string) {
	o.t.Helper()
	for record, err := range o.ledger.AuditTrail(o.t.Context()) {
		o.must(err)
		list = append(list, record)
		line, err := json.Marshal(record)
		o.must(err)
		text += string(line) + "\n"
	}
	return list, text
}

func well(context.Context) []console.Health {
	days := 83.4
	return []console.Health{{Part: "redis", State: "well"}, {Part: "storage", State: "well"}, {Part: "workers", State: "well", Detail: map[string]string{"workers": "2"}},
		{Part: "tsa", State: "well"}, {Part: "seal", State: "well", DaysLeft: &days, Ends: time.Now().Add(83 * 24 * time.Hour)}}
}

// eventually waits for something that goes on beside.
func (o *office) eventually(what string, is func() bool) {
	o.t.Helper()
	for range 600 {
		if is() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	o.t.Fatalf("not within its time: %s\n%s", what, o.log.String())
}

// work issues what is unfinished, as workers do, until stop is called.
func (o *office) work() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		for ctx.Err() == nil {
			for id, err := range o.ledger.Unfinished(ctx) {
				r, reading := o.ledger.Request(ctx, id)
				if err != nil || reading != nil {
					continue
				}
				d, err := o.ledger.Issue(ctx, r, []byte("%PDF-1.7 made for a test"), ledger.Document{Level: "PAdES-BASELINE-LTA", Pages: 1, Certificate: strings.Repeat("0", 64)})
				if err == nil && o.ledger.Finish(ctx, r, d, "ca", "", ledger.Mask(canaryName, canaryCASS), ledger.Making{}) == nil {
					o.queue.Withdraw(ctx, id, r.Queue)
					o.queue.Tell(ctx, queue.Move{ID: id})
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	return func() { cancel(); working.Wait() }
}
