package metadata

import (
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func TestXMPIsXML(t *testing.T) {
	d := Description{Title: `A < B & "C"`, Language: "ca", Author: "Ŀ", Subject: "]]>", Keywords: "'", Creator: "\uFFFD", Producer: "p", Created: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Part: 3}
	packet := string(d.AppendXMP(nil))
	x := xml.NewDecoder(strings.NewReader(packet))
	var text strings.Builder
	for {
		token, err := x.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := token.(xml.CharData); ok {
			text.Write(c)
		}
	}
	for _, want := range []string{d.Title, d.Author, d.Subject, "2026-03-02T00:00:00Z"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in the packet", want)
		}
	}
	if !strings.Contains(packet, "<pdfaid:part>3</pdfaid:part>") {
		t.Error("the part is not said")
	}
}

func TestEmptyTextsAreLeftOut(t *testing.T) {
	d := Description{Title: "t", Part: 2}
	if got := string(d.AppendInfo(nil)); got != "<</Title(t)>>" {
		t.Error(got)
	}
	if packet := string(d.AppendXMP(nil)); strings.Contains(packet, "dc:creator>") || strings.Contains(packet, "CreateDate") {
		t.Error("the packet has properties without a value")
	}
}

// The profile must say what IEC 61966-2-1 says, as ICC writes it.
func TestSRGB(t *testing.T) {
	if int(binary.BigEndian.Uint32(SRGB)) != len(SRGB) || len(SRGB) > 700 {
		t.Fatalf("%d bytes", len(SRGB))
	}
	tags := map[string][]byte{}
	for i := range int(binary.BigEndian.Uint32(SRGB[128:])) {
		e := SRGB[132+12*i:]
		at, size := binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[8:])
		tags[string(e[:4])] = SRGB[at : at+size]
	}
	value := func(tag string, i int) float64 {
		return float64(int32(binary.BigEndian.Uint32(tags[tag][8+4*i:]))) / 65536
	}
	// Colorants of sRGB adapted to D50 by Bradford, as widely published, to four places.
	for tag, want := range map[string][3]float64{"rXYZ": {0.4361, 0.2225, 0.0139}, "gXYZ": {0.3851, 0.7169, 0.0971}, "bXYZ": {0.1431, 0.0606, 0.7141}, "wtpt": {0.9642, 1, 0.8249}} {
		for i := range 3 {
			if got := value(tag, i); math.Abs(got-want[i]) > 0.0002 {
				t.Errorf("%s[%d] is %.4f, want %.4f", tag, i, got, want[i])
			}
		}
	}
	for i := range 3 { // the three together are white
		if sum := value("rXYZ", i) + value("gXYZ", i) + value("bXYZ", i); math.Abs(sum-value("wtpt", i)) > 4.0/65536 {
			t.Errorf("white[%d] is %.5f", i, sum)
		}
	}
	curve := func(i int) float64 {
		return float64(int32(binary.BigEndian.Uint32(tags["rTRC"][12+4*i:]))) / 65536
	}
	linear := func(v float64) float64 {
		if v < curve(4) {
			return curve(3) * v
		}
		return math.Pow(curve(1)*v+curve(2), curve(0))
	}
	for v, want := range map[float64]float64{0: 0, 0.02: 0.02 / 12.92, 0.5: 0.21404, 1: 1} {
		if got := linear(v); math.Abs(got-want) > 1e-4 {
			t.Errorf("%.2f is %.5f, want %.5f", v, got, want)
		}
	}
}
