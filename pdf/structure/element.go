// Package structure holds what a document is, beside how it looks: the tree of headings, paragraphs, lists, tables and
// figures that assistive technology reads (ISO 32000-1, 14.7 and 14.8; ISO 14289-1).
//
// A [Tree] belongs to one document and is not safe for concurrent use.
package structure

import (
	"fmt"
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

// Element is a node of the tree.
type Element struct {
	Role       Role
	tree       *Tree
	parent     *Element
	attributes *Attributes
	drawn      *drawing // of a figure
	number     int32    // of its object; given when written
	kids       []kid
}

// drawing is where a figure lies.
type drawing struct {
	box  Box
	page int32
}

// kid is an element, a piece of a page's content, or an annotation.
type kid struct {
	element    *Element
	page       int32
	mcid       int32 // marked content, or -1
	annotation int32 // 1 + index of an annotation, or 0
}

// Tree is the structure of one document.
type Tree struct {
	root  *Element
	pages [][]*Element // by page from 0, by MCID: whose content it is
	notes []*Element   // by StructParent key, after those of the pages: whose annotation it is
	count int
	slab  []Element
	errs  []error
}

// New returns a tree that holds a Document element.
func New() *Tree {
	t := &Tree{}
	t.root = t.element(Document, nil, Attributes{})
	return t
}

// Root returns the Document element.
func (t *Tree) Root() *Element { return t.root }

// Empty tells whether the tree holds nothing besides its root.
func (t *Tree) Empty() bool { return len(t.root.kids) == 0 }

func (t *Tree) element(r Role, parent *Element, a Attributes) *Element {
	if len(t.slab) == 0 {
		t.slab = make([]Element, min(256, max(16, t.count)))
	}
	e := &t.slab[0]
	t.slab = t.slab[1:]
	t.count++
	*e = Element{Role: r, tree: t, parent: parent}
	if a != (Attributes{}) {
		copied := a
		e.attributes = &copied
	}
	return e
}

// Add puts a new element behind the others that e holds; the order of the tree is the order of reading. A role that
// may not stand there, and an attribute that does not fit, are faults of the document ([Tree.Faults]).
func (e *Element) Add(r Role, a Attributes) *Element {
	child := e.tree.element(r, e, a)
	e.kids = append(e.kids, kid{element: child, mcid: -1})
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
	for len(t.pages) <= page {
		t.pages = append(t.pages, nil)
	}
	mcid := len(t.pages[page])
	t.pages[page] = append(t.pages[page], e)
	e.kids = append(e.kids, kid{page: int32(page), mcid: int32(mcid)})
	return mcid
}

// Annotate registers the next annotation of the document as part of e and returns its index. Its StructParent key is
// the number of pages plus the index, since the keys of the pages come first.
func (e *Element) Annotate(page int) int {
	e.tree.notes = append(e.tree.notes, e)
	e.kids = append(e.kids, kid{page: int32(page), mcid: -1, annotation: int32(len(e.tree.notes))})
	return len(e.tree.notes) - 1
}

// Cover widens the box of the figure that e is, or stands in, by something drawn on a page.
func (e *Element) Cover(page int, b Box) {
	for f := e; f != nil; f = f.parent {
		if f.Role != Figure && f.Role != Form {
			continue
		}
		if f.drawn == nil {
			f.drawn = &drawing{page: int32(page)}
		}
		if f.drawn.page == int32(page) {
			f.drawn.box = f.drawn.box.Union(b)
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
			for _, k := range e.parent.kids {
				if k.element != nil && k.element.Role == e.Role {
					of++
					if k.element == e {
						nth = of
					}
				}
			}
			if of > 1 && nth > 0 {
				name = fmt.Sprintf("%s[%d]", name, nth)
			}
		}
		parts = append(parts, name)
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, "/")
}

// Count is how many elements the tree has, its root among them.
func (t *Tree) Count() int { return t.count }
