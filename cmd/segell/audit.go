package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"segell/cmd/internal/press"
	"segell/ledger"
	"segell/notify"
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

type auditVerifyCmd struct {
	Heads string `placeholder:"FILE" help:"What an earlier 'audit verify --json' said, kept outside the bucket: then the end of a chain cannot be cut off unseen either."`
}

// ledger opens the bucket's ledger for commands that need no queue. It refuses
// keys that are not those of the bucket.
func (s *Settings) ledger() (*ledger.Ledger, error) {
	f := s.faults("Storage", "Ledger", "Callbacks")
	bucket := s.bucket(f)
	keyset, hmacKey := s.keys(f)
	callbacks := s.callbacks(f)
	if err := f.err(); err != nil {
		return nil, err
	}
	// What these commands cancel is told to clients as what others do: by the workers.
	l, err := ledger.New(ledger.Config{Objects: bucket, Keyset: keyset, HMACKey: hmacKey, Now: time.Now, Random: rand.Reader,
		Subscribers: notify.Subscribers{Endpoints: callbacks}})
	if err != nil {
		return nil, err
	}
	return l, s.ownKeys(l)
}

// ownKeys refuses keys that are not those of the bucket, and writes nothing: with
// others a person is not found, and an act is done that does nothing.
func (s *Settings) ownKeys(l *ledger.Ledger) error {
	_, err := l.CompareKeys(background())
	if errors.Is(err, ledger.ErrKeyWrong) {
		return errorWithHint{fmt.Errorf("SEGELL_LEDGER_KEYSET, SEGELL_LEDGER_HMAC_KEY: %w", err), "find the keys that this bucket was written with; docs/operation.md, Keys of encryption", failed}
	}
	return s.away(err)
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
	byTime(records)
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
		err = errorWithHint{fmt.Errorf("%s cannot be read", counted(damaged, "entry", "entries")), "`segell audit verify` says which", failed}
	}
	return err
}

// byTime puts what several processes wrote into the order in which it was done;
// what one of them wrote in the same moment keeps its own.
func byTime(records []ledger.AuditRecord) {
	slices.SortStableFunc(records, func(a, b ledger.AuditRecord) int { return a.At.Compare(b.At) })
}

// known reads the heads that an earlier verification reported.
func (c auditVerifyCmd) known() ([]ledger.AuditHead, error) {
	if c.Heads == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.Heads)
	if err != nil {
		return nil, err
	}
	var earlier ledger.AuditReport
	if err := json.Unmarshal(text, &earlier); err != nil || len(earlier.Heads) == 0 {
		return nil, errorWithHint{fmt.Errorf("%s holds no heads", c.Heads), "it is what `segell audit verify --json` printed before", askedWrong}
	}
	return earlier.Heads, nil
}

func (c auditVerifyCmd) Run(s *Settings, out *output) error {
	known, err := c.known()
	if err != nil {
		return err
	}
	l, err := s.ledger()
	if err != nil {
		return err
	}
	report, err := l.VerifyAudit(background(), known)
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
			_, err = fmt.Fprintf(out.w, "The audit trail is whole: %s in %s.\n", counted(report.Entries, "entry", "entries"), counted(len(report.Heads), "chain", "chains"))
		} else {
			_, err = fmt.Fprintf(out.w, "The audit trail is NOT whole: %s among %s.\n", counted(len(report.Faults), "fault", "faults"), counted(report.Entries, "entry", "entries"))
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
	if login := os.Getenv("SUDO_USER"); login != "" && os.Geteuid() == 0 { // who became root to run it
		act.Who = login
	}
	if host, err := os.Hostname(); err == nil {
		act.From = host
	}
	return act
}
