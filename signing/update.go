package signing

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// This file writes the revisions that come after the seal: the evidence (DSS, ETSI EN 319 142-1, clause 5.4.2) and
// document time-stamps (clause 5.4.3). Each is written in exactly one way that follows from the document before it and
// from what it holds, and inspection writes it again and compares: a revision that differs in a single byte is not one
// of these. So the forms below are part of the promise; another form must be added beside them, never put in place.

// update is an incremental update behind a document (ISO 32000-1, 7.5.6).
type update struct {
	base    *document
	tail    []byte // what comes behind the document
	offsets map[int]int
	next    int // number of the next new object
}

func newUpdate(base *document) (*update, error) {
	size := base.trailer().get("Size")
	if size.kind != kindInteger || size.number < 1 || size.number > 8_388_607 { // ISO 32000-1, annex C
		return nil, errors.New("the trailer has no /Size that can be")
	}
	u := &update{base: base, offsets: map[int]int{}, next: int(size.number)}
	if !bytes.HasSuffix(base.file, []byte("\n")) {
		u.tail = []byte("\n")
	}
	return u, nil
}

// reserve takes the number of a new object.
func (u *update) reserve() int {
	u.next++
	return u.next - 1
}

// put writes an object, new or in place of one of the document.
func (u *update) put(number int, parts ...[]byte) {
	u.offsets[number] = len(u.base.file) + len(u.tail)
	u.tail = fmt.Appendf(u.tail, "%d 0 obj\n", number)
	for _, p := range parts {
		u.tail = append(u.tail, p...)
	}
	u.tail = append(u.tail, "\nendobj\n"...)
}

func (u *update) stream(body []byte) int {
	number := u.reserve()
	u.put(number, fmt.Appendf(nil, "<< /Length %d >>\nstream\n", len(body)), body, []byte("\nendstream"))
	return number
}

// finish writes cross-reference and trailer and gives what comes behind the document.
func (u *update) finish() []byte {
	xref := len(u.base.file) + len(u.tail)
	numbers := make([]int, 0, len(u.offsets))
	for n := range u.offsets {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	u.tail = append(u.tail, "xref\n"...)
	for i := 0; i < len(numbers); {
		run := i + 1
		for run < len(numbers) && numbers[run] == numbers[run-1]+1 {
			run++
		}
		u.tail = fmt.Appendf(u.tail, "%d %d\n", numbers[i], run-i)
		for ; i < run; i++ {
			u.tail = fmt.Appendf(u.tail, "%010d 00000 n \n", u.offsets[numbers[i]])
		}
	}
	trailer := u.base.trailer()
	u.tail = fmt.Appendf(u.tail, "trailer\n<< /Size %d /Prev %d", u.next, u.base.revisions[0].xref)
	for _, key := range []string{"Root", "Info", "ID"} {
		if v := trailer.get(key); v.end > 0 {
			u.tail = fmt.Appendf(u.tail, " /%s %s", key, u.base.file[v.start:v.end])
		}
	}
	u.tail = fmt.Appendf(u.tail, " >>\nstartxref\n%d\n%%%%EOF\n", xref)
	return u.tail
}

// splice gives the text of an object with something in place of the span from start to end.
func (d *document) splice(object value, start, end int, with string) []byte {
	out := make([]byte, 0, object.end-object.start+len(with))
	out = append(out, d.file[object.start:start]...)
	out = append(out, with...)
	return append(out, d.file[end:object.end]...)
}

// replaceable wants a reference to an object that an update may write again under its number.
func replaceable(ref value) error {
	if ref.kind != kindReference || ref.generation != 0 {
		return errors.New("the catalog or the first page is no object of generation 0")
	}
	return nil
}

// dss is the evidence that a document holds, by reference and by content.
type dss struct {
	present                     bool
	certRefs, ocspRefs, crlRefs []int
	evidence
}

// readDSS reads a DSS of the form below.
func (d *document) readDSS() (*dss, error) {
	catalog, err := d.catalog()
	if err != nil {
		return nil, err
	}
	ref := catalog.get("DSS")
	if ref.kind == kindNull {
		return &dss{}, nil
	}
	if ref.kind != kindReference {
		return nil, errors.New("the evidence (/DSS) is no object of its own")
	}
	dict, err := d.dictionary(ref, "the evidence (/DSS)")
	if err != nil {
		return nil, err
	}
	out := &dss{present: true}
	total := 0
	for _, part := range []struct {
		key  string
		refs *[]int
		list *[][]byte
	}{{"Certs", &out.certRefs, &out.certs}, {"OCSPs", &out.ocspRefs, &out.ocsps}, {"CRLs", &out.crlRefs, &out.crls}} {
		array := dict.get(part.key)
		if array.kind != kindArray && array.kind != kindNull {
			return nil, fmt.Errorf("the evidence's /%s is no array", part.key)
		}
		for _, item := range array.items {
			if total++; total > maxDSSCerts+2*maxDSSItems {
				return nil, errors.New("the evidence holds too many items")
			}
			body, err := d.stream(item)
			if err != nil {
				return nil, err
			}
			*part.refs = append(*part.refs, int(item.number))
			*part.list = append(*part.list, body)
		}
	}
	return out, nil
}

// stream gives the bytes of a stream without filters; they are a part of the file, not a copy.
func (d *document) stream(ref value) ([]byte, error) {
	if ref.kind != kindReference {
		return nil, errors.New("a stream that is not an object of its own")
	}
	dict, err := d.dictionary(ref, "a stream")
	if err != nil {
		return nil, err
	}
	length := dict.get("Length")
	if len(dict.entries) != 1 || length.kind != kindInteger || length.number < 0 {
		return nil, errors.New("a stream that has more than its length")
	}
	p := &parser{file: d.file, pos: dict.end}
	if !p.keyword("stream") || p.pos >= len(d.file) || d.file[p.pos] != '\n' {
		return nil, p.fault("no stream")
	}
	p.pos++
	if length.number > int64(len(d.file)-p.pos) {
		return nil, p.fault("a stream longer than the file")
	}
	return d.file[p.pos:][:length.number:length.number], nil
}

// withEvidence gives the revision that adds evidence to what the document holds.
func (d *document) withEvidence(more *evidence) ([]byte, error) {
	old, err := d.readDSS()
	if err != nil {
		return nil, err
	}
	catalog, err := d.catalog()
	if err != nil {
		return nil, err
	}
	root := d.trailer().get("Root")
	if err := replaceable(root); err != nil {
		return nil, err
	}
	u, err := newUpdate(d)
	if err != nil {
		return nil, err
	}
	dict := []byte("<< /Type /DSS")
	for _, part := range []struct {
		key  string
		refs []int
		list [][]byte
	}{{"Certs", old.certRefs, more.certs}, {"OCSPs", old.ocspRefs, more.ocsps}, {"CRLs", old.crlRefs, more.crls}} {
		refs := slices.Clone(part.refs)
		for _, body := range part.list {
			refs = append(refs, u.stream(body))
		}
		if len(refs) == 0 {
			continue
		}
		dict = fmt.Appendf(dict, " /%s [", part.key)
		for i, n := range refs {
			if i > 0 {
				dict = append(dict, ' ')
			}
			dict = fmt.Appendf(dict, "%d 0 R", n)
		}
		dict = append(dict, ']')
	}
	number := u.reserve()
	u.put(number, append(dict, " >>"...))
	ref := strconv.Itoa(number) + " 0 R"
	if v := catalog.get("DSS"); v.end > 0 {
		u.put(int(root.number), d.splice(catalog, v.start, v.end, ref))
	} else {
		u.put(int(root.number), d.splice(catalog, catalog.end-2, catalog.end-2, "/DSS "+ref+" "))
	}
	return u.finish(), nil
}

// withStamp gives the revision with a document time-stamp whose value has reserve bytes, all zero for now, and where
// the value stands in the finished file, brackets included.
func (d *document) withStamp(reserve int) (tail []byte, start, end int, err error) {
	fail := func(err error) ([]byte, int, int, error) { return nil, 0, 0, err }
	catalog, err := d.catalog()
	if err != nil {
		return fail(err)
	}
	pageRef, page, err := d.firstPage(catalog)
	if err != nil {
		return fail(err)
	}
	root := d.trailer().get("Root")
	if err := errors.Join(replaceable(root), replaceable(pageRef)); err != nil {
		return fail(err)
	}
	form := catalog.get("AcroForm")
	fields, annots := form.get("Fields"), page.get("Annots")
	if form.kind != kindDictionary || fields.kind != kindArray || annots.kind != kindArray {
		return fail(errors.New("the form's fields or the first page's annotations are not where the seal puts them"))
	}
	u, err := newUpdate(d)
	if err != nil {
		return fail(err)
	}
	signature, field := u.reserve(), u.reserve()

	// The value is the only thing left out; its place, and so the numbers of /ByteRange, follow from their own length,
	// so they stand in a field of fixed width.
	before := "<< /Type /DocTimeStamp /Filter /Adobe.PPKLite /SubFilter /ETSI.RFC3161 /ByteRange "
	const width = len("[0 0000000000 0000000000 0000000000]")
	u.put(signature, fmt.Appendf(nil, "%s%*s /Contents <", before, width, ""), bytes.Repeat([]byte{'0'}, hex.EncodedLen(reserve)), []byte("> >>"))
	object := u.offsets[signature] + len(fmt.Sprintf("%d 0 obj\n", signature))
	ranges := object + len(before)
	start = ranges + width + len(" /Contents ")
	end = start + hex.EncodedLen(reserve) + 2

	u.put(field, fmt.Appendf(nil, "<< /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /F 132 /FT /Sig /T (Time-stamp %d) /P %d 0 R /V %d 0 R >>",
		len(fields.items), pageRef.number, signature))
	ref := " " + strconv.Itoa(field) + " 0 R"
	u.put(int(pageRef.number), d.splice(page, annots.end-1, annots.end-1, ref))
	u.put(int(root.number), d.splice(catalog, fields.end-1, fields.end-1, ref))
	tail = u.finish()

	text := fmt.Sprintf("[0 %d %d %d]", start, end, len(d.file)+len(tail)-end)
	copy(tail[ranges-len(d.file):], fmt.Sprintf("%-*s", width, text))
	return tail, start, end, nil
}
