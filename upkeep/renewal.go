package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"segell/ledger"
	"segell/signing"
	"segell/storage"
)

// RenewalJob is the name of the job that renews archive time-stamps.
const RenewalJob = "renewal"

// Archivist renews and inspects sealed documents. signing.Renewer is one. It is
// safe for concurrent use.
type Archivist interface {
	// Renew adds a document time-stamp; see signing.Renewer.
	Renew(ctx context.Context, pdf []byte) ([]byte, signing.Report, error)
	// Inspect judges a document by its bytes alone; see signing.Inspect.
	Inspect(ctx context.Context, pdf []byte) (signing.Report, error)
}

// Renewal gives documents at B-LTA their next archive time-stamp before the proof
// of the last one ends.
type Renewal struct {
	Ledger    *ledger.Ledger
	Archivist func() Archivist // asked once a pass: the configuration may have been read again
	Now       func() time.Time
	Log       *slog.Logger
	Within    time.Duration // a proof that ends sooner than this is renewed
	// Rate is how many time-stamps a second are asked for at most. Zero: no limit.
	Rate float64
}

// RenewalReport is what a pass found and did.
type RenewalReport struct {
	LookedAt    int    `json:"looked_at"`
	NotArchived int    `json:"not_archived"` // below B-LTA: there is no archive time-stamp to renew
	Gone        int    `json:"gone"`         // erased, or removed because its time was over
	NotDue      int    `json:"not_due"`
	Due         int    `json:"due"` // a dry run would have renewed them
	Renewed     int    `json:"renewed"`
	NoLater     int    `json:"no_later"` // due, but no authority's certificates last longer than what they have
	Failed      int    `json:"failed"`
	Day         string `json:"day,omitempty"` // of the request looked at last: yyyy-mm-dd
	Complete    bool   `json:"complete"`      // the whole register was looked at

	Failures []RenewalFailure `json:"failures"` // the first of those that failed
}

// RenewalFailure is a document that was due and could not be renewed.
type RenewalFailure struct {
	ID       string    `json:"id"`
	Number   string    `json:"number,omitempty"`
	ProofEnd time.Time `json:"proof_end,omitzero"`
	Cause    string    `json:"cause"`
	Detail   string    `json:"detail"`
}

const (
	// failuresMost is how many failures a report tells one by one.
	failuresMost = 1000
	// awayMost is how many documents in a row may fail because something is away
	// before the pass ends: the rest would fail as well, each after its timeouts.
	awayMost = 5
)

// errAway ends a pass.
var errAway = errors.New("what renewal needs is away")

// Pass looks at the whole register, oldest day first, and renews what is due;
// with dryRun it changes nothing. progress, if not nil, is told after every
// document. The report is also good when the error says that the pass ended early
// (the context's; the store, the time-stamping authorities or the revocation
// sources are away): the next pass goes on, for what is renewed is due no more.
//
// Withdrawn and replaced documents are renewed as well: whoever relied on one
// before it was withdrawn must be able to prove what he was shown, as long as the
// register keeps its file. Erased and expired ones are not: the file is gone.
func (r *Renewal) Pass(ctx context.Context, dryRun bool, progress func(RenewalReport)) (RenewalReport, error) {
	p := &renewalPass{Renewal: r, archivist: r.Archivist(), dryRun: dryRun, deadline: r.Now().Add(r.Within)}
	p.Failures = []RenewalFailure{}
	away := 0
	for id, err := range r.Ledger.Records(ctx) {
		if err != nil {
			return p.RenewalReport, err
		}
		p.Day = ledger.TimeOf(id).UTC().Format(time.DateOnly)
		err := p.look(ctx, id)
		if ctx.Err() != nil {
			return p.RenewalReport, ctx.Err()
		}
		p.LookedAt++
		if err != nil {
			p.fail(id, err)
		}
		if progress != nil {
			progress(p.RenewalReport)
		}
		if !isAway(err) {
			away = 0
		} else if away++; away >= awayMost {
			return p.RenewalReport, fmt.Errorf("%w: %w", errAway, err)
		}
	}
	if ctx.Err() != nil {
		return p.RenewalReport, ctx.Err()
	}
	p.Complete = true
	return p.RenewalReport, nil
}

// renewalPass is one walk.
type renewalPass struct {
	*Renewal
	RenewalReport
	archivist Archivist
	dryRun    bool
	deadline  time.Time
	next      time.Time // when the next document may be renewed
	// noLater: proofs that end then or later cannot be made to last longer now. So
	// an authority that has not renewed its certificate is asked once, not for
	// every document.
	noLater time.Time
}

// overtaken is how often a document that another process changed is looked at again.
const overtakenMost = 3

func (p *renewalPass) look(ctx context.Context, id string) error {
	for try := 1; ; try++ {
		err := p.lookOnce(ctx, id)
		if !errors.Is(err, ledger.ErrOvertaken) || try == overtakenMost {
			return err
		}
	}
}

// lookOnce brings one document as far as it must go. What it counts, it counts last.
func (p *renewalPass) lookOnce(ctx context.Context, id string) error {
	record, err := p.Ledger.Record(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		p.Gone++ // since it was listed
		return nil
	}
	if err != nil {
		return err
	}
	version, ok := record.Current()
	switch {
	case record.Status == ledger.StateErased, record.RemovedAt != nil:
		p.Gone++
		return nil
	case record.Level != string(signing.BLTA):
		p.NotArchived++
		return nil
	case !ok:
		return fmt.Errorf("%w: the record names no version", ledger.ErrDamaged)
	case !record.Unsettled() && !version.ProofEnd.IsZero() && !p.mustRenew(version.ProofEnd):
		return nil
	}
	stored, err := p.Ledger.Stored(ctx, id)
	if errors.Is(err, ledger.ErrErased) {
		p.Gone++
		return nil
	}
	if err != nil {
		return err
	}
	if version, err = p.settle(ctx, record, version, stored); err != nil {
		return err
	}
	if version.ProofEnd.IsZero() {
		if version.ProofEnd, err = p.measure(ctx, id, stored); err != nil {
			return err
		}
	}
	if !p.mustRenew(version.ProofEnd) {
		return nil
	}
	err = p.renew(ctx, id, stored)
	switch {
	case errors.Is(err, ledger.ErrErased):
		p.Gone++
		return nil
	case errors.Is(err, signing.ErrNoLater):
		p.noLater = version.ProofEnd
		p.NoLater++
		return nil
	case err != nil:
		return &dueError{record.Number, version.ProofEnd, err}
	}
	p.Renewed++
	return nil
}

// dueError is what went wrong with a document that is due.
type dueError struct {
	number   string
	proofEnd time.Time
	error
}

func (e *dueError) Unwrap() error { return e.error }

// mustRenew tells whether a proof that ends at end is to be renewed now, and
// counts the document where it is not.
func (p *renewalPass) mustRenew(end time.Time) bool {
	switch {
	case end.After(p.deadline):
		p.NotDue++
	case !p.noLater.IsZero() && !end.Before(p.noLater):
		p.NoLater++
	case p.dryRun:
		p.Due++
	default:
		return true
	}
	return false
}

// settle gives the version whose bytes were read. Where an earlier renewal ended
// between the bytes and the record's last word, the record is put right.
func (p *renewalPass) settle(ctx context.Context, record ledger.Record, current ledger.Version, stored ledger.Stored) (ledger.Version, error) {
	if stored.SHA256 == current.SHA256 {
		return current, nil
	}
	for _, v := range record.Versions {
		if v.Pending && v.SHA256 == stored.SHA256 {
			if p.dryRun {
				return v, nil
			}
			return v, p.Ledger.Settle(ctx, record.ID, v.SHA256)
		}
	}
	return ledger.Version{}, fmt.Errorf("%w is not the version that the register names", ledger.ErrDocumentDamaged)
}

// measure inspects a document of which the record does not say how long it is
// proven, and writes it down for the next pass.
func (p *renewalPass) measure(ctx context.Context, id string, stored ledger.Stored) (time.Time, error) {
	report, err := p.archivist.Inspect(ctx, stored.PDF)
	if err != nil {
		return time.Time{}, err
	}
	if !report.Valid {
		return time.Time{}, fmt.Errorf("%w: %w", signing.ErrNotRenewable, report.Err())
	}
	if p.dryRun {
		return report.ProofEnd, nil
	}
	return report.ProofEnd, p.Ledger.NoteProofEnd(ctx, id, stored.SHA256, report.ProofEnd)
}

func (p *renewalPass) renew(ctx context.Context, id string, stored ledger.Stored) error {
	if err := p.pace(ctx); err != nil {
		return err
	}
	renewed, report, err := p.archivist.Renew(ctx, stored.PDF)
	if err != nil {
		return err
	}
	// What was begun is brought to its end: a time-stamp is paid for.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return p.Ledger.Renewed(ctx, id, stored, renewed, report.ProofEnd)
}

// stampsEach is how many time-stamps a document costs: the first shows which
// certificate the authority has, the second stands on evidence about it.
const stampsEach = 2

// pace waits until the next document may be renewed.
func (p *renewalPass) pace(ctx context.Context) error {
	if p.Rate <= 0 {
		return ctx.Err()
	}
	now := time.Now()
	if wait := p.next.Sub(now); wait > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		now = p.next
	}
	p.next = now.Add(time.Duration(stampsEach * float64(time.Second) / p.Rate))
	return nil
}

// renewalCauses names what can go wrong, first match first. The errors of our own
// packages quote nothing personal, so they may be told.
var renewalCauses = []struct {
	err   error
	cause string
	away  bool
}{
	{storage.ErrUnavailable, "storage_away", true},
	{storage.ErrDenied, "storage_refused", false},
	{signing.ErrTSAUnavailable, "tsa_away", true},
	{signing.ErrRevocationUnavailable, "revocation_away", true},
	{signing.ErrCertificateRevoked, "tsa_certificate_revoked", false},
	{signing.ErrNotRenewable, "not_renewable", false},
	{signing.ErrUnsound, "inspection_failed", false},
	{ledger.ErrDocumentDamaged, "document_damaged", false},
	{ledger.ErrDamaged, "ledger_damaged", false},
	{ledger.ErrNotFound, "document_missing", false},
	{ledger.ErrOvertaken, "overtaken", false},
	{context.DeadlineExceeded, "took_too_long", false},
}

func isAway(err error) bool {
	for _, c := range renewalCauses {
		if err != nil && errors.Is(err, c.err) {
			return c.away
		}
	}
	return false
}

func (p *renewalPass) fail(id string, err error) {
	p.Failed++
	failure := RenewalFailure{ID: id, Cause: "unexpected", Detail: fmt.Sprintf("%T", err)}
	for _, c := range renewalCauses {
		if errors.Is(err, c.err) {
			failure.Cause, failure.Detail = c.cause, err.Error()
			break
		}
	}
	var due *dueError
	if errors.As(err, &due) {
		failure.Number, failure.ProofEnd = due.number, due.proofEnd
	}
	p.Log.Error("a document could not be renewed", "id", id, "cause", failure.Cause, "detail", failure.Detail)
	if len(p.Failures) < failuresMost {
		p.Failures = append(p.Failures, failure)
	}
}
