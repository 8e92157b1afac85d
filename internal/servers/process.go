// Package servers starts real servers for tests and benchmarks: child processes on free loopback ports, with their data in
// the test's temporary folder, stopped at its end. What a server said is shown when the test fails.
package servers

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"segell/internal/ports"
)

// startLimit is how long a server may take until it answers.
const startLimit = 30 * time.Second

// process is a child process that can be killed, halted and started again on the same port.
type process struct {
	t      testing.TB
	name   string
	binary string
	args   func(port int) []string
	env    []string
	ready  func(address string) error
	group  bool // it has children, and what is done to it is done to them
	port   int

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	log  lastWords
}

// begin starts the process on a free port and arranges its end.
func (p *process) begin() {
	p.t.Helper()
	p.t.Cleanup(func() {
		p.kill()
		if p.t.Failed() {
			p.t.Logf("%s said:\n%s", p.name, p.log.String())
		}
	})
	// A port that was free may be taken by a stranger before it is used: try others.
	var err error
	for range 5 {
		p.port = int(netip.MustParseAddrPort(FreeAddress(p.t)).Port())
		if err = p.start(); err == nil {
			return
		}
	}
	p.t.Fatalf("servers: %s does not start: %v\n%s", p.name, err, p.log.String())
}

// FreeAddress is an address for a program that cannot be given a listener; see ports.Free.
func FreeAddress(t testing.TB) string {
	t.Helper()
	address, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (p *process) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// start runs the process and waits until it answers.
func (p *process) start() error {
	cmd := exec.Command(p.binary, p.args(p.port)...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(done)
	}()
	p.mu.Lock()
	p.cmd, p.done = cmd, done
	p.mu.Unlock()

	deadline := time.Now().Add(startLimit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.ready(p.address())
		if err == nil {
			return nil
		}
		select {
		case <-done:
			return errors.New("it ended at once")
		case <-tick.C:
		}
		if time.Now().After(deadline) {
			p.kill()
			return fmt.Errorf("no answer within %v: %w", startLimit, err)
		}
	}
}

// kill ends the process as a power cut would, and waits until it is gone. It is no fault if it is gone already.
func (p *process) kill() {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	if p.group {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	_ = cmd.Process.Kill() // fails only where it has ended
	<-done
}

// restart starts the process on its port again; it must have been killed.
func (p *process) restart() {
	p.t.Helper()
	p.kill()
	if err := p.start(); err != nil {
		p.t.Fatalf("servers: %s does not start again: %v\n%s", p.name, err, p.log.String())
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.cmd.Process.Signal(s)
	if p.group {
		err = errors.Join(err, syscall.Kill(-p.cmd.Process.Pid, s))
	}
	if err != nil {
		p.t.Fatalf("servers: %s: %v: %v", p.name, s, err)
	}
}

// halt stops the process and returns when every thread of it stands still: the signal is only asked for by kill(2), and
// on a busy machine a thread may serve another request before it is obeyed.
func (p *process) halt() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	pids := []int{p.cmd.Process.Pid}
	if p.group {
		pids = groupOf(p.cmd.Process.Pid)
	}
	running := func() bool { return slices.ContainsFunc(pids, func(pid int) bool { return !halted(pid) }) }
	for deadline := time.Now().Add(10 * time.Second); running(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("servers: %s runs on 10 s after it was told to stop", p.name)
		}
	}
}

// find returns the path of a program, or fails the test with the line that installs it.
func find(t testing.TB, program, install string, places ...string) string {
	t.Helper()
	for _, place := range places {
		if info, err := os.Stat(place); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return place
		}
	}
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	t.Fatalf("servers: %s is missing; install it with: %s", program, install)
	return ""
}

// lastWords keeps the end of what a process writes.
type lastWords struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const lastWordsSize = 64 << 10

func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(b)
	if over := w.buf.Len() - lastWordsSize; over > 0 {
		w.buf.Next(over)
	}
	return len(b), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
