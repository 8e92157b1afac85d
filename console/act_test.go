package console_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"segell/ledger"
	"segell/storage"
)

// acted returns who did what to a request, and why.
func (o *office) acted(id string) (list []string) {
	o.t.Helper()
	records, _ := o.entries()
	for _, r := range records {
		if r.ID == id {
			list = append(list, r.Who+" "+r.What+" "+r.Why)
		}
	}
	return list
}

// state is where a request stands.
func (o *office) state(id string) ledger.State {
	o.t.Helper()
	standing, err := o.ledger.Look(o.t.Context(), id)
	o.must(err)
	return standing.State
}

// Every act is a form that asks for a reason, says what it did, and is in the
// trail before it is done; what is not filled in right does nothing.
func TestActsOnOneRequest(t *testing.T) {
	o := newOffice(t, well)
	anna := o.login("anna")
	failed, again := o.accept("coverage_certificate", "COB"), o.accept("coverage_certificate", "COB")
	o.fail(failed, ledger.StageSeal, "tsa_away", "asking https://tsa.example: 503")
	o.fail(again, ledger.StageRender, "unexpected", "index out of range")
	old, newer, gone := o.accept("coverage_certificate", "COB"), o.accept("coverage_certificate", "COB"), o.accept("coverage_certificate", "COB")
	for _, r := range []ledger.Request{old, newer, gone} {
		o.issue(r)
	}
	waiting := o.accept("coverage_certificate", "COB")
	o.settle(2, 3)

	page := anna.get("/requests/" + failed.ID)
	wants(t, page, http.StatusOK, failed.Number, "A. C. G.", "•••••4A", "L&#39;autoritat de segell de temps", "Intent 2: no ha sortit bé", "503", "tsa_away",
		`href="/runbooks/tsa_away?request=`, `href="/causes/`, "Sol·licitud acceptada")

	for _, c := range []struct {
		act   string
		r     ledger.Request
		pairs []string
		says  string
	}{
		{"retry", failed, nil, "Escriviu el motiu."},
		{"retry", failed, []string{"why", "for 000000A of " + canaryCASS}, "El motiu és massa llarg o sembla contenir"},
		{"retry", waiting, []string{"why", "because"}, "no està aturada"},
		{"cancel", waiting, []string{"why", "because"}, "Trieu-ne un."},
		{"cancel", waiting, []string{"why", "because", "reason", "whatever"}, "Trieu-ne un."},
		{"cancel", old, []string{"why", "because", "reason", "sent_in_error"}, "el document s’ha fet mentrestant"},
		{"withdraw", old, []string{"why", "because"}, "Trieu-ne un."},
		{"withdraw", waiting, []string{"why", "because", "reason", "fraud"}, "Mireu com està ara"},
		{"replace", old, []string{"why", "because"}, "Escriviu el número del document nou."},
		{"replace", old, []string{"why", "because", "by", "CASS-2026-COB-9999999"}, "No hi ha cap document amb aquest número."},
		{"replace", newer, []string{"why", "because", "by", old.ID}, "Aquest document no el pot substituir"},
	} {
		t.Run("refused/"+c.act+"/"+c.says, func(t *testing.T) {
			before, acted := o.state(c.r.ID), o.acted(c.r.ID)
			got := anna.post("/requests/"+c.r.ID+"/"+c.act, c.pairs...)
			wants(t, got, http.StatusUnprocessableEntity, c.says, `id="faults"`)
			if o.state(c.r.ID) != before || !slices.Equal(o.acted(c.r.ID), acted) {
				t.Errorf("it is %s, and the trail says %v", o.state(c.r.ID), o.acted(c.r.ID))
			}
		})
	}

	for _, c := range []struct {
		act   string
		r     ledger.Request
		pairs []string
		says  string
		state ledger.State
		trail string
	}{
		{"retry", failed, nil, "torna a esperar el seu torn", ledger.StateAccepted, "anna jobs.retry it is mended"},
		{"retry", again, []string{"from", "render"}, "torna a esperar el seu torn", ledger.StateAccepted, "anna jobs.retry_render it is mended"},
		{"cancel", waiting, []string{"reason", "sent_in_error"}, "queda anul·lada", ledger.StateCancelled, "anna jobs.cancel sent_in_error: it is mended"},
		{"withdraw", gone, []string{"reason", "fraud"}, "queda retirat", ledger.StateWithdrawn, "anna documents.withdraw fraud: it is mended"},
		{"replace", old, []string{"by", strings.ToLower(newer.Number)}, "queda substituït", ledger.StateReplaced, "anna documents.replace it is mended"},
	} {
		t.Run("done/"+c.act, func(t *testing.T) {
			got := anna.follow("/requests/"+c.r.ID+"/"+c.act, append(c.pairs, "why", "it is mended")...)
			wants(t, got, http.StatusOK, c.says, "it is mended") // the timeline has it
			if state := o.state(c.r.ID); state != c.state {
				t.Errorf("it is %s, want %s", state, c.state)
			}
			if acted := o.acted(c.r.ID); !slices.Contains(acted, c.trail) {
				t.Errorf("the trail says %v, want %s", acted, c.trail)
			}
		})
	}
	wants(t, anna.get("/requests/"+old.ID), http.StatusOK, newer.Number, "Document substituït")
	cancelled := anna.get("/requests/" + waiting.ID)
	wants(t, cancelled, http.StatusOK, "Motiu: Es va enviar per error: it is mended", "no en queda constància")
	inOrder(t, cancelled, "Sol·licitud acceptada", "ha anul·lat la sol·licitud", "<strong>Sol·licitud anul·lada")
	o.issue(failed)
	retried := anna.get("/requests/" + failed.ID)
	inOrder(t, retried, "Sol·licitud acceptada", "Intent 2:", "Aturada: no s’ha pogut fer", "ha tornat a provar", "Intent 3:", "Document fet i segellat", "A l’intent 4",
		"Compondre el document: 12 ms · Segellar-lo: 1,2 s")
	inOrder(t, anna.get("/requests/"+gone.ID), "Document fet i segellat", "ha retirat el document", "<strong>Document retirat")
	wants(t, anna.get("/requests/0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"), http.StatusNotFound, "No hi ha cap sol·licitud")
	wants(t, anna.get("/requests/..%2F"), http.StatusNotFound)
	if look := o.login("mira").get("/requests/" + failed.ID); strings.Contains(look.main(), "<form") || !strings.Contains(look.body, "cal un compte que pugui actuar") {
		t.Error("who may only look is offered acts")
	}
}

// inOrder fails unless the timeline of a page has these one after another.
func inOrder(t *testing.T, page reply, texts ...string) {
	t.Helper()
	_, rest, _ := strings.Cut(page.body, `<ol class="timeline">`)
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Errorf("%q does not come in its place among %q:\n%s", text, texts, page.main())
			return
		}
		rest = after
	}
}

// What no retry mends is taken back: the pages offer that first, counted, and say
// with what reason. A request that cannot be read is called by what the index knew.
func TestWhatACancelEnds(t *testing.T) {
	o := newOffice(t, well)
	glyph, damaged := o.accept("coverage_certificate", "COB"), o.accept("coverage_certificate", "COB")
	o.eventually("the index knows both", func() bool {
		counts, err := o.index.Counts(t.Context())
		return err == nil && counts[ledger.StateAccepted] == 2
	})
	for info, err := range o.bucket.List(t.Context(), "requests/", "") {
		o.must(err)
		if strings.HasSuffix(info.Key, damaged.ID) {
			_, err := o.bucket.Write(t.Context(), info.Key, []byte("no request"), storage.Put{})
			o.must(err)
		}
	}
	o.fail(glyph, ledger.StageRender, "missing_glyph", "no font has U+13000")
	unread := damaged
	unread.Kind, unread.Number = "", "" // a worker that cannot read it knows neither
	o.fail(unread, ledger.StageRead, "ledger_damaged", "it is no request")
	o.settle(2, 0)
	anna := o.login("anna")
	wants(t, anna.get("/requests/"+damaged.ID), http.StatusOK, "<h1>Certificat de cobertura sanitària</h1>", damaged.Number)
	page := anna.get("/requests/" + glyph.ID)
	wants(t, page, http.StatusOK, `<a class="button" href="#cancel-why">`, "?request="+glyph.ID)
	if strings.Index(page.body, `id="cancel"`) > strings.Index(page.body, `id="retry"`) {
		t.Error("a retry stands before the cancel that its cause asks for")
	}
	groups, err := o.index.Groups(t.Context())
	o.must(err)
	for _, group := range groups {
		if group.Cause != "missing_glyph" {
			continue
		}
		cause := anna.get("/causes/" + group.ID)
		wants(t, cause, http.StatusOK, "Compteu-los per anul·lar-los", "/runbooks/missing_glyph?group="+group.ID)
		if strings.Index(cause.body, `id="cancel"`) > strings.Index(cause.body, `id="retry"`) {
			t.Error("a retry stands before the cancel that the cause asks for")
		}
		wants(t, anna.get("/runbooks/missing_glyph?group="+group.ID), http.StatusOK, `href="/causes/`+group.ID+`"`)
		wants(t, anna.post("/bulk/plan", "group", group.ID, "what", "cancel"), http.StatusOK, "S’anul·larà 1 sol·licitud", "amb el motiu «No es podrà fer mai»", glyph.Number)
	}
	if got := anna.get("/runbooks/missing_glyph?group=//evil.example"); got.status != http.StatusOK || strings.Contains(got.main(), "evil") {
		t.Error("a runbook leads wherever its address says")
	}
}

// A bulk is counted, begun with a reason, approved by another person where it is
// large, and carried out; the same form sent twice is one bulk.
func TestABulkFromTheCauseToItsEnd(t *testing.T) {
	o := newOffice(t, well)
	var failed []ledger.Request
	for range 25 { // more than one person may do alone
		r := o.accept("coverage_certificate", "COB")
		o.fail(r, ledger.StageSeal, "tsa_away", "asking https://tsa.example: 503")
		failed = append(failed, r)
	}
	o.settle(25, 0)
	groups, err := o.index.Groups(t.Context())
	o.must(err)
	if len(groups) != 1 || groups[0].Count != 25 {
		t.Fatalf("groups %+v, want one of 25", groups)
	}
	group := groups[0].ID
	anna, bru := o.login("anna"), o.login("bru")
	wants(t, anna.follow("/causes/"+group+"/claim"), http.StatusOK, "Els companys ja veuen", "Anna Prats", "/release")
	wants(t, bru.get("/causes"), http.StatusOK, "Anna Prats", "25")
	wants(t, anna.follow("/causes/"+group+"/release"), http.StatusOK, "Ja no hi consteu", "Ningú encara")
	wants(t, anna.get("/causes/ffffffffffffffff"), http.StatusNotFound, "Aquest grup ja no hi és")

	plan := anna.post("/bulk/plan", "group", group, "what", "retry")
	wants(t, plan, http.StatusOK, "Es tornaran a provar 25 documents.", "una altra persona ho haurà d’aprovar", "Certificat de cobertura")
	var fields []string
	for _, hidden := range hiddenField.FindAllStringSubmatch(plan.main(), -1) {
		if hidden[1] != "csrf" {
			fields = append(fields, hidden[1], hidden[2])
		}
	}
	wants(t, anna.post("/bulk", fields...), http.StatusUnprocessableEntity, "Escriviu el motiu.", "25 documents")
	if list, err := o.acts.Bulks(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("a form without a reason began %v (%v)", list, err)
	}
	first := anna.post("/bulk", append(fields, "why", "the authority answers again")...)
	second := anna.post("/bulk", append(fields, "why", "the authority answers again")...)
	if first.status != http.StatusSeeOther || first.location != second.location {
		t.Fatalf("sent twice: %d %s and %d %s", first.status, first.location, second.status, second.location)
	}
	address := first.location
	wants(t, anna.get(address), http.StatusOK, "ara ho ha d’aprovar una altra persona", "Ho vau demanar vós")
	wants(t, anna.post(address+"/approve"), http.StatusConflict, "No ho podeu aprovar")
	if state := o.state(failed[0].ID); state != ledger.StateFailed {
		t.Fatalf("before it was approved a request is %s", state)
	}
	wants(t, bru.get(address), http.StatusOK, "anna", "the authority answers again", "Aprovo: que comenci",
		"Certificat de cobertura", `<td class="n">25</td>`, "L&#39;autoritat de segell de temps", failed[0].Number, "/causes/"+group)
	wants(t, bru.get("/"), http.StatusOK, address, "anna demana que ho aproveu: Es tornaran a provar 25 documents.", "Hi ha 2 coses que us necessiten")
	for _, other := range []*browser{anna, o.login("mira")} {
		if strings.Contains(other.get("/").body, "demana que ho aproveu") {
			t.Error("who proposed it, or may not act, is asked to approve it")
		}
	}
	defer o.work()()
	wants(t, bru.follow(address+"/approve"), http.StatusOK, "ho heu aprovat")
	o.eventually("the bulk is done", func() bool { return strings.Contains(anna.get(address).body, "Tornats a provar</span>") })
	wants(t, anna.get(address), http.StatusOK, "25 de 25 tornats a provar", `<progress max="25" value="25"`, "Qui ho va aprovar", "no vol dir que estiguin fets", "/causes/"+group)
	o.settle(0, 25)
	wants(t, anna.get(address), http.StatusOK, "<strong>25</strong>documents fets", "<strong>0</strong>han tornat a fallar")
	for _, r := range failed {
		if state := o.state(r.ID); state != ledger.StateIssued {
			t.Errorf("%s is %s after the bulk", r.Number, state)
		}
	}
	wants(t, bru.get("/bulk"), http.StatusOK, address, "Tornats a provar</span>", "25 de 25", "L&#39;autoritat de segell de temps")
	wants(t, bru.post(address+"/stop"), http.StatusConflict, "Això ja no es pot fer")
	o.eventually("the cause is solved", func() bool {
		return strings.Contains(anna.get("/causes/"+group).body, "Ja no hi ha cap document aturat")
	})
	wants(t, anna.get("/bulk/"+failed[0].ID), http.StatusNotFound, "No hi ha cap acte en bloc")
	if acted := o.acted(strings.TrimPrefix(address, "/bulk/")); fmt.Sprint(acted) != "[anna bulk.propose the authority answers again bru bulk.approve ]" {
		t.Errorf("the trail says %v", acted)
	}
}

// A bulk that nobody approves does nothing.
func TestABulkThatIsTakenBack(t *testing.T) {
	o := newOffice(t, well)
	var ids []string
	for range 21 {
		r := o.accept("coverage_certificate", "COB")
		o.fail(r, ledger.StageSeal, "tsa_away", "503")
		ids = append(ids, "id", r.ID)
	}
	anna := o.login("anna")
	batch, err := o.acts.NewBatch()
	o.must(err)
	began := anna.follow("/bulk", append(ids, "of", "chosen", "what", "cancel", "batch", batch, "why", "sent by mistake")...)
	wants(t, began, http.StatusOK, "Espera que ho aprovi una altra persona", "Ho retiro")
	wants(t, anna.follow("/bulk/"+batch+"/refuse"), http.StatusOK, "No aprovat", "no es farà")
	if state := o.state(ids[1]); state != ledger.StateFailed {
		t.Errorf("a request of a bulk that was taken back is %s", state)
	}
	wants(t, anna.post("/bulk/nonsense/stop"), http.StatusNotFound)
}
