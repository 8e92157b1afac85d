package console_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"segell/console"
)

// stranger is a browser in which nobody is logged in.
func (o *office) stranger() *browser {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	o.must(err)
	return &browser{o, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// sendWith is send with headers, in pairs.
func (b *browser) sendWith(method, path string, form url.Values, headers ...string) reply {
	b.o.t.Helper()
	request, err := http.NewRequestWithContext(b.o.t.Context(), method, b.o.server.URL+path, strings.NewReader(form.Encode()))
	b.o.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := b.http.Do(request)
	b.o.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	b.o.must(err)
	return reply{answer.StatusCode, answer.Header, string(text), answer.Header.Get("Location")}
}

// csrf is the token of the session's forms.
func (b *browser) csrf() string {
	b.o.t.Helper()
	found := tokenIn.FindStringSubmatch(b.get("/account").body)
	if found == nil {
		b.o.t.Fatal("the account page has no token for its forms")
	}
	return found[1]
}

var (
	tokenIn = regexp.MustCompile(`name="csrf" value="([^"]+)"`)
	assetIn = regexp.MustCompile(`/assets/[0-9a-f]+\.(?:css|js|svg)`)
)

// pathOf puts something into the places of a pattern.
func pathOf(pattern string) string {
	return strings.NewReplacer("{$}", "", "{id}", "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e", "{group}", "0123456789abcdef", "{cause}", "tsa_away", "{name}", "none.css").Replace(pattern)
}

// may is what each member of staff of the office may do.
var may = map[string][]string{
	"":     {console.Open},
	"mira": {console.Open, console.Member, "look"},
	"anna": {console.Open, console.Member, "look", "act"},
	"olga": {console.Open, console.Member, "look", "audit"},
}

// endsSession are the routes after which nobody is logged in any more.
var endsSession = []string{"/logout", "/account/sessions/end", "/account/totp/drop"}

// Every route with every role and every method, with the token of the session, as
// somebody does who knows how: what a role does not allow is not done.
func TestEveryRouteWithEveryRole(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	table := o.console.Table()
	if len(table) < 30 {
		t.Fatalf("%d routes: is this test blind?", len(table))
	}
	known := http.NewServeMux()
	for _, row := range table {
		known.Handle(row.Method+" "+row.Pattern, http.NotFoundHandler())
	}
	for _, who := range []string{"", "mira", "anna", "olga"} {
		b, token := o.stranger(), ""
		login := func() {
			if who != "" {
				b = o.login(who)
				token = b.csrf()
			}
		}
		login()
		for _, row := range table {
			if row.Pattern == "/live" { // see TestStreams
				continue
			}
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				form := url.Values{"why": {"A test walks all routes"}, "target": {"queue:batch"}, "csrf": {token}}
				got := b.sendWith(method, pathOf(row.Pattern), form)
				name := who + " " + method + " " + row.Pattern
				_, pattern := known.Handler(httptest.NewRequest(method, pathOf(row.Pattern), nil))
				switch {
				case pattern == "":
					if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
						t.Errorf("%s: %d, Allow %q", name, got.status, got.header.Get("Allow"))
					}
				case pattern != row.Method+" "+row.Pattern: // its own row judges it
				case slices.Contains(may[who], row.Need):
					if got.status == http.StatusForbidden && row.Need != console.Open || got.status >= 500 || row.Need != console.Open && strings.HasPrefix(got.location, "/login") && !slices.Contains(endsSession, row.Pattern) {
						t.Errorf("%s: %d to %q, and it is allowed", name, got.status, got.location)
					}
				case who == "":
					if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, "/login") {
						t.Errorf("%s: %d to %q, want the way to log in", name, got.status, got.location)
					}
				default:
					if got.status != http.StatusForbidden {
						t.Errorf("%s: %d, want 403", name, got.status)
					}
				}
				if method == http.MethodPost && slices.Contains(endsSession, row.Pattern) {
					login()
				}
			}
		}
	}
	for record, err := range o.ledger.AuditTrail(t.Context()) {
		o.must(err)
		if (record.Who == "mira" || record.Who == "olga") && !strings.HasPrefix(record.What, "staff.") && record.What != "audit.verify" && record.What != "audit.export" {
			t.Errorf("%s could do %s", record.Who, record.What)
		}
		if record.Who == "mira" && strings.HasPrefix(record.What, "audit.") {
			t.Errorf("mira could read the audit trail: %s", record.What)
		}
	}
}

// A flood of what a role does not allow is refused each time, and is one entry of
// the trail, not hundreds that stay for ever and that acts must wait behind.
func TestAFloodOfRefusalsIsOneEntry(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	mira := o.login("mira")
	form := url.Values{"csrf": {mira.csrf()}, "why": {"A test floods"}, "target": {"queue:batch"}}
	for n := range 60 {
		path := []string{"/pause", "/requests/" + fmt.Sprintf("0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7%03x", n) + "/retry"}[n%2]
		if got := mira.sendWith(http.MethodPost, path, form); got.status != http.StatusForbidden {
			t.Fatalf("POST %s: %d, want 403", path, got.status)
		}
	}
	records, trail := o.entries()
	denied := map[string]int{}
	for _, r := range records {
		if r.What == "staff.denied" && r.Who == "mira" {
			denied[r.ID]++
		}
	}
	if len(denied) != 2 || denied["pause"] != 1 || denied["requests.id.retry"] != 1 {
		t.Errorf("the trail has %v:\n%s", denied, trail)
	}
}

// Forms without the token of their session, with another's, and from other sites
// are refused, whoever is logged in, and nothing is done.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	anna, stolen := o.login("anna"), o.login("bru").csrf()
	own := anna.csrf()
	for _, row := range o.console.Table() {
		if row.Method != http.MethodPost || row.Need == console.Open {
			continue
		}
		if row.Need == "audit" {
			continue // of another role; see TestEveryRouteWithEveryRole
		}
		for name, c := range map[string]struct {
			token   string
			headers []string
		}{
			"without a token":               {"", nil},
			"with a token cut short":        {own[:len(own)-1], nil},
			"with another session's token":  {stolen, nil},
			"of another site, by its word":  {own, []string{"Sec-Fetch-Site", "cross-site"}},
			"of a site beside this one":     {own, []string{"Sec-Fetch-Site", "same-site"}},
			"of another origin":             {own, []string{"Origin", "https://evil.example"}},
			"of a page that hides its name": {own, []string{"Origin", "null"}},
		} {
			form := url.Values{"why": {"A test forges forms"}, "target": {"queue:batch"}}
			if c.token != "" {
				form.Set("csrf", c.token)
			}
			if got := anna.sendWith(http.MethodPost, pathOf(row.Pattern), form, c.headers...); got.status != http.StatusForbidden {
				t.Errorf("POST %s %s: %d, want 403", row.Pattern, name, got.status)
			}
		}
		// A token in the address is none.
		if got := anna.send(http.MethodPost, pathOf(row.Pattern)+"?csrf="+url.QueryEscape(own), url.Values{}); got.status != http.StatusForbidden {
			t.Errorf("POST %s with its token in the address: %d", row.Pattern, got.status)
		}
	}
	for record, err := range o.ledger.AuditTrail(t.Context()) {
		o.must(err)
		if !strings.HasPrefix(record.What, "staff.add") && record.What != "staff.login" {
			t.Errorf("a forged form did %s", record.What)
		}
	}
	if pauses, err := o.ledger.Pauses(t.Context()); err != nil || len(pauses) > 0 {
		t.Errorf("a forged form paused %v, %v", pauses, err)
	}
	// With all that is due, it is done.
	if got := anna.sendWith(http.MethodPost, "/pause", url.Values{"csrf": {own}, "why": {"A test pauses"}, "target": {"queue:batch"}},
		"Sec-Fetch-Site", "same-origin", "Origin", o.server.URL); got.status != http.StatusSeeOther {
		t.Errorf("a form that is no forgery: %d", got.status)
	}
	// Somebody else's form to log in, which would put a person into another's session.
	stranger := o.stranger()
	if got := stranger.send(http.MethodPost, "/login", url.Values{"login": {"bru"}, "password": {officePassword}}); got.status != http.StatusForbidden {
		t.Errorf("a login without its form: %d", got.status)
	}
}

// The headers of every answer, and no script or style within a page.
func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	anna, olga, nobody := o.login("anna"), o.login("olga"), o.stranger()
	for _, b := range []*browser{anna, olga, nobody} {
		for _, row := range o.console.Table() {
			if row.Pattern == "/live" {
				continue
			}
			got := b.get(pathOf(row.Pattern))
			checkHeaders(t, row.Pattern, got)
			if strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
				checkPage(t, row.Pattern, got.body)
			}
		}
		for _, path := range []string{"/nothing/here", "/api/v1/nothing", "/requests/../work", "/%00"} {
			checkHeaders(t, path, b.get(path))
		}
	}
	page := anna.get("/work")
	for _, asset := range assetIn.FindAllString(page.body, -1) {
		got := nobody.get(asset)
		if got.status != http.StatusOK || got.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d, %q", asset, got.status, got.header.Get("Cache-Control"))
		}
	}
	for _, cookie := range []string{strings.Join(nobody.get("/login").header.Values("Set-Cookie"), " "), strings.Join(anna.post("/language", "language", "es").header.Values("Set-Cookie"), " ")} {
		if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || !strings.Contains(cookie, "Path=/") || strings.Contains(cookie, "Domain") {
			t.Errorf("a cookie: %s", cookie)
		}
	}
}

func checkHeaders(t *testing.T, path string, got reply) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "X-Robots-Tag": "noindex, nofollow",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s: %s: %q, want %q", path, name, value, want)
		}
	}
	policy := got.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%s: the policy lacks %s: %q", path, want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "data:") {
		t.Errorf("%s: %q", path, policy)
	}
}

// checkPage finds what the policy would stop, and ids that are there twice.
func checkPage(t *testing.T, path, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		source := false
		for _, a := range n.Attr {
			source = source || a.Key == "src"
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.TrimSpace(a.Val), "javascript:") {
				t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
			}
			if a.Key == "id" {
				if ids[a.Val] {
					t.Errorf("%s: the id %s is there twice", path, a.Val)
				}
				ids[a.Val] = true
			}
		}
		if n.Data == "style" || n.Data == "script" && !source {
			t.Errorf("%s: a <%s> within the page", path, n.Data)
		}
	}
}
