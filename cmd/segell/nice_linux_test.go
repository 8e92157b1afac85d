package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"segell/internal/servers"
)

// A worker steps back with every thread that it has; a door does not.
func TestTheWorkerStepsBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t, servers.RedisOptions{})
	door := h.start("intake", nil)
	worker := h.start("worker", map[string]string{"SEGELL_ADMIN_LISTEN": servers.FreeAddress(t)})
	own, err := os.ReadFile("/proc/self/stat") // the tests may have been started with less
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[*process]string{door: niceOf(own), worker: "10"} {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		if err != nil || len(stats) < 2 {
			t.Fatal(stats, err)
		}
		for _, stat := range stats {
			text, err := os.ReadFile(stat)
			if err != nil {
				continue // a thread that ended meanwhile
			}
			if got := niceOf(text); got != want {
				t.Errorf("a thread of %q has the priority %s, want %s", p.cmd.Args, got, want)
			}
		}
	}
}

// niceOf reads the priority from a stat of proc(5): the 17th after the name in brackets.
func niceOf(stat []byte) string {
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[16]
}
