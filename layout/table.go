package layout

import (
	"iter"
	"strconv"
	"strings"

	"github.com/phpdave11/gofpdf"
	"github.com/phpdave11/gofpdf/structure"
)

// Table has a header that is repeated on every page and rows that are never cut.
//
// Rows are the plain ones; where some are more than that (groups, remarks,
// subtotals, the total), all of them stand in Body instead. At least two rows
// stand under a header, above a total and after a group's opening, so nothing of
// these is ever alone on a page.
//
// Where columns have a Sum, a page that ends within the table ends with the sums
// so far and the next begins with them ("Suma i segueix"):
//
//	layout.Table{
//		Columns: []layout.Column{
//			{Head: "Mes", Share: 2},
//			{Head: "Empresa", Share: 5},
//			{Head: "Punts", Share: 2, Right: true, Sum: func(n int64) string { return w.Points(wire.Points(n)) }},
//		},
//		Carry: layout.Carry{Forward: "Suma i segueix", Brought: "Suma anterior"},
//		Body: []layout.Row{
//			{Kind: layout.GroupRow, Cells: []string{"2025"}, Again: "2025 (continuació)", Entry: "2025"},
//			{Cells: []string{"01/2025", "Hotel Exemple, SA", "11,27"}, Values: []int64{0, 0, 112674}},
//			{Kind: layout.RemarkRow, Cells: []string{"Sense cotització: 02/2025–12/2025"}},
//			{Kind: layout.SubtotalRow, Cells: []string{"Total 2025", "", "11,27"}},
//			{Kind: layout.TotalRow, Cells: []string{"Total", "", "11,27"}},
//		},
//	}
type Table struct {
	Columns []Column
	Rows    [][]string // plain rows, as many cells as columns
	Body    []Row      // rows of every kind; they follow Rows
	Carry   Carry
}

// Column is a column of a table. Share is its part of the width, relative to the
// others; a column whose heads' words, or whose numbers, need more gets more.
type Column struct {
	Head  string
	Also  string // the head in the second language of a bilingual form, under it
	Share float64
	Right bool // numbers: set against the right edge, in tabular figures
	// Sum writes a running sum of the rows' Values in this column; nil: the column carries none.
	Sum func(sum int64) string
}

// Carry has the words beside running sums: at the end of a page and at the beginning of the next.
// The words go into the columns before the first that has a Sum.
type Carry struct{ Forward, Brought string }

// RowKind says what a row of a table is.
type RowKind int

// The kinds of rows.
const (
	PlainRow    RowKind = iota // a cell for each column
	GroupRow                   // opens a group: one strong cell across the table, kept with what follows
	RemarkRow                  // one cell across the table: "Sense cotització: 03/2009–10/2012"
	SubtotalRow                // strong, under a thin rule; the first cell reaches over the empty ones after it
	TotalRow                   // strong, under a thick rule; the first cell reaches over the empty ones after it
)

// Row is a row of a table.
type Row struct {
	Kind  RowKind
	Cells []string // as many as columns; one for GroupRow and RemarkRow
	// Values are what the row adds to the running sums, by column (as many as
	// columns, those without a Sum unused); nil adds nothing. Plain rows have
	// them; subtotals and totals repeat what was added already.
	Values []int64
	Again  string // GroupRow: said again at the top of a page on which the group goes on, "" for not
	Entry  string // GroupRow: its entry in the outline and the contents, "" for none
}

// The look of table rows.
var (
	tableHead   = tableStyle.strong().in(blue)
	tableStrong = tableStyle.strong()
	tableRemark = style{face: italic, size: 8.5, leading: 12, colour: grey}
	alsoStyle   = style{face: regular, size: 7.5, leading: 9.6, colour: grey} // the second language, under the first
)

const cellX, cellY = 1.2, 0.75 // padding

// tableCell is the set text of one or more columns of a row.
type tableCell struct {
	col, span int
	lines     []textLine
	also      []textLine // of a header
	node      *node
	second    *node // of also
}

// tableRow is a row ready to be drawn.
type tableRow struct {
	cells []tableCell
	kind  RowKind
	h     float64
	st    style
	zebra bool
}

// rowLook are the rules of a row's kind: space and line above, style.
func rowLook(k RowKind) (st style, above, rule float64, col colour) {
	switch k {
	case GroupRow:
		return tableHead, 1.3, 0, paper
	case RemarkRow:
		return tableRemark, 0, 0, paper
	case SubtotalRow:
		return tableStrong, 0, 0.2, grey
	case TotalRow:
		return tableStrong, 0.5, 0.4, ink
	}
	return tableStyle, 0, 0, paper
}

// grid is a table being set: its columns in mm.
type grid struct {
	*setter
	columns []Column
	x, w    []float64
	width   float64
	carried int // the first column with a Sum, -1 without
}

func newGrid(s *setter, cs []Column, rows []Row) *grid {
	g := &grid{setter: s, columns: cs, x: make([]float64, len(cs)), width: s.width(), carried: -1}
	least := g.least(rows)
	g.w = widths(g.width, cs, least)
	if g.roomForHeads(least, rows) {
		g.w = widths(g.width, cs, least)
	}
	at := 0.0
	for i, c := range cs {
		g.x[i] = at
		at += g.w[i]
		if c.Sum != nil && g.carried < 0 {
			g.carried = i
		}
	}
	return g
}

// least is the width each column must have: no word of a head and no number is broken.
func (g *grid) least(rows []Row) []float64 {
	least := make([]float64, len(g.columns))
	const hair = 0.01 // more than rounding takes
	need := func(i int, words iter.Seq[string], st style) {
		for word := range words {
			for _, l := range g.set(plain(word), st, g.width, "a table's header") {
				least[i] = max(least[i], l.width+2*cellX+hair)
			}
		}
	}
	longest := make([]string, len(g.columns))
	for _, r := range rows {
		if r.Kind == GroupRow || r.Kind == RemarkRow {
			continue
		}
		for i, c := range g.columns {
			if c.Right && len(r.Cells[i]) > len(longest[i]) { // figures are as wide as each other
				longest[i] = r.Cells[i]
			}
		}
	}
	for i, c := range g.columns {
		need(i, strings.FieldsSeq(c.Head), tableHead)
		need(i, strings.FieldsSeq(c.Also), alsoStyle)
		if c.Right {
			if ls, err := set(plain(longest[i]), tableStrong, g.width, place{}); err == nil { // else its row says where
				least[i] = max(least[i], ls[0].width+2*cellX+hair)
			}
		}
	}
	return least
}

// roomForHeads raises the least widths so that a head which nearly fits its
// column stands on one line, as long as the table has the width for all of them
// and nothing else must be broken for it: no other head, no word that fits its
// cell. It reports whether there is such a head.
func (g *grid) roomForHeads(least []float64, rows []Row) (raised bool) {
	const nearly = 1.25
	heads := make([]float64, len(g.columns))
	wanting := false
	for i, c := range g.columns {
		for _, l := range g.set(plain(c.Head), tableHead, g.width, "a table's header") {
			heads[i] = max(heads[i], l.width+2*cellX+0.01)
		}
		wanting = wanting || heads[i] > g.w[i] && heads[i] <= nearly*g.w[i]
	}
	if !wanting {
		return false
	}
	room := g.width
	for i, word := range longestWords(rows, len(g.columns)) {
		if heads[i] <= g.w[i] {
			least[i] = max(least[i], heads[i])
		}
		if ls, err := set(plain(word), tableStyle, g.width, place{}); err == nil && len(ls) > 0 {
			least[i] = max(least[i], min(ls[0].width+2*cellX+0.01, g.w[i]))
		}
		room -= least[i]
	}
	for i, head := range heads {
		if head > g.w[i] && head <= nearly*g.w[i] && head-least[i] <= room {
			room -= head - least[i]
			least[i], raised = max(least[i], head), true
		}
	}
	return raised
}

// longestWords is the longest word of each column, by its characters.
func longestWords(rows []Row, columns int) []string {
	longest := make([]string, columns)
	for _, r := range rows {
		if r.Kind == GroupRow || r.Kind == RemarkRow {
			continue
		}
		for i := range longest {
			for word := range strings.FieldsSeq(r.Cells[i]) {
				if len(word) > len(longest[i]) {
					longest[i] = word
				}
			}
		}
	}
	return longest
}

// widths shares a width among columns, each at least so wide as it must be.
func widths(width float64, cs []Column, least []float64) []float64 {
	w := make([]float64, len(cs))
	fixed := make([]bool, len(cs))
	for {
		left, shares := width, 0.0
		for i, c := range cs {
			if fixed[i] {
				left -= w[i]
			} else {
				shares += c.Share
			}
		}
		again := false
		for i, c := range cs {
			if fixed[i] {
				continue
			}
			if w[i] = left * c.Share / shares; w[i] < least[i] {
				w[i], fixed[i], again = least[i], true, true
			}
		}
		if !again {
			break
		}
	}
	sum := 0.0
	for _, x := range w {
		sum += x
	}
	if sum > width+0.001 { // there is no room for all: as asked
		shares := 0.0
		for _, c := range cs {
			shares += c.Share
		}
		for i, c := range cs {
			w[i] = width * c.Share / shares
		}
	}
	return w
}

// row sets a row, a part of the table's body; number
// is its place among the rows, 0 for what is said again.
func (g *grid) row(body *node, cells []string, kind RowKind, number int) tableRow {
	tr := g.node(body, structure.TR)
	st, above, _, _ := rowLook(kind)
	r := tableRow{kind: kind, st: st, cells: make([]tableCell, 0, len(cells))}
	n := 1
	for i := 0; i < len(cells); {
		span := 1
		switch {
		case kind == GroupRow || kind == RemarkRow:
			span = len(g.columns)
		case i == 0 && (kind == SubtotalRow || kind == TotalRow):
			for span < len(cells) && cells[span] == "" {
				span++
			}
		}
		w := -2 * cellX
		for k := range span {
			w += g.w[i+k]
		}
		ls := g.setAt(plain(cells[i]), st, w, place{"a running sum of a table", number, g.columns[i].Head})
		cell := g.node(tr, structure.TD)
		if i == 0 && kind != PlainRow && kind != RemarkRow {
			cell.role, cell.Scope = structure.TH, structure.Row
		}
		if span > 1 {
			cell.ColSpan = span
		}
		r.cells = append(r.cells, tableCell{col: i, span: span, lines: ls, node: cell})
		n = max(n, len(ls))
		i += span
	}
	r.h = above + float64(n)*st.height() + 2*cellY
	return r
}

// draw draws a row, its text first.
func (g *grid) draw(c *canvas, r tableRow) {
	_, above, rule, col := rowLook(r.kind)
	if r.zebra {
		c.fill(0, 0, g.width, r.h, hair)
	}
	for _, cl := range r.cells {
		c.as(cl.node, func() { g.lines(c, cl.lines, cl, above+cellY, r.st) })
	}
	c.fill(0, 0, g.width, rule, col)
	if r.kind != TotalRow {
		c.fill(0, r.h-0.1, g.width, 0.1, line)
	}
}

// lines draws the lines of a cell, numbers against its right edge, and returns where the next would begin.
func (g *grid) lines(c *canvas, ls []textLine, cl tableCell, y float64, st style) float64 {
	for _, l := range ls {
		if g.columns[cl.col].Right && cl.span == 1 {
			c.right(l, g.x[cl.col]+g.w[cl.col]-cellX, y, st)
		} else {
			c.line(l, g.x[cl.col]+cellX, y, st)
		}
		y += st.height()
	}
	return y
}

// head sets the header.
func (g *grid) head(table *node) tableRow {
	r := tableRow{st: tableHead}
	tr := g.node(g.node(table, structure.THead), structure.TR)
	n := 0.0
	const part = "a table's header"
	for i, c := range g.columns {
		cl := tableCell{col: i, span: 1, lines: g.set(plain(c.Head), tableHead, g.w[i]-2*cellX, part), node: g.node(tr, structure.TH)}
		cl.node.Scope = structure.Column
		h := float64(len(cl.lines)) * tableHead.height()
		if c.Also != "" {
			cl.second = g.alsoNode(cl.node, structure.Span)
			cl.also = g.set(plain(c.Also), alsoStyle, g.w[i]-2*cellX, part)
			h += float64(len(cl.also)) * alsoStyle.height()
		}
		r.cells = append(r.cells, cl)
		n = max(n, h)
	}
	r.h = n + 2*cellY
	return r
}

func (g *grid) drawHead(c *canvas, r tableRow) {
	for _, cl := range r.cells {
		c.as(cl.node, func() {
			y := g.lines(c, cl.lines, cl, cellY, tableHead)
			if cl.also != nil {
				c.as(cl.second, func() { g.lines(c, cl.also, cl, y, alsoStyle) })
			}
		})
	}
	c.fill(0, r.h-0.4, g.width, 0.4, blue)
}

// carry sets the line of running sums.
func (g *grid) carry(label string, sums []int64) tableRow {
	cells := make([]string, len(g.columns))
	if g.carried > 0 {
		cells[0] = label
	}
	for i, c := range g.columns {
		if c.Sum != nil {
			cells[i] = c.Sum(sums[i])
		}
	}
	return g.row(nil, cells, SubtotalRow, 0)
}

func (t Table) set(s *setter) {
	rows := make([]Row, 0, len(t.Rows)+len(t.Body))
	for _, cells := range t.Rows {
		rows = append(rows, Row{Cells: cells})
	}
	rows = append(rows, t.Body...)
	if !t.check(s, rows) {
		return
	}
	g := newGrid(s, t.Columns, rows)
	table := s.node(nil, structure.Table)
	headRow := g.head(table)
	head := piece{before: pick(s.opened, 0.8, 1.8), h: headRow.h, keep: len(rows) > 0, draw: func(c *canvas) { g.drawHead(c, headRow) }}
	s.add(head)

	keep := keeps(rows)
	below, above := 0.0, 0.0
	if g.carried >= 0 {
		below, above = t.carryHeights(g, rows)
	}
	var sums []int64 // before the row; a new slice whenever they change
	if g.carried >= 0 {
		sums = make([]int64, len(t.Columns))
	}
	plainRows := 0 // of the table, before the row
	stripe := 0
	var group *tableRow // what is said again of the group that is open
	body := s.node(table, structure.TBody)
	for i, r := range rows {
		if r.Kind == GroupRow || r.Kind == TotalRow {
			stripe, group = 0, nil
			if i > 0 && rows[i-1].Kind != GroupRow { // a group is a body of its own
				body = s.node(table, structure.TBody)
			}
			if r.Entry != "" {
				s.enter(r.Entry, 1)
			}
		}
		set := g.row(body, r.Cells, r.Kind, i+1)
		if r.Kind == PlainRow {
			set.zebra = stripe%2 == 1
			stripe++
		}
		p := piece{h: set.h, keep: keep[i], draw: func(c *canvas) { g.draw(c, set) }}
		if i > 0 {
			broken := &brokenTable{g: g, carry: t.Carry, head: &head, group: group}
			p.cut = &cut{above: headRow.h, rest: broken}
			if plainRows > 0 && sums != nil {
				broken.sums = sums
				p.cut.below, p.cut.above = below, p.cut.above+above
			}
			if group != nil {
				p.cut.above += group.h
			}
		}
		s.add(p)
		if r.Kind == GroupRow && r.Again != "" {
			again := g.row(nil, []string{r.Again}, GroupRow, i+1)
			group = &again
		}
		if r.Kind == SubtotalRow { // closes the group
			group = nil
		}
		if r.Kind == PlainRow {
			plainRows++
			if r.Values != nil && g.carried >= 0 {
				sums = append([]int64(nil), sums...)
				for k, v := range r.Values {
					sums[k] += v
				}
			}
		}
	}
}

// brokenTable is what a page that ends before a row draws: the sums so far, and on the next page header, sums and group.
type brokenTable struct {
	g     *grid
	carry Carry
	head  *piece
	group *tableRow // nil for none
	sums  []int64   // nil for none
}

func (b *brokenTable) sum(label string) piece {
	r := b.g.carry(label, b.sums)
	return repeated(gofpdf.Pagination, r.h, func(c *canvas) { b.g.draw(c, r) })
}

func (b *brokenTable) end() []piece {
	if b.sums == nil {
		return nil
	}
	return []piece{b.sum(b.carry.Forward)}
}

func (b *brokenTable) begin() []piece {
	ps := []piece{repeated(gofpdf.Header, b.head.h, b.head.draw)}
	if b.sums != nil {
		ps = append(ps, b.sum(b.carry.Brought))
	}
	if b.group != nil {
		ps = append(ps, repeated(gofpdf.Header, b.group.h, func(c *canvas) { b.g.draw(c, *b.group) }))
	}
	return ps
}

// repeated is a piece that is there because the page ends: whoever listens to the table does not hear it.
func repeated(kind gofpdf.Artifact, h float64, draw func(c *canvas)) piece {
	return piece{h: h, draw: func(c *canvas) { c.artifact(kind, draw) }}
}

// carryHeights finds how high the lines of running sums can become: that of the largest and smallest sums there are.
func (t Table) carryHeights(g *grid, rows []Row) (below, above float64) {
	n := len(t.Columns)
	low, high, sums := make([]int64, n), make([]int64, n), make([]int64, n)
	for _, r := range rows {
		for k, v := range r.Values {
			sums[k] += v
			low[k], high[k] = min(low[k], sums[k]), max(high[k], sums[k])
		}
	}
	for _, extreme := range [][]int64{low, high} {
		below = max(below, g.carry(t.Carry.Forward, extreme).h)
		above = max(above, g.carry(t.Carry.Brought, extreme).h)
	}
	return below, above
}

// keeps says which rows stay with the next: two with the header, two above a total, two in a group.
func keeps(rows []Row) []bool {
	keep := make([]bool, len(rows))
	n := len(rows)
	with := func(i int) {
		if i >= 0 && i < n-1 {
			keep[i] = true
		}
	}
	with(0)
	with(n - 2)
	for i, r := range rows {
		switch r.Kind {
		case GroupRow:
			with(i)
			if i+2 < n && rows[i+1].Kind != GroupRow {
				with(i + 1)
			}
		case SubtotalRow, TotalRow:
			with(i - 1)
			if i > 1 && rows[i-1].Kind != GroupRow {
				with(i - 2)
			}
		}
	}
	return keep
}

// check refuses a table whose rows do not fit its columns.
func (t Table) check(s *setter, rows []Row) bool {
	if len(t.Columns) == 0 {
		s.refuse(CauseBadDocument, "a table has no columns")
		return false
	}
	for i, r := range rows {
		want := len(t.Columns)
		if r.Kind == GroupRow || r.Kind == RemarkRow {
			want = 1
		}
		if len(r.Cells) != want || r.Values != nil && len(r.Values) != len(t.Columns) {
			s.refuse(CauseBadDocument, "row "+strconv.Itoa(i+1)+" of a table does not have as many cells as its kind needs")
			return false
		}
	}
	return true
}
