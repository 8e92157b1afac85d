package verification

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"segell/pages"
	"segell/templates"
)

//go:embed locales/*.json
var localeFiles embed.FS

// words is one locale file. Every field must be there and hold something; {…}
// stands for a value, see pages.Fill.
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

// loadWords reads every locale file.
func loadWords() (map[string]*words, error) { return pages.ReadWords(localeFiles, (*words).judge) }

// judge finds a text for every answer and every language, and none besides.
func (w *words) judge() error {
	for answer := range httpStatus {
		if _, ok := w.Answers[answer]; !ok {
			return fmt.Errorf("no text for the answer %q", answer)
		}
	}
	for _, tag := range pages.Languages {
		if _, ok := w.DocumentIn[tag]; !ok {
			return fmt.Errorf("no name for the language %q", tag)
		}
	}
	if len(w.Answers) != len(httpStatus) || len(w.DocumentIn) != len(pages.Languages) {
		return fmt.Errorf("a text for an answer or a language that does not exist")
	}
	return nil
}

// date writes the day of t: "2 de març del 2026".
func (w *words) date(t time.Time) string {
	day := strconv.Itoa(t.Day())
	if t.Day() == 1 {
		day = w.FirstOf
	}
	return pages.Fill(w.LongDate, "day", day, "month", w.Months[t.Month()-1], "year", strconv.Itoa(t.Year()))
}

// when writes day and time of t, which is in the zone to be shown.
func (w *words) when(t time.Time) string {
	return pages.Fill(w.When, "date", w.date(t), "time", t.Format("15:04"))
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
