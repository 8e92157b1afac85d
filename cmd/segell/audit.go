package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"segell/cmd/internal/press"
	"segell/ledger"
)

// auditCmd reads the audit trail; nothing ever changes it.
type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"Every entry: who did what, to what, why, from where, when."`
	Verify auditVerifyCmd `cmd:"" help:"Prove that nothing was taken out of the trail or changed: exit code 0 or 1."`
}

type auditListCmd struct {
	Who  string `help:"Only what this client or person of staff did."`
	What string `help:"Only this act, such as jobs.retry."`
	ID   string `name:"id" help:"Only what was done to this."`
}

type auditVerifyCmd struct{}

// ledger opens the bucket's ledger for commands that need no queue.
func (s *Settings) ledger() (*ledger.Ledger, error) {
	f := s.faults("Storage", "Ledger")
	bucket := s.bucket(f)
	keyset, hmacKey := s.keys(f)
	if err := f.err(); err != nil {
		return nil, err
	}
	return ledger.New(ledger.Config{Objects: bucket, Keyset: keyset, HMACKey: hmacKey, Now: time.Now, Random: rand.Reader})
}

func (c auditListCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	l, err := s.ledger()
	if err != nil {
		return err
	}
	records, damaged := []ledger.AuditRecord{}, 0
	for record, err := range l.AuditTrail(background()) {
		switch {
		case errors.Is(err, ledger.ErrDamaged):
			log.Error("an entry cannot be read", "why", err)
			damaged++
		case err != nil:
			return s.away(err)
		case (c.Who == "" || c.Who == record.Who) && (c.What == "" || c.What == record.What) && (c.ID == "" || c.ID == record.ID):
			records = append(records, record)
		}
	}
	if out.json {
		err = out.encode(records)
	} else {
		zone, err := time.LoadLocation("Europe/Andorra")
		if err != nil {
			return err
		}
		rows := [][]string{}
		for _, r := range records {
			times := ""
			if r.Count > 1 {
				times = strconv.Itoa(r.Count)
			}
			rows = append(rows, []string{r.At.In(zone).Format("02/01/2006 15:04:05"), r.Who, r.From, r.What, r.ID, times, r.Why})
		}
		if err := out.table([]string{"WHEN", "WHO", "FROM", "WHAT", "TO", "TIMES", "WHY"}, rows); err != nil {
			return err
		}
	}
	if err == nil && damaged > 0 {
		err = errorWithHint{fmt.Errorf("%d entries cannot be read", damaged), "`segell audit verify` says which", failed}
	}
	return err
}

func (auditVerifyCmd) Run(s *Settings, out *output) error {
	l, err := s.ledger()
	if err != nil {
		return err
	}
	report, err := l.VerifyAudit(background(), nil)
	if err != nil {
		return s.away(err)
	}
	if out.json {
		err = out.encode(report)
	} else {
		for _, fault := range report.Faults {
			fmt.Fprintf(out.w, "%s, entry %d: %s\n", fault.Writer, fault.Sequence, fault.Detail)
		}
		if len(report.Faults) == 0 {
			_, err = fmt.Fprintf(out.w, "The audit trail is whole: %d entries in %d chains.\n", report.Entries, len(report.Heads))
		} else {
			_, err = fmt.Fprintf(out.w, "The audit trail is NOT whole: %d faults among %d entries.\n", len(report.Faults), report.Entries)
		}
	}
	if err == nil && len(report.Faults) > 0 {
		err = failed
	}
	return err
}

// actor is who runs a command of staff: the login that the machine knows.
func actor(why string) press.Act {
	act := press.Act{Who: "unknown", Why: why}
	if u, err := user.Current(); err == nil && u.Username != "" {
		act.Who = strings.Map(func(r rune) rune {
			if r < 0x80 && (r == '.' || r == '-' || r == '_' || r == '@' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
				return r
			}
			return '_'
		}, u.Username)
	}
	if login := os.Getenv("SUDO_USER"); login != "" { // who became root to run it
		act.Who = login
	}
	if host, err := os.Hostname(); err == nil {
		act.From = host
	}
	return act
}
