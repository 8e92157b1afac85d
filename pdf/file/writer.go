// Package file writes the objects of a PDF file and what holds them together: header, cross-reference table, trailer.
//
// The file is PDF 1.7 (ISO 32000-1) with one plain cross-reference table and no object streams: they would make a long
// table two to three times smaller, but a signature added by programs that know only tables, and those that judge it,
// read this form without exception. Nothing in it depends on clock or chance: the file identifier is taken from the
// SHA-256 of the bytes before it, so equal input gives equal files.
package file

import (
	"crypto/sha256"
	"strconv"
)

// Ref is the number of an indirect object; its generation is always 0. The zero Ref means "no object".
type Ref int

// Writer collects the objects of one file. It is not safe for concurrent use.
type Writer struct {
	// Bytes is the file so far. Between [Writer.Open] and [Writer.Close] callers append the object's body to it.
	Bytes   []byte
	offsets []int // by Ref; 0 while the object is not written
	level   int
}

// New starts a file in a buffer, which must be empty and should have room for all of it: one that has not is copied while
// it grows, and held twice. Level is the effort spent on compression (0 none, 1 to 9).
func New(buffer []byte, level int) *Writer {
	w := &Writer{Bytes: buffer[:0], offsets: make([]int, 1, 128), level: level}
	// The comment's four bytes above 127 tell transfer programs that the file is binary (ISO 19005-2, 6.1.2).
	w.Bytes = append(w.Bytes, "%PDF-1.7\n%\xE2\xE3\xCF\xD3\n"...)
	return w
}

// Reserve gives a number to an object that is written later.
func (w *Writer) Reserve() Ref {
	w.offsets = append(w.offsets, 0)
	return Ref(len(w.offsets) - 1)
}

// ReserveRun gives the numbers from the one returned to so many objects that are written later.
func (w *Writer) ReserveRun(n int) Ref {
	first := len(w.offsets)
	w.offsets = append(w.offsets, make([]int, n)...)
	return Ref(first)
}

// Open begins an object with a reserved number.
func (w *Writer) Open(r Ref) {
	w.offsets[r] = len(w.Bytes)
	w.Bytes = strconv.AppendInt(w.Bytes, int64(r), 10)
	w.Bytes = append(w.Bytes, " 0 obj\n"...)
}

// Close ends the object begun last.
func (w *Writer) Close() { w.Bytes = append(w.Bytes, "\nendobj\n"...) }

// Object writes a whole object and returns its number.
func (w *Writer) Object(body ...string) Ref {
	r := w.Reserve()
	w.Open(r)
	for _, s := range body {
		w.Bytes = append(w.Bytes, s...)
	}
	w.Close()
	return r
}

// Stream writes a stream with a reserved number; entries are the keys of its dictionary besides Length and Filter. The
// data is compressed unless the writer's level is 0.
func (w *Writer) Stream(r Ref, entries string, data []byte) {
	if w.level == 0 {
		w.RawStream(r, entries, data)
		return
	}
	w.Deflated(r, entries, Deflate(nil, data, w.level))
}

// Deflated writes a stream whose data [Deflate] compressed before.
func (w *Writer) Deflated(r Ref, entries string, data []byte) {
	w.RawStream(r, entries+"/Filter/FlateDecode", data)
}

// RawStream writes a stream with its data as it is; entries name the filter, if there is one.
func (w *Writer) RawStream(r Ref, entries string, data []byte) {
	w.Open(r)
	w.Bytes = append(w.Bytes, "<<"...)
	w.Bytes = append(w.Bytes, entries...)
	w.Bytes = append(w.Bytes, "/Length "...)
	w.Bytes = strconv.AppendInt(w.Bytes, int64(len(data)), 10)
	w.Bytes = append(w.Bytes, ">>\nstream\n"...)
	w.Bytes = append(w.Bytes, data...)
	w.Bytes = append(w.Bytes, "\nendstream"...)
	w.Close()
}

// Finish writes the cross-reference table and the trailer, and returns the file. Every reserved object must have been
// written; one that was not is a fault of the program, and Finish panics.
func (w *Writer) Finish(root, info Ref) []byte {
	for r, at := range w.offsets[1:] {
		if at == 0 {
			panic("pdf/file: object " + strconv.Itoa(r+1) + " was reserved and never written")
		}
	}
	sum := sha256.Sum256(w.Bytes)
	id := AppendHex(nil, sum[:16])
	start := len(w.Bytes)
	w.table()
	w.Bytes = append(w.Bytes, "trailer\n<</Size "...)
	w.Bytes = strconv.AppendInt(w.Bytes, int64(len(w.offsets)), 10)
	w.Bytes = AppendRef(append(w.Bytes, "/Root "...), root)
	w.Bytes = AppendRef(append(w.Bytes, "/Info "...), info)
	w.Bytes = append(append(append(append(w.Bytes, "/ID["...), id...), id...), ']')
	b := append(w.Bytes, ">>\nstartxref\n"...)
	b = strconv.AppendInt(b, int64(start), 10)
	return append(b, "\n%%EOF\n"...)
}

// table writes the cross-reference table (ISO 32000-1, 7.5.4).
func (w *Writer) table() {
	b := append(strconv.AppendInt(append(w.Bytes, "xref\n0 "...), int64(len(w.offsets)), 10), "\n0000000000 65535 f \n"...)
	for _, offset := range w.offsets[1:] {
		b = append(b, "0000000000 00000 n \n"...)
		for i, at := offset, len(b)-11; i > 0; i /= 10 {
			b[at] = byte('0' + i%10)
			at--
		}
	}
	w.Bytes = b
}
