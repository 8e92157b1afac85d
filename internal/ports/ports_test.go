package ports

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// Many ask at once, in this process and in another: nobody gets what another has.
func TestNoAddressIsGivenTwice(t *testing.T) {
	if os.Getenv("SEGELL_TEST_PORTS") != "" { // the other process
		for range 300 {
			address, err := Free()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = os.Stdout.WriteString(address + "\n")
		}
		_, _ = os.Stdin.Read(make([]byte, 1)) // it lives until the first has looked
		return
	}
	other := exec.Command(os.Args[0], "-test.run", "^TestNoAddressIsGivenTwice$")
	other.Env = append(os.Environ(), "SEGELL_TEST_PORTS=1")
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	other.Stdout = &said
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}

	var mu sync.Mutex
	given := map[string]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				address, err := Free()
				if err != nil {
					t.Error(err)
					return
				}
				l, err := net.Listen("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				l.Close()
				mu.Lock()
				if given[address] {
					t.Errorf("%s was given twice", address)
				}
				given[address] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	in.Close()
	if err := other.Wait(); err != nil {
		t.Fatal(err, said.String())
	}
	theirs := 0
	for line := range strings.Lines(said.String()) {
		address := strings.TrimSpace(line)
		if !strings.HasPrefix(address, "127.0.0.1:") {
			continue
		}
		if theirs++; given[address] {
			t.Errorf("%s was given to two processes", address)
		}
	}
	if theirs != 300 || len(given) != 800 {
		t.Errorf("%d and %d addresses were given, want 800 and 300", len(given), theirs)
	}
}
