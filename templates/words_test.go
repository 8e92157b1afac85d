package templates

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"segell/layout"
	"segell/wire"
)

// entries reads a locale file as it is: key → the forms of its text.
func entries(t *testing.T, file string) map[string]map[string]string {
	t.Helper()
	raw, err := localeFiles.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	out := map[string]map[string]string{}
	for key, v := range m {
		out[key] = map[string]string{}
		switch v := v.(type) {
		case string:
			out[key][""] = v
		case map[string]any:
			for form, text := range v {
				out[key][form], _ = text.(string)
			}
		}
	}
	return out
}

func everyLanguage(t *testing.T) map[string]map[string]map[string]string {
	t.Helper()
	files, err := localeFiles.ReadDir("locales")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]map[string]string{}
	for _, f := range files {
		of, lang, _ := strings.Cut(strings.TrimSuffix(f.Name(), ".json"), ".")
		if all[lang] == nil {
			all[lang] = map[string]map[string]string{}
		}
		_, isKind := Lookup(of)
		if !isKind && of != "common" {
			t.Errorf("%s is of no kind", f.Name())
		}
		for key, forms := range entries(t, "locales/"+f.Name()) {
			if _, twice := all[lang][key]; twice {
				t.Errorf("%s: %q is there twice", f.Name(), key)
			}
			// What belongs to a kind alone stands in its own file.
			if first, _, _ := strings.Cut(key, "."); isKind != (first == of) {
				t.Errorf("%s: %q belongs elsewhere", f.Name(), key)
			}
			all[lang][key] = forms
		}
	}
	return all
}

// termKeys are the keys that w.term makes: the values of every field that has an
// enumeration and, in its tag term, the name under which its words stand.
func termKeys(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(typ.Elem())
		case reflect.Struct:
			if seen[typ] {
				return
			}
			seen[typ] = true
			for i := range typ.NumField() {
				f := typ.Field(i)
				if name := f.Tag.Get("term"); name != "" {
					if f.Tag.Get("enum") == "" {
						t.Errorf("%v.%s has words and no enumeration", typ, f.Name)
					}
					for v := range strings.SplitSeq(f.Tag.Get("enum"), ",") {
						keys[name+"."+v] = true
					}
				}
				if f.IsExported() {
					walk(f.Type)
				}
			}
		}
	}
	for _, k := range kinds {
		walk(k.body)
		keys[k.ID+".title"] = true // said by Kind.Title
	}
	return keys
}

// Every key that the code says is in every language, and every key of a language is said.
func TestWordsAreCompleteAndUsed(t *testing.T) {
	used := termKeys(t)
	said := regexp.MustCompile(`"([a-z0-9_]+(?:\.[a-z0-9_]+)*)"`)
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literals := map[string]bool{}
	terms := 0
	for _, f := range sources {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range said.FindAllSubmatch(src, -1) {
			literals[string(m[1])] = true
		}
		for _, m := range regexp.MustCompile(`\bterm\("([a-z_]+)"`).FindAllSubmatch(src, -1) {
			terms++
			if !slices.ContainsFunc(slices.Collect(maps.Keys(used)), func(k string) bool { return strings.HasPrefix(k, string(m[1])+".") }) {
				t.Errorf("this test does not know the enumeration %s", m[1])
			}
		}
		// What is asked for directly must be a key, whatever the locales say.
		for _, m := range regexp.MustCompile(`\b(?:say|count|pair|apart)\("([a-z0-9_.]+)"`).FindAllSubmatch(src, -1) {
			used[string(m[1])] = true
		}
	}
	if terms == 0 {
		t.Fatal("no enumeration is said: this test reads nothing")
	}
	for lang, words := range everyLanguage(t) {
		for key := range used {
			if _, ok := words[key]; !ok {
				t.Errorf("%s has no words for %q", lang, key)
			}
		}
		for key := range words {
			if !used[key] && !literals[key] {
				t.Errorf("%s: nobody says %q", lang, key)
			}
		}
	}
}

// The languages hold the same keys, with the same names and plural forms, and no empty words.
func TestLanguagesAgree(t *testing.T) {
	all := everyLanguage(t)
	name := regexp.MustCompile(`{{\.[A-Za-z]+}}`)
	names := func(forms map[string]string) []string {
		set := map[string]bool{}
		for _, text := range forms {
			for _, n := range name.FindAllString(text, -1) {
				set[n] = true
			}
		}
		return slices.Sorted(maps.Keys(set))
	}
	for lang, words := range all {
		if _, ok := numberLocales[lang]; !ok {
			t.Errorf("numbers and dates are not known in %s", lang)
		}
		for key, forms := range words {
			for form, text := range forms {
				if strings.TrimSpace(text) == "" || text != strings.TrimSpace(text) || strings.Contains(text, "'") {
					t.Errorf("%s: %q %s is empty, has outer spaces or a typewriter apostrophe", lang, key, form)
				}
			}
			ours, ok := all[official][key]
			if !ok {
				t.Errorf("%s has %q, %s has not", lang, key, official)
				continue
			}
			if !slices.Equal(names(forms), names(ours)) {
				t.Errorf("%s: %q has %v, in %s %v", lang, key, names(forms), official, names(ours))
			}
			if _, plural := ours["other"]; plural && forms["other"] == "" {
				t.Errorf("%s: %q has no plural", lang, key)
			}
		}
		for key := range all[official] {
			if _, ok := words[key]; !ok {
				t.Errorf("%s lacks %q", lang, key)
			}
		}
	}
	for _, k := range kinds {
		for _, l := range k.Languages {
			for tongue := range strings.SplitSeq(l, "-") {
				if _, ok := all[tongue]; !ok {
					t.Errorf("%s promises %s, which has no words", k.ID, l)
				}
			}
		}
	}
}

// Whoever verifies a document reads what it is called in their own language.
func TestEveryKindHasATitle(t *testing.T) {
	for _, k := range kinds {
		for _, lang := range []string{"ca", "es", "fr", "pt", "en"} {
			if title, ok := k.Title(lang); !ok || title == "" {
				t.Errorf("%s has no title in %s", k.ID, lang)
			}
		}
		if title, ok := k.Title("eo"); ok {
			t.Errorf("%s has the title %q in a language without words", k.ID, title)
		}
	}
}

// A word that is missing in a language is an error, not a word of another language.
func TestMissingWords(t *testing.T) {
	w := wordsOf("en")
	if got := w.say("no_such_key"); got != "" || w.err == nil {
		t.Errorf("said %q, error %v", got, w.err)
	}
	w = wordsOf("de")
	if got := w.say("yes"); got != "" || w.err == nil {
		t.Errorf("said %q in a language without words, error %v", got, w.err)
	}
}

func TestPlurals(t *testing.T) {
	for lang, want := range map[string][2]string{
		"ca": {"Consta 1 persona assegurada indirectament a través del titular:", "Consten 12 persones assegurades indirectament a través del titular:"},
		"es": {"Consta 1 persona asegurada indirectamente a través del titular:", "Constan 12 personas aseguradas indirectamente a través del titular:"},
		"fr": {"1 personne est assurée indirectement par l’intermédiaire du titulaire\u202f:", "12 personnes sont assurées indirectement par l’intermédiaire du titulaire\u202f:"},
		"pt": {"Consta 1 pessoa segurada indiretamente através do titular:", "Constam 12 pessoas seguradas indiretamente através do titular:"},
		"en": {"1 person is insured through the holder:", "12 persons are insured through the holder:"},
	} {
		w := wordsOf(lang)
		if got := [2]string{w.count("coverage_certificate.dependants_count", 1), w.count("coverage_certificate.dependants_count", 12)}; got != want {
			t.Errorf("%s: %q", lang, got)
		}
	}
}

// A bilingual document says everything twice, but once what is the same.
func TestTwoLanguages(t *testing.T) {
	w := wordsOf("ca-fr")
	for _, c := range []struct{ got, want string }{
		{w.say("holder.heading"), "Titular / " + layout.Second("Titulaire")},
		{w.say("holder.nia"), "NIA"},
		{w.say("proof"), "PROVA — sense valor" + layout.Second(" (essai, sans valeur)")},
		{w.term("relationship", "child"), "Fill o filla / " + layout.Second("Enfant")},
		{w.say("head.issued", "Date", wire.MustDate("2026-04-01")), "Data d’expedició: 1 d’abril del 2026 / " + layout.Second("Date de délivrance\u202f: 1er avril 2026")},
		{strings.Join(w.apart("yes"), "|"), "Sí|Oui"},
		{under([]string{"Andorra la Vella,\n2 de març", "Andorra la Vella,\n2 de marzo"}), "Andorra la Vella,\n2 de març\n" + layout.Second("2 de marzo")},
		{w.count("months", 2), "2 mesos / " + layout.Second("2 mois")},
	} {
		if c.got != c.want {
			t.Errorf("said %q, want %q", c.got, c.want)
		}
	}
	if text, also := wordsOf("en").pair("yes"); text != "Yes" || also != "" {
		t.Errorf("one language says %q and %q", text, also)
	}
	if w.err != nil {
		t.Error(w.err)
	}
	if w.say("no_such_key"); w.err == nil {
		t.Error("a missing word was not missed")
	}
}
