package signing

import (
	"context"
	"crypto/x509"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"segell/pki"
)

// The promise: what was sealed by an earlier version verifies with this one. The files in testdata/promise were sealed
// once and are never made again; a version that writes another form adds its own.
var vectors = []struct {
	file  string
	level Level
}{
	{"2026-bb-p256.pdf", BB},
	{"2026-bt-p256.pdf", BT},
	{"2026-bb-rsa3072.pdf", BB},
	{"2026-bt-rsa3072.pdf", BT},
	{"2026-blt-p256.pdf", BLT},
	{"2026-blta-p256.pdf", BLTA},
	{"2026-blt-rsa3072.pdf", BLT},
	{"2026-blta-rsa3072.pdf", BLTA},
	{"2026-blta-renewed-p256.pdf", BLTA},
	{"2026-blta-renewed-rsa3072.pdf", BLTA},
}

const promise = "testdata/promise"

// vectorTime is when the first files were sealed: B-B documents are judged at that time, for they prove no other.
var vectorTime = func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func readVector(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(promise, name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func vectorTrust(t testing.TB) Trust {
	t.Helper()
	roots := x509.NewCertPool()
	for _, name := range []string{"2026-root-p256.pem", "2026-root-rsa3072.pem", "2026-lt-root-p256.pem", "2026-lt-root-rsa3072.pem", "2026-renewed-root-p256.pem", "2026-renewed-root-rsa3072.pem"} {
		if !roots.AppendCertsFromPEM(readVector(t, name)) {
			t.Fatal("no certificate in", name)
		}
	}
	return Trust{Roots: roots, TSARoots: roots, Now: vectorTime}
}

func TestWhatWasSealedEarlierVerifies(t *testing.T) {
	for _, v := range vectors {
		r := inspect(t, readVector(t, v.file), vectorTrust(t))
		if !r.Valid || r.Level != v.level {
			t.Errorf("%s: level %q: %v", v.file, r.Level, r.Err())
		}
	}
}

var writeVectors = flag.Bool("write-vectors", false, "seal the files of testdata/promise that are missing")

// TestWriteVectors makes files for a new form of document; it never replaces one.
func TestWriteVectors(t *testing.T) {
	for _, group := range []struct {
		root  string
		names map[Level]string
	}{
		{"2026-root-", map[Level]string{BB: "2026-bb-", BT: "2026-bt-"}},
		{"2026-lt-root-", map[Level]string{BLT: "2026-blt-", BLTA: "2026-blta-"}},
		{"2026-renewed-root-", map[Level]string{BLTA: "2026-blta-renewed-"}},
	} {
		for _, kind := range []pki.KeyKind{pki.P256, pki.RSA3072} {
			suffix := strings.ToLower(strings.ReplaceAll(string(kind), "-", ""))
			root := filepath.Join(promise, group.root+suffix+".pem")
			if _, err := os.Stat(root); err == nil {
				continue
			}
			if !*writeVectors {
				t.Fatalf("%s is missing: go test ./signing -run TestWriteVectors -write-vectors", root)
			}
			a := ownAuthority(t, pki.Options{Seal: kind, Authorities: kind, TSALife: year})
			for level, name := range group.names {
				sealed := seal(t, a, level, minimalPDF(1, 0))
				if strings.Contains(name, "renewed") {
					err := a.RenewTSA()
					if err != nil {
						t.Fatal(err)
					}
					if sealed, _, err = renewerOf(t, a).Renew(context.Background(), sealed); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(filepath.Join(promise, name+suffix+".pdf"), sealed, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			body, err := os.ReadFile(a.RootPEM())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(root, body, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
