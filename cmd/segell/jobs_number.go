package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"segell/index"
	"segell/ledger"
)

// documentNumber is how the numbers of documents look.
var documentNumber = regexp.MustCompile(`^CASS-[0-9]{4}-[A-Z0-9]{3}-[0-9]{7,}$`)

// index is the console's index, as it is: these commands keep none of their own.
func (p *staff) index() *index.Index {
	return index.New(index.Config{Redis: p.redis, Ledger: p.Ledger, Queue: p.Queue, Log: p.log, Now: time.Now})
}

// requestIDs are the ids of requests that are named by them, or by the numbers of
// their documents where the index knows those.
func (p *staff) requestIDs(ctx context.Context, named ...string) ([]string, error) {
	ids := make([]string, len(named))
	for i, name := range named {
		id, err := p.requestID(ctx, name)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

func (p *staff) requestID(ctx context.Context, name string) (string, error) {
	number := strings.ToUpper(strings.TrimSpace(name))
	if !documentNumber.MatchString(number) {
		id := strings.ToLower(strings.TrimSpace(name))
		if ledger.CheckID(id) != nil {
			return "", p.errorf("unknown hint", askedWrong, "no id", name)
		}
		return id, nil
	}
	x := p.index()
	id, err := x.ByNumber(ctx, number)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		if condition, err := x.Condition(ctx); err != nil || !condition.Complete {
			return "", p.errorf("number hint", failed, "number not yet", number)
		}
		return "", p.errorf("unknown hint", failed, "no number", number)
	case err != nil:
		p.log.Warn("the index does not answer", "why", err)
		return "", p.errorf("number hint", failed, "number away", number)
	}
	// What is done to a document must not rest on the index alone.
	if standing, err := p.Ledger.Look(ctx, id); err == nil && standing.Number != "" && standing.Number != number {
		return "", p.errorf("unknown hint", failed, "no number", number)
	}
	return id, nil
}
