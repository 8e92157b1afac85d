package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"segell/storage"
)

// S3 is a running versitygw with its posix backend.
type S3 struct {
	process
	Endpoint  string // http://127.0.0.1:port
	AccessKey string
	SecretKey string
}

// Versioned makes an S3 server on which buckets can keep what was replaced and deleted.
const Versioned = "versioned"

// NewS3 starts versitygw on a free loopback port, and ends it with the test. Its program is looked for in
// $SEGELL_TOOLS_BIN, then in .cache/bin of the repository, where `make tools` builds it.
func NewS3(t testing.TB, options ...string) *S3 {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	s := &S3{process: process{t: t, name: "versitygw", ready: s3Ready, binary: find(t, "versitygw", "make tools", toolPlaces("versitygw")...)},
		AccessKey: "test" + rand.Text(), SecretKey: rand.Text()}
	posix := []string{"posix"}
	if !takesAttributes(data) {
		// Where the temporary folder has no extended attributes, versitygw keeps them in files beside.
		sidecar := filepath.Join(dir, "attributes")
		if err := os.Mkdir(sidecar, 0o700); err != nil {
			t.Fatal(err)
		}
		posix = append(posix, "--sidecar", sidecar)
	}
	if slices.Contains(options, Versioned) {
		versions := filepath.Join(dir, "versions")
		if err := os.Mkdir(versions, 0o700); err != nil {
			t.Fatal(err)
		}
		posix = append(posix, "--versioning-dir", versions)
	}
	s.args = func(port int) []string {
		args := []string{"--port", "127.0.0.1:" + strconv.Itoa(port), "--health", "/health", "--keep-alive", "--quiet"}
		return append(append(args, posix...), data)
	}
	s.env = []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey}
	s.begin()
	s.Endpoint = "http://" + s.address()
	return s
}

// Config returns how to open a bucket there. The bucket need not exist; see [storage.Bucket.MakeBucket] and [S3.Bucket].
func (s *S3) Config(bucket string) storage.Config {
	return storage.Config{Endpoint: s.Endpoint, Region: "us-east-1", Bucket: bucket, AccessKey: s.AccessKey, SecretKey: s.SecretKey,
		PathStyle: true, Timeout: 20 * time.Second}
}

// Bucket makes a bucket and opens it.
func (s *S3) Bucket(name string) *storage.Bucket {
	s.t.Helper()
	b, err := storage.Open(context.Background(), s.Config(name))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(b.Close)
	if err := b.MakeBucket(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// Kill ends the server at once (SIGKILL). Killing it twice is no fault.
func (s *S3) Kill() { s.kill() }

// Restart starts the server again on the same port with what it had kept, killing it first if it still runs.
func (s *S3) Restart() {
	s.t.Helper()
	s.restart()
}

// Pause halts the server (SIGSTOP): connections stay open and nothing answers.
func (s *S3) Pause() {
	s.t.Helper()
	s.halt()
}

// Continue lets a halted server go on.
func (s *S3) Continue() {
	s.t.Helper()
	s.signal(syscall.SIGCONT)
}

func s3Ready(address string) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/health")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New("versitygw is not healthy: " + response.Status)
	}
	return nil
}

// takesAttributes reports whether files in dir can carry extended attributes, where versitygw keeps ETag and metadata.
func takesAttributes(dir string) bool {
	return unix.Setxattr(dir, "user.segell", []byte("1"), 0) == nil && unix.Removexattr(dir, "user.segell") == nil
}

// toolPlaces are where a program of the tools module may lie.
func toolPlaces(program string) []string {
	var places []string
	if bin := os.Getenv("SEGELL_TOOLS_BIN"); bin != "" {
		places = append(places, filepath.Join(bin, program))
	}
	if root := repository(); root != "" {
		places = append(places, filepath.Join(root, ".cache", "bin", program))
	}
	return places
}

// repository is the folder above the working folder where the tools' module is, or empty.
func repository() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "tools", "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}
