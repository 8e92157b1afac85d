package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"segell/ledger"
	"segell/queue"
	"segell/templates"
	"segell/upkeep"
)

// retentionCmd removes what has been kept long enough, now; the worker does the
// same once a day.
type retentionCmd struct {
	DryRun bool `help:"Change nothing: say what would be removed."`
}

func (c retentionCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	f := s.faults(groupsOf["retention"]...)
	policy := s.retention(f)
	if err := f.err(); err != nil {
		return err
	}
	if policy.Empty() {
		return errorWithHint{errors.New("SEGELL_RETENTION: is not set, so everything is kept for ever"), "docs/operation.md explains the terms", askedWrong}
	}
	l, err := s.ledger()
	if err != nil {
		return err
	}
	ctx := background()
	changed, done, err := s.changed(ctx)
	if err != nil {
		return err
	}
	defer done()
	if !c.DryRun {
		act := actor("")
		if err := l.Audit(ctx, ledger.AuditEntry{Who: act.Who, What: "retention.run", From: act.From}); err != nil {
			return s.away(err)
		}
	}
	report, err := (&upkeep.Retention{Ledger: l, Policy: policy, Now: time.Now, Log: log, OnChanged: changed}).Pass(ctx, c.DryRun, nil)
	if told := c.tell(out, report); told != nil {
		return told
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(out.stderr, "Stopped. What was removed stays removed: run it again and it goes on.")
		return failed
	case err != nil:
		return s.away(err)
	case report.Failed > 0:
		return failed
	}
	return nil
}

func (c retentionCmd) tell(out *output, r upkeep.RetentionReport) error {
	if out.json {
		answer := retentionAnswer{DryRun: c.DryRun, RetentionReport: r}
		if !c.DryRun {
			answer.Keys, answer.Callbacks = &r.Keys, &r.Callbacks
		}
		return out.encode(answer)
	}
	done := func(what string) string {
		if c.DryRun {
			return what + " would be"
		}
		return what
	}
	rows := [][]string{{"looked at", strconv.Itoa(r.LookedAt), ""}, {done("files"), strconv.Itoa(r.Files), "removed; they can still be verified"},
		{done("records"), strconv.Itoa(r.Records), "removed, with their files"}, {done("failed requests"), strconv.Itoa(r.Cancelled), "cancelled, their data removed"},
		{done("traces"), strconv.Itoa(r.Traces), "of requests that never became a document, removed"}}
	if !c.DryRun {
		rows = append(rows, []string{"keys of idempotency", strconv.Itoa(r.Keys), "forgotten"}, []string{"callbacks that were given up", strconv.Itoa(r.Callbacks), "removed"})
	}
	if err := out.table(nil, append(rows, []string{"FAILED", strconv.Itoa(r.Failed), ""})); err != nil {
		return err
	}
	for _, f := range r.Failures {
		fmt.Fprintf(out.w, "%s: %s\n", f.ID, f.Detail)
	}
	return nil
}

// retentionAnswer is the report as programs read it, without what a dry run does
// not count.
type retentionAnswer struct {
	DryRun bool `json:"dry_run"`
	upkeep.RetentionReport
	Keys      *int `json:"keys,omitempty"`
	Callbacks *int `json:"callbacks,omitempty"`
}

// changed gives who notes for the console's lists that a request changed. Where
// SEGELL_REDIS_URL is not set, and while Redis is away, nobody does: what is removed
// is removed all the same, and the lists find it within the hour.
func (s *Settings) changed(ctx context.Context) (changed func(id string), done func(), err error) {
	f := s.faults("Queue")
	if s.RedisURL == "" {
		return nil, func() {}, f.err()
	}
	client, err := queue.Open(s.RedisURL)
	if err != nil {
		f.add("SEGELL_REDIS_URL", "%v", err)
		return nil, nil, f.err()
	}
	q := queue.New(client)
	return func(id string) { q.Tell(ctx, queue.Move{ID: id}) }, func() { client.Close() }, nil
}

// eraseCmd removes everything of one person. The number comes on standard input:
// arguments can be read by everybody on the machine, and stay in histories.
type eraseCmd struct {
	Reason string `required:"" help:"Why, for the audit trail: the file number of the petition, say. No personal data."`
}

var cassNumber = regexp.MustCompile(`^[0-9]{6}[A-Z]$`)

func (c eraseCmd) Run(s *Settings, out *output) error {
	l, err := s.ledger()
	if err != nil {
		return err
	}
	number, err := readNumber(os.Stdin, out.stderr)
	if err != nil {
		return err
	}
	ctx := background()
	changed, done, err := s.changed(ctx)
	if err != nil {
		return err
	}
	defer done()
	act := actor(c.Reason)
	holder := l.HolderDigest(number)
	if err := l.Audit(ctx, ledger.AuditEntry{Who: act.Who, What: "holder.erase", ID: holder, Why: act.Why, From: act.From}); err != nil {
		return s.away(err)
	}
	e, err := l.OpenErasure(ctx, number, act.Who, act.Why)
	if err != nil {
		return s.away(err)
	}
	e.OnChanged = changed
	for tries := 0; ; tries++ {
		e, err = l.Erase(ctx, e)
		if !errors.Is(err, ledger.ErrErasing) || tries == 10 || ctx.Err() != nil {
			break
		}
		select { // the document that is being issued is a matter of seconds
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	if err != nil {
		fmt.Fprintln(out.stderr, "The erasure is not finished. It is written down, and the workers go on with it.")
		return s.away(err)
	}
	return tellErasure(out, e)
}

// tellErasure says what was erased. That nothing was found is exit code 1: a
// number with a slip in it would else look like a person who is erased.
func tellErasure(out *output, e ledger.Erasure) (err error) {
	nothing := e.Documents == 0 && e.Requests == 0
	switch {
	case out.json:
		err = out.encode(e)
	case nothing:
		_, err = fmt.Fprintln(out.w, "Nothing was found of this person, so nothing was erased: no document and no request is under this number. Look whether it is the right one.")
	default:
		_, err = fmt.Fprintf(out.w, "Erased: %s, and %s that had not become one. Each leaves a tombstone; whoever verifies a code is told that the document was erased.\n",
			counted(e.Documents, "document", "documents"), counted(e.Requests, "request", "requests"))
	}
	if err == nil && nothing {
		err = failed
	}
	return err
}

// readNumber reads one CASS number, and never says what it read.
func readNumber(r io.Reader, prompt io.Writer) (string, error) {
	if file, ok := r.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprint(prompt, "CASS number of the person: ")
		}
	}
	line, err := bufio.NewReader(io.LimitReader(r, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the CASS number: %w", err)
	}
	number := strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(strings.TrimSpace(line)))
	if !cassNumber.MatchString(number) {
		return "", errorWithHint{errors.New("what was read is no CASS number: six digits and a letter are expected"), "printf '%s' NUMBER | segell erase --reason …", askedWrong}
	}
	return number, nil
}

// retention reads how long things are kept: "default=365d,travel_form=400d,
// records=3650d,failed=90d,keys=400d", in days.
func (s *Settings) retention(f *faults) upkeep.Policy {
	policy := upkeep.Policy{Documents: map[string]int{}}
	if s.Retention == "" {
		return policy
	}
	said := map[string]bool{}
	for part := range strings.SplitSeq(s.Retention, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		if said[name] {
			f.add("SEGELL_RETENTION", "%q is there twice: say one term for it", name)
			continue
		}
		said[name] = true
		days, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
		if err != nil || days < 1 || days > 36500 {
			f.add("SEGELL_RETENTION", "%q: a name and a number of days from 1 to 36500 are expected, such as travel_form=400d", part)
			continue
		}
		switch name {
		case "default":
			policy.Default = days
		case "records":
			policy.Records = days
		case "failed":
			policy.Failed = days
		case "keys":
			policy.Keys = days
		default:
			if _, known := templates.Lookup(name); !known {
				f.add("SEGELL_RETENTION", "%q is no kind of document, and not default, records, failed or keys", name)
				continue
			}
			policy.Documents[name] = days
		}
	}
	if policy.Keys != 0 && policy.Keys < 2 {
		f.add("SEGELL_RETENTION", "keys must be kept for 2 days at least: a portal may repeat a request for so long")
	}
	if policy.Records != 0 && (policy.Keys == 0 || policy.Keys >= policy.Records) {
		f.add("SEGELL_RETENTION", "keys must be set, and to less than records=%dd: a request repeated under a key that outlives its document would be issued a second time under the same number", policy.Records)
	}
	if name, days := longestFile(policy); policy.Records != 0 && policy.Records < days {
		f.add("SEGELL_RETENTION", "records=%dd is less than %s=%dd: everything about a document would go before the term of its file", policy.Records, name, days)
	}
	return policy
}

// longestFile is the term by which files are kept longest.
func longestFile(p upkeep.Policy) (name string, days int) {
	name, days = "default", p.Default
	for _, kind := range slices.Sorted(maps.Keys(p.Documents)) {
		if p.Documents[kind] > days {
			name, days = kind, p.Documents[kind]
		}
	}
	return name, days
}
