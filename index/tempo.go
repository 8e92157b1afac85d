package index

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
)

// The tempo is counted in slots of five minutes as requests move: how many were
// accepted, issued and given up, and how long the issued ones had taken, in classes
// of a tenth more each. So a median is right to a twentieth. Of a document of which
// the index learns from the register alone, as when it is built again, only the
// second of its issue is known: where that would not be right enough it counts as
// brief, and has no duration.

const (
	slotSize  = 5 * time.Minute
	tempoKept = 50 * time.Hour

	// TempoMost is how many hours can be asked for.
	TempoMost = 48
)

// Slot is five minutes of work.
type Slot struct {
	Begins                   time.Time
	Accepted, Issued, Failed int64
	// From acceptance to issue, of what was issued in the slot; 0 where nothing was,
	// or where that document took a few seconds and nobody knows how long exactly.
	Median, P95 time.Duration
}

func slotKey(slot string) string { return prefix + "t:" + slot }

// slotOf names the slot of a time, or "" where it is too old to be counted.
func (x *Index) slotOf(at time.Time) string {
	if x.Now().Sub(at) > tempoKept-2*slotSize {
		return ""
	}
	return strconv.FormatInt(at.Truncate(slotSize).Unix(), 10)
}

// issuedAt is when a document was issued. The register knows it to the second;
// who told of it right then knew it exactly.
func issuedAt(r *ledger.Record, told time.Time) (at time.Time, exactly bool) {
	if len(r.Versions) == 0 {
		return r.IssuedAt, false
	}
	at = r.Versions[0].At
	if late := told.Sub(at); 0 <= late && late < 5*time.Second {
		return told, true
	}
	return at, false
}

const (
	classBase = 10 * time.Millisecond
	classStep = 1.1

	// brief is the field that counts what took less than briefMost, or even came
	// before its acceptance by another machine's clock, and nobody knows exactly.
	brief = "brief"
	// briefMost is what half a second is a twentieth of.
	briefMost = 10 * time.Second
)

// durationField is the field of a slot that counts a duration, which is known
// exactly or else by whole seconds, cut off.
func durationField(took time.Duration, exactly bool) string {
	if !exactly {
		took += time.Second / 2
	}
	if took < 0 || !exactly && took < briefMost {
		return brief
	}
	return "d" + strconv.Itoa(durationClass(took))
}

// durationClass is the class of a duration.
func durationClass(d time.Duration) int {
	if d <= classBase {
		return 0
	}
	return int(math.Ceil(math.Log(float64(d)/float64(classBase)) / math.Log(classStep)))
}

// ofClass is the middle of a class.
func ofClass(n int) time.Duration {
	return time.Duration(float64(classBase) * math.Pow(classStep, float64(n)-0.5)).Round(time.Millisecond)
}

// Tempo returns the slots of the last hours (TempoMost at most), oldest first,
// those without work too. The last one is not over yet. The error is ErrAway.
func (x *Index) Tempo(ctx context.Context, hours int) ([]Slot, error) {
	hours = min(max(hours, 1), TempoMost)
	first := x.Now().Truncate(slotSize).Add(slotSize - time.Duration(hours)*time.Hour)
	slots := make([]Slot, hours*int(time.Hour/slotSize))
	counts := make([]*redis.MapStringStringCmd, len(slots))
	_, err := x.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range slots {
			slots[i].Begins = first.Add(time.Duration(i) * slotSize)
			counts[i] = p.HGetAll(ctx, slotKey(strconv.FormatInt(slots[i].Begins.Unix(), 10)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	for i, c := range counts {
		slots[i].read(c.Val())
	}
	return slots, nil
}

// read takes the counts of a slot from its hash.
func (s *Slot) read(counts map[string]string) {
	classes := map[int]int64{} // class -1: brief
	for field, text := range counts {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			continue
		}
		switch field {
		case "accepted":
			s.Accepted = n
		case "issued":
			s.Issued = n
		case "failed":
			s.Failed = n
		case brief:
			classes[-1] = n
		default:
			if class, err := strconv.Atoi(strings.TrimPrefix(field, "d")); err == nil {
				classes[class] = n
			}
		}
	}
	s.Median, s.P95 = quantile(classes, 0.5), quantile(classes, 0.95)
}

// quantile is the class below which a share of the counted lies, 0 of nothing and
// where it lies among the brief ones.
func quantile(classes map[int]int64, share float64) time.Duration {
	var all int64
	most := 0
	for class, n := range classes {
		all += n
		most = max(most, class)
	}
	if all == 0 {
		return 0
	}
	rank := int64(math.Ceil(share*float64(all))) - classes[-1]
	if rank <= 0 {
		return 0
	}
	for class := range most + 1 {
		if rank -= classes[class]; rank <= 0 {
			return ofClass(class)
		}
	}
	return ofClass(most)
}
