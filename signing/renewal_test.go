package signing

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"segell/internal/judges"
	"segell/pki"
)

const year = 365 * 24 * time.Hour

func renewerOf(t testing.TB, a *pki.Authority) *Renewer {
	t.Helper()
	c := configOf(t, a, a.Seal(), BLTA)
	r, err := NewRenewer(RenewerConfig{Trust: trustOf(a), TSAs: c.TSAs, Revocation: c.Revocation})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRenewal(t *testing.T) {
	for _, kind := range []pki.KeyKind{pki.P256, pki.RSA3072} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			a := ownAuthority(t, pki.Options{Seal: kind, Authorities: kind, TSALife: year})
			made := sealedTo(t, newSealer(t, configOf(t, a, a.Seal(), BLTA)), minimalPDF(1, 0))
			if _, _, err := renewerOf(t, a).Renew(context.Background(), made[BLTA]); !errors.Is(err, ErrNoLater) {
				t.Errorf("the same certificate again: %v; want ErrNoLater", err)
			}
			if err := a.RenewTSA(); err != nil {
				t.Fatal(err)
			}
			r := renewerOf(t, a)
			for _, level := range []Level{BLT, BLTA} {
				renewed, report, err := r.Renew(context.Background(), made[level])
				if err != nil {
					t.Fatal(level, err)
				}
				if !bytes.HasPrefix(renewed, made[level]) || report.Level != BLTA || !report.ProofEnd.Equal(a.TSA().NotAfter) {
					t.Errorf("%s: level %s, proof until %s", level, report.Level, report.ProofEnd)
				}
				// What lies behind the caller's document is the caller's.
				spacious := append(append([]byte{}, made[level]...), bytes.Repeat([]byte("x"), 1<<20)...)
				if _, _, err := r.Renew(context.Background(), spacious[:len(made[level])]); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(spacious[:len(made[level])], made[level]) || bytes.Count(spacious[len(made[level]):], []byte("x")) != 1<<20 {
					t.Error("renewal wrote into what it was given")
				}
				if level == BLT {
					continue
				}
				file := write(t, renewed)
				judges.QPDF(t, file)
				judges.PDFSigSeal(t, file, a.RootPEM())
				judges.PyHanko(t, file, a.RootPEM(), judges.Options{Stamped: true, Extended: true})
				judges.PyHankoLTA(t, file, a.RootPEM())
				judges.DSS(t, file, a.RootPEM(), "B-LTA", judges.Options{Offline: true})

				later := trustOf(a)
				later.Now = func() time.Time { return time.Now().Add(2 * year) }
				wantCaught(t, made[BLTA], later, CheckArchiveTrusted)
				if by, bad := caught(t, renewed, later); bad {
					t.Errorf("renewed, two years on: caught by %s", by)
				}
				// Each time-stamp counts: one byte of the first is seen by ourselves and by the judges.
				forged := flipped(renewed, bytes.Index(renewed, []byte("(Time-stamp 1)"))+1, 0x20)
				wantCaught(t, forged, trustOf(a), CheckCoverage)
				judges.RefusedByDSS(t, write(t, forged), a.RootPEM(), judges.Options{Offline: true}, "HASH_FAILURE")
			}
		})
	}
}

func TestRenewalRefuses(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	made := sealedTo(t, newSealer(t, configOf(t, a, a.Seal(), BLTA)), minimalPDF(1, 0))
	r := renewerOf(t, a)
	broken := flipped(made[BLTA], bytes.Index(made[BLTA], []byte("sense valor, page")), 0x20)
	for name, file := range map[string][]byte{"B-B": made[BB], "B-T": made[BT], "changed": broken} {
		if renewed, _, err := r.Renew(context.Background(), file); !errors.Is(err, ErrNotRenewable) || renewed != nil {
			t.Errorf("%s: %v; want ErrNotRenewable", name, err)
		}
	}
	if _, _, err := r.Renew(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrUnsealed) {
		t.Errorf("unsealed: %v", err)
	}
	a.Misbehave(pki.ServerError)
	if _, _, err := r.Renew(context.Background(), made[BLTA]); !errors.Is(err, ErrTSAUnavailable) {
		t.Errorf("%v; want ErrTSAUnavailable", err)
	}
	a.Misbehave(pki.Behave)
	a.MisbehaveOCSP(pki.ServerError)
	a.MisbehaveCRL(pki.ServerError)
	if _, _, err := renewerOf(t, a).Renew(context.Background(), made[BLTA]); !errors.Is(err, ErrRevocationUnavailable) {
		t.Errorf("%v; want ErrRevocationUnavailable", err)
	}
	a.MisbehaveOCSP(pki.Behave)
	if err := a.Revoke(a.TSA()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := renewerOf(t, a).Renew(context.Background(), made[BLTA]); !errors.Is(err, ErrCertificateRevoked) {
		t.Errorf("%v; want ErrCertificateRevoked", err)
	}
	if _, err := NewRenewer(RenewerConfig{Revocation: Revocation{Timeout: -1}}); err == nil {
		t.Error("an empty configuration is accepted")
	}
}
