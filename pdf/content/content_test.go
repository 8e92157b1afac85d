package content

import (
	"math"
	"strings"
	"testing"
)

func TestStateIsSaidOnce(t *testing.T) {
	var s Stream
	s.Start()
	pen := Pen{Width: 2, Color: Color{255, 0, 0}, Dash: []float64{3, 1}}
	s.Line(pen, 0, 0, 10, 10)
	s.Line(pen, 0, 0, 10, 10)
	s.Save()
	s.Line(Pen{Width: 1}, 0, 0, 1, 1)
	s.Restore()
	s.Line(pen, 0, 0, 10, 10) // what it was before
	got := string(s.Bytes)
	if strings.Count(got, "1 0 0 RG") != 1 || strings.Count(got, "2 w") != 1 || strings.Count(got, "[3 1]0 d") != 1 {
		t.Error(got)
	}
}

func TestNesting(t *testing.T) {
	var s Stream
	s.Start()
	s.BeginMark("P", 0)
	s.BeginLine(0, 10, Color{}, 10, 20, 0)
	s.Show(1)
	s.Adjust(-10)
	s.Show(0x0D28)
	s.EndLine()
	s.BeginLine(0, 10, Color{}, 10, 8, 7)
	s.Show(2)
	s.EndLine()
	s.BeginArtifact("/Type/Layout")
	s.Line(Pen{Width: 1}, 0, 0, 1, 1)
	s.EndMark()
	want := "/P<</MCID 0>>BDC\nBT\n/F0 10 Tf\n10 20 Td\n[(\x00\x01)10(\\r\\()]TJ\n[(\x00\x07)]TJ\n0 -12 Td\n[(\x00\x02)]TJ\nET\nEMC\n" +
		"/Artifact<</Type/Layout>>BDC\n0 0 m\n1 1 l\nS\nEMC\n"
	if got := string(s.Bytes); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNumbersThatAreNone(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(-1), 1e7} {
		var s Stream
		s.Start()
		s.MoveTo(v, 0)
		if !s.Bad() {
			t.Errorf("%v went unnoticed", v)
		}
	}
}

func TestMatrices(t *testing.T) {
	quarter := Matrix{0, 1, -1, 0, 0, 0}
	if x, y := quarter.Then(Matrix{1, 0, 0, 1, 5, 0}).Apply(1, 0); x != 5 || y != 1 {
		t.Errorf("(%v, %v)", x, y)
	}
}
