package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"segell/audit"
	"segell/ledger"
	"segell/staff"
)

func (c *Console) auditRoutes() []route {
	return []route{
		{http.MethodGet, "/audit", staff.Audit, c.auditPage},
		{http.MethodGet, "/audit.csv", staff.Audit, func(w http.ResponseWriter, r *http.Request) { c.auditExport(w, r, audit.CSV) }},
		{http.MethodGet, "/audit.json", staff.Audit, func(w http.ResponseWriter, r *http.Request) { c.auditExport(w, r, audit.JSON) }},
		{http.MethodPost, "/audit/verify", staff.Audit, c.auditVerify},
	}
}

// auditView is what templates/audit.html sees.
type auditView struct {
	Who, What, ID, From, Until, Text string // as they were typed
	Page                             audit.Page
	Records                          []auditRow
	Older                            string // address of the next page
	First                            string // of the first one, on others
	Query                            string // of the address, for the exports
	Searched                         bool
	Report                           *ledger.AuditReport // of a proof that was asked for
	Kept                             bool                // heads outside the bucket were compared too
	Took                             time.Duration
	Faults                           faults
}

type auditRow struct {
	ledger.AuditRecord
	Act string // in words, or the act itself
	To  string // address of what ID names, or ""
}

func (c *Console) auditPage(w http.ResponseWriter, r *http.Request) {
	v, query := c.auditQuery(r)
	c.showAudit(w, r, v, query)
}

// auditQuery reads the search. A day that is none is a fault, and nothing is found:
// a search wider than what was asked would mislead.
func (c *Console) auditQuery(r *http.Request) (auditView, audit.Query) {
	q := r.URL.Query()
	v := auditView{Who: q.Get("who"), What: q.Get("what"), ID: q.Get("id"), From: q.Get("from"), Until: q.Get("until"), Text: q.Get("text")}
	words := visitOf(r).words
	from, err := c.day(v.From)
	if err != nil {
		v.Faults.add("from", words.text("audit.no_day"))
	}
	until, err := c.day(v.Until)
	if err != nil {
		v.Faults.add("until", words.text("audit.no_day"))
	}
	if !until.IsZero() {
		until = until.AddDate(0, 0, 1) // the day itself is wanted too
	}
	kept := url.Values{}
	for _, name := range []string{"who", "what", "id", "from", "until", "text"} {
		if value := q.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	v.Query, v.Searched = kept.Encode(), len(kept) > 0
	return v, audit.Query{Who: v.Who, What: v.What, ID: v.ID, From: from, Until: until, Text: v.Text, Cursor: q.Get("cursor")}
}

// day reads the first moment of a day, as date fields write it; the zero time where
// the field is empty.
func (c *Console) day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, text, c.Zone)
}

func (c *Console) showAudit(w http.ResponseWriter, r *http.Request, v auditView, query audit.Query) {
	status := http.StatusUnprocessableEntity
	if len(v.Faults) == 0 {
		var err error
		if v.Page, err = c.Audit.Search(r.Context(), query); err != nil {
			c.problem(w, r, err)
			return
		}
		status = http.StatusOK
	} else {
		v.Page.Condition = c.Audit.Condition()
	}
	v.Records = auditRows(visitOf(r).words, v.Page.Records)
	kept, err := url.ParseQuery(v.Query)
	if err == nil && v.Page.Older != "" {
		kept.Set("cursor", v.Page.Older)
		v.Older = "/audit?" + kept.Encode()
	}
	if query.Cursor != "" {
		v.First = "/audit?" + v.Query
	}
	c.page(w, r, status, "audit", v)
}

func auditRows(w *words, records []ledger.AuditRecord) []auditRow {
	acts, _ := w.at("audit.acts").(map[string]any)
	rows := make([]auditRow, len(records))
	for i, record := range records {
		rows[i] = auditRow{AuditRecord: record, To: pageOf(record.AuditEntry)}
		rows[i].Act, _ = acts[record.What].(string)
	}
	return rows
}

// pageOf is the address of what an act was done to, or "" where that has no page.
func pageOf(e ledger.AuditEntry) string {
	page, _, _ := strings.Cut(e.What, ".")
	switch {
	case page == "causes" && e.ID != "":
		return "/causes/" + e.ID
	case ledger.CheckID(e.ID) != nil:
		return ""
	case page == "bulk":
		return "/bulk/" + e.ID
	}
	return "/requests/" + e.ID
}

// longest is how long an answer may take that reads much. The server's limit is for
// answers that come at once.
const longest = 5 * time.Minute

func (c *Console) patient(w http.ResponseWriter) {
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longest)); err != nil {
		c.Log.Warn("console: an answer has no more time than others", "error", err)
	}
}

// auditExport writes what a search finds as a file. That it was taken is in the
// trail before it is given.
func (c *Console) auditExport(w http.ResponseWriter, r *http.Request, format audit.Format) {
	v, query := c.auditQuery(r)
	if len(v.Faults) > 0 {
		c.showAudit(w, r, v, query)
		return
	}
	if !c.Audit.Condition().Complete {
		c.refuse(w, r, http.StatusServiceUnavailable, "audit")
		return
	}
	actor := actorOf(r)
	if err := c.Ledger.Audit(r.Context(), ledger.AuditEntry{Who: actor.Who, What: "audit.export", Why: string(format), From: actor.From}); err != nil {
		c.problem(w, r, err)
		return
	}
	c.patient(w)
	w.Header().Set("Content-Type", format.MediaType())
	w.Header().Set("Content-Disposition", `attachment; filename="audit-`+c.Now().In(c.Zone).Format("20060102-1504")+"."+string(format)+`"`)
	if err := c.Audit.Export(r.Context(), w, format, query); err != nil {
		// Part of it may be out: a file cut short must not pass for a whole one.
		c.Log.Error("console: exporting the audit trail", "error", err)
		panic(http.ErrAbortHandler)
	}
}

// auditVerify reads the whole trail from the bucket and proves it.
func (c *Console) auditVerify(w http.ResponseWriter, r *http.Request) {
	c.patient(w)
	actor := actorOf(r)
	if err := c.Ledger.Audit(r.Context(), ledger.AuditEntry{Who: actor.Who, What: "audit.verify", From: actor.From}); err != nil {
		c.problem(w, r, err)
		return
	}
	began := c.Now()
	report, err := c.Audit.Verify(r.Context())
	if err != nil {
		c.problem(w, r, err)
		return
	}
	v, query := c.auditQuery(r)
	v.Report, v.Kept, v.Took = &report, c.Audit.HeadsFile != "", c.Now().Sub(began)
	c.showAudit(w, r, v, query)
}
