package gofpdf

import (
	"crypto/md5"
	"fmt"
	"strconv"

	"github.com/phpdave11/gofpdf/file"
	"github.com/phpdave11/gofpdf/metadata"
)

// Bytes ends the document and returns the file. The error is that of [Document.Check].
func (f *Fpdf) Bytes() ([]byte, error) {
	if f.written {
		f.SetErrorf("pdf: the document was written already")
		return nil, f.err
	}
	if f.err == nil {
		if f.page == 0 {
			f.SetErrorf("pdf: the document has no page")
		}
		f.endPage()
		f.written = true
	}
	if err := f.doc.Check(); err != nil {
		return nil, err
	}
	// An element is about ninety bytes of dictionary and twenty of cross-reference; a guess too small would be copied
	// while it grows, and held twice.
	size := 16<<10 + 112*f.doc.tree.Count()
	for i := range f.pages {
		size += len(f.pages[i].content) + 512
	}
	w := file.New(size, f.level)
	o := &output{Fpdf: f, w: w, catalog: w.Reserve(), info: w.Reserve(), tree: w.Reserve()}
	for range f.pages {
		o.pages = append(o.pages, w.Reserve())
	}
	for range f.links {
		o.annotations = append(o.annotations, w.Reserve())
	}
	for range f.fonts {
		o.fonts = append(o.fonts, 0)
	}
	for range f.pictures {
		o.pictures = append(o.pictures, w.Reserve())
	}
	for i := range f.pages {
		o.writePage(i)
	}
	for i := range f.links {
		o.writeLink(i)
	}
	for i, p := range f.pictures {
		p.Write(w, o.pictures[i])
	}
	if err := o.writeFonts(); err != nil {
		return nil, err
	}
	structureRoot := f.doc.tree.Write(w, o.pages, o.annotations)
	o.writeCatalog(structureRoot)
	return w.Finish(o.catalog, o.info), nil
}

// output is a file being written.
type output struct {
	*Fpdf
	w                   *file.Writer
	catalog, info, tree file.Ref
	pages               []file.Ref
	annotations         []file.Ref
	fonts               []file.Ref // by index; 0 for one no page uses
	pictures            []file.Ref
}

func (o *output) writePage(i int) {
	p := &o.Fpdf.pages[i]
	w := o.w
	contents := w.Reserve()
	w.Open(o.pages[i])
	b := fmt.Appendf(w.Bytes, "<</Type/Page/Parent %d 0 R/MediaBox[0 0 ", o.tree)
	b = append(file.AppendNumber(b, p.width, 2), ' ')
	b = append(file.AppendNumber(b, p.height, 2), ']')
	b = fmt.Appendf(b, "/Contents %d 0 R/StructParents %d/Tabs/S", contents, i)
	if p.transparent {
		b = append(b, "/Group<</S/Transparency/CS/DeviceRGB>>"...)
	}
	if len(p.links) > 0 {
		b = append(b, "/Annots["...)
		for n, l := range p.links {
			if n > 0 {
				b = append(b, ' ')
			}
			b = file.AppendRef(b, o.annotations[l])
		}
		b = append(b, ']')
	}
	b = append(b, "/Resources<<"...)
	if p.fonts != 0 {
		b = append(b, "/Font<<"...)
		for n, face := range o.Fpdf.fonts {
			if p.fonts&(1<<n) != 0 {
				if o.fonts[n] == 0 {
					o.fonts[n] = w.Reserve()
				}
				b = fmt.Appendf(b, "/F%d %d 0 R", face.index, o.fonts[n])
			}
		}
		b = append(b, ">>"...)
	}
	if len(p.pictures) > 0 {
		b = append(b, "/XObject<<"...)
		for _, n := range p.pictures {
			b = fmt.Appendf(b, "/I%d %d 0 R", n, o.pictures[n])
		}
		b = append(b, ">>"...)
	}
	if p.states != 0 {
		b = append(b, "/ExtGState<<"...)
		for n, alpha := range o.Fpdf.states {
			if p.states&(1<<n) != 0 {
				b = strconv.AppendInt(append(b, "/G"...), int64(n), 10)
				b = file.AppendNumber(append(b, "<</CA "...), alpha, 3)
				b = append(file.AppendNumber(append(b, "/ca "...), alpha, 3), ">>"...)
			}
		}
		b = append(b, ">>"...)
	}
	w.Bytes = append(b, ">>>>"...)
	w.Close()
	if o.level > 0 {
		w.Deflated(contents, "", p.content)
	} else {
		w.RawStream(contents, "", p.content)
	}
	p.content = nil
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

// writeFonts writes the faces in use as composite fonts (ISO 32000-1, 9.7).
func (o *output) writeFonts() error {
	w := o.w
	for i, face := range o.Fpdf.fonts {
		if o.fonts[i] == 0 {
			continue
		}
		program, err := face.subset.Program()
		if err != nil {
			return fmt.Errorf("pdf: font %s %s: %w", face.family, face.style, err)
		}
		name := face.subset.Name()
		descendant, descriptor, data, unicode := w.Reserve(), w.Reserve(), w.Reserve(), w.Reserve()
		w.Open(o.fonts[i])
		w.Bytes = fmt.Appendf(w.Bytes, "<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>", name, descendant, unicode)
		w.Close()
		w.Open(descendant)
		w.Bytes = fmt.Appendf(w.Bytes, "<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/FontDescriptor %d 0 R/CIDToGIDMap/Identity/DW 0/W", name, descriptor)
		w.Bytes = append(append(w.Bytes, face.subset.Widths()...), ">>"...)
		w.Close()
		w.Open(descriptor)
		scale := 1000 / float64(face.UnitsPerEm)
		flags := 1 << 2 // symbolic: the characters are not those of the standard Latin set
		if face.Fixed {
			flags |= 1 << 0
		}
		if face.Serif {
			flags |= 1 << 1
		}
		if face.ItalicAngle != 0 {
			flags |= 1 << 6
		}
		b := fmt.Appendf(w.Bytes, "<</Type/FontDescriptor/FontName/%s/Flags %d/FontFile2 %d 0 R/StemV %d/ItalicAngle ", name, flags, data, face.StemV)
		b = file.AppendNumber(b, face.ItalicAngle, 2)
		for _, e := range []struct {
			key   string
			units int
		}{{"/Ascent ", face.Ascent}, {"/Descent ", face.Descent}, {"/CapHeight ", face.CapHeight}} {
			b = file.AppendNumber(append(b, e.key...), float64(e.units)*scale, 0)
		}
		b = append(b, "/FontBBox["...)
		for n, v := range [4]int{face.Bounds.XMin, face.Bounds.YMin, face.Bounds.XMax, face.Bounds.YMax} {
			if n > 0 {
				b = append(b, ' ')
			}
			b = file.AppendNumber(b, float64(v)*scale, 0)
		}
		w.Bytes = append(b, "]>>"...)
		w.Close()
		w.Stream(data, "/Length1 "+strconv.Itoa(len(program)), program)
		w.Stream(unicode, "", face.subset.ToUnicode())
	}
	return nil
}

func (o *output) writeCatalog(structureRoot file.Ref) {
	w, d := o.w, o.doc.description()
	w.Open(o.info)
	w.Bytes = d.AppendInfo(w.Bytes)
	w.Close()

	w.Open(o.tree)
	b := append(w.Bytes, "<</Type/Pages/Kids["...)
	for i, p := range o.pages {
		if i > 0 {
			b = append(b, ' ')
		}
		b = file.AppendRef(b, p)
	}
	w.Bytes = fmt.Appendf(b, "]/Count %d>>", len(o.pages))
	w.Close()

	xmp := w.Reserve()
	w.RawStream(xmp, "/Type/Metadata/Subtype/XML", d.AppendXMP(nil)) // readable without a PDF reader
	profile := w.Reserve()
	w.Stream(profile, "/N 3", metadata.SRGB)
	outlines := o.writeOutline()
	attached := o.writeAttachments()

	w.Open(o.catalog)
	b = fmt.Appendf(w.Bytes, "<</Type/Catalog/Pages %d 0 R/StructTreeRoot %d 0 R/MarkInfo<</Marked true>>/ViewerPreferences<</DisplayDocTitle true>>/Lang", o.tree, structureRoot)
	b = file.AppendText(b, d.Language)
	b = fmt.Appendf(b, "/Metadata %d 0 R/OutputIntents[<</Type/OutputIntent/S/GTS_PDFA1/OutputConditionIdentifier(sRGB)/Info(sRGB, IEC 61966-2-1)/DestOutputProfile %d 0 R>>]", xmp, profile)
	if outlines != 0 {
		b = fmt.Appendf(b, "/Outlines %d 0 R", outlines)
	}
	if len(attached) > 0 {
		b = append(b, "/AF["...)
		for i, r := range attached {
			if i > 0 {
				b = append(b, ' ')
			}
			b = file.AppendRef(b, r)
		}
		b = append(b, "]/Names<</EmbeddedFiles<</Names["...)
		for i, r := range attached {
			b = file.AppendText(b, fmt.Sprintf("%04d", i)) // keys must be sorted
			b = file.AppendRef(append(b, ' '), r)
		}
		b = append(b, "]>>>>"...)
	}
	w.Bytes = append(b, ">>"...)
	w.Close()
}

// writeOutline writes the bookmarks as a tree (ISO 32000-1, 12.3.3); 0 when there are none.
func (o *output) writeOutline() file.Ref {
	if len(o.bookmarks) == 0 {
		return 0
	}
	w := o.w
	root := w.Reserve()
	refs := make([]file.Ref, len(o.bookmarks))
	for i := range refs {
		refs[i] = w.Reserve()
	}
	children := func(parent int) (kids []int, all int) {
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
	tail := func(b []byte, parent int) []byte {
		kids, all := children(parent)
		if len(kids) == 0 {
			return b
		}
		return fmt.Appendf(b, "/First %d 0 R/Last %d 0 R/Count %d", refs[kids[0]], refs[kids[len(kids)-1]], all)
	}
	w.Open(root)
	w.Bytes = append(tail(append(w.Bytes, "<</Type/Outlines"...), -1), ">>"...)
	w.Close()
	var write func(parent int, parentRef file.Ref)
	write = func(parent int, parentRef file.Ref) {
		kids, _ := children(parent)
		for n, i := range kids {
			mark := o.bookmarks[i]
			w.Open(refs[i])
			b := file.AppendText(append(w.Bytes, "<</Title"...), mark.title)
			b = fmt.Appendf(b, "/Parent %d 0 R/Dest[%d 0 R/XYZ null ", parentRef, o.pages[mark.page])
			b = append(file.AppendNumber(b, mark.y, 2), " null]"...)
			if n > 0 {
				b = fmt.Appendf(b, "/Prev %d 0 R", refs[kids[n-1]])
			}
			if n+1 < len(kids) {
				b = fmt.Appendf(b, "/Next %d 0 R", refs[kids[n+1]])
			}
			w.Bytes = append(tail(b, i), ">>"...)
			w.Close()
			write(i, refs[i])
		}
	}
	write(-1, root)
	return root
}

// writeAttachments writes the attached files and their descriptions (ISO 19005-3, 6.8).
func (o *output) writeAttachments() (refs []file.Ref) {
	w := o.w
	for _, a := range o.doc.options.Attachments {
		data, spec := w.Reserve(), w.Reserve()
		entries := file.AppendName([]byte("/Type/EmbeddedFile/Subtype"), a.MIME)
		entries = strconv.AppendInt(append(entries, "/Params<</Size "...), int64(len(a.Data)), 10)
		entries = file.AppendDate(append(entries, "/ModDate"...), a.Modified)
		sum := md5.Sum(a.Data) // the algorithm is the standard's (ISO 32000-1, table 46); it protects nothing
		entries = append(file.AppendHex(append(entries, "/CheckSum"...), sum[:]), ">>"...)
		w.Stream(data, string(entries), a.Data)
		w.Open(spec)
		b := file.AppendText(append(w.Bytes, "<</Type/Filespec/F"...), a.Name)
		b = file.AppendText(append(b, "/UF"...), a.Name)
		if a.Description != "" {
			b = file.AppendText(append(b, "/Desc"...), a.Description)
		}
		w.Bytes = fmt.Appendf(b, "/AFRelationship/%s/EF<</F %d 0 R/UF %d 0 R>>>>", a.Relationship, data, data)
		w.Close()
		refs = append(refs, spec)
	}
	return refs
}
