package judges

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Receiver is a client that receives callbacks and judges each by npm's
// standardwebhooks.
type Receiver struct {
	URL      string // where it listens
	t        testing.TB
	secret   string // the file
	received chan Received
}

// Received is what the receiver says of a callback.
type Received struct {
	ID      string          `json:"id"`
	Message json.RawMessage `json:"message"` // what was verified
	Error   string          `json:"error"`   // why it was refused, else
	URL     string          `json:"url"`
}

// NewReceiver starts a receiver that knows a secret, and ends it with the test.
func NewReceiver(t testing.TB, secret string) *Receiver {
	t.Helper()
	r := &Receiver{t: t, secret: filepath.Join(t.TempDir(), "secret"), received: make(chan Received, 100)}
	r.Knows(secret)
	cmd := exec.Command(tool(t, "node", "apt-get install -y nodejs npm"), filepath.Join(here(), "receiver.mjs"), r.secret)
	cmd.Env = append(os.Environ(), "JUDGES_MODULES="+nodeModules(t))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
	})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line Received
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				line.Error = lines.Text()
			}
			r.received <- line
		}
	}()
	r.URL = r.Next().URL
	return r
}

// Knows changes the secret that the receiver verifies with.
func (r *Receiver) Knows(secret string) {
	r.t.Helper()
	if err := os.WriteFile(r.secret, []byte(secret), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// Next waits for what the receiver says next.
func (r *Receiver) Next() Received {
	r.t.Helper()
	select {
	case line := <-r.received:
		return line
	case <-time.After(30 * time.Second):
		r.t.Fatal("the receiver of callbacks says nothing within 30 s")
		return Received{}
	}
}
