package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
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

// What a command erases or removes is noted for the console's lists at once; without
// Redis it is erased all the same.
func TestTheListsAreToldOfWhatIsErased(t *testing.T) {
	h := newHouse(t, servers.RedisOptions{})
	h.settings["SEGELL_RETENTION"], h.settings["SEGELL_LANGUAGE"] = "failed=1d", "en"
	for name, value := range h.settings {
		t.Setenv(name, value)
	}
	l := h.ledgerOf()
	accept := func(key, cass string) string {
		t.Helper()
		receipt, err := l.Accept(t.Context(), ledger.Submission{Client: "portal", IdempotencyKey: key, Kind: "coverage_certificate", Code: "COB", CASSNumber: cass,
			Queue: queue.Batch, Body: []byte(`{}`), At: time.Now().AddDate(0, 0, -9)})
		if err != nil {
			t.Fatal(err)
		}
		return receipt.ID
	}
	command := func(stdin string, args ...string) {
		t.Helper()
		was := os.Stdin
		defer func() { os.Stdin = was }()
		file, err := os.Open(h.file("number", stdin))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		os.Stdin = file
		var out, errs strings.Builder
		if code := run(args, &out, &errs); code != 0 {
			t.Fatalf("segell %v: exit code %d\n%s%s", args, code, out.String(), errs.String())
		}
	}
	client, err := queue.Open(h.settings["SEGELL_REDIS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	noted := func() (ids []string) {
		t.Helper()
		changes, err := queue.New(client).Changes(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			ids = append(ids, c.ID)
		}
		return ids
	}
	first, failure, second := accept("1", "000000A"), accept("2", "000001B"), accept("3", "000000A")
	if err := l.GiveUp(t.Context(), ledger.Failure{ID: failure, Kind: "coverage_certificate", Client: "portal", Cause: "missing_glyph", FailedAt: time.Now().AddDate(0, 0, -9)}); err != nil {
		t.Fatal(err)
	}
	command("000000A", "erase", "--reason", "petition 12")
	if got := noted(); len(got) != 2 || !slices.Contains(got, first) || !slices.Contains(got, second) {
		t.Errorf("noted were %q, not %q", got, []string{first, second})
	}
	command("", "retention")
	if got := noted(); !slices.Contains(got, failure) {
		t.Errorf("noted were %q, without %q", got, failure)
	}
	last := accept("4", "000000A")
	h.redis.Kill()
	command("000000A", "erase", "--reason", "petition 13")
	if standing, err := l.Look(t.Context(), last); err != nil || standing.State != ledger.StateCancelled {
		t.Errorf("without Redis it stands at %q, %v", standing.State, err)
	}
}

// ledgerOf is the ledger of a house.
func (h *house) ledgerOf() *ledger.Ledger {
	h.t.Helper()
	read := func(variable string) string {
		text, err := os.ReadFile(h.settings[variable])
		if err != nil {
			h.t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	keyset, err := ledger.ReadKeyset([]byte(read("SEGELL_LEDGER_KEYSET_FILE")))
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := ledger.ReadHMACKey(read("SEGELL_LEDGER_HMAC_KEY_FILE"))
	if err != nil {
		h.t.Fatal(err)
	}
	l, err := ledger.New(ledger.Config{Objects: h.bucket, Keyset: keyset, HMACKey: key, Now: time.Now, Random: rand.Reader})
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}
