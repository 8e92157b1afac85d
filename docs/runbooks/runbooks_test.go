package runbooks_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"segell/docs/runbooks"
	"segell/ledger"
)

// languages are those in which staff read what a cause means.
func languages() []string {
	var all []string
	for language := range ledger.CauseOf("unexpected").Staff {
		all = append(all, language)
	}
	slices.Sort(all)
	return all
}

// page is what the tests look at in a runbook.
type page struct {
	name     string   // LANGUAGE/CAUSE
	headings []string // with a # for each level, as written
	blocks   []string // of commands
	spans    []string // of code within a line
	links    []string
	words    int // without the commands
	// The same of the sections before the last, which are the clerk's.
	clerkCode, clerkLinks int
}

// read takes a runbook apart.
func read(t *testing.T, language, cause string) page {
	t.Helper()
	source, in, ok := runbooks.Runbook(cause, language)
	if !ok || in != language {
		t.Fatalf("%s has no runbook in %s (found: %q)", cause, language, in)
	}
	p := page{name: language + "/" + cause}
	ours := goldmark.DefaultParser().Parse(text.NewReader(source))
	_ = ast.Walk(ours, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		clerk := len(p.headings) < sections
		switch n := node.(type) {
		case *ast.Heading:
			p.headings = append(p.headings, strings.Repeat("#", n.Level)+" "+plain(n, source))
		case *ast.FencedCodeBlock:
			p.blocks = append(p.blocks, string(n.Lines().Value(source)))
		case *ast.CodeSpan:
			p.spans = append(p.spans, plain(n, source))
		case *ast.Link:
			p.links = append(p.links, string(n.Destination))
		case *ast.Text:
			p.words += len(strings.Fields(string(n.Value(source))))
		case *ast.RawHTML, *ast.HTMLBlock, *ast.CodeBlock, *ast.Image:
			t.Errorf("%s holds %s, which no runbook does", p.name, node.Kind())
		}
		if clerk {
			p.clerkCode, p.clerkLinks = len(p.blocks)+len(p.spans), len(p.links)
		}
		return ast.WalkContinue, nil
	})
	return p
}

// plain is the text that a node holds.
func plain(node ast.Node, source []byte) string {
	var out strings.Builder
	for child := node.FirstChild(); child != nil; child = child.NextSibling() {
		if words, ok := child.(*ast.Text); ok {
			out.Write(words.Value(source))
		} else {
			out.WriteString(plain(child, source))
		}
	}
	return out.String()
}

// each calls do for the runbook of every cause in every language.
func each(t *testing.T, do func(language, cause string, p page)) {
	t.Helper()
	for _, language := range languages() {
		for _, cause := range ledger.Causes {
			do(language, cause.ID, read(t, language, cause.ID))
		}
	}
}

// sections is how many headings stand before the engineers' one: the title and
// the clerk's six.
const sections = 7

func TestEveryCauseHasARunbookInEveryLanguage(t *testing.T) {
	each(t, func(language, cause string, p page) {
		if p.words < 110 || p.words > 250 {
			t.Errorf("%s has %d words; a runbook has 110 to 250", p.name, p.words)
		}
	})
	files, err := filepath.Glob("*/*.md")
	if err != nil || len(files) != len(languages())*len(ledger.Causes) {
		t.Errorf("there are %d pages for %d causes in %d languages (%v): one belongs to no cause", len(files), len(ledger.Causes), len(languages()), err)
	}
}

func TestRunbooksHaveTheSameSections(t *testing.T) {
	of := map[string][]string{} // by language
	titles := map[string]string{}
	each(t, func(language, cause string, p page) {
		if len(p.headings) != sections+1 {
			t.Fatalf("%s has %d headings, %q", p.name, len(p.headings), p.headings)
		}
		title, rest := p.headings[0], p.headings[1:]
		if !strings.HasPrefix(title, "# ") || titles[language+title] != "" {
			t.Errorf("%s has the title %q, as has %s", p.name, title, titles[language+title])
		}
		titles[language+title] = p.name
		for _, heading := range rest {
			if !strings.HasPrefix(heading, "## ") {
				t.Errorf("%s has the heading %q, which is no section", p.name, heading)
			}
		}
		if of[language] == nil {
			of[language] = rest
		}
		if !slices.Equal(of[language], rest) {
			t.Errorf("%s has the sections %q, others have %q", p.name, rest, of[language])
		}
	})
	for _, language := range languages() {
		for _, other := range languages() {
			if language < other && slices.Equal(of[language], of[other]) {
				t.Errorf("%s and %s have the same headings", language, other)
			}
		}
	}
}

func TestTheClerksPartHasNoCommands(t *testing.T) {
	each(t, func(language, cause string, p page) {
		if p.clerkCode > 0 || p.clerkLinks > 0 {
			t.Errorf("%s: the clerk's part has code or links; they belong to the engineers'", p.name)
		}
		if len(p.blocks) != 1 {
			t.Errorf("%s has %d blocks of commands; one is needed", p.name, len(p.blocks))
		}
	})
}

// What an engineer types or looks for does not depend on the language.
func TestTheLanguagesNameTheSame(t *testing.T) {
	for _, cause := range ledger.Causes {
		first := read(t, "ca", cause.ID)
		for _, language := range languages() {
			other := read(t, language, cause.ID)
			for what, both := range map[string][2][]string{"commands": {first.blocks, other.blocks}, "names": {first.spans, other.spans}, "links": {first.links, other.links}} {
				a, b := slices.Sorted(slices.Values(both[0])), slices.Sorted(slices.Values(both[1]))
				if !slices.Equal(a, b) {
					t.Errorf("%s and %s have different %s:\n%q\n%q", first.name, other.name, what, a, b)
				}
			}
		}
	}
}

func TestLinksResolve(t *testing.T) {
	check := func(from, link string) {
		name, anchor, _ := strings.Cut(link, "#")
		source, err := os.ReadFile(filepath.Join(filepath.Dir(from), filepath.FromSlash(name)))
		if err != nil {
			t.Errorf("%s links to %s: %v", from, link, err)
		} else if anchor != "" && !slices.Contains(anchors(source), anchor) {
			t.Errorf("%s links to %s, and there is no such heading", from, link)
		}
	}
	each(t, func(language, cause string, p page) {
		for _, link := range p.links {
			check(p.name+".md", link)
		}
	})
	index, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]bool{}
	_ = ast.Walk(goldmark.DefaultParser().Parse(text.NewReader(index)), func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if link, ok := node.(*ast.Link); ok && entering {
			check("README.md", string(link.Destination))
			linked[string(link.Destination)] = true
		}
		return ast.WalkContinue, nil
	})
	each(t, func(language, cause string, p page) {
		if !linked[p.name+".md"] {
			t.Errorf("README.md does not lead to %s", p.name)
		}
	})
}

// anchors are the names that GitHub gives to headings.
func anchors(source []byte) []string {
	var all []string
	for line := range strings.Lines(string(source)) {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case strings.ContainsRune("`,.:()’'", r):
				return -1
			}
			return r
		}, strings.ToLower(strings.TrimSpace(title))))
	}
	return all
}

func TestARunbookOfAnotherLanguageIsCatalan(t *testing.T) {
	if _, in, ok := runbooks.Runbook("tsa_away", "de"); !ok || in != "ca" {
		t.Errorf("in German: %q, %v", in, ok)
	}
	for _, cause := range []string{"", "no_such_cause", "../ca/tsa_away", "README", "tsa_away.md", "ca/tsa_away"} {
		if text, _, ok := runbooks.Runbook(cause, "ca"); ok {
			t.Errorf("%q is a cause with %d bytes", cause, len(text))
		}
	}
	if _, _, ok := runbooks.Runbook("README", "."); ok {
		t.Error("the index is no runbook")
	}
}
