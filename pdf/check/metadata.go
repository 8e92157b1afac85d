package check

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
)

const (
	dc      = "http://purl.org/dc/elements/1.1/"
	xmpNS   = "http://ns.adobe.com/xap/1.0/"
	pdfNS   = "http://ns.adobe.com/pdf/1.3/"
	pdfaid  = "http://www.aiim.org/pdfa/ns/id/"
	pdfuaid = "http://www.aiim.org/pdfua/ns/id/"
	schema  = "http://www.aiim.org/pdfa/ns/schema#"
)

// metadata judges the XMP packet and that the information dictionary says the same.
func (j *judge) metadata() {
	s, ok := as[stream](j.file, j.catalog["Metadata"])
	if !ok || s.dict["Type"] != name("Metadata") || s.dict["Subtype"] != name("XML") {
		j.violated("A 6.6.2.1", "the document has no metadata")
		return
	}
	if s.dict["Filter"] != nil {
		j.violated("A 6.6.2.1", "the metadata cannot be read without a PDF reader")
		return
	}
	said, err := properties(s.data)
	if err != nil {
		j.violated("A 6.6.2.1", "the metadata is no XML: %v", err)
		return
	}
	part := said[xml.Name{Space: pdfaid, Local: "part"}]
	j.attached = part == "3"
	if part != "2" && part != "3" || said[xml.Name{Space: pdfaid, Local: "conformance"}] != "A" {
		j.violated("A 6.6.4", "the metadata does not say PDF/A-2a or PDF/A-3a")
	}
	if said[xml.Name{Space: pdfuaid, Local: "part"}] != "1" {
		j.violated("UA 5", "the metadata does not say PDF/UA-1")
	}
	if said[xml.Name{Space: schema, Local: "namespaceURI"}] != pdfuaid {
		j.violated("A 6.6.2.3", "the metadata does not describe the PDF/UA schema")
	}
	if strings.TrimSpace(said[xml.Name{Space: dc, Local: "title"}]) == "" {
		j.violated("UA 7.1", "the document has no title")
	}
	info, ok := as[dict](j.file, j.trailer["Info"])
	if !ok {
		return
	}
	for key, in := range map[name]xml.Name{
		"Title": {Space: dc, Local: "title"}, "Author": {Space: dc, Local: "creator"}, "Subject": {Space: dc, Local: "description"},
		"Keywords": {Space: pdfNS, Local: "Keywords"}, "Creator": {Space: xmpNS, Local: "CreatorTool"}, "Producer": {Space: pdfNS, Local: "Producer"},
	} {
		v, ok := info[key].(text)
		if ok && plain(v) != said[in] || !ok && said[in] != "" {
			j.violated("A 6.6.3", "%s is one thing in the metadata and another in the information dictionary", key)
		}
	}
	for key, in := range map[name]xml.Name{"CreationDate": {Space: xmpNS, Local: "CreateDate"}, "ModDate": {Space: xmpNS, Local: "ModifyDate"}} {
		if v, ok := info[key].(text); ok && digits(string(v)) != digits(said[in]) {
			j.violated("A 6.6.3", "%s is one thing in the metadata and another in the information dictionary", key)
		}
	}
}

// properties returns the text of each property of an XMP packet.
func properties(packet []byte) (map[xml.Name]string, error) {
	said := map[xml.Name]string{}
	d := xml.NewDecoder(bytes.NewReader(packet))
	var open []xml.Name
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return said, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			open = append(open, t.Name)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			value := string(t)
			if strings.TrimSpace(value) == "" {
				break
			}
			for i := len(open) - 1; i >= 0; i-- { // a value in rdf:Alt/rdf:li belongs to the property around it
				if open[i].Space != "http://www.w3.org/1999/02/22-rdf-syntax-ns#" {
					said[open[i]] += value
					break
				}
			}
		}
	}
}

// plain returns the characters of a text string.
func plain(t text) string {
	if !strings.HasPrefix(string(t), "\xFE\xFF") {
		return string(t)
	}
	var units []uint16
	for i := 2; i+1 < len(t); i += 2 {
		units = append(units, uint16(t[i])<<8|uint16(t[i+1]))
	}
	return string(utf16.Decode(units))
}

// digits returns the digits of a date, without those of an offset of zero.
func digits(s string) string {
	d := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	if len(d) == 18 && strings.HasSuffix(d, "0000") {
		d = d[:14]
	}
	return d
}
