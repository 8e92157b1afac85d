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
	wants(t, mira.get("/"), http.StatusOK, "<h1>Tot bé</h1>", "Cap document està aturat.", "caduca d’aquí a 83 dies", `<svg viewBox="0 0 400 170" role="img" aria-label="En les últimes 6 hores han arribat 1 `)

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
