// Package layout draws Segell's pages: a template hands it a [Document] made
// of components (title, summary, fields, text, table, figure, notice, seal) and
// gets back a PDF. It is the only package that knows maroto and the PDF writer.
//
// # How a page comes to be
//
// Every component turns itself into pieces: a piece has a height, a way to
// draw itself and a wish to stay with the next one. The paginator of this
// package deals the pieces out over pages, so it knows the number of pages
// before the first is drawn; maroto then receives whole pages (header, body,
// footer, each a row) and has them drawn by the writer in ../pdf. Lines are
// broken here, with the metrics and the kerning of the embedded faces, and each
// reaches the writer as one run of text in one face: what is measured is what is
// drawn.
//
// # What a page means
//
// A file is PDF/A-2a and PDF/UA-1 by construction: every component draws its
// text within its element, and the elements are made in the order of the page.
// The title is H1, headings are H2 and H3 (no level is left out), paragraphs P.
// Labels and values are a table of two columns whose labels head the rows. A
// table has one header, a body for each group, and heading cells for totals;
// what is drawn again because a page ends (header, sums carried over, a group's
// name) is an artifact.
//
// Header and footer are said once: the institution, the number and the date on
// the first page, before the title; the code and the address of verification,
// which is a link, on the last. Elsewhere they are artifacts, as page numbers
// and the watermark always are. That a page is a proof is said in words in the
// first header. The QR says its address; it is content on the last page only.
//
// Document.Language is the language of everything but what a component says is
// in another: Also (in Document.Also), the official title (Catalan), [In].
//
// # What is refused
//
// Layout and the writer's own gate are the last before the seal: a text that
// cannot be drawn exactly is a [Fault], never a box and never a clipped word.
// Control characters, marks that reorder or hide text and characters without a
// glyph are refused; NFD is composed, exotic spaces become plain ones, soft
// hyphens act as such.
package layout
