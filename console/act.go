package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"segell/acts"
	"segell/ledger"
	"segell/storage"
)

// actForm is what was filled into the form of an act that could not be done. The
// ids of its fields begin with the act: "retry-why".
type actForm struct {
	Act, Why, Reason, By string
	Render               bool
	Faults               faults
}

// Typed is the reason that was filled into the form of an act.
func (f actForm) Typed(act string) string {
	if f.Act == act {
		return f.Why
	}
	return ""
}

// readAct reads the form of an act.
func readAct(r *http.Request, act string) actForm {
	return actForm{Act: act, Why: strings.TrimSpace(r.PostFormValue("why")), Reason: r.PostFormValue("reason"),
		By: strings.TrimSpace(r.PostFormValue("by")), Render: r.PostFormValue("from") == string(acts.RenderAgain)}
}

// blame adds what is wrong with a field of the form.
func (f *actForm) blame(r *http.Request, field, key string) {
	if field != "" {
		field = f.Act + "-" + field
	}
	f.Faults.add(field, visitOf(r).words.text("act."+key))
}

// actFaults says what staff read of an error of an act, and at which field of its
// form it stands: "" for the form as a whole.
var actFaults = []struct {
	err        error
	field, key string
}{
	{acts.ErrWhy, "why", "need_why"},
	{ledger.ErrAuditEntry, "why", "bad_why"},
	{ledger.ErrReason, "reason", "need_choice"},
	{ledger.ErrNotReplaceable, "by", "replace_bad"},
	{acts.ErrSecondNeeded, "", "second_needed"},
	{acts.ErrNotFailed, "", "not_failed"},
	{ledger.ErrIssued, "", "issued"},
	{ledger.ErrNotInForce, "", "not_in_force"},
	{ledger.ErrErased, "", "no_document"},
	{ledger.ErrNotFound, "", "gone"},
	{ledger.ErrDamaged, "", "damaged"},
	{ledger.ErrKeyUnknown, "", "damaged"},
	{storage.ErrUnavailable, "", "unknown"},
}

// blameError adds an error of an act to its form; it reports false for one that
// the form has no words for.
func (f *actForm) blameError(r *http.Request, err error) bool {
	for _, row := range actFaults {
		if errors.Is(err, row.err) {
			f.blame(r, row.field, row.key)
			return true
		}
	}
	return false
}

// acted answers after an act: what was done is told on the page of the request,
// what was not is told in its form.
func (c *Console) acted(w http.ResponseWriter, r *http.Request, form actForm, err error) {
	if err == nil {
		c.done(w, r, "/requests/"+r.PathValue("id"), "act."+form.Act)
		return
	}
	if !form.blameError(r, err) {
		c.problem(w, r, err)
		return
	}
	c.showRequest(w, r, http.StatusUnprocessableEntity, form, nil)
}

// ready checks what every act needs, before anything is done: a request and a
// reason in words.
func (c *Console) ready(w http.ResponseWriter, r *http.Request, form *actForm) bool {
	if form.Why == "" {
		form.blame(r, "why", "need_why")
	}
	if ledger.CheckID(r.PathValue("id")) != nil || len(form.Faults) > 0 {
		c.showRequest(w, r, http.StatusUnprocessableEntity, *form, nil)
		return false
	}
	return true
}

func (c *Console) retry(w http.ResponseWriter, r *http.Request) {
	form := readAct(r, "retry")
	if !c.ready(w, r, &form) {
		return
	}
	from := acts.WhereItStopped
	if form.Render {
		from = acts.RenderAgain
	}
	c.acted(w, r, form, c.Acts.Retry(r.Context(), actorOf(r), r.PathValue("id"), from, form.Why))
}

func (c *Console) cancel(w http.ResponseWriter, r *http.Request) {
	form := readAct(r, "cancel")
	if form.Reason == "" {
		form.blame(r, "reason", "need_choice")
	}
	if !c.ready(w, r, &form) {
		return
	}
	_, err := c.Acts.Cancel(r.Context(), actorOf(r), r.PathValue("id"), ledger.CancelReason(form.Reason), form.Why)
	c.acted(w, r, form, err)
}

func (c *Console) withdraw(w http.ResponseWriter, r *http.Request) {
	form := readAct(r, "withdraw")
	if form.Reason == "" {
		form.blame(r, "reason", "need_choice")
	}
	if !c.ready(w, r, &form) {
		return
	}
	_, err := c.Acts.Withdraw(r.Context(), actorOf(r), r.PathValue("id"), ledger.WithdrawalReason(form.Reason), form.Why)
	c.acted(w, r, form, err)
}

func (c *Console) replace(w http.ResponseWriter, r *http.Request) {
	form := readAct(r, "replace")
	if form.By == "" {
		form.blame(r, "by", "replace_need")
	}
	if !c.ready(w, r, &form) {
		return
	}
	by := strings.ToLower(form.By)
	if ledger.CheckID(by) != nil {
		var err error
		by, err = c.Index.ByNumber(r.Context(), strings.ToUpper(form.By))
		if errors.Is(err, ledger.ErrNotFound) {
			form.blame(r, "by", "replace_none")
			c.showRequest(w, r, http.StatusUnprocessableEntity, form, nil)
			return
		}
		if err != nil {
			c.problem(w, r, err)
			return
		}
	}
	c.acted(w, r, form, c.Acts.Replace(r.Context(), actorOf(r), r.PathValue("id"), by, form.Why))
}

// show answers with the page of the request and what it says of its holder. The
// answer is not led to by an address, so it cannot be opened again without a
// reason.
func (c *Console) show(w http.ResponseWriter, r *http.Request) {
	form := readAct(r, "show")
	if !c.ready(w, r, &form) {
		return
	}
	seen, err := c.Acts.Show(r.Context(), actorOf(r), r.PathValue("id"), form.Why)
	if errors.Is(err, ledger.ErrNotFound) {
		form.blame(r, "", "show_finished")
		c.showRequest(w, r, http.StatusConflict, form, nil)
		return
	}
	if err != nil {
		c.acted(w, r, form, err)
		return
	}
	c.showRequest(w, r, http.StatusOK, actForm{}, shownOf(visitOf(r).words, seen))
}

// shownFields are the fields of a holder that have a label, in the order in which
// they are shown.
var shownFields = []string{"full_name", "cass_number", "birth_date", "nia", "id_document", "address"}

// shownOf writes what a request says of its holder, with labels.
func shownOf(w *words, seen acts.Shown) *shownPage {
	var sent struct {
		Holder map[string]any `json:"holder"`
	}
	p := &shownPage{}
	if json.Unmarshal(seen.Body, &sent) == nil {
		for _, name := range shownFields {
			value := plainText(sent.Holder[name])
			if day, err := time.Parse(time.DateOnly, value); name == "birth_date" && err == nil {
				value = (&formatter{words: w, zone: time.UTC}).dateText(day)
			}
			if value != "" {
				p.Holder = append(p.Holder, shownField{w.text("request.shown_names." + name), value})
			}
		}
	}
	var indented bytes.Buffer
	if json.Indent(&indented, seen.Body, "", "  ") == nil {
		p.Body = indented.String()
	}
	return p
}

// plainText writes a value of JSON in one line.
func plainText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		var parts []string
		for _, part := range v {
			parts = append(parts, plainText(part))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var parts []string
		for _, name := range []string{"type", "number", "country"} {
			if text := plainText(v[name]); text != "" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, " ")
	}
	return ""
}

// document answers with the sealed file itself.
func (c *Console) document(w http.ResponseWriter, r *http.Request) {
	form := readAct(r, "document")
	if !c.ready(w, r, &form) {
		return
	}
	stored, err := c.Acts.Document(r.Context(), actorOf(r), r.PathValue("id"), form.Why)
	if errors.Is(err, ledger.ErrNotFound) {
		err = ledger.ErrErased
	}
	if err != nil {
		c.acted(w, r, form, err)
		return
	}
	record, err := c.Ledger.Record(r.Context(), r.PathValue("id"))
	if err != nil {
		c.problem(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Length", strconv.Itoa(len(stored.PDF)))
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": record.Number + ".pdf"}))
	_, _ = w.Write(stored.PDF)
}
