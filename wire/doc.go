// Package wire is what travels between the portal and Segell: the strict reading of a JSON body into a Go type, and the
// values that such a body is made of — civil dates, months and exact decimals.
//
// # How a body type is written
//
// [Decode] reads a body into a struct whose json and huma tags (doc, enum, minLength, maxLength, pattern,
// patternDescription, minItems, maxItems, minimum, maximum, format, example) are its rules. The same tags make the
// OpenAPI description by [Schema], so that what is published and what is checked cannot differ.
//
// There is one rule for what may be absent:
//
//   - a field must be given, unless its json tag says omitempty or omitzero;
//   - it may be null only if it is a pointer; null and absent then both leave the pointer nil;
//   - nothing else changes this: the tags required and nullable are refused.
//
// So an optional value is written `json:"until,omitempty"` on a pointer, an optional list `json:"dependants,omitempty"`
// on a slice (an empty list is a list, null is not). Field names match exactly, upper and lower case included. Unknown
// fields are refused. In every string, control characters other than line feed and tab, and the marks that override
// the direction of text, are refused: nothing in a document may be hidden or print in another order than it reads.
//
// # Errors
//
// A body that is not acceptable JSON gives a [*SyntaxError] (HTTP 400); one of the wrong shape gives [Faults] (HTTP
// 422), all of them at once. Neither repeats a value that was sent, because what is sent is personal data.
package wire
