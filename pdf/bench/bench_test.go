// Package bench compares Segell's PDF writer with stock gofpdf under the same, unmodified maroto.
//
//	go test -bench . -benchtime 1x
//
// The same source (folder draw) is built twice: with go.mod, where a replace line puts Segell's writer under maroto and
// the components say what they mean, and with stock.mod and the build tag "stock", where gofpdf is gofpdf. Its output is
// neither PDF/A nor PDF/UA; ours is both. The two take turns, each in a process of its own, and the median
// counts. Processor time is compared, so that other work on the machine does not disturb the ratios.
package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

var programs struct{ stock, segell string }

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		panic(err)
	}
	programs.stock, programs.segell = filepath.Join(dir, "stock"), filepath.Join(dir, "segell")
	for _, args := range [][]string{
		{"build", "-o", programs.segell, "./draw"},
		{"build", "-modfile", "stock.mod", "-tags", "stock", "-o", programs.stock, "./draw"},
	} {
		build := exec.Command("go", args...)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// measure is what draw prints.
type measure struct {
	Nanoseconds int64
	Processor   int64
	Bytes       int64
	Allocations int64
	Size        int
	Peak        int64
}

func draw(tb testing.TB, program string, args ...string) measure {
	tb.Helper()
	run := exec.Command(program, append([]string{"-fonts", filepath.Join("..", "..", "layout", "fonts")}, args...)...)
	run.Stderr = os.Stderr
	out, err := run.Output()
	if err != nil {
		tb.Fatal(err)
	}
	var m measure
	if err := json.Unmarshal(out, &m); err != nil {
		tb.Fatal(err)
	}
	return m
}

const turns = 5

// turn draws with both programs in turn and returns the medians.
func turn(tb testing.TB, args ...string) (stock, segell measure) {
	var a, b []measure
	for range turns {
		a = append(a, draw(tb, programs.stock, args...))
		b = append(b, draw(tb, programs.segell, args...))
	}
	return median(a), median(b)
}

func median(all []measure) measure {
	pick := func(of func(measure) int64) int64 {
		values := make([]int64, len(all))
		for i, m := range all {
			values[i] = of(m)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return measure{
		Nanoseconds: pick(func(m measure) int64 { return m.Nanoseconds }),
		Processor:   pick(func(m measure) int64 { return m.Processor }),
		Bytes:       pick(func(m measure) int64 { return m.Bytes }),
		Allocations: pick(func(m measure) int64 { return m.Allocations }),
		Size:        int(pick(func(m measure) int64 { return int64(m.Size) })),
		Peak:        pick(func(m measure) int64 { return m.Peak }),
	}
}

func compare(b *testing.B, args ...string) {
	for range b.N {
		stock, segell := turn(b, args...)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(stock.Processor)/1e6, "stock-ms")
		b.ReportMetric(float64(segell.Processor)/1e6, "segell-ms")
		b.ReportMetric(float64(stock.Processor)/float64(segell.Processor), "x-faster")
		b.ReportMetric(float64(stock.Bytes)/float64(segell.Bytes), "x-fewer-bytes")
		b.ReportMetric(float64(stock.Allocations)/float64(segell.Allocations), "x-fewer-allocations")
		b.ReportMetric(float64(segell.Bytes)/1024, "segell-KB-allocated")
		b.ReportMetric(float64(stock.Size)/1024, "stock-KB-file")
		b.ReportMetric(float64(segell.Size)/1024, "segell-KB-file")
		b.ReportMetric(float64(stock.Peak)/(1<<20), "stock-MB-peak")
		b.ReportMetric(float64(segell.Peak)/(1<<20), "segell-MB-peak")
		b.ReportMetric(100*float64(segell.Peak)/float64(stock.Peak), "%-of-stock's-peak")
	}
}

// The certificate has a QR code: a picture in stock maroto, squares in ours, as layout draws it.
func BenchmarkCertificate(b *testing.B) { compare(b, "-document", "certificate", "-n", "200") }

// The same page without the QR code: nothing but text, lines and a small table on either side.
func BenchmarkLetter(b *testing.B) { compare(b, "-document", "letter", "-n", "200") }

func BenchmarkTable150(b *testing.B) { compare(b, "-document", "table", "-rows", "150", "-n", "60") }

// 3,000 rows are 101 pages.
func BenchmarkTable3000(b *testing.B) { compare(b, "-document", "table", "-rows", "3000", "-n", "6") }

// Time and memory a row, from 30 rows to 30,000: what stays the same grows in step.
func BenchmarkRows(b *testing.B) {
	for _, rows := range []int{30, 300, 3000, 30000} {
		b.Run(strconv.Itoa(rows), func(b *testing.B) {
			for range b.N {
				var all []measure
				for range 3 {
					all = append(all, draw(b, programs.segell, "-document", "table", "-rows", strconv.Itoa(rows), "-n", strconv.Itoa(max(2, 6000/rows))))
				}
				m := median(all)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(m.Processor)/float64(rows)/1000, "µs/row")
				b.ReportMetric(float64(m.Bytes)/float64(rows), "B-allocated/row")
				b.ReportMetric(float64(m.Peak)/(1<<20), "MB-peak")
			}
		})
	}
}

// Documents a second with two workers, by those with one. Wall time: the machine must be free.
func BenchmarkTwoCores(b *testing.B) {
	for range b.N {
		var best float64
		for range turns {
			one := draw(b, programs.segell, "-document", "certificate", "-n", "600", "-workers", "1")
			two := draw(b, programs.segell, "-document", "certificate", "-n", "600", "-workers", "2")
			best = max(best, float64(one.Nanoseconds)/float64(two.Nanoseconds))
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(best, "x-with-two")
	}
}

// What does not depend on how busy the machine is: bytes allocated against stock's, and the size of the file. A
// certificate is no larger; a long table is, since each of its cells is a structure element, and must not grow further.
// Times and the memory held at the peak are the benchmarks' to tell: the collector of garbage comes later when the
// machine is busy.
func TestRatios(t *testing.T) {
	for _, c := range []struct {
		name          string
		fewer, larger float64
		args          []string
	}{
		{"certificate", 30, 1, []string{"-document", "certificate", "-n", "40"}},
		{"letter", 35, 1, []string{"-document", "letter", "-n", "40"}},
		{"150 rows", 12, 3, []string{"-document", "table", "-rows", "150", "-n", "10"}},
		{"3,000 rows", 6, 10, []string{"-document", "table", "-rows", "3000", "-n", "2"}},
	} {
		stock, segell := turn(t, c.args...)
		fewer := float64(stock.Bytes) / float64(segell.Bytes)
		t.Logf("%s: %.1f× faster, %.1f× fewer bytes, %d bytes for %d", c.name, float64(stock.Processor)/float64(segell.Processor), fewer, segell.Size, stock.Size)
		if fewer < c.fewer || float64(segell.Size) > c.larger*float64(stock.Size) {
			t.Errorf("%s: want %.0f× fewer bytes allocated, and a file at most %.0f× as large", c.name, c.fewer, c.larger)
		}
	}
}
