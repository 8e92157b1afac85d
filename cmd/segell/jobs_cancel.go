package main

import (
	"fmt"
	"log/slog"

	"segell/acts"
	"segell/ledger"
)

type jobsCancelCmd struct {
	Requests []string `arg:"" optional:"" help:"Ids of requests, or numbers of their documents."`
	manyFlags
	Reason string `required:"" enum:"cannot_be_made,asked_again,sent_in_error,holder_request" help:"Why: cannot_be_made (no retry will help), asked_again (another request took its place), sent_in_error, holder_request (the person does not want it any more)."`
	Why    string `help:"More on why, for the audit trail: no names or numbers of persons. Needed where more than one request is meant, and then the reason is cannot_be_made."`
}

func (c jobsCancelCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, jobsWords, bulkWords)
	if err != nil {
		return err
	}
	defer done()
	selection, err := c.selection(background(), p, c.Requests)
	if err != nil {
		return err
	}
	reason := ledger.CancelReason(c.Reason)
	if len(c.Requests) != 1 || c.DryRun {
		if reason != ledger.CancelImpossible {
			return p.errorf("why hint", askedWrong, "many cannot be made")
		}
		return p.many(out, selection, acts.BulkCancel, c.Why, c.manyFlags)
	}
	id, who := selection.IDs[0], actor(c.Why)
	if _, err := p.acts.Cancel(background(), who.Actor, id, reason, who.Why); err != nil {
		return p.refused(err, id)
	}
	if out.json {
		return out.encode(map[string]string{"id": id, "state": string(ledger.StateCancelled), "reason": c.Reason})
	}
	_, err = fmt.Fprintf(out.w, p.words["cancelled"], id)
	return err
}
