package acts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/acts"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
)

// Every act is in the audit trail before it is done: one that cannot be written
// down is not done, nor is one whose reason names a person. And each is written
// down as it is called, with who, to what, why and from where.
func TestActsAreWrittenDownFirst(t *testing.T) {
	h := newHouse(t)
	p := h.process()
	failed, other, again := h.failed(1)[0], h.failed(1)[0], h.failed(1)[0]
	shown, issued, old, by := h.accept(p).ID, h.issued(p), h.issued(p), ""
	time.Sleep(2 * time.Millisecond) // ids are in the order of their milliseconds
	by = h.issued(p)
	if err := p.ledger.Pause(t.Context(), ledger.Pause{Scope: ledger.PauseQueue, Name: queue.Batch, Who: "bru", Why: "load"}); err != nil {
		t.Fatal(err)
	}
	for _, act := range []struct {
		word, id string
		why      string // as written down
		do       func(why string) error
	}{
		{"jobs.retry", failed, reason, func(why string) error { return p.Retry(t.Context(), anna, failed, acts.WhereItStopped, why) }},
		{"jobs.retry_render", again, reason, func(why string) error { return p.Retry(t.Context(), anna, again, acts.RenderAgain, why) }},
		{"jobs.cancel", other, "asked_again: " + reason, func(why string) error {
			_, err := p.Cancel(t.Context(), anna, other, ledger.CancelAskedAgain, why)
			return err
		}},
		{"requests.show", shown, reason, func(why string) error { _, err := p.Show(t.Context(), anna, shown, why); return err }},
		{"documents.show", issued, reason, func(why string) error { _, err := p.Document(t.Context(), anna, issued, why); return err }},
		{"documents.withdraw", issued, "fraud: " + reason, func(why string) error {
			_, err := p.Withdraw(t.Context(), anna, issued, ledger.WithdrawnFraud, why)
			return err
		}},
		{"documents.replace", old, reason, func(why string) error { return p.Replace(t.Context(), anna, old, by, why) }},
		{"work.pause", "kind.coverage_certificate", reason, func(why string) error {
			return p.Pause(t.Context(), anna, ledger.PauseKind, "coverage_certificate", why)
		}},
		{"work.resume", "queue.batch", reason, func(why string) error { return p.Resume(t.Context(), anna, ledger.PauseQueue, queue.Batch, why) }},
	} {
		t.Run(act.word, func(t *testing.T) {
			before := h.objects()
			h.bucket.Fault = func(op, key string) error {
				if op != "get" && op != "list" && op != "head" && strings.HasPrefix(key, "audit/") {
					return fmt.Errorf("%w: refused", storage.ErrDenied)
				}
				return nil
			}
			if err := act.do(reason); !errors.Is(err, storage.ErrDenied) {
				t.Errorf("without a trail: %v", err)
			}
			h.bucket.Fault = nil
			if err := act.do("asked for by " + holderCASS); !errors.Is(err, ledger.ErrAuditEntry) {
				t.Errorf("a reason that names a person: %v", err)
			}
			if after := h.objects(); !slices.Equal(before, after) {
				t.Errorf("it was done all the same: %v", after)
			}
			var order []string
			h.bucket.After = func(op, key string) error {
				if op != "get" && op != "list" && op != "head" {
					folder, _, _ := strings.Cut(key, "/")
					order = append(order, folder)
				}
				return nil
			}
			if err := act.do(reason); err != nil {
				t.Fatal(err)
			}
			h.bucket.After = nil
			if len(order) == 0 || order[0] != "audit" {
				t.Errorf("written in this order: %v", order)
			}
			var last ledger.AuditRecord
			for record, err := range p.ledger.AuditTrail(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				last = record
			}
			if want := (ledger.AuditEntry{Who: "anna", What: act.word, ID: act.id, Why: act.why, From: "10.0.0.1"}); last.AuditEntry != want {
				t.Errorf("written down: %+v, want %+v", last.AuditEntry, want)
			}
		})
	}
	for id, want := range map[string]ledger.State{failed: ledger.StateAccepted, again: ledger.StateAccepted, other: ledger.StateCancelled, issued: ledger.StateWithdrawn, old: ledger.StateReplaced, by: ledger.StateIssued} {
		if standing, err := p.ledger.Look(t.Context(), id); err != nil || standing.State != want {
			t.Errorf("%s is %s, %v, want %s", id, standing.State, err, want)
		}
	}
	if job, where, err := p.queue.Find(t.Context(), failed); err != nil || job.State != queue.Pending || where != queue.Interactive {
		t.Errorf("the job of the retry is %+v in %q, %v", job, where, err)
	}
}

// What cannot be done is not written down.
func TestWhatCannotBeDoneIsRefused(t *testing.T) {
	h := newHouse(t)
	p := h.process()
	failed, waiting, issued, older := h.failed(1)[0], h.accept(p).ID, h.issued(p), ""
	time.Sleep(2 * time.Millisecond)
	older, issued = issued, h.issued(p)
	none := "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"
	do := func(_ any, err error) error { return err }
	for name, act := range map[string]struct {
		err  error
		want error
	}{
		"retry what waits":             {p.Retry(t.Context(), anna, waiting, acts.WhereItStopped, reason), acts.ErrNotFailed},
		"retry what is issued":         {p.Retry(t.Context(), anna, issued, acts.RenderAgain, reason), acts.ErrNotFailed},
		"retry nothing":                {p.Retry(t.Context(), anna, none, acts.WhereItStopped, reason), acts.ErrNotFailed},
		"cancel what is issued":        {do(p.Cancel(t.Context(), anna, issued, ledger.CancelInError, "")), ledger.ErrIssued},
		"cancel nothing":               {do(p.Cancel(t.Context(), anna, none, ledger.CancelInError, "")), ledger.ErrNotFound},
		"cancel for a whim":            {do(p.Cancel(t.Context(), anna, failed, "whim", "")), ledger.ErrReason},
		"withdraw what failed":         {do(p.Withdraw(t.Context(), anna, failed, ledger.WithdrawnFraud, "")), ledger.ErrNotFound},
		"withdraw for a whim":          {do(p.Withdraw(t.Context(), anna, issued, "whim", "")), ledger.ErrReason},
		"replace by an older one":      {p.Replace(t.Context(), anna, issued, older, reason), ledger.ErrNotReplaceable},
		"replace by itself":            {p.Replace(t.Context(), anna, issued, issued, reason), ledger.ErrNotReplaceable},
		"replace by what failed":       {p.Replace(t.Context(), anna, issued, failed, reason), ledger.ErrNotReplaceable},
		"replace without a reason":     {p.Replace(t.Context(), anna, older, issued, " "), acts.ErrWhy},
		"show without a reason":        {do(p.Show(t.Context(), anna, waiting, "")), acts.ErrWhy},
		"show what is issued":          {do(p.Show(t.Context(), anna, issued, reason)), ledger.ErrNotFound},
		"a document that is not there": {do(p.Document(t.Context(), anna, waiting, reason)), ledger.ErrNotFound},
		"a document without a reason":  {do(p.Document(t.Context(), anna, issued, "")), acts.ErrWhy},
		"pause no kind":                {p.Pause(t.Context(), anna, ledger.PauseKind, "birth_certificate", reason), acts.ErrPausable},
		"pause no queue":               {p.Pause(t.Context(), anna, ledger.PauseQueue, "express", reason), acts.ErrPausable},
		"pause without a reason":       {p.Pause(t.Context(), anna, ledger.PauseQueue, queue.Batch, ""), acts.ErrWhy},
		"resume what is not paused":    {p.Resume(t.Context(), anna, ledger.PauseQueue, queue.Batch, reason), acts.ErrNotPaused},
		"replay nothing":               {p.Replay(t.Context(), anna, issued+"/document.issued", reason), ledger.ErrNotFound},
	} {
		if !errors.Is(act.err, act.want) {
			t.Errorf("%s: %v, want %v", name, act.err, act.want)
		}
	}
	if trail := h.trail(); len(trail) > 0 {
		t.Errorf("written down all the same: %v", trail)
	}
}

// Show tells who gave a reason whom a request is about; the trail tells that, and
// not what was seen.
func TestShowTellsAndTheTrailDoesNot(t *testing.T) {
	h := newHouse(t)
	p := h.process()
	id := h.failed(1)[0]
	shown, err := p.Show(t.Context(), anna, id, "the person calls")
	if err != nil || shown.FullName != holderName || shown.CASSNumber != holderCASS || !strings.Contains(string(shown.Body), holderName) {
		t.Errorf("shown: %+v, %v", shown, err)
	}
	for info, err := range h.bucket.List(t.Context(), "audit/", "") {
		if err != nil {
			t.Fatal(err)
		}
		entry, err := h.bucket.Get(context.Background(), info.Key)
		if err != nil || strings.Contains(string(entry.Body), "Canari") || strings.Contains(string(entry.Body), holderCASS) {
			t.Errorf("the trail holds %s, %v", entry.Body, err)
		}
	}
}

// A retry that draws the page anew drops what earlier steps made; any other keeps it.
func TestRetryFromAStep(t *testing.T) {
	h := newHouse(t)
	p := h.process()
	for _, id := range h.failed(2) {
		if err := p.ledger.KeepWork(t.Context(), id, "page", "render", []byte("made")); err != nil {
			t.Fatal(err)
		}
		_, err := p.ledger.Work(t.Context(), id, "page")
		if err != nil {
			t.Fatal(err)
		}
		from := acts.WhereItStopped
		if len(h.trail()) > 0 {
			from = acts.RenderAgain
		}
		if err := p.Retry(t.Context(), anna, id, from, reason); err != nil {
			t.Fatal(err)
		}
		_, err = p.ledger.Work(t.Context(), id, "page")
		if kept := err == nil; kept != (from == acts.WhereItStopped) {
			t.Errorf("from %q: kept is %v", from, err)
		}
	}
}
