package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"segell/pki"
)

// A fault is one thing that breaks for a while, and what mends it again.
type fault struct {
	name string
	// strike breaks it and returns when it is mended. A fault that had nothing to
	// strike returns false and does not count.
	strike func(ctx context.Context, h *house, r *rand.Rand) bool
}

// a while is long enough to be met by running jobs and short enough for many.
func aWhile(r *rand.Rand) time.Duration { return time.Duration(800+r.IntN(1700)) * time.Millisecond }

// sorts are all sorts of faults.
func sorts() []fault {
	all := []fault{
		{"worker killed", func(ctx context.Context, h *house, r *rand.Rand) bool {
			h.workers[r.IntN(len(h.workers))].kill()
			pause(ctx, aWhile(r)/2)
			return true
		}},
		{"every worker killed at once", func(ctx context.Context, h *house, r *rand.Rand) bool {
			for _, w := range h.workers {
				w.kill()
			}
			pause(ctx, aWhile(r))
			return true
		}},
		{"intake killed", func(ctx context.Context, h *house, r *rand.Rand) bool {
			h.intakes[r.IntN(len(h.intakes))].kill()
			pause(ctx, aWhile(r)/2)
			return true
		}},
		{"Redis killed and started again", func(ctx context.Context, h *house, r *rand.Rand) bool {
			h.redis.Kill()
			pause(ctx, aWhile(r))
			h.redis.Restart()
			return true
		}},
		{"Redis emptied", func(ctx context.Context, h *house, r *rand.Rand) bool {
			h.redis.FlushAll()
			pause(ctx, aWhile(r)/2)
			return true
		}},
		{"Redis halted", func(ctx context.Context, h *house, r *rand.Rand) bool {
			h.redis.Pause()
			pause(ctx, aWhile(r))
			h.redis.Continue()
			return true
		}},
		// What the store acknowledged, it keeps: versitygw is ended in the middle of
		// its writes, and what it was not done with is gone. A store that forgets what
		// it acknowledged is refused by `segell check`'s contract, not survived.
		{"power cut of the store", func(ctx context.Context, h *house, r *rand.Rand) bool {
			h.s3.Pause()
			pause(ctx, 50*time.Millisecond) // writes pile up in its sockets
			h.s3.Kill()
			pause(ctx, aWhile(r)/2)
			h.s3.Restart()
			return true
		}},
		{"clock ahead by two hours", clock("2h")},
		{"clock behind by two hours", clock("-2h")},
	}
	for _, t := range []trouble{
		{name: "store answers 500", share: 0.7, status: 500},
		{name: "store answers 503", share: 0.9, status: 503},
		{name: "store slow", share: 0.5, slow: 700 * time.Millisecond},
		{name: "store cuts its answers", share: 0.3, cut: true},
		{name: "store's answers lost", share: 0.3, lost: true},
		{name: "store's disk full", share: 1, status: 507, writes: true},
	} {
		all = append(all, fault{t.name, func(ctx context.Context, h *house, r *rand.Rand) bool {
			before := h.store.hits.Load()
			h.store.trouble.Store(&t)
			pause(ctx, aWhile(r))
			h.store.trouble.Store(nil)
			return h.store.hits.Load() > before
		}})
	}
	for _, m := range []pki.Misbehaviour{pki.WrongImprint, pki.SkewedAhead, pki.ForeignChain, pki.Hang, pki.ServerError, pki.BrokenToken} {
		all = append(all, fault{"TSA: " + string(m), func(ctx context.Context, h *house, r *rand.Rand) bool {
			h.pki.Misbehave(m)
			pause(ctx, aWhile(r))
			h.pki.Misbehave(pki.Behave)
			return true
		}})
	}
	all = append(all, fault{"OCSP: server error", func(ctx context.Context, h *house, r *rand.Rand) bool {
		h.pki.MisbehaveOCSP(pki.ServerError)
		pause(ctx, aWhile(r))
		h.pki.MisbehaveOCSP(pki.Behave)
		return true
	}})
	for _, s := range []struct{ role, step string }{
		{"intake", "after write holders"}, {"intake", "after create idempotency"}, {"intake", "before create requests"}, {"intake", "after create requests"},
		{"intake", "after replace counters"},
		{"worker", "after get requests"}, {"worker", "before create documents"}, {"worker", "after create documents"}, {"worker", "before create records"},
		{"worker", "after create records"}, {"worker", "after create codes"}, {"worker", "before delete requests"}, {"worker", "after delete requests"},
		{"worker", "before create failures"}, {"worker", "after create failures"},
		{"worker", "after create notify"}, {"worker", "before delete notify"}, {"worker", "after delete notify"},
	} {
		all = append(all, fault{"killed " + s.step + " (" + s.role + ")", func(ctx context.Context, h *house, r *rand.Rand) bool {
			h.point("kill-"+s.role, s.step)
			for range 40 { // until a process comes by
				pause(ctx, 100*time.Millisecond)
				if !h.pointed("kill-" + s.role) {
					return true
				}
			}
			return !h.unpoint("kill-" + s.role)
		}})
	}
	return all
}

func clock(ahead string) func(context.Context, *house, *rand.Rand) bool {
	return func(ctx context.Context, h *house, r *rand.Rand) bool {
		h.point("clock", ahead)
		pause(ctx, aWhile(r))
		h.unpoint("clock")
		return true
	}
}

// strike breaks n things, one after the other, every sort in its turn, and returns
// how often each sort struck.
func strike(ctx context.Context, h *house, n int, r *rand.Rand) map[string]int {
	struck := map[string]int{}
	all := sorts()
	if only := os.Getenv("SEGELL_FAULT_ONLY"); only != "" { // for who looks into one sort
		all = slices.DeleteFunc(all, func(f fault) bool { return !strings.Contains(f.name, only) })
	}
	for done, tried := 0, 0; done < n && ctx.Err() == nil && tried < 4*n+len(all); tried++ {
		if tried%len(all) == 0 {
			r.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		}
		f := all[tried%len(all)]
		if f.strike(ctx, h, r) {
			done++
			struck[f.name]++
			h.t.Logf("%3d %s", done, f.name)
		}
		pause(ctx, time.Duration(r.IntN(400))*time.Millisecond)
	}
	return struck
}

// counted writes a table of counts.
func counted(struck map[string]int) (total int, text string) {
	for name, n := range struck {
		total += n
		text += fmt.Sprintf("\n  %3d × %s", n, name)
	}
	return total, text
}
