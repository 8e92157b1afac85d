package templates

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"segell/layout"
	"segell/wire"
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

// words speaks the language of one document, or both of a bilingual one
// ("ca-es"): the official text first. The first failure sticks in err, so that a
// page can be composed in one go and judged at the end.
type words struct {
	*locale  // of numbers; a bilingual document writes them the official way
	language string
	tongues  []tongue // one or two
	err      error
}

// tongue is one language of a document.
type tongue struct {
	*locale
	language string
	loc      *i18n.Localizer
}

func wordsOf(language string) *words {
	w := &words{language: language}
	for tag := range strings.SplitSeq(language, "-") {
		l := numberLocales[tag]
		w.tongues = append(w.tongues, tongue{locale: &l, language: tag, loc: i18n.NewLocalizer(bundle(), tag)})
	}
	w.locale = w.tongues[0].locale
	return w
}

// say gives the words of a key on one line, with the values of its {{.Names}} in
// pairs; a wire.Date among them becomes the long date of the language. In a
// bilingual document both texts stand side by side: "Titular / Titulaire".
func (w *words) say(key string, pairs ...any) string {
	text, also := w.pair(key, pairs...)
	return beside(text, also)
}

// pair gives the words of a key apart: the text, and in a bilingual document what
// stands under or beside it in the other language.
func (w *words) pair(key string, pairs ...any) (text, also string) {
	texts := w.apart(key, pairs...)
	if len(texts) > 1 {
		also = texts[1]
	}
	return texts[0], also
}

// apart gives the words of a key in each language of the document.
func (w *words) apart(key string, pairs ...any) []string {
	texts := make([]string, len(w.tongues))
	for i, t := range w.tongues {
		texts[i] = w.localize(t, &i18n.LocalizeConfig{MessageID: key, TemplateData: t.data(pairs)})
	}
	return texts
}

// voices is apart for texts that stand on the page as they are: each is heard in
// its own language.
func (w *words) voices(key string, pairs ...any) []string {
	texts := w.apart(key, pairs...)
	for i := range texts[1:] {
		texts[i+1] = layout.Second(texts[i+1])
	}
	return texts
}

// count is say in the plural form of n, which the text finds as {{.Count}}.
func (w *words) count(key string, n int, pairs ...any) string {
	texts := make([]string, 2)
	for i, t := range w.tongues {
		d := t.data(pairs)
		d["Count"] = t.Count(n)
		texts[i] = w.localize(t, &i18n.LocalizeConfig{MessageID: key, TemplateData: d, PluralCount: n})
	}
	return beside(texts[0], texts[1])
}

// term gives the words of a value of an enumeration.
func (w *words) term(enum, value string) string { return w.say(enum + "." + value) }

// beside joins two languages on a line. What both say alike is said once, and so
// is a text that the other repeats and explains.
func beside(text, also string) string {
	switch {
	case also == "", also == text:
		return text
	case strings.HasPrefix(also, text+" "):
		return text + layout.Second(also[len(text):])
	}
	return text + " / " + layout.Second(also)
}

// under stands the lines of two languages one under the other, each line once.
func under(texts []string) string {
	var lines []string
	for i, text := range texts {
		for line := range strings.SplitSeq(text, "\n") {
			switch {
			case i == 0:
				lines = append(lines, line)
			case !slices.Contains(lines, line):
				lines = append(lines, layout.Second(line))
			}
		}
	}
	return strings.Join(lines, "\n")
}

func (t tongue) data(pairs []any) map[string]any {
	d := make(map[string]any, len(pairs)/2+1)
	for i := 0; i+1 < len(pairs); i += 2 {
		v := pairs[i+1]
		if date, ok := v.(wire.Date); ok {
			v = t.LongDate(date)
		}
		d[pairs[i].(string)] = v
	}
	return d
}

func (w *words) localize(t tongue, c *i18n.LocalizeConfig) string {
	s, tag, err := t.loc.LocalizeWithTag(c)
	if err == nil && tag.String() != t.language {
		err = fmt.Errorf("found only in %s", tag) // go-i18n falls back to the official language: no mixed pages
	}
	if err != nil {
		if w.err == nil {
			w.err = fmt.Errorf("templates: no words for %q in %q: %w", c.MessageID, t.language, err)
		}
		return ""
	}
	return s
}
