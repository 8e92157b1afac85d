package templates

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // Europe/Andorra, also where the system has no zones

	"segell/layout"
	"segell/wire"
)

// Kind is a kind of document.
type Kind struct {
	ID        string   // as in the API: "coverage_certificate"
	Code      string   // in the document number: "COB"
	Languages []string // a request may ask for; the first is the official one
	MaxBody   int64    // largest body that the door reads for it, in bytes; 0 for DefaultMaxBody

	body       reflect.Type
	decode     func(k *Kind, body []byte, at time.Time) (*Request, error)
	validUntil func(r *Request, issued wire.Date) (wire.Date, bool)
	compose    func(r *Request, is Issue, w *words) page
}

// DefaultMaxBody is enough for every kind that carries words and numbers only.
const DefaultMaxBody = 1 << 20

// BodyLimit is the largest body of a request for the kind, in bytes. A ledger keeps
// the body in one object, so no kind may ask for more than storage holds.
func (k *Kind) BodyLimit() int64 {
	if k.MaxBody == 0 {
		return DefaultMaxBody
	}
	return k.MaxBody
}

// page is what a kind says: its title and the body below it.
type page struct {
	titleKey string
	blocks   []layout.Block
}

// Kinds lists every kind, in the order of their codes in the documentation.
func Kinds() []*Kind { return slices.Clone(kinds) }

// Lookup finds a kind by its identifier.
func Lookup(id string) (*Kind, bool) {
	for _, k := range kinds {
		if k.ID == id {
			return k, true
		}
	}
	return nil, false
}

// BodyType is the Go type of the request's body, for the API description (wire.Schema).
func (k *Kind) BodyType() reflect.Type { return k.body }

// Decode reads and judges a request as it stands at a time: its shape and the
// kind's own rules, as many faults at once as can be known. The error is a
// *wire.SyntaxError (400) or wire.Faults (422); neither repeats a value.
func (k *Kind) Decode(body []byte, at time.Time) (*Request, error) { return k.decode(k, body, at) }

// decoder makes the decode of a kind with data D and its rules.
func decoder[D any](rules func(r *Request, d *D, today wire.Date, j *judgement)) func(*Kind, []byte, time.Time) (*Request, error) {
	return func(k *Kind, body []byte, at time.Time) (*Request, error) {
		b, err := wire.Decode[Body[D]](body)
		var j judgement
		if err != nil {
			// The rules judge what can be read all the same, so that the sender learns everything at once.
			if !errors.As(err, &j.shape) || !salvage(body, j.shape, &b) {
				return nil, err
			}
		}
		today := wire.DateOf(at.In(Andorra))
		r := b.request(k)
		r.rules(k, today, &j)
		eachText(reflect.ValueOf(b), "", func(pointer, text string) {
			if c, found := layout.FindForbidden(text); found {
				j.Addf(pointer, "must be one line of text without control characters, invisible characters or marks that change the direction of text; it holds %U", c)
			}
		})
		rules(r, &b.Data, today, &j)
		if err := j.err(); err != nil {
			return nil, err
		}
		return r, nil
	}
}

// eachText calls fn with every string of a body and its JSON pointer.
func eachText(v reflect.Value, pointer string, fn func(pointer, text string)) {
	switch v.Kind() {
	case reflect.String:
		fn(pointer, v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			eachText(v.Elem(), pointer, fn)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // bytes, no text
		}
		for i := range v.Len() {
			eachText(v.Index(i), pointer+wire.Pointer(i), fn)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if name != "" {
				eachText(v.Field(i), pointer+wire.Pointer(name), fn)
			}
		}
	}
}

// Andorra is the time zone of every date on a document.
var Andorra = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Andorra")
	if err != nil {
		panic("templates: the embedded time zones lack Europe/Andorra: " + err.Error())
	}
	return loc
}()

// Issue is what Segell gives to a document when it is issued.
type Issue struct {
	Number          string // CASS-2026-COB-0001234
	CSV             string // in groups, as printed
	VerificationURL string // with the CSV; in the QR and in letters
	IssuedAt        time.Time
	SealedBy        string       // the institution that issues and seals
	Mark            *layout.Mark // its emblem; nil for the one of our own drawing
	Proof           bool         // across every page "PROVA — sense valor"
}

// Rendered is a document ready to be sealed.
type Rendered struct {
	PDF   []byte
	Pages int
	Title string // kind and number in the document's language; never a name
}

// Render draws the document of a request. The same request and issue give the
// same bytes. The error is a *layout.Fault (permanent: the data cannot be
// drawn), wraps layout.ErrDrawing, or is the context's. Safe for concurrent use.
func Render(ctx context.Context, r *Request, is Issue) (Rendered, error) {
	w := wordsOf(r.Language)
	issuedAt := is.IssuedAt.In(Andorra)
	issued := wire.DateOf(issuedAt)
	p := r.kind.compose(r, is, w)

	text, also := w.pair(p.titleKey)
	title := layout.Title{Text: text, Also: also}
	if main := w.tongues[0].language; main != official {
		title.Official = wordsOf(official).say(p.titleKey)
		title.Note = w.say("courtesy")
	}
	fileTitle := title.Text + " " + is.Number

	foot := w.voices("foot.document", "Number", is.Number)
	if until, ok := r.ValidUntil(is.IssuedAt); ok {
		for i, valid := range w.voices("foot.valid_until", "Date", w.ShortDate(until)) {
			foot[i] += " · " + valid
		}
	}
	foot = append(foot, w.voices("foot.data_protection", "Issuer", is.SealedBy)...)
	doc := layout.Document{
		Language:    w.tongues[0].language,
		Title:       fileTitle,
		Number:      is.Number,
		Issued:      issuedAt,
		Institution: layout.Institution{Name: is.SealedBy, Mark: is.Mark, MarkAlt: w.apart("head.mark", "Issuer", is.SealedBy)[0]},
		Header:      append([]string{is.Number}, w.voices("head.issued", "Date", issued)...),
		Footer: layout.Footer{
			URL:         is.VerificationURL,
			CodeLabel:   w.say("foot.code"),
			Code:        is.CSV,
			VerifyLabel: w.say("foot.verify"),
			Lines:       foot,
		},
		PageOf:   func(page, pages int) string { return w.say("foot.page", "Page", page, "Pages", pages) },
		Contents: w.say("contents"),
		Body:     append([]layout.Block{title}, p.blocks...),
	}
	if len(w.tongues) > 1 {
		doc.Also = w.tongues[1].language
	}
	if is.Proof {
		// The watermark stays Catalan: it must be known again in every language.
		doc.Proof = []string{"PROVA", "sense valor"}
		doc.ProofNote = w.say("proof")
	}
	if w.err != nil {
		return Rendered{}, w.err
	}
	res, err := layout.Render(ctx, doc)
	if err != nil {
		return Rendered{}, err
	}
	return Rendered{PDF: res.PDF, Pages: res.Pages, Title: fileTitle}, nil
}

// closing is how every certificate ends: its formula, place and date, and what is seen of the seal.
func closing(is Issue, w *words) []layout.Block {
	return append(eachLanguage(w, layout.Paragraph, "closing"), sealBox(is, w))
}

// sealBox is what is seen of the seal, beside place and date.
func sealBox(is Issue, w *words) layout.SealBox {
	at := is.IssuedAt.In(Andorra)
	date := wire.DateOf(at)
	lines := slices.Concat(
		w.voices("seal.by", "Issuer", is.SealedBy),
		w.voices("seal.at", "Date", date, "Time", at.Format("15:04:05")),
		w.voices("seal.law"),
	)
	if is.Proof {
		lines = append(lines, w.say("proof"))
	}
	return layout.SealBox{Lines: lines, Beside: under(w.apart("place_and_date", "Date", date))}
}

// eachLanguage makes a block of the words of a key in each language of the
// document, one under the other.
func eachLanguage[B layout.Block](w *words, block func(text string) B, key string, pairs ...any) []layout.Block {
	var blocks []layout.Block
	for i, text := range w.apart(key, pairs...) {
		var b layout.Block = block(text)
		if i > 0 {
			b = layout.In{Language: w.tongues[i].language, Blocks: []layout.Block{b}}
		}
		blocks = append(blocks, b)
	}
	return blocks
}
