package download

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/internal/judges"
	"segell/ledger"
	"segell/pages"
	"segell/storage"
	"segell/storage/storagetest"
	"segell/templates"
)

// counter is the handler on a ledger in memory, with one issued document.
type counter struct {
	http.Handler
	*ledger.Ledger
	t      *testing.T
	bucket *storagetest.Memory
	now    time.Time
	record ledger.Record
	log    *buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{t: t, bucket: &storagetest.Memory{}, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), log: &buffer{}}
	c.bucket.Now = func() time.Time { return c.now }
	c.Ledger, err = ledger.New(ledger.Config{Objects: c.bucket, Keyset: keyset, HMACKey: make([]byte, ledger.HMACKeySize), Random: rand.Reader,
		Now: func() time.Time { return c.now }})
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := c.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: "k", Kind: "coverage_certificate", Code: "COB", CASSNumber: "000000A",
		Queue: "interactive", Body: []byte(`{"holder":{"full_name":"Canari Groc, Aloma"}}`), At: c.now})
	if err != nil {
		t.Fatal(err)
	}
	request, err := c.Request(t.Context(), receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	document, err := c.Issue(t.Context(), request, []byte("%PDF-1.7"), ledger.Document{Level: "B-T", Pages: 1, Certificate: "c"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(t.Context(), request, document, "ca", "", ledger.Mask("Canari Groc, Aloma", "000000A"), ledger.Making{}); err != nil {
		t.Fatal(err)
	}
	if c.record, err = c.Record(t.Context(), receipt.ID); err != nil {
		t.Fatal(err)
	}
	c.Handler, err = New(Config{Tickets: c.Ledger, Institution: "Caixa Andorrana de Seguretat Social", Now: func() time.Time { return c.now },
		Log: slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *counter) ticket(o ledger.TicketOrder) (secret string) {
	c.t.Helper()
	o.Request = c.record.ID
	secret, _, err := c.IssueTicket(c.t.Context(), o)
	if err != nil {
		c.t.Fatal(err)
	}
	return secret
}

// follow asks as a browser does; headers are pairs.
func (c *counter) follow(method, secret string, headers ...string) *httptest.ResponseRecorder {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, "/d/"+secret, nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

func (c *counter) used(secret string) int {
	c.t.Helper()
	ticket, err := c.Ticket(c.t.Context(), secret)
	if err != nil {
		c.t.Fatal(err)
	}
	return len(ticket.Downloads)
}

var answerOf = regexp.MustCompile(`<div class="answer ([a-z_]+)">`)

func (c *counter) want(w *httptest.ResponseRecorder, status int, answer string) {
	c.t.Helper()
	found := answerOf.FindStringSubmatch(w.Body.String())
	if w.Code != status || answer == "" && found != nil || answer != "" && (found == nil || found[1] != answer) {
		c.t.Errorf("answered %d %q, want %d %q", w.Code, found, status, answer)
	}
	if answer != "" && w.Header().Get("Location") != "" {
		c.t.Errorf("a page leads to %s", w.Header().Get("Location"))
	}
	for name, value := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow", "X-Content-Type-Options": "nosniff"} {
		if got := w.Header().Get(name); got != value {
			c.t.Errorf("%s: %q", name, got)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "script") {
		c.t.Errorf("Content-Security-Policy: %q", policy)
	}
}

// The file has a name that a person understands, in the language of the ticket or
// of the browser.
func TestATicketLeadsToTheFile(t *testing.T) {
	for _, x := range []struct{ ticket, browser, query, want string }{
		{"ca", "en", "", "Certificat de cobertura"},
		{"es", "", "", "Certificado de cobertura"},
		{"", "fr-CH, fr;q=0.9", "", "Attestation de couverture"},
		{"", "de", "", "Certificat de cobertura"},
		{"ca", "ca", "?lang=en", "Health coverage certificate"},
	} {
		c := newCounter(t)
		w := c.follow("GET", c.ticket(ledger.TicketOrder{Language: x.ticket})+x.query, "Accept-Language", x.browser)
		c.want(w, http.StatusSeeOther, "")
		address, err := url.Parse(w.Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		kind, _ := templates.Lookup("coverage_certificate")
		if x.want == "" {
			x.want, _ = kind.Title("ca")
		}
		got := address.Query().Get("response-content-disposition")
		if !strings.Contains(got, x.want) || !strings.Contains(got, " CASS-2026-COB-0000001.pdf") || !strings.HasPrefix(got, "attachment") {
			t.Errorf("%+v: the file is called %s", x, got)
		}
		if !strings.Contains(address.Path, c.record.ID) || address.Query().Get("X-Amz-Expires") != "60" {
			t.Errorf("led to %s", address)
		}
	}
}

// What opens nothing is told by a page, with the right status.
func TestWhatOpensNothing(t *testing.T) {
	for name, x := range map[string]struct {
		spoil  func(c *counter, secret string) string
		status int
		answer string
	}{
		"garbled":     {func(c *counter, s string) string { return "x" + s[1:] }, 404, answerUnknown},
		"cut off":     {func(c *counter, s string) string { return s[:20] }, 404, answerUnknown},
		"last digit":  {func(c *counter, s string) string { return s[:len(s)-1] + "_" }, 404, answerUnknown},
		"no ticket":   {func(c *counter, s string) string { return "" }, 404, answerUnknown},
		"a path":      {func(c *counter, s string) string { return s + "/more" }, 404, answerUnknown},
		"expired":     {func(c *counter, s string) string { c.now = c.now.Add(15 * time.Minute); return s }, 410, answerExpired},
		"almost over": {func(c *counter, s string) string { c.now = c.now.Add(15*time.Minute - time.Second); return s }, 303, ""},
		"revoked": {func(c *counter, s string) string {
			ticket, err := c.Ticket(c.t.Context(), s)
			if err := errors.Join(err, c.RevokeTicket(c.t.Context(), c.record.ID, ticket.ID)); err != nil {
				c.t.Fatal(err)
			}
			return s
		}, 410, answerRevoked},
		"withdrawn": {func(c *counter, s string) string {
			if _, err := c.Withdraw(c.t.Context(), c.record.ID, ledger.WithdrawnInError); err != nil {
				c.t.Fatal(err)
			}
			return s
		}, 410, answerWithdrawn},
		"replaced": {func(c *counter, s string) string { c.status(ledger.StateReplaced); return s }, 410, answerReplaced},
		"erased":   {func(c *counter, s string) string { c.status(ledger.StateErased); return s }, 410, answerErased},
		"file removed": {func(c *counter, s string) string {
			if err := c.Expire(c.t.Context(), c.record.ID); err != nil {
				c.t.Fatal(err)
			}
			return s
		}, 410, answerErased},
		"no record": {func(c *counter, s string) string {
			if err := c.bucket.Delete(c.t.Context(), recordKey(c)); err != nil {
				c.t.Fatal(err)
			}
			return s
		}, 410, answerErased},
		"store away": {func(c *counter, s string) string {
			c.bucket.Fault = func(op, key string) error { return storage.ErrUnavailable }
			return s
		}, 503, answerUnavailable},
		"count fails": {func(c *counter, s string) string {
			c.bucket.Fault = func(op, key string) error {
				if op == "replace" {
					return storage.ErrUnavailable
				}
				return nil
			}
			return s
		}, 503, answerUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t)
			secret := c.ticket(ledger.TicketOrder{})
			c.want(c.follow("GET", x.spoil(c, secret)), x.status, x.answer)
			if text := c.log.String(); strings.Contains(text, secret) || strings.Contains(text, secret[22:]) || !strings.Contains(text, "route=/d/") {
				t.Errorf("the log holds the ticket, or no line:\n%s", text)
			}
		})
	}
}

// recordKey is where the ledger keeps the document's record.
func recordKey(c *counter) string { return "records/2026/03/02/" + c.record.ID }

func (c *counter) status(s ledger.State) {
	c.t.Helper()
	record := c.record
	record.Status = s
	body, err := json.Marshal(record)
	if err == nil {
		_, err = c.bucket.Write(c.t.Context(), recordKey(c), body, storage.Put{})
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// A ticket is counted by what people do, not by programs that look ahead.
func TestATicketIsCounted(t *testing.T) {
	c := newCounter(t)
	secret := c.ticket(ledger.TicketOrder{Most: 2})
	for name, x := range map[string]struct {
		method string
		header []string
		status int
	}{
		"HEAD":              {"HEAD", nil, 200},
		"prefetch":          {"GET", []string{"Sec-Purpose", "prefetch"}, 503},
		"prerender":         {"GET", []string{"Sec-Purpose", "prefetch;prerender"}, 503},
		"older prefetch":    {"GET", []string{"Purpose", "prefetch"}, 200},
		"old Safari":        {"GET", []string{"X-Purpose", "preview"}, 200},
		"old Firefox":       {"GET", []string{"X-Moz", "prefetch"}, 200},
		"WhatsApp":          {"GET", []string{"User-Agent", "WhatsApp/2.23.20.0"}, 200},
		"iMessage":          {"GET", []string{"User-Agent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0"}, 200},
		"Slack":             {"GET", []string{"User-Agent", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}, 200},
		"Telegram":          {"GET", []string{"User-Agent", "TelegramBot (like TwitterBot)"}, 200},
		"Teams":             {"GET", []string{"User-Agent", "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com"}, 200},
		"a search engine's": {"GET", []string{"User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, 200},
	} {
		w := c.follow(x.method, secret, x.header...)
		if x.method == "HEAD" {
			if w.Code != x.status || w.Header().Get("Location") != "" {
				t.Errorf("%s: %d, led to %q", name, w.Code, w.Header().Get("Location"))
			}
			continue
		}
		c.want(w, x.status, answerReady)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	if n := c.used(secret); n != 0 {
		t.Fatalf("programs used it %d times", n)
	}

	c.want(c.follow("GET", secret), 303, "")
	c.now = c.now.Add(59 * time.Second) // the last address is still good: that is the same download
	c.want(c.follow("GET", secret), 303, "")
	if n := c.used(secret); n != 1 {
		t.Errorf("tapped twice it was counted %d times", n)
	}
	c.now = c.now.Add(time.Minute)
	c.want(c.follow("GET", secret), 303, "")
	c.now = c.now.Add(time.Minute)
	c.want(c.follow("GET", secret), 410, answerUsedUp)
	if n := c.used(secret); n != 2 {
		t.Errorf("counted %d", n)
	}

	// A browser whose name we take for a program's must not be locked out.
	secret = c.ticket(ledger.TicketOrder{})
	robot := []string{"User-Agent", "Mozilla/5.0 (Linux; Android 10; Robot/9) Chrome/99"}
	page := c.follow("GET", secret, robot...)
	c.want(page, 200, answerReady)
	link := regexp.MustCompile(`class="button" href="([^"]+)"`).FindStringSubmatch(page.Body.String())
	if link == nil {
		t.Fatal("the page has no button")
	}
	c.want(c.follow("GET", secret+strings.ReplaceAll(link[1], "&amp;", "&"), robot...), 303, "")
}

// Many browsers at once use up a ticket no more often than it allows.
func TestManyAtOnce(t *testing.T) {
	c := newCounter(t)
	secret := c.ticket(ledger.TicketOrder{Most: 3})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { c.follow("GET", secret) })
	}
	all.Wait()
	if n := c.used(secret); n != 1 {
		t.Errorf("16 within one second were counted %d times", n)
	}
}

func TestEveryLanguageSaysTheSame(t *testing.T) {
	var catalan []string
	for _, tag := range pages.Languages {
		body, err := localeFiles.ReadFile("locales/" + tag + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(body, &all); err != nil {
			t.Fatal(err)
		}
		keys := slices.Sorted(maps.Keys(all))
		if tag == "ca" {
			catalan = keys
		}
		if !slices.Equal(keys, catalan) {
			t.Errorf("%s: keys %q, want %q", tag, keys, catalan)
		}
		if strings.Contains(string(body), "'") {
			t.Errorf("%s: a straight apostrophe", tag)
		}
	}
	for _, bad := range []string{`{"tag":"ca"}`, `{"tag":"ca","more":1}`} {
		if _, err := pages.ReadLocale([]byte(bad), (*words).judge); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// every gives all pages in all languages.
func every(t *testing.T) map[string]string {
	t.Helper()
	c := newCounter(t)
	all := map[string]string{}
	for answer := range httpStatus {
		for _, tag := range pages.Languages {
			secret := c.ticket(ledger.TicketOrder{Language: tag})
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(context.Background(), "GET", "/d/"+secret, nil)
			inner := c.inner(t)
			inner.answer(w, r, "/d/{ticket}", finding{answer: answer, tag: tag})
			all[answer+"."+tag] = w.Body.String()
			if got := w.Header().Get("Content-Language"); got != tag {
				t.Errorf("%s: Content-Language is %q", tag, got)
			}
			if strings.Contains(w.Body.String(), secret) || strings.Contains(w.Body.String(), "<script") {
				t.Errorf("%s.%s holds the ticket or a script", answer, tag)
			}
		}
	}
	return all
}

// inner is the handler without its router.
func (c *counter) inner(t *testing.T) *handler {
	t.Helper()
	h := &handler{Config: Config{Tickets: c.Ledger, Institution: "Caixa Andorrana de Seguretat Social", Now: func() time.Time { return c.now }, Log: slog.New(slog.DiscardHandler)}}
	if err := h.prepare(); err != nil {
		t.Fatal(err)
	}
	return h
}

// axe finds no fault with any page, on a telephone and on a desk, by day and by
// night.
func TestPagesAreAccessible(t *testing.T) {
	assets, err := pages.NewAssets("/d/assets/", nil)
	if err != nil {
		t.Fatal(err)
	}
	judged := map[string]string{}
	all := every(t)
	for _, name := range []string{"expired.ca", "ready.pt", "withdrawn.fr"} {
		judged[name] = all[name]
	}
	mux := http.NewServeMux()
	mux.Handle("GET /d/assets/{name}", assets)
	judges.Axe(t, judged, mux)
}
