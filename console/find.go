package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"segell/access"
	"segell/audit"
	"segell/index"
	"segell/ledger"
	"segell/staff"
	"segell/templates"
)

const (
	// findLimit is how many rows a page has.
	findLimit = 50
	// personReference is what the reference to a person is for.
	personReference = "console person"
)

// findStates are the states that a search can ask for. What a worker does at the
// moment counts as accepted.
var findStates = []ledger.State{ledger.StateFailed, ledger.StateAccepted, ledger.StateIssued, ledger.StateWithdrawn,
	ledger.StateReplaced, ledger.StateCancelled, ledger.StateErased}

// findPage is the search and what it found.
type findPage struct {
	One    string // what was typed, where it may be shown again
	Faults faults // of the first form: "one"; of the second: "from", "until"

	Kinds, Causes      []string
	States             []ledger.State
	Kind, State, Cause string
	From, Until        string // days, as typed
	Group, GroupCause  string

	Person, PersonTail string // the reference to a person, and the end of the CASS number
	PersonOld          bool   // the reference is not good any more

	Rows         []findRow
	Total        int64
	Missing      string // why there are no rows, a key of frame.problems
	Incomplete   bool
	Older, Newer string // addresses
	Choose       bool   // rows can be chosen to be acted on
	AllFailed    bool   // everything found failed, so that all of it can be acted on
	Fields       []formField
}

// findRow is a request in a list.
type findRow struct {
	ID, Number, Kind string
	State            ledger.State
	Cause, Group     string
	AcceptedAt       time.Time
}

// formField is a hidden field of a form.
type formField struct{ Name, Value string }

// person is what a reference to a person holds. It is good for one login, and for
// the session in which it was made.
type person struct {
	Holder string    `json:"h"` // HMAC of the CASS number
	Tail   string    `json:"t"` // its end, as it may be shown
	Begun  time.Time `json:"b"` // of the session
}

// find lists requests: those of a person, or those that the filters let through.
func (c *Console) find(w http.ResponseWriter, r *http.Request) {
	p, query := c.readFind(r)
	switch {
	case len(p.Faults) > 0:
	case p.Person != "":
		c.findPerson(r, &p, query)
	default:
		c.findMany(r, &p, query)
	}
	status := http.StatusOK
	if len(p.Faults) > 0 {
		status = http.StatusUnprocessableEntity
	}
	c.page(w, r, status, "find", p)
}

// readFind reads the filters of an address.
func (c *Console) readFind(r *http.Request) (findPage, index.Query) {
	q := r.URL.Query()
	p := findPage{States: findStates, Kind: q.Get("kind"), State: q.Get("state"), Cause: q.Get("cause"),
		From: q.Get("from"), Until: q.Get("until"), Group: q.Get("group"), Person: q.Get("person")}
	for _, kind := range templates.Kinds() {
		p.Kinds = append(p.Kinds, kind.ID)
	}
	for _, cause := range ledger.Causes {
		p.Causes = append(p.Causes, cause.ID)
	}
	query, bad := c.readQuery(q)
	text := visitOf(r).words.text
	for _, field := range bad {
		key := "find.bad_date"
		if field == "order" {
			field, key = "until", "find.bad_order"
		}
		p.Faults.add(field, text(key))
	}
	query.Cursor, query.Newer, query.Limit = q.Get("page"), q.Get("newer") != "", findLimit
	return p, query
}

// readQuery reads what is looked for from the fields of a form. bad are the fields
// that cannot be read; "order" says that the days are in the wrong order.
func (c *Console) readQuery(q url.Values) (query index.Query, bad []string) {
	query = index.Query{Cause: q.Get("cause"), Group: q.Get("group")}
	if kind := q.Get("kind"); kind != "" {
		query.Kinds = []string{kind}
	}
	if state := q.Get("state"); state != "" {
		query.States = []ledger.State{ledger.State(state)}
	}
	day := func(field string) time.Time {
		if q.Get(field) == "" {
			return time.Time{}
		}
		t, err := time.ParseInLocation(time.DateOnly, strings.TrimSpace(q.Get(field)), c.Zone)
		if err != nil {
			bad = append(bad, field)
		}
		return t
	}
	query.From, query.Until = day("from"), day("until")
	if !query.Until.IsZero() {
		query.Until = query.Until.AddDate(0, 0, 1) // the last day is wanted too
		if !query.Until.After(query.From) {
			bad = append(bad, "order")
		}
	}
	return query, bad
}

// queryFields are the fields of a form that say a search again.
var queryFields = []string{"kind", "state", "cause", "group", "from", "until"}

// fieldsOf takes the search over into a form that acts on what it found.
func fieldsOf(q url.Values) []formField {
	var fields []formField
	for _, name := range queryFields {
		if value := q.Get(name); value != "" {
			fields = append(fields, formField{name, value})
		}
	}
	return fields
}

func (c *Console) findMany(r *http.Request, p *findPage, query index.Query) {
	found, err := c.Index.Search(r.Context(), query)
	if p.Missing = c.troubleWord(r, "search", err); p.Missing != "" {
		return
	}
	if condition, err := c.Index.Condition(r.Context()); err == nil {
		p.Incomplete = !condition.Complete
	}
	if p.Group != "" {
		if group, err := c.Index.Group(r.Context(), p.Group); err == nil {
			p.GroupCause = group.Cause
		}
	}
	failed := false
	for _, row := range found.Rows {
		failed = failed || row.State == ledger.StateFailed
		p.Rows = append(p.Rows, findRow{row.ID, row.Number, row.Kind, row.State, row.Cause, row.Group, row.AcceptedAt})
	}
	p.Total = found.Total
	p.Choose = failed && mayAct(r)
	p.AllFailed = p.State == string(ledger.StateFailed) || p.Cause != "" || p.Group != ""
	p.Fields = fieldsOf(r.URL.Query())
	p.Older, p.Newer = pageAddress(r, "page", found.Older, ""), pageAddress(r, "page", found.Newer, "newer")
}

// pageAddress is the address of another page of the same search, or "".
func pageAddress(r *http.Request, name, cursor, flag string) string {
	if cursor == "" {
		return ""
	}
	q := r.URL.Query()
	q.Del("newer")
	q.Set(name, cursor)
	if flag != "" {
		q.Set(flag, "1")
	}
	return "/find?" + q.Encode()
}

// findPerson lists the requests of the person whom a reference means.
func (c *Console) findPerson(r *http.Request, p *findPage, query index.Query) {
	var who person
	s := session(r)
	if c.Ledger.Resolve(personReference, s.Login, p.Person, &who) != nil || !who.Begun.Equal(s.Begun) {
		p.Person, p.PersonOld = "", true
		return
	}
	p.PersonTail = who.Tail
	history, err := c.Ledger.History(r.Context(), ledger.HistoryQuery{Holder: who.Holder, Kinds: query.Kinds, States: query.States,
		From: query.From, Until: query.Until, Before: r.URL.Query().Get("before"), Limit: findLimit})
	if p.Missing = c.troubleWord(r, "person", err); p.Missing != "" {
		return
	}
	for _, standing := range history.Requests {
		row := findRow{ID: standing.ID, Number: standing.Number, Kind: standing.Kind, State: standing.State, AcceptedAt: ledger.TimeOf(standing.ID)}
		if standing.Failure != nil {
			row.Cause = standing.Failure.Cause
			p.Choose = mayAct(r)
		}
		p.Rows = append(p.Rows, row)
	}
	if history.More {
		p.Older = pageAddress(r, "before", history.Last, "")
	}
}

var (
	cassNumber     = regexp.MustCompile(`^[0-9]{6}[A-Z]$`)
	documentNumber = regexp.MustCompile(`^CASS-[0-9]{4}-[A-Z0-9]{3}-[0-9]{7,}$`)
	// shownAgain is what of a mistyped text may stand in the form again: what could be
	// the number of a document, a code or an id, and no name, CASS number or date.
	shownAgain = regexp.MustCompile(`^(?i:CASS-[0-9A-Z-]+|[0-9A-Z-]{8,}[0-9][0-9A-Z-]{8,})$`)
)

// findOne reads what was typed, whatever it is, and leads to what it names. What
// is typed comes by POST: a CASS number must be in no address and no log.
func (c *Console) findOne(w http.ResponseWriter, r *http.Request) {
	typed := strings.TrimSpace(r.PostFormValue("one"))
	dense := strings.ToUpper(strings.Join(strings.FieldsFunc(typed, func(r rune) bool { return r == ' ' || r == '.' || r == '-' || r == '\u00a0' }), ""))
	fault := ""
	switch number := strings.ToUpper(strings.ReplaceAll(typed, " ", "")); {
	case typed == "":
		fault = "one_empty"
	case cassNumber.MatchString(dense):
		c.toPerson(w, r, dense)
		return
	case documentNumber.MatchString(number):
		c.toFound(w, r, typed)(c.Index.ByNumber(r.Context(), number))
		return
	case ledger.CheckID(strings.ToLower(typed)) == nil:
		id := strings.ToLower(typed)
		_, err := c.Ledger.Look(r.Context(), id)
		if errors.Is(err, ledger.ErrDamaged) || errors.Is(err, ledger.ErrKeyUnknown) {
			err = nil // its page says so
		}
		c.toFound(w, r, typed)(id, err)
		return
	default:
		code, err := ledger.ParseCSV(typed)
		if err == nil {
			c.toFound(w, r, typed)(c.byCSV(r.Context(), code))
			return
		}
		fault = "one_unknown"
		if n := len(dense); n >= 20 && n <= 24 {
			fault = "one_csv"
		}
	}
	c.notFound(w, r, typed, http.StatusUnprocessableEntity, fault)
}

func (c *Console) byCSV(ctx context.Context, code ledger.CSV) (id string, err error) {
	record, err := c.Ledger.ByCSV(ctx, code)
	return record.ID, err
}

// How many persons a login may look for by their number: who may only look could
// find out, number by number, whom a masked one stands for.
const (
	personsMost   = 30
	personsWithin = 10 * time.Minute
)

// toPerson leads to the requests of a person by a reference that tells nothing. The
// audit trail has before that somebody was looked for, but not whom: a number has so
// few digits that no digest would hide it.
func (c *Console) toPerson(w http.ResponseWriter, r *http.Request, number string) {
	actor := actorOf(r)
	wait, err := c.waitForPerson(r, personsMost-1)
	if err == nil && wait == 0 {
		err = c.Ledger.Audit(r.Context(), ledger.AuditEntry{Who: actor.Who, What: "requests.find_person", From: actor.From})
	}
	if err == nil && wait == 0 {
		wait, err = c.waitForPerson(r, personsMost) // with those that came at the same time
	}
	switch {
	case err != nil:
		c.problem(w, r, err)
		return
	case wait > 0:
		c.tooManyPersons(w, r, wait)
		return
	}
	s := session(r)
	reference, err := c.Ledger.Refer(personReference, s.Login, person{Holder: c.Ledger.HolderDigest(number), Tail: ledger.Mask("", number).CASSNumber, Begun: s.Begun})
	if err != nil {
		c.problem(w, r, err)
		return
	}
	http.Redirect(w, r, "/find?"+url.Values{"person": {reference}}.Encode(), http.StatusSeeOther)
}

// waitForPerson is how long who asks must wait until there are no more than so many
// of their searches for persons in the last personsWithin. They are counted in the
// audit trail, which holds those at other processes too.
func (c *Console) waitForPerson(r *http.Request, most int) (time.Duration, error) {
	now := c.Now()
	found, err := c.Audit.Search(r.Context(), audit.Query{Who: session(r).Login, What: "requests.find_person", From: now.Add(-personsWithin), Limit: most + 1})
	if err != nil || len(found.Records) <= most {
		return 0, err
	}
	return max(time.Second, found.Records[most].At.Add(personsWithin).Sub(now)), nil
}

// tooManyPersons shows the form again, and says when it is good again.
func (c *Console) tooManyPersons(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	w.Header().Set("Retry-After", access.RetryAfter(wait))
	words := visitOf(r).words
	text := fill(words.text("find.one_slow"), "wait", (&formatter{words: words}).duration(wait.Round(time.Second)))
	p, query := c.readFind(r)
	p.Faults.add("one", string(text))
	c.findMany(r, &p, query)
	c.page(w, r, http.StatusTooManyRequests, "find", p)
}

// toFound leads to a request, or says that there is none.
func (c *Console) toFound(w http.ResponseWriter, r *http.Request, typed string) func(id string, err error) {
	return func(id string, err error) {
		switch {
		case err == nil:
			http.Redirect(w, r, "/requests/"+id, http.StatusSeeOther)
		case errors.Is(err, ledger.ErrNotFound):
			c.notFound(w, r, typed, http.StatusNotFound, "one_none")
		case errors.Is(err, index.ErrAway):
			c.notFound(w, r, typed, http.StatusServiceUnavailable, "one_away")
		default:
			c.problem(w, r, err)
		}
	}
}

// notFound shows the form again, with what is wrong.
func (c *Console) notFound(w http.ResponseWriter, r *http.Request, typed string, status int, fault string) {
	p, query := c.readFind(r)
	if shownAgain.MatchString(typed) {
		p.One = typed
	}
	p.Faults.add("one", visitOf(r).words.text("find."+fault))
	c.findMany(r, &p, query)
	c.page(w, r, status, "find", p)
}

// mayAct reports whether who asks has the role for it.
func mayAct(r *http.Request) bool { return session(r).May(staff.Act) }
