package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"segell/cmd/internal/press"
	"segell/ledger"
	"segell/signing"
	"segell/upkeep"
)

// renewCmd renews archive time-stamps now; the worker does the same once a day.
type renewCmd struct {
	Within int  `placeholder:"DAYS" help:"Renew what is proven for less than this many days; default SEGELL_RENEW_WITHIN."`
	DryRun bool `help:"Change nothing: say what would be renewed."`
}

func (c renewCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	if c.Within != 0 {
		s.RenewWithin = strconv.Itoa(c.Within)
	}
	f := s.faults(groupsOf["renew"]...)
	parts := press.Parts{Log: log, Now: time.Now, RenewWithin: s.renewWithin(f), RenewRate: s.renewRate(f)}
	bucket := s.bucket(f)
	parts.Keyset, parts.HMACKey = s.keys(f)
	archivist := s.archivist(f)
	s.redis(f, &parts)
	if err := f.err(); err != nil {
		return err
	}
	defer parts.Redis.Close()
	parts.Bucket, parts.Archivist = bucket, func() upkeep.Archivist { return archivist }
	p, err := press.New(parts)
	if err != nil {
		return err
	}
	ctx := background()
	if err := bucket.Ping(ctx); err != nil {
		return errorWithHint{errors.New(s.bucketFault(err)), "`segell check` tells all that is wrong", failed}
	}
	if err := s.ownKeys(p.Ledger); err != nil {
		return err
	}
	if !c.DryRun {
		act := actor("")
		if err := p.Ledger.Audit(ctx, ledger.AuditEntry{Who: act.Who, What: "renewal.run", From: act.From}); err != nil {
			return s.away(err)
		}
	}
	progress, done := c.progress(out.stderr)
	var report upkeep.RenewalReport
	pass := func(ctx context.Context) (err error) {
		report, err = p.Renewal().Pass(ctx, c.DryRun, progress)
		return err
	}
	if c.DryRun {
		err = pass(ctx)
	} else {
		err = alone(ctx, parts, log, pass)
	}
	done()
	if errors.Is(err, errBusy) {
		return err
	}
	if told := c.tell(out, report); told != nil {
		return told
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(out.stderr, "Stopped. What was renewed stays renewed: run it again and it goes on.")
		return failed
	case err != nil:
		return fmt.Errorf("ended early: %w", err)
	case report.Failed > 0:
		return failed
	}
	return nil
}

var errBusy = errorWithHint{errors.New("another renewal is under way"), "a worker or another `segell renew` is at it: wait for it to end", failed}

// alone makes the pass if nobody else makes one. Without Redis nobody can say, and
// two at once do no harm but ask for time-stamps twice.
func alone(ctx context.Context, parts press.Parts, log *slog.Logger, pass func(context.Context) error) error {
	lease := upkeep.RunningLease(parts.Redis, upkeep.RenewalJob)
	switch ours, err := lease.Take(ctx, upkeep.LeaseLife); {
	case err != nil:
		log.Warn("Redis does not answer: whether a worker renews as well is unknown", "why", err)
		return pass(ctx)
	case !ours:
		return errBusy
	}
	defer upkeep.Drop(ctx, lease)
	return upkeep.Hold(ctx, pass, lease)
}

// progress shows how far it is, for people on a terminal, and returns what clears
// the line at the end.
func (c renewCmd) progress(w io.Writer) (show func(upkeep.RenewalReport), done func()) {
	file, ok := w.(*os.File)
	if !ok {
		return nil, func() {}
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil, func() {}
	}
	var shown time.Time
	return func(r upkeep.RenewalReport) {
		if now := time.Now(); now.Sub(shown) > 200*time.Millisecond {
			shown = now
			fmt.Fprintf(w, "\r\x1b[K%s: %d looked at, %d renewed, %d failed", r.Day, r.LookedAt, r.Renewed+r.Due, r.Failed)
		}
	}, func() { fmt.Fprint(w, "\r\x1b[K") }
}

// tell prints the report.
func (c renewCmd) tell(out *output, r upkeep.RenewalReport) error {
	if out.json {
		return out.encode(struct {
			DryRun bool `json:"dry_run"`
			upkeep.RenewalReport
		}{c.DryRun, r})
	}
	rows := [][]string{{"looked at", strconv.Itoa(r.LookedAt), ""}}
	add := func(n int, what, why string) {
		if n > 0 {
			rows = append(rows, []string{what, strconv.Itoa(n), why})
		}
	}
	add(r.Renewed, "renewed", "")
	add(r.Due, "due", "would be renewed")
	add(r.NotDue, "not due", "proven for longer")
	add(r.NotArchived, "below "+string(signing.BLTA), "they have no archive time-stamp")
	add(r.Gone, "gone", "erased, or removed because their time was over")
	add(r.NoLater, "due, but", "no time-stamping authority's certificates last longer than what they have: ask when it renews, or name another")
	add(r.Failed, "FAILED", "")
	if err := out.table(nil, rows); err != nil {
		return err
	}
	if len(r.Failures) == 0 {
		return nil
	}
	fmt.Fprintln(out.w)
	rows = nil
	for _, f := range r.Failures {
		end := ""
		if !f.ProofEnd.IsZero() {
			end = f.ProofEnd.Format(time.DateOnly)
		}
		rows = append(rows, []string{f.ID, f.Number, end, f.Cause, f.Detail})
	}
	return out.table([]string{"REQUEST", "NUMBER", "PROVEN UNTIL", "CAUSE", "DETAIL"}, rows)
}
