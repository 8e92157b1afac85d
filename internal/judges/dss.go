package judges

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// dss is the one process of EU DSS that all tests of a program ask in turn: Java takes seconds to start. It ends with
// the program, when its input closes.
var dss struct {
	sync.Mutex
	in      io.WriteCloser
	answers chan string
	process *os.Process
}

// buildDSS builds conformance/dss into .cache/dss where that is missing or older than its sources, and gives the folder.
// One process at a time: the tests of several packages run side by side.
func buildDSS(t testing.TB) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	top := filepath.Join(filepath.Dir(here), "..", "..")
	sources, home := filepath.Join(top, "conformance", "dss"), filepath.Join(top, ".cache", "dss")
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(home+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(home, "built")
	if stamp, err := os.Stat(built); err == nil {
		fresh := true
		err := filepath.WalkDir(sources, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			fresh = fresh && err == nil && info.ModTime().Before(stamp.ModTime())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if fresh {
			return home
		}
	}
	words, err := exec.Command(tool(t, "mvn", "apt-get install maven openjdk-17-jdk-headless"), "-q", "-B", "-f", filepath.Join(sources, "pom.xml"), "package").CombinedOutput()
	if err != nil {
		t.Fatalf("building EU DSS (mvn -q -B -f conformance/dss/pom.xml package): %v\n%s", err, words)
	}
	if err := os.WriteFile(built, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return home
}

func startDSS(t testing.TB) {
	java := tool(t, "java", "apt-get install openjdk-17-jre-headless")
	home := buildDSS(t)
	cmd := exec.Command(java, "-Xmx1g", "-XX:+UseSerialGC", "-cp", filepath.Join(home, "dss.jar")+string(os.PathListSeparator)+filepath.Join(home, "lib", "*"), "segell.conformance.dss.Judge")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal("EU DSS: ", err)
	}
	answers := make(chan string)
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			answers <- lines.Text()
		}
		close(answers)
		cmd.Wait()
	}()
	dss.in, dss.answers, dss.process = in, answers, cmd.Process
}

// DSS wants EU DSS to find exactly this level in file ("B-LTA") and to pass it and its time-stamps without error.
func DSS(t testing.TB, file, rootPEM, level string, o Options) {
	t.Helper()
	answer := askDSS(t, file, rootPEM, o)
	if !passedByDSS(answer) || answer[0] != "PAdES-BASELINE-"+strings.TrimPrefix(level, "B-") {
		t.Errorf("EU DSS does not pass %s as %s:\n%s", filepath.Base(file), level, strings.Join(answer, " | "))
	}
}

// passedByDSS: EU DSS calls a signature good although a time-stamp of it is not, so its word on each counts.
func passedByDSS(answer []string) bool {
	return len(answer) == 5 && answer[1] == "TOTAL_PASSED" && answer[4] == ""
}

// RefusedByDSS wants EU DSS to find fault with the seal of file or with one of its time-stamps.
func RefusedByDSS(t testing.TB, file, rootPEM string, o Options, because string) {
	t.Helper()
	answer := askDSS(t, file, rootPEM, o)
	wantRefused(t, "EU DSS", strings.Join(answer, " | "), passedByDSS(answer), because)
}

// askDSS gives the fields of the answer: level, indication, sub-indication, number of time-stamps, errors.
func askDSS(t testing.TB, file, rootPEM string, o Options) []string {
	t.Helper()
	how := "online"
	if o.Offline {
		how = "offline"
	}
	dss.Lock()
	defer dss.Unlock()
	if dss.process == nil {
		startDSS(t)
	}
	if _, err := io.WriteString(dss.in, strings.Join([]string{how, rootPEM, file}, "\t")+"\n"); err != nil {
		t.Fatal("EU DSS: ", err)
	}
	select {
	case answer, ok := <-dss.answers:
		if !ok {
			t.Fatal("EU DSS ended without an answer")
		}
		return strings.Split(answer, "\t")
	case <-time.After(patience):
		dss.process.Kill()
		dss.process = nil
		t.Fatalf("EU DSS did not answer within %s", patience)
		return nil
	}
}
