package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"segell/layout"
	"segell/ledger"
	"segell/signing"
	"segell/storage"
	"segell/wire"
)

var (
	errData  = errors.New("the data cannot be made into a document")
	errPanic = errors.New("the program stopped unexpectedly")
)

// causes tells which row of the ledger's table an error is, first match first.
var causes = []struct {
	err   error
	cause string
}{
	{errPanic, "ended_the_worker"},
	{errDeaths, "ended_the_worker"},
	{context.DeadlineExceeded, "took_too_long"},
	{ledger.ErrKeyUnknown, "key_unknown"},
	{ledger.ErrDocumentDamaged, "document_damaged"},
	{ledger.ErrDamaged, "ledger_damaged"},
	{storage.ErrDenied, "storage_refused"},
	{storage.ErrUnavailable, "storage_away"},
	{signing.ErrRevocationUnavailable, "revocation_away"},
	{signing.ErrTSAUnavailable, "tsa_away"},
	{signing.ErrKeyUnavailable, "seal_key_away"},
	{signing.ErrKeyRefused, "seal_key_refused"},
	{signing.ErrCertificateRevoked, "seal_certificate_revoked"},
	{signing.ErrCertificateExpired, "seal_certificate_expired"},
	{signing.ErrCertificateNotYetValid, "seal_certificate_not_begun"},
	{signing.ErrBelowLevel, "below_level"},
	{signing.ErrUnsound, "inspection_failed"},
	{signing.ErrUnfit, "inspection_failed"},
	{errData, "data_unusable"},
}

// causeID names the row of ledger.Causes that err belongs to.
func causeID(err error) string {
	var fault *layout.Fault
	if errors.As(err, &fault) {
		for _, c := range ledger.Causes {
			if c.ID == fault.Cause {
				return c.ID
			}
		}
		return "data_unusable"
	}
	for _, c := range causes {
		if errors.Is(err, c.err) {
			return c.cause
		}
	}
	return "unexpected"
}

// detail is what engineers read of err, in the log, in Redis and in the failure.
// The errors of our own packages never quote a request; of one that nobody
// foresaw only the types are told.
func detail(err error) string {
	if causeID(err) != "unexpected" {
		return err.Error()
	}
	types := fmt.Sprintf("%T", err)
	for err = errors.Unwrap(err); err != nil; err = errors.Unwrap(err) {
		types += fmt.Sprintf(" of %T", err)
	}
	return types
}

// retry asks asynq to run the job again after a pause. Its text is stored in
// Redis in clear and names the cause alone.
type retry struct {
	cause string
	pause time.Duration
}

func (r retry) Error() string { return r.cause }

// retryDelay is how long asynq waits: what the cause says, nothing where a worker
// died, and a little where asynq itself gave up on a job (its time was over).
func retryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	var r retry
	switch {
	case errors.As(err, &r):
		return r.pause
	case errors.Is(err, asynq.ErrLeaseExpired):
		return 0
	}
	return time.Second
}

// isFailure keeps asynq's own counters from ever giving a job up: tries are
// counted in the job's progress and judged by the table of causes.
func isFailure(err error) bool { return false }

var _ error = (wire.Faults)(nil) // data faults carry pointers and sentences, never values
