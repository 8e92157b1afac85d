// Command draw makes one document many times and prints what it took, as JSON. Built with go.mod it
// draws with Segell's writer, with stock.mod and the tag stock with gofpdf: maroto and this source are the same.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/johnfercher/maroto/v2/pkg/consts/fontstyle"
	"github.com/johnfercher/maroto/v2/pkg/core/entity"
)

// Measure is what is printed.
type Measure struct {
	Nanoseconds int64 // for one document, with all workers at once
	Processor   int64 // nanoseconds of all processors for one document, collecting garbage included
	Bytes       int64 // allocated for one document
	Allocations int64
	Size        int   // of the file
	Peak        int64 // resident memory of the process at its highest, in bytes
}

func main() {
	document := flag.String("document", "certificate", "certificate, letter or table")
	rows := flag.Int("rows", 150, "rows of the table")
	times := flag.Int("n", 1, "how many documents")
	workers := flag.Int("workers", 1, "how many at once")
	fontsDir := flag.String("fonts", "", "folder of the fonts")
	out := flag.String("o", "", "where to write the document")
	flag.Parse()

	fonts := readFonts(*fontsDir)
	draw := func() []byte {
		if *document == "table" {
			return table(fonts, *rows)
		}
		return certificate(fonts, *document == "certificate")
	}
	size := len(draw()) // warm: the fonts of a process are parsed once in its life
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used := usage().processor
	start := time.Now()
	var wait sync.WaitGroup
	for w := range *workers {
		n := *times / *workers
		if w < *times%*workers {
			n++
		}
		wait.Go(func() {
			for range n {
				draw() // a press hands a document on and keeps none
			}
		})
	}
	wait.Wait()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	spent := usage()
	n := int64(*times)
	m := Measure{
		Nanoseconds: took.Nanoseconds() / n,
		Processor:   (spent.processor - used).Nanoseconds() / n,
		Bytes:       int64(after.TotalAlloc-before.TotalAlloc) / n,
		Allocations: int64(after.Mallocs-before.Mallocs) / n,
		Size:        size,
		Peak:        spent.peak,
	}
	if err := json.NewEncoder(os.Stdout).Encode(m); err != nil {
		fail(err)
	}
	if *out != "" {
		if err := os.WriteFile(*out, draw(), 0o644); err != nil {
			fail(err)
		}
	}
}

type spent struct {
	processor time.Duration
	peak      int64
}

// usage asks the system what the process has used so far.
func usage() spent {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		fail(err)
	}
	return spent{time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Maxrss * 1024}
}

func readFonts(dir string) []*entity.CustomFont {
	var fonts []*entity.CustomFont
	for _, f := range []struct {
		style fontstyle.Type
		file  string
	}{{fontstyle.Normal, "SourceSans3-Regular.ttf"}, {fontstyle.Bold, "SourceSans3-Semibold.ttf"}, {fontstyle.Italic, "SourceSans3-It.ttf"}} {
		b, err := os.ReadFile(filepath.Join(dir, f.file))
		if err != nil {
			fail(err)
		}
		fonts = append(fonts, &entity.CustomFont{Family: "source", Style: f.style, Bytes: b})
	}
	return fonts
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "draw:", strings.TrimSpace(err.Error()))
	os.Exit(1)
}
