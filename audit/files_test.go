package audit_test

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"log/slog"

	"segell/audit"
	"segell/ledger"
)

// An export holds the trail, all of it and nothing else, in both forms; and no
// spreadsheet takes a cell of it for a formula, wherever it splits cells.
func TestAnExportIsTheTrail(t *testing.T) {
	o := newOffice(t)
	l, other := o.process(), o.process()
	reasons := []string{`=HYPERLINK("http://evil.example","x")`, "+1+1", "-2", "@SUM(A1)", "'=1", "plain; =cmd|' /C calc'!A0", `quoted "so", and so`, "col·lecció, ñ €", "a;-1|@x", "", "＝1"}
	for i, why := range reasons {
		o.write([]*ledger.Ledger{l, other}[i%2], "maria", "jobs.retry", why)
	}
	o.pass(time.Second)
	if err := l.Audit(t.Context(), ledger.AuditEntry{Who: "portal", What: "api.refused", ID: "-dash", Count: 12}); err != nil {
		t.Fatal(err)
	}
	o.pass(time.Second)
	if err := l.Audit(t.Context(), filledEntry(t)); err != nil {
		t.Fatal(err)
	}
	o.pass(time.Second)
	if err := l.Audit(t.Context(), ledger.AuditEntry{Who: "operator", What: "audit.verify"}); err != nil { // the last of its chain
		t.Fatal(err)
	}
	var trail []ledger.AuditRecord
	for record, err := range l.AuditTrail(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		trail = append(trail, record)
	}
	slices.SortFunc(trail, func(a, b ledger.AuditRecord) int { return a.At.Compare(b.At) })
	r := o.reader(o.process(), "")
	var text strings.Builder
	if err := r.Export(t.Context(), &text, audit.CSV, audit.Query{}); !errors.Is(err, audit.ErrIncomplete) || text.Len() > 0 {
		t.Errorf("before the trail is read: %v, %q", err, text.String())
	}
	o.follow(r)

	if err := r.Export(t.Context(), &text, audit.JSON, audit.Query{}); err != nil {
		t.Fatal(err)
	}
	var read []ledger.AuditRecord
	if err := json.Unmarshal([]byte(text.String()), &read); err != nil || !slices.Equal(read, trail) {
		t.Errorf("JSON: %v\n%s", err, text.String())
	}
	linesFollow(t, text.String())

	text.Reset()
	if err := r.Export(t.Context(), &text, audit.CSV, audit.Query{}); err != nil {
		t.Fatal(err)
	}
	if got := readCSV(t, text.String()); !slices.Equal(got, trail) {
		t.Errorf("CSV: %v\n%s", got, text.String())
	}
	for _, comma := range ",;\t|" {
		for _, line := range split(t, text.String(), comma) {
			for _, cell := range line {
				if cell = strings.TrimLeft(cell, " \""); cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") || strings.HasPrefix(cell, "＝") {
					t.Errorf("split at %q a cell is %q", comma, cell)
				}
			}
		}
	}

	text.Reset()
	if err := r.Export(t.Context(), &text, audit.JSON, audit.Query{Who: "nobody"}); err != nil || text.String() != "[]\n" {
		t.Errorf("nothing: %q, %v", text.String(), err)
	}
	if err := r.Export(t.Context(), &text, "xlsx", audit.Query{}); !errors.Is(err, audit.ErrFormat) {
		t.Errorf("another format: %v", err)
	}
	broken := errors.New("broken")
	if err := audit.Write(io.Discard, audit.CSV, iter.Seq2[ledger.AuditRecord, error](func(yield func(ledger.AuditRecord, error) bool) { yield(ledger.AuditRecord{}, broken) })); !errors.Is(err, broken) {
		t.Errorf("an entry that cannot be read: %v", err)
	}
}

// filledEntry has something in every field that an entry has, so that one which is
// added some day and left out of the export is noticed.
func filledEntry(t *testing.T) ledger.AuditEntry {
	t.Helper()
	e := ledger.AuditEntry{Who: "maria", What: "jobs.retry", ID: request, Why: "<the store> & «more» answer", From: "192.0.2.7", Count: 3, Bulk: bulk}
	fields := reflect.ValueOf(e)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Fatalf("the test fills no %s", fields.Type().Field(i).Name)
		}
	}
	return e
}

// linesFollow fails unless each line of an export is, to the byte, what the next one
// of its chain was written after: so who has the file alone can prove it.
func linesFollow(t *testing.T, text string) {
	t.Helper()
	sums, proved := map[string]string{}, 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, ",\n")
		var record ledger.AuditRecord
		if json.Unmarshal([]byte(line), &record) != nil {
			continue // a bracket of the list
		}
		if record.Previous != sums[record.Writer] {
			t.Errorf("the line before this one is not what it was written after: %s", line)
		}
		sums[record.Writer] = fmt.Sprintf("%x", sha256.Sum256([]byte(line)))
		proved++
	}
	if proved < 10 {
		t.Errorf("%d lines were looked at: is this test blind?", proved)
	}
}

// split reads a file as a spreadsheet does that parts cells elsewhere: quotes count
// only where they begin a cell.
func split(t *testing.T, text string, comma rune) [][]string {
	t.Helper()
	lines := csv.NewReader(strings.NewReader(text))
	lines.Comma, lines.LazyQuotes, lines.FieldsPerRecord = comma, true, -1
	all, err := lines.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readCSV(t *testing.T, text string) (records []ledger.AuditRecord) {
	t.Helper()
	text, marked := strings.CutPrefix(text, "\ufeff")
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(all) == 0 || !slices.Equal(all[0], []string{"at", "who", "from", "what", "id", "count", "why", "writer", "sequence", "previous", "bulk"}) {
		t.Fatalf("the file is no such CSV (%v): %.100q", err, text)
	}
	for _, line := range all[1:] {
		at, err := time.Parse(time.RFC3339Nano, line[0])
		sequence, err2 := strconv.ParseInt(line[8], 10, 64)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		for i := range line {
			line[i] = audit.Plaintext(line[i])
		}
		count, _ := strconv.Atoi(line[5])
		records = append(records, ledger.AuditRecord{At: at, Writer: line[7], Sequence: sequence, Previous: line[9],
			AuditEntry: ledger.AuditEntry{Who: line[1], From: line[2], What: line[3], ID: line[4], Count: count, Why: line[6], Bulk: line[10]}})
	}
	return records
}

// A cell is safe, and gives its text back.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{"", "=1", "'=1", "\t=1", ";  =1", "a,-b", "'", "''", " '@"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		cell := audit.Plain(text)
		if audit.Plaintext(cell) != text {
			t.Errorf("%q becomes %q and that %q", text, cell, audit.Plaintext(cell))
		}
		for part := range strings.FieldsFuncSeq(cell, func(r rune) bool { return strings.ContainsRune(",;|", r) }) {
			if part = strings.TrimLeft(part, " "); part != "" && strings.ContainsAny(part[:1], "=+-@\t\r\n") {
				t.Errorf("%q: a cell begins %q", text, part)
			}
		}
	})
}

// heads keeps heads until the test stops it.
func (o *office) heads(h audit.Heads) (stop func()) {
	h.Log, h.Now, h.Every = slog.New(slog.NewTextHandler(o, nil)), o.time, 5*time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	o.t.Cleanup(stop)
	return stop
}

func (o *office) kept(path string) []ledger.AuditHead {
	o.t.Helper()
	kept, err := audit.ReadHeadsFile(path)
	if err != nil && !errors.Is(err, audit.ErrNoHeads) {
		o.t.Fatal(err)
	}
	return kept.Heads
}

// The end of a chain that is cut off in the bucket, or a chain that is gone whole,
// is found with the heads that were kept outside, in each form in which they are.
func TestACutEndIsFoundByTheHeadsOutside(t *testing.T) {
	o := newOffice(t)
	path := filepath.Join(t.TempDir(), "heads.jsonl")
	console, command := o.process(), o.process()
	r := o.reader(console, path)
	o.follow(r)
	stop := o.heads(audit.Heads{Ledger: console, Reader: r, File: path})
	for n := range 3 {
		o.write(console, "maria", "jobs.retry", strconv.Itoa(n))
		o.write(command, "operator", "jobs.retry", strconv.Itoa(n))
		o.until("its head is kept", func() bool { return len(o.kept(path)) == 2*n+2 })
	}
	o.write(console, "maria", "jobs.retry", "the last, and at once the end")
	stop()
	kept := o.kept(path)
	if len(kept) != 7 || kept[6].Sequence != 4 {
		t.Fatalf("kept are %+v", kept)
	}
	before, err := console.VerifyAudit(t.Context(), kept)
	if err != nil || len(before.Faults) > 0 {
		t.Fatalf("untouched: %+v, %v", before, err)
	}
	report, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	keys := o.keys()
	var own, others []string
	for _, key := range keys {
		if strings.Contains(key, kept[6].Writer) {
			own = append(own, key)
		} else {
			others = append(others, key)
		}
	}
	o.remove(own[3])
	o.remove(others...)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{"the file": string(file), "verify --json": string(report), "the log": o.logged()} {
		read, err := audit.ReadHeads(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		after, err := o.process().VerifyAudit(t.Context(), read.Heads)
		cut := slices.ContainsFunc(after.Faults, func(f ledger.AuditFault) bool { return f.Writer == kept[6].Writer && f.Sequence == 4 })
		gone := slices.ContainsFunc(after.Faults, func(f ledger.AuditFault) bool { return f.Writer != kept[6].Writer && f.Sequence == 3 })
		if err != nil || !cut || !gone && form != "the log" { // which holds those of its own process
			t.Errorf("with %s: %+v, %v", form, after, err)
		}
	}
	if without, err := o.process().VerifyAudit(t.Context(), nil); err != nil || len(without.Faults) > 0 {
		t.Errorf("without heads nothing can be seen, yet %+v, %v", without, err)
	}
	// A process that starts now, and has the file, tells of it by itself.
	later := o.reader(o.process(), path)
	o.follow(later)
	if faults := later.Condition().Faults; len(faults) < 2 {
		t.Errorf("a later process says %+v", faults)
	}
	if report, err := later.Verify(t.Context()); err != nil || len(report.Faults) < 2 {
		t.Errorf("its Verify says %+v, %v", report, err)
	}
}

// A head is kept once, also over a restart; a file that cannot be written is tried
// again; a line that a power cut tore spoils no other.
func TestHeadsAreKeptThroughTroubles(t *testing.T) {
	o := newOffice(t)
	dir := filepath.Join(t.TempDir(), "other volume")
	path := filepath.Join(dir, "heads.jsonl")
	l := o.process()
	h := audit.Heads{Ledger: l, File: path, Now: o.time}
	if h.Check() == nil {
		t.Error("a file in no folder is said to be fit")
	}
	if err := h.Keep(); err != nil {
		t.Errorf("nothing was audited: %v", err)
	}
	o.write(l, "maria", "jobs.retry", "a")
	if h.Keep() == nil {
		t.Error("a head was kept in no folder")
	}
	stop := o.heads(h)
	o.until("the trouble is told", func() bool { return strings.Contains(o.logged(), "could not be kept outside the bucket") })
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	o.until("it is kept", func() bool { return len(o.kept(path)) == 1 })
	stop()
	if err := h.Check(); err != nil {
		t.Error(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"at":"2026-03-02T12:00:01Z","writer":"0199`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	stop = o.heads(h)
	o.write(l, "maria", "jobs.retry", "b")
	stop()
	kept, err := audit.ReadHeadsFile(path)
	if err != nil || kept.Torn != 1 || len(kept.Heads) != 2 || kept.Heads[1].Sequence != 2 {
		t.Errorf("%+v, %v", kept, err)
	}
	for _, text := range []string{"", "{}", "nothing of the kind", `{"writer":"x","sequence":1,"sha256":"00"}`, `{"heads":[]}`, `{"heads":[{"writer":"x","sequence":1,"sha256":"00"}]}`} {
		if _, err := audit.ReadHeads(strings.NewReader(text)); !errors.Is(err, audit.ErrNoHeads) {
			t.Errorf("%q: %v", text, err)
		}
	}
	structured := `{"time":"2026-03-02T12:00:00Z","level":"INFO","msg":"head of the audit trail","writer":"` + kept.Heads[0].Writer + `","sequence":1,"sha256":"` + kept.Heads[0].SHA256 + `"}` + "\n" + `{"time":"x","msg":"answered"}`
	if read, err := audit.ReadHeads(strings.NewReader(structured)); err != nil || read.Torn != 0 || !slices.Equal(read.Heads, kept.Heads[:1]) {
		t.Errorf("a log in JSON: %+v, %v", read, err)
	}
}
