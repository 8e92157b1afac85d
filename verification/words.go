package verification

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"segell/templates"
)

//go:embed locales/*.json
var localeFiles embed.FS

// languages in the order in which the page offers them; the first is the default
// (Llei 6/2024: Catalan is the language of the public institutions).
var languages = []string{"ca", "es", "fr", "pt", "en"}

// words is one locale file. Every field must be there and hold something; {…}
// stands for a value, see fill.
type words struct {
	Tag  string `json:"tag"`  // BCP 47
	Name string `json:"name"` // of the language, in itself

	Site       string                 `json:"site"`
	Skip       string                 `json:"skip"`
	Languages  string                 `json:"languages"`
	Form       form                   `json:"form"`
	Answers    map[string]answerWords `json:"answers"`
	Proof      answerWords            `json:"proof"`
	Labels     labels                 `json:"labels"`
	Compare    passage                `json:"compare"`
	Proves     list                   `json:"proves"`
	File       passage                `json:"file"`
	Asked      string                 `json:"asked"` // {when}
	Privacy    string                 `json:"privacy"`
	When       string                 `json:"when"`      // {date}, {time}
	LongDate   string                 `json:"date"`      // {day}, {month}, {year}
	FirstOf    string                 `json:"first_day"` // how the first day of a month is written
	Months     [12]string             `json:"months"`
	DocumentIn map[string]string      `json:"document_languages"`
}

type form struct {
	Title  string `json:"title"`
	Again  string `json:"again"` // heading of the form under an answer
	Lead   string `json:"lead"`
	Label  string `json:"label"`
	Hint   string `json:"hint"`
	Button string `json:"button"`
}

type answerWords struct {
	Title string `json:"title"`
	Text  string `json:"text"` // {date} in "expired": the last day of validity
}

type passage struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

type list struct {
	Title string   `json:"title"`
	Items []string `json:"items"`
}

type labels struct {
	Kind         string `json:"kind"`
	Number       string `json:"number"`
	Issued       string `json:"issued"`
	ValidUntil   string `json:"valid_until"`
	NoEnd        string `json:"no_end"` // value where the document has no end of validity
	InForce      string `json:"in_force"`
	Yes          string `json:"yes"`
	No           string `json:"no"`
	Withdrawn    string `json:"withdrawn"`
	Replaced     string `json:"replaced"`
	ReplacedBy   string `json:"replaced_by"`
	Pages        string `json:"pages"`
	Holder       string `json:"holder"`
	HolderHidden string `json:"holder_hidden"`
	Language     string `json:"language"`
	CSV          string `json:"csv"`
}

// loadWords reads every locale file; one that has a key too many or too few, or
// an empty text, is an error.
func loadWords() (map[string]*words, error) {
	all := make(map[string]*words, len(languages))
	for _, tag := range languages {
		file := "locales/" + tag + ".json"
		body, err := localeFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		w, err := readWords(body)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all[tag] = w
	}
	return all, nil
}

func readWords(body []byte) (*words, error) {
	var w words
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&w); err != nil {
		return nil, err
	}
	for answer := range httpStatus {
		if _, ok := w.Answers[answer]; !ok {
			return nil, fmt.Errorf("no text for the answer %q", answer)
		}
	}
	for _, tag := range languages {
		if _, ok := w.DocumentIn[tag]; !ok {
			return nil, fmt.Errorf("no name for the language %q", tag)
		}
	}
	if len(w.Answers) != len(httpStatus) || len(w.DocumentIn) != len(languages) {
		return nil, fmt.Errorf("a text for an answer or a language that does not exist")
	}
	if hole := emptyText(reflect.ValueOf(w), ""); hole != "" {
		return nil, fmt.Errorf("no text at %s", hole)
	}
	return &w, nil
}

// emptyText returns the path of the first text, list or table in v that is
// empty, or "".
func emptyText(v reflect.Value, path string) string {
	switch v.Kind() {
	case reflect.String:
		if strings.TrimSpace(v.String()) == "" {
			return path
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if hole := emptyText(v.Field(i), path+"/"+v.Type().Field(i).Tag.Get("json")); hole != "" {
				return hole
			}
		}
	case reflect.Array, reflect.Slice:
		if v.Len() == 0 {
			return path
		}
		for i := range v.Len() {
			if hole := emptyText(v.Index(i), path+"/"+strconv.Itoa(i)); hole != "" {
				return hole
			}
		}
	case reflect.Map:
		if v.Len() == 0 {
			return path
		}
		for _, key := range v.MapKeys() {
			if hole := emptyText(v.MapIndex(key), path+"/"+key.String()); hole != "" {
				return hole
			}
		}
	}
	return ""
}

var matcher = func() language.Matcher {
	tags := make([]language.Tag, len(languages))
	for i, tag := range languages {
		tags[i] = language.MustParse(tag)
	}
	return language.NewMatcher(tags)
}()

// chosen is the language of an answer: ?lang= when it is one of ours, else the
// best of Accept-Language, else Catalan. asked says that it was the first.
func chosen(r *http.Request) (tag string, asked bool) {
	lang := r.URL.Query().Get("lang")
	for _, tag := range languages {
		if lang == tag {
			return tag, true
		}
	}
	_, i := language.MatchStrings(matcher, r.Header.Get("Accept-Language"))
	return languages[i], false
}

// fill puts values into a text: fill("fins al {date}", "date", "…").
func fill(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{"+pairs[i]+"}", pairs[i+1])
	}
	return text
}

// date writes the day of t: "2 de març del 2026".
func (w *words) date(t time.Time) string {
	day := strconv.Itoa(t.Day())
	if t.Day() == 1 {
		day = w.FirstOf
	}
	return fill(w.LongDate, "day", day, "month", w.Months[t.Month()-1], "year", strconv.Itoa(t.Year()))
}

// when writes day and time of t, which is in the zone to be shown.
func (w *words) when(t time.Time) string {
	return fill(w.When, "date", w.date(t), "time", t.Format("15:04"))
}

// languageOf writes the language of a document, "ca" or two of them, "ca-es";
// empty for one that has no name here.
func (w *words) languageOf(tags string) string {
	var names []string
	for tag := range strings.SplitSeq(tags, "-") {
		name, ok := w.DocumentIn[tag]
		if !ok {
			return ""
		}
		names = append(names, name)
	}
	return strings.Join(names, " / ")
}

// kindTitle is what a kind is called in a language; of a kind newer than this
// program better its identifier than nothing.
func kindTitle(id, language string) string {
	if kind, ok := templates.Lookup(id); ok {
		if title, ok := kind.Title(language); ok {
			return title
		}
	}
	return id
}
