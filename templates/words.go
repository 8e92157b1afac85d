package templates

import (
	"embed"
	"fmt"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// official is the language whose text counts (Llei 6/2024, art. 8).
const official = "ca"

//go:embed locales/*.json
var localeFiles embed.FS

// bundle holds the words of every language, read once.
var bundle = sync.OnceValue(func() *i18n.Bundle {
	b := i18n.NewBundle(language.MustParse(official))
	entries, err := localeFiles.ReadDir("locales")
	if err != nil {
		panic("templates: " + err.Error())
	}
	for _, e := range entries {
		if _, err := b.LoadMessageFileFS(localeFiles, "locales/"+e.Name()); err != nil {
			panic("templates: " + err.Error())
		}
	}
	return b
})

// words speaks one language to one document. The first failure sticks in err, so
// that a page can be composed in one go and judged at the end.
type words struct {
	*locale
	language string
	loc      *i18n.Localizer
	err      error
}

func wordsOf(lang string) *words {
	l := numberLocales[lang]
	return &words{locale: &l, language: lang, loc: i18n.NewLocalizer(bundle(), lang)}
}

// say gives the words of a key, with the values of its {{.Names}} in pairs.
func (w *words) say(key string, pairs ...any) string {
	return w.localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: data(pairs)})
}

// count is say in the plural form of n, which the text finds as {{.Count}}.
func (w *words) count(key string, n int, pairs ...any) string {
	d := data(pairs)
	d["Count"] = w.Count(n)
	return w.localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: d, PluralCount: n})
}

// term gives the words of a value of an enumeration.
func (w *words) term(enum, value string) string { return w.say(enum + "." + value) }

func data(pairs []any) map[string]any {
	d := make(map[string]any, len(pairs)/2+1)
	for i := 0; i+1 < len(pairs); i += 2 {
		d[pairs[i].(string)] = pairs[i+1]
	}
	return d
}

func (w *words) localize(c *i18n.LocalizeConfig) string {
	s, tag, err := w.loc.LocalizeWithTag(c)
	if err == nil && tag.String() != w.language {
		err = fmt.Errorf("found only in %s", tag) // go-i18n falls back to the official language: no mixed pages
	}
	if err != nil {
		if w.err == nil {
			w.err = fmt.Errorf("templates: no words for %q in %q: %w", c.MessageID, w.language, err)
		}
		return ""
	}
	return s
}
