package console_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segell/acts"
	"segell/console"
	"segell/ledger"
)

// The first page says that all is well only where every source says so, and else
// what needs somebody; a source that is away leaves the others on the page.
func TestTheFirstPageSaysWhatNeedsSomebody(t *testing.T) {
	var health atomic.Pointer[[]console.Health]
	set := func(parts []console.Health) { health.Store(&parts) }
	set(well(t.Context()))
	o := newOffice(t, func(context.Context) []console.Health { return *health.Load() })
	o.issue(o.accept("coverage_certificate", "COB"))
	o.settle(0, 1)
	mira := o.login("mira")
	wants(t, mira.get("/"), http.StatusOK, "<h1>Tot bé</h1>", "Cap document està aturat.", "caduca d’aquí a 83 dies", `<svg viewBox="0 0 400 170" role="img" aria-label="Últimes 6 hores. Sol·licituds arribades: 1. `)

	parts := well(t.Context())
	left := -1.5
	parts[3].State, parts[3].Detail = "halt", map[string]string{"error": "503 <Service> Unavailable"}
	parts[4].State, parts[4].DaysLeft, parts[4].Ends = "halt", &left, time.Now().Add(-36*time.Hour)
	set(parts)
	failed := o.accept("coverage_certificate", "COB")
	o.fail(failed, ledger.StageSeal, "tsa_away", "503")
	o.settle(1, 1)
	got := mira.get("/")
	wants(t, got, http.StatusOK, "Hi ha 3 coses que us necessiten", "1 document no s’ha pogut fer.", "Segell de temps: no funciona.", "Segell electrònic: no funciona.",
		"503 &lt;Service&gt; Unavailable", "El certificat va caducar el", "L&#39;autoritat de segell de temps")
	if strings.Contains(got.body, "Tot bé") {
		t.Error("it says that all is well")
	}

	parts = well(t.Context())
	hours := 0.4
	parts[1].State, parts[1].Away = "halt", console.AwayFromAll
	parts[4].State, parts[4].DaysLeft, parts[4].Ends = "mind", &hours, time.Now().Add(10*time.Hour)
	set(parts)
	got = mira.get("/")
	wants(t, got, http.StatusOK, "Magatzem de documents: no funciona.", "Ara no es fa cap document: els programes que els fan no hi arriben.", "li queda menys d’un dia")
	if strings.Contains(got.body, "va caducar") {
		t.Error("a certificate on its last day is said to have ended")
	}

	parts = well(t.Context())
	parts[0].State = "unknown"
	set(parts)
	o.must(o.acts.Retry(t.Context(), acts.Actor{Who: "test"}, failed.ID, "", "test"))
	_, err := o.acts.Cancel(t.Context(), acts.Actor{Who: "test"}, failed.ID, ledger.CancelImpossible, "")
	o.must(err)
	o.settle(0, 1)
	wants(t, mira.get("/"), http.StatusOK, "Ara no ho podem saber tot")

	o.redis.Kill()
	for _, address := range []string{"/", "/causes", "/find", "/find?state=failed", "/requests/" + failed.ID, "/bulk"} {
		got := mira.get(address)
		wants(t, got, http.StatusOK)
		if address != "/bulk" && address != "/requests/"+failed.ID && !strings.Contains(got.body, "La llista de feines no respon") && !strings.Contains(got.body, "no respon") {
			t.Errorf("%s does not say that something is away:\n%s", address, got.main())
		}
		if strings.Contains(got.body, "Tot bé") || strings.Contains(got.body, "Cap document està aturat") {
			t.Errorf("%s says that all is well while Redis is away", address)
		}
	}
	wants(t, mira.post("/find", "one", "CASS-2026-COB-0000001"), http.StatusServiceUnavailable, "Ara no es pot buscar per número de document")
	wants(t, mira.post("/find", "one", failed.ID), http.StatusSeeOther)
	o.redis.Restart()
}

// A pause that requests wait behind, and callbacks that were given up, need
// somebody; the request that waits longest says that it waits because of a pause.
func TestTheFirstPageKnowsOfPausesAndCallbacks(t *testing.T) {
	o := newOffice(t, well)
	waiting := o.accept("coverage_certificate", "COB")
	o.listed(ledger.StateAccepted, 1)
	mira, anna := o.login("mira"), o.login("anna")
	o.must(o.acts.Pause(t.Context(), acts.Actor{Who: "bru"}, ledger.PauseKind, "coverage_certificate", "figures are corrected"))
	wants(t, mira.get("/"), http.StatusOK, "<h1>Tot bé</h1>", "Espera per una pausa", waiting.Number, "«Certificat de cobertura sanitària» està en pausa")
	wants(t, mira.get("/requests/"+waiting.ID), http.StatusOK, "aquest tipus de document està en pausa", "figures are corrected")
	o.ahead.Store(int64(20 * time.Minute))
	wants(t, mira.get("/"), http.StatusOK, "Hi ha 1 cosa que us necessita", "i hi espera 1 sol·licitud.")
	wants(t, anna.post("/resume", "target", "kind:coverage_certificate", "why", " "), http.StatusUnprocessableEntity, "Escriviu el motiu.")
	wants(t, anna.follow("/resume", "target", "kind:coverage_certificate", "why", "they are right now"), http.StatusOK, "S’ha reprès.")
	wants(t, mira.get("/"), http.StatusOK, "Hi ha una sol·licitud que espera des de fa massa estona.")
	o.ahead.Store(0)
	wants(t, mira.get("/"), http.StatusOK, "<h1>Tot bé</h1>")

	o.must(o.ledger.Undeliverable(t.Context(), ledger.Notice{Request: waiting.ID, Event: ledger.EventIssued, Client: "portal", Kind: waiting.Kind, Number: waiting.Number}))
	wants(t, mira.get("/"), http.StatusOK, "Hi ha 1 cosa que us necessita", `<a href="/callbacks">1 avís al portal no s’ha pogut lliurar.</a>`)
}
