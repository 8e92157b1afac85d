package index_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"segell/ledger"
	"segell/queue"
	"segell/storage/storagetest"
)

// The sandbox has a Redis of its own kind: what the index asks of Redis is known there.
func TestTheRedisOfTheSandboxWillDo(t *testing.T) {
	d := deskAt(t, &storagetest.Memory{}, miniredis.RunT(t).Addr())
	stand := d.register(24)
	d.run(100*time.Millisecond, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete && d.holds(stand) })
	id := d.coverage()
	d.queue.Tell(t.Context(), queue.Move{ID: id})
	d.eventually("a request is found", func() bool { return d.stands(id) == ledger.StateAccepted })
	d.fail(id, "missing_glyph", "page 3 has no glyph")
	d.queue.Tell(t.Context(), queue.Move{ID: id})
	d.eventually("it failed", func() bool { return d.stands(id) == ledger.StateFailed })
	d.eventually("no hint is left", func() bool { return d.condition().Waiting == 0 })
	groups, err := d.Groups(t.Context())
	if err != nil || len(groups) != 2 || groups[1].Sample != id || groups[1].Count != 1 {
		t.Errorf("groups are %+v, %v", groups, err)
	}
	if got, err := d.ByNumber(t.Context(), numberOf(d, id)); err != nil || got != id {
		t.Errorf("its number gives %s, %v", got, err)
	}
	if _, err := d.Tempo(t.Context(), 24); err != nil {
		t.Error(err)
	}
	if _, ok, err := d.OldestWaiting(t.Context()); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
}
