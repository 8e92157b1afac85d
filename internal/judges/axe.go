package judges

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Axe lets axe-core judge pages in a browser, by name, at the width of a telephone
// and of a desk, light and dark, by the rules of WCAG 2.2 A and AA. assets serves
// what the pages load. A page's own Content-Security-Policy is not in force here:
// axe is a script.
func Axe(t testing.TB, pages map[string]string, assets http.Handler) {
	t.Helper()
	axe := filepath.Join(nodeModules(t), "node_modules", "axe-core", "axe.min.js")
	mux := http.NewServeMux()
	mux.Handle("/", assets)
	mux.HandleFunc("GET /axe.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, axe) })
	for name, page := range pages {
		judged := strings.Replace(page, "</body>", axeRun+"</body>", 1)
		if judged == page {
			t.Fatalf("%s has no </body>", name)
		}
		mux.HandleFunc("GET /page/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(judged))
		})
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	for name := range pages {
		for _, look := range [][]string{{"--window-size=390,844"}, {"--window-size=1440,900", "--blink-settings=preferredColorScheme=0"}} {
			askAxe(t, server.URL+"/page/"+name, name+" "+strings.Join(look, " "), look)
		}
	}
}

// axeRun leaves axe's verdict in the page, where the browser's dump shows it.
const axeRun = `<script src="/axe.js"></script><script>
axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}).then(
  (r) => { const p = document.createElement("pre"); p.id = "verdict"; p.hidden = true;
    p.textContent = JSON.stringify({passes: r.passes.length, violations: r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html + " " + n.failureSummary).join(" | "))});
    document.body.append(p); });
</script>`

var verdictOf = regexp.MustCompile(`(?s)<pre id="verdict"[^>]*>(.*?)</pre>`)

func askAxe(t testing.TB, address, name string, look []string) {
	t.Helper()
	browser := chromium(t)
	args := append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + t.TempDir(),
		"--virtual-time-budget=20000", "--dump-dom"}, append(look, address)...)
	cmd := exec.Command(browser, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(browser), err)
	}
	found := verdictOf.FindSubmatch(out)
	if found == nil {
		t.Fatalf("%s: axe said nothing:\n%s", name, out)
	}
	var verdict struct {
		Passes     int      `json:"passes"`
		Violations []string `json:"violations"`
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(string(found[1]))), &verdict); err != nil {
		t.Fatal(fmt.Errorf("%s: axe's verdict: %w", name, err))
	}
	if verdict.Passes < 5 {
		t.Errorf("%s: axe looked at %d rules only", name, verdict.Passes)
	}
	for _, violation := range verdict.Violations {
		t.Errorf("%s: %s", name, violation)
	}
}

// AxeProgram is axe-core as JavaScript, for tests that drive a browser themselves.
func AxeProgram(t testing.TB) string {
	t.Helper()
	program, err := os.ReadFile(filepath.Join(nodeModules(t), "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(program)
}

func chromium(t testing.TB) string {
	t.Helper()
	return tool(t, "chromium", "apt-get install -y chromium")
}
