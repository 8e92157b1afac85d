package index_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"segell/index"
	"segell/ledger"
	"segell/storage/storagetest"
)

// model is the register as a plain list, searched in the plain way.
type model map[string]ledger.Standing

var (
	kinds  = map[string]string{"coverage_certificate": "COB", "work_history": "LAB", "travel_form": "DES"}
	states = []ledger.State{ledger.StateAccepted, ledger.StateFailed, ledger.StateIssued, ledger.StateWithdrawn, ledger.StateReplaced, ledger.StateCancelled, ledger.StateErased}
	causes = []string{"missing_glyph", "data_unusable", "unexpected"}
)

func (m model) find(q index.Query, groupOf func(ledger.Standing) string) []string {
	var ids []string
	for id, s := range m {
		at := ledger.TimeOf(id)
		switch {
		case len(q.Kinds) > 0 && !slices.Contains(q.Kinds, s.Kind),
			len(q.States) > 0 && !slices.Contains(q.States, s.State),
			q.Cause != "" && (s.Failure == nil || s.Failure.Cause != q.Cause),
			q.Group != "" && (s.Failure == nil || groupOf(s) != q.Group),
			!q.From.IsZero() && at.Before(q.From), !q.Until.IsZero() && !at.Before(q.Until):
			continue
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	return ids
}

// standing draws where a request stands.
func standing(t *rapid.T, id, kind, number string) ledger.Standing {
	s := ledger.Standing{ID: id, Kind: kind, Number: number, State: rapid.SampledFrom(states).Draw(t, "state")}
	switch s.State {
	case ledger.StateFailed:
		s.Failure = &ledger.Failure{ID: id, Kind: kind, Number: number, Stage: ledger.StageRender, Cause: rapid.SampledFrom(causes).Draw(t, "cause"),
			Detail:   fmt.Sprintf("line %d of %s", rapid.IntRange(1, 99).Draw(t, "line"), rapid.SampledFrom([]string{"one", "two"}).Draw(t, "form")),
			FailedAt: base.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "failed")) * time.Second)}
	case ledger.StateIssued, ledger.StateWithdrawn, ledger.StateReplaced:
		s.Record = &ledger.Record{ID: id, Kind: kind, Number: number, Status: s.State, Versions: []ledger.Version{{At: base}}}
	}
	return s
}

var base = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestSearchFindsWhatAPlainListFinds(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	rapid.Check(t, func(t *rapid.T) {
		d.redis.FlushAll()
		register, serial := model{}, 0
		change := func(t *rapid.T) {
			var batch []ledger.Standing
			for range rapid.IntRange(1, 8).Draw(t, "changes") {
				ids := slices.Sorted(maps.Keys(register))
				var s ledger.Standing
				if len(ids) > 0 && rapid.Bool().Draw(t, "known") {
					was := register[rapid.SampledFrom(ids).Draw(t, "id")]
					s = standing(t, was.ID, was.Kind, was.Number)
				} else {
					serial++
					at := base.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "at")) * time.Millisecond)
					id, err := ledger.NewID(at, drawn{t, serial})
					if err != nil {
						t.Fatal(err)
					}
					kind := rapid.SampledFrom(slices.Sorted(maps.Keys(kinds))).Draw(t, "kind")
					s = standing(t, id, kind, fmt.Sprintf("CASS-2026-%s-%07d", kinds[kind], serial))
				}
				register[s.ID] = s
				batch = append(batch, s)
			}
			if err := d.Enter(d.t.Context(), batch...); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			change(t)
			compare(t, d, register)
		}
	})
}

// drawn lets ids be drawn by the test, so that a failure can be shrunk; the serial
// number keeps them apart.
type drawn struct {
	t      *rapid.T
	serial int
}

func (d drawn) Read(p []byte) (int, error) {
	n := copy(p, rapid.SliceOfN(rapid.Byte(), len(p), len(p)).Draw(d.t, "random"))
	p[n-2], p[n-1] = byte(d.serial>>8), byte(d.serial)
	return n, nil
}

// compare asks the index and the list the same.
func compare(t *rapid.T, d *desk, register model) {
	ctx := d.t.Context()
	groups, err := d.Groups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	groupOf := groupsAgree(t, register, groups)
	q := index.Query{Limit: rapid.IntRange(1, 5).Draw(t, "limit")}
	if rapid.Bool().Draw(t, "by kind") {
		q.Kinds = rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Sorted(maps.Keys(kinds))), 1, 2, rapid.ID).Draw(t, "kinds")
	}
	if rapid.Bool().Draw(t, "by state") {
		q.States = rapid.SliceOfNDistinct(rapid.SampledFrom(states), 1, 3, rapid.ID).Draw(t, "states")
	}
	switch rapid.IntRange(0, 3).Draw(t, "by failure") {
	case 0:
		q.Cause = rapid.SampledFrom(causes).Draw(t, "cause")
	case 1:
		if len(groups) > 0 {
			q.Group = rapid.SampledFrom(groups).Draw(t, "group").ID
		}
	}
	if rapid.Bool().Draw(t, "since") {
		q.From = base.Add(time.Duration(rapid.IntRange(-100, 50_000).Draw(t, "from")) * time.Microsecond)
	}
	if rapid.Bool().Draw(t, "before") {
		q.Until = base.Add(time.Duration(rapid.IntRange(0, 51_000).Draw(t, "until")) * time.Microsecond)
	}
	want := register.find(q, groupOf)
	if got := pages(t, d, q, int64(len(want))); !slices.Equal(got, want) {
		t.Fatalf("%+v finds\n%v, not\n%v", q, got, want)
	}
	backwards(t, d, q, want)
	if n, err := d.Count(ctx, q); err != nil || n != int64(len(want)) {
		t.Fatalf("%+v counts %d, %v, not %d", q, n, err, len(want))
	}
	var ids []string
	for id, err := range d.IDs(ctx, q) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	if !slices.Equal(ids, want) {
		t.Fatalf("%+v yields\n%v, not\n%v", q, ids, want)
	}
	countsAgree(t, d, register)
	for id, s := range register {
		if got, err := d.ByNumber(ctx, s.Number); err != nil || got != id {
			t.Fatalf("%s is %s, %v, not %s", s.Number, got, err, id)
		}
		break
	}
}

// pages reads all pages, older and older, and then back by the cursors to the newer
// ones: they must be the same pages.
func pages(t *rapid.T, d *desk, q index.Query, total int64) (ids []string) {
	var there []index.Page
	for {
		page, err := d.Search(d.t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != total || len(page.Rows) > q.Limit || len(page.Rows) == 0 && page.Older != "" || (page.Newer == "") != (q.Cursor == "") {
			t.Fatalf("%+v gives %+v of %d", q, page, total)
		}
		for _, row := range page.Rows {
			ids = append(ids, row.ID)
		}
		there = append(there, page)
		if q.Cursor = page.Older; q.Cursor == "" {
			break
		}
	}
	q.Newer = true
	for i := len(there) - 1; i > 0; i-- {
		q.Cursor = there[i].Newer
		page, err := d.Search(d.t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(page.Rows, there[i-1].Rows) || page.Total != total || page.Older != there[i-1].Older || (page.Newer == "") != (i == 1) {
			t.Fatalf("back from page %d, %+v gives\n%+v, not\n%+v", i, q, page, there[i-1])
		}
	}
	return ids
}

// backwards reads all pages from the oldest, newer and newer.
func backwards(t *rapid.T, d *desk, q index.Query, want []string) {
	var ids []string
	q.Newer = true
	for {
		page, err := d.Search(d.t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range slices.Backward(page.Rows) {
			ids = append(ids, row.ID)
		}
		if (page.Older == "") != (q.Cursor == "") {
			t.Fatalf("%+v gives %+v", q, page)
		}
		if q.Cursor = page.Newer; q.Cursor == "" {
			break
		}
	}
	slices.Reverse(ids)
	if !slices.Equal(ids, want) {
		t.Fatalf("backwards %+v finds\n%v, not\n%v", q, ids, want)
	}
}

// groupsAgree holds the groups against the list, and returns the group of a failure.
func groupsAgree(t *rapid.T, register model, groups []index.Group) func(ledger.Standing) string {
	name := func(f *ledger.Failure) string { return f.Cause + " " + index.Normalise(f.Detail) }
	ids := map[string]string{}
	for _, g := range groups {
		ids[g.Cause+" "+g.Message] = g.ID
	}
	want := map[string][]string{}
	for id, s := range register {
		if s.Failure != nil {
			want[name(s.Failure)] = append(want[name(s.Failure)], id)
		}
	}
	if len(groups) != len(want) {
		t.Fatalf("%d groups, not %d", len(groups), len(want))
	}
	for _, g := range groups {
		of := want[g.Cause+" "+g.Message]
		perKind := map[string]int64{}
		for _, id := range of {
			perKind[register[id].Kind]++
		}
		if g.Count != int64(len(of)) || !maps.Equal(g.Kinds, perKind) || g.Sample != slices.Max(of) || g.Stage != "render" || g.First.After(g.Last) {
			t.Fatalf("the group %+v, not %v %v", g, of, perKind)
		}
	}
	if !slices.IsSortedFunc(groups, func(a, b index.Group) int { return cmp.Compare(b.Count, a.Count) }) {
		t.Fatalf("groups are not in order: %+v", groups)
	}
	return func(s ledger.Standing) string { return ids[name(s.Failure)] }
}

func countsAgree(t *rapid.T, d *desk, register model) {
	want := map[ledger.State]int64{}
	oldest := ""
	for id, s := range register {
		want[s.State]++
		if s.State == ledger.StateAccepted && (oldest == "" || id < oldest) {
			oldest = id
		}
	}
	if got, err := d.Counts(d.t.Context()); err != nil || !maps.Equal(got, want) {
		t.Fatalf("counts are %v, %v, not %v", got, err, want)
	}
	row, ok, err := d.OldestWaiting(d.t.Context())
	if err != nil || ok != (oldest != "") || row.ID != oldest {
		t.Fatalf("%+v, %v, %v waits longest, not %s", row, ok, err, oldest)
	}
}

// While rows are added at the new end and move between states, who turns pages sees
// each row once that was there all the time.
func TestPagingWhileRowsAreAdded(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	add := func(at time.Time, n int) (ids []string) {
		var batch []ledger.Standing
		for i := range n {
			accepted++
			id, err := ledger.NewID(at, readerOf(accepted))
			if err != nil {
				t.Fatal(err)
			}
			state := states[i%3]
			s := ledger.Standing{ID: id, Kind: "coverage_certificate", Number: fmt.Sprintf("CASS-2026-COB-%07d", accepted), State: state}
			if state == ledger.StateFailed {
				s.Failure = &ledger.Failure{Cause: "missing_glyph", FailedAt: base}
			}
			batch, ids = append(batch, s), append(ids, id)
		}
		if err := d.Enter(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	before := add(base, 300)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			add(base.Add(time.Duration(i)*time.Second), 3)
			moved := ledger.Standing{ID: before[i%300], Kind: "coverage_certificate", State: states[i%7]}
			if moved.State == ledger.StateFailed {
				moved.Failure = &ledger.Failure{Cause: "missing_glyph", FailedAt: base}
			}
			if err := d.Enter(t.Context(), moved); err != nil {
				t.Error(err)
			}
		}
	}()
	for round := range 20 {
		q := index.Query{Limit: 17}
		seen := map[string]int{}
		turn := func(step func(index.Page) string) {
			for {
				page, err := d.Search(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range page.Rows {
					seen[row.ID]++
				}
				if q.Cursor = step(page); q.Cursor == "" || q.Newer && len(page.Rows) == 0 {
					return
				}
			}
		}
		if round%2 == 0 {
			turn(func(p index.Page) string { return p.Older })
		} else {
			q.Newer, q.Until = true, base.Add(time.Second) // newer rows come faster than pages are turned
			turn(func(p index.Page) string { return p.Newer })
		}
		for _, id := range before {
			if seen[id] != 1 {
				t.Fatalf("round %d: %s was seen %d times", round, id, seen[id])
			}
		}
		for id, n := range seen {
			if n != 1 {
				t.Fatalf("round %d: %s, added meanwhile, was seen %d times", round, id, n)
			}
		}
	}
	close(stop)
	<-stopped
}

// readerOf gives random bytes that are a number.
func readerOf(n int) *counted { return &counted{n} }

type counted struct{ n int }

func (c *counted) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c.n >> (8 * (i % 4)))
	}
	return len(p), nil
}

func TestWhatIsNoCursorIsRefused(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	for _, text := range []string{"x", "AAAA", "=", "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"} {
		if _, err := d.Search(t.Context(), index.Query{Cursor: text}); !errors.Is(err, index.ErrCursor) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFindingByNumber(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	id := "0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e"
	if err := d.Enter(t.Context(), ledger.Standing{ID: id, Kind: "coverage_certificate", Number: "CASS-2026-COB-0001234", State: ledger.StateAccepted}); err != nil {
		t.Fatal(err)
	}
	for _, typed := range []string{"CASS-2026-COB-0001234", " cass-2026-cob-1234 "} {
		if got, err := d.ByNumber(t.Context(), typed); err != nil || got != id {
			t.Errorf("%q gives %q, %v", typed, got, err)
		}
	}
	for _, typed := range []string{"", "CASS-2026-COB-0001235", "CASS-2025-COB-0001234", "CASS-2026-LAB-0001234", "nonsense", "731234Z"} {
		if got, err := d.ByNumber(t.Context(), typed); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%q gives %q, %v", typed, got, err)
		}
	}
}

func TestNumbersArePackedWithoutLoss(t *testing.T) {
	for _, text := range []string{"", "CASS-2026-COB-0001234", "CASS-2026-COB-9999999", "CASS-2026-COB-12345678", "CASS-2026-E30-4294967295", "CASS-2026-COB-4294967296",
		"CASS-2026-COB-1", "PROVA-1", "CASS-9999-ÀÀÀ-1"} {
		if got := index.Unpack(index.PackNumber(text)); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`CASS-[0-9]{4}-[A-Z0-9]{3}-[0-9]{1,12}`)).Draw(t, "number")
		if got := index.Unpack(index.PackNumber(text)); got != text {
			t.Fatalf("%q comes back as %q", text, got)
		}
	})
}

// Without Redis every answer says so, and none is empty.
func TestWithoutRedisNothingIsAnswered(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	d.redis.Kill()
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"search":  func() error { _, err := d.Search(ctx, index.Query{}); return err },
		"count":   func() error { _, err := d.Count(ctx, index.Query{Cause: "x"}); return err },
		"number":  func() error { _, err := d.ByNumber(ctx, "CASS-2026-COB-0001234"); return err },
		"groups":  func() error { _, err := d.Groups(ctx); return err },
		"group":   func() error { _, err := d.Group(ctx, "0123456789abcdef"); return err },
		"claim":   func() error { return d.Claim(ctx, "0123456789abcdef", "a", "A") },
		"release": func() error { return d.Release(ctx, "0123456789abcdef", "a") },
		"counts":  func() error { _, err := d.Counts(ctx); return err },
		"oldest":  func() error { _, _, err := d.OldestWaiting(ctx); return err },
		"tempo":   func() error { _, err := d.Tempo(ctx, 1); return err },
		"state":   func() error { _, err := d.Condition(ctx); return err },
		"iterator": func() error {
			for _, err := range d.IDs(ctx, index.Query{}) {
				return err
			}
			return nil
		},
	} {
		if err := ask(); !errors.Is(err, index.ErrAway) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
