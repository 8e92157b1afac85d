// Package ports finds free addresses for programs that cannot be given a listener.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports that Linux gives to outgoing connections begin at 32768
// (net.ipv4.ip_local_port_range): below it no connection takes one that a server
// is about to listen on, or comes back to after a restart.
const first, last = 10_000, 32_000

// claims holds what this process has claimed, until it ends.
var claims struct {
	sync.Mutex
	sockets []net.Listener
}

// Free returns an address of loopback on which nobody listens, and which it gives
// to nobody else while this process lives, in no other process of this machine
// either: each is claimed by an abstract socket of its name (unix(7)).
func Free() (string, error) {
	for range 500 {
		port := first + rand.IntN(last-first)
		claim, err := net.Listen("unix", fmt.Sprintf("@segell-port-%d", port))
		if err != nil {
			continue // another has it
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			claim.Close()
			continue
		}
		claims.Lock()
		claims.sockets = append(claims.sockets, claim)
		claims.Unlock()
		return listener.Addr().String(), listener.Close()
	}
	return "", errors.New("ports: no port of loopback between 10000 and 32000 is free")
}
