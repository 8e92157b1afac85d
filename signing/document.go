package signing

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxSize is the largest file that is sealed or inspected, in bytes.
const MaxSize = 128 << 20

// CheckDocument says whether a PDF can be sealed, and if not, everything that it lacks. The error wraps ErrUnfit.
//
// A document to seal is a PDF 1.7 (header %PDF-1.7, so that readers know signatures of this kind and no /Version key is
// needed) with a cross-reference table (not a stream) and a trailer /ID of two hexadecimal strings (ISO 32000-1, 14.4);
// it is not encrypted and has no form. Strings that stand directly in its catalog are plain ASCII without parentheses
// and backslashes, because pdfsign copies them unescaped.
func CheckDocument(pdf []byte) error {
	_, err := planSeal(pdf)
	return err
}

// sealPlan is a document that can be sealed.
type sealPlan struct {
	file    []byte
	read    *document
	catalog value
	page    value // reference of the first page, which carries the signature field
	before  []byte
	annots  []byte // what the page's /Annots holds already, without brackets
	after   []byte
	object  value // the page's dictionary
}

func planSeal(file []byte) (*sealPlan, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(file) > MaxSize {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, ErrTooLarge)
	}
	d, err := readDocument(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	if d.version != "1.7" {
		fault("the header says PDF %q: 1.7 is needed", d.version)
	}
	trailer := d.trailer()
	if id := trailer.get("ID"); id.kind != kindArray || len(id.items) != 2 || !isFileID(id.items[0]) || !isFileID(id.items[1]) {
		fault("the trailer has no /ID of two hexadecimal strings")
	}
	if trailer.get("Encrypt").kind != kindNull {
		fault("the document is encrypted")
	}
	// pdfsign edits the trailer as text, so these must stand there exactly once and in the plain form.
	text := string(file[trailer.start:trailer.end])
	if root := trailer.get("Root"); root.kind != kindReference || strings.Count(text, fmt.Sprintf("Root %d %d R", root.number, root.generation)) != 1 {
		fault("the trailer does not write its /Root in the plain form, once")
	}
	if size := trailer.get("Size"); size.kind != kindInteger || strings.Count(text, fmt.Sprintf("Size %d", size.number)) != 1 {
		fault("the trailer does not write its /Size in the plain form, once")
	}

	p := &sealPlan{file: file, read: d}
	if p.catalog, err = d.catalog(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, errors.Join(append(faults, err)...))
	}
	if p.catalog.get("AcroForm").kind != kindNull {
		fault("the document has a form already (/AcroForm)")
	}
	if p.catalog.get("DSS").kind != kindNull {
		fault("the document holds evidence about signatures already (/DSS)")
	}
	if !copiesWell(p.catalog) {
		fault("the catalog directly holds a string or a name that pdfsign cannot copy; make it an object of its own")
	}
	if p.page, p.object, err = d.firstPage(p.catalog); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, errors.Join(append(faults, err)...))
	}
	if p.page.generation != 0 {
		fault("the first page is an object of a later generation")
	}
	annots, err := d.resolve(p.object.get("Annots"))
	switch {
	case err != nil:
		fault("the annotations of the first page: %w", err)
	case annots.kind == kindArray:
		p.annots = file[annots.start+1 : annots.end-1]
	case annots.kind != kindNull:
		fault("the annotations of the first page are no array")
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}

	// The page's dictionary, cut where /Annots goes.
	if own := p.object.get("Annots"); own.end > 0 {
		p.before, p.after = file[p.object.start:own.start], file[own.end:p.object.end]
	} else {
		p.before = append(bytes.Clone(file[p.object.start:p.object.end-len(">>")]), "\n/Annots "...)
		p.after = []byte("\n>>")
	}
	return p, nil
}

// pageWith gives the page's dictionary with one more annotation.
func (p *sealPlan) pageWith(annotation int) []byte {
	page := append(bytes.Clone(p.before), '[')
	page = append(page, p.annots...)
	if len(p.annots) > 0 {
		page = append(page, ' ')
	}
	page = strconv.AppendInt(page, int64(annotation), 10)
	page = append(page, " 0 R]"...)
	return append(page, p.after...)
}

func isFileID(v value) bool { return v.kind == kindString && v.hex && len(v.text) >= 16 }

// copiesWell says whether printing the value again, as pdfsign does, gives the same value.
func copiesWell(v value) bool {
	switch v.kind {
	case kindString:
		return printableASCII(v.text) && !strings.ContainsAny(v.text, `()\`)
	case kindName:
		return plainName(v.text)
	}
	for _, item := range v.items {
		if !copiesWell(item) {
			return false
		}
	}
	for _, e := range v.entries {
		if !plainName(e.key) || !copiesWell(e.value) {
			return false
		}
	}
	return true
}

func plainName(s string) bool {
	for i := range len(s) {
		if !isRegular(s[i]) || s[i] < '!' || s[i] > '~' || s[i] == '#' {
			return false
		}
	}
	return true
}

// unchanged proves that sealed is the document, byte for byte, and behind it a revision that says the same but for the
// form and the page's annotations. d is what inspection read of sealed up to that revision.
func (p *sealPlan) unchanged(sealed []byte, d *document) error {
	if !bytes.HasPrefix(sealed, p.file) {
		return errors.New("the sealed document does not begin with the bytes that were to be sealed")
	}
	before := p.read
	if len(d.revisions) != len(before.revisions)+1 || d.revisions[1].xref != before.revisions[0].xref {
		return errors.New("the seal is not one revision after the document")
	}
	if !before.trailer().get("ID").equal(d.trailer().get("ID")) || !before.trailer().get("Info").equal(d.trailer().get("Info")) {
		return errors.New("the seal changed the trailer")
	}
	catalog, err := d.catalog()
	if err != nil {
		return err
	}
	if !sameBut(p.catalog, catalog, "AcroForm") {
		return errors.New("the seal changed the catalog")
	}
	ref, page, err := d.firstPage(catalog)
	if err != nil {
		return err
	}
	if ref.number != p.page.number || !sameBut(p.object, page, "Annots") {
		return errors.New("the seal changed the first page")
	}
	return nil
}

// sameBut compares two dictionaries, leaving one key aside.
func sameBut(a, b value, key string) bool {
	without := func(v value) value {
		entries := make([]entry, 0, len(v.entries))
		for _, e := range v.entries {
			if e.key != key {
				entries = append(entries, e)
			}
		}
		v.entries = entries
		return v
	}
	return without(a).equal(without(b))
}
