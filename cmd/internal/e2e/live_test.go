package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"segell/ledger"
)

// live: a page that stays open follows what happens, and says so when it cannot.
func (h *house) live(t *testing.T) {
	h.becomes(t, ledger.StateIssued, h.ask(t, portal, "coverage_certificate", person{}))
	b := h.as(t, "laia")
	eval[bool](b, "window.untouched = true")
	counts := func() string { return eval[string](b, "document.querySelector('#now dl')?.innerText ?? ''") }

	t.Run("without Redis", func(t *testing.T) {
		b.t = t
		if counts() == "" {
			t.Fatal("the page counts nothing")
		}
		h.redis.Kill()
		b.until("the page says that Redis is away", fmt.Sprintf("document.querySelector('#parts .tile.halt') && document.querySelector('#now').innerText.includes(%s) && document.querySelector('#stopped').innerText.includes(%[1]s)",
			quote(h.word("frame.problems.redis.text"))))
		if counts() != "" || eval[bool](b, "!!document.querySelector('#verdict .answer.well')") {
			t.Errorf("without Redis the page counts and judges:\n%s", b.text())
		}
		h.redis.Restart()
		b.until("it counts again", "document.querySelector('#now dl')")
	})

	t.Run("console restarted", func(t *testing.T) {
		b.t = t
		before := counts()
		h.stopOffice()
		b.until("the page says since when it is not up to date", fmt.Sprintf("/%s/.test(document.querySelector('#stale').innerText)", h.word("frame.live.stale", "time", `\d\d:\d\d(:\d\d)?`)))
		if counts() != before {
			t.Errorf("what was shown is gone: %q, was %q", counts(), before)
		}
		h.openOffice()
		b.until("the page is up to date", "document.querySelector('#stale').innerText === ''")
	})

	t.Run("streams cut", func(t *testing.T) {
		h.front.cut.Store(true)
		defer h.front.cut.Store(false)
		b.t = t
		b.open("/")
		eval[bool](b, "window.untouched = true")
		before := counts()
		h.becomes(t, ledger.StateIssued, h.ask(t, portal, "coverage_certificate", person{}))
		b.until("the page asks by itself", fmt.Sprintf("document.querySelector('#now dl') && document.querySelector('#now dl').innerText !== %s", quote(before)))

		other, closeOther := chromedp.NewContext(b.ctx, chromedp.WithNewWindow(false))
		must(t, chromedp.Do(other))
		b.until("the tab is hidden", "document.hidden")
		time.Sleep(500 * time.Millisecond) // what it asked for before may be under way
		asked := h.front.asked.Load()
		time.Sleep(6 * time.Second) // it asks every five
		if more := h.front.asked.Load() - asked; more != 0 {
			t.Errorf("a hidden tab asked %d times", more)
		}
		closeOther()
		_, err := chromedp.Call(b.ctx, page.BringToFront, struct{}{})
		must(t, err)
		b.until("the tab is seen", "!document.hidden")
		eventually(t, "the tab that is seen again asks", func() bool { return h.front.asked.Load() > asked })
	})
	b.t = t
	if !eval[bool](b, "window.untouched") {
		t.Error("the page was loaded again")
	}
}
