package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"segell/signing"
)

// A document prints the time at which it was asked for and its seal claims the
// time at which it was made: a clock that is wrong makes both wrong, and S3 and
// time-stamping authorities refuse it.
const (
	skewWarned  = 5 * time.Second
	skewRefused = 60 * time.Second // what the check of a time-stamp allows
)

// judgeSkew words how far a clock is from another's.
func judgeSkew(other string, skew time.Duration) (result, detail string) {
	detail = fmt.Sprintf("%v from that of %s", skew.Abs().Round(time.Second), other)
	switch skew = skew.Abs(); {
	case skew > skewRefused:
		return "failed", "the clock of this machine is " + detail + ": set it by NTP"
	case skew > skewWarned:
		return "warning", "the clock of this machine is " + detail + ": set it by NTP"
	}
	return "ok", detail
}

// serverSkew asks a server that speaks HTTP for its time, in whole seconds, by the
// header Date of any answer at all (RFC 9110, 6.6.1).
func serverSkew(ctx context.Context, address string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return 0, err
	}
	asked := time.Now()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	at, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return 0, errors.New("its answer has no Date")
	}
	// It was some moment of that second, and some moment between asking and hearing.
	return between(at, at.Add(time.Second), asked, time.Now()), nil
}

// between is how far a moment of one span is from a moment of another at least.
func between(from, to, first, last time.Time) time.Duration {
	switch {
	case from.After(last):
		return from.Sub(last)
	case to.Before(first):
		return to.Sub(first)
	}
	return 0
}

// checkClock compares the clock with the bucket's.
func (s *Settings) checkClock(ctx context.Context, add func(what, result, format string, args ...any)) {
	skew, err := serverSkew(ctx, s.S3Endpoint)
	if err != nil {
		add("clock", "warning", "SEGELL_S3_ENDPOINT tells no time (%v)", err)
		return
	}
	result, detail := judgeSkew("the bucket", skew)
	add("clock", result, "%s", detail)
}

// checkStampedTime compares the clock with the time in a time-stamp over sealed,
// which was made between two moments.
func (s *Settings) checkStampedTime(ctx context.Context, sealed []byte, began, ended time.Time, add func(what, result, format string, args ...any)) {
	report, err := signing.Inspect(ctx, sealed, signing.Trust{Roots: s.roots(&faults{}, "", s.SealRoots, ""), TSARoots: s.roots(&faults{}, "", s.TSARoots, ""), Now: time.Now})
	if err != nil || report.StampedAt.IsZero() {
		return // sealed at B-B, or told as a fault of the seal
	}
	result, detail := judgeSkew("the time-stamping authority", between(report.StampedAt, report.StampedAt.Add(time.Second), began, ended))
	add("clock", result, "%s", detail)
}
