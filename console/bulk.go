package console

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"

	"segell/acts"
	"segell/ledger"
)

// planPage is the dry run of a bulk: what would be done, and to how many.
type planPage struct {
	What      string
	Plan      acts.Plan
	Kinds     []kindCount
	CannotAll int
	Cannot    []cannotRow
	Batch     string // the id under which it would be started, so that twice is once
	Fields    []formField
	Back      string // where who asks came from
	Form      actForm
	Causes    []kindCount // by the id of the cause
	Samples   []sampleRow
	Nothing   string // why there is nothing to do, a key of "bulk"
}

// cannotRow says on how many it cannot be done, and why.
type cannotRow struct {
	Count int
	Text  template.HTML
}

// bulksPage lists bulks.
type bulksPage struct {
	Missing string
	Bulks   []acts.Bulk
	Topics  map[string]topic // by the id of the bulk
}

// bulkPage is one bulk.
type bulkPage struct {
	Bulk                acts.Bulk
	Most                int // of the progress bar: at least 1
	CannotAll           int
	Cannot              []cannotRow
	Own                 bool // who looks has begun it
	MayApprove, MayStop bool
	Faults              faults
	Topic               topic
	Proposal            *proposal // while it waits for a second person
	Outcome             *outcome  // of what was tried again
}

// readSelection reads what a bulk is for: the requests that were chosen, or
// everything failed that a search finds. bad says that the search cannot be read.
func (c *Console) readSelection(r *http.Request) (s acts.Selection, fields []formField, back string, bad bool) {
	form := r.PostForm
	search := url.Values{}
	for _, name := range queryFields {
		if value := form.Get(name); value != "" {
			search.Set(name, value)
		}
	}
	back = "/find?" + search.Encode()
	of, group := form.Get("of"), form.Get("group")
	if of == "chosen" || of == "" && group == "" {
		s.IDs = form["id"]
		for _, id := range s.IDs {
			fields = append(fields, formField{"id", id})
		}
		return s, append(fields, formField{"of", "chosen"}), back, false
	}
	if of == "" { // from the page of a cause
		back = "/causes/" + url.PathEscape(group)
	}
	query, faulty := c.readQuery(search)
	s.Query = &query
	return s, append(fieldsOf(search), formField{"of", "all"}), back, len(faulty) > 0
}

// bulkPlan is the dry run. It comes by POST for the length of a selection; nothing
// is changed.
func (c *Console) bulkPlan(w http.ResponseWriter, r *http.Request) {
	c.showPlan(w, r, actForm{Act: "bulk"}, "")
}

// showPlan counts and shows; batch is the id that the page had before, or "".
func (c *Console) showPlan(w http.ResponseWriter, r *http.Request, form actForm, batch string) {
	s, fields, back, bad := c.readSelection(r)
	p := planPage{What: r.PostFormValue("what"), Fields: fields, Back: back, Batch: batch, Form: form}
	status := http.StatusOK
	if len(form.Faults) > 0 {
		status = http.StatusUnprocessableEntity
	}
	if !slices.Contains(acts.BulkActs, acts.BulkAct(p.What)) || bad {
		c.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	if s.Query == nil && len(s.IDs) == 0 {
		p.Nothing = "none_chosen"
		c.page(w, r, http.StatusUnprocessableEntity, "bulk_plan", p)
		return
	}
	var err error
	p.Plan, err = c.Acts.Count(r.Context(), actorOf(r), s, acts.BulkAct(p.What))
	switch {
	case errors.Is(err, acts.ErrNothing):
		p.Nothing = "will_none"
		c.page(w, r, status, "bulk_plan", p)
		return
	case errors.Is(err, acts.ErrTooMany):
		p.Nothing = "too_many"
		c.page(w, r, http.StatusUnprocessableEntity, "bulk_plan", p)
		return
	case err == nil && p.Batch == "":
		p.Batch, err = c.Acts.NewBatch()
	}
	if err != nil {
		c.problem(w, r, err)
		return
	}
	p.Kinds, p.Causes = kindCounts(p.Plan.ByKind), kindCounts(p.Plan.ByCause)
	p.CannotAll, p.Cannot = cannots(visitOf(r).words, p.Plan.Cannot)
	p.Samples = c.samplesOf(r.Context(), p.Plan.Sample)
	c.page(w, r, status, "bulk_plan", p)
}

// cannots writes why a thing cannot be done on some, in the order of acts.Cannots.
func cannots(w *words, counts map[string]int) (all int, rows []cannotRow) {
	for _, reason := range acts.Cannots {
		if n := counts[reason]; n > 0 {
			all += n
			rows = append(rows, cannotRow{n, fill(w.text("bulk.reasons." + reason))})
		}
	}
	return all, rows
}

// bulkStart begins what the dry run showed.
func (c *Console) bulkStart(w http.ResponseWriter, r *http.Request) {
	form, batch := readAct(r, "bulk"), r.PostFormValue("batch")
	if form.Why == "" {
		form.blame(r, "why", "need_why")
		c.showPlan(w, r, form, batch)
		return
	}
	s, _, _, bad := c.readSelection(r)
	if bad || ledger.CheckID(batch) != nil {
		c.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	begun, err := c.Acts.Start(r.Context(), actorOf(r), batch, s, acts.BulkAct(r.PostFormValue("what")), form.Why)
	switch {
	case err == nil && begun.State == ledger.BulkProposed:
		c.done(w, r, "/bulk/"+begun.ID, "bulk.proposed")
	case err == nil:
		c.done(w, r, "/bulk/"+begun.ID, "bulk.started")
	case errors.Is(err, acts.ErrNothing), errors.Is(err, acts.ErrTooMany): // since it was counted
		c.showPlan(w, r, form, batch)
	case errors.Is(err, acts.ErrNobody):
		form.blame(r, "", "nobody")
		c.showPlan(w, r, form, batch)
	case errors.Is(err, acts.ErrBatchTime), errors.Is(err, acts.ErrBatchUsed):
		form.blame(r, "", "count_again")
		c.showPlan(w, r, form, "")
	case errors.Is(err, acts.ErrBulkAct), errors.Is(err, acts.ErrSelection), errors.Is(err, ledger.ErrID):
		c.refuse(w, r, http.StatusBadRequest, "form")
	case form.blameError(r, err):
		c.showPlan(w, r, form, batch)
	default:
		c.problem(w, r, err)
	}
}

func (c *Console) bulks(w http.ResponseWriter, r *http.Request) {
	list, err := c.Acts.Bulks(r.Context())
	c.page(w, r, http.StatusOK, "bulks", bulksPage{c.troubleWord(r, "bulks", err), list, c.topicsOf(r, list)})
}

func (c *Console) bulk(w http.ResponseWriter, r *http.Request) {
	c.showBulk(w, r, http.StatusOK, nil)
}

func (c *Console) showBulk(w http.ResponseWriter, r *http.Request, status int, f faults) {
	id := r.PathValue("id")
	err := ledger.CheckID(id)
	var b acts.Bulk
	if err == nil {
		b, err = c.Acts.Bulk(r.Context(), id)
	}
	if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrID) {
		c.page(w, r, http.StatusNotFound, "bulk_none", nil)
		return
	}
	if err != nil {
		c.problem(w, r, err)
		return
	}
	p := bulkPage{Bulk: b, Most: max(b.Total, 1), Own: b.Who == session(r).Login, Faults: f,
		MayApprove: b.State == ledger.BulkProposed && mayAct(r), MayStop: b.State == ledger.BulkRunning && mayAct(r)}
	p.CannotAll, p.Cannot = cannots(visitOf(r).words, b.Cannot)
	p.Topic = c.topicsOf(r, []acts.Bulk{b})[b.ID]
	if b.State == ledger.BulkProposed {
		about := c.proposalOf(r, b)
		if p.Topic.Cause != "" { // it is said already
			about.Causes = nil
		}
		p.Proposal = &about
	}
	p.Outcome = c.outcomeOf(r, b)
	c.page(w, r, status, "bulk", p)
}

func (c *Console) bulkApprove(w http.ResponseWriter, r *http.Request) {
	c.turn(w, r, "bulk.approved", func(id string) (acts.Bulk, error) { return c.Acts.Approve(r.Context(), actorOf(r), id) })
}

func (c *Console) bulkRefuse(w http.ResponseWriter, r *http.Request) {
	c.turn(w, r, "bulk.refused", func(id string) (acts.Bulk, error) { return c.Acts.Refuse(r.Context(), actorOf(r), id, "") })
}

func (c *Console) bulkStop(w http.ResponseWriter, r *http.Request) {
	c.turn(w, r, "bulk.stopped", func(id string) (acts.Bulk, error) { return c.Acts.Stop(r.Context(), actorOf(r), id, "") })
}

// turn approves, refuses or stops a bulk, and says whether that was done.
func (c *Console) turn(w http.ResponseWriter, r *http.Request, done string, act func(id string) (acts.Bulk, error)) {
	id := r.PathValue("id")
	err := ledger.CheckID(id)
	if err == nil {
		_, err = act(id)
	}
	key := ""
	switch {
	case err == nil:
		c.done(w, r, "/bulk/"+id, done)
		return
	case errors.Is(err, acts.ErrSamePerson):
		key = "bulk.same_person"
	case errors.Is(err, acts.ErrNobody):
		key = "act.nobody"
	case errors.Is(err, acts.ErrOver):
		key = "bulk.over"
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, ledger.ErrID):
		c.page(w, r, http.StatusNotFound, "bulk_none", nil)
		return
	default:
		c.problem(w, r, err)
		return
	}
	var f faults
	f.add("", visitOf(r).words.text(key))
	c.showBulk(w, r, http.StatusConflict, f)
}
