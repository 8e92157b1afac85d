package console

import (
	"context"
	"errors"
	"net/http"

	"segell/acts"
	"segell/audit"
	"segell/index"
	"segell/ledger"
	"segell/queue"
	"segell/staff"
	"segell/storage"
)

// trouble is one row of the table that says what staff read of an error: the
// status, and the key of title and text in frame.problems.
type trouble struct {
	err    error
	status int
	key    string
}

// troubles are searched from the top; what is in no row is "unexpected".
var troubles = []trouble{
	{ledger.ErrNotFound, http.StatusNotFound, "not_found"},
	{ledger.ErrErased, http.StatusGone, "erased"},
	{ledger.ErrReference, http.StatusNotFound, "reference"},
	{ledger.ErrAuditEntry, http.StatusUnprocessableEntity, "reason"},
	{acts.ErrWhy, http.StatusUnprocessableEntity, "no_reason"},
	{ledger.ErrDamaged, http.StatusInternalServerError, "damaged"},
	{staff.ErrNotFound, http.StatusNotFound, "not_found"},
	{staff.ErrIssuerAway, http.StatusServiceUnavailable, "issuer"},
	{audit.ErrIncomplete, http.StatusServiceUnavailable, "audit"},
	{audit.ErrCursor, http.StatusBadRequest, "cursor"},
	{index.ErrCursor, http.StatusBadRequest, "cursor"},
	{index.ErrAway, http.StatusServiceUnavailable, "redis"},
	{queue.ErrAway, http.StatusServiceUnavailable, "redis"},
	{storage.ErrUnavailable, http.StatusServiceUnavailable, "storage"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "slow"},
}

func troubleOf(err error) trouble {
	for _, t := range troubles {
		if errors.Is(err, t.err) {
			return t
		}
	}
	return trouble{err, http.StatusInternalServerError, "unexpected"}
}

// problem answers with what an error means to staff. The technical words are in
// the log alone.
func (c *Console) problem(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody reads the answer
	}
	t := troubleOf(err)
	if t.status >= http.StatusInternalServerError {
		c.Log.Error("console: an answer failed", "route", r.Method+" "+r.Pattern, "error", err)
	}
	c.refuse(w, r, t.status, t.key)
}

// refuse answers with a page of frame.problems.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, status int, key string) {
	c.page(w, r, status, "problem", map[string]any{"Key": key})
}

// troubleWord is the key in frame.problems for a part of a page that could not be
// made: the rest of the page is shown all the same. "" where err is nil.
func (c *Console) troubleWord(r *http.Request, part string, err error) string {
	if err == nil {
		return ""
	}
	if r.Context().Err() == nil {
		c.Log.Warn("console: a part of a page is missing", "part", part, "error", err)
	}
	return troubleOf(err).key
}
