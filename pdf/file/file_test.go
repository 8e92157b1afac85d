package file

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		v        float64
		decimals int
		want     string
	}{
		{0, 2, "0"}, {1, 2, "1"}, {-1, 2, "-1"}, {0.5, 2, ".5"}, {-0.05, 2, "-.05"}, {12.345, 2, "12.35"}, {99.999, 2, "100"},
		{0.004, 2, "0"}, {-0.004, 2, "0"}, {0.00001, 5, ".00001"}, {1234567.8, 1, "1234567.8"}, {7, 0, "7"},
		{math.NaN(), 2, "0"}, {math.Inf(1), 2, "0"}, {1e300, 2, "0"},
	} {
		if got := string(AppendNumber(nil, c.v, c.decimals)); got != c.want {
			t.Errorf("%v to %d decimals: %q, want %q", c.v, c.decimals, got, c.want)
		}
	}
}

func TestTexts(t *testing.T) {
	for in, want := range map[string]string{
		"abc": "(abc)", "": "()", `a(b)\c`: `(a\(b\)\\c)`, "é": "<FEFF00E9>", "😀": "<FEFFD83DDE00>", "a\nb": "<FEFF0061000A0062>",
	} {
		if got := string(AppendText(nil, in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := string(AppendName(nil, "application/x y#")); got != "/application#2Fx#20y#23" {
		t.Error(got)
	}
}

func TestDates(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 30, 5, 9e8, time.UTC)
	if got := string(AppendDate(nil, at)); got != "(D:20260302093005Z)" {
		t.Error(got)
	}
	if got := string(AppendDate(nil, at.In(time.FixedZone("", -(3*3600+1800))))); got != "(D:20260302060005-03'30')" {
		t.Error(got)
	}
}

func TestDeflate(t *testing.T) {
	data := []byte(strings.Repeat("0 0 m 10 10 l S\n", 500))
	var first []byte
	for range 3 { // with a compressor that was used before
		packed := Deflate([]byte("head"), data, 6)
		if first == nil {
			first = packed
		}
		if !bytes.Equal(packed, first) || !bytes.HasPrefix(packed, []byte("head")) {
			t.Fatal("the same data came out differently")
		}
		z, err := zlib.NewReader(bytes.NewReader(packed[4:]))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, data) {
			t.Fatal("other data came back", err)
		}
	}
}

// Every entry of the table must lead to its object.
func TestTable(t *testing.T) {
	w := New(nil, 0)
	root := w.Object("<</Type/Catalog>>")
	info := w.Reserve()
	w.Object("[1]")
	w.Open(info)
	w.Bytes = append(w.Bytes, "<<>>"...)
	w.Close()
	w.Stream(w.Reserve(), "/A 1", []byte("data"))
	b := w.Finish(root, info)
	at := bytes.LastIndex(b, []byte("xref\n0 5\n"))
	if at < 0 {
		t.Fatalf("no table in %s", b)
	}
	for i := range 5 {
		line := string(b[at+9+20*i:][:20])
		if i == 0 {
			if line != "0000000000 65535 f \n" {
				t.Errorf("entry 0 is %q", line)
			}
			continue
		}
		var offset int
		if _, err := fmt.Sscanf(line, "%010d 00000 n \n", &offset); err != nil || !bytes.HasPrefix(b[offset:], []byte(fmt.Sprintf("%d 0 obj\n", i))) {
			t.Errorf("entry %d is %q (%v)", i, line, err)
		}
	}
	if !bytes.Contains(b, []byte(fmt.Sprintf("startxref\n%d\n%%%%EOF\n", at))) {
		t.Error("startxref does not lead to the table")
	}
}

func TestForgottenObjectIsAFaultOfTheProgram(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an object that was never written went unnoticed")
		}
	}()
	w := New(nil, 0)
	root := w.Object("<<>>")
	w.Reserve()
	w.Finish(root, root)
}
