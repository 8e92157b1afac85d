package press_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/cmd/internal/press"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
	"segell/storage/storagetest"
)

// A retry is written down before it is done: one that cannot be written down is
// not done.
func TestARetryIsWrittenDownFirst(t *testing.T) {
	bucket := &storagetest.Memory{}
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	away, err := queue.Open("redis://127.0.0.1:1") // the ledger alone decides
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	p, err := press.New(press.Parts{Bucket: bucket, Redis: away, Keyset: keyset, HMACKey: bytes.Repeat([]byte{1}, ledger.HMACKeySize), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := p.Ledger.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: "k", Kind: "coverage_certificate", Code: "COB",
		CASSNumber: "000000A", Queue: queue.Interactive, Body: standard(t), At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ledger.GiveUp(t.Context(), ledger.Failure{ID: receipt.ID, Kind: receipt.Kind, Cause: "storage_away"}); err != nil {
		t.Fatal(err)
	}
	act := press.Act{Who: "staff", Why: "the store is back", From: "host"}
	bucket.Fault = func(op, key string) error {
		if strings.HasPrefix(key, "audit/") {
			return fmt.Errorf("%w: refused", storage.ErrDenied)
		}
		return nil
	}
	if err := p.Retry(t.Context(), receipt.ID, act); !errors.Is(err, storage.ErrDenied) {
		t.Errorf("without a trail: %v", err)
	}
	if _, err := p.Ledger.Failure(t.Context(), receipt.ID); err != nil {
		t.Errorf("it was retried all the same: %v", err)
	}
	if err := p.Retry(t.Context(), receipt.ID, press.Act{Who: "staff", Why: "asked for by 123456A"}); !errors.Is(err, ledger.ErrAuditEntry) {
		t.Errorf("a reason that names a person: %v", err)
	}
	var done []string
	bucket.Fault = nil
	bucket.After = func(op, key string) error {
		if op == "create" || op == "delete" {
			folder, _, _ := strings.Cut(key, "/")
			done = append(done, op+" "+folder)
		}
		return nil
	}
	if err := p.Retry(t.Context(), receipt.ID, act); err != nil {
		t.Fatal(err)
	}
	if first, then := slices.Index(done, "create audit"), slices.Index(done, "delete failures"); first < 0 || then < first {
		t.Errorf("done in this order: %v", done)
	}
	for record, err := range p.Ledger.AuditTrail(t.Context()) {
		if err != nil || record.Who != "staff" || record.What != "jobs.retry" || record.ID != receipt.ID || record.Why != act.Why || record.From != "host" {
			t.Errorf("written down: %+v, %v", record, err)
		}
	}
}
