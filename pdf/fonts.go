package gofpdf

import (
	"fmt"
	"strconv"

	"github.com/phpdave11/gofpdf/file"
	"github.com/phpdave11/gofpdf/font"
)

// writeFonts writes the faces in use as composite fonts (ISO 32000-1, 9.7).
func (o *output) writeFonts() error {
	for i, face := range o.Fpdf.fonts {
		if o.fonts[i] == 0 {
			continue
		}
		if err := o.writeFont(o.fonts[i], face); err != nil {
			return fmt.Errorf("pdf: font %s %s: %w", face.family, face.style, err)
		}
	}
	return nil
}

func (o *output) writeFont(ref file.Ref, face *face) error {
	program, err := face.subset.Program()
	if err != nil {
		return err
	}
	w, name := o.w, face.subset.Name()
	descendant, descriptor, data, unicode := w.Reserve(), w.Reserve(), w.Reserve(), w.Reserve()
	w.Open(ref)
	w.Bytes = fmt.Appendf(w.Bytes, "<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>", name, descendant, unicode)
	w.Close()
	w.Open(descendant)
	w.Bytes = fmt.Appendf(w.Bytes, "<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/FontDescriptor %d 0 R/CIDToGIDMap/Identity/DW 0/W", name, descriptor)
	w.Bytes = append(append(w.Bytes, face.subset.Widths()...), ">>"...)
	w.Close()
	w.Open(descriptor)
	w.Bytes = appendDescriptor(w.Bytes, face.Face, name, data)
	w.Close()
	w.Stream(data, "/Length1 "+strconv.Itoa(len(program)), program)
	w.Stream(unicode, "", face.subset.ToUnicode())
	return nil
}

// appendDescriptor writes the measures of a face (ISO 32000-1, 9.8), in thousandths of an em.
func appendDescriptor(b []byte, face *font.Face, name string, program file.Ref) []byte {
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
	b = fmt.Appendf(b, "<</Type/FontDescriptor/FontName/%s/Flags %d/FontFile2 %d 0 R/StemV %d/ItalicAngle ", name, flags, program, face.StemV)
	b = file.AppendNumber(b, face.ItalicAngle, 2)
	scale := 1000 / float64(face.UnitsPerEm)
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
	return append(b, "]>>"...)
}
