package e2e

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"segell/internal/judges"
)

// examiner looks at pages as those who see badly, print or hold a telephone do.
type examiner struct {
	h        *house
	axe      string // its program
	pictures string // folder for pictures, or ""

	mu   sync.Mutex
	seen map[string][]string // names of pages, by "GET /path" of what answered
}

func newExaminer(t *testing.T, h *house) *examiner {
	t.Helper()
	return &examiner{h: h, axe: judges.AxeProgram(t), pictures: os.Getenv("SEGELL_SCREENSHOTS"), seen: map[string][]string{}}
}

// pictured are the pages of which docs/console.md shows pictures.
var pictured = []string{"login", "landing-well", "landing", "landing-redis-away", "causes", "cause", "runbook", "find", "find-failed", "find-person",
	"request-failed", "request-issued", "request-shown", "request-refused-retry", "bulk-plan", "bulk-to-approve", "bulk-done", "bulks", "work", "callbacks",
	"audit", "audit-found", "account", "second-factor", "token", "forbidden", "not-found"}

// pictureMost is how much of a page a picture shows, in pixels from its top.
const pictureMost = 1700

// widths are those of a telephone and of a desk.
var widths = []int64{390, 1440}

// examine judges the page that a tab shows and takes its pictures under a name.
func (x *examiner) examine(b *tab, name string) {
	b.t.Helper()
	x.mu.Lock()
	method, address, _ := strings.Cut(b.shown(), " ")
	address, _, _ = strings.Cut(address, "?")
	x.seen[method+" "+address] = append(x.seen[method+" "+address], name)
	x.mu.Unlock()
	if status := eval[int](b, "performance.getEntriesByType('navigation')[0].responseStatus"); status >= 500 && !strings.HasSuffix(name, "-away") {
		b.t.Errorf("%s: %d\n%s", name, status, b.text())
	}
	for i, width := range widths {
		b.size(width, 900)
		for j, scheme := range []string{"light", "dark"} {
			b.media("screen", scheme)
			rules := allRules
			if i != j { // every rule was or will be asked; colours and sizes are others here
				rules = looks
			}
			x.judge(b, fmt.Sprintf("%s at %d px, %s", name, width, scheme), rules)
		}
		b.media("screen", "light")
		if slices.Contains(pictured, name) {
			x.picture(b, fmt.Sprintf("%s-%d.png", name, width))
		}
	}
	for _, width := range []int64{390, 320} {
		b.size(width, 800)
		if wide := eval[string](b, tooWide); wide != "" {
			b.t.Errorf("%s scrolls sideways at %d px: %s", name, width, wide)
		}
	}
	x.print(b, name)
	b.media("screen", "light")
	b.size(1280, 900)
}

// tooWide names what makes a page wider than the screen; "" when it is not.
const tooWide = `(() => {
	const root = document.documentElement, most = root.clientWidth;
	if (root.scrollWidth <= most && document.body.scrollWidth <= most) return "";
	const clipped = (e) => { for (let p = e.parentElement; p && p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return true; return false; };
	return root.scrollWidth + " px: " + [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > most + 0.5 && !clipped(e)).slice(0, 4).map((e) => e.outerHTML.slice(0, 120)).join(" | ");
})()`

// What axe-core is asked: the rules of WCAG 2.2 A and AA and those of good practice,
// and of these the ones whose answer colours and sizes can change.
const (
	allRules = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
	looks    = `{type: "rule", values: ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable", "meta-viewport"]}`
)

// judge lets axe-core say what is wrong. It comes by the browser's own protocol, so
// the page's policy stays in force.
func (x *examiner) judge(b *tab, where, rules string) {
	b.t.Helper()
	eval[bool](b, "window.axe ? true : (() => {"+x.axe+"\n; return true; })()")
	type verdict struct {
		Passes     int
		Violations []string
	}
	v := eval[verdict](b, `axe.run(document, {runOnly: `+rules+`, resultTypes: ["violations"], preload: false}).then(
		(r) => ({passes: r.passes.length, violations: r.violations.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 300) + " " + n.failureSummary).join(" | "))}))`)
	if v.Passes < 2 {
		b.t.Errorf("%s: axe looked at %d rules only", where, v.Passes)
	}
	for _, violation := range v.Violations {
		b.t.Errorf("%s: %s", where, violation)
	}
}

// docs/console.md shows every picture that is taken, and all are there.
func TestThePicturesAreShown(t *testing.T) {
	text, err := os.ReadFile("../../../docs/console.md")
	must(t, err)
	for _, name := range pictured {
		for _, width := range widths {
			file := fmt.Sprintf("images/console/%s-%d.png", name, width)
			if !bytes.Contains(text, []byte("("+file+")")) {
				t.Errorf("docs/console.md does not show %s", file)
			}
			if _, err := os.Stat(filepath.Join("../../../docs", file)); err != nil {
				t.Errorf("make screenshots: %v", err)
			}
		}
	}
}

// print holds that what can be read on the screen is on paper too; what is pressed
// need not be.
func (x *examiner) print(b *tab, name string) {
	b.t.Helper()
	const mark = `[...document.querySelectorAll("main :is(h1, h2, h3, p, li, dt, dd, th, td, caption, pre, figcaption)")].filter((e) => !e.closest("form, nav, .actions, .pager") && !e.querySelector("form, .button, a.button"))`
	b.size(794, 1123)
	eval[bool](b, mark+`.forEach((e) => e.segellSeen = e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0) || true`)
	b.media("print", "light")
	if lost := eval[[]string](b, mark+`.filter((e) => e.segellSeen && !(e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0)).map((e) => e.outerHTML.slice(0, 150))`); len(lost) > 0 {
		b.t.Errorf("%s: %d things are not printed, such as %s", name, len(lost), lost[0])
	}
}

// picture takes one where a folder was named for them.
func (x *examiner) picture(b *tab, name string) {
	b.t.Helper()
	if x.pictures == "" {
		return
	}
	eval[bool](b, "scrollTo(0, 0), document.activeElement.blur(), true")
	whole, err := png.Decode(bytes.NewReader(b.screenshot()))
	must(b.t, err)
	var out bytes.Buffer
	must(b.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, fewColours(whole)))
	must(b.t, os.WriteFile(filepath.Join(x.pictures, name), out.Bytes(), 0o644))
}
