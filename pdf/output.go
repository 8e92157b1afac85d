package gofpdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/phpdave11/gofpdf/file"
	"github.com/phpdave11/gofpdf/metadata"
)

// Bytes ends the document and returns the file. The error is that of [Document.Check].
func (f *Fpdf) Bytes() ([]byte, error) {
	if err := f.end(); err != nil {
		return nil, err
	}
	return f.appendFile(make([]byte, 0, f.estimate()))
}

// Output writes the document. The error is that of [Document.Check], or the writer's. A document is written once.
func (f *Fpdf) Output(w io.Writer) error {
	if err := f.end(); err != nil {
		return err
	}
	var room []byte
	if buffer, ok := w.(*bytes.Buffer); ok { // maroto's: the file is put together in it, not copied to it
		buffer.Grow(f.estimate())
		room = buffer.AvailableBuffer()
	} else {
		room = make([]byte, 0, f.estimate())
	}
	b, err := f.appendFile(room)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// OutputAndClose writes the document and closes the writer.
func (f *Fpdf) OutputAndClose(w io.WriteCloser) error {
	return errors.Join(f.Output(w), w.Close())
}

// end ends the last page and asks whether the document may be written.
func (f *Fpdf) end() error {
	if f.written {
		f.SetErrorf("pdf: the document was written already")
		return f.err
	}
	if f.err == nil {
		if f.page == 0 {
			f.SetErrorf("pdf: the document has no page")
		}
		f.endPage()
		f.written = true
	}
	return f.doc.Check()
}

// estimate is how many bytes the file will have, rather too many than too few.
func (f *Fpdf) estimate() int {
	const fontsAndMetadata, pageObject = 24 << 10, 512
	size := fontsAndMetadata + f.doc.tree.Size(2*len(f.pages)+len(f.links)+64)
	for i := range f.pages {
		size += len(f.pages[i].content) + pageObject
	}
	for _, p := range f.pictures {
		size += p.Size()
	}
	for _, a := range f.doc.options.Attachments {
		size += len(a.Data)
	}
	return size
}

// appendFile writes the file into a buffer with room for it.
func (f *Fpdf) appendFile(room []byte) ([]byte, error) {
	w := file.New(room, f.level)
	o := &output{Fpdf: f, w: w, catalog: w.Reserve(), info: w.Reserve(), tree: w.Reserve()}
	for range f.pages {
		o.pages = append(o.pages, w.Reserve())
	}
	for range f.links {
		o.annotations = append(o.annotations, w.Reserve())
	}
	o.fonts = make([]file.Ref, len(f.fonts))
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
	w.Bytes = append(o.appendResources(b, p), ">>"...)
	w.Close()
	if o.level > 0 {
		w.Deflated(contents, "", p.content)
	} else {
		w.RawStream(contents, "", p.content)
	}
	p.content = nil
}

// appendResources writes what the names in a page's content stand for (ISO 32000-1, 7.8.3).
func (o *output) appendResources(b []byte, p *page) []byte {
	b = append(b, "/Resources<<"...)
	if p.fonts != 0 {
		b = append(b, "/Font<<"...)
		for n, face := range o.Fpdf.fonts {
			if p.fonts&(1<<n) != 0 {
				if o.fonts[n] == 0 {
					o.fonts[n] = o.w.Reserve()
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
	return append(b, ">>"...)
}

func (o *output) writeCatalog(structureRoot file.Ref) {
	w, d := o.w, o.doc.description()
	w.Open(o.info)
	w.Bytes = d.AppendInfo(w.Bytes)
	w.Close()
	o.writePageTree()
	xmp := w.Reserve()
	w.RawStream(xmp, "/Type/Metadata/Subtype/XML", d.AppendXMP(nil)) // readable without a PDF reader
	profile := w.Reserve()
	w.Stream(profile, "/N 3", metadata.SRGB)
	outlines := o.writeOutline()
	attached := o.writeAttachments()

	w.Open(o.catalog)
	b := fmt.Appendf(w.Bytes, "<</Type/Catalog/Pages %d 0 R/StructTreeRoot %d 0 R/MarkInfo<</Marked true>>/ViewerPreferences<</DisplayDocTitle true>>/Lang", o.tree, structureRoot)
	b = file.AppendText(b, d.Language)
	b = fmt.Appendf(b, "/Metadata %d 0 R/OutputIntents[<</Type/OutputIntent/S/GTS_PDFA1/OutputConditionIdentifier(sRGB)/Info(sRGB, IEC 61966-2-1)/DestOutputProfile %d 0 R>>]", xmp, profile)
	if outlines != 0 {
		b = fmt.Appendf(b, "/Outlines %d 0 R", outlines)
	}
	if len(attached) > 0 {
		b = appendAttached(b, attached)
	}
	w.Bytes = append(b, ">>"...)
	w.Close()
}

// writePageTree writes the list of the pages (ISO 32000-1, 7.7.3).
func (o *output) writePageTree() {
	w := o.w
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
}
