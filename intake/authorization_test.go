package intake_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/access"
	"segell/intake"
)

// gated opens a second door to the same ledger, for clients of its own.
func (d *door) gated(config access.Config, lines ...string) *httptest.Server {
	d.t.Helper()
	clients, err := access.ReadClients(strings.Join(lines, "\n"))
	if err != nil {
		d.t.Fatal(err)
	}
	config.Clients, config.Now = clients, time.Now
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
	// The description of the API says of each operation what it needs, and without
	// a token or with another scope none of them does anything.
	var described int
	paths, _ := d.ask("GET", "/openapi.json", "", without("Authorization")).json["paths"].(map[string]any)
	for address, item := range paths {
		for method, operation := range item.(map[string]any) {
			member, ok := operation.(map[string]any)
			if !ok {
				continue
			}
			security, _ := member["security"].([]any)
			if len(security) == 0 {
				t.Errorf("%s %s declares no scope", method, address)
				continue
			}
			described++
			target := strings.NewReplacer("{id}", id, "{ref}", "x", "{reference}", "x", "{ticket}", "x").Replace(address)
			d.ask(strings.ToUpper(method), target, "", without("Authorization")).problem(t, 401, "unauthorized")
		}
	}
	if described < 13 {
		t.Errorf("%d operations are described", described)
	}
	for info, err := range d.bucket.List(t.Context(), "requests/", "") {
		if err != nil || !strings.HasSuffix(info.Key, id) {
			t.Errorf("a refused call left %s (%v)", info.Key, err)
		}
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
