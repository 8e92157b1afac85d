package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"segell/ledger"
	"segell/staff"
)

// The console before a clerk and an auditor, and whatever may happen meanwhile.
func TestConsole(t *testing.T) {
	h := newHouse(t)
	t.Run("walk", h.walk)
	t.Run("walk without scripts", h.walkWithoutScripts)
	t.Run("keyboard", h.keyboard)
	t.Run("canary", h.canary)
	t.Run("by the issuer", h.byIssuer)
	t.Run("pages", h.pages)
	t.Run("live", h.live)
}

const expired = "seal_certificate_expired"

// walk: a person calls; the clerk finds what failed, why, retries the cause once it
// is mended, and sees it go well; an auditor reads of it.
func (h *house) walk(t *testing.T) {
	who := person{name: "Canari i Groc, Aloma", cass: cassOf(1001), birth: "1951-03-17"}
	h.seals.Use(h.expired)
	ids := []string{h.ask(t, portal, "points_extract", who), h.ask(t, portal, "travel_form", person{})}
	h.becomes(t, ledger.StateFailed, ids...)
	before := len(h.front.exchanges())

	clerk := h.visitor(t)
	clerk.login("tota", totp(t, h.secret, time.Now().Unix()/30))
	h.findFailed(clerk, who, ids[0])
	watching := clerk.beside()
	watching.open("/requests/" + ids[0])
	watching.reads(h.word("frame.states.failed"))
	eval[bool](watching, "window.untouched = true")

	h.seals.Use(h.good) // the operator installs the new certificate
	clerk.goes("#what a", h.word("request.alike"))
	h.dryRun(clerk, len(ids))
	clerk.fill("#bulk-why", "el certificat nou ja hi és")
	clerk.goes("main form button[type=submit]", "")
	bulk, found := strings.CutPrefix(clerk.shown(), "GET /bulk/")
	if !found {
		t.Fatalf("the clerk is led to %s", clerk.shown())
	}
	eval[bool](clerk, "window.untouched = true")

	documents := clerk.documents()
	clerk.until("the bulk is done", fmt.Sprintf("document.querySelector('#progress .state.done') && window.untouched && document.body.innerText.includes(%s)", quote(h.word("bulk.states.done"))))
	watching.until("the request is green", "document.querySelector('#head .state.issued') && window.untouched")
	if clerk.documents() != documents || watching.documents() != 1 || eval[int](watching, "performance.getEntriesByType('navigation').length") != 1 {
		t.Errorf("pages were loaded again to be up to date: %v, %v", clerk.asked, watching.asked)
	}
	h.becomes(t, ledger.StateIssued, ids...)
	clerk.logout()
	h.readInAudit(h.as(t, "aura"), bulk, "bulk.start", "tota", "el certificat nou ja hi és")
	h.tellsNothing(t, who, h.front.exchanges()[before:])
}

// walkWithoutScripts is the same by forms and links alone, with the cause retried
// for one request.
func (h *house) walkWithoutScripts(t *testing.T) {
	who := person{name: "Canari i Blau, Bernat", cass: cassOf(1002), birth: "1962-04-18"}
	h.seals.Use(h.expired)
	id := h.ask(t, portal, "points_extract", who)
	h.becomes(t, ledger.StateFailed, id)
	before := len(h.front.exchanges())

	clerk := h.visitor(t)
	clerk.noScripts()
	clerk.login("aniol", "")
	h.findFailed(clerk, who, id)
	h.seals.Use(h.good)
	clerk.goes("#what a", h.word("request.alike"))
	h.dryRun(clerk, 1)
	clerk.fill("#bulk-why", "la TSA torna a respondre bé")
	clerk.goes("main form button[type=submit]", "")
	bulk := strings.TrimPrefix(clerk.shown(), "GET /bulk/")
	h.becomes(t, ledger.StateIssued, id)
	h.reloads(clerk, h.word("bulk.states.done"))
	clerk.open("/requests/" + id)
	clerk.reads(h.word("frame.states.issued"))
	clerk.logout()

	auditor := h.visitor(t)
	auditor.noScripts()
	auditor.login("aura", "")
	h.readInAudit(auditor, bulk, "bulk.start", "aniol", "la TSA torna a respondre bé")
	h.tellsNothing(t, who, h.front.exchanges()[before:])
}

// findFailed goes from the landing page by the CASS number to the failed request,
// and reads why it failed and what to do.
func (h *house) findFailed(b *tab, who person, id string) {
	b.t.Helper()
	cause := ledger.CauseOf(expired).Wording("ca")
	b.until("the landing page tells of trouble", "document.querySelector('#verdict .answer.mind')")
	b.reads(cause.What)
	b.goes("nav a[href='/find']", "")
	b.fill("#one", who.cass)
	b.goes("form[role=search] button", "")
	if got := b.shown(); !strings.HasPrefix(got, "GET /find?person=") {
		b.t.Fatalf("a CASS number leads to %s", got)
	}
	b.reads(h.word("find.person_title"), cause.What, h.word("frame.states.failed"))
	b.goes("#results tbody a.mono", h.number(b.t, id))
	if got := b.shown(); got != "GET /requests/"+id {
		b.t.Fatalf("the list leads to %s", got)
	}
	b.reads(cause.What, cause.Do)
}

// dryRun counts what the cause has stopped, and reads it.
func (h *house) dryRun(b *tab, n int) {
	b.t.Helper()
	b.goes("#retry button", h.word("causes.retry"))
	will := h.word("bulk.will.retry.other", "n", fmt.Sprint(n))
	if n == 1 {
		will = h.word("bulk.will.retry.one", "n", "1")
	}
	b.reads(h.word("bulk.plan_text"), will)
}

// reloads asks for the page again until it says something.
func (h *house) reloads(b *tab, text string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(b.text(), text); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s does not say %q:\n%s", b.shown(), text, b.text())
		}
		b.goes(".fresh a", "")
	}
}

// readInAudit finds an act in the trail, with who did it and why.
func (h *house) readInAudit(b *tab, id, what, who, why string) {
	b.t.Helper()
	b.goes("nav a[href='/audit']", "")
	b.fill("#id", id)
	b.goes("form[action='/audit'] button", "")
	row := fmt.Sprintf("[...document.querySelectorAll('table.audit tbody tr')].some((row) => [%s, %s, %s].every((text) => row.innerText.includes(text)))", quote(what), quote(who), quote(why))
	b.until("the trail holds "+what+" by "+who, row)
}

// tellsNothing holds that nothing of a person went to a browser or came from one but
// the form's own field.
func (h *house) tellsNothing(t *testing.T, who person, passed []exchange) {
	t.Helper()
	if len(passed) == 0 {
		t.Error("nothing went through")
	}
	for _, e := range passed {
		for _, secret := range who.secrets() {
			for place, text := range map[string]string{"address": e.address, "headers that came": e.sent, "headers that went": e.header, "page": e.body} {
				if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
					t.Errorf("%s %s: the %s holds %q", e.method, e.address, place, secret)
				}
			}
		}
	}
}

// secrets are what must not be told of a person, as it may be written.
func (p person) secrets() []string {
	words := strings.FieldsFunc(p.name, func(r rune) bool { return r == ' ' || r == ',' })
	var long []string
	for _, word := range words {
		if len(word) > 3 {
			long = append(long, word)
		}
	}
	return append(long, p.cass, p.birth)
}

// secondFactor sets one up for a member of staff, who has used a code for it.
func (h *house) secondFactor(login string) (secret string) {
	h.t.Helper()
	enrolment, err := h.office.Desk.BeginTOTP(h.t.Context(), login)
	must(h.t, err)
	code := totp(h.t, enrolment.Secret, time.Now().Unix()/30-1)
	must(h.t, h.office.Desk.ConfirmTOTP(h.t.Context(), staff.Actor{Who: "test"}, login, enrolment.Reference, code))
	return enrolment.Secret
}

// totp is the code of a step of 30 s (RFC 6238).
func totp(t *testing.T, secret string, step int64) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	must(t, err)
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, step)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}
