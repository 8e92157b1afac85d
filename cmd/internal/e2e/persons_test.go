package e2e

import (
	"fmt"
	"strings"
	"testing"

	"segell/ledger"
)

// byIssuer: members of staff come in by the institution's own login.
func (h *house) byIssuer(t *testing.T) {
	x := newExaminer(t, h)
	come := func(login string) *tab {
		b := h.visitor(t)
		b.open("/login?next=/causes")
		b.goes("a[href^='/login/oidc']", "")
		b.until("the issuer asks who it is", "document.title === 'Issuer'")
		b.fill("[name=login]", login)
		b.goes("button", "")
		return b
	}
	b := come("maria.puig")
	if got := b.shown(); got != "GET /causes" {
		t.Fatalf("the issuer leads to %s:\n%s", got, b.text())
	}
	b.reads("Maria Puig Ferrer", h.word("frame.roles.act"))
	b.open("/account")
	b.reads(h.word("account.external.title"))
	x.examine(b, "account-external")
	b.logout()
	none := come("pere.font")
	none.reads(h.word("login.no_role"))
	x.examine(none, "login-no-role")
}

// canary: nothing that tells who somebody is reaches a browser until it was asked
// for with a reason; then the trail holds who asked and why, and not what was seen.
func (h *house) canary(t *testing.T) {
	who := person{name: "Canari i Turquesa, Ermessenda", cass: cassOf(4001), birth: "1949-12-27"}
	began := len(h.front.exchanges())
	h.seals.Use(h.expired)
	id := h.ask(t, portal, "points_extract", who)
	h.becomes(t, ledger.StateFailed, id)
	h.seals.Use(h.good)
	defer h.mended(t, id)

	b := h.as(t, "aniol")
	for _, at := range []string{"/causes", "/find", "/find?state=failed", "/work", "/callbacks", "/bulk"} {
		b.open(at)
	}
	b.open("/")
	h.findFailed(b, who, id)
	b.goes("nav a[href='/find']", "")
	for _, typed := range []string{h.number(t, id), "Ermessenda Canari", who.cass + "x", who.birth} {
		b.fill("#one", typed)
		b.goes("form[role=search] button", "")
		b.open("/find")
	}
	b.open("/requests/" + id)
	b.goes("#what a", h.word("request.alike"))
	b.goes("#retry button", "")
	b.open("/requests/" + id)
	h.tellsNothing(t, who, h.front.exchanges()[began:])

	b.click("#show summary", "")
	b.fill("#show-why", "la persona demana per què no li arriba")
	b.goes("#show button", "")
	b.reads(who.name, who.cass)
	if at, title := eval[string](b, "location.href"), eval[string](b, "document.title"); strings.Contains(at+title, who.cass) || strings.Contains(title, "Canari") {
		t.Errorf("%s, %s tell who it is", at, title)
	}
	shown, others := split(h.front.exchanges()[began:], "POST /requests/"+id+"/show")
	if len(shown) != 1 || !strings.Contains(shown[0].header, "no-store") {
		t.Errorf("what was shown came in %d answers: %v", len(shown), shown)
	}
	h.tellsNothing(t, who, others)

	before := len(h.front.exchanges())
	b.open("/requests/" + id)
	b.logout()
	auditor := h.as(t, "aura")
	h.readInAudit(auditor, id, "requests.show", "aniol", "la persona demana per què no li arriba")
	for _, file := range []string{"/audit.csv", "/audit.json"} {
		text := eval[string](auditor, fmt.Sprintf("fetch(%s).then((answer) => answer.text())", quote(file)))
		if !strings.Contains(text, "requests.show") {
			t.Errorf("%s does not hold the act: %.300s", file, text)
		}
	}
	h.tellsNothing(t, who, h.front.exchanges()[before:])
	for _, secret := range who.secrets() {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// split takes out what was exchanged by a method and an address.
func split(all []exchange, by string) (those, others []exchange) {
	for _, e := range all {
		if e.method+" "+e.address == by {
			those = append(those, e)
		} else {
			others = append(others, e)
		}
	}
	return those, others
}
