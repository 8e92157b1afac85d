package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"segell/index"
	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
)

// indexed keeps the console's index in this house until it knows n failures.
func (h *house) indexed(l *ledger.Ledger, n int64) {
	h.t.Helper()
	client, err := queue.Open("redis://" + h.redis.Addr() + "/0")
	if err != nil {
		h.t.Fatal(err)
	}
	x := index.New(index.Config{Redis: client, Ledger: l, Queue: queue.New(client), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); x.Run(ctx) }()
	defer func() { cancel(); <-ended; client.Close() }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		condition, err := x.Condition(ctx)
		counts, counting := x.Counts(ctx)
		if err == nil && counting == nil && condition.Complete && counts[ledger.StateFailed] == n {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("after 30 s the index is not complete: %+v %v, %v", condition, err, counts)
		}
	}
}

// failures are those that lie in the bucket, oldest first.
func (h *house) failures(l *ledger.Ledger) (all []ledger.Failure) {
	h.t.Helper()
	for f, err := range l.Failures(h.t.Context()) {
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// says runs a command and wants its exit code and lines that fit.
func (h *house) says(want int, lines []string, args ...string) string {
	h.t.Helper()
	out, code := h.run(args...)
	if code != want {
		h.t.Errorf("%s: exit code %d, want %d:\n%s", strings.Join(args, " "), code, want, out)
	}
	for _, line := range lines {
		if !regexp.MustCompile("(?m)" + line).MatchString(out) {
			h.t.Errorf("%s does not say %q:\n%s", strings.Join(args, " "), line, out)
		}
	}
	return out
}

// Requests are named by the numbers of their documents too; what is asked of one
// says who cancelled it, who paused it, what its last try met and, of one that is
// damaged, what the index knows.
func TestWhatIsSaidOfOneRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	h.settings["SEGELL_LANGUAGE"] = "en"
	l := h.ledger()
	h.fail(l, 4)
	h.says(1, []string{"does not know the document CASS-2026-COB-0000001", "^hint: give the id"}, "jobs", "show", "CASS-2026-COB-0000001")
	h.indexed(l, 4)
	f := h.failures(l)
	h.says(1, []string{"no request has the document CASS-2026-COB-9999999"}, "jobs", "show", "cass-2026-cob-9999999")
	h.says(0, []string{"^REQUEST +" + f[0].ID + "$", "^STATE +failed$"}, "jobs", "show", f[0].Number)

	h.says(0, []string{"is cancelled"}, "jobs", "cancel", f[0].Number, "--reason", "asked_again", "--why", "the second one is right")
	h.says(0, []string{"^STATE +cancelled$", `^CANCELLED AT +\d\d/\d\d/20`, `^CANCELLED BY +\S+$`, "^WHY +another request took its place: the second one is right$"}, "jobs", "show", f[0].ID)
	h.says(1, nil, "jobs", "withdraw", f[1].Number, "--reason", "fraud")
	h.says(0, []string{"One request is tried again"}, "jobs", "retry", f[1].Number)
	h.says(0, []string{"^IN THE QUEUE +waits its turn$"}, "jobs", "show", f[1].Number)
	h.says(0, nil, "pause", "--kind", "coverage_certificate", "--reason", "the law has changed")
	h.says(0, []string{"^IN THE QUEUE +paused: the kind coverage_certificate$", `^PAUSED BY +\S+, \d\d/`, "^WHY +the law has changed$"}, "jobs", "show", f[1].ID)
	var shown struct {
		AcceptedAt string `json:"accepted_at"`
		Job        map[string]any
		Paused     ledger.Pause
	}
	out := h.says(0, nil, "jobs", "show", f[1].ID, "--json")
	if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.Job["state"] != "pending" || shown.Job["next_at"] != nil || shown.Paused.Why != "the law has changed" || !strings.HasSuffix(shown.AcceptedAt, "Z") {
		t.Errorf("%v:\n%s", err, out)
	}
	h.snake(out)

	damaged := 0
	for object, err := range h.bucket.List(t.Context(), "", "") {
		if err == nil && strings.HasSuffix(object.Key, "/"+f[2].ID) {
			damaged++
			_, err = h.bucket.Write(t.Context(), object.Key, []byte("{"), storage.Put{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if damaged < 2 {
		t.Fatalf("%d objects of a request that failed were found", damaged)
	}
	h.says(0, []string{"^DOCUMENT +" + f[2].Number + "$", "^KIND +coverage_certificate$", "^STATE +damaged: it cannot be read$"}, "jobs", "show", f[2].ID)
	h.says(0, []string{"There is none"}, "jobs", "list", "--state", "erased")
}

// Of a request that waits for its next try the last one's cause is told in words,
// and programs learn when it comes.
func TestWhatIsSaidBetweenTries(t *testing.T) {
	zone := time.FixedZone("", 3600)
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, zone)
	p := &staff{language: "en", words: wordsOf("en", []map[string]words{jobsWords}), zone: zone}
	r := asked{Standing: ledger.Standing{State: ledger.StateAccepted, IssuedAt: at}, job: queue.Job{State: queue.Delayed, NextAt: at.Add(time.Minute),
		Progress: queue.Progress{Tries: []queue.Try{{At: at, Stage: "seal", Cause: "seal_key_away"}, {At: at, Stage: "seal", Cause: "tsa_away"}}}}}
	var lines []string
	for _, row := range p.requestRows(r) {
		lines = append(lines, strings.Join(row, " "))
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{"IN THE QUEUE waits for its next try", "NEXT TRY 02/03/2026 12:01:00", "WHAT HAPPENED " + ledger.CauseOf("tsa_away").Wording("en").What} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	encoded, err := json.Marshal(p.requestView(r))
	if err != nil || !strings.Contains(string(encoded), `"next_at":"2026-03-02T11:01:00Z"`) || strings.Contains(string(encoded), "+01:00") {
		t.Errorf("%s, %v", encoded, err)
	}
}

// Of a document that was not made at once everything is told: what it failed of before it was opened again, the tries since,
// and how long each step took.
func TestWhatIsSaidOfTheWayOfADocument(t *testing.T) {
	zone := time.FixedZone("", 3600)
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, zone)
	p := &staff{language: "en", words: wordsOf("en", []map[string]words{jobsWords}), zone: zone}
	try := ledger.Try{At: at, Stage: ledger.StageSeal, Cause: "tsa_away"}
	r := asked{Standing: ledger.Standing{State: ledger.StateIssued, IssuedAt: at, Record: &ledger.Record{Level: "B-LTA", Pages: 1, IssuedAt: at,
		Making: ledger.Making{Failed: []ledger.Try{try}, Steps: []ledger.StepTime{{Stage: ledger.StageRender, Milliseconds: 12}, {Stage: ledger.StageSeal, Milliseconds: 1240}}}}},
		past: []ledger.Failure{{Stage: ledger.StageSeal, Cause: "took_too_long", FailedAt: at.Add(-time.Hour), Tries: []ledger.Try{try}}}}
	var lines []string
	for _, row := range p.requestRows(r) {
		lines = append(lines, strings.Join(row, " "))
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{"TRIES 02/03/2026 12:00:00  seal  tsa_away", "STEPS render  12 ms\n seal  1240 ms", "FAILED BEFORE 02/03/2026 11:00:00  seal  took_too_long"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	encoded, err := json.Marshal(p.requestView(r))
	for _, want := range []string{`"past":[{"id":"","kind":"","number":"","client":"","stage":"seal","cause":"took_too_long"`, `"failed_at":"2026-03-02T10:00:00Z"`,
		`"making":{"failed_tries":[{"at":"2026-03-02T11:00:00Z"`, `"steps":[{"stage":"render","ms":12}`} {
		if err != nil || !strings.Contains(string(encoded), want) || strings.Contains(string(encoded), "+01:00") {
			t.Errorf("%s, %v: %s is missing, or a time is not UTC", encoded, err, want)
		}
	}
}

// snake wants names in small letters and times in UTC that are times.
func (h *house) snake(text string) {
	h.t.Helper()
	for what, wrong := range map[string]string{"a name": `"[^"]*[A-Z][^"]*":`, "a time": `"\d{4}-\d\d-\d\dT[^"]*[+-]\d\d:\d\d"`, "no time": `"0001-01-01`} {
		if found := regexp.MustCompile(wrong).FindString(text); found != "" {
			h.t.Errorf("%s is %s in:\n%s", what, found, text)
		}
	}
}

// A dry run does nothing, under whatever id; under the id of a bulk nothing else is
// begun. What a bulk meant and what became of it is told.
func TestWhatIsSaidOfABulk(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	h.settings["SEGELL_LANGUAGE"] = "en"
	l := h.ledger()
	h.fail(l, 5)
	f := h.failures(l)
	var plan struct{ Batch string }
	out := h.says(0, nil, "jobs", "retry", "--all", "--dry-run", "--json")
	if err := json.Unmarshal([]byte(out), &plan); err != nil {
		t.Fatal(err)
	}
	retry := []string{"jobs", "retry", "--kind", "coverage_certificate", "--batch", plan.Batch}
	yes := func(reason string, args ...string) []string {
		return append(append([]string{}, args...), "--reason", reason, "--yes")
	}
	h.says(0, nil, append(yes("it is mended", retry...), "--detach")...)
	h.says(0, []string{"^5 requests will be tried again"}, append(retry, "--dry-run")...)
	if out := h.says(0, nil, append(retry, "--dry-run", "--json")...); strings.Contains(out, plan.Batch) {
		t.Errorf("a dry run offers an id that was used:\n%s", out)
	}
	if done, left := h.settledBulk(l), h.count("failures/"); done != 0 || left != 5 {
		t.Errorf("a dry run settled %d and left %d failures", done, left)
	}
	for _, other := range [][]string{
		yes("another reason", retry...),
		yes("it is mended", "jobs", "retry", "--all", "--batch", plan.Batch),
		yes("it is mended", append(retry, "--from", "render")...),
		{"jobs", "cancel", "--kind", "coverage_certificate", "--batch", plan.Batch, "--reason", "cannot_be_made", "--why", "it is mended", "--yes"},
	} {
		h.says(2, []string{"something else was begun under this id before"}, other...)
	}
	if done := h.settledBulk(l); done != 0 {
		t.Errorf("what was refused settled %d", done)
	}
	h.says(0, []string{"^5 requests are tried again", "^Right now, of these: 0 issued, 0 failed again, 5 still on their way"}, yes("it is mended", retry...)...)
	if err := l.GiveUp(t.Context(), ledger.Failure{ID: f[0].ID, Kind: f[0].Kind, Number: f[0].Number, Stage: ledger.StageSeal, Cause: "tsa_away", FailedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	h.says(0, []string{"^WHICH +kind coverage_certificate$", "^SO FAR +5 tried again$", "^WHAT BECAME OF THEM +0 issued, 1 failed again, 4 still on their way$"}, "jobs", "bulk", "show", plan.Batch)
	h.says(0, []string{plan.Batch + " +retry +kind coverage_certificate +done +5 / 5 tried again"}, "jobs", "bulk", "list")
	h.says(1, []string{"the bulk is past that"}, "jobs", "bulk", "stop", plan.Batch)
	for _, args := range [][]string{{"jobs", "bulk", "show", plan.Batch, "--json"}, {"jobs", "bulk", "list", "--json"}, {"jobs", "list", "--json"}} {
		h.snake(h.says(0, nil, args...))
	}
}
