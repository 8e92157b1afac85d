package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"segell/ledger"
	"segell/signing"
)

// Sealer puts the institution's seal on finished documents, at one level and with
// one certificate, and judges what was sealed. signing.Sealer is one. It is safe
// for concurrent use.
type Sealer interface {
	// SealInSteps seals, and goes on where the journal says that an earlier try
	// stopped; see signing.Sealer.
	SealInSteps(ctx context.Context, pdf []byte, j signing.Journal) ([]byte, error)
	// Inspect judges a sealed document by its bytes; see signing.Inspect.
	Inspect(ctx context.Context, pdf []byte) (signing.Report, error)
	Level() signing.Level
	Certificate() *x509.Certificate
}

// Sealers says who seals the documents of a kind at present. A job keeps the
// Sealer that it took to its end, whoever seals by then, and calls done after it.
type Sealers interface {
	Take(kind string) (s Sealer, done func())
}

// SealSet is everything that one key seals.
type SealSet struct {
	Default Sealer            // of every kind that Kinds does not name; needed
	Kinds   map[string]Sealer // of kinds with a level of their own
	Close   func() error      // releases the key when no job uses it any more; may be nil
}

// Seals is the Sealers whose set can be put in another's place while jobs run:
// that is how a new key and certificate come without a stop.
type Seals struct {
	log *slog.Logger
	mu  sync.Mutex
	now *setInUse
}

// setInUse counts the jobs that have a set; guarded by Seals.mu.
type setInUse struct {
	SealSet
	jobs    int
	retired bool
}

// NewSeals returns Seals that seal with a set.
func NewSeals(set SealSet, log *slog.Logger) *Seals {
	return &Seals{log: log, now: &setInUse{SealSet: set}}
}

// Take returns who seals a kind now.
func (s *Seals) Take(kind string) (Sealer, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.now
	set.jobs++
	sealer, own := set.Kinds[kind]
	if !own {
		sealer = set.Default
	}
	return sealer, sync.OnceFunc(func() {
		s.mu.Lock()
		set.jobs--
		unused := set.retired && set.jobs == 0
		s.mu.Unlock()
		if unused {
			s.close(set)
		}
	})
}

// Use seals with another set from now on. Jobs that have begun end with the set
// they took; its key is released after the last of them.
func (s *Seals) Use(set SealSet) {
	s.mu.Lock()
	old := s.now
	old.retired = true
	s.now = &setInUse{SealSet: set}
	unused := old.jobs == 0
	s.mu.Unlock()
	if unused {
		s.close(old)
	}
}

func (s *Seals) close(set *setInUse) {
	if set.Close == nil {
		return
	}
	if err := set.Close(); err != nil {
		s.log.Warn("the key that was replaced could not be released", "why", err)
	}
}

// seal seals a rendering and measures what it got: nothing is published below the
// level that was asked for its kind, whatever the Sealer says.
func (w *Worker) seal(ctx context.Context, r *run, sealer Sealer, rendering []byte) ([]byte, signing.Report, error) {
	j := &journal{worker: w, run: r, name: workName(sealer, rendering)}
	clock := w.watchClock()
	sealed, report, err := sealMeasured(ctx, sealer, rendering, j)
	for again := 0; again < 2 && errors.Is(err, signing.ErrUnsound) && clock.changed(); again++ {
		w.Log.Warn("the clock was changed while a document was sealed: it is sealed again", "id", r.id, "why", err)
		clock = w.watchClock()
		sealed, report, err = sealMeasured(ctx, sealer, rendering, j)
	}
	if errors.Is(err, signing.ErrBelowLevel) {
		w.metrics.belowLevel.WithLabelValues(r.request.Kind).Inc()
		w.Log.Error("ALARM: a document is below the level of its kind and was not published", "id", r.id, "kind", r.request.Kind,
			"asked", sealer.Level(), "why", err)
	}
	if err != nil {
		return nil, signing.Report{}, fmt.Errorf("sealing: %w", err)
	}
	w.metrics.sawSeal(report)
	return sealed, report, nil
}

// watch tells whether a clock was changed since, by one that nobody changes.
type watch struct {
	now     func() time.Time
	wall    time.Time
	started time.Time // monotonic
}

func (w *Worker) watchClock() watch { return watch{w.Now, w.Now().Round(0), time.Now()} }

// changedBy is what a clock must be off to have been changed. It is asked only after a seal was unsound, so a clock that
// merely runs ill costs at most two more seals.
const changedBy = time.Second

func (c watch) changed() bool {
	off := c.now().Round(0).Sub(c.wall) - time.Since(c.started)
	return off.Abs() > changedBy
}

func sealMeasured(ctx context.Context, sealer Sealer, rendering []byte, j signing.Journal) ([]byte, signing.Report, error) {
	sealed, err := sealer.SealInSteps(ctx, rendering, j)
	if err != nil {
		return nil, signing.Report{}, err
	}
	report, err := sealer.Inspect(ctx, sealed)
	if err != nil {
		return nil, signing.Report{}, err
	}
	return sealed, report, measured(report, sealer.Level())
}

func measured(report signing.Report, asked signing.Level) error {
	switch {
	case report.Level != "" && report.Level != asked:
		return fmt.Errorf("%w: level %s measured, %s asked", signing.ErrBelowLevel, report.Level, asked)
	case !report.Valid:
		return fmt.Errorf("%w: %w", signing.ErrUnsound, report.Err())
	}
	return nil
}

// workName tells the inputs of a seal apart, so that what was kept for another
// rendering, certificate or level is never even read.
func workName(sealer Sealer, rendering []byte) string {
	certificate, document := sha256.Sum256(sealer.Certificate().Raw), sha256.Sum256(rendering)
	inputs := append(append(certificate[:], document[:]...), sealer.Level()...)
	digest := sha256.Sum256(inputs)
	return "seal-" + hex.EncodeToString(digest[:])
}

// journal keeps the unfinished seal of one request in the ledger.
type journal struct {
	worker *Worker
	run    *run
	name   string
	last   []byte
}

// Last implements signing.Journal. Where no run came before this one there is
// nothing to read, and most documents never have another.
func (j *journal) Last(ctx context.Context) ([]byte, error) {
	if !j.run.resumed {
		return nil, nil
	}
	kept, err := j.worker.Ledger.Work(ctx, j.run.id, j.name)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, nil
	case errors.Is(err, ledger.ErrDamaged):
		// It costs a second operation of the key, not the document.
		j.worker.Log.Warn("an unfinished seal cannot be read and is made anew", "id", j.run.id, "why", err)
		return nil, nil
	case err != nil:
		return nil, err
	}
	j.last = kept
	return kept, nil
}

// Keep implements signing.Journal. A try that came no further than the one before
// writes nothing.
func (j *journal) Keep(ctx context.Context, done signing.Step, document []byte) error {
	if bytes.Equal(document, j.last) {
		return nil
	}
	j.run.resumed = true // there is something to read, and to delete
	return j.worker.Ledger.KeepWork(ctx, j.run.id, j.name, string(done), document)
}
