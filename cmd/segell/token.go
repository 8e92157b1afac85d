package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"segell/access"
	"segell/templates"
)

type tokenCmd struct {
	New tokenNewCmd `cmd:"" help:"Make a token for a client of the API."`
}

type tokenNewCmd struct {
	Client  string `arg:"" help:"The client's name, such as portal."`
	Scopes  string `help:"What it may do, with commas between, such as documents.request,documents.read; without it everything."`
	Kinds   string `help:"Kinds of document that it may ask for, with commas between; without it every one."`
	Expires string `help:"The last day on which it is good, such as 2027-06-30; without it it does not end."`
}

// check refuses what the reader of the tokens would refuse without naming it, and
// a token that is dead at birth.
func (c tokenNewCmd) check(now time.Time) error {
	if c.Kinds != "" {
		for kind := range strings.SplitSeq(c.Kinds, ",") {
			if known := kindNames(); !slices.Contains(known, kind) {
				return fmt.Errorf("--kinds: there is no kind %q: they are %s", kind, strings.Join(known, ", "))
			}
		}
	}
	if c.Expires != "" {
		day, err := time.ParseInLocation(time.DateOnly, c.Expires, templates.Andorra)
		if err == nil && !day.AddDate(0, 0, 1).After(now) { // what is no day, the reader of the tokens tells
			return fmt.Errorf("--expires: %s is over: the token would be good on no day", c.Expires)
		}
	}
	return nil
}

func (c tokenNewCmd) Run(out *output) error {
	if err := c.check(time.Now()); err != nil {
		return errorWithHint{err, "`segell token new --help` tells what each may be", askedWrong}
	}
	var allowed []string
	for _, word := range []struct{ name, value string }{{"scopes", c.Scopes}, {"kinds", c.Kinds}, {"expires", c.Expires}} {
		if word.value != "" {
			allowed = append(allowed, word.name+"="+word.value)
		}
	}
	token, line, err := access.NewToken(c.Client, allowed...)
	if err != nil {
		return errorWithHint{err, "such as `segell token new portal`", askedWrong}
	}
	if out.json {
		return out.encode(map[string]string{"token": token, "line": line})
	}
	_, err = fmt.Fprintf(out.w, "token, for the client alone:      %s\nline, for SEGELL_API_TOKENS_FILE:  %s\n", token, line)
	return err
}
