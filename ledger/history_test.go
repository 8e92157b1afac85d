package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/ledger"
	"segell/storage"
)

// A history is read page by page, whatever matches, and each request is on one
// page exactly.
func TestAHistoryIsReadPageByPage(t *testing.T) {
	s := newSetting(t)
	var mine []string
	for i := range 330 {
		sub := submission(fmt.Sprint(i))
		sub.At = noon.Add(time.Duration(i) * time.Minute)
		if i%110 != 5 {
			sub.Client = "office"
		}
		receipt, err := s.Accept(t.Context(), sub)
		if err != nil {
			t.Fatal(err)
		}
		if sub.Client == "portal" {
			mine = append(mine, receipt.ID)
		}
	}
	slices.Reverse(mine)
	q := ledger.HistoryQuery{Holder: s.HolderDigest("000000A"), Client: "portal", Limit: 2}
	var got []string
	pages := 0
	for more := true; more; pages++ {
		page, err := s.History(t.Context(), q)
		if err != nil || len(page.Requests) > 2 {
			t.Fatalf("a page of %d, %v", len(page.Requests), err)
		}
		for _, r := range page.Requests {
			got = append(got, r.ID)
		}
		more, q.Before = page.More, page.Last
		if pages > 10 {
			t.Fatal("the pages do not end")
		}
	}
	if !slices.Equal(got, mine) {
		t.Errorf("the pages hold %v, want %v", got, mine)
	}
	if pages < 2 {
		t.Error("300 requests were read for one page")
	}
	q = ledger.HistoryQuery{Holder: q.Holder, Client: "portal", Limit: 100, From: noon.Add(10 * time.Minute), Until: noon.Add(120 * time.Minute)}
	if page, err := s.History(t.Context(), q); err != nil || len(page.Requests) != 1 || page.Requests[0].ID != mine[1] {
		t.Errorf("between two times: %+v, %v", page, err)
	}
}

// One damaged request hides no other, and a store that is away is an error.
func TestAHistoryWithADamagedRequest(t *testing.T) {
	s := newSetting(t)
	bad, good := accept(t, s.Ledger, "1"), accept(t, s.Ledger, "2")
	if _, err := s.bucket.Write(t.Context(), "requests/2026/03/02/"+bad.ID, []byte("rot"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	q := ledger.HistoryQuery{Holder: s.HolderDigest("000000A"), Client: "portal", Limit: 10}
	if page, err := s.History(t.Context(), q); err != nil || len(page.Requests) != 1 || page.Requests[0].ID != good.ID {
		t.Errorf("the page holds %+v, %v", page, err)
	}
	s.bucket.Fault = func(op, key string) error {
		if op == "get" && strings.Contains(key, good.ID) {
			return storage.ErrUnavailable
		}
		return nil
	}
	if _, err := s.History(t.Context(), q); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("with the store away: %v", err)
	}
}

// A reference tells nothing, and is good for its purpose and its client alone.
func TestReferences(t *testing.T) {
	s := newSetting(t)
	reference, err := s.Refer("holder", "portal", "Canari")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := open(t, s.config).Resolve("holder", "portal", reference, &got); err != nil || got != "Canari" {
		t.Errorf("read back %q, %v", got, err)
	}
	flipped := []byte(reference)
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string][3]string{
		"another purpose": {"cursor", "portal", reference}, "another client": {"holder", "office", reference}, "altered": {"holder", "portal", string(flipped)},
		"nothing": {"holder", "portal", ""}, "no base64": {"holder", "portal", "€"}, "endless": {"holder", "portal", strings.Repeat("A", 1<<20)},
	} {
		if err := s.Resolve(c[0], c[1], c[2], &got); !errors.Is(err, ledger.ErrReference) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if strings.Contains(reference, "Canari") {
		t.Error("it can be read")
	}
}

// A withdrawal that races with another change of the record loses neither, and
// one whose reply was lost is not refused as a second one.
func TestAWithdrawalLosesNoOtherChange(t *testing.T) {
	s := newSetting(t)
	receipt := accept(t, s.Ledger, "k")
	request, err := s.Request(t.Context(), receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	document, err := s.Issue(t.Context(), request, []byte("%PDF"), ledger.Document{Level: "B-T", Pages: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(t.Context(), request, document, "ca", "", ledger.Masked{}, ledger.Making{}); err != nil {
		t.Fatal(err)
	}
	key := "records/2026/03/02/" + receipt.ID
	raced := false
	s.bucket.Fault = func(op, k string) error {
		if op == "replace" && !raced {
			raced = true
			object, err := s.bucket.Get(t.Context(), key)
			if err != nil {
				t.Error(err)
			}
			if _, err := s.bucket.Write(t.Context(), key, []byte(strings.Replace(string(object.Body), `"tries":1`, `"tries":7`, 1)), storage.Put{}); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	if record, err := s.Withdraw(t.Context(), receipt.ID, ledger.WithdrawnFraud); err != nil || !raced || record.Tries != 7 || record.Status != ledger.StateWithdrawn {
		t.Errorf("the record is %+v, %v", record, err)
	}
	s.bucket.Fault = nil
	if _, err := s.Withdraw(t.Context(), receipt.ID, ledger.WithdrawnFraud); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if record, err := s.Withdraw(t.Context(), receipt.ID, ledger.WithdrawnByHolder); !errors.Is(err, ledger.ErrNotInForce) || record.Reason != ledger.WithdrawnFraud {
		t.Errorf("for another reason: %+v, %v", record, err)
	}
	if _, err := s.Withdraw(t.Context(), receipt.ID, "boredom"); !errors.Is(err, ledger.ErrReason) {
		t.Errorf("for no reason of the list: %v", err)
	}
}
