package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"segell/index"
	"segell/ledger"
	"segell/notify"
)

// What staff have done and clients were not told in the time of the plan: in a
// register of a million 200 bulks, 100 callbacks that were given up and 20,000
// entries of the audit trail.

const (
	perBulk     = 5_000  // requests of the register
	perCallback = 10_000 // requests of the register
	perEntry    = 50     // requests of the register
	chainLength = 500    // entries that one process writes
	actsAtOnce  = 16     // of them between two notes of how far it is
)

func (f *filler) bulks() int     { return max(1, f.N/perBulk) }
func (f *filler) callbacks() int { return max(1, f.N/perCallback) }
func (f *filler) entries() int   { return max(1, f.N/perEntry) }
func (f *filler) chains() int    { return (f.entries() + chainLength - 1) / chainLength }

// act makes what was done with the register, as far as it is not there yet.
func (f *filler) act(ctx context.Context, workers int, out io.Writer) error {
	for _, part := range []struct {
		name string
		done *int
		all  int
		make func(context.Context, int) error
	}{
		{"bulk", &f.Bulks, f.bulks(), f.bulk}, {"callback", &f.Callbacks, f.callbacks(), f.callback}, {"chain of the audit trail", &f.Chains, f.chains(), f.chain},
	} {
		for *part.done < part.all {
			end := min(*part.done+actsAtOnce, part.all)
			group, within := errgroup.WithContext(ctx)
			group.SetLimit(workers)
			for i := *part.done; i < end; i++ {
				group.Go(func() error {
					if err := part.make(within, i); err != nil {
						return fmt.Errorf("%s %d: %w", part.name, i, err)
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				return err
			}
			*part.done = end
			if err := f.save(context.WithoutCancel(ctx)); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(out, "%d bulks that ended, %d callbacks that were given up, %d entries of the audit trail\n", f.bulks(), f.callbacks(), f.entries())
	return nil
}

// drawn gives the same random bytes for the i-th thing of a sort in every run.
func (f *filler) drawn(sort string, i int) io.Reader {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(i))
	binary.BigEndian.PutUint64(seed[8:], uint64(f.Until.Unix()))
	copy(seed[16:], sort)
	return rand.NewChaCha8(seed)
}

// then is when the i-th of so many things happened: evenly over the days.
func (f *filler) then(i, all int) time.Time {
	span := time.Duration(f.Days) * 24 * time.Hour
	return f.Until.Add(-span + time.Duration(float64(span)*float64(i+1)/float64(all+1))).UTC().Truncate(time.Second)
}

// document is an issued request near the i-th.
func (f *filler) document(i int) (int, identity, error) {
	for i %= f.N; f.fate(i) != issued; {
		i = (i + 1) % f.N
	}
	who, err := f.identity(i)
	return i, who, err
}

var (
	staffs  = []string{"anna.puig", "pere.serra", "laia.font", "marc.vila", "nuria.casal"}
	reasons = []string{"the certificate of the seal is renewed", "the authority answers again", "the fonts are installed", "asked for by telephone", "the store has room again"}
	causes  = []string{"tsa_away", "missing_glyph", "seal_certificate_expired", "storage_refused", "data_unusable"}
)

// bulkID is the id of the i-th bulk.
func (f *filler) bulkID(i int) (string, error) {
	return ledger.NewID(f.then(i, f.bulks()), f.drawn("bulk", i))
}

// bulk makes the i-th bulk, which ended, with the list of what it meant.
func (f *filler) bulk(ctx context.Context, i int) error {
	at := f.then(i, f.bulks())
	l, err := f.open(func() time.Time { return at }, f.drawn("bulk list", i))
	if err != nil {
		return err
	}
	b := ledger.Bulk{What: []string{"retry", "retry", "retry_render", "cancel"}[i%4], Why: reasons[i%len(reasons)], Who: staffs[i%len(staffs)], From: "192.0.2.7",
		State: ledger.BulkDone, Begun: at, Ended: at.Add(time.Duration(1+i%40) * time.Minute)}
	if b.ID, err = f.bulkID(i); err != nil {
		return err
	}
	switch i % 12 {
	case 5:
		b.State, b.Stopper = ledger.BulkStopped, staffs[(i+1)%len(staffs)]
	case 11:
		b.State, b.Judge, b.Begun = ledger.BulkRefused, staffs[(i+1)%len(staffs)], time.Time{}
	}
	if b.Selection, err = json.Marshal(map[string]index.Query{"query": {States: []ledger.State{ledger.StateFailed}, Cause: causes[i%len(causes)]}}); err != nil {
		return err
	}
	ids, err := f.meant(i)
	if err != nil {
		return err
	}
	if b, err = l.CreateBulk(ctx, b, ids); err != nil || b.State == ledger.BulkRefused {
		return err
	}
	p := ledger.BulkProgress{Next: b.Total, Done: b.Total}
	if n := b.Total / 20; n > 0 {
		p.Done, p.Cannot = b.Total-n, map[string]int{"issued": n}
		p.Examples = []ledger.BulkOutcome{{ID: ids[0], Reason: "issued"}}
	}
	if b.State == ledger.BulkStopped {
		p = ledger.BulkProgress{Next: b.Total / 2, Done: b.Total / 2}
	}
	_, err = l.SaveBulkProgress(ctx, b.ID, p)
	return err
}

// meant are the requests of the i-th bulk: from twenty to a thousand, each once, and
// accepted before it.
func (f *filler) meant(i int) (ids []string, err error) {
	before, n := (i+1)*f.N/(f.bulks()+1), min(20+i*i*37%1000, f.N/2+1)
	for k := range n {
		at := (before - 1 - k + f.N) % f.N
		if f.fate(at) != issued {
			continue
		}
		who, err := f.identity(at)
		if err != nil {
			return nil, err
		}
		ids = append(ids, who.id)
	}
	if len(ids) > 0 {
		return ids, nil
	}
	_, who, err := f.document(before)
	return []string{who.id}, err
}

// callback makes the i-th callback that was given up.
func (f *filler) callback(ctx context.Context, i int) error {
	document, who, err := f.document(i*f.N/f.callbacks() + i%7)
	if err != nil {
		return err
	}
	dead := who.at.Add(72 * time.Hour)
	if dead.After(f.Until) {
		dead = f.Until
	}
	l, err := f.open(func() time.Time { return dead }, f.drawn("callback", i))
	if err != nil {
		return err
	}
	n := ledger.Notice{Request: who.id, Event: ledger.EventIssued, At: who.at.UTC().Truncate(time.Second), Client: "portal", Kind: f.kind(document), Number: who.number}
	for try := range 8 {
		tried := ledger.NoticeTry{At: n.At.Add(time.Minute << try), Cause: notify.CauseStatus, Status: 500 + i%4}
		if i%3 == 0 {
			tried.Cause, tried.Status = notify.CauseUnreachable, 0
		}
		n.Tries = append(n.Tries, tried)
	}
	return l.Undeliverable(ctx, n)
}

// chain makes the i-th chain of the audit trail. To make it again writes the same
// entries, which lie there already.
func (f *filler) chain(ctx context.Context, i int) error {
	var at time.Time
	l, err := f.open(func() time.Time { return at }, f.drawn("chain", i))
	if err != nil {
		return err
	}
	for k := i * chainLength; k < min((i+1)*chainLength, f.entries()); k++ {
		at = f.then(k, f.entries())
		entry, err := f.entry(k)
		if err != nil {
			return err
		}
		if err := l.Audit(ctx, entry); err != nil {
			return err
		}
	}
	return nil
}

// entry is the k-th of the audit trail: staff look at requests more often than they
// do anything.
func (f *filler) entry(k int) (ledger.AuditEntry, error) {
	_, who, err := f.document(k * perEntry)
	e := ledger.AuditEntry{Who: staffs[k%len(staffs)], What: "requests.show", ID: who.id, Why: reasons[k%len(reasons)], From: "192.0.2.7"}
	if err != nil {
		return e, err
	}
	switch k % 10 {
	case 4, 5:
		e.What = "jobs.retry"
		e.Bulk, err = f.bulkID(k % f.bulks())
	case 6:
		e.What = "jobs.retry"
	case 7:
		e.What = "documents.withdraw"
	case 8:
		e.What, e.Count = "bulk.start", 20+k%1000
		e.ID, err = f.bulkID(k % f.bulks())
	case 9:
		e.Who, e.What, e.ID, e.Why, e.Count = "portal", "api.refused", "", "it may not do that", 1+k%9
	}
	return e, err
}
