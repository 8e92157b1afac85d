// Package docs holds the pages for which the program itself is the reader's way:
// the types of problems lead to them.
package docs

import "embed"

// Problems has the page of every type of problem, problems/<type>.md.
//
//go:embed problems/*.md
var Problems embed.FS
