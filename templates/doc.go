// Package templates knows the documents: what each kind asks of a request, when
// it can be issued, how long it holds, on which law it stands and how its page
// reads.
//
// A kind is one file: its typed data with the tags that make the API description
// and the check of shape (see package wire), its rules, its validity and its
// page, made of the components of package layout. Its words are in locales/, one
// file per language; Catalan is the official text, the others are courtesy
// translations. A kind enters the world by one line in kinds.go.
//
// # Two gates for text
//
// What a sender can mend is refused at the door, with a JSON pointer: control
// characters (line feed and tab too: a value is one line), marks that reorder or
// hide text (bidi, zero-width), U+FFFD. What cannot be known there (a character
// no font has) fails the rendering as a *layout.Fault.
package templates
