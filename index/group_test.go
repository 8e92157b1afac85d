package index_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/index"
	"segell/ledger"
	"segell/storage/storagetest"
)

// failure is a standing with an id of its own.
func failure(t testing.TB, n int, cause, detail string, at time.Time) ledger.Standing {
	t.Helper()
	id, err := ledger.NewID(base.Add(time.Duration(n)*time.Second), readerOf(n))
	if err != nil {
		t.Fatal(err)
	}
	number := fmt.Sprintf("CASS-2026-COB-%07d", n)
	return ledger.Standing{ID: id, Kind: "coverage_certificate", Number: number, State: ledger.StateFailed,
		Failure: &ledger.Failure{ID: id, Number: number, Stage: ledger.StageSeal, Cause: cause, Detail: detail, FailedAt: at}}
}

func TestMessagesAreNormalised(t *testing.T) {
	for detail, want := range map[string]string{
		"page 3, row 17: no font has a glyph for U+1F600":                      "page #, row #: no font has a glyph for U+#",
		`the field "Puig i Cerqueda" is no name`:                               `the field "…" is no name`,
		"of 'Maria' and «Pere» and “Joan”":                                     `of "…" and "…" and "…"`,
		"/data/lines/12/amount must be at most 100.00":                         "/data/lines/#/amount must be at most #",
		"dial tcp 192.0.2.7:443: i/o timeout":                                  "dial tcp (address): i/o timeout",
		"dial tcp [2001:db8::7]:443: connection refused":                       "dial tcp (address): connection refused",
		"lookup tsa.example.org:318 failed":                                    "lookup (address) failed",
		"Get https://tsa.example.org/a?b=c: EOF":                               "Get (address) EOF",
		"request 0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e is damaged":              "request (id) is damaged",
		"request 4f2ac81b77ab0911 was refused":                                 "request (hex) was refused",
		"CASS-2026-COB-0001234 is not CASS-2026-COB-0001235":                   "(number) is not (number)",
		"of 731234Z, aloma@example.org":                                        "of #, (address)",
		"*errors.errorString of *fmt.wrapError":                                "*errors.errorString of *fmt.wrapError",
		"it took 1.5s   and\n 20 ms":                                           "it took #s and # ms",
		"the decade began and faded, the cafe did not":                         "the decade began and faded, the cafe did not",
		"the holder's name and the seal's key do not fit":                      "the holder's name and the seal's key do not fit",
		strings.Repeat("long ", 100):                                           strings.Repeat("long ", 48) + "…",
		"page 1 of \xff\xfe broken":                                            "page # of broken",
		"time-stamp of 2026-03-02T09:00:00Z is older than 2026-03-01 10:00:00": "time-stamp of (time) is older than (time)",
	} {
		if got := index.Normalise(detail); got != want {
			t.Errorf("%q\n becomes %q,\n not     %q", detail, got, want)
		}
		if again := index.Normalise(index.Normalise(detail)); !strings.HasSuffix(want, "…") && again != want {
			t.Errorf("%q twice becomes %q", detail, again)
		}
	}
}

func TestFailuresAlikeAreOneGroup(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	var all []ledger.Standing
	for i := range 5 {
		all = append(all, failure(t, i, "missing_glyph", fmt.Sprintf("page %d has no glyph", i), base.Add(time.Duration(10-i)*time.Minute)))
	}
	other := failure(t, 9, "tsa_away", "dial tcp 192.0.2.1:443", base)
	if err := d.Enter(t.Context(), append(all, other)...); err != nil {
		t.Fatal(err)
	}
	groups, err := d.Groups(t.Context())
	if err != nil || len(groups) != 2 {
		t.Fatalf("groups are %+v, %v", groups, err)
	}
	g := groups[0]
	if g.Count != 5 || g.Cause != "missing_glyph" || g.Stage != "seal" || g.Message != "page # has no glyph" || g.Sample != all[4].ID ||
		!g.First.Equal(base.Add(6*time.Minute)) || !g.Last.Equal(base.Add(10*time.Minute)) || g.Kinds["coverage_certificate"] != 5 {
		t.Errorf("the group is %+v", g)
	}
	page, err := d.Search(t.Context(), index.Query{Group: g.ID})
	if err != nil || page.Total != 5 {
		t.Fatalf("it has %+v, %v", page, err)
	}
	for _, row := range page.Rows {
		if row.Group != g.ID || row.Cause != "missing_glyph" || row.Stage != "seal" || row.State != ledger.StateFailed || !strings.HasPrefix(row.Number, "CASS-2026-COB-") {
			t.Errorf("a row is %+v", row)
		}
	}
	// Retried, and then failed in another way: first seen stays, the group is left.
	for i := range all {
		all[i].State, all[i].Failure = ledger.StateAccepted, nil
	}
	if err := d.Enter(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	if groups, err := d.Groups(t.Context()); err != nil || len(groups) != 1 || groups[0].ID == g.ID {
		t.Errorf("left are %+v, %v", groups, err)
	}
	if left, err := d.Group(t.Context(), g.ID); err != nil || left.Count != 0 || left.Sample != "" || !left.First.Equal(g.First) || left.Message != g.Message {
		t.Errorf("the group is remembered as %+v, %v", left, err)
	}
	if _, err := d.Group(t.Context(), "0123456789abcdef"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a group that never was: %v", err)
	}
	if _, err := d.Group(t.Context(), "*"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a name that is none: %v", err)
	}
}

func TestThereAreOnlySoManyGroups(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	word := func(i int) string { return string([]byte{'k' + byte(i%13), 'k' + byte(i/13%13), 'k' + byte(i/169)}) }
	var all []ledger.Standing
	for i := range index.GroupsMost + 40 {
		cause := []string{"unexpected", "data_unusable"}[i%2]
		all = append(all, failure(t, i, cause, "because of "+word(i), base))
	}
	if err := d.Enter(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	groups, err := d.Groups(t.Context())
	if err != nil || len(groups) != index.GroupsMost+2 {
		t.Fatalf("%d groups, %v", len(groups), err)
	}
	var counted int64
	for _, g := range groups {
		counted += g.Count
		if others := g.Message == ""; others != (g.Count > 1) || others && g.Count != 20 {
			t.Errorf("a group is %+v", g)
		}
	}
	if counted != int64(len(all)) {
		t.Errorf("%d failures are in groups, not %d", counted, len(all))
	}
	for _, cause := range []string{"unexpected", "data_unusable"} {
		if n, err := d.Count(t.Context(), index.Query{Cause: cause}); err != nil || n != int64(len(all)/2) {
			t.Errorf("%s counts %d, %v", cause, n, err)
		}
	}
}

func TestClaims(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	now := time.Now()
	d.config.Now = func() time.Time { return now }
	d.Index = index.New(d.config)
	if err := d.Enter(t.Context(), failure(t, 1, "tsa_away", "away", now)); err != nil {
		t.Fatal(err)
	}
	groups, err := d.Groups(t.Context())
	if err != nil || len(groups) != 1 || len(groups[0].Claims) != 0 {
		t.Fatalf("groups are %+v, %v", groups, err)
	}
	id := groups[0].ID
	claims := func() (logins []string) {
		t.Helper()
		g, err := d.Group(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range g.Claims {
			logins = append(logins, c.Login+" "+c.Name)
		}
		return logins
	}
	check := func(want ...string) {
		t.Helper()
		if got := claims(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("claims are %v, not %v", got, want)
		}
	}
	for _, login := range []string{"laia", "marc"} {
		if err := d.Claim(t.Context(), id, login, strings.ToUpper(login)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(5 * time.Hour)
	}
	// Laia has been on it for ten hours, Marc for five.
	check("marc MARC")
	if err := d.Claim(t.Context(), id, "laia", "Laia"); err != nil {
		t.Fatal(err)
	}
	check("marc MARC", "laia Laia")
	if err := d.Release(t.Context(), id, "marc"); err != nil {
		t.Fatal(err)
	}
	if err := d.Release(t.Context(), id, "nobody"); err != nil {
		t.Fatal(err)
	}
	check("laia Laia")
	now = now.Add(9 * time.Hour)
	check()
	if err := d.Claim(t.Context(), "0123456789abcdef", "laia", "Laia"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a claim of nothing: %v", err)
	}
}

// A request that cannot be read when it fails has neither kind nor number: it is
// still one row, where it was.
func TestWhatCannotBeReadKeepsItsPlace(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	s := failure(t, 1, "", "", base)
	accepted := ledger.Standing{ID: s.ID, Kind: s.Kind, Number: s.Number, State: ledger.StateAccepted}
	unread := ledger.Standing{ID: s.ID, State: ledger.StateFailed, Failure: &ledger.Failure{ID: s.ID, Stage: ledger.StageRead, Cause: "ledger_damaged", FailedAt: base}}
	row := func() index.Row {
		t.Helper()
		page, err := d.Search(t.Context(), index.Query{})
		if err != nil || len(page.Rows) != 1 || page.Total != 1 {
			t.Fatalf("there are %+v, %v", page, err)
		}
		return page.Rows[0]
	}
	for name, steps := range map[string][]ledger.Standing{"known before": {accepted, unread}, "known after": {unread, accepted, unread}} {
		d.redis.FlushAll()
		for _, step := range steps {
			if err := d.Enter(t.Context(), step); err != nil {
				t.Fatal(err)
			}
		}
		if got := row(); got.Kind != s.Kind || got.Number != s.Number || got.State != ledger.StateFailed || got.Cause != "ledger_damaged" {
			t.Errorf("%s: the row is %+v", name, got)
		}
	}
}

// observed does something before each exchange with Redis.
type observed struct{ before func(commands []redis.Cmder) }

func (o *observed) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o *observed) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		o.before([]redis.Cmder{command})
		return next(ctx, command)
	}
}

func (o *observed) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		o.before(commands)
		return next(ctx, commands)
	}
}

// A failure that comes in while its group is about to be forgotten is seen.
func TestAGroupIsNotForgottenWithWhatIsInIt(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	old := failure(t, 1, "tsa_away", "503", time.Now().AddDate(0, 0, -9))
	for range 2 { // failed nine days ago, and retried: nothing is left in its group
		if err := d.Enter(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		old.State, old.Failure = ledger.StateAccepted, nil
	}
	late, came := failure(t, 2, "tsa_away", "503", time.Now()), false
	d.config.Redis.AddHook(&observed{func(commands []redis.Cmder) {
		deletes := slices.ContainsFunc(commands, func(c redis.Cmder) bool { return c.Name() == "del" || c.Name() == "evalsha" })
		if deletes && !came {
			came = true
			if err := d.Enter(context.WithoutCancel(t.Context()), late); err != nil {
				t.Error(err)
			}
		}
	}})
	if err := d.DropGroups(t.Context()); err != nil || !came {
		t.Fatalf("%v, %t", err, came)
	}
	d.oneGroupOf(late)
	// Empty and old, one is forgotten.
	late.Failure.FailedAt = time.Now().AddDate(0, 0, -8)
	d.redis.FlushAll()
	if err := d.Enter(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	groups, err := d.Groups(t.Context())
	if err != nil || len(groups) != 1 {
		t.Fatalf("groups are %+v, %v", groups, err)
	}
	late.State, late.Failure = ledger.StateAccepted, nil
	if err := errors.Join(d.Enter(t.Context(), late), d.DropGroups(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Group(t.Context(), groups[0].ID); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("an empty group of last week: %v", err)
	}
}

// oneGroupOf wants one group, with this failure alone, found in every way.
func (d *desk) oneGroupOf(s ledger.Standing) {
	d.t.Helper()
	groups, err := d.Groups(d.t.Context())
	if err != nil || len(groups) != 1 || groups[0].Count != 1 || groups[0].Sample != s.ID || groups[0].Cause != s.Failure.Cause {
		d.t.Fatalf("groups are %+v, %v", groups, err)
	}
	for _, q := range []index.Query{{Group: groups[0].ID}, {Cause: s.Failure.Cause}, {States: []ledger.State{ledger.StateFailed}}} {
		page, err := d.Search(d.t.Context(), q)
		if err != nil || len(page.Rows) != 1 || page.Rows[0].ID != s.ID || page.Rows[0].Cause != s.Failure.Cause {
			d.t.Errorf("%+v finds %+v, %v", q, page, err)
		}
	}
}

// Groups that do not say what lies in them are put right by the next sweep.
func TestSweepsPutGroupsRight(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	for i := range 12 {
		d.fail(d.coverage(), []string{"tsa_away", "missing_glyph", "unexpected"}[i%3], "it was so")
	}
	stop := d.run(time.Hour, time.Hour)
	d.eventually("it is built", func() bool { return d.condition().Complete })
	stop()
	before, err := d.Groups(t.Context())
	if err != nil || len(before) != 3 || before[0].Count != 4 {
		t.Fatalf("groups are %+v, %v", before, err)
	}
	group := func(i int) string { return "segell:{index}:g:" + before[i].ID }
	_, err = d.config.Redis.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		p.Del(t.Context(), group(0)) // forgotten, with failures in it
		p.ZRem(t.Context(), "segell:{index}:groups", before[0].ID, before[1].ID)
		p.HDel(t.Context(), group(1), "n:coverage_certificate")
		p.HSet(t.Context(), group(2), "n:coverage_certificate", 99, "n:work_history", 1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.eventually("two of them are gone", func() bool { groups, err := d.Groups(t.Context()); return err == nil && len(groups) == 1 })
	if err := d.config.Redis.SAdd(t.Context(), "segell:{index}:kinds", "work_history").Err(); err != nil {
		t.Fatal(err)
	}
	d.run(100*time.Millisecond, time.Hour)
	d.eventually("they are as before", func() bool {
		groups, err := d.Groups(t.Context())
		byID := func(a, b index.Group) int { return strings.Compare(a.ID, b.ID) }
		slices.SortFunc(groups, byID)
		slices.SortFunc(before, byID)
		return err == nil && fmt.Sprint(groups) == fmt.Sprint(before)
	})
}

// A search by cause costs as many commands with many groups as with few, and to go
// through all of it reads each failure about once.
func TestWhatASearchByCauseCosts(t *testing.T) {
	d := newDesk(t, &storagetest.Memory{})
	const groups, of = 80, 40
	var all []ledger.Standing
	var want []string
	for i := range groups * of {
		s := failure(t, i, "tsa_away", "because of "+string([]byte{'k' + byte(i%groups%9), 'k' + byte(i%groups/9)}), base)
		if i%7 == 0 { // of one kind there are few, most of them early
			s.Kind = "work_history"
		}
		if i%5 == 0 && i > groups*of/2 {
			s.Kind = "travel_form"
		}
		all, want = append(all, s), append(want, s.ID)
	}
	for some := range slices.Chunk(all, 800) {
		if err := d.Enter(t.Context(), some...); err != nil {
			t.Fatal(err)
		}
	}
	asked, rounds := 0, 0
	d.config.Redis.AddHook(&observed{func(commands []redis.Cmder) { rounds, asked = rounds+1, asked+len(commands) }})
	page, err := d.Search(t.Context(), index.Query{Cause: "tsa_away", Limit: 20})
	if err != nil || page.Total != groups*of || len(page.Rows) != 20 {
		t.Fatalf("found are %d of %d, %v", len(page.Rows), page.Total, err)
	}
	if most := 1 + 2 + 3*3 + 20; asked > most { // the kinds; of each a list and two counts in one step; the groups of the rows
		t.Errorf("a page of three kinds took %d commands, at most %d are enough", asked, most)
	}
	asked, rounds = 0, 0
	var got []string
	for id, err := range d.IDs(t.Context(), index.Query{Cause: "tsa_away"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("all of them are %d ids in %d rounds, not the %d there are in their order", len(got), rounds, len(want))
	}
	if most := 3 + 3*len(want)/index.IDsAtOnce; rounds > most {
		t.Errorf("that took %d exchanges, at most %d are enough", rounds, most)
	}
}
