package structure

import (
	"strconv"

	"github.com/phpdave11/gofpdf/file"
)

// Write puts the tree into the file and returns its StructTreeRoot. Pages are the page objects in order, annotations
// the objects of what [Element.Annotate] registered, by index.
func (t *Tree) Write(w *file.Writer, pages, annotations []file.Ref) file.Ref {
	root, parents := w.Reserve(), w.Reserve()
	base := int(w.Reserve()) // the root element; the others follow in the order of reading
	t.root.number = int32(base)
	for range t.count - 1 {
		w.Reserve()
	}
	arrays := make([]file.Ref, len(pages))
	for i := range arrays {
		arrays[i] = w.Reserve()
	}
	next := int32(base + 1)
	var number func(e *Element)
	number = func(e *Element) {
		for i := range e.kids {
			if c := e.kids[i].element; c != nil {
				c.number = next
				next++
				number(c)
			}
		}
	}
	number(t.root)

	w.Open(root)
	w.Bytes = append(w.Bytes, "<</Type/StructTreeRoot/K "...)
	w.Bytes = file.AppendRef(w.Bytes, file.Ref(base))
	w.Bytes = append(w.Bytes, "/ParentTree "...)
	w.Bytes = file.AppendRef(w.Bytes, parents)
	w.Bytes = append(w.Bytes, "/ParentTreeNextKey "...)
	w.Bytes = strconv.AppendInt(w.Bytes, int64(len(pages)+len(t.notes)), 10)
	w.Bytes = append(w.Bytes, ">>"...)
	w.Close()

	var write func(e *Element, parent file.Ref)
	write = func(e *Element, parent file.Ref) {
		w.Open(file.Ref(e.number))
		w.Bytes = e.append(w.Bytes, parent, pages, annotations)
		w.Close()
		for i := range e.kids {
			if c := e.kids[i].element; c != nil {
				write(c, file.Ref(e.number))
			}
		}
	}
	write(t.root, root)
	t.writeParents(w, parents, arrays)
	return root
}

// writeParents writes the number tree that leads from content back to elements: an array for each page, an element
// for each annotation.
func (t *Tree) writeParents(w *file.Writer, ref file.Ref, arrays []file.Ref) {
	for i := range arrays {
		w.Open(arrays[i])
		w.Bytes = append(w.Bytes, '[')
		if i < len(t.pages) {
			for n, e := range t.pages[i] {
				if n > 0 {
					w.Bytes = append(w.Bytes, ' ')
				}
				w.Bytes = file.AppendRef(w.Bytes, file.Ref(e.number))
			}
		}
		w.Bytes = append(w.Bytes, ']')
		w.Close()
	}
	w.Open(ref)
	w.Bytes = append(w.Bytes, "<</Nums["...)
	entry := func(key int, value file.Ref) {
		w.Bytes = strconv.AppendInt(w.Bytes, int64(key), 10)
		w.Bytes = file.AppendRef(append(w.Bytes, ' '), value)
		w.Bytes = append(w.Bytes, ' ')
	}
	for i, array := range arrays {
		entry(i, array)
	}
	for i, note := range t.notes {
		entry(len(arrays)+i, file.Ref(note.number))
	}
	w.Bytes = append(w.Bytes, "]>>"...)
	w.Close()
}

func (e *Element) append(b []byte, parent file.Ref, pages, annotations []file.Ref) []byte {
	b = append(b, "<</S/"...)
	b = append(b, e.Role.String()...)
	b = file.AppendRef(append(b, "/P "...), parent)
	home := int32(-1) // the page of the content that needs no word on where it is
	for _, k := range e.kids {
		if k.element == nil {
			home = k.page
			break
		}
	}
	if home >= 0 {
		b = file.AppendRef(append(b, "/Pg "...), pages[home])
	}
	if len(e.kids) > 0 {
		b = append(b, "/K"...)
		if len(e.kids) > 1 {
			b = append(b, '[')
		}
		for i := range e.kids {
			b = e.kids[i].append(b, home, pages, annotations)
		}
		if len(e.kids) > 1 {
			b = append(b, ']')
		}
	}
	b = e.appendAttributes(b)
	return append(b, ">>"...)
}

func (k *kid) append(b []byte, home int32, pages, annotations []file.Ref) []byte {
	switch {
	case k.element != nil:
		if last := b[len(b)-1]; last != '[' && last != '>' {
			b = append(b, ' ')
		}
		return file.AppendRef(b, file.Ref(k.element.number))
	case k.annotation != 0:
		b = file.AppendRef(append(b, "<</Type/OBJR/Pg "...), pages[k.page])
		b = file.AppendRef(append(b, "/Obj "...), annotations[k.annotation-1])
		return append(b, ">>"...)
	case k.page == home:
		if last := b[len(b)-1]; last != '[' && last != '>' {
			b = append(b, ' ')
		}
		return strconv.AppendInt(b, int64(k.mcid), 10)
	default:
		b = file.AppendRef(append(b, "<</Type/MCR/Pg "...), pages[k.page])
		b = strconv.AppendInt(append(b, "/MCID "...), int64(k.mcid), 10)
		return append(b, ">>"...)
	}
}

func (e *Element) appendAttributes(b []byte) []byte {
	a := e.Attributes()
	text := func(key, value string) {
		if value != "" {
			b = file.AppendText(append(b, key...), value)
		}
	}
	text("/Alt", a.Alt)
	text("/ActualText", a.Actual)
	text("/Lang", a.Language)
	text("/T", a.Title)
	switch e.Role {
	case TH, TD:
		if e.Role == TD && a.RowSpan <= 1 && a.ColSpan <= 1 {
			break
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
		b = append(b, ">>"...)
	case L:
		b = append(append(append(b, "/A<</O/List/ListNumbering/"...), a.Marks.String()...), ">>"...)
	case Figure, Form:
		if e.drawn == nil {
			break
		}
		b = append(b, "/A<</O/Layout"...)
		if !e.parent.Role.inline() {
			b = append(b, "/Placement/Block"...)
		}
		b = append(b, "/BBox["...)
		box := e.drawn.box
		for i, v := range [4]float64{box.XMin, box.YMin, box.XMax, box.YMax} {
			if i > 0 {
				b = append(b, ' ')
			}
			b = file.AppendNumber(b, v, 2)
		}
		b = append(b, "]>>"...)
	}
	return b
}
