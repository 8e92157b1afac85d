package gofpdf_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	pdf "github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/check"
	"github.com/phpdave11/gofpdf/structure"
)

// statement draws a table over several pages: header cells, cells that span, an empty one in each row.
func statement(rows int) *pdf.Fpdf {
	f, d := sheet(options())
	table := d.Tag(structure.Table, structure.Attributes{})
	for r := range rows {
		if r > 0 && r%60 == 0 {
			f.AddPage()
		}
		line := table.Add(structure.TR, structure.Attributes{})
		for c, e := range []*structure.Element{
			line.Add(structure.TH, structure.Attributes{Scope: structure.Row}),
			line.Add(structure.TD, structure.Attributes{ColSpan: 2}),
			line.Add(structure.TD, structure.Attributes{}),
			line.Add(structure.TD, structure.Attributes{}),
			line.Add(structure.TD, structure.Attributes{}),
		} {
			d.Begin(e)
			if c < 4 {
				f.Text(20+40*float64(c), 20+4*float64(r%60), fmt.Sprintf("%d,%02d", r, c))
			}
			d.End()
		}
	}
	d.End()
	return f
}

// A long file is put together in the room made for it: with too little it would be held twice, too much is wasted.
func TestRoomForLongFiles(t *testing.T) {
	for _, rows := range []int{120, 1200, 6000} {
		b, err := statement(rows).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		room, err := statement(rows).Room()
		if err != nil {
			t.Fatal(err)
		}
		if t.Logf("%d rows: %d bytes in room for %d", rows, len(b), room); room < len(b) || room > len(b)+len(b)/20+24<<10 {
			t.Errorf("%d rows: %d bytes in room for %d", rows, len(b), room)
		}
	}
}

// Whatever it is written to, the file is the same; a buffer keeps what it held, and gets nothing of a refused document.
func TestOutputTo(t *testing.T) {
	want, err := statement(400).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := check.File(want); err != nil {
		t.Fatal(err)
	}
	buffer := bytes.NewBufferString("before")
	if err := statement(400).Output(buffer); err != nil || buffer.String() != "before"+string(want) {
		t.Errorf("a buffer got %d bytes, want %d (%v)", buffer.Len(), len("before")+len(want), err)
	}
	var plain strings.Builder
	if err := statement(400).Output(&plain); err != nil || plain.String() != string(want) {
		t.Errorf("a writer got %d bytes, want %d (%v)", plain.Len(), len(want), err)
	}
	buffer = bytes.NewBufferString("before")
	refused := statement(1)
	refused.SetTitle(" ", true)
	var fault pdf.Fault
	if err := refused.Output(buffer); !errors.As(err, &fault) || fault.Rule != pdf.RuleTitle || buffer.String() != "before" {
		t.Errorf("a document without a title: %v, %d bytes", err, buffer.Len())
	}
}
