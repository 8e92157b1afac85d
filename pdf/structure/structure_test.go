package structure

import (
	"strings"
	"testing"
)

func TestFaults(t *testing.T) {
	cell := func(tr *Element, a Attributes) { tr.Add(TD, a) }
	for name, c := range map[string]struct {
		build func(*Tree)
		want  string // part of a fault; empty when there must be none
	}{
		"plain": {func(t *Tree) {
			t.Root().Add(H1, Attributes{})
			t.Root().Add(H2, Attributes{})
			t.Root().Add(H2, Attributes{})
			t.Root().Add(H1, Attributes{})
		}, ""},
		"figure without words": {func(t *Tree) { t.Root().Add(Figure, Attributes{}) }, "Alt"},
		"figure":               {func(t *Tree) { t.Root().Add(Figure, Attributes{Alt: "x"}) }, ""},
		"words that are none":  {func(t *Tree) { t.Root().Add(Figure, Attributes{Alt: "a\x00b"}) }, "attributes"},
		"words without end":    {func(t *Tree) { t.Root().Add(P, Attributes{Actual: strings.Repeat("x", 40000)}) }, "attributes"},
		"link to nowhere":      {func(t *Tree) { t.Root().Add(Link, Attributes{}) }, "somewhere"},
		"link":                 {func(t *Tree) { t.Root().Add(Link, Attributes{}).Annotate(0) }, ""},
		"first heading":        {func(t *Tree) { t.Root().Add(H2, Attributes{}) }, "heading"},
		"skipped heading":      {func(t *Tree) { t.Root().Add(H1, Attributes{}); t.Root().Add(H3, Attributes{}) }, "heading"},
		"block in text":        {func(t *Tree) { t.Root().Add(P, Attributes{}).Add(P, Attributes{}) }, "may not stand"},
		"root in root":         {func(t *Tree) { t.Root().Add(Document, Attributes{}) }, "may not stand"},
		"unknown role":         {func(t *Tree) { t.Root().Add(Role(200), Attributes{}) }, "may not stand"},
		"row in a page":        {func(t *Tree) { t.Root().Add(TR, Attributes{}) }, "may not stand"},
		"scope of text":        {func(t *Tree) { t.Root().Add(P, Attributes{Scope: Row}) }, "scope"},
		"span of text":         {func(t *Tree) { t.Root().Add(P, Attributes{ColSpan: 2}) }, "span"},
		"empty table":          {func(t *Tree) { t.Root().Add(Table, Attributes{}) }, "needs a row"},
		"empty row":            {func(t *Tree) { t.Root().Add(Table, Attributes{}).Add(TR, Attributes{}) }, "needs a cell"},
		"empty list":           {func(t *Tree) { t.Root().Add(L, Attributes{}) }, "needs an item"},
		"labels unsaid": {func(t *Tree) {
			t.Root().Add(L, Attributes{}).Add(LI, Attributes{}).Add(Lbl, Attributes{})
		}, "Marks"},
		"spans that fit": {func(t *Tree) {
			table := t.Root().Add(Table, Attributes{})
			first := table.Add(THead, Attributes{}).Add(TR, Attributes{})
			first.Add(TH, Attributes{RowSpan: 2})
			first.Add(TH, Attributes{ColSpan: 2})
			body := table.Add(TBody, Attributes{})
			second := body.Add(TR, Attributes{})
			cell(second, Attributes{})
			cell(second, Attributes{})
			third := body.Add(TR, Attributes{})
			cell(third, Attributes{ColSpan: 3})
		}, ""},
		"short row": {func(t *Tree) {
			table := t.Root().Add(Table, Attributes{})
			first := table.Add(TR, Attributes{})
			cell(first, Attributes{})
			cell(first, Attributes{})
			cell(table.Add(TR, Attributes{}), Attributes{})
		}, "columns"},
		"cell below the table": {func(t *Tree) {
			cell(t.Root().Add(Table, Attributes{}).Add(TR, Attributes{}), Attributes{RowSpan: 2})
		}, "below"},
		"overlap": {func(t *Tree) {
			table := t.Root().Add(Table, Attributes{})
			first := table.Add(TR, Attributes{})
			cell(first, Attributes{})
			cell(first, Attributes{RowSpan: 2})
			cell(table.Add(TR, Attributes{}), Attributes{ColSpan: 2})
		}, "overlap"},
		"span out of range": {func(t *Tree) {
			cell(t.Root().Add(Table, Attributes{}).Add(TR, Attributes{}), Attributes{ColSpan: 1 << 30})
		}, "out of range"},
		"drawn in order": {func(t *Tree) {
			a, b := t.Root().Add(P, Attributes{}), t.Root().Add(P, Attributes{})
			a.Mark(0)
			b.Mark(0)
			a.Mark(1) // a goes on below b on the next page: a row over two pages
			b.Mark(1)
		}, ""},
		"drawn in another order": {func(t *Tree) {
			a, b := t.Root().Add(P, Attributes{}), t.Root().Add(P, Attributes{})
			b.Mark(0)
			a.Mark(0)
		}, "order"},
		"drawn on an earlier page": {func(t *Tree) {
			a, b := t.Root().Add(P, Attributes{}), t.Root().Add(P, Attributes{})
			a.Mark(1)
			b.Mark(0)
		}, "order"},
	} {
		tree := New()
		c.build(tree)
		var all []string
		for _, err := range tree.Faults() {
			all = append(all, err.Error())
		}
		said := strings.Join(all, "; ")
		if c.want == "" && said != "" || !strings.Contains(said, c.want) {
			t.Errorf("%s: got %q, want %q", name, said, c.want)
		}
	}
}

func TestPathsNameTheElement(t *testing.T) {
	tree := New()
	table := tree.Root().Add(Table, Attributes{})
	table.Add(TR, Attributes{})
	second := table.Add(TR, Attributes{})
	if got := second.path(); got != "Document/Table/TR[2]" {
		t.Error(got)
	}
}
