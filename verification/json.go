package verification

import (
	"encoding/json"
	"mime"
	"strconv"
	"strings"
	"time"
)

// answerJSON is the answer for machines. Every answer has status, in_force,
// proof, checked_at and, when the code could be one, csv; the rest is there for
// a known document. New fields may be added; these keep their names and meaning.
type answerJSON struct {
	Status      string `json:"status"`                 // valid, expired, withdrawn, replaced, erased, not_found, malformed, unavailable
	InForce     bool   `json:"in_force"`               // true only for a valid document that is no proof
	Proof       bool   `json:"proof"`                  // a sandbox document: without value
	CSV         string `json:"csv,omitempty"`          // in groups, as printed
	Kind        string `json:"kind,omitempty"`         // coverage_certificate, …
	KindTitle   string `json:"kind_title,omitempty"`   // in the language of the answer
	Number      string `json:"number,omitempty"`       // document number
	Language    string `json:"language,omitempty"`     // of the document
	IssuedAt    string `json:"issued_at,omitempty"`    // RFC 3339, with the offset of Andorra
	ValidUntil  string `json:"valid_until,omitempty"`  // last day of validity; absent when the document has none
	Pages       int    `json:"pages,omitempty"`        //
	Holder      string `json:"holder,omitempty"`       // initials and masked CASS number
	WithdrawnAt string `json:"withdrawn_at,omitempty"` // RFC 3339; when it was withdrawn or replaced
	ReplacedBy  string `json:"replaced_by,omitempty"`  // number of the document that replaces it
	SHA256      string `json:"sha256,omitempty"`       // of the sealed file, hexadecimal
	// OtherSHA256 are digests of the same document in its other states: copies from before, or just after, its seal was
	// renewed. They are as good.
	OtherSHA256 []string `json:"other_sha256,omitempty"`
	CheckedAt   string   `json:"checked_at"` // RFC 3339; when this answer was given
}

func (h *handler) asJSON(f finding, words *words) ([]byte, error) {
	a := answerJSON{Status: f.answer, CheckedAt: f.at.Format(time.RFC3339), CSV: f.csv.Grouped()}
	if known(f.answer) {
		s := f.status
		a.Proof = s.Proof
		a.InForce = f.answer == answerValid && !s.Proof
		a.Kind, a.KindTitle, a.Number, a.Language = s.Kind, kindTitle(s.Kind, words.Tag), s.Number, s.Language
		a.IssuedAt = h.timestamp(s.IssuedAt)
		a.WithdrawnAt = h.timestamp(s.Withdrawn)
		a.ReplacedBy = s.ReplacedBy
		if f.answer != answerErased {
			a.ValidUntil, a.Pages, a.Holder, a.SHA256 = s.ValidUntil, s.Pages, s.MaskedHolder, s.SHA256
			a.OtherSHA256 = s.OtherSHA256
		}
	}
	body, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return append(body, '\n'), nil
}

func (h *handler) timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(h.zone).Format(time.RFC3339)
}

// known says whether an answer is about a document that was issued.
func known(answer string) bool {
	return answer != "" && httpStatus[answer] == 200
}

// wantsJSON says whether an Accept header prefers application/json to a page
// (RFC 9110, 12.5.1). Whoever has no preference gets the page.
func wantsJSON(accept string) bool {
	asJSON, asPage := 0.0, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if given, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(given, 64); err != nil {
				continue
			}
		}
		switch media {
		case "application/json":
			asJSON = max(asJSON, q)
		case "text/html", "application/xhtml+xml":
			asPage = max(asPage, q)
		}
	}
	return asJSON > asPage
}
