package storage_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/storage"
)

func TestConfigFaults(t *testing.T) {
	good := storage.Config{Endpoint: "https://s3.example.org", Region: "us-east-1", Bucket: "segell", AccessKey: "a", SecretKey: "s"}
	for _, c := range []struct {
		what   string
		change func(*storage.Config)
		want   []string
	}{
		{"good", func(*storage.Config) {}, nil},
		{"Amazon's own", func(c *storage.Config) { c.Endpoint = "" }, nil},
		{"empty", func(c *storage.Config) { *c = storage.Config{} }, []string{"Region", "Bucket", "AccessKey", "SecretKey"}},
		{"all at once", func(c *storage.Config) {
			*c = storage.Config{Endpoint: "s3.example.org", PublicEndpoint: "ftp://x", Bucket: "Segell", Timeout: -1, MaxObject: -1}
		}, []string{"Endpoint", "PublicEndpoint", "Region", "Bucket", "AccessKey", "SecretKey", "Timeout", "MaxObject"}},
		{"password in the address", func(c *storage.Config) { c.Endpoint = "https://user:hunter2@s3.example.org" }, []string{"Endpoint"}},
		{"a path", func(c *storage.Config) { c.Endpoint = "https://s3.example.org/bucket" }, []string{"Endpoint"}},
		{"a query", func(c *storage.Config) { c.PublicEndpoint = "https://s3.example.org?x=1" }, []string{"PublicEndpoint"}},
		{"an IP address without path style", func(c *storage.Config) { c.Endpoint = "http://127.0.0.1:7070" }, []string{"Endpoint"}},
		{"an IP address with it", func(c *storage.Config) { c.Endpoint, c.PathStyle = "http://127.0.0.1:7070/", true }, nil},
		{"two dots", func(c *storage.Config) { c.Bucket = "a..b" }, []string{"Bucket"}},
		{"short", func(c *storage.Config) { c.Bucket = "ab" }, []string{"Bucket"}},
		{"hasty", func(c *storage.Config) { c.Timeout = time.Millisecond }, []string{"Timeout"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			config := good
			c.change(&config)
			_, err := storage.Open(t.Context(), config)
			var got []string
			if err != nil {
				joined, ok := errors.Unwrap(err).(interface{ Unwrap() []error })
				if !ok {
					t.Fatalf("%v", err)
				}
				for _, fault := range joined.Unwrap() {
					var f *storage.ConfigError
					if !errors.As(fault, &f) {
						t.Fatalf("%v", fault)
					}
					got = append(got, f.Field)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("repeats a password: %v", err)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("faults in %q, want %q", got, c.want)
			}
		})
	}
}

func TestDisposition(t *testing.T) {
	for _, c := range []struct {
		d    storage.Download
		want string
	}{
		{storage.Download{}, `attachment`},
		{storage.Download{Inline: true}, `inline`},
		{storage.Download{FileName: "a b.pdf"}, `attachment; filename="a b.pdf"`},
		{storage.Download{FileName: "CASS-2026-COB-0001234.pdf", Inline: true}, `inline; filename="CASS-2026-COB-0001234.pdf"`},
		{storage.Download{FileName: "àé.pdf"}, `attachment; filename="__.pdf"; filename*=UTF-8''%C3%A0%C3%A9.pdf`},
		{storage.Download{FileName: `../a\b"c.pdf`}, `attachment; filename=".._a_b_c.pdf"`},
		{storage.Download{FileName: "a\r\nX-Evil: 1.pdf"}, `attachment; filename="a__X-Evil_ 1.pdf"`},
		{storage.Download{FileName: "100%.pdf"}, `attachment; filename="100_.pdf"; filename*=UTF-8''100%25.pdf`},
		{storage.Download{FileName: "fdp\u202efdp.exe"}, `attachment; filename="fdp_fdp.exe"`},
		{storage.Download{FileName: "\xff.pdf"}, `attachment; filename="_.pdf"`},
	} {
		if got := c.d.Disposition(); got != c.want {
			t.Errorf("%q: %s, want %s", c.d.FileName, got, c.want)
		}
	}
}

func TestWithoutNetwork(t *testing.T) {
	// Opening and presigning must not touch the network: there is nothing at this address.
	b, err := storage.Open(t.Context(), storage.Config{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", Bucket: "segell", AccessKey: "AKIDEXAMPLE",
		SecretKey: "wJalrXUtnFEMI", PathStyle: true, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	address, err := b.Presign(t.Context(), "a/b", time.Minute, storage.Download{})
	if err != nil || !strings.HasPrefix(address, "http://127.0.0.1:1/segell/a/b?") || strings.Contains(address, "wJalrXUtnFEMI") {
		t.Errorf("%v", err)
	}
	err = b.Ping(t.Context())
	if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
}
