package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"segell/acts"
	"segell/ledger"
	"segell/pki"
)

// scene is what the pages show while they are looked at.
type scene struct {
	expired  []string // requests that failed alike
	glyph    string   // one that failed otherwise
	issued   []string // documents of one person
	paused   string   // waits because its kind is paused
	withdraw string   // a document to be withdrawn
	cancel   string   // a request to be cancelled
	group    string   // of expired
}

var somebody = person{name: "Vidal Font, Jordi", cass: cassOf(2001), birth: "1970-02-11"}

// stage makes the scene.
func (h *house) stage(t *testing.T) *scene {
	t.Helper()
	s := &scene{}
	for range 4 {
		s.issued = append(s.issued, h.ask(t, portal, "coverage_certificate", somebody))
	}
	s.withdraw = h.ask(t, portal, "student_certificate_under25", person{name: somebody.name, cass: somebody.cass})
	undelivered := h.ask(t, broken, "work_history", person{})
	h.becomes(t, ledger.StateIssued, append(s.issued, s.withdraw, undelivered)...)
	_, _, err := h.press.Ledger.IssueTicket(t.Context(), ledger.TicketOrder{Request: s.issued[0]})
	must(t, err)
	must(t, h.office.Acts.Pause(t.Context(), acts.Actor{Who: "berta"}, ledger.PauseKind, "income_extract", "s'estan corregint les xifres de l'any passat"))
	eventually(t, "the worker knows of the pause", func() bool { return strings.Contains(h.log.String(), "in force: a pause") })
	h.seals.Use(h.expired)
	for i, kind := range []string{"points_extract", "points_extract", "travel_form", "points_extract", "travel_form"} {
		s.expired = append(s.expired, h.ask(t, portal, kind, person{name: somebody.name, cass: cassOf(2001 + i)}))
	}
	s.glyph = h.ask(t, portal, "coverage_certificate", person{name: "Vidal \U00013000 Font, Jordi", cass: somebody.cass})
	s.cancel = h.ask(t, portal, "points_extract", somebody)
	h.becomes(t, ledger.StateFailed, append(s.expired, s.glyph, s.cancel)...)
	h.seals.Use(h.good)
	s.paused = h.ask(t, portal, "income_extract", somebody)
	groups, err := h.office.Index.Groups(t.Context())
	must(t, err)
	for _, group := range groups {
		if group.Cause == expired {
			s.group = group.ID
		}
	}
	eventually(t, "the refused callback is given up", func() bool {
		for notice, err := range h.press.Ledger.Undelivered(t.Context()) {
			return err == nil && !notice.DeadAt.IsZero()
		}
		return false
	})
	return s
}

// pages visits every page there is, and every answer to a form that is one.
func (h *house) pages(t *testing.T) {
	x := newExaminer(t, h)
	act := h.as(t, "aniol")
	h.becomes(t, ledger.StateIssued, h.ask(t, portal, "coverage_certificate", person{})) // else nobody knows of the time-stamps
	act.open("/")
	act.until("all is well", "document.querySelector('#verdict .answer.well')")
	x.examine(act, "landing-well")
	s := h.stage(t)
	nobody, look, audit := h.visitor(t), h.as(t, "laia"), h.as(t, "aura")

	h.loginPages(x, nobody)
	h.causePages(x, act, look, s)
	h.findPages(x, act, look)
	h.requestPages(x, act, look, s)
	h.bulkPages(x, act, h.as(t, "berta"), s)
	h.workPages(x, act)
	h.auditPages(x, audit)
	h.accountPages(x, look)
	h.problemPages(x, act, look)
	h.troubledPages(x, act, s)
	h.everyRouteSeen(t, x)
}

func (h *house) loginPages(x *examiner, b *tab) {
	b.open("/login")
	x.examine(b, "login")
	b.fill("#login", "aniol")
	b.fill("#password", "no és aquesta frase")
	b.goes("main form button", "")
	b.reads(h.word("login.wrong"))
	x.examine(b, "login-refused")
	b.fill("#login", "tota")
	b.fill("#password", password)
	b.goes("main form button", "")
	b.reads(h.word("login.code_needed"))
	x.examine(b, "login-code")
	b.open("/login/oidc/return")
	b.reads(h.word("login.begin_again"))
	x.examine(b, "login-oidc-again")
}

func (h *house) causePages(x *examiner, act, look *tab, s *scene) {
	act.open("/")
	act.until("there is trouble", "document.querySelector('#verdict .answer.mind')")
	x.examine(act, "landing")
	act.open("/causes")
	x.examine(act, "causes")
	act.goes("table a", ledger.CauseOf(expired).Wording("ca").What)
	x.examine(act, "cause")
	act.goes("#claims button", h.word("causes.claim"))
	act.reads(h.word("causes.done.claimed"))
	x.examine(act, "cause-claimed")
	act.goes("#claims button", h.word("causes.release"))
	act.goes("#do a.button", h.word("causes.runbook"))
	x.examine(act, "runbook")
	look.open("/causes/" + s.group)
	look.reads(h.word("causes.look_only"))
	x.examine(look, "cause-look")
}

func (h *house) findPages(x *examiner, act, look *tab) {
	act.open("/find")
	x.examine(act, "find")
	act.choose("#state", "failed")
	act.goes("form[method=get] button", h.word("find.many_button"))
	x.examine(act, "find-failed")
	act.fill("#one", "CASS-2026-COB-9999999")
	act.goes("form[role=search] button", "")
	act.reads(h.word("find.one_none"))
	x.examine(act, "find-refused")
	look.open("/find")
	look.fill("#one", somebody.cass)
	look.goes("form[role=search] button", "")
	x.examine(look, "find-person")
	look.open("/find?from=ahir&until=2026-13-45")
	look.reads(h.word("find.bad_date"))
	x.examine(look, "find-dates")
}

func (h *house) requestPages(x *examiner, act, look *tab, s *scene) {
	look.open("/requests/" + s.expired[0])
	look.reads(h.word("request.look_only"))
	x.examine(look, "request-look")
	act.open("/requests/" + s.expired[0])
	x.examine(act, "request-failed")
	act.open("/requests/" + s.issued[0])
	x.examine(act, "request-issued")
	act.open("/requests/" + s.paused)
	if !strings.Contains(act.text(), h.word("request.held")) {
		act.t.Errorf("the page of a request whose kind is paused does not say so:\n%s", act.text())
	}
	x.examine(act, "request-paused")
	for _, form := range []struct{ of, act string }{{s.expired[0], "retry"}, {s.cancel, "cancel"}, {s.withdraw, "withdraw"}, {s.withdraw, "replace"}, {s.expired[0], "show"}} {
		act.open("/requests/" + form.of)
		act.click("#"+form.act+" summary", "")
		act.fill("#"+form.act+"-why", " ") // a reason that is none
		if form.act == "replace" {
			act.fill("#replace-by", "res")
		}
		if form.act == "cancel" || form.act == "withdraw" {
			act.choose("#"+form.act+"-reason", "holder_request")
		}
		act.goes("#"+form.act+" button", "")
		act.reads(h.word("act.need_why"))
		x.examine(act, "request-refused-"+form.act)
	}
	act.post("/requests/"+s.issued[0]+"/document", "why", "")
	act.reads(h.word("act.need_why"))
	x.examine(act, "request-refused-document")
	act.open("/requests/" + s.glyph)
	act.click("#show summary", "")
	act.fill("#show-why", "la persona ha trucat")
	act.goes("#show button", "")
	act.reads(h.word("request.shown"))
	x.examine(act, "request-shown")
	act.open("/requests/" + s.withdraw)
	act.click("#withdraw summary", "")
	act.choose("#withdraw-reason", "data_corrected")
	act.fill("#withdraw-why", "les dades eren d'una altra persona")
	act.goes("#withdraw button", "")
	act.reads(h.word("act.done.withdraw"))
	x.examine(act, "request-withdrawn")
	act.open("/requests/" + s.cancel)
	act.click("#cancel summary", "")
	act.choose("#cancel-reason", "sent_in_error")
	act.fill("#cancel-why", "el portal l'ha enviada dues vegades")
	act.goes("#cancel button", "")
	act.reads(h.word("act.done.cancel"))
	x.examine(act, "request-cancelled")
}

// bulkPages is a bulk that another person must approve.
func (h *house) bulkPages(x *examiner, act, second *tab, s *scene) {
	plan := func() {
		act.open("/causes/" + s.group)
		act.goes("#retry button", "")
	}
	act.post("/bulk/plan", "of", "chosen", "what", "retry")
	act.reads(h.word("bulk.none_chosen"))
	x.examine(act, "bulk-plan-none")
	plan()
	act.reads(h.word("bulk.second"))
	x.examine(act, "bulk-plan")
	act.fill("#bulk-why", " ")
	act.goes("main form button[type=submit]", "")
	act.reads(h.word("act.need_why"))
	x.examine(act, "bulk-refused")
	act.fill("#bulk-why", "el certificat nou ja hi és")
	act.goes("main form button[type=submit]", "")
	act.reads(h.word("bulk.own"))
	x.examine(act, "bulk-proposed")
	at := strings.TrimPrefix(act.shown(), "GET ")
	act.post(at+"/approve", "")
	act.reads(h.word("bulk.same_person"))
	x.examine(act, "bulk-own")
	second.open(at)
	x.examine(second, "bulk-to-approve")
	second.goes("#approve button", h.word("bulk.approve"))
	second.until("it is done", "document.querySelector('#progress .state.done')")
	x.examine(second, "bulk-done")
	for _, late := range []string{"refuse", "stop"} {
		act.post(at+"/"+late, "")
		act.reads(h.word("bulk.over"))
		x.examine(act, "bulk-late-"+late)
	}
	act.open("/bulk")
	x.examine(act, "bulks")
	h.becomes(act.t, ledger.StateIssued, s.expired...)
}

func (h *house) workPages(x *examiner, act *tab) {
	act.open("/work")
	x.examine(act, "work")
	act.choose("#target", "queue:batch")
	act.fill("#pause-why", " ")
	act.goes("form[action='/pause'] button", "")
	act.reads(h.word("frame.why.missing"))
	x.examine(act, "work-refused-pause")
	act.open("/work")
	act.click("#resume-kind-income_extract-details summary", "")
	act.fill("#resume-kind-income_extract", "ho demana 731234A") // a number that tells who
	act.goes("#resume-kind-income_extract-details button", "")
	act.reads(h.word("frame.why.unfit"))
	x.examine(act, "work-refused-resume")
	act.open("/callbacks")
	x.examine(act, "callbacks")
	act.fill("#why", "el portal ja respon")
	act.goes("form[action='/callbacks/replay'] button[type=submit]", "")
	act.reads(h.word("callbacks.none_chosen"))
	x.examine(act, "callbacks-refused")
}

func (h *house) auditPages(x *examiner, audit *tab) {
	audit.open("/audit")
	x.examine(audit, "audit")
	audit.open("/audit?what=jobs.cancel")
	x.examine(audit, "audit-found")
	audit.goes("form[action='/audit/verify'] button", "")
	audit.reads(h.word("audit.whole.whole"))
	x.examine(audit, "audit-proved")
	audit.open("/audit?from=2026-13-45")
	audit.reads(h.word("audit.no_day"))
	x.examine(audit, "audit-refused")
}

func (h *house) accountPages(x *examiner, b *tab) {
	b.open("/account")
	x.examine(b, "account")
	b.fill("#old-password", "no és aquesta frase")
	b.fill("#new-password", "una frase més llarga encara 8")
	b.fill("#again", "una altra")
	b.goes("form[action='/account/password'] button", "")
	b.reads(h.word("account.faults.not_the_same"))
	x.examine(b, "account-refused-password")
	b.fill("#totp-password", password)
	b.goes("form[action='/account/totp/begin'] button", h.word("account.totp.begin"))
	x.examine(b, "second-factor")
	b.fill("#code", "000000")
	b.goes("form[action='/account/totp/confirm'] button", "")
	b.reads(h.word("account.faults.code"))
	x.examine(b, "second-factor-refused")
	b.post("/account/totp/drop", "totp-password", "no és aquesta frase")
	b.reads(h.word("account.faults.wrong"))
	x.examine(b, "account-refused-drop")
	b.post("/account/totp/begin", "totp-password", "no és aquesta frase")
	x.examine(b, "account-refused-begin")
	b.post("/account/tokens", "token-name", "")
	b.reads(h.word("account.faults.token_name"))
	x.examine(b, "account-refused-token")
	b.post("/account/tokens", "token-name", "informe mensual", "days", "30", "roles", "look", "token-password", password)
	b.reads(h.word("account.token.title"))
	x.examine(b, "token")
}

// problemPages are those that say no.
func (h *house) problemPages(x *examiner, act, look *tab) {
	const none = "0198c000-0000-7000-8000-000000000000"
	for name, at := range map[string]string{"not-found": "/enlloc", "request-none": "/requests/" + none, "cause-gone": "/causes/" + strings.Repeat("0", 16),
		"bulk-none": "/bulk/" + none, "runbook-none": "/runbooks/res", "wrong-method": "/bulk/plan"} {
		act.open(at)
		x.examine(act, name)
	}
	look.open("/audit")
	look.reads(h.word("frame.problems.role.title"))
	x.examine(look, "forbidden")
	look.open("/find")
	eval[bool](look, "document.querySelector('form[role=search] [name=csrf]').value = 'stolen', true")
	look.goes("form[role=search] button", "")
	look.reads(h.word("frame.problems.form.title"))
	x.examine(look, "form-refused")
}

// troubledPages are what can be seen while what Segell stands on is away.
func (h *house) troubledPages(x *examiner, act *tab, s *scene) {
	t := act.t
	h.pki.Misbehave(pki.WrongImprint)
	id := h.ask(t, portal, "coverage_certificate", somebody)
	act.open("/requests/" + id)
	act.until("it will be tried again", "document.querySelector('#head .state.retrying')")
	x.examine(act, "request-retrying")
	act.open("/")
	act.until("the authority is in trouble", "document.querySelector('#parts .tile.halt, #parts .tile.mind')")
	x.examine(act, "landing-tsa")
	act.open("/work")
	x.examine(act, "work-tsa")
	h.pki.Misbehave(pki.Behave)
	h.becomes(t, ledger.StateIssued, id)

	h.redis.Kill()
	for name, at := range map[string]string{"landing": "/", "causes": "/causes", "find": "/find", "work": "/work", "request": "/requests/" + s.paused} {
		act.open(at)
		act.reads(h.word("frame.problems.redis.text"))
		x.examine(act, name+"-redis-away")
	}
	h.redis.Restart()
	h.s3.Kill()
	act.open("/requests/" + s.paused)
	x.examine(act, "storage-away")
	h.s3.Restart()
	eventually(t, "everything is back", func() bool {
		_, err := h.office.Index.Groups(t.Context())
		return err == nil && h.press.Queue.Ping(t.Context()) == nil
	})
}

// post sends a form that no page has as it is, with the token of the session.
func (b *tab) post(address string, pairs ...string) {
	b.t.Helper()
	b.leads(func() {
		b.t.Helper()
		var fields strings.Builder
		for i := 0; i+1 < len(pairs); i += 2 {
			fmt.Fprintf(&fields, "add(%s, %s);", quote(pairs[i]), quote(pairs[i+1]))
		}
		_, _ = try[bool](b, `(() => {
			const form = document.createElement("form"), add = (name, value) => { const e = document.createElement("input"); e.type = "hidden"; e.name = name; e.value = value; form.append(e); };
			form.method = "post"; form.action = `+quote(address)+`;
			add("csrf", document.querySelector("[name=csrf]").value);`+fields.String()+`
			document.body.append(form); form.submit(); return true;
		})()`)
	})
}

// noPage are the routes whose answers are none: what they lead to is looked at.
var noPage = map[string]string{
	"GET /assets/{name}":           "a file",
	"GET /live":                    "a stream",
	"GET /login/oidc":              "leads to the issuer",
	"GET /audit.csv":               "a file",
	"GET /audit.json":              "a file",
	"POST /language":               "leads back",
	"POST /logout":                 "leads to the login",
	"POST /account/tokens/revoke":  "leads to the account",
	"POST /account/sessions/end":   "leads to the login",
	"POST /causes/{group}/claim":   "leads to the cause",
	"POST /causes/{group}/release": "leads to the cause",
}

// everyRouteSeen holds what was looked at against the table of the console's routes.
func (h *house) everyRouteSeen(t *testing.T, x *examiner) {
	patterns := routes(t)
	mux := http.NewServeMux()
	for _, pattern := range patterns {
		mux.Handle(pattern, http.NotFoundHandler())
	}
	seen := map[string]bool{}
	for what := range x.seen {
		method, address, _ := strings.Cut(what, " ")
		_, pattern := mux.Handler(httptest.NewRequest(method, address, nil))
		seen[pattern] = true
	}
	for _, pattern := range patterns {
		switch reason := noPage[pattern]; {
		case seen[pattern] && reason != "":
			t.Errorf("%s answers with a page, and noPage says that it %s", pattern, reason)
		case !seen[pattern] && reason == "":
			t.Errorf("nobody looked at what %s answers", pattern)
		}
		delete(noPage, pattern)
	}
	for pattern := range noPage {
		t.Errorf("the console has no route %s", pattern)
	}
}

// routes reads the table of routes from the console's source: "GET /causes/{group}".
// It is not exported, and what is served tells nobody what it could be asked for.
func routes(t *testing.T) (patterns []string) {
	t.Helper()
	files, err := filepath.Glob("../../../console/*.go")
	must(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		must(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			row, ok := node.(*ast.CompositeLit)
			if !ok || len(row.Elts) != 4 {
				return true
			}
			method, ok := row.Elts[0].(*ast.SelectorExpr)
			pattern, isText := row.Elts[1].(*ast.BasicLit)
			if ok && isText && strings.HasPrefix(method.Sel.Name, "Method") {
				text, err := strconv.Unquote(pattern.Value)
				must(t, err)
				patterns = append(patterns, strings.ToUpper(strings.TrimPrefix(method.Sel.Name, "Method"))+" "+text)
			}
			return true
		})
	}
	if len(patterns) < 40 {
		t.Fatalf("the table of routes was not found: %v", patterns)
	}
	return patterns
}
