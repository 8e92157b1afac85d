package ledger_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/ledger"
)

var update = flag.Bool("update-states", false, "write the generated parts of docs/states.md")

// seenByTheLedger is a state without what only the queue knows.
func seenByTheLedger(s ledger.State) ledger.State {
	switch s {
	case ledger.StateRendering, ledger.StateSealing, ledger.StateStoring, ledger.StateRetrying:
		return ledger.StateAccepted
	}
	return s
}

// acts is everything that moves a request, done to the one of a key.
var acts = map[string]func(t *testing.T, s *setting, id string) error{
	"issue": func(t *testing.T, s *setting, id string) error {
		request, err := s.Request(t.Context(), id)
		if err != nil {
			return err
		}
		return finish(t, s, request)
	},
	"give up": func(t *testing.T, s *setting, id string) error {
		return s.GiveUp(t.Context(), ledger.Failure{ID: id, Cause: "unexpected"})
	},
	"retry": func(t *testing.T, s *setting, id string) error { _, err := s.Reopen(t.Context(), id); return err },
	"cancel": func(t *testing.T, s *setting, id string) error {
		_, err := s.Cancel(t.Context(), id, ledger.CancelledByClient)
		return err
	},
	"withdraw": func(t *testing.T, s *setting, id string) error {
		_, err := s.Withdraw(t.Context(), id, ledger.WithdrawnInError)
		return err
	},
	"replace": func(t *testing.T, s *setting, id string) error {
		by := submission("replaces " + id)
		by.Replaces = id
		receipt, err := s.Accept(t.Context(), by)
		if err != nil {
			return err
		}
		request, err := s.Request(t.Context(), receipt.ID)
		if err != nil {
			return err
		}
		return finish(t, s, request)
	},
	"erase": func(t *testing.T, s *setting, id string) error {
		erasure, err := s.OpenErasure(t.Context(), "000000A", "anna", "asked for")
		if err != nil {
			return err
		}
		_, err = s.Erase(t.Context(), erasure)
		return err
	},
}

func finish(t *testing.T, s *setting, request ledger.Request) error {
	document, err := s.Issue(t.Context(), request, []byte("%PDF"), ledger.Document{Level: "B-B", Pages: 1})
	if err != nil {
		return err
	}
	return s.Finish(t.Context(), request, document, "ca", "", ledger.Masked{}, ledger.Making{})
}

// Everything that can be done is done in every state that can be reached: what
// moves, moves as the table says, and every row of the table is seen. What only
// the queue knows counts as accepted here; a test of the worker sees to it.
func TestTheTableOfStatesIsTheWholeTruth(t *testing.T) {
	type way = [2]ledger.State
	rows, seen := map[way]bool{}, map[way]bool{{"", ledger.StateAccepted}: true}
	for _, row := range ledger.Transitions {
		if w := (way{seenByTheLedger(row.From), seenByTheLedger(row.To)}); w[0] != w[1] {
			rows[w] = true
		}
	}
	paths := map[ledger.State][]string{ledger.StateAccepted: nil} // how each state is reached
	for pending := []ledger.State{ledger.StateAccepted}; len(pending) > 0; pending = pending[1:] {
		from := pending[0]
		for _, name := range slices.Sorted(maps.Keys(acts)) {
			s := newSetting(t)
			receipt, err := s.Accept(t.Context(), submission("one"))
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range paths[from] {
				if err := acts[step](t, s, receipt.ID); err != nil {
					t.Fatalf("%s, on the way to %s: %v", step, from, err)
				}
			}
			refused := acts[name](t, s, receipt.ID)
			standing, err := s.Look(t.Context(), receipt.ID)
			if err != nil {
				t.Fatalf("%s when %s: %v (the act: %v)", name, from, err, refused)
			}
			w := way{from, standing.State}
			if w[0] == w[1] {
				continue
			}
			if seen[w] = true; !rows[w] {
				t.Errorf("%s makes %s of %s: the table knows nothing of it", name, standing.State, from)
			}
			if _, known := paths[w[1]]; !known {
				paths[w[1]] = append(slices.Clone(paths[from]), name)
				pending = append(pending, w[1])
			}
		}
	}
	for w := range rows {
		if !seen[w] {
			t.Errorf("nothing makes %s of %s", w[1], w[0])
		}
	}
}

// docs/states.md is drawn from the tables; `go test ./ledger -update-states` draws
// it again. The tests it names exist.
func TestTheStatesAreDrawnAsTheyAre(t *testing.T) {
	const path = "../docs/states.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for name, drawn := range map[string]string{"states": drawStates(), "transitions": drawTransitions(), "causes": drawCauses()} {
		open, end := "<!-- "+name+": drawn from the code -->\n", "<!-- end of "+name+" -->"
		before, rest, found := strings.Cut(page, open)
		old, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("%s has no place for the %s", path, name)
		}
		if old != drawn && !*update {
			t.Errorf("the %s of %s are not those of the code: run go test ./ledger -update-states", name, path)
		}
		page = before + open + drawn + end + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := testsOfTheModule(t)
	for _, name := range regexp.MustCompile("`(Test[A-Za-z]+|[a-z_]+\\.txtar)`").FindAllStringSubmatch(page, -1) {
		if !tests[name[1]] {
			t.Errorf("%s names %s, which is nowhere", path, name[1])
		}
	}
}

// testsOfTheModule is every test function and script of the module.
func testsOfTheModule(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	for _, file := range all(t, "../*/*_test.go", "../*/*/*_test.go", "../*/*/*/*_test.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range declared.FindAllStringSubmatch(string(text), -1) {
			tests[match[1]] = true
		}
	}
	for _, script := range all(t, "../cmd/*/testdata/script/*.txtar") {
		tests[filepath.Base(script)] = true
	}
	return tests
}

func all(t *testing.T, patterns ...string) (files []string) {
	t.Helper()
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func drawStates() string {
	var b strings.Builder
	b.WriteString("\n```mermaid\nstateDiagram-v2\n")
	for _, row := range ledger.Transitions {
		from := string(row.From)
		if from == "" {
			from = "[*]"
		}
		fmt.Fprintf(&b, "    %s --> %s\n", from, row.To)
	}
	b.WriteString("```\n\n")
	return b.String()
}

func drawTransitions() string {
	var b strings.Builder
	b.WriteString("\n| from | to | by | when |\n|---|---|---|---|\n")
	for _, row := range ledger.Transitions {
		from := "–"
		if row.From != "" {
			from = "`" + string(row.From) + "`"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", from, row.To, row.By, row.When)
	}
	b.WriteString("\n")
	return b.String()
}

func drawCauses() string {
	var b strings.Builder
	b.WriteString("\n| cause | nature | pauses | workers wait for | the portal reads | staff read | and do |\n|---|---|---|---|---|---|---|\n")
	for _, c := range ledger.Causes {
		pauses, wait := "–", "–"
		if c.First > 0 {
			pauses = fmt.Sprintf("%s to %s", short(c.First), short(c.Most))
		}
		if c.Dependency != "" {
			wait = c.Dependency
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", c.ID, c.Nature, pauses, wait, c.Portal, c.Staff["en"].What, c.Staff["en"].Do)
	}
	b.WriteString("\n")
	return b.String()
}

func short(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return strings.TrimSuffix(d.String(), "0s")
	}
	return d.String()
}

func TestStaffReadEveryCauseInFiveLanguages(t *testing.T) {
	for _, c := range ledger.Causes {
		said := map[string]string{}
		for _, language := range []string{"ca", "es", "fr", "pt", "en"} {
			w, ok := c.Staff[language]
			if !ok || w.What == "" || w.Do == "" {
				t.Errorf("%s says nothing to staff in %s", c.ID, language)
			}
			if other := said[w.What]; other != "" {
				t.Errorf("%s says the same in %s and %s", c.ID, other, language)
			}
			said[w.What] = language
		}
		if away := c.Dependency != ""; away && c.Nature != ledger.Waiting {
			t.Errorf("%s is %s, and workers wait for %s", c.ID, c.Nature, c.Dependency)
		}
	}
}
