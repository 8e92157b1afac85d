package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Failure is the error of an operation that the store refused or did not answer. It wraps the sentinel, and repeats
// nothing of the request: neither SDK errors nor the server's message may, as they hold keys and addresses.
type Failure struct {
	Op     string // what was done, such as "create"
	Status int    // HTTP status; 0 without an answer
	Code   string // S3 error code, such as "SlowDown"
	Cause  string // without an answer: why, such as "connection refused"

	sentinel error
}

func (f *Failure) Error() string {
	text := "storage: " + f.Op
	if f.sentinel != nil {
		text += ": " + f.sentinel.Error()
	}
	switch {
	case f.Status != 0 && f.Code != "":
		return fmt.Sprintf("%s (HTTP %d, %s)", text, f.Status, f.Code)
	case f.Status != 0:
		return fmt.Sprintf("%s (HTTP %d)", text, f.Status)
	case f.Cause != "":
		return fmt.Sprintf("%s (%s)", text, f.Cause)
	}
	return text
}

// Unwrap returns the sentinel, or nil for an answer that none fits.
func (f *Failure) Unwrap() error { return f.sentinel }

// failure makes the error of op from what the SDK returned. precondition is what a 412 means here. ctx is the caller's:
// when it has ended, its error is the answer; our own time limit is the store's fault.
func failure(ctx context.Context, op string, err, precondition error) error {
	if err == nil {
		return nil
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("storage: %s: %w", op, ctxErr)
	}
	f := &Failure{Op: op}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		f.Status = response.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.Code = cleanCode(api.ErrorCode())
	}
	if f.Status == 0 && f.Code == "" {
		f.sentinel, f.Cause = ErrUnavailable, causeWithoutAddress(err)
		return f
	}
	switch {
	case f.Status == http.StatusPreconditionFailed || f.Code == "PreconditionFailed":
		f.sentinel = precondition
	case f.Code == "NoSuchKey":
		f.sentinel = ErrNotFound
	case f.Code == "XAdminUserNotFound":
		f.sentinel = ErrDenied // versitygw's 404 for an unknown access key
	case f.Status == http.StatusNotFound:
		// No such bucket, or a proxy's own page: nothing may be concluded from it about what the ledger holds.
		f.sentinel = ErrUnavailable
	case f.Status == http.StatusRequestTimeout, f.Status == http.StatusTooManyRequests, f.Status >= 500,
		f.Status == http.StatusConflict && (f.Code == "" || f.Code == "ConditionalRequestConflict" || f.Code == "OperationAborted"), f.Code == "RequestTimeout", f.Code == "SlowDown", f.Status/100 == 2:
		// These 409 pass when the other writer is done (others do not: versitygw's ObjectParentIsFile, where a key is also the
		// folder of another); a 2xx that ends in an error was cut off.
		f.sentinel = ErrUnavailable
	case f.Status == http.StatusUnauthorized, f.Status == http.StatusForbidden, f.Status/100 == 3,
		f.Code == "AuthorizationHeaderMalformed", f.Code == "ExpiredToken", f.Code == "InvalidToken":
		f.sentinel = ErrDenied
	}
	return f
}

// cleanCode lets through only what an S3 error code consists of.
func cleanCode(code string) string {
	if len(code) > 64 {
		return ""
	}
	for _, r := range code {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' {
			return ""
		}
	}
	return code
}

// causeWithoutAddress says why there was no answer. A url.Error names the whole address, what it wraps does not.
func causeWithoutAddress(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	var address *url.Error
	if errors.As(err, &address) {
		return address.Err.Error()
	}
	var cut *cutOff
	if errors.As(err, &cut) {
		return cut.Error()
	}
	return "the request could not be made"
}

// cutOff says that less came than was announced.
type cutOff struct{ err error }

func (c *cutOff) Error() string { return "the answer was cut off" }
func (c *cutOff) Unwrap() error { return c.err }
