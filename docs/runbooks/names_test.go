package runbooks_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"segell/ledger"
	"segell/queue"
	"segell/templates"
)

// The rest of a command line of Segell is proven by the program's own parser: with
// --help at its end it says how the command is used, unless it knows no such
// command or flag.
func TestCommandsExist(t *testing.T) {
	segell := filepath.Join(t.TempDir(), "segell")
	if out, err := exec.Command("go", "build", "-o", segell, "segell/cmd/segell").CombinedOutput(); err != nil {
		t.Fatalf("building segell: %v\n%s", err, out)
	}
	proven, values, services := map[string]bool{}, knownValues(), compose(t)
	each(t, func(language, cause string, p page) {
		for _, command := range commandsOf(p) {
			args := split(command)
			if args[0] != "segell" {
				if !services.MatchString(command) && command != "date -u" {
					t.Errorf("%s: %q is no command that an engineer can give", p.name, command)
				}
				continue
			}
			for i, arg := range args[:len(args)-1] {
				value := args[i+1]
				if known, ok := values[arg]; ok && !known[value] {
					t.Errorf("%s: there is no %s %q", p.name, strings.TrimPrefix(arg, "--"), value)
				}
				if arg == "--cause" && value != cause {
					t.Errorf("%s: %q is about another cause", p.name, command)
				}
			}
			if proven[command] {
				continue
			}
			proven[command] = true
			out, err := exec.Command(segell, append(args[1:], "--help")...).CombinedOutput()
			if err != nil {
				t.Errorf("%s: %q: %v\n%s", p.name, command, err, out)
			}
		}
	})
	out, err := exec.Command(segell, "config", "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(language, cause string, p page) {
		for _, span := range p.spans {
			if strings.HasPrefix(span, "SEGELL_") && !strings.Contains(string(out), "$"+span) {
				t.Errorf("%s: there is no setting %s", p.name, span)
			}
		}
	})
}

// compose matches what may be asked of docker compose: something that is done to
// services of ours.
func compose(t *testing.T) *regexp.Regexp {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(file), "\nservices:\n")
	var names []string
	for _, service := range regexp.MustCompile(`(?m)^  (\w+):$`).FindAllStringSubmatch(after, -1) {
		names = append(names, service[1])
	}
	return regexp.MustCompile(`^docker compose (logs|restart|kill -s HUP|up -d( --force-recreate)?)( (` + strings.Join(names, "|") + `))+$`)
}

// commandsOf are the command lines of a page, also those within a sentence.
func commandsOf(p page) []string {
	var all []string
	for _, block := range p.blocks {
		for line := range strings.Lines(block) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	for _, span := range p.spans {
		if strings.HasPrefix(span, "segell ") {
			all = append(all, span)
		}
	}
	return all
}

// split is what a shell makes of a line that has no more than double quotes.
func split(line string) []string {
	var args []string
	for _, arg := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		args = append(args, strings.Trim(arg, `"`))
	}
	return args
}

// knownValues are what may follow a flag that takes one of a list.
func knownValues() map[string]map[string]bool {
	values := map[string]map[string]bool{"--cause": {}, "--kind": {}, "--queue": {queue.Quarantine: true}, "--from": {"render": true},
		"--reason": {"…": true, string(ledger.CancelImpossible): true}}
	for _, cause := range ledger.Causes {
		values["--cause"][cause.ID] = true
	}
	for _, kind := range templates.Kinds() {
		values["--kind"][kind.ID] = true
	}
	for _, name := range queue.Names {
		values["--queue"][name] = true
	}
	return values
}

// Metrics and lines of the log are quoted as the code writes them: whoever looks
// for one with other words finds nothing.
func TestNamesExistInTheCode(t *testing.T) {
	texts, paths := literals(t)
	each(t, func(language, cause string, p page) {
		for _, span := range p.spans {
			switch {
			case strings.HasPrefix(span, "segell "), strings.HasPrefix(span, "SEGELL_"), strings.HasPrefix(span, "--"):
				// TestCommandsExist looks at these.
			case strings.HasSuffix(span, "/ID"), strings.HasSuffix(span, "/ID.pdf"):
				if folder, _, _ := strings.Cut(span, "/"); !texts[folder+"/"] {
					t.Errorf("%s: the ledger has no keys %s", p.name, span)
				}
			case !texts[span] && !paths[span]:
				t.Errorf("%s: %q is neither a text of the code nor a folder of it", p.name, span)
			}
		}
	})
}

// literals are the strings of the module's code, tests left out, and its top
// folders.
func literals(t *testing.T) (texts, paths map[string]bool) {
	t.Helper()
	texts, paths = map[string]bool{}, map[string]bool{}
	root := filepath.Join("..", "..")
	quoted := regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"`)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if filepath.Dir(name) == root {
				paths[entry.Name()] = true
			}
			if name != root && strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" {
				return fs.SkipDir
			}
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			source, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for _, literal := range quoted.FindAllString(string(source), -1) {
				if text, err := strconv.Unquote(literal); err == nil {
					texts[text] = true
					_, wrapped, _ := strings.Cut(text, "%w: ") // what an error says after the one it wraps
					texts[wrapped] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(texts, "")
	return texts, paths
}
