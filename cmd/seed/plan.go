package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"segell/ledger"
	"segell/storage"
	"segell/templates"
)

// planKey is where the plan lies, and how far it is carried out.
const planKey = "seed/plan"

// plan says what is to be in the bucket. Everything follows from it and from a
// request's place in it, so that a second run makes the same.
type plan struct {
	N        int       `json:"n"`
	Days     int       `json:"days"`
	Complete int       `json:"complete"`
	Until    time.Time `json:"until"` // the last request is accepted
	Done     int       `json:"done"`  // all before this one are in the bucket
	// How many of those things are in the bucket that act makes. A plan of a command
	// that made none has none of them.
	Bulks     int `json:"bulks"`
	Callbacks int `json:"callbacks"`
	Chains    int `json:"chains"`
	// First is the first serial number that is ours, by year and code.
	First map[string]int64 `json:"first"`
}

// filler carries out a plan.
type filler struct {
	plan
	bucket *storage.Bucket
	ledger *ledger.Ledger
	open   opener
}

// opener opens the ledger with another clock and other random bytes.
type opener func(now func() time.Time, random io.Reader) (*ledger.Ledger, error)

var errOthers = errors.New("this bucket holds documents that were not made here: take another one, or say -force")

// begin finds the plan of an earlier run, or makes one.
func begin(ctx context.Context, bucket *storage.Bucket, open opener, asked plan, force bool) (*filler, error) {
	l, err := open(time.Now, rand.Reader)
	if err != nil {
		return nil, err
	}
	f := &filler{plan: asked, bucket: bucket, ledger: l, open: open}
	object, err := bucket.Get(ctx, planKey)
	switch {
	case err == nil:
		var earlier plan
		if err := json.Unmarshal(object.Body, &earlier); err != nil {
			return nil, fmt.Errorf("reading the plan of an earlier run: %w", err)
		}
		if earlier.N != asked.N || earlier.Days != asked.Days || earlier.Complete != asked.Complete {
			return nil, fmt.Errorf("an earlier run was asked for -n %d -days %d -complete %d: ask for the same", earlier.N, earlier.Days, earlier.Complete)
		}
		f.plan = earlier
		return f, nil
	case !errors.Is(err, storage.ErrNotFound):
		return nil, err
	}
	if !force {
		if err := f.mustBeEmpty(ctx); err != nil {
			return nil, err
		}
	}
	f.Until = time.Now().UTC().Truncate(time.Second)
	if err := f.reserve(ctx); err != nil {
		return nil, err
	}
	return f, f.save(ctx)
}

func (f *filler) mustBeEmpty(ctx context.Context) error {
	for _, prefix := range []string{"records/", "documents/", "requests/", "counters/"} {
		for _, err := range f.bucket.List(ctx, prefix, "") {
			if err != nil {
				return err
			}
			return errOthers
		}
	}
	return nil
}

// reserve moves the counters of document numbers on, as a door does that takes a
// block of them: no request accepted later gets a number of ours.
func (f *filler) reserve(ctx context.Context) error {
	f.First = map[string]int64{}
	for year := f.at(0).Year(); year <= f.Until.Year()+1; year++ {
		for _, kind := range templates.Kinds() {
			name := fmt.Sprintf("%d/%s", year, kind.Code)
			counter := struct {
				Next int64 `json:"next"`
			}{1}
			object, err := f.bucket.Get(ctx, "counters/"+name)
			switch {
			case err == nil:
				if err := json.Unmarshal(object.Body, &counter); err != nil {
					return fmt.Errorf("reading a counter of document numbers: %w", err)
				}
			case !errors.Is(err, storage.ErrNotFound):
				return err
			}
			f.First[name] = counter.Next
			counter.Next += int64(f.N)
			body, err := json.Marshal(counter)
			if err != nil {
				return err
			}
			put := storage.Put{ContentType: "application/json"}
			if object.ETag == "" {
				_, err = f.bucket.Create(ctx, "counters/"+name, body, put)
			} else {
				_, err = f.bucket.Replace(ctx, "counters/"+name, object.ETag, body, put)
			}
			if err != nil {
				return fmt.Errorf("reserving document numbers: %w", err)
			}
		}
	}
	return nil
}

func (f *filler) save(ctx context.Context) error {
	body, err := json.Marshal(f.plan)
	if err != nil {
		return err
	}
	_, err = f.bucket.Write(ctx, planKey, body, storage.Put{ContentType: "application/json"})
	return err
}

// at is when the i-th request is accepted: evenly over the days, but only in the
// hours in which people ask, more in the morning.
func (f *filler) at(i int) time.Time {
	span := time.Duration(f.Days) * 24 * time.Hour
	even := f.Until.Add(-span + time.Duration(float64(span)*float64(i+1)/float64(f.N)))
	if f.N-i <= f.N/100+1 {
		return even // what waits came just now
	}
	day := even.Truncate(24 * time.Hour)
	share := float64(even.Sub(day)) / float64(24*time.Hour)
	at := day.Add(7*time.Hour + time.Duration(share*share*float64(13*time.Hour)) + time.Duration(i%1000)*time.Millisecond)
	if at.After(f.Until) {
		return even
	}
	return at
}

// What becomes of the i-th request.
type fate int

const (
	issued fate = iota
	failed
	waiting
)

// fate: the newest hundredth waits; of the tenth before it, a fifth failed.
func (f *filler) fate(i int) fate {
	left := f.N - i
	switch {
	case left <= f.N/100:
		return waiting
	case left <= f.N/100+f.N/10 && i%5 == 0:
		return failed
	}
	return issued
}

// kinds in the shares in which people ask for them.
var shares = slices.Concat(
	slices.Repeat([]string{"coverage_certificate"}, 40), slices.Repeat([]string{"reimbursement_list"}, 15), slices.Repeat([]string{"work_history"}, 10),
	slices.Repeat([]string{"points_extract"}, 8), slices.Repeat([]string{"travel_form"}, 7), slices.Repeat([]string{"income_extract"}, 6),
	slices.Repeat([]string{"incapacity_extract"}, 5), slices.Repeat([]string{"student_certificate_under25"}, 3), slices.Repeat([]string{"medical_voucher_abroad"}, 3),
	slices.Repeat([]string{"benefit_sheet_copies"}, 2), slices.Repeat([]string{"student_certificate_25_30"}, 1))

func (f *filler) kind(i int) string { return shares[i*37%len(shares)] }
