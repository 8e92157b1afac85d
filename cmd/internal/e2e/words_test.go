package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readWords reads what the console says in Catalan.
func readWords(t *testing.T) map[string]any {
	t.Helper()
	files, err := filepath.Glob("../../../console/locales/ca/*.json")
	must(t, err)
	words := map[string]any{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		var part map[string]any
		must(t, json.Unmarshal(text, &part))
		words[strings.TrimSuffix(filepath.Base(file), ".json")] = part
	}
	return words
}

// word is a text of the console, with values in their places: "frame.states.issued".
func (h *house) word(at string, values ...string) string {
	h.t.Helper()
	var node any = h.words
	for part := range strings.SplitSeq(at, ".") {
		branch, _ := node.(map[string]any)
		node = branch[part]
	}
	text, ok := node.(string)
	if !ok {
		h.t.Fatalf("the console has no text %s", at)
	}
	for i := 0; i+1 < len(values); i += 2 {
		text = strings.ReplaceAll(text, "{"+values[i]+"}", values[i+1])
	}
	return text
}
