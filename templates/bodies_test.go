package templates_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"segell/samples"
	"segell/templates"
	"segell/wire"
)

// tester is what testing.TB and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// bodies makes requests of one kind and sees what becomes of them.
type bodies struct{ kind *templates.Kind }

func bodiesOf(t tester, id string) bodies {
	t.Helper()
	k, ok := templates.Lookup(id)
	if !ok {
		t.Fatalf("%s is not registered", id)
	}
	return bodies{k}
}

// sample is a sample of the kind as a tree.
func (b bodies) sample(t tester, name string) object {
	t.Helper()
	if body, ok := everySample()[b.kind.ID+"/"+name]; ok {
		return tree(t, body)
	}
	t.Fatalf("no sample %s of %s", name, b.kind.ID)
	return nil
}

// everySample is read once: the files are many, and some hold pictures.
var everySample = sync.OnceValue(func() map[string][]byte {
	all := map[string][]byte{}
	for s := range samples.All() {
		if key := s.Kind + "/" + s.Name; all[key] == nil { // the first, where it is there in several languages
			all[key] = s.Body
		}
	}
	return all
})

func tree(t tester, raw []byte) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// in walks down a tree by names and indices.
func in(v any, path ...any) object {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(object)[step]
		case int:
			v = v.([]any)[step]
		}
	}
	return v.(object)
}

func (b bodies) decode(t tester, body object) (*templates.Request, error) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return b.kind.Decode(raw, now)
}

// faults are the pointers at which a body is refused, sorted; none where it is accepted.
func (b bodies) faults(t tester, body object) []string {
	t.Helper()
	_, err := b.decode(t, body)
	if err == nil {
		return nil
	}
	var faults wire.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v", err)
	}
	at := map[string]bool{}
	for _, f := range faults {
		at[f.Pointer] = true
		if f.Detail == "" {
			t.Errorf("%s: no words", f.Pointer)
		}
	}
	return slices.Sorted(maps.Keys(at))
}

// detail is what the fault at a pointer says, "" where there is none.
func (b bodies) detail(t tester, body object, pointer string) string {
	t.Helper()
	_, err := b.decode(t, body)
	var faults wire.Faults
	errors.As(err, &faults)
	for _, f := range faults {
		if f.Pointer == pointer {
			return f.Detail
		}
	}
	return ""
}

// draw renders a body that is right.
func (b bodies) draw(t tester, body object) templates.Rendered {
	t.Helper()
	r, err := b.decode(t, body)
	if err != nil {
		t.Fatal(err)
	}
	out, err := templates.Render(context.Background(), r, issue)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rule is a change to the standard sample, or another, and where it is refused.
type rule struct {
	name   string
	change func(b object)
	want   []string // pointers; none: accepted
}

func (b bodies) judge(t *testing.T, sample string, rules []rule) {
	t.Helper()
	for _, c := range rules {
		t.Run(c.name, func(t *testing.T) {
			body := b.sample(t, sample)
			c.change(body)
			if got := b.faults(t, body); !slices.Equal(got, slices.Sorted(slices.Values(c.want))) {
				t.Errorf("faults at %q, want %q", got, c.want)
			}
		})
	}
}

// breakage is a way to spoil a body, and the pointer of what it spoils.
type breakage struct {
	pointer string
	spoil   func(b object)
}

// property proves a kind: what valid makes is always accepted and can be drawn
// (one in ten is), and with one thing spoilt it is always refused there.
func (b bodies) property(t *testing.T, valid func(*rapid.T) object, breakages func(b object) []breakage) {
	t.Helper()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		body := valid(t)
		if got := b.faults(t, body); got != nil {
			t.Fatalf("a valid body is refused at %q: %s", got, b.detail(t, body, got[0]))
		}
		if n++; n%10 == 1 {
			b.draw(t, body)
		}
		list := breakages(body)
		broken := list[rapid.IntRange(0, len(list)-1).Draw(t, "breakage")]
		broken.spoil(body)
		if got := b.faults(t, body); !slices.Contains(got, broken.pointer) {
			t.Fatalf("spoilt at %s, refused at %q", broken.pointer, got)
		}
	})
}

// everyLanguageDraws renders every sample of the kind in every language.
func (b bodies) everyLanguageDraws(t *testing.T, name string) {
	t.Helper()
	for _, l := range b.kind.Languages {
		body := b.sample(t, name)
		body["language"] = l
		b.draw(t, body)
	}
}

// person is a holder with what every document needs.
func person(insured, situation string) object {
	return object{"full_name": "Puig i Cerqueda, Maria del Carme", "cass_number": "000000A", "birth_date": "1960-07-19", "insured_type": insured, "situation": situation}
}

// envelope is a whole body around the data of a kind.
func envelope(holder, data object) object {
	return object{"language": "ca", "data_as_of": "2026-03-01", "requested_by": "self", "holder": holder, "data": data}
}

// aDay draws a date between two, both included.
func aDay(t *rapid.T, from, to wire.Date, label string) wire.Date {
	return from.AddDays(rapid.IntRange(0, to.DaysSince(from)).Draw(t, label))
}

func euros(cents int64) string { return wire.Money(cents).String() }

func numbered(prefix string, n int) string { return fmt.Sprintf("%s%d", prefix, n) }
