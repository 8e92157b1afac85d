package signing

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"segell/pki"
)

// An authority that lies, fails or hangs gives no document, within the time allowed.
func TestAuthoritiesThatMisbehave(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	c := configOf(t, a, a.Seal(), BT)
	c.TSAs[0].Timeout = time.Second
	s := newSealer(t, c)
	for how, words := range map[pki.Misbehaviour]string{
		pki.WrongImprint:   "wrong imprint",
		pki.WrongNonce:     "wrong nonce",
		pki.MissingNonce:   "wrong nonce",
		pki.SkewedAhead:    "away from the clock",
		pki.SkewedBehind:   "away from the clock",
		pki.ForeignChain:   "not trusted",
		pki.NoCertificate:  "certificate is not inside",
		pki.BrokenToken:    "signature value",
		pki.Rejection:      "status 2",
		pki.ServerError:    "HTTP 500",
		pki.WrongType:      "application/timestamp-reply",
		pki.Redirect:       "HTTP 307",
		pki.Hang:           "deadline exceeded",
		pki.SlowBody:       "deadline exceeded",
		pki.HugeBody:       "larger than",
		pki.TrailingData:   "not a time-stamp reply",
		pki.SealCertSigned: "extended key usage",
		pki.ExpiredSigner:  "expired",
	} {
		t.Run(string(how), func(t *testing.T) {
			a.Misbehave(how)
			defer a.Misbehave(pki.Behave)
			start := time.Now()
			sealed, err := s.Seal(context.Background(), minimalPDF(1, 0))
			if !errors.Is(err, ErrTSAUnavailable) || sealed != nil {
				t.Fatalf("%v; want ErrTSAUnavailable and no document", err)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("the authority's slowness looks like a time limit of the caller")
			}
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%v; want it to say %q", err, words)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
	if _, err := s.Seal(context.Background(), minimalPDF(1, 0)); err != nil {
		t.Error("healed:", err)
	}
}

func TestPolicyOfTheAuthority(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	c := configOf(t, a, a.Seal(), BT)
	c.TSAs[0].Policy = pki.TSAPolicy.String()
	s := newSealer(t, c)
	if _, err := s.Seal(context.Background(), minimalPDF(1, 0)); err != nil {
		t.Error(err)
	}
	a.Misbehave(pki.WrongPolicy)
	if _, err := s.Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrTSAUnavailable) || !strings.Contains(err.Error(), "policy") {
		t.Errorf("stamped under another policy: %v", err)
	}
	a.Misbehave(pki.Behave)
	c.TSAs[0].Policy = "2.999.7"
	if _, err := newSealer(t, c).Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrTSAUnavailable) {
		t.Errorf("asked for a policy that the authority does not have: %v", err)
	}
}

func TestNextAuthorityIsAsked(t *testing.T) {
	a, good := ownAuthority(t, pki.Options{}), ownAuthority(t, pki.Options{})
	c := configOf(t, a, a.Seal(), BT)
	c.TSAs = append(c.TSAs, TSA{URL: good.TSAURL(), Roots: good.Roots()})
	a.Misbehave(pki.WrongImprint)
	sealed, err := newSealer(t, c).Seal(context.Background(), minimalPDF(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if r := inspect(t, sealed, Trust{Roots: a.Roots(), TSARoots: good.Roots()}); !r.Valid || r.Level != BT {
		t.Error(r.Level, r.Err())
	}
	// The roots of one authority do not vouch for another.
	c.TSAs[1].Roots = a.Roots()
	if _, err := newSealer(t, c).Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrTSAUnavailable) {
		t.Errorf("%v; want ErrTSAUnavailable", err)
	}
}

func TestCancelledWhileWaitingForAStamp(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	s := newSealer(t, configOf(t, a, a.Seal(), BT))
	a.Misbehave(pki.Hang)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := s.Seal(ctx, minimalPDF(1, 0))
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrTSAUnavailable) {
		t.Errorf("%v; want the cancellation, which is nobody's failure", err)
	}
}
