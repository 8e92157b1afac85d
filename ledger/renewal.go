package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"segell/storage"
)

// Renewal changes the bytes of an issued document, which nothing else but
// erasure does, in three writes: the new version goes into the record as
// pending, the bytes take the place of those before, the version is settled.
// Whatever of it is lost, the bytes in the bucket are those of a version that the
// record names, so a copy of them is never unknown to the register.

var (
	// ErrErased: the document's file is no longer there, on purpose: it was erased,
	// or its time was over.
	ErrErased = errors.New("the document was erased")
	// ErrOvertaken: somebody else changed the document or its record meanwhile.
	// Nothing was lost; the next pass looks again.
	ErrOvertaken = errors.New("the document was changed by another meanwhile")
)

// Current is the version whose bytes lie in the bucket as far as the record
// tells: the newest that is not pending. ok is false for a record without one.
func (r *Record) Current() (v Version, ok bool) {
	for _, v := range slices.Backward(r.Versions) {
		if !v.Pending {
			return v, true
		}
	}
	return Version{}, false
}

// Unsettled reports whether a renewal has begun and its end is not in the record.
func (r *Record) Unsettled() bool {
	return slices.ContainsFunc(r.Versions, func(v Version) bool { return v.Pending })
}

// Holds reports whether a digest (SHA-256, hexadecimal) is that of one of the
// document's versions. Copies that were downloaded before a renewal are as good
// as those after it.
func (r *Record) Holds(digest string) bool {
	return slices.ContainsFunc(r.Versions, func(v Version) bool { return v.SHA256 == digest })
}

// Records yields the ids in the register, oldest first. It lists day by day, so
// that each listing is short, and ends with the first error.
func (l *Ledger) Records(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for day, err := range l.days(ctx, "records/", 3) {
			if err != nil {
				yield("", fmt.Errorf("listing the register: %w", err))
				return
			}
			for id, err := range l.ids(ctx, day) {
				if err != nil {
					yield("", fmt.Errorf("listing the register: %w", err))
					return
				}
				if !yield(id, nil) {
					return
				}
			}
		}
	}
}

// days yields the folders that lie depth levels below prefix, in their order:
// with 3, yyyy/mm/dd.
func (l *Ledger) days(ctx context.Context, prefix string, depth int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for folder, err := range l.objects.Folders(ctx, prefix) {
			if err != nil {
				yield("", err)
				return
			}
			if depth == 1 {
				if !yield(folder, nil) {
					return
				}
				continue
			}
			for day, err := range l.days(ctx, folder, depth-1) {
				if !yield(day, err) || err != nil {
					return
				}
			}
		}
	}
}

// Stored is a document with its bytes, as it lay in the bucket when it was read.
type Stored struct {
	Document
	PDF  []byte
	etag string
	kind string
}

// Stored reads the document of an id: ErrNotFound if there is none, ErrErased if
// a tombstone lies there, ErrDocumentDamaged if the bytes are not those described.
func (l *Ledger) Stored(ctx context.Context, id string) (Stored, error) {
	object, err := l.objects.Get(ctx, DocumentKey(id))
	if errors.Is(err, storage.ErrNotFound) {
		return Stored{}, ErrNotFound
	}
	if err != nil {
		return Stored{}, fmt.Errorf("reading the document: %w", err)
	}
	d, err := describe(id, object)
	if errors.Is(err, ErrCancelled) {
		return Stored{}, ErrErased
	}
	if err != nil {
		return Stored{}, err
	}
	return Stored{Document: d, PDF: object.Body, etag: object.ETag, kind: object.Metadata[metadataKind]}, nil
}

// Renewed puts the bytes of a renewal in the place of those it was made from.
// old is what Stored gave, pdf begins with its very bytes, and proofEnd is how
// long its proof lasts now. The record's current version must be old.
//
// Errors besides those of the store: ErrErased, ErrOvertaken, ErrDocumentDamaged
// (the stored bytes are no version of the record). After an error of the store
// the outcome is unknown; nothing is harmed, and the next pass finds out.
func (l *Ledger) Renewed(ctx context.Context, id string, old Stored, pdf []byte, proofEnd time.Time) error {
	if len(pdf) <= len(old.PDF) || !bytes.HasPrefix(pdf, old.PDF) {
		return fmt.Errorf("%w: what was to replace it does not begin with it", ErrDocumentDamaged)
	}
	sum := sha256.Sum256(pdf)
	d := old.Document
	d.SHA256, d.Size, d.ProofEnd = hex.EncodeToString(sum[:]), int64(len(pdf)), proofEnd
	if err := l.announce(ctx, id, old, d); err != nil {
		return err
	}
	_, err := l.objects.Replace(ctx, DocumentKey(id), old.etag, pdf, d.put(old.kind))
	if errors.Is(err, storage.ErrChanged) {
		err = l.whoChanged(ctx, id, d.SHA256)
	}
	if err != nil {
		return fmt.Errorf("replacing the document: %w", err)
	}
	return l.Settle(ctx, id, d.SHA256)
}

// announce adds the version to the record before its bytes are in the bucket.
func (l *Ledger) announce(ctx context.Context, id string, old Stored, d Document) error {
	_, err := l.amend(ctx, id, func(r *Record) error {
		current, _ := r.Current()
		switch {
		case r.Status == StateErased, r.RemovedAt != nil:
			return ErrErased
		case r.Holds(d.SHA256):
			return errAsItIs // our own write, whose reply was lost
		case current.SHA256 != old.SHA256:
			return ErrOvertaken
		}
		r.Versions = append(r.Versions, Version{SHA256: d.SHA256, Size: d.Size, At: l.now().UTC().Truncate(time.Second), ProofEnd: d.ProofEnd, Pending: true})
		return nil
	})
	return err
}

// whoChanged tells why a document could not be replaced; nil if the bytes there
// are those of digest: our own write, whose reply was lost.
func (l *Ledger) whoChanged(ctx context.Context, id, digest string) error {
	info, err := l.objects.Head(ctx, DocumentKey(id))
	switch {
	case err != nil:
		return err
	case info.Metadata[metadataTombstone] != "":
		return ErrErased
	case info.Metadata[metadataSHA256] != digest:
		return ErrOvertaken
	}
	return nil
}

// Settle says in the record that the version of digest is in the bucket, whoever
// put it there. Other versions that were pending are taken out: their writers
// hold the ETag of bytes that are gone, so they can never be written.
func (l *Ledger) Settle(ctx context.Context, id, digest string) error {
	_, err := l.amend(ctx, id, func(r *Record) error {
		if !r.Unsettled() {
			return errAsItIs
		}
		r.Versions = slices.DeleteFunc(r.Versions, func(v Version) bool { return v.Pending && v.SHA256 != digest })
		for i := range r.Versions {
			if r.Versions[i].SHA256 == digest {
				r.Versions[i].Pending = false
			}
		}
		return nil
	})
	return err
}

// NoteProofEnd writes down how long the version of digest is proven, where it was
// not: so the next pass need not read the document.
func (l *Ledger) NoteProofEnd(ctx context.Context, id, digest string, end time.Time) error {
	_, err := l.amend(ctx, id, func(r *Record) error {
		for i := range r.Versions {
			if r.Versions[i].SHA256 == digest && r.Versions[i].ProofEnd.IsZero() {
				r.Versions[i].ProofEnd = end
				return nil
			}
		}
		return errAsItIs
	})
	return err
}
