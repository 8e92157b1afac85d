package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
	"time"

	"rsc.io/qr"

	"segell/internal/servers"
)

// The operator sets a second factor up with what an authenticator program makes of
// the address that is printed.
func TestASecondFactorByTheCommand(t *testing.T) {
	segell, err := built()
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, servers.RedisOptions{})
	env := os.Environ()
	for name, value := range h.settings {
		env = append(env, name+"="+value)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), segell, append([]string{"staff"}, args...)...)
		cmd.Env = append(env, "SEGELL_LANGUAGE=en")
		return cmd
	}
	if words, err := command("add", "maria", "--name", "Maria", "--role", "act", "--draw").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, words)
	}
	cmd := command("totp", "maria", "--json")
	var answer bytes.Buffer
	cmd.Stdout = &answer
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(stderr)
	first, err := said.ReadString('\n')
	secret := regexp.MustCompile(`[A-Z2-7]{32}`).FindString(first)
	if err != nil || secret == "" {
		t.Fatalf("it said %q, %v", first, err)
	}
	fmt.Fprintln(stdin, totp(t, secret, time.Now()))
	rest, _ := io.ReadAll(said)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, rest)
	}
	var account struct{ TOTP bool }
	if err := json.Unmarshal(answer.Bytes(), &account); err != nil || !account.TOTP {
		t.Errorf("%s, %v", answer.Bytes(), err)
	}
}

// totp is the code of RFC 6238 that an authenticator shows.
func totp(t *testing.T, text string, at time.Time) string {
	t.Helper()
	secret, err := base32.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha1.New, secret)
	binary.Write(h, binary.BigEndian, at.Unix()/30)
	sum := h.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&0xF:])&0x7FFFFFFF%1_000_000)
}

// A QR code for a terminal is black on white, with the quiet zone around it.
func TestAQRCodeForATerminal(t *testing.T) {
	code, err := qr.Encode("otpauth://totp/x", qr.M)
	if err != nil {
		t.Fatal(err)
	}
	rows := bytes.Split(bytes.TrimSuffix([]byte(blocks(code)), []byte("\n")), []byte("\n"))
	if want := (code.Size + 8 + 1) / 2; len(rows) != want {
		t.Fatalf("%d rows, want %d", len(rows), want)
	}
	for n, row := range rows {
		cells := []rune(string(bytes.TrimSuffix(bytes.TrimPrefix(row, []byte("\x1b[30;47m")), []byte("\x1b[0m"))))
		if len(cells) != code.Size+8 {
			t.Fatalf("row %d has %d cells", n, len(cells))
		}
		for x, cell := range cells {
			above, below := code.Black(x-4, 2*n-4), code.Black(x-4, 2*n-3)
			if want := map[[2]bool]rune{{true, true}: '█', {true, false}: '▀', {false, true}: '▄', {false, false}: ' '}[[2]bool{above, below}]; cell != want {
				t.Fatalf("cell %d of row %d is %q, not %q", x, n, cell, want)
			}
		}
	}
}

// Both languages have the same words, with the same blanks to fill.
func TestTheWordsOfAccounts(t *testing.T) {
	blank := regexp.MustCompile(`%[a-z]`)
	ca, en := accountWords["ca"], accountWords["en"]
	if missing := slices.DeleteFunc(slices.Sorted(maps.Keys(ca)), func(word string) bool { return en[word] != "" }); len(missing) > 0 || len(ca) != len(en) {
		t.Errorf("not in both: %v, %d and %d", missing, len(ca), len(en))
	}
	for word, text := range ca {
		if !slices.Equal(blank.FindAllString(text, -1), blank.FindAllString(en[word], -1)) {
			t.Errorf("%s: %q and %q", word, text, en[word])
		}
	}
}
