package gofpdf

import (
	"crypto/md5"
	"fmt"
	"strconv"
	"time"

	"github.com/phpdave11/gofpdf/file"
)

// Attachment is a file that the document carries (ISO 19005-3, 6.8).
type Attachment struct {
	Name         string // with its extension
	Description  string
	MIME         string // "application/json"
	Relationship Relationship
	Modified     time.Time // required
	Data         []byte
}

// Relationship says what an attached file is to the document.
type Relationship string

// The relationships ISO 19005-3 knows.
const (
	Source      Relationship = "Source"      // what the document was made from
	Data        Relationship = "Data"        // what its tables or charts show
	Alternative Relationship = "Alternative" // the same content in another form
	Supplement  Relationship = "Supplement"  // something more
	Unspecified Relationship = "Unspecified"
)

// Attach adds a file to the document, which makes it PDF/A-3a.
func (d *Document) Attach(a Attachment) { d.options.Attachments = append(d.options.Attachments, a) }

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

// appendAttached writes the entries of the catalog that lead to attached files.
func appendAttached(b []byte, attached []file.Ref) []byte {
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
	return append(b, "]>>>>"...)
}
