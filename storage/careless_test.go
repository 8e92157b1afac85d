package storage_test

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/storage"
)

// careless is an S3 server that breaks one promise at a time, and the replies of a broken network.
type careless struct {
	ignoreCreate  bool // If-None-Match
	ignoreReplace bool // If-Match
	staleReads    bool
	hiddenKeys    bool // a listing lacks the newest
	unordered     bool
	loseMetadata  bool
	openToAll     bool // a presigned address opens anything

	// answer, if it handles the request, is the whole reply. n counts requests from 1.
	answer func(w http.ResponseWriter, r *http.Request, n int) bool
	// lose breaks the connection after the request took effect.
	lose func(r *http.Request, n int) bool

	mu      sync.Mutex
	n       int
	objects map[string]kept
	stale   map[string]kept
	newest  string
}

type kept struct {
	body     []byte
	etag     string
	metadata http.Header
}

func (c *careless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if c.answer != nil && c.answer(w, r, c.n) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if c.lose != nil && c.lose(r, c.n) {
		w = httptest.NewRecorder()
		defer panic(http.ErrAbortHandler)
	}
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>about %s</Message></Error>", code, key)
	}
	old, exists := c.objects[key]
	switch {
	case key == "":
		c.list(w, r)
	case r.Method == http.MethodPut:
		switch {
		case r.Header.Get("If-None-Match") == "*" && exists && !c.ignoreCreate:
			refuse(412, "PreconditionFailed")
			return
		case r.Header.Get("If-Match") != "" && !c.ignoreReplace && !exists:
			refuse(404, "NoSuchKey")
			return
		case r.Header.Get("If-Match") != "" && !c.ignoreReplace && old.etag != r.Header.Get("If-Match"):
			refuse(412, "PreconditionFailed")
			return
		}
		if exists {
			c.stale[key] = old
		}
		metadata := http.Header{}
		for name, values := range r.Header {
			if strings.HasPrefix(name, "X-Amz-Meta-") && !c.loseMetadata {
				metadata[name] = values
			}
		}
		c.newest = key
		c.objects[key] = kept{body, fmt.Sprintf(`"%d"`, c.n), metadata}
		w.Header().Set("ETag", c.objects[key].etag)
	case r.Method == http.MethodDelete:
		delete(c.objects, key)
		w.WriteHeader(204)
	default:
		if was, ok := c.stale[key]; ok && c.staleReads {
			old, exists = was, true
		}
		if !exists {
			refuse(404, "NoSuchKey")
			return
		}
		if sent := r.URL.Query(); sent.Has("X-Amz-Signature") {
			if !c.openToAll && !strings.HasSuffix(key, "/presign") {
				refuse(403, "SignatureDoesNotMatch")
				return
			}
			w.Header().Set("Content-Disposition", sent.Get("response-content-disposition"))
		}
		for name, values := range old.metadata {
			w.Header()[name] = values
		}
		w.Header().Set("ETag", old.etag)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", strconv.Itoa(len(old.body)))
		if r.Method == http.MethodGet {
			w.Write(old.body)
		}
	}
}

func (c *careless) list(w http.ResponseWriter, r *http.Request) {
	type content struct{ Key, ETag, Size string }
	var result struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Contents              []content
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
	}
	query := r.URL.Query()
	after := cmp.Or(query.Get("continuation-token"), query.Get("start-after"))
	for key, object := range c.objects {
		if strings.HasPrefix(key, query.Get("prefix")) && key > after && !(c.hiddenKeys && key == c.newest) {
			result.Contents = append(result.Contents, content{key, object.etag, strconv.Itoa(len(object.body))})
		}
	}
	slices.SortFunc(result.Contents, func(a, b content) int {
		if c.unordered {
			return cmp.Or(strings.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key)), strings.Compare(a.Key, b.Key))
		}
		return strings.Compare(a.Key, b.Key)
	})
	if most, _ := strconv.Atoi(query.Get("max-keys")); len(result.Contents) > most {
		result.Contents, result.IsTruncated = result.Contents[:most], true
		result.NextContinuationToken = result.Contents[most-1].Key
	}
	if err := xml.NewEncoder(w).Encode(result); err != nil {
		panic(err)
	}
}

func (c *careless) open(t *testing.T) *storage.Bucket {
	t.Helper()
	c.objects, c.stale = map[string]kept{}, map[string]kept{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	b, err := storage.Open(t.Context(), storage.Config{Endpoint: server.URL, Region: "us-east-1", Bucket: "careless", AccessKey: "AKIDEXAMPLE",
		SecretKey: "wJalrXUtnFEMI", PathStyle: true, Timeout: 10 * time.Second, MaxObject: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// tries returns how many requests have come.
func (c *careless) tries() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// count returns how many objects there are.
func (c *careless) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.objects)
}

// TestProveRefuses holds that each broken promise is seen, and named.
func TestProveRefuses(t *testing.T) {
	for _, c := range []struct {
		what   string
		server *careless
		broken string
	}{
		{"nothing", &careless{}, ""},
		{"creates overwrite", &careless{ignoreCreate: true}, "of 32 racing creates exactly one wins"},
		{"replaces overwrite", &careless{ignoreReplace: true}, "of 32 racing replaces of one ETag exactly one wins"},
		{"reads are stale", &careless{staleReads: true}, "a read sees the last write and the last delete"},
		{"listings lag", &careless{hiddenKeys: true}, "a listing sees the last write and the last delete"},
		{"listings ignore case", &careless{unordered: true}, "a listing is in the order of the bytes, in pages, from any key on"},
		{"metadata is lost", &careless{loseMetadata: true}, "metadata comes back as written"},
		{"addresses open everything", &careless{openToAll: true}, "a presigned address gives the object and no other"},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := c.server.open(t)
			proof, err := storage.Prove(t.Context(), b)
			if c.broken == "" {
				if err != nil || !proof.OK() {
					t.Errorf("%v", err)
				}
			} else {
				if !errors.Is(err, storage.ErrUnfit) || !strings.Contains(err.Error(), c.broken) || proof.OK() {
					t.Errorf("%v", err)
				}
				found := false
				for _, p := range proof.Properties {
					found = found || p.Name == c.broken && !p.OK && p.Detail != ""
				}
				if !found {
					t.Errorf("not among the properties: %+v", proof.Properties)
				}
			}
			if c.server.count() != 0 {
				t.Errorf("%d objects were left behind", c.server.count())
			}
		})
	}
}

func TestProveNeedsAnAnswer(t *testing.T) {
	b := (&careless{answer: func(w http.ResponseWriter, r *http.Request, n int) bool {
		w.WriteHeader(403)
		return true
	}}).open(t)
	if proof, err := storage.Prove(t.Context(), b); !errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrUnfit) || proof.OK() {
		t.Errorf("%v", err)
	}
}

func TestAnswers(t *testing.T) {
	reply := func(status int, code string) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, r *http.Request, n int) bool {
			w.WriteHeader(status)
			if r.Method != http.MethodHead {
				fmt.Fprintf(w, "<Error><Code>%s</Code><Message>the key k/secret of AKIDEXAMPLE</Message><Resource>%s</Resource></Error>", code, r.URL)
			}
			return true
		}
	}
	for _, c := range []struct {
		status int
		code   string
		want   error // of a Get
		tries  int
	}{
		{404, "NoSuchKey", storage.ErrNotFound, 1},
		{404, "NoSuchBucket", storage.ErrUnavailable, 1},
		{404, "", storage.ErrUnavailable, 1}, // a proxy's own page
		{404, "XAdminUserNotFound", storage.ErrDenied, 1},
		{403, "AccessDenied", storage.ErrDenied, 1},
		{403, "SignatureDoesNotMatch", storage.ErrDenied, 1},
		{401, "Unauthorized", storage.ErrDenied, 1},
		{400, "AuthorizationHeaderMalformed", storage.ErrDenied, 1},
		{301, "PermanentRedirect", storage.ErrDenied, 1},
		{307, "TemporaryRedirect", storage.ErrDenied, 1},
		{500, "InternalError", storage.ErrUnavailable, 4},
		{502, "", storage.ErrUnavailable, 4},
		{503, "SlowDown", storage.ErrUnavailable, 4},
		{503, "ServiceUnavailable", storage.ErrUnavailable, 4},
		{504, "", storage.ErrUnavailable, 4},
		{429, "TooManyRequests", storage.ErrUnavailable, 4},
		{400, "RequestTimeout", storage.ErrUnavailable, 4},
		{409, "ConditionalRequestConflict", storage.ErrUnavailable, 4},
		{409, "ObjectParentIsFile", nil, 1},
		{507, "XMinioStorageFull", storage.ErrUnavailable, 1},
		{400, "InvalidArgument", nil, 1},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			t.Parallel() // tries are spaced out
			server := &careless{answer: reply(c.status, c.code)}
			b := server.open(t)
			_, err := b.Get(t.Context(), "k/secret")
			if err == nil {
				t.Fatal("no error")
			}
			for _, sentinel := range []error{storage.ErrNotFound, storage.ErrExists, storage.ErrChanged, storage.ErrUnavailable, storage.ErrDenied} {
				if errors.Is(err, sentinel) != (sentinel == c.want) {
					t.Errorf("%v", err)
				}
			}
			var f *storage.Failure
			if !errors.As(err, &f) || f.Op != "get" || f.Status != c.status || f.Code != c.code && c.code != "" {
				t.Errorf("%+v", f)
			}
			for _, secret := range []string{"k/secret", "AKIDEXAMPLE", "wJalrXUtnFEMI", "127.0.0.1"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("repeats %s: %v", secret, err)
				}
			}
			if server.tries() != c.tries {
				t.Errorf("%d tries, want %d", server.tries(), c.tries)
			}
		})
	}
}

func TestLostReplies(t *testing.T) {
	first := func(r *http.Request, n int) bool { return n == 1 }
	t.Run("create", func(t *testing.T) {
		server := &careless{lose: first}
		b := server.open(t)
		_, err := b.Create(t.Context(), "k", []byte("mine"), storage.Put{})
		if !errors.Is(err, storage.ErrExists) {
			t.Fatalf("%v", err)
		}
		if got, err := b.Get(t.Context(), "k"); err != nil || string(got.Body) != "mine" {
			t.Errorf("read back: %q, %v", got.Body, err)
		}
	})
	t.Run("replace", func(t *testing.T) {
		server := &careless{lose: func(r *http.Request, n int) bool { return n == 2 }}
		b := server.open(t)
		etag, err := b.Create(t.Context(), "k", []byte("one"), storage.Put{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Replace(t.Context(), "k", etag, []byte("two"), storage.Put{}); !errors.Is(err, storage.ErrChanged) {
			t.Fatalf("%v", err)
		}
		if got, err := b.Get(t.Context(), "k"); err != nil || string(got.Body) != "two" {
			t.Errorf("read back: %q, %v", got.Body, err)
		}
	})
	t.Run("write", func(t *testing.T) {
		b := (&careless{lose: first}).open(t)
		if _, err := b.Write(t.Context(), "k", []byte("x"), storage.Put{}); err != nil {
			t.Errorf("%v", err)
		}
	})
	t.Run("delete", func(t *testing.T) {
		b := (&careless{lose: first}).open(t)
		if err := b.Delete(t.Context(), "k"); err != nil {
			t.Errorf("%v", err)
		}
	})
	t.Run("all of them", func(t *testing.T) {
		server := &careless{lose: func(*http.Request, int) bool { return true }}
		b := server.open(t)
		if _, err := b.Write(t.Context(), "k", []byte("x"), storage.Put{}); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		if server.count() != 1 {
			t.Error("the test lost requests, not replies")
		}
	})
}

func TestConflictIsTriedAgain(t *testing.T) {
	server := &careless{answer: func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n > 2 {
			return false
		}
		w.WriteHeader(409)
		fmt.Fprint(w, "<Error><Code>ConditionalRequestConflict</Code></Error>")
		return true
	}}
	b := server.open(t)
	if _, err := b.Create(t.Context(), "k", []byte("x"), storage.Put{}); err != nil || server.tries() != 3 {
		t.Errorf("%v after %d tries", err, server.tries())
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	short := func(until int) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, r *http.Request, n int) bool {
			if n > until {
				return false
			}
			w.Header().Set("Content-Length", "10")
			w.Header().Set("ETag", `"x"`)
			w.Write([]byte("12345"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	server := &careless{answer: short(2)}
	b := server.open(t)
	server.objects["k"] = kept{body: []byte("1234567890"), etag: `"x"`}
	if got, err := b.Get(t.Context(), "k"); err != nil || !bytes.Equal(got.Body, []byte("1234567890")) || server.tries() != 3 {
		t.Errorf("%q, %v after %d tries", got.Body, err, server.tries())
	}
	b = (&careless{answer: short(1000)}).open(t)
	if got, err := b.Get(t.Context(), "k"); !errors.Is(err, storage.ErrUnavailable) || got.Body != nil {
		t.Errorf("always: %q, %v", got.Body, err)
	}
}

func TestSizes(t *testing.T) {
	server := &careless{}
	b := server.open(t)
	if _, err := b.Create(t.Context(), "k", make([]byte, 1<<20+1), storage.Put{}); err == nil || server.tries() != 0 {
		t.Errorf("a body that is too large: %v", err)
	}
	server.objects["large"] = kept{body: make([]byte, 1<<20+1), etag: `"x"`}
	if _, err := b.Get(t.Context(), "large"); err == nil || errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrNotFound) || server.tries() != 1 {
		t.Errorf("an object that is too large: %v after %d tries", err, server.tries())
	}
	server.objects["fits"] = kept{body: make([]byte, 1<<20), etag: `"x"`}
	if got, err := b.Get(t.Context(), "fits"); err != nil || got.Size != 1<<20 {
		t.Errorf("an object that just fits: %v", err)
	}
}

func TestListingsThatCannotBeTrusted(t *testing.T) {
	for name, page := range map[string]string{
		"unordered":     `<Contents><Key>b</Key></Contents><Contents><Key>a</Key></Contents>`,
		"twice":         `<Contents><Key>b</Key></Contents><Contents><Key>b</Key></Contents>`,
		"no token":      `<Contents><Key>b</Key></Contents><IsTruncated>true</IsTruncated>`,
		"around":        `<Contents><Key>b</Key></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>`,
		"other prefix":  `<Contents><Key>b</Key></Contents><Contents><Key>zz</Key></Contents>`,
		"before it all": `<Contents><Key>!</Key></Contents>`,
	} {
		t.Run(name, func(t *testing.T) {
			b := (&careless{answer: func(w http.ResponseWriter, r *http.Request, n int) bool {
				if n > 10 {
					t.Error("it goes round in circles")
				}
				fmt.Fprint(w, `<ListBucketResult>`+page+`</ListBucketResult>`)
				return true
			}}).open(t)
			prefix, after := "", "\""
			if name == "other prefix" {
				prefix = "b"
			}
			var last error
			for _, err := range b.List(t.Context(), prefix, after) {
				last = err
			}
			if last == nil {
				t.Error("no error")
			}
		})
	}
	// The start itself is passed over where a server counts it in.
	b := (&careless{answer: func(w http.ResponseWriter, r *http.Request, n int) bool {
		fmt.Fprint(w, `<ListBucketResult><Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`)
		return true
	}}).open(t)
	var keys []string
	for info, err := range b.List(t.Context(), "", "a") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	if !slices.Equal(keys, []string{"b"}) {
		t.Errorf("after a came %q", keys)
	}
}

// TestWhatIsSent holds what other servers than Amazon's can understand.
func TestWhatIsSent(t *testing.T) {
	var sent http.Header
	var length int64
	b := (&careless{answer: func(w http.ResponseWriter, r *http.Request, n int) bool {
		sent, length = r.Header.Clone(), r.ContentLength
		return false
	}}).open(t)
	if _, err := b.Create(t.Context(), "k", []byte("abc"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	if got := sent.Get("X-Amz-Content-Sha256"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("the body is signed as %s", got)
	}
	for _, name := range []string{"X-Amz-Trailer", "Content-Encoding", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Checksum-Crc32", "Expect", "Transfer-Encoding"} {
		if got := sent.Get(name); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if length != 3 || sent.Get("If-None-Match") != "*" {
		t.Errorf("length %d, If-None-Match %s", length, sent.Get("If-None-Match"))
	}
}
