package samples_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"segell/samples"
	"segell/templates"
	"segell/wire"
)

var at = time.Date(2026, 3, 2, 8, 14, 5, 0, time.UTC)

func TestEverySampleIsAccepted(t *testing.T) {
	seen := map[string]bool{}
	for s := range samples.All() {
		k, ok := templates.Lookup(s.Kind)
		if !ok {
			t.Fatalf("%s is no kind", s.Kind)
		}
		if s.Name == samples.Standard {
			seen[s.Kind] = true
		}
		for _, l := range s.Languages {
			r, err := k.Decode(s.In(l).Body, at)
			if err != nil {
				t.Errorf("%s: %v", s.In(l).FileName(), err)
			} else if r.Language != l {
				t.Errorf("%s asks for %s", s.In(l).FileName(), r.Language)
			}
		}
	}
	for _, k := range templates.Kinds() {
		if !seen[k.ID] {
			t.Errorf("%s has no standard sample", k.ID)
		}
	}
}

func TestEveryRefusedSampleIsRefused(t *testing.T) {
	kinds := map[string]int{}
	for s := range samples.AllRefused() {
		kinds[s.Kind]++
		k, ok := templates.Lookup(s.Kind)
		if !ok {
			t.Fatalf("%s is no kind", s.Kind)
		}
		_, err := k.Decode(s.Body, at)
		var faults wire.Faults
		if !errors.As(err, &faults) || s.Status != 422 {
			t.Errorf("%s/%s: %v", s.Kind, s.Name, err)
			continue
		}
		var got []string
		for _, f := range faults {
			got = append(got, f.Pointer)
		}
		want := slices.Clone(s.Faults)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s/%s: faults at %q, want %q", s.Kind, s.Name, got, want)
		}
		if s.Why == "" {
			t.Errorf("%s/%s does not say why", s.Kind, s.Name)
		}
	}
	for _, k := range templates.Kinds() {
		if kinds[k.ID] < 2 {
			t.Errorf("%s has %d refused samples", k.ID, kinds[k.ID])
		}
	}
}

// Every language of every kind has its plain case, once.
func TestStandardInEveryLanguage(t *testing.T) {
	for _, k := range templates.Kinds() {
		var got []string
		for s := range samples.Issued() {
			if s.Kind == k.ID && s.Name == samples.Standard {
				got = append(got, s.Language)
			}
		}
		want := slices.Clone(k.Languages)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the plain case is issued in %q, want %q", k.ID, got, want)
		}
	}
}

func TestIssued(t *testing.T) {
	var names []string
	for s := range samples.Issued() {
		if s.Kind == "coverage_certificate" { // one kind stands for all
			names = append(names, s.FileName())
		}
	}
	want := []string{
		"coverage_certificate.cover_ended.ca.pdf",
		"coverage_certificate.pensioner_portugal.ca.pdf",
		"coverage_certificate.ca.pdf",
		"coverage_certificate.es.pdf",
		"coverage_certificate.fr.pdf",
		"coverage_certificate.pt.pdf",
		"coverage_certificate.en.pdf",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the sandbox issues %q, want %q", names, want)
	}
}

// In changes the language and nothing else.
func TestIn(t *testing.T) {
	for s := range samples.All() {
		var before, after map[string]any
		if err := errors.Join(json.Unmarshal(s.Body, &before), json.Unmarshal(s.In("en").Body, &after)); err != nil {
			t.Fatal(err)
		}
		if after["language"] != "en" {
			t.Errorf("%s: asks for %v", s.Name, after["language"])
		}
		after["language"] = before["language"]
		a, _ := json.Marshal(before)
		b, _ := json.Marshal(after)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: something else changed too", s.Name)
		}
	}
}
