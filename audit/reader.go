package audit

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"

	"github.com/prometheus/client_golang/prometheus"

	"segell/ledger"
)

// Config is what a Reader stands on. Ledger, Log and Now are required.
type Config struct {
	Ledger    *ledger.Ledger
	Log       *slog.Logger
	Now       func() time.Time
	HeadsFile string                // where heads are kept outside the bucket (see Heads); Verify compares with it
	Metrics   prometheus.Registerer // may be nil

	Every time.Duration // between two looks at the whole trail; 5 minutes when 0
}

const (
	everyDefault = 5 * time.Minute
	// freshFor is how old an answer may be before the bucket is asked again.
	freshFor = 2 * time.Second
	// lookWithin bounds one look for the newest entries, and waitMost how long a
	// search waits for it: a page that is seconds old is better than one that comes
	// seconds late, and says how old it is.
	lookWithin = 10 * time.Second
	waitMost   = 150 * time.Millisecond
	// readersAtOnce is how many entries are read from the bucket at a time.
	readersAtOnce = 16
	batchSize     = 512
	// recent is how long ago a chain may have begun, or grown, to be looked at when
	// somebody searches; others are when the whole trail is.
	recentBegun  = time.Hour
	recentGrown  = 24 * time.Hour
	probesAtMost = 256
	faultsKept   = 100
)

// Reader keeps the trail in memory, about 170 bytes an entry, and follows it while
// Run runs. Entries of its own process are there at once; those of others when
// somebody searches, or, of a process that has been silent for a day, after Every.
// It is safe for concurrent use.
type Reader struct {
	Config

	looking sync.Mutex // one look at the bucket at a time

	mu       sync.RWMutex
	entries  []entry // oldest first
	unsorted []entry // read, and not yet put among them
	chains   map[string]*chain
	complete bool
	asOf     time.Time
	tried    time.Time // to be newer
	faults   []ledger.AuditFault
	found    map[ledger.AuditFault]bool
}

// entry is an AuditRecord in little room: its words are shared by many.
type entry struct {
	at, sequence                 int64
	writer, who, what, from, why unique.Handle[string]
	bulk                         unique.Handle[string]
	id                           string
	count                        int
	previous                     [32]byte
}

func newEntry(r ledger.AuditRecord) entry {
	e := entry{at: nanoseconds(r.At), sequence: r.Sequence, writer: unique.Make(r.Writer), who: unique.Make(r.Who), what: unique.Make(r.What),
		from: unique.Make(r.From), why: unique.Make(r.Why), bulk: unique.Make(r.Bulk), id: r.ID, count: r.Count}
	if sum, err := hex.DecodeString(r.Previous); err == nil && len(sum) == len(e.previous) {
		copy(e.previous[:], sum)
	}
	return e
}

func (e *entry) record() ledger.AuditRecord {
	r := ledger.AuditRecord{Writer: e.writer.Value(), Sequence: e.sequence, At: time.Unix(0, e.at).UTC(),
		AuditEntry: ledger.AuditEntry{Who: e.who.Value(), What: e.what.Value(), ID: e.id, Why: e.why.Value(), From: e.from.Value(), Count: e.count, Bulk: e.bulk.Value()}}
	if e.previous != [32]byte{} {
		r.Previous = hex.EncodeToString(e.previous[:])
	}
	return r
}

func (e *entry) place() place { return place{e.at, e.writer.Value(), e.sequence} }

// chain is how far a chain was read.
type chain struct {
	head ledger.AuditHead
	read int64 // how many entries
	at   int64 // of the last
}

// NewReader returns a Reader, or an error naming every field missing.
func NewReader(c Config) (*Reader, error) {
	var faults []error
	for name, missing := range map[string]bool{"Ledger": c.Ledger == nil, "Log": c.Log == nil, "Now": c.Now == nil} {
		if missing {
			faults = append(faults, fmt.Errorf("audit: %s is missing", name))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.Every <= 0 {
		c.Every = everyDefault
	}
	r := &Reader{Config: c, chains: map[string]*chain{}, found: map[ledger.AuditFault]bool{}}
	if c.Metrics != nil {
		c.Metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "segell_audit_faults",
			Help: "What is wrong with the audit trail, as far as this process has read it: anything but 0 is an alarm."}, func() float64 {
			r.mu.RLock()
			defer r.mu.RUnlock()
			return float64(len(r.faults))
		}))
	}
	c.Ledger.WatchAudit(r.own)
	return r, nil
}

// Run reads the trail and follows it until ctx ends. Without Run a Reader knows
// only what its own process writes, and never becomes complete.
func (r *Reader) Run(ctx context.Context) {
	pause := time.Second
	for {
		err := r.look(ctx, time.Time{})
		wait := r.Every
		if err == nil {
			pause = time.Second
		} else if ctx.Err() == nil {
			r.Log.Warn("the audit trail could not be read; it is tried again", "why", err)
			wait = min(pause, r.Every)
			pause = min(2*pause, 30*time.Second)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Search finds entries, newest first. Where the bucket does not answer soon it
// searches what is known: AsOf says of when that is. It returns ErrCursor for a
// cursor that no page gave out.
func (r *Reader) Search(ctx context.Context, q Query) (Page, error) {
	var before *place
	if q.Cursor != "" {
		p, err := readCursor(q.Cursor)
		if err != nil {
			return Page{}, err
		}
		before = &p
	}
	r.refresh(ctx, waitMost)
	limit := min(q.Limit, MostLimit)
	if limit <= 0 {
		limit = DefaultLimit
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	page := Page{Records: []ledger.AuditRecord{}, Condition: r.condition()}
	m := q.matcher()
	end := r.from(m.until)
	if before != nil {
		end = min(end, r.index(*before))
	}
	for i := end - 1; i >= 0 && r.entries[i].at >= m.from; i-- {
		e := &r.entries[i]
		if !m.fits(e) {
			continue
		}
		if len(page.Records) == limit {
			page.Older = r.placeOfLast(page.Records).cursor()
			break
		}
		page.Records = append(page.Records, e.record())
	}
	return page, nil
}

func (r *Reader) placeOfLast(records []ledger.AuditRecord) place {
	last := records[len(records)-1]
	return place{last.At.UnixNano(), last.Writer, last.Sequence}
}

// from is the index of the first entry at a time or later.
func (r *Reader) from(at int64) int {
	i, _ := slices.BinarySearchFunc(r.entries, at, func(e entry, at int64) int { return cmp.Compare(e.at, at) })
	return i
}

// index is where a place is in the order, or would be.
func (r *Reader) index(p place) int {
	i, _ := slices.BinarySearchFunc(r.entries, p, func(e entry, p place) int { return e.place().compare(p) })
	return i
}

// Condition says how much of the trail is known.
func (r *Reader) Condition() Condition {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.condition()
}

func (r *Reader) condition() Condition {
	return Condition{Complete: r.complete, AsOf: r.asOf, Entries: len(r.entries), Faults: slices.Clone(r.faults)}
}

// Heads are the ends of all chains, as far as they are known.
func (r *Reader) Heads() []ledger.AuditHead {
	r.mu.RLock()
	defer r.mu.RUnlock()
	heads := make([]ledger.AuditHead, 0, len(r.chains))
	for _, c := range r.chains {
		heads = append(heads, c.head)
	}
	slices.SortFunc(heads, func(a, b ledger.AuditHead) int { return strings.Compare(a.Writer, b.Writer) })
	return heads
}

// Verify reads the whole trail from the bucket and proves it, with the heads that
// are kept outside the bucket and those that this Reader has seen.
func (r *Reader) Verify(ctx context.Context) (ledger.AuditReport, error) {
	known := r.Heads()
	if r.HeadsFile != "" {
		kept, err := ReadHeadsFile(r.HeadsFile)
		if err != nil && !errors.Is(err, ErrNoHeads) {
			return ledger.AuditReport{}, err
		}
		known = append(known, kept.Heads...)
	}
	return r.Ledger.VerifyAudit(ctx, known)
}

// refresh looks for what others have written since, unless that was done just now,
// and waits for it, but not longer than most.
func (r *Reader) refresh(ctx context.Context, most time.Duration) {
	now := r.Now()
	r.mu.Lock()
	fresh := !r.complete || now.Sub(r.asOf) < freshFor || now.Sub(r.tried) < freshFor
	if !fresh {
		r.tried = now
	}
	r.mu.Unlock()
	if fresh {
		return
	}
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
		defer cancel()
		if err := r.look(ctx, now.Add(-recentBegun)); err != nil {
			r.Log.Warn("the newest of the audit trail could not be read", "why", err)
		}
	}()
	select {
	case <-looked:
	case <-ctx.Done():
	case <-time.After(most):
	}
}

// look reads what is new: in the chains that began since a time, and in those that
// grew lately. The zero time means the whole trail.
func (r *Reader) look(ctx context.Context, since time.Time) error {
	if !r.looking.TryLock() {
		return nil // another look is under way, and will have it
	}
	defer r.looking.Unlock()
	began := r.Now()
	var kept []ledger.AuditHead
	if since.IsZero() {
		kept = r.keptHeads() // before the listing: what is kept later may be of entries that are not in it
	}
	if err := r.readNew(ctx, since); err != nil {
		return err
	}
	if !since.IsZero() {
		if err := r.probe(ctx, since); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle()
	r.compare(kept)
	r.complete = r.complete || since.IsZero()
	r.asOf = began
	return nil
}

// readNew lists where entries lie and reads those that are not known. Of a chain
// that is shorter than it was something was taken away.
func (r *Reader) readNew(ctx context.Context, since time.Time) error {
	before, listed := r.lengths(), map[string]int64{}
	var batch []ledger.AuditPlace
	for p, err := range r.Ledger.AuditPlaces(ctx, since) {
		if err != nil {
			return err
		}
		listed[p.Writer]++
		if p.Sequence <= before[p.Writer].last {
			continue
		}
		if batch = append(batch, p); len(batch) == batchSize {
			if err := r.read(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if err := r.read(ctx, batch); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for writer, length := range before {
		if listed[writer] < length.read && (since.IsZero() || !ledger.TimeOf(writer).Before(since)) {
			r.fault(writer, length.last, "entries that were there are missing now")
		}
	}
	return nil
}

type length struct{ last, read int64 }

func (r *Reader) lengths() map[string]length {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make(map[string]length, len(r.chains))
	for writer, c := range r.chains {
		all[writer] = length{c.head.Sequence, c.read}
	}
	return all
}

// probe asks the chains that grew lately, and began before the listing, for more.
func (r *Reader) probe(ctx context.Context, since time.Time) error {
	var next []ledger.AuditPlace
	r.mu.RLock()
	for writer, c := range r.chains {
		if ledger.TimeOf(writer).Before(since) && since.Add(-recentGrown).UnixNano() < c.at && len(next) < probesAtMost {
			next = append(next, ledger.AuditPlace{Writer: writer, Sequence: c.head.Sequence + 1})
		}
	}
	r.mu.RUnlock()
	for len(next) > 0 {
		var more []ledger.AuditPlace
		for i, got := range r.fetch(ctx, next) {
			switch {
			case errors.Is(got.err, ledger.ErrNotFound):
				continue
			case got.err != nil && !errors.Is(got.err, ledger.ErrDamaged):
				return got.err
			}
			r.add(next[i], got)
			more = append(more, ledger.AuditPlace{Writer: next[i].Writer, Sequence: next[i].Sequence + 1})
		}
		next = more
	}
	return nil
}

// fetched is one entry as it came.
type fetched struct {
	record ledger.AuditRecord
	head   ledger.AuditHead
	err    error
}

// fetch reads several entries at once, and gives them in the order of places.
func (r *Reader) fetch(ctx context.Context, places []ledger.AuditPlace) []fetched {
	out := make([]fetched, len(places))
	free := make(chan struct{}, readersAtOnce)
	var all sync.WaitGroup
	for i, p := range places {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			f := &out[i]
			f.record, f.head, f.err = r.Ledger.AuditAt(ctx, p)
		})
	}
	all.Wait()
	return out
}

// read reads entries and adds them.
func (r *Reader) read(ctx context.Context, places []ledger.AuditPlace) error {
	for i, got := range r.fetch(ctx, places) {
		switch {
		case errors.Is(got.err, ledger.ErrNotFound):
			continue // taken away since it was listed: the next one, or the next look, tells
		case got.err != nil && !errors.Is(got.err, ledger.ErrDamaged):
			return got.err
		}
		r.add(places[i], got)
	}
	return nil
}

// own adds an entry of this process as soon as it is written, unless one before it
// is not known yet: then both are read.
func (r *Reader) own(record ledger.AuditRecord, head ledger.AuditHead) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.chains[record.Writer]
	if c == nil && record.Sequence == 1 || c != nil && c.head.Sequence+1 == record.Sequence {
		r.grow(record.Writer, head, record.At.UnixNano())
		r.merge([]entry{newEntry(record)})
	}
}

// add adds an entry that was read, and notes what is wrong with it.
func (r *Reader) add(p ledger.AuditPlace, got fetched) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var last ledger.AuditHead
	if c := r.chains[p.Writer]; c != nil {
		last = c.head
	}
	switch {
	case p.Sequence <= last.Sequence:
		return // told by its own process meanwhile
	case got.err != nil:
		r.fault(p.Writer, p.Sequence, "it is damaged, or was written elsewhere")
	case p.Sequence != last.Sequence+1:
		r.fault(p.Writer, p.Sequence, fmt.Sprintf("the entries from %d to %d are missing", last.Sequence+1, p.Sequence-1))
	case got.record.Previous != last.SHA256:
		r.fault(p.Writer, p.Sequence, "the entry before it is not the one that it was written after")
	}
	if got.err != nil {
		r.grow(p.Writer, got.head, r.Now().UnixNano())
		return
	}
	r.grow(p.Writer, got.head, got.record.At.UnixNano())
	r.unsorted = append(r.unsorted, newEntry(got.record))
	if len(r.unsorted) > batchSize+len(r.entries)/4 {
		r.settle()
	}
}

// settle puts what was read into the order of time. It comes seldom while much is
// read: each time costs as much as everything that is known.
func (r *Reader) settle() {
	slices.SortFunc(r.unsorted, func(a, b entry) int { return a.place().compare(b.place()) })
	r.merge(r.unsorted)
	r.unsorted = nil
}

// merge puts entries that are in order among the others, from the end: nearly
// always nothing needs to move.
func (r *Reader) merge(more []entry) {
	i, j := len(r.entries)-1, len(more)-1
	r.entries = append(r.entries, more...)
	for at := len(r.entries) - 1; j >= 0; at-- {
		if i >= 0 && r.entries[i].place().compare(more[j].place()) > 0 {
			r.entries[at] = r.entries[i]
			i--
			continue
		}
		r.entries[at] = more[j]
		j--
	}
}

func (r *Reader) keptHeads() []ledger.AuditHead {
	if r.HeadsFile == "" {
		return nil
	}
	kept, err := ReadHeadsFile(r.HeadsFile)
	if err != nil && !errors.Is(err, ErrNoHeads) {
		r.Log.Warn("the heads of the audit trail outside the bucket could not be read", "why", err)
	}
	return kept.Heads
}

// compare looks for chains that end before a head that was kept of them. That the
// entries before an end are the same is for Verify to prove.
func (r *Reader) compare(kept []ledger.AuditHead) {
	for _, head := range kept {
		c := r.chains[head.Writer]
		switch {
		case c == nil || c.head.Sequence < head.Sequence:
			r.fault(head.Writer, head.Sequence, "it was there before and is missing: the chain's end was cut off")
		case c.head.Sequence == head.Sequence && c.head.SHA256 != head.SHA256:
			r.fault(head.Writer, head.Sequence, "it is not the one that was the head before")
		}
	}
}

func (r *Reader) grow(writer string, head ledger.AuditHead, at int64) {
	c := r.chains[writer]
	if c == nil {
		c = &chain{}
		r.chains[writer] = c
	}
	c.head, c.at = head, at
	c.read++
}

// fault notes what is wrong with the trail, once, and tells the operator.
func (r *Reader) fault(writer string, sequence int64, detail string) {
	f := ledger.AuditFault{Writer: writer, Sequence: sequence, Detail: detail}
	if r.found[f] || len(r.faults) == faultsKept {
		return
	}
	r.found[f] = true
	r.faults = append(r.faults, f)
	r.Log.Error("the audit trail is not whole", "writer", writer, "sequence", sequence, "what", detail)
}
