package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"segell/storage"
)

// Document says what lies at a document's key: what a worker needs to finish
// the record whether it stored the bytes itself or found them there.
type Document struct {
	SHA256      string // of the sealed PDF, hexadecimal
	Size        int64  // bytes
	Level       string // PAdES level measured on the bytes
	Pages       int
	Certificate string // SHA-256 of the certificate that sealed it, hexadecimal
	// ProofEnd is when the first certificate ends that the seal's outermost proof
	// stands on; zero where that was not measured.
	ProofEnd time.Time
}

const (
	metadataKind        = "kind"
	metadataSHA256      = "sha256"
	metadataLevel       = "level"
	metadataPages       = "pages"
	metadataCertificate = "certificate"
	metadataProofEnd    = "proof-end" // RFC 3339; missing in documents of earlier versions
	metadataTombstone   = "tombstone" // its value is the state: cancelled, erased
	metadataNumber      = "number"    // of a tombstone, as the next two
	metadataClient      = "client"
	metadataReason      = "reason"
)

// Issue stores the sealed PDF of a request, create-only: the one commit. Where
// a document lies already, an earlier run had got as far: it is adopted, and
// what is returned describes the stored bytes, not pdf. It returns ErrCancelled
// if a tombstone lies there.
func (l *Ledger) Issue(ctx context.Context, r Request, pdf []byte, d Document) (Document, error) {
	sum := sha256.Sum256(pdf)
	d.SHA256, d.Size = hex.EncodeToString(sum[:]), int64(len(pdf))
	_, err := l.objects.Create(ctx, DocumentKey(r.ID), pdf, d.put(r.Kind))
	if errors.Is(err, storage.ErrExists) {
		return l.Issued(ctx, r.ID)
	}
	if err != nil {
		return Document{}, fmt.Errorf("storing the document: %w", err)
	}
	return d, nil
}

// put is what is kept beside the bytes of a document.
func (d Document) put(kind string) storage.Put {
	metadata := map[string]string{metadataKind: kind, metadataSHA256: d.SHA256, metadataLevel: d.Level,
		metadataPages: strconv.Itoa(d.Pages), metadataCertificate: d.Certificate}
	if !d.ProofEnd.IsZero() {
		metadata[metadataProofEnd] = d.ProofEnd.UTC().Format(time.RFC3339)
	}
	return storage.Put{ContentType: "application/pdf", Metadata: metadata}
}

// Issued describes the document that lies at an id: ErrNotFound if none does,
// ErrCancelled for a tombstone, ErrDamaged if the bytes are not those described.
func (l *Ledger) Issued(ctx context.Context, id string) (Document, error) {
	// Most often there is none, and then a GET costs less than a HEAD: HEAD cannot
	// tell a missing object from a missing bucket, and must be asked again.
	object, err := l.objects.Get(ctx, DocumentKey(id))
	if errors.Is(err, storage.ErrNotFound) {
		return Document{}, ErrNotFound
	}
	if err != nil {
		return Document{}, fmt.Errorf("looking for the document: %w", err)
	}
	return describe(id, object)
}

// describe tells what lies at a document's key, as Issued does.
func describe(id string, object storage.Object) (Document, error) {
	if object.Metadata[metadataTombstone] != "" {
		return Document{}, ErrCancelled
	}
	pages, err := strconv.Atoi(object.Metadata[metadataPages])
	sum := sha256.Sum256(object.Body)
	d := Document{SHA256: hex.EncodeToString(sum[:]), Size: object.Size, Level: object.Metadata[metadataLevel],
		Pages: pages, Certificate: object.Metadata[metadataCertificate]}
	if end, err := time.Parse(time.RFC3339, object.Metadata[metadataProofEnd]); err == nil {
		d.ProofEnd = end
	}
	if err != nil || object.Metadata[metadataSHA256] != d.SHA256 || d.Level == "" {
		return Document{}, fmt.Errorf("%w of %s is not what its description says", ErrDocumentDamaged, id)
	}
	return d, nil
}

// Record is the register's entry of an issued document. It says nothing of the
// holder that the document's reader could not check against the paper.
type Record struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	Number     string    `json:"number"`
	Language   string    `json:"language"`
	Client     string    `json:"client"`
	IssuedAt   time.Time `json:"issued_at"`
	ValidUntil string    `json:"valid_until,omitempty"` // yyyy-mm-dd, the last day; empty: no end
	Level      string    `json:"level"`
	Pages      int       `json:"pages"`
	Holder     string    `json:"holder"`        // HMAC of the CASS number
	Masked     Masked    `json:"masked_holder"` // what verification shows
	Status     State     `json:"status"`        // issued, withdrawn, replaced
	Versions   []Version `json:"versions"`      // newest last; renewal adds one before the bytes change
	Tries      int       `json:"tries"`         // how often a worker began, 1 if at once
	Making     Making    `json:"making,omitzero"`

	Certificate  string           `json:"certificate"`              // SHA-256 of the certificate that sealed it
	WithdrawnAt  *time.Time       `json:"withdrawn_at,omitempty"`   // or replaced
	Reason       WithdrawalReason `json:"reason,omitempty"`         // of a withdrawal
	ReplacedBy   string           `json:"replaced_by,omitempty"`    // document number
	ReplacedByID string           `json:"replaced_by_id,omitempty"` // id of the request that became it
	Replaces     string           `json:"replaces,omitempty"`       // id of the request whose document it replaces

	Code string `json:"code,omitempty"` // SHA-256 of the verification code: the name of its entry
	// RemovedAt is when the file was taken out because its time was over, or
	// erased. The register goes on without it.
	RemovedAt *time.Time `json:"removed_at,omitempty"`
	// Removing: the file is about to go. Until it has, or where the process ended
	// between the two, it may still be there.
	Removing bool `json:"removing,omitempty"`
}

// Making is how a document came about since its request was accepted, or last
// opened again. It holds no personal data.
type Making struct {
	Failed []Try      `json:"failed_tries,omitempty"` // oldest first; of many, the first and the newest
	Steps  []StepTime `json:"steps,omitempty"`        // of the try that issued it, in their order
}

// IsZero: it was issued at once, by a run that did not measure.
func (m Making) IsZero() bool { return len(m.Failed) == 0 && len(m.Steps) == 0 }

// StepTime is how long a step took.
type StepTime struct {
	Stage        Stage `json:"stage"`
	Milliseconds int64 `json:"ms"`
}

// Version is one state of a document's bytes.
type Version struct {
	SHA256 string    `json:"sha256"`
	Size   int64     `json:"size"`
	At     time.Time `json:"at"`
	// ProofEnd is when the proof that these bytes carry ends; zero where it was
	// not measured.
	ProofEnd time.Time `json:"proof_end,omitzero"`
	// Pending: renewal is about to put these bytes in place of those before. Until
	// it has, or where it ended between the two, the bytes in the bucket may be of
	// either version.
	Pending bool `json:"pending,omitempty"`
}

// Masked is a holder as verification shows one: enough to compare with the
// paper in hand, too little to learn who it is.
type Masked struct {
	Initials   string `json:"initials"`    // "M. C. P. C."
	CASSNumber string `json:"cass_number"` // "•••••0A"
}

// Finish writes what follows from an issued document: the record, the code, the
// notice to its client, and deletes the request last. Every step may have been done before.
func (l *Ledger) Finish(ctx context.Context, r Request, d Document, language, validUntil string, masked Masked, m Making) error {
	record := Record{
		ID: r.ID, Kind: r.Kind, Number: r.Number, Language: language, Client: r.Client, IssuedAt: r.IssuedAt, ValidUntil: validUntil,
		Level: d.Level, Pages: d.Pages, Holder: r.Holder, Masked: masked, Status: StateIssued, Tries: len(m.Failed) + 1, Making: m, Certificate: d.Certificate,
		Versions: []Version{{SHA256: d.SHA256, Size: d.Size, At: l.now().UTC().Truncate(time.Second), ProofEnd: d.ProofEnd}}, Replaces: r.Replaces,
		Code: codeName(r.CSV),
	}
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encoding a record: %w", err)
	}
	if _, err := l.objects.Create(ctx, recordKey(r.ID), body, storage.Put{ContentType: jsonType}); err != nil && !errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("writing the record: %w", err)
	}
	code, err := json.Marshal(codeEntry{ID: r.ID})
	if err != nil {
		return err
	}
	if _, err := l.objects.Create(ctx, codeKey(r.CSV), code, storage.Put{ContentType: jsonType}); err != nil && !errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("writing the code: %w", err)
	}
	if err := l.supersede(ctx, r); err != nil {
		return err
	}
	notice := noticeOf(&record, EventIssued, l.now())
	if err := l.give(ctx, notice); err != nil {
		return err
	}
	if err := l.deleteRequest(ctx, r.ID); err != nil {
		return err
	}
	l.given(ctx, notice)
	return nil
}

// Forget deletes a request whose end is in the register (or is a tombstone), and
// before it what its steps made. Finish leaves that to the worker, which knows
// whether there is any and spares the listing.
func (l *Ledger) Forget(ctx context.Context, id string) error {
	if err := l.DropWork(ctx, id); err != nil {
		return err
	}
	return l.deleteRequest(ctx, id)
}

func (l *Ledger) deleteRequest(ctx context.Context, id string) error {
	if err := l.objects.Delete(ctx, requestKey(id)); err != nil {
		return fmt.Errorf("deleting a finished request: %w", err)
	}
	return nil
}

type codeEntry struct {
	ID string `json:"id"`
}

// Record reads the register's entry of a request: ErrNotFound if it has none.
func (l *Ledger) Record(ctx context.Context, id string) (Record, error) {
	var record Record
	if _, err := l.readJSON(ctx, recordKey(id), &record); err != nil {
		return Record{}, fmt.Errorf("reading a record: %w", err)
	}
	if record.ID != id {
		return Record{}, fmt.Errorf("%w: a record is another request's", ErrDamaged)
	}
	return record, nil
}

// ByCSV reads the register's entry of the document that carries code.
func (l *Ledger) ByCSV(ctx context.Context, code CSV) (Record, error) {
	var entry codeEntry
	if _, err := l.readJSON(ctx, codeKey(code), &entry); err != nil {
		return Record{}, fmt.Errorf("looking up a code: %w", err)
	}
	if CheckID(entry.ID) != nil {
		return Record{}, fmt.Errorf("%w: a code names no request", ErrDamaged)
	}
	return l.Record(ctx, entry.ID)
}

// DownloadExpiry is how long a presigned address lives: so long a withdrawn
// document stays within reach of who already has the address.
const DownloadExpiry = 60 * time.Second

// Download returns an address, good for DownloadExpiry, from which the sealed
// PDF can be fetched without further permission.
func (l *Ledger) Download(ctx context.Context, id, fileName string) (string, error) {
	return l.objects.Presign(ctx, DocumentKey(id), DownloadExpiry, storage.Download{FileName: fileName, ContentType: "application/pdf"})
}
