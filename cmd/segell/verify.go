package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"segell/signing"
)

// verifyCmd inspects a file as the worker inspects what it made.
type verifyCmd struct {
	File string `arg:"" help:"The PDF."`
}

func (c verifyCmd) Run(s *Settings, out *output) error {
	f := s.faults("Seal")
	trust := signing.Trust{Now: time.Now}
	trust.Roots = s.roots(f, "SEGELL_SEAL_ROOTS_FILE", s.SealRoots, "a PEM file of the roots to trust; or --seal-roots-file FILE")
	trust.TSARoots = trust.Roots
	if s.TSARoots != "" {
		trust.TSARoots = s.roots(f, "SEGELL_TSA_ROOTS_FILE", s.TSARoots, "")
	}
	if err := f.err(); err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	pdf, err := io.ReadAll(io.LimitReader(file, signing.MaxSize+1))
	if err != nil {
		return err
	}
	report, err := signing.Inspect(background(), pdf, trust)
	switch {
	case errors.Is(err, signing.ErrNotPDF):
		return fmt.Errorf("%s is not a PDF", c.File)
	case errors.Is(err, signing.ErrUnsealed):
		return errorWithHint{fmt.Errorf("%s carries no seal", c.File), "a preview of `segell render` has none, and printing to a file loses it: verify the file as it was downloaded", failed}
	case errors.Is(err, signing.ErrTooLarge):
		return fmt.Errorf("%s is larger than the %d MB that are read", c.File, signing.MaxSize>>20)
	case err != nil:
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if out.json {
		err = out.encode(report)
	} else {
		verdict := "NOT VALID: do not rely on this file"
		if report.Valid {
			verdict = "VALID: sealed by " + report.Signer + ", unchanged since, level " + string(report.Level)
		}
		if report.Valid && !report.StampedAt.IsZero() {
			verdict += "\nsealed before " + report.StampedAt.UTC().Format("2006-01-02 15:04:05 UTC") + ", says " + report.StampedBy
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
		for _, note := range report.Notes {
			fmt.Fprintln(out.w, note)
		}
	}
	if err == nil && !report.Valid {
		err = failed
	}
	return err
}
