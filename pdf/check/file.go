package check

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// file finds the objects of a PDF through its cross-references; it never searches for them.
type file struct {
	b       []byte
	where   map[ref]int // offsets
	trailer dict
	objects map[ref]any
	loading map[ref]bool
}

const largest = 256 << 20 // bytes of a stream, unpacked

func open(b []byte) (*file, error) {
	f := &file{b: b, where: map[ref]int{}, objects: map[ref]any{}, loading: map[ref]bool{}}
	tail := b[max(0, len(b)-64):]
	at := bytes.LastIndex(tail, []byte("startxref"))
	if at < 0 {
		return nil, errors.New("startxref is missing")
	}
	l := &lexer{b: tail, at: at + len("startxref")}
	v, err := l.object(0)
	start, ok := v.(int)
	if err != nil || !ok {
		return nil, errors.New("startxref has no number")
	}
	if !bytes.HasPrefix(bytes.TrimLeft(tail[l.at:], "\r\n"), []byte("%%EOF")) {
		return nil, errors.New("the file does not end with %%EOF")
	}
	for seen := map[int]bool{}; start >= 0; {
		if seen[start] {
			return nil, errors.New("cross-references run in a circle")
		}
		seen[start] = true
		if start, err = f.section(start); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// section reads a cross-reference table, and the stream its trailer names, and returns where the one before is; -1 when
// it is the first. Entries already known are newer.
func (f *file) section(start int) (previous int, err error) {
	if start < 0 || start >= len(f.b) {
		return 0, errors.New("startxref points outside the file")
	}
	l := &lexer{b: f.b, at: start}
	if v, err := l.object(0); err != nil || v != keyword("xref") {
		return 0, fmt.Errorf("byte %d: no cross-reference table", start)
	}
	for {
		v, err := l.object(0)
		if err != nil {
			return 0, err
		}
		if v == keyword("trailer") {
			break
		}
		first, ok := v.(int)
		w, err := l.object(0)
		count, ok2 := w.(int)
		if err != nil || !ok || !ok2 || count < 0 {
			return 0, l.fail("a cross-reference table is broken")
		}
		l.skip()
		for i := range count {
			if l.at+20 > len(l.b) {
				return 0, l.fail("a cross-reference table is cut short")
			}
			line := l.b[l.at : l.at+20]
			l.at += 20
			offset, err := strconv.Atoi(string(line[:10]))
			if err != nil || line[10] != ' ' || line[16] != ' ' || string(line[18:]) != " \n" && string(line[18:]) != "\r\n" {
				return 0, l.fail("a cross-reference entry is broken")
			}
			r := ref(first + i)
			if _, known := f.where[r]; !known && line[17] == 'n' {
				f.where[r] = offset
			}
		}
	}
	v, err := l.value(0)
	trailer, ok := v.(dict)
	if err != nil || !ok {
		return 0, l.fail("the trailer is broken")
	}
	if f.trailer == nil {
		f.trailer = trailer
	}
	if _, ok := trailer["XRefStm"]; ok {
		return 0, l.fail("a cross-reference stream stands beside the table")
	}
	if p, ok := trailer["Prev"].(int); ok {
		return p, nil
	}
	return -1, nil
}

// indirect reads "12 0 obj … endobj".
func (f *file) indirect(at int) (ref, any, error) {
	if at <= 0 || at >= len(f.b) {
		return 0, nil, fmt.Errorf("byte %d: outside the file", at)
	}
	l := &lexer{b: f.b, at: at}
	number, err1 := l.object(0)
	generation, err2 := l.object(0)
	word, err3 := l.object(0)
	n, ok := number.(int)
	if err := errors.Join(err1, err2, err3); err != nil || !ok || generation != 0 || word != keyword("obj") {
		return 0, nil, fmt.Errorf("byte %d: no object", at)
	}
	v, err := l.value(0)
	if err != nil {
		return 0, nil, err
	}
	word, err = l.object(0)
	if err == nil && word == keyword("stream") {
		d, ok := v.(dict)
		length, ok2 := d["Length"].(int)
		if !ok || !ok2 {
			return 0, nil, l.fail("a stream does not say its length")
		}
		if l.at < len(l.b) && l.b[l.at] == '\r' {
			l.at++
		}
		if l.at >= len(l.b) || l.b[l.at] != '\n' {
			return 0, nil, l.fail("no line end after \"stream\"")
		}
		l.at++
		if length < 0 || l.at+length > len(l.b) {
			return 0, nil, l.fail("a stream reaches beyond the file")
		}
		s := stream{d, l.b[l.at : l.at+length]}
		l.at += length
		if l.at >= len(l.b) || !white(l.b[l.at]) {
			return 0, nil, l.fail("no line end before \"endstream\"")
		}
		if word, err = l.object(0); err != nil || word != keyword("endstream") {
			return 0, nil, l.fail("a stream does not end where it says")
		}
		v = s
		word, err = l.object(0)
	}
	if err != nil || word != keyword("endobj") {
		return 0, nil, l.fail("an object does not end")
	}
	return ref(n), v, nil
}

// get follows a reference; anything else is returned as it is.
func (f *file) get(v any) (any, error) {
	r, ok := v.(ref)
	if !ok {
		return v, nil
	}
	if v, ok := f.objects[r]; ok {
		return v, nil
	}
	offset, ok := f.where[r]
	if !ok {
		return nil, fmt.Errorf("object %d is referred to and not there", r)
	}
	if f.loading[r] {
		return nil, fmt.Errorf("object %d refers to itself", r)
	}
	f.loading[r] = true
	defer delete(f.loading, r)
	var err error
	var n ref
	if n, v, err = f.indirect(offset); err != nil {
		return nil, err
	}
	if n != r {
		return nil, fmt.Errorf("object %d is where object %d should be", n, r)
	}
	f.objects[r] = v
	return v, nil
}

// decode unpacks a stream's data.
func (f *file) decode(s stream) ([]byte, error) {
	switch s.dict["Filter"] {
	case nil:
		return s.data, nil
	case name("DCTDecode"):
		return s.data, nil
	case name("FlateDecode"):
	default:
		return nil, errors.New("a stream has a filter this checker does not read")
	}
	z, err := zlib.NewReader(bytes.NewReader(s.data))
	if err != nil {
		return nil, fmt.Errorf("a stream is broken: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(z, largest+1))
	if err != nil || len(data) > largest {
		return nil, fmt.Errorf("a stream is broken or too large: %w", err)
	}
	parameters, ok := s.dict["DecodeParms"].(dict)
	if !ok {
		return data, nil
	}
	columns, _ := parameters["Columns"].(int)
	if parameters["Predictor"] != 12 || columns < 1 || len(data)%(columns+1) != 0 {
		return nil, errors.New("a stream has a predictor this checker does not read")
	}
	out, above := make([]byte, 0, len(data)), make([]byte, columns)
	for ; len(data) > 0; data = data[columns+1:] {
		if data[0] != 2 {
			return nil, errors.New("a stream has a predictor this checker does not read")
		}
		for i, d := range data[1 : columns+1] {
			above[i] += d
		}
		out = append(out, above...)
	}
	return out, nil
}

// as follows a reference and says whether the object is of the kind wanted. A broken object is not.
func as[T any](f *file, v any) (T, bool) {
	got, err := f.get(v)
	if err != nil {
		var none T
		return none, false
	}
	t, ok := got.(T)
	return t, ok
}
