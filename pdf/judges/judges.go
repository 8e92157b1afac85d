// Package judges asks programs of other people what they think of a PDF file: veraPDF, qpdf and poppler.
//
// A program that is missing is an error that says what to install.
package judges

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Verdict is what a judge says of a file.
type Verdict struct {
	File   string
	Judge  string // "veraPDF 2a", "qpdf", …
	Pass   bool
	Detail string // what is wrong; empty when nothing is
}

// String returns the verdict as one line.
func (v Verdict) String() string {
	word := "pass"
	if !v.Pass {
		word = "FAIL"
	}
	return strings.TrimRight(fmt.Sprintf("%s  %-11s  %s  %s", word, v.Judge, v.File, v.Detail), " ")
}

// find returns the path of a program.
func find(program, debian string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is missing: apt-get install %s", program, debian)
	}
	return path, nil
}

// VeraPDF judges each file by its profiles ("2a,ua1"). The judge is the Java program in the folder conformance of the
// repository; Maven builds it when it is not in .cache yet or older than its source.
func VeraPDF(ctx context.Context, repository string, profiles map[string]string) ([]Verdict, error) {
	java, err := find("java", "openjdk-17-jdk-headless")
	if err != nil {
		return nil, err
	}
	source, built := filepath.Join(repository, "conformance"), filepath.Join(repository, ".cache", "conformance")
	jar := filepath.Join(built, "conformance.jar")
	if old, err := stale(jar, filepath.Join(source, "pom.xml"), filepath.Join(source, "src/main/java/segell/conformance/Judge.java")); err != nil {
		return nil, err
	} else if old {
		maven, err := find("mvn", "maven")
		if err != nil {
			return nil, err
		}
		if out, err := exec.CommandContext(ctx, maven, "-q", "-B", "-f", filepath.Join(source, "pom.xml"), "package").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building the judge: %w\n%s", err, out)
		}
	}
	var asked strings.Builder
	for path, p := range profiles {
		fmt.Fprintf(&asked, "%s\t%s\n", p, path)
	}
	judge := exec.CommandContext(ctx, java, "-cp", jar+string(filepath.ListSeparator)+filepath.Join(built, "lib", "*"), "segell.conformance.Judge")
	judge.Stdin = strings.NewReader(asked.String())
	var said bytes.Buffer
	judge.Stderr = &said
	out, err := judge.Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && len(out) > 0) {
		return nil, fmt.Errorf("veraPDF: %w\n%s", err, said.Bytes())
	}
	var verdicts []Verdict
	for line := range strings.Lines(string(out)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4)
		if len(parts) != 4 {
			return nil, fmt.Errorf("veraPDF said %q", line)
		}
		verdicts = append(verdicts, Verdict{File: parts[2], Judge: "veraPDF " + parts[1], Pass: parts[0] == "pass", Detail: parts[3]})
	}
	want := 0
	for _, p := range profiles {
		want += len(strings.Split(p, ","))
	}
	if len(verdicts) != want {
		return nil, fmt.Errorf("veraPDF gave %d verdicts, %d were asked", len(verdicts), want)
	}
	return verdicts, nil
}

func stale(target string, sources ...string) (bool, error) {
	made, err := os.Stat(target)
	if err != nil {
		return true, nil
	}
	for _, s := range sources {
		info, err := os.Stat(s)
		if err != nil {
			return false, err
		}
		if info.ModTime().After(made.ModTime()) {
			return true, nil
		}
	}
	return false, nil
}

// QPDF judges the syntax of a file; a warning is a fault.
func QPDF(ctx context.Context, path string) (Verdict, error) {
	qpdf, err := find("qpdf", "qpdf")
	if err != nil {
		return Verdict{}, err
	}
	out, err := exec.CommandContext(ctx, qpdf, "--check", path).CombinedOutput()
	v := Verdict{File: path, Judge: "qpdf", Pass: err == nil && !bytes.Contains(out, []byte("WARNING"))}
	if !v.Pass {
		v.Detail = strings.Join(strings.Fields(string(out)), " ")
	}
	return v, nil
}

// Text returns the words of a file in the order of the page, as someone gets them who copies the whole of it.
func Text(ctx context.Context, path string) (string, error) {
	return poppler(ctx, "pdftotext", "-raw", path, "-")
}

// Tree returns the structure of a file with its words, as poppler reads it.
func Tree(ctx context.Context, path string) (string, error) {
	return poppler(ctx, "pdfinfo", "-struct-text", path)
}

func poppler(ctx context.Context, program string, args ...string) (string, error) {
	path, err := find(program, "poppler-utils")
	if err != nil {
		return "", err
	}
	var said bytes.Buffer
	run := exec.CommandContext(ctx, path, args...)
	run.Stderr = &said
	out, err := run.Output()
	if err != nil || said.Len() > 0 { // poppler reports what it had to mend, and goes on
		return "", fmt.Errorf("%s: %v: %s", program, err, bytes.TrimSpace(said.Bytes()))
	}
	return string(out), nil
}
