// Package judges lets programs that are not ours judge sealed documents in tests: pdfsig (poppler, NSS), qpdf, openssl,
// pyHanko and EU DSS. A judge that is missing fails the test with the line that installs it; nothing is skipped.
//
// Judges are asked in two ways: PDFSig and the like want a document accepted, RefusedByPDFSig and the like want it
// refused, and for the right reason: because is what the judge's words must hold. The words are shown when they
// disappoint.
package judges

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const patience = 2 * time.Minute

// tool finds a program, or fails the test with the line that installs it.
func tool(t testing.TB, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: %s", name, install)
	}
	return path
}

// run gives both outputs of a program together and its exit code.
func run(t testing.TB, input []byte, name string, args ...string) (words string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "NO_COLOR=1", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%s did not end within %s:\n%s", filepath.Base(name), patience, out)
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	case err != nil:
		t.Fatalf("%s: %v", filepath.Base(name), err)
	}
	return string(out), 0
}

func wantRefused(t testing.TB, judge, words string, accepted bool, because string) {
	t.Helper()
	if accepted {
		t.Errorf("%s accepts it:\n%s", judge, words)
	} else if !strings.Contains(words, because) {
		t.Errorf("%s refuses it, but does not say %q:\n%s", judge, because, words)
	}
}

// PDFSig wants poppler's pdfsig to call the one signature of file valid, whole and trusted under rootPEM.
func PDFSig(t testing.TB, file, rootPEM string) {
	t.Helper()
	if words, ok := askPDFSig(t, file, rootPEM); !ok {
		t.Errorf("pdfsig does not accept %s:\n%s", filepath.Base(file), words)
	}
}

// PDFSigSeal wants pdfsig to call the seal of file valid and trusted where revisions came after it. pdfsig knows no
// document time-stamps and does not judge them.
func PDFSigSeal(t testing.TB, file, rootPEM string) {
	t.Helper()
	words, _ := askPDFSig(t, file, rootPEM)
	seal, others, _ := strings.Cut(words, "Signature #2:")
	if !soundInPDFSig(seal) || strings.Count(others, "Signature Validation:") != strings.Count(others, "Signature Type: unknown") {
		t.Errorf("pdfsig does not accept the seal of %s:\n%s", filepath.Base(file), words)
	}
}

func soundInPDFSig(words string) bool {
	return strings.Contains(words, "Signature Validation: Signature is Valid.") &&
		strings.Contains(words, "Certificate Validation: Certificate is Trusted.")
}

// RefusedByPDFSig wants pdfsig to find fault with the signature of file or with its certificate.
func RefusedByPDFSig(t testing.TB, file, rootPEM, because string) {
	t.Helper()
	words, ok := askPDFSig(t, file, rootPEM)
	wantRefused(t, "pdfsig", words, ok, because)
}

// askPDFSig reads pdfsig's words: its exit code is 0 whatever it finds.
func askPDFSig(t testing.TB, file, rootPEM string) (words string, ok bool) {
	t.Helper()
	pdfsig := tool(t, "pdfsig", "apt-get install poppler-utils")
	certutil := tool(t, "certutil", "apt-get install libnss3-tools")
	db := t.TempDir()
	if words, code := run(t, nil, certutil, "-N", "-d", "sql:"+db, "--empty-password"); code != 0 {
		t.Fatalf("certutil: %s", words)
	}
	if words, code := run(t, nil, certutil, "-A", "-d", "sql:"+db, "-n", "root", "-t", "C,C,C", "-i", rootPEM); code != 0 {
		t.Fatalf("certutil: %s", words)
	}
	words, _ = run(t, nil, pdfsig, "-nssdir", db, file)
	return words, strings.Count(words, "Signature #") == 1 && soundInPDFSig(words) &&
		strings.Contains(words, "Total document signed")
}

// QPDF wants qpdf --check to find the file without error and without warning.
func QPDF(t testing.TB, file string) {
	t.Helper()
	words, code := run(t, nil, tool(t, "qpdf", "apt-get install qpdf"), "--check", file)
	if code != 0 {
		t.Errorf("qpdf --check gives %d on %s:\n%s", code, filepath.Base(file), words)
	}
}

// Text returns the words of file as a reader copies them (pdftotext).
func Text(t testing.TB, file string) string {
	t.Helper()
	words, code := run(t, nil, tool(t, "pdftotext", "apt-get install poppler-utils"), "-raw", file, "-")
	if code != 0 {
		t.Fatalf("pdftotext gives %d on %s:\n%s", code, filepath.Base(file), words)
	}
	return words
}

// Options says how pyHanko judges.
type Options struct {
	// Stamped wants a time-stamp of the signature that is intact and trusted.
	Stamped bool
	// Offline asks no OCSP or CRL server; documents of levels B-B and B-T are then judged without revocation.
	Offline bool
	// Extended wants evidence or document time-stamps after the seal and nothing else; otherwise nothing may come after it.
	Extended bool
}

// PyHanko wants pyHanko to accept the signature of file under rootPEM, asking the certificates' OCSP and CRL servers.
func PyHanko(t testing.TB, file, rootPEM string, o Options) {
	t.Helper()
	if words, ok := askPyHanko(t, file, rootPEM, o); !ok {
		t.Errorf("pyHanko does not accept %s:\n%s", filepath.Base(file), words)
	}
}

// RefusedByPyHanko wants pyHanko to find fault.
func RefusedByPyHanko(t testing.TB, file, rootPEM string, o Options, because string) {
	t.Helper()
	words, ok := askPyHanko(t, file, rootPEM, o)
	wantRefused(t, "pyHanko", words, ok, because)
}

func askPyHanko(t testing.TB, file, rootPEM string, o Options) (words string, ok bool) {
	t.Helper()
	args := []string{"sign", "validate", "--trust", rootPEM, "--trust-replace"}
	if o.Offline {
		args = append(args, "--no-revocation-check")
	} else {
		args = append(args, "--force-revinfo")
	}
	words, code := run(t, nil, PyHankoPath(t), append(args, file)...)
	// One line per signature, such as "Signature 1:…:INTACT:TRUSTED,TIMESTAMP_TOKEN<INTACT:TRUSTED>,UNTOUCHED". The exit
	// code alone is not enough: a bad time-stamp beside a good signature is easily overlooked.
	after := ",UNTOUCHED"
	if o.Extended {
		after = ",EXTENDED_WITH_LTA_UPDATES,ACCEPTABLE_MODIFICATIONS"
	}
	ok = code == 0 && strings.Count(words, "INTACT:TRUSTED") == 1+strings.Count(words, "TIMESTAMP_TOKEN<") && strings.Contains(words, after)
	if o.Stamped {
		ok = ok && strings.Contains(words, "TIMESTAMP_TOKEN<INTACT:TRUSTED>")
	}
	return words, ok
}

//go:embed lta.py
var ltaProgram []byte

// What lta.py says of an archived document.
const (
	ltaNow       = "now: AdESPassed.OK"
	ltaThen      = "in ten years: AdESPassed.OK"
	ltaThenFault = "in ten years: AdESIndeterminate.REVOCATION_OUT_OF_BOUNDS_NO_POE"
)

// PyHankoLTA wants pyHanko to pass file as long-term archived, with what is inside alone, now and ten years ahead.
func PyHankoLTA(t testing.TB, file, rootPEM string) {
	t.Helper()
	if words, ok := askPyHankoLTA(t, file, rootPEM); !ok {
		t.Errorf("pyHanko does not accept %s as archived:\n%s", filepath.Base(file), words)
	}
}

// PyHankoLTAByList wants the same of a document whose seal certificate names no OCSP responder, so that a revocation list
// is its evidence. pyHanko 0.38.0 does not find such a list when it looks ten years ahead, which is a fault of its own:
// lta.py says where it lies and can make it good. So pyHanko must fail in that one way by itself, and pass with the one
// fault made good. When it passes by itself, PyHankoLTA will do.
func PyHankoLTAByList(t testing.TB, file, rootPEM string) {
	t.Helper()
	words, _ := askPyHankoLTA(t, file, rootPEM)
	if !strings.Contains(words, ltaNow) || !strings.Contains(words, ltaThenFault) {
		t.Errorf("pyHanko by itself does not say of %s what its known fault makes it say:\n%s", filepath.Base(file), words)
	}
	if words, ok := askPyHankoLTA(t, file, rootPEM, "find-lists"); !ok {
		t.Errorf("pyHanko, its fault made good, does not accept %s as archived:\n%s", filepath.Base(file), words)
	}
}

// RefusedByPyHankoLTA wants pyHanko to find fault.
func RefusedByPyHankoLTA(t testing.TB, file, rootPEM, because string) {
	t.Helper()
	words, ok := askPyHankoLTA(t, file, rootPEM)
	wantRefused(t, "pyHanko", words, ok, because)
}

func askPyHankoLTA(t testing.TB, file, rootPEM string, aids ...string) (words string, ok bool) {
	t.Helper()
	python := filepath.Join(filepath.Dir(PyHankoPath(t)), "python")
	words, code := run(t, ltaProgram, python, append([]string{"-", rootPEM, file}, aids...)...)
	return words, code == 0 && strings.Contains(words, ltaNow) && strings.Contains(words, ltaThen)
}

// PyHankoPath is the path of the pyhanko command in the repository's .cache/venv.
func PyHankoPath(t testing.TB) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "..", "..", ".cache", "venv", "bin", "pyhanko")
	if _, err := os.Stat(path); err != nil {
		t.Fatal("pyHanko is missing: make tools (python3 -m venv .cache/venv && .cache/venv/bin/pip install -r internal/judges/requirements.txt)")
	}
	return path
}

// OpenSSL wants openssl to verify a detached CMS signature over content, and its certificate under rootPEM.
func OpenSSL(t testing.TB, cms, content []byte, rootPEM string) {
	t.Helper()
	if words, ok := askOpenSSL(t, cms, content, rootPEM); !ok {
		t.Errorf("openssl cms -verify refuses:\n%s", words)
	}
}

func askOpenSSL(t testing.TB, cms, content []byte, rootPEM string) (words string, ok bool) {
	t.Helper()
	openssl := tool(t, "openssl", "apt-get install openssl")
	dir := t.TempDir()
	for name, body := range map[string][]byte{"cms.der": cms, "content": content} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// -cades makes openssl compare the signing-certificate-v2 attribute with the signer.
	words, code := run(t, nil, openssl, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "cms.der"),
		"-content", filepath.Join(dir, "content"), "-CAfile", rootPEM, "-purpose", "any", "-out", os.DevNull)
	return words, code == 0
}

// OpenSSLTimestamp wants openssl to verify a time-stamp token over data under rootPEM.
func OpenSSLTimestamp(t testing.TB, token, data []byte, rootPEM string) {
	t.Helper()
	openssl := tool(t, "openssl", "apt-get install openssl")
	dir := t.TempDir()
	for name, body := range map[string][]byte{"token": token, "data": data} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	words, code := run(t, nil, openssl, "ts", "-verify", "-token_in", "-in", filepath.Join(dir, "token"), "-data", filepath.Join(dir, "data"), "-CAfile", rootPEM)
	if code != 0 || !strings.Contains(words, "Verification: OK") {
		t.Errorf("openssl ts -verify refuses:\n%s", words)
	}
}

// ASN1 gives openssl's reading of a DER structure, for tests that look for or miss an attribute by its name.
func ASN1(t testing.TB, der []byte) string {
	t.Helper()
	words, code := run(t, pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: der}), tool(t, "openssl", "apt-get install openssl"), "asn1parse", "-inform", "PEM")
	if code != 0 {
		t.Fatalf("openssl asn1parse: %s", words)
	}
	return words
}
