// Package metadata writes what a PDF says about itself: the information dictionary and the XMP packet, from one source
// so that they always agree (ISO 19005-2, 6.6.3), and the sRGB output intent.
package metadata

import (
	"encoding/xml"
	"strings"
	"time"

	"github.com/phpdave11/gofpdf/file"
)

// Description is what a document says about itself. Empty texts and a zero time are left out.
type Description struct {
	Title    string // required by PDF/UA
	Language string // BCP 47 tag of the title
	Author   string
	Subject  string
	Keywords string
	Creator  string    // the program the document was made for
	Producer string    // the program that wrote the file
	Created  time.Time // to the second
	Part     int       // of ISO 19005: 2, or 3 with attached files; the conformance level is A
}

// AppendInfo writes the information dictionary.
func (d Description) AppendInfo(b []byte) []byte {
	b = append(b, "<<"...)
	for _, e := range []struct{ key, text string }{
		{"/Title", d.Title}, {"/Author", d.Author}, {"/Subject", d.Subject},
		{"/Keywords", d.Keywords}, {"/Creator", d.Creator}, {"/Producer", d.Producer},
	} {
		if e.text != "" {
			b = file.AppendText(append(b, e.key...), e.text)
		}
	}
	if !d.Created.IsZero() {
		b = file.AppendDate(append(b, "/CreationDate"...), d.Created)
		b = file.AppendDate(append(b, "/ModDate"...), d.Created)
	}
	return append(b, ">>"...)
}

// AppendXMP writes the XMP packet (ISO 16684-1) with the identification of PDF/A and PDF/UA. The PDF/UA schema is not
// among those PDF/A knows, so it is described in the packet (ISO 19005-2, 6.6.2.3.3).
func (d Description) AppendXMP(b []byte) []byte {
	b = append(b, "<?xpacket begin=\"\uFEFF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"+
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">`+
		`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"`+
		` xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"`+
		` xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"`+
		` xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">`+"\n"...)
	b = append(b, "<pdfaid:part>"...)
	b = append(b, byte('0'+d.Part))
	b = append(b, "</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance><pdfuaid:part>1</pdfuaid:part>\n<dc:format>application/pdf</dc:format>\n"...)
	if d.Title != "" {
		b = alternative(b, "dc:title", d.Title)
	}
	if d.Language != "" {
		b = element(append(b, "<dc:language><rdf:Bag>"...), "rdf:li", d.Language)
		b = append(b, "</rdf:Bag></dc:language>\n"...)
	}
	if d.Author != "" {
		b = element(append(b, "<dc:creator><rdf:Seq>"...), "rdf:li", d.Author)
		b = append(b, "</rdf:Seq></dc:creator>\n"...)
	}
	if d.Subject != "" {
		b = alternative(b, "dc:description", d.Subject)
	}
	for _, e := range []struct{ name, text string }{
		{"pdf:Keywords", d.Keywords}, {"xmp:CreatorTool", d.Creator}, {"pdf:Producer", d.Producer},
	} {
		if e.text != "" {
			b = append(element(b, e.name, e.text), '\n')
		}
	}
	if !d.Created.IsZero() {
		at := d.Created.Format("2006-01-02T15:04:05Z07:00")
		b = append(element(element(b, "xmp:CreateDate", at), "xmp:ModifyDate", at), '\n')
	}
	return append(b, `<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">`+
		`<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>`+
		`<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:schema>PDF/UA identification</pdfaSchema:schema>`+
		`<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">`+
		`<pdfaProperty:category>internal</pdfaProperty:category><pdfaProperty:description>Part of ISO 14289</pdfaProperty:description>`+
		`<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>`+
		`</rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas>`+"\n"+
		"</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>"...)
}

func element(b []byte, name, text string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	b = append(b, escape(text)...)
	return append(append(append(b, "</"...), name...), '>')
}

func alternative(b []byte, name, text string) []byte {
	b = append(append(append(b, '<'), name...), `><rdf:Alt><rdf:li xml:lang="x-default">`...)
	b = append(b, escape(text)...)
	return append(append(append(b, "</rdf:li></rdf:Alt></"...), name...), ">\n"...)
}

func escape(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == '<' || r == '>' || r == '&' || r == '"' || r == '\'' || r >= 0xD800
	}) {
		return text
	}
	var s strings.Builder
	_ = xml.EscapeText(&s, []byte(text)) // a strings.Builder takes everything
	return s.String()
}
