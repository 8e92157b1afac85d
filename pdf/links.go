package gofpdf

import (
	"fmt"
	"net/url"

	"github.com/phpdave11/gofpdf/file"
	"github.com/phpdave11/gofpdf/structure"
)

// link is an annotation that leads to an address.
type link struct {
	page     int // from 0
	box      structure.Box
	address  string
	contents string
}

// LinkString makes a rectangle a link to a web address (http, https), a mail address or a telephone number. It becomes
// part of the Link element begun last; where another element was begun, of a new Link in that.
func (f *Fpdf) LinkString(x, y, w, h float64, address string) {
	if !f.drawable() {
		return
	}
	if !usable(address) {
		f.doc.fault(Fault{Rule: RuleLink, Page: f.page, Detail: "an address must be complete, in ASCII, and begin with https, http, mailto or tel"})
		return
	}
	var element *structure.Element
	if n := len(f.doc.scopes); n > 0 {
		element = f.doc.scopes[n-1].element
	}
	if element == nil {
		f.doc.fault(Fault{Rule: RuleLink, Page: f.page, Detail: "a link must belong to an element"})
		return
	}
	if element.Role != structure.Link {
		element = element.Add(structure.Link, structure.Attributes{})
	}
	contents := element.Attributes().Contents
	if contents == "" {
		contents = address
	}
	height := f.pages[f.page-1].height
	x1, y1 := f.stream.Matrix().Apply(x*f.k, height-(y+h)*f.k)
	x2, y2 := f.stream.Matrix().Apply((x+w)*f.k, height-y*f.k)
	box := structure.Box{XMin: min(x1, x2), YMin: min(y1, y2), XMax: max(x1, x2), YMax: max(y1, y2)}
	f.cover(element, text, x*f.k, height-(y+h)*f.k, (x+w)*f.k, height-y*f.k)
	f.pages[f.page-1].links = append(f.pages[f.page-1].links, element.Annotate(f.page-1))
	f.links = append(f.links, link{page: f.page - 1, box: box, address: address, contents: contents})
}

func usable(address string) bool {
	if len(address) > 2000 {
		return false
	}
	for _, c := range []byte(address) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return u.Host != ""
	case "mailto", "tel":
		return u.Opaque != ""
	}
	return false
}

func (o *output) writeLink(i int) {
	l := &o.links[i]
	w := o.w
	w.Open(o.annotations[i])
	b := append(w.Bytes, "<</Type/Annot/Subtype/Link/F 4/Border[0 0 0]/Rect["...)
	for n, v := range [4]float64{l.box.XMin, l.box.YMin, l.box.XMax, l.box.YMax} {
		if n > 0 {
			b = append(b, ' ')
		}
		b = file.AppendNumber(b, v, 2)
	}
	b = fmt.Appendf(b, "]/P %d 0 R/StructParent %d/Contents", o.pages[l.page], len(o.pages)+i)
	b = file.AppendText(b, l.contents)
	b = append(file.AppendText(append(b, "/A<</S/URI/URI"...), l.address), ">>"...)
	w.Bytes = append(b, ">>"...)
	w.Close()
}
