package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/storage"
)

// Run tries a store against the contract of [storage.Bucket]. open returns an empty store, or a bucket that nothing else
// uses: it is called for each part of the suite.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, part := range []struct {
		name string
		try  func(*testing.T, Store)
	}{
		{"Create", create}, {"Write", write}, {"Replace", replace}, {"Get", get}, {"Delete", remove},
		{"List", list}, {"ListPages", listPages}, {"Folders", folders}, {"Keys", keys}, {"Metadata", metadata},
		{"Races", races}, {"Presign", presign}, {"Context", cancelled}, {"Bucket", bucket},
	} {
		t.Run(part.name, func(t *testing.T) { part.try(t, open(t)) })
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wants(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	for _, other := range []error{storage.ErrNotFound, storage.ErrExists, storage.ErrChanged, storage.ErrUnavailable, storage.ErrDenied} {
		if other != want && errors.Is(err, other) {
			t.Errorf("%s: %v is also %v", what, err, other)
		}
	}
}

func create(t *testing.T, s Store) {
	ctx := t.Context()
	etag := must[string](t)(s.Create(ctx, "a/b", []byte("one"), storage.Put{}))
	if etag == "" {
		t.Error("no ETag")
	}
	_, err := s.Create(ctx, "a/b", []byte("two"), storage.Put{})
	wants(t, "Create of what exists", err, storage.ErrExists)
	_, err = s.Create(ctx, "a/b", []byte("one"), storage.Put{})
	wants(t, "Create of the same content", err, storage.ErrExists)
	if got := must[storage.Object](t)(s.Get(ctx, "a/b")); string(got.Body) != "one" || got.ETag != etag {
		t.Errorf("a refused Create changed the object: %q %s", got.Body, got.ETag)
	}
	if err := s.Delete(ctx, "a/b"); err != nil {
		t.Fatal(err)
	}
	must[string](t)(s.Create(ctx, "a/b", nil, storage.Put{}))
	if got := must[storage.Object](t)(s.Get(ctx, "a/b")); len(got.Body) != 0 || got.Size != 0 {
		t.Errorf("an empty object has %d bytes", len(got.Body))
	}
	_, err = s.Create(ctx, "a/b", []byte("x"), storage.Put{})
	wants(t, "Create over an empty object", err, storage.ErrExists)
}

func write(t *testing.T, s Store) {
	ctx := t.Context()
	first := must[string](t)(s.Write(ctx, "w", []byte("one"), storage.Put{Metadata: map[string]string{"n": "1"}}))
	second := must[string](t)(s.Write(ctx, "w", []byte("two"), storage.Put{}))
	if first == second {
		t.Error("the ETag is the same for another content")
	}
	got := must[storage.Object](t)(s.Get(ctx, "w"))
	if string(got.Body) != "two" || got.ETag != second || len(got.Metadata) != 0 {
		t.Errorf("after the second Write: %q %v", got.Body, got.Metadata)
	}
}

func replace(t *testing.T, s Store) {
	ctx := t.Context()
	first := must[string](t)(s.Create(ctx, "r", []byte("one"), storage.Put{}))
	second := must[string](t)(s.Replace(ctx, "r", first, []byte("two"), storage.Put{Metadata: map[string]string{"n": "2"}}))
	if second == first {
		t.Error("the ETag is the same for another content")
	}
	_, err := s.Replace(ctx, "r", first, []byte("three"), storage.Put{})
	wants(t, "Replace of an old ETag", err, storage.ErrChanged)
	if got := must[storage.Object](t)(s.Get(ctx, "r")); string(got.Body) != "two" || got.ETag != second || got.Metadata["n"] != "2" {
		t.Errorf("after Replace: %q %s %v", got.Body, got.ETag, got.Metadata)
	}
	third := must[string](t)(s.Replace(ctx, "r", second, nil, storage.Put{}))
	if info := must[storage.Info](t)(s.Head(ctx, "r")); info.Size != 0 || info.ETag != third {
		t.Errorf("a tombstone has %d bytes", info.Size)
	}
	// The ETag of a Head and of a List is good as well.
	info := must[storage.Info](t)(s.Head(ctx, "r"))
	must[string](t)(s.Replace(ctx, "r", info.ETag, []byte("four"), storage.Put{}))
	for listed, err := range s.List(ctx, "r", "") {
		if err != nil {
			t.Fatal(err)
		}
		must[string](t)(s.Replace(ctx, "r", listed.ETag, []byte("five"), storage.Put{}))
	}
	_, err = s.Replace(ctx, "absent", first, []byte("x"), storage.Put{})
	wants(t, "Replace of nothing", err, storage.ErrChanged)
	_, err = s.Get(ctx, "absent")
	wants(t, "Get after it", err, storage.ErrNotFound)
	for _, etag := range []string{"", "*"} {
		if _, err := s.Replace(ctx, "r", etag, []byte("x"), storage.Put{}); err == nil || errors.Is(err, storage.ErrChanged) {
			t.Errorf("Replace with the ETag %q: %v", etag, err)
		}
	}
	if err := s.Delete(ctx, "r"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Replace(ctx, "r", third, []byte("x"), storage.Put{})
	wants(t, "Replace of what was deleted", err, storage.ErrChanged)
}

func get(t *testing.T, s Store) {
	ctx := t.Context()
	_, err := s.Get(ctx, "absent")
	wants(t, "Get of nothing", err, storage.ErrNotFound)
	_, err = s.Head(ctx, "absent")
	wants(t, "Head of nothing", err, storage.ErrNotFound)

	body := bytes.Repeat([]byte{0, 1, 2, 0xFF, '\r', '\n'}, 50_000)
	before := time.Now()
	etag := must[string](t)(s.Create(ctx, "large", body, storage.Put{ContentType: "application/pdf", Metadata: map[string]string{"level": "B-LTA"}}))
	got := must[storage.Object](t)(s.Get(ctx, "large"))
	if !bytes.Equal(got.Body, body) {
		t.Error("the content is not what was written")
	}
	info := must[storage.Info](t)(s.Head(ctx, "large"))
	for what, i := range map[string]storage.Info{"Get": got.Info, "Head": info} {
		if i.Key != "large" || i.ETag != etag || i.Size != int64(len(body)) || i.Metadata["level"] != "B-LTA" || len(i.Metadata) != 1 {
			t.Errorf("%s: %+v", what, i)
		}
		if d := i.LastModified.Sub(before); d < -2*time.Second || d > time.Minute {
			t.Errorf("%s: last modified %v after it was written", what, d)
		}
	}
	// What the caller does with a body is not the store's matter.
	clear(got.Body)
	clear(body)
	if again := must[storage.Object](t)(s.Get(ctx, "large")); again.Body[1] != 1 {
		t.Error("the store shares its bytes with the caller")
	}
}

func remove(t *testing.T, s Store) {
	ctx := t.Context()
	if err := s.Delete(ctx, "absent"); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	must[string](t)(s.Create(ctx, "d/1", []byte("x"), storage.Put{}))
	must[string](t)(s.Create(ctx, "d/2", []byte("x"), storage.Put{}))
	for range 2 {
		if err := s.Delete(ctx, "d/1"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Get(ctx, "d/1")
	wants(t, "Get after Delete", err, storage.ErrNotFound)
	for _, key := range []string{"d/1", "d/2", "absent"} {
		if err := s.DeleteVersions(ctx, key); err != nil {
			t.Errorf("DeleteVersions of %s: %v", key, err)
		}
	}
	if got := listed(t, s, "d/", ""); !slices.Equal(got, []string{"d/2"}) {
		t.Errorf("after Delete: %q", got)
	}
}

func listed(t *testing.T, s Store, prefix, after string) []string {
	t.Helper()
	var keys []string
	for info, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatal(err)
		}
		if info.Metadata != nil {
			t.Errorf("%s: a listing has metadata", info.Key)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func list(t *testing.T, s Store) {
	ctx := t.Context()
	if got := listed(t, s, "", ""); len(got) != 0 {
		t.Fatalf("the store is not empty: %q", got)
	}
	all := []string{"requests/2026/03/01/a", "requests/2026/03/02/a", "requests/2026/03/02/b", "requests/2026/03/10/a", "work/x/1", "work/x-1", "work/x0"}
	for i := range all {
		key := all[(i*3)%len(all)]
		must[string](t)(s.Create(ctx, key, []byte(key), storage.Put{}))
	}
	slices.Sort(all)
	for _, c := range []struct {
		prefix, after string
		want          []string
	}{
		{"", "", all},
		{"requests/2026/03/02/", "", []string{"requests/2026/03/02/a", "requests/2026/03/02/b"}},
		{"requests/2026/03/0", "", []string{"requests/2026/03/01/a", "requests/2026/03/02/a", "requests/2026/03/02/b"}},
		{"requests/2026/03/02/a", "", []string{"requests/2026/03/02/a"}},
		{"requests/", "requests/2026/03/02/a", []string{"requests/2026/03/02/b", "requests/2026/03/10/a"}},
		{"requests/", "requests/2026/03/02", []string{"requests/2026/03/02/a", "requests/2026/03/02/b", "requests/2026/03/10/a"}},
		{"requests/", "requests/2026/03/09/zzz", []string{"requests/2026/03/10/a"}},
		{"requests/", "requests/2026/03/10/a", nil},
		{"requests/", "zzz", nil},
		{"work/", "aaa", []string{"work/x-1", "work/x/1", "work/x0"}},
		{"absent/", "", nil},
	} {
		if got := listed(t, s, c.prefix, c.after); !slices.Equal(got, c.want) {
			t.Errorf("List(%q, %q) = %q, want %q", c.prefix, c.after, got, c.want)
		}
	}
	for info, err := range s.List(ctx, "requests/", "") {
		if err != nil {
			t.Fatal(err)
		}
		head := must[storage.Info](t)(s.Head(ctx, info.Key))
		if info.ETag != head.ETag || info.Size != int64(len(info.Key)) || head.LastModified.Sub(info.LastModified).Abs() > time.Second {
			t.Errorf("List says %+v, Head %+v", info, head)
		}
		break // leaving early is allowed
	}
}

// listPages needs more than one page of any server.
func listPages(t *testing.T, s Store) {
	ctx := t.Context()
	const n = 1100
	want := make([]string, n)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range n {
		want[i] = fmt.Sprintf("p/%05d", i)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if _, err := s.Create(ctx, want[i], []byte("x"), storage.Put{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := listed(t, s, "p/", ""); !slices.Equal(got, want) {
		t.Errorf("%d keys of %d", len(got), n)
	}
	if got := listed(t, s, "p/", want[49]); !slices.Equal(got, want[50:]) {
		t.Errorf("%d keys of %d after the fiftieth", len(got), n-50)
	}
}

func folders(t *testing.T, s Store) {
	ctx := t.Context()
	for _, key := range []string{"requests/2026/03/02/a", "requests/2026/03/02/b", "requests/2026/11/01/a", "requests/2025/12/31/a", "requests/x", "counters/2026/COB"} {
		must[string](t)(s.Create(ctx, key, []byte("x"), storage.Put{}))
	}
	for prefix, want := range map[string][]string{
		"":                     {"counters/", "requests/"},
		"requests/":            {"requests/2025/", "requests/2026/"},
		"requests/2026/":       {"requests/2026/03/", "requests/2026/11/"},
		"requests/2026/03/02/": nil,
		"absent/":              nil,
	} {
		var got []string
		for folder, err := range s.Folders(ctx, prefix) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, folder)
		}
		if !slices.Equal(got, want) {
			t.Errorf("Folders(%q) = %q, want %q", prefix, got, want)
		}
	}
}

func keys(t *testing.T, s Store) {
	ctx := t.Context()
	good := []string{"a", "A", "with blank", "plus+sign", "per%20cent", "àéç·’", "q?x=1&y#z", "a=b;c,d@e!$'()*", strings.Repeat("s", 255), ".hidden", "x.."}
	for _, key := range good {
		must[string](t)(s.Create(ctx, "k/"+key, []byte(key), storage.Put{}))
	}
	for _, key := range good {
		if got := must[storage.Object](t)(s.Get(ctx, "k/"+key)); string(got.Body) != key {
			t.Errorf("under %q lies %q", key, got.Body)
		}
	}
	want := make([]string, len(good))
	for i, key := range good {
		want[i] = "k/" + key
	}
	slices.Sort(want)
	if got := listed(t, s, "k/", ""); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	for _, key := range []string{"", "/a", "a/", "a//b", "a/../b", "./a", "a/.", "..", "a\x00b", "a\nb", "\xff", strings.Repeat("s", 256), strings.Repeat("a/", 512) + "b"} {
		_, createErr := s.Create(ctx, key, nil, storage.Put{})
		_, writeErr := s.Write(ctx, key, nil, storage.Put{})
		_, replaceErr := s.Replace(ctx, key, `"x"`, nil, storage.Put{})
		_, getErr := s.Get(ctx, key)
		_, headErr := s.Head(ctx, key)
		_, presignErr := s.Presign(ctx, key, time.Second, storage.Download{})
		for op, err := range map[string]error{"Create": createErr, "Write": writeErr, "Replace": replaceErr, "Get": getErr, "Head": headErr,
			"Delete": s.Delete(ctx, key), "Presign": presignErr} {
			if err == nil {
				t.Errorf("%s accepts the key %q", op, key)
			} else if errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%s asked for the key %q", op, key)
			}
		}
	}
}

func metadata(t *testing.T, s Store) {
	ctx := t.Context()
	want := map[string]string{"kind": "coverage_certificate", "sha256": strings.Repeat("ab", 32), "key-id": `a b;c="d",e`, "empty-not": "0"}
	must[string](t)(s.Create(ctx, "m", []byte("x"), storage.Put{Metadata: want}))
	got := must[storage.Info](t)(s.Head(ctx, "m")).Metadata
	if len(got) != len(want) {
		t.Errorf("metadata %v", got)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("metadata %s = %q, want %q", name, got[name], value)
		}
	}
	for name, p := range map[string]storage.Put{
		"capital":      {Metadata: map[string]string{"Kind": "x"}},
		"underscore":   {Metadata: map[string]string{"a_b": "x"}},
		"no name":      {Metadata: map[string]string{"": "x"}},
		"not ASCII":    {Metadata: map[string]string{"n": "à"}},
		"line break":   {Metadata: map[string]string{"n": "a\r\nx-evil: 1"}},
		"blank at end": {Metadata: map[string]string{"n": "a "}},
		"too large":    {Metadata: map[string]string{"n": strings.Repeat("x", 2048)}},
		"content type": {ContentType: "a\nb"},
	} {
		if _, err := s.Write(ctx, "bad", nil, p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err := s.Head(ctx, "bad")
	wants(t, "Head of what was refused", err, storage.ErrNotFound)
}

func races(t *testing.T, s Store) {
	ctx := t.Context()
	const writers = 32
	race := func(lost error, write func(i int) (string, error)) int {
		t.Helper()
		errs := make([]error, writers)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				<-start
				_, errs[i] = write(i)
			})
		}
		close(start)
		wg.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				t.Errorf("writers %d and %d both won", winner, i)
			case err == nil:
				winner = i
			default:
				wants(t, "a loser", err, lost)
			}
		}
		if winner < 0 {
			t.Fatal("nobody won")
		}
		return winner
	}
	for round := range 3 {
		key := fmt.Sprintf("race/%d", round)
		winner := race(storage.ErrExists, func(i int) (string, error) {
			return s.Create(ctx, key, fmt.Appendf(nil, "%d", i), storage.Put{})
		})
		got := must[storage.Object](t)(s.Get(ctx, key))
		if string(got.Body) != fmt.Sprint(winner) {
			t.Errorf("writer %d won, but %s is there", winner, got.Body)
		}
		winner = race(storage.ErrChanged, func(i int) (string, error) {
			return s.Replace(ctx, key, got.ETag, fmt.Appendf(nil, "replaced by %d", i), storage.Put{})
		})
		if after := must[storage.Object](t)(s.Get(ctx, key)); string(after.Body) != fmt.Sprintf("replaced by %d", winner) {
			t.Errorf("writer %d won, but %q is there", winner, after.Body)
		}
	}
}

func presign(t *testing.T, s Store) {
	ctx := t.Context()
	address := must[string](t)(s.Presign(ctx, "documents/2026/03/02/x.pdf", time.Minute, storage.Download{FileName: "Certificat à.pdf"}))
	u, err := url.Parse(address)
	if err != nil || !strings.HasSuffix(u.Path, "/documents/2026/03/02/x.pdf") || u.Query().Get("X-Amz-Expires") != "60" ||
		u.Query().Get("response-content-disposition") != `attachment; filename="Certificat _.pdf"; filename*=UTF-8''Certificat%20%C3%A0.pdf` {
		t.Errorf("address %s, %v", address, err)
	}
	for _, expires := range []time.Duration{0, -time.Second, time.Millisecond, 61 * time.Second, time.Hour} {
		if _, err := s.Presign(ctx, "x", expires, storage.Download{}); err == nil {
			t.Errorf("an address for %v is given", expires)
		}
	}
}

func cancelled(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, createErr := s.Create(ctx, "c", nil, storage.Put{})
	_, getErr := s.Get(ctx, "c")
	_, headErr := s.Head(ctx, "c")
	var listErr, foldersErr error
	for _, listErr = range s.List(ctx, "", "") {
	}
	for _, foldersErr = range s.Folders(ctx, "") {
	}
	for op, err := range map[string]error{"Create": createErr, "Get": getErr, "Head": headErr, "Delete": s.Delete(ctx, "c"),
		"List": listErr, "Folders": foldersErr, "Ping": s.Ping(ctx)} {
		wants(t, op+" with a cancelled context", err, context.Canceled)
	}
}

func bucket(t *testing.T, s Store) {
	for range 2 {
		if err := s.MakeBucket(t.Context()); err != nil {
			t.Errorf("MakeBucket of our own: %v", err)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
