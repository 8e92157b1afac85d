package layout

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// metadata is what the file says of itself. It never names a person.
type metadata struct {
	title, language, author string
	at                      time.Time
}

// finish rewrites what stock maroto wrote, object by object: header 1.7 with the
// binary comment, an Info dictionary and a catalog of ours (language, title
// shown), sorted resources, and a trailer with /ID, which sealing needs. The
// streams pass through untouched.
//
// It reads only the shape that gofpdf 1.4.3 writes and refuses every other, and
// a core font too: that is how maroto prints its own errors into a page.
func finish(raw []byte, m metadata) ([]byte, error) {
	objects, err := readObjects(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDrawing, err)
	}
	info, catalog := len(objects)-1, len(objects) // gofpdf writes them last, in this order
	for i, o := range objects {
		n := i + 1
		head := dictionary(o)
		switch {
		case bytes.Contains(head, []byte("/Subtype /Type1")):
			return nil, fmt.Errorf("%w: maroto printed an error into the page", ErrDrawing)
		case n == info:
			o = m.info()
		case n == catalog:
			if !bytes.Contains(o, []byte("/Type /Catalog")) {
				return nil, fmt.Errorf("%w: the last object is not the catalog", ErrDrawing)
			}
			o = []byte(fmt.Sprintf("<<\n/Type /Catalog\n/Version /1.7\n/Pages 1 0 R\n/Lang %s\n/ViewerPreferences <</DisplayDocTitle true>>\n>>", textString(m.language)))
		case bytes.Contains(head, []byte("/ProcSet")):
			o = sortResources(o)
		}
		objects[i] = o
	}

	var out bytes.Buffer
	out.Grow(len(raw) + 512)
	out.WriteString("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = out.Len()
		fmt.Fprintf(&out, "%d 0 obj\n", i+1)
		out.Write(o)
		out.WriteString("\nendobj\n")
	}
	sum := sha256.Sum256(out.Bytes())
	xref := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, off := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", off)
	}
	fmt.Fprintf(&out, "trailer\n<<\n/Size %d\n/Root %d 0 R\n/Info %d 0 R\n/ID [<%X> <%X>]\n>>\nstartxref\n%d\n%%%%EOF\n",
		len(objects)+1, catalog, info, sum[:16], sum[:16], xref)
	return out.Bytes(), nil
}

// readObjects returns the bodies of objects 1, 2, 3… by the cross-reference table.
func readObjects(raw []byte) ([][]byte, error) {
	tail := bytes.LastIndex(raw, []byte("startxref\n"))
	if tail < 0 {
		return nil, fmt.Errorf("no startxref")
	}
	xref, _, _ := strings.Cut(string(raw[tail+len("startxref\n"):]), "\n")
	at, err := strconv.Atoi(xref)
	if err != nil || at < 0 || at >= tail {
		return nil, fmt.Errorf("startxref points nowhere")
	}
	var count int
	if _, err := fmt.Sscanf(string(raw[at:min(at+40, len(raw))]), "xref\n0 %d\n", &count); err != nil || count < 4 {
		return nil, fmt.Errorf("no cross-reference table where startxref points")
	}
	rows := at + len("xref\n0 ") + len(strconv.Itoa(count)) + 1
	if rows+20*count > len(raw) {
		return nil, fmt.Errorf("the cross-reference table is cut")
	}
	offsets := make([]int, count) // [0] is the free entry
	for i := 1; i < count; i++ {
		if offsets[i], err = strconv.Atoi(string(raw[rows+20*i : rows+20*i+10])); err != nil || offsets[i] >= at {
			return nil, fmt.Errorf("object %d lies nowhere", i)
		}
	}
	ends := append(slices.Clone(offsets[1:]), at)
	slices.Sort(ends)
	objects := make([][]byte, count-1)
	for i := 1; i < count; i++ {
		next, _ := slices.BinarySearch(ends, offsets[i]+1)
		o, okHead := bytes.CutPrefix(raw[offsets[i]:ends[next]], []byte(strconv.Itoa(i)+" 0 obj\n"))
		o, okTail := bytes.CutSuffix(bytes.TrimRight(o, "\n"), []byte("endobj"))
		if !okHead || !okTail {
			return nil, fmt.Errorf("object %d is not where the cross-reference table says", i)
		}
		objects[i-1] = bytes.TrimRight(o, "\n")
	}
	return objects, nil
}

// dictionary is the part of an object before its stream.
func dictionary(o []byte) []byte {
	head, _, _ := bytes.Cut(o, []byte("stream"))
	return head
}

// sortResources orders the lines of the resource dictionary within their
// sub-dictionaries and drops repeated ones: an image that is drawn on several
// pages is listed once for each, under one name.
func sortResources(o []byte) []byte {
	var out, group []string
	flush := func() {
		slices.Sort(group)
		out = append(out, slices.Compact(group)...)
		group = nil
	}
	for l := range strings.SplitSeq(string(o), "\n") {
		if strings.HasPrefix(l, "/F") && !strings.HasPrefix(l, "/Font") || strings.HasPrefix(l, "/I") {
			group = append(group, l)
			continue
		}
		flush()
		out = append(out, l)
	}
	flush()
	return []byte(strings.Join(out, "\n"))
}

func (m metadata) info() []byte {
	at := textString(pdfTime(m.at))
	return fmt.Appendf(nil, "<<\n/Title %s\n/Author %s\n/Creator %s\n/Producer %s\n/CreationDate %s\n/ModDate %s\n>>",
		textString(m.title), textString(m.author), textString("Segell"), textString("Segell"), at, at)
}

// pdfTime writes a time as ISO 32000-1 section 7.9.4 does: D:20260302091405+01'00'.
func pdfTime(t time.Time) string {
	zone := strings.Replace(t.Format("-07:00"), ":", "'", 1) + "'"
	return "D:" + t.Format("20060102150405") + zone
}

// textString writes a text string, ISO 32000-1 section 7.9.2.2: a literal where
// ASCII is enough, else UTF-16BE in hexadecimal.
func textString(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			ascii = false
		}
	}
	if ascii {
		return "(" + strings.NewReplacer(`\`, `\\`, `(`, `\(`, `)`, `\)`).Replace(s) + ")"
	}
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	b.WriteString(">")
	return b.String()
}
