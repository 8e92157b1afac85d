package press_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"segell/acts"
	"segell/internal/judges"
	"segell/internal/servers"
	"segell/pki"
	"segell/queue"
	"segell/samples"
	"segell/storage"
)

// canaries are values that name a person, planted in requests and looked for
// wherever they must not be, in every form in which a program might write them.
type canaries struct {
	values []string
	forms  map[[formHead]byte][]form // by how they begin: there are thousands
}

// form is what to look for, and what it would be.
type form struct{ text, kind string }

const formHead = 4 // bytes; no form is shorter

func (c *canaries) add(value string) {
	if slices.Contains(c.values, value) {
		return
	}
	c.values = append(c.values, value)
	if c.forms == nil {
		c.forms = map[[formHead]byte][]form{}
	}
	note := func(text, kind string) {
		head := [formHead]byte([]byte(text))
		c.forms[head] = append(c.forms[head], form{text, kind + " of " + value})
	}
	note(value, "UTF-8")
	units := utf16.Encode([]rune(value))
	var big, little []byte
	for _, u := range units {
		big, little = append(big, byte(u>>8), byte(u)), append(little, byte(u), byte(u>>8))
	}
	note(string(big), "UTF-16BE")
	note(string(little), "UTF-16LE")
	for kind, raw := range map[string][]byte{"UTF-8": []byte(value), "UTF-16BE": big} {
		note(hex.EncodeToString(raw), "hex of "+kind)
		note(strings.ToUpper(hex.EncodeToString(raw)), "hex of "+kind)
		// In base64 a value has three looks, by where in its text it begins; at both
		// ends a digit depends on what stands beside.
		for shift := range 3 {
			padded := append(make([]byte, shift), raw...)
			first, last := (shift*8+5)/6, len(padded)*8/6
			note(base64.StdEncoding.EncodeToString(padded)[first:last], "base64 of "+kind)
			note(base64.URLEncoding.EncodeToString(padded)[first:last], "base64 of "+kind)
		}
	}
	note(url.QueryEscape(value), "query")
	note(url.PathEscape(value), "path")
}

// in looks for canaries in data, and in what is deflated in it.
func (c *canaries) in(data []byte) (found []string) {
	for _, text := range append([][]byte{data}, inflated(data)...) {
		for i := 0; i+formHead <= len(text); i++ {
			for _, form := range c.forms[[formHead]byte(text[i:])] {
				if bytes.HasPrefix(text[i:], []byte(form.text)) && !slices.Contains(found, form.kind) {
					found = append(found, form.kind)
				}
			}
		}
	}
	return found
}

// inflated returns every zlib stream in data: those of a PDF, and any other.
func inflated(data []byte) (out [][]byte) {
	for i := 0; i+2 < len(data); i++ {
		if data[i] != 0x78 || (int(data[i])<<8|int(data[i+1]))%31 != 0 {
			continue
		}
		r, err := zlib.NewReader(bytes.NewReader(data[i:]))
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(io.LimitReader(r, 16<<20)) // chance beginnings break off
		if len(text) > 8 {
			out = append(out, text)
		}
	}
	return out
}

var (
	fullName = regexp.MustCompile(`("full_name": )"([^"]*)"`)
	cassLike = regexp.MustCompile(`("(?:cass_number|nia)": )"(\d{6})([A-Z])"`)
	passport = regexp.MustCompile(`"PP\d{7}"`)
	birth    = regexp.MustCompile(`"birth_date": "(\d{4})-(\d{2})-(\d{2})"`)
)

// plant puts canaries in place of the persons of a sample. The n-th sample gets
// its own; the same person stays the same.
func (c *canaries) plant(n int, body string) string {
	names := map[string]string{}
	body = fullName.ReplaceAllStringFunc(body, func(member string) string {
		was := fullName.FindStringSubmatch(member)[2]
		if names[was] == "" {
			mark := string([]byte{'a' + byte(n), 'a' + byte(len(names))})
			names[was] = "Canaria" + mark + " i Grocos" + mark + ", Alomina" + mark
			for _, word := range []string{"Canaria" + mark, "Grocos" + mark, "Alomina" + mark} {
				c.add(word)
			}
		}
		return `"full_name": "` + names[was] + `"`
	})
	numbers := map[string]string{}
	body = cassLike.ReplaceAllStringFunc(body, func(member string) string {
		parts := cassLike.FindStringSubmatch(member)
		was := parts[2] + parts[3]
		if numbers[was] == "" {
			numbers[was] = fmt.Sprintf("73%02d%02d%s", n, len(numbers), parts[3])
			c.add(numbers[was])
		}
		return parts[1] + `"` + numbers[was] + `"`
	})
	body = passport.ReplaceAllStringFunc(body, func(string) string {
		number := fmt.Sprintf("PP73%02d555", n)
		c.add(number)
		return `"` + number + `"`
	})
	for _, day := range birth.FindAllStringSubmatch(body, -1) {
		c.add(day[1] + "-" + day[2] + "-" + day[3])
		c.add(day[3] + "/" + day[2] + "/" + day[1])
	}
	return body
}

// The searcher finds what it is for: else an empty result would say nothing.
func TestCanariesAreFoundInEveryForm(t *testing.T) {
	var c canaries
	c.add("Canària")
	c.add("731234A")
	var deflated bytes.Buffer
	w := zlib.NewWriter(&deflated)
	if _, err := w.Write([]byte("<</ActualText (Canària)>>")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string]string{
		"text": "a=Canària b", "UTF-16": "\xfe\xff\x00C\x00a\x00n\x00\xe0\x00r\x00i\x00a", "hex": fmt.Sprintf("<%X>", "x731234Ax"),
		"base64, 0": base64.StdEncoding.EncodeToString([]byte("731234A and more")), "base64, 1": base64.StdEncoding.EncodeToString([]byte("x731234A and more")),
		"base64, 2": base64.URLEncoding.EncodeToString([]byte("xy731234A and more")), "query": "?name=Can%C3%A0ria&x", "deflated": "%PDF stream\n" + deflated.String() + "\nendstream",
	} {
		if len(c.in([]byte(data))) == 0 {
			t.Errorf("not found as %s", what)
		}
	}
	if found := c.in([]byte("Canaria 731234B Y2FuYXJp")); len(found) > 0 {
		t.Errorf("found what is not there: %v", found)
	}
}

// Nothing personal lies anywhere but in documents/: not while requests wait, not
// while their steps fail, not when they were given up, retried and issued.
// Looked at is everything that the process writes: its log, down to debug; every
// key of Redis and its append-only file; the page of metrics; the names, the
// metadata and the content of every object, what is deflated in it included.
func TestNothingPersonalOutsideDocuments(t *testing.T) {
	h := newHouseWith(t, servers.RedisOptions{AppendOnly: true}, slog.LevelDebug)
	var c canaries
	var ids, holders []string
	kinds := 0
	for s := range samples.All() {
		if s.Name != samples.Standard || s.Language != "ca" && !strings.HasPrefix(s.Language, "ca-es") {
			continue
		}
		before := len(c.values)
		body := c.plant(kinds, string(s.Body))
		kinds++
		if len(c.values) < before+4 {
			t.Fatalf("the sample of %s took no canaries", s.Kind)
		}
		status, id, answer := h.askFor(s.Kind, body, "Canariaxx-"+s.Kind)
		if status != http.StatusAccepted {
			t.Fatalf("%s: %d %s", s.Kind, status, answer)
		}
		ids, holders = append(ids, id), append(holders, c.values[before])
		// What is refused must not be repeated either.
		for _, bad := range []string{strings.Replace(body, `"full_name"`, `"full_nome"`, 1), strings.Replace(body, `"requested_by": "self"`, `"requested_by": "Canariaxx"`, 1), body[:len(body)/2]} {
			if status, _, answer := h.askFor(s.Kind, bad, "Canariaxx-bad-"+fmt.Sprint(len(bad), s.Kind)); status/100 != 4 {
				t.Fatalf("%s: %d %s", s.Kind, status, answer)
			}
		}
	}
	c.add("Canariaxx")
	if kinds != 11 {
		t.Fatalf("%d kinds were asked for", kinds)
	}
	h.nothingPersonal("accepted, before a worker came", &c)

	// The seal cannot be finished: work is kept for the next try.
	h.pki.Misbehave(pki.WrongImprint)
	stop := h.work()
	waitUntil(t, "a job to wait", func() bool {
		return slices.ContainsFunc(ids, func(id string) bool { return h.state(id) == "retrying" })
	})
	if count(t, h.bucket, "work/") == 0 {
		t.Error("no step kept what it made: nothing was looked at there")
	}
	h.nothingPersonal("waiting for a time-stamp", &c)
	stop()
	h.pki.Misbehave("")

	// The seal's certificate ends: every request is given up.
	leaf, err := h.pki.ShortLived(pki.P256, time.Now().Add(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	good := h.parts.Sealers
	h.parts.Sealers = h.sealer(leaf)
	time.Sleep(time.Until(leaf.Certificate.NotAfter) + 1100*time.Millisecond)
	stop = h.work()
	waitUntil(t, "the requests to be given up", func() bool { return count(t, h.bucket, "failures/") == len(ids) })
	h.nothingPersonal("given up", &c)
	stop()

	h.parts.Sealers = good
	for _, id := range ids {
		if err := h.acts().Retry(t.Context(), clerk, id, acts.WhereItStopped, "the new certificate is installed"); err != nil {
			t.Fatal(err)
		}
	}
	h.work()
	h.issued(ids, 3*time.Minute)
	h.nothingPersonal("issued", &c)

	// There they are told: a test that finds nothing anywhere would prove nothing.
	for i, id := range ids {
		file := filepath.Join(t.TempDir(), "document.pdf")
		if err := os.WriteFile(file, h.download(id), 0o600); err != nil {
			t.Fatal(err)
		}
		if text := judges.Text(t, file); !strings.Contains(text, holders[i]) {
			t.Errorf("the document of %s does not tell whom it is about", id)
		}
	}
}

// askFor asks for a document under a key of idempotency.
func (h *house) askFor(kind, body, key string) (status int, id, answer string) {
	h.t.Helper()
	request, err := http.NewRequest("POST", h.door.URL+"/v1/documents/"+kind, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	got, err := h.door.Client().Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	var accepted struct{ ID string }
	_ = json.Unmarshal(text, &accepted) // a problem has no id
	return got.StatusCode, accepted.ID, string(text)
}

// nothingPersonal looks everywhere.
func (h *house) nothingPersonal(when string, c *canaries) {
	h.t.Helper()
	look := func(where string, data []byte) {
		h.t.Helper()
		if found := c.in(data); len(found) > 0 {
			h.t.Errorf("%s, %s holds %q", when, where, found)
		}
	}
	look("the log", []byte(h.log.String()))
	h.lookInRedis(look)

	page := httptest.NewRecorder()
	promhttp.HandlerFor(h.press.Metrics, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains(page.Body.String(), "segell_") {
		h.t.Error("the page of metrics tells nothing of Segell")
	}
	look("the page of metrics", page.Body.Bytes())

	looked := 0
	for info, err := range h.bucket.List(h.t.Context(), "", "") {
		if err != nil {
			h.t.Fatal(err)
		}
		var object storage.Object
		if object, err = h.bucket.Get(h.t.Context(), info.Key); err != nil {
			continue // finished while we listed
		}
		looked++
		look("the name or metadata of "+info.Key, []byte(info.Key+fmt.Sprint(object.Metadata)))
		if !strings.HasPrefix(info.Key, "documents/") {
			look(info.Key, object.Body)
		}
	}
	if looked < 3*11 {
		h.t.Errorf("%s, only %d objects lie in the bucket", when, looked)
	}
}

// lookInRedis looks at every key, and at the files that Redis keeps.
func (h *house) lookInRedis(look func(where string, data []byte)) {
	h.t.Helper()
	client, err := queue.Open("redis://" + h.redis.Addr())
	if err != nil {
		h.t.Fatal(err)
	}
	defer client.Close()
	for _, key := range client.Keys(h.t.Context(), "*").Val() {
		dump, _ := client.Dump(h.t.Context(), key).Result() // gone meanwhile
		look("Redis' key "+key, []byte(key+dump))
	}
	if err := client.Save(h.t.Context()).Err(); err != nil {
		h.t.Fatal(err)
	}
	dir, err := client.ConfigGet(h.t.Context(), "dir").Result()
	if err != nil {
		h.t.Fatal(err)
	}
	files := map[string]int{}
	err = filepath.WalkDir(dir["dir"], func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil {
			files[filepath.Ext(path)] += len(text)
			look("Redis' file "+entry.Name(), text)
		}
		return err
	})
	if err != nil || files[".aof"] == 0 || files[".rdb"] == 0 {
		h.t.Errorf("Redis' files could not be looked at: %v, %v", files, err)
	}
}
