// Package layout draws Segell's pages: a template hands it a [Document] made
// of components (title, fields, text, table, notice, seal) and gets back a
// PDF. It is the only package that knows maroto.
//
// # How a page comes to be
//
// Every component turns itself into pieces: a piece has a height, a way to
// draw itself and a wish to stay with the next one. The paginator of this
// package deals the pieces out over pages, so it knows the number of pages
// before the first is drawn; maroto then receives whole pages (header, body,
// footer, each a row) and draws them. Lines are broken here, with the metrics
// of the embedded faces, and each reaches maroto as one run of text in one
// face: what is measured is what is drawn.
//
// # The seam for another PDF writer
//
// Three files know what is underneath: canvas.go (its text, fill and
// image put every mark on paper), maroto.go (faces, pages, metadata) and finish.go
// (what stock output lacks). A writer that tags its content replaces those and
// leaves the components alone; each component is one structural unit and draws
// in reading order, and the frame (header, footer, watermark) is apart from
// the body, as artifacts are.
//
// # What is refused
//
// Layout is the last gate before the seal: a text that cannot be drawn exactly
// is a [Fault], never a box and never a clipped word. Control characters, marks
// that reorder or hide text and characters without a glyph are refused; NFD is
// composed, exotic spaces become plain ones, soft hyphens act as such.
package layout
