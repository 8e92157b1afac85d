package check

import "strings"

// element is a structure element.
type element struct {
	self   ref
	dict   dict
	role   string
	parent *element
	kids   []*element
	marks  []marked // its content
	notes  []ref    // its annotations
}

type marked struct {
	page ref
	mcid int
}

// holders says in which elements one may stand; roles that are not here are refused.
var holders = map[string]string{
	"Document": "StructTreeRoot", "Sect": "Document Sect LBody TD TH Caption",
	"H1": block, "H2": block, "H3": block, "H4": block, "H5": block, "H6": block, "P": block, "L": block, "Table": block,
	"LI": "L", "Lbl": "LI", "LBody": "LI",
	"THead": "Table", "TBody": "Table", "TFoot": "Table", "TR": "Table THead TBody TFoot", "TH": "TR", "TD": "TR",
	"Caption": "Table Figure L",
	"Span":    block + inline, "Link": block + inline, "Figure": block + inline, "Form": block + inline,
}

const (
	block  = "Document Sect LBody TD TH Caption"
	inline = " P H1 H2 H3 H4 H5 H6 Lbl Link Span Figure"
)

// readElements reads the structure tree from its root.
func (j *judge) readElements() {
	j.elements = map[ref]*element{}
	root, ok := as[dict](j.file, j.catalog["StructTreeRoot"])
	if !ok || root["Type"] != name("StructTreeRoot") {
		j.violated("A 6.7.3.3", "the document has no structure")
		return
	}
	r, _ := root["K"].(ref)
	self, _ := j.catalog["StructTreeRoot"].(ref)
	j.readElement(r, nil, self, 0)
}

func (j *judge) readElement(r ref, parent *element, up ref, depth int) *element {
	d, ok := as[dict](j.file, r)
	role, _ := d["S"].(name)
	if !ok || role == "" || j.elements[r] != nil || depth > deepest {
		j.violated("PDF 14.7.2", "structure element %d is broken", r)
		return nil
	}
	e := &element{self: r, dict: d, role: string(role), parent: parent}
	j.elements[r] = e
	if d["P"] != up {
		j.violated("PDF 14.7.2", "structure element %d does not know its parent", r)
	}
	holder := "StructTreeRoot"
	if parent != nil {
		holder = parent.role
	}
	if !strings.Contains(" "+holders[e.role]+" ", " "+holder+" ") {
		j.violated("UA 7.1", "%s stands in %s", role, holder)
	}
	kids, ok := d["K"].(array)
	if !ok && d["K"] != nil {
		kids = array{d["K"]}
	}
	for _, k := range kids {
		j.readKid(e, k, depth)
	}
	return e
}

// readKid reads one of the things that an element holds: content, an element, or an annotation.
func (j *judge) readKid(e *element, k any, depth int) {
	page, _ := e.dict["Pg"].(ref)
	switch k := k.(type) {
	case int:
		e.marks = append(e.marks, marked{page, k})
	case ref:
		if c := j.readElement(k, e, e.self, depth+1); c != nil {
			e.kids = append(e.kids, c)
		}
	case dict:
		if on, ok := k["Pg"].(ref); ok {
			page = on
		}
		switch k["Type"] {
		case name("MCR"):
			mcid, _ := k["MCID"].(int)
			e.marks = append(e.marks, marked{page, mcid})
		case name("OBJR"):
			o, _ := k["Obj"].(ref)
			e.notes = append(e.notes, o)
		default:
			j.violated("PDF 14.7.4", "%s holds an unknown thing", e.role)
		}
	default:
		j.violated("PDF 14.7.4", "%s holds an unknown thing", e.role)
	}
}

// structure judges the tree, and that it and the content of the pages say the same of each other.
func (j *judge) structure() {
	parents := j.parentTree()
	owned := map[marked]bool{}
	level := 0
	var walk func(e *element)
	walk = func(e *element) {
		j.marks(e, parents, owned)
		if len(e.role) == 2 && e.role[0] == 'H' {
			n := int(e.role[1] - '0')
			if n > level+1 {
				j.violated("UA 7.4.2", "a heading of level %d follows level %d", n, level)
			}
			level = n
		}
		j.element(e)
		for _, c := range e.kids {
			walk(c)
		}
	}
	root, _ := as[dict](j.file, j.catalog["StructTreeRoot"])
	if r, ok := root["K"].(ref); ok && j.elements[r] != nil {
		walk(j.elements[r])
	}
	for i, p := range j.pages {
		for mcid, tag := range p.marks {
			if !owned[marked{p.self, mcid}] {
				j.violated("UA 7.1", "page %d has content tagged %s that no element has", i+1, tag)
			}
		}
	}
}

// marks judges the content of an element: it is there, tagged with the role, nobody else's, and leads back.
func (j *judge) marks(e *element, parents map[int]any, owned map[marked]bool) {
	for _, m := range e.marks {
		p := j.byPage[m.page]
		if p == nil || owned[m] {
			j.violated("UA 7.1", "%s has content that is not there or another's", e.role)
			continue
		}
		owned[m] = true
		if tag, ok := p.marks[m.mcid]; !ok || tag != e.role {
			j.violated("UA 7.1", "%s has content that is not on its page or tagged as something else", e.role)
		}
		back, _ := as[array](j.file, parents[p.key])
		if m.mcid < 0 || m.mcid >= len(back) || back[m.mcid] != e.self {
			j.violated("PDF 14.7.4.4", "the content of %s does not lead back to it", e.role)
		}
	}
}

// element judges what the role asks of an element.
func (j *judge) element(e *element) {
	empty := len(e.marks)+len(e.kids)+len(e.notes) == 0
	switch e.role {
	case "Figure":
		if alt, _ := e.dict["Alt"].(text); strings.TrimSpace(plain(alt)) == "" {
			j.violated("UA 7.3", "a figure has no words (Alt)")
		}
	case "Table":
		j.table(e)
	case "TH":
		if a, _ := e.dict["A"].(dict); a["O"] != name("Table") || a["Scope"] == nil {
			j.violated("UA 7.5", "a header cell does not say of what it is the header")
		}
	case "Link":
		if len(e.notes) == 0 {
			j.violated("UA 7.18.5", "a link leads nowhere")
		}
	}
	if empty && (e.role == "L" || e.role == "Table" || e.role == "TR" || e.role == "Document") {
		j.violated("UA 7.1", "%s is empty", e.role)
	}
}

// parentTree reads the number tree of the structure's root.
func (j *judge) parentTree() map[int]any {
	root, _ := as[dict](j.file, j.catalog["StructTreeRoot"])
	tree, _ := as[dict](j.file, root["ParentTree"])
	nums, _ := as[array](j.file, tree["Nums"])
	parents := map[int]any{}
	last := -1
	for i := 0; i+1 < len(nums); i += 2 {
		key, ok := nums[i].(int)
		if !ok || key <= last {
			j.violated("PDF 7.9.7", "the keys of the parent tree are not in order")
			break
		}
		last = key
		parents[key] = nums[i+1]
	}
	return parents
}

// table judges that the cells of a table fill a rectangle.
func (j *judge) table(t *element) {
	var rows []*element
	var collect func(e *element)
	collect = func(e *element) {
		for _, k := range e.kids {
			switch k.role {
			case "TR":
				rows = append(rows, k)
			case "THead", "TBody", "TFoot":
				collect(k)
			}
		}
	}
	collect(t)
	taken := map[[2]int]bool{}
	width := 0
	for y, row := range rows {
		x := 0
		for _, cell := range row.kids {
			a, _ := cell.dict["A"].(dict)
			across, down := 1, 1
			if n, ok := a["ColSpan"].(int); ok {
				across = n
			}
			if n, ok := a["RowSpan"].(int); ok {
				down = n
			}
			for taken[[2]int{x, y}] {
				x++
			}
			for dy := range min(down, len(rows)) {
				for dx := range min(across, 1024) {
					if taken[[2]int{x + dx, y + dy}] {
						j.violated("UA 7.2", "cells of a table overlap")
					}
					taken[[2]int{x + dx, y + dy}] = true
				}
			}
			if down > len(rows)-y {
				j.violated("UA 7.2", "a cell reaches below its table")
			}
			x += across
		}
		for taken[[2]int{x, y}] {
			x++
		}
		if y == 0 {
			width = x
		}
		if x != width {
			j.violated("UA 7.2", "row %d of a table has %d columns, the first one %d", y+1, x, width)
			return
		}
	}
}

// annotations judges the links of a page.
func (j *judge) annotations(at string, p *leaf) {
	notes, _ := as[array](j.file, p.dict["Annots"])
	if len(notes) > 0 && p.dict["Tabs"] != name("S") {
		j.violated("UA 7.18.3", "%s has annotations that are not reached in the order of the structure", at)
	}
	parents := j.parentTree()
	for _, n := range notes {
		r, _ := n.(ref)
		d, ok := as[dict](j.file, n)
		switch {
		case !ok || d["Subtype"] != name("Link") && d["Subtype"] != name("Widget"):
			j.violated("A 6.3.1", "%s has an annotation of an unknown kind", at)
			continue
		case d["Subtype"] == name("Widget"): // a signature, added after this file was written
			continue
		}
		flags, _ := d["F"].(int)
		if flags&4 == 0 || flags&(1|2|32) != 0 {
			j.violated("A 6.3.2", "%s has a link that is hidden or not printed", at)
		}
		if contents, _ := d["Contents"].(text); strings.TrimSpace(plain(contents)) == "" {
			j.violated("UA 7.18.5", "%s has a link without words (Contents)", at)
		}
		action, _ := as[dict](j.file, d["A"])
		if _, ok := action["URI"].(text); action["S"] != name("URI") || !ok {
			j.violated("A 6.5.1", "%s has a link that does something else than lead to an address", at)
		}
		key, ok := d["StructParent"].(int)
		owner, _ := parents[key].(ref)
		e := j.elements[owner]
		held := false
		if ok && e != nil {
			for _, o := range e.notes {
				held = held || o == r
			}
		}
		if !held || e.role != "Link" {
			j.violated("UA 7.18.5", "%s has a link that is not part of a Link element", at)
		}
	}
}
