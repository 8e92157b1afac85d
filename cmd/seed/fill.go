package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"segell/ledger"
	"segell/queue"
	"segell/storage"
	"segell/templates"
)

// chunk is how many requests are made between two notes of how far it is.
const chunk = 500

// fill makes every request that is not there yet.
func (f *filler) fill(ctx context.Context, workers int, out io.Writer) error {
	var made atomic.Int64
	made.Store(int64(f.Done))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var telling sync.WaitGroup
	defer telling.Wait()
	ended := make(chan struct{})
	defer close(ended)
	telling.Go(func() { f.progress(&made, ended, out) })
	for f.Done < f.N {
		end := min(f.Done+chunk, f.N)
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(workers)
		for i := f.Done; i < end; i++ {
			group.Go(func() error {
				if err := f.make(ctx, i); err != nil {
					return fmt.Errorf("request %d: %w", i, err)
				}
				made.Add(1)
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		f.Done = end
		if err := f.save(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// progress writes a line every ten seconds, and one at the end.
func (f *filler) progress(made *atomic.Int64, ended chan struct{}, out io.Writer) {
	began, before := time.Now(), made.Load()
	line := func() {
		n := made.Load()
		rate := float64(n-before) / max(time.Since(began).Seconds(), 0.001)
		left := "?"
		if rate > 0 {
			left = time.Duration(float64(int64(f.N)-n) / rate * float64(time.Second)).Round(time.Second).String()
		}
		fmt.Fprintf(out, "%d of %d requests (%d %%), %.0f a second, %s left\n", n, f.N, n*100/int64(f.N), rate, left)
	}
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			line()
			return
		case <-ticker.C:
			line()
		}
	}
}

// make makes the i-th request and what became of it.
func (f *filler) make(ctx context.Context, i int) error {
	if f.fate(i) == issued {
		return f.issue(ctx, i)
	}
	kind, ok := templates.Lookup(f.kind(i))
	if !ok {
		return fmt.Errorf("there is no kind %s", f.kind(i))
	}
	p := personOf(i * 7919 % people(f.N))
	body, err := bodyFor(kind.ID, p)
	if err != nil {
		return err
	}
	receipt, err := f.ledger.Accept(ctx, ledger.Submission{Client: "portal", IdempotencyKey: fmt.Sprintf("seed-%d", i), Kind: kind.ID, Code: kind.Code,
		CASSNumber: p.cass, Queue: queue.Batch, Body: body, At: f.at(i)})
	if err != nil || f.fate(i) == waiting {
		return err
	}
	return f.ledger.GiveUp(ctx, failureOf(i, receipt, f.at(i)))
}

// identity is what names a document.
type identity struct {
	id, number string
	code       ledger.CSV
	at         time.Time
}

// identity is that of the i-th request, always the same.
func (f *filler) identity(i int) (who identity, err error) {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(i))
	binary.BigEndian.PutUint64(seed[8:], uint64(f.Until.Unix()))
	drawn := rand.NewChaCha8(seed)
	who.at = f.at(i)
	if who.id, err = ledger.NewID(who.at, drawn); err != nil {
		return who, err
	}
	if who.code, err = ledger.NewCSV(drawn); err != nil {
		return who, err
	}
	kind, ok := templates.Lookup(f.kind(i))
	if !ok {
		return who, fmt.Errorf("there is no kind %s", f.kind(i))
	}
	year := who.at.Year()
	who.number = fmt.Sprintf("CASS-%d-%s-%07d", year, kind.Code, f.First[fmt.Sprintf("%d/%s", year, kind.Code)]+int64(i))
	return who, nil
}

// issue writes the register's entry of the i-th request, in the form that the
// ledger gives it, and for some of them all that belongs to it.
func (f *filler) issue(ctx context.Context, i int) error {
	who, err := f.identity(i)
	if err != nil {
		return err
	}
	id, code, number, at := who.id, who.code, who.number, who.at
	p := personOf(i * 7919 % people(f.N))
	name := sha256.Sum256([]byte(code))
	page := blankPage(number)
	sum := sha256.Sum256(page)
	took := time.Duration(300+i*i%3000) * time.Millisecond
	record := ledger.Record{ID: id, Kind: f.kind(i), Number: number, Language: []string{"ca", "ca", "ca", "es", "fr", "pt"}[i%6], Client: "portal",
		IssuedAt: at.Truncate(time.Second), ValidUntil: at.AddDate(0, 3, 0).Format(time.DateOnly), Level: "B-LTA", Pages: 1,
		Holder: f.ledger.HolderDigest(p.cass), Masked: ledger.Mask(p.name, p.cass), Status: ledger.StateIssued, Tries: 1,
		Certificate: hex.EncodeToString(make([]byte, sha256.Size)), Code: hex.EncodeToString(name[:]),
		Versions: []ledger.Version{{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(page)), At: at.Add(took).Truncate(time.Second), ProofEnd: at.AddDate(5, 0, 0)}}}
	if err := f.age(&record, i); err != nil {
		return err
	}
	if i%f.Complete == 0 {
		if err := f.complete(ctx, record, code, page); err != nil {
			return err
		}
	}
	return f.put(ctx, "records/"+at.Format("2006/01/02")+"/"+id, record)
}

// age withdraws or replaces some documents.
func (f *filler) age(r *ledger.Record, i int) error {
	later := f.at(i).Add(48 * time.Hour).Truncate(time.Second)
	next := i + len(shares) // is of the same kind
	switch {
	case later.After(f.Until):
	case i%53 == 0:
		r.Status, r.Reason, r.WithdrawnAt = ledger.StateWithdrawn, ledger.WithdrawalReasons[i%len(ledger.WithdrawalReasons)], &later
	case i%97 == 0 && next < f.N && f.fate(next) == issued:
		by, err := f.identity(next)
		if err != nil {
			return err
		}
		at := by.at.Truncate(time.Second)
		r.Status, r.WithdrawnAt, r.ReplacedBy, r.ReplacedByID = ledger.StateReplaced, &at, by.number, by.id
	}
	return nil
}

// complete writes what belongs to an issued document besides its entry.
func (f *filler) complete(ctx context.Context, r ledger.Record, code ledger.CSV, page []byte) error {
	if _, err := f.bucket.Write(ctx, "holders/v1/"+r.Holder+"/"+r.ID, nil, storage.Put{}); err != nil {
		return err
	}
	document := ledger.Document{Level: r.Level, Pages: r.Pages, Certificate: r.Certificate, ProofEnd: r.Versions[0].ProofEnd}
	if _, err := f.ledger.Issue(ctx, ledger.Request{ID: r.ID, Kind: r.Kind, CSV: code}, page, document); err != nil {
		return err
	}
	return f.put(ctx, "codes/v1/"+r.Code, map[string]string{"id": r.ID})
}

// put writes an object, which may be there from an earlier run.
func (f *filler) put(ctx context.Context, key string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = f.bucket.Create(ctx, key, body, storage.Put{ContentType: "application/json"})
	if errors.Is(err, storage.ErrExists) {
		return nil
	}
	return err
}

// failureOf is why the i-th request failed: a few causes, with details that differ
// only by what they are about.
func failureOf(i int, r ledger.Receipt, at time.Time) ledger.Failure {
	ways := []struct {
		stage  ledger.Stage
		cause  string
		detail string
	}{
		{ledger.StageRender, "missing_glyph", fmt.Sprintf("page %d, row %d: no font has a glyph for U+1F%03X", i%4+1, i%90, i%4096)},
		{ledger.StageRender, "missing_glyph", fmt.Sprintf("page %d, row %d: no font has a glyph for U+1F%03X", i%4+1, i%90, i%4096)},
		{ledger.StageRender, "data_unusable", fmt.Sprintf("the data cannot be made into a document: /data/periods/%d/until: is before its beginning", i%40)},
		{ledger.StageSeal, "tsa_away", fmt.Sprintf("the time-stamping authority is out of reach: dial tcp 192.0.2.%d:443: i/o timeout", i%200)},
		{ledger.StageSeal, "seal_certificate_expired", "the certificate of the seal has expired"},
		{ledger.StageStore, "storage_refused", fmt.Sprintf("the object store refuses access: request %016x", i)},
	}
	way := ways[i/5%len(ways)]
	end := at.Add(time.Minute).UTC().Truncate(time.Second)
	return ledger.Failure{ID: r.ID, Kind: r.Kind, Number: r.Number, Client: "portal", Stage: way.stage, Cause: way.cause, Detail: way.detail,
		Tries: []ledger.Try{{At: end, Stage: way.stage, Cause: way.cause}}, FailedAt: end}
}
