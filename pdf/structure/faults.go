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
		a := e.attributes
		if a != nil && !(plain(a.Alt) && plain(a.Actual) && plain(a.Language) && plain(a.Title) && plain(a.Contents)) {
			errs = append(errs, Fault{e.path(), "its attributes must be UTF-8 of at most 15,000 bytes without control characters"})
		}
		switch {
		case e.Role == Figure:
			if a == nil || a.Alt == "" {
				errs = append(errs, Fault{e.path(), "a figure must say in words what it shows (Alt)"})
			}
		case e.Role.Heading() > level+1:
			errs = append(errs, Fault{e.path(), fmt.Sprintf("heading of level %d follows level %d", e.Role.Heading(), level)})
			level = e.Role.Heading()
		case e.Role.Heading() > 0:
			level = e.Role.Heading()
		case e.Role == Table:
			errs = append(errs, e.tableFaults()...)
		case e.Role == Link:
			if !slices.ContainsFunc(e.kids, func(k kid) bool { return k.annotation != 0 }) {
				errs = append(errs, Fault{e.path(), "a link must lead somewhere"})
			}
		case e.Role == L:
			errs = append(errs, e.listFaults()...)
		}
		for _, k := range e.kids {
			if k.element != nil {
				walk(k.element)
			}
		}
	}
	walk(t.root)
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
	lastPage, lastMark := int32(0), int32(-1)
	var fault error
	var walk func(e *Element)
	walk = func(e *Element) {
		begun := false
		for i := range e.kids {
			k := &e.kids[i]
			switch {
			case fault != nil:
				return
			case k.element != nil:
				walk(k.element)
			case k.mcid >= 0 && !begun:
				begun = true
				if k.page < lastPage || k.page == lastPage && k.mcid < lastMark {
					fault = Fault{e.path(), "it was drawn before what comes before it in the tree, so it would be read in another order than it is seen"}
					return
				}
				lastPage, lastMark = k.page, k.mcid
			}
		}
	}
	if walk(t.root); fault != nil {
		return []error{fault}
	}
	return nil
}

// rows returns the rows of a table in order.
func (e *Element) rows() (rows []*Element) {
	for _, k := range e.kids {
		switch {
		case k.element == nil:
		case k.element.Role == TR:
			rows = append(rows, k.element)
		case k.element.Role == THead || k.element.Role == TBody || k.element.Role == TFoot:
			rows = append(rows, k.element.rows()...)
		}
	}
	return rows
}

// tableFaults checks that the cells, with their spans, fill a rectangle without holes or overlaps.
func (e *Element) tableFaults() (errs []error) {
	rows := e.rows()
	if len(rows) == 0 {
		return []error{Fault{e.path(), "a table needs a row"}}
	}
	width := 0
	var busy []int // by column: rows still covered from above
	for i, row := range rows {
		column, cells := 0, 0
		for _, k := range row.kids {
			if k.element == nil {
				continue
			}
			for column < len(busy) && busy[column] > 0 {
				column++
			}
			a := k.element.attributes
			across, down := 1, 1
			if a != nil {
				across, down = min(max(1, a.ColSpan), mostColumns), max(1, a.RowSpan)
			}
			for range across {
				for len(busy) <= column {
					busy = append(busy, 0)
				}
				if busy[column] > 0 {
					return append(errs, Fault{row.path(), "cells overlap"})
				}
				busy[column] = down
				column++
			}
			cells++
		}
		covered := 0
		for c := range busy {
			if busy[c] > 0 {
				covered++
				busy[c]--
			}
		}
		if i == 0 {
			width = covered
		}
		if covered != width {
			return append(errs, Fault{row.path(), fmt.Sprintf("the row has %d columns, the first one %d", covered, width)})
		}
		if covered == 0 {
			return append(errs, Fault{row.path(), "a row needs a cell"})
		}
	}
	for _, left := range busy {
		if left > 0 {
			return append(errs, Fault{e.path(), "a cell reaches below the last row"})
		}
	}
	return errs
}

func (e *Element) listFaults() (errs []error) {
	items, labels := 0, false
	for _, k := range e.kids {
		if k.element == nil || k.element.Role != LI {
			continue
		}
		items++
		for _, part := range k.element.kids {
			labels = labels || part.element != nil && part.element.Role == Lbl
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
