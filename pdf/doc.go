// Package gofpdf writes PDF documents that last and that everyone can read: PDF/A-2a (or PDF/A-3a, with attached files)
// and PDF/UA-1 at once.
//
// It is Segell's own writer behind the face of github.com/phpdave11/gofpdf, so that maroto, unmodified, draws with it:
//
//	replace github.com/phpdave11/gofpdf => ./pdf
//
// maroto says where things go. What they mean it cannot say, so the author of a document does, through a [Document]:
// [NewDocument] makes one, its [Document.Token] goes to maroto's configuration as keywords, and while maroto draws,
// [Document.Begin] and [Document.End] say to which element the content belongs. The elements are made by
// structure.Element.Add, before the drawing, or by [Document.Tag] along with it; either way the order of the tree must
// be the order of the page.
//
// Nothing is written that is not conformant: [Fpdf.Output] first asks [Document.Check], and a text that belongs to no
// element, a figure without words, a character without a glyph, or content over the edge of the page is an error.
// Methods of gofpdf that are not here set [ErrUnsupported]; none does nothing. Equal input gives equal bytes.
//
// The work is done in packages that each do one thing: font (faces, kerning, subsets), content (operators), structure
// (the tree), metadata (XMP, colour), picture (PNG, JPEG), file (objects and cross-references). Package check judges
// finished files and shares no code with the rest. README.md says what is written and what is refused.
package gofpdf
