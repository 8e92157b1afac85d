package ledger

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"segell/storage"
)

// Request is what the ledger keeps, encrypted, of a request that was accepted
// and is not finished. With what the portal asked it holds what the door drew
// once and for all: nothing random or made by a clock comes after, so that the
// same request always renders the same document.
type Request struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind"`
	Number   string          `json:"number"`
	CSV      CSV             `json:"csv"`
	IssuedAt time.Time       `json:"issued_at"` // when it was accepted, which is what the document prints
	Client   string          `json:"client"`    // the name of the API token
	Queue    string          `json:"queue"`
	Holder   string          `json:"holder"`             // HMAC of the holder's CASS number
	Replaces string          `json:"replaces,omitempty"` // id of the request whose document this one will replace
	Body     json.RawMessage `json:"body"`               // what the portal sent, without white space
}

// Submission is a checked request at the door.
type Submission struct {
	Client         string    // who asks: the name of the API token
	IdempotencyKey string    // the client's own name for this request
	Kind, Code     string    // "coverage_certificate", "COB"
	CASSNumber     string    // the holder's
	Queue          string    // where its job goes
	Replaces       string    // id of the request whose document it replaces, or ""
	Body           []byte    // the JSON, already checked
	At             time.Time // when it was checked: the same instant for rules, id, number and document
}

// Receipt says what was accepted.
type Receipt struct {
	ID, Kind, Number, Queue string
	IssuedAt                time.Time
	Repeated                bool // this key and body had been accepted before
	Finished                bool // and is no longer waiting: nothing is to be enqueued
}

// idempotency is what a client's key of idempotency promises: not only the id
// but everything that was drawn for it, so that two tries which overtake each
// other write the same request.
type idempotency struct {
	ID       string    `json:"id"`
	Body     string    `json:"body"` // HMAC of kind and body
	Number   string    `json:"number"`
	IssuedAt time.Time `json:"issued_at"`
	Nonce    []byte    `json:"nonce"` // with the HMAC key it gives the code, which does not lie here in clear
}

const (
	metadataKeyID = "key-id"
	metadataQueue = "queue"
)

// Accept writes a request to the ledger: holder, idempotency, request. When it
// returns without error the request is accepted and is never lost. The same
// client, key and body again give the same receipt; the same key with another
// body gives ErrIdempotencyReused; a document that cannot be replaced by this
// request, ErrNotReplaceable. After any other error the outcome is unknown and
// the caller repeats with the same key.
func (l *Ledger) Accept(ctx context.Context, s Submission) (Receipt, error) {
	digest, err := l.bodyDigest(s.Kind, s.Body)
	if err != nil {
		return Receipt{}, err
	}
	key := idempotencyKey(l.mac("idempotency", s.Client, s.IdempotencyKey))
	if err := l.admit(ctx, s, key, digest); err != nil {
		return Receipt{}, err
	}
	promise := idempotency{Body: digest, IssuedAt: s.At.In(andorra).Truncate(time.Second), Nonce: make([]byte, 16)}
	if promise.ID, err = NewID(s.At, l.random); err != nil {
		return Receipt{}, err
	}
	if _, err := io.ReadFull(l.random, promise.Nonce); err != nil {
		return Receipt{}, fmt.Errorf("drawing a verification code: %w", err)
	}
	if promise.Number, err = l.nextNumber(ctx, s.At.In(andorra).Year(), s.Code); err != nil {
		return Receipt{}, err
	}
	holder := l.HolderDigest(s.CASSNumber)

	// The pointer first: a request without its pointer would be missing from the
	// holder's history for ever, a pointer without its request is passed over.
	pointer := holderKey(holder, promise.ID)
	if _, err := l.objects.Write(ctx, pointer, nil, storage.Put{}); err != nil {
		return Receipt{}, fmt.Errorf("writing the holder's pointer: %w", err)
	}
	mine, err := json.Marshal(promise)
	if err != nil {
		return Receipt{}, err
	}
	_, err = l.objects.Create(ctx, key, mine, storage.Put{ContentType: jsonType})
	repeated := false
	switch {
	case errors.Is(err, storage.ErrExists):
		var first idempotency
		if _, err := l.readJSON(ctx, key, &first); err != nil {
			return Receipt{}, fmt.Errorf("reading an idempotency key: %w", err)
		}
		if CheckID(first.ID) != nil || first.Number == "" {
			return Receipt{}, fmt.Errorf("%w: an idempotency key names no request", ErrDamaged)
		}
		if first.ID != promise.ID { // else it is our own write, whose reply was lost
			repeated = true
			// Best effort: what stays behind is passed over by the history.
			_ = l.objects.Delete(ctx, pointer)
			if first.Body != digest {
				return Receipt{}, ErrIdempotencyReused
			}
			promise = first
			receipt, found, err := l.receiptOf(ctx, promise.ID)
			if err != nil || found {
				receipt.Repeated = true
				return receipt, err
			}
			// Its first try ended between key and request: it was never accepted,
			// and is now, as was promised.
			if _, err := l.objects.Write(ctx, holderKey(holder, promise.ID), nil, storage.Put{}); err != nil {
				return Receipt{}, fmt.Errorf("writing the holder's pointer: %w", err)
			}
		}
	case err != nil:
		return Receipt{}, fmt.Errorf("writing the idempotency key: %w", err)
	}

	code, err := l.codeOf(promise)
	if err != nil {
		return Receipt{}, err
	}
	if repeated {
		// An erasure may have taken the pointer of an old promise that had come to
		// nothing, just before it comes to something.
		defer func() { _, _ = l.objects.Write(ctx, holderKey(holder, promise.ID), nil, storage.Put{}) }()
	}
	request := Request{ID: promise.ID, Kind: s.Kind, Number: promise.Number, CSV: code, IssuedAt: promise.IssuedAt.In(andorra),
		Client: s.Client, Queue: s.Queue, Holder: holder, Replaces: s.Replaces, Body: s.Body}
	plain, err := json.Marshal(request)
	if err != nil {
		return Receipt{}, fmt.Errorf("encoding a request: %w", err)
	}
	place := requestKey(request.ID)
	sealed, err := l.keyset.seal(plain, place)
	if err != nil {
		return Receipt{}, fmt.Errorf("encrypting a request: %w", err)
	}
	_, err = l.objects.Create(ctx, place, sealed, storage.Put{ContentType: "application/octet-stream",
		Metadata: map[string]string{metadataKeyID: l.keyset.primaryID(), metadataQueue: s.Queue}})
	if err != nil && !errors.Is(err, storage.ErrExists) {
		return Receipt{}, fmt.Errorf("writing the request: %w", err)
	}
	// One that lies there already is our own write before a lost reply, or that of
	// a repeat which ran beside us: it says the same.
	receipt := request.receipt()
	receipt.Repeated = repeated
	return receipt, nil
}

// admit judges what the state of the ledger says of a new request. One that was
// accepted before is not judged again: what it replaces may be replaced by now.
func (l *Ledger) admit(ctx context.Context, s Submission, key, digest string) error {
	if s.Replaces == "" {
		return nil
	}
	var first idempotency
	switch _, err := l.readJSON(ctx, key, &first); {
	case errors.Is(err, ErrNotFound):
		return l.replaceable(ctx, s)
	case err != nil:
		return fmt.Errorf("reading an idempotency key: %w", err)
	case first.Body != digest:
		return ErrIdempotencyReused
	}
	if _, found, err := l.receiptOf(ctx, first.ID); err != nil || found {
		return err
	}
	return l.replaceable(ctx, s)
}

// codeOf is the code of a promised request. It takes both the HMAC key and the
// nonce, so that neither the bucket nor the key alone tells it.
func (l *Ledger) codeOf(p idempotency) (CSV, error) {
	bits, err := hex.DecodeString(l.mac("csv", p.ID, string(p.Nonce)))
	if err != nil {
		return "", err
	}
	return NewCSV(bytes.NewReader(bits))
}

func (r *Request) receipt() Receipt {
	return Receipt{ID: r.ID, Kind: r.Kind, Number: r.Number, Queue: r.Queue, IssuedAt: r.IssuedAt}
}

// receiptOf finds what became of an id that was promised before: its request,
// or its record, or a tombstone. found is false if it was never accepted.
func (l *Ledger) receiptOf(ctx context.Context, id string) (receipt Receipt, found bool, err error) {
	standing, err := l.Look(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return Receipt{}, false, nil
	}
	if err != nil {
		return Receipt{}, false, err
	}
	return Receipt{ID: id, Kind: standing.Kind, Number: standing.Number, Queue: standing.Queue, IssuedAt: standing.IssuedAt,
		Finished: standing.State != StateAccepted}, true, nil
}

// Request reads and decrypts a request. It returns ErrNotFound if none lies
// there (never accepted, or finished), ErrKeyUnknown or ErrDamaged if it cannot
// be read.
func (l *Ledger) Request(ctx context.Context, id string) (Request, error) {
	object, err := l.objects.Get(ctx, requestKey(id))
	if errors.Is(err, storage.ErrNotFound) {
		return Request{}, ErrNotFound
	}
	if err != nil {
		return Request{}, fmt.Errorf("reading a request: %w", err)
	}
	plain, err := l.keyset.open(object.Body, requestKey(id))
	if err != nil {
		return Request{}, fmt.Errorf("reading a request: %w", err)
	}
	var request Request
	if err := json.Unmarshal(plain, &request); err != nil || request.ID != id {
		return Request{}, fmt.Errorf("%w: a request does not hold what was written", ErrDamaged)
	}
	return request, nil
}

// HolderDigest is the HMAC under which a holder's CASS number appears in keys
// and records.
func (l *Ledger) HolderDigest(cassNumber string) string { return l.mac("holder", cassNumber) }

// bodyDigest is the HMAC of a kind and a body. Two bodies that say the same in
// another order of members or other white space have the same digest.
func (l *Ledger) bodyDigest(kind string, body []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", errors.New("the body of a submission is not JSON: it must be checked before it is accepted")
	}
	canonical, err := json.Marshal(value) // sorts the members
	if err != nil {
		return "", err
	}
	return l.mac("body", kind, string(canonical)), nil
}
