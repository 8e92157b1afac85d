package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/ledger"
)

// The trail is read chain by chain, and shown in the order of time.
func TestTheAuditTrailIsShownInOrderOfTime(t *testing.T) {
	at := func(minute int, what string) ledger.AuditRecord {
		var r ledger.AuditRecord
		r.At, r.What = time.Date(2026, 3, 1, 9, minute, 0, 0, time.UTC), what
		return r
	}
	records := []ledger.AuditRecord{at(1, "a"), at(4, "d"), at(4, "e"), at(2, "b"), at(3, "c")}
	byTime(records)
	var order []string
	for _, r := range records {
		order = append(order, r.What)
	}
	if !slices.Equal(order, []string{"a", "b", "c", "d", "e"}) {
		t.Errorf("shown in the order %v", order)
	}
}

// What commands did is listed by day and moment, as a table, JSON and CSV; their
// heads are kept outside the bucket, so that a chain of theirs that is gone, or has
// lost its end, is found.
func TestTheTrailOfCommandsAndItsHeadsOutside(t *testing.T) {
	h := newHouse(t, servers.RedisOptions{})
	h.settings["SEGELL_AUDIT_HEADS_FILE"] = filepath.Join(h.dir, "heads.jsonl")
	h.settings["SEGELL_LANGUAGE"] = "en"
	for name, value := range h.settings {
		t.Setenv(name, value)
	}
	answer := func(want int, args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		if code := run(args, &out, &errs); code != want {
			t.Errorf("segell %v: exit code %d, not %d\n%s%s", args, code, want, out.String(), errs.String())
		}
		return out.String() + errs.String()
	}
	for _, why := range []string{"first", "=1+1", "third"} {
		answer(0, "pause", "--kind", "coverage_certificate", "--reason", why)
		answer(0, "resume", "--kind", "coverage_certificate", "--reason", why)
	}

	var records []ledger.AuditRecord
	if err := json.Unmarshal([]byte(answer(0, "audit", "list", "--json", "--what", "work.pause", "--limit", "2")), &records); err != nil || len(records) != 2 || records[1].Why != "third" {
		t.Errorf("the newest two: %v, %+v", err, records)
	}
	today := time.Now().In(zoneOf(t)).Format(time.DateOnly)
	moment := records[0].At.Format(time.RFC3339Nano)
	for _, c := range []struct {
		args []string
		want int
	}{
		{nil, 6}, {[]string{"--from", "2020-01-01", "--until", today}, 6}, {[]string{"--from", "0001-02-03", "--until", "9999-12-31"}, 6}, {[]string{"--until", "2020-01-01"}, 0}, {[]string{"--from", moment}, 4}, {[]string{"--until", moment}, 2},
		{[]string{"--what", "work."}, 6}, {[]string{"--text", "THIRD"}, 2}, {[]string{"--text", "THIRD", "--what", "work.resume"}, 1},
	} {
		text := answer(0, append([]string{"audit", "list", "--csv"}, c.args...)...)
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
		if err != nil || len(lines) != c.want+1 {
			t.Errorf("%v: %d entries, not %d (%v)\n%s", c.args, len(lines)-1, c.want, err, text)
		}
	}
	if text := answer(0, "audit", "list", "--csv"); !strings.Contains(text, ",'=1+1,") {
		t.Errorf("a formula is one in CSV: %s", text)
	}
	if text := answer(0, "audit", "list"); strings.Count(text, "work.") != 6 || !strings.HasPrefix(text, "WHEN ") {
		t.Errorf("as a table: %s", text)
	}
	for _, wrong := range [][]string{{"--from", "yesterday"}, {"--csv", "--json"}, {"--limit", "-1"}} {
		answer(2, append([]string{"audit", "list"}, wrong...)...)
	}

	if text := answer(0, "audit", "verify"); !strings.Contains(text, "The audit trail is whole: 6 entries in 6 chains.\nCompared with 6 heads kept outside the bucket.") {
		t.Errorf("untouched: %s", text)
	}
	before := h.file("before.json", answer(0, "audit", "verify", "--json"))
	var keys []string
	for info, err := range h.bucket.List(t.Context(), "audit/", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	if err := h.bucket.Delete(t.Context(), keys[2]); err != nil {
		t.Fatal(err)
	}
	cut := "the chain's end was cut off"
	for _, args := range [][]string{nil, {"--heads", h.settings["SEGELL_AUDIT_HEADS_FILE"]}, {"--heads", before}, {"--heads", before, "--heads", h.settings["SEGELL_AUDIT_HEADS_FILE"]}} {
		if text := answer(1, append([]string{"audit", "verify"}, args...)...); !strings.Contains(text, cut) || !strings.Contains(text, "NOT whole: 1 fault among 5 entries") {
			t.Errorf("verify %v: %s", args, text)
		}
	}
	answer(2, "audit", "verify", "--heads", filepath.Join(h.dir, "nothing"))
	answer(2, "audit", "verify", "--heads", h.file("empty", "nothing of the kind\n"))
	if err := os.Remove(h.settings["SEGELL_AUDIT_HEADS_FILE"]); err != nil {
		t.Fatal(err)
	}
	if text := answer(0, "audit", "verify"); !strings.Contains(text, "holds no heads yet") {
		t.Errorf("without heads: %s", text)
	}
}

func zoneOf(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Andorra")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}
