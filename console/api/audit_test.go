package api_test

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"segell/audit"
	"segell/ledger"
)

// An auditor searches the trail, takes it away as a file and has it proved; that
// the file was taken is in the trail.
func TestTheTrailByTheAPI(t *testing.T) {
	o := newOffice(t)
	id := o.failed("tsa_away")
	o.wants(o.ask("POST", "/api/v1/jobs/"+id+"/retry", `{"why":"=1+1; the authority answers again"}`), 200)
	o.wants(o.ask("POST", "/api/v1/jobs/"+id+"/cancel", `{"reason":"asked_again"}`), 200)
	auditor := as(o, "auditor")
	found := o.wants(o.ask("GET", "/api/v1/audit?who=clerk&what=jobs.&limit=1", "", auditor), 200)
	if found.at("entries.0.what") != "jobs.cancel" || found.at("entries.0.from") != "127.0.0.1" || found.at("entries.1") != nil || found.at("trail.complete") != true || found.at("trail.faults.0") != nil {
		t.Errorf("found: %s", found.body)
	}
	older, _ := found.at("older").(string)
	if next := o.wants(o.ask("GET", "/api/v1/audit?who=clerk&what=jobs.&limit=1&cursor="+older, "", auditor), 200); next.at("entries.0.id") != id || next.at("entries.0.what") != "jobs.retry" || next.at("older") != nil {
		t.Errorf("the next page: %s", next.body)
	}
	if none := o.wants(o.ask("GET", "/api/v1/audit?until=2020-01-01T00:00:00Z", "", auditor), 200); none.at("entries.0") != nil {
		t.Errorf("long ago: %s", none.body)
	}

	// An entry as the API gives it is the entry, with all that it has.
	const bulk = "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d90"
	o.must(o.config.Ledger.Audit(t.Context(), ledger.AuditEntry{Who: "clerk", What: "api.refused", ID: id, Why: "of a bulk", From: "192.0.2.7", Count: 3, Bulk: bulk}))
	in := o.wants(o.ask("GET", "/api/v1/audit?id="+bulk+"&until=9999-12-31T00:00:00Z", "", auditor), 200)
	var page struct{ Entries []ledger.AuditRecord }
	if err := json.Unmarshal([]byte(in.body), &page); err != nil || len(page.Entries) != 1 || !slices.Contains(o.records(), page.Entries[0]) || page.Entries[0].Bulk != bulk {
		t.Errorf("of a bulk: %v %s", err, in.body)
	}

	file := o.wants(o.ask("GET", "/api/v1/audit/export?what=jobs.", "", auditor), 200)
	var records []ledger.AuditRecord
	if err := json.Unmarshal([]byte(file.body), &records); err != nil || len(records) != 2 || records[0].What != "jobs.retry" || file.header.Get("Content-Disposition") != `attachment; filename="audit.json"` {
		t.Errorf("as JSON: %v %v %s", err, file.header, file.body)
	}
	file = o.wants(o.ask("GET", "/api/v1/audit/export?format=csv&text=ANSWERS", "", auditor), 200)
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.body, "\ufeff"))).ReadAll()
	if err != nil || len(lines) != 2 || lines[1][6] != "'=1+1; the authority answers again" || !strings.HasPrefix(file.header.Get("Content-Type"), audit.CSV.MediaType()) {
		t.Errorf("as CSV: %v %v %s", err, file.header, file.body)
	}
	if got := o.trail("audit.export"); len(got) != 2 || got[1] != "auditor csv" {
		t.Errorf("of the exports the trail holds %q", got)
	}

	proof := o.wants(o.ask("POST", "/api/v1/audit/verify", "", auditor), 200)
	if proof.at("whole") != true || proof.at("heads.0.sha256") == nil || proof.at("faults.0") != nil {
		t.Errorf("proved: %s", proof.body)
	}
	var keys []string
	for info, err := range o.bucket.List(t.Context(), "audit/", "") {
		o.must(err)
		keys = append(keys, info.Key)
	}
	// The end of a chain is cut off, and of another process's, so that nothing is
	// written after it.
	o.must(o.other.Audit(t.Context(), ledger.AuditEntry{Who: "operator", What: "keys.add"}))
	o.until("what another process wrote is seen", func() bool {
		return o.ask("GET", "/api/v1/audit?what=keys.add", "", auditor).at("entries.0.who") == "operator"
	})
	for info, err := range o.bucket.List(t.Context(), "audit/", keys[len(keys)-1]) {
		o.must(err)
		o.must(o.bucket.Delete(t.Context(), info.Key))
	}
	if proof := o.wants(o.ask("POST", "/api/v1/audit/verify", "", auditor), 200); proof.at("whole") != false || proof.at("faults.0.sequence") != 1.0 {
		t.Errorf("a cut end: %s", proof.body)
	}
	o.answersAreDescribed()
}
