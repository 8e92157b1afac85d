package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segell/internal/servers"
)

// endpoint is a client's that answers as it is told.
type endpoint struct {
	*httptest.Server
	status atomic.Int64
	ids    chan string
}

func newEndpoint(t *testing.T, status int64) *endpoint {
	t.Helper()
	e := &endpoint{ids: make(chan string, 100)}
	e.status.Store(status)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(int(e.status.Load()))
		e.ids <- r.Header.Get("webhook-id")
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) next(t *testing.T) string {
	t.Helper()
	select {
	case id := <-e.ids:
		return id
	case <-time.After(30 * time.Second):
		t.Fatal("no callback arrives within 30 s")
		return ""
	}
}

// A client wants no more callbacks, staff see what it missed, and send it again.
func TestCallbacksAreSeenAndReplayed(t *testing.T) {
	h := newHouse(t, servers.RedisOptions{})
	client := newEndpoint(t, http.StatusGone)
	secret, code := h.run("callbacks", "secret")
	if secret = strings.TrimSpace(secret); code != 0 || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("%d %s", code, secret)
	}
	wrong := fmt.Sprintf(`{"portal":{"url":%q,"secret_files":[%q]}}`, client.URL, h.file("callbacks-secret", secret+"\n"))
	h.settings["SEGELL_CALLBACKS_FILE"] = h.file("callbacks.json", wrong)
	h.settings["SEGELL_LANGUAGE"] = "en"
	for _, role := range []string{"serve", "check"} {
		if out, code := h.run(role); code == 0 || !strings.Contains(out, "SEGELL_CALLBACKS") || !strings.Contains(out, "portal: url must begin with https://") {
			t.Errorf("%s: %d %s", role, code, out)
		}
	}
	h.file("callbacks.json", fmt.Sprintf(`{"portal":{"url":%q,"secret_files":[%q],"allow_http":true,"allow_networks":["127.0.0.1/32"]}}`, client.URL, h.dir+"/callbacks-secret"))
	if out, code := h.run("config"); code != 0 || !strings.Contains(out, "SEGELL_CALLBACKS") || strings.Contains(out, client.URL) || strings.Contains(out, secret) {
		t.Errorf("config: %d %s", code, out)
	}
	if out, code := h.run("callbacks", "list", "--waiting"); code != 0 || !strings.HasPrefix(out, "All is well") {
		t.Errorf("%d %s", code, out)
	}

	p := h.start("serve", nil)
	ids, err := h.post(2)
	if err == nil {
		err = h.wait("issued", ids, 30*time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]bool{client.next(t): true, client.next(t): true}
	var dead []struct {
		Callback  string `json:"callback"`
		WebhookID string `json:"webhook_id"`
		Client    string `json:"client"`
		Tries     []struct{ Cause string }
	}
	for deadline := time.Now().Add(20 * time.Second); len(dead) < 2; time.Sleep(50 * time.Millisecond) {
		out, code := h.run("callbacks", "list", "-json")
		if code != 0 || json.Unmarshal([]byte(out), &dead) != nil || time.Now().After(deadline) {
			t.Fatalf("%d %s", code, out)
		}
	}
	for _, d := range dead {
		if !first[d.WebhookID] || d.Client != "portal" || len(d.Tries) != 1 || d.Tries[0].Cause != "gone" {
			t.Errorf("listed %+v, of %v", d, first)
		}
	}
	if out, code := h.run("callbacks", "list"); code != 0 || !strings.Contains(out, "answered 410: it wants no more") || !strings.Contains(out, ids[0]+"/document.issued") {
		t.Errorf("%d %s", code, out)
	}

	client.status.Store(http.StatusNoContent)
	for _, args := range [][]string{{}, {"x"}, {"--all", dead[0].Callback}} {
		if out, code := h.run(append([]string{"callbacks", "replay"}, args...)...); code != 2 {
			t.Errorf("replay %q: %d %s", args, code, out)
		}
	}
	if out, code := h.run("callbacks", "replay", dead[0].Callback); code != 0 || out != "One callback is sent again.\n" {
		t.Fatalf("%d %s", code, out)
	}
	if id := client.next(t); id != dead[0].WebhookID {
		t.Errorf("it was sent again as %s, it was %s", id, dead[0].WebhookID)
	}
	if out, code := h.run("callbacks", "replay", dead[0].Callback); code != 1 || !strings.Contains(out, "is not one of those that were given up") {
		t.Errorf("%d %s", code, out)
	}
	if out, code := h.run("callbacks", "replay", "--client", "portal", "--reason", "the portal is back"); code != 0 {
		t.Errorf("%d %s", code, out)
	}
	if id := client.next(t); id != dead[1].WebhookID {
		t.Errorf("it was sent again as %s, it was %s", id, dead[1].WebhookID)
	}
	if out, code := h.run("audit", "list", "-json"); code != 0 || strings.Count(out, `"callbacks.replay"`) != 2 {
		t.Errorf("%d %s", code, out)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if out, _ := h.run("callbacks", "list", "--waiting"); strings.HasPrefix(out, "All is well") {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("still %s", out)
		}
	}
	p.stop(20 * time.Second)
	if text := p.log.String(); strings.Contains(text, client.URL) || strings.Contains(text, secret) {
		t.Errorf("the log holds an address or a secret:\n%s", text)
	}
}

// A person's browser follows a ticket to the file, also while Redis is away.
func TestATicketIsFollowed(t *testing.T) {
	h := newHouse(t, servers.RedisOptions{})
	p := h.start("serve", nil)
	ids, err := h.post(1)
	if err == nil {
		err = h.wait("issued", ids, 30*time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.redis.Kill()
	status, text, err := h.ask("POST", "/v1/requests/"+ids[0]+"/tickets", []byte(`{"language":"ca","minutes":5}`))
	var ticket struct{ ID, URL string }
	if err != nil || status != http.StatusCreated || json.Unmarshal(text, &ticket) != nil {
		t.Fatalf("%d %s %v", status, text, err)
	}
	answer, err := http.Get(ticket.URL) // as a browser, to the end
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	pdf, err := io.ReadAll(answer.Body)
	if name := answer.Header.Get("Content-Disposition"); err != nil || answer.StatusCode != http.StatusOK || !strings.HasPrefix(string(pdf), "%PDF-1.7") ||
		!strings.Contains(name, url.PathEscape("Certificat de cobertura sanitària CASS-")) || !strings.HasPrefix(name, "attachment") {
		t.Errorf("downloaded %d bytes with %d as %s, %v", len(pdf), answer.StatusCode, name, err)
	}
	if status, text, err := h.ask("DELETE", "/v1/requests/"+ids[0]+"/tickets/"+ticket.ID, nil); err != nil || status != http.StatusNoContent {
		t.Errorf("revoking: %d %s %v", status, text, err)
	}
	if status, _, page := stranger(t, "GET", ticket.URL, map[string]string{"Accept-Language": "en"}, nil); status != http.StatusGone || !strings.Contains(string(page), "L’enllaç ja no serveix") {
		t.Errorf("revoked, it answers %d %s", status, page)
	}
	if status, _, page := stranger(t, "GET", h.settings["SEGELL_PUBLIC_URL"]+"/d/nothing", map[string]string{"Accept-Language": "en"}, nil); status != http.StatusNotFound || !strings.Contains(string(page), "This link is not valid") {
		t.Errorf("a wrong one: %d %s", status, page)
	}
	secret := ticket.URL[strings.LastIndexByte(ticket.URL, '/')+1:]
	if text := p.log.String(); strings.Contains(text, secret) || !strings.Contains(text, "route=/d/{ticket}") {
		t.Errorf("the log holds the ticket, or no line of it:\n%s", text)
	}
}
