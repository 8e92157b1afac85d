package console_test

import (
	"net/http"
	"strings"
	"testing"
)

// A reason that says nothing is none, and what was chosen stays chosen.
func TestACallbackIsNotSentAgainWithoutAReason(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	r := o.accept("coverage_certificate", "COB")
	o.issue(r)
	notice, anna := o.undelivered(r), o.login("anna")
	for why, says := range map[string]string{" ": "Escriviu el motiu.", "\u00a0\t": "Escriviu el motiu.", "...": `id="fault-why"`, "\u200b": `id="fault-why"`,
		"per a 731.234-A": "El motiu no es pot desar així", "fet\u202etef": "El motiu no es pot desar així"} {
		wants(t, anna.post("/callbacks/replay", "names", notice.Name(), "why", why), http.StatusUnprocessableEntity, says, `value="`+notice.Name()+`" checked`)
	}
	if _, trail := o.entries(); strings.Contains(trail, "callbacks.replay") {
		t.Errorf("it was sent again:\n%s", trail)
	}
}
