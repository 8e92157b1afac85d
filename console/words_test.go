package console

import (
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"text/template/parse"
	"time"

	"segell/ledger"
	"segell/pages"
)

// Every text that a template or the code asks for is there.
func TestEveryTextThatIsAskedForIsThere(t *testing.T) {
	all, err := readWords(localeFiles)
	if err != nil {
		t.Fatal(err)
	}
	w := all["ca"]
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	parts, err := fs.Glob(templateFiles, "templates/parts/*.html")
	if err != nil {
		t.Fatal(err)
	}
	functions := (&Console{}).functions(w)
	asked := 0
	for _, file := range append(files, parts...) {
		body, err := fs.ReadFile(templateFiles, file)
		if err != nil {
			t.Fatal(err)
		}
		page, err := template.New(file).Funcs(functions).Parse(string(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range page.Templates() {
			if one.Tree == nil {
				continue
			}
			for _, path := range textsAskedFor(one.Tree.Root) {
				asked++
				if w.at(path) == nil {
					t.Errorf("%s asks for the text %s, which is not there", file, path)
				}
			}
		}
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`(?:\.text|\.done\(w, r, [^,]+,) ?\(?"([a-z_.]+)"\)`)
	for _, file := range sources {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, found := range call.FindAllStringSubmatch(string(body), -1) {
			path := found[1]
			if strings.Contains(found[0], ".done(") {
				part, rest, _ := strings.Cut(path, ".")
				path = part + ".done." + rest
			}
			asked++
			if w.at(path) == nil {
				t.Errorf("%s asks for the text %s, which is not there", file, path)
			}
		}
	}
	if asked < 200 {
		t.Errorf("only %d texts were looked for: is this test blind?", asked)
	}
}

// textsAskedFor are the paths below .W in a template, also those that go by way of
// a variable ({{$w := .W.work}}{{$w.title}}).
func textsAskedFor(root parse.Node) []string {
	var paths []string
	variables := map[string]string{"$": ""} // what each stands for: a path, "" for the view itself
	resolve := func(node parse.Node) (string, bool) {
		var chain []string
		base := ""
		switch n := node.(type) {
		case *parse.FieldNode:
			chain = n.Ident
		case *parse.VariableNode:
			known, ok := variables[n.Ident[0]]
			if !ok {
				return "", false
			}
			base, chain = known, n.Ident[1:]
		default:
			return "", false
		}
		if base == "" {
			if len(chain) < 2 || chain[0] != "W" {
				return "", false
			}
			chain = chain[1:]
		} else {
			chain = append([]string{base}, chain...)
		}
		return strings.Join(chain, "."), true
	}
	var walk func(parse.Node)
	walk = func(node parse.Node) {
		switch n := node.(type) {
		case *parse.ListNode:
			if n != nil {
				for _, one := range n.Nodes {
					walk(one)
				}
			}
		case *parse.ActionNode:
			walk(n.Pipe)
		case *parse.TemplateNode:
			if n.Pipe != nil {
				walk(n.Pipe)
			}
		case *parse.IfNode:
			walk(n.Pipe)
			walk(n.List)
			walk(n.ElseList)
		case *parse.RangeNode:
			walk(n.Pipe)
			walk(n.List)
			walk(n.ElseList)
		case *parse.WithNode:
			walk(n.Pipe)
			walk(n.List)
			walk(n.ElseList)
		case *parse.PipeNode:
			for _, command := range n.Cmds {
				for _, argument := range command.Args {
					walk(argument)
				}
			}
			if len(n.Decl) == 1 && len(n.Cmds) == 1 && len(n.Cmds[0].Args) == 1 {
				if path, ok := resolve(n.Cmds[0].Args[0]); ok {
					variables[n.Decl[0].Ident[0]] = path
				}
			}
		case *parse.FieldNode, *parse.VariableNode:
			if path, ok := resolve(node); ok {
				paths = append(paths, path)
			}
		}
	}
	walk(root)
	return paths
}

func TestWordsOfAllLanguagesAreAlike(t *testing.T) {
	good := `{"title":"{n} de {name}","forms":{"one":"una","other":"{n}"},"list":["a","b"]}`
	files := fstest.MapFS{}
	for _, tag := range pages.Languages {
		files["locales/"+tag+"/x.json"] = &fstest.MapFile{Data: []byte(good)}
	}
	if _, err := readWords(files); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		`{"title":"de {other}","forms":{"one":"una","other":"{n}"},"list":["a","b"]}`,                 // another value
		`{"title":" ","forms":{"one":"una","other":"{n}"},"list":["a","b"]}`,                          // no text
		`{"title":"{name}","forms":{"one":"una"},"list":["a","b"]}`,                                   // a form is missing
		`{"title":"{name}","forms":{"one":"una","other":"{n}"},"list":["a"]}`,                         // a list is shorter
		`{"title":"{name}","forms":{"one":"una","other":"{n}"},"list":["a","b"],"more":"x"}`,          // a text too many
		`{"title":{"one":"x"},"forms":{"one":"una","other":"{n}"},"list":["a","b"]}`,                  // no text but forms
		`{"title":"{name}","forms":{"one":"una","other":"{n}"},"list":["a","b"],"title2":"x"}`, `[1]`, // no object
	} {
		files["locales/pt/x.json"] = &fstest.MapFile{Data: []byte(bad)}
		if _, err := readWords(files); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// What stands in closed sets elsewhere has a name here.
func TestClosedSetsHaveNames(t *testing.T) {
	all, err := readWords(localeFiles)
	if err != nil {
		t.Fatal(err)
	}
	for tag, w := range all {
		for _, cause := range ledger.Causes {
			if w.at("frame.causes."+cause.ID) == nil {
				t.Errorf("%s: the cause %s has no name", tag, cause.ID)
			}
		}
		events, _ := w.at("callbacks.events").(map[string]any)
		for _, event := range ledger.Events {
			if events[string(event)] == nil {
				t.Errorf("%s: the event %s has no name", tag, event)
			}
		}
		for _, t2 := range append(troubles, troubleOf(fmt.Errorf("what nobody knows"))) {
			if w.at("frame.problems."+t2.key+".text") == nil {
				t.Errorf("%s: the problem %s has no text", tag, t2.key)
			}
		}
		if tag == "ca" {
			continue
		}
		if w.text("frame.language") == all["ca"].text("frame.language") && w.text("login.title") == all["ca"].text("login.title") {
			t.Errorf("%s: reads like Catalan", tag)
		}
	}
}

func TestValuesAsALanguageWritesThem(t *testing.T) {
	all, err := readWords(localeFiles)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 11, 30, 0, 0, time.UTC)
	zone := time.FixedZone("Andorra", 3600)
	ca := &formatter{words: all["ca"], zone: zone, now: func() time.Time { return now }}
	fr := &formatter{words: all["fr"], zone: zone, now: ca.now}
	forms := map[string]any{"one": "{n} document", "other": "{n} documents"}
	for name, c := range map[string]struct{ got, want string }{
		"a large number":       {ca.number(1234567), "1.234.567"},
		"a small one":          {ca.number(-12), "−12"},
		"no documents":         {string(ca.plural(forms, 0)), "0 documents"},
		"no documents, French": {string(fr.plural(forms, 0)), "0 document"},
		"one":                  {string(ca.plural(forms, 1)), "1 document"},
		"a day":                {string(ca.date(now)), `<time datetime="2026-11-23T12:30:00+01:00">23 nov. 2026</time>`},
		"no time":              {string(ca.time(time.Time{})), nothing},
		"a while ago":          {string(ca.ago(now.Add(-5 * time.Minute))), `<time datetime="2026-11-23T12:25:00+01:00" title="23 nov. 2026, 12:25">fa 5 minuts</time>`},
		"seconds":              {ca.duration(1200 * time.Millisecond), "1,2 s"},
		"minutes":              {ca.duration(200 * time.Second), "3 min 20 s"},
		"nothing of nothing":   {ca.percent(1, 0), nothing},
		"a value is escaped":   {string(fill("<{a}>", "a", "<b>")), "&lt;&lt;b&gt;&gt;"},
		"HTML is not":          {string(fill("{a}", "a", template.HTML("<b>"))), "<b>"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
	}
}

func TestWhereALoginLeads(t *testing.T) {
	for address, want := range map[string]string{
		"/requests/x?a=b": "/requests/x?a=b", "": "/", "work": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example/": "/",
		"/login?next=/": "/", "/live": "/", "/%0d%0aSet-Cookie:x": "/%0d%0aSet-Cookie:x", "/a\nb": "/", "javascript:alert(1)": "/",
	} {
		if got := local(address); got != want {
			t.Errorf("%q leads to %q, want %q", address, got, want)
		}
	}
}
