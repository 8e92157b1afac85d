package verification

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"segell/pages"
)

// flat gives every text of a locale file by its path.
func flat(v any, path string, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			flat(value, path+"/"+key, into)
		}
	case []any:
		for i, value := range v {
			flat(value, fmt.Sprintf("%s/%d", path, i), into)
		}
	case string:
		into[path] = v
	}
}

func TestAllLanguagesSayTheSame(t *testing.T) {
	value := regexp.MustCompile(`\{[a-z]+\}`)
	var catalan map[string]string
	for _, lang := range pages.Languages {
		body, err := localeFiles.ReadFile("locales/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{}
		flat(v, "", texts)
		if lang == "ca" {
			catalan = texts
			continue
		}
		if want, got := slices.Sorted(maps.Keys(catalan)), slices.Sorted(maps.Keys(texts)); !slices.Equal(want, got) {
			t.Errorf("%s: the keys differ from those of ca:\n%v\n%v", lang, got, want)
		}
		same := 0
		for path, text := range texts {
			want, got := value.FindAllString(catalan[path], -1), value.FindAllString(text, -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s: %s: values %v, want %v", lang, path, got, want)
			}
			if text == catalan[path] && len(text) > 30 {
				same++
			}
		}
		if same > 0 {
			t.Errorf("%s: %d long texts are still those of ca", lang, same)
		}
		if texts["/tag"] != lang {
			t.Errorf("%s: tag %q", lang, texts["/tag"])
		}
	}
}

func TestFaultsOfALocaleFileAreNoticed(t *testing.T) {
	body, err := localeFiles.ReadFile("locales/en.json")
	if err != nil {
		t.Fatal(err)
	}
	good := string(body)
	for name, bad := range map[string]string{
		"missing": strings.Replace(good, `  "skip": "Skip to content",`, "", 1),
		"empty":   strings.Replace(good, `"Skip to content"`, `" "`, 1),
		"unknown": strings.Replace(good, `"skip"`, `"skipp"`, 1),
		"answer":  strings.Replace(good, `"withdrawn": {`, `"withdrew": {`, 1),
		"month":   strings.Replace(good, `"May",`, "", 1),
	} {
		if bad == good {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if _, err := pages.ReadLocale([]byte(bad), (*words).judge); err == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	if _, err := pages.ReadLocale(body, (*words).judge); err != nil {
		t.Error(err)
	}
}

func TestLanguagesOfADocument(t *testing.T) {
	w := readFile(t, "en")
	for tags, want := range map[string]string{"ca": "Catalan", "ca-fr": "Catalan / French", "": "", "de": "", "ca-de": ""} {
		if got := w.languageOf(tags); got != want {
			t.Errorf("%q: %q, want %q", tags, got, want)
		}
	}
}
