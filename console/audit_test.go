package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"segell/ledger"
)

// deadlines is an answer that remembers until when it may be written.
type deadlines struct {
	*httptest.ResponseRecorder
	write time.Time
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.write = at
	return nil
}

// A file of the whole trail, and its proof, take longer than the server lets pages
// take.
func TestALongTrailHasTimeToBeWritten(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	olga := o.login("olga")
	address, err := url.Parse(o.server.URL)
	o.must(err)
	token := olga.csrf()
	for path, patient := range map[string]bool{"/audit.csv": true, "/audit.json": true, "/audit/verify": true, "/audit": false} {
		method, form := http.MethodGet, url.Values{"csrf": {token}}
		if strings.HasSuffix(path, "/verify") {
			method = http.MethodPost
		}
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, cookie := range olga.http.Jar.Cookies(address) {
			r.AddCookie(cookie)
		}
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		o.console.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK || time.Until(w.write) > 4*time.Minute != patient {
			t.Errorf("%s: %d, to be written until %v", path, w.Code, w.write)
		}
	}
}

// The page says in which bulk something was done, names new acts, leads to what each
// was done to, and finds all of a bulk; a day far ahead is after everything.
func TestTheAuditPageShowsBulksAndClaims(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	failed := o.accept("coverage_certificate", "COB")
	o.fail(failed, ledger.StageSeal, "tsa_away", "503")
	o.settle(1, 0)
	groups, err := o.index.Groups(t.Context())
	o.must(err)
	group, anna, olga := groups[0].ID, o.login("anna"), o.login("olga")
	const bulk = "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d90"
	o.must(o.ledger.Audit(t.Context(), ledger.AuditEntry{Who: "anna", What: "bulk.start", ID: bulk, Why: "the certificate was renewed"}))
	o.must(o.ledger.Audit(t.Context(), ledger.AuditEntry{Who: "anna", What: "jobs.retry_render", ID: failed.ID, Why: "the certificate was renewed", Bulk: bulk}))
	for _, act := range []string{"claim", "release"} {
		wants(t, anna.follow("/causes/"+group+"/"+act), http.StatusOK)
	}
	if got := anna.post("/causes/ffffffffffffffff/claim"); got.status != http.StatusNotFound {
		t.Errorf("a claim of no group: %d", got.status)
	}
	if got := o.acted(group); len(got) != 2 || got[0] != "anna causes.claim " || got[1] != "anna causes.release " {
		t.Errorf("of the claims the trail has %q", got)
	}

	page := olga.get("/audit?who=anna&until=9999-12-31")
	wants(t, page, http.StatusOK, "Causa assumida", "Causa deixada", `href="/causes/`+group+`"`, `href="/requests/`+failed.ID+`"`,
		"Sol·licitud tornada a fer des del principi", `Acte en bloc: <a class="mono break" href="/bulk/`+bulk+`"`)
	if strings.Contains(page.body, "/requests/"+bulk) {
		t.Error("a bulk is shown as a request")
	}
	wants(t, olga.get("/audit?id="+bulk), http.StatusOK, "bulk.start", "jobs.retry_render")
	file := olga.get("/audit.csv?until=2400-01-01&id=" + bulk)
	if lines := strings.Split(strings.TrimSpace(file.body), "\r\n"); file.status != http.StatusOK || len(lines) != 3 || !strings.HasSuffix(lines[0], ",bulk") || !strings.HasSuffix(lines[2], ","+bulk) {
		t.Errorf("the file of a bulk: %d\n%s", file.status, file.body)
	}
	wants(t, olga.get("/audit.json?id="+bulk), http.StatusOK, `"bulk":"`+bulk+`"`)
}
