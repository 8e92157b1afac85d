// Package audit reads the audit trail for people: it keeps the trail in memory and
// follows it as it grows, searches it, exports it, and keeps the heads of its
// chains outside the bucket, so that not even a chain's end can be cut off unseen.
// The trail itself, what it holds and how it is proved, is package ledger's.
package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unique"

	"segell/ledger"
)

// Query says which entries are wanted: those that fit every field that is set.
type Query struct {
	Who  string    // a client of the API or login of staff, whole
	What string    // an act, whole ("jobs.retry"), or its beginning with a dot at the end ("jobs.")
	ID   string    // what it was done to, or the bulk that it was done in, whole
	From time.Time // not before
	// Until is the first moment that is not wanted any more.
	Until time.Time
	Text  string // somewhere in who, what, id, bulk, why or from; letters in either case

	Cursor string // of the page before; empty: the newest
	Limit  int    // how many at most; DefaultLimit when 0, MostLimit at most
}

// How many entries a page has.
const (
	DefaultLimit = 50
	MostLimit    = 1000
)

// Page is what was found, newest first.
type Page struct {
	Records []ledger.AuditRecord
	Older   string // cursor of the next page; empty on the last
	Condition
}

// Condition says how much of the trail a Reader knows.
type Condition struct {
	Complete bool      // the trail was read to its end once; before that older entries may be missing
	AsOf     time.Time // what was written before this is there; zero before Complete
	Entries  int       // that are known
	Faults   []ledger.AuditFault
}

// ErrCursor says that a text is no cursor of a page.
var ErrCursor = errors.New("not a cursor of the audit trail")

// place is where an entry stands in the order of time: entries of the same moment
// are in the order of their chains.
type place struct {
	at       int64 // nanoseconds since 1970
	writer   string
	sequence int64
}

func (p place) compare(q place) int {
	switch {
	case p.at != q.at:
		return sign(p.at < q.at)
	case p.writer != q.writer:
		return sign(p.writer < q.writer)
	case p.sequence != q.sequence:
		return sign(p.sequence < q.sequence)
	}
	return 0
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}

func (p place) cursor() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s %d", p.at, p.writer, p.sequence))
}

func readCursor(text string) (place, error) {
	plain, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return place{}, ErrCursor
	}
	var p place
	words := strings.Split(string(plain), " ")
	if len(words) != 3 || ledger.CheckID(words[1]) != nil {
		return place{}, ErrCursor
	}
	p.writer = words[1]
	if p.at, err = strconv.ParseInt(words[0], 10, 64); err == nil {
		p.sequence, err = strconv.ParseInt(words[2], 10, 64)
	}
	if err != nil {
		return place{}, ErrCursor
	}
	return p, nil
}

// Match reports whether an entry fits the query; Cursor and Limit are no part of
// that.
func (q Query) Match(r ledger.AuditRecord) bool {
	m := q.matcher()
	e := newEntry(r)
	return m.inTime(e.at) && m.fits(&e)
}

// matcher judges many entries by one query. Most entries share their words, so it
// remembers what it thinks of each.
type matcher struct {
	Query
	text        string
	holds       map[unique.Handle[string]]bool
	from, until int64
}

func (q Query) matcher() *matcher {
	m := &matcher{Query: q, text: strings.ToLower(q.Text), holds: map[unique.Handle[string]]bool{}, from: minTime, until: maxTime}
	if !q.From.IsZero() {
		m.from = nanoseconds(q.From)
	}
	if !q.Until.IsZero() {
		m.until = nanoseconds(q.Until)
	}
	return m
}

const (
	minTime = -1 << 63
	maxTime = 1<<63 - 1
)

// nanoseconds are those since 1970. A time beyond what they can say (1677 to 2262)
// is before, or after, everything.
func nanoseconds(at time.Time) int64 {
	switch {
	case at.Before(time.Unix(0, minTime)):
		return minTime
	case at.After(time.Unix(0, maxTime)):
		return maxTime
	}
	return at.UnixNano()
}

func (m *matcher) inTime(at int64) bool { return m.from <= at && at < m.until }

func (m *matcher) fits(e *entry) bool {
	if m.Who != "" && e.who.Value() != m.Who || m.ID != "" && e.id != m.ID && e.bulk.Value() != m.ID {
		return false
	}
	what := e.what.Value()
	if m.What != "" && what != m.What && (!strings.HasSuffix(m.What, ".") || !strings.HasPrefix(what, m.What)) {
		return false
	}
	return m.text == "" || m.in(e.who) || m.in(e.what) || m.in(e.from) || m.in(e.why) || m.in(e.bulk) || strings.Contains(e.id, m.text)
}

func (m *matcher) in(word unique.Handle[string]) bool {
	holds, known := m.holds[word]
	if !known {
		holds = strings.Contains(strings.ToLower(word.Value()), m.text)
		m.holds[word] = holds
	}
	return holds
}
