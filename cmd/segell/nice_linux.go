package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// stepBack lowers the priority of this process, so that on a machine which it
// shares with the doors, the store or Redis those answer while documents are made.
// Linux keeps the priority by thread and gives it on to the threads that a thread
// starts: all that exist are changed, and a second look finds those started
// meanwhile.
func stepBack(nice int) error {
	for range 2 {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("listing the threads: %w", err)
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				continue
			}
			if err := unix.Setpriority(unix.PRIO_PROCESS, id, nice); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("setting the priority: %w", err)
			}
		}
	}
	return nil
}
