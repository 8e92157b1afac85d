package verification

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

//go:embed page.html
var pageHTML string

//go:embed assets
var assetFiles embed.FS

// pages is everything the pages are made of.
type pages struct {
	template *template.Template
	words    map[string]*words
	assets   map[string]asset // by the name in their address
	style    string           // addresses
	icon     string
	logo     string
}

type asset struct {
	contentType string
	body        []byte
}

// loadPages reads the embedded files; logo, when given, is shown at the head.
func loadPages(logo []byte) (*pages, error) {
	p := &pages{assets: map[string]asset{}}
	var err error
	if p.words, err = loadWords(); err != nil {
		return nil, err
	}
	if p.template, err = template.New("page").Parse(pageHTML); err != nil {
		return nil, err
	}
	style, err := assetFiles.ReadFile("assets/page.css")
	if err != nil {
		return nil, err
	}
	mark, err := assetFiles.ReadFile("assets/mark.svg")
	if err != nil {
		return nil, err
	}
	p.style = p.add(style, "text/css; charset=utf-8", "css")
	p.icon = p.add(mark, "image/svg+xml", "svg")
	p.logo = p.icon
	if len(logo) > 0 {
		switch {
		case bytes.HasPrefix(logo, []byte("\x89PNG\r\n\x1a\n")):
			p.logo = p.add(logo, "image/png", "png")
		case bytes.Contains(logo[:min(len(logo), 1024)], []byte("<svg")):
			p.logo = p.add(logo, "image/svg+xml", "svg")
		default:
			return nil, fmt.Errorf("the logo is neither an SVG nor a PNG")
		}
	}
	return p, nil
}

// add serves a file under a name that follows from its content, so that
// browsers may keep it for ever.
func (p *pages) add(body []byte, contentType, extension string) string {
	sum := sha256.Sum256(body)
	name := hex.EncodeToString(sum[:8]) + "." + extension
	p.assets[name] = asset{contentType, body}
	return "/v/assets/" + name
}

func (h *handler) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := h.pages.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	_, _ = w.Write(a.body)
}

// choose gives the words for a request.
func (p *pages) choose(r *http.Request) *words {
	tag, _ := chosen(r)
	return p.words[tag]
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
	Known   bool // a document was issued with the code
	Digest  []string
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
		Style: h.pages.style, Icon: h.pages.icon, Logo: h.pages.logo,
		Answer: f.answer, Known: known(f.answer),
		Verdict: true,
		When:    fill(words.Asked, "when", words.when(f.at)),
		Links:   h.links(f, words.Tag),
	}
	if tag, asked := chosen(r); asked {
		v.Lang = tag
	}
	if f.answer == "" {
		v.Title, v.Heading, v.Text = words.Form.Title, words.Form.Title, words.Form.Lead
	} else {
		w := words.Answers[f.answer]
		v.Heading = w.Title
		v.Text = w.Text
		if f.answer == answerExpired {
			v.Text = fill(w.Text, "date", words.date(f.validUntil))
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
			v.Digest = grouped(f.status.SHA256, 8)
		}
	case f.answer == answerMalformed:
		v.Typed = echo(f.typed)
	case f.csv != "":
		v.Typed = f.csv.Grouped()
	}
	var out bytes.Buffer
	if err := h.pages.template.Execute(&out, v); err != nil {
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
	links := make([]languageLink, len(languages))
	for i, tag := range languages {
		query := url.Values{"lang": {tag}}
		if typed := echo(f.typed); f.answer == answerMalformed && typed != "" {
			query.Set("csv", typed)
		}
		links[i] = languageLink{Tag: tag, Name: h.pages.words[tag].Name, URL: path + "?" + query.Encode(), Current: tag == current}
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
