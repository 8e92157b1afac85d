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
	worker := h.start("worker", map[string]string{"SEGELL_ADMIN_LISTEN": freeAddress(t)})
	for p, want := range map[*process]string{door: "0", worker: "10"} {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		if err != nil || len(stats) < 2 {
			t.Fatal(stats, err)
		}
		for _, stat := range stats {
			text, err := os.ReadFile(stat)
			if err != nil {
				continue // a thread that ended meanwhile
			}
			// proc(5): after the name in brackets, the 17th is nice.
			fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
			if got := fields[16]; got != want {
				t.Errorf("a thread of %q has the priority %s, want %s", p.cmd.Args, got, want)
			}
		}
	}
}
