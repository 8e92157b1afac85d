package verification

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"segell/ledger"
	"segell/pages"
)

// counter is a source of randomness that makes one code, always the same.
type counter byte

func (c counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c) + byte(i)
	}
	return len(p), nil
}

func code(t *testing.T, seed byte) ledger.CSV {
	t.Helper()
	csv, err := ledger.NewCSV(counter(seed))
	if err != nil {
		t.Fatal(err)
	}
	return csv
}

// register is a Register in memory; it notes what it was asked.
type register struct {
	documents map[string]Status
	err       error
	wait      bool // until the context ends
	asked     []string
}

func (r *register) ByCSV(ctx context.Context, csv string) (Status, error) {
	r.asked = append(r.asked, csv)
	if r.wait {
		<-ctx.Done()
		return Status{}, fmt.Errorf("asking for %s: %w", csv, ctx.Err())
	}
	if r.err != nil {
		return Status{}, r.err
	}
	s, ok := r.documents[csv]
	if !ok {
		return Status{}, fmt.Errorf("reading the register: %w", ErrUnknown)
	}
	return s, nil
}

var andorra = func() *time.Location {
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		panic(err)
	}
	return zone
}()

const digest = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

func document() Status {
	return Status{
		Kind: "coverage_certificate", Number: "CASS-2026-COB-0001234", Language: "ca", State: StateIssued,
		MaskedHolder: "M. C. P. C. •••••0A", IssuedAt: time.Date(2026, 3, 2, 8, 14, 5, 0, time.UTC),
		ValidUntil: "2026-06-02", Pages: 1, SHA256: digest,
	}
}

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, andorra)

// door is a handler with its register, clock and log.
type door struct {
	http.Handler
	register *register
	now      time.Time
	log      bytes.Buffer
}

func open(t *testing.T, change ...func(*Config)) *door {
	t.Helper()
	d := &door{register: &register{documents: map[string]Status{}}, now: noon}
	c := Config{Register: d.register, Now: func() time.Time { return d.now }, Log: slog.New(slog.NewTextHandler(&d.log, nil))}
	for _, change := range change {
		change(&c)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	d.Handler = h
	return d
}

func (d *door) get(path string, header ...string) *httptest.ResponseRecorder {
	return d.do(http.MethodGet, path, header...)
}

func (d *door) do(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// page is a parsed answer.
type page struct{ root *html.Node }

func parse(t *testing.T, w *httptest.ResponseRecorder) page {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("Content-Type %q, want a page; body %.200s", got, w.Body)
	}
	root, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{root}
}

func (p page) all(match func(*html.Node) bool) (found []*html.Node) {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			found = append(found, n)
		}
	}
	return found
}

func (p page) tags(name string) []*html.Node {
	return p.all(func(n *html.Node) bool { return n.Data == name })
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			out.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func (p page) text() string { return text(p.root) }

// row gives the value beside a label; "" when the page has no such label.
func (p page) row(label string) string {
	for _, dt := range p.tags("dt") {
		if text(dt) == label {
			for n := dt.NextSibling; n != nil; n = n.NextSibling {
				if n.Data == "dd" {
					return text(n)
				}
			}
		}
	}
	return ""
}

// cases are all statuses: how they come about, and what is answered.
var cases = []struct {
	answer  string
	inForce bool
	status  int
	change  func(*door, *Status)
}{
	{answerValid, true, 200, func(*door, *Status) {}},
	{answerExpired, false, 200, func(d *door, s *Status) { s.ValidUntil = "2026-03-31" }},
	{answerWithdrawn, false, 200, func(d *door, s *Status) {
		s.State, s.Withdrawn = StateWithdrawn, time.Date(2026, 3, 9, 23, 30, 0, 0, time.UTC)
	}},
	{answerReplaced, false, 200, func(d *door, s *Status) {
		s.State, s.Withdrawn, s.ReplacedBy = StateReplaced, time.Date(2026, 3, 9, 23, 30, 0, 0, time.UTC), "CASS-2026-COB-0005678"
	}},
	{answerErased, false, 200, func(d *door, s *Status) { s.State = StateErased }},
	{answerNotFound, false, 404, func(d *door, s *Status) { d.register.err = fmt.Errorf("reading: %w", ErrUnknown) }},
	{answerUnavailable, false, 503, func(d *door, s *Status) { d.register.err = fmt.Errorf("reading: %w", ErrUnavailable) }},
	{answerMalformed, false, 404, nil},
}

func TestEveryStatusInEveryLanguage(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases {
		seen[c.answer] = true
		for _, lang := range pages.Languages {
			t.Run(c.answer+"/"+lang, func(t *testing.T) {
				d := open(t)
				csv, path := code(t, 7), ""
				if c.change == nil {
					path = "/v/7K3M-9QX2"
				} else {
					s := document()
					c.change(d, &s)
					d.register.documents[string(csv)] = s
					path = "/v/" + string(csv)
				}
				w := d.get(path, "Accept-Language", lang)
				if w.Code != c.status {
					t.Errorf("status %d, want %d", w.Code, c.status)
				}
				if got := w.Header().Get("Content-Language"); got != lang {
					t.Errorf("Content-Language %q, want %q", got, lang)
				}
				words := readFile(t, lang)
				p := parse(t, w)
				if got := attr(p.tags("html")[0], "lang"); got != lang {
					t.Errorf("lang=%q, want %q", got, lang)
				}
				headings := p.tags("h1")
				if len(headings) != 1 || text(headings[0]) != words.Answers[c.answer].Title {
					t.Errorf("headings %d, want one: %q", len(headings), words.Answers[c.answer].Title)
				}
				if left := p.text(); strings.ContainsAny(left, "{}") {
					t.Errorf("a value was not put in: %s", left)
				}
				if len(p.tags("script"))+len(p.tags("style"))+len(p.all(func(n *html.Node) bool { return attr(n, "style") != "" })) > 0 {
					t.Error("the page has a script or style of its own, which its policy forbids")
				}
				if got := p.row(words.Labels.Number); known(c.answer) != (got == "CASS-2026-COB-0001234") {
					t.Errorf("document number %q", got)
				}
				if c.answer == answerUnavailable && w.Header().Get("Retry-After") != "30" {
					t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
				}
			})
		}
	}
	for answer := range httpStatus {
		if !seen[answer] {
			t.Errorf("no case for %q", answer)
		}
	}
}

func readFile(t *testing.T, lang string) *words {
	t.Helper()
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	return all[lang]
}

func TestPageOfAValidDocument(t *testing.T) {
	for lang, want := range map[string][2]string{
		"ca": {"2 de març del 2026", "2 de juny del 2026"},
		"es": {"2 de marzo de 2026", "2 de junio de 2026"},
		"fr": {"2 mars 2026", "2 juin 2026"},
		"pt": {"2 de março de 2026", "2 de junho de 2026"},
		"en": {"2 March 2026", "2 June 2026"},
	} {
		d, csv := open(t), code(t, 1)
		d.register.documents[string(csv)] = document()
		p := parse(t, d.get("/v/"+string(csv)+"?lang="+lang))
		l := readFile(t, lang)
		kind := kindTitle("coverage_certificate", lang)
		if lang != "ca" {
			kind += " Certificat de cobertura sanitària"
		}
		for label, want := range map[string]string{
			l.Labels.Kind:       kind,
			l.Labels.Issued:     want[0],
			l.Labels.ValidUntil: want[1],
			l.Labels.InForce:    l.Labels.Yes,
			l.Labels.Holder:     "M. C. P. C. •••••0A " + l.Labels.HolderHidden,
			l.Labels.Pages:      "1",
			l.Labels.Language:   l.DocumentIn["ca"],
			l.Labels.CSV:        csv.Grouped(),
		} {
			if got := p.row(label); got != want {
				t.Errorf("%s: %s: %q, want %q", lang, label, got, want)
			}
		}
		for _, want := range []string{l.Compare.Text, l.Proves.Items[1], "5f70bf18 a0860070"} {
			if !strings.Contains(p.text(), want) {
				t.Errorf("%s: %q is missing", lang, want)
			}
		}
	}
}

func TestFirstDayOfAMonthInFrench(t *testing.T) {
	if got := readFile(t, "fr").date(time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)); got != "1er août 2026" {
		t.Errorf("%q", got)
	}
}

func TestTheLastDayOfValidityCountsWholeInAndorra(t *testing.T) {
	for _, c := range []struct {
		now  string
		want string
	}{
		{"2026-06-02T21:59:59Z", answerValid}, // 23:59:59 in Andorra, summer time
		{"2026-06-02T22:00:00Z", answerExpired},
		{"2026-06-02T00:00:00+02:00", answerValid},
		{"2026-06-03T05:00:00+09:00", answerValid}, // the third in Tokyo, still the second in Andorra
	} {
		d, csv := open(t), code(t, 2)
		d.register.documents[string(csv)] = document()
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		d.now = now
		if got := decode(t, d.get("/v/"+string(csv), "Accept", "application/json"))["status"]; got != c.want {
			t.Errorf("at %s: %v, want %s", c.now, got, c.want)
		}
	}
}

func TestADocumentWithoutEndStaysValid(t *testing.T) {
	d, csv := open(t), code(t, 3)
	s := document()
	s.ValidUntil = ""
	d.register.documents[string(csv)] = s
	d.now = noon.AddDate(20, 0, 0)
	p := parse(t, d.get("/v/"+string(csv)))
	l := readFile(t, "ca")
	if got := p.row(l.Labels.ValidUntil); got != l.Labels.NoEnd {
		t.Errorf("valid until %q", got)
	}
	got := decode(t, d.get("/v/"+string(csv), "Accept", "application/json"))
	if _, has := got["valid_until"]; has || got["status"] != answerValid {
		t.Errorf("%v", got)
	}
}

func TestAWithdrawnDocumentStaysWithdrawnWhenItsTimeIsUp(t *testing.T) {
	d, csv := open(t), code(t, 3)
	s := document()
	s.State, s.Withdrawn = StateWithdrawn, time.Date(2026, 3, 9, 23, 30, 0, 0, time.UTC)
	d.register.documents[string(csv)] = s
	d.now = noon.AddDate(1, 0, 0)
	p := parse(t, d.get("/v/"+string(csv)))
	l := readFile(t, "ca")
	if got := p.row(l.Labels.Withdrawn); got != "10 de març del 2026" { // past midnight in Andorra
		t.Errorf("withdrawn on %q", got)
	}
	if got := p.row(l.Labels.InForce); got != l.Labels.No {
		t.Errorf("in force: %q", got)
	}
}

func TestWhatIsErasedIsNotShown(t *testing.T) {
	d, csv := open(t), code(t, 3)
	s := document()
	s.State = StateErased
	d.register.documents[string(csv)] = s
	for _, accept := range []string{"text/html", "application/json"} {
		body := d.get("/v/"+string(csv), "Accept", accept).Body.String()
		for _, gone := range []string{"•••••0A", digest[:8], "2 de juny", "2026-06-02"} {
			if strings.Contains(body, gone) {
				t.Errorf("%s: %q is still shown", accept, gone)
			}
		}
	}
}

func TestASandboxDocumentIsLoudlyWithoutValue(t *testing.T) {
	d, csv := open(t), code(t, 4)
	s := document()
	s.Proof = true
	d.register.documents[string(csv)] = s
	for _, lang := range pages.Languages {
		p := parse(t, d.get("/v/"+string(csv)+"?lang="+lang))
		l := readFile(t, lang)
		if strings.Contains(p.text(), l.Answers[answerValid].Title) {
			t.Errorf("%s: the page of a proof says %q", lang, l.Answers[answerValid].Title)
		}
		if !strings.Contains(p.text(), l.Proof.Title) {
			t.Errorf("%s: the page does not say %q", lang, l.Proof.Title)
		}
		if got := p.row(l.Labels.InForce); got != l.Labels.No+". "+l.Proof.Title {
			t.Errorf("%s: in force: %q", lang, got)
		}
	}
	got := decode(t, d.get("/v/"+string(csv), "Accept", "application/json"))
	if got["proof"] != true || got["in_force"] != false {
		t.Errorf("proof %v, in_force %v", got["proof"], got["in_force"])
	}
}

func decode(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Fatalf("Content-Type %q, want JSON", got)
	}
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryStatusAsJSON(t *testing.T) {
	for _, c := range cases {
		t.Run(c.answer, func(t *testing.T) {
			d, csv := open(t), code(t, 5)
			path := "/v/XX"
			if c.change != nil {
				s := document()
				c.change(d, &s)
				d.register.documents[string(csv)] = s
				path = "/v/" + string(csv)
			}
			w := d.get(path, "Accept", "application/json", "Accept-Language", "en")
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			got := decode(t, w)
			if got["status"] != c.answer || got["in_force"] != c.inForce || got["proof"] != false || got["checked_at"] != "2026-04-01T12:00:00+02:00" {
				t.Errorf("%v", got)
			}
			if _, has := got["number"]; has != known(c.answer) {
				t.Errorf("number: %v", got["number"])
			}
		})
	}
}

func TestJSONOfAReplacedDocument(t *testing.T) {
	d, csv := open(t), code(t, 5)
	s := document()
	s.State, s.ReplacedBy = StateReplaced, "CASS-2026-COB-0005678"
	s.Withdrawn = time.Date(2026, 3, 9, 23, 30, 0, 0, time.UTC)
	d.register.documents[string(csv)] = s
	got := decode(t, d.get("/v/"+string(csv), "Accept", "application/json", "Accept-Language", "en"))
	want := map[string]any{
		"status": "replaced", "in_force": false, "proof": false, "csv": csv.Grouped(),
		"kind": "coverage_certificate", "kind_title": "Health coverage certificate", "number": "CASS-2026-COB-0001234",
		"language": "ca", "issued_at": "2026-03-02T09:14:05+01:00", "valid_until": "2026-06-02", "pages": 1.0,
		"holder": "M. C. P. C. •••••0A", "withdrawn_at": "2026-03-10T00:30:00+01:00", "replaced_by": "CASS-2026-COB-0005678",
		"sha256": digest, "checked_at": "2026-04-01T12:00:00+02:00",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) { // maps print in the order of their keys
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// A copy from before a renewal of the seal is as good as one from after it.
func TestEveryVersionOfADocumentIsNamed(t *testing.T) {
	d, csv := open(t), code(t, 6)
	s := document()
	earlier := strings.Repeat("0a", 32)
	s.OtherSHA256 = []string{earlier}
	d.register.documents[string(csv)] = s
	got := decode(t, d.get("/v/"+string(csv), "Accept", "application/json"))
	if got["sha256"] != digest || fmt.Sprint(got["other_sha256"]) != "["+earlier+"]" {
		t.Errorf("%v and %v", got["sha256"], got["other_sha256"])
	}
	shown := strings.Join(strings.Fields(parse(t, d.get("/v/"+string(csv))).text()), "")
	if !strings.Contains(shown, digest) || !strings.Contains(shown, earlier) {
		t.Errorf("the page does not show both digests: %s", shown)
	}
	s.State = StateErased
	d.register.documents[string(csv)] = s
	if _, has := decode(t, d.get("/v/"+string(csv), "Accept", "application/json"))["other_sha256"]; has {
		t.Error("an erased document names its digests")
	}
}

func TestWantsJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                                  false,
		"*/*":                               false,
		"application/json":                  true,
		"application/json; charset=utf-8":   true,
		"text/html, application/json":       false,
		"text/html;q=0.8, application/json": true,
		"application/json;q=0":              false,
		"application/json;q=0.5, text/html": false,
		"application/json;q=x":              false,
		"text/html,application/xml;q=0.9,*/*;q=0.8": false,
		"nonsense;;,application/json":               true,
	} {
		if got := wantsJSON(accept); got != want {
			t.Errorf("%q: %v, want %v", accept, got, want)
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	d, csv := open(t), code(t, 6)
	d.register.documents[string(csv)] = document()
	for _, path := range []string{"/v", "/v/", "/v/" + string(csv), "/v/" + csv.Grouped(), "/v/nonsense", "/v/assets/none.css", "/v?csv=" + string(csv)} {
		for _, accept := range []string{"text/html", "application/json"} {
			h := d.get(path, "Accept", accept).Header()
			for name, want := range map[string]string{
				"Cache-Control":          "no-store",
				"Referrer-Policy":        "no-referrer",
				"X-Content-Type-Options": "nosniff",
				"X-Robots-Tag":           "noindex, nofollow",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s: %s: %q, want %q", path, name, got, want)
				}
			}
			policy := h.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("%s: the policy lacks %s: %q", path, want, policy)
				}
			}
			if strings.Contains(policy, "unsafe") {
				t.Errorf("%s: %q", path, policy)
			}
			if h.Get("Set-Cookie") != "" {
				t.Errorf("%s: sets a cookie", path)
			}
		}
	}
}

func TestCodesAreLedToTheirCanonicalAddress(t *testing.T) {
	d, csv := open(t), code(t, 32) // has 1 and 0, to be typed as letters
	d.register.documents[string(csv)] = document()
	if !strings.Contains(string(csv), "1") || !strings.Contains(string(csv), "0") {
		t.Fatalf("%s has no 1 or no 0", csv)
	}
	alike := strings.NewReplacer("0", "O", "1", "l")
	for _, typed := range []string{
		csv.Grouped(), strings.ToLower(string(csv)), strings.ReplaceAll(csv.Grouped(), "-", " "),
		alike.Replace(string(csv)), strings.ReplaceAll(string(csv), "1", "i"), "  " + csv.Grouped() + " ",
	} {
		w := d.get("/v/" + url.PathEscape(typed) + "?lang=fr&other=x")
		if got := w.Header().Get("Location"); w.Code != http.StatusPermanentRedirect || got != "/v/"+string(csv)+"?lang=fr" {
			t.Errorf("%q: %d to %q", typed, w.Code, got)
		}
		w = d.get("/v?csv=" + url.QueryEscape(typed))
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/v/"+string(csv) {
			t.Errorf("form %q: %d to %q", typed, w.Code, got)
		}
	}
	if len(d.register.asked) > 0 {
		t.Errorf("the register was asked before the redirect: %d times", len(d.register.asked))
	}
	if w := d.get("/v/" + string(csv)); w.Code != 200 || len(d.register.asked) != 1 || d.register.asked[0] != string(csv) {
		t.Errorf("%d; asked %v", w.Code, d.register.asked)
	}
}

func TestAMistypedCodeNeverReachesTheRegister(t *testing.T) {
	d := open(t)
	good := string(code(t, 9))
	wrong := []string{"U" + good[1:], good[:21], good + "0", "a/b/c", "<script>alert(1)</script>", strings.Repeat("A", 5000), "☃", "assets/x/y"}
	for i := range good { // every single wrong digit
		for _, r := range "0Z" {
			if rune(good[i]) != r {
				wrong = append(wrong, good[:i]+string(r)+good[i+1:])
			}
		}
	}
	for _, typed := range wrong {
		for _, path := range []string{"/v/" + (&url.URL{Path: typed}).EscapedPath(), "/v?csv=" + url.QueryEscape(typed)} {
			w := d.get(path)
			if w.Code != http.StatusNotFound {
				t.Errorf("%.60q: status %d", typed, w.Code)
				continue
			}
			p := parse(t, w)
			if !strings.Contains(p.text(), "El codi no està ben escrit") {
				t.Errorf("%.60q: the page does not say so", typed)
			}
			if len(p.tags("script")) > 0 {
				t.Errorf("%.60q: not escaped", typed)
			}
			field := p.all(func(n *html.Node) bool { return attr(n, "name") == "csv" })[0]
			if attr(field, "aria-invalid") != "true" || !strings.Contains(attr(field, "aria-describedby"), "fault") {
				t.Errorf("%.60q: the field is not marked as being at fault", typed)
			}
		}
	}
	if len(d.register.asked) > 0 {
		t.Errorf("the register was asked for %v", d.register.asked)
	}
}

func TestOnlyWhatCouldBeACodeIsEchoed(t *testing.T) {
	for typed, want := range map[string]string{
		"7k3m 9qx2-tr":                      "7K3M-9QX2-TR",
		"ring 555 0100 now":                 "RING-5550-100N-OW",
		"<b>":                               "",
		`" onfocus="x`:                      "",
		"truqueu al número":                 "",
		strings.Repeat("A", 33):             "",
		"7K3M-9QX2-TR4D-V8HC-W1YE-5P extra": "7K3M-9QX2-TR4D-V8HC-W1YE-5PEX-TRA",
	} {
		if got := echo(typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

func TestValuesAreEscaped(t *testing.T) {
	d, csv := open(t, func(c *Config) { c.Institution = `<i>"CASS" & fills</i>` }), code(t, 10)
	s := document()
	s.MaskedHolder, s.Number, s.Kind = `<img src=x onerror=alert(1)>`, `"><script>1</script>`, `</dd><b>`
	d.register.documents[string(csv)] = s
	p := parse(t, d.get("/v/"+string(csv)))
	if n := len(p.tags("script")) + len(p.tags("b")) + len(p.tags("i")); n > 0 || len(p.tags("img")) != 1 {
		t.Errorf("%d elements came out of values", n)
	}
	if !strings.Contains(p.text(), `<img src=x onerror=alert(1)>`) {
		t.Error("the value itself is not shown")
	}
}

func TestOnlyGetAndHead(t *testing.T) {
	d, csv := open(t), code(t, 11)
	d.register.documents[string(csv)] = document()
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		for _, path := range []string{"/v", "/v/", "/v/" + string(csv)} {
			w := d.do(method, path)
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
	if len(d.register.asked) > 0 {
		t.Error("the register was asked")
	}
	if w := d.do("HEAD", "/v/"+string(csv)); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestTheForm(t *testing.T) {
	d := open(t)
	for _, path := range []string{"/v", "/v/", "/v?csv=", "/v?csv=+++", "/v/?lang=es"} {
		w := d.get(path, "Accept-Language", "es-AD,es;q=0.9")
		if w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
		p := parse(t, w)
		form := p.tags("form")
		if len(form) != 1 || attr(form[0], "method") != "get" || attr(form[0], "action") != "/v" {
			t.Fatalf("%s: %d forms", path, len(form))
		}
		label, field := p.tags("label"), p.tags("input")
		if attr(label[0], "for") != attr(field[0], "id") || text(label[0]) != "Código seguro de verificación (CSV)" {
			t.Errorf("%s: label %q", path, text(label[0]))
		}
		if keeps := len(field) == 2; keeps != strings.Contains(path, "lang=") {
			t.Errorf("%s: keeps the language: %v", path, keeps)
		}
	}
}

func TestChoiceOfLanguage(t *testing.T) {
	d := open(t)
	for _, c := range []struct{ query, accept, want string }{
		{"", "", "ca"},
		{"", "de", "ca"},
		{"", "de, en-US;q=0.7", "en"},
		{"", "pt-BR", "pt"},
		{"", "fr-FR,fr;q=0.9,en;q=0.8", "fr"},
		{"", "en;q=0.1, es;q=0.9", "es"},
		{"", "nonsense;;q=", "ca"},
		{"?lang=pt", "fr", "pt"},
		{"?lang=xx", "fr", "fr"},
		{"?lang=%3Cscript%3E", "en", "en"},
	} {
		w := d.get("/v"+c.query, "Accept-Language", c.accept)
		if got := attr(parse(t, w).tags("html")[0], "lang"); got != c.want {
			t.Errorf("%s, %q: %s, want %s", c.query, c.accept, got, c.want)
		}
		if got := w.Header().Get("Vary"); got != "Accept, Accept-Language" {
			t.Errorf("Vary %q", got)
		}
	}
}

func TestLanguageLinksLeadToTheSamePage(t *testing.T) {
	d, csv := open(t), code(t, 12)
	d.register.documents[string(csv)] = document()
	for _, path := range []string{"/v", "/v/" + string(csv), "/v/7K3M-9QX2"} {
		p := parse(t, d.get(path))
		links := p.all(func(n *html.Node) bool { return attr(n, "hreflang") != "" })
		if len(links) != len(pages.Languages) {
			t.Fatalf("%s: %d links", path, len(links))
		}
		here := text(p.tags("h1")[0])
		for i, link := range links {
			if attr(link, "lang") != pages.Languages[i] || (attr(link, "aria-current") == "true") != (i == 0) {
				t.Errorf("%s: link %d: %v", path, i, link.Attr)
			}
			there := parse(t, d.get(attr(link, "href")))
			if got := attr(there.tags("html")[0], "lang"); got != pages.Languages[i] {
				t.Errorf("%s leads to %s in %s", path, attr(link, "href"), got)
			}
			if i == 0 && text(there.tags("h1")[0]) != here {
				t.Errorf("%s leads to another page, %s", path, attr(link, "href"))
			}
		}
	}
}

func TestAssetsAreServedAndKept(t *testing.T) {
	png := []byte("\x89PNG\r\n\x1a\n and so on")
	d := open(t, func(c *Config) { c.Logo = png })
	p := parse(t, d.get("/v"))
	var addresses []string
	for _, n := range p.tags("link") {
		addresses = append(addresses, attr(n, "href"))
	}
	logo := attr(p.tags("img")[0], "src")
	for i, want := range []string{"text/css; charset=utf-8", "image/svg+xml", "image/png"} {
		path := append(addresses, logo)[i]
		w := d.get(path)
		if w.Code != 200 || w.Header().Get("Content-Type") != want || w.Body.Len() == 0 {
			t.Errorf("%s: %d, %q", path, w.Code, w.Header().Get("Content-Type"))
		}
		if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
	}
	if !bytes.Equal(d.get(logo).Body.Bytes(), png) {
		t.Error("the logo is not the one given")
	}
	if _, err := New(Config{Register: d.register, Logo: []byte("GIF89a")}); err == nil {
		t.Error("a GIF was taken for a logo")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a handler without a register was made")
	}
}

func TestWhatCannotBeReadIsNeverCalledValid(t *testing.T) {
	for name, change := range map[string]func(*door, *Status){
		"a state of tomorrow": func(d *door, s *Status) { s.State = "suspended" },
		"no state":            func(d *door, s *Status) { s.State = "" },
		"not a date":          func(d *door, s *Status) { s.ValidUntil = "02/06/2026" },
		"another error":       func(d *door, s *Status) { d.register.err = errors.New("decrypting: wrong key") },
		"a slow register":     func(d *door, s *Status) { d.register.wait = true },
	} {
		d, csv := open(t, func(c *Config) { c.Timeout = 20 * time.Millisecond; c.RetryAfter = 200 * time.Millisecond }), code(t, 13)
		s := document()
		change(d, &s)
		d.register.documents[string(csv)] = s
		w := d.get("/v/" + string(csv))
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: %d, Retry-After %q", name, w.Code, w.Header().Get("Retry-After"))
		}
		if !strings.Contains(d.log.String(), "level=ERROR") {
			t.Errorf("%s: nothing in the log", name)
		}
	}
}

func TestCodesAreNeverLogged(t *testing.T) {
	for _, err := range []error{ErrUnavailable, ErrUnknown, nil} {
		d, csv := open(t), code(t, 14)
		d.register.documents[string(csv)] = document()
		if err != nil {
			d.register.err = fmt.Errorf("asking for %s, also %s: %w", csv, csv.Grouped(), err)
		}
		for _, path := range []string{"/v/" + string(csv), "/v/" + csv.Grouped(), "/v?csv=" + string(csv), "/v/" + string(csv)[:21] + "?lang=en"} {
			d.get(path)
		}
		logged := d.log.String()
		if (err == ErrUnavailable) != strings.Contains(logged, "[code]") {
			t.Errorf("%v: logged %q", err, logged)
		}
		for _, secret := range []string{string(csv), csv.Grouped(), string(csv)[:21]} {
			if strings.Contains(logged, secret) {
				t.Errorf("%v: the code is in the log", err)
			}
		}
	}
}

func TestAReaderWhoHasGoneIsNoError(t *testing.T) {
	d, csv := open(t), code(t, 15)
	d.register.wait = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v/"+string(csv), nil).WithContext(ctx))
	if d.log.Len() > 0 {
		t.Errorf("logged %q", d.log.String())
	}
}
