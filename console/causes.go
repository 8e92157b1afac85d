package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	runbooks "segell/docs/runbooks"
	"segell/index"
	"segell/ledger"
	"segell/staff"
)

// examplesMost is how many of a group's requests its page names.
const examplesMost = 10

// causesPage is everything that failed, by what happened.
type causesPage struct {
	Missing    string // why the list could not be read, a key of frame.problems
	Groups     []groupRow
	Incomplete bool // there may be others
}

// groupRow is a group in the list of causes.
type groupRow struct {
	index.Group
	FirstOfCause bool // the first group of its cause, to which addresses lead
	KindList     []kindCount
}

// kindCount is how many of a kind there are.
type kindCount struct {
	Kind  string
	Count int64
}

// kindCounts are counts by kind, the most first.
func kindCounts[N int | int64](counts map[string]N) []kindCount {
	var list []kindCount
	for kind, n := range counts {
		if n > 0 {
			list = append(list, kindCount{kind, int64(n)})
		}
	}
	slices.SortFunc(list, func(a, b kindCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

func (c *Console) causes(w http.ResponseWriter, r *http.Request) {
	groups, err := c.Index.Groups(r.Context())
	p := causesPage{Missing: c.troubleWord(r, "causes", err)}
	if condition, err := c.Index.Condition(r.Context()); err == nil {
		p.Incomplete = !condition.Complete
	}
	seen := map[string]bool{}
	for _, g := range groups {
		if g.Count > 0 {
			p.Groups = append(p.Groups, groupRow{g, !seen[g.Cause], kindCounts(g.Kinds)})
			seen[g.Cause] = true
		}
	}
	c.page(w, r, http.StatusOK, "causes", p)
}

// causePage is one group of failures alike.
type causePage struct {
	Group   groupRow
	Mine    bool // who looks has said to be on it
	Runbook bool
	Rows    []index.Row
}

func (c *Console) cause(w http.ResponseWriter, r *http.Request) {
	group, err := c.Index.Group(r.Context(), r.PathValue("group"))
	if errors.Is(err, ledger.ErrNotFound) {
		c.page(w, r, http.StatusNotFound, "cause_gone", nil)
		return
	}
	if err != nil {
		c.problem(w, r, err)
		return
	}
	p := causePage{Group: groupRow{Group: group, KindList: kindCounts(group.Kinds)}}
	_, _, p.Runbook = runbooks.Runbook(group.Cause, visitOf(r).words.tag)
	p.Mine = slices.ContainsFunc(group.Claims, func(claim index.Claim) bool { return claim.Login == session(r).Login })
	found, err := c.Index.Search(r.Context(), index.Query{Group: group.ID, States: []ledger.State{ledger.StateFailed}, Limit: examplesMost})
	if c.troubleWord(r, "examples of a cause", err) == "" {
		p.Rows = found.Rows
	}
	c.page(w, r, http.StatusOK, "cause", p)
}

// claim says to all that who asks is on a group.
func (c *Console) claim(w http.ResponseWriter, r *http.Request) {
	c.changeClaim(w, r, ledger.AuditEntry{What: "causes.claim"}, "causes.claimed", func(ctx context.Context, group string, s staff.Session) error {
		return c.Index.Claim(ctx, group, s.Login, cmp.Or(s.Name, s.Login))
	})
}

func (c *Console) release(w http.ResponseWriter, r *http.Request) {
	c.changeClaim(w, r, ledger.AuditEntry{What: "causes.release"}, "causes.released", func(ctx context.Context, group string, s staff.Session) error {
		return c.Index.Release(ctx, group, s.Login)
	})
}

// changeClaim says who is on a group, or no longer; the audit trail has it first.
func (c *Console) changeClaim(w http.ResponseWriter, r *http.Request, entry ledger.AuditEntry, done string, change func(context.Context, string, staff.Session) error) {
	group, err := c.Index.Group(r.Context(), r.PathValue("group"))
	if errors.Is(err, ledger.ErrNotFound) {
		c.page(w, r, http.StatusNotFound, "cause_gone", nil)
		return
	}
	if err == nil {
		actor := actorOf(r)
		entry.Who, entry.From, entry.ID = actor.Who, actor.From, group.ID
		err = c.Ledger.Audit(r.Context(), entry)
	}
	if err == nil {
		err = change(r.Context(), group.ID, session(r))
	}
	if err != nil {
		c.problem(w, r, err)
		return
	}
	c.done(w, r, "/causes/"+group.ID, done)
}
