// Command judge has PDF files judged: by veraPDF (PDF/A-2a, or 3a where a file says so, and PDF/UA-1), qpdf, poppler
// (its text and structure can be read and are not empty) and package check. It prints one line per file and judge and
// exits with 1 when one says no, with 2 when one could not be asked.
//
//	go run ./cmd/judge -repository .. FILE…
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/phpdave11/gofpdf/check"
	"github.com/phpdave11/gofpdf/judges"
)

func main() {
	repository := flag.String("repository", ".", "folder that holds conformance and .cache")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	verdicts, err := judge(ctx, *repository, flag.Args())
	code := 0
	for _, v := range verdicts {
		fmt.Println(v)
		if !v.Pass {
			code = 1
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		code = 2
	}
	os.Exit(code)
}

func judge(ctx context.Context, repository string, files []string) ([]judges.Verdict, error) {
	var verdicts []judges.Verdict
	profiles := map[string]string{}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		profiles[path] = "2a,ua1"
		if bytes.Contains(b, []byte("<pdfaid:part>3<")) {
			profiles[path] = "3a,ua1"
		}
		ours := judges.Verdict{File: path, Judge: "check", Pass: true}
		if err := check.File(b); err != nil {
			ours.Pass, ours.Detail = false, strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		syntax, err := judges.QPDF(ctx, path)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, ours, syntax)
		for name, read := range map[string]func(context.Context, string) (string, error){"pdftotext": judges.Text, "pdfinfo": judges.Tree} {
			v := judges.Verdict{File: path, Judge: name, Pass: true}
			switch out, err := read(ctx, path); {
			case err != nil:
				v.Pass, v.Detail = false, err.Error()
			case strings.TrimSpace(out) == "":
				v.Pass, v.Detail = false, "nothing comes out"
			}
			verdicts = append(verdicts, v)
		}
	}
	said, err := judges.VeraPDF(ctx, repository, profiles)
	verdicts = append(verdicts, said...)
	slices.SortStableFunc(verdicts, func(a, b judges.Verdict) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return strings.Compare(a.Judge, b.Judge)
	})
	return verdicts, err
}
