package console

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	// actWord is an act of the audit trail, by the words with which acts begin.
	actWord = regexp.MustCompile(`^(?:api|audit|bulk|callbacks|causes|documents|holder|jobs|keys|renewal|requests|retention|staff|work)\.[a-z_]+$`)
	// noAct are words of that form that are something else: files, and scopes of
	// clients. The templates of documents, whose texts have such names, write nothing.
	noAct = regexp.MustCompile(`\.json$|^documents\.(?:request|read|cancel)$`)
)

// actsInCode are the acts that the code of Segell writes to the audit trail, each
// with a file that does. In the folders of pages, whose texts have names of the same
// form, an act stands in an AuditEntry.
func actsInCode(t *testing.T) map[string]string {
	t.Helper()
	acts := map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "../templates" {
			return cmp.Or(err, fs.SkipDir)
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		entries := !strings.HasPrefix(path, "../console/")
		for _, word := range wordsOf(file, entries) {
			if actWord.MatchString(word) && !noAct.MatchString(word) {
				acts[word] = path
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return acts
}

// wordsOf are the texts in a file: all, or those of the field What alone.
func wordsOf(file *ast.File, all bool) (words []string) {
	add := func(node ast.Node) {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if word, err := strconv.Unquote(literal.Value); err == nil {
				words = append(words, word)
			}
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		pair, ok := node.(*ast.KeyValueExpr)
		switch {
		case all:
			add(node)
		case ok:
			if name, ok := pair.Key.(*ast.Ident); ok && name.Name == "What" {
				add(pair.Value)
			}
		}
		return true
	})
	return words
}

// Every act that is written to the audit trail has a name in every language, and no
// name is of an act that there is not.
func TestEveryActHasAName(t *testing.T) {
	all, err := readWords(localeFiles)
	if err != nil {
		t.Fatal(err)
	}
	acts := actsInCode(t)
	for tag, w := range all {
		named, _ := w.at("audit.acts").(map[string]any)
		for act, file := range acts {
			if name, _ := named[act].(string); name == "" {
				t.Errorf("%s: the act %s of %s has no name", tag, act, file)
			}
		}
		for act := range named {
			if acts[act] == "" {
				t.Errorf("%s: there is a name for %s, which nothing does", tag, act)
			}
		}
	}
	if len(acts) < 40 {
		t.Errorf("%d acts are in the code: is this test blind?", len(acts))
	}
}
