package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take for one step on a busy machine.
const patience = 30 * time.Second

// newChromium starts a browser that ends with the test.
func newChromium(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: apt-get install -y chromium")
	}
	home := t.TempDir()
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Env("HOME="+home), chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("lang", "ca"), chromedp.Flag("force-color-profile", "srgb"))...)
	browser, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() { cancel(); end() })
	must(t, chromedp.Do(browser))
	return browser
}

// tab is a tab of the browser. Whoever opens one by visitor is another person at
// another computer: its cookies are its own.
type tab struct {
	t   *testing.T
	h   *house
	ctx context.Context

	mu    sync.Mutex
	doc   string   // method and path of the document that is shown
	asked []string // every document, "GET /path?query"
}

func (h *house) visitor(t *testing.T) *tab {
	return h.newTab(t, h.browser, chromedp.WithNewBrowserContext())
}

// beside opens another tab of the same person.
func (b *tab) beside() *tab { return b.h.newTab(b.t, b.ctx, chromedp.WithNewWindow(true)) }

func (h *house) newTab(t *testing.T, from context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t, h: h}
	var cancel context.CancelFunc
	b.ctx, cancel = chromedp.NewContext(from, options...)
	t.Cleanup(cancel)
	must(t, chromedp.Do(b.ctx))
	must(t, chromedp.Listen(b.ctx, func(event any) {
		if sent, ok := event.(*network.EventRequestWillBeSent); ok && sent.Type == network.ResourceTypeDocument {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.doc = sent.Request.Method + " " + strings.TrimPrefix(sent.Request.URL, h.front.URL)
			b.asked = append(b.asked, b.doc)
		}
	}))
	_, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{})
	must(t, err)
	_, err = chromedp.Call(b.ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": "ca"}})
	must(t, err)
	b.size(1280, 900)
	return b
}

// shown is the method and the address of the document that is shown.
func (b *tab) shown() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.doc
}

// documents is how many documents the tab has asked for.
func (b *tab) documents() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

// size gives the tab a viewport.
func (b *tab) size(width, height int64) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	must(b.t, err)
}

// media emulates "screen" or "print", "light" or "dark".
func (b *tab) media(kind, scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: kind,
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	must(b.t, err)
}

// noScripts switches the page's scripts off, as some people do.
func (b *tab) noScripts() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	must(b.t, err)
}

// try evaluates an expression in the page.
func try[T any](b *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := try[T](b, expression)
	if err != nil {
		b.t.Fatalf("%s, in %s: %v", expression, b.shown(), err)
	}
	return v
}

// until waits for an expression to be true.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if ok, err := try[bool](b, "!!("+expression+")"); err == nil && ok {
			return
		} else if time.Now().After(deadline) {
			b.keepPicture()
			b.t.Fatalf("not within %v: %s (%v); %s shows:\n%s", patience, what, err, b.shown(), b.text())
		}
	}
}

// keepPicture keeps what is seen where a test failed, for whoever looks for the reason.
func (b *tab) keepPicture() {
	shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return
	}
	if file, err := os.CreateTemp("", "segell-e2e-*.png"); err == nil {
		defer file.Close()
		_, _ = file.Write(shot)
		b.t.Log("it looks like " + file.Name())
	}
}

// leads does something that leads to another document, and waits until that is there.
func (b *tab) leads(do func()) {
	b.t.Helper()
	eval[bool](b, "window.segellBefore = true")
	do()
	b.until("another page", `document.readyState === "complete" && !window.segellBefore`)
}

// open goes to an address of the console.
func (b *tab) open(address string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(b.h.front.URL+address)); err != nil {
		var load *chromedp.LoadError
		if !errors.As(err, &load) {
			b.t.Fatalf("%s: %v", address, err)
		}
	}
	b.until("the page", `document.readyState === "complete"`)
}

// text is what can be read on the page.
func (b *tab) text() string {
	text, _ := try[string](b, "document.body.innerText")
	return text
}

func (b *tab) reads(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		b.until("the page says "+text, fmt.Sprintf("document.body.innerText.replaceAll('\\u00a0', ' ').includes(%s)", quote(strings.ReplaceAll(text, "\u00a0", " "))))
	}
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // of a text
	}
	return string(quoted)
}

// find is JavaScript for the first visible element of a CSS selector; with words,
// the first that says them.
func find(selector, words string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%s)].find((e) => e.checkVisibility({visibilityProperty: true}) && (e.innerText + " " + e.getAttribute("aria-label")).includes(%s))`, quote(selector), quote(words))
}

// click presses the mouse on an element, where it is to be seen.
func (b *tab) click(selector, words string) {
	b.t.Helper()
	at := find(selector, words)
	b.until("there is "+selector+" "+words, at)
	type place struct {
		X, Y float64
		Over bool
	}
	p := eval[place](b, `(() => {
		const e = `+at+`;
		e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getClientRects()[0], x = r.x + r.width / 2, y = r.y + r.height / 2, top = document.elementFromPoint(x, y);
		return {x, y, over: !!top && (e.contains(top) || top.contains(e))};
	})()`)
	if !p.Over {
		b.t.Fatalf("%s %q of %s lies below something else", selector, words, b.shown())
	}
	must(b.t, chromedp.Do(b.ctx, chromedp.MouseClickXY(p.X, p.Y)))
}

// goes clicks on what leads to another page.
func (b *tab) goes(selector, words string) {
	b.t.Helper()
	b.leads(func() { b.click(selector, words) })
}

// fill types into a field.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.click(selector, "")
	_ = eval[bool](b, find(selector, "")+".select() || true")
	_, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text})
	must(b.t, err)
}

// choose takes an option of a field.
func (b *tab) choose(selector, value string) {
	b.t.Helper()
	if eval[string](b, fmt.Sprintf("(() => { const e = %s; e.value = %s; e.dispatchEvent(new Event('change', {bubbles: true})); return e.value; })()", find(selector, ""), quote(value))) != value {
		b.t.Fatalf("%s has no %s", selector, value)
	}
}

// login is the member of staff's way in.
func (b *tab) login(login, code string) {
	b.t.Helper()
	b.open("/login")
	b.fill("#login", login)
	b.fill("#password", password)
	if code != "" {
		b.fill("#code", code)
	}
	b.goes("main form button", "")
	if got := b.shown(); got != "GET /" {
		b.t.Fatalf("%s logs in and comes to %s:\n%s", login, got, b.text())
	}
}

// as opens a tab in which somebody has logged in.
func (h *house) as(t *testing.T, login string) *tab {
	t.Helper()
	b := h.visitor(t)
	b.login(login, "")
	return b
}

// logout leaves.
func (b *tab) logout() {
	b.t.Helper()
	b.goes(`form[action="/logout"] button`, "")
}

// screenshot is the page as a PNG, from its top.
func (b *tab) screenshot() []byte {
	b.t.Helper()
	yes := true
	size := eval[[2]float64](b, "[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &yes,
		Clip: &page.Viewport{Width: size[0], Height: min(size[1], pictureMost), Scale: 1}})
	must(b.t, err)
	return shot.Data
}
