// Package ledger is what Segell keeps in the bucket: requests, documents, the
// register, codes, numbers, failures. The object store is the ledger, Redis is
// transport: a request is accepted when its record is in the bucket, and
// everything else can be made again from there.
//
// The order of the writes is the promise. At the door: holder, idempotency,
// request (create-only; from here on it is accepted). In the worker: document
// (create-only; the one commit), record, code, and the request is deleted last.
// Whoever finds a step done adopts it and goes on with the next.
package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
	_ "time/tzdata" // numbers carry the year in Europe/Andorra wherever we run

	"segell/storage"
)

// Objects is what the ledger needs of an object store; storage.Bucket is one,
// and storage says what each method promises (conditional writes above all).
type Objects interface {
	Create(ctx context.Context, key string, body []byte, p storage.Put) (etag string, err error)
	Write(ctx context.Context, key string, body []byte, p storage.Put) (etag string, err error)
	Replace(ctx context.Context, key, etag string, body []byte, p storage.Put) (newETag string, err error)
	Get(ctx context.Context, key string) (storage.Object, error)
	Head(ctx context.Context, key string) (storage.Info, error)
	Delete(ctx context.Context, key string) error
	DeleteVersions(ctx context.Context, key string) error
	List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error]
	Folders(ctx context.Context, prefix string) iter.Seq2[string, error]
	Presign(ctx context.Context, key string, expires time.Duration, d storage.Download) (string, error)
}

var (
	// ErrNotFound: the ledger has nothing under this id or code.
	ErrNotFound = errors.New("not in the ledger")
	// ErrDamaged: an object does not hold what the ledger writes there. It is
	// never repaired by guessing; staff must look.
	ErrDamaged = errors.New("damaged in the ledger")
	// ErrDocumentDamaged: it is the sealed document that is damaged. It is an
	// ErrDamaged too.
	ErrDocumentDamaged = fmt.Errorf("%w: the sealed document", ErrDamaged)
	// ErrIdempotencyReused: the key of idempotency was used for another body.
	ErrIdempotencyReused = errors.New("the Idempotency-Key was used before for another request")
	// ErrCancelled: a tombstone lies where the document would go.
	ErrCancelled = errors.New("cancelled before it was issued")
)

// Config is what a Ledger stands on. All fields but Subscribers are required.
type Config struct {
	Objects Objects
	Keyset  *Keyset          // encrypts requests
	HMACKey []byte           // hides holders and clients; HMACKeySize bytes
	Now     func() time.Time // the clock
	Random  io.Reader        // ids and codes; crypto/rand.Reader

	// Subscribers says who is told of what becomes of a request; nil: nobody.
	Subscribers Subscribers
}

// Ledger reads and writes what Segell keeps. It is safe for concurrent use, by
// any number of processes on one bucket.
type Ledger struct {
	objects Objects
	keyset  *Keyset
	hmacKey []byte
	now     func() time.Time
	random  io.Reader
	numbers numbers
	audit   auditTrail

	subscribers Subscribers
}

// New returns a Ledger, or an error that names every field missing.
func New(c Config) (*Ledger, error) {
	var faults []error
	for name, missing := range map[string]bool{
		"Objects": c.Objects == nil, "Keyset": c.Keyset == nil, "Now": c.Now == nil, "Random": c.Random == nil,
	} {
		if missing {
			faults = append(faults, fmt.Errorf("ledger: %s is missing", name))
		}
	}
	if len(c.HMACKey) != HMACKeySize {
		faults = append(faults, fmt.Errorf("ledger: HMACKey has %d bytes, %d are needed", len(c.HMACKey), HMACKeySize))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &Ledger{objects: c.Objects, keyset: c.Keyset, hmacKey: c.HMACKey, now: c.Now, random: c.Random, subscribers: c.Subscribers,
		numbers: numbers{blocks: map[string]*numberBlock{}}}, nil
}

// andorra is where the year of a document number ends.
var andorra = func() *time.Location {
	location, err := time.LoadLocation("Europe/Andorra")
	if err != nil {
		panic("time/tzdata is linked in and has no Europe/Andorra: " + err.Error())
	}
	return location
}()

const jsonType = "application/json"

// readJSON reads the object at key into v. A missing object is ErrNotFound, one
// that is no such JSON is ErrDamaged.
func (l *Ledger) readJSON(ctx context.Context, key string, v any) (storage.Object, error) {
	object, err := l.objects.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return object, ErrNotFound
	}
	if err != nil {
		return object, err
	}
	if err := json.Unmarshal(object.Body, v); err != nil {
		// The words of the error could quote the object.
		return object, fmt.Errorf("%w: %s is not the JSON expected", ErrDamaged, key)
	}
	return object, nil
}
