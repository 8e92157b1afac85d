package verification

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"segell/pages"
)

//go:embed page.html
var pageHTML string

// look is everything the pages are made of.
type look struct {
	*pages.Assets
	template *template.Template
	words    map[string]*words
}

// newLook reads the embedded files; logo, when given, is shown at the head.
func newLook(logo []byte) (*look, error) {
	l := &look{}
	var err error
	if l.Assets, err = pages.NewAssets("/v/assets/", logo); err != nil {
		return nil, err
	}
	if l.words, err = loadWords(); err != nil {
		return nil, err
	}
	l.template, err = pages.Template(pageHTML)
	return l, err
}

// choose gives the words for a request.
func (l *look) choose(r *http.Request) *words {
	tag, _ := pages.Chosen(r)
	return l.words[tag]
}

// view is what the template sees.
type view struct {
	*words
	Institution       string
	Style, Icon, Logo string
	Title             string // of the browser's tab
	Links             []languageLink
	Lang              string // value of ?lang= to keep, or ""

	Answer  string // "" for the empty form
	Heading string
	Text    string
	IsProof bool
	Verdict bool // false where a proof would be said to be in force: that it is one says all
	Rows    []row
	Known   bool       // a document was issued with the code
	Digests [][]string // of the file, in groups; more than one after its seal was renewed
	When    string
	Typed   string // what to put back into the form
}

// FormError says that what was typed in the form is at fault.
func (v view) FormError() bool { return v.Answer == answerMalformed }

// FormFirst says that the form is what the reader needs next: to correct the
// code, or to ask again.
func (v view) FormFirst() bool { return !v.Known }

type languageLink struct {
	Tag, Name, URL string
	Current        bool
}

// row is one label and its value. Small is a second, lesser line, in SmallLang.
type row struct {
	Label, Value     string
	Small, SmallLang string
	Machine          string // for <time datetime>
	Mono             bool   // a number or code, to be compared sign by sign
}

func (h *handler) asPage(f finding, words *words, r *http.Request) ([]byte, error) {
	v := view{
		words: words, Institution: h.Institution,
		Style: h.look.Style, Icon: h.look.Icon, Logo: h.look.Logo,
		Answer: f.answer, Known: known(f.answer),
		Verdict: true,
		When:    pages.Fill(words.Asked, "when", words.when(f.at)),
		Links:   h.links(f, words.Tag),
	}
	if tag, asked := pages.Chosen(r); asked {
		v.Lang = tag
	}
	if f.answer == "" {
		v.Title, v.Heading, v.Text = words.Form.Title, words.Form.Title, words.Form.Lead
	} else {
		w := words.Answers[f.answer]
		v.Heading = w.Title
		v.Text = w.Text
		if f.answer == answerExpired {
			v.Text = pages.Fill(w.Text, "date", words.date(f.validUntil))
		}
		v.Title = w.Title + " · " + words.Site
	}
	switch {
	case v.Known:
		v.IsProof = f.status.Proof
		if v.IsProof && f.answer == answerValid {
			v.Verdict, v.Title = false, words.Proof.Title+" · "+words.Site
		}
		v.Rows = h.rows(f, words)
		if f.answer != answerErased {
			for _, digest := range append([]string{f.status.SHA256}, f.status.OtherSHA256...) {
				if groups := grouped(digest, 8); len(groups) > 0 {
					v.Digests = append(v.Digests, groups)
				}
			}
		}
	case f.answer == answerMalformed:
		v.Typed = echo(f.typed)
	case f.csv != "":
		v.Typed = f.csv.Grouped()
	}
	var out bytes.Buffer
	if err := h.look.template.Execute(&out, v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// rows are what is to be compared with the paper, in the order of the paper.
func (h *handler) rows(f finding, w *words) []row {
	s, l := f.status, w.Labels
	kind := row{Label: l.Kind, Value: kindTitle(s.Kind, w.Tag)}
	if catalan := kindTitle(s.Kind, "ca"); catalan != kind.Value {
		kind.Small, kind.SmallLang = catalan, "ca" // printed on every document
	}
	issued := s.IssuedAt.In(h.zone)
	rows := []row{
		kind,
		{Label: l.Number, Value: s.Number, Mono: true},
		{Label: l.Issued, Value: w.date(issued), Machine: issued.Format(time.RFC3339)},
	}
	if f.answer == answerErased {
		return append(rows, row{Label: l.CSV, Value: f.csv.Grouped(), Mono: true})
	}
	if f.validUntil.IsZero() {
		rows = append(rows, row{Label: l.ValidUntil, Value: l.NoEnd})
	} else {
		rows = append(rows, row{Label: l.ValidUntil, Value: w.date(f.validUntil), Machine: s.ValidUntil})
	}
	inForce := l.No
	switch {
	case s.Proof:
		inForce += ". " + w.Proof.Title
	case f.answer == answerValid:
		inForce = l.Yes
	}
	rows = append(rows, row{Label: l.InForce, Value: inForce})
	switch f.answer {
	case answerWithdrawn:
		rows = h.since(rows, l.Withdrawn, f, w)
	case answerReplaced:
		rows = h.since(rows, l.Replaced, f, w)
		if s.ReplacedBy != "" {
			rows = append(rows, row{Label: l.ReplacedBy, Value: s.ReplacedBy, Mono: true})
		}
	}
	if s.MaskedHolder != "" {
		rows = append(rows, row{Label: l.Holder, Value: s.MaskedHolder, Small: l.HolderHidden})
	}
	if s.Pages > 0 {
		rows = append(rows, row{Label: l.Pages, Value: strconv.Itoa(s.Pages)})
	}
	if name := w.languageOf(s.Language); name != "" {
		rows = append(rows, row{Label: l.Language, Value: name})
	}
	return append(rows, row{Label: l.CSV, Value: f.csv.Grouped(), Mono: true})
}

// since adds the day of the withdrawal, where the register has it.
func (h *handler) since(rows []row, label string, f finding, w *words) []row {
	if f.status.Withdrawn.IsZero() {
		return rows
	}
	at := f.status.Withdrawn.In(h.zone)
	return append(rows, row{Label: label, Value: w.date(at), Machine: at.Format(time.RFC3339)})
}

// links are the same page in the other languages.
func (h *handler) links(f finding, current string) []languageLink {
	path := "/v"
	if f.csv != "" {
		path = "/v/" + string(f.csv)
	}
	links := make([]languageLink, len(pages.Languages))
	for i, tag := range pages.Languages {
		query := url.Values{"lang": {tag}}
		if typed := echo(f.typed); f.answer == answerMalformed && typed != "" {
			query.Set("csv", typed)
		}
		links[i] = languageLink{Tag: tag, Name: h.look.words[tag].Name, URL: path + "?" + query.Encode(), Current: tag == current}
	}
	return links
}

// echo is what of a mistyped code is shown again to be corrected: in capitals and
// in groups, as on the paper, and nothing that could be anything but a code, so
// that no one can make this page say his words.
func echo(typed string) string {
	var kept strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z':
			kept.WriteRune(r)
		case r == '-', r == ' ':
		default:
			return ""
		}
	}
	if kept.Len() > 32 {
		return ""
	}
	return strings.Join(grouped(kept.String(), 4), "-")
}

// grouped cuts a text into parts of n characters, to be read and wrapped.
func grouped(text string, n int) []string {
	var parts []string
	for len(text) > n {
		parts, text = append(parts, text[:n]), text[n:]
	}
	if text != "" {
		parts = append(parts, text)
	}
	return parts
}
