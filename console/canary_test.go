package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"segell/ledger"
)

// personal are the values in the canary's requests that name a person.
var personal = []string{canaryName, "Canari", canaryCASS, "1984-07-19", "PP7312345"}

func holdsNothingPersonal(t *testing.T, where, text string) {
	t.Helper()
	for _, value := range personal {
		if strings.Contains(text, value) {
			t.Errorf("%s says %q:\n%s", where, value, text)
		}
	}
}

// Nothing on any page says who a document is about before somebody asked with a
// reason; then the audit trail has the act, the reason and who, never the value.
func TestNothingPersonalIsShownWithoutAReason(t *testing.T) {
	o := newOffice(t, well)
	failed := o.accept("coverage_certificate", "COB")
	o.fail(failed, ledger.StageSeal, "tsa_away", "503 Service Unavailable")
	waiting, issued := o.accept("coverage_certificate", "COB"), o.accept("coverage_certificate", "COB")
	o.issue(issued)
	o.settle(1, 1)
	groups, err := o.index.Groups(t.Context())
	o.must(err)
	anna := o.login("anna")
	person := anna.post("/find", "one", canaryCASS)
	if person.status != http.StatusSeeOther {
		t.Fatalf("a search for a person: %d", person.status)
	}
	holdsNothingPersonal(t, "the address of a search", person.location)

	addresses := []string{"/", "/causes", "/causes/" + groups[0].ID, "/find", "/find?state=failed", person.location, "/bulk", "/work", "/callbacks", "/runbooks/tsa_away",
		"/requests/" + failed.ID, "/requests/" + waiting.ID, "/requests/" + issued.ID}
	for _, name := range []string{"anna", "mira", "olga"} {
		b := o.login(name)
		for _, address := range append(addresses, "/audit") {
			if address == person.location && name != "anna" {
				continue
			}
			got := b.get(address)
			if got.status != http.StatusOK && address != "/audit" {
				t.Errorf("%s: %s answers %d", name, address, got.status)
			}
			holdsNothingPersonal(t, name+" at "+address, got.body)
		}
	}
	forms := []struct {
		path  string
		pairs []string
		want  int
	}{
		{"/bulk/plan", []string{"what", "retry", "group", groups[0].ID}, http.StatusOK},
		{"/bulk/plan", []string{"what", "retry", "of", "chosen", "id", failed.ID}, http.StatusOK},
		{"/requests/" + waiting.ID + "/show", nil, http.StatusUnprocessableEntity},
		{"/requests/" + waiting.ID + "/show", []string{"why", "   "}, http.StatusUnprocessableEntity},
		{"/requests/" + waiting.ID + "/show", []string{"why", "number 731234B was asked for"}, http.StatusUnprocessableEntity},
		{"/requests/" + issued.ID + "/show", []string{"why", "a telephone call"}, http.StatusConflict},
		{"/requests/" + waiting.ID + "/cancel", []string{"reason", "cannot_be_made"}, http.StatusUnprocessableEntity},
		{"/requests/" + issued.ID + "/document", nil, http.StatusUnprocessableEntity},
		{"/find", []string{"one", "Canari Groc"}, http.StatusUnprocessableEntity},
	}
	for _, form := range forms {
		got := anna.post(form.path, form.pairs...)
		if got.status != form.want {
			t.Errorf("POST %s %v: %d, want %d", form.path, form.pairs, got.status, form.want)
		}
		holdsNothingPersonal(t, "the answer to POST "+form.path, got.body+got.location)
	}
	if _, trail := o.entries(); strings.Contains(trail, "requests.show") || strings.Contains(trail, "documents.show") {
		t.Errorf("the trail says that something was shown:\n%s", trail)
	}

	shown := anna.post("/requests/"+waiting.ID+"/show", "why", "the person is at the desk")
	wants(t, shown, http.StatusOK, canaryName, canaryCASS, "1984-07-19", "PP7312345", "Dades a la vista")
	if shown.header.Get("Cache-Control") != "no-store" || shown.location != "" {
		t.Errorf("what was shown may be kept: %v", shown.header)
	}
	holdsNothingPersonal(t, "the page afterwards", anna.get("/requests/"+waiting.ID).body)
	opened := anna.post("/requests/"+issued.ID+"/document", "why", "the person has lost it")
	if opened.status != http.StatusOK || opened.header.Get("Content-Type") != "application/pdf" || !strings.HasPrefix(opened.body, "%PDF") ||
		opened.header.Get("Cache-Control") != "no-store" || !strings.Contains(opened.header.Get("Content-Disposition"), issued.Number) {
		t.Errorf("the document: %d %v", opened.status, opened.header)
	}

	records, trail := o.entries()
	holdsNothingPersonal(t, "the audit trail", trail)
	holdsNothingPersonal(t, "the log", o.log.String())
	wanted := map[string]ledger.AuditEntry{
		"requests.show":  {Who: "anna", ID: waiting.ID, Why: "the person is at the desk", From: "127.0.0.1"},
		"documents.show": {Who: "anna", ID: issued.ID, Why: "the person has lost it", From: "127.0.0.1"},
		// That a person was looked for, and not whom.
		"requests.find_person": {Who: "anna", From: "127.0.0.1"},
	}
	for _, record := range records {
		if want, ok := wanted[record.What]; ok {
			want.What = record.What
			if record.AuditEntry != want {
				t.Errorf("the trail has %+v, want %+v", record.AuditEntry, want)
			}
			delete(wanted, record.What)
		}
	}
	if len(wanted) > 0 {
		t.Errorf("the trail lacks %v:\n%s", wanted, trail)
	}
	for _, key := range o.client.Keys(t.Context(), "*").Val() {
		holdsNothingPersonal(t, "Redis", key+o.client.Dump(t.Context(), key).Val())
	}
	// Who looked at personal data is for auditors.
	wants(t, o.login("olga").get("/requests/"+waiting.ID), http.StatusOK, "the person is at the desk")
	if strings.Contains(o.login("mira").get("/requests/"+waiting.ID).body, "at the desk") {
		t.Error("who may only look reads who saw personal data")
	}
}

// A reference to a person is good for nobody else, and for no other session.
func TestAReferenceToAPersonIsForOneSession(t *testing.T) {
	o := newOffice(t, well)
	request := o.accept("coverage_certificate", "COB")
	anna := o.login("anna")
	for _, typed := range []string{canaryCASS, "731234a", "731 234-A", " 731.234.A "} {
		got := anna.post("/find", "one", typed)
		if got.status != http.StatusSeeOther {
			t.Fatalf("%q finds nobody: %d", typed, got.status)
		}
		wants(t, anna.get(got.location), http.StatusOK, request.Number, "•••••4A")
	}
	address := anna.post("/find", "one", canaryCASS).location
	for name, other := range map[string]*browser{"another person": o.login("bru"), "another session": o.login("anna")} {
		if got := other.get(address); got.status != http.StatusOK || strings.Contains(got.body, request.Number) || !strings.Contains(got.body, "ja no és vàlida") {
			t.Errorf("%s reads what the reference means: %d", name, got.status)
		}
	}
	forged := anna.get("/find?" + url.Values{"person": {"AAAA"}}.Encode())
	wants(t, forged, http.StatusOK, "ja no és vàlida")
}
