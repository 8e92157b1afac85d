package console

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"segell/acts"
	"segell/audit"
	"segell/index"
	"segell/ledger"
	"segell/templates"
)

const (
	// aboutMost is how many requests of a bulk are looked at, to say what it is about.
	aboutMost = 200
	// samplesMost is how many of them are named.
	samplesMost = 8
	// outcomesMost is how many requests that a bulk tried again are looked at, to say
	// what became of them.
	outcomesMost = 100
)

// topic says in a few words what a bulk is about, as it was asked for.
type topic struct {
	Cause, Group string // of the failures, where they were selected by it
	Kinds        []string
	Chosen       int // one by one, so many
}

// topicOf reads what was selected; causes is the cause of every group.
func topicOf(s acts.Selection, causes map[string]string) topic {
	if s.Query == nil {
		return topic{Chosen: len(s.IDs)}
	}
	t := topic{Cause: s.Query.Cause, Group: s.Query.Group, Kinds: s.Query.Kinds}
	if t.Cause == "" {
		t.Cause = causes[t.Group]
	}
	return t
}

// topicsOf says of each of several bulks what it is about. While the index is away
// a group has no name.
func (c *Console) topicsOf(r *http.Request, bulks []acts.Bulk) map[string]topic {
	causes := map[string]string{}
	for _, b := range bulks {
		if q := b.Selection.Query; q == nil || q.Group == "" || causes[q.Group] != "" {
			continue
		} else if group, err := c.Index.Group(r.Context(), q.Group); err == nil {
			causes[q.Group] = group.Cause
		} else {
			causes[q.Group] = " " // asked for once
		}
	}
	topics := map[string]topic{}
	for _, b := range bulks {
		t := topicOf(b.Selection, causes)
		if t.Cause == " " {
			t.Cause = ""
		}
		topics[b.ID] = t
	}
	return topics
}

// proposal is what a bulk that waits for a second person would do: the picture of
// its dry run.
type proposal struct {
	Kinds     []kindCount
	Causes    []kindCount // by the id of the cause
	CannotAll int
	Cannot    []cannotRow
	Samples   []sampleRow
	Looked    int    // at so many of its requests; 0: the index counted
	Missing   string // why it cannot be told, a key of frame.problems
}

// sampleRow is a request that a page names.
type sampleRow struct{ ID, Number, Kind, Cause string }

// proposalOf looks at what a proposed bulk means, which was settled when it was
// proposed.
func (c *Console) proposalOf(r *http.Request, b acts.Bulk) proposal {
	ctx, cancel := context.WithTimeout(r.Context(), sourcesWithin)
	defer cancel()
	ids, err := c.bulkIDs(ctx, b.ID)
	if err != nil {
		return proposal{Missing: c.troubleWord(r, "what a bulk means", err)}
	}
	p := proposal{Looked: len(ids), Samples: c.samplesOf(ctx, ids)}
	if b.Total > len(ids) && b.Selection.Query != nil {
		p.Looked = 0
		p.Kinds, err = c.kindsNow(ctx, *b.Selection.Query)
	} else {
		var plan acts.Plan
		plan, err = c.Acts.Count(ctx, actorOf(r), acts.Selection{IDs: ids}, b.What)
		p.Kinds, p.Causes = kindCounts(plan.ByKind), kindCounts(plan.ByCause)
		p.CannotAll, p.Cannot = cannots(visitOf(r).words, plan.Cannot)
	}
	p.Missing = c.troubleWord(r, "what a bulk means", err)
	return p
}

// bulkIDs are the first requests that a bulk means.
func (c *Console) bulkIDs(ctx context.Context, id string) (ids []string, err error) {
	order, err := c.Ledger.Bulk(ctx, id)
	if err != nil {
		return nil, err
	}
	for one, err := range c.Ledger.BulkIDs(ctx, order, 0) {
		if err != nil {
			return nil, err
		}
		if ids = append(ids, one); len(ids) == aboutMost {
			break
		}
	}
	return ids, nil
}

// kindsNow counts by kind what a search finds at present among what failed.
func (c *Console) kindsNow(ctx context.Context, q index.Query) ([]kindCount, error) {
	counts := map[string]int64{}
	q.States = []ledger.State{ledger.StateFailed}
	wanted := map[string]bool{}
	for _, kind := range q.Kinds {
		wanted[kind] = true
	}
	for _, kind := range templates.Kinds() {
		if len(wanted) > 0 && !wanted[kind.ID] {
			continue
		}
		one := q
		one.Kinds = []string{kind.ID}
		n, err := c.Index.Count(ctx, one)
		if err != nil {
			return nil, err
		}
		counts[kind.ID] = n
	}
	return kindCounts(counts), nil
}

// samplesOf names some requests by their numbers. What cannot be read keeps its id
// alone.
func (c *Console) samplesOf(ctx context.Context, ids []string) []sampleRow {
	rows := make([]sampleRow, min(len(ids), samplesMost))
	var reading errgroup.Group
	for i := range rows {
		rows[i].ID = ids[i]
		reading.Go(func() error {
			standing, err := c.Ledger.Look(ctx, ids[i])
			if err != nil {
				return nil
			}
			rows[i].Number, rows[i].Kind = standing.Number, standing.Kind
			if standing.Failure != nil {
				rows[i].Cause = standing.Failure.Cause
			}
			return nil
		})
	}
	_ = reading.Wait()
	return rows
}

// outcome is what became of the requests that a bulk tried again: that it was done
// with all of them does not say that they have their documents.
type outcome struct {
	Looked                             int // at so many, those that it acted on last
	Issued, Failed, Waiting, Cancelled int
	Unread                             int
}

// outcomeOf looks at what a bulk tried again, as the audit trail names it; nil where
// that cannot be told.
func (c *Console) outcomeOf(r *http.Request, b acts.Bulk) *outcome {
	if b.What == acts.BulkCancel || b.Done == 0 || b.Begun.IsZero() {
		return nil
	}
	query := audit.Query{Who: b.Who, What: "jobs.retry", From: b.Begun, Limit: audit.MostLimit}
	if b.What == acts.BulkRetryRender {
		query.What = "jobs.retry_render"
	}
	if !b.Ended.IsZero() {
		query.Until = b.Ended.Add(2 * time.Second) // Ended is kept to the second
	}
	ctx, cancel := context.WithTimeout(r.Context(), sourcesWithin)
	defer cancel()
	found, err := c.Audit.Search(ctx, query)
	if c.troubleWord(r, "acts", err) != "" || !found.Complete {
		return nil
	}
	var ids []string
	for _, entry := range found.Records {
		if entry.Bulk == b.ID && len(ids) < outcomesMost {
			ids = append(ids, entry.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return c.standingsOf(ctx, ids)
}

// standingsOf counts where requests stand.
func (c *Console) standingsOf(ctx context.Context, ids []string) *outcome {
	states := make([]ledger.State, len(ids))
	var reading errgroup.Group
	reading.SetLimit(readAtOnce)
	for i, id := range ids {
		reading.Go(func() error {
			if standing, err := c.Ledger.Look(ctx, id); err == nil {
				states[i] = standing.State
			}
			return nil
		})
	}
	_ = reading.Wait()
	o := &outcome{Looked: len(ids)}
	for _, state := range states {
		switch state {
		case "":
			o.Unread++
		case ledger.StateFailed:
			o.Failed++
		case ledger.StateAccepted:
			o.Waiting++
		case ledger.StateCancelled:
			o.Cancelled++
		default: // it has, or had, its document
			o.Issued++
		}
	}
	return o
}
