package console

import (
	"net/http"
	"slices"
	"time"

	"segell/pages"
)

// languageKept is how long a browser keeps the language that was chosen in it.
const languageKept = 365 * 24 * time.Hour

// chooseWords finds the language of an answer: that chosen in this browser, that
// of the account, what the browser asks for, Catalan.
func (c *Console) chooseWords(r *http.Request, v *visit) *words {
	for _, tag := range []string{c.cookie(r, languageCookie), v.session.Language} {
		if w, ok := c.words[tag]; ok {
			return w
		}
	}
	tag, _ := pages.Chosen(r)
	return c.words[tag]
}

// chooseLanguage keeps the language of the form in the browser and, of who is
// logged in, in the account. It needs no session: the page to log in has it too,
// and it does nothing that a stranger gains from.
func (c *Console) chooseLanguage(w http.ResponseWriter, r *http.Request) {
	tag := r.PostFormValue("language")
	if !slices.Contains(pages.Languages, tag) {
		c.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	c.setCookie(w, languageCookie, tag, languageKept)
	if v := visitOf(r); v.in && c.validForm(r, v) {
		if err := c.Desk.SetLanguage(r.Context(), v.session.Login, tag); err != nil {
			c.Log.Warn("console: keeping a language", "error", err) // the browser has it
		}
	}
	back := local(r.PostFormValue("back"))
	if !visitOf(r).in {
		back = "/login"
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}

func (c *Console) languages(current string) []languageChoice {
	choices := make([]languageChoice, len(pages.Languages))
	for i, tag := range pages.Languages {
		choices[i] = languageChoice{Tag: tag, Name: c.words[tag].text("frame.name"), Current: tag == current}
	}
	return choices
}
