package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"segell/acts"
	"segell/index"
	"segell/ledger"
)

// manyFlags say on which requests something is done, and how.
type manyFlags struct {
	Cause  string `help:"Every failed request with this cause."`
	Kind   string `help:"Every failed request for this kind of document."`
	All    bool   `help:"Every failed request."`
	Yes    bool   `short:"y" help:"Do not ask whether to go on."`
	DryRun bool   `help:"Count what would be done, and do nothing."`
	Detach bool   `help:"Leave it to the console to carry it out, and do not wait."`
	Batch  string `help:"Id of what is begun, as --dry-run --json gives it: under the same id it is begun once, however often this is run."`
}

// selection is what is meant by ids, numbers or flags; it refuses what is not said one way.
func (f manyFlags) selection(ctx context.Context, p *staff, named []string) (acts.Selection, error) {
	filtered := f.Cause != "" || f.Kind != ""
	if err := p.oneOf("unknown hint", len(named) > 0, filtered, f.All); err != nil {
		return acts.Selection{}, err
	}
	if len(named) > 0 {
		ids, err := p.requestIDs(ctx, named...)
		return acts.Selection{IDs: ids}, err
	}
	if err := (jobsListCmd{Cause: f.Cause, Kind: f.Kind}).knownFailure(p); err != nil {
		return acts.Selection{}, err
	}
	q := index.Query{Cause: f.Cause}
	if f.Kind != "" {
		q.Kinds = []string{f.Kind}
	}
	return acts.Selection{Query: &q}, nil
}

// planView is a dry run as programs read it.
type planView struct {
	Batch string `json:"batch"` // under which it may be begun
	acts.Plan
}

// many counts, asks, and begins an act on many requests; unless it is left to
// others it carries it out and shows how far it is.
func (p *staff) many(out *output, selection acts.Selection, what acts.BulkAct, why string, f manyFlags) error {
	if !f.DryRun && strings.TrimSpace(why) == "" {
		return p.errorf("why hint", askedWrong, "why")
	}
	ctx, who := background(), actor(why)
	if why := strings.TrimSpace(who.Why); why != "" { // before anybody is asked, and where only the count is asked for
		if err := ledger.CheckReason(why); err != nil {
			return p.refused(err, "")
		}
	}
	begun, err := p.batch(ctx, &f)
	switch {
	case err != nil:
		return err
	case begun.ID == "":
	case !begun.Asks(selection, what, who.Why):
		return p.bulkRefused(acts.ErrBatchUsed, f.Batch, who.Who)
	default:
		return p.followUnless(ctx, out, begun, f.Detach)
	}
	plan, err := p.acts.Count(ctx, who.Actor, selection, what)
	if errors.Is(err, acts.ErrNothing) {
		plan, err = acts.Plan{}, nil
	}
	if err != nil {
		return p.refused(err, "")
	}
	if f.DryRun || plan.Will == 0 {
		return p.onlyCount(out, planView{f.Batch, plan}, selection, what)
	}
	if !f.Yes {
		p.tellPlan(out.stderr, plan, what)
		if err := p.ask(ctx, out); err != nil {
			return err
		}
	}
	b, err := p.acts.Start(ctx, who.Actor, f.Batch, selection, what, who.Why)
	if err != nil {
		return p.bulkRefused(err, f.Batch, who.Who)
	}
	return p.followUnless(ctx, out, b, f.Detach)
}

// batch draws the id of a bulk where none is given; where one is it returns what
// was begun under it, or the zero Bulk. A dry run looks at no bulk: under an id that
// was used it tells another.
func (p *staff) batch(ctx context.Context, f *manyFlags) (begun acts.Bulk, err error) {
	if f.Batch == "" {
		f.Batch, err = p.acts.NewBatch()
		return begun, err
	}
	if ledger.CheckID(f.Batch) != nil {
		return begun, p.errorf("batch hint", askedWrong, "no batch", f.Batch)
	}
	begun, err = p.acts.Bulk(ctx, f.Batch)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return acts.Bulk{}, nil
	case err != nil:
		return begun, p.refused(err, f.Batch)
	case f.DryRun:
		f.Batch, err = p.acts.NewBatch()
		return acts.Bulk{}, err
	}
	return begun, nil
}

// followUnless follows a bulk, or leaves it to the console.
func (p *staff) followUnless(ctx context.Context, out *output, b acts.Bulk, detach bool) error {
	if detach && b.State.Open() {
		return p.tellBegun(out, b)
	}
	return p.follow(ctx, out, b)
}

// onlyCount tells a dry run, or that there is nothing to do.
func (p *staff) onlyCount(out *output, view planView, selection acts.Selection, what acts.BulkAct) error {
	if out.json {
		return out.encode(view)
	}
	p.tellPlan(out.w, view.Plan, what)
	if view.Will == 0 && len(view.Cannot) > 0 {
		return failed
	}
	if q := selection.Query; view.Will == 0 && q != nil && q.Cause != "" {
		return p.errorf("unknown hint", failed, "no cause", q.Cause)
	}
	return nil
}

// tellPlan words a dry run.
func (p *staff) tellPlan(w io.Writer, plan acts.Plan, what acts.BulkAct) {
	fmt.Fprintln(w, p.plural(wordOf("will", what), plan.Will))
	p.tellCannot(w, plan.Cannot)
	p.tellCounts(w, "by kind", plan.ByKind)
	p.tellCounts(w, "by cause", plan.ByCause)
	if plan.NeedsSecond {
		fmt.Fprintln(w, p.words["needs second"])
	}
}

// wordOf is the name of a word for an act: "will retry", "will cancel".
func wordOf(word string, what acts.BulkAct) string {
	if what == acts.BulkCancel {
		return word + " cancel"
	}
	return word + " retry"
}

func (p *staff) tellCannot(w io.Writer, cannot map[string]int) {
	all := 0
	for _, n := range cannot {
		all += n
	}
	if all == 0 {
		return
	}
	fmt.Fprintln(w, p.plural("cannot", all))
	for _, reason := range slices.Sorted(maps.Keys(cannot)) {
		fmt.Fprintf(w, "  %6d  %s\n", cannot[reason], p.words["cannot "+reason])
	}
}

func (p *staff) tellCounts(w io.Writer, word string, counts map[string]int) {
	if len(counts) == 0 {
		return
	}
	fmt.Fprintln(w, p.words[word])
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "  %6d  %s\n", counts[name], name)
	}
}

// ask has a person say yes; where there is none to ask it refuses.
func (p *staff) ask(ctx context.Context, out *output) error {
	if !terminal(os.Stdin) {
		return errorWithHint{errors.New(p.words["left alone"]), p.words["say yes"], askedWrong}
	}
	fmt.Fprint(out.stderr, p.words["ask"])
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n') // an end without an answer is no yes
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
	case line := <-answer:
		if strings.EqualFold(line, p.words["yes"]) {
			return nil
		}
	}
	fmt.Fprintln(out.stderr, p.words["left alone"])
	return failed
}

// terminal reports whether somebody sits there.
func terminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// tellBegun says how to see what was left to others.
func (p *staff) tellBegun(out *output, b acts.Bulk) error {
	if out.json {
		return out.encode(viewOfBulk(b, nil))
	}
	word := "goes on"
	if b.State == ledger.BulkProposed {
		word = "proposed"
	}
	_, err := fmt.Fprintf(out.w, p.words[word], b.ID)
	return err
}

const followEvery = 250 * time.Millisecond

// follow carries a bulk out, where nobody else does, and shows how far it is until
// it is over.
func (p *staff) follow(ctx context.Context, out *output, b acts.Bulk) error {
	carrying, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	if b.State == ledger.BulkRunning || b.State == ledger.BulkStopping {
		running.Go(func() { _ = p.acts.Run(carrying) })
	}
	bar := newBar(out.stderr)
	var err error
	for err == nil && (b.State == ledger.BulkRunning || b.State == ledger.BulkStopping) && ctx.Err() == nil {
		bar.show(b.Settled(), b.Total, p.words["holds "+b.Holds])
		select {
		case <-ctx.Done():
		case <-time.After(followEvery):
			var now acts.Bulk
			if now, err = p.acts.Bulk(ctx, b.ID); err == nil {
				b = now
			} else if !hopeless(err) {
				err = nil // away for a while, as whoever carries it out says in the log
			}
		}
	}
	bar.clear()
	stop()
	running.Wait()
	switch {
	case err != nil && ctx.Err() == nil:
		return p.refused(err, b.ID)
	case b.State.Open():
		if err := p.tellBegun(out, b); err != nil {
			return err
		}
		if b.State == ledger.BulkProposed {
			return nil
		}
		return failed // interrupted
	}
	return p.tellEnd(ctx, out, b)
}

// hopeless reports whether to ask again would change nothing.
func hopeless(err error) bool {
	return errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrDamaged)
}

// tellEnd says what became of a bulk; failed if it was not done on all.
func (p *staff) tellEnd(ctx context.Context, out *output, b acts.Bulk) error {
	became := p.became(ctx, b)
	if out.json {
		if err := out.encode(viewOfBulk(b, became)); err != nil {
			return err
		}
	} else {
		word := "bulk retried"
		if b.What == acts.BulkCancel {
			word = "bulk cancelled"
		}
		fmt.Fprintln(out.w, p.plural(word, b.Done))
		if became != nil {
			fmt.Fprintln(out.w, p.becameText(*became))
		}
		cannot := maps.Clone(b.Cannot)
		if b.Failed > 0 {
			if cannot == nil {
				cannot = map[string]int{}
			}
			cannot[acts.CannotError] = b.Failed
		}
		p.tellCannot(out.w, cannot)
		switch b.State {
		case ledger.BulkStopped:
			fmt.Fprintln(out.w, p.words["was stopped"])
			if b.Holds != "" {
				fmt.Fprintln(out.w, p.words["holds "+b.Holds])
			}
		case ledger.BulkRefused:
			fmt.Fprintln(out.w, p.words["was refused"])
		}
	}
	if b.Done < b.Total {
		return failed
	}
	return nil
}

// bulkRefused words an error of an act on a bulk.
func (p *staff) bulkRefused(err error, id, login string) error {
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return p.errorf("bulk hint", failed, "no bulk", id)
	case errors.Is(err, acts.ErrSamePerson):
		return p.errorf("same person hint", failed, "same person")
	case errors.Is(err, acts.ErrNobody):
		return p.errorf("same person hint", failed, "nobody", login)
	case errors.Is(err, acts.ErrOver):
		return p.errorf("bulk hint", failed, "bulk over")
	case errors.Is(err, acts.ErrBatchUsed):
		return p.errorf("bulk hint", askedWrong, "batch used")
	case errors.Is(err, acts.ErrBatchTime):
		return p.errorf("batch hint", askedWrong, "batch time")
	case errors.Is(err, acts.ErrNothing):
		return p.errorf("unknown hint", failed, "nothing")
	}
	return p.refused(err, id)
}
