package structure

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fault is a rule of accessible structure that the tree breaks.
type Fault struct {
	Where  string // path of the element
	Detail string
}

func (f Fault) Error() string { return f.Where + ": " + f.Detail }

// Faults returns everything that is wrong with the tree: roles in the wrong place, a Figure without Alt, headings that
// skip a level, tables whose rows do not have the same number of cells, lists without items, links that lead nowhere,
// parts that are read in another order than they were drawn in.
func (t *Tree) Faults() []error {
	errs := append(t.errs[:len(t.errs):len(t.errs)], t.orderFaults()...)
	level := 0
	var walk func(e *Element)
	walk = func(e *Element) {
		if h := e.Role.Heading(); h > 0 {
			if h > level+1 {
				errs = append(errs, Fault{e.path(), fmt.Sprintf("heading of level %d follows level %d", h, level)})
			}
			level = h
		}
		errs = append(errs, e.faults()...)
		for child := range e.children() {
			walk(child)
		}
	}
	walk(t.Root())
	return errs
}

// faults are those that need no look at other parts of the tree than what e holds.
func (e *Element) faults() (errs []error) {
	a := e.attributes
	if a != nil && !(plain(a.Alt) && plain(a.Actual) && plain(a.Language) && plain(a.Title) && plain(a.Contents)) {
		errs = append(errs, Fault{e.path(), "its attributes must be UTF-8 of at most 15,000 bytes without control characters"})
	}
	switch e.Role {
	case Figure:
		if a == nil || a.Alt == "" {
			errs = append(errs, Fault{e.path(), "a figure must say in words what it shows (Alt)"})
		}
	case Link:
		if !slices.ContainsFunc(e.kids, func(k kid) bool { return k.page == isAnnotation }) {
			errs = append(errs, Fault{e.path(), "a link must lead somewhere"})
		}
	case Table:
		if err := e.tableFault(); err != nil {
			errs = append(errs, err)
		}
	case L:
		errs = append(errs, e.listFaults()...)
	}
	return errs
}

// plain tells whether a text can be a string of the file, which ISO 19005-2, 6.1.13, limits to 32,767 bytes.
func plain(s string) bool {
	return s == "" || len(s) <= 15000 && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// orderFaults finds the first element that begins, on the pages, before the one that comes before it in the tree. Both
// orders are an author's to choose, but a difference is nearly always a mistake (an element added when the document was
// put together, its neighbour when it was drawn), and nobody who sees the page would notice it.
func (t *Tree) orderFaults() []error {
	last := kid{page: 0, index: -1}
	var fault error
	var walk func(e *Element)
	walk = func(e *Element) {
		begun := false
		for _, k := range e.kids {
			switch {
			case fault != nil:
				return
			case k.page == isElement:
				walk(t.at(k.index))
			case k.page >= 0 && !begun:
				begun = true
				if k.page < last.page || k.page == last.page && k.index < last.index {
					fault = Fault{e.path(), "it was drawn before what comes before it in the tree, so it would be read in another order than it is seen"}
					return
				}
				last = k
			}
		}
	}
	if walk(t.Root()); fault != nil {
		return []error{fault}
	}
	return nil
}

// rows returns the rows of a table in order.
func (e *Element) rows() (rows []*Element) {
	for part := range e.children() {
		switch part.Role {
		case TR:
			rows = append(rows, part)
		case THead, TBody, TFoot:
			rows = append(rows, part.rows()...)
		}
	}
	return rows
}

// tableFault checks that the cells, with their spans, fill a rectangle without holes or overlaps.
func (e *Element) tableFault() error {
	rows := e.rows()
	if len(rows) == 0 {
		return Fault{e.path(), "a table needs a row"}
	}
	width := 0
	var open columns
	for i, row := range rows {
		if !open.fill(row) {
			return Fault{row.path(), "cells overlap"}
		}
		covered := open.next()
		if i == 0 {
			width = covered
		}
		if covered != width {
			return Fault{row.path(), fmt.Sprintf("the row has %d columns, the first one %d", covered, width)}
		}
		if covered == 0 {
			return Fault{row.path(), "a row needs a cell"}
		}
	}
	if open.next() > 0 {
		return Fault{e.path(), "a cell reaches below the last row"}
	}
	return nil
}

// columns says how many rows, this one and those below, each column of a table is still covered for.
type columns []int

// fill puts the cells of a row into the columns that are free, and tells whether they found room.
func (c *columns) fill(row *Element) bool {
	at := 0
	for cell := range row.children() {
		for at < len(*c) && (*c)[at] > 0 {
			at++
		}
		across, down := 1, 1
		if a := cell.attributes; a != nil {
			across, down = min(max(1, a.ColSpan), mostColumns), max(1, a.RowSpan)
		}
		for range across {
			if at == len(*c) {
				*c = append(*c, 0)
			}
			if (*c)[at] > 0 {
				return false
			}
			(*c)[at] = down
			at++
		}
	}
	return true
}

// next goes on to the next row and returns how many columns the one before covered.
func (c columns) next() (covered int) {
	for i := range c {
		if c[i] > 0 {
			covered++
			c[i]--
		}
	}
	return covered
}

func (e *Element) listFaults() (errs []error) {
	items, labels := 0, false
	for item := range e.children() {
		if item.Role != LI {
			continue
		}
		items++
		for part := range item.children() {
			labels = labels || part.Role == Lbl
		}
	}
	if items == 0 {
		errs = append(errs, Fault{e.path(), "a list needs an item"})
	}
	if labels && (e.attributes == nil || e.attributes.Marks == Unnumbered) {
		errs = append(errs, Fault{e.path(), "a list with labels must say how they look (Marks)"})
	}
	return errs
}
