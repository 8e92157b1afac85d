package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segell/internal/judges"
	"segell/pki"
)

// watchedKey counts signatures and can be made to fail.
type watchedKey struct {
	Key
	signed atomic.Int64
	sign   func(context.Context, []byte, crypto.Hash) ([]byte, error)
}

func (k *watchedKey) Sign(ctx context.Context, message []byte, hash crypto.Hash) ([]byte, error) {
	k.signed.Add(1)
	if k.sign != nil {
		return k.sign(ctx, message, hash)
	}
	return k.Key.Sign(ctx, message, hash)
}

func TestNewSealerGivesEveryFault(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	expired, err := a.Expired(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewSealer(Config{
		Key: keyOf(t, expired), Level: "B-X", Name: "Caixa Andorrana de Seguretat Socialà", Reason: "línia",
		TSAs: []TSA{{URL: "ftp://tsa"}, {URL: "http://me:secret@tsa/", Roots: a.Roots(), Timeout: -1, Policy: "1.x"}},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Key:", "Level:", "Name:", "Reason:", "Roots:", "TSAs[0].URL", "TSAs[0].Roots", "TSAs[1].URL", "TSAs[1].Timeout", "TSAs[1].Policy"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Error("a password is shown in the error")
	}
	if !errors.Is(err, ErrCertificateExpired) {
		t.Error("an expired certificate is not ErrCertificateExpired")
	}
}

func TestNewSealerRefusesUnfitCertificates(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	stranger := ownAuthority(t, pki.Options{})
	for name, c := range map[string]struct {
		leaf  func() (*pki.Leaf, error)
		words string
	}{
		"expired":       {func() (*pki.Leaf, error) { return a.Expired(pki.P256) }, "ended on"},
		"not yet valid": {func() (*pki.Leaf, error) { return a.NotYetValid(pki.P256) }, "begins on"},
		"wrong usage":   {func() (*pki.Leaf, error) { return a.WrongUsage(pki.P256) }, "key usage"},
		"foreign":       {func() (*pki.Leaf, error) { return stranger.Seal(), nil }, "does not lead to Roots"},
	} {
		leaf, err := c.leaf()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewSealer(configOf(t, a, leaf, BB)); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v; want it to say %q", name, err, c.words)
		}
	}
	if _, err := NewSealer(Config{Level: BB, Roots: a.Roots()}); err == nil {
		t.Error("accepted without a key")
	}
	c := configOf(t, a, a.Seal(), BT)
	c.TSAs = nil
	if _, err := NewSealer(c); err == nil || !strings.Contains(err.Error(), "time-stamping authority") {
		t.Errorf("B-T without a TSA: %v", err)
	}
}

func TestStrengthOfKeys(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, pub := range map[string]crypto.PublicKey{"P-224": &p224.PublicKey, "RSA-2048": &r2048.PublicKey, "nothing": nil} {
		if checkStrength(pub) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// One operation of the key per document, whatever the level: hardware keys are slow and metered.
func TestOneKeyOperationPerDocument(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	for _, level := range []Level{BB, BT} {
		c := configOf(t, a, a.Seal(), level)
		key := &watchedKey{Key: c.Key}
		c.Key = key
		s := newSealer(t, c)
		before := key.signed.Load()
		if _, err := s.Seal(context.Background(), minimalPDF(1, 0)); err != nil {
			t.Fatal(err)
		}
		if n := key.signed.Load() - before; n != 1 {
			t.Errorf("%s: %d key operations", level, n)
		}
	}
}

func TestKeyThatFails(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	other := keyOf(t, ownAuthority(t, pki.Options{}).Seal())
	for name, c := range map[string]struct {
		sign func(context.Context, []byte, crypto.Hash) ([]byte, error)
		want error
	}{
		"out of reach": {func(context.Context, []byte, crypto.Hash) ([]byte, error) { return nil, ErrKeyUnavailable }, ErrKeyUnavailable},
		"another key":  {other.Sign, ErrUnsound},
		"zeros":        {func(context.Context, []byte, crypto.Hash) ([]byte, error) { return make([]byte, 64), nil }, ErrUnsound},
		"nothing":      {func(context.Context, []byte, crypto.Hash) ([]byte, error) { return nil, nil }, ErrUnsound},
	} {
		conf := configOf(t, a, a.Seal(), BB)
		key := &watchedKey{Key: conf.Key}
		conf.Key = key
		s := newSealer(t, conf)
		key.sign = c.sign
		if sealed, err := s.Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, c.want) || sealed != nil {
			t.Errorf("%s: %v, want %v and no document", name, err, c.want)
		}
		if _, err := NewSealer(conf); !errors.Is(err, c.want) {
			t.Errorf("%s at the start: %v, want %v", name, err, c.want)
		}
	}
}

func TestSealObeysTheContext(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	s := newSealer(t, configOf(t, a, a.Seal(), BT))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Seal(ctx, minimalPDF(1, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCertificateThatEndsWhileRunning(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	leaf, err := a.ShortLived(pki.P256, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var later atomic.Int64
	c := configOf(t, a, leaf, BB)
	c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	s := newSealer(t, c)
	later.Store(int64(2 * time.Hour))
	if _, err := s.Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrCertificateExpired) {
		t.Errorf("%v, want ErrCertificateExpired", err)
	}
}

// Positions in the file are written in decimal: each number of digits is sealed once.
func TestSealAtEveryLength(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	s := newSealer(t, configOf(t, a, a.Seal(), BB))
	for _, filler := range []int{0, 5_000, 8_500, 60_000, 95_000, 700_000, 995_000, 7_000_000, 9_995_000} {
		pdf := minimalPDF(1, filler)
		sealed, err := s.Seal(context.Background(), pdf)
		if err != nil {
			t.Errorf("%d bytes: %v", len(pdf), err)
			continue
		}
		judges.QPDF(t, write(t, sealed))
	}
}

// What pdfsign and we look for may stand in the document too.
func TestMarksOfSigningInTheDocument(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	filler := strings.Repeat("/ByteRange[0 ********** ********** **********] /ByteRange [0 1 2 3] /Contents<"+strings.Repeat("0", 12_000)+"> startxref %%EOF ", 3)
	pdf := bytes.Replace(minimalPDF(1, len(filler)), bytes.Repeat([]byte("x"), len(filler)), []byte(filler), 1)
	for _, level := range levels {
		if r := inspect(t, seal(t, a, level, pdf), trustOf(a)); !r.Valid || r.Level != level {
			t.Errorf("%s: level %q: %v", level, r.Level, r.Err())
		}
	}
}

// pdfsign is pinned, but a version that lays out otherwise must be an error, never another document.
func TestRevisionsThatAreLaidOutOtherwise(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	s := newSealer(t, configOf(t, a, a.Seal(), BB))
	plan, err := planSeal(minimalPDF(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	good, err := s.layOut(context.Background(), plan, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*laidOut){
		"something behind it":     func(r *laidOut) { r.tail = append(r.tail, '\n') },
		"another cross-reference": func(r *laidOut) { r.xref++ },
		"another range":           func(r *laidOut) { r.ranges[2]++ },
		"a range that begins late": func(r *laidOut) {
			r.tail = bytes.Replace(r.tail, []byte("/ByteRange [0 "), []byte("/ByteRange [1 "), 1)
			r.ranges[0] = 1
		},
		"the range twice": func(r *laidOut) {
			at := bytes.Index(r.tail, []byte("/ByteRange"))
			end := at + bytes.IndexByte(r.tail[at:], ']') + 1
			r.tail = append(bytes.Clone(r.tail[at:end]), r.tail...)
		},
	} {
		r := &laidOut{bytes.Clone(good.tail), good.xref, good.ranges}
		change(r)
		if _, err := r.moveBehind(plan.file, 0); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// The document that was given stays as it was, and so does what lies behind it in memory.
func TestSealLeavesTheDocumentAlone(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	pdf := minimalPDF(2, 100)
	spacious := append(bytes.Clone(pdf), bytes.Repeat([]byte("x"), 1<<20)...)
	sealed := seal(t, a, BLTA, spacious[:len(pdf)])
	if !bytes.Equal(spacious[:len(pdf)], pdf) || bytes.Count(spacious[len(pdf):], []byte("x")) != 1<<20 {
		t.Error("sealing wrote into what it was given")
	}
	if clear(spacious); !inspect(t, sealed, trustOf(a)).Valid {
		t.Error("the sealed document shares memory with the one that was given")
	}
}

func TestSealInParallel(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	s := newSealer(t, configOf(t, a, a.Seal(), BT))
	var wg sync.WaitGroup
	for n := range 32 {
		wg.Go(func() {
			pdf := minimalPDF(1+n%3, n)
			sealed, err := s.Seal(context.Background(), pdf)
			if err != nil {
				t.Error(err)
				return
			}
			if !bytes.HasPrefix(sealed, pdf) || !inspect(t, sealed, trustOf(a)).Valid {
				t.Error("not the document that was given, sealed")
			}
		})
	}
	wg.Wait()
}

func TestCheckDocument(t *testing.T) {
	good := string(minimalPDF(1, 0))
	a := sharedPKI(t, pki.P256)
	for name, c := range map[string]struct{ pdf, words string }{
		"header 1.3":       {strings.Replace(good, "%PDF-1.7", "%PDF-1.3", 1), "1.7 is needed"},
		"no /ID":           {strings.Replace(good, "/ID [", "/No [", 1), "/ID"},
		"a short /ID":      {strings.Replace(good, "/ID [<00112233445566778899aabbccddeeff>", "/ID [<0011>", 1), "/ID"},
		"encrypted":        {strings.Replace(good, "/Info 4 0 R", "/Encrypt 4 0 R", 1), "encrypted"},
		"no PDF":           {"hello, hello, hello", "not a PDF"},
		"a stream as xref": {strings.Replace(good, "xref\n0", "1 0 o", 1), "cross-reference"},
		"cut short":        {good[:len(good)-20], "startxref"},
		"a form":           {strings.Replace(good, "/MarkInfo << /Marked true >>", "/AcroForm << >>             ", 1), "form"},
		"a text":           {strings.Replace(good, "(ca)", `(\()`, 1), "catalog"},
		"an odd name":      {strings.Replace(good, "/Marked true", "/Mar#20 true", 1), "catalog"},
		"sealed already":   {string(seal(t, a, BB, minimalPDF(1, 0))), "form"},
		"two sizes":        {strings.Replace(good, "/ID [", "/Foo (Size 7) /ID [", 1), "Size"},
	} {
		err := CheckDocument([]byte(c.pdf))
		if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v; want ErrUnfit that says %q", name, err, c.words)
		}
	}
	for name, pdf := range map[string][]byte{"by hand": []byte(good), "maroto": marotoPDF(t)} {
		if err := CheckDocument(pdf); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A page that has annotations already keeps them, whether in the page or in an object of their own.
func TestAnnotationsAreKept(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	// The page's dictionary is object 5. Same length, so that the cross-reference stays right.
	pdf := string(minimalPDF(2, 0))
	for name, annots := range map[string]string{"in the page": "/Annots[]", "elsewhere": "/Annots 9 0 R"} {
		t.Run(name, func(t *testing.T) {
			changed := []byte(pdf)
			if name == "elsewhere" {
				changed = withRevision(t, changed, map[int]string{
					4: "[ ]",
					5: "<< /Type /Page /Parent 2 0 R /Contents 6 0 R /Annots 4 0 R >>",
				})
				changed = bytes.Replace(changed, []byte("/Prev"), []byte("/ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>] /Prev"), 1)
			} else {
				changed = bytes.Replace(changed, []byte("/Tabs /S "), []byte(annots), 1)
			}
			sealed := seal(t, a, BB, changed)
			if r := inspect(t, sealed, trustOf(a)); !r.Valid {
				t.Error(r.Err())
			}
		})
	}
}

func TestOpenPKCS12(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	body, err := a.Seal().PKCS12("prova")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPKCS12(body, "wrong"); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := OpenPKCS12(body[:40], "prova"); err == nil {
		t.Error("half a file is accepted")
	}
	// A file whose key and certificate do not belong together.
	mixed := *a.Seal()
	mixed.Key = ownAuthority(t, pki.Options{}).Seal().Key
	if body, err = mixed.PKCS12("prova"); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPKCS12(body, "prova"); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("a key of another certificate: %v", err)
	}
}

func TestChainIsPutInOrder(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	leaf := a.Seal()
	chain := inOrder(leaf.Certificate, []*x509.Certificate{a.Root(), a.Intermediates()[1], leaf.Certificate, a.Intermediates()[0]})
	if len(chain) != 2 || !chain[0].Equal(a.Intermediates()[0]) || !chain[1].Equal(a.Root()) {
		t.Errorf("%d certificates, or not in order", len(chain))
	}
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		l, other Level
		want     bool
	}{{BB, BB, true}, {BT, BB, true}, {BB, BT, false}, {"", BB, false}, {BT, "B-X", false}, {"B-X", BB, false}} {
		if c.l.Includes(c.other) != c.want {
			t.Errorf("%q includes %q: %v", c.l, c.other, !c.want)
		}
	}
}

// The report is read by programs: its field names are a promise.
func TestReportAsJSON(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	body, err := json.Marshal(inspect(t, seal(t, a, BT, minimalPDF(1, 0)), trustOf(a)))
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"valid", "level", "signer", "organization", "certificate_sha256", "certificate_end", "signed_at", "stamped_at", "stamped_by", "checks", "notes"} {
		if _, ok := r[key]; !ok {
			t.Errorf("%s is missing in %s", key, body)
		}
	}
	if r["level"] != "B-T" || r["valid"] != true {
		t.Errorf("level %v, valid %v", r["level"], r["valid"])
	}
}
