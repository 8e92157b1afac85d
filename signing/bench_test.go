package signing

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"testing"
	"time"

	"segell/pki"
)

// What the cryptography of a B-B seal costs by itself, to see the other numbers beside: one signature, one verification of
// it, and the document digested as often as it cannot be avoided, to sign it and to inspect it.
func BenchmarkRawCrypto(b *testing.B) {
	message := []byte("about as long as the signed attributes of a seal, which have two hundred bytes or a little more than that")
	for _, kind := range []pki.KeyKind{pki.P256, pki.RSA3072} {
		key := keyOf(b, sharedPKI(b, kind).Seal())
		_, isRSA := key.Certificate().PublicKey.(*rsa.PublicKey)
		for name, document := range map[string][]byte{"30KB": make([]byte, 30_000), "5MB": make([]byte, 5_000_000)} {
			b.Run(fmt.Sprintf("%s/%s", kind, name), func(b *testing.B) {
				start := processorTime(b)
				for b.Loop() {
					sha256.Sum256(document)
					sha256.Sum256(document)
					signature, err := key.Sign(context.Background(), message, crypto.SHA256)
					if err != nil {
						b.Fatal(err)
					}
					digest := sha256.Sum256(message)
					if err := verifySignature(key.Certificate(), isRSA, crypto.SHA256, digest[:], signature); err != nil {
						b.Fatal(err)
					}
				}
				reportProcessorTime(b, start)
			})
		}
	}
}

// processorTime is what the process has used of all processors. On a machine that others use too it tells more than the
// clock.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func reportProcessorTime(b *testing.B, start time.Duration) {
	b.Helper()
	b.ReportMetric(float64(processorTime(b)-start)/float64(b.N)/1e3, "cpu-µs/op")
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
				start := processorTime(b)
				for b.Loop() {
					if _, err := s.Seal(context.Background(), pdf); err != nil {
						b.Fatal(err)
					}
				}
				reportProcessorTime(b, start)
			})
		}
	}
}

// BenchmarkSealMemory reports the memory that is in use at the peak of sealing 5 MB, as multiples of the document: with
// the document itself, and what comes beside it.
func BenchmarkSealMemory(b *testing.B) {
	pdf := minimalPDF(10, 500_000)
	a := sharedPKI(b, pki.P256)
	for _, level := range levels {
		b.Run(string(level), func(b *testing.B) {
			s := newSealer(b, configOf(b, a, a.Seal(), level))
			if _, err := s.Seal(context.Background(), pdf); err != nil { // pools and connections are there from the first on
				b.Fatal(err)
			}
			highest := 0.0
			for b.Loop() {
				beside := peak(func() {
					if _, err := s.Seal(context.Background(), pdf); err != nil {
						b.Fatal(err)
					}
				})
				highest = max(highest, float64(beside)/float64(len(pdf)))
			}
			b.ReportMetric(highest, "×document-beside-it")
			b.ReportMetric(highest+1, "×document")
			runtime.KeepAlive(pdf)
		})
	}
}

// peak gives how many bytes more are in use at the highest point of work than before it. Garbage is collected all the
// while, so that it does not count.
func peak(work func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	inUse := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before := inUse()
	highest := before
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			highest = max(highest, inUse())
			select {
			case <-stop:
				return
			default:
				runtime.Gosched()
			}
		}
	}()
	work()
	close(stop)
	<-stopped
	return highest - before
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
