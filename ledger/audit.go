package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"segell/storage"
)

// The audit trail says who did what to the ledger, besides what its objects say
// themselves. It is append-only: every process writes a chain of its own under
// audit/<writer>/<sequence>, create-only, and each entry carries the SHA-256 of
// the one before. So nothing can be taken out of a chain, changed or put between
// without being noticed; only a chain's end, or a chain whole, can go unnoticed,
// until the heads (AuditHeads) are kept outside the bucket as well.

const auditPrefix = "audit/"

// AuditEntry is what is written down.
type AuditEntry struct {
	Who   string `json:"who"`             // client of the API, or login of staff
	What  string `json:"what"`            // the act: "jobs.retry", "api.refused"
	ID    string `json:"id,omitempty"`    // what it was done to: a request, "key:" and a key
	Why   string `json:"why,omitempty"`   // the reason that was given; no personal data
	From  string `json:"from,omitempty"`  // address or host
	Count int    `json:"count,omitempty"` // how many alike, where one entry stands for several
	Bulk  string `json:"bulk,omitempty"`  // id of the bulk that it was done in
}

// AuditRecord is an entry as it lies in its chain.
type AuditRecord struct {
	Writer   string    `json:"writer"`   // id of the process, drawn at its start; it carries the time of its first entry
	Sequence int64     `json:"sequence"` // 1, 2, 3 … without a gap
	At       time.Time `json:"at"`
	Previous string    `json:"previous"` // SHA-256 of the object before, hexadecimal; empty in the first
	AuditEntry
}

// AuditHead is the end of a chain. Kept outside the bucket, it shows whether the
// end was cut off later.
type AuditHead struct {
	Writer   string `json:"writer"`
	Sequence int64  `json:"sequence"`
	SHA256   string `json:"sha256"` // of the last object, hexadecimal
}

// ErrAuditEntry says that an entry may not be written as it is.
var ErrAuditEntry = errors.New("not an entry for the audit trail")

// auditTrail is this process's chain.
type auditTrail struct {
	mu       sync.Mutex // held for as long as a write lasts: entries are in an order
	head     AuditHead
	kept     atomic.Pointer[AuditHead] // the head, for who must not wait for a write
	watchers []func(AuditRecord, AuditHead)
}

// follow moves the head on to an entry that lies in the bucket, and tells who
// watches, unless it cannot be read.
func (t *auditTrail) follow(record AuditRecord, body []byte) {
	t.head.follow(body)
	head := t.head
	t.kept.Store(&head)
	if record.Sequence != head.Sequence {
		return
	}
	for _, told := range t.watchers {
		told(record, head)
	}
}

func auditKey(writer string, sequence int64) string {
	return fmt.Sprintf("%s%s/%012d", auditPrefix, writer, sequence)
}

// Audit writes an entry to the audit trail and returns when it is kept. Whoever
// must not act unseen calls it before acting, and does not act if it fails. It
// returns an error wrapping ErrAuditEntry for an entry that is incomplete, too
// long, or seems to hold personal data.
func (l *Ledger) Audit(ctx context.Context, e AuditEntry) error {
	if err := e.check(); err != nil {
		return err
	}
	l.audit.mu.Lock()
	defer l.audit.mu.Unlock()
	head := &l.audit.head
	if head.Writer == "" {
		writer, err := NewID(l.now(), l.random)
		if err != nil {
			return err
		}
		head.Writer = writer
	}
	for {
		record := AuditRecord{Writer: head.Writer, Sequence: head.Sequence + 1, At: l.now().UTC().Truncate(time.Millisecond), Previous: head.SHA256, AuditEntry: e}
		body, err := json.Marshal(record)
		if err != nil {
			return fmt.Errorf("encoding an entry of the audit trail: %w", err)
		}
		key := auditKey(record.Writer, record.Sequence)
		_, err = l.objects.Create(ctx, key, body, storage.Put{ContentType: jsonType})
		if errors.Is(err, storage.ErrExists) {
			// A write of ours whose reply was lost: this one, or one given up before.
			object, err := l.objects.Get(ctx, key)
			if err != nil {
				return fmt.Errorf("reading back the audit trail: %w", err)
			}
			before, _ := readAudit(object) // what is no entry stands in the chain all the same
			l.audit.follow(before, object.Body)
			if bytes.Equal(object.Body, body) {
				return nil
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("writing to the audit trail: %w", err)
		}
		l.audit.follow(record, body)
		return nil
	}
}

// follow moves the head on to the object after it.
func (h *AuditHead) follow(body []byte) {
	sum := sha256.Sum256(body)
	h.Sequence, h.SHA256 = h.Sequence+1, hex.EncodeToString(sum[:])
}

var (
	auditAct = regexp.MustCompile(`^[a-z]+(\.[a-z_]+)+$`)
	auditWho = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)
	auditID  = regexp.MustCompile(`^[A-Za-z0-9_.:-]{0,80}$`)
	// The id of a key of encryption is a number, and says so.
	auditKeyID = regexp.MustCompile(`^key:\d{1,10}$`)
	// The id of a group of failures alike may be digits alone (package index).
	auditGroupID = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

const auditWhyLength = 200

// CheckReason returns an error wrapping ErrAuditEntry for a reason that the trail
// may not hold: for who wants to say so before anything is begun.
func CheckReason(why string) error {
	return AuditEntry{Who: "staff", What: "jobs.retry", Why: why}.check()
}

// check refuses what a trail that nobody may ever change must not hold. It
// cannot know a name: the commands say so to who types a reason.
func (e AuditEntry) check() error {
	fault := ""
	switch {
	case !auditWho.MatchString(e.Who):
		fault = "it does not say who"
	case !auditAct.MatchString(e.What):
		fault = "it does not say what was done"
	case !e.namesID():
		fault = "what it was done to is no id"
	case len([]rune(e.Why)) > auditWhyLength:
		fault = fmt.Sprintf("the reason is longer than %d characters", auditWhyLength)
	case misleads(e.Why):
		fault = "the reason is more than one line, or holds characters that cannot be seen"
	case e.Why != "" && !strings.ContainsFunc(e.Why, isWord):
		fault = "the reason says nothing: it has neither a letter nor a digit"
	case namesPerson(e.Why):
		fault = "the reason seems to hold a CASS number, a date, an address or a document's number: nobody could ever take it out again"
	case len(e.From) > 100 || misleads(e.From):
		fault = "where it came from is too long, or holds characters that cannot be seen"
	case e.Count < 0:
		fault = "the count is below nought"
	case e.Bulk != "" && CheckID(e.Bulk) != nil:
		fault = "the bulk that it was done in is no id"
	}
	if fault != "" {
		return fmt.Errorf("%w: %s", ErrAuditEntry, fault)
	}
	return nil
}

// namesID reports whether ID is empty, or an id that names no person.
func (e AuditEntry) namesID() bool {
	if CheckID(e.ID) == nil || auditKeyID.MatchString(e.ID) || auditGroupID.MatchString(e.ID) {
		return true
	}
	return auditID.MatchString(e.ID) && !namesPerson(e.ID)
}

// AuditTrail yields every entry, chain by chain in the order in which they
// began. One that cannot be read is yielded with an error that wraps ErrDamaged,
// and the others follow; any other error ends it.
func (l *Ledger) AuditTrail(ctx context.Context) iter.Seq2[AuditRecord, error] {
	return func(yield func(AuditRecord, error) bool) {
		for object, err := range l.auditObjects(ctx) {
			var record AuditRecord
			if err == nil {
				record, err = readAudit(object)
			}
			if !yield(record, err) || err != nil && !errors.Is(err, ErrDamaged) {
				return
			}
		}
	}
}

// auditAhead is how many entries are read at a time: each is small, and a bucket
// takes as long for each as for many beside each other.
const auditAhead = 16

// auditObjects yields the objects of the trail in their order.
func (l *Ledger) auditObjects(ctx context.Context) iter.Seq2[storage.Object, error] {
	return func(yield func(storage.Object, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		var reading sync.WaitGroup
		defer reading.Wait()
		places := make(chan chan auditObject, auditAhead)
		defer func() {
			stop()
			for range places { // until whoever lists has ended
			}
		}()
		reading.Go(func() { l.readAhead(ctx, &reading, places) })
		for place := range places {
			got := <-place
			if got.err != nil {
				yield(storage.Object{}, fmt.Errorf("reading the audit trail: %w", got.err))
				return
			}
			if !yield(got.Object, nil) {
				return
			}
		}
	}
}

type auditObject struct {
	storage.Object
	err error
}

// readAhead reads the trail, several objects at once, and gives each its place in
// the order.
func (l *Ledger) readAhead(ctx context.Context, reading *sync.WaitGroup, places chan<- chan auditObject) {
	defer close(places)
	for info, err := range l.objects.List(ctx, auditPrefix, "") {
		place := make(chan auditObject, 1)
		select {
		case places <- place:
		case <-ctx.Done():
			return
		}
		if err != nil {
			place <- auditObject{err: err}
			return
		}
		reading.Go(func() {
			object, err := l.objects.Get(ctx, info.Key)
			place <- auditObject{object, err}
		})
	}
}

// readAudit reads an entry and compares it with the key under which it lies.
func readAudit(object storage.Object) (AuditRecord, error) {
	var record AuditRecord
	if err := json.Unmarshal(object.Body, &record); err != nil {
		return AuditRecord{}, fmt.Errorf("%w: %s is no entry of the audit trail", ErrDamaged, object.Key)
	}
	if object.Key != auditKey(record.Writer, record.Sequence) {
		return AuditRecord{}, fmt.Errorf("%w: the entry at %s was written elsewhere", ErrDamaged, object.Key)
	}
	return record, nil
}

// AuditFault is what is wrong with a chain.
type AuditFault struct {
	Writer   string `json:"writer"`
	Sequence int64  `json:"sequence"` // the entry that does not fit
	Detail   string `json:"detail"`
}

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Entries int          `json:"entries"`
	Heads   []AuditHead  `json:"heads"` // of every chain, as it is now
	Faults  []AuditFault `json:"faults"`
}

// VerifyAudit reads the whole trail and says of every chain whether an entry is
// missing, changed, or out of its order; and of the chains whose heads are
// known from before, whether their end was cut off or is another.
func (l *Ledger) VerifyAudit(ctx context.Context, known []AuditHead) (AuditReport, error) {
	report := AuditReport{Faults: []AuditFault{}, Heads: []AuditHead{}}
	expected := map[string]map[int64]string{}
	for _, head := range known {
		if expected[head.Writer] == nil {
			expected[head.Writer] = map[int64]string{}
		}
		if sum, twice := expected[head.Writer][head.Sequence]; twice && sum != head.SHA256 {
			report.Faults = append(report.Faults, AuditFault{head.Writer, head.Sequence, "two different heads from before say to be it"})
		}
		expected[head.Writer][head.Sequence] = head.SHA256
	}
	var head AuditHead
	ended := func() {
		if head.Writer != "" {
			report.Heads = append(report.Heads, head)
		}
	}
	for object, err := range l.auditObjects(ctx) {
		if err != nil {
			return report, err
		}
		report.Entries++
		writer, sequence := placeOf(object.Key)
		fault := func(format string, args ...any) {
			report.Faults = append(report.Faults, AuditFault{writer, sequence, fmt.Sprintf(format, args...)})
		}
		if writer != head.Writer {
			ended()
			head = AuditHead{Writer: writer}
		}
		record, err := readAudit(object)
		switch {
		case sequence == 0:
			fault("%s is no key of an entry", object.Key)
			continue
		case err != nil:
			fault("it is damaged, or was written elsewhere")
		case sequence != head.Sequence+1:
			fault("the entries from %d to %d are missing", head.Sequence+1, sequence-1)
		case record.Previous != head.SHA256:
			fault("the entry before it is not the one that it was written after")
		}
		head.Sequence = sequence - 1
		head.follow(object.Body)
		if sum, ok := expected[writer][sequence]; ok {
			if sum != head.SHA256 {
				fault("it is not the one that was the head before")
			}
			delete(expected[writer], sequence)
		}
	}
	ended()
	for writer, heads := range expected {
		for sequence := range heads {
			report.Faults = append(report.Faults, AuditFault{writer, sequence, "it was there before and is missing: the chain's end was cut off"})
		}
	}
	slices.SortFunc(report.Faults, func(a, b AuditFault) int {
		return cmp.Or(strings.Compare(a.Writer, b.Writer), cmp.Compare(a.Sequence, b.Sequence))
	})
	return report, nil
}

// placeOf takes a key of the trail apart; the sequence is 0 where it is none.
func placeOf(key string) (writer string, sequence int64) {
	writer, number, _ := strings.Cut(strings.TrimPrefix(key, auditPrefix), "/")
	sequence, err := strconv.ParseInt(number, 10, 64)
	if err != nil || sequence < 1 || auditKey(writer, sequence) != key {
		return writer, 0
	}
	return writer, sequence
}
