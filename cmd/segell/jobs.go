package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"segell/index"
	"segell/ledger"
	"segell/queue"
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
	State string `default:"failed" help:"Only this state: failed, accepted, issued, withdrawn, replaced, cancelled. All but failed are read from the console's index."`
	Cause string `help:"Only this cause."`
	Kind  string `help:"Only this kind of document."`
	Limit int    `help:"At most so many; 0: all that failed, or the newest 50 in another state."`
}

type jobsShowCmd struct {
	Request string `arg:"" help:"Id of the request."`
}

// failureView is a failure as programs read it.
type failureView struct {
	ledger.Failure
	What string `json:"what"`
	Do   string `json:"do"`
}

func viewOf(f ledger.Failure, language string) failureView {
	wording := ledger.CauseOf(f.Cause).Wording(language)
	return failureView{f, wording.What, wording.Do}
}

// listedStates are those that can be asked for.
var listedStates = []string{string(ledger.StateFailed), string(ledger.StateAccepted), string(ledger.StateIssued), string(ledger.StateWithdrawn),
	string(ledger.StateReplaced), string(ledger.StateCancelled)}

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
	x := index.New(index.Config{Redis: p.redis, Ledger: p.Ledger, Queue: p.Queue, Log: p.log, Now: time.Now})
	ctx := background()
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
		views = append(views, rowView{row.ID, row.Number, row.Kind, row.State, row.AcceptedAt})
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

func (c jobsShowCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, jobsWords)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	if err := p.checkIDs(c.Request); err != nil {
		return err
	}
	standing, err := p.Ledger.Look(ctx, c.Request)
	if errors.Is(err, ledger.ErrNotFound) {
		return p.errorf("unknown hint", failed, "unknown", c.Request)
	}
	if err != nil {
		return s.away(err)
	}
	var job queue.Job
	queued := ""
	if standing.State == ledger.StateAccepted {
		asked, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		switch job, _, err = p.Queue.Find(asked, standing.ID); {
		case err != nil:
			queued = p.words["queue away"]
			log.Warn("the queue does not answer", "why", err)
		case job.State == queue.NoJob:
			queued = p.words["no job"]
		default:
			queued = p.words["job "+string(job.State)]
			if job.Step != "" {
				queued += ": " + p.words["stage "+job.Step]
			}
		}
	}
	if out.json {
		answer := map[string]any{"id": standing.ID, "kind": standing.Kind, "number": standing.Number, "state": standing.State, "accepted_at": standing.IssuedAt}
		if standing.Failure != nil {
			answer["failure"] = viewOf(*standing.Failure, p.language)
		}
		if standing.Record != nil {
			answer["record"] = standing.Record
		}
		if job.State != queue.NoJob {
			answer["job"] = job
		}
		return out.encode(answer)
	}
	words := p.words
	rows := [][]string{{words["id"], standing.ID}, {words["number"], standing.Number}, {words["kind"], standing.Kind},
		{words["state"], words["state "+string(standing.State)]}, {words["accepted"], p.second(standing.IssuedAt)}}
	tried := func(i int, at time.Time, stage, cause string) {
		rows = append(rows, []string{heading(words["tries"], i), p.second(at) + "  " + words["stage "+stage] + "  " + cause})
	}
	if queued != "" {
		rows = append(rows, []string{words["job"], queued})
	}
	if job.State != queue.NoJob {
		if !job.NextAt.IsZero() {
			rows = append(rows, []string{words["next"], p.second(job.NextAt)})
		}
		for i, try := range job.Tries {
			tried(i, try.At, try.Stage, try.Cause)
		}
	}
	if f := standing.Failure; f != nil {
		view := viewOf(*f, p.language)
		rows = append(rows, []string{words["failed"], p.second(f.FailedAt)}, []string{words["what"], view.What},
			[]string{words["do"], view.Do}, []string{words["cause"], f.Cause}, []string{words["stage"], words["stage "+string(f.Stage)]}, []string{words["detail"], f.Detail})
		for i, try := range f.Tries {
			tried(i, try.At, string(try.Stage), try.Cause)
		}
	}
	if r := standing.Record; r != nil {
		rows = append(rows, []string{words["level"], r.Level}, []string{words["pages"], fmt.Sprint(r.Pages)})
	}
	return out.table(nil, rows)
}

func heading(word string, i int) string {
	if i == 0 {
		return word
	}
	return ""
}
