package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segell/internal/servers"
	"segell/storage"
	"segell/storage/storagetest"
)

// TestConformance runs the suite on a real server.
func TestConformance(t *testing.T) {
	s := servers.NewS3(t)
	var n atomic.Int32
	storagetest.Run(t, func(*testing.T) storagetest.Store { return s.Bucket(fmt.Sprintf("suite-%d", n.Add(1))) })
}

func TestProveHolds(t *testing.T) {
	b := servers.NewS3(t).Bucket("proof")
	proof, err := storage.Prove(t.Context(), b)
	if err != nil || !proof.OK() {
		t.Fatalf("%v", err)
	}
	for _, p := range proof.Properties {
		t.Logf("%-70s %-25s %v", p.Name, p.Detail, p.Took.Round(time.Millisecond))
		if p.Name == "a presigned address gives the object and no other" && p.Detail != "fetched" {
			t.Errorf("presigning: %s", p.Detail)
		}
	}
	for info, err := range b.List(t.Context(), "", "") {
		t.Errorf("left behind: %s, %v", info.Key, err)
	}
}

func TestPresigned(t *testing.T) {
	s := servers.NewS3(t)
	b := s.Bucket("presigned")
	ctx := t.Context()
	if _, err := b.Create(ctx, "documents/x.pdf", []byte("%PDF"), storage.Put{ContentType: "application/pdf"}); err != nil {
		t.Fatal(err)
	}
	address, err := b.Presign(ctx, "documents/x.pdf", time.Minute, storage.Download{FileName: "Núm. «1».pdf", Inline: true, ContentType: "application/pdf"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	// A browser sends no header of ours: only the host may be signed.
	if got := u.Query().Get("X-Amz-SignedHeaders"); got != "host" {
		t.Errorf("signed headers: %s", got)
	}
	fetch := func(address string) (*http.Response, string) {
		t.Helper()
		response, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(body)
	}
	response, body := fetch(address)
	if response.StatusCode != 200 || body != "%PDF" {
		t.Fatalf("HTTP %d %s", response.StatusCode, body)
	}
	for name, want := range map[string]string{
		"Content-Disposition": `inline; filename="N_m. _1_.pdf"; filename*=UTF-8''N%C3%BAm.%20%C2%AB1%C2%BB.pdf`,
		"Content-Type":        "application/pdf",
		"Cache-Control":       "private, no-store",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for what, changed := range map[string]string{
		"another object": strings.Replace(address, "x.pdf", "y.pdf", 1),
		"a longer life":  strings.Replace(address, "X-Amz-Expires=60", "X-Amz-Expires=600", 1),
		"another name":   strings.Replace(address, "response-content-disposition=inline", "response-content-disposition=attachment", 1),
	} {
		if changed == address {
			t.Fatalf("%s: nothing to change in the address", what)
		}
		if response, _ := fetch(changed); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: HTTP %d", what, response.StatusCode)
		}
	}

	c := s.Config("presigned")
	c.PublicEndpoint = "https://files.example.org"
	other, err := storage.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	address, err = other.Presign(ctx, "documents/x.pdf", time.Minute, storage.Download{})
	if err != nil || !strings.HasPrefix(address, "https://files.example.org/presigned/documents/x.pdf?") {
		t.Errorf("for the public endpoint: %v", err)
	}
	if _, err := other.Get(ctx, "documents/x.pdf"); err != nil {
		t.Errorf("the workers do not use the public endpoint: %v", err)
	}
}

func TestRefusedCredentials(t *testing.T) {
	s := servers.NewS3(t)
	s.Bucket("mine")
	for name, change := range map[string]func(*storage.Config){
		"secret key": func(c *storage.Config) { c.SecretKey = "not-the-secret-key" },
		"access key": func(c *storage.Config) { c.AccessKey = "nobody" },
	} {
		t.Run(name, func(t *testing.T) {
			c := s.Config("mine")
			change(&c)
			b, err := storage.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			_, createErr := b.Create(t.Context(), "k/secret", nil, storage.Put{})
			_, getErr := b.Get(t.Context(), "k/secret")
			_, headErr := b.Head(t.Context(), "k/secret")
			for op, err := range map[string]error{"Create": createErr, "Get": getErr, "Head": headErr, "Ping": b.Ping(t.Context())} {
				want := storage.ErrDenied
				if op == "Ping" && name == "access key" {
					want = storage.ErrNotFound // all that versitygw says
				}
				if !errors.Is(err, want) || want != storage.ErrNotFound && errors.Is(err, storage.ErrNotFound) {
					t.Errorf("%s: %v", op, err)
				}
				for _, secret := range []string{c.SecretKey, c.AccessKey, "k/secret", "Signature="} {
					if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
						t.Errorf("%s repeats %q: %v", op, secret, err)
					}
				}
			}
		})
	}
}

func TestMissingBucket(t *testing.T) {
	s := servers.NewS3(t)
	b, err := storage.Open(t.Context(), s.Config("absent"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Ping(t.Context()); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Ping: %v", err)
	}
	// A bucket that is not there must never read as an object that is not there.
	if _, err := b.Get(t.Context(), "requests/x"); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if _, err := b.Head(t.Context(), "requests/x"); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Head: %v", err)
	}
	for _, err := range b.List(t.Context(), "", "") {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("List: %v", err)
		}
	}
	if _, err := b.Create(t.Context(), "x", nil, storage.Put{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Create: %v", err)
	}
}

func TestServerHaltedAndKilled(t *testing.T) {
	s := servers.NewS3(t)
	b := s.Bucket("halts")
	ctx := t.Context()
	if _, err := b.Create(ctx, "k", []byte("kept"), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	c := s.Config("halts")
	c.Timeout = 500 * time.Millisecond
	hasty, err := storage.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	s.Pause()
	start := time.Now()
	_, err = hasty.Get(ctx, "k")
	if took := time.Since(start); !errors.Is(err, storage.ErrUnavailable) || took > 5*time.Second {
		t.Errorf("halted: %v after %v", err, took)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the store's slowness looks like the caller's deadline: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := hasty.Get(short, "k"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("the caller's deadline: %v", err)
	}
	s.Continue()
	s.Kill()
	if _, err := hasty.Create(ctx, "k2", nil, storage.Put{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("killed: %v", err)
	}
	s.Restart()
	// b has idle connections to the server that was killed.
	if got, err := b.Get(ctx, "k"); err != nil || !bytes.Equal(got.Body, []byte("kept")) {
		t.Errorf("after the restart: %v", err)
	}
}

func BenchmarkVersitygw(b *testing.B) {
	bucket := servers.NewS3(b).Bucket("bench")
	ctx := b.Context()
	body := bytes.Repeat([]byte("0123456789abcdef"), 30*1024/16)
	b.Run("Create 30 KB", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		run := time.Now().UnixNano()
		for i := 0; b.Loop(); i++ {
			if _, err := bucket.Create(ctx, fmt.Sprintf("create/%d/%d", run, i), body, storage.Put{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	if _, err := bucket.Write(ctx, "one", body, storage.Put{Metadata: map[string]string{"level": "B-LTA"}}); err != nil {
		b.Fatal(err)
	}
	b.Run("Get 30 KB", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := bucket.Get(ctx, "one"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Head", func(b *testing.B) {
		for b.Loop() {
			if _, err := bucket.Head(ctx, "one"); err != nil {
				b.Fatal(err)
			}
		}
	})
	for i := range 1000 {
		if _, err := bucket.Write(ctx, fmt.Sprintf("list/%04d", i), nil, storage.Put{}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("List 1000", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range bucket.List(ctx, "list/", "") {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != 1000 {
				b.Fatalf("%d keys", n)
			}
		}
	})
}
