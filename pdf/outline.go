package gofpdf

import (
	"fmt"

	"github.com/phpdave11/gofpdf/file"
)

// bookmark is an entry of the outline.
type bookmark struct {
	title string
	level int
	page  int // from 0
	y     float64
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

// writeOutline writes the bookmarks as a tree (ISO 32000-1, 12.3.3); 0 when there are none.
func (o *output) writeOutline() file.Ref {
	if len(o.bookmarks) == 0 {
		return 0
	}
	root := o.w.Reserve()
	first := o.w.ReserveRun(len(o.bookmarks))
	o.w.Open(root)
	o.w.Bytes = append(o.appendBelow(append(o.w.Bytes, "<</Type/Outlines"...), first, -1), ">>"...)
	o.w.Close()
	o.writeBookmarks(root, first, -1)
	return root
}

// writeBookmarks writes those below a bookmark, −1 for the root, and those below them.
func (o *output) writeBookmarks(parentRef, first file.Ref, parent int) {
	w := o.w
	kids, _ := o.below(parent)
	for n, i := range kids {
		mark, ref := o.bookmarks[i], first+file.Ref(i)
		w.Open(ref)
		b := file.AppendText(append(w.Bytes, "<</Title"...), mark.title)
		b = fmt.Appendf(b, "/Parent %d 0 R/Dest[%d 0 R/XYZ null ", parentRef, o.pages[mark.page])
		b = append(file.AppendNumber(b, mark.y, 2), " null]"...)
		if n > 0 {
			b = fmt.Appendf(b, "/Prev %d 0 R", first+file.Ref(kids[n-1]))
		}
		if n+1 < len(kids) {
			b = fmt.Appendf(b, "/Next %d 0 R", first+file.Ref(kids[n+1]))
		}
		w.Bytes = append(o.appendBelow(b, first, i), ">>"...)
		w.Close()
		o.writeBookmarks(ref, first, i)
	}
}

// appendBelow writes the entries that lead to what is below a bookmark.
func (o *output) appendBelow(b []byte, first file.Ref, parent int) []byte {
	kids, all := o.below(parent)
	if len(kids) == 0 {
		return b
	}
	return fmt.Appendf(b, "/First %d 0 R/Last %d 0 R/Count %d", first+file.Ref(kids[0]), first+file.Ref(kids[len(kids)-1]), all)
}

// below returns the bookmarks one level below another, −1 for the root, and how many there are on all levels below it.
func (o *output) below(parent int) (kids []int, all int) {
	level := -1
	if parent >= 0 {
		level = o.bookmarks[parent].level
	}
	for i := parent + 1; i < len(o.bookmarks) && o.bookmarks[i].level > level; i++ {
		if o.bookmarks[i].level == level+1 {
			kids = append(kids, i)
		}
		all++
	}
	return kids, all
}
