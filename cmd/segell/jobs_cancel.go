package main

import (
	"errors"
	"fmt"
	"log/slog"

	"segell/ledger"
)

type jobsCancelCmd struct {
	Request string `arg:"" help:"Id of the request."`
	Reason  string `required:"" enum:"cannot_be_made,asked_again,sent_in_error,holder_request" help:"Why: cannot_be_made (no retry will help), asked_again (another request took its place), sent_in_error, holder_request (the person does not want it any more)."`
}

func (c jobsCancelCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log)
	if err != nil {
		return err
	}
	defer done()
	if err := p.checkIDs(c.Request); err != nil {
		return err
	}
	err = p.Cancel(background(), c.Request, ledger.CancelReason(c.Reason), actor(c.Reason))
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return p.errorf("unknown hint", failed, "unknown", c.Request)
	case errors.Is(err, ledger.ErrIssued):
		return p.errorf("issued hint", failed, "issued already", c.Request)
	case err != nil:
		return s.away(err)
	}
	if out.json {
		return out.encode(map[string]string{"id": c.Request, "state": string(ledger.StateCancelled), "reason": c.Reason})
	}
	_, err = fmt.Fprintf(out.w, p.words["cancelled"], c.Request)
	return err
}
