package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"segell/pages"
)

//go:embed locales/*/*.json
var localeFiles embed.FS

// words are all texts of one language: the files of its folder, each under its
// name ("landing" for landing.json). Templates reach them as .W.landing.title,
// code by text. What has forms for numbers is {"one": …, "other": …}.
type words struct {
	tag  string
	tree map[string]any
}

// text is the text at a path such as "landing.title". A path that leads to none
// is a defect that a test finds; the path itself is shown then.
func (w *words) text(at string) string {
	if text, ok := w.at(at).(string); ok {
		return text
	}
	return at
}

// at is what lies at a path, or nil.
func (w *words) at(path string) any {
	var node any = w.tree
	for part := range strings.SplitSeq(path, ".") {
		branch, ok := node.(map[string]any)
		if !ok {
			return nil
		}
		node = branch[part]
	}
	return node
}

// readWords reads locales/<tag>/*.json of every language, and refuses a language
// that has not the very keys, forms and places for values that Catalan has.
func readWords(files fs.FS) (map[string]*words, error) {
	all := make(map[string]*words, len(pages.Languages))
	for _, tag := range pages.Languages {
		w, err := readLanguage(files, tag)
		if err != nil {
			return nil, err
		}
		all[tag] = w
	}
	first := all[pages.Languages[0]]
	for _, tag := range pages.Languages {
		if err := alike(first.tree, all[tag].tree, tag); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readLanguage(files fs.FS, tag string) (*words, error) {
	names, err := fs.Glob(files, "locales/"+tag+"/*.json")
	if err != nil {
		return nil, err
	}
	w := &words{tag: tag, tree: map[string]any{}}
	for _, name := range names {
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var part map[string]any
		if err := json.Unmarshal(body, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		w.tree[strings.TrimSuffix(path.Base(name), ".json")] = part
	}
	return w, nil
}

// alike compares a language with Catalan, branch by branch.
func alike(want, got any, at string) error {
	switch want := want.(type) {
	case map[string]any:
		branch, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: no texts", at)
		}
		for key := range branch {
			if _, ok := want[key]; !ok {
				return fmt.Errorf("%s.%s: Catalan has no such text", at, key)
			}
		}
		for key, text := range want {
			if err := alike(text, branch[key], at+"."+key); err != nil {
				return err
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%s: not a list of %d", at, len(want))
		}
		for i := range want {
			if err := alike(want[i], list[i], fmt.Sprintf("%s.%d", at, i)); err != nil {
				return err
			}
		}
	case string:
		text, ok := got.(string)
		if !ok || strings.Trim(text, " \t\r\n") == "" { // a no-break space is a text: it parts thousands
			return fmt.Errorf("%s: no text", at)
		}
		if !slices.Equal(placesIn(want), placesIn(text)) {
			return fmt.Errorf("%s: %q has not the values of %q", at, text, want)
		}
	default:
		return fmt.Errorf("%s: a %s is no text", at, reflect.TypeOf(want))
	}
	return nil
}

var place = regexp.MustCompile(`\{[a-z_]+\}`)

// placesIn are the values that a text has places for. A form for one may leave
// the number out ("una sol·licitud").
func placesIn(text string) []string {
	found := place.FindAllString(text, -1)
	slices.Sort(found)
	return slices.DeleteFunc(slices.Compact(found), func(name string) bool { return name == "{n}" })
}
