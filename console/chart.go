package console

import (
	"fmt"
	"math"
	"strings"
	"time"

	"segell/index"
)

// The charts are drawn here, as numbers for an SVG: a page needs no script to
// show them, and says the same in a sentence and in a table.

// The drawing, in units of the SVG's view box.
const (
	chartWidth  = 400
	chartHeight = 170
	chartLeft   = 44 // room for the figures of the scale
	chartTop    = 10
	chartBottom = 144 // the foot of the scale; below it stand the hours
)

// chart is one drawing.
type chart struct {
	Bars  []chartBar
	Lines []chartLine
	Scale []chartMark // horizontal lines, with their figures
	Hours []chartMark // along the foot
	Zero  float64     // where the foot of the bars is
}

type chartBar struct {
	Class      string
	X, Y, W, H float64
}

type chartLine struct {
	Class string
	Path  string // of SVG, broken where there is nothing to show
	Dots  []chartDot
}

type chartDot struct{ X, Y float64 }

type chartMark struct {
	At   float64
	Text string
}

// tempoRow is half an hour in the table that says what the charts show.
type tempoRow struct {
	Begins                   time.Time
	Clock                    string // Begins, as a clock on the wall shows it
	Accepted, Issued, Failed int64
	Median, P95              time.Duration // the longest of its slots; 0 where nothing was issued
}

// tempo is the last hours, drawn and written.
type tempo struct {
	Hours                    int
	Accepted, Issued, Failed int64
	Median, P95              time.Duration // of the latest slot of which they are known
	Made, Took               *chart        // Took is nil where no time is known
	Rows                     []tempoRow
}

// tempoOf draws slots, oldest first; zone is that of the hours at the foot, comma
// the sign before decimals.
func tempoOf(slots []index.Slot, hours int, zone *time.Location, comma string) tempo {
	t := tempo{Hours: hours}
	for _, s := range slots {
		t.Accepted += s.Accepted
		t.Issued += s.Issued
		t.Failed += s.Failed
		if s.P95 > 0 { // after a rebuild the shortest times are not known
			t.Median, t.P95 = s.Median, s.P95
		}
		begins := s.Begins.In(zone).Truncate(tableStep)
		if n := len(t.Rows); n == 0 || !t.Rows[n-1].Begins.Equal(begins) {
			t.Rows = append(t.Rows, tempoRow{Begins: begins, Clock: begins.Format("15:04")})
		}
		row := &t.Rows[len(t.Rows)-1]
		row.Accepted += s.Accepted
		row.Issued += s.Issued
		row.Failed += s.Failed
		row.Median, row.P95 = max(row.Median, s.Median), max(row.P95, s.P95)
	}
	if t.Accepted+t.Issued+t.Failed > 0 {
		t.Made = drawMade(slots, zone)
	}
	if t.P95 > 0 {
		t.Took = drawTook(slots, zone, comma)
	}
	return t
}

// tableStep is the time of one row of the table.
const tableStep = 30 * time.Minute

// drawMade draws documents: those issued stand on the line, those that failed
// hang from it, so that they are told apart without their colours.
func drawMade(slots []index.Slot, zone *time.Location) *chart {
	var up, down int64 = 1, 0
	for _, s := range slots {
		up, down = max(up, s.Issued, s.Accepted), max(down, s.Failed)
	}
	top := niceCount(up)
	below := int64(0)
	if down > 0 {
		below = max(niceCount(down), top/8)
	}
	unit := float64(chartBottom-chartTop) / float64(top+below)
	c := &chart{Zero: round(chartTop + unit*float64(top))}
	width := plotWidth(len(slots))
	path := lineBuilder{}
	for i, s := range slots {
		x := float64(chartLeft) + width*float64(i)
		if s.Issued > 0 {
			h := unit * float64(s.Issued)
			c.Bars = append(c.Bars, chartBar{"issued", round(x + width*.1), round(c.Zero - h), round(width * .8), round(h)})
		}
		if s.Failed > 0 {
			c.Bars = append(c.Bars, chartBar{"failed", round(x + width*.1), c.Zero, round(width * .8), round(unit * float64(s.Failed))})
		}
		path.to(x+width/2, c.Zero-unit*float64(s.Accepted))
	}
	c.Lines = []chartLine{path.line("accepted")}
	for _, n := range []int64{0, top / 2, top} {
		if n == 0 || n != top/2 || top%2 == 0 {
			c.Scale = append(c.Scale, chartMark{round(c.Zero - unit*float64(n)), fmt.Sprint(n)})
		}
	}
	if below > 0 {
		c.Scale = append(c.Scale, chartMark{round(c.Zero + unit*float64(below)), fmt.Sprint(below)})
	}
	c.Hours = hourMarks(slots, zone)
	return c
}

// drawTook draws the median and the 95th percentile of the time to issue.
func drawTook(slots []index.Slot, zone *time.Location, comma string) *chart {
	var most time.Duration
	for _, s := range slots {
		most = max(most, s.P95, s.Median)
	}
	top := niceDuration(most)
	unit := float64(chartBottom-chartTop) / float64(top)
	c := &chart{Zero: chartBottom}
	width := plotWidth(len(slots))
	var median, p95 lineBuilder
	for i, s := range slots {
		if s.P95 == 0 {
			median.lift()
			p95.lift()
			continue
		}
		x := float64(chartLeft) + width*(float64(i)+.5)
		median.to(x, c.Zero-unit*float64(s.Median))
		p95.to(x, c.Zero-unit*float64(s.P95))
	}
	c.Lines = []chartLine{median.line("median"), p95.line("p95")}
	for _, d := range []time.Duration{0, top / 2, top} {
		c.Scale = append(c.Scale, chartMark{round(c.Zero - unit*float64(d)), shortDuration(d, comma)})
	}
	c.Hours = hourMarks(slots, zone)
	return c
}

func plotWidth(slots int) float64 { return float64(chartWidth-chartLeft) / float64(max(slots, 1)) }

// hourMarks are full hours along the foot, at most four of them.
func hourMarks(slots []index.Slot, zone *time.Location) []chartMark {
	var marks []chartMark
	width := plotWidth(len(slots))
	for i, s := range slots {
		if at := s.Begins.In(zone); at.Minute() == 0 {
			marks = append(marks, chartMark{round(float64(chartLeft) + width*float64(i)), at.Format("15:04")})
		}
	}
	every := (len(marks) + 3) / 4
	kept := marks[:0]
	for i, mark := range marks {
		if i%max(every, 1) == 0 && mark.At < chartWidth-30 {
			kept = append(kept, mark)
		}
	}
	return kept
}

// lineBuilder writes the path of a line that may have gaps.
type lineBuilder struct {
	path  strings.Builder
	drawn int // points since it was last lifted
	last  chartDot
	dots  []chartDot
}

func (b *lineBuilder) to(x, y float64) {
	letter := "L"
	if b.drawn == 0 {
		letter = "M"
	}
	b.last = chartDot{round(x), round(y)}
	fmt.Fprintf(&b.path, "%s%g %g", letter, b.last.X, b.last.Y)
	b.drawn++
}

// lift breaks the line. A point that stands alone is drawn as a dot.
func (b *lineBuilder) lift() {
	if b.drawn == 1 {
		b.dots = append(b.dots, b.last)
	}
	b.drawn = 0
}

func (b *lineBuilder) line(class string) chartLine {
	b.lift()
	return chartLine{Class: class, Path: b.path.String(), Dots: b.dots}
}

// niceCount is the least of 1, 2, 5, 10, 20, 50 … that is not below n.
func niceCount(n int64) int64 {
	for step := int64(1); ; step *= 10 {
		for _, nice := range []int64{1, 2, 5} {
			if nice*step >= n {
				return nice * step
			}
		}
	}
}

// niceDuration is a round duration not below d.
func niceDuration(d time.Duration) time.Duration {
	for _, nice := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 4 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
		if d <= nice {
			return nice
		}
	}
	return time.Duration(niceCount(int64(math.Ceil(d.Hours())))) * time.Hour
}

// shortDuration writes a time in one number and a unit that all our languages
// share. comma is the sign before decimals.
func shortDuration(d time.Duration, comma string) string {
	switch {
	case d == 0:
		return "0 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return strings.TrimSuffix(strings.Replace(fmt.Sprintf("%.1f", d.Seconds()), ".", comma, 1), comma+"0") + " s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int64(math.Round(d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int64(math.Round(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int64(math.Round(d.Hours())))
	}
	return fmt.Sprintf("%d d", int64(math.Round(d.Hours()/24)))
}

// round keeps the drawing to a tenth of a unit.
func round(x float64) float64 { return math.Round(x*10) / 10 }
