// Package verification answers, to anyone and without a login, what has become
// of a document: the page behind the address and the QR code printed at the foot
// of every page, and the same answer as JSON.
//
// It shows the status only. Who holds the code (an office, a hospital, whoever
// finds the paper) learns what is on the paper anyway: kind, number, dates,
// number of pages, the holder's initials and a masked CASS number. The document
// itself is never served here: having the code is not a permission to read.
//
//	GET /v            a form to type a code
//	GET /v?csv=…      what the form sends; leads to the next
//	GET /v/{csv}      the status, as a page or, by Accept, as application/json
//
// Pages come in Catalan (the default), Spanish, French, Portuguese and English,
// by Accept-Language or ?lang=, and use neither JavaScript nor cookies.
package verification

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	_ "time/tzdata" // a validity ends at midnight in Andorra, also where the machine has no time zones

	"segell/ledger"
	"segell/pages"
)

// Register answers what Segell knows of a code. Implementations are safe for
// concurrent use and obey ctx.
type Register interface {
	// ByCSV returns the status of the document with this code, given in its
	// canonical 22 characters. Errors wrap ErrUnknown when no document has the
	// code, and ErrUnavailable when the ledger cannot be asked now; any other
	// error is treated as the second and logged.
	ByCSV(ctx context.Context, csv string) (Status, error)
}

var (
	// ErrUnknown says that no document was issued with the code.
	ErrUnknown = errors.New("no document has this code")
	// ErrUnavailable says that the register cannot be asked at the moment.
	ErrUnavailable = errors.New("the register does not answer")
)

// What the register says of a document (Status.State). Whether an issued
// document has expired is not among them: it follows from ValidUntil and the day.
const (
	StateIssued    = "issued"
	StateWithdrawn = "withdrawn"
	StateReplaced  = "replaced"
	StateErased    = "erased"
)

// Status is what may be shown of a document to whoever has its code.
type Status struct {
	Kind         string    // identifier of the kind, "coverage_certificate"
	Number       string    // document number, "CASS-2026-COB-0001234"
	Language     string    // of the document: "ca", or two, "ca-es"
	State        string    // StateIssued, StateWithdrawn, StateReplaced or StateErased
	MaskedHolder string    // initials and masked CASS number, "M. C. P. •••••9Z"
	IssuedAt     time.Time // in any zone; shown in that of Andorra
	ValidUntil   string    // last day of validity, "2026-06-02"; empty when the document has none
	Pages        int       // 0 when not known
	Withdrawn    time.Time // when it was withdrawn or replaced; zero otherwise
	ReplacedBy   string    // number of the document that replaces it
	SHA256       string    // of the sealed file as it is kept today, hexadecimal
	OtherSHA256  []string  // of the same document in its other states: before, or just after, its seal was renewed
	Proof        bool      // a sandbox document: without value, and shown as such
}

// Config is what a handler needs.
type Config struct {
	Register    Register         // required
	Institution string           // name at the head of the page; default: the CASS
	Logo        []byte           // SVG or PNG shown at the head instead of the mark of Segell
	Timeout     time.Duration    // for one question to the register; default 5 s
	RetryAfter  time.Duration    // what a 503 asks callers to wait; default 30 s
	Now         func() time.Time // default time.Now
	Log         *slog.Logger     // default slog.Default; codes are never logged
}

const (
	defaultInstitution = "Caixa Andorrana de Seguretat Social"
	defaultTimeout     = 5 * time.Second
	defaultRetryAfter  = 30 * time.Second
	timeZone           = "Europe/Andorra"
)

// The answers of the page and the field "status" of the JSON.
const (
	answerValid       = "valid"
	answerExpired     = "expired"
	answerWithdrawn   = "withdrawn"
	answerReplaced    = "replaced"
	answerErased      = "erased"
	answerNotFound    = "not_found"
	answerMalformed   = "malformed"
	answerUnavailable = "unavailable"
)

// httpStatus is the status code of every answer.
var httpStatus = map[string]int{
	answerValid:       http.StatusOK,
	answerExpired:     http.StatusOK,
	answerWithdrawn:   http.StatusOK,
	answerReplaced:    http.StatusOK,
	answerErased:      http.StatusOK,
	answerNotFound:    http.StatusNotFound,
	answerMalformed:   http.StatusNotFound,
	answerUnavailable: http.StatusServiceUnavailable,
}

type handler struct {
	Config
	zone *time.Location
	look *look
}

// New returns the handler for /v and everything below it. The caller mounts it
// on both "/v" and "/v/".
func New(c Config) (http.Handler, error) {
	if c.Register == nil {
		return nil, errors.New("verification: a register is needed")
	}
	if c.Institution == "" {
		c.Institution = defaultInstitution
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = defaultRetryAfter
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		return nil, fmt.Errorf("verification: %w", err)
	}
	look, err := newLook(c.Logo)
	if err != nil {
		return nil, fmt.Errorf("verification: %w", err)
	}
	h := &handler{Config: c, zone: zone, look: look}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v", h.form)
	mux.HandleFunc("GET /v/{csv...}", h.lookUp)
	mux.Handle("GET /v/assets/{name}", look.Assets)
	return pages.Guard(mux), nil
}

// form serves the empty form, and sends what it was filled in with on to the
// address of the code.
func (h *handler) form(w http.ResponseWriter, r *http.Request) {
	typed := strings.TrimSpace(r.URL.Query().Get("csv"))
	if typed == "" {
		h.answer(w, r, finding{})
		return
	}
	csv, err := ledger.ParseCSV(typed)
	if err != nil {
		h.answer(w, r, finding{answer: answerMalformed, typed: typed})
		return
	}
	http.Redirect(w, r, address(csv, r), http.StatusSeeOther)
}

// lookUp answers for the code in the path. A code typed by hand is led to its
// canonical address first, so that every document has one.
func (h *handler) lookUp(w http.ResponseWriter, r *http.Request) {
	typed := r.PathValue("csv")
	if typed == "" {
		h.form(w, r)
		return
	}
	csv, err := ledger.ParseCSV(typed)
	if err != nil {
		h.answer(w, r, finding{answer: answerMalformed, typed: typed})
		return
	}
	if typed != string(csv) {
		http.Redirect(w, r, address(csv, r), http.StatusPermanentRedirect)
		return
	}
	h.answer(w, r, h.find(r.Context(), csv))
}

// finding is what came out for a code; the zero value is the empty form.
type finding struct {
	answer     string
	csv        ledger.CSV // empty when malformed
	typed      string     // what was typed, when malformed
	status     Status     // of a known document
	validUntil time.Time  // the day, at midnight UTC; zero when there is none
	at         time.Time
}

// find asks the register and decides the answer.
func (h *handler) find(ctx context.Context, csv ledger.CSV) finding {
	asking, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	f := finding{csv: csv}
	status, err := h.Register.ByCSV(asking, string(csv))
	if err == nil {
		f.status = status
		f.answer, f.validUntil, err = h.decide(status)
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrUnknown):
		f.answer = answerNotFound
	default:
		f.answer = answerUnavailable
		if ctx.Err() == nil { // else the reader has gone: nothing to tell, nobody to tell it
			h.Log.ErrorContext(ctx, "verification cannot answer", "err", withoutCode(err, csv))
		}
	}
	return f
}

// decide gives the answer for a registered document, and its last day of
// validity. A status that cannot be read is an error, never a "valid".
func (h *handler) decide(s Status) (answer string, validUntil time.Time, err error) {
	if s.ValidUntil != "" {
		if validUntil, err = time.Parse(time.DateOnly, s.ValidUntil); err != nil {
			return "", time.Time{}, fmt.Errorf("reading the validity of %s: not a date", s.Number)
		}
	}
	switch s.State {
	case StateIssued:
		today := h.Now().In(h.zone).Format(time.DateOnly)
		if s.ValidUntil != "" && today > s.ValidUntil { // the last day counts whole
			return answerExpired, validUntil, nil
		}
		return answerValid, validUntil, nil
	case StateWithdrawn:
		return answerWithdrawn, validUntil, nil
	case StateReplaced:
		return answerReplaced, validUntil, nil
	case StateErased:
		return answerErased, validUntil, nil
	default:
		return "", time.Time{}, fmt.Errorf("reading the state of %s: unknown state %q", s.Number, s.State)
	}
}

// answer writes a finding as a page or as JSON.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, f finding) {
	f.at = h.Now().In(h.zone)
	w.Header().Set("Vary", "Accept, Accept-Language")
	words := h.look.choose(r)
	w.Header().Set("Content-Language", words.Tag)

	body, contentType, err := []byte(nil), "text/html; charset=utf-8", error(nil)
	if f.answer != "" && wantsJSON(r.Header.Get("Accept")) {
		contentType = "application/json"
		body, err = h.asJSON(f, words)
	} else {
		body, err = h.asPage(f, words, r)
	}
	if err != nil {
		h.Log.ErrorContext(r.Context(), "verification cannot write its answer", "err", withoutCode(err, f.csv))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	code := http.StatusOK
	if f.answer != "" {
		code = httpStatus[f.answer]
	}
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", fmt.Sprint(max(1, int(h.RetryAfter.Round(time.Second).Seconds()))))
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(code)
	_, _ = w.Write(body) // a reader who has gone is no fault of ours
}

// address is the canonical address of a code, in the language asked for.
func address(csv ledger.CSV, r *http.Request) string {
	u := url.URL{Path: "/v/" + string(csv)}
	if lang := r.URL.Query().Get("lang"); lang != "" {
		u.RawQuery = url.Values{"lang": {lang}}.Encode()
	}
	return u.String()
}

// withoutCode is the text of an error for the log, should the register have put
// the code into it.
func withoutCode(err error, csv ledger.CSV) string {
	text := err.Error()
	if csv == "" {
		return text
	}
	return strings.NewReplacer(string(csv), "[code]", csv.Grouped(), "[code]").Replace(text)
}
