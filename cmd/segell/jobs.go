package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"segell/cmd/internal/press"
	"segell/ledger"
	"segell/queue"
)

// jobsCmd is for staff: it speaks Catalan unless SEGELL_LANGUAGE says English.
type jobsCmd struct {
	List  jobsListCmd  `cmd:"" help:"Requests that were given up, with their cause, oldest first."`
	Show  jobsShowCmd  `cmd:"" help:"Everything known of one request."`
	Retry jobsRetryCmd `cmd:"" help:"Try failed requests again, afresh from the ledger."`
}

type jobsListCmd struct {
	Cause string `help:"Only this cause."`
	Kind  string `help:"Only this kind of document."`
}

type jobsShowCmd struct {
	Request string `arg:"" help:"Id of the request."`
}

type jobsRetryCmd struct {
	Requests []string `arg:"" optional:"" help:"Ids of requests."`
	Cause    string   `help:"Every failed request with this cause."`
	All      bool     `help:"Every failed request."`
}

// words of the tables, by language.
var jobsWords = map[string]map[string]string{
	"ca": {"id": "SOL·LICITUD", "number": "DOCUMENT", "kind": "TIPUS", "failed": "ATURADA EL", "what": "QUÈ HA PASSAT", "do": "QUÈ CAL FER", "none": "Tot bé: no hi ha cap sol·licitud aturada.",
		"count": "%d sol·licituds aturades.", "one": "Una sol·licitud aturada.", "causes": "Per causa:", "state": "ESTAT", "accepted": "ACCEPTADA EL", "issued": "EMÈS", "stage": "PAS", "cause": "CAUSA", "detail": "DETALL TÈCNIC", "tries": "INTENTS",
		"next": "PROPER INTENT", "retried": "%d sol·licituds tornades a provar.", "retried1": "Una sol·licitud tornada a provar.", "job": "EN CUA", "level": "SEGELL", "pages": "PÀGINES"},
	"en": {"id": "REQUEST", "number": "DOCUMENT", "kind": "KIND", "failed": "FAILED AT", "what": "WHAT HAPPENED", "do": "WHAT TO DO", "none": "All is well: no request has failed.",
		"count": "%d requests have failed.", "one": "One request has failed.", "causes": "By cause:", "state": "STATE", "accepted": "ACCEPTED AT", "issued": "ISSUED", "stage": "STEP", "cause": "CAUSE", "detail": "TECHNICAL DETAIL", "tries": "TRIES",
		"next": "NEXT TRY", "retried": "%d requests are tried again.", "retried1": "One request is tried again.", "job": "IN THE QUEUE", "level": "SEAL", "pages": "PAGES"},
}

// open gives staff commands the ledger and the queue.
func (s *Settings) open(log *slog.Logger) (p *press.Press, language string, done func(), err error) {
	var f faults
	parts := press.Parts{Log: log, Now: time.Now}
	bucket := s.bucket(&f)
	parts.Keyset, parts.HMACKey = s.keys(&f)
	s.redis(&f, &parts)
	language = s.language(&f)
	if err := f.err(); err != nil {
		return nil, "", nil, err
	}
	parts.Bucket = bucket
	p, err = press.New(parts)
	return p, language, func() { parts.Redis.Close() }, err
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

func (c jobsListCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, language, done, err := s.open(log)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	views := []failureView{}
	for failure, err := range p.Ledger.Failures(ctx) {
		if err != nil {
			return err
		}
		if (c.Cause == "" || c.Cause == failure.Cause) && (c.Kind == "" || c.Kind == failure.Kind) {
			views = append(views, viewOf(failure, language))
		}
	}
	if out.json {
		return out.encode(views)
	}
	words := jobsWords[language]
	if len(views) == 0 {
		fmt.Fprintln(out.w, words["none"])
		return nil
	}
	rows := [][]string{}
	var order []string
	causes := map[string]int{}
	for _, v := range views {
		if causes[v.Cause]++; causes[v.Cause] == 1 {
			order = append(order, v.Cause)
		}
		rows = append(rows, []string{v.ID, v.Number, v.FailedAt.Local().Format("02/01/2006 15:04"), v.What})
	}
	if err := out.table([]string{words["id"], words["number"], words["failed"], words["what"]}, rows); err != nil {
		return err
	}
	if len(views) == 1 {
		fmt.Fprintln(out.w, "\n"+words["one"], words["causes"])
	} else {
		fmt.Fprintf(out.w, "\n"+words["count"]+" %s\n", len(views), words["causes"])
	}
	for _, id := range order {
		wording := ledger.CauseOf(id).Wording(language)
		fmt.Fprintf(out.w, "  %s (%d)  %s\n     → %s\n", id, causes[id], wording.What, wording.Do)
	}
	return nil
}

func (c jobsShowCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, language, done, err := s.open(log)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	if err := ledger.CheckID(c.Request); err != nil {
		return err
	}
	standing, err := p.Ledger.Look(ctx, c.Request)
	if errors.Is(err, ledger.ErrNotFound) {
		return errorWithHint{fmt.Errorf("there is no request %s", c.Request), "`segell jobs list` lists those that failed"}
	}
	if err != nil {
		return err
	}
	var job queue.Job
	if standing.State == ledger.StateAccepted {
		asked, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		if job, err = p.Queue.Job(asked, standing.ID, standing.Queue); err != nil {
			log.Warn("the queue does not answer", "why", err)
		}
	}
	if out.json {
		answer := map[string]any{"id": standing.ID, "kind": standing.Kind, "number": standing.Number, "state": standing.State, "accepted_at": standing.IssuedAt}
		if standing.Failure != nil {
			answer["failure"] = viewOf(*standing.Failure, language)
		}
		if standing.Record != nil {
			answer["record"] = standing.Record
		}
		if job.State != queue.NoJob {
			answer["job"] = job
		}
		return out.encode(answer)
	}
	words := jobsWords[language]
	rows := [][]string{{words["id"], standing.ID}, {words["number"], standing.Number}, {words["kind"], standing.Kind},
		{words["state"], string(standing.State)}, {words["accepted"], standing.IssuedAt.Local().Format("02/01/2006 15:04:05")}}
	if job.State != queue.NoJob {
		rows = append(rows, []string{words["job"], strings.TrimSpace(string(job.State) + " " + job.Step)})
		if !job.NextAt.IsZero() {
			rows = append(rows, []string{words["next"], job.NextAt.Local().Format("02/01/2006 15:04:05")})
		}
		for i, try := range job.Tries {
			rows = append(rows, []string{heading(words["tries"], i), try.At.Local().Format("02/01/2006 15:04:05") + "  " + try.Stage + "  " + try.Cause})
		}
	}
	if f := standing.Failure; f != nil {
		view := viewOf(*f, language)
		rows = append(rows, []string{words["failed"], f.FailedAt.Local().Format("02/01/2006 15:04:05")}, []string{words["what"], view.What},
			[]string{words["do"], view.Do}, []string{words["cause"], f.Cause}, []string{words["stage"], string(f.Stage)}, []string{words["detail"], f.Detail})
		for i, try := range f.Tries {
			rows = append(rows, []string{heading(words["tries"], i), try.At.Local().Format("02/01/2006 15:04:05") + "  " + string(try.Stage) + "  " + try.Cause})
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

func (c jobsRetryCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	chosen := 0
	for _, given := range []bool{len(c.Requests) > 0, c.Cause != "", c.All} {
		if given {
			chosen++
		}
	}
	if chosen != 1 {
		return errorWithHint{errors.New("say which: ids of requests, or --cause CAUSE, or --all"), "`segell jobs list` lists them"}
	}
	p, language, done, err := s.open(log)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	ids := c.Requests
	for _, id := range ids {
		if err := ledger.CheckID(id); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	if len(ids) == 0 {
		for failure, err := range p.Ledger.Failures(ctx) {
			if err != nil {
				return err
			}
			if c.All || failure.Cause == c.Cause {
				ids = append(ids, failure.ID)
			}
		}
	}
	type result struct {
		ID    string `json:"id"`
		Error string `json:"error,omitempty"`
	}
	results := []result{}
	retried, failed := 0, 0
	for _, id := range ids {
		err := p.Retry(ctx, id)
		switch {
		case errors.Is(err, ledger.ErrNotFound):
			results = append(results, result{id, "it is not among the failed ones"})
			failed++
		case err != nil:
			return fmt.Errorf("%s: %w", id, err)
		default:
			results = append(results, result{id, ""})
			retried++
		}
	}
	if out.json {
		if err := out.encode(results); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			if r.Error != "" {
				fmt.Fprintf(out.w, "%s: %s\n", r.ID, r.Error)
			}
		}
		if words := jobsWords[language]; retried == 1 {
			fmt.Fprintln(out.w, words["retried1"])
		} else {
			fmt.Fprintf(out.w, words["retried"]+"\n", retried)
		}
	}
	if failed > 0 {
		return exitCode(1)
	}
	return nil
}
