package audit

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"segell/ledger"
)

// Format is how entries are written to a file.
type Format string

// The formats, by the endings of their files.
const (
	CSV  Format = "csv"  // RFC 4180, for spreadsheets
	JSON Format = "json" // a list with one entry a line, for programs
)

// MediaType is what a file of the format is called in a header.
func (f Format) MediaType() string {
	if f == CSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return "application/json"
}

var (
	// ErrIncomplete says that the trail was not read to its end yet: an export of a
	// part would pass for the whole.
	ErrIncomplete = errors.New("the audit trail is still being read")
	// ErrFormat says that there is no such format.
	ErrFormat = errors.New("not a format of the audit trail: csv or json")
)

// Export writes every entry that fits a query, oldest first; Cursor and Limit do
// not count. It returns ErrIncomplete, and has written nothing, until the trail was
// read to its end once, and ErrFormat for another format.
func (r *Reader) Export(ctx context.Context, w io.Writer, f Format, q Query) error {
	r.refresh(ctx, lookWithin)
	if !r.Condition().Complete {
		return ErrIncomplete
	}
	return Write(w, f, r.matching(ctx, q))
}

// exportPage is how many entries are taken at a time, so that a reader who is slow
// keeps nobody from writing.
const exportPage = 1000

// matching yields the entries that fit a query, oldest first.
func (r *Reader) matching(ctx context.Context, q Query) iter.Seq2[ledger.AuditRecord, error] {
	return func(yield func(ledger.AuditRecord, error) bool) {
		m := q.matcher()
		next := place{at: m.from}
		for more := true; more; {
			var page []ledger.AuditRecord
			page, next, more = r.pageFrom(next, m)
			for _, record := range page {
				if !yield(record, nil) {
					return
				}
			}
			if err := ctx.Err(); err != nil {
				yield(ledger.AuditRecord{}, err)
				return
			}
		}
	}
}

// pageFrom returns entries that fit from a place on, and where to go on.
func (r *Reader) pageFrom(begin place, m *matcher) (page []ledger.AuditRecord, next place, more bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := r.index(begin); i < len(r.entries); i++ {
		e := &r.entries[i]
		switch {
		case e.at >= m.until:
			return page, next, false
		case len(page) == exportPage:
			return page, e.place(), true
		case m.fits(e):
			page = append(page, e.record())
		}
	}
	return page, next, false
}

// Write writes entries in a format. An error that comes among them ends it.
func Write(w io.Writer, f Format, records iter.Seq2[ledger.AuditRecord, error]) error {
	out := bufio.NewWriter(w)
	write := writeJSON
	switch f {
	case CSV:
		write = writeCSV
	case JSON:
	default:
		return ErrFormat
	}
	if err := write(out, records); err != nil {
		return fmt.Errorf("exporting the audit trail: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("exporting the audit trail: %w", err)
	}
	return nil
}

func writeJSON(w *bufio.Writer, records iter.Seq2[ledger.AuditRecord, error]) error {
	separator := "[\n"
	for record, err := range records {
		if err != nil {
			return err
		}
		line, err := json.Marshal(record)
		if err != nil {
			return err
		}
		_, _ = w.WriteString(separator) // bufio keeps the error for the next write
		if _, err := w.Write(line); err != nil {
			return err
		}
		separator = ",\n"
	}
	if separator == "[\n" {
		_, err := w.WriteString("[]\n")
		return err
	}
	_, err := w.WriteString("\n]\n")
	return err
}

// byteOrderMark tells spreadsheets that the file is UTF-8; without it they guess.
const byteOrderMark = "\ufeff"

var csvHead = []string{"at", "who", "from", "what", "id", "count", "why", "writer", "sequence", "previous", "bulk"}

func writeCSV(w *bufio.Writer, records iter.Seq2[ledger.AuditRecord, error]) error {
	_, _ = w.WriteString(byteOrderMark)
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180, section 2
	if err := out.Write(csvHead); err != nil {
		return err
	}
	for record, err := range records {
		if err != nil {
			return err
		}
		count := ""
		if record.Count > 0 {
			count = strconv.Itoa(record.Count)
		}
		err := out.Write([]string{record.At.Format(time.RFC3339Nano), Plain(record.Who), Plain(record.From), Plain(record.What), Plain(record.ID), count,
			Plain(record.Why), Plain(record.Writer), strconv.FormatInt(record.Sequence, 10), Plain(record.Previous), Plain(record.Bulk)})
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// Plain makes a text safe in a cell of a spreadsheet, which would run what begins
// like a formula: an apostrophe goes before it. A spreadsheet may split cells at
// semicolons or tabs, as is usual where a comma parts decimals, so what follows
// such a character is treated as the beginning of a cell. Plaintext takes it back.
func Plain(text string) string {
	var out strings.Builder
	begins := true
	for _, c := range text {
		if begins && (c == '\'' || isFormula(c)) {
			out.WriteByte('\'')
		}
		out.WriteRune(c)
		begins = isSeparator(c) || begins && c == ' '
	}
	return out.String()
}

// Plaintext returns the text of which Plain made a cell.
func Plaintext(cell string) string {
	var out strings.Builder
	begins := true
	for _, c := range cell {
		if begins && c == '\'' {
			begins = false // the character after it stands for itself
			continue
		}
		out.WriteRune(c)
		begins = isSeparator(c) || begins && c == ' '
	}
	return out.String()
}

// isFormula reports whether a cell that begins with c may be run, also where a
// spreadsheet takes characters of full width for the usual ones.
func isFormula(c rune) bool { return strings.ContainsRune("=+-@\t\r\n＝＋－＠", c) }

func isSeparator(c rune) bool { return strings.ContainsRune(",;|\t\r\n", c) }
