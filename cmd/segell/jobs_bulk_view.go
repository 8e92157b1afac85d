package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"segell/acts"
	"segell/ledger"
)

// bulkView is a bulk as programs read it. Times are UTC.
type bulkView struct {
	acts.Bulk
	Selection selectionView `json:"selection"`
	Became    *becameView   `json:"became,omitempty"`
}

// selectionView is what a bulk means: a list, or the failures that fit.
type selectionView struct {
	IDs    []string  `json:"ids,omitempty"`
	Failed bool      `json:"failed,omitempty"` // the failures that fit what follows, or all
	Kinds  []string  `json:"kinds,omitempty"`
	Cause  string    `json:"cause,omitempty"`
	Group  string    `json:"group,omitempty"`
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"`
}

// becameView says where the requests stand now that a bulk tried again.
type becameView struct {
	Issued      int `json:"issued"` // and perhaps withdrawn or replaced since
	FailedAgain int `json:"failed_again"`
	OnTheirWay  int `json:"on_their_way"`
	Other       int `json:"other,omitempty"` // cancelled since, or not to be read
}

func viewOfBulk(b acts.Bulk, became *becameView) bulkView {
	view := bulkView{Bulk: b, Selection: selectionView{IDs: b.Selection.IDs}, Became: became}
	for _, at := range []*time.Time{&view.Proposed, &view.Begun, &view.Ended, &view.MovedAt} {
		*at = at.UTC()
	}
	if q := b.Selection.Query; q != nil {
		view.Selection = selectionView{Failed: true, Kinds: q.Kinds, Cause: q.Cause, Group: q.Group, From: q.From.UTC(), Until: q.Until.UTC()}
	}
	return view
}

func viewsOfBulks(bulks []acts.Bulk) []bulkView {
	views := make([]bulkView, len(bulks))
	for i, b := range bulks {
		views[i] = viewOfBulk(b, nil)
	}
	return views
}

// selectionText says which requests a bulk means.
func (p *staff) selectionText(s acts.Selection) string {
	q := s.Query
	if q == nil {
		return p.plural("sel ids", len(s.IDs))
	}
	var parts []string
	add := func(word, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(p.words[word], value))
		}
	}
	add("sel cause", q.Cause)
	add("sel kinds", strings.Join(q.Kinds, ", "))
	add("sel group", q.Group)
	if !q.From.IsZero() {
		add("sel from", p.minute(q.From))
	}
	if !q.Until.IsZero() {
		add("sel until", p.minute(q.Until))
	}
	if len(parts) == 0 {
		return p.words["sel all"]
	}
	return strings.Join(parts, "; ")
}

const (
	// becameMost is how many requests are looked at for what became of them.
	becameMost = 10_000
	// clocksApart is how far apart the clocks of two processes may be.
	clocksApart = time.Minute
)

// became looks where the requests stand that a bulk tried again; the audit trail
// says which they are. It is nil where that does not matter, or is not known.
func (p *staff) became(ctx context.Context, b acts.Bulk) *becameView {
	if b.What == acts.BulkCancel || b.Done == 0 || b.Total > becameMost {
		return nil
	}
	until := b.Ended
	if !until.IsZero() {
		until = until.Add(clocksApart)
	}
	records, err := p.trail(ctx, b.Begun.Add(-clocksApart), until, func(record ledger.AuditRecord) bool {
		return record.Bulk == b.ID && ledger.CheckID(record.ID) == nil
	})
	var view becameView
	if err == nil {
		view, err = p.lookAt(ctx, records)
	}
	if err != nil {
		p.log.Warn("what became of a bulk's requests is not known", "bulk", b.ID, "why", err)
		return nil
	}
	return &view
}

// lookAt counts where the requests of entries stand, each once.
func (p *staff) lookAt(ctx context.Context, records []ledger.AuditRecord) (becameView, error) {
	place := map[string]int{}
	for _, record := range records {
		if _, known := place[record.ID]; !known {
			place[record.ID] = len(place)
		}
	}
	states := make([]ledger.State, len(place))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(trailAtOnce)
	for id, i := range place {
		group.Go(func() error {
			standing, err := p.Ledger.Look(ctx, id)
			if states[i] = standing.State; hopeless(err) {
				return nil
			}
			return err
		})
	}
	err := group.Wait()
	var view becameView
	for _, state := range states {
		switch state {
		case ledger.StateIssued, ledger.StateWithdrawn, ledger.StateReplaced, ledger.StateErased:
			view.Issued++
		case ledger.StateFailed:
			view.FailedAgain++
		case ledger.StateAccepted:
			view.OnTheirWay++
		default:
			view.Other++
		}
	}
	return view, err
}

func (p *staff) becameText(v becameView) string {
	return fmt.Sprintf(p.words["became text"], fmt.Sprintf(p.words["became counts"], v.Issued, v.FailedAgain, v.OnTheirWay))
}
