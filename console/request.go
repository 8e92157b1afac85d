package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"segell/audit"
	runbooks "segell/docs/runbooks"
	"segell/index"
	"segell/ledger"
	"segell/queue"
	"segell/staff"
)

// requestPage is everything about one request that may be seen without a reason.
type requestPage struct {
	ID, Kind, Number string
	State            ledger.State // what a worker does at the moment as well
	Client           string
	Language         string // of the document
	Queue            string
	AcceptedAt       time.Time
	Masked           *ledger.Masked
	Record           *ledger.Record   // once it is issued
	Failure          *ledger.Failure  // when it failed
	Past             []ledger.Failure // that were overcome, oldest first
	Reason           string           // why it was cancelled or withdrawn, in words
	ValidUntil       time.Time
	NextAt           time.Time     // of the next try
	Held             *ledger.Pause // behind which it waits
	CancelFirst      bool          // its cause is one that a cancel ends, not a retry

	Runbook bool
	Group   string // of the failure, where the index knows it
	Events  []event
	Notices []ledger.Notice
	Dead    bool // one of Notices was given up
	Untold  bool // it may have been tried before it was cancelled, of which nothing is kept
	Reading bool // the audit trail is still being read, so that acts may be missing
	Tickets []ticketRow
	Can     map[string]bool // what may be done to it by who asks
	Form    actForm
	Shown   *shownPage

	// Why a part could not be read, keys of frame.problems.
	LiveMissing, EventsMissing, MessagesMissing string

	CancelReasons     []ledger.CancelReason
	WithdrawalReasons []ledger.WithdrawalReason
}

// AnyAct reports whether there is anything to be done.
func (p *requestPage) AnyAct() bool {
	for _, can := range p.Can {
		if can {
			return true
		}
	}
	return false
}

// event is a line of the timeline.
type event struct {
	At     time.Time // zero: now
	Tone   string    // well, mind, halt or none
	Text   template.HTML
	Stage  ledger.Stage // where a try ended
	Cause  string       // why
	Why    template.HTML
	Tries  int // that it took
	Steps  []step
	order  order
	before time.Time // an act that followed it; zero if none did
	rank   time.Time // by which it is sorted
}

// step is how long a step of a document's making took.
type step struct {
	Stage ledger.Stage
	Took  time.Duration
}

// order is where an event stands within its second, where no more is known of its
// time.
type order int

const (
	asTimed    order = iota
	made             // by a worker, also after an act of staff: issued, a try, a failure
	onDocument       // an act on what was issued
	cameOfIt         // what came of such an act: withdrawn, replaced, erased
)

// ticketRow is a permission to download.
type ticketRow struct {
	ledger.Ticket
	Revoked, Expired bool
}

// shownPage is what a request says of its holder, once a reason was given.
type shownPage struct {
	Holder []shownField
	Body   string // everything that was sent, indented
}

type shownField struct{ Label, Value string }

func (c *Console) request(w http.ResponseWriter, r *http.Request) {
	c.showRequest(w, r, http.StatusOK, actForm{}, nil)
}

// showRequest makes the page of a request: after an act that could not be done
// with what was filled in, and after show with what was shown.
func (c *Console) showRequest(w http.ResponseWriter, r *http.Request, status int, form actForm, shown *shownPage) {
	p, err := c.readRequest(r)
	switch {
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, ledger.ErrID):
		c.page(w, r, http.StatusNotFound, "request_none", "missing")
		return
	case errors.Is(err, ledger.ErrDamaged), errors.Is(err, ledger.ErrKeyUnknown):
		c.page(w, r, http.StatusOK, "request_none", "unreadable")
		return
	case err != nil:
		c.problem(w, r, err)
		return
	}
	p.Form, p.Shown = form, shown
	c.page(w, r, status, "request", p)
}

func (c *Console) readRequest(r *http.Request) (*requestPage, error) {
	id, ctx := r.PathValue("id"), r.Context()
	if err := ledger.CheckID(id); err != nil {
		return nil, err
	}
	standing, err := c.Ledger.Look(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &requestPage{ID: id, Kind: standing.Kind, Number: standing.Number, State: standing.State, Client: standing.Client, Queue: standing.Queue,
		AcceptedAt: ledger.TimeOf(id), Record: standing.Record, Failure: standing.Failure,
		CancelReasons:     slices.DeleteFunc(slices.Clone(ledger.CancelReasons), func(reason ledger.CancelReason) bool { return reason == ledger.CancelledByClient }),
		WithdrawalReasons: ledger.WithdrawalReasons}
	if err := c.describe(ctx, r, p, standing); err != nil {
		return nil, err
	}
	tries := c.followJob(r, p)
	if p.Record != nil {
		tries = p.Record.Making.Failed
	}
	if p.Failure != nil {
		tries = p.Failure.Tries
		_, _, p.Runbook = runbooks.Runbook(p.Failure.Cause, visitOf(r).words.tag)
		p.CancelFirst = endedByCancel(p.Failure.Cause)
		c.readRow(ctx, p)
	}
	p.Past, err = c.Ledger.Past(ctx, standing)
	p.EventsMissing = c.troubleWord(r, "past", err)
	c.readMessages(r, p)
	c.readEvents(r, p, tries)
	p.Can = canDo(p, mayAct(r))
	return p, nil
}

// describe adds what the register or the waiting request says.
func (c *Console) describe(ctx context.Context, r *http.Request, p *requestPage, standing ledger.Standing) error {
	words := visitOf(r).words
	if record := p.Record; record != nil {
		p.Language, p.Masked = languageName(words, record.Language), &record.Masked
		if until, err := time.ParseInLocation(time.DateOnly, record.ValidUntil, c.Zone); err == nil {
			p.ValidUntil = until
		}
		if p.State == ledger.StateErased {
			p.Masked = nil
		}
	}
	if standing.Reason != "" {
		branch := "act.withdraw_reasons."
		if p.State == ledger.StateCancelled {
			branch = "act.cancel_reasons."
		}
		if p.Reason = standing.Reason; words.at(branch+standing.Reason) != nil {
			p.Reason = words.text(branch + standing.Reason)
		}
	}
	if p.State != ledger.StateAccepted && p.State != ledger.StateFailed {
		return nil
	}
	request, err := c.Ledger.Request(ctx, p.ID)
	switch {
	case errors.Is(err, ledger.ErrNotFound), p.State == ledger.StateFailed && (errors.Is(err, ledger.ErrDamaged) || errors.Is(err, ledger.ErrKeyUnknown)):
		return nil // it finished this moment, or failed because it cannot be read
	case err != nil:
		return err
	}
	p.Queue = request.Queue
	var body struct {
		Language string `json:"language"`
		Holder   struct {
			FullName   string `json:"full_name"`
			CASSNumber string `json:"cass_number"`
		} `json:"holder"`
	}
	if json.Unmarshal(request.Body, &body) == nil {
		masked := ledger.Mask(body.Holder.FullName, body.Holder.CASSNumber)
		p.Language, p.Masked = languageName(words, body.Language), &masked
	}
	return nil
}

// languageName writes the language of a document, "ca" or two of them, "ca-es".
func languageName(w *words, tags string) string {
	var names []string
	for tag := range strings.SplitSeq(tags, "-") {
		name, ok := w.at("request.languages." + tag).(string)
		if !ok {
			name = tag
		}
		names = append(names, name)
	}
	return strings.Join(names, " / ")
}

// followJob looks what the queue knows of a request that is under way, and returns
// the tries that it has seen.
func (c *Console) followJob(r *http.Request, p *requestPage) []ledger.Try {
	if p.State != ledger.StateAccepted {
		return nil
	}
	job, _, err := c.Queue.Find(r.Context(), p.ID)
	if p.LiveMissing = c.troubleWord(r, "job", err); p.LiveMissing != "" {
		return nil
	}
	switch job.State {
	case queue.Active:
		p.State = ledger.StateRendering
		switch ledger.Stage(job.Step) {
		case ledger.StageSeal:
			p.State = ledger.StateSealing
		case ledger.StageStore:
			p.State = ledger.StateStoring
		}
	case queue.Delayed:
		if p.Held = c.held(r, p); p.Held == nil && len(job.Tries) > 0 {
			p.State, p.NextAt = ledger.StateRetrying, job.NextAt
		}
	default:
		p.Held = c.held(r, p)
	}
	tries := make([]ledger.Try, len(job.Tries))
	for i, try := range job.Tries {
		tries[i] = ledger.Try{At: try.At, Stage: ledger.Stage(try.Stage), Cause: try.Cause}
	}
	return tries
}

// held is the pause of a request's kind or queue, or nil.
func (c *Console) held(r *http.Request, p *requestPage) *ledger.Pause {
	pauses, err := c.Ledger.Pauses(r.Context())
	if c.troubleWord(r, "pauses", err) != "" {
		return nil
	}
	for i, one := range pauses {
		if one.Scope == ledger.PauseKind && one.Name == p.Kind || one.Scope == ledger.PauseQueue && one.Name == p.Queue {
			return &pauses[i]
		}
	}
	return nil
}

// readRow adds what the index knows of a failure: its group, and its kind and
// number where it could not be read when it failed.
func (c *Console) readRow(ctx context.Context, p *requestPage) {
	query := index.Query{States: []ledger.State{ledger.StateFailed}, From: p.AcceptedAt, Until: p.AcceptedAt.Add(time.Millisecond)} // ids carry their time to the millisecond
	if p.Kind != "" {
		query.Kinds = []string{p.Kind}
	}
	found, err := c.Index.Search(ctx, query)
	if err != nil {
		return
	}
	for _, row := range found.Rows {
		if row.ID == p.ID {
			p.Group, p.Kind, p.Number = row.Group, cmp.Or(p.Kind, row.Kind), cmp.Or(p.Number, row.Number)
		}
	}
}

// triesShown is how many of the tries that led to one failure, or document, a timeline has at most: the first and the
// last ones.
const triesShown = 12

// canDo says what may be done to a request.
func canDo(p *requestPage, act bool) map[string]bool {
	if !act {
		return nil
	}
	open := p.Record == nil && p.State != ledger.StateCancelled && p.State != ledger.StateErased
	issued := p.Record != nil && p.State == ledger.StateIssued
	return map[string]bool{
		"retry":    p.State == ledger.StateFailed,
		"cancel":   open,
		"show":     open,
		"document": p.Record != nil && p.State != ledger.StateErased && p.Record.RemovedAt == nil,
		"withdraw": issued,
		"replace":  issued,
	}
}

// readEvents makes the timeline, oldest first.
func (c *Console) readEvents(r *http.Request, p *requestPage, tries []ledger.Try) {
	text := visitOf(r).words.text
	add := func(at time.Time, tone, key string) *event {
		p.Events = append(p.Events, event{At: at, Tone: tone, Text: fill(text("request.events." + key))})
		return &p.Events[len(p.Events)-1]
	}
	add(p.AcceptedAt, "", "accepted")
	n := 0 // tries, numbered on over failures
	tried := func(tries []ledger.Try) {
		for i, try := range tries {
			if n++; i >= triesShown/2 && i < len(tries)-triesShown/2 {
				continue
			}
			e := add(try.At, "mind", "try")
			e.Text = fill(text("request.events.try"), "n", strconv.Itoa(n))
			e.Stage, e.Cause, e.order = try.Stage, try.Cause, made
		}
	}
	for _, failure := range p.Past {
		tried(failure.Tries)
		add(failure.FailedAt, "halt", "failed").order = made
	}
	overcome, triesBefore := len(p.Events), n
	tried(tries)
	if p.Failure != nil {
		add(p.Failure.FailedAt, "halt", "failed").order = made
	}
	if p.Record != nil {
		recordEvents(p.Record, triesBefore+p.Record.Tries, add)
	}
	for _, ticket := range p.Tickets {
		add(ticket.CreatedAt, "", "ticket").order = onDocument
		for _, at := range ticket.Downloads {
			add(at, "", "download").order = onDocument
		}
	}
	acts := c.addActs(r, p)
	cameBefore(p.Events[1:overcome], acts)
	cancelledAt := newest(acts, "jobs.cancel")
	if p.State == ledger.StateCancelled && !cancelledAt.IsZero() {
		add(cancelledAt, "", "cancelled")
	}
	sortEvents(p.Events)
	switch p.State {
	case ledger.StateCancelled:
		if cancelledAt.IsZero() {
			add(time.Time{}, "", "cancelled")
		}
		p.Untold = p.EventsMissing == "" && wasUnderWay(p.Past, acts)
	case ledger.StateRendering, ledger.StateSealing, ledger.StateStoring, ledger.StateRetrying:
		add(p.NextAt, "", string(p.State))
	case ledger.StateAccepted:
		add(time.Time{}, "", "waiting")
	}
}

// cameBefore says of what was overcome before which act it stands: the first since
// that opened the request again or took it back.
func cameBefore(overcome []event, acts []ledger.AuditRecord) {
	for i := range overcome {
		e := &overcome[i]
		for _, act := range slices.Backward(acts) { // oldest first
			if opens := act.What == "jobs.retry" || act.What == "jobs.retry_render" || act.What == "jobs.cancel"; opens && !act.At.Before(e.At) {
				e.before = act.At
				break
			}
		}
	}
}

// newest is when the newest act of one of these names was; zero if there is none.
func newest(acts []ledger.AuditRecord, names ...string) time.Time {
	for _, act := range acts { // newest first
		if slices.Contains(names, act.What) {
			return act.At
		}
	}
	return time.Time{}
}

// wasUnderWay reports whether a request that was cancelled had not failed since it
// was accepted, or opened again: of tries that it had then nothing is kept.
func wasUnderWay(past []ledger.Failure, acts []ledger.AuditRecord) bool {
	return len(past) == 0 || newest(acts, "jobs.retry", "jobs.retry_render").After(past[len(past)-1].FailedAt)
}

// sortEvents puts events in the order in which they came. The times of acts are
// kept to the millisecond, those of what came of them may be kept to the second:
// these stand at its end, after the act that led to them.
func sortEvents(events []event) {
	for i := range events {
		e := &events[i]
		e.rank = e.At
		if e.order == onDocument || e.order != asTimed && e.At.Nanosecond() == 0 {
			e.rank = e.At.Truncate(time.Second).Add(time.Second - time.Duration(cameOfIt-e.order) - 1)
		}
		if !e.before.IsZero() && !e.rank.Before(e.before) {
			e.rank = e.before.Add(-1)
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.rank.Compare(b.rank) })
}

// recordEvents are those that the register knows of a document that was issued at the try of that number.
func recordEvents(record *ledger.Record, try int, add func(time.Time, string, string) *event) {
	for i, version := range record.Versions {
		if i == 0 {
			e := add(version.At, "well", "issued")
			e.Tries, e.order = try, made
			for _, s := range record.Making.Steps {
				e.Steps = append(e.Steps, step{s.Stage, time.Duration(s.Milliseconds) * time.Millisecond})
			}
		} else if !version.Pending {
			add(version.At, "well", "renewed").order = made
		}
	}
	if at := record.WithdrawnAt; at != nil {
		key := "withdrawn"
		if record.ReplacedBy != "" {
			key = "replaced"
		}
		add(*at, "mind", key).order = cameOfIt
	}
	if at := record.RemovedAt; at != nil {
		key := "removed"
		if record.Status == ledger.StateErased {
			key = "erased"
		}
		add(*at, "mind", key).order = cameOfIt
	}
}

// addActs adds what staff did, as the audit trail has it. Who looked at personal
// data is for auditors to see.
func (c *Console) addActs(r *http.Request, p *requestPage) []ledger.AuditRecord {
	found, err := c.Audit.Search(r.Context(), audit.Query{ID: p.ID, Limit: 100})
	if err != nil {
		p.EventsMissing = c.troubleWord(r, "acts", err)
		return nil
	}
	p.Reading = !found.Complete
	words := visitOf(r).words
	for _, entry := range slices.Backward(found.Records) { // oldest first
		if (entry.What == "requests.show" || entry.What == "documents.show") && !session(r).May(staff.Audit) {
			continue
		}
		act, ok := words.at("request.acts." + strings.ReplaceAll(entry.What, ".", "_")).(string)
		said := fill(act)
		if !ok {
			said = fill(words.text("request.acts.other"), "act", entry.What)
		}
		e := event{At: entry.At, Text: fill(words.text("request.events.staff"), "who", entry.Who, "act", said)}
		if strings.HasPrefix(entry.What, "documents.") {
			e.order = onDocument
		}
		if entry.Why != "" {
			e.Why = fill(words.text("request.why"), "why", reasonText(words, entry))
		}
		p.Events = append(p.Events, e)
	}
	return found.Records
}

// reasonText writes the reason of an act: one that begins with a row of a list, as
// "data_corrected: …", in the words of the list.
func reasonText(w *words, entry ledger.AuditRecord) string {
	branch := map[string]string{"jobs.cancel": "act.cancel_reasons.", "documents.withdraw": "act.withdraw_reasons."}[entry.What]
	row, rest, more := strings.Cut(entry.Why, ": ")
	name, known := w.at(branch + row).(string)
	switch {
	case branch == "" || !known:
		return entry.Why
	case more:
		return name + ": " + rest
	}
	return name
}

// readMessages finds the callbacks that are not delivered, and the tickets.
func (c *Console) readMessages(r *http.Request, p *requestPage) {
	ctx := r.Context()
	tickets, err := c.Ledger.Tickets(ctx, p.ID)
	p.MessagesMissing = c.troubleWord(r, "tickets", err)
	for _, t := range tickets {
		p.Tickets = append(p.Tickets, ticketRow{t, !t.RevokedAt.IsZero(), !c.Now().Before(t.ExpiresAt)})
	}
	for _, name := range noticeNames(p) {
		for _, read := range []func(context.Context, string) (ledger.Notice, error){c.Ledger.Notice, c.Ledger.UndeliveredNotice} {
			notice, err := read(ctx, name)
			if errors.Is(err, ledger.ErrNotFound) {
				continue
			}
			if missing := c.troubleWord(r, "callbacks", err); missing != "" {
				p.MessagesMissing = missing
				return
			}
			p.Notices = append(p.Notices, notice)
			p.Dead = p.Dead || !notice.DeadAt.IsZero()
		}
	}
}

// noticeNames are the names of the callbacks that a request in its state can have.
func noticeNames(p *requestPage) []string {
	var names []string
	at := func(e ledger.Event, at time.Time) {
		names = append(names, ledger.Notice{Request: p.ID, Event: e, At: at.UTC().Truncate(time.Second)}.Name())
	}
	switch {
	case p.Failure != nil:
		at(ledger.EventFailed, p.Failure.FailedAt)
	case p.Record != nil:
		at(ledger.EventIssued, time.Time{})
		at(ledger.EventWithdrawn, time.Time{})
		at(ledger.EventReplaced, time.Time{})
	case p.State == ledger.StateCancelled:
		at(ledger.EventCancelled, time.Time{})
	}
	return names
}
