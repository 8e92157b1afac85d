package main

import (
	"fmt"
	"log/slog"

	"segell/ledger"
)

type jobsWithdrawCmd struct {
	Request string `arg:"" help:"Id of the request whose document it is, or the number of the document."`
	Reason  string `required:"" enum:"issued_in_error,data_corrected,data_changed,fraud,holder_request,legal_order" help:"Why: issued_in_error, data_corrected, data_changed, fraud, holder_request or legal_order. Whoever verifies the document is not told."`
	Why     string `help:"More on why, for the audit trail: no names or numbers of persons."`
}

func (c jobsWithdrawCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, jobsWords)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	if c.Request, err = p.requestID(ctx, c.Request); err != nil {
		return err
	}
	who := actor(c.Why)
	record, err := p.acts.Withdraw(ctx, who.Actor, c.Request, ledger.WithdrawalReason(c.Reason), who.Why)
	if err != nil {
		return p.refused(err, c.Request)
	}
	if out.json {
		return out.encode(inUTC(record))
	}
	_, err = fmt.Fprintf(out.w, p.words["withdrawn"], c.Request)
	return err
}

type jobsReplaceCmd struct {
	Request string `arg:"" help:"Id of the request whose document is replaced, or the number of the document."`
	By      string `required:"" help:"Id of the request whose document takes its place, or the number of that: of the same client, holder and kind, issued, in force, and newer."`
	Reason  string `help:"Why, for the audit trail: required. No names or numbers of persons."`
}

func (c jobsReplaceCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, jobsWords)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	ids, err := p.requestIDs(ctx, c.Request, c.By)
	if err != nil {
		return err
	}
	c.Request, c.By = ids[0], ids[1]
	who := actor(c.Reason)
	if err := p.acts.Replace(ctx, who.Actor, c.Request, c.By, who.Why); err != nil {
		return p.refused(err, c.Request)
	}
	if out.json {
		return out.encode(map[string]string{"id": c.Request, "state": string(ledger.StateReplaced), "replaced_by_id": c.By})
	}
	_, err = fmt.Fprintf(out.w, p.words["replaced"], c.Request, c.By)
	return err
}
