package intake_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
	"segell/templates"
)

// gated opens a second door to the same ledger, for clients of its own.
func (d *door) gated(config access.Config, lines ...string) *httptest.Server {
	d.t.Helper()
	clients, err := access.ReadClients(strings.Join(lines, "\n"))
	if err != nil {
		d.t.Fatal(err)
	}
	config.Clients = clients
	if config.Now == nil {
		config.Now = time.Now
	}
	gate, err := access.New(config)
	if err != nil {
		d.t.Fatal(err)
	}
	api, err := intake.New(intake.Config{Ledger: d.ledger, Queue: d.queue, Access: gate, Log: slog.New(slog.NewTextHandler(d.log, nil)),
		Now: func() time.Time { return now }, PublicURL: "https://segell.example", Version: "test"})
	if err != nil {
		d.t.Fatal(err)
	}
	server := httptest.NewServer(api)
	d.t.Cleanup(server.Close)
	return server
}

func newClient(t *testing.T, name string, allowed ...string) (token, line string) {
	t.Helper()
	token, line, err := access.NewToken(name, allowed...)
	if err != nil {
		t.Fatal(err)
	}
	return token, line
}

// Every operation needs a scope, and says by a problem which one is missing.
func TestOperationsNeedTheirScopes(t *testing.T) {
	d := newDoor(t)
	id := fmt.Sprint(d.ask("POST", path, standard(t)).text("id"))
	reader, first := newClient(t, "portal", "scopes=documents.read")
	writer, second := newClient(t, "portal", "scopes=documents.request", "kinds=points_extract")
	server := d.server
	d.server = d.gated(access.Config{}, first, second)
	defer func() { d.server = server }()
	as := func(token string) edit { return with("Authorization", "Bearer "+token) }

	if a := d.ask("GET", "/v1/requests/"+id, "", as(reader)); a.status != 200 {
		t.Errorf("reading with the scope to read: %d %s", a.status, a.body)
	}
	a := d.ask("POST", path, standard(t), as(reader))
	a.problem(t, 403, "forbidden")
	if !strings.Contains(fmt.Sprint(a.text("detail")), "documents.request") ||
		a.header.Get("WWW-Authenticate") != `Bearer realm="segell", error="insufficient_scope", scope="documents.request"` {
		t.Errorf("the scope that is needed is not told: %s %v", a.body, a.header)
	}
	d.ask("GET", "/v1/requests/"+id, "", as(writer)).problem(t, 403, "forbidden")
	a = d.ask("POST", path, standard(t), as(writer))
	a.problem(t, 403, "forbidden")
	if !strings.Contains(fmt.Sprint(a.text("detail")), "coverage_certificate") {
		t.Errorf("the kind is not told: %s", a.body)
	}
	for info, err := range d.bucket.List(t.Context(), "requests/", "") {
		if err != nil || !strings.HasSuffix(info.Key, id) {
			t.Errorf("a refused call left %s (%v)", info.Key, err)
		}
	}
}

// scopeOf is the scope that each operation needs. It is written here a second time
// so that a wrong one in the code is seen.
var scopeOf = map[string]string{
	"request-batch":       access.ScopeRequest,
	"get-request":         access.ScopeRead,
	"get-request-content": access.ScopeRead,
	"get-request-events":  access.ScopeRead,
	"cancel-request":      access.ScopeCancel,
	"withdraw-document":   access.ScopeWithdraw,
	"search-requests":     access.ScopeHolders,
	"list-requests":       access.ScopeHolders,
	"issue-ticket":        access.ScopeTickets,
	"list-tickets":        access.ScopeTickets,
	"revoke-tickets":      access.ScopeTickets,
	"revoke-ticket":       access.ScopeTickets,
}

// Each operation is closed without a token and with every scope but its own, and
// open with its own alone.
func TestNoOtherScopeOpensAnOperation(t *testing.T) {
	d := newDoor(t)
	wanted := maps.Clone(scopeOf)
	for _, kind := range templates.Kinds() {
		wanted["request-"+strings.ReplaceAll(kind.ID, "_", "-")] = access.ScopeRequest
	}
	alone, others := map[string]edit{}, map[string]edit{}
	var lines []string
	client := func(scopes ...string) edit {
		token, line := newClient(t, "portal", "scopes="+strings.Join(scopes, ","))
		lines = append(lines, line)
		return with("Authorization", "Bearer "+token)
	}
	for _, scope := range access.Scopes() {
		alone[scope] = client(scope)
		others[scope] = client(slices.DeleteFunc(access.Scopes(), func(s string) bool { return s == scope })...)
	}
	server := d.server
	d.server = d.gated(access.Config{Failures: access.Rate{PerSecond: 1000, Burst: 1000}}, lines...)
	defer func() { d.server = server }()

	var description struct {
		Paths map[string]map[string]struct {
			OperationID string
		}
	}
	if err := json.Unmarshal([]byte(d.ask("GET", "/openapi.json", "", without("Authorization")).body), &description); err != nil {
		t.Fatal(err)
	}
	// Of a request that is not there: a stream of events would not end.
	address := strings.NewReplacer("{id}", "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e", "{ticket}", strings.Repeat("a", 64))
	for path, item := range description.Paths {
		for method, operation := range item {
			scope, known := wanted[operation.OperationID]
			if !known {
				t.Errorf("%s %s (%s) is not in this test's table, or is there twice", method, path, operation.OperationID)
				continue
			}
			delete(wanted, operation.OperationID)
			method, target := strings.ToUpper(method), address.Replace(path)
			d.ask(method, target, "", without("Authorization")).problem(t, 401, "unauthorized")
			refused := d.ask(method, target, "", others[scope])
			refused.problem(t, 403, "forbidden")
			if challenge := refused.header.Get("WWW-Authenticate"); !strings.Contains(challenge, `scope="`+scope+`"`) {
				t.Errorf("%s does not tell that it needs %s: %s", operation.OperationID, scope, challenge)
			}
			if a := d.ask(method, target, "", alone[scope]); a.status == 401 || a.status == 403 {
				t.Errorf("%s with %s: %d %s", operation.OperationID, scope, a.status, a.body)
			}
		}
	}
	for id := range wanted {
		t.Errorf("there is no operation %s", id)
	}
}

func TestTooManyCallsAreTold(t *testing.T) {
	d := newDoor(t)
	token, line := newClient(t, "portal")
	d.server = d.gated(access.Config{}, line, "portal limits rate=1 burst=3")
	d.token = token
	unknown := "/v1/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"
	for left := 2; left >= 0; left-- {
		a := d.ask("GET", unknown, "")
		a.problem(t, 404, "not-found")
		if got := a.header.Get("RateLimit"); !strings.HasPrefix(got, fmt.Sprintf(`"client";r=%d;`, left)) || a.header.Get("RateLimit-Policy") != `"client";q=3;w=3` {
			t.Errorf("RateLimit %q, RateLimit-Policy %q with %d left", got, a.header.Get("RateLimit-Policy"), left)
		}
	}
	a := d.ask("GET", unknown, "")
	a.problem(t, 429, "rate-limited")
	if a.header.Get("Retry-After") != "1" || !strings.HasPrefix(a.header.Get("RateLimit"), `"client";r=0;`) {
		t.Errorf("%v", a.header)
	}
}

// A line of a batch that nobody waits for weighs a tenth of a call, one that says
// interactive a whole call.
func TestLinesOfABatchAreCharged(t *testing.T) {
	d := newDoor(t)
	const burst, lines = 20, 200
	for priority, want := range map[string]int{"batch": (burst-1)*10 - burst*10/4, "interactive": burst - 1} {
		token, client := newClient(t, priority)
		// The gate's clock stands still: nothing comes back meanwhile.
		server := d.gated(access.Config{Now: func() time.Time { return now }}, client, priority+" limits rate=1 burst="+fmt.Sprint(burst))
		line := fmt.Sprintf(`{"kind": "coverage_certificate", "request": %s}`, withOptions(t, map[string]any{"priority": priority}))
		before := d.server
		d.server = server
		a := d.ask("POST", "/v1/documents/batch", strings.Repeat(line+"\n", lines), with("Content-Type", "application/jsonl"), with("Authorization", "Bearer "+token))
		d.server = before
		if got := strings.Count(a.body, `"status":202`); got != want || strings.Count(a.body, `"status":429,"problem"`) != lines-want {
			t.Errorf("%s: %d lines accepted, want %d", priority, got, want)
		}
	}
}

// Who has no token and sends slowly, or without end, holds a connection for a
// second, not for a minute, and is not read.
func TestAStrangersBodyIsNotWaitedFor(t *testing.T) {
	d := newDoor(t)
	var all sync.WaitGroup
	for _, head := range []string{
		"POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n",
		"POST " + path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /openapi.json HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
	} {
		all.Go(func() {
			if err := dawdle(strings.TrimPrefix(d.server.URL, "http://"), head); err != nil {
				t.Errorf("%q: %v", head, err)
			}
		})
	}
	all.Wait()
}

// dawdle sends the head of a request, and of its body a byte now and then for as
// long as somebody takes it, which must not be for long.
func dawdle(address, head string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, head); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	if !answer.Close {
		return errors.New("the connection is to go on")
	}
	began := time.Now()
	go io.Copy(io.Discard, answer.Body)
	for time.Since(began) < 20*time.Second { // the server's own limit is a minute
		if _, err := io.WriteString(conn, "1"); err != nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("the connection was held for 20 s")
}
