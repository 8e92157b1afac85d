package layout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// points is a table as the extract of points has it: years with a subtotal each, a gap, a total, sums carried over.
func points(years int) (t Table, total int64) {
	number := func(n int64) string { return fmt.Sprintf("%d,%02d", n/100, n%100) }
	t = Table{
		Columns: []Column{
			{Head: "Mes", Share: 2}, {Head: "Empresa", Share: 5},
			{Head: "Salari (€)", Share: 2, Right: true},
			{Head: "Punts", Share: 2, Right: true, Sum: number},
		},
		Carry: Carry{Forward: "Suma i segueix", Brought: "Suma anterior"},
	}
	for y := range years {
		year := strconv.Itoa(1990 + y)
		t.Body = append(t.Body, Row{Kind: GroupRow, Cells: []string{year}, Again: year + " (continuació)", Entry: "Any " + year})
		sum := int64(0)
		for m := range 12 {
			if y%4 == 2 && m == 5 {
				t.Body = append(t.Body, Row{Kind: RemarkRow, Cells: []string{"Sense cotització: 06/" + year}})
				continue
			}
			v := int64(1000 + 7*y + m)
			sum += v
			t.Body = append(t.Body, Row{Cells: []string{fmt.Sprintf("mes%02d/%s", m+1, year), "Hotel Exemple, SA", "2.500,00", number(v)}, Values: []int64{0, 0, 250000, v}})
		}
		total += sum
		t.Body = append(t.Body, Row{Kind: SubtotalRow, Cells: []string{"Subtotal " + year, "", "", number(sum)}})
	}
	t.Body = append(t.Body, Row{Kind: TotalRow, Cells: []string{"Totalfinal", "", "", number(total)}})
	return t, total
}

// lines are the lines of text of each page, from the top, without header and footer.
func lines(t *testing.T, pdf []byte) [][]string {
	t.Helper()
	var pages [][]string
	y := 0.0
	ws := words(t, pdf)
	slices.SortStableFunc(ws, func(a, b word) int {
		if d := a.yMin - b.yMin; a.page != b.page || d < 4 && d > -4 {
			return cmp.Or(cmp.Compare(a.page, b.page), cmp.Compare(a.xMin, b.xMin))
		}
		return cmp.Compare(a.yMin, b.yMin)
	})
	for _, w := range ws {
		for len(pages) < w.page {
			pages, y = append(pages, nil), -1
		}
		if w.yMin < (marginTop+nextHeader)/mmPerPoint-4 || w.yMax > (marginTop+portrait.body())/mmPerPoint+1 {
			continue
		}
		p := &pages[w.page-1]
		if n := len(*p); n > 0 && w.yMin-y < 4 && y-w.yMin < 4 {
			(*p)[n-1] += " " + w.text
		} else {
			*p, y = append(*p, w.text), w.yMin
		}
	}
	return pages
}

// A page that ends within a table ends with the sum of all rows so far, the next begins with the header and that sum;
// no subtotal or total, no group's opening and no header is alone.
func TestTableCarriesSums(t *testing.T) {
	for years := 1; years <= 30; years++ {
		tab, total := points(years)
		d := everything()
		d.Body = []Block{Title{Text: "Extracte"}, tab}
		r := render(t, d)
		sum := int64(0)
		var carried string
		pages := lines(t, r.PDF)
		for p, ls := range pages {
			if p == 0 {
				ls = ls[1:]
			}
			if !strings.HasPrefix(ls[0], "Mes Empresa") {
				t.Fatalf("%d years, page %d: begins %q", years, p+1, ls[0])
			}
			rows := ls[1:]
			if p > 0 {
				if rows[0] != "Suma anterior "+carried {
					t.Fatalf("%d years, page %d: brought %q, carried %q", years, p+1, rows[0], carried)
				}
				rows = rows[1:]
				again := strings.HasSuffix(rows[0], "(continuació)")
				if again {
					rows = rows[1:]
				}
				if within := strings.HasPrefix(rows[0], "mes") || strings.HasPrefix(rows[0], "Sense"); within != again {
					t.Errorf("%d years, page %d: group said again %v above %q", years, p+1, again, rows[0])
				}
			}
			for i, l := range rows {
				f := strings.Fields(l)
				switch {
				case strings.HasPrefix(l, "mes"):
					n, _ := strconv.ParseInt(strings.ReplaceAll(f[len(f)-1], ",", ""), 10, 64)
					sum += n
				case strings.HasPrefix(l, "Suma i segueix"):
					carried = f[len(f)-1]
					if want := fmt.Sprintf("%d,%02d", sum/100, sum%100); carried != want {
						t.Fatalf("%d years, page %d: carries %s, the rows make %s", years, p+1, carried, want)
					}
					if i != len(rows)-1 {
						t.Errorf("%d years, page %d: %q stands under the sum carried", years, p+1, rows[i+1])
					}
				case strings.HasPrefix(l, "Subtotal"), strings.HasPrefix(l, "Totalfinal"):
					if i < 2 {
						t.Errorf("%d years, page %d: %q has %d rows above it", years, p+1, l, i)
					}
				case len(f) == 1 && i > len(rows)-3:
					t.Errorf("%d years, page %d: the group %s opens at the end", years, p+1, l)
				}
			}
			last := rows[len(rows)-1]
			if end := p == len(pages)-1; end != strings.HasPrefix(last, "Totalfinal") || !end && !strings.HasPrefix(last, "Suma i segueix") {
				t.Errorf("%d years, page %d of %d ends %q", years, p+1, len(pages), last)
			}
		}
		if sum != total {
			t.Errorf("%d years: %d drawn of %d", years, sum, total)
		}
	}
}

// The cost of a table is that of its rows: ten times as many take about ten times as long, not a hundred times.
func TestTableIsLinear(t *testing.T) {
	took := func(rows int) time.Duration {
		tab := Table{Columns: []Column{{Head: "A", Share: 1}, {Head: "B", Share: 1, Sum: strconv64}}}
		for i := range rows {
			tab.Body = append(tab.Body, Row{Cells: []string{"fila " + strconv.Itoa(i), "1"}, Values: []int64{0, 1}})
		}
		best := time.Hour
		for range 3 {
			s := &setter{sheet: portrait}
			start := time.Now()
			if _, err := paginate(context.Background(), s, Document{Body: []Block{tab}}); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	took(500)
	small, large := took(2_000), took(20_000)
	if large > 40*small {
		t.Errorf("2,000 rows take %v, 20,000 take %v", small, large)
	}
}

func strconv64(n int64) string { return strconv.FormatInt(n, 10) }

func TestFiveThousandRows(t *testing.T) {
	tab := Table{Columns: []Column{{Head: "Mes", Share: 1}, {Head: "Import", Share: 1, Right: true, Sum: strconv64}}, Carry: Carry{"Suma i segueix", "Suma anterior"}}
	for i := range 5000 {
		tab.Body = append(tab.Body, Row{Cells: []string{"fila" + strconv.Itoa(i), "1"}, Values: []int64{0, 1}})
	}
	d := everything()
	d.Body = []Block{Title{Text: "Llarg"}, tab}
	r := render(t, d)
	n := 0
	for _, w := range words(t, r.PDF) {
		if strings.HasPrefix(w.text, "fila") {
			n++
		}
	}
	if n != 5000 || r.Pages < 100 {
		t.Errorf("%d rows on %d pages", n, r.Pages)
	}
}

func TestTableRefusesRowsThatDoNotFit(t *testing.T) {
	two := []Column{{Head: "A", Share: 1}, {Head: "B", Share: 1}}
	for name, tab := range map[string]Table{
		"no columns":      {},
		"a cell too few":  {Columns: two, Rows: [][]string{{"a"}}},
		"a cell too many": {Columns: two, Rows: [][]string{{"a", "b", "c"}}},
		"a wide remark":   {Columns: two, Body: []Row{{Kind: RemarkRow, Cells: []string{"a", "b"}}}},
		"a value too few": {Columns: two, Body: []Row{{Cells: []string{"a", "b"}, Values: []int64{1}}}},
	} {
		d := everything()
		d.Body = []Block{tab}
		_, err := Render(context.Background(), d)
		var fault *Fault
		if !errors.As(err, &fault) || fault.Cause != CauseBadDocument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A document of more than ten pages gets its contents, whose page numbers are true; a shorter one does not.
func TestContents(t *testing.T) {
	for _, c := range []struct {
		years int
		block []Block
		want  bool
	}{{3, nil, false}, {3, []Block{Contents{Always: true}}, true}, {40, nil, true}, {40, []Block{Contents{Title: "Contingut"}}, true}} {
		tab, _ := points(c.years)
		d := everything()
		d.Contents = "Contingut"
		d.Body = append([]Block{Title{Text: "Extracte"}, Lead{"Una línia."}}, c.block...)
		d.Body = append(d.Body, Heading{Text: "Detall"}, tab, Heading{Text: "Final"}, Paragraph("text"))
		pages := lines(t, render(t, d).PDF)
		entries := map[string]int{}
		seen := false
		for p, ls := range pages {
			for _, l := range ls {
				if l == "Contingut" {
					seen = true
					if p != 0 {
						t.Errorf("the contents stand on page %d", p+1)
					}
				}
				f := strings.Fields(l)
				if strings.HasPrefix(l, "Any ") || len(f) == 2 && (f[0] == "Detall" || f[0] == "Final") {
					entries[strings.Join(f[:len(f)-1], " ")], _ = strconv.Atoi(f[len(f)-1])
				}
			}
		}
		if seen != c.want {
			t.Fatalf("%d years: contents %v", c.years, seen)
		}
		if !c.want {
			continue
		}
		if len(entries) != c.years+2 {
			t.Errorf("%d years: %d entries", c.years, len(entries))
		}
		for title, page := range entries {
			want := strings.TrimPrefix(title, "Any ")
			found := false
			if page >= 1 && page <= len(pages) {
				for _, l := range pages[page-1] {
					found = found || l == want
				}
			}
			if !found {
				t.Errorf("%q is not on page %d", want, page)
			}
		}
	}
}

func TestLandscape(t *testing.T) {
	d := everything()
	d.Landscape, d.Proof = true, []string{"PROVA", "sense valor"}
	tab, _ := points(5)
	d.Body = append(d.Body, tab)
	r := render(t, d)
	info := tool(t, "poppler-utils", "pdfinfo", save(t, r.PDF))
	if !strings.Contains(info, "841.89 x 595.28") {
		t.Error(info)
	}
	for _, w := range words(t, r.PDF) {
		if w.xMax > (landscape.w-marginSide)/mmPerPoint+1 || w.yMax > (landscape.h-marginBottom)/mmPerPoint {
			t.Errorf("%q lies outside the margins", w.text)
		}
	}
}

// No word of a head and no number is broken where the page has room for it, whatever share its column was given.
func TestColumnsAreWideEnough(t *testing.T) {
	d := everything()
	d.Body = []Block{Table{
		Columns: []Column{{Head: "Núm.", Share: 1}, {Head: "Empresa", Share: 60}, {Head: "Responsabilitat", Share: 1, Right: true}, {Head: "Import", Share: 1, Right: true, Sum: strconv64}},
		Body: []Row{
			{Cells: []string{"1", "Hotel", "5", "−1.234.567.890,12"}, Values: []int64{0, 0, 0, 1}},
			{Kind: TotalRow, Cells: []string{"Total", "", "", "−9.234.567.890,12"}},
		},
	}}
	got := text(t, render(t, d).PDF)
	for _, want := range []string{"Núm. Empresa Responsabilitat Import\n", "1 Hotel 5 −1.234.567.890,12\n", "Total −9.234.567.890,12\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "columns")
		cs, least := make([]Column, n), make([]float64, n)
		sum := 0.0
		for i := range cs {
			cs[i].Share, least[i] = rapid.Float64Range(0.1, 50).Draw(t, "share"), rapid.Float64Range(0, 40).Draw(t, "least")
			sum += least[i]
		}
		total := 0.0
		for i, w := range widths(170, cs, least) {
			if sum < 170 && w < least[i]-1e-9 || w <= 0 {
				t.Fatalf("column %d has %v of %v", i, w, least[i])
			}
			total += w
		}
		if total > 170.01 || total < 169.99 {
			t.Fatalf("the columns have %v", total)
		}
	})
}

func BenchmarkTable(b *testing.B) {
	for _, rows := range []int{150, 500, 5000} {
		tab := Table{Carry: Carry{"Suma i segueix", "Suma anterior"}}
		for i := range 6 {
			tab.Columns = append(tab.Columns, Column{Head: fmt.Sprintf("Columna %d", i), Share: 1, Right: i > 3})
		}
		tab.Columns[5].Sum = strconv64
		for i := range rows {
			tab.Body = append(tab.Body, Row{Cells: []string{"01/2020", "Hotel Exemple, SA", "A", "fila " + strconv.Itoa(i), "2.500,00", "11,27"}, Values: []int64{0, 0, 0, 0, 0, 1127}})
		}
		d := everything()
		d.Body = []Block{Title{Text: "Extracte"}, tab}
		b.Run(strconv.Itoa(rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				render(b, d)
			}
		})
	}
}

// A head that lacks a little room gets it, but never at the cost of a word or of another head.
func TestHeadsGetRoom(t *testing.T) {
	d := everything()
	tab := Table{Columns: []Column{{Head: "Full", Share: 28.8}, {Head: "Acte", Share: 60}, {Head: "Base diària (€)", Share: 17, Right: true}, {Head: "Dies", Share: 40, Right: true}}}
	tab.Rows = [][]string{{"2500000000000001", "Consulta", "83,33", "28"}}
	d.Body = []Block{Title{Text: "Extracte"}, tab}
	text := tool(t, "poppler-utils", "pdftotext", "-layout", save(t, render(t, d).PDF), "-")
	for _, whole := range []string{"Base diària (€)", "2500000000000001"} {
		if !strings.Contains(text, whole) {
			t.Errorf("%q is broken in\n%s", whole, text)
		}
	}
	// Five columns that their numbers just fill: the head must not take their room.
	tab = Table{Columns: []Column{{Head: "Base diària (€)", Share: 20, Right: true}, {Head: "Dies", Share: 22, Right: true}}, Rows: [][]string{{"83,33", "28"}}}
	for range 5 {
		tab.Columns = append(tab.Columns, Column{Head: "Full", Share: 28.8})
		tab.Rows[0] = append(tab.Rows[0], "2500000000000001")
	}
	d.Body = []Block{Title{Text: "Extracte"}, tab}
	text = tool(t, "poppler-utils", "pdftotext", "-layout", save(t, render(t, d).PDF), "-")
	if strings.Count(text, "2500000000000001") != 5 {
		t.Errorf("a head took the room of a number in\n%s", text)
	}
}
