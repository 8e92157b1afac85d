package main

import (
	"maps"
	"slices"
	"testing"

	"segell/acts"
	"segell/ledger"
)

// Staff read every word in every language, and each thing that can be told has one.
func TestStaffHaveEveryWord(t *testing.T) {
	for name, table := range map[string]map[string]words{"staff": staffWords, "jobs": jobsWords, "bulk": bulkWords, "pause": pauseWords, "callbacks": callbacksWords} {
		ca, en := slices.Sorted(maps.Keys(table["ca"])), slices.Sorted(maps.Keys(table["en"]))
		if len(ca) == 0 || !slices.Equal(ca, en) {
			t.Errorf("the words of %s are %q and %q", name, ca, en)
		}
	}
	all := wordsOf("ca", []map[string]words{jobsWords, bulkWords})
	var needed []string
	for _, reason := range acts.Cannots {
		needed = append(needed, "cannot "+reason)
	}
	for _, why := range acts.Holds {
		needed = append(needed, "holds "+why)
	}
	for _, what := range acts.BulkActs {
		needed = append(needed, "act "+string(what), wordOf("will", what), wordOf("will", what)+"1", wordOf("will", what)+"0")
	}
	for _, state := range []ledger.BulkState{ledger.BulkProposed, ledger.BulkRunning, ledger.BulkStopping, ledger.BulkStopped, ledger.BulkDone, ledger.BulkRefused} {
		needed = append(needed, "bulk "+string(state))
	}
	for _, state := range listedStates {
		needed = append(needed, "state "+state)
	}
	for _, word := range needed {
		if all[word] == "" {
			t.Errorf("there is no word for %q", word)
		}
	}
}

func TestBarText(t *testing.T) {
	for want, line := range map[string]string{
		"[░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░]   0 %  0 / 1204":          barText(0, 1204, ""),
		"[███████████████░░░░░░░░░░░░░░░]  50 %  602 / 1204  waits": barText(602, 1204, "waits"),
		"[█████████████████████████████░]  99 %  1203 / 1204":       barText(1203, 1204, ""),
		"[██████████████████████████████] 100 %  1204 / 1204":       barText(1204, 1204, ""),
	} {
		if line != want {
			t.Errorf("%q, want %q", line, want)
		}
	}
}
