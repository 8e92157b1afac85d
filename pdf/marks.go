package gofpdf

import (
	"math"

	"github.com/phpdave11/gofpdf/structure"
)

// nature is what kind of thing is drawn.
type nature uint8

const (
	text    nature = iota // always says something
	drawing               // says something in a figure only
	image                 // must stand in a figure
)

// own makes the content that comes next belong to what it must: the element that was begun last, or an artifact. It
// returns the element, nil for an artifact.
func (f *Fpdf) own(n nature) *structure.Element {
	if len(f.states) > 1 {
		f.useAlpha()
	}
	d := f.doc
	if len(d.scopes) == 0 {
		if n != drawing {
			d.fault(Fault{Rule: RuleUntagged, Page: f.page, Detail: "a text or picture belongs to no element and is not marked as an artifact"})
		}
		f.artifact(layoutMark, Layout)
		return nil
	}
	s := &d.scopes[len(d.scopes)-1]
	if s.element == nil {
		f.artifact(s.id, s.artifact)
		return nil
	}
	drawn := false // does the element, or one it stands in, show something?
	for e := s.element; e != nil && !drawn; e = e.Parent() {
		drawn = e.Role.Drawing()
	}
	if n == drawing && !drawn {
		f.artifact(layoutMark, Layout)
		return nil
	}
	if n == image && !drawn {
		d.fault(Fault{Rule: RuleStructure, Page: f.page, Detail: "a picture must stand in a Figure or be an artifact"})
	}
	if !s.element.Role.Real() {
		d.fault(Fault{Rule: RuleStructure, Page: f.page, Detail: "content stands directly in " + s.element.Role.String()})
	}
	if f.mark != s.id {
		f.stream.BeginMark(s.element.Role.String(), s.element.Mark(f.page-1))
		f.mark = s.id
	}
	return s.element
}

func (f *Fpdf) artifact(id int, kind Artifact) {
	if f.mark != id {
		f.stream.BeginArtifact(string(kind))
		f.mark = id
	}
}

// closeMark ends the marked content that is open.
func (f *Fpdf) closeMark() {
	if f.page > 0 {
		f.stream.EndMark()
	}
	f.mark = 0
}

// slack is how far content may reach over the edge of the page, in points: less than anyone sees.
const slack = 0.5

// cover checks that a box lies on the page and widens the figure it belongs to. The box is in points from the lower
// left corner, before the current transformation.
func (f *Fpdf) cover(e *structure.Element, n nature, x1, y1, x2, y2 float64) {
	if e == nil && n == drawing {
		return // decoration may bleed over the edge
	}
	m := f.stream.Matrix()
	box := structure.Box{XMin: math.Inf(1), YMin: math.Inf(1), XMax: math.Inf(-1), YMax: math.Inf(-1)}
	for _, corner := range [4][2]float64{{x1, y1}, {x2, y1}, {x1, y2}, {x2, y2}} {
		x, y := m.Apply(corner[0], corner[1])
		box = structure.Box{XMin: min(box.XMin, x), YMin: min(box.YMin, y), XMax: max(box.XMax, x), YMax: max(box.YMax, y)}
	}
	p := &f.pages[f.page-1]
	if !(box.XMin >= -slack && box.YMin >= -slack && box.XMax <= p.width+slack && box.YMax <= p.height+slack) {
		what := "an artifact's text"
		if e != nil {
			what = e.Role.String()
		}
		f.doc.fault(Fault{Rule: RuleOutside, Page: f.page, Detail: what + " reaches over the edge of the page"})
	}
	if e != nil {
		e.Cover(f.page-1, box)
	}
}
