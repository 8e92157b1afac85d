package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"segell/acts"
	"segell/ledger"
)

// jobsBulkCmd is for what was begun on many requests.
type jobsBulkCmd struct {
	List    jobsBulkListCmd    `cmd:"" help:"What was begun of late, newest first."`
	Show    jobsBulkShowCmd    `cmd:"" help:"Everything known of one."`
	Approve jobsBulkApproveCmd `cmd:"" help:"Let one go on that another person proposed."`
	Refuse  jobsBulkRefuseCmd  `cmd:"" help:"End one that was proposed, before anything is done."`
	Stop    jobsBulkStopCmd    `cmd:"" help:"Stop one. What was done stays done."`
	Follow  jobsBulkFollowCmd  `cmd:"" help:"Watch one to its end, and carry it out where nobody else does."`
}

type jobsBulkListCmd struct{}

type bulkArg struct {
	ID string `arg:"" help:"Its id, as list tells it."`
}

type jobsBulkShowCmd struct{ bulkArg }
type jobsBulkFollowCmd struct{ bulkArg }
type jobsBulkApproveCmd struct{ bulkArg }

type jobsBulkRefuseCmd struct {
	bulkArg
	Reason string `help:"Why, for the audit trail: no names or numbers of persons."`
}

type jobsBulkStopCmd struct {
	bulkArg
	Reason string `help:"Why, for the audit trail: no names or numbers of persons."`
}

func (jobsBulkListCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, jobsWords, bulkWords)
	if err != nil {
		return err
	}
	defer done()
	bulks, err := p.acts.Bulks(background())
	if err != nil {
		return s.away(err)
	}
	if out.json {
		return out.encode(viewsOfBulks(bulks))
	}
	if len(bulks) == 0 {
		_, err := fmt.Fprintln(out.w, p.words["no bulks"])
		return err
	}
	rows := [][]string{}
	for _, b := range bulks {
		rows = append(rows, []string{b.ID, p.words["act "+string(b.What)], p.selectionText(b.Selection), p.words["bulk "+string(b.State)], fmt.Sprintf("%d / %d", b.Done, b.Total) + " " + p.words[wordOf("so far", b.What)], b.Who, p.minute(b.Proposed), b.Why})
	}
	return out.table([]string{p.words["bulk"], p.words["bulk what"], p.words["selection"], p.words["state"], p.words["settled"], p.words["who"], p.words["begun"], p.words["reason"]}, rows)
}

// onBulk opens what the commands of staff need, and does something to one bulk.
func (a bulkArg) onBulk(s *Settings, log *slog.Logger, why string, do func(ctx context.Context, p *staff, who operator) error) error {
	p, done, err := s.open(log, jobsWords, bulkWords)
	if err != nil {
		return err
	}
	defer done()
	who := actor(why)
	err = do(background(), p, who)
	var said errorWithHint
	if code := failed; err == nil || errors.As(err, &code) || errors.As(err, &said) {
		return err
	}
	return p.bulkRefused(err, a.ID, who.Who)
}

func (c jobsBulkShowCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	return c.onBulk(s, log, "", func(ctx context.Context, p *staff, _ operator) error {
		b, err := p.acts.Bulk(ctx, c.ID)
		if err != nil {
			return err
		}
		return p.showBulk(ctx, out, b)
	})
}

func (p *staff) showBulk(ctx context.Context, out *output, b acts.Bulk) error {
	became := p.became(ctx, b)
	if out.json {
		return out.encode(viewOfBulk(b, became))
	}
	rows := [][]string{{p.words["bulk"], b.ID}, {p.words["bulk what"], p.words["act "+string(b.What)]}, {p.words["selection"], p.selectionText(b.Selection)}, {p.words["state"], p.words["bulk "+string(b.State)]},
		{p.words["who"], b.Who}, {p.words["reason"], b.Why}, {p.words["begun"], p.second(b.Proposed)}}
	add := func(word, value string) {
		if value != "" {
			rows = append(rows, []string{p.words[word], value})
		}
	}
	add("second", b.ApprovedBy+b.RefusedBy)
	add("stopper", b.StoppedBy)
	if !b.Ended.IsZero() {
		add("ended", p.second(b.Ended))
	}
	add("total", fmt.Sprint(b.Total))
	add("settled", fmt.Sprint(b.Done)+" "+p.words[wordOf("so far", b.What)])
	if became != nil {
		add("became", fmt.Sprintf(p.words["became counts"], became.Issued, became.FailedAgain, became.OnTheirWay))
	}
	add("holds", p.words["holds "+b.Holds])
	for i, e := range b.Examples {
		rows = append(rows, []string{heading(p.words["examples"], i), e.ID + "  " + p.words["cannot "+e.Reason]})
	}
	if err := out.table(nil, rows); err != nil {
		return err
	}
	p.tellCannot(out.w, b.Cannot)
	return nil
}

func (c jobsBulkFollowCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	return c.onBulk(s, log, "", func(ctx context.Context, p *staff, _ operator) error {
		b, err := p.acts.Bulk(ctx, c.ID)
		if err != nil {
			return err
		}
		return p.follow(ctx, out, b)
	})
}

func (c jobsBulkApproveCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	return c.onBulk(s, log, "", func(ctx context.Context, p *staff, who operator) error {
		b, err := p.acts.Approve(ctx, who.Actor, c.ID)
		return p.turned(out, "approved", b, err)
	})
}

func (c jobsBulkRefuseCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	return c.onBulk(s, log, c.Reason, func(ctx context.Context, p *staff, who operator) error {
		b, err := p.acts.Refuse(ctx, who.Actor, c.ID, who.Why)
		return p.turned(out, "refused", b, err)
	})
}

func (c jobsBulkStopCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	return c.onBulk(s, log, c.Reason, func(ctx context.Context, p *staff, who operator) error {
		b, err := p.acts.Stop(ctx, who.Actor, c.ID, who.Why)
		return p.turned(out, "stops", b, err)
	})
}

// turned tells where a bulk stands after an act on it.
func (p *staff) turned(out *output, word string, b acts.Bulk, err error) error {
	if err != nil {
		return err
	}
	if out.json {
		return out.encode(viewOfBulk(b, nil))
	}
	fmt.Fprintln(out.w, p.words[word])
	if b.State == ledger.BulkRunning {
		fmt.Fprintf(out.w, p.words["goes on"], b.ID)
	}
	return nil
}
