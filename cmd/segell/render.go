package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"segell/templates"
	"segell/wire"
)

// renderCmd makes a preview: watermarked, without a seal, with a code that
// belongs to nobody.
type renderCmd struct {
	Kind string `arg:"" help:"Kind of document, such as coverage_certificate."`
	File string `arg:"" type:"existingfile" help:"The request, as the portal would send it."`
	Out  string `name:"out" short:"o" required:"" help:"Where the PDF goes."`
}

func (c renderCmd) Run(s *Settings) error {
	kind, ok := templates.Lookup(c.Kind)
	if !ok {
		var known []string
		for _, kind := range templates.Kinds() {
			known = append(known, kind.ID)
		}
		return errorWithHint{fmt.Errorf("there is no kind %q", c.Kind), "the kinds are " + strings.Join(known, ", ")}
	}
	body, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	now := time.Now()
	request, err := kind.Decode(body, now)
	var found wire.Faults
	if errors.As(err, &found) {
		lines := []string{fmt.Sprintf("%s cannot become a document:", c.File)}
		for _, fault := range found {
			lines = append(lines, fmt.Sprintf("  %-32s %s", fault.Pointer, fault.Detail))
		}
		return errors.New(strings.Join(lines, "\n"))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	var f faults
	_, mark := s.logo(&f)
	if err := f.err(); err != nil {
		return err
	}
	rendered, err := templates.Render(background(), request, templates.Issue{
		Number: fmt.Sprintf("CASS-%d-%s-0000000", now.Year(), kind.Code), CSV: "0000-0000-0000-0000-0000-00",
		VerificationURL: "https://example.org/v/0000000000000000000000", IssuedAt: now, SealedBy: s.Institution, Mark: mark, Proof: true,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(c.Out, rendered.PDF, 0o600)
}
