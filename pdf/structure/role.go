package structure

import "fmt"

// Role is a standard structure type (ISO 32000-1, 14.8.4).
type Role uint8

// The roles Segell's documents use.
const (
	Document Role = iota
	Sect
	H1
	H2
	H3
	H4
	H5
	H6
	P
	Span
	Link
	L
	LI
	Lbl
	LBody
	Table
	THead
	TBody
	TFoot
	TR
	TH
	TD
	Figure
	Caption
	Form
	roles
)

var names = [roles]string{
	"Document", "Sect", "H1", "H2", "H3", "H4", "H5", "H6", "P", "Span", "Link", "L", "LI", "Lbl", "LBody",
	"Table", "THead", "TBody", "TFoot", "TR", "TH", "TD", "Figure", "Caption", "Form",
}

// String returns the name as it stands in the file.
func (r Role) String() string {
	if r < roles {
		return names[r]
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// Heading returns the level of H1 to H6, and 0 for every other role.
func (r Role) Heading() int {
	if r >= H1 && r <= H6 {
		return int(r-H1) + 1
	}
	return 0
}

// Real tells whether content can be marked with the role. The others only hold elements.
func (r Role) Real() bool {
	switch r {
	case Document, Sect, L, LI, Table, THead, TBody, TFoot, TR:
		return false
	}
	return r < roles
}

// Drawing tells whether lines, areas and pictures are part of what the role says. In the others they are decoration.
func (r Role) Drawing() bool { return r == Figure || r == Form }

// parents says where the roles that belong somewhere may stand; any other role may stand in a block or an inline.
var parents = map[Role][]Role{
	THead: {Table}, TBody: {Table}, TFoot: {Table},
	TR: {Table, THead, TBody, TFoot},
	TH: {TR}, TD: {TR},
	LI:  {L},
	Lbl: {LI}, LBody: {LI},
	Caption: {Table, Figure, L},
}

// mayHold tells whether a child of role r may stand in a parent of role p.
func (p Role) mayHold(r Role) bool {
	if r >= roles || r == Document {
		return false
	}
	if allowed, ok := parents[r]; ok {
		for _, a := range allowed {
			if a == p {
				return true
			}
		}
		return false
	}
	switch p {
	case Document, Sect, LBody, TD, TH, Caption:
		return true
	}
	return p.inline() && (r == Span || r == Link || r == Form || r == Figure)
}

// inline tells whether the role is a run of text, which holds other runs but no blocks.
func (p Role) inline() bool {
	switch p {
	case P, H1, H2, H3, H4, H5, H6, Lbl, Link, Span, Figure:
		return true
	}
	return false
}
