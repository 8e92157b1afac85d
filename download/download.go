// Package download leads an insured person's browser to a document, by a ticket
// that the portal obtained after its own login of the person:
//
//	GET /d/{ticket}   303 to the sealed PDF, at an address that is good for a minute
//
// Whoever has the ticket may download, so a ticket lives for minutes, opens one
// document, can be revoked, and is counted. It is in no log and no page. What
// opens nothing is answered by a page that says why, in five languages.
//
// Phones and programs for messages fetch what they show before a person taps it.
// That must neither use the ticket up nor hand them the document: they are told
// by what they say of themselves, and get a page with a button.
//
// Nothing here needs Redis.
package download

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"segell/ledger"
	"segell/pages"
	"segell/storage"
	"segell/templates"
)

// Tickets is what the pages ask the ledger; ledger.Ledger is one, and says what
// each promises.
type Tickets interface {
	Ticket(ctx context.Context, secret string) (ledger.Ticket, error)
	Record(ctx context.Context, id string) (ledger.Record, error)
	Download(ctx context.Context, id, fileName string) (address string, err error)
	Punch(ctx context.Context, t ledger.Ticket) (ledger.Ticket, error)
}

// Config is what a handler needs. All fields but Logo are required.
type Config struct {
	Tickets     Tickets
	Institution string // name at the head of the page
	Logo        []byte // SVG or PNG shown at the head instead of the mark of Segell
	Now         func() time.Time
	Log         *slog.Logger
}

// within is how long one question may take.
const within = 10 * time.Second

// The answers that are pages.
const (
	answerReady       = "ready" // to who looks before a person does
	answerUnknown     = "unknown"
	answerExpired     = "expired"
	answerRevoked     = "revoked"
	answerUsedUp      = "used_up"
	answerWithdrawn   = "withdrawn"
	answerReplaced    = "replaced"
	answerErased      = "erased"
	answerUnavailable = "unavailable"
)

// httpStatus is the status code of every answer.
var httpStatus = map[string]int{
	answerReady:       http.StatusOK,
	answerUnknown:     http.StatusNotFound,
	answerExpired:     http.StatusGone,
	answerRevoked:     http.StatusGone,
	answerUsedUp:      http.StatusGone,
	answerWithdrawn:   http.StatusGone,
	answerReplaced:    http.StatusGone,
	answerErased:      http.StatusGone,
	answerUnavailable: http.StatusServiceUnavailable,
}

//go:embed page.html
var pageHTML string

//go:embed locales/*.json
var localeFiles embed.FS

// words is one locale file; every field must hold something.
type words struct {
	Tag       string             `json:"tag"`  // BCP 47
	Name      string             `json:"name"` // of the language, in itself
	Site      string             `json:"site"`
	Skip      string             `json:"skip"`
	Languages string             `json:"languages"`
	Answers   map[string]passage `json:"answers"`
	Next      next               `json:"next"`
	Open      string             `json:"open"`
	Privacy   string             `json:"privacy"`
}

// next is what a person can do where a ticket opens nothing.
type next struct {
	Title       string `json:"title"`
	Link        string `json:"link"`        // the document is there, the ticket is at fault
	Document    string `json:"document"`    // the document is withdrawn or gone
	Replacement string `json:"replacement"` // another document took its place
}

// of is the text for an answer, "" where there is nothing to do but to wait.
func (n next) of(answer string) string {
	switch answer {
	case answerReady, answerUnavailable:
		return ""
	case answerWithdrawn, answerErased:
		return n.Document
	case answerReplaced:
		return n.Replacement
	}
	return n.Link
}

type passage struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// judge finds a text for every answer, and none besides.
func (w *words) judge() error {
	for answer := range httpStatus {
		if _, ok := w.Answers[answer]; !ok {
			return fmt.Errorf("no text for the answer %q", answer)
		}
	}
	if len(w.Answers) != len(httpStatus) {
		return errors.New("a text for an answer that does not exist")
	}
	return nil
}

type handler struct {
	Config
	assets   *pages.Assets
	template *template.Template
	words    map[string]*words
}

// New returns the handler for everything below /d/.
func New(c Config) (http.Handler, error) {
	if c.Tickets == nil || c.Institution == "" || c.Now == nil || c.Log == nil {
		return nil, errors.New("download: Tickets, Institution, Now and Log are needed")
	}
	h := &handler{Config: c}
	if err := h.prepare(); err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /d/{ticket}", h.follow)
	mux.Handle("GET /d/assets/{name}", h.assets)
	mux.HandleFunc("GET /d/", func(w http.ResponseWriter, r *http.Request) { h.answer(w, r, "/d/", finding{answer: answerUnknown}) })
	return pages.Guard(mux), nil
}

// prepare reads the embedded files.
func (h *handler) prepare() (err error) {
	if h.assets, err = pages.NewAssets("/d/assets/", h.Logo); err != nil {
		return err
	}
	if h.words, err = pages.ReadWords(localeFiles, (*words).judge); err != nil {
		return err
	}
	h.template, err = pages.Template(pageHTML)
	return err
}

// finding is what came out for a ticket: an answer, or an address to go to.
type finding struct {
	answer  string
	address string
	request string // whose document, where known
	tag     string // the language that the ticket asks for
}

// follow answers for a ticket.
func (h *handler) follow(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), within)
	defer cancel()
	f, err := h.find(ctx, r)
	if err != nil {
		f.answer, f.address = reason(err), ""
		if f.answer == answerUnavailable && r.Context().Err() == nil {
			// The errors of the ledger name no ticket: its key is never in them.
			h.Log.Error("a download could not be given", "id", f.request, "why", err)
		}
	}
	h.answer(w, r, "/d/{ticket}", f)
}

// find judges a ticket and its document, and counts the download.
func (h *handler) find(ctx context.Context, r *http.Request) (f finding, err error) {
	ticket, err := h.Tickets.Ticket(ctx, r.PathValue("ticket"))
	if err != nil {
		return f, err
	}
	f.request, f.tag = ticket.Request, ticket.Language
	if err := ticket.Check(h.Now()); err != nil {
		return f, err
	}
	record, err := h.Tickets.Record(ctx, ticket.Request)
	if errors.Is(err, ledger.ErrNotFound) {
		return finding{answer: answerErased, request: f.request, tag: f.tag}, nil
	}
	if err != nil {
		return f, err
	}
	switch record.Status {
	case ledger.StateIssued:
		if record.RemovedAt != nil { // its time was over
			f.answer = answerErased
			return f, nil
		}
	case ledger.StateWithdrawn, ledger.StateReplaced, ledger.StateErased:
		f.answer = string(record.Status)
		return f, nil
	default:
		return f, fmt.Errorf("%w: a record has no known status", ledger.ErrDamaged)
	}
	if looksAhead(r) {
		f.answer = answerReady
		return f, nil
	}
	if f.address, err = h.Tickets.Download(ctx, record.ID, fileName(record, h.tag(r, f))); err != nil {
		return f, err
	}
	_, err = h.Tickets.Punch(ctx, ticket)
	return f, err
}

// reason is the answer for an error of the ledger.
func reason(err error) string {
	switch {
	case errors.Is(err, ledger.ErrTicketExpired):
		return answerExpired
	case errors.Is(err, ledger.ErrTicketRevoked):
		return answerRevoked
	case errors.Is(err, ledger.ErrTicketUsedUp):
		return answerUsedUp
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, storage.ErrNotFound):
		return answerUnknown
	}
	return answerUnavailable
}

// fileName is what a person finds in the folder of downloads: what the document
// is, in their language, and its number.
func fileName(record ledger.Record, tag string) string {
	title := record.Kind
	if kind, ok := templates.Lookup(record.Kind); ok {
		if name, ok := kind.Title(tag); ok {
			title = name
		}
	}
	return title + " " + record.Number + ".pdf"
}

// looksAhead reports whether it is not a person who follows the ticket, but a
// program that prepares for one: HEAD, what browsers say when they fetch ahead
// (Sec-Purpose; Purpose and X-Moz in older ones), and programs that make previews
// of links. One that does not say so uses up one download of several.
func looksAhead(r *http.Request) bool {
	if r.Method == http.MethodHead {
		return true
	}
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		value := strings.ToLower(r.Header.Get(name))
		if strings.Contains(value, "prefetch") || strings.Contains(value, "preview") || strings.Contains(value, "prerender") {
			return true
		}
	}
	if r.URL.Query().Has(meant) {
		return false
	}
	agent := strings.ToLower(r.UserAgent())
	for _, previewer := range previewers {
		if strings.Contains(agent, previewer) {
			return true
		}
	}
	return false
}

// meant is in the address behind the button: whoever presses it is a person, also
// where their browser calls itself something that we took for a program.
const meant = "open"

// previewers are parts of what programs call themselves that show a preview of a
// link, in small letters.
var previewers = []string{"bot/", "bot;", "bot-", "telegrambot", "linkexpanding", "preview", "crawler", "spider", "facebookexternalhit", "facebookcatalog", "whatsapp/",
	"slack-imgproxy", "skypeuripreview", "embedly", "iframely", "mattermost"}

// tag is the language of an answer: ?lang=, else the ticket's, else the browser's.
func (h *handler) tag(r *http.Request, f finding) string {
	tag, asked := pages.Chosen(r)
	if _, ok := h.words[f.tag]; ok && !asked {
		return f.tag
	}
	return tag
}

// view is what the template sees.
type view struct {
	*words
	Institution       string
	Style, Icon, Logo string
	Answer            string
	Title, Text       string
	Do                string // what the person can do, "" for nothing
	Links             []languageLink
}

type languageLink struct {
	Tag, Name string
	Current   bool
}

// answer writes a finding and the log's line, which holds no ticket.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, route string, f finding) {
	header := w.Header()
	header.Set("Vary", "Accept-Language")
	status, body := http.StatusSeeOther, []byte(nil)
	if f.address != "" {
		header.Set("Location", f.address)
	} else {
		words := h.words[h.tag(r, f)]
		status = httpStatus[f.answer]
		var err error
		if body, err = h.page(f.answer, words); err != nil {
			h.Log.Error("a page could not be written", "answer", f.answer, "why", err)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
		header.Set("Content-Language", words.Tag)
		header.Set("Content-Type", "text/html; charset=utf-8")
		if f.answer == answerReady && r.Header.Get("Sec-Purpose") != "" {
			// A browser that fetches ahead would show this page instead of following: it
			// is told that there is nothing to fetch ahead, and asks again when it is meant.
			status = http.StatusServiceUnavailable
		} else if f.answer == answerUnavailable {
			header.Set("Retry-After", "30")
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a reader who has gone is no fault of ours
	h.Log.Info("answered", "method", r.Method, "route", route, "status", status, "answer", f.answer, "id", f.request)
}

func (h *handler) page(answer string, words *words) ([]byte, error) {
	text := words.Answers[answer]
	v := view{words: words, Institution: h.Institution, Style: h.assets.Style, Icon: h.assets.Icon, Logo: h.assets.Logo,
		Answer: answer, Title: text.Title, Text: text.Text, Do: words.Next.of(answer)}
	for _, tag := range pages.Languages {
		v.Links = append(v.Links, languageLink{Tag: tag, Name: h.words[tag].Name, Current: tag == words.Tag})
	}
	var out bytes.Buffer
	err := h.template.Execute(&out, v)
	return out.Bytes(), err
}
