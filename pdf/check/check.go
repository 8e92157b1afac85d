// Package check judges the PDF files that this module writes, by the rules of PDF/A-2a or PDF/A-3a (ISO 19005) and
// PDF/UA-1 (ISO 14289-1) that such files could break. It shares no code with the writer and trusts nothing it says.
//
// It is quick (a certificate takes less than a millisecond), so a document can be judged before it is sealed. It is not
// veraPDF: it knows only the kinds of objects that the writer writes and refuses every other one, so what it passes is
// conformant for all veraPDF was seen to say, and a conformant file of another program may be refused. The module's
// tests give the same good and broken files to both.
package check

import (
	"bytes"
	"errors"
	"fmt"
)

// Violation is a rule that a file breaks.
type Violation struct {
	Clause string // "A 6.2.11.4.1" of ISO 19005-2, "UA 7.3" of ISO 14289-1, "PDF 7.5.4" of ISO 32000-1
	Detail string
}

func (v Violation) Error() string { return v.Clause + ": " + v.Detail }

// File judges a file and returns every violation found, joined; nil when there is none. Single violations are found
// with errors.As.
func File(pdf []byte) error {
	j := &judge{}
	if !bytes.HasPrefix(pdf, []byte("%PDF-1.7\n%")) || len(pdf) < 14 || !above(pdf[10:14]) {
		j.violated("A 6.1.2", "the file must begin with %%PDF-1.7 and a comment of four bytes above 127")
	}
	f, err := open(pdf)
	if err != nil {
		j.violated("PDF 7.5", "%v", err)
		return errors.Join(j.found...)
	}
	j.file = f
	j.all()
	return errors.Join(j.found...)
}

func above(b []byte) bool {
	for _, c := range b {
		if c < 128 {
			return false
		}
	}
	return true
}

// judge goes through a file.
type judge struct {
	*file
	found []error

	catalog  dict
	pages    []*leaf
	byPage   map[ref]*leaf
	fonts    map[ref]*fontFacts
	elements map[ref]*element
	attached bool
}

// leaf is a page.
type leaf struct {
	self  ref
	dict  dict
	key   int            // StructParents
	marks map[int]string // by MCID: its tag
	sees  bool           // something on it is transparent
}

const mostViolations = 200

func (j *judge) violated(clause, format string, args ...any) {
	if len(j.found) < mostViolations {
		j.found = append(j.found, Violation{clause, fmt.Sprintf(format, args...)})
	}
}

func (j *judge) all() {
	if id, ok := j.trailer["ID"].(array); !ok || len(id) != 2 {
		j.violated("A 6.1.3", "the trailer has no ID")
	}
	if j.trailer["Encrypt"] != nil {
		j.violated("A 6.1.3", "the file is encrypted")
	}
	var ok bool
	if j.catalog, ok = as[dict](j.file, j.trailer["Root"]); !ok || j.catalog["Type"] != name("Catalog") {
		j.violated("PDF 7.7.2", "the file has no catalog")
		return
	}
	for r := range j.where { // every object is read, not only those in use
		if _, err := j.get(r); err != nil {
			j.violated("PDF 7.3", "%v", err)
		}
	}
	j.document()
	j.metadata()
	j.intent()
	j.pageTree()
	j.readElements()
	j.fonts = map[ref]*fontFacts{}
	for i, p := range j.pages {
		j.page(i, p)
	}
	j.judgeFonts()
	j.structure()
	j.attachments()
}

// document judges what the catalog says of the whole.
func (j *judge) document() {
	c := j.catalog
	if lang, ok := as[text](j.file, c["Lang"]); !ok || len(lang) < 2 {
		j.violated("UA 7.2", "the document does not say its language")
	}
	if m, ok := as[dict](j.file, c["MarkInfo"]); !ok || m["Marked"] != true {
		j.violated("A 6.7.2", "the document is not marked as tagged")
	} else if m["Suspects"] == true {
		j.violated("UA 7.1", "the tags are suspect")
	}
	if v, ok := as[dict](j.file, c["ViewerPreferences"]); !ok || v["DisplayDocTitle"] != true {
		j.violated("UA 7.1", "the title is not displayed")
	}
	for _, key := range []name{"OpenAction", "AA", "NeedsRendering", "Perms", "Requirements", "OCProperties", "AlternatePresentations"} {
		if c[key] != nil {
			j.violated("A 6.5", "the catalog has %s", key)
		}
	}
	if names, ok := as[dict](j.file, c["Names"]); ok {
		for key := range names {
			if key != "EmbeddedFiles" {
				j.violated("A 6.5", "the catalog names %s", key)
			}
		}
	}
}

// intent judges the output intent: sRGB, so that DeviceRGB and DeviceGray mean something.
func (j *judge) intent() {
	intents, _ := as[array](j.file, j.catalog["OutputIntents"])
	if len(intents) != 1 {
		j.violated("A 6.2.3", "there must be one output intent")
		return
	}
	i, _ := as[dict](j.file, intents[0])
	profile, ok := as[stream](j.file, i["DestOutputProfile"])
	if i["S"] != name("GTS_PDFA1") || !ok || profile.dict["N"] != 3 {
		j.violated("A 6.2.3", "the output intent has no RGB profile")
		return
	}
	data, err := j.decode(profile)
	if err != nil || len(data) < 132 || string(data[36:40]) != "acsp" || string(data[16:20]) != "RGB " || string(data[12:16]) != "mntr" {
		j.violated("A 6.2.3", "the output intent's profile is no ICC display profile")
	}
}

// pageTree collects the pages.
func (j *judge) pageTree() {
	j.byPage = map[ref]*leaf{}
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		r, _ := v.(ref)
		d, ok := as[dict](j.file, v)
		if !ok || depth > deepest {
			j.violated("PDF 7.7.3", "the page tree is broken")
			return
		}
		if d["Type"] == name("Pages") {
			kids, _ := as[array](j.file, d["Kids"])
			for _, k := range kids {
				walk(k, depth+1)
			}
			return
		}
		key, ok := d["StructParents"].(int)
		if !ok {
			j.violated("UA 7.1", "page %d does not lead to the structure", len(j.pages)+1)
			key = -1
		}
		p := &leaf{self: r, dict: d, key: key, marks: map[int]string{}}
		j.pages = append(j.pages, p)
		j.byPage[r] = p
	}
	walk(j.catalog["Pages"], 0)
	if len(j.pages) == 0 {
		j.violated("PDF 7.7.3", "the document has no page")
	}
}

// attachments judges the files attached (ISO 19005-3, 6.8).
func (j *judge) attachments() {
	specs := 0
	for r := range j.where {
		d, ok := as[dict](j.file, r)
		if !ok || d["Type"] != name("Filespec") {
			continue
		}
		specs++
		_, f := d["F"].(text)
		_, uf := d["UF"].(text)
		ef, _ := as[dict](j.file, d["EF"])
		data, ok := as[stream](j.file, ef["F"])
		_, subtype := data.dict["Subtype"].(name)
		parameters, _ := as[dict](j.file, data.dict["Params"])
		_, modified := parameters["ModDate"].(text)
		switch {
		case !f || !uf || !ok:
			j.violated("A3 6.8", "an attached file is not there or has no name")
		case !subtype || !modified:
			j.violated("A3 6.8", "an attached file has no MIME type or date")
		case d["AFRelationship"] == nil:
			j.violated("A3 6.8", "an attached file does not say what it is to the document")
		}
	}
	af, _ := as[array](j.file, j.catalog["AF"])
	if specs != len(af) {
		j.violated("A3 6.8", "an attached file belongs to no part of the document")
	}
	if specs > 0 && !j.attached {
		j.violated("A 6.8", "only PDF/A-3 has attached files")
	}
}
