package console

import (
	"html/template"
	"net/http"
	"regexp"

	runbooks "segell/docs/runbooks"
	"segell/ledger"
)

// runbookPage is what to do about a cause, step by step.
type runbookPage struct {
	Cause    string
	Language string // of the text, where it is not that of the page
	Text     template.HTML
	Back     string // the cause or request in hand, from which it was opened, or ""
}

var groupID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// cameFrom is the address of the cause or the request from which a runbook was
// opened, or "".
func cameFrom(r *http.Request) string {
	if group := r.URL.Query().Get("group"); groupID.MatchString(group) {
		return "/causes/" + group
	}
	if id := r.URL.Query().Get("request"); ledger.CheckID(id) == nil {
		return "/requests/" + id
	}
	return ""
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
	c.page(w, r, http.StatusOK, "runbook", runbookPage{cause, language, runbooks.HTML(text), cameFrom(r)})
}
