package gofpdf

import (
	"net/url"

	"github.com/phpdave11/gofpdf/structure"
)

// link is an annotation that leads to an address.
type link struct {
	page     int // from 0
	box      structure.Box
	address  string
	contents string
}

// bookmark is an entry of the outline.
type bookmark struct {
	title string
	level int
	page  int // from 0
	y     float64
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

// Bookmark adds an entry to the outline that leads to a height of the page being drawn; y −1 is the cursor's. Level 0
// is the highest; an entry may be one level deeper than the one before.
func (f *Fpdf) Bookmark(title string, level int, y float64) {
	if !f.drawable() {
		return
	}
	deepest := 0
	if n := len(f.bookmarks); n > 0 {
		deepest = f.bookmarks[n-1].level + 1
	}
	if level < 0 || level > deepest || title == "" || !plainText(title) {
		f.SetErrorf("pdf: a bookmark must have a text and be at most one level deeper than the one before")
		return
	}
	if y == -1 {
		y = f.y
	}
	if !finite(y) {
		f.SetErrorf("pdf: a bookmark's height is out of range")
		return
	}
	f.bookmarks = append(f.bookmarks, bookmark{title: title, level: level, page: f.page - 1, y: f.pages[f.page-1].height - y*f.k})
}
