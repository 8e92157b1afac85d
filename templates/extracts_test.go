package templates_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"segell/samples"
	"segell/templates"
	"segell/wire"
)

// extract is the kind of an extract under test, and where its samples are.
type extract string

func (x extract) kind(t testing.TB) *templates.Kind {
	t.Helper()
	k, ok := templates.Lookup(string(x))
	if !ok {
		t.Fatalf("%s is not registered", x)
	}
	return k
}

func (x extract) sample(t testing.TB, name string) samples.Sample {
	t.Helper()
	for s := range samples.All() {
		if s.Kind == string(x) && s.Name == name {
			return s
		}
	}
	t.Fatalf("no sample %s of %s", name, x)
	return samples.Sample{}
}

// body is a request whose data are given.
func (x extract) body(t testing.TB, language string, data object) object {
	t.Helper()
	return object{
		"language": language, "data_as_of": "2026-03-01", "requested_by": "self",
		"holder": object{"full_name": "Puig i Cerqueda, Maria del Carme", "cass_number": "000000A", "birth_date": "1960-07-19", "insured_type": "direct", "situation": "employee"},
		"data":   data,
	}
}

func raw(t testing.TB, body object) []byte {
	t.Helper()
	out, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// faults decodes a body and gives the pointers of its faults, sorted; none where it is accepted.
func (x extract) faults(t testing.TB, body []byte) []string {
	t.Helper()
	_, err := x.kind(t).Decode(body, now)
	if err == nil {
		return nil
	}
	var faults wire.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v", err)
	}
	got := map[string]bool{}
	for _, f := range faults {
		if f.Detail == "" || got[f.Pointer] {
			t.Errorf("%s: without words or twice", f.Pointer)
		}
		got[f.Pointer] = true
	}
	for _, secret := range []string{"Puig", "Maria", "000000A", "Exemple"} {
		if strings.Contains(strings.ReplaceAll(err.Error(), "Hotel Exemple, SA", ""), secret) {
			t.Errorf("a fault repeats %q: %v", secret, err)
		}
	}
	return slices.Sorted(maps.Keys(got))
}

func (x extract) detail(t testing.TB, body []byte, pointer string) string {
	t.Helper()
	_, err := x.kind(t).Decode(body, now)
	var faults wire.Faults
	errors.As(err, &faults)
	for _, f := range faults {
		if f.Pointer == pointer {
			return f.Detail
		}
	}
	t.Fatalf("no fault at %s: %v", pointer, err)
	return ""
}

func (x extract) render(t testing.TB, body []byte) templates.Rendered {
	t.Helper()
	r, err := x.kind(t).Decode(body, now)
	if err != nil {
		t.Fatal(err)
	}
	out, err := templates.Render(context.Background(), r, issue)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// flat is the text of a document with one space between words.
func (x extract) flat(t testing.TB, body []byte) string {
	t.Helper()
	return strings.Join(strings.Fields(pdftotext(t, x.render(t, body).PDF)), " ")
}

// ruleCase is a body that is accepted, or refused at these pointers.
type ruleCase struct {
	name   string
	change func(b, data object)
	want   []string
}

// rules changes a body as each case says and looks at the faults.
func (x extract) rules(t *testing.T, fresh func() object, cases []ruleCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := fresh()
			c.change(b, b["data"].(object))
			if got := x.faults(t, raw(t, b)); !slices.Equal(got, slices.Sorted(slices.Values(c.want))) {
				t.Errorf("faults at %q, want %q", got, c.want)
			}
		})
	}
}

// item is an item of a list in the data.
func item(data object, list string, i int) object { return data[list].([]any)[i].(object) }

// everySample renders the plain sample of an extract in every language, the others in Catalan, and looks for words that are missing or not Catalan.
func (x extract) everySample(t *testing.T, pages map[string]int, foreign string) {
	t.Helper()
	for s := range samples.All() {
		if s.Kind != string(x) {
			continue
		}
		for _, l := range x.kind(t).Languages {
			if l != "ca" && s.Name != samples.Standard {
				continue
			}
			out := x.render(t, s.In(l).Body)
			if want, ok := pages[s.Name]; ok && l == "ca" && out.Pages != want {
				t.Errorf("%s takes %d pages, not %d", s.Name, out.Pages, want)
			}
			text := pdftotext(t, out.PDF)
			for _, no := range []string{"{{", "<no value>", "%!"} {
				if strings.Contains(text, no) {
					t.Errorf("%s: %q is on the page", s.In(l).FileName(), no)
				}
			}
			if l == "ca" && strings.Contains(text, foreign) {
				t.Errorf("%s: %q is on a Catalan page", s.Name, foreign)
			}
		}
	}
}
