package ledger

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCSVIsReadAsPeopleTypeIt(t *testing.T) {
	// Drawn from fixed bytes, so that a change of the algorithm, which would make
	// printed codes unreadable, cannot pass unnoticed.
	code, err := NewCSV(bytes.NewReader([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 255, 32}))
	if err != nil {
		t.Fatal(err)
	}
	if want := CSV("0123456789ABCDEFGHZ09E"); code != want {
		t.Fatalf("the code of fixed bytes changed: %s, printed documents have %s", code, want)
	}
	grouped := code.Grouped()
	if want := "0123-4567-89AB-CDEF-GHZ0-9E"; grouped != want {
		t.Errorf("grouped %q, want %q", grouped, want)
	}
	for _, typed := range []string{
		string(code), grouped, strings.ToLower(grouped), strings.ReplaceAll(grouped, "-", " "),
		strings.ReplaceAll(strings.ReplaceAll(grouped, "0", "o"), "1", "l"),
		strings.ReplaceAll(strings.ReplaceAll(grouped, "0", "O"), "1", "I"),
		" " + grouped + "\u00a0",
	} {
		if got, err := ParseCSV(typed); err != nil || got != code {
			t.Errorf("ParseCSV(%q) = %q, %v", typed, got, err)
		}
	}
}

func TestCSVNoticesTypingErrors(t *testing.T) {
	for range 20 {
		code, err := NewCSV(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(code) {
			for _, other := range csvAlphabet {
				wrong := []byte(code)
				if wrong[i] == byte(other) {
					continue
				}
				wrong[i] = byte(other)
				if got, err := ParseCSV(string(wrong)); !errors.Is(err, ErrCSVMalformed) {
					t.Fatalf("%s with digit %d wrong was read as %s, %v", code, i, got, err)
				}
			}
			for j := range i {
				wrong := []byte(code)
				wrong[i], wrong[j] = wrong[j], wrong[i]
				if string(wrong) == string(code) {
					continue
				}
				if got, err := ParseCSV(string(wrong)); !errors.Is(err, ErrCSVMalformed) {
					t.Fatalf("%s with digits %d and %d exchanged was read as %s, %v", code, i, j, got, err)
				}
			}
		}
	}
}

func TestCSVRefusesWhatIsNoCode(t *testing.T) {
	for _, typed := range []string{"", "-", "0", "0123-4567-89AB-CDEF-GHZ0-9", "0123456789ABCDEFGHZ09EE", "U123456789ABCDEFGHZ09E", "0123456789ABCDEFGHZ09!", "é", strings.Repeat("0", 1<<20), "\xff\xfe"} {
		if got, err := ParseCSV(typed); !errors.Is(err, ErrCSVMalformed) {
			t.Errorf("ParseCSV(%.40q) = %q, %v", typed, got, err)
		}
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add("0123-4567-89AB-CDEF-GHZ0-9E")
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := ParseCSV(typed)
		if err != nil {
			return
		}
		again, err := ParseCSV(code.Grouped())
		if err != nil || again != code {
			t.Fatalf("%q was read as %q, its print as %q, %v", typed, code, again, err)
		}
	})
}

func ExampleParseCSV() {
	code, err := ParseCSV("o123-4567-89ab-cdef-ghz0-9e")
	fmt.Println(code, err)
	_, err = ParseCSV("o123-4567-89ab-cdef-ghz0-9f")
	fmt.Println(err)
	// Output:
	// 0123456789ABCDEFGHZ09E <nil>
	// not a verification code: its last two characters do not fit the others
}
