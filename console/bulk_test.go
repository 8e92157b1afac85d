package console_test

import (
	"crypto/rand"
	"net/http"
	"slices"
	"testing"
	"time"

	"segell/acts"
	"segell/ledger"
)

// A page with a count that is too old begins nothing: it counts again, says so and
// keeps what was typed, and from there the bulk begins. So it does for a bulk that
// was begun under this id with another reason.
func TestACountThatIsTooOldIsMadeAnew(t *testing.T) {
	o := newOffice(t, well)
	r := o.accept("coverage_certificate", "COB")
	o.fail(r, ledger.StageSeal, "tsa_away", "503")
	anna := o.login("anna")
	old, err := ledger.NewID(time.Now().Add(-61*time.Minute), rand.Reader)
	o.must(err)
	form := func(batch, why string) []string {
		return []string{"id", r.ID, "of", "chosen", "what", "cancel", "batch", batch, "why", why}
	}
	page := anna.post("/bulk", form(old, "sent by mistake")...)
	wants(t, page, http.StatusUnprocessableEntity, "Aquest recompte ja no val", "S’anul·larà 1 sol·licitud", "sent by mistake")
	if list, err := o.acts.Bulks(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("an old count began %v (%v)", list, err)
	}
	batch := ""
	for _, hidden := range hiddenField.FindAllStringSubmatch(page.main(), -1) {
		if hidden[1] == "batch" {
			batch = hidden[2]
		}
	}
	if batch == old {
		t.Error("the page offers the old id again")
	}
	wants(t, anna.post("/bulk", form(batch, " . ")...), http.StatusUnprocessableEntity, "Escriviu el motiu.")
	if begun := anna.post("/bulk", form(batch, "sent by mistake")...); begun.status != http.StatusSeeOther || begun.location != "/bulk/"+batch {
		t.Errorf("begun from the new count: %d %s", begun.status, begun.location)
	}
	o.eventually("it to be done", func() bool { return o.state(r.ID) == ledger.StateCancelled })
	if again := anna.post("/bulk", form(batch, "for another reason")...); again.status != http.StatusUnprocessableEntity {
		t.Errorf("begun again with another reason: %d %s", again.status, again.location)
	}
}

// Who has done alone what one person may is told what to do.
func TestTheNextOneNeedsAnother(t *testing.T) {
	o := newOffice(t, well)
	r := o.accept("coverage_certificate", "COB")
	o.fail(r, ledger.StageSeal, "tsa_away", "503")
	now := time.Now().UTC()
	o.must(o.ledger.ChangeTally(t.Context(), func(rows []ledger.TallyRow) ([]ledger.TallyRow, error) {
		return append(rows, ledger.TallyRow{Who: "anna", Count: 20, At: now}), nil
	}))
	anna := o.login("anna")
	wants(t, anna.post("/requests/"+r.ID+"/cancel", "reason", "sent_in_error", "why", "sent by mistake"), http.StatusUnprocessableEntity, "La resta l’ha de fer una altra persona", "acte en bloc")
	if state := o.state(r.ID); state != ledger.StateFailed || slices.Contains(o.acted(r.ID), "anna jobs.cancel sent_in_error: sent by mistake") {
		t.Errorf("it is %s, and the trail says %v", state, o.acted(r.ID))
	}
	plan := anna.post("/bulk/plan", "id", r.ID, "of", "chosen", "what", string(acts.BulkCancel))
	wants(t, plan, http.StatusOK, "una altra persona ho haurà d’aprovar")
}
