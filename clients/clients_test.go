// Package clients tries what a portal's developer does first: generate a client
// from the description that a running press serves, and ask for a document with
// it. In TypeScript and in Java the generated code is compiled together with a
// small program, walk.ts and Walk.java, that goes all the way to the sealed PDF.
//
// It also guards against changes that break clients: the programs no longer
// compile where an operation or a member has gone, and every answer that they saw
// must be of the generated type. What is added later must not disturb them.
package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"segell/samples"
)

// patience is how long one tool may take on a busy machine.
const patience = 5 * time.Minute

func TestGeneratedClientsGoAllTheWay(t *testing.T) {
	p := startPress(t)
	description := filepath.Join(t.TempDir(), "openapi.json")
	write(t, description, p.description(t))
	t.Run("TypeScript", func(t *testing.T) {
		t.Parallel()
		inTypeScript(t, p, description)
	})
	t.Run("Java", func(t *testing.T) {
		t.Parallel()
		inJava(t, p, description)
	})
}

func inTypeScript(t *testing.T, p press, description string) {
	node, tools := find(t, "node", "nodejs"), installed(t, "typescript")
	modules := filepath.Join(tools, "node_modules")
	dir := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package.json", "tsconfig.json", "walk.ts"} {
		take(t, dir, filepath.Join("typescript", name))
	}
	do := func(name string, args ...string) string {
		cmd, cancel := command(t, name, args...)
		defer cancel()
		cmd.Dir = dir
		return run(t, cmd)
	}
	tsc := filepath.Join(modules, "typescript", "bin", "tsc")

	do(node, filepath.Join(modules, "openapi-typescript", "bin", "cli.js"), description, "-o", "api.ts")
	write(t, filepath.Join(dir, "bodies.ts"), typedSamples(t))
	do(node, tsc, "-p", ".")
	seen := between(t, p, later)
	walk, cancel := command(t, node, filepath.Join(dir, "out", "walk.js"))
	defer cancel()
	walk.Env = append(os.Environ(), "SEGELL_DOOR="+seen.URL, "SEGELL_TOKEN="+p.token)
	wantLength(t, run(t, walk))

	// Types are gone at run time: the compiler judges the answers as written down.
	write(t, filepath.Join(dir, "answers.ts"), typedAnswers(t, seen.seen()))
	write(t, filepath.Join(dir, "tsconfig.answers.json"), []byte(`{"extends": "./tsconfig.json", "compilerOptions": {"noEmit": true}, "files": ["answers.ts"]}`))
	do(node, tsc, "-p", "tsconfig.answers.json")
}

// typedSamples is every kind's plain sample as a constant of the type that its
// operation takes, named for kind and language.
func typedSamples(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("import type { paths } from \"./api.js\";\n")
	for s := range samples.All() {
		if s.Name == samples.Standard {
			name := strings.ReplaceAll(s.Kind+"_"+s.Language, "-", "_")
			fmt.Fprintf(&out, "export const %s: paths[%q][\"post\"][\"requestBody\"][\"content\"][\"application/json\"] = %s;\n", name, "/v1/documents/"+s.Kind, s.Body)
		}
	}
	return out.Bytes()
}

// typedAnswers wants each answer to be of the type that its operation gives with
// its status. Without a member that it must have it must not be: so the guard is
// seen to work.
func typedAnswers(t *testing.T, answers []answer) []byte {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("import type { paths } from \"./api.js\";\n// More members than the type has are no fault.\nconst is = <T>() => <A extends T>(answer: A) => answer;\n")
	kinds := map[string]bool{}
	for _, a := range answers {
		required := "links" // of a state
		if a.Media == "application/problem+json" {
			required = "type"
		}
		kinds[required] = true
		less := maps.Clone(a.Body)
		delete(less, required)
		typed := fmt.Sprintf("is<paths[%q][%q][\"responses\"][%d][\"content\"][%q]>()", a.Path, a.Method, a.Status, a.Media)
		fmt.Fprintf(&out, "%s(%s);\n// @ts-expect-error: %s is missing\n%s(%s);\n", typed, inJSON(t, a.Body), required, typed, inJSON(t, less))
	}
	if len(kinds) != 2 {
		t.Fatalf("of states and problems only %v were seen", kinds)
	}
	return out.Bytes()
}

func inJava(t *testing.T, p press, description string) {
	java, javac, tools := find(t, "java", "openjdk-17-jdk-headless"), find(t, "javac", "openjdk-17-jdk-headless"), installed(t, "java")
	dir := t.TempDir()
	do := func(name string, args ...string) {
		cmd, cancel := command(t, name, args...)
		defer cancel()
		cmd.Dir = dir
		run(t, cmd)
	}
	// Programs that end after seconds: the quick compiler and the small collector.
	quick := []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	take(t, dir, filepath.Join("java", "generator.yaml"))
	do(java, append(quick, "-jar", filepath.Join(tools, "openapi-generator-cli.jar"), "generate", "-i", description, "-c", "generator.yaml", "-o", "client",
		"--global-property", "apis,models,supportingFiles,apiDocs=false,modelDocs=false,apiTests=false,modelTests=false")...)

	libraries := filepath.Join(tools, "lib", "*")
	sources := append(javaFiles(t, filepath.Join(dir, "client", "src", "main")), take(t, dir, filepath.Join("java", "Walk.java")))
	args := []string{"-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "--release", "17", "-proc:none", "-nowarn", "-d", "classes", "-cp", libraries}
	do(javac, append(args, sources...)...)

	request := filepath.Join(dir, "request.json")
	write(t, request, standard(t))
	walk := func(door string) (*exec.Cmd, func()) {
		cmd, cancel := command(t, java, append(quick, "-cp", filepath.Join(dir, "classes")+string(os.PathListSeparator)+libraries, "Walk", request)...)
		cmd.Env = append(os.Environ(), "SEGELL_DOOR="+door, "SEGELL_TOKEN="+p.token)
		return cmd, cancel
	}
	cmd, cancel := walk(between(t, p, later).URL)
	defer cancel()
	wantLength(t, run(t, cmd))

	cmd, cancel = walk(between(t, p, without("links")).URL)
	defer cancel()
	if words, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(words), "RequestState: [links ") {
		t.Errorf("an answer without its links is not refused: %v\n%s", err, words)
	}
}

func javaFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".java" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func standard(t *testing.T) []byte {
	t.Helper()
	for s := range samples.All() {
		if s.Kind == "coverage_certificate" && s.Name == samples.Standard {
			return s.Body
		}
	}
	t.Fatal("there is no standard sample of coverage_certificate")
	return nil
}

// The guide tells the developer to do what is tried here.
func TestTheGuideTellsWhatIsTried(t *testing.T) {
	t.Parallel()
	guide := read(t, filepath.Join("..", "docs", "portal.md"))
	var versions struct{ Dependencies map[string]string }
	if err := json.Unmarshal([]byte(read(t, filepath.Join("typescript", "package.json"))), &versions); err != nil {
		t.Fatal(err)
	}
	wanted := []string{read(t, filepath.Join("java", "generator.yaml"))}
	for name, version := range versions.Dependencies {
		wanted = append(wanted, name+"@"+version)
	}
	_, pinned, _ := strings.Cut(read(t, filepath.Join("java", "pom.xml")), "<artifactId>openapi-generator-cli</artifactId>")
	_, pinned, _ = strings.Cut(pinned, "<version>")
	version, _, _ := strings.Cut(pinned, "</version>")
	wanted = append(wanted, "openapi-generator-cli:"+version, "openapi-generator-cli-"+version+".jar")
	for _, text := range wanted {
		if !strings.Contains(guide, text) {
			t.Errorf("docs/portal.md does not say:\n%s", text)
		}
	}
}

// wantLength wants a walk to have ended with the length of its document.
func wantLength(t *testing.T, words string) {
	t.Helper()
	if n, err := strconv.Atoi(strings.TrimSpace(words)); err != nil || n < 1000 {
		t.Errorf("the walk printed %q, not the length of a document", words)
	}
}

// installed is where `make tools` puts what a language needs.
func installed(t *testing.T, language string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".cache", "clients", language))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "installed")); err != nil {
		t.Fatalf("what generates clients in %s is missing: make tools", language)
	}
	return dir
}

func find(t *testing.T, program, pack string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install %s", program, pack)
	}
	return path
}

func command(t *testing.T, name string, args ...string) (*exec.Cmd, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	return exec.CommandContext(ctx, name, args...), cancel
}

// run gives what a command printed, and fails with all that it said.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args[:min(len(cmd.Args), 6)], " "), err, out.String(), complaints.String())
	}
	return out.String()
}

// take copies a file of this folder and gives the copy.
func take(t *testing.T, dir, name string) string {
	t.Helper()
	to := filepath.Join(dir, filepath.Base(name))
	write(t, to, []byte(read(t, name)))
	return to
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func inJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
