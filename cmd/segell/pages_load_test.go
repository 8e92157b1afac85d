package main

import (
	"crypto/rand"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/internal/servers"
)

// seeded is a house with a register: that of the settings around the benchmark,
// which cmd/seed has filled, or else a small one.
func seeded(b *testing.B) *house {
	b.Helper()
	var h *house
	if os.Getenv("SEGELL_S3_BUCKET") != "" {
		h = &house{t: b, dir: b.TempDir(), settings: map[string]string{"SEGELL_ADMIN_LISTEN": servers.FreeAddress(b)}}
		for _, setting := range os.Environ() {
			if name, value, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "SEGELL_S3_") || strings.HasPrefix(name, "SEGELL_LEDGER_") || name == "SEGELL_REDIS_URL" {
				h.settings[name] = value
			}
		}
	} else {
		h = newHouse(b, servers.RedisOptions{})
		seed := exec.Command("go", "run", "../seed", "-n", "2500")
		seed.Env = os.Environ()
		for name, value := range h.settings {
			seed.Env = append(seed.Env, name+"="+value)
		}
		if words, err := seed.CombinedOutput(); err != nil {
			b.Fatalf("seed: %v\n%s", err, words)
		}
	}
	h.settings["SEGELL_CONSOLE_LISTEN"], h.settings["SEGELL_STAFF_REQUIRE_TOTP"] = servers.FreeAddress(b), "false"
	return h
}

var (
	csrfField   = regexp.MustCompile(`name="csrf" value="([^"]+)"`)
	groupLink   = regexp.MustCompile(`href="(/causes/[0-9a-f]+)"`)
	requestLink = regexp.MustCompile(`href="(/requests/[0-9a-f-]+)"`)
	olderLink   = regexp.MustCompile(`rel="next" href="([^"]+)"`)
	cassIn      = regexp.MustCompile(`\b[0-9]{6}[A-Z]\b`)
	rowNumber   = regexp.MustCompile(`class="mono">(CASS-[0-9]{4}-[A-Z]{3}-[0-9]{7})<`)
)

// clerk is a browser in which somebody has logged in.
type clerk struct {
	b       *testing.B
	console string
	http    *http.Client
	csrf    string
}

func (c *clerk) ask(method, path string, form url.Values) string {
	c.b.Helper()
	if form != nil {
		form.Set("csrf", c.csrf)
	}
	request, err := http.NewRequest(method, c.console+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.b.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.http.Do(request)
	if err != nil {
		c.b.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusSeeOther {
		c.b.Fatalf("%s %s: %d %v\n%s", method, path, answer.StatusCode, err, text)
	}
	if to := answer.Header.Get("Location"); to != "" {
		return to
	}
	return string(text)
}

func (c *clerk) get(path string) string {
	c.b.Helper()
	return c.ask(http.MethodGet, path, nil)
}

// link is what the first of a sort on a page says: a link, a number, a token.
func (c *clerk) link(page string, sort *regexp.Regexp) string {
	c.b.Helper()
	found := sort.FindStringSubmatch(page)
	if found == nil {
		c.b.Fatalf("no %v on the page:\n%s", sort, page)
	}
	return html.UnescapeString(found[1])
}

// BenchmarkPages measures how long each page of the console takes before a large
// register: p50, p95 and the most, in milliseconds. For docs/performance.md, after
// cmd/seed and with its variables:
// go test -run '^$' -bench Pages -benchtime 50x ./cmd/segell
func BenchmarkPages(b *testing.B) {
	h := seeded(b)
	adding := h.command(nil, "staff", "add", "bench."+strings.ToLower(rand.Text()[:8]), "--name", "Clara Clerk", "--role", "act", "--role", "audit")
	adding.Stdin = strings.NewReader("a password of many words\n")
	if words, err := adding.CombinedOutput(); err != nil {
		b.Fatalf("staff add: %v\n%s", err, words)
	}
	h.start("console", nil)
	console := "http://" + h.settings["SEGELL_CONSOLE_LISTEN"]
	answer, browser, err := login(console, adding.Args[3], "a password of many words", nil)
	if err != nil || answer.StatusCode != http.StatusSeeOther {
		b.Fatalf("logging in: %v %v", answer, err)
	}
	c := &clerk{b: b, console: console, http: browser}
	c.csrf = c.link(c.get("/account"), csrfField)

	causes := c.get("/causes")
	group := c.link(causes, groupLink)
	failedPage, issuedPage := c.get("/find?state=failed"), c.get("/find?state=issued")
	failed, issued := c.link(failedPage, requestLink), c.link(issuedPage, requestLink)
	number := c.link(issuedPage, rowNumber)
	cass := cassIn.FindString(c.ask(http.MethodPost, failed+"/show", url.Values{"why": {"measuring how long a page takes"}}))
	person := c.ask(http.MethodPost, "/find", url.Values{"one": {cass}})
	deep := "/find"
	for range 40 {
		deep = c.link(c.get(deep), olderLink)
	}
	month := time.Now().AddDate(0, -2, 0)
	pages := []struct {
		name, method, path string
		form               url.Values
	}{
		{"landing", "GET", "/", nil}, {"causes", "GET", "/causes", nil}, {"cause", "GET", group, nil}, {"runbook", "GET", "/runbooks/tsa_away", nil},
		{"find/all", "GET", "/find", nil}, {"find/page-41", "GET", deep, nil}, {"find/failed", "GET", "/find?state=failed", nil},
		{"find/kind-and-state", "GET", "/find?kind=coverage_certificate&state=withdrawn", nil}, {"find/cause", "GET", "/find?state=failed&cause=tsa_away", nil},
		{"find/month", "GET", "/find?from=" + month.AddDate(0, -1, 0).Format(time.DateOnly) + "&until=" + month.Format(time.DateOnly), nil},
		{"find/by-number", "POST", "/find", url.Values{"one": {number}}}, {"find/by-CASS-number", "POST", "/find", url.Values{"one": {cass}}}, {"find/person", "GET", person, nil},
		{"request/failed", "GET", failed, nil}, {"request/issued", "GET", issued, nil},
		{"bulk/dry-run-of-a-cause", "POST", "/bulk/plan", url.Values{"group": {group[len("/causes/"):]}, "what": {"retry"}}},
		{"bulk/list", "GET", "/bulk", nil}, {"work", "GET", "/work", nil}, {"callbacks", "GET", "/callbacks", nil}, {"audit", "GET", "/audit", nil}, {"account", "GET", "/account", nil},
	}
	for _, page := range pages {
		b.Run(page.name, func(b *testing.B) {
			c.b = b
			var took []time.Duration
			for b.Loop() {
				if page.name == "find/by-CASS-number" && len(took) == 25 {
					continue // a clerk may ask for 30 persons in ten minutes
				}
				began := time.Now()
				c.ask(page.method, page.path, page.form)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			for name, at := range map[string]int{"p50-ms": len(took) / 2, "p95-ms": len(took) * 95 / 100, "most-ms": len(took) - 1} {
				b.ReportMetric(float64(took[at].Microseconds())/1000, name)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
