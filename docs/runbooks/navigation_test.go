package runbooks_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"segell/docs/runbooks"
)

// What a runbook has in bold, pages and queues, is named as the console names it.
func TestPagesAreNamedAsTheConsoleNamesThem(t *testing.T) {
	bold := regexp.MustCompile(`\*\*([^*]+)\*\*`)
	each(t, func(language, cause string, p page) {
		source, err := os.ReadFile(filepath.Join("..", "..", "console", "locales", language, "frame.json"))
		if err != nil {
			t.Fatal(err)
		}
		var frame struct {
			Nav    map[string]string `json:"nav"`
			Queues map[string]string `json:"queues"`
		}
		if err := json.Unmarshal(source, &frame); err != nil || len(frame.Nav) == 0 {
			t.Fatalf("the console's words in %s: %v, %d sections", language, err, len(frame.Nav))
		}
		var names []string
		for _, words := range []map[string]string{frame.Nav, frame.Queues} {
			for _, name := range words {
				names = append(names, name)
			}
		}
		markdown, _, _ := runbooks.Runbook(cause, language)
		for _, name := range bold.FindAllStringSubmatch(string(markdown), -1) {
			if !slices.Contains(names, name[1]) {
				t.Errorf("%s sends the clerk to %q; the console knows %q", p.name, name[1], names)
			}
		}
	})
}
