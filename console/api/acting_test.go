package api_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/ledger"
)

// A program of staff does what a clerk does: it sees what failed and why, tries
// it again, takes back, withdraws, replaces; and every act is in the audit trail,
// under the clerk's name and with the reason.
func TestWhatStaffDoToOneRequest(t *testing.T) {
	o := newOffice(t)
	id := o.failed("tsa_away")
	o.until("the index has it", func() bool { return o.ask("GET", "/api/v1/jobs?state=failed", "").at("total") == 1.0 })

	groups := o.wants(o.ask("GET", "/api/v1/causes", ""), 200)
	group, _ := groups.at("groups.0.id").(string)
	if groups.at("groups.0.cause") != "tsa_away" || groups.at("groups.0.count") != 1.0 || groups.at("groups.0.what") != ledger.CauseOf("tsa_away").Staff["en"].What {
		t.Errorf("the groups are %s", groups.body)
	}
	if french := o.ask("GET", "/api/v1/causes/"+group, "", with("Accept-Language", "fr-FR, en;q=0.5")); french.at("do") != ledger.CauseOf("tsa_away").Staff["fr"].Do {
		t.Errorf("in French: %s", french.body)
	}
	if claimed := o.wants(o.ask("POST", "/api/v1/causes/"+group+"/claim", ""), 200); claimed.at("claims.0.login") != "clerk" {
		t.Errorf("claimed: %s", claimed.body)
	}
	if released := o.wants(o.ask("DELETE", "/api/v1/causes/"+group+"/claim", ""), 200); released.at("claims.0") != nil {
		t.Errorf("released: %s", released.body)
	}
	o.refused(o.ask("GET", "/api/v1/causes/ffffffffffffffff", ""), "not-found")
	o.refused(o.ask("POST", "/api/v1/causes/ffffffffffffffff/claim", ""), "not-found")

	found := o.wants(o.ask("GET", "/api/v1/jobs?cause=tsa_away&kind=coverage_certificate&group="+group, ""), 200)
	number, _ := found.at("jobs.0.number").(string)
	if found.at("jobs.0.id") != id || found.at("jobs.0.state") != "failed" || found.at("jobs.0.stage") != "seal" || found.at("jobs.0.group") != group {
		t.Errorf("found by cause: %s", found.body)
	}
	if found := o.wants(o.ask("GET", "/api/v1/jobs?number="+number, ""), 200); found.at("jobs.0.id") != id || found.at("total") != 1.0 {
		t.Errorf("found by number: %s", found.body)
	}
	if found := o.wants(o.ask("GET", "/api/v1/jobs?number=CASS-2026-COB-0999999", ""), 200); found.at("total") != 0.0 {
		t.Errorf("no such number: %s", found.body)
	}
	shown := o.wants(o.ask("GET", "/api/v1/jobs/"+id, ""), 200)
	if shown.at("failure.cause") != "tsa_away" || shown.at("failure.detail") != "the authority answered 503" || shown.at("tries.0.stage") != "seal" ||
		shown.at("holder.initials") != "A. C. G." || shown.at("holder.cass_number") != "•••••0A" {
		t.Errorf("shown: %s", shown.body)
	}

	retried := o.wants(o.ask("POST", "/api/v1/jobs/"+id+"/retry", `{"from":"render","why":"the authority answers again"}`), 200)
	if retried.at("state") != "accepted" || retried.at("queue") != "interactive" || retried.at("failure") != nil ||
		retried.at("past.0.cause") != "tsa_away" || retried.at("past.0.tries.0.stage") != "seal" || retried.at("past.0.what") == "" {
		t.Errorf("retried: %s", retried.body)
	}
	if again := o.refused(o.ask("POST", "/api/v1/jobs/"+id+"/retry", `{"why":"once more"}`), "not-failed"); again.at("state") != "accepted" {
		t.Errorf("retried again: %s", again.body)
	}
	cancelled := o.wants(o.ask("POST", "/api/v1/jobs/"+id+"/cancel", `{"reason":"asked_again","why":"the portal sent it twice"}`), 200)
	if cancelled.at("state") != "cancelled" || cancelled.at("reason") != "asked_again" || cancelled.at("past.0.cause") != "tsa_away" {
		t.Errorf("cancelled: %s", cancelled.body)
	}
	o.wants(o.ask("POST", "/api/v1/jobs/"+id+"/cancel", `{"reason":"asked_again"}`), 200)
	o.refused(o.ask("POST", "/api/v1/jobs/"+id+"/withdraw", `{"reason":"fraud"}`), "not-in-force")

	first, second, third := o.issued(), o.issued(), o.issued()
	o.refused(o.ask("POST", "/api/v1/jobs/"+first.ID+"/cancel", `{"reason":"asked_again"}`), "already-issued")
	o.refused(o.ask("POST", "/api/v1/jobs/"+first.ID+"/replace", `{"by":"`+id+`","why":"asked again"}`), "invalid-request")
	replaced := o.wants(o.ask("POST", "/api/v1/jobs/"+first.ID+"/replace", `{"by":"`+second.ID+`","why":"asked again"}`), 200)
	if replaced.at("state") != "replaced" || replaced.at("replaced_by") != second.Number || replaced.at("document.level") != "B-LTA" {
		t.Errorf("replaced: %s", replaced.body)
	}
	withdrawn := o.wants(o.ask("POST", "/api/v1/jobs/"+third.ID+"/withdraw", `{"reason":"fraud","why":"incident 14"}`), 200)
	if withdrawn.at("state") != "withdrawn" || withdrawn.at("reason") != "fraud" || withdrawn.at("holder.cass_number") != "•••••0A" {
		t.Errorf("withdrawn: %s", withdrawn.body)
	}
	o.refused(o.ask("POST", "/api/v1/jobs/"+third.ID+"/withdraw", `{"reason":"legal_order"}`), "not-in-force")

	for what, want := range map[string]string{
		"causes.claim": "clerk " + group, "causes.release": "clerk " + group,
		"jobs.retry_render": "clerk " + id + " the authority answers again", "jobs.cancel": "clerk " + id + " asked_again: the portal sent it twice",
		"documents.replace": "clerk " + first.ID + " asked again", "documents.withdraw": "clerk " + third.ID + " fraud: incident 14"} {
		if got := o.trail(what); len(got) == 0 || got[0] != want {
			t.Errorf("the trail holds of %s: %q, want %q", what, got, want)
		}
	}
	o.answersAreDescribed()
}

// Pauses and callbacks, as `segell pause` and `segell callbacks` do them.
func TestWhatStaffDoToTheWork(t *testing.T) {
	o := newOffice(t)
	order := `{"scope":"kind","name":"coverage_certificate","why":"the rates are being corrected"}`
	paused := o.wants(o.ask("POST", "/api/v1/pauses", order), 200)
	if paused.at("pauses.0.name") != "coverage_certificate" || paused.at("pauses.0.who") != "clerk" || paused.at("pauses.0.why") != "the rates are being corrected" {
		t.Errorf("paused: %s", paused.body)
	}
	if listed := o.ask("GET", "/api/v1/pauses", "", as(o, "looker")); listed.body != paused.body {
		t.Errorf("listed: %s", listed.body)
	}
	if resumed := o.wants(o.ask("POST", "/api/v1/pauses/resume", order), 200); resumed.at("pauses.0") != nil {
		t.Errorf("resumed: %s", resumed.body)
	}
	o.refused(o.ask("POST", "/api/v1/pauses/resume", order), "not-paused")
	if a := o.refused(o.ask("POST", "/api/v1/pauses", `{"scope":"queue","name":"express","why":"x"}`), "invalid-request"); a.at("errors.0.pointer") != "/name" {
		t.Errorf("no such queue: %s", a.body)
	}

	name := o.undelivered()
	o.failed("tsa_away") // its callback waits
	dead := o.wants(o.ask("GET", "/api/v1/callbacks", ""), 200)
	if dead.at("callbacks.0.callback") != name || dead.at("callbacks.0.dead_at") == nil || dead.at("callbacks.1") != nil {
		t.Errorf("callbacks: %s", dead.body)
	}
	if all := o.ask("GET", "/api/v1/callbacks?waiting=true", ""); all.at("callbacks.1") == nil || all.at("more") != false {
		t.Errorf("with those that wait: %s", all.body)
	}
	if some := o.ask("GET", "/api/v1/callbacks?waiting=true&limit=1", ""); some.at("callbacks.1") != nil || some.at("more") != true {
		t.Errorf("one of them: %s", some.body)
	}
	if none := o.ask("GET", "/api/v1/callbacks?client=office", ""); none.at("callbacks.0") != nil {
		t.Errorf("another client's: %s", none.body)
	}
	replayed := o.wants(o.ask("POST", "/api/v1/callbacks/replay", `{"callback":"`+name+`","why":"the portal works again"}`), 200)
	if replayed.at("callback") != name || replayed.at("dead_at") != nil {
		t.Errorf("replayed: %s", replayed.body)
	}
	o.refused(o.ask("POST", "/api/v1/callbacks/replay", `{"callback":"`+name+`","why":"once more"}`), "not-found")
	o.refused(o.ask("POST", "/api/v1/callbacks/replay", `{"callback":"0199e0a0/document.issued","why":"once more"}`), "invalid-request")
	if a := o.refused(o.ask("POST", "/api/v1/callbacks/replay", `{"callback":"`+name+`"}`), "invalid-request"); a.at("errors.0.pointer") != "/why" {
		t.Errorf("without a reason: %s", a.body)
	}
	id, _, _ := strings.Cut(name, "/")
	for what, want := range map[string]string{"work.pause": "clerk kind.coverage_certificate the rates are being corrected", "work.resume": "clerk kind.coverage_certificate the rates are being corrected",
		"callbacks.replay": "clerk " + id + " the portal works again"} {
		if got := o.trail(what); !slices.Equal(got, []string{want}) {
			t.Errorf("the trail holds of %s: %q", what, got)
		}
	}
	o.answersAreDescribed()
}

// A bulk is counted, begun once under its id, watched to its end; a large one
// waits for a second person; one can be refused, and stopped.
func TestABulkByTheAPI(t *testing.T) {
	o := newOffice(t)
	var ids []string
	for range 3 {
		ids = append(ids, o.failed("tsa_away"))
	}
	issued := o.issued()
	list, err := json.Marshal(append(slices.Clone(ids), issued.ID))
	o.must(err)
	selection := `{"ids":` + string(list) + `}`
	plan := o.wants(o.ask("POST", "/api/v1/plans", `{"what":"retry","selection":`+selection+`}`), 200)
	if plan.at("will") != 3.0 || plan.at("cannot.issued") != 1.0 || plan.at("needs_second") != false || plan.at("by_kind.coverage_certificate") != 3.0 {
		t.Errorf("planned: %s", plan.body)
	}
	start := fmt.Sprintf(`{"id":%q,"what":"retry","selection":%s,"why":"the authority answers again"}`, plan.at("id"), selection)
	begun := o.wants(o.ask("POST", "/api/v1/bulks", start), 202)
	id, _ := begun.at("id").(string)
	if begun.header.Get("Location") != consoleURL+"/api/v1/bulks/"+id || begun.at("who") != "clerk" || begun.at("total") != 4.0 {
		t.Errorf("begun: %v %s", begun.header, begun.body)
	}
	if again := o.wants(o.ask("POST", "/api/v1/bulks", start), 202); again.at("id") != id {
		t.Errorf("begun twice: %s", again.body)
	}
	o.refused(o.ask("POST", "/api/v1/bulks", strings.Replace(start, `"retry"`, `"cancel"`, 1)), "batch-id-reused")
	o.until("the bulk is done", func() bool { return o.ask("GET", "/api/v1/bulks/"+id, "", as(o, "looker")).at("state") == "done" })
	done := o.ask("GET", "/api/v1/bulks/"+id, "")
	if done.at("done") != 3.0 || done.at("cannot.issued") != 1.0 || done.at("examples.0.id") != issued.ID || done.at("ended_at") == nil {
		t.Errorf("done: %s", done.body)
	}
	o.refused(o.ask("POST", "/api/v1/bulks/"+id+"/stop", `{}`), "bulk-over")

	for range 6 {
		o.failed("data_unusable")
	}
	o.until("the index has them", func() bool { return o.ask("GET", "/api/v1/jobs?state=failed", "").at("total") == 6.0 })
	query := `{"cause":"data_unusable","from":"2020-01-01T00:00:00Z"}`
	propose := func() string {
		t.Helper()
		plan := o.wants(o.ask("POST", "/api/v1/plans", `{"what":"cancel","selection":`+query+`}`), 200)
		if plan.at("will") != 6.0 || plan.at("needs_second") != true {
			t.Errorf("planned: %s", plan.body)
		}
		proposed := o.wants(o.ask("POST", "/api/v1/bulks", fmt.Sprintf(`{"id":%q,"what":"cancel","selection":%s,"why":"the portal sends them anew"}`, plan.at("id"), query)), 202)
		if proposed.at("state") != "proposed" {
			t.Errorf("proposed: %s", proposed.body)
		}
		id, _ := proposed.at("id").(string)
		return id
	}
	refused := propose()
	if a := o.wants(o.ask("POST", "/api/v1/bulks/"+refused+"/refuse", `{"why":"not yet"}`, as(o, "colleague")), 200); a.at("state") != "refused" || a.at("refused_by") != "colleague" {
		t.Errorf("refused: %s", a.body)
	}
	if a := o.refused(o.ask("POST", "/api/v1/bulks/"+refused+"/approve", "", as(o, "colleague")), "bulk-over"); a.at("state") != "refused" {
		t.Errorf("approved what was refused: %s", a.body)
	}
	stopped := propose()
	if a := o.wants(o.ask("POST", "/api/v1/bulks/"+stopped+"/stop", `{"why":"a slip"}`), 200); a.at("state") != "stopped" || a.at("stopped_by") != "clerk" {
		t.Errorf("stopped: %s", a.body)
	}
	approved := propose()
	o.refused(o.ask("POST", "/api/v1/bulks/"+approved+"/approve", ""), "second-person")
	if a := o.wants(o.ask("POST", "/api/v1/bulks/"+approved+"/approve", "", as(o, "colleague")), 200); a.at("approved_by") != "colleague" {
		t.Errorf("approved: %s", a.body)
	}
	o.until("it is done", func() bool { return o.ask("GET", "/api/v1/bulks/"+approved, "").at("done") == 6.0 })
	if all := o.wants(o.ask("GET", "/api/v1/bulks", "", as(o, "auditor")), 200); all.at("bulks.3.id") != id || all.at("bulks.4") != nil {
		t.Errorf("the list: %s", all.body)
	}
	for _, wrong := range []struct{ body, pointer string }{
		{`{"what":"retry","selection":{}}`, "/selection"},
		{`{"what":"retry","selection":{"ids":["` + id + `"],"all":true}}`, "/selection"},
		{`{"what":"retry","selection":{"ids":["17"]}}`, "/selection/ids"},
		{`{"what":"retry","selection":{"cause":"tsa_away"}}`, "/selection"},
		{`{"what":"retry","selection":{"until":"yesterday"}}`, "/selection/until"},
		{`{"what":"print","selection":{"all":true}}`, "/what"},
	} {
		if a := o.refused(o.ask("POST", "/api/v1/plans", wrong.body), "invalid-request"); a.at("errors.0.pointer") != wrong.pointer {
			t.Errorf("%s: %s", wrong.body, a.body)
		}
	}
	o.refused(o.ask("GET", "/api/v1/bulks/"+issued.ID, ""), "not-found")
	o.refused(o.ask("GET", "/api/v1/bulks/17", ""), "invalid-request")
	o.answersAreDescribed()
}

// Nobody passes by the second person: not by an id of another hour, nor one request
// at a time; and whoever tries is told what is wrong and what to do.
func TestNobodyPassesByTheSecondPerson(t *testing.T) {
	o := newOffice(t)
	var failed []string
	for range 6 {
		failed = append(failed, o.failed("tsa_away"))
	}
	bulk := func(id, why string) string {
		return fmt.Sprintf(`{"id":%q,"what":"cancel","selection":{"ids":[%q,%q]},"why":%q}`, id, failed[0], failed[1], why)
	}
	drawn := func(by time.Duration) string {
		id, err := ledger.NewID(time.Now().Add(by), rand.Reader)
		o.must(err)
		return id
	}
	for _, by := range []time.Duration{-3 * time.Hour, -61 * time.Minute, 2 * time.Minute} {
		a := o.refused(o.ask("POST", "/api/v1/bulks", bulk(drawn(by), "no use")), "invalid-request")
		if a.at("errors.0.pointer") != "/id" || a.at("errors.0.detail") != "must be the id that a plan gave within the last hour; plan the bulk again" {
			t.Errorf("an id of %v from now: %s", by, a.body)
		}
	}
	if a := o.refused(o.ask("POST", "/api/v1/bulks", bulk(drawn(0), " . ")), "invalid-request"); a.at("errors.0.pointer") != "/why" {
		t.Errorf("a reason that says nothing: %s", a.body)
	}
	begun := o.wants(o.ask("POST", "/api/v1/bulks", bulk(drawn(0), "no use")), 202)
	if begun.at("state") != "running" {
		t.Errorf("two alone: %s", begun.body)
	}
	id, _ := begun.at("id").(string)
	o.refused(o.ask("POST", "/api/v1/bulks", bulk(id, "of some use")), "batch-id-reused")
	cancel := func(i int, edits ...edit) answer {
		return o.ask("POST", "/api/v1/jobs/"+failed[i]+"/cancel", `{"reason":"sent_in_error"}`, edits...)
	}
	for i := range 3 {
		o.wants(cancel(2+i), 200)
	}
	a := o.refused(cancel(5), "second-person")
	if detail, _ := a.at("detail").(string); !strings.Contains(detail, "another person") || !strings.Contains(detail, "bulk") {
		t.Errorf("the sixth: %s", a.body)
	}
	if standing, err := o.config.Ledger.Look(t.Context(), failed[5]); err != nil || standing.State != ledger.StateFailed || len(o.trail("jobs.cancel")) > 5 {
		t.Errorf("the sixth is %s, %v, and the trail holds %v", standing.State, err, o.trail("jobs.cancel"))
	}
	o.wants(cancel(5, as(o, "colleague")), 200)
	o.answersAreDescribed()
}

// What is wrong with a call is said, all of it, and never with what was sent.
func TestWrongCallsAreRefused(t *testing.T) {
	o := newOffice(t)
	id := o.failed("tsa_away")
	retry := "/api/v1/jobs/" + id + "/retry"
	for _, c := range []struct {
		method, path, body, problem, where string
		edits                              []edit
	}{
		{method: "POST", path: retry, body: `{"why":"asked by 123456A"}`, problem: "invalid-request", where: "/why"},
		{method: "POST", path: retry, body: `{"why":"` + strings.Repeat("x", 201) + `"}`, problem: "invalid-request", where: "/why"},
		{method: "POST", path: retry, body: `{}`, problem: "invalid-request", where: "/why"},
		{method: "POST", path: retry, body: `{"why":" … "}`, problem: "invalid-request", where: "/why"},
		{method: "POST", path: retry, body: `{"why":"x","force":true}`, problem: "invalid-request", where: "/force"},
		{method: "POST", path: retry, body: `{"from":"seal","why":"x"}`, problem: "invalid-request", where: "/from"},
		{method: "POST", path: retry, body: `{`, problem: "malformed-json"},
		{method: "POST", path: retry, problem: "bad-request"},
		{method: "POST", path: retry, body: `why=x`, problem: "unsupported-media-type", edits: []edit{with("Content-Type", "application/x-www-form-urlencoded")}},
		{method: "POST", path: retry, body: `{"why":"` + strings.Repeat("x", 20_000) + `"}`, problem: "too-large"},
		{method: "POST", path: "/api/v1/jobs/" + id + "/replace", body: `{"by":"` + id + `"}`, problem: "invalid-request", where: "/why"},
		{method: "POST", path: "/api/v1/jobs/17/retry", body: `{"why":"x"}`, problem: "invalid-request"},
		{method: "POST", path: "/api/v1/jobs/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e/retry", body: `{"why":"x"}`, problem: "not-found"},
		{method: "GET", path: "/api/v1/jobs/0199e0a0-5b7c-4c1e-9a54-3f1d2b6c7d8e", problem: "not-found"},
		{method: "GET", path: "/api/v1/jobs?stat=failed", problem: "invalid-request", where: "stat"},
		{method: "GET", path: "/api/v1/jobs?state=broken", problem: "invalid-request", where: "state"},
		{method: "GET", path: "/api/v1/jobs?from=yesterday", problem: "invalid-request", where: "from"},
		{method: "GET", path: "/api/v1/jobs?cause=", problem: "invalid-request", where: "cause"},
		{method: "GET", path: "/api/v1/jobs?limit=501", problem: "invalid-request", where: "limit"},
		{method: "GET", path: "/api/v1/jobs?cursor=x", problem: "invalid-request", where: "cursor"},
		{method: "GET", path: "/api/v1/audit?cursor=x", problem: "invalid-request", where: "cursor", edits: []edit{as(o, "auditor")}},
		{method: "GET", path: "/api/v1/nothing", problem: "not-found"},
		{method: "PUT", path: "/api/v1/pauses", problem: "method-not-allowed"},
		{method: "GET", path: retry, problem: "method-not-allowed"},
	} {
		a := o.refused(o.ask(c.method, c.path, c.body, c.edits...), c.problem)
		if c.where != "" && a.at("errors.0.pointer") != c.where && a.at("errors.0.parameter") != c.where {
			t.Errorf("%s %s %.60s: %s", c.method, c.path, c.body, a.body)
		}
		for _, sent := range []string{"123456A", "xxxxx", "yesterday", "broken"} {
			if strings.Contains(a.body, sent) {
				t.Errorf("%s %s repeats what was sent: %s", c.method, c.path, a.body)
			}
		}
	}
	if standing, err := o.config.Ledger.Look(t.Context(), id); err != nil || standing.State != ledger.StateFailed || len(o.trail("jobs.retry")) > 0 {
		t.Errorf("something was done: %+v, %v, %v", standing, err, o.trail("jobs.retry"))
	}
	if log := o.log.String(); strings.Contains(log, "123456A") || strings.Contains(log, "Groc") || strings.Contains(log, "route=/") || !strings.Contains(log, `route="POST /api/v1/jobs/{id}/retry" status=422 login=clerk`) {
		t.Errorf("the log tells what was sent, or not what was answered:\n%s", log)
	}
	o.answersAreDescribed()

	// While Redis is away an act stands all the same, and what needs the index says so.
	o.redis.Kill()
	if a := o.refused(o.ask("GET", "/api/v1/jobs", ""), "temporarily-unavailable"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("without Redis: %v %s", a.header, a.body)
	}
	if a := o.wants(o.ask("POST", retry, `{"why":"done without Redis"}`), 200); a.at("state") != "accepted" {
		t.Errorf("retried without Redis: %s", a.body)
	}
}
