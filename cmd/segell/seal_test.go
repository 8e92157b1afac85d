package main

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/pki"
	"segell/storage"
)

// newArchivingHouse seals at B-LTA; its time-stamping authority's certificate has
// two months left.
func newArchivingHouse(t testing.TB) *house {
	t.Helper()
	h := newHouse(t, servers.RedisOptions{})
	var err error
	if h.pki, err = pki.New(filepath.Join(h.dir, "aging"), pki.Options{TSALife: 60 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.pki.Close() })
	for name, value := range map[string]string{"SEGELL_SEAL_ROOTS_FILE": h.pki.RootPEM(), "SEGELL_TSA_ROOTS_FILE": h.pki.RootPEM(), "SEGELL_TSA_URLS": h.pki.TSAURL(),
		"SEGELL_SEAL_LEVEL": "B-LTA", "SEGELL_REVOCATION_HOSTS": h.pki.Host()} {
		h.settings[name] = value
	}
	h.seal(h.pki.Seal())
	return h
}

// said waits until a process has logged what matches.
func (p *process) said(pattern string) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !regexp.MustCompile(pattern).MatchString(p.log.String()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("it never said %s:\n%s", pattern, p.log.String())
		}
	}
}

// issue asks for documents and waits for them.
func (h *house) issue(n int) []string {
	h.t.Helper()
	ids, err := h.post(n)
	if err == nil {
		err = h.wait("issued", ids, time.Minute)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return ids
}

// renewed is how many documents have a second version.
func (h *house) renewed() (n int) {
	h.t.Helper()
	for info, err := range h.bucket.List(h.t.Context(), "records/", "") {
		if err != nil {
			h.t.Fatal(err)
		}
		object, err := h.bucket.Get(h.t.Context(), info.Key)
		if err != nil {
			h.t.Fatal(err)
		}
		var record struct {
			Versions []struct{ Pending bool }
		}
		if err := json.Unmarshal(object.Body, &record); err != nil {
			h.t.Fatal(err)
		}
		if len(record.Versions) == 2 && !record.Versions[1].Pending {
			n++
		}
	}
	return n
}

// A new key and certificate come by SIGHUP, without a stop; a bad one changes nothing.
func TestASealIsReadAgain(t *testing.T) {
	t.Parallel()
	h := newArchivingHouse(t)
	p := h.start("serve", nil)
	h.issue(5)
	certificates := func() map[string]int {
		by := map[string]int{}
		for info, err := range h.bucket.List(t.Context(), "records/", "") {
			if err != nil {
				t.Fatal(err)
			}
			object, err := h.bucket.Get(t.Context(), info.Key)
			if err != nil {
				t.Fatal(err)
			}
			var record struct{ Certificate, Level string }
			if err := json.Unmarshal(object.Body, &record); err != nil || record.Level != "B-LTA" {
				t.Errorf("record %s, %v", object.Body, err)
			}
			by[record.Certificate]++
		}
		return by
	}
	leaf, err := h.pki.Issue(pki.LeafOptions{NotAfter: time.Now().Add(20*24*time.Hour + time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := h.post(20) // some are under way when the key changes
	if err != nil {
		t.Fatal(err)
	}
	h.seal(leaf)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.said(`msg="the seal was read again" certificate_ends=`)
	ids = append(ids, h.issue(5)...)
	if err := h.wait("issued", ids, time.Minute); err != nil {
		t.Fatal(err)
	}
	if by := certificates(); len(by) != 2 {
		t.Errorf("sealed by certificate: %v", by)
	}

	h.file("seal.p12", "half a file")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.said(`level=ERROR msg="the seal was read again and cannot be used; the one before goes on" why=.*SEGELL_SEAL_P12_FILE`)
	h.issue(2)
	h.seal(leaf) // for check

	// The operator sees what is left of it.
	answer, err := http.Get("http://" + h.settings["SEGELL_ADMIN_LISTEN"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`(?m)^segell_seal_certificate_days_left 20\.0`, `(?m)^segell_tsa_certificate_days_left 59\.`} {
		if !regexp.MustCompile(want).Match(text) {
			t.Errorf("/metrics does not say %s", want)
		}
	}
	if strings.Contains(string(text), "000000A") || strings.Contains(string(text), "Puig") {
		t.Error("/metrics tells of a person")
	}
	if out, code := h.run("check"); code != 0 || !regexp.MustCompile(`(?m)^warning +seal certificate .* 20 days left: order the next`).MatchString(out) {
		t.Errorf("check ended with %d:\n%s", code, out)
	}
	p.stop(30 * time.Second)
}

func TestRenew(t *testing.T) {
	t.Parallel()
	h := newArchivingHouse(t)
	h.settings["SEGELL_SEAL_LEVELS"] = "travel_form=B-T"
	p := h.start("serve", map[string]string{"SEGELL_UPKEEP_EVERY": "168h"})
	ids := h.issue(6)
	p.stop(30 * time.Second)
	renew := func(code int, want string, args ...string) {
		t.Helper()
		if out, got := h.run(append([]string{"renew"}, args...)...); got != code || !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("renew %v ended with %d:\n%s\nwant %d and %s", args, got, out, code, want)
		}
	}
	renew(0, `(?s)looked at +6.*not due +6`, "--within", "10")
	renew(0, `(?s)due, but +6 +no time-stamping authority`)
	if err := h.pki.RenewTSA(); err != nil {
		t.Fatal(err)
	}
	renew(0, `(?s)looked at +6.*due +6 +would be renewed`, "--dry-run")
	renew(0, `(?s)"dry_run": true.*"due": 6.*"renewed": 0.*"complete": true`, "--dry-run", "--json")

	// Stopped in the middle, and gone on with.
	cmd := h.command(map[string]string{"SEGELL_RENEW_RATE": "0.2"}, "renew")
	var said lockedBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); h.renewed() == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing is renewed:\n%s", said.String())
		}
	}
	// The second is due ten seconds after the first.
	renew(1, `another renewal is under way`)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says how it ended
	if code := cmd.ProcessState.ExitCode(); code != 1 || !regexp.MustCompile(`(?s)renewed +1 .*Stopped`).MatchString(said.String()) {
		t.Errorf("stopped with %d:\n%s", code, said.String())
	}
	h.settings["SEGELL_RENEW_RATE"] = "500"
	renew(0, `(?s)"renewed": 5,.*"failed": 0.*"complete": true.*"failures": \[\]`, "--json")
	renew(0, `not due +6`)

	// What is damaged is told, and the exit code says so. It is the oldest, for once
	// the authority has nothing later to give, the others are not read.
	oldest := slices.Min(ids)
	for info, err := range h.bucket.List(t.Context(), "documents/", "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(info.Key, oldest) {
			continue
		}
		object, err := h.bucket.Get(t.Context(), info.Key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.bucket.Replace(t.Context(), info.Key, object.ETag, append(object.Body, '\n'), storage.Put{Metadata: object.Metadata}); err != nil {
			t.Fatal(err)
		}
	}
	renew(1, `(?s)FAILED +1.*`+oldest+`.*document_damaged`, "--within", "3650")
	renew(2, `SEGELL_RENEW_WITHIN +must be a number of days`, "--within=-3")
	delete(h.settings, "SEGELL_REVOCATION_HOSTS")
	renew(2, `SEGELL_REVOCATION_HOSTS +is missing: the hosts .* renewal needs`)
}
