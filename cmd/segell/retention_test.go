package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"segell/ledger"
)

func TestTermsThatContradictEachOtherAreRefused(t *testing.T) {
	for text, words := range map[string]string{
		"default=90d,travel_form=400d,records=500d,failed=3d,keys=400d": "",
		"records=10d,keys=9d":                               "",
		"records=10d":                                       "keys must be set, and to less than records=10d",
		"records=10d,keys=10d":                              "keys must be set, and to less than records=10d",
		"default=90d":                                       "",
		"default=90d, default=91d":                          `"default" is there twice`,
		"keys=90d,keys=90d":                                 `"keys" is there twice`,
		"travel_form=10d,travel_form=20d":                   `"travel_form" is there twice`,
		"default=90d,records=89d,keys=9d":                   "records=89d is less than default=90d",
		"records=100d,default=90d,travel_form=101d,keys=9d": "records=100d is less than travel_form=101d",
		"records=100d,coverage_certificate=102d,travel_form=101d,keys=9d":  "less than coverage_certificate=102d",
		"records=100d,coverage_certificate=100d,travel_form=1000d,keys=9d": "less than travel_form=1000d",
	} {
		f := &faults{}
		(&Settings{Retention: text}).retention(f)
		told := ""
		for _, fault := range f.all {
			told += fault.Variable + " " + fault.Detail
		}
		if words == "" && told != "" || words != "" && (!strings.HasPrefix(told, "SEGELL_RETENTION ") || !strings.Contains(told, words)) {
			t.Errorf("%s: told %q, want %q", text, told, words)
		}
	}
}

// Who mistypes a number must not read that the person is erased.
func TestAnErasureThatFoundNothingSaysSo(t *testing.T) {
	for _, try := range []struct {
		e     ledger.Erasure
		json  bool
		code  error
		words string
	}{
		{ledger.Erasure{}, false, failed, "Nothing was found of this person"},
		{ledger.Erasure{}, true, failed, `"documents": 0`},
		{ledger.Erasure{Documents: 1, Requests: 2}, false, nil, "Erased: 1 document, and 2 requests that"},
		{ledger.Erasure{Requests: 1}, true, nil, `"requests": 1`},
	} {
		var told bytes.Buffer
		if err := tellErasure(&output{w: &told, json: try.json}, try.e); !errors.Is(err, try.code) || !strings.Contains(told.String(), try.words) {
			t.Errorf("%+v: %v, %q; want %v, %q", try.e, err, told.String(), try.code, try.words)
		}
	}
}
