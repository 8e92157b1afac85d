package signing

import (
	"context"
	"crypto"
	"fmt"
	"testing"

	"segell/pki"
)

// What the signature alone costs, to see the other numbers beside.
func BenchmarkKey(b *testing.B) {
	for _, kind := range []pki.KeyKind{pki.P256, pki.RSA3072} {
		b.Run(string(kind), func(b *testing.B) {
			key := keyOf(b, sharedPKI(b, kind).Seal())
			digest := make([]byte, 32)
			for b.Loop() {
				if _, err := key.Sign(context.Background(), digest, crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSeal(b *testing.B)      { benchmarkSeal(b, minimalPDF(1, 30_000)) }
func BenchmarkSealLarge(b *testing.B) { benchmarkSeal(b, minimalPDF(10, 500_000)) }

// The authorities of the levels above B-B run in this very process: their work is in the numbers.
func benchmarkSeal(b *testing.B, pdf []byte) {
	for _, kind := range []pki.KeyKind{pki.P256, pki.RSA3072} {
		for _, level := range levels {
			b.Run(fmt.Sprintf("%s/%s", kind, level), func(b *testing.B) {
				a := sharedPKI(b, kind)
				s := newSealer(b, configOf(b, a, a.Seal(), level))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Seal(context.Background(), pdf); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkInspect(b *testing.B) {
	for _, kind := range []pki.KeyKind{pki.P256, pki.RSA3072} {
		for _, level := range levels {
			b.Run(fmt.Sprintf("%s/%s", kind, level), func(b *testing.B) {
				a := sharedPKI(b, kind)
				sealed := seal(b, a, level, minimalPDF(1, 30_000))
				trust := trustOf(a)
				b.ReportAllocs()
				for b.Loop() {
					if r, err := Inspect(context.Background(), sealed, trust); err != nil || !r.Valid {
						b.Fatal(err, r.Err())
					}
				}
			})
		}
	}
}
