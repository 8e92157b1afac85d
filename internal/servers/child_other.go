//go:build unix && !linux

package servers

import (
	"syscall"
	"time"
)

// childAttributes: a group of its own, as an interrupt at the keyboard is for the test.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// halted waits a while: there is no /proc to ask.
func halted(int) bool { time.Sleep(100 * time.Millisecond); return true }

// groupOf gives the group's leader alone: there is no /proc to ask.
func groupOf(group int) []int { return []int{group} }
