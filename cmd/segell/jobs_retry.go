package main

import (
	"errors"
	"log/slog"

	"segell/acts"
)

type jobsRetryCmd struct {
	Requests []string `arg:"" optional:"" help:"Ids of requests, or numbers of their documents."`
	manyFlags
	From   string `enum:"kept,render" default:"kept" help:"kept: use what earlier steps made, where it is still good, so that only the seal is made again; render: draw the page anew."`
	Reason string `help:"Why, for the audit trail: no names or numbers of persons. Needed where more than one request is meant."`
}

// what is the act on many that the flags ask for.
func (c jobsRetryCmd) what() (acts.BulkAct, acts.From) {
	if c.From == "render" {
		return acts.BulkRetryRender, acts.RenderAgain
	}
	return acts.BulkRetry, acts.WhereItStopped
}

func (c jobsRetryCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, jobsWords, bulkWords)
	if err != nil {
		return err
	}
	defer done()
	selection, err := c.selection(background(), p, c.Requests)
	if err != nil {
		return err
	}
	what, from := c.what()
	if len(c.Requests) != 1 || c.DryRun {
		return p.many(out, selection, what, c.Reason, c.manyFlags)
	}
	id, who := selection.IDs[0], actor(c.Reason)
	switch err := p.acts.Retry(background(), who.Actor, id, from, who.Why); {
	case errors.Is(err, acts.ErrNotFailed):
		return p.tellOutcomes(out, "id", "retried", []outcome{{id, p.words["not failed"]}}, 1)
	case err != nil:
		return p.refused(err, id)
	}
	return p.tellOutcomes(out, "id", "retried", []outcome{{id: id}}, 1)
}
