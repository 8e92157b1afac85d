package notify

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segell/internal/judges"
	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
	"segell/storage/storagetest"
)

// canary is in the body of every request and must be in nothing that is sent.
const canary = "Canari Groc, Aloma"

// bench is a ledger in memory whose client "portal" is told of everything at a
// given address, and a clock that stands still.
type bench struct {
	*ledger.Ledger
	bucket   *storagetest.Memory
	now      time.Time
	config   ledger.Config
	notify   Config
	notifier *Notifier
	log      *buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newBench(t testing.TB, address string, secrets ...string) *bench {
	t.Helper()
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{bucket: &storagetest.Memory{}, now: time.Now().Truncate(time.Second), log: &buffer{}}
	clock := func() time.Time { return b.now }
	b.notify = Config{Endpoints: Endpoints{"portal": endpoint(t, address, secrets...)}, Now: clock, Random: func() float64 { return .5 },
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})), PublicURL: "https://segell.example",
		Version: "test", CheckInterval: 10 * time.Millisecond, ShutdownWithin: time.Second, Queue: &queue.Queue{}}
	b.config = ledger.Config{Objects: b.bucket, Keyset: keyset, HMACKey: make([]byte, ledger.HMACKeySize), Now: clock, Random: rand.Reader,
		Subscribers: quiet{b.notify.Endpoints}}
	b.open(t)
	return b
}

// open is what a process does at its start.
func (b *bench) open(t testing.TB) {
	t.Helper()
	var err error
	if b.Ledger, err = ledger.New(b.config); err != nil {
		t.Fatal(err)
	}
	b.notify.Ledger = b.Ledger
	if b.notifier, err = New(b.notify); err != nil {
		t.Fatal(err)
	}
}

// quiet enqueues nothing: the test delivers by itself.
type quiet struct{ endpoints Endpoints }

func (q quiet) Wants(client string, e ledger.Event) bool {
	return Subscribers{Endpoints: q.endpoints}.Wants(client, e)
}
func (quiet) Noticed(context.Context, ledger.Notice) {}

func endpoint(t testing.TB, address string, secrets ...string) Endpoint {
	t.Helper()
	if len(secrets) == 0 {
		secrets = []string{newSecret(t)}
	}
	text, err := json.Marshal(map[string]endpointFile{"portal": {URL: address, Secrets: secrets, Allow: []string{"127.0.0.0/8"}, AllowHTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	all, err := ReadEndpoints(text)
	if err != nil {
		t.Fatal(err)
	}
	return all["portal"]
}

func newSecret(t testing.TB) string {
	t.Helper()
	secret, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

var keys int

// accept puts a request of the portal's into the ledger.
func (b *bench) accept(t testing.TB, replaces string) ledger.Request {
	t.Helper()
	keys++
	receipt, err := b.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: fmt.Sprint("k", keys), Kind: "coverage_certificate", Code: "COB",
		CASSNumber: "000000A", Queue: queue.Interactive, Replaces: replaces, Body: []byte(`{"holder":{"full_name":"` + canary + `"}}`), At: b.now})
	if err != nil {
		t.Fatal(err)
	}
	request, err := b.Request(t.Context(), receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// issue goes the way of a document, or what is left of it.
func (b *bench) issue(ctx context.Context, r ledger.Request) error {
	document, err := b.Issue(ctx, r, []byte("%PDF-1.7"), ledger.Document{Level: "B-T", Pages: 1, Certificate: "c"})
	if err != nil {
		return err
	}
	return b.Finish(ctx, r, document, "ca", "", ledger.Masked{}, ledger.Making{})
}

func (b *bench) fail(ctx context.Context, r ledger.Request) error {
	return b.GiveUp(ctx, ledger.Failure{ID: r.ID, Kind: r.Kind, Number: r.Number, Client: r.Client, Stage: ledger.StageRender, Cause: "missing_glyph", FailedAt: b.now})
}

// deliver makes a try at everything, and again as time goes by, until nothing is
// left to deliver.
func (b *bench) deliver(t testing.TB) {
	t.Helper()
	for end := b.now.Add(72 * time.Hour); b.now.Before(end); b.now = b.now.Add(10 * time.Minute) {
		left := 0
		for name, err := range b.Notices(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if b.notifier.Deliver(t.Context(), name) > 0 {
				left++
			}
		}
		if left == 0 {
			return
		}
	}
	t.Fatal("something is still to be delivered after three days")
}

func (b *bench) names(t testing.TB) []string {
	t.Helper()
	var all []string
	for name, err := range b.Notices(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	return all
}

func (b *bench) undelivered(t testing.TB) []ledger.Notice {
	t.Helper()
	var all []ledger.Notice
	for n, err := range b.Undelivered(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// message is a callback as an endpoint gets it.
type message struct {
	id, at, signature, agent string
	body                     string
}

// client is an endpoint that keeps what it gets and answers as it is told.
type client struct {
	*httptest.Server
	mu     sync.Mutex
	got    []message
	answer http.HandlerFunc // 204 where nil
}

func newClient(t testing.TB) *client {
	t.Helper()
	c := &client{}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *client) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.got = append(c.got, message{r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), r.UserAgent(), string(body)})
	answer := c.answer
	c.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c *client) answers(h http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = h
}

func (c *client) messages() []message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

// types are the webhook-ids of what arrived, by type of event.
func (c *client) types(t testing.TB) map[string][]string {
	t.Helper()
	got := map[string][]string{}
	for _, m := range c.messages() {
		var body struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal([]byte(m.body), &body); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(got[body.Type], m.id) {
			got[body.Type] = append(got[body.Type], m.id)
		}
	}
	return got
}

// The specification gives one worked example.
func TestTheSpecificationsExample(t *testing.T) {
	secret, err := ReadSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign([]Secret{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", secret, secret, secret, Endpoint{Secrets: []Secret{secret}}.Secrets); strings.Contains(text, "49") || !strings.Contains(text, "hidden") {
		t.Errorf("a secret prints itself: %s", text)
	}
}

// npm's standardwebhooks judges what is sent, also while the secret is changed.
func TestTheLibraryOfTheStandardAgrees(t *testing.T) {
	before, after, another := newSecret(t), newSecret(t), newSecret(t)
	receiver := judges.NewReceiver(t, before)
	for _, step := range []struct {
		signs []string
		knows string
	}{{[]string{before}, before}, {[]string{before, after}, before}, {[]string{before, after}, after}, {[]string{after}, after}} {
		b := newBench(t, receiver.URL, step.signs...)
		receiver.Knows(step.knows)
		request := b.accept(t, "")
		if err := b.issue(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		b.deliver(t)
		got := receiver.Next()
		if got.Error != "" {
			t.Fatalf("the library says %q", got.Error)
		}
		var m payload
		if err := json.Unmarshal(got.Message, &m); err != nil {
			t.Fatal(err)
		}
		self := "https://segell.example/v1/requests/" + request.ID
		want := payload{ledger.EventIssued, b.now.UTC(), payloadData{request.ID, "coverage_certificate", request.Number, "issued", payloadLinks{self, self + "/content"}}}
		if !m.Timestamp.Equal(want.Timestamp) || m.Type != want.Type || m.Data != want.Data {
			t.Errorf("received %+v, want %+v", m, want)
		}
	}

	b := newBench(t, receiver.URL, another)
	if err := b.issue(t.Context(), b.accept(t, "")); err != nil {
		t.Fatal(err)
	}
	again := b.notifier.Deliver(t.Context(), b.names(t)[0])
	if got := receiver.Next(); got.Error == "" {
		t.Error("the library takes a callback that was signed with another secret")
	}
	if n, err := b.Notice(t.Context(), b.names(t)[0]); err != nil || again != 5*time.Second || len(n.Tries) != 1 || n.Tries[0].Status != http.StatusUnauthorized {
		t.Errorf("after the refusal the next try is in %s, the ledger has %+v, %v", again, n, err)
	}
}

// The receiver in docs/portal.md runs as it stands there, takes what is signed for
// it once however often it comes, and refuses what is not.
func TestTheReceiverInTheDocumentationRuns(t *testing.T) {
	text, err := os.ReadFile("../docs/portal.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, begins := strings.Cut(string(text), "\n```js\n")
	program, _, ends := strings.Cut(program, "\n```\n")
	if !begins || !ends {
		t.Fatal("docs/portal.md shows no receiver in JavaScript")
	}
	address := servers.FreeAddress(t)
	secret := newSecret(t)
	cmd := judges.Node(t, program, "SEGELL_SECRET="+secret, "PORT="+address[strings.LastIndex(address, ":")+1:])
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	t.Cleanup(stop)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}

	b := newBench(t, "http://"+address, secret)
	request := b.accept(t, "")
	if err := b.issue(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	notice, err := b.Notice(t.Context(), b.names(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	body, err := bodyOf(notice, "https://segell.example")
	if err != nil {
		t.Fatal(err)
	}
	if end := b.notifier.senders["portal"].send(t.Context(), notice.MessageID(), time.Now(), body); end.cause != "" {
		t.Errorf("the receiver refuses: %+v", end)
	}
	b.deliver(t) // the same once more
	other := newBench(t, "http://"+address, newSecret(t))
	if err := other.issue(t.Context(), other.accept(t, "")); err != nil {
		t.Fatal(err)
	}
	other.notifier.Deliver(t.Context(), other.names(t)[0])
	if n, err := other.Notice(t.Context(), other.names(t)[0]); err != nil || len(n.Tries) != 1 || n.Tries[0].Status != http.StatusUnauthorized {
		t.Errorf("of what another signed the ledger has %+v, %v", n, err)
	}
	stop()
	if want := notice.MessageID() + " document.issued https://segell.example/v1/requests/" + request.ID + "\n"; said.String() != want {
		t.Errorf("the receiver says %q, want %q", said.String(), want)
	}
}

func TestEveryEventIsTold(t *testing.T) {
	c := newClient(t)
	b := newBench(t, c.URL)
	steps := map[ledger.Event]func(ctx context.Context) error{
		ledger.EventFailed: func(ctx context.Context) error { return b.fail(ctx, b.accept(t, "")) },
		ledger.EventCancelled: func(ctx context.Context) error {
			_, err := b.Cancel(ctx, b.accept(t, "").ID, ledger.CancelledByClient)
			return err
		},
		ledger.EventReplaced: func(ctx context.Context) error {
			first := b.accept(t, "")
			return errors.Join(b.issue(ctx, first), b.issue(ctx, b.accept(t, first.ID)))
		},
		ledger.EventWithdrawn: func(ctx context.Context) error {
			r := b.accept(t, "")
			issued := b.issue(ctx, r)
			_, err := b.Withdraw(ctx, r.ID, ledger.WithdrawnInError)
			return errors.Join(issued, err)
		},
	}
	for event, step := range steps {
		if err := step(t.Context()); err != nil {
			t.Fatalf("%s: %v", event, err)
		}
	}
	b.deliver(t)
	want := map[string]int{"document.issued": 3, "document.failed": 1, "document.cancelled": 1, "document.withdrawn": 1, "document.replaced": 1}
	got := map[string]int{}
	for event, ids := range c.types(t) {
		got[event] = len(ids)
	}
	if !maps.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	for _, m := range c.messages() {
		if strings.Contains(m.body, "Canari") || strings.Contains(m.body, "000000A") || m.agent != "Segell/test" {
			t.Errorf("sent by %s: %s", m.agent, m.body)
		}
	}
	if text := b.log.String(); strings.Contains(text, "Canari") || strings.Contains(text, c.URL) {
		t.Errorf("the log holds a name or an address:\n%s", text)
	}

	// What nobody asked for costs nothing.
	portal := b.notify.Endpoints["portal"]
	portal.Events = []ledger.Event{ledger.EventFailed}
	b.notify.Endpoints["portal"] = portal
	if err := b.issue(t.Context(), b.accept(t, "")); err != nil || len(b.names(t)) > 0 {
		t.Errorf("a client that is told of failures alone: %q, %v", b.names(t), err)
	}
}

// Every way in which an endpoint can answer, and what becomes of the callback.
func TestWhatEndpointsAnswer(t *testing.T) {
	elsewhere := newClient(t)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		answer    http.HandlerFunc
		again     time.Duration
		cause     string
		delivered bool
		dead      bool
	}{
		"200": {answer: status(200), delivered: true},
		"202": {answer: status(202), delivered: true},
		"400": {answer: status(400), again: 5 * time.Second, cause: CauseStatus},
		"500": {answer: status(500), again: 5 * time.Second, cause: CauseStatus},
		"410": {answer: status(410), cause: CauseGone, dead: true},
		"redirect": {answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, again: 5 * time.Second, cause: CauseStatus},
		"retry-after": {answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, again: 90 * time.Second, cause: CauseStatus},
		"slow": {answer: func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, again: 5 * time.Second, cause: CauseTimeout},
		"endless": {answer: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, delivered: true},
		"broken": {answer: func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, again: 5 * time.Second, cause: CauseUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := newClient(t)
			endpoint.answers(c.answer)
			b := newBench(t, endpoint.URL)
			b.notifier.senders["portal"].client.Timeout = 500 * time.Millisecond
			if err := b.issue(t.Context(), b.accept(t, "")); err != nil {
				t.Fatal(err)
			}
			name := b.names(t)[0]
			if again := b.notifier.Deliver(t.Context(), name); again != c.again {
				t.Errorf("again in %s, want %s", again, c.again)
			}
			n, err := b.Notice(t.Context(), name)
			dead := b.undelivered(t)
			switch {
			case c.dead && (len(dead) != 1 || dead[0].Tries[0].Cause != c.cause || !errors.Is(err, ledger.ErrNotFound)):
				t.Errorf("recorded %+v; to deliver %+v, %v", dead, n, err)
			case c.delivered && (len(dead) != 0 || !errors.Is(err, ledger.ErrNotFound)):
				t.Errorf("recorded %+v; to deliver %+v, %v", dead, n, err)
			case c.again > 0 && (err != nil || n.Tries[0].Cause != c.cause || !n.NextAt.Equal(b.now.Add(c.again).Truncate(time.Second).UTC())):
				t.Errorf("to deliver %+v, %v", n, err)
			}
		})
	}
	if got := elsewhere.messages(); len(got) > 0 {
		t.Errorf("a redirect was followed: %+v", got)
	}
}

// What a clock that was ahead put off is tried once the clock is right, and what waits is not put off by one that is behind.
func TestAClockThatWasChanged(t *testing.T) {
	for name, c := range map[string]struct {
		changed time.Duration
		again   time.Duration
	}{
		"was two hours ahead":  {changed: -2 * time.Hour},
		"was two hours behind": {changed: 2 * time.Hour},
		"is seconds behind":    {changed: -3 * time.Second, again: 8 * time.Second},
		"is right":             {again: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := newClient(t)
			endpoint.answers(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			b := newBench(t, endpoint.URL)
			if err := b.issue(t.Context(), b.accept(t, "")); err != nil {
				t.Fatal(err)
			}
			name := b.names(t)[0]
			if again := b.notifier.Deliver(t.Context(), name); again != 5*time.Second {
				t.Fatalf("again in %s, want 5s", again)
			}
			endpoint.answers(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
			b.now = b.now.Add(c.changed)
			if again := b.notifier.Deliver(t.Context(), name); again.Round(time.Second) != c.again {
				t.Errorf("again in %s, want %s", again, c.again)
			}
			if waits := len(b.names(t)) > 0; waits != (c.again > 0) {
				t.Errorf("it waits: %t", waits)
			}
		})
	}
}

// An endpoint without a certificate that can be trusted gets nothing.
func TestACertificateThatCannotBeTrusted(t *testing.T) {
	got := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got++ }))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	b := newBench(t, server.URL)
	if err := b.issue(t.Context(), b.accept(t, "")); err != nil {
		t.Fatal(err)
	}
	name := b.names(t)[0]
	b.notifier.Deliver(t.Context(), name)
	if n, err := b.Notice(t.Context(), name); err != nil || n.Tries[0].Cause != CauseTLS || got > 0 {
		t.Errorf("tries %+v, %v; it got %d", n.Tries, err, got)
	}
	pool := b.notify.Endpoints["portal"]
	pool.Roots = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	b.notify.Endpoints["portal"] = pool
	b.open(t)
	b.now = b.now.Add(time.Minute)
	if again := b.notifier.Deliver(t.Context(), name); again != 0 || got != 1 {
		t.Errorf("with its root: again in %s, it got %d", again, got)
	}
}

// An endpoint that is away for more than a day: what it missed is recorded, and
// sent again when staff say so, under the same id.
func TestGivenUpAndReplayed(t *testing.T) {
	c := newClient(t)
	c.answers(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	b := newBench(t, c.URL)
	if err := b.issue(t.Context(), b.accept(t, "")); err != nil {
		t.Fatal(err)
	}
	began := b.now
	b.deliver(t)
	dead := b.undelivered(t)
	if len(dead) != 1 || len(dead[0].Tries) != len(schedule)+1 || len(c.messages()) != len(schedule)+1 {
		t.Fatalf("recorded %+v after %d tries", dead, len(c.messages()))
	}
	if took := b.now.Sub(began); took < 20*time.Hour || took > 30*time.Hour {
		t.Errorf("it was given up after %s, about a day is meant", took)
	}
	if _, err := b.Replay(t.Context(), dead[0].Name()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Replay(t.Context(), dead[0].Name()); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("replayed twice: %v", err)
	}
	c.answers(nil)
	b.deliver(t)
	if left := b.undelivered(t); len(left) > 0 || len(b.names(t)) > 0 {
		t.Errorf("after the replay there are %+v and %q", left, b.names(t))
	}
	all := c.messages()
	for _, m := range all {
		if m.id != all[0].id || m.body != all[0].body || !strings.HasPrefix(m.id, "msg_") || strings.Contains(m.id, ".") {
			t.Errorf("one try says %+v, the first %+v", m, all[0])
		}
	}
	if all[0].at == all[1].at || all[0].signature == all[1].signature {
		t.Error("two tries at different times have the same time and signature")
	}
}

// A failure that staff opened again before it could be told is not told; one that
// came after is, and under another id than the first.
func TestFailuresAreToldEachOnce(t *testing.T) {
	c := newClient(t)
	b := newBench(t, c.URL)
	r := b.accept(t, "")
	for range 3 {
		if err := b.fail(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		b.deliver(t)
		if _, err := b.Reopen(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(time.Minute)
	}
	if got := c.types(t)["document.failed"]; len(got) != 3 {
		t.Errorf("told %q, want three", got)
	}
	if err := b.fail(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Reopen(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	b.deliver(t)
	if got := c.types(t)["document.failed"]; len(got) != 3 || len(b.names(t)) > 0 {
		t.Errorf("told %q; left %q", got, b.names(t))
	}
}

// errDead is what a process finds that was cut off: it can do nothing more.
var errDead = fmt.Errorf("the process has ended: %w", storage.ErrUnavailable)

// Whatever operation of the bucket is the last of a process, before it or after
// it: what became of a request is told at least once, and what did not is not.
func TestNoCutLosesACallback(t *testing.T) {
	type story struct {
		name string
		// prepare makes what must be there, act is cut off.
		prepare func(b *bench) (request ledger.Request)
		act     func(ctx context.Context, b *bench, r ledger.Request) error
	}
	ignore := func(err error, fine ...error) error {
		for _, f := range fine {
			if errors.Is(err, f) {
				return nil
			}
		}
		return err
	}
	stories := []story{
		{"issued", func(b *bench) ledger.Request { return b.accept(t, "") },
			func(ctx context.Context, b *bench, r ledger.Request) error { return b.issue(ctx, r) }},
		{"replaced", func(b *bench) ledger.Request {
			first := b.accept(t, "")
			if err := b.issue(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			return b.accept(t, first.ID)
		}, func(ctx context.Context, b *bench, r ledger.Request) error { return b.issue(ctx, r) }},
		{"failed", func(b *bench) ledger.Request { return b.accept(t, "") },
			func(ctx context.Context, b *bench, r ledger.Request) error { return b.fail(ctx, r) }},
		{"cancelled", func(b *bench) ledger.Request { return b.accept(t, "") },
			func(ctx context.Context, b *bench, r ledger.Request) error {
				_, err := b.Cancel(ctx, r.ID, ledger.CancelledByClient)
				return err
			}},
		{"withdrawn", func(b *bench) ledger.Request {
			r := b.accept(t, "")
			if err := b.issue(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			return r
		}, func(ctx context.Context, b *bench, r ledger.Request) error {
			_, err := b.Withdraw(ctx, r.ID, ledger.WithdrawnFraud)
			return err
		}},
	}
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			cuts := 0
			for cut, ended := 1, false; !ended; cut++ {
				for _, after := range []bool{false, true} {
					c := newClient(t)
					b := newBench(t, c.URL)
					r := s.prepare(b)
					done := 0
					b.bucket.Fault = func(string, string) error {
						if done++; done > cut || done == cut && !after {
							return errDead
						}
						return nil
					}
					b.bucket.After = func(string, string) error {
						if done >= cut {
							return errDead
						}
						return nil
					}
					if s.act(t.Context(), b, r) == nil {
						for name, err := range b.Notices(t.Context()) {
							if err == nil {
								b.notifier.Deliver(t.Context(), name)
							}
						}
					}
					ended = done < cut
					b.bucket.Fault, b.bucket.After = nil, nil
					b.now = b.now.Add(time.Second)
					b.open(t)
					cuts++

					// What the next process does: it takes up what is unfinished. Who asked for
					// the rest may never ask again.
					for id, err := range b.Unfinished(t.Context()) {
						if err != nil {
							t.Fatal(err)
						}
						again, err := b.Request(t.Context(), id)
						if err != nil {
							t.Fatal(err)
						}
						if s.name == "failed" {
							err = b.fail(t.Context(), again)
						} else if err = ignore(b.issue(t.Context(), again), ledger.ErrCancelled); err == nil {
							_, err = b.Issued(t.Context(), id)
							if errors.Is(err, ledger.ErrCancelled) {
								err = b.Forget(t.Context(), id)
							}
						}
						if err != nil {
							t.Fatalf("cut %d: %v", cut, err)
						}
					}
					b.deliver(t)
					b.hold(t, c, cut)
				}
			}
			t.Logf("%d cuts", cuts)
		})
	}
}

// hold compares what the client was told with what the ledger shows.
func (b *bench) hold(t *testing.T, c *client, cut int) {
	t.Helper()
	want := map[string]bool{}
	for info, err := range b.bucket.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		id := info.Key[strings.LastIndexByte(info.Key, '/')+1:]
		switch {
		case strings.HasPrefix(info.Key, "records/"):
			want["document.issued "+id] = true
			record, err := b.Record(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if record.Status != ledger.StateIssued {
				want["document."+string(record.Status)+" "+id] = true
			}
		case strings.HasPrefix(info.Key, "failures/"):
			want["document.failed "+id] = true
		case strings.HasPrefix(info.Key, "documents/"):
			if object, err := b.bucket.Get(t.Context(), info.Key); err == nil && object.Metadata["tombstone"] != "" {
				want["document.cancelled "+strings.TrimSuffix(id, ".pdf")] = true
			}
		case strings.HasPrefix(info.Key, "requests/"):
			if _, err := b.Failure(t.Context(), id); err != nil {
				t.Errorf("cut %d: %s is still unfinished", cut, id)
			}
		case strings.HasPrefix(info.Key, "notify/"), strings.HasPrefix(info.Key, "undelivered/"):
			t.Errorf("cut %d: %s is left", cut, info.Key)
		}
	}
	got, ids := map[string]bool{}, map[string]string{}
	for _, m := range c.messages() {
		var p payload
		if err := json.Unmarshal([]byte(m.body), &p); err != nil {
			t.Fatal(err)
		}
		what := string(p.Type) + " " + p.Data.ID
		if got[what] && ids[what] != m.id {
			t.Errorf("cut %d: %s was told under two ids", cut, what)
		}
		got[what], ids[what] = true, m.id
	}
	if !maps.Equal(got, want) {
		t.Errorf("cut %d: told %v, the ledger shows %v", cut, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// fixed is a resolver that says what a test wants, and counts how often.
type fixed struct {
	addresses []string
	asked     int
}

func (f *fixed) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	f.asked++
	var all []netip.Addr
	for _, text := range f.addresses {
		all = append(all, netip.MustParseAddr(text))
	}
	return all, nil
}

func TestOnlyPublicAddressesAreCalled(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "10.1.2.3", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255",
		"224.0.0.1", "192.0.0.192", "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
		"64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "::127.0.0.1", "5f00::1"} {
		if permitted(netip.MustParseAddr(address), nil) {
			t.Errorf("%s is called", address)
		}
	}
	for _, address := range []string{"8.8.8.8", "185.87.12.1", "::ffff:8.8.8.8", "2001:4860:4860::8888", "2a00:1508::1"} {
		if !permitted(netip.MustParseAddr(address), nil) {
			t.Errorf("%s is not called", address)
		}
	}
	allow := []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("fd12::/16")}
	for address, want := range map[string]bool{"10.20.3.4": true, "::ffff:10.20.3.4": true, "10.21.0.1": false, "fd12::9": true, "fd13::9": false} {
		if got := permitted(netip.MustParseAddr(address), allow); got != want {
			t.Errorf("%s, where a network is allowed: %t", address, got)
		}
	}

	// The name is looked up once, and the address that was checked is the one called.
	c := newClient(t)
	address, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	call := func(names *fixed, allow ...string) (*bench, ledger.Notice) {
		b := newBench(t, "http://portal.example:"+address.Port())
		d := newDialer(nil)
		for _, network := range allow {
			d.allow = append(d.allow, netip.MustParsePrefix(network))
		}
		d.resolver = names
		b.notifier.senders["portal"].client.Transport.(*http.Transport).DialContext = d.DialContext
		if err := b.issue(t.Context(), b.accept(t, "")); err != nil {
			t.Fatal(err)
		}
		name := b.names(t)[0]
		b.notifier.Deliver(t.Context(), name)
		n, err := b.Notice(t.Context(), name)
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			t.Fatal(err)
		}
		return b, n
	}
	for _, addresses := range [][]string{{"127.0.0.1"}, {"::ffff:127.0.0.1"}, {"8.8.8.8", "127.0.0.1"}, {"::1"}} {
		if b, n := call(&fixed{addresses: addresses}); len(n.Tries) != 1 || n.Tries[0].Cause != CauseForbidden || strings.Contains(b.log.String(), "127.0.0.1") {
			t.Errorf("a name that leads to %q: %+v", addresses, n.Tries)
		}
	}
	if got := c.messages(); len(got) > 0 {
		t.Fatalf("it was called: %+v", got)
	}
	names := &fixed{addresses: []string{"127.0.0.1"}}
	if call(names, "127.0.0.1/32"); len(c.messages()) != 1 || names.asked != 1 {
		t.Errorf("allowed, it got %d callbacks; the name was looked up %d times", len(c.messages()), names.asked)
	}
}

func TestEndpointsAreReadWhole(t *testing.T) {
	const secret = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
	for text, want := range map[string]string{
		`{"portal":{"url":"http://portal.example","secrets":["` + secret + `"]}}`:                                    "portal: url must begin with https://",
		`{"portal":{"url":"https://u:hunter2@portal.example","secrets":["` + secret + `"]}}`:                         "url must be an address",
		`{"portal":{"url":"ftp://portal.example","secrets":["` + secret + `"]}}`:                                     "url must be an address",
		`{"portal":{"url":"https://portal.example"}}`:                                                                "there must be one secret, or two",
		`{"portal":{"url":"https://portal.example","secrets":["` + secret + `","` + secret + `","` + secret + `"]}}`: "there must be one secret, or two",
		`{"portal":{"url":"https://portal.example","secrets":["hunter2hunter2hunter2hunter2"]}}`:                     "secrets, number 1: not a secret of callbacks",
		`{"portal":{"url":"https://portal.example","secrets":["whsec_aHVudGVyMg=="]}}`:                               "secrets, number 1: not a secret of callbacks",
		`{"portal":{"url":"https://portal.example","secrets":["` + secret + `"],"events":["document.signed"]}}`:      `"document.signed" is none of`,
		`{"portal":{"url":"https://portal.example","secrets":["` + secret + `"],"allow_networks":["10.0.0.1/8"]}}`:   "is no network",
		`{"portal":{"url":"https://portal.example","secret_files":["relative"]}}`:                                    "must be a whole path",
		`{"portal":{"url":"https://portal.example","secret_files":["/nowhere/at/all"]}}`:                             "secret_files: open /nowhere/at/all",
		`{"portal":{"url":"https://portal.example","secrets":["` + secret + `"],"ca_file":"/nowhere/at/all"}}`:       "ca_file: open",
		`{"portal":{"url":"https://portal.example","secrets":["` + secret + `"],"secret":"hunter2"}}`:                `unknown field "secret"`,
		`{"portal":{"url":"https://portal.example","secrets":"hunter2"}}`:                                            "portal: secrets must be a list of strings",
		`{"portal":`: "it ends early",
		`{"portal":{"url":"ftp://portal.example"},"office":{"url":"https://office.example","secrets":["hunter2hunter2hunter2"]}}`: "office: secrets",
	} {
		_, err := ReadEndpoints([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
	// All that is wrong at once, also beside what is no member or of another form.
	_, err := ReadEndpoints([]byte(`{"portal":{"url":7,"secret":"hunter2","secrets":["hunter2"],"evnts":[],"allow_http":"yes"},"office":{"url":"https://office.example"},"ward":[],"bank":{"url":"ftp://bank.example","secrets":7}}`))
	want := `bank: secrets must be a list of strings
bank: url must be an address
office: there must be one secret
portal: allow_http must be true or false
portal: secrets, number 1: not a secret
portal: unknown field "evnts": known are allow_http, allow_networks
portal: unknown field "secret"
portal: url must be a string
ward: must be an object`
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatal(err)
	}
	told, wanted := strings.Split(err.Error(), "\n"), strings.Split(want, "\n")
	if len(told) != len(wanted) {
		t.Errorf("told is %q", told)
	}
	for i := range min(len(told), len(wanted)) {
		if !strings.HasPrefix(told[i], wanted[i]) {
			t.Errorf("told is %q, want %q", told[i], wanted[i])
		}
	}
	if all, err := ReadEndpoints([]byte(`{"portal":{"url":"https://portal.example/x","secrets":["` + secret + `"]}}`)); err != nil || len(all["portal"].Events) != len(ledger.Events) {
		t.Errorf("read %+v, %v", all, err)
	}
}

// Through a real Redis: it is emptied with callbacks in it, one client hangs, one
// refuses, and the others are told all the same.
func TestRedisIsEmptiedAndOneClientHangs(t *testing.T) {
	server := servers.NewRedis(t, servers.RedisOptions{})
	redis, err := queue.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { redis.Close() })
	good, hanging := newClient(t), newClient(t)
	stop := make(chan struct{})
	hanging.answers(func(w http.ResponseWriter, r *http.Request) { <-stop })
	t.Cleanup(func() { close(stop) })
	b := newBench(t, hanging.URL)
	b.notify.Queue = queue.New(redis)
	b.notify.Endpoints["office"] = endpoint(t, good.URL)
	b.config.Subscribers = Subscribers{b.notify.Endpoints, b.notify.Queue, b.notify.Log}
	b.open(t)
	var reads atomic.Int64 // of callbacks
	b.bucket.Fault = func(op, key string) error {
		if op == "get" && strings.HasPrefix(key, "notify/") {
			reads.Add(1)
		}
		return nil
	}

	const each = 40
	ids := map[string]bool{}
	for range each {
		for _, client := range []string{"portal", "office"} {
			r := b.accept(t, "")
			r.Client = client
			if err := b.issue(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if client == "office" {
				ids[r.ID] = true
			}
		}
	}
	server.FlushAll()
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error)
	go func() { running <- b.notifier.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-running })
	time.Sleep(50 * time.Millisecond)
	if n := len(good.messages()) + len(hanging.messages()); n > 0 {
		t.Fatalf("Redis is empty, and %d callbacks were sent", n)
	}
	reconciler := b.notifier.Reconciler()
	pass, err := reconciler.Pass(t.Context())
	if err != nil || pass.Enqueued != 2*each {
		t.Fatalf("the pass found %+v, %v", pass, err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for len(good.types(t)["document.issued"]) < each {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d were told; %d wait for the client that hangs", len(good.types(t)["document.issued"]), each, len(hanging.messages()))
		}
		time.Sleep(5 * time.Millisecond)
	}
	if n := len(hanging.messages()); n > perClient {
		t.Errorf("%d calls at a time were made to one client, %d are meant", n, perClient)
	}
	// A pass where nothing is wrong enqueues nothing and reads no callback again.
	before := reads.Load()
	if pass, err := reconciler.Pass(t.Context()); err != nil || pass.Enqueued != 0 || pass.Waiting < each || reads.Load() > before {
		t.Errorf("the next pass found %+v and read %d, %v", pass, reads.Load()-before, err)
	}
	for _, m := range good.messages() {
		var p payload
		if err := json.Unmarshal([]byte(m.body), &p); err != nil || !ids[p.Data.ID] {
			t.Errorf("the office was told of another's request: %s", m.body)
		}
	}
	for _, key := range redis.Keys(t.Context(), "*").Val() {
		if strings.Contains(key+fmt.Sprint(redis.HGetAll(t.Context(), key).Val()), "Canari") {
			t.Errorf("%s holds a name", key)
		}
	}
}
