package check

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"reflect"
	"testing"
)

func TestObjects(t *testing.T) {
	for in, want := range map[string]any{
		"null": nil, "true": true, "-12": -12, ".5": 0.5, "/A#20b": name("A b"), "(a\\(b\\)(c)\\r)": text("a(b)(c)\r"),
		"<48 65>": text("He"), "12 0 R": ref(12), "[1 2 0 R(x)]": array{1, ref(2), text("x")},
		"<</A 1/B<</C[]>>>>": dict{"A": 1, "B": dict{"C": array{}}},
	} {
		if got, err := (&lexer{b: []byte(in)}).value(0); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v (%v), want %#v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "<<", "[1", "(a", "<4", "<4>", "<4x>", "<</A 1/A 2>>", "<<1 2>>", "foo", ")", "1x", "/#4", string(bytes.Repeat([]byte("["), 100))} {
		if got, err := (&lexer{b: []byte(in)}).value(0); err == nil {
			t.Errorf("%s: %#v and no error", in, got)
		}
	}
}

// What is no file of ours is a violation, whatever it is.
func TestNoFile(t *testing.T) {
	for _, in := range []string{"", "%PDF-1.7\n%\xE2\xE3\xCF\xD3\n", "startxref\n0\n%%EOF", "%PDF-1.7\n%\xE2\xE3\xCF\xD3\nstartxref\n5\n%%EOF\n"} {
		var v Violation
		if err := File([]byte(in)); !errors.As(err, &v) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestPredictor(t *testing.T) {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write([]byte{2, 1, 1, 2, 0, 1, 2, 255, 0})
	_ = z.Close()
	s := stream{dict{"Filter": name("FlateDecode"), "DecodeParms": dict{"Predictor": 12, "Columns": 2}}, packed.Bytes()}
	if got, err := (&file{}).decode(s); err != nil || !bytes.Equal(got, []byte{1, 1, 1, 2, 0, 2}) {
		t.Errorf("%v %v", got, err)
	}
}

// small is a whole file around a page's content, a structure element and the resources of the page.
func small(content, element, resources string) []byte {
	objects := []string{
		"<</Type/Catalog/Pages 2 0 R/StructTreeRoot 5 0 R/Lang(ca)/Metadata 8 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/StructParents 0/Resources<<" + resources + ">>>>",
		fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", len(content), content),
		"<</Type/StructTreeRoot/K 6 0 R/ParentTree 7 0 R>>", "<</P 5 0 R/Pg 3 0 R" + element + ">>", "<</Nums[0[6 0 R]]>>",
		"<</Type/Metadata/Subtype/XML/Length 5>>\nstream\n<a/>  \nendstream",
	}
	b := []byte("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
	var table []byte
	for i, o := range objects {
		table = fmt.Appendf(table, "%010d 00000 n \n", len(b))
		b = fmt.Appendf(b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := len(b)
	b = fmt.Appendf(b, "xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R/ID[<00><00>]>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table, len(objects)+1, start)
	return b
}

func FuzzFile(f *testing.F) {
	f.Add("/P<</MCID 0>>BDC 0 0 9 9 re f EMC q BT /F 1 Tf [(a)-1(b)] TJ ET Q /G gs /I Do", "/S/Table/K[0<</Type/MCR/MCID 0>>]/A<</RowSpan 2>>", "/Font<</F<</Subtype/Type0>>>>/ExtGState<</G<</CA 1>>>>/XObject<</I 4 0 R>>")
	f.Add("/TD<</MCID 0>>BDC 1 0 0 1 0 0 cm EMC", "/S/Figure/Alt(x)/K 0", "")
	f.Add("", "/S/Document/K[7 0 R 6 0 R]", "/Font 6 0 R")
	f.Fuzz(func(t *testing.T, content, element, resources string) {
		_ = File(small(content, element, resources)) // must come back
	})
}
