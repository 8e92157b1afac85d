package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"segell/ledger"
)

// keyboard: one request is retried without a mouse. Where the keys are is always to
// be seen, and is not lost when the page brings itself up to date.
func (h *house) keyboard(t *testing.T) {
	who := person{name: "Roca Tort, Quim", cass: cassOf(3001), birth: "1980-06-30"}
	h.seals.Use(h.expired)
	mine := h.ask(t, portal, "points_extract", who)
	others := h.ask(t, portal, "points_extract", person{})
	h.becomes(t, ledger.StateFailed, mine, others)
	h.seals.Use(h.good)

	b := h.visitor(t)
	b.open("/login")
	b.tabTo("#login")
	b.keys("aniol")
	b.tabTo("#password")
	b.keys(password)
	b.leads(func() { b.keys(kb.Enter) })
	b.keys(kb.Tab)
	if !eval[bool](b, "document.activeElement.matches('.skip')") {
		t.Error("the first key does not lead to the content")
	}
	b.seen()
	b.keys(kb.Enter)
	b.until("the content has the focus", "document.activeElement.id === 'main'")
	b.tabTo("#stopped tbody a")

	// The page changes below the focus: it stays on the same link.
	third := h.fails(t)
	b.until("the count is new", "document.querySelector('#stopped td.n').innerText.trim() === '3'")
	if !eval[bool](b, "document.activeElement.matches('#stopped tbody a')") {
		t.Errorf("the focus is lost to %s", eval[string](b, "document.activeElement.outerHTML.slice(0, 200)"))
	}

	b.open("/")
	b.tabTo("nav a[href='/find']")
	b.leads(func() { b.keys(kb.Enter) })
	b.tabTo("#one")
	b.keys(who.cass)
	b.leads(func() { b.keys(kb.Enter) })
	b.tabTo("#results tbody a.mono")
	b.leads(func() { b.keys(kb.Enter) })
	b.tabTo("#retry summary")
	b.keys(" ")
	b.tabTo("#retry-why")
	b.keys("ja hi ha el certificat nou")
	b.tabTo("#retry button")
	b.leads(func() { b.keys(" ") })
	b.reads(h.word("act.done.retry"))
	b.until("it goes well", "document.querySelector('#head .state.issued')")

	// What had the focus goes away: the focus stays in its part of the page.
	b.open("/requests/" + others)
	b.tabTo("#retry summary")
	h.mended(t, others, third)
	b.until("it goes well", "document.querySelector('#head .state.issued') && !document.querySelector('#retry')")
	if eval[bool](b, "document.activeElement === document.body") {
		t.Error("the focus is lost when what had it goes away")
	}
}

// fails is a request that fails as the others did.
func (h *house) fails(t *testing.T) string {
	t.Helper()
	h.seals.Use(h.expired)
	id := h.ask(t, portal, "points_extract", person{})
	h.becomes(t, ledger.StateFailed, id)
	h.seals.Use(h.good)
	return id
}

// keys presses keys.
func (b *tab) keys(keys string) {
	b.t.Helper()
	must(b.t, chromedp.Do(b.ctx, chromedp.KeyEvent(keys)))
}

// tabTo goes by the key Tab to an element, and looks at every step where it is.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 120 {
		b.keys(kb.Tab)
		b.seen()
		if eval[bool](b, fmt.Sprintf("document.activeElement.matches(%s)", quote(selector))) {
			return
		}
	}
	b.t.Fatalf("Tab does not lead to %s in %s:\n%s", selector, b.shown(), b.text())
}

// seen holds that what has the focus is on the screen, with a line around it, and
// below nothing else.
func (b *tab) seen() {
	b.t.Helper()
	const look = `(() => {
		const e = document.activeElement;
		if (!e || e === document.body) return ""; // the browser's own controls
		if (e.type === "date" && !e.matches(":focus-visible")) return ""; // a part of the field, which the browser draws
		const style = getComputedStyle(e), r = [...e.getClientRects()].find((r) => r.width > 0), name = e.outerHTML.slice(0, 120);
		if (!r) return name + " has no place";
		if ((style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1) && style.boxShadow === "none") return name + " has no line around it";
		const x = r.x + r.width / 2, y = r.y + Math.min(r.height, innerHeight) / 2, top = document.elementFromPoint(x, y);
		if (!top) return name + " is not on the screen";
		const near = e.closest("label") ?? e;
		return near.contains(top) || top.contains(e) ? "" : name + " is below " + top.outerHTML.slice(0, 80);
	})()`
	if fault := eval[string](b, look); fault != "" && !strings.Contains(fault, `id="main"`) {
		b.t.Errorf("in %s the focus is not seen: %s", b.shown(), fault)
	}
}
