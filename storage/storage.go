// Package storage is the object store: the few S3 operations that Segell keeps its ledger with, what each of them
// promises, and a proof that a given bucket keeps those promises.
//
// All methods of [Bucket] are safe for concurrent use. Errors carry the sentinel that says what to do ([ErrNotFound],
// [ErrExists], [ErrChanged], [ErrUnavailable], [ErrDenied]); a cancelled context comes back as its own error. An error
// never names an object, a credential or a signed address, so it may be logged as it is.
//
// # A lost reply
//
// A write is tried again when its reply is lost, and the first try may have been carried out. So [ErrExists] from
// Create and [ErrChanged] from Replace mean "there is something else than expected", which may be this very write:
// whoever must know reads the object back and compares. An [ErrUnavailable] from any write means "unknown".
package storage

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	// ErrNotFound says that there is no such object.
	ErrNotFound = errors.New("there is no such object")
	// ErrExists says that Create found an object under its key.
	ErrExists = errors.New("the object exists already")
	// ErrChanged says that Replace found another object than the one asked for, or none.
	ErrChanged = errors.New("the object has changed")
	// ErrUnavailable says that the store did not answer, or answered that it cannot now. It goes away by waiting; whether a
	// write was carried out is unknown.
	ErrUnavailable = errors.New("the object store is out of reach")
	// ErrDenied says that the store refuses what is asked with this configuration: credentials, permissions, region, clock.
	// It needs an operator.
	ErrDenied = errors.New("the object store refuses access")
)

// Info is what is known of an object without its content.
type Info struct {
	Key          string
	ETag         string // as the server writes it, quotes included; good for Replace and for nothing else
	Size         int64  // bytes
	LastModified time.Time
	Metadata     map[string]string // names in lower case; nil in a listing
}

// Object is an object with its content.
type Object struct {
	Info
	Body []byte
}

// Put says what is kept beside the content of an object.
type Put struct {
	ContentType string // "application/octet-stream" when empty
	// Metadata travels in headers: names of a–z, 0–9 and hyphens, values of printable ASCII, 2 KB together. It is not
	// encrypted and shows in the provider's tools: no personal data.
	Metadata map[string]string
}

// Download says how a browser shall treat what it fetches by a presigned address.
type Download struct {
	FileName    string // may have any characters; what a file name cannot hold is replaced
	ContentType string // the one that was stored when empty
	Inline      bool   // show it in the browser rather than save it
}

// MaxPresign is the longest life of a presigned address. A withdrawn document can be fetched that long.
const MaxPresign = 60 * time.Second

// CheckKey says what is wrong with a key, without repeating it. Keys are accepted that every server we know keeps as they
// are, also those that make a file of an object: segments between slashes, none empty, "." or "..", valid UTF-8 without
// control characters, at most 1024 bytes, and at most 255 in a segment.
func CheckKey(key string) error {
	switch {
	case key == "":
		return errors.New("storage: the key is empty")
	case len(key) > 1024:
		return errors.New("storage: the key is longer than 1024 bytes")
	case !utf8.ValidString(key):
		return errors.New("storage: the key is not UTF-8")
	}
	for _, r := range key {
		if r < 0x20 || r == 0x7F {
			return errors.New("storage: the key holds a control character")
		}
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch {
		case segment == "", segment == ".", segment == "..":
			return errors.New("storage: the key has an empty segment, or one of dots")
		case len(segment) > 255:
			return errors.New("storage: the key has a segment longer than 255 bytes")
		}
	}
	return nil
}

// Check says what is wrong with p, without repeating values.
func (p Put) Check() error {
	size := 0
	for name, value := range p.Metadata {
		size += len(name) + len(value)
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return errors.New("storage: a name in the metadata is not of a–z, 0–9 and hyphens")
		}
		if strings.TrimSpace(value) != value {
			return fmt.Errorf("storage: metadata %s begins or ends with a blank", name)
		}
		for i := range len(value) {
			if value[i] < 0x20 || value[i] > 0x7E {
				return fmt.Errorf("storage: metadata %s is not printable ASCII", name)
			}
		}
	}
	if size > 2048 {
		return errors.New("storage: the metadata is larger than 2 KB")
	}
	for i := range len(p.ContentType) {
		if p.ContentType[i] < 0x20 || p.ContentType[i] > 0x7E {
			return errors.New("storage: the content type is not printable ASCII")
		}
	}
	return nil
}

// Check says what is wrong with an address to be valid for expires.
func (d Download) Check(expires time.Duration) error {
	if expires < time.Second || expires > MaxPresign {
		return fmt.Errorf("storage: a presigned address lives from 1 s to %v", MaxPresign)
	}
	return Put{ContentType: d.ContentType}.Check()
}

// Disposition is the Content-Disposition header (RFC 6266) for d: an ASCII name for old browsers, and the true one.
func (d Download) Disposition() string {
	kind := "attachment"
	if d.Inline {
		kind = "inline"
	}
	if d.FileName == "" {
		return kind
	}
	var ascii, exact strings.Builder
	plain := true
	for _, r := range strings.ToValidUTF8(d.FileName, "_") {
		switch {
		case r < 0x20 || 0x7F <= r && r < 0xA0 || strings.ContainsRune(`/\:*?"<>|`, r),
			0x202A <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069:
			r = '_' // no path, nothing that a file system refuses, nothing that shows another extension
		}
		if r < 0x7F && r != '%' {
			ascii.WriteRune(r)
		} else {
			ascii.WriteByte('_')
			plain = false
		}
		for _, c := range []byte(string(r)) {
			// attr-char of RFC 5987
			if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
				exact.WriteByte(c)
			} else {
				fmt.Fprintf(&exact, "%%%02X", c)
			}
		}
	}
	out := kind + `; filename="` + ascii.String() + `"`
	if !plain {
		out += "; filename*=UTF-8''" + exact.String()
	}
	return out
}
