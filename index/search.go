package index

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
)

// Query says what is looked for. What is empty does not matter.
type Query struct {
	Kinds  []string
	States []ledger.State // what a live job does (rendering to retrying) counts as accepted
	Cause  string         // of a failure
	Group  string         // id of a group of failures
	From   time.Time      // accepted at or after
	Until  time.Time      // accepted before
	Cursor string         // of a page: what comes after it, older
	Newer  bool           // what comes before the cursor instead; without a cursor, the oldest page
	Limit  int            // rows of a page, at most 500; 0: 50
}

// Row is a request as a list shows it.
type Row struct {
	ID, Number, Kind    string
	State               ledger.State // accepted until it is issued or given up: the queue knows more
	Stage, Cause, Group string       // failed
	AcceptedAt          time.Time
}

// Page is a part of what was found, newest first.
type Page struct {
	Rows         []Row
	Older, Newer string // cursors; "" where there is nothing more
	Total        int64  // of all pages
}

const (
	pageRows = 50
	pageMost = 500
)

// partition is one sorted set.
type partition struct {
	key, kind string
	state     ledger.State
}

// partitions are the sets in which what a query finds lies.
func (x *Index) partitions(ctx context.Context, q Query) ([]partition, error) {
	if q.Group != "" {
		return x.groupPartitions(ctx, q)
	}
	kinds, err := x.Redis.SMembers(ctx, kindsKey).Result()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	var all []partition
	for _, kind := range kinds {
		if q.Cause != "" {
			if q.wants(kind, ledger.StateFailed) {
				all = append(all, partition{causePartitionKey(q.Cause, kind), kind, ledger.StateFailed})
			}
			continue
		}
		for _, state := range kept {
			if q.wants(kind, state) {
				all = append(all, partition{partitionKey(kind, state), kind, state})
			}
		}
	}
	return all, nil
}

func (x *Index) groupPartitions(ctx context.Context, q Query) ([]partition, error) {
	if !groupForm.MatchString(q.Group) {
		return nil, nil
	}
	groups, err := x.readGroups(ctx, []string{q.Group})
	if err != nil {
		return nil, err
	}
	var all []partition
	for _, g := range groups {
		if q.Cause != "" && g.Cause != q.Cause {
			continue
		}
		for kind := range g.Kinds {
			if q.wants(kind, ledger.StateFailed) {
				all = append(all, partition{groupPartitionKey(g.ID, kind), kind, ledger.StateFailed})
			}
		}
	}
	return all, nil
}

func (q Query) wants(kind string, state ledger.State) bool {
	if len(q.Kinds) > 0 && !slices.Contains(q.Kinds, kind) {
		return false
	}
	return len(q.States) == 0 || slices.ContainsFunc(q.States, func(asked ledger.State) bool {
		as, ok := keptAs(asked)
		return ok && as == state
	})
}

// span is a range of ids: from first on, before end.
type span struct{ first, end rowKey }

var whole = span{end: rowKey(bytes.Repeat([]byte{0xff}, idSize))}

// keyAt is the first id of a time. Ids carry milliseconds.
func keyAt(at time.Time) (k rowKey) {
	ms := at.UnixMilli()
	if at.After(time.UnixMilli(ms)) {
		ms++
	}
	var text [8]byte
	binary.BigEndian.PutUint64(text[:], uint64(max(ms, 0)))
	copy(k[:], text[2:])
	return k
}

func (q Query) span() span {
	s := whole
	if !q.From.IsZero() {
		s.first = keyAt(q.From)
	}
	if !q.Until.IsZero() {
		s.end = keyAt(q.Until)
	}
	return s
}

func (s span) older(than rowKey) span {
	if bytes.Compare(than[:], s.end[:]) < 0 {
		s.end = than
	}
	return s
}

func (s span) from(first rowKey) span {
	if bytes.Compare(first[:], s.first[:]) > 0 {
		s.first = first
	}
	return s
}

// holds reports whether an id lies before the end of the span.
func (s span) holds(k rowKey) bool { return bytes.Compare(k[:], s.end[:]) < 0 }

func (s span) by(count int64) *redis.ZRangeBy {
	return &redis.ZRangeBy{Min: s.first.from(), Max: s.end.before(), Count: count}
}

// A cursor is a place between two rows, wherever in time: the id before which a
// page ends. So no row is shown twice or left out when others come.
func (k rowKey) cursor() string { return base64.RawURLEncoding.EncodeToString(k[:]) }

func readCursor(text string) (k rowKey, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != idSize {
		return k, ErrCursor
	}
	return rowKey(b), nil
}

// Search returns a page of what a query finds. Its cost does not grow with the
// register, and hardly with how far the page is from the newest. Errors are ErrAway
// and ErrCursor, wrapped.
func (x *Index) Search(ctx context.Context, q Query) (Page, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = pageRows
	}
	limit = min(limit, pageMost)
	at, newer, err := q.place()
	if err != nil {
		return Page{}, err
	}
	parts, err := x.partitions(ctx, q)
	if err != nil || len(parts) == 0 {
		return Page{}, err
	}
	all := q.span()
	this, other := all.older(at), all.from(at)
	if newer {
		this, other = other, this
	}
	got, err := x.fetch(ctx, parts, fetching{page: this, other: other, all: all, oldestFirst: newer, count: limit + 1})
	if err != nil {
		return Page{}, err
	}
	more := len(got.rows) > limit
	got.rows = got.rows[:min(limit, len(got.rows))]
	if newer {
		slices.Reverse(got.rows)
	}
	page := Page{Total: got.total}
	page.cursors(got.rows, at, newer, more, got.others > 0)
	page.Rows, err = x.rows(ctx, got.rows)
	return page, err
}

// place is where a page begins or ends: all older rows lie before it, all newer
// ones from it on.
func (q Query) place() (at rowKey, newer bool, err error) {
	switch {
	case q.Cursor != "":
		at, err = readCursor(q.Cursor)
		return at, q.Newer, err
	case q.Newer:
		return rowKey{}, true, nil
	}
	return whole.end, false, nil
}

// cursors says where the pages before and after begin.
func (p *Page) cursors(rows []member, at rowKey, newer, more, others bool) {
	newest, oldest := at, at
	if len(rows) > 0 {
		newest, oldest = rows[0].key.next(), rows[len(rows)-1].key
	}
	if newer && more || !newer && others {
		p.Newer = newest.cursor()
	}
	if !newer && more || newer && others {
		p.Older = oldest.cursor()
	}
}

// member is a row as it lies in its partition.
type member struct {
	key  rowKey
	text string
	of   *partition
}

type fetching struct {
	page, other, all span
	oldestFirst      bool
	count            int
}

type fetched struct {
	rows          []member // in the order asked for
	total, others int64
}

// fetch reads the first rows of a span from all partitions, and counts what lies
// in the others, in one transaction, for a row moves from one partition to another:
// it must be seen in one of them, and in one only.
func (x *Index) fetch(ctx context.Context, parts []partition, f fetching) (got fetched, err error) {
	lists := make([]*redis.StringSliceCmd, len(parts))
	totals, others := make([]*redis.IntCmd, len(parts)), make([]*redis.IntCmd, len(parts))
	_, err = x.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, part := range parts {
			read := p.ZRevRangeByLex
			if f.oldestFirst {
				read = p.ZRangeByLex
			}
			lists[i] = read(ctx, part.key, f.page.by(int64(f.count)))
			totals[i] = p.ZLexCount(ctx, part.key, f.all.first.from(), f.all.end.before())
			others[i] = p.ZLexCount(ctx, part.key, f.other.first.from(), f.other.end.before())
		}
		return nil
	})
	if err != nil {
		return got, fmt.Errorf("%w: %w", ErrAway, err)
	}
	for i := range parts {
		got.total += totals[i].Val()
		got.others += others[i].Val()
		got.rows = append(got.rows, membersOf(&parts[i], lists[i].Val())...)
	}
	slices.SortFunc(got.rows, func(a, b member) int {
		if f.oldestFirst {
			return bytes.Compare(a.key[:], b.key[:])
		}
		return bytes.Compare(b.key[:], a.key[:])
	})
	got.rows = got.rows[:min(f.count, len(got.rows))]
	return got, nil
}

// rows reads members, and of failures what their groups say.
func (x *Index) rows(ctx context.Context, members []member) ([]Row, error) {
	rows := make([]Row, len(members))
	groups := map[string]Group{}
	for i, m := range members {
		rows[i] = m.row()
		if rows[i].Group != "" {
			groups[rows[i].Group] = Group{}
		}
	}
	if len(groups) == 0 {
		return rows, nil
	}
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	read, err := x.readGroups(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, g := range read {
		groups[g.ID] = g
	}
	for i := range rows {
		if g, ok := groups[rows[i].Group]; ok {
			rows[i].Stage, rows[i].Cause = g.Stage, g.Cause
		}
	}
	return rows, nil
}

func (m member) row() Row {
	id := m.key.id()
	row := Row{ID: id, Kind: m.of.kind, State: m.of.state, AcceptedAt: ledger.TimeOf(id)}
	row.Group = m.group()
	row.Number = unpackNumber(m.text[idSize+len(row.Group):])
	return row
}

// group is the group of a failure, or "".
func (m member) group() string {
	if m.of.state != ledger.StateFailed || len(m.text) < idSize+groupSize {
		return ""
	}
	return m.text[idSize : idSize+groupSize]
}

// Count is how many requests a query finds. The error is ErrAway.
func (x *Index) Count(ctx context.Context, q Query) (int64, error) {
	parts, err := x.partitions(ctx, q)
	if err != nil || len(parts) == 0 {
		return 0, err
	}
	got, err := x.fetch(ctx, parts, fetching{page: q.span(), other: q.span(), all: q.span(), count: 1})
	return got.total, err
}

const (
	// idsAtOnce is how many ids are read in one exchange, from all partitions
	// together.
	idsAtOnce = 1000
	// idsLeast is how many are read from each at least.
	idsLeast = 50
)

// IDs yields all that a query finds, oldest first; cursor and limit do not matter.
// What changes meanwhile may or may not appear, nothing appears twice. An error
// (ErrAway) ends it.
func (x *Index) IDs(ctx context.Context, q Query) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		parts, err := x.partitions(ctx, q)
		for rest := q.span(); err == nil && len(parts) > 0; {
			var rows []member
			if rows, parts, err = x.oldest(ctx, parts, rest); err != nil {
				break
			}
			for _, m := range rows {
				if !yield(m.key.id(), nil) {
					return
				}
				rest.first = m.key.next()
			}
		}
		if err != nil {
			yield("", err)
		}
	}
}

// oldest reads the first rows of a span, in their order and so far as no partition
// can have one between, and says in which partitions there may be more. It reads
// in one transaction, as fetch does.
func (x *Index) oldest(ctx context.Context, parts []partition, of span) (rows []member, more []partition, err error) {
	each := max(idsAtOnce/len(parts), idsLeast)
	lists := make([]*redis.StringSliceCmd, len(parts))
	_, err = x.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, part := range parts {
			lists[i] = p.ZRangeByLex(ctx, part.key, of.by(int64(each)))
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	read := make([][]member, len(parts))
	known := of // what was read of all partitions
	for i := range parts {
		read[i] = membersOf(&parts[i], lists[i].Val())
		if n := len(read[i]); n >= each {
			known = known.older(read[i][n-1].key.next())
		}
	}
	for i, part := range parts {
		n := 0
		for n < len(read[i]) && known.holds(read[i][n].key) {
			n++
		}
		rows = append(rows, read[i][:n]...)
		if n < len(read[i]) || n >= each {
			more = append(more, part)
		}
	}
	slices.SortFunc(rows, func(a, b member) int { return bytes.Compare(a.key[:], b.key[:]) })
	return rows, more, nil
}

// membersOf are rows as they lie in a partition.
func membersOf(of *partition, texts []string) []member {
	members := make([]member, 0, len(texts))
	for _, text := range texts {
		if len(text) >= idSize {
			members = append(members, member{rowKey([]byte(text[:idSize])), text, of})
		}
	}
	return members
}

// ByNumber returns the id of the request that has a document number. Errors are
// ledger.ErrNotFound and ErrAway.
func (x *Index) ByNumber(ctx context.Context, number string) (id string, err error) {
	number = tidyNumber(number)
	if number == "" {
		return "", ledger.ErrNotFound
	}
	key, field := numberPlace(number)
	text, err := x.Redis.HGet(ctx, key, field).Result()
	switch {
	case err == redis.Nil || err == nil && len(text) != idSize:
		return "", ledger.ErrNotFound
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrAway, err)
	}
	return rowKey([]byte(text)).id(), nil
}

// Counts is how many requests stand in each state. The error is ErrAway.
func (x *Index) Counts(ctx context.Context) (map[ledger.State]int64, error) {
	parts, err := x.partitions(ctx, Query{})
	if err != nil {
		return nil, err
	}
	counts := map[ledger.State]int64{}
	if len(parts) == 0 {
		return counts, nil
	}
	sizes := make([]*redis.IntCmd, len(parts))
	_, err = x.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, part := range parts {
			sizes[i] = p.ZCard(ctx, part.key)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	for i, part := range parts {
		if n := sizes[i].Val(); n > 0 {
			counts[part.state] += n
		}
	}
	return counts, nil
}

// OldestWaiting is the request that was accepted first of all that are neither
// issued nor given up; ok is false where none waits. The error is ErrAway.
func (x *Index) OldestWaiting(ctx context.Context) (row Row, ok bool, err error) {
	page, err := x.Search(ctx, Query{States: []ledger.State{ledger.StateAccepted}, Newer: true, Limit: 1})
	if err != nil || len(page.Rows) == 0 {
		return Row{}, false, err
	}
	return page.Rows[0], true, nil
}
