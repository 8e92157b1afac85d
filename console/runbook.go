package console

import (
	"html/template"
	"net/http"

	runbooks "segell/docs/runbooks"
)

// runbookPage is what to do about a cause, step by step.
type runbookPage struct {
	Cause    string
	Language string // of the text, where it is not that of the page
	Text     template.HTML
}

func (c *Console) runbook(w http.ResponseWriter, r *http.Request) {
	cause, tag := r.PathValue("cause"), visitOf(r).words.tag
	text, language, ok := runbooks.Runbook(cause, tag)
	if !ok {
		c.page(w, r, http.StatusNotFound, "runbook_none", nil)
		return
	}
	if language == tag {
		language = ""
	}
	c.page(w, r, http.StatusOK, "runbook", runbookPage{cause, language, runbooks.HTML(text)})
}
