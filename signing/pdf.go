package signing

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// This file reads just as much of a PDF as a seal needs: cross-reference tables, trailers, and single objects by number
// (ISO 32000-1, clauses 7.2, 7.3 and 7.5). It is strict, for it reads what Segell made: cross-reference streams, object
// streams, hybrid and repaired files are refused, and so is a key that occurs twice in a dictionary. Every loop is
// bounded by the length of the file or by one of the limits below, and nothing is decompressed, so a hostile file costs
// no more than its size.

const (
	maxDepth     = 32     // nested arrays and dictionaries
	maxValues    = 50_000 // values in one object
	maxRevisions = 64
	maxSections  = 1000 // of one cross-reference table
	maxTreeDepth = 32   // of the page tree
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindInteger
	kindReal
	kindName
	kindString
	kindArray
	kindDictionary
	kindReference
)

// value is a parsed object and where it stands in the file.
type value struct {
	kind       kind
	start, end int // span in the file: file[start:end]
	number     int64
	generation int
	text       string // of a name or string: decoded; of a real: as written
	hex        bool   // a string written in hexadecimal
	items      []value
	entries    []entry
}

type entry struct {
	key   string
	value value
}

// get gives the value of a dictionary's key; null when it has none.
func (v value) get(key string) value {
	for _, e := range v.entries {
		if e.key == key {
			return e.value
		}
	}
	return value{}
}

func (v value) isName(name string) bool { return v.kind == kindName && v.text == name }

// parser reads objects from one position of the file.
type parser struct {
	file   []byte
	pos    int
	values int
}

var errSyntax = errors.New("not the syntax of a PDF object")

func (p *parser) fault(why string) error {
	return fmt.Errorf("%w at byte %d: %s", errSyntax, p.pos, why)
}

func isSpace(c byte) bool {
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' '
}

func isDelimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

func isRegular(c byte) bool { return !isSpace(c) && !isDelimiter(c) }

func (p *parser) skip() {
	for p.pos < len(p.file) {
		c := p.file[p.pos]
		switch {
		case isSpace(c):
			p.pos++
		case c == '%':
			for p.pos < len(p.file) && p.file[p.pos] != '\n' && p.file[p.pos] != '\r' {
				p.pos++
			}
		default:
			return
		}
	}
}

// spaces skips white space, but no comment.
func (p *parser) spaces() {
	for p.pos < len(p.file) && isSpace(p.file[p.pos]) {
		p.pos++
	}
}

// word reads a run of regular characters.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.file) && isRegular(p.file[p.pos]) {
		p.pos++
	}
	return string(p.file[start:p.pos])
}

// keyword skips white space and takes word when it stands there.
func (p *parser) keyword(word string) bool {
	p.skip()
	at := p.pos
	if !bytes.HasPrefix(p.file[at:], []byte(word)) {
		return false
	}
	if end := at + len(word); end < len(p.file) && isRegular(p.file[end]) {
		return false
	}
	p.pos = at + len(word)
	return true
}

// integer reads an unsigned integer of at most ten digits.
func (p *parser) integer() (int, bool) {
	p.skip()
	at := p.pos
	word := p.word()
	if len(word) == 0 || len(word) > 10 {
		p.pos = at
		return 0, false
	}
	n, err := strconv.ParseUint(word, 10, 63)
	if err != nil {
		p.pos = at
		return 0, false
	}
	return int(n), true
}

func (p *parser) object(depth int) (value, error) {
	if depth > maxDepth {
		return value{}, p.fault("nested too deep")
	}
	if p.values++; p.values > maxValues {
		return value{}, p.fault("too many values in one object")
	}
	p.skip()
	if p.pos >= len(p.file) {
		return value{}, p.fault("the file ends here")
	}
	start := p.pos
	var v value
	var err error
	switch c := p.file[p.pos]; {
	case c == '/':
		v, err = p.name()
	case c == '(':
		v, err = p.literal()
	case c == '<' && p.pos+1 < len(p.file) && p.file[p.pos+1] == '<':
		v, err = p.dictionary(depth)
	case c == '<':
		v, err = p.hexadecimal()
	case c == '[':
		v, err = p.array(depth)
	case isRegular(c):
		v, err = p.scalar()
	default:
		err = p.fault("no object begins so")
	}
	v.start, v.end = start, p.pos
	return v, err
}

func (p *parser) name() (value, error) {
	p.pos++ // the slash
	word := p.word()
	if !bytes.Contains([]byte(word), []byte{'#'}) {
		return value{kind: kindName, text: word}, nil
	}
	var name []byte
	for i := 0; i < len(word); i++ {
		if word[i] != '#' {
			name = append(name, word[i])
			continue
		}
		if i+2 >= len(word) {
			return value{}, p.fault("a broken escape in a name")
		}
		hi, ok1 := hexDigit(word[i+1])
		lo, ok2 := hexDigit(word[i+2])
		if !ok1 || !ok2 {
			return value{}, p.fault("a broken escape in a name")
		}
		name = append(name, hi<<4|lo)
		i += 2
	}
	return value{kind: kindName, text: string(name)}, nil
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func (p *parser) literal() (value, error) {
	p.pos++ // the parenthesis
	var text []byte
	for open := 1; ; p.pos++ {
		if p.pos >= len(p.file) {
			return value{}, p.fault("a string without its end")
		}
		c := p.file[p.pos]
		switch c {
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				p.pos++
				return value{kind: kindString, text: string(text)}, nil
			}
		case '\\':
			if p.pos++; p.pos >= len(p.file) {
				return value{}, p.fault("a string without its end")
			}
			switch e := p.file[p.pos]; e {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case '\n':
				continue
			case '\r':
				if p.pos+1 < len(p.file) && p.file[p.pos+1] == '\n' {
					p.pos++
				}
				continue
			case '0', '1', '2', '3', '4', '5', '6', '7':
				n := int(e - '0')
				for range 2 {
					if p.pos+1 >= len(p.file) || p.file[p.pos+1] < '0' || p.file[p.pos+1] > '7' {
						break
					}
					p.pos++
					n = n*8 + int(p.file[p.pos]-'0')
				}
				c = byte(n)
			default:
				c = e
			}
		}
		text = append(text, c)
	}
}

func (p *parser) hexadecimal() (value, error) {
	p.pos++ // the bracket
	end := bytes.IndexByte(p.file[p.pos:], '>')
	if end < 0 {
		return value{}, p.fault("a string without its end")
	}
	digits := p.file[p.pos : p.pos+end]
	text := make([]byte, 0, len(digits)/2+1)
	var high byte
	odd := false
	for _, c := range digits {
		if isSpace(c) {
			continue
		}
		d, ok := hexDigit(c)
		if !ok {
			return value{}, p.fault("a hexadecimal string with other characters")
		}
		if odd {
			text = append(text, high<<4|d)
		}
		high, odd = d, !odd
	}
	if odd {
		text = append(text, high<<4)
	}
	p.pos += end + 1
	return value{kind: kindString, text: string(text), hex: true}, nil
}

func (p *parser) array(depth int) (value, error) {
	p.pos++ // the bracket
	v := value{kind: kindArray}
	for {
		p.skip()
		if p.pos >= len(p.file) {
			return v, p.fault("an array without its end")
		}
		if p.file[p.pos] == ']' {
			p.pos++
			return v, nil
		}
		item, err := p.object(depth + 1)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
	}
}

const maxKeys = 1000 // of one dictionary: looking for doubles is quadratic

func (p *parser) dictionary(depth int) (value, error) {
	p.pos += 2 // the brackets
	v := value{kind: kindDictionary, entries: make([]entry, 0, 4)}
	for {
		p.skip()
		if bytes.HasPrefix(p.file[p.pos:], []byte(">>")) {
			p.pos += 2
			return v, nil
		}
		if p.pos >= len(p.file) || p.file[p.pos] != '/' {
			return v, p.fault("a dictionary's key must be a name")
		}
		key, err := p.name()
		if err != nil {
			return v, err
		}
		item, err := p.object(depth + 1)
		if err != nil {
			return v, err
		}
		if len(v.entries) == maxKeys {
			return v, p.fault("too many keys in a dictionary")
		}
		for _, e := range v.entries {
			if e.key == key.text {
				return v, p.fault("a key occurs twice in a dictionary")
			}
		}
		v.entries = append(v.entries, entry{key.text, item})
	}
}

// scalar reads a number, a reference, true, false or null.
func (p *parser) scalar() (value, error) {
	word := p.word()
	switch word {
	case "null":
		return value{}, nil
	case "true":
		return value{kind: kindBool, number: 1}, nil
	case "false":
		return value{kind: kindBool}, nil
	}
	if len(word) > 32 {
		return value{}, p.fault("not a number")
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		if _, err := strconv.ParseFloat(word, 64); err != nil || bytes.ContainsAny([]byte(word), "eExXpPnNiI_") {
			return value{}, p.fault("not a number")
		}
		return value{kind: kindReal, text: word}, nil
	}
	if word[0] == '+' || word[0] == '-' {
		return value{kind: kindInteger, number: n}, nil
	}
	at := p.pos
	if generation, ok := p.integer(); ok && p.keyword("R") {
		return value{kind: kindReference, number: n, generation: generation}, nil
	}
	p.pos = at
	return value{kind: kindInteger, number: n}, nil
}

// document is a PDF file whose cross-reference was read.
type document struct {
	file      []byte
	version   string     // of the header: "1.7"
	revisions []revision // newest first
}

// revision is one cross-reference table and its trailer.
type revision struct {
	xref     int // where the table begins
	sections []section
	trailer  value
	end      int // after its %%EOF; 0 when none stands behind the trailer
}

// section is a run of entries, 20 bytes each (ISO 32000-1, 7.5.4).
type section struct{ first, count, at int }

const entryLength = 20

// readDocument reads the skeleton of a file. It gives ErrNotPDF when the file does not begin like a PDF.
func readDocument(file []byte) (*document, error) {
	if len(file) < len("%PDF-1.7\n") || !bytes.HasPrefix(file, []byte("%PDF-")) {
		return nil, ErrNotPDF
	}
	d := &document{file: file, version: string(file[5:8])}

	at, startxref, err := lastXref(file)
	if err != nil {
		return nil, err
	}
	for {
		rev, next, err := d.readRevision(at)
		if err != nil {
			return nil, err
		}
		if len(d.revisions) == 0 {
			// The end of the file belongs to the newest revision: nothing stands between its trailer and startxref.
			p := parser{file: file, pos: next}
			if p.skip(); p.pos != startxref {
				return nil, p.fault("something stands between the last trailer and the end of the file")
			}
		}
		rev.end = endOfRevision(file, rev.xref, next)
		d.revisions = append(d.revisions, rev)
		prev := rev.trailer.get("Prev")
		if prev.kind == kindNull {
			return d, nil
		}
		// Each revision is appended to the ones before, so /Prev only points back: a loop is impossible.
		if prev.kind != kindInteger || prev.number <= 0 || prev.number >= int64(rev.xref) {
			return nil, fmt.Errorf("%w: /Prev does not point back", errSyntax)
		}
		if len(d.revisions) == maxRevisions {
			return nil, fmt.Errorf("%w: more than %d revisions", errSyntax, maxRevisions)
		}
		at = int(prev.number)
	}
}

// endOfRevision gives where the %%EOF of a revision ends, with the end of line behind it if that is a line feed.
func endOfRevision(file []byte, xref, trailerEnd int) int {
	p := parser{file: file, pos: trailerEnd}
	if !p.keyword("startxref") {
		return 0
	}
	at, ok := p.integer()
	if p.spaces(); !ok || at != xref || !bytes.HasPrefix(file[p.pos:], []byte("%%EOF")) {
		return 0
	}
	p.pos += len("%%EOF")
	if p.pos < len(file) && file[p.pos] == '\n' {
		p.pos++
	}
	return p.pos
}

// lastXref reads the end of a file: startxref, a number, %%EOF, at most one end of line.
func lastXref(file []byte) (xref, startxref int, err error) {
	fault := fmt.Errorf("%w: the file does not end with startxref, a number and %%%%EOF", errSyntax)
	end := bytes.TrimSuffix(bytes.TrimSuffix(file, []byte("\n")), []byte("\r"))
	if !bytes.HasSuffix(end, []byte("%%EOF")) {
		return 0, 0, fault
	}
	tail := end[:len(end)-len("%%EOF")]
	window := tail[max(0, len(tail)-64):]
	i := bytes.LastIndex(window, []byte("startxref"))
	if i < 0 {
		return 0, 0, fault
	}
	startxref = len(tail) - len(window) + i
	p := parser{file: tail, pos: startxref + len("startxref")}
	xref, ok := p.integer()
	if !ok {
		return 0, 0, fault
	}
	if p.skip(); p.pos != len(tail) || xref >= startxref {
		return 0, 0, fault
	}
	return xref, startxref, nil
}

// readRevision reads the table at at and gives where its trailer ends.
func (d *document) readRevision(at int) (rev revision, end int, err error) {
	p := &parser{file: d.file, pos: at}
	if p.skip(); p.pos != at || !p.keyword("xref") {
		return rev, 0, fmt.Errorf("%w: no cross-reference table at byte %d (cross-reference streams are not read)", errSyntax, at)
	}
	rev.xref = at
	for !p.keyword("trailer") {
		first, ok1 := p.integer()
		count, ok2 := p.integer()
		if !ok1 || !ok2 || len(rev.sections) == maxSections {
			return rev, 0, p.fault("a broken cross-reference table")
		}
		for p.pos < len(p.file) && p.file[p.pos] == ' ' {
			p.pos++
		}
		switch {
		case bytes.HasPrefix(p.file[p.pos:], []byte("\r\n")):
			p.pos += 2
		case bytes.HasPrefix(p.file[p.pos:], []byte("\n")), bytes.HasPrefix(p.file[p.pos:], []byte("\r")):
			p.pos++
		default:
			return rev, 0, p.fault("a broken cross-reference table")
		}
		if count > (len(p.file)-p.pos)/entryLength {
			return rev, 0, p.fault("a cross-reference table longer than the file")
		}
		for _, s := range rev.sections {
			if first < s.first+s.count && s.first < first+count {
				return rev, 0, p.fault("a cross-reference table that names an object twice")
			}
		}
		rev.sections = append(rev.sections, section{first, count, p.pos})
		p.pos += count * entryLength
	}
	if rev.trailer, err = p.object(0); err != nil {
		return rev, 0, err
	}
	if rev.trailer.kind != kindDictionary {
		return rev, 0, p.fault("a trailer that is no dictionary")
	}
	if rev.trailer.get("XRefStm").kind != kindNull {
		return rev, 0, p.fault("a hybrid cross-reference")
	}
	return rev, p.pos, nil
}

// locate gives where an object begins; ok is false when no revision has it.
func (d *document) locate(number int64, generation int) (offset int, ok bool, err error) {
	for _, rev := range d.revisions {
		for _, s := range rev.sections {
			if number < int64(s.first) || number >= int64(s.first+s.count) {
				continue
			}
			e := d.file[s.at+int(number-int64(s.first))*entryLength:][:entryLength]
			offset, err1 := strconv.ParseUint(string(e[:10]), 10, 63)
			gen, err2 := strconv.ParseUint(string(e[11:16]), 10, 31)
			if err1 != nil || err2 != nil || e[10] != ' ' || e[16] != ' ' || (e[17] != 'n' && e[17] != 'f') {
				return 0, false, fmt.Errorf("%w: a broken cross-reference entry for object %d", errSyntax, number)
			}
			if e[17] == 'f' || int(gen) != generation {
				return 0, false, nil
			}
			return int(offset), true, nil
		}
	}
	return 0, false, nil
}

// resolve follows a reference to its object; other values are given back as they are. A stream gives its dictionary.
func (d *document) resolve(v value) (value, error) {
	if v.kind != kindReference {
		return v, nil
	}
	offset, ok, err := d.locate(v.number, v.generation)
	if err != nil || !ok {
		return value{}, err
	}
	p := &parser{file: d.file, pos: offset}
	if offset >= len(d.file) {
		return value{}, p.fault("an object outside the file")
	}
	number, ok1 := p.integer()
	generation, ok2 := p.integer()
	if !ok1 || !ok2 || int64(number) != v.number || generation != v.generation || !p.keyword("obj") {
		return value{}, fmt.Errorf("%w: object %d is not where the cross-reference says", errSyntax, v.number)
	}
	object, err := p.object(0)
	if err != nil {
		return value{}, err
	}
	if object.kind == kindReference {
		return value{}, p.fault("an object that is only a reference")
	}
	if !p.keyword("endobj") && !p.keyword("stream") {
		return value{}, p.fault("an object without its end")
	}
	return object, nil
}

// dictionary follows a reference and requires a dictionary.
func (d *document) dictionary(v value, what string) (value, error) {
	object, err := d.resolve(v)
	if err != nil {
		return value{}, fmt.Errorf("%s: %w", what, err)
	}
	if object.kind != kindDictionary {
		return value{}, fmt.Errorf("%s: %w: it is missing or no dictionary", what, errSyntax)
	}
	return object, nil
}

func (d *document) trailer() value { return d.revisions[0].trailer }

func (d *document) catalog() (value, error) {
	root := d.trailer().get("Root")
	if root.kind != kindReference {
		return value{}, fmt.Errorf("%w: the trailer has no /Root", errSyntax)
	}
	return d.dictionary(root, "the catalog")
}

// firstPage gives the reference and the dictionary of the first page.
func (d *document) firstPage(catalog value) (ref, page value, err error) {
	ref = catalog.get("Pages")
	for range maxTreeDepth {
		if ref.kind != kindReference {
			return ref, page, fmt.Errorf("%w: a page that is not an object of its own", errSyntax)
		}
		if page, err = d.dictionary(ref, "the page tree"); err != nil {
			return ref, page, err
		}
		switch node := page.get("Type"); {
		case node.isName("Page"):
			return ref, page, nil
		case !node.isName("Pages"):
			return ref, page, fmt.Errorf("%w: the page tree holds something else", errSyntax)
		}
		kids, err := d.resolve(page.get("Kids"))
		if err != nil {
			return ref, page, err
		}
		if kids.kind != kindArray || len(kids.items) == 0 {
			return ref, page, fmt.Errorf("%w: the first branch of the page tree has no page", errSyntax)
		}
		ref = kids.items[0]
	}
	return ref, page, fmt.Errorf("%w: the page tree is too deep", errSyntax)
}

// equal says whether two objects mean the same. References are equal when they name the same object.
func (v value) equal(w value) bool {
	if v.kind == kindReal || w.kind == kindReal {
		a, ok1 := v.float()
		b, ok2 := w.float()
		return ok1 && ok2 && a-b < 1e-6 && b-a < 1e-6
	}
	if v.kind != w.kind || v.number != w.number || v.generation != w.generation || v.text != w.text ||
		len(v.items) != len(w.items) || len(v.entries) != len(w.entries) {
		return false
	}
	for i := range v.items {
		if !v.items[i].equal(w.items[i]) {
			return false
		}
	}
	for _, e := range v.entries {
		if !e.value.equal(w.get(e.key)) {
			return false
		}
	}
	return true
}

func (v value) float() (float64, bool) {
	switch v.kind {
	case kindInteger:
		return float64(v.number), true
	case kindReal:
		f, err := strconv.ParseFloat(v.text, 64)
		return f, err == nil
	}
	return 0, false
}
