package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"segell/audit"
	"segell/ledger"
	"segell/notify"
)

// auditCmd reads the audit trail; nothing ever changes it.
type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"Every entry: who did what, to what, why, from where, when."`
	Verify auditVerifyCmd `cmd:"" help:"Prove that nothing was taken out of the trail or changed: exit code 0 or 1."`
}

type auditListCmd struct {
	Who   string `help:"Only what this client or person of staff did."`
	What  string `help:"Only this act, such as jobs.retry; with a dot at the end every act that begins so, such as jobs."`
	ID    string `name:"id" help:"Only what was done to this, or in this bulk."`
	Text  string `help:"Only entries that hold this somewhere, in capitals or not."`
	From  string `help:"Only from this day or moment on: 2026-03-02, or 2026-03-02T09:00:00+01:00."`
	Until string `help:"Only until this day, with all of it, or before this moment."`
	Limit int    `help:"Only the newest so many."`
	CSV   bool   `name:"csv" help:"Answer as CSV, for spreadsheets."`
}

type auditVerifyCmd struct {
	Heads []string `placeholder:"FILE" sep:"none" help:"Heads that were kept outside the bucket: then the end of a chain cannot be cut off unseen either. It is a file that SEGELL_AUDIT_HEADS_FILE names somewhere, a log, or what an earlier 'audit verify --json' said; may be given more than once. Otherwise SEGELL_AUDIT_HEADS_FILE, if it is set."`
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
	s.keepHeads(l)
	return l, s.ownKeys(l)
}

// keepHeads has a command keep the head of its chain outside the bucket: it ends
// before a minute is over.
func (s *Settings) keepHeads(l *ledger.Ledger) {
	if s.AuditHeads == "" {
		return
	}
	heads := audit.Heads{Ledger: l, File: s.AuditHeads, Now: time.Now}
	l.WatchAudit(func(ledger.AuditRecord, ledger.AuditHead) {
		if err := heads.Keep(); err != nil {
			fmt.Fprintln(os.Stderr, "segell: warning:", err)
		}
	})
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

// query reads which entries are wanted.
func (c auditListCmd) query(zone *time.Location) (audit.Query, error) {
	q := audit.Query{Who: c.Who, What: c.What, ID: c.ID, Text: c.Text}
	var err error
	if q.From, err = moment(c.From, zone, 0); err == nil {
		q.Until, err = moment(c.Until, zone, 1)
	}
	return q, err
}

// moment reads a day, days later, or a moment; nothing is the zero time.
func moment(text string, zone *time.Location, days int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return day.AddDate(0, 0, days), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, errorWithHint{fmt.Errorf("%q is neither a day nor a moment", text), "write 2026-03-02, or 2026-03-02T09:00:00+01:00", askedWrong}
	}
	return at, nil
}

func (c auditListCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	zone, err := time.LoadLocation("Europe/Andorra")
	if err != nil {
		return err
	}
	query, err := c.query(zone)
	if err != nil {
		return err
	}
	if c.CSV && out.json || c.Limit < 0 {
		return errorWithHint{errors.New("the answer is CSV or JSON, and of one entry at least"), "`segell audit list --help` says what it takes", askedWrong}
	}
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
		case query.Match(record):
			records = append(records, record)
		}
	}
	byTime(records)
	if c.Limit > 0 {
		records = records[max(0, len(records)-c.Limit):]
	}
	err = c.show(out, records, zone)
	if err == nil && damaged > 0 {
		err = errorWithHint{fmt.Errorf("%s cannot be read", counted(damaged, "entry", "entries")), "`segell audit verify` says which", failed}
	}
	return err
}

func (c auditListCmd) show(out *output, records []ledger.AuditRecord, zone *time.Location) error {
	switch {
	case out.json:
		return out.encode(records)
	case c.CSV:
		return audit.Write(out.w, audit.CSV, func(yield func(ledger.AuditRecord, error) bool) {
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
		})
	}
	rows := [][]string{}
	for _, r := range records {
		times := ""
		if r.Count > 1 {
			times = strconv.Itoa(r.Count)
		}
		rows = append(rows, []string{r.At.In(zone).Format("02/01/2006 15:04:05"), r.Who, r.From, r.What, r.ID, times, r.Why})
	}
	return out.table([]string{"WHEN", "WHO", "FROM", "WHAT", "TO", "TIMES", "WHY"}, rows)
}

// byTime puts what several processes wrote into the order in which it was done;
// what one of them wrote in the same moment keeps its own.
func byTime(records []ledger.AuditRecord) {
	slices.SortStableFunc(records, func(a, b ledger.AuditRecord) int { return a.At.Compare(b.At) })
}

// known reads the heads that were kept outside the bucket.
func (c auditVerifyCmd) known(s *Settings, log *slog.Logger) ([]ledger.AuditHead, error) {
	files := c.Heads
	if len(files) == 0 && s.AuditHeads != "" {
		files = []string{s.AuditHeads}
	}
	var heads []ledger.AuditHead
	for _, file := range files {
		kept, err := audit.ReadHeadsFile(file)
		switch {
		case errors.Is(err, audit.ErrNoHeads) && len(c.Heads) == 0:
			log.Warn("SEGELL_AUDIT_HEADS_FILE holds no heads yet: the end of a chain is not compared with anything", "file", file)
		case errors.Is(err, audit.ErrNoHeads) && !errors.Is(err, os.ErrNotExist):
			return nil, errorWithHint{fmt.Errorf("%s holds no heads", file), "it is the file that SEGELL_AUDIT_HEADS_FILE named, a log, or what `segell audit verify --json` printed before", askedWrong}
		case err != nil:
			return nil, errorWithHint{err, "", askedWrong}
		}
		if kept.Torn > 0 {
			log.Warn("lines that were begun as heads cannot be read", "file", file, "lines", kept.Torn)
		}
		heads = append(heads, kept.Heads...)
	}
	return heads, nil
}

func (c auditVerifyCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	known, err := c.known(s, log)
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
		err = showReport(out, report, len(known))
	}
	if err == nil && len(report.Faults) > 0 {
		err = failed
	}
	return err
}

func showReport(out *output, report ledger.AuditReport, known int) error {
	for _, fault := range report.Faults {
		fmt.Fprintf(out.w, "%s, entry %d: %s\n", fault.Writer, fault.Sequence, fault.Detail)
	}
	if len(report.Faults) > 0 {
		_, err := fmt.Fprintf(out.w, "The audit trail is NOT whole: %s among %s.\n", counted(len(report.Faults), "fault", "faults"), counted(report.Entries, "entry", "entries"))
		return err
	}
	_, err := fmt.Fprintf(out.w, "The audit trail is whole: %s in %s.\n", counted(report.Entries, "entry", "entries"), counted(len(report.Heads), "chain", "chains"))
	if err == nil && known > 0 {
		_, err = fmt.Fprintf(out.w, "Compared with %s kept outside the bucket.\n", counted(known, "head", "heads"))
	}
	return err
}
