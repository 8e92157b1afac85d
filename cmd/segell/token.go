package main

import (
	"fmt"

	"segell/access"
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

func (c tokenNewCmd) Run(out *output) error {
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
