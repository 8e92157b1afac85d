package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segell/console/api"
	_ "segell/intake" // huma's words for errors belong to the whole process: both have theirs
	"segell/ledger"
	"segell/staff"
)

// operation is what the tests read of an operation of the description.
type operation struct {
	OperationID, Summary, Description string
	Tags                              []string
	Security                          []map[string][]string
	Parameters                        []struct{ Name, In, Description string }
	RequestBody                       *struct {
		Content map[string]struct{ Example json.RawMessage }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]json.RawMessage
	}
}

type description struct {
	OpenAPI string
	Info    struct{ Title, Description, Version string }
	Tags    []struct{ Name string }
	Paths   map[string]map[string]operation

	Components struct{ Schemas map[string]json.RawMessage }
}

func (o *office) description() description {
	o.t.Helper()
	var d description
	o.must(json.Unmarshal([]byte(o.ask("GET", "/api/openapi.json", "", with("Authorization", "")).body), &d))
	return d
}

// The description is complete, and keeps the rules of OpenAPI (Spectral); and every
// problem has its page, which says what to do.
func TestTheDescriptionIsComplete(t *testing.T) {
	o := newOffice(t)
	d := o.description()
	if !strings.HasPrefix(d.OpenAPI, "3.1") || len(d.Paths) == 0 {
		t.Errorf("it is OpenAPI %s, of %d addresses", d.OpenAPI, len(d.Paths))
	}
	for name := range d.Components.Schemas {
		if strings.HasPrefix(name, "Foreign") {
			t.Errorf("%s is described, which is not this API's", name)
		}
	}
	var tags []string
	for _, tag := range d.Tags {
		tags = append(tags, tag.Name)
	}
	ids := map[string]bool{}
	for path, operations := range d.Paths {
		for method, op := range operations {
			where := strings.ToUpper(method) + " " + path
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || op.Description == "" || len(op.Tags) != 1 || !slices.Contains(tags, op.Tags[0]) {
				t.Errorf("%s is described by halves: %+v", where, op)
			}
			ids[op.OperationID] = true
			if len(op.Security) != 1 || len(op.Security[0]["token"]) != 1 {
				t.Errorf("%s names no role", where)
			}
			for _, p := range op.Parameters {
				if p.Description == "" {
					t.Errorf("%s: the parameter %s is not described", where, p.Name)
				}
			}
			for status, r := range op.Responses {
				if media := slices.Collect(maps.Keys(r.Content)); r.Description == "" || status >= "400" && !slices.Equal(media, []string{"application/problem+json"}) {
					t.Errorf("%s: %s is described by halves: %v", where, status, media)
				}
			}
			if op.RequestBody != nil && len(op.RequestBody.Content["application/json"].Example) == 0 {
				t.Errorf("%s has no example", where)
			}
		}
	}

	for kind, status := range api.Problems() {
		page := o.wants(o.ask("GET", "/api/problems/"+kind, "", with("Authorization", "")), 200)
		if !strings.Contains(page.body, fmt.Sprintf("HTTP status %d, type <code>%s</code>", status, kind)) || strings.Count(page.body, "<p>") != 3 || strings.Contains(page.body, "<p></p>") || strings.Contains(page.body, "`") {
			t.Errorf("the page of %s: %s", kind, page.body)
		}
	}
	o.refused(o.ask("GET", "/api/problems/nothing", ""), "not-found")

	file := filepath.Join(t.TempDir(), "openapi.json")
	o.must(os.WriteFile(file, []byte(o.ask("GET", "/api/openapi.json", "").body), 0o600))
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..")
	judge := filepath.Join(root, ".cache", "judges", "node_modules", ".bin", "spectral")
	if _, err := os.Stat(judge); err != nil {
		t.Fatal("spectral is missing: make tools")
	}
	spectral := exec.CommandContext(t.Context(), judge, "lint", "--ruleset", filepath.Join(root, "cmd", "segell", "testdata", "api", "spectral.yaml"), "--fail-severity", "warn", file)
	if out, err := spectral.CombinedOutput(); err != nil {
		t.Errorf("spectral: %v\n%s", err, out)
	}
}

// variable is a part of an address that varies, as a regular expression quotes it.
var variable = regexp.MustCompile(`\\\{[a-z]+\\\}`)

// described finds the operation that an address is of.
func (d description) described(method, path string) (operation, bool) {
	best, found := operation{}, false
	for pattern, operations := range d.Paths {
		op, has := operations[strings.ToLower(method)]
		expression := "^" + variable.ReplaceAllString(regexp.QuoteMeta(pattern), "[^/]+") + "$"
		if has && regexp.MustCompile(expression).MatchString(path) && (!found || !strings.Contains(pattern, "{")) {
			best, found = op, true
		}
	}
	return best, found
}

// answersAreDescribed fails for every answer of the test that the description does
// not know.
func (o *office) answersAreDescribed() {
	o.t.Helper()
	d := o.description()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.answered {
		op, known := d.described(a.method, a.path)
		if !known {
			continue // an address of no operation
		}
		if _, told := op.Responses[fmt.Sprint(a.status)]; !told {
			o.t.Errorf("%s %s answers %d, of which the description knows nothing: %s", a.method, a.path, a.status, a.body)
		}
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
			if a.header.Get(header) != want {
				o.t.Errorf("%s %s: %s is %q", a.method, a.path, header, a.header.Get(header))
			}
		}
	}
}

// allows says which of the logins a role of an operation lets in.
var allows = map[string][]string{"look": {"looker", "clerk", "colleague", "auditor"}, "act": {"clerk", "colleague"}, "audit": {"auditor"}}

// Every operation is open to its role and to nobody else: not without a token, nor
// with a bad one, nor with one of another role. What is refused is not done, and is
// in the audit trail.
func TestEveryOperationByEachRole(t *testing.T) {
	o := newOffice(t)
	id, other, third := o.failed("tsa_away"), o.issued(), o.issued()
	callback := o.undelivered()
	o.until("the index has them", func() bool { return o.ask("GET", "/api/v1/jobs", "").at("total") == 4.0 })
	group, _ := o.ask("GET", "/api/v1/causes", "").at("groups.0.id").(string)
	plan := o.ask("POST", "/api/v1/plans", `{"what":"retry","selection":{"ids":["`+id+`"]}}`)
	selection := `"what":"retry","selection":{"cause":"missing_glyph"}`
	bodies := map[string]string{
		"retry-job": `{"why":"tried"}`, "cancel-job": `{"reason":"asked_again"}`, "withdraw-job": `{"reason":"fraud"}`, "replace-job": `{"by":"` + third.ID + `","why":"tried"}`,
		"plan-bulk": `{` + selection + `}`, "start-bulk": fmt.Sprintf(`{"id":%q,%s,"why":"tried"}`, plan.at("id"), selection), "refuse-bulk": `{}`, "stop-bulk": `{}`,
		"pause-work": `{"scope":"queue","name":"batch","why":"tried"}`, "resume-work": `{"scope":"queue","name":"batch","why":"tried"}`, "replay-callback": `{"callback":"` + callback + `"}`,
	}
	d := o.description()
	// The roles that may look come first, and those that may act last: what they do
	// changes what the others would see.
	for _, login := range []string{"", "stranger", "looker", "auditor", "clerk"} {
		before := len(o.trail("staff.denied"))
		refusals := 0
		for path, operations := range d.Paths {
			for method, op := range operations {
				address := strings.NewReplacer("{group}", group, "{id}", id).Replace(path)
				if op.OperationID == "withdraw-job" || op.OperationID == "replace-job" {
					address = strings.NewReplacer("{id}", other.ID).Replace(path)
				}
				edits := []edit{as(o, login)}
				switch login {
				case "":
					edits = []edit{with("Authorization", "")}
				case "stranger":
					edits = []edit{with("Authorization", "Bearer segell_staff_"+strings.Repeat("a", 32))}
				}
				a := o.ask(strings.ToUpper(method), address, bodies[op.OperationID], append(edits, with("X-Forwarded-For", "192.0.2."+fmt.Sprint(len(op.OperationID))))...)
				role := op.Security[0]["token"][0]
				switch {
				case o.tokens[login] == "":
					if a.status != http.StatusTooManyRequests { // strangers are slowed down
						o.refused(a, "unauthorized")
					}
				case slices.Contains(allows[role], login):
					if a.status == 401 || a.status == 403 || a.status >= 500 {
						t.Errorf("%s with the role for %s: %d %s", login, op.OperationID, a.status, a.body)
					}
				default:
					refusals++
					o.refused(a, "forbidden")
				}
			}
		}
		if login == "clerk" {
			break
		}
		if standing, err := o.config.Ledger.Look(t.Context(), id); err != nil || standing.State != "failed" {
			t.Errorf("%q changed a request: %+v, %v", login, standing, err)
		}
		if pauses, err := o.config.Ledger.Pauses(t.Context()); err != nil || len(pauses) > 0 {
			t.Errorf("%q paused something: %+v, %v", login, pauses, err)
		}
		if record, err := o.config.Ledger.Record(t.Context(), other.ID); err != nil || record.Status != "issued" {
			t.Errorf("%q changed a document: %+v, %v", login, record, err)
		}
		if written := len(o.trail("staff.denied")) - before; written != refusals {
			t.Errorf("of %d refusals of %q %d were written down", refusals, login, written)
		}
	}
	// The same refusal again is one entry, not two.
	before := len(o.trail("staff.denied"))
	o.refused(o.ask("GET", "/api/v1/audit", "", as(o, "looker")), "forbidden")
	if len(o.trail("staff.denied")) != before {
		t.Error("the same refusal is written down again and again")
	}
	o.answersAreDescribed()
}

// Who guesses tokens is slowed down, and that network's other strangers with them; who
// has a good token goes on, from there too and without having shown it before. A token
// that has ended is looked up a few times. Guesses ask the bucket nothing.
func TestGuessingTokensIsSlow(t *testing.T) {
	o := newOffice(t)
	o.wants(o.ask("GET", "/api/v1/pauses", ""), 200)
	var lookups atomic.Int64
	o.watch.Lock()
	o.asked = func(key string) {
		if strings.HasPrefix(key, "staff-tokens/") {
			lookups.Add(1)
		}
	}
	o.watch.Unlock()
	slowed := 0
	for n := range 60 {
		a := o.ask("GET", "/api/v1/pauses", "", with("Authorization", fmt.Sprintf("Bearer segell_staff_%048d", n)))
		switch a.status {
		case 401:
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("refused by %v", a.header)
			}
		case 429:
			slowed++
			if a.header.Get("Retry-After") == "" {
				t.Errorf("slowed down without saying how long: %v", a.header)
			}
		default:
			t.Errorf("guess %d is answered %d %s", n, a.status, a.body)
		}
	}
	if slowed < 25 {
		t.Errorf("of 60 guesses %d were slowed down", slowed)
	}
	if n := lookups.Load(); n > 0 {
		t.Errorf("the bucket was asked for %d guesses", n)
	}
	o.wants(o.ask("GET", "/api/v1/pauses", ""), 200) // whose token was good before
	o.wants(o.ask("GET", "/api/v1/pauses", "", as(o, "colleague")), 200)
	bearer, token, err := o.config.Desk.NewToken(t.Context(), staff.Actor{Who: "operator"}, "auditor", "ended", nil, time.Hour)
	o.must(err)
	o.must(o.config.Desk.RevokeToken(t.Context(), staff.Actor{Who: "operator"}, "auditor", token.ID))
	lookups.Store(0)
	for range 30 {
		if a := o.ask("GET", "/api/v1/pauses", "", with("Authorization", "Bearer "+bearer)); a.status != 401 && a.status != 429 {
			t.Errorf("a revoked token is answered %d", a.status)
		}
	}
	if n := lookups.Load(); n < 1 || n > 10 {
		t.Errorf("a revoked token was looked up %d times", n)
	}
	o.wants(o.ask("GET", "/api/v1/pauses", "", as(o, "looker"), with("X-Forwarded-For", "192.0.2.7")), 200)
	// The token of somebody whom the issuer has not seen for a month says so.
	account := ledger.StaffAccount{Login: "gone", Name: "Somebody", Roles: []string{"look"}, Issuer: "https://login.example", Subject: "1", CreatedAt: time.Now(), LastLogin: time.Now().Add(-31 * 24 * time.Hour)}
	o.must(o.config.Ledger.AddStaff(t.Context(), account))
	bearer, _, err = o.config.Desk.NewToken(t.Context(), staff.Actor{Who: "operator"}, "gone", "x", nil, time.Hour)
	o.must(err)
	if a := o.ask("GET", "/api/v1/pauses", "", with("Authorization", "Bearer "+bearer)); a.status != 401 || !strings.Contains(a.body, "30 days") {
		t.Errorf("not seen at the issuer: %d %s", a.status, a.body)
	}
	for _, header := range []string{"", "Basic Y2xlcms6eA==", "Bearer", "Bearer  "} {
		if a := o.ask("GET", "/api/v1/pauses", "", with("Authorization", header)); a.status != 401 && a.status != 429 {
			t.Errorf("%q is answered %d", header, a.status)
		}
	}
}
