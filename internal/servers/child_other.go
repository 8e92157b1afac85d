//go:build unix && !linux

package servers

import "syscall"

// childAttributes: a group of its own, as an interrupt at the keyboard is for the test.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
