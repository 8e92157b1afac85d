package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/hibiken/asynq"

	"segell/ledger"
	"segell/queue"
	"segell/signing"
	"segell/templates"
)

// run is one try at one request.
type run struct {
	id       string
	queue    string
	origin   queue.Origin
	progress queue.Progress
	stage    ledger.Stage
	request  ledger.Request
	// resumed: there may be work of an earlier run, or there is of this one.
	resumed bool
	level   signing.Level // measured, once it is sealed
	took    []ledger.StepTime
}

// handle is what asynq calls for a job. It ends in one of four ways: done (nil),
// again later (retry), given up (RevokeTask, with the failure in the ledger), or
// dropped because the ledger knows nothing of it.
func (w *Worker) handle(ctx context.Context, task *asynq.Task) error {
	id := string(task.Payload())
	if err := ledger.CheckID(id); err != nil {
		w.Log.Error("a job that names no request was dropped")
		return fmt.Errorf("no request id: %w", asynq.RevokeTask)
	}
	name, _ := asynq.GetQueueName(ctx)
	return w.attempt(ctx, &run{id: id, queue: name, origin: queue.OriginOf(task), stage: ledger.StageRead})
}

// attempt is handle for a request's id.
func (w *Worker) attempt(ctx context.Context, r *run) error {
	id := r.id
	w.busy.Store(id, r.queue)
	defer w.busy.Delete(id)
	defer w.end(ctx, r)
	began := w.Now()
	begun, err := w.Queue.Begin(ctx, id, r.queue, w.name)
	r.progress = begun.Progress
	// A step that was noted is one that a run has begun, however it ended.
	r.resumed = err != nil || r.origin != queue.Door || begun.Step != "" || len(begun.Tries) > 0
	// Without an answer of Redis the job runs all the same: only its deaths are not
	// counted.
	if err = w.admit(ctx, r, begun); err == nil {
		err = w.try(ctx, r)
	}
	switch {
	case err == nil:
		w.passed(r)
		w.presence.saw(w.Now(), r, ledger.Cause{}, nil)
		return nil
	case errors.Is(err, errElsewhere):
		return nil
	case errors.Is(err, errPaused):
		w.Log.Info("a job waits: its kind is paused", "id", id, "kind", r.request.Kind)
		return retry{cause: queue.Paused, pause: pausedFor()}
	}
	// What is to be kept of a try must be kept also when its own time is over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if errors.Is(err, context.Canceled) {
		// The lease was lost or the process is stopping: another run has the job, or
		// will. That is no try.
		w.Log.Info("a run was interrupted", "id", id, "stage", r.stage)
		return retry{cause: "interrupted"}
	}
	cause := ledger.CauseOf(causeID(err))
	w.presence.saw(w.Now(), r, cause, err)
	if cause.Dependency != "" {
		w.outages.failed(cause.Dependency, id)
	}
	r.progress.Tries = append(r.progress.Tries, queue.Try{At: began.UTC().Truncate(time.Second), Stage: string(r.stage), Cause: cause.ID,
		Waiting: cause.Nature == ledger.Waiting})
	log := w.Log.With("id", id, "kind", r.request.Kind, "stage", r.stage, "cause", cause.ID, "detail", detail(err), "tries", len(r.progress.Tries))

	counted := 0
	for _, try := range r.progress.Tries {
		if !try.Waiting {
			counted++
		}
	}
	tooLong := w.Now().Sub(r.progress.Tries[0].At) > ledger.MaxWait
	if cause.Nature == ledger.Permanent || counted >= ledger.MaxTries || tooLong || errors.Is(err, errDeaths) {
		switch ended, recording := w.giveUp(ctx, r, cause, err); {
		case recording == nil && ended:
			w.Queue.Ended()
			log.Error("a request was given up")
			return fmt.Errorf("given up: %w", asynq.RevokeTask)
		case recording == nil:
			log.Info("a request was issued by another run")
			return nil
		case errors.Is(recording, ledger.ErrCancelled):
			log.Info("a request was cancelled")
			return nil
		}
		// Not recorded: not given up. The ledger is away, and the job waits for it.
		cause = ledger.CauseOf("storage_away")
	}
	pause := cause.Pause(len(r.progress.Tries))
	r.progress.Step = ""
	if n := len(r.progress.Tries); n > keptTries {
		// A wait of days would grow without end; the first tells most, and the last.
		r.progress.Tries = append(r.progress.Tries[:1:1], r.progress.Tries[n-keptTries+1:]...)
	}
	w.note(ctx, r)
	w.Queue.Tell(ctx, queue.Move{ID: r.id, Step: queue.StepRetrying})
	log.Warn("a request will be tried again", "in", pause)
	return retry{cause: cause.ID, pause: pause}
}

// giveUp records the failure of a request, unless another run has issued it.
func (w *Worker) giveUp(ctx context.Context, r *run, cause ledger.Cause, err error) (ended bool, recording error) {
	if _, err := w.Ledger.Record(ctx, r.id); err == nil {
		return false, nil
	} else if !errors.Is(err, ledger.ErrNotFound) {
		return false, err
	}
	failure := ledger.Failure{ID: r.id, Kind: r.request.Kind, Number: r.request.Number, Client: r.request.Client, Stage: r.stage, Cause: cause.ID,
		Detail: detail(err), FailedAt: w.Now().UTC().Truncate(time.Second)}
	failure.Tries = triesOf(r.progress)
	return true, w.Ledger.GiveUp(ctx, failure)
}

// triesOf is what the ledger keeps of a job's tries.
func triesOf(p queue.Progress) []ledger.Try {
	tries := make([]ledger.Try, len(p.Tries))
	for i, try := range p.Tries {
		tries[i] = ledger.Try{At: try.At, Stage: ledger.Stage(try.Stage), Cause: try.Cause}
	}
	return tries
}

// keptTries is how many tries a job remembers.
const keptTries = 40

// try goes the way of a document once.
func (w *Worker) try(ctx context.Context, r *run) (err error) {
	defer func() {
		if value := recover(); value != nil {
			// The value may quote a request: its type and the stack say enough.
			w.Log.Error("a panic was caught", "id", r.id, "stage", r.stage, "type", fmt.Sprintf("%T", value), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	r.request, err = w.Ledger.Request(ctx, r.id)
	if errors.Is(err, ledger.ErrNotFound) {
		w.Log.Info("a job without a request was dropped: it is finished, or was never accepted", "id", r.id)
		return nil
	}
	if err != nil {
		return err
	}
	if w.pauses.holds(ledger.PauseKind, r.request.Kind) {
		return errPaused
	}
	if r.origin != queue.Door || len(r.progress.Tries) > 0 {
		// The reconciler may have listed the request just before it was given up.
		if _, err := w.Ledger.Failure(ctx, r.id); !errors.Is(err, ledger.ErrNotFound) {
			return err // nil: it was given up, and waits for staff
		}
	}

	w.step(ctx, r, ledger.StageRender)
	kind, ok := templates.Lookup(r.request.Kind)
	if !ok {
		return fmt.Errorf("%w: this version knows no such kind", errData)
	}
	request, err := kind.Decode(r.request.Body, r.request.IssuedAt)
	if err != nil {
		return fmt.Errorf("%w: %w", errData, err)
	}
	document, err := w.Ledger.Issued(ctx, r.id)
	switch {
	case err == nil: // an earlier run had stored it; only the register is unfinished
	case errors.Is(err, ledger.ErrCancelled):
		return w.Ledger.Forget(ctx, r.id)
	case errors.Is(err, ledger.ErrNotFound):
		if document, err = w.produce(ctx, r, request); errors.Is(err, ledger.ErrCancelled) {
			return w.Ledger.Forget(ctx, r.id)
		} else if err != nil {
			return err
		}
	default:
		return err
	}
	if r.resumed {
		if err := w.Ledger.DropWork(ctx, r.id); err != nil {
			return err
		}
	}
	var until string
	if last, ok := request.ValidUntil(r.request.IssuedAt); ok {
		until = last.String()
	}
	masked := ledger.Mask(request.Holder.FullName, request.Holder.CASSNumber)
	if err := w.Ledger.Finish(ctx, r.request, document, request.Language, until, masked, ledger.Making{Failed: triesOf(r.progress), Steps: r.took}); err != nil {
		return err
	}
	w.Queue.Ended()
	if r.request.Replaces != "" {
		w.Queue.Changed(r.request.Replaces)
	}
	w.Log.Info("issued", "id", r.id, "kind", r.request.Kind, "number", r.request.Number, "pages", document.Pages, "level", document.Level,
		"bytes", document.Size, "after", w.Now().Sub(ledger.TimeOf(r.id)).Round(time.Millisecond))
	return nil
}

// produce renders, seals and stores the document.
func (w *Worker) produce(ctx context.Context, r *run, request *templates.Request) (ledger.Document, error) {
	began := time.Now()
	step := func(stage ledger.Stage) {
		now := time.Now()
		r.took = append(r.took, ledger.StepTime{Stage: stage, Milliseconds: now.Sub(began).Milliseconds()})
		began = now
	}
	rendered, err := w.render(ctx, r, request)
	if err != nil {
		return ledger.Document{}, err
	}
	step(ledger.StageRender)
	w.step(ctx, r, ledger.StageSeal)
	sealer, done := w.Sealers.Take(r.request.Kind)
	defer done()
	sealed, report, err := w.seal(ctx, r, sealer, rendered.PDF)
	if err != nil {
		return ledger.Document{}, err
	}
	step(ledger.StageSeal)
	r.level = report.Level
	w.step(ctx, r, ledger.StageStore)
	document, err := w.Ledger.Issue(ctx, r.request, sealed, ledger.Document{Level: string(report.Level), Pages: rendered.Pages,
		Certificate: report.Certificate, ProofEnd: report.ProofEnd})
	step(ledger.StageStore)
	return document, err
}

func (w *Worker) render(ctx context.Context, r *run, request *templates.Request) (templates.Rendered, error) {
	select {
	case w.rendering <- struct{}{}:
		defer func() { <-w.rendering }()
	case <-ctx.Done():
		return templates.Rendered{}, ctx.Err()
	}
	return templates.Render(ctx, request, templates.Issue{
		Number: r.request.Number, CSV: r.request.CSV.Grouped(), VerificationURL: w.PublicURL + "/v/" + string(r.request.CSV),
		IssuedAt: r.request.IssuedAt, SealedBy: w.SealedBy, Mark: w.Mark, Proof: w.Proof,
	})
}

// step notes where the job is, for who asks meanwhile.
func (w *Worker) step(ctx context.Context, r *run, stage ledger.Stage) {
	r.stage = stage
	r.progress.Step = string(stage)
	w.note(ctx, r)
	w.Queue.Tell(ctx, queue.Move{ID: r.id, Step: string(stage)})
}

// note is best effort: without it a try is not remembered, and the job goes on.
func (w *Worker) note(ctx context.Context, r *run) {
	if err := w.Queue.Note(ctx, r.id, r.queue, r.progress); err != nil {
		w.Log.Debug("progress was not noted", "id", r.id, "why", err)
	}
}

// end says that this worker lived through the job.
func (w *Worker) end(ctx context.Context, r *run) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := w.Queue.End(ctx, r.id, r.queue, w.name); err != nil {
		w.Log.Debug("the end of a run was not noted", "id", r.id, "why", err)
	}
	w.Queue.Tell(ctx, queue.Move{ID: r.id})
}
