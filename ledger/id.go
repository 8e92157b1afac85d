package ledger

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
)

// ErrID says that a text is no request id.
var ErrID = errors.New("not a request id: a UUID of version 7 in lower case is expected, such as 0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e")

// NewID makes a request id: a UUIDv7 (RFC 9562 section 5.7) that carries at, to
// the millisecond, so that ids sort by time and every key follows from the id.
func NewID(at time.Time, random io.Reader) (string, error) {
	var id uuid.UUID
	if _, err := io.ReadFull(random, id[6:]); err != nil {
		return "", fmt.Errorf("drawing a request id: %w", err)
	}
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id.String(), nil
}

// CheckID returns ErrID unless id is a request id in its canonical spelling.
// Every id that comes from outside passes here before it becomes part of a key.
func CheckID(id string) error {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 7 || parsed.Variant() != uuid.RFC4122 || parsed.String() != id {
		return ErrID
	}
	return nil
}

// TimeOf returns the time that an id carries, in UTC to the millisecond.
func TimeOf(id string) time.Time {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return time.Time{}
	}
	var ms int64
	for _, b := range parsed[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}

// day is the folder of an id: yyyy/mm/dd in UTC.
func day(id string) string { return TimeOf(id).Format("2006/01/02") }
