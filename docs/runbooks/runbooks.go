// Package runbooks holds what staff do about each cause of a failure: a page for
// every row of ledger.Causes in every language of the console, the clerk's part
// first and the engineers' last. README.md is their index and says how to write one.
package runbooks

import (
	"embed"
	"strings"
)

// pages has the pages, LANGUAGE/CAUSE.md.
//
//go:embed ca/*.md en/*.md es/*.md fr/*.md pt/*.md
var pages embed.FS

// fallback are the languages in which a page is looked for when the one asked for
// has none: the official language of the institution, then English.
var fallback = []string{"ca", "en"}

// Runbook returns the page of a cause in a language, as Markdown, and the language
// that it is in: where there is none in that language it is the Catalan one. ok is
// false for a cause that no page has.
func Runbook(cause, language string) (markdown []byte, in string, ok bool) {
	if strings.ContainsAny(cause+language, "/.") { // they name files
		return nil, "", false
	}
	for _, in := range append([]string{language}, fallback...) {
		if text, err := pages.ReadFile(in + "/" + cause + ".md"); err == nil {
			return text, in, true
		}
	}
	return nil, "", false
}
