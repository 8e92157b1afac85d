package main

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"segell/index"
	"segell/ledger"
)

// jobsCmd is for staff: it speaks Catalan unless SEGELL_LANGUAGE says English.
type jobsCmd struct {
	List     jobsListCmd     `cmd:"" help:"Requests that were given up, with their cause, oldest first; or those in another state."`
	Show     jobsShowCmd     `cmd:"" help:"Everything known of one request."`
	Retry    jobsRetryCmd    `cmd:"" help:"Try failed requests again, afresh from the ledger: one, several, a cause, a kind, all."`
	Cancel   jobsCancelCmd   `cmd:"" help:"Take back requests that are not issued, such as those that failed for good."`
	Withdraw jobsWithdrawCmd `cmd:"" help:"Mark an issued document as no longer to be relied on. This cannot be undone."`
	Replace  jobsReplaceCmd  `cmd:"" help:"Mark an issued document as replaced by another that is issued too."`
	Bulk     jobsBulkCmd     `cmd:"" help:"What was begun on many requests: how far it is, approve it, stop it."`
	Pause    pauseCmd        `cmd:"" help:"Have the workers leave a kind or a queue alone; alone it shows what is paused."`
	Resume   resumeCmd       `cmd:"" help:"Go on with what was paused."`
}

type jobsListCmd struct {
	State string `default:"failed" help:"Only this state: failed, accepted, issued, withdrawn, replaced, cancelled, erased. All but failed are read from the console's index."`
	Cause string `help:"Only this cause."`
	Kind  string `help:"Only this kind of document."`
	Limit int    `help:"At most so many; 0: all that failed, or the newest 50 in another state."`
}

// failureView is a failure as programs read it.
type failureView struct {
	ledger.Failure
	What string `json:"what"`
	Do   string `json:"do"`
}

func viewOf(f ledger.Failure, language string) failureView {
	wording := ledger.CauseOf(f.Cause).Wording(language)
	f.FailedAt = f.FailedAt.UTC()
	f.Tries = triesInUTC(f.Tries)
	return failureView{f, wording.What, wording.Do}
}

func triesInUTC(all []ledger.Try) []ledger.Try {
	all = slices.Clone(all)
	for i := range all {
		all[i].At = all[i].At.UTC()
	}
	return all
}

// listedStates are those that can be asked for.
var listedStates = []string{string(ledger.StateFailed), string(ledger.StateAccepted), string(ledger.StateIssued), string(ledger.StateWithdrawn),
	string(ledger.StateReplaced), string(ledger.StateCancelled), string(ledger.StateErased)}

func (c jobsListCmd) known(p *staff) error {
	if err := p.known("no such state", c.State, listedStates); err != nil {
		return err
	}
	return c.knownFailure(p)
}

func (c jobsListCmd) knownFailure(p *staff) error {
	if err := p.known("no such cause", c.Cause, causeNames()); err != nil {
		return err
	}
	return p.known("no such kind", c.Kind, kindNames())
}

func (c jobsListCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, jobsWords)
	if err != nil {
		return err
	}
	defer done()
	if err := c.known(p); err != nil {
		return err
	}
	if c.State != string(ledger.StateFailed) {
		return c.listOthers(p, out)
	}
	views, all := []failureView{}, 0
	for failure, err := range p.Ledger.Failures(background()) {
		if err != nil {
			return s.away(err)
		}
		all++
		if (c.Cause == "" || c.Cause == failure.Cause) && (c.Kind == "" || c.Kind == failure.Kind) {
			views = append(views, viewOf(failure, p.language))
		}
	}
	found := len(views)
	if c.Limit > 0 {
		views = views[:min(c.Limit, found)]
	}
	if out.json {
		return out.encode(views)
	}
	if found == 0 {
		none := p.words["none"]
		if all > 0 {
			none = p.words["none of these"]
		}
		_, err := fmt.Fprintln(out.w, none)
		return err
	}
	return p.tellFailures(out, views, found)
}

// tellFailures prints failures, and what is to be done about each cause.
func (p *staff) tellFailures(out *output, views []failureView, found int) error {
	rows := [][]string{}
	var order []string
	causes := map[string]int{}
	for _, v := range views {
		if causes[v.Cause]++; causes[v.Cause] == 1 {
			order = append(order, v.Cause)
		}
		rows = append(rows, []string{v.ID, v.Number, p.minute(v.FailedAt), v.What})
	}
	if err := out.table([]string{p.words["id"], p.words["number"], p.words["failed"], p.words["what"]}, rows); err != nil {
		return err
	}
	fmt.Fprintln(out.w, "\n"+p.plural("count", found), p.words["causes"])
	for _, id := range order {
		wording := ledger.CauseOf(id).Wording(p.language)
		fmt.Fprintf(out.w, "  %s (%d)  %s\n     → %s\n", id, causes[id], wording.What, wording.Do)
	}
	if len(views) < found {
		fmt.Fprintf(out.w, p.words["shown"]+"\n", len(views), found)
	}
	return nil
}

// rowView is a request of a list as programs read it.
type rowView struct {
	ID         string       `json:"id"`
	Number     string       `json:"number"`
	Kind       string       `json:"kind"`
	State      ledger.State `json:"state"`
	AcceptedAt time.Time    `json:"accepted_at"`
}

// listOthers lists requests in a state other than failed, newest first, from the
// console's index.
func (c jobsListCmd) listOthers(p *staff, out *output) error {
	x, ctx := p.index(), background()
	condition, err := x.Condition(ctx)
	if err != nil {
		return err
	}
	if !condition.Complete {
		return p.errorf("index hint", failed, "index away")
	}
	q := index.Query{States: []ledger.State{ledger.State(c.State)}, Cause: c.Cause, Limit: c.Limit}
	if c.Kind != "" {
		q.Kinds = []string{c.Kind}
	}
	page, err := x.Search(ctx, q)
	if err != nil {
		return err
	}
	views, rows := []rowView{}, [][]string{}
	for _, row := range page.Rows {
		views = append(views, rowView{row.ID, row.Number, row.Kind, row.State, row.AcceptedAt.UTC()})
		rows = append(rows, []string{row.ID, row.Number, row.Kind, p.minute(row.AcceptedAt)})
	}
	if out.json {
		return out.encode(views)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out.w, p.words["none in state"])
		return err
	}
	if err := out.table([]string{p.words["id"], p.words["number"], p.words["kind"], p.words["accepted"]}, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.w, "\n"+p.words["shown"]+"\n", len(rows), page.Total)
	return err
}

func heading(word string, i int) string {
	if i == 0 {
		return word
	}
	return ""
}
