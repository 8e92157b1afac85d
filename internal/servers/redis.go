package servers

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisOptions say how a Redis is configured. The zero value keeps everything in memory and never evicts.
type RedisOptions struct {
	AppendOnly bool     // keep an append-only file, fsync always, so that Restart after Kill finds the data again
	MaxMemory  string   // such as "64mb"; no limit when empty
	Policy     string   // maxmemory-policy; "noeviction" when empty
	Args       []string // further arguments of redis-server, such as "--requirepass", "x" (which Ready and FlushAll cannot give)
}

// Redis is a running redis-server.
type Redis struct{ process }

// NewRedis starts a redis-server (Debian's) on a free loopback port, and ends it with the test.
func NewRedis(t testing.TB, o RedisOptions) *Redis {
	t.Helper()
	dir := t.TempDir()
	if o.Policy == "" {
		o.Policy = "noeviction"
	}
	r := &Redis{process{t: t, name: "redis-server", ready: redisReady,
		binary: find(t, "redis-server", "apt-get install -y redis-server", "/usr/bin/redis-server")}}
	r.args = func(port int) []string {
		args := []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--daemonize", "no",
			"--maxmemory-policy", o.Policy, "--appendonly", "no", "--loglevel", "notice"}
		if o.AppendOnly {
			args = append(args, "--appendonly", "yes", "--appendfsync", "always")
		}
		if o.MaxMemory != "" {
			args = append(args, "--maxmemory", o.MaxMemory)
		}
		return append(args, o.Args...)
	}
	r.begin()
	return r
}

// Addr returns host and port.
func (r *Redis) Addr() string { return r.address() }

// Kill ends the server at once (SIGKILL). Killing it twice is no fault.
func (r *Redis) Kill() { r.kill() }

// Restart starts the server again on the same port, killing it first if it still runs. Without AppendOnly it is empty.
func (r *Redis) Restart() {
	r.t.Helper()
	r.restart()
}

// Pause halts the server (SIGSTOP): connections stay open and nothing answers.
func (r *Redis) Pause() {
	r.t.Helper()
	r.halt()
}

// Continue lets a halted server go on.
func (r *Redis) Continue() {
	r.t.Helper()
	r.signal(syscall.SIGCONT)
}

// FlushAll removes everything, in all databases.
func (r *Redis) FlushAll() {
	r.t.Helper()
	if reply, err := redisCommand(r.address(), "FLUSHALL"); err != nil || reply != "+OK" {
		r.t.Fatalf("servers: FLUSHALL: %q, %v", reply, err)
	}
}

func redisReady(address string) error {
	reply, err := redisCommand(address, "PING")
	if err != nil {
		return err
	}
	// A password may be asked for: then it runs as well. Loading its file it does not yet.
	if reply != "+PONG" && !strings.HasPrefix(reply, "-NOAUTH") {
		return fmt.Errorf("redis-server answers %q", reply)
	}
	return nil
}

// redisCommand sends one inline command and returns the first line of the reply.
func redisCommand(address, command string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}
