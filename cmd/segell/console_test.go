package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"segell/internal/servers"
)

// The console as a process of its own, with TLS: cookies are bound to its host, the
// worker in another process is seen, Redis that is away keeps nobody out, and pages
// that keep themselves up to date do not keep it from ending.
func TestTheConsoleInAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{AppendOnly: true})
	certFile, keyFile, roots := h.listenerFiles()
	listen := servers.FreeAddress(t)
	for name, value := range map[string]string{"SEGELL_CONSOLE_LISTEN": listen, "SEGELL_CONSOLE_TLS_CERT_FILE": certFile, "SEGELL_CONSOLE_TLS_KEY_FILE": keyFile,
		"SEGELL_STAFF_REQUIRE_TOTP": "false"} {
		h.settings[name] = value
	}
	console := "https://" + listen
	adding := h.command(nil, "staff", "add", "clerk", "--name", "Clara Clerk", "--role", "look")
	adding.Stdin = strings.NewReader("a password of many words\n")
	if words, err := adding.CombinedOutput(); err != nil {
		t.Fatalf("staff add: %v\n%s", err, words)
	}
	h.start("worker", map[string]string{"SEGELL_ADMIN_LISTEN": servers.FreeAddress(t)})
	p := h.start("console", nil)

	answer, browser, err := login(console, "clerk", "a password of many words", roots)
	if err != nil || answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("logging in: %v %v", answer, err)
	}
	bound := false
	for _, cookie := range answer.Cookies() {
		bound = bound || strings.HasPrefix(cookie.Name, "__Host-") && cookie.Secure && cookie.HttpOnly && cookie.Path == "/" && cookie.Domain == ""
	}
	if !bound || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("the session is not bound to the host: %v", answer.Header)
	}
	page := func() string {
		t.Helper()
		answer, err := browser.Get(console + "/work")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var text strings.Builder
		if _, err := bufio.NewReader(answer.Body).WriteTo(&text); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("the page of work: %d %v\n%s", answer.StatusCode, err, text.String())
		}
		return text.String()
	}
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(page(), " · test<"); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the worker is not seen:\n%s", page())
		}
	}

	h.redis.Kill()
	if answer, _, err := login(console, "clerk", "a password of many words", roots); err != nil || answer.StatusCode != http.StatusSeeOther {
		t.Errorf("without Redis nobody can log in: %v %v", answer, err)
	}
	page()
	h.redis.Restart()

	browser.Timeout = 0
	live, err := browser.Get(console + "/live")
	if err != nil || live.StatusCode != http.StatusOK {
		t.Fatalf("the stream of changes: %v %v", live, err)
	}
	defer live.Body.Close()
	if line, err := bufio.NewReader(live.Body).ReadString('\n'); err != nil {
		t.Errorf("the stream says %q, %v", line, err)
	}
	p.stop(10 * time.Second)
}
