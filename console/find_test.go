package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segell/ledger"
)

func TestFindOneWhateverNamesIt(t *testing.T) {
	o := newOffice(t, well)
	failed, issued := o.accept("coverage_certificate", "COB"), o.accept("points_extract", "PUN")
	o.fail(failed, ledger.StageRender, "missing_glyph", "no glyph")
	o.issue(issued)
	o.settle(1, 1)
	anna := o.login("anna")
	for typed, want := range map[string]string{
		failed.Number: failed.ID, " " + strings.ToLower(issued.Number) + " ": issued.ID, failed.ID: failed.ID, strings.ToUpper(issued.ID): issued.ID,
		string(issued.CSV): issued.ID, strings.ToLower(issued.CSV.Grouped()): issued.ID,
	} {
		if got := anna.post("/find", "one", typed); got.status != http.StatusSeeOther || got.location != "/requests/"+want {
			t.Errorf("%q leads to %d %q, want the request %s", typed, got.status, got.location, want)
		}
	}
	wrong := []byte(issued.CSV)
	wrong[3] = "01"[btoi(wrong[3] == '0')]
	for typed, want := range map[string]struct {
		status int
		says   string
	}{
		"":                                     {422, "Escriviu què busqueu."},
		"somebody":                             {422, "Això no és cap número de document"},
		string(wrong):                          {422, "El codi de verificació no està ben escrit"},
		"CASS-2026-COB-9999999":                {404, "No hi ha cap document amb aquest número"},
		"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e": {404, "No hi ha cap document amb aquest número"},
	} {
		got := anna.post("/find", "one", typed)
		wants(t, got, want.status, want.says, `aria-invalid="true"`, `id="fault-one"`)
		if typed == "somebody" && strings.Contains(got.body, typed) {
			t.Error("a name that was typed stands in the page again")
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

var nextPage = regexp.MustCompile(`rel="next" href="([^"]+)"`)

// A list is walked page by page, there and back, and says the same as a whole.
func TestFindManyPageByPage(t *testing.T) {
	o := newOffice(t, well)
	const all = 120
	for range all {
		o.fail(o.accept("coverage_certificate", "COB"), ledger.StageSeal, "tsa_away", "503")
	}
	other := o.accept("points_extract", "PUN")
	o.fail(other, ledger.StageRender, "missing_glyph", "no glyph")
	o.settle(all+1, 0)
	anna := o.login("anna")
	seen, pages := map[string]bool{}, 0
	address := "/find?cause=tsa_away"
	for address != "" {
		got := anna.get(address)
		wants(t, got, http.StatusOK, fmt.Sprint(all, " documents"))
		for _, row := range regexp.MustCompile(`href="/requests/([0-9a-f-]{36})"`).FindAllStringSubmatch(got.body, -1) {
			if seen[row[1]] {
				t.Errorf("%s is on two pages", row[1])
			}
			seen[row[1]] = true
		}
		pages++
		address = ""
		if next := nextPage.FindStringSubmatch(got.body); next != nil {
			address = strings.ReplaceAll(next[1], "&amp;", "&")
		}
	}
	if len(seen) != all || pages != 3 || seen[other.ID] {
		t.Errorf("%d requests on %d pages, want %d on 3", len(seen), pages, all)
	}
	wants(t, anna.get("/find?kind=points_extract&state=failed"), http.StatusOK, other.Number, ">1 document<")
	today := o.ledgerDay(other)
	wants(t, anna.get("/find?from="+today+"&until="+today), http.StatusOK, fmt.Sprint(all+1, " documents"))
	wants(t, anna.get("/find?until=2020-01-01"), http.StatusOK, "Cap document compleix")
	wants(t, anna.get("/find?from=yesterday"), http.StatusUnprocessableEntity, "La data no està ben escrita")
	wants(t, anna.get("/find?from=2026-02-02&until=2026-02-01"), http.StatusUnprocessableEntity, "El primer dia és després")
	wants(t, anna.get("/find?page=nonsense"), http.StatusOK, "Torneu al començament de la llista")
	if body := o.login("mira").get("/find?cause=tsa_away").body; strings.Contains(body, `type="checkbox" name="id"`) {
		t.Error("who may only look can choose requests to act on")
	}
}

// ledgerDay is the day of a request in Andorra.
func (o *office) ledgerDay(r ledger.Request) string { return r.IssuedAt.Format("2006-01-02") }

// What staff choose goes to the dry run, and what a search finds goes there whole.
func TestWhatWasChosenIsCounted(t *testing.T) {
	o := newOffice(t, well)
	var ids []string
	for range 3 {
		r := o.accept("coverage_certificate", "COB")
		o.fail(r, ledger.StageSeal, "tsa_away", "503")
		ids = append(ids, r.ID)
	}
	issued := o.accept("coverage_certificate", "COB")
	o.issue(issued)
	o.settle(3, 1)
	anna := o.login("anna")
	wants(t, anna.post("/bulk/plan", "of", "chosen", "what", "retry", "id", ids[0], "id", ids[1], "id", issued.ID), http.StatusOK,
		"Es tornaran a provar 2 documents.", "1: ja tenen el document fet")
	wants(t, anna.post("/bulk/plan", "of", "all", "what", "cancel", "cause", "tsa_away"), http.StatusOK, "S’anul·laran 3 sol·licituds.")
	wants(t, anna.post("/bulk/plan", "of", "chosen", "what", "retry", "state", "failed"), http.StatusUnprocessableEntity, "No n’heu triat cap")
	wants(t, anna.post("/bulk/plan", "of", "all", "what", "retry", "cause", "unexpected"), http.StatusOK, "ja no queda cap document aturat")
	for _, wrong := range []url.Values{{"what": {"erase"}, "of": {"all"}}, {"what": {"retry"}, "of": {"all"}, "from": {"x"}}} {
		wrong.Set("csrf", anna.token())
		if got := anna.send(http.MethodPost, "/bulk/plan", wrong); got.status != http.StatusBadRequest {
			t.Errorf("%v: %d, want 400", wrong, got.status)
		}
	}
}

// To look for persons by their number leaves its trace, and nobody can try numbers
// until one is found; the trace does not tell whom they looked for.
func TestPersonsAreNotLookedForByTheHundred(t *testing.T) {
	t.Parallel()
	o := newOffice(t, well)
	request := o.accept("coverage_certificate", "COB")
	mira := o.login("mira")
	token := mira.token()
	look := func(number string) reply {
		return mira.send(http.MethodPost, "/find", url.Values{"csrf": {token}, "one": {number}})
	}
	const most = 30
	var found atomic.Int32
	for n := range most - 1 {
		if look(fmt.Sprintf("%06dA", 731200+n)).status == http.StatusSeeOther {
			found.Add(1)
		}
	}
	// Many at once, while there is room for one and the trail takes long.
	slow := make(chan struct{})
	o.ledger.WatchAudit(func(record ledger.AuditRecord, _ ledger.AuditHead) {
		if record.What == "keys.add" {
			<-slow
		}
	})
	var all sync.WaitGroup
	all.Go(func() {
		if err := o.ledger.Audit(t.Context(), ledger.AuditEntry{Who: "operator", What: "keys.add"}); err != nil {
			t.Error(err)
		}
	})
	for n := range 10 {
		all.Go(func() {
			if look(fmt.Sprintf("%06dA", 731300+n)).status == http.StatusSeeOther {
				found.Add(1)
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	close(slow)
	all.Wait()
	if n := found.Load(); n < most-1 || n > most {
		t.Errorf("%d persons were looked for, want %d or one less", n, most)
	}
	for look(canaryCASS).status == http.StatusSeeOther && found.Load() <= most {
		found.Add(1)
	}
	before, _ := o.entries()
	got := look("731 234-A")
	wants(t, got, http.StatusTooManyRequests, "Heu cercat massa persones", "Podreu tornar-hi d’aquí a ", `aria-invalid="true"`)
	if wait, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || wait < 500 || wait > 600 || got.location != "" {
		t.Errorf("Retry-After is %q, the way %q", got.header.Get("Retry-After"), got.location)
	}
	records, trail := o.entries()
	searches := 0
	for _, r := range records {
		if r.What == "requests.find_person" {
			searches++
			if r.AuditEntry != (ledger.AuditEntry{Who: "mira", What: r.What, From: "127.0.0.1"}) {
				t.Errorf("the trail has %+v", r)
			}
		}
	}
	if len(records) != len(before) || searches < most || searches > most+10 {
		t.Errorf("%d entries for searches, and %d more for one that was refused", searches, len(records)-len(before))
	}
	holdsNothingPersonal(t, "the trail", trail)
	// Others may, and what names no person may be looked for.
	if got := o.login("bru").post("/find", "one", canaryCASS); got.status != http.StatusSeeOther {
		t.Errorf("somebody else: %d", got.status)
	}
	if got := look(request.ID); got.location != "/requests/"+request.ID {
		t.Errorf("a request: %d %q", got.status, got.location)
	}
	wants(t, o.login("olga").get("/audit?what=requests.find_person&who=bru"), http.StatusOK, "Persona cercada pel número CASS")
}
