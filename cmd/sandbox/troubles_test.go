package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	printedConsole = regexp.MustCompile(`(?m)^The console of staff is on (http://[0-9.:]+)$`)
	formField      = regexp.MustCompile(`name="form" value="([^"]+)"`)
)

// browser logs in to the console with what the output says of a login.
func (c *child) browser(login string) (at func(path string) (int, string)) {
	c.t.Helper()
	said := c.out.String()
	console := printedConsole.FindStringSubmatch(said)
	password := regexp.MustCompile(`(?m)^  ` + login + ` +(\S+)  `).FindStringSubmatch(said)
	if console == nil || password == nil {
		c.t.Fatalf("the output tells neither the console nor a login %s", login)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	client := http.Client{Jar: jar, Timeout: 30 * time.Second}
	read := func(answer *http.Response, err error) (int, string) {
		c.t.Helper()
		if err != nil {
			c.t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			c.t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	at = func(path string) (int, string) { return read(client.Get(console[1] + path)) }
	_, page := at("/login")
	form := formField.FindStringSubmatch(page)
	if form == nil {
		c.t.Fatalf("no form to log in with:\n%s", page)
	}
	status, page := read(client.PostForm(console[1]+"/login", url.Values{"form": {form[1]}, "login": {login}, "password": {password[1]}, "next": {"/"}}))
	if status != http.StatusOK || strings.Contains(page, `name="password"`) {
		c.t.Fatalf("%s cannot log in: %d\n%s", login, status, page)
	}
	return at
}

// With -troubles the console has something to show, each login may what its role
// says, and what is broken is mended by removing its file.
func TestTroublesAreShownAndCanBeMended(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := start(t, dir, "-troubles")
	said := func(what string) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(c.out.String(), what); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it does not say %q", what)
			}
		}
	}
	said("\nThe log is in ")
	failures := map[string]int{}
	err := filepath.Walk(filepath.Join(dir, "bucket", bucketName, "failures"), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		var failure struct{ Cause string }
		if err == nil {
			err = json.Unmarshal(text, &failure)
		}
		failures[failure.Cause]++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"seal_certificate_expired": 36, "missing_glyph": 3, "ledger_damaged": 1, "ended_the_worker": 1}
	for cause, n := range want {
		if failures[cause] != n || len(failures) != len(want) {
			t.Errorf("failures %v, want %v", failures, want)
			break
		}
	}

	mays := map[string]map[string]int{
		"look":  {"/": 200, "/causes": 200, "/work": 200, "/audit": 403},
		"act":   {"/": 200, "/bulk": 200, "/audit": 403},
		"act2":  {"/": 200},
		"audit": {"/": 200, "/audit": 200},
	}
	for login, pages := range mays {
		at := c.browser(login)
		for path, want := range pages {
			if status, page := at(path); status != want {
				t.Errorf("%s at %s: %d, want %d\n%s", login, path, status, want, page)
			}
		}
	}
	if status, page := c.browser("look")("/causes"); status != http.StatusOK || strings.Count(page, "ha caducat") == 0 {
		t.Errorf("the causes do not tell of the certificate:\n%s", page)
	}

	aSecondSays(t, c, dir)

	// Mended by removing its file, as the output says.
	for _, name := range []string{"certificate", "tsa"} {
		if err := os.Remove(filepath.Join(dir, "troubles", name)); err != nil {
			t.Fatal(err)
		}
		said("\nMended: " + name + ".\n")
	}
	body, err := os.ReadFile(filepath.Join("..", "..", "samples", expiredKinds[0], "standard.json"))
	if err != nil {
		t.Fatal(err)
	}
	status, text, err := c.ask("POST", "/v1/documents/"+expiredKinds[0], body)
	var accepted struct{ ID string }
	if err != nil || status != http.StatusAccepted || json.Unmarshal(text, &accepted) != nil {
		t.Fatalf("asking: %d %s %v", status, text, err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, text, err = c.ask("GET", "/v1/requests/"+accepted.ID, nil); err == nil && bytes.Contains(text, []byte(`"state":"issued"`)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not issued: %s %v", text, err)
		}
	}
	// The six that waited for a time-stamp go on by themselves: left are those that
	// failed, and the two that are paused.
	open := func() int { return len(tree(t, filepath.Join(dir, "bucket", bucketName, "requests"))) }
	for deadline := time.Now().Add(2 * time.Minute); open() != 36+3+1+1+2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are open", open())
		}
	}
}

var printedLogins = regexp.MustCompile(`(?m)^  (?:look|act|act2|audit) +\S+  `)

// logins are the logins of the console that a sandbox printed, with their passwords.
func (c *child) logins() string {
	c.t.Helper()
	all := printedLogins.FindAllString(c.out.String(), -1)
	if len(all) != len(members) {
		c.t.Errorf("it prints the logins %q", all)
	}
	return strings.Join(all, "\n")
}
