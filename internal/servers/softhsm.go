package servers

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// SoftHSM is a token in software (Debian's softhsm2), in the test's temporary folder.
type SoftHSM struct {
	Module string // path of its PKCS#11 library
	Token  string // label
	PIN    string
	t      testing.TB
	dir    string
	util   string
}

// NewSoftHSM makes a token and lets $SOFTHSM2_CONF name it, which the library reads when it starts.
func NewSoftHSM(t testing.TB) *SoftHSM {
	t.Helper()
	const install = "apt-get install -y softhsm2"
	s := &SoftHSM{Token: "segell " + rand.Text()[:8], PIN: "pin-" + rand.Text(), t: t, dir: t.TempDir(), util: find(t, "softhsm2-util", install)}
	s.Module = library(t, install, "softhsm/libsofthsm2.so")
	conf := filepath.Join(s.dir, "softhsm2.conf")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", s.tokens())
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	s.Init(s.PIN)
	return s
}

// library finds a shared library of a Debian package, whatever the processor.
func library(t testing.TB, install, name string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/" + name)
	if err != nil || len(found) == 0 {
		t.Fatalf("servers: %s is missing; install it with: %s", name, install)
	}
	return found[0]
}

func (s *SoftHSM) tokens() string { return filepath.Join(s.dir, "tokens") }

// Init makes the token, empty, with this PIN; it must not be there.
func (s *SoftHSM) Init(pin string) {
	s.t.Helper()
	if err := os.Mkdir(s.tokens(), 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.run("--init-token", "--free", "--label", s.Token, "--so-pin", rand.Text(), "--pin", pin)
}

func (s *SoftHSM) run(args ...string) {
	s.t.Helper()
	if words, err := exec.Command(s.util, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("servers: softhsm2-util: %v\n%s", err, words)
	}
}

// Import puts a private key and its public key on the token. The PIN is that which the token has now.
func (s *SoftHSM) Import(key crypto.Signer, label string, id []byte, pin string) {
	s.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.dir, "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		s.t.Fatal(err)
	}
	defer os.Remove(file)
	s.run("--import", file, "--token", s.Token, "--label", label, "--id", hex.EncodeToString(id), "--pin", pin)
}

// TakeAway moves the token out of sight, all that is on it, as if it were pulled out.
func (s *SoftHSM) TakeAway() {
	s.t.Helper()
	if err := os.Rename(s.tokens(), s.tokens()+".away"); err != nil {
		s.t.Fatal(err)
	}
}

// PutBack undoes TakeAway; what took its place is lost.
func (s *SoftHSM) PutBack() {
	s.t.Helper()
	err := os.RemoveAll(s.tokens())
	if err == nil {
		err = os.Rename(s.tokens()+".away", s.tokens())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// RemoteToken is a token behind a process that passes PKCS#11 on over a socket (p11-kit server), as the library of a
// network HSM does.
type RemoteToken struct {
	process
	Module string // path of the library that reaches it
}

// Serve lets the token be reached through a process of its own, and lets $P11_KIT_SERVER_ADDRESS name that.
func (s *SoftHSM) Serve() *RemoteToken {
	s.t.Helper()
	const install = "apt-get install -y p11-kit p11-kit-modules"
	socket := filepath.Join(s.dir, "p11-kit.socket")
	r := &RemoteToken{Module: library(s.t, install, "pkcs11/p11-kit-client.so")}
	r.process = process{t: s.t, name: "p11-kit server", binary: find(s.t, "p11-kit", install), group: true, // a child for each client
		args: func(int) []string {
			_ = os.Remove(socket) // one that was killed leaves it behind
			return []string{"server", "--foreground", "--name", socket, "--provider", s.Module, "pkcs11:token=" + strings.ReplaceAll(s.Token, " ", "%20")}
		},
		ready: func(string) error {
			connection, err := net.Dial("unix", socket)
			if err != nil {
				return err
			}
			return connection.Close()
		}}
	s.t.Setenv("P11_KIT_SERVER_ADDRESS", "unix:path="+socket)
	r.begin()
	return r
}

// Kill ends the process at once (SIGKILL). Killing it twice is no fault.
func (r *RemoteToken) Kill() { r.kill() }

// Restart starts the process again, killing it first if it still runs.
func (r *RemoteToken) Restart() {
	r.t.Helper()
	r.restart()
}

// Pause halts the process (SIGSTOP): whoever calls the token waits.
func (r *RemoteToken) Pause() {
	r.t.Helper()
	r.halt()
}

// Continue lets a halted process go on.
func (r *RemoteToken) Continue() {
	r.t.Helper()
	r.signal(syscall.SIGCONT)
}
