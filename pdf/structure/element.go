// Package structure holds what a document is, beside how it looks: the tree of headings, paragraphs, lists, tables and
// figures that assistive technology reads (ISO 32000-1, 14.7 and 14.8; ISO 14289-1).
//
// A [Tree] belongs to one document and is not safe for concurrent use.
package structure

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Attributes describe an element; zero values say nothing.
type Attributes struct {
	Alt      string    // what a figure shows, in words; required for Figure
	Actual   string    // the text that the content stands for, where it is another one
	Language string    // BCP 47 tag, where it differs from the document's
	Title    string    // a name for the element, shown in structure views
	Contents string    // Link: where it leads, in words; the address when empty
	Scope    Scope     // TH: what it is the header of; Column when not said
	RowSpan  int       // TH, TD: rows covered; 0 and 1 are the same
	ColSpan  int       // TH, TD: columns covered; 0 and 1 are the same
	Marks    Numbering // L: how its labels look; required where items have labels
}

// Scope says which cells a header cell is for.
type Scope uint8

// The scopes of a header cell.
const (
	Unscoped Scope = iota
	Column
	Row
	Both
)

func (s Scope) String() string { return [...]string{"", "Column", "Row", "Both"}[s] }

// Numbering is the look of a list's labels (ISO 32000-1, table 347).
type Numbering uint8

// The looks of list labels.
const (
	Unnumbered Numbering = iota
	Disc
	Circle
	Square
	Decimal
	LowerAlpha
	UpperAlpha
	LowerRoman
	UpperRoman
)

func (n Numbering) String() string {
	return [...]string{"None", "Disc", "Circle", "Square", "Decimal", "LowerAlpha", "UpperAlpha", "LowerRoman", "UpperRoman"}[n]
}

// Box is a rectangle on a page in points, from the lower left corner.
type Box struct{ XMin, YMin, XMax, YMax float64 }

// Union returns the smallest box around both; the zero Box is empty.
func (b Box) Union(o Box) Box {
	if b == (Box{}) {
		return o
	}
	if o == (Box{}) {
		return b
	}
	return Box{min(b.XMin, o.XMin), min(b.YMin, o.YMin), max(b.XMax, o.XMax), max(b.YMax, o.YMax)}
}

// Element is a node of the tree. A long table has tens of thousands of them, so it is kept small.
type Element struct {
	Role       Role
	index      int32 // in the tree, in the order of making
	tree       *Tree
	parent     *Element
	attributes *Attributes // nil when there are none; elements of which the same is said may share them
	kids       []kid
}

// kid is one of the things an element holds, in the order of reading.
type kid struct {
	page  int32 // from 0: a piece of this page's content; or isElement, isAnnotation
	index int32 // MCID of the content, index of the element or the annotation
}

const (
	isElement    = -1
	isAnnotation = -2
)

// annotation is a link on a page.
type annotation struct {
	owner int32 // index of the element
	page  int32
}

// drawing is where a figure lies.
type drawing struct {
	box  Box
	page int32
}

// Tree is the structure of one document.
type Tree struct {
	blocks      [][]Element // all of the same length, so that elements never move
	count       int
	kids        []kid                 // unused ones, of which every element takes its first
	marks       []int32               // by page from 0: how many pieces of content it has
	annotations []annotation          // by StructParent key, after those of the pages
	drawn       map[*Element]*drawing // of figures
	last        *Attributes
	errs        []error
}

// The tree grows by so many elements: with the allocator's header they fill 8 KiB.
const block = 146

// New returns a tree that holds a Document element.
func New() *Tree {
	t := &Tree{drawn: map[*Element]*drawing{}}
	t.element(Document, nil, Attributes{})
	return t
}

// Root returns the Document element.
func (t *Tree) Root() *Element { return t.at(0) }

// Empty tells whether the tree holds nothing besides its root.
func (t *Tree) Empty() bool { return len(t.Root().kids) == 0 }

func (t *Tree) at(index int32) *Element { return &t.blocks[index/block][index%block] }

func (t *Tree) element(r Role, parent *Element, a Attributes) *Element {
	if t.count == len(t.blocks)*block {
		t.blocks = append(t.blocks, make([]Element, block))
	}
	e := t.at(int32(t.count))
	*e = Element{Role: r, index: int32(t.count), tree: t, parent: parent}
	t.count++
	if a != (Attributes{}) {
		e.attributes = t.share(a)
	}
	return e
}

// share returns attributes to point to: those made last when they say the same, as in a row of header cells and in a
// column of them.
func (t *Tree) share(a Attributes) *Attributes {
	if t.last == nil || *t.last != a {
		made := a
		t.last = &made
	}
	return t.last
}

// hold puts something behind the others that e holds.
func (e *Element) hold(k kid) {
	const several = 8
	switch t := e.tree; {
	case e.kids == nil:
		if len(t.kids) == 0 {
			t.kids = make([]kid, block)
		}
		e.kids, t.kids = t.kids[:0:1], t.kids[1:]
	case len(e.kids) == 1: // who holds two holds more, as a row does
		e.kids = append(make([]kid, 0, several), e.kids...)
	}
	e.kids = append(e.kids, k)
}

// children are the elements that e holds.
func (e *Element) children() iter.Seq[*Element] {
	return func(yield func(*Element) bool) {
		for _, k := range e.kids {
			if k.page == isElement && !yield(e.tree.at(k.index)) {
				return
			}
		}
	}
}

// Add puts a new element behind the others that e holds; the order of the tree is the order of reading. A role that
// may not stand there, and an attribute that does not fit, are faults of the document ([Tree.Faults]).
func (e *Element) Add(r Role, a Attributes) *Element {
	child := e.tree.element(r, e, a)
	e.hold(kid{isElement, child.index})
	if !e.Role.mayHold(r) {
		e.tree.errs = append(e.tree.errs, Fault{e.path(), fmt.Sprintf("%s may not stand in %s", r, e.Role)})
	}
	if a.Scope != Unscoped && r != TH {
		e.tree.errs = append(e.tree.errs, Fault{child.path(), "only TH has a scope"})
	}
	if (a.RowSpan != 0 || a.ColSpan != 0) && r != TH && r != TD {
		e.tree.errs = append(e.tree.errs, Fault{child.path(), "only TH and TD span"})
	}
	if a.RowSpan < 0 || a.ColSpan < 0 || a.RowSpan > mostRows || a.ColSpan > mostColumns {
		e.tree.errs = append(e.tree.errs, Fault{child.path(), "span is out of range"})
	}
	return child
}

// A cell can reach over so many rows and columns, and not more.
const (
	mostRows    = 1 << 16
	mostColumns = 1 << 10
)

// Parent returns the element that holds e, nil for the root.
func (e *Element) Parent() *Element { return e.parent }

// In tells whether e belongs to the tree.
func (e *Element) In(t *Tree) bool { return e.tree == t }

// Attributes returns what was said about e.
func (e *Element) Attributes() Attributes {
	if e.attributes == nil {
		return Attributes{}
	}
	return *e.attributes
}

// Mark registers the next piece of content of a page (from 0) as e's and returns its marked-content identifier.
func (e *Element) Mark(page int) int {
	t := e.tree
	for len(t.marks) <= page {
		t.marks = append(t.marks, 0)
	}
	mcid := t.marks[page]
	t.marks[page]++
	e.hold(kid{int32(page), mcid})
	return int(mcid)
}

// Annotate registers the next annotation of the document as part of e and returns its index. Its StructParent key is
// the number of pages plus the index, since the keys of the pages come first.
func (e *Element) Annotate(page int) int {
	t := e.tree
	index := len(t.annotations)
	t.annotations = append(t.annotations, annotation{e.index, int32(page)})
	e.hold(kid{isAnnotation, int32(index)})
	return index
}

// Cover widens the box of the figure that e is, or stands in, by something drawn on a page.
func (e *Element) Cover(page int, b Box) {
	for f := e; f != nil; f = f.parent {
		if f.Role != Figure && f.Role != Form {
			continue
		}
		d := e.tree.drawn[f]
		if d == nil {
			d = &drawing{page: int32(page)}
			e.tree.drawn[f] = d
		}
		if d.page == int32(page) {
			d.box = d.box.Union(b)
		}
	}
}

// path names an element for a message: Document/Table/TR[3].
func (e *Element) path() string {
	var parts []string
	for ; e != nil; e = e.parent {
		name := e.Role.String()
		if e.parent != nil {
			nth, of := 0, 0
			for sibling := range e.parent.children() {
				if sibling.Role == e.Role {
					of++
				}
				if sibling == e {
					nth = of
				}
			}
			if of > 1 && nth > 0 {
				name = fmt.Sprintf("%s[%d]", name, nth)
			}
		}
		parts = append(parts, name)
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}
