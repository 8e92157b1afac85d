package judges

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// here is the folder of this package's source.
func here() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// nodeModules is the folder of the judges from npm: $SEGELL_JUDGES_NODE, or
// .cache/judges of the repository, where `make tools` installs them.
func nodeModules(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SEGELL_JUDGES_NODE")
	if dir == "" {
		dir = filepath.Join(here(), "..", "..", ".cache", "judges")
	}
	if _, err := os.Stat(filepath.Join(dir, "installed")); err != nil {
		t.Fatal("the judges from npm are missing: make tools")
	}
	return dir
}

// Node returns a program of JavaScript, an ES module, as a command. It finds the
// judges' packages as a program finds those that were installed beside it.
func Node(t testing.TB, program string, env ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "program.mjs")
	err := os.WriteFile(file, []byte(program), 0o600)
	if err == nil {
		var modules string
		if modules, err = filepath.Abs(filepath.Join(nodeModules(t), "node_modules")); err == nil {
			err = os.Symlink(modules, filepath.Join(dir, "node_modules"))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "node", "apt-get install -y nodejs npm"), file)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}
