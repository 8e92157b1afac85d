package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// childAttributes: a group of its own, as an interrupt at the keyboard is for the test; and an end with the test even
// where that is killed or runs out of time, when no Cleanup runs.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// halted reports whether no thread of a process runs (proc(5), field 3 of stat).
func halted(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		// The name of the program is in brackets and may hold anything.
		_, rest, found := strings.Cut(string(text), ") ")
		if err != nil || !found || rest[0] != 'T' {
			return false
		}
	}
	return true
}

// groupOf lists the processes of a group (proc(5), field 5 of stat).
func groupOf(group int) []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // fails for a bad pattern alone
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		_, rest, found := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if err != nil || !found || len(fields) < 3 || fields[2] != strconv.Itoa(group) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
