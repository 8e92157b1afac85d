package structure

import (
	"strconv"

	"github.com/phpdave11/gofpdf/file"
)

// output is a tree being written.
type output struct {
	*Tree
	w           *file.Writer
	elements    file.Ref // the root element's; the others follow in the order of making
	pages       []file.Ref
	annotations []file.Ref
}

// Write puts the tree into the file and returns its StructTreeRoot. Pages are the page objects in order, annotations
// the objects of what [Element.Annotate] registered, by index.
func (t *Tree) Write(w *file.Writer, pages, annotations []file.Ref) file.Ref {
	root, parents := w.Reserve(), w.Reserve()
	o := &output{t, w, w.ReserveRun(t.count), pages, annotations}
	arrays := w.ReserveRun(len(pages))

	w.Open(root)
	w.Bytes = append(w.Bytes, "<</Type/StructTreeRoot/K "...)
	w.Bytes = file.AppendRef(w.Bytes, o.elements)
	w.Bytes = append(w.Bytes, "/ParentTree "...)
	w.Bytes = file.AppendRef(w.Bytes, parents)
	w.Bytes = append(w.Bytes, "/ParentTreeNextKey "...)
	w.Bytes = strconv.AppendInt(w.Bytes, int64(len(pages)+len(t.annotations)), 10)
	w.Bytes = append(w.Bytes, ">>"...)
	w.Close()

	for i := range int32(t.count) {
		e, parent := t.at(i), root
		if e.parent != nil {
			parent = o.ref(e.parent.index)
		}
		w.Open(o.ref(i))
		w.Bytes = o.appendElement(w.Bytes, e, parent)
		w.Close()
	}
	for i, owners := range t.owners(len(pages)) {
		o.writeOwners(arrays+file.Ref(i), owners)
	}
	o.writeParents(parents, arrays)
	return root
}

// Size is how many bytes the file needs for the tree, a little too many rather than too few; objects is how many others
// the file has.
func (t *Tree) Size(objects int) int {
	digits := len(strconv.Itoa(t.count + objects))
	// "1 0 obj <</S/TD/P 1 0 R>> endobj", the entry in the cross-reference table and the one in its parent.
	size := t.count * (len("  0 obj <</S//P  0 R>> endobj ") + 2*digits + 20 + len("  0 R") + digits)
	for _, marks := range t.marks {
		size += int(marks) * (len("/Pg 99 0 R/K 999") + len("  0 R") + digits) // the last is the way back from the page
	}
	var attributes []byte
	for i := range int32(t.count) {
		e := t.at(i)
		attributes = e.appendAttributes(attributes[:0])
		size += len(e.Role.String()) + len(attributes)
		if len(e.kids) > 1 {
			size += len("/K[]")
		}
	}
	return size
}

func (o *output) ref(element int32) file.Ref { return o.elements + file.Ref(element) }

// owners returns, by page and MCID, the index of the element whose content it is.
func (t *Tree) owners(pages int) [][]int32 {
	owners := make([][]int32, pages)
	for i, marks := range t.marks {
		owners[i] = make([]int32, marks)
	}
	for i := range int32(t.count) {
		for _, k := range t.at(i).kids {
			if k.page >= 0 {
				owners[k.page][k.index] = i
			}
		}
	}
	return owners
}

// writeOwners writes the array that leads from the content of a page back to elements.
func (o *output) writeOwners(ref file.Ref, owners []int32) {
	w := o.w
	w.Open(ref)
	w.Bytes = append(w.Bytes, '[')
	for i, owner := range owners {
		if i > 0 {
			w.Bytes = append(w.Bytes, ' ')
		}
		w.Bytes = file.AppendRef(w.Bytes, o.ref(owner))
	}
	w.Bytes = append(w.Bytes, ']')
	w.Close()
}

// writeParents writes the number tree that leads from content back to elements: an array for each page, an element
// for each annotation.
func (o *output) writeParents(ref, arrays file.Ref) {
	w := o.w
	w.Open(ref)
	w.Bytes = append(w.Bytes, "<</Nums["...)
	entry := func(key int, value file.Ref) {
		w.Bytes = strconv.AppendInt(w.Bytes, int64(key), 10)
		w.Bytes = file.AppendRef(append(w.Bytes, ' '), value)
		w.Bytes = append(w.Bytes, ' ')
	}
	for i := range o.pages {
		entry(i, arrays+file.Ref(i))
	}
	for i, a := range o.Tree.annotations {
		entry(len(o.pages)+i, o.ref(a.owner))
	}
	w.Bytes = append(w.Bytes, "]>>"...)
	w.Close()
}

func (o *output) appendElement(b []byte, e *Element, parent file.Ref) []byte {
	b = append(b, "<</S/"...)
	b = append(b, e.Role.String()...)
	b = file.AppendRef(append(b, "/P "...), parent)
	home := o.home(e)
	if home >= 0 {
		b = file.AppendRef(append(b, "/Pg "...), o.pages[home])
	}
	if len(e.kids) > 0 {
		b = append(b, "/K"...)
		if len(e.kids) > 1 {
			b = append(b, '[')
		}
		for _, k := range e.kids {
			b = o.appendKid(b, k, home)
		}
		if len(e.kids) > 1 {
			b = append(b, ']')
		}
	}
	return append(e.appendAttributes(b), ">>"...)
}

// home is the page of the content that needs no word on where it is: of the first that e holds; -1 when there is none.
func (o *output) home(e *Element) int32 {
	for _, k := range e.kids {
		switch k.page {
		case isElement:
		case isAnnotation:
			return o.Tree.annotations[k.index].page
		default:
			return k.page
		}
	}
	return -1
}

func (o *output) appendKid(b []byte, k kid, home int32) []byte {
	switch k.page {
	case isElement:
		return file.AppendRef(apart(b), o.ref(k.index))
	case isAnnotation:
		b = file.AppendRef(append(b, "<</Type/OBJR/Pg "...), o.pages[o.Tree.annotations[k.index].page])
		b = file.AppendRef(append(b, "/Obj "...), o.annotations[k.index])
		return append(b, ">>"...)
	case home:
		return strconv.AppendInt(apart(b), int64(k.index), 10)
	default:
		b = file.AppendRef(append(b, "<</Type/MCR/Pg "...), o.pages[k.page])
		b = strconv.AppendInt(append(b, "/MCID "...), int64(k.index), 10)
		return append(b, ">>"...)
	}
}

// apart writes the space that a number needs before it, unless a delimiter stands there.
func apart(b []byte) []byte {
	if last := b[len(b)-1]; last == '[' || last == '>' {
		return b
	}
	return append(b, ' ')
}

// appendAttributes writes what is said about the element, and the attribute object that its role has (ISO 32000-1,
// 14.8.5).
func (e *Element) appendAttributes(b []byte) []byte {
	if a := e.attributes; a != nil {
		for _, entry := range [...]struct{ key, value string }{
			{"/Alt", a.Alt}, {"/ActualText", a.Actual}, {"/Lang", a.Language}, {"/T", a.Title},
		} {
			if entry.value != "" {
				b = file.AppendText(append(b, entry.key...), entry.value)
			}
		}
	}
	switch e.Role {
	case TH, TD:
		return e.appendCell(b)
	case L:
		return append(append(append(b, "/A<</O/List/ListNumbering/"...), e.Attributes().Marks.String()...), ">>"...)
	case Figure, Form:
		return e.appendLayout(b)
	}
	return b
}

func (e *Element) appendCell(b []byte) []byte {
	if e.Role == TD && e.attributes == nil {
		return b
	}
	a := e.Attributes()
	if e.Role == TD && a.RowSpan <= 1 && a.ColSpan <= 1 {
		return b
	}
	b = append(b, "/A<</O/Table"...)
	if e.Role == TH {
		if a.Scope == Unscoped {
			a.Scope = Column
		}
		b = append(append(b, "/Scope/"...), a.Scope.String()...)
	}
	if a.RowSpan > 1 {
		b = strconv.AppendInt(append(b, "/RowSpan "...), int64(a.RowSpan), 10)
	}
	if a.ColSpan > 1 {
		b = strconv.AppendInt(append(b, "/ColSpan "...), int64(a.ColSpan), 10)
	}
	return append(b, ">>"...)
}

func (e *Element) appendLayout(b []byte) []byte {
	d := e.tree.drawn[e]
	if d == nil {
		return b
	}
	b = append(b, "/A<</O/Layout"...)
	if !e.parent.Role.inline() {
		b = append(b, "/Placement/Block"...)
	}
	b = append(b, "/BBox["...)
	for i, v := range [4]float64{d.box.XMin, d.box.YMin, d.box.XMax, d.box.YMax} {
		if i > 0 {
			b = append(b, ' ')
		}
		b = file.AppendNumber(b, v, 2)
	}
	return append(b, "]>>"...)
}
