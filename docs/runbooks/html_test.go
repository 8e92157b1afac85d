package runbooks_test

import (
	"regexp"
	"strings"
	"testing"

	"segell/docs/runbooks"
)

func TestHTML(t *testing.T) {
	for name, c := range map[string]struct{ markdown, html string }{
		"the title is a h2, a section a h3":   {"# One\n\n## Two\n", "<h2>One</h2>\n<h3>Two</h3>\n"},
		"another runbook is a page":           {"[see](tsa_away.md)", "<p><a href=\"/runbooks/tsa_away\">see</a></p>\n"},
		"a file of the project is its words":  {"[docs/sealing.md, *A new key*](../../sealing.md#a-new-key)!", "<p>docs/sealing.md, <em>A new key</em>!</p>\n"},
		"no runbook of that name is words":    {"[see](no_such_cause.md)", "<p>see</p>\n"},
		"the index is words":                  {"[see](README.md)", "<p>see</p>\n"},
		"an https address stays":              {"[see](https://example.org/a?b=1&c)", "<p><a href=\"https://example.org/a?b=1&amp;c\">see</a></p>\n"},
		"a script is no address":              {"[see](javascript:alert(1)) [too](JaVaScRiPt:alert(1).md)", "<p>see too</p>\n"},
		"nor is data":                         {"[see](data:text/html,x)", "<p>see</p>\n"},
		"nor another host without a scheme":   {"[see](//example.org/x.md)", "<p>see</p>\n"},
		"no picture is loaded":                {"![words](https://example.org/a.png)", "<p>words</p>\n"},
		"a block of HTML is left out":         {"<script>alert(1)</script>\n", "<!-- raw HTML omitted -->\n"},
		"so is HTML in a line":                {"a <b onclick=\"x\">b</b>", "<p>a <!-- raw HTML omitted -->b<!-- raw HTML omitted --></p>\n"},
		"commands are escaped and scrollable": {"```sh\" onclick=\"x\nsegell <ID> \"…\" &\n```", "<pre tabindex=\"0\" translate=\"no\"><code>segell &lt;ID&gt; &quot;…&quot; &amp;\n</code></pre>\n"},
		"code is escaped":                     {"`<script>`", "<p><code>&lt;script&gt;</code></p>\n"},
		"nothing":                             {"", ""},
	} {
		if got := string(runbooks.HTML([]byte(c.markdown))); got != c.html {
			t.Errorf("%s: %q, want %q", name, got, c.html)
		}
	}
}

func TestEveryRunbookRenders(t *testing.T) {
	tag := regexp.MustCompile(`<(/?)(\w+)[^>]*>`)
	each(t, func(language, cause string, p page) {
		markdown, _, _ := runbooks.Runbook(cause, language)
		html := string(runbooks.HTML(markdown))
		if !strings.HasPrefix(html, "<h2>") || strings.Count(html, "<h3>") != sections || strings.Contains(html, "<!--") {
			t.Errorf("%s becomes\n%s", p.name, html)
		}
		var open []string
		for _, found := range tag.FindAllStringSubmatch(html, -1) {
			if found[1] == "" {
				open = append(open, found[2])
			} else if len(open) == 0 || open[len(open)-1] != found[2] {
				t.Fatalf("%s: </%s> closes nothing", p.name, found[2])
			} else {
				open = open[:len(open)-1]
			}
		}
		if len(open) > 0 {
			t.Errorf("%s leaves %q open", p.name, open)
		}
	})
}
