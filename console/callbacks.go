package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"segell/acts"
	"segell/ledger"
	"segell/staff"
)

func (c *Console) callbackRoutes() []route {
	return []route{
		{http.MethodGet, "/callbacks", staff.Look, c.callbacks},
		{http.MethodPost, "/callbacks/replay", staff.Act, c.replay},
	}
}

// callbacksMost is how many callbacks a page shows, the oldest.
const callbacksMost = 50

// callbacksView is what templates/callbacks.html sees.
type callbacksView struct {
	Notices  []ledger.Notice
	More     bool   // than are shown
	Damaged  int    // that cannot be read
	Missing  string // why the list may not be whole
	Why      string
	Chosen   map[string]bool
	Replayed int // of a replay that was cut short
	Faults   faults
}

func (c *Console) callbacks(w http.ResponseWriter, r *http.Request) {
	c.showCallbacks(w, r, http.StatusOK, callbacksView{})
}

func (c *Console) showCallbacks(w http.ResponseWriter, r *http.Request, status int, v callbacksView) {
	ctx, cancel := context.WithTimeout(r.Context(), sourcesWithin)
	defer cancel()
	for notice, err := range c.Ledger.Undelivered(ctx) {
		if errors.Is(err, ledger.ErrDamaged) {
			v.Damaged++
			continue
		}
		if err != nil {
			v.Missing = c.troubleWord(r, "callbacks", err)
			break
		}
		if len(v.Notices) == callbacksMost {
			v.More = true
			break
		}
		v.Notices = append(v.Notices, notice)
	}
	c.page(w, r, status, "callbacks", v)
}

// replay sends the chosen callbacks again. One that is gone was sent by somebody
// else meanwhile.
func (c *Console) replay(w http.ResponseWriter, r *http.Request) {
	v := callbacksView{Why: r.PostFormValue("why"), Chosen: map[string]bool{}}
	words := visitOf(r).words
	names := r.PostForm["names"]
	for _, name := range names {
		if ledger.CheckNoticeName(name) != nil {
			c.refuse(w, r, http.StatusBadRequest, "form")
			return
		}
		v.Chosen[name] = true
	}
	if len(names) == 0 || len(names) > callbacksMost {
		v.Faults.add("names", words.text("callbacks.none_chosen"))
	}
	if strings.TrimSpace(v.Why) == "" {
		v.Faults.add("why", words.text("frame.why.missing"))
	}
	for _, name := range names {
		if len(v.Faults) > 0 {
			break
		}
		err := c.Acts.Replay(r.Context(), actorOf(r), name, v.Why)
		switch {
		case err == nil:
			v.Replayed++
			delete(v.Chosen, name)
		case errors.Is(err, acts.ErrWhy):
			v.Faults.add("why", words.text("frame.why.missing"))
		case errors.Is(err, ledger.ErrAuditEntry):
			v.Faults.add("why", words.text("frame.why.unfit"))
		case errors.Is(err, ledger.ErrNotFound):
		default:
			c.problem(w, r, err)
			return
		}
	}
	if len(v.Faults) > 0 {
		c.showCallbacks(w, r, http.StatusUnprocessableEntity, v)
		return
	}
	c.done(w, r, "/callbacks", "callbacks.replay")
}
