package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Fault is one thing wrong with a body of the right syntax.
type Fault struct {
	// Pointer says where: an RFC 6901 JSON pointer into the body. For what is missing it is the place where it should be.
	Pointer string `json:"pointer"`
	// Detail says what is wrong and what would be right, as a predicate of the place ("is missing; give …").
	// It never repeats the value that was sent.
	Detail string `json:"detail"`
}

// Faults are all the faults of a body, in the order of the document. A nil or empty Faults is no error: return it
// through [Faults.Err].
type Faults []Fault

// MaxFaults bounds how many faults are listed for one body. Where there are more, the last one listed says how many
// were left out.
const MaxFaults = 200

// Error names the places and what is wrong there, and no value.
func (f Faults) Error() string {
	var b strings.Builder
	if len(f) == 1 {
		b.WriteString("1 fault in the body: ")
	} else {
		fmt.Fprintf(&b, "%d faults in the body: ", len(f))
	}
	for i, fault := range f {
		if i > 0 {
			b.WriteString("; ")
		}
		if fault.Pointer == "" {
			b.WriteString("the body")
		} else {
			b.WriteString(fault.Pointer)
		}
		b.WriteByte(' ')
		b.WriteString(fault.Detail)
	}
	return b.String()
}

// Add notes a fault at a place.
func (f *Faults) Add(pointer, detail string) { *f = append(*f, Fault{pointer, detail}) }

// Addf is Add with a format. The arguments must not be values that were sent.
func (f *Faults) Addf(pointer, format string, args ...any) {
	f.Add(pointer, fmt.Sprintf(format, args...))
}

// Err returns f as an error, or nil when there is none. Beyond [MaxFaults] it keeps the first ones and counts the rest.
func (f Faults) Err() error {
	switch {
	case len(f) == 0:
		return nil
	case len(f) <= MaxFaults:
		return f
	}
	short := make(Faults, MaxFaults, MaxFaults+1)
	copy(short, f)
	return append(short, Fault{"", fmt.Sprintf("has %d more faults that are not listed; mend these first", len(f)-MaxFaults)})
}

// Pointer makes an RFC 6901 pointer of member names (string) and list positions (int, from 0):
// Pointer("data", "dependants", 2, "birth_date") is "/data/dependants/2/birth_date". It panics on any other type.
func Pointer(steps ...any) string {
	var b []byte
	for _, step := range steps {
		switch s := step.(type) {
		case string:
			b = appendName(b, s)
		case int:
			b = strconv.AppendInt(append(b, '/'), int64(s), 10)
		default:
			panic(fmt.Sprintf("wire: a pointer is made of names and positions, not of %T", step))
		}
	}
	return string(b)
}

// appendName adds one reference token, escaped as RFC 6901 section 3 says.
func appendName(b []byte, name string) []byte {
	b = append(b, '/')
	for i := 0; i < len(name); i++ {
		switch c := name[i]; c {
		case '~':
			b = append(b, "~0"...)
		case '/':
			b = append(b, "~1"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// SyntaxError says that a body is not the JSON that is read here: not JSON at all, or JSON with a member given twice,
// nested deeper than [MaxDepth], followed by something, not in UTF-8, or not an object.
type SyntaxError struct {
	// Offset is the position of the first offending byte, from 0.
	Offset int64
	// Detail says what is wrong, in plain words and without quoting the body.
	Detail string
}

func (e *SyntaxError) Error() string {
	return "at byte " + strconv.FormatInt(e.Offset, 10) + ": " + e.Detail
}

// FormatError says that a text is not the value that it should be. It never holds the text.
type FormatError struct {
	// Detail says what would be right, as a predicate ("must be …").
	Detail string
}

func (e *FormatError) Error() string { return "the value " + e.Detail }
