package console

import (
	"strings"
	"testing"
	"time"

	"segell/index"
)

func TestTempoIsDrawnAndWritten(t *testing.T) {
	begin := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	slots := make([]index.Slot, 72)
	for i := range slots {
		slots[i].Begins = begin.Add(time.Duration(i) * 5 * time.Minute)
	}
	slots[0].Accepted, slots[0].Issued, slots[0].Median, slots[0].P95 = 8, 7, 900*time.Millisecond, 4*time.Second
	slots[1].Failed = 3
	slots[6].Accepted, slots[6].Issued, slots[6].Median, slots[6].P95 = 1, 1, 2*time.Second, 2*time.Second
	slots[7].Issued, slots[7].Median, slots[7].P95 = 2, time.Second, 3*time.Second
	zone := time.FixedZone("", 3600)
	got := tempoOf(slots, 6, zone, ",")
	if got.Accepted != 9 || got.Issued != 10 || got.Failed != 3 || got.Median != time.Second || got.P95 != 3*time.Second {
		t.Errorf("sums %+v", got)
	}
	if len(got.Rows) != 12 || got.Rows[0].Clock != "09:00" || got.Rows[1].Clock != "09:30" {
		t.Fatalf("rows %+v", got.Rows)
	}
	if row := got.Rows[0]; row.Accepted != 8 || row.Issued != 7 || row.Failed != 3 || row.P95 != 4*time.Second {
		t.Errorf("the first half hour %+v", row)
	}
	if row := got.Rows[1]; row.Issued != 3 || row.Median != 2*time.Second || row.P95 != 3*time.Second {
		t.Errorf("the second half hour %+v", row)
	}
	up, down := 0, 0
	for _, bar := range got.Made.Bars {
		switch bar.Class {
		case "issued":
			up++
			if bar.Y+bar.H > got.Made.Zero+.11 || bar.Y < chartTop {
				t.Errorf("a bar of documents does not stand on the line: %+v over %v", bar, got.Made.Zero)
			}
		case "failed":
			down++
			if bar.Y != got.Made.Zero || bar.Y+bar.H > chartBottom+.11 {
				t.Errorf("a bar of failures does not hang from the line: %+v", bar)
			}
		}
	}
	if up != 3 || down != 1 {
		t.Errorf("%d bars up and %d down, want 3 and 1", up, down)
	}
	median := got.Took.Lines[0]
	if strings.Count(median.Path, "M") != 2 || len(median.Dots) != 1 {
		t.Errorf("the line %+v, want two parts, the first a point alone", median)
	}
	if len(got.Took.Hours) == 0 || got.Took.Hours[0].Text != "09:00" || len(got.Took.Hours) > 4 {
		t.Errorf("hours %+v", got.Took.Hours)
	}
	if none := tempoOf(make([]index.Slot, 3), 6, zone, ","); none.Made != nil || none.Took != nil {
		t.Error("nothing is drawn as if it were something")
	}
}

func TestScalesAreRound(t *testing.T) {
	for n, want := range map[int64]int64{1: 1, 2: 2, 3: 5, 6: 10, 11: 20, 99: 100, 101: 200, 4321: 5000} {
		if got := niceCount(n); got != want {
			t.Errorf("niceCount(%d) = %d, want %d", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 s", 250 * time.Millisecond: "250 ms", 2400 * time.Millisecond: "2,4 s", 3 * time.Second: "3 s",
		90 * time.Second: "90 s", 20 * time.Minute: "20 min", 5 * time.Hour: "5 h", 72 * time.Hour: "3 d"} {
		if got := shortDuration(d, ","); got != want {
			t.Errorf("shortDuration(%v) = %q, want %q", d, got, want)
		}
	}
	if got := niceDuration(3*time.Hour + time.Second); got != 5*time.Hour {
		t.Errorf("niceDuration = %v", got)
	}
}
