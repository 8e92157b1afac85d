package intake_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/access"
	"segell/intake"
	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/samples"
	"segell/storage"
	"segell/storage/storagetest"
	"segell/templates"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// door is the API on a bucket in memory and a real Redis.
type door struct {
	t      *testing.T
	server *httptest.Server
	bucket *storagetest.Memory
	redis  *servers.Redis
	ledger *ledger.Ledger
	queue  *queue.Queue
	token  string
	log    *lockedBuffer
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

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, bucket: &storagetest.Memory{}, redis: servers.NewRedis(t, servers.RedisOptions{}), log: &lockedBuffer{}}
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	d.ledger, err = ledger.New(ledger.Config{Objects: d.bucket, Keyset: keyset, HMACKey: make([]byte, ledger.HMACKeySize),
		Now: func() time.Time { return now }, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	client, err := queue.Open("redis://" + d.redis.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	d.queue = queue.New(client)
	token, line, err := access.NewToken("portal")
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := access.NewToken("office")
	if err != nil {
		t.Fatal(err)
	}
	d.token = token
	clients, err := access.ReadClients("# clients\n" + line + "\n\n" + other + "\n")
	if err != nil {
		t.Fatal(err)
	}
	gate, err := access.New(access.Config{Clients: clients, Now: time.Now, Failures: access.Rate{PerSecond: 1000, Burst: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	api, err := intake.New(intake.Config{Ledger: d.ledger, Queue: d.queue, Access: gate, Log: slog.New(slog.NewTextHandler(d.log, nil)),
		Now: func() time.Time { return now }, PublicURL: "https://segell.example", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	go api.Run(t.Context())
	d.server = httptest.NewServer(api)
	d.server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(d.server.Close)
	return d
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

type edit func(*http.Request)

func without(header string) edit   { return func(r *http.Request) { r.Header.Del(header) } }
func with(header, v string) edit   { return func(r *http.Request) { r.Header.Set(header, v) } }
func (a answer) text(k string) any { return a.json[k] }

func (d *door) ask(method, path, body string, edits ...edit) answer {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", rand.Text())
	}
	for _, e := range edits {
		e(request)
	}
	got, err := d.server.Client().Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	a := answer{status: got.StatusCode, header: got.Header, body: string(text)}
	_ = json.Unmarshal(text, &a.json)
	return a
}

func (a answer) problem(t *testing.T, status int, kind string) {
	t.Helper()
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" || a.json["type"] != "https://segell.example/problems/"+kind || a.json["status"] != float64(status) || a.json["title"] == "" {
		t.Errorf("answered %d %s %s, want the problem %s with status %d", a.status, a.header.Get("Content-Type"), a.body, kind, status)
	}
}

const path = "/v1/documents/coverage_certificate"

func standard(t *testing.T) string {
	t.Helper()
	for s := range samples.All() {
		if s.Kind == "coverage_certificate" && s.Name == samples.Standard {
			return string(s.Body)
		}
	}
	t.Fatal("there is no standard sample")
	return ""
}

func TestARequestIsAccepted(t *testing.T) {
	d := newDoor(t)
	a := d.ask("POST", path, standard(t))
	if a.status != http.StatusAccepted || a.text("state") != "accepted" || a.text("number") != "CASS-2026-COB-0000001" || a.text("kind") != "coverage_certificate" {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	id := fmt.Sprint(a.text("id"))
	if at := a.header.Get("Location"); at != "https://segell.example/v1/requests/"+id {
		t.Errorf("Location %q", at)
	}
	if request, err := d.ledger.Request(t.Context(), id); err != nil || request.Client != "portal" {
		t.Errorf("the ledger has %+v, %v", request.Client, err)
	}
	if job, name, err := d.queue.Find(t.Context(), id); err != nil || !job.Live() || name != queue.Interactive {
		t.Errorf("its job: %+v in %q, %v", job, name, err)
	}
	state := d.ask("GET", "/v1/requests/"+id, "")
	if state.status != 200 || state.text("state") != "accepted" || state.text("number") != a.text("number") {
		t.Errorf("its state: %d %s", state.status, state.body)
	}
	d.ask("GET", "/v1/requests/"+id+"/content", "").problem(t, 409, "not-issued")
	if at := a.text("accepted_at"); at != state.text("accepted_at") || at != "2026-03-02T09:00:00Z" {
		t.Errorf("accepted at %v, and asked later at %v", at, state.text("accepted_at"))
	}
	if a := d.ask("POST", "/v1/requests/"+id, ""); a.status != 405 || len(a.header.Values("Allow")) != 1 || a.header.Get("Allow") != "GET, DELETE" {
		t.Errorf("a method that there is not is answered %d, Allow: %q", a.status, a.header.Values("Allow"))
	}
}

func TestPriorityChoosesTheQueue(t *testing.T) {
	d := newDoor(t)
	var body map[string]any
	if err := json.Unmarshal([]byte(standard(t)), &body); err != nil {
		t.Fatal(err)
	}
	body["options"] = map[string]any{"priority": "batch"}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	a := d.ask("POST", path, string(text))
	if job, name, err := d.queue.Find(t.Context(), fmt.Sprint(a.text("id"))); err != nil || !job.Live() || name != queue.Batch {
		t.Errorf("answered %d %s; its job: %+v in %q, %v", a.status, a.body, job, name, err)
	}
}

func TestARepeatIsAcceptedOnce(t *testing.T) {
	d := newDoor(t)
	key := with("Idempotency-Key", "0d1f")
	first, again := d.ask("POST", path, standard(t), key), d.ask("POST", path, standard(t), key)
	if again.status != 202 || first.text("id") != again.text("id") || first.header.Get("Location") != again.header.Get("Location") {
		t.Errorf("first %s, again %d %s", first.body, again.status, again.body)
	}
	other := strings.Replace(standard(t), `"self"`, `"representative"`, 1)
	if other == standard(t) {
		t.Fatal("the sample no longer says who asked")
	}
	d.ask("POST", path, other, key).problem(t, 422, "idempotency-key-reused")
}

func TestRefusals(t *testing.T) {
	d := newDoor(t)
	good := standard(t)
	for name, c := range map[string]struct {
		method, path, body string
		edits              []edit
		status             int
		kind               string
	}{
		"no token":             {"POST", path, good, []edit{without("Authorization")}, 401, "unauthorized"},
		"a bad token":          {"POST", path, good, []edit{with("Authorization", "Bearer segell_nobody")}, 401, "unauthorized"},
		"another scheme":       {"POST", path, good, []edit{with("Authorization", "Basic cG9ydGFs")}, 401, "unauthorized"},
		"no token, no kind":    {"POST", "/v1/documents/none", good, []edit{without("Authorization")}, 401, "unauthorized"},
		"an unknown kind":      {"POST", "/v1/documents/death_certificate", good, nil, 404, "unknown-kind"},
		"an unknown address":   {"GET", "/v2/everything", "", nil, 404, "not-found"},
		"another method":       {"GET", path, "", nil, 405, "method-not-allowed"},
		"one that has a body":  {"TRACE", path, "{}", nil, 405, "method-not-allowed"},
		"not JSON":             {"POST", path, "{", nil, 400, "malformed-json"},
		"an array":             {"POST", path, "[]", nil, 400, "malformed-json"},
		"nothing":              {"POST", path, "", nil, 400, "bad-request"},
		"a member twice":       {"POST", path, `{"language":"ca","language":"en"}`, nil, 400, "malformed-json"},
		"text after the end":   {"POST", path, good + "x", nil, 400, "malformed-json"},
		"another type":         {"POST", path, good, []edit{with("Content-Type", "text/plain")}, 415, "unsupported-media-type"},
		"no type":              {"POST", path, good, []edit{without("Content-Type")}, 415, "unsupported-media-type"},
		"a charset":            {"POST", path, good, []edit{with("Content-Type", "application/json; charset=utf-16")}, 415, "unsupported-media-type"},
		"a compressed body":    {"POST", path, good, []edit{with("Content-Encoding", "gzip")}, 415, "unsupported-media-type"},
		"two keys":             {"POST", path, good, []edit{func(r *http.Request) { r.Header.Add("Idempotency-Key", "another") }}, 400, "bad-request"},
		"two types":            {"POST", path, good, []edit{func(r *http.Request) { r.Header.Add("Content-Type", "text/plain") }}, 400, "bad-request"},
		"no key":               {"POST", path, good, []edit{without("Idempotency-Key")}, 400, "idempotency-key-missing"},
		"a key with a space":   {"POST", path, good, []edit{with("Idempotency-Key", "a b")}, 400, "idempotency-key-missing"},
		"a long key":           {"POST", path, good, []edit{with("Idempotency-Key", strings.Repeat("k", 256))}, 400, "idempotency-key-missing"},
		"a body over the mark": {"POST", path, `{"language":"` + strings.Repeat("x", templates.DefaultMaxBody) + `"}`, nil, 413, "too-large"},
		"no such request":      {"GET", "/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e", "", nil, 404, "not-found"},
		"no id":                {"GET", "/v1/requests/..%2f..%2fetc", "", nil, 404, "not-found"},
		"no such content":      {"GET", "/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/content", "", nil, 404, "not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			a := d.ask(c.method, c.path, c.body, c.edits...)
			a.problem(t, c.status, c.kind)
			if c.status == 401 && a.header.Get("WWW-Authenticate") == "" {
				t.Error("it does not say how to authenticate")
			}
			if c.status == 405 && a.header.Get("Allow") != "POST" {
				t.Errorf("Allow is %q", a.header.Get("Allow"))
			}
		})
	}
	for info, err := range d.bucket.List(t.Context(), "", "") {
		t.Errorf("a refused request left %s behind (%v)", info.Key, err)
	}
}

// A kind that carries pictures takes a larger body than the others.
func TestAKindHasItsOwnLimit(t *testing.T) {
	d := newDoor(t)
	k, ok := templates.Lookup("benefit_sheet_copies")
	if !ok || k.BodyLimit() <= templates.DefaultMaxBody {
		t.Fatal("no kind takes a larger body")
	}
	long := func(n int64) string { return `{"language":"` + strings.Repeat("x", int(n)) + `"}` }
	d.ask("POST", "/v1/documents/"+k.ID, long(templates.DefaultMaxBody)).problem(t, 422, "invalid-request")
	for address, limit := range map[string]int64{"/v1/documents/" + k.ID: k.BodyLimit(), path: templates.DefaultMaxBody} {
		got := d.ask("POST", address, long(limit))
		got.problem(t, 413, "too-large")
		if !strings.Contains(got.body, fmt.Sprint(limit)) {
			t.Errorf("the limit %d is not named: %s", limit, got.body)
		}
	}
}

// A body that breaks off is the sender's fault, and nothing is accepted.
func TestABodyThatBreaksOff(t *testing.T) {
	d := newDoor(t)
	connection, err := net.Dial("tcp", strings.TrimPrefix(d.server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{", path, d.token)
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("answered %s, want 400", answer.Status)
	}
}

// The door uses Redis at once again when it is back, also under load.
func TestTheDoorUsesRedisAgainUnderLoad(t *testing.T) {
	d := newDoor(t)
	d.redis.Kill()
	d.ask("POST", path, standard(t))
	d.redis.Restart()
	stop := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				d.ask("POST", path, standard(t))
			}
		}
	})
	defer load.Wait()
	defer close(stop)
	for deadline := time.Now().Add(20 * time.Second); ; {
		id := fmt.Sprint(d.ask("POST", path, standard(t)).text("id"))
		if job, _, err := d.queue.Find(t.Context(), id); err == nil && job.Live() {
			return // enqueued before the answer, not by and by
		}
		if time.Now().After(deadline) {
			t.Fatal("20 s after Redis came back requests are still enqueued late")
		}
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	d := newDoor(t)
	var body map[string]any
	if err := json.Unmarshal([]byte(standard(t)), &body); err != nil {
		t.Fatal(err)
	}
	holder := body["holder"].(map[string]any)
	holder["cass_number"] = "Canari-1"
	holder["birth_date"] = "1984-02-30"
	delete(holder, "full_name")
	holder["shoe_size"] = 42
	body["language"] = "xx"
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	a := d.ask("POST", path, string(text))
	a.problem(t, 422, "invalid-request")
	named := map[string]string{}
	for _, fault := range a.json["errors"].([]any) {
		f := fault.(map[string]any)
		named[fmt.Sprint(f["pointer"])] = fmt.Sprint(f["detail"])
	}
	for _, pointer := range []string{"/holder/cass_number", "/holder/birth_date", "/holder/full_name", "/holder/shoe_size", "/language"} {
		if named[pointer] == "" {
			t.Errorf("%s is not named in %s", pointer, a.body)
		}
	}
	if strings.Contains(a.body, "Canari") {
		t.Errorf("the answer repeats what was sent: %s", a.body)
	}
}

func TestTheRefusedSamplesAreRefused(t *testing.T) {
	d := newDoor(t)
	for sample := range samples.AllRefused() {
		a := d.ask("POST", "/v1/documents/"+sample.Kind, string(sample.Body))
		var named []string
		for _, fault := range a.json["errors"].([]any) {
			named = append(named, fmt.Sprint(fault.(map[string]any)["pointer"]))
		}
		slices.Sort(named)
		if want := slices.Sorted(slices.Values(sample.Faults)); a.status != sample.Status || !slices.Equal(named, want) {
			t.Errorf("%s was answered %d naming %v, want %d naming %v", sample.Name, a.status, named, sample.Status, want)
		}
	}
}

// Without Redis a request is taken all the same, quickly, and its job follows
// when Redis is back.
func TestRedisAwayIsStillA202(t *testing.T) {
	d := newDoor(t)
	d.redis.Kill()
	var ids []string
	for range 5 {
		a := d.ask("POST", path, standard(t))
		if a.status != http.StatusAccepted {
			t.Fatalf("answered %d %s", a.status, a.body)
		}
		ids = append(ids, fmt.Sprint(a.text("id")))
	}
	if a := d.ask("GET", "/v1/requests/"+ids[0], ""); a.status != 200 || a.text("state") != "accepted" {
		t.Errorf("its state without Redis: %d %s", a.status, a.body)
	}
	d.redis.Restart()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		live := 0
		for _, id := range ids {
			if job, _, err := d.queue.Find(t.Context(), id); err == nil && job.Live() {
				live++
			}
		}
		if live == len(ids) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("20 s after Redis came back %d of %d jobs are there", live, len(ids))
		}
	}
}

func TestStorageAwayIsA503AndNothingIsHalfAccepted(t *testing.T) {
	for _, prefix := range []string{"holders/", "idempotency/", "counters/", "requests/"} {
		d := newDoor(t) // a fresh one: numbers are reserved in blocks
		key := with("Idempotency-Key", rand.Text())
		d.bucket.Fault = func(op, key string) error {
			if strings.HasPrefix(key, prefix) {
				return fmt.Errorf("%w: refused", storage.ErrUnavailable)
			}
			return nil
		}
		a := d.ask("POST", path, standard(t), key)
		a.problem(t, 503, "temporarily-unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Errorf("with %s away it does not say when to come back", prefix)
		}
		d.bucket.Fault = nil
		var before int
		for info, err := range d.bucket.List(t.Context(), "requests/", "") {
			if err != nil || info.Key == "" {
				t.Fatal(err)
			}
			before++
		}
		again := d.ask("POST", path, standard(t), key)
		var after int
		for range d.bucket.List(t.Context(), "requests/", "") {
			after++
		}
		if again.status != 202 || after != before+1 {
			t.Errorf("after %s was away the repeat got %d and made %d requests", prefix, again.status, after-before)
		}
	}
}

func TestContent(t *testing.T) {
	d := newDoor(t)
	a := d.ask("POST", path, standard(t))
	id := fmt.Sprint(a.text("id"))
	request, err := d.ledger.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	document, err := d.ledger.Issue(t.Context(), request, []byte("%PDF-sealed"), ledger.Document{Level: "B-T", Pages: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.ledger.Finish(t.Context(), request, document, "ca", "2026-06-02", ledger.Masked{}, ledger.Making{}); err != nil {
		t.Fatal(err)
	}
	state := d.ask("GET", "/v1/requests/"+id, "")
	got, _ := state.json["document"].(map[string]any)
	if state.text("state") != "issued" || got["level"] != "B-T" || got["pages"] != float64(1) || got["valid_until"] != "2026-06-02" || got["sha256"] != document.SHA256 {
		t.Errorf("its state: %s", state.body)
	}
	content := d.ask("GET", "/v1/requests/"+id+"/content", "")
	if content.status != http.StatusSeeOther || !strings.Contains(content.header.Get("Location"), id) || content.header.Get("Cache-Control") != "no-store" {
		t.Errorf("content: %d %v", content.status, content.header)
	}
	repeat := d.ask("POST", path, standard(t))
	if repeat.text("id") == id {
		t.Error("another key gave the same request")
	}
}

func TestAFailureIsTold(t *testing.T) {
	d := newDoor(t)
	a := d.ask("POST", path, standard(t))
	id := fmt.Sprint(a.text("id"))
	if err := d.ledger.GiveUp(t.Context(), ledger.Failure{ID: id, Stage: ledger.StageRender, Cause: "missing_glyph", FailedAt: now}); err != nil {
		t.Fatal(err)
	}
	state := d.ask("GET", "/v1/requests/"+id, "")
	failure, _ := state.json["failure"].(map[string]any)
	if state.text("state") != "failed" || failure["cause"] != "missing_glyph" || failure["detail"] == "" {
		t.Errorf("its state: %s", state.body)
	}
	d.ask("GET", "/v1/requests/"+id+"/content", "").problem(t, 409, "failed")
}

func TestAClientSeesItsOwnRequestsOnly(t *testing.T) {
	d := newDoor(t)
	receipt, err := d.ledger.Accept(t.Context(), ledger.Submission{Client: "office", IdempotencyKey: "k", Kind: "coverage_certificate", Code: "COB", CASSNumber: "000000A", Queue: queue.Batch, Body: []byte(`{}`), At: now})
	if err != nil {
		t.Fatal(err)
	}
	d.ask("GET", "/v1/requests/"+receipt.ID, "").problem(t, 404, "not-found")
	d.ask("GET", "/v1/requests/"+receipt.ID+"/content", "").problem(t, 404, "not-found")
}

func TestTheLogTellsNothingOfAPerson(t *testing.T) {
	d := newDoor(t)
	d.ask("POST", path, standard(t))
	d.ask("POST", path, strings.Replace(standard(t), `"self"`, `"nobody"`, 1))
	d.redis.Kill()
	d.ask("POST", path, standard(t))
	d.bucket.Fault = func(op, key string) error { return errors.New("strange") }
	d.ask("POST", path, standard(t)).problem(t, 500, "internal")
	log := d.log.String()
	if !strings.Contains(log, "status=202") || !strings.Contains(log, "status=422") || !strings.Contains(log, "route=\"POST "+path+"\"") {
		t.Fatalf("the log does not tell what happened:\n%s", log)
	}
	for _, secret := range []string{"Puig", "Cerqueda", "000000A", "000001B", "PP0000000", "1984", d.token} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}

func TestTheDescriptionOfTheAPI(t *testing.T) {
	d := newDoor(t)
	a := d.ask("GET", "/openapi.json", "", without("Authorization"))
	if a.status != 200 || a.json["openapi"] != "3.1.0" {
		t.Fatalf("answered %d %.200s", a.status, a.body)
	}
	for _, part := range []string{path, "/v1/requests/{id}/content", "cass_number", "Idempotency-Key"} {
		if !strings.Contains(a.body, part) {
			t.Errorf("the description does not name %s", part)
		}
	}
	page := d.ask("GET", "/problems/invalid-request", "", without("Authorization"))
	if page.status != 200 || !strings.Contains(page.body, "JSON pointer") {
		t.Errorf("the page of a problem: %d %s", page.status, page.body)
	}
	d.ask("GET", "/problems/none", "", without("Authorization")).problem(t, 404, "not-found")
}

func TestAPanicIsAProblemThatQuotesNothing(t *testing.T) {
	d := newDoor(t)
	d.bucket.Fault = func(op, key string) error { panic("Canari Groc") }
	d.ask("POST", path, standard(t)).problem(t, 500, "internal")
	if log := d.log.String(); strings.Contains(log, "Canari") || !strings.Contains(log, "a panic was caught") || !strings.Contains(log, "intake_test.go") {
		t.Errorf("the log quotes the panic, or tells not where it was:\n%s", log)
	}
}

// Beyond a number of unfinished requests no more are taken, of batches first, and
// nothing is written.
func TestADoorThatIsFullSaysSo(t *testing.T) {
	d := newDoor(t)
	d.queue.Keep(t.Context())
	var asked map[string]any
	if err := json.Unmarshal([]byte(standard(t)), &asked); err != nil {
		t.Fatal(err)
	}
	asked["options"] = map[string]any{"priority": "batch"}
	batch, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	objects := func() (n int) {
		for _, err := range d.bucket.List(t.Context(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	for _, step := range []struct {
		unfinished         int
		interactive, batch int
	}{{74_000, 202, 202}, {75_000, 202, 429}, {100_000, 429, 429}, {0, 202, 202}} {
		mark, err := d.queue.BacklogMark(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.queue.Recount(t.Context(), mark, step.unfinished); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			body   string
			status int
			limit  string
		}{"interactive": {standard(t), step.interactive, "100000"}, "batch": {string(batch), step.batch, "75000"}} {
			before := objects()
			got := d.ask("POST", "/v1/documents/coverage_certificate", c.body)
			if got.status != c.status {
				t.Errorf("%d unfinished, %s: %d %s", step.unfinished, name, got.status, got.body)
			}
			if got.status == 429 && (got.header.Get("Retry-After") == "" || got.text("type") != "https://segell.example/problems/overloaded" ||
				!strings.Contains(got.body, c.limit) || objects() != before) {
				t.Errorf("%d unfinished, %s: %v %s", step.unfinished, name, got.header, got.body)
			}
		}
	}
}
