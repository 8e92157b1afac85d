package ledger_test

import (
	"testing"

	"segell/ledger"
)

// Two requests name the same document before either is issued: whichever comes
// last, also after it was repeated, one document is in force.
func TestOfTwoReplacementsOneIsInForce(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	finish := func(id string) {
		t.Helper()
		request, err := s.Request(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Issue(ctx, request, []byte("%PDF "+id), ledger.Document{Level: "B-T", Pages: 1})
		for range 2 {
			if err == nil {
				err = s.Finish(ctx, request, d, "ca", "", ledger.Masked{}, ledger.Making{})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	old := accept(t, s.Ledger, "old").ID
	finish(old)
	var replacements []string
	for _, key := range []string{"a", "b"} {
		again := submission(key)
		again.Replaces = old
		receipt, err := s.Accept(ctx, again)
		if err != nil {
			t.Fatal(err)
		}
		replacements = append(replacements, receipt.ID)
	}
	finish(replacements[0])
	finish(replacements[1])
	inForce := 0
	for _, id := range append(replacements, old) {
		record, err := s.Record(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if record.InForce(noon) {
			inForce++
		} else if record.ReplacedBy == "" {
			t.Errorf("%+v is not in force and does not say what is", record)
		}
	}
	if inForce != 1 {
		t.Errorf("%d documents are in force, want 1", inForce)
	}
}
