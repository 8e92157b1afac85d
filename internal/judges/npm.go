package judges

import (
	"os"
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
