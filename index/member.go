package index

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// A row is one member of a sorted set whose members all have the score 0, so that
// Redis keeps them in the order of their bytes: the 16 bytes of the id, which begin
// with its time, then for a failure its group, then the document number. There is
// one set (a partition) for each kind and state, so a page is read from the ends of
// a few sets, and a row needs no other read. A failure lies in two more: that of its
// group and kind, and that of its cause and kind.

const (
	idSize    = 16
	groupSize = 16 // hexadecimal digits
)

// rowKey is the id of a request as bytes. Its order is that of ids.
type rowKey [idSize]byte

func keyOf(id string) (rowKey, bool) {
	parsed, err := uuid.Parse(id)
	return rowKey(parsed), err == nil
}

func (k rowKey) id() string { return uuid.UUID(k).String() }

// next is the key after k. There is none after the last, which is no UUIDv7.
func (k rowKey) next() rowKey {
	for i := idSize - 1; i >= 0; i-- {
		if k[i]++; k[i] != 0 {
			break
		}
	}
	return k
}

// from and before are the bounds of a range of members, as Redis writes them.
func (k rowKey) from() string   { return "[" + string(k[:]) }
func (k rowKey) before() string { return "(" + string(k[:]) }

// number is a document number such as CASS-2026-COB-0001234, taken apart.
type number struct {
	year   uint16
	code   string // three letters
	serial uint32
}

var numberForm = regexp.MustCompile(`^CASS-([0-9]{4})-([A-Z0-9]{3})-([0-9]{1,10})$`)

func readNumber(text string) (number, bool) {
	parts := numberForm.FindStringSubmatch(text)
	if parts == nil {
		return number{}, false
	}
	year, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil {
		return number{}, false
	}
	serial, err := strconv.ParseUint(parts[3], 10, 32)
	return number{uint16(year), parts[2], uint32(serial)}, err == nil
}

func (n number) String() string { return fmt.Sprintf("CASS-%d-%s-%07d", n.year, n.code, n.serial) }

// wholeNumber begins a number that is kept letter by letter, because it has another
// form than ours. No year begins with this byte.
const wholeNumber = 0xff

const packedNumber = 9 // bytes

// packNumber writes a document number in few bytes: with the id they fit where
// Redis would leave room unused.
func packNumber(text string) string {
	if text == "" {
		return ""
	}
	n, ok := readNumber(text)
	if !ok || n.String() != text || n.year>>8 == wholeNumber {
		return string([]byte{wholeNumber}) + text
	}
	packed := binary.BigEndian.AppendUint16(nil, n.year)
	packed = append(packed, n.code...)
	return string(binary.BigEndian.AppendUint32(packed, n.serial))
}

func unpackNumber(packed string) string {
	switch {
	case packed == "":
		return ""
	case packed[0] == wholeNumber || len(packed) != packedNumber:
		return packed[1:]
	}
	b := []byte(packed)
	return number{binary.BigEndian.Uint16(b), string(b[2:5]), binary.BigEndian.Uint32(b[5:])}.String()
}

const numbersOfHash = 100 // so few that Redis keeps the hash in one piece of memory

// numberPlace is where the id of a document number is noted: a hash of a hundred
// numbers, and the field in it.
func numberPlace(text string) (key, field string) {
	n, ok := readNumber(text)
	if !ok {
		return prefix + "n:other", text
	}
	return fmt.Sprintf("%sn:%d%s:%d", prefix, n.year, n.code, n.serial/numbersOfHash), strconv.Itoa(int(n.serial % numbersOfHash))
}

// tidyNumber is a document number as a person types it.
func tidyNumber(typed string) string {
	text := strings.ToUpper(strings.TrimSpace(typed))
	if n, ok := readNumber(text); ok {
		return n.String()
	}
	return text
}
