package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"segell/storage"
)

// What a finished step of a request made while the next waits for the outside
// lies under work/<id>/<name>. It is below what was asked for and must never be
// published: it is encrypted as the request is, and goes with it.
const (
	workPrefix   = "work/"
	metadataStep = "step"
)

func workFolder(id string) string    { return workPrefix + id + "/" }
func workKey(id, name string) string { return workFolder(id) + name }

// KeepWork keeps what a step of a request made, in place of what was kept under
// the same name. The name tells the inputs apart (a digest of them), step is for
// who looks at the bucket. It costs one write.
func (l *Ledger) KeepWork(ctx context.Context, id, name, step string, made []byte) error {
	place := workKey(id, name)
	sealed, err := l.keyset.seal(made, place)
	if err != nil {
		return fmt.Errorf("encrypting what a step made: %w", err)
	}
	if _, err := l.objects.Write(ctx, place, sealed, storage.Put{ContentType: "application/octet-stream",
		Metadata: map[string]string{metadataKeyID: l.keyset.primaryID(), metadataStep: step}}); err != nil {
		return fmt.Errorf("keeping what a step made: %w", err)
	}
	return nil
}

// Work reads what KeepWork kept: ErrNotFound if nothing was, ErrKeyUnknown or
// ErrDamaged if it cannot be read.
func (l *Ledger) Work(ctx context.Context, id, name string) ([]byte, error) {
	object, err := l.objects.Get(ctx, workKey(id, name))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading what a step made: %w", err)
	}
	made, err := l.keyset.open(object.Body, workKey(id, name))
	if err != nil {
		return nil, fmt.Errorf("reading what a step made: %w", err)
	}
	return made, nil
}

// DropWork deletes all that was kept of a request's steps. It costs a listing
// where nothing was.
func (l *Ledger) DropWork(ctx context.Context, id string) error {
	for info, err := range l.objects.List(ctx, workFolder(id), "") {
		if err == nil {
			err = l.objects.Delete(ctx, info.Key)
		}
		if err != nil {
			return fmt.Errorf("deleting what the steps of a request made: %w", err)
		}
	}
	return nil
}

// SweepWork deletes the work of requests that are gone: a worker may end between
// the document and the last deletion, or keep something after another worker had
// issued the document. It returns of how many requests it was.
func (l *Ledger) SweepWork(ctx context.Context) (swept int, err error) {
	last := ""
	for info, err := range l.objects.List(ctx, workPrefix, "") {
		if err != nil {
			return swept, fmt.Errorf("listing what steps made: %w", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(info.Key, workPrefix), "/")
		if id == last || CheckID(id) != nil {
			continue
		}
		last = id
		// A request is there before any work of it, and goes for good.
		if _, err := l.QueueOf(ctx, id); err == nil {
			continue
		} else if !errors.Is(err, ErrNotFound) {
			return swept, err
		}
		if err := l.DropWork(ctx, id); err != nil {
			return swept, err
		}
		swept++
	}
	return swept, nil
}
