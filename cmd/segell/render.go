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
	File string `arg:"" help:"The request, as the portal would send it."`
	Out  string `name:"out" short:"o" required:"" help:"Where the PDF goes."`
}

func (c renderCmd) Run(s *Settings, out *output) error {
	kind, ok := templates.Lookup(c.Kind)
	if !ok {
		var known []string
		for _, kind := range templates.Kinds() {
			known = append(known, kind.ID)
		}
		return errorWithHint{fmt.Errorf("there is no kind %q", c.Kind), "the kinds are " + strings.Join(known, ", "), askedWrong}
	}
	body, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	now := time.Now()
	request, err := kind.Decode(body, now)
	var found wire.Faults
	if errors.As(err, &found) {
		return refusedError{c.File, found}
	}
	if err != nil {
		return fmt.Errorf("%s is not a request: %w", c.File, err)
	}
	f := s.faults("Documents")
	_, mark := s.logo(f)
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
	if err := os.WriteFile(c.Out, rendered.PDF, 0o600); err != nil {
		return err
	}
	if out.json {
		return out.encode(map[string]any{"file": c.Out, "pages": rendered.Pages, "title": rendered.Title})
	}
	pages := "1 page"
	if rendered.Pages != 1 {
		pages = fmt.Sprintf("%d pages", rendered.Pages)
	}
	_, err = fmt.Fprintf(out.w, "%s: %s, %s, PROVA\n", c.Out, rendered.Title, pages)
	return err
}

// refusedError is a request that the door would refuse.
type refusedError struct {
	file   string
	faults wire.Faults
}

func (e refusedError) Error() string {
	text := e.file + " cannot become a document:"
	for _, fault := range e.faults {
		text += fmt.Sprintf("\n  %-24s %s", fault.Pointer, fault.Detail)
	}
	return text
}

func (e refusedError) list() (string, any) { return e.file + " cannot become a document", e.faults }
