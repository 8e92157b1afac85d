package templates

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"segell/wire"
)

// Body is what a portal sends to ask for a document: the common envelope and the data D of its kind.
type Body[D any] struct {
	Language    string    `json:"language" minLength:"2" maxLength:"5" doc:"Language of the document; each kind lists its own. Catalan is the official text, others are courtesy translations" example:"ca"`
	DataAsOf    wire.Date `json:"data_as_of" doc:"Day on which the data were true" example:"2026-03-01"`
	RequestedBy string    `json:"requested_by" enum:"self,representative,parent,guardian" doc:"Who asked for the document" example:"self"`
	Channel     string    `json:"channel,omitempty" enum:"portal,office,commune,kiosk" doc:"Where the document was asked for" example:"portal"`
	Holder      Holder    `json:"holder" doc:"The person the document is about"`
	Data        D         `json:"data" doc:"What the document says"`
	Options     Options   `json:"options,omitzero" doc:"How the request is dealt with"`
}

// Request is a request that was read and found right.
type Request struct {
	kind        *Kind
	Language    string
	DataAsOf    wire.Date
	RequestedBy string
	Channel     string
	Holder      Holder
	Data        any // the data of the kind, such as *CoverageCertificate
	Options     Options
}

// Options say how a request is dealt with; nothing of them is on the page.
type Options struct {
	Priority string `json:"priority,omitempty" enum:"interactive,batch" doc:"interactive where a person waits, the default; batch where nobody does" example:"interactive"`
	Replaces string `json:"replaces,omitempty" pattern:"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$" patternDescription:"the id of a request, such as 0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e" doc:"Id of a request whose issued document this one replaces: the same holder and kind, still in force. When the new one is issued the old one is no longer valid, and its verification page names the new number" example:"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"`
}

// Priorities of a request.
const (
	PriorityInteractive = "interactive"
	PriorityBatch       = "batch"
)

// Holder is the insured person a document is about.
type Holder struct {
	FullName    string      `json:"full_name" minLength:"1" maxLength:"120" doc:"Surnames and given name as the register has them" example:"Puig i Cerqueda, Maria del Carme"`
	CASSNumber  string      `json:"cass_number" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"a CASS number: six digits and a capital letter, without separators" doc:"CASS number of the person" example:"000000A"`
	BirthDate   wire.Date   `json:"birth_date" doc:"Date of birth" example:"1984-07-19"`
	IDDocument  *IDDocument `json:"id_document,omitempty" doc:"Identity document"`
	NIA         string      `json:"nia,omitempty" pattern:"^[0-9]{6}[A-Z]$" patternDescription:"an NIA: six digits and a capital letter, without separators" doc:"Administrative identification number (número de cens)" example:"123456A"`
	NRT         string      `json:"nrt,omitempty" pattern:"^[EF]-[0-9]{6}-[A-Z]$" patternDescription:"the NRT of a person: F or E, six digits and a capital letter, with hyphens" doc:"Tax registration number" example:"F-123456-Z"`
	Address     []string    `json:"address,omitempty" maxItems:"5" doc:"Postal address, one item per line of at most 60 characters, as on an envelope and without the name" example:"[\"Av. Meritxell, 00, 3r 2a\",\"AD500 Andorra la Vella\"]"`
	InsuredType string      `json:"insured_type" term:"insured_type" enum:"direct,indirect" doc:"direct: insured in their own right (Llei 17/2008, art. 12); indirect: through another person (art. 13)" example:"direct"`
	Situation   string      `json:"situation" term:"situation" enum:"employee,self_employed,pensioner,voluntary,voluntary_general_branch,student_25_30,athlete_25_30,young_self_employed,pre_retired,employment_service,low_wage_employee,ward,occasional_aid,detained,disability,spouse,partner,child,student,job_seeker,dependent,none" doc:"Why the person is or was insured (Llei 17/2008, arts. 13 and 18 to 21 and special regimes); none where no affiliation is in force" example:"employee"`
}

// IDDocument identifies a person.
type IDDocument struct {
	Type    string `json:"type" term:"id_document" enum:"passport,identity_card,residence_permit" doc:"Type of document" example:"passport"`
	Number  string `json:"number" pattern:"^[A-Z0-9]{1,20}$" patternDescription:"1 to 20 capital letters and digits, without spaces or hyphens" doc:"Number as printed" example:"PP0000000"`
	Country string `json:"country" pattern:"^[A-Z]{2}$" patternDescription:"a country in two capital letters (ISO 3166-1 alpha-2)" doc:"Country that issued it" example:"AD"`
}

// indirectSituations are those of persons insured through another (Llei 17/2008,
// art. 13, and art. 224 for employees below the minimum wage).
var indirectSituations = []string{"low_wage_employee", "spouse", "partner", "child", "student", "job_seeker", "dependent"}

// Limits of what a page is made for.
const (
	maxAddressLine = 60
	maxAge         = 125
)

func (b *Body[D]) request(k *Kind) *Request {
	r := &Request{
		kind: k, Language: b.Language, DataAsOf: b.DataAsOf, RequestedBy: b.RequestedBy, Channel: b.Channel,
		Holder: b.Holder, Data: &b.Data, Options: b.Options,
	}
	if r.Options.Priority == "" {
		r.Options.Priority = PriorityInteractive
	}
	return r
}

// Kind is the kind of document that is asked for.
func (r *Request) Kind() *Kind { return r.kind }

// ValidUntil is the last day the document holds when it is issued at a time, or
// false when it has no such day.
func (r *Request) ValidUntil(issuedAt time.Time) (wire.Date, bool) {
	return r.kind.validUntil(r, wire.DateOf(issuedAt.In(Andorra)))
}

// rules judges the envelope. A field that is absent or could not be read is zero,
// and not judged here: that was said already.
func (r *Request) rules(k *Kind, today wire.Date, j *judgement) {
	if r.Language != "" && !slices.Contains(k.Languages, r.Language) {
		j.Addf("/language", "must be a language of this document: %s", quoted(k.Languages))
	}
	if r.DataAsOf.After(today) {
		j.Add("/data_as_of", "must not be in the future; give today or a day before, in Andorra")
	}
	h := &r.Holder
	nameRules(h.FullName, "/holder/full_name", j)
	birthRules(h.BirthDate, r.DataAsOf, today, "/holder/birth_date", j)
	addressRules(h.Address, "/holder/address", j)
	if h.Situation != "" && h.Situation != "none" {
		switch indirect := slices.Contains(indirectSituations, h.Situation); {
		case h.InsuredType == "direct" && indirect:
			j.Add("/holder/situation", "is the situation of an indirect insured person; give insured_type indirect, or a situation of a direct one")
		case h.InsuredType == "indirect" && !indirect:
			j.Addf("/holder/situation", "is the situation of a direct insured person; give insured_type direct, or one of %s", quoted(indirectSituations))
		}
	}
}

func nameRules(name, pointer string, j *judgement) {
	if name != "" && strings.TrimSpace(name) != name {
		j.Add(pointer, "must begin and end with a letter or a mark, not with a space")
	}
}

// addressRules judges the lines of a postal address.
func addressRules(lines []string, at string, j *judgement) {
	for i, l := range lines {
		switch n := len([]rune(l)); {
		case strings.TrimSpace(l) == "":
			j.Add(at+wire.Pointer(i), "must not be empty; leave out a line that is not needed")
		case n > maxAddressLine:
			j.Addf(at+wire.Pointer(i), "is too long: at most %d characters a line; five lines may be given", maxAddressLine)
		}
	}
}

// birthRules judges a date of birth on the day the data were true.
func birthRules(born, asOf, today wire.Date, pointer string, j *judgement) {
	switch {
	case born.IsZero():
	case born.After(today):
		j.Add(pointer, "must not be in the future")
	case !asOf.IsZero() && born.After(asOf):
		j.Add(pointer, "must not be after data_as_of")
	case born.Before(today.AddMonths(-12 * maxAge)):
		j.Addf(pointer, "must not be more than %d years ago", maxAge)
	}
}

func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = strconv.Quote(s)
	}
	return strings.Join(q, ", ")
}
