package intake_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"segell/ledger"
	"segell/queue"
)

func TestCancelling(t *testing.T) {
	d := newDoor(t)
	key := with("Idempotency-Key", "k")
	id := d.accepted(key)
	for range 2 { // to cancel again changes nothing
		if a := d.ask("DELETE", "/v1/requests/"+id, ""); a.status != 200 || a.text("state") != "cancelled" || a.text("reason") != "requested" || a.header.Get("ETag") == "" {
			t.Errorf("answered %d %v %s", a.status, a.header, a.body)
		}
	}
	if job, _, err := d.queue.Find(t.Context(), id); err != nil || job.State != queue.NoJob {
		t.Errorf("its job is still there: %+v, %v", job, err)
	}
	if a := d.ask("GET", "/v1/requests/"+id, ""); a.status != 200 || a.text("state") != "cancelled" || a.text("kind") != "coverage_certificate" || a.text("number") == "" {
		t.Errorf("it stands %d %s", a.status, a.body)
	}
	if a := d.ask("POST", path, standard(t), key); a.status != http.StatusAccepted || a.text("id") != id || a.text("state") != "cancelled" {
		t.Errorf("the same request again: %d %s", a.status, a.body)
	}
	gone := d.ask("GET", "/v1/requests/"+id+"/content", "")
	gone.problem(t, 410, "gone")
	d.ask("POST", "/v1/requests/"+id+"/withdrawal", `{"reason":"fraud"}`).problem(t, 410, "gone")
	for info, err := range d.bucket.List(t.Context(), "requests/", "") {
		t.Errorf("left behind: %s, %v", info.Key, err)
	}
}

func TestWhatIsIssuedIsNotCancelled(t *testing.T) {
	d := newDoor(t)
	id := d.accepted()
	d.issue(id)
	a := d.ask("DELETE", "/v1/requests/"+id, "")
	a.problem(t, 409, "already-issued")
	if a.text("state") != "issued" {
		t.Errorf("answered %s", a.body)
	}
}

func TestAFailureCanBeCancelled(t *testing.T) {
	d := newDoor(t)
	id := d.accepted()
	if err := d.ledger.GiveUp(t.Context(), ledger.Failure{ID: id, Stage: ledger.StageRender, Cause: "missing_glyph", FailedAt: now}); err != nil {
		t.Fatal(err)
	}
	if a := d.ask("DELETE", "/v1/requests/"+id, ""); a.status != 200 || a.text("state") != "cancelled" {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	for f, err := range d.ledger.Failures(t.Context()) {
		t.Errorf("staff still see %+v, %v", f, err)
	}
}

func TestOthersCannotChange(t *testing.T) {
	d := newDoor(t)
	receipt, err := d.ledger.Accept(t.Context(), ledger.Submission{Client: "office", IdempotencyKey: "k", Kind: "coverage_certificate", Code: "COB", CASSNumber: "000000A", Queue: queue.Batch, Body: []byte(standard(t)), At: now})
	if err != nil {
		t.Fatal(err)
	}
	d.ask("DELETE", "/v1/requests/"+receipt.ID, "").problem(t, 404, "not-found")
	if _, err := d.ledger.Cancel(t.Context(), receipt.ID, ledger.CancelledByClient); err != nil {
		t.Fatal(err)
	}
	d.ask("GET", "/v1/requests/"+receipt.ID, "").problem(t, 404, "not-found")
	d.ask("POST", "/v1/requests/"+receipt.ID+"/withdrawal", `{"reason":"fraud"}`).problem(t, 404, "not-found")
	d.ask("DELETE", "/v1/requests/nothing", "").problem(t, 404, "not-found")
}

func TestWithdrawing(t *testing.T) {
	d := newDoor(t)
	id := d.accepted()
	address := "/v1/requests/" + id + "/withdrawal"
	d.ask("POST", address, `{"reason":"fraud"}`).problem(t, 409, "not-issued")
	request, err := d.ledger.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d.issue(id)
	d.ask("POST", address, `{"reason":"boredom"}`).problem(t, 422, "invalid-request")
	d.ask("POST", address, `{"reason":"fraud","by":"me"}`).problem(t, 422, "invalid-request")
	d.ask("POST", address, `{"reason":`).problem(t, 400, "malformed-json")
	d.ask("POST", address, `{"reason":"fraud"}`, with("Content-Type", "text/plain")).problem(t, 415, "unsupported-media-type")
	for range 2 {
		if a := d.ask("POST", address, `{"reason":"issued_in_error"}`); a.status != 200 || a.text("state") != "withdrawn" || a.text("reason") != "issued_in_error" || a.text("ended_at") == nil {
			t.Errorf("answered %d %s", a.status, a.body)
		}
	}
	a := d.ask("POST", address, `{"reason":"fraud"}`)
	a.problem(t, 409, "not-in-force")
	if a.text("state") != "withdrawn" {
		t.Errorf("answered %s", a.body)
	}
	d.ask("GET", "/v1/requests/"+id+"/content", "").problem(t, 410, "gone")
	// Who verifies the document sees it at once.
	if record, err := d.ledger.ByCSV(t.Context(), request.CSV); err != nil || record.Status != ledger.StateWithdrawn || record.WithdrawnAt == nil {
		t.Errorf("the register says %+v, %v", record, err)
	}
}

// The list in the API's description is the ledger's.
func TestTheReasonsAreTheLedgers(t *testing.T) {
	d := newDoor(t)
	for _, reason := range ledger.WithdrawalReasons {
		id := d.accepted()
		d.issue(id)
		if a := d.ask("POST", "/v1/requests/"+id+"/withdrawal", fmt.Sprintf(`{"reason":%q}`, reason)); a.status != 200 {
			t.Errorf("%s was answered %d %s", reason, a.status, a.body)
		}
	}
}

// replacing is the standard request, asking to replace another's document.
func replacing(t *testing.T, id string) string {
	t.Helper()
	return withOptions(t, map[string]any{"replaces": id})
}

func withOptions(t *testing.T, options map[string]any) string {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(standard(t)), &body); err != nil {
		t.Fatal(err)
	}
	body["options"] = options
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReplacing(t *testing.T) {
	d := newDoor(t)
	old := d.accepted()
	refused := func(body string) {
		t.Helper()
		a := d.ask("POST", path, body)
		a.problem(t, 422, "invalid-request")
		if !strings.Contains(a.body, `"pointer":"/options/replaces"`) {
			t.Errorf("it does not name the field: %s", a.body)
		}
	}
	refused(replacing(t, old)) // not issued yet
	d.issue(old)
	refused(strings.ReplaceAll(replacing(t, old), "000000A", "000009Z")) // another person's
	refused(replacing(t, "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"))
	refused(replacing(t, "none"))
	before := 0
	for range d.bucket.List(t.Context(), "idempotency/", "") {
		before++
	}
	if before != 1 {
		t.Errorf("refused requests left %d keys of idempotency behind", before-1)
	}
	key := with("Idempotency-Key", "again")
	a := d.ask("POST", path, replacing(t, old), key)
	if a.status != http.StatusAccepted {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	id := fmt.Sprint(a.text("id"))
	if was := d.ask("GET", "/v1/requests/"+old, ""); was.text("state") != "issued" {
		t.Errorf("before the new one is issued the old one is %s", was.body)
	}
	d.issue(id)
	if was := d.ask("GET", "/v1/requests/"+old, ""); was.text("state") != "replaced" || was.text("replaced_by") != a.text("number") {
		t.Errorf("the old one is %s", was.body)
	}
	if is := d.ask("GET", "/v1/requests/"+id, ""); is.text("state") != "issued" || is.text("replaces") != old {
		t.Errorf("the new one is %s", is.body)
	}
	// A repeat gives the same answer, although the old one is replaced by now.
	if again := d.ask("POST", path, replacing(t, old), key); again.status != http.StatusAccepted || again.text("id") != id {
		t.Errorf("the repeat was answered %d %s", again.status, again.body)
	}
	refused(replacing(t, old))
	d.ask("POST", "/v1/requests/"+old+"/withdrawal", `{"reason":"fraud"}`).problem(t, 409, "not-in-force")
}

func TestTheHistoryOfAPerson(t *testing.T) {
	d := newDoor(t)
	var ids []string
	for range 7 {
		ids = append(ids, d.accepted())
	}
	d.issue(ids[1])
	d.issue(ids[2])
	if _, err := d.ledger.Withdraw(t.Context(), ids[2], ledger.WithdrawnFraud); err != nil {
		t.Fatal(err)
	}
	d.ask("DELETE", "/v1/requests/"+ids[3], "")
	if _, err := d.ledger.Accept(t.Context(), ledger.Submission{Client: "office", IdempotencyKey: "k", Kind: "coverage_certificate", Code: "COB", CASSNumber: "000000A", Queue: queue.Batch, Body: []byte(standard(t)), At: now}); err != nil {
		t.Fatal(err)
	}
	d.ask("POST", path, strings.ReplaceAll(standard(t), "000000A", "000009Z"))
	slices.Sort(ids) // the clock stands still: the order of ids is by chance
	slices.Reverse(ids)

	page := func(a answer) (got []string) {
		t.Helper()
		if a.status != 200 {
			t.Fatalf("answered %d %s", a.status, a.body)
		}
		for _, r := range a.json["requests"].([]any) {
			got = append(got, fmt.Sprint(r.(map[string]any)["id"]))
		}
		return got
	}
	first := d.ask("POST", "/v1/requests/search", `{"cass_number":"000000A","limit":3}`)
	all := page(first)
	for a, pages := first, 1; a.json["next"] != nil; pages++ {
		next := fmt.Sprint(a.json["next"])
		if a.header.Get("Link") != "<"+next+`>; rel="next"` || pages > 3 {
			t.Fatalf("page %d has Link %s and next %s", pages, a.header.Get("Link"), next)
		}
		if strings.Contains(next, "000000A") || strings.Contains(next, d.ledger.HolderDigest("000000A")) {
			t.Errorf("the next page's address tells of the person: %s", next)
		}
		a = d.ask("GET", strings.TrimPrefix(next, "https://segell.example"), "")
		all = append(all, page(a)...)
	}
	if !slices.Equal(all, ids) {
		t.Errorf("the pages hold %v, want %v", all, ids)
	}

	holder := url.QueryEscape(fmt.Sprint(first.json["holder"]))
	for query, want := range map[string]int{
		"": 7, "&state=issued": 1, "&state=issued&state=withdrawn": 2, "&state=accepted": 4, "&state=cancelled": 1, "&kind=points_extract": 0,
		"&kind=coverage_certificate": 7, "&from=2026-03-02T10:00:00%2B01:00": 7, "&from=2026-03-02T09:00:01Z": 0, "&until=2026-03-02T09:00:00Z": 0, "&until=2026-03-02T09:00:01Z": 7,
	} {
		if got := page(d.ask("GET", "/v1/requests?holder="+holder+query, "")); len(got) != want {
			t.Errorf("with %s there are %d, want %d", query, len(got), want)
		}
	}
	if got := page(d.ask("POST", "/v1/requests/search", `{"cass_number":"000000A","kinds":["coverage_certificate"],"states":["withdrawn"],"from":"2026-01-01T00:00:00Z"}`)); len(got) != 1 {
		t.Errorf("the search found %v", got)
	}
	if got := page(d.ask("POST", "/v1/requests/search", `{"cass_number":"123456Z"}`)); len(got) != 0 {
		t.Errorf("a person without requests has %v", got)
	}
	for query, kind := range map[string]string{"": "invalid-request", "?cursor=AAAA": "invalid-reference", "?holder=AAAA": "invalid-reference", "?cursor=" + holder: "invalid-reference",
		"?cursor=x&holder=y": "invalid-request", "?holder=" + holder + "&limit=1000": "invalid-request", "?holder=" + holder + "&state=odd": "invalid-request",
		"?holder=" + holder + "&kind=odd": "invalid-request", "?holder=" + holder + "&from=monday": "invalid-request", "?holder=" + holder + "&who=me": "invalid-request"} {
		d.ask("GET", "/v1/requests"+query, "").problem(t, 422, kind)
	}
	// What is wrong with an address is told by the parameter's name, and never as a
	// place in a body that is not there.
	for query, parameter := range map[string]string{"": "holder", "?cursor=x&holder=y": "cursor", "?holder=" + holder + "&limit=1000": "limit", "?holder=" + holder + "&state=odd": "state",
		"?holder=" + holder + "&kind=odd": "kind", "?holder=" + holder + "&from=2026-13-01T00:00:00Z": "from", "?holder=" + holder + "&who=me": "who"} {
		a := d.ask("GET", "/v1/requests"+query, "")
		fault := a.json["errors"].([]any)[0].(map[string]any)
		if _, pointed := fault["pointer"]; pointed || fault["parameter"] != parameter || a.text("title") != "Fields or parameters are wrong" || a.text("detail") != "One parameter is wrong." {
			t.Errorf("%s is answered %s", query, a.body)
		}
	}
	if a := d.ask("POST", "/v1/requests/search", `{"cass_number":"000000A","kinds":["odd"],"from":1}`); strings.Count(a.body, "such as") != 1 || !strings.Contains(a.body, `"pointer":"/from"`) {
		t.Errorf("a time that is none is answered %s", a.body)
	}
	d.ask("POST", "/v1/requests/search", `{"cass_number":"000000a"}`).problem(t, 422, "invalid-request")
	d.ask("POST", "/v1/requests/search", `{"cass_number":"000000A","kinds":["odd"]}`).problem(t, 422, "invalid-request")
	if a := d.ask("GET", "/v1/requests/search", ""); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("a search by GET is answered %d, Allow: %s", a.status, a.header.Get("Allow"))
	}
	// What was given to one client is nothing to another.
	var text string
	if reference, err := d.ledger.Refer("holder", "office", "x"); err != nil || d.ledger.Resolve("holder", "portal", reference, &text) == nil || d.ledger.Resolve("holder", "office", reference, &text) != nil {
		t.Errorf("a reference is not bound to its client: %v", err)
	}
	if log := d.log.String(); strings.Contains(log, "000000A") {
		t.Error("the log names a person")
	}
}

func lines(t *testing.T, a answer) (results []map[string]any) {
	t.Helper()
	if a.status != 200 || a.header.Get("Content-Type") != "application/jsonl" {
		t.Fatalf("answered %d %v %s", a.status, a.header, a.body)
	}
	for scan := bufio.NewScanner(strings.NewReader(a.body)); scan.Scan(); {
		var result map[string]any
		if err := json.Unmarshal(scan.Bytes(), &result); err != nil {
			t.Fatal(err)
		}
		results = append(results, result)
	}
	return results
}

const batchPath = "/v1/documents/batch"

func batchLine(t *testing.T, request string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"kind": "coverage_certificate", "request": json.RawMessage(request)})
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

func TestABatch(t *testing.T) {
	d := newDoor(t)
	media, key := with("Content-Type", "application/jsonl"), with("Idempotency-Key", "b")
	urgent := withOptions(t, map[string]any{"priority": "interactive"})
	body := batchLine(t, withOptions(t, map[string]any{})) + "\n" + batchLine(t, `{"language":"ca"}`) + `{"kind":"none","request":{}}` + "\n{\n" + batchLine(t, urgent) + `{"kind":"coverage_certificate"}`
	first := lines(t, d.ask("POST", batchPath, body, media, key))
	type outcome struct {
		line, status float64
		problem      string
	}
	want := []outcome{{1, 202, ""}, {3, 422, "invalid-request"}, {4, 404, "unknown-kind"}, {5, 400, "malformed-json"}, {6, 202, ""}, {7, 422, "invalid-request"}}
	var got []outcome
	var ids []string
	for _, r := range first {
		o := outcome{line: r["line"].(float64), status: r["status"].(float64)}
		if p, ok := r["problem"].(map[string]any); ok {
			o.problem = strings.TrimPrefix(fmt.Sprint(p["type"]), "https://segell.example/problems/")
		} else {
			ids = append(ids, fmt.Sprint(r["request"].(map[string]any)["id"]))
		}
		got = append(got, o)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the lines came to %v, want %v", got, want)
	}
	if text := fmt.Sprint(first[1]); !strings.Contains(text, "pointer:/request/") {
		t.Errorf("faults are not named by their place in the line: %s", text)
	}
	for i, name := range []string{queue.Batch, queue.Interactive} {
		if job, in, err := d.queue.Find(t.Context(), ids[i]); err != nil || !job.Live() || in != name {
			t.Errorf("the job of line %d: %+v in %q, %v", i, job, in, err)
		}
	}
	again := lines(t, d.ask("POST", batchPath, body, with("Content-Type", "application/x-ndjson"), key))
	if fmt.Sprint(again[0]["request"].(map[string]any)["id"]) != ids[0] || fmt.Sprint(again[4]["request"].(map[string]any)["id"]) != ids[1] {
		t.Errorf("the same batch again made other requests: %v", again)
	}
	if other := lines(t, d.ask("POST", batchPath, batchLine(t, urgent), media, key)); other[0]["status"] != 422.0 || !strings.Contains(fmt.Sprint(other), "idempotency-key-reused") {
		t.Errorf("another request under the key of a line: %v", other)
	}
	d.ask("POST", batchPath, body, key).problem(t, 415, "unsupported-media-type")
	d.ask("POST", batchPath, body, media, without("Idempotency-Key")).problem(t, 400, "idempotency-key-missing")
	if empty := d.ask("POST", batchPath, "\n\n", media); empty.status != 200 || empty.body != "" {
		t.Errorf("a batch of nothing: %d %s", empty.status, empty.body)
	}
}

func TestABatchIsBounded(t *testing.T) {
	d := newDoor(t)
	media := with("Content-Type", "application/jsonl")
	many := lines(t, d.ask("POST", batchPath, strings.Repeat("{}\n", 1002), media))
	if len(many) != 1001 || many[1000]["status"] != 413.0 || many[999]["status"] != 422.0 || many[1000]["line"] != 1001.0 {
		t.Errorf("1,002 lines gave %d results, the last %v", len(many), many[len(many)-1])
	}
	long := lines(t, d.ask("POST", batchPath, `{"kind":"`+strings.Repeat("x", 5<<20)+"\"}\n"+batchLine(t, standard(t)), media))
	if len(long) != 2 || long[0]["status"] != 413.0 || long[1]["status"] != 202.0 {
		t.Errorf("a line of 5 MiB gave %v", long)
	}
	// A body that is too long in all ends the batch where it is.
	body := strings.NewReader(batchLine(t, standard(t)) + strings.Repeat(strings.Repeat(" ", 1000)+"{}\n", 50))
	cut := d.api().TakeBatch(t.Context(), "k", http.MaxBytesReader(nil, io.NopCloser(body), 10_000))
	if last := cut[strings.LastIndexByte(strings.TrimSpace(cut), '\n')+1:]; !strings.Contains(last, `"status":413`) || !strings.Contains(last, "67108864 bytes") {
		t.Errorf("the last line is %s", last)
	}
}
