package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"time"

	"segell/storage"
)

// What follows the trail as it grows reads it piece by piece: where entries lie,
// one entry, and the entries of its own process as they are written.

// AuditHead returns the end of this process's own chain, and false before its
// first entry. It never waits for a write that is under way.
func (l *Ledger) AuditHead() (AuditHead, bool) {
	head := l.audit.kept.Load()
	if head == nil {
		return AuditHead{}, false
	}
	return *head, true
}

// WatchAudit has told called with every entry that this process writes from now
// on, and the head that it makes, in their order and as soon as each is kept. told
// returns at once and writes no entry itself.
func (l *Ledger) WatchAudit(told func(AuditRecord, AuditHead)) {
	l.audit.mu.Lock()
	defer l.audit.mu.Unlock()
	l.audit.watchers = append(l.audit.watchers, told)
}

// AuditPlace is where an entry lies: in which chain, and at which place of it.
type AuditPlace struct {
	Writer   string
	Sequence int64
}

// AuditPlaces yields the places of all entries of the chains that began at a time
// or later (the zero time: of all), chain by chain. It reads none of them. What
// lies there and is no place of an entry is passed over: VerifyAudit tells of it.
func (l *Ledger) AuditPlaces(ctx context.Context, since time.Time) iter.Seq2[AuditPlace, error] {
	after := ""
	if !since.IsZero() {
		after = auditPrefix + firstID(since)
	}
	return func(yield func(AuditPlace, error) bool) {
		for info, err := range l.objects.List(ctx, auditPrefix, after) {
			if err != nil {
				yield(AuditPlace{}, fmt.Errorf("listing the audit trail: %w", err))
				return
			}
			writer, sequence := placeOf(info.Key)
			if sequence > 0 && !yield(AuditPlace{writer, sequence}, nil) {
				return
			}
		}
	}
}

// firstID sorts before every id that carries a time.
func firstID(at time.Time) string {
	ms := fmt.Sprintf("%012x", max(0, at.UnixMilli()))
	return ms[:8] + "-" + ms[8:]
}

// AuditAt reads one entry, and the head that its chain has with it: ErrNotFound if
// none lies there, ErrDamaged, with the head, if it cannot be read.
func (l *Ledger) AuditAt(ctx context.Context, p AuditPlace) (AuditRecord, AuditHead, error) {
	key := auditKey(p.Writer, p.Sequence)
	object, err := l.objects.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return AuditRecord{}, AuditHead{}, ErrNotFound
	}
	if err != nil {
		return AuditRecord{}, AuditHead{}, fmt.Errorf("reading the audit trail: %w", err)
	}
	sum := sha256.Sum256(object.Body)
	head := AuditHead{Writer: p.Writer, Sequence: p.Sequence, SHA256: hex.EncodeToString(sum[:])}
	record, err := readAudit(object)
	return record, head, err
}
