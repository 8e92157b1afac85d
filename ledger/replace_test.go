package ledger_test

import (
	"errors"
	"testing"
	"time"

	"segell/ledger"
)

// issue accepts a request at a time and issues its document.
func (s *setting) issue(t *testing.T, sub ledger.Submission, at time.Time) string {
	t.Helper()
	sub.At = at
	receipt, err := s.Accept(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	request, err := s.Request(t.Context(), receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Issue(t.Context(), request, []byte("%PDF "+receipt.ID), ledger.Document{Level: "B-T", Pages: 1})
	if err == nil {
		err = s.Finish(t.Context(), request, d, "ca", "", ledger.Masked{}, ledger.Making{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return receipt.ID
}

// A document is replaced by a newer one of the same client, holder and kind that is
// in force, and by no other; to say so again changes nothing.
func TestReplaceBy(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	at := func(n int) time.Time { return noon.Add(time.Duration(n-20) * time.Minute) }
	old := s.issue(t, submission("old"), at(1))
	by := s.issue(t, submission("by"), at(5))
	later := s.issue(t, submission("later"), at(6))
	earlier := s.issue(t, submission("earlier"), at(0))
	another := submission("another")
	another.CASSNumber, another.Body = "000001B", []byte(`{"language":"ca","holder":{"full_name":"Altre, Un","cass_number":"000001B"}}`)
	person := s.issue(t, another, at(7))
	another = submission("k")
	another.Kind, another.Code = "benefit_statement", "EST"
	kind := s.issue(t, another, at(8))
	another = submission("c")
	another.Client = "other"
	client := s.issue(t, another, at(9))
	withdrawn := s.issue(t, submission("w"), at(10))
	if _, err := s.Withdraw(ctx, withdrawn, ledger.WithdrawnFraud); err != nil {
		t.Fatal(err)
	}
	for name, by := range map[string]string{"an older one": earlier, "itself": old, "another person's": person, "another kind": kind, "another client's": client,
		"one withdrawn": withdrawn, "one that waits": accept(t, s.Ledger, "waits").ID, "none": "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e", "no id": "../17"} {
		if _, err := s.ReplaceBy(ctx, old, by); !errors.Is(err, ledger.ErrNotReplaceable) {
			t.Errorf("by %s: %v", name, err)
		}
	}
	for range 2 {
		record, err := s.ReplaceBy(ctx, old, by)
		if err != nil || record.Status != ledger.StateReplaced || record.ReplacedByID != by || record.WithdrawnAt == nil {
			t.Fatalf("%+v, %v", record, err)
		}
	}
	successor, err := s.Record(ctx, by)
	if err != nil || successor.Status != ledger.StateIssued || successor.Replaces != old {
		t.Errorf("what replaces it is %+v, %v", successor, err)
	}
	if replaced, err := s.Record(ctx, old); err != nil || replaced.ReplacedBy != successor.Number {
		t.Errorf("%+v, %v", replaced, err)
	}
	if _, err := s.ReplaceBy(ctx, old, later); !errors.Is(err, ledger.ErrNotInForce) {
		t.Errorf("replaced once more: %v", err)
	}
	if _, err := s.ReplaceBy(ctx, withdrawn, later); !errors.Is(err, ledger.ErrNotInForce) {
		t.Errorf("one withdrawn: %v", err)
	}
	if _, err := s.ReplaceBy(ctx, "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e", by); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
}
