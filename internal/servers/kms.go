package servers

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// KMS is a running moto server, which answers for AWS KMS. It keeps its keys in memory.
type KMS struct {
	process
	Endpoint string // http://127.0.0.1:port
	Region   string
}

// NewKMS starts moto_server on a free loopback port, and ends it with the test. Its program is that of the repository's
// .cache/venv, where `make tools` installs it. The environment is given an account's credentials, as AWS's own programs
// read them.
func NewKMS(t testing.TB) *KMS {
	t.Helper()
	program := filepath.Join(repository(), ".cache", "venv", "bin", "moto_server")
	if _, err := os.Stat(program); err != nil {
		t.Fatal("servers: moto_server is missing; install it with: make tools")
	}
	k := &KMS{Region: "eu-south-2", process: process{t: t, name: "moto_server", binary: program, ready: motoReady,
		args: func(port int) []string { return []string{"--host", "127.0.0.1", "--port", strconv.Itoa(port)} }}}
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_SESSION_TOKEN": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": ""} {
		t.Setenv(name, value)
	}
	os.Unsetenv("AWS_PROFILE") // the empty name would be looked for; Setenv puts back what was there
	k.begin()
	k.Endpoint = "http://" + k.address()
	return k
}

// Kill ends the server at once (SIGKILL), and its keys. Killing it twice is no fault.
func (k *KMS) Kill() { k.kill() }

// Pause halts the server (SIGSTOP): connections stay open and nothing answers.
func (k *KMS) Pause() {
	k.t.Helper()
	k.halt()
}

// Continue lets a halted server go on.
func (k *KMS) Continue() {
	k.t.Helper()
	k.signal(syscall.SIGCONT)
}

func motoReady(address string) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/moto-api/data.json")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New("moto answers: " + response.Status)
	}
	return nil
}
