package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"segell/storage"
)

// removeFile takes the file of an issued document out of the bucket, with every
// version that the bucket keeps of it, and leaves a tombstone in its place: the
// key is never free again. The record must say before that it goes, so that
// nobody is sent to an empty file; also where this is repeated after a crash,
// nothing comes back.
func (l *Ledger) removeFile(ctx context.Context, id string, as State) error {
	for range amendMost {
		object, err := l.objects.Get(ctx, DocumentKey(id))
		switch {
		case errors.Is(err, storage.ErrNotFound):
			// It was lost, or taken away by who died before he had taken the record too:
			// what is to be gone is gone, and the key must not be free.
			_, err = l.objects.Create(ctx, DocumentKey(id), nil, tombstone(as, ""))
			if err != nil && !errors.Is(err, storage.ErrExists) {
				return fmt.Errorf("removing a document: %w", err)
			}
			continue
		case err != nil:
			return fmt.Errorf("reading a document that is to be removed: %w", err)
		case object.Metadata[metadataTombstone] != "":
			return l.dropVersions(ctx, DocumentKey(id))
		}
		_, err = l.objects.Replace(ctx, DocumentKey(id), object.ETag, nil, tombstone(as, object.Metadata[metadataKind]))
		// Changed: renewal was faster, or it was our own write whose reply was lost.
		if err != nil && !errors.Is(err, storage.ErrChanged) {
			return fmt.Errorf("removing a document: %w", err)
		}
	}
	return fmt.Errorf("removing a document: %w: others change it all the time", storage.ErrUnavailable)
}

// tombstone is what lies where a document was.
func tombstone(as State, kind string) storage.Put {
	return storage.Put{ContentType: "application/octet-stream", Metadata: map[string]string{metadataTombstone: string(as), metadataKind: kind}}
}

func (l *Ledger) dropVersions(ctx context.Context, key string) error {
	if err := l.objects.DeleteVersions(ctx, key); err != nil {
		return fmt.Errorf("removing what the bucket keeps of an object: %w", err)
	}
	return nil
}

// dropRequest removes a request with its failures and the work of its steps, every
// version of them.
func (l *Ledger) dropRequest(ctx context.Context, id string) error {
	for _, key := range []string{failureKey(id), pastKey(id)} {
		if err := l.objects.Delete(ctx, key); err != nil {
			return fmt.Errorf("deleting a failure: %w", err)
		}
	}
	if err := l.Forget(ctx, id); err != nil {
		return err
	}
	for _, key := range []string{requestKey(id), failureKey(id), pastKey(id), workFolder(id)} {
		if err := l.dropVersions(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// Expire takes the file of a document out because its time is over, and keeps its
// place in the register: it can still be verified. Repeating it is no error.
// ErrNotFound if there is no such document.
func (l *Ledger) Expire(ctx context.Context, id string) error {
	record, err := l.amend(ctx, id, func(r *Record) error {
		if r.RemovedAt != nil {
			return errAsItIs
		}
		at := l.now().UTC().Truncate(time.Second)
		r.RemovedAt, r.Removing = &at, true
		return nil
	})
	if err != nil || !record.Removing {
		return err
	}
	if err := l.removeFile(ctx, id, stateRemoved); err != nil {
		return err
	}
	return l.removed(ctx, id)
}

// stateRemoved is what the tombstone of a file says whose time was over. It is no
// state of a request: the record is there and tells.
const stateRemoved State = "removed"

// removed says in the record that the file is gone.
func (l *Ledger) removed(ctx context.Context, id string) error {
	_, err := l.amend(ctx, id, func(r *Record) error {
		if !r.Removing {
			return errAsItIs
		}
		r.Removing = false
		return nil
	})
	return err
}

// Unregister takes a document out of the register when the time of its record is
// over: its file, code, place in the holder's history, and the record last. From
// now on nobody can verify it. Repeating it is no error.
func (l *Ledger) Unregister(ctx context.Context, id string) error {
	record, err := l.Record(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	// While the record stands, the walk over the register finds what is left.
	keys := []string{DocumentKey(id), pastKey(id)}
	if record.Code != "" {
		keys = append(keys, codesPrefix+record.Code)
	}
	if record.Holder != "" {
		keys = append(keys, holderKey(record.Holder, id))
	}
	for _, key := range append(keys, recordKey(id)) {
		if err := l.objects.Delete(ctx, key); err != nil {
			return fmt.Errorf("taking a document out of the register: %w", err)
		}
		if err := l.dropVersions(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// SweepKeys deletes the keys of idempotency that were written before a time, and
// returns how many: a client that repeats a request so late asks anew.
func (l *Ledger) SweepKeys(ctx context.Context, before time.Time) (swept int, err error) {
	for info, err := range l.objects.List(ctx, idempotencyPrefix, "") {
		if err != nil {
			return swept, fmt.Errorf("listing keys of idempotency: %w", err)
		}
		if !info.LastModified.Before(before) {
			continue
		}
		if err := l.objects.Delete(ctx, info.Key); err != nil {
			return swept, fmt.Errorf("deleting a key of idempotency: %w", err)
		}
		swept++
	}
	return swept, nil
}

// SweepTraces deletes what is left of requests that were accepted before a time and
// never became a document: tombstones of what was cancelled with its past, and
// pointers in holders' histories to nothing. It returns how many of both; with dryRun it only
// counts. It lists the documents of the days before that time and all pointers.
//
// The key of a document is free after it, so that time must be long after whatever
// could still issue it: MaxWait at least.
func (l *Ledger) SweepTraces(ctx context.Context, before time.Time, dryRun bool) (swept int, err error) {
	if l.now().Sub(before) < MaxWait {
		return 0, fmt.Errorf("traces younger than %v may still be needed", MaxWait)
	}
	sweep := func(key, id string) error {
		if !TimeOf(id).Before(before) {
			return nil
		}
		for _, needed := range []string{recordKey(id), requestKey(id)} {
			switch _, err := l.objects.Head(ctx, needed); {
			case err == nil:
				return nil
			case !errors.Is(err, storage.ErrNotFound):
				return fmt.Errorf("looking whether a trace is needed: %w", err)
			}
		}
		swept++
		if dryRun {
			return nil
		}
		for _, key := range []string{pastKey(id), key} {
			if err := l.objects.Delete(ctx, key); err != nil {
				return fmt.Errorf("deleting the trace of a request: %w", err)
			}
			if err := l.dropVersions(ctx, key); err != nil {
				return err
			}
		}
		return nil
	}
	for day, err := range l.days(ctx, "documents/", 3) {
		if err != nil {
			return swept, fmt.Errorf("listing documents: %w", err)
		}
		if begins, err := time.Parse("documents/2006/01/02/", day); err != nil || !begins.Before(before) {
			continue
		}
		for info, err := range l.objects.List(ctx, day, "") {
			if err != nil {
				return swept, fmt.Errorf("listing documents: %w", err)
			}
			id := strings.TrimSuffix(strings.TrimPrefix(info.Key, day), ".pdf")
			if info.Size > 0 || CheckID(id) != nil {
				continue // a document is never empty
			}
			if err := sweep(info.Key, id); err != nil {
				return swept, err
			}
		}
	}
	for info, err := range l.objects.List(ctx, holdersPrefix, "") {
		if err != nil {
			return swept, fmt.Errorf("listing holders' histories: %w", err)
		}
		id := info.Key[strings.LastIndexByte(info.Key, '/')+1:]
		if CheckID(id) != nil {
			continue
		}
		if err := sweep(info.Key, id); err != nil {
			return swept, err
		}
	}
	return swept, nil
}

// SweepUndelivered deletes the callbacks that were given up before a time, and
// returns how many: nobody replays them any more.
func (l *Ledger) SweepUndelivered(ctx context.Context, before time.Time) (swept int, err error) {
	for info, err := range l.objects.List(ctx, undeliveredPrefix, "") {
		if err != nil {
			return swept, fmt.Errorf("listing callbacks that were given up: %w", err)
		}
		if !info.LastModified.Before(before) {
			continue
		}
		if err := l.objects.Delete(ctx, info.Key); err != nil {
			return swept, fmt.Errorf("deleting a callback that was given up: %w", err)
		}
		swept++
	}
	return swept, nil
}
