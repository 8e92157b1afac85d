package file

import "strconv"

// packed are objects on their way into an object stream (ISO 32000-1, 7.5.7).
//
// A long table has tens of thousands of structure elements, each some sixty bytes of dictionary and twenty of
// cross-reference, and all alike: in object streams they take a tenth of that. The file then is a hybrid one
// (7.5.8.4): everything but these objects is found through plain tables and trailers, so programs that add a revision,
// a signature for example, work as on any other file. The first table ends where the packed objects begin; a second
// one has what comes after them, and its trailer names, in XRefStm, the cross-reference stream for what is between.
type packed struct {
	body    []byte // of the objects, one after the other
	offsets []int  // in body
	refs    []Ref
	outside []byte // the file, while an object is being packed
	places  map[Ref]place
	order   []Ref
}

type place struct {
	stream Ref
	index  int
}

const packSize = 500 // objects in one stream: a reader must read a whole stream to find one of them

// OpenPacked begins an object that goes into an object stream; such an object must be no stream itself. Between
// OpenPacked and ClosePacked nothing else may be written.
func (w *Writer) OpenPacked(r Ref) {
	p := &w.packed
	p.refs = append(p.refs, r)
	p.offsets = append(p.offsets, len(p.body))
	p.outside, w.Bytes = w.Bytes, p.body
}

// ClosePacked ends the object begun by OpenPacked.
func (w *Writer) ClosePacked() {
	p := &w.packed
	p.body, w.Bytes = append(w.Bytes, '\n'), p.outside
	if len(p.refs) == packSize {
		w.flush()
	}
}

// flush writes the objects collected as an object stream.
func (w *Writer) flush() {
	p := &w.packed
	if len(p.refs) == 0 {
		return
	}
	if p.places == nil {
		p.places = map[Ref]place{}
	}
	stream := w.Reserve()
	head := make([]byte, 0, 12*len(p.refs)+len(p.body))
	for i, r := range p.refs {
		head = append(strconv.AppendInt(head, int64(r), 10), ' ')
		head = append(strconv.AppendInt(head, int64(p.offsets[i]), 10), ' ')
		p.places[r] = place{stream, i}
		p.order = append(p.order, r)
	}
	entries := "/Type/ObjStm/N " + strconv.Itoa(len(p.refs)) + "/First " + strconv.Itoa(len(head))
	w.Stream(stream, entries, append(head, p.body...))
	p.refs, p.offsets, p.body = p.refs[:0], p.offsets[:0], p.body[:0]
}

// index writes the cross-reference stream for the packed objects and returns where it is; 0 when there are none.
func (w *Writer) index() (offset int) {
	w.flush()
	p := &w.packed
	if len(p.order) == 0 {
		return 0
	}
	self := w.Reserve()
	// Rows of 1 + 4 + 2 bytes, each written as its difference from the one above (PNG filter Up): nearly all zeros.
	const columns = 7
	data := make([]byte, 0, (columns+1)*len(p.order))
	var above, row [columns]byte
	runs := []byte("/Type/XRef/W[1 4 2]/DecodeParms<</Predictor 12/Columns 7>>/Index[")
	first, length := Ref(0), 0
	run := func() {
		if length > 0 {
			runs = append(strconv.AppendInt(runs, int64(first), 10), ' ')
			runs = append(strconv.AppendInt(runs, int64(length), 10), ' ')
		}
	}
	for r := Ref(1); int(r) < len(w.offsets); r++ {
		at, ok := p.places[r]
		if !ok {
			continue
		}
		if length == 0 || r != first+Ref(length) {
			run()
			first, length = r, 0
		}
		length++
		s := at.stream
		row = [columns]byte{2, byte(s >> 24), byte(s >> 16), byte(s >> 8), byte(s), byte(at.index >> 8), byte(at.index)}
		data = append(data, 2)
		for i := range row {
			data = append(data, row[i]-above[i])
		}
		above = row
	}
	run()
	runs = append(append(runs[:len(runs)-1], "]/Size "...), strconv.Itoa(len(w.offsets))...)
	if w.level == 0 { // the filter needs its Flate
		w.Deflated(self, string(runs), Deflate(nil, data, 6))
	} else {
		w.Stream(self, string(runs), data)
	}
	return w.offsets[self]
}
