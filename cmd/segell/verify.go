package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"segell/signing"
)

// verifyCmd inspects a file as the worker inspects what it made.
type verifyCmd struct {
	File string `arg:"" type:"existingfile" help:"The PDF."`
}

// largest file that verify reads, in bytes.
const verifyMost = 256 << 20

func (c verifyCmd) Run(s *Settings, out *output) error {
	var f faults
	trust := signing.Trust{Now: time.Now}
	trust.Roots = s.roots(&f, "SEGELL_SEAL_ROOTS_FILE", s.SealRoots, "a PEM file of the roots to trust (--seal-roots-file)")
	trust.TSARoots = trust.Roots
	if s.TSARoots != "" {
		trust.TSARoots = s.roots(&f, "SEGELL_TSA_ROOTS_FILE", s.TSARoots, "")
	}
	if err := f.err(); err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	pdf, err := io.ReadAll(io.LimitReader(file, verifyMost+1))
	if err != nil {
		return err
	}
	if len(pdf) > verifyMost {
		return fmt.Errorf("%s is larger than %d MB", c.File, verifyMost>>20)
	}
	report, err := signing.Inspect(background(), pdf, trust)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if out.json {
		err = out.encode(report)
	} else {
		verdict := "NOT VALID: do not rely on this file"
		if report.Valid {
			verdict = "VALID: sealed by " + report.Signer + ", unchanged since, level " + string(report.Level)
		}
		fmt.Fprintln(out.w, verdict)
		rows := [][]string{}
		for _, check := range report.Checks {
			mark := "ok"
			if !check.OK {
				mark = "FAILED"
			}
			rows = append(rows, []string{"  " + mark, check.Name, check.Detail})
		}
		err = out.table(nil, rows)
	}
	if err == nil && !report.Valid {
		err = exitCode(1)
	}
	return err
}
