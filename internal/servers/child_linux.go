package servers

import "syscall"

// childAttributes: a group of its own, as an interrupt at the keyboard is for the test; and an end with the test even
// where that is killed or runs out of time, when no Cleanup runs.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
