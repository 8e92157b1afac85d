package signing

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"segell/internal/judges"
	"segell/pki"
)

// caught says whether Inspect finds fault with a file, by an error or in the report, and by which check.
func caught(t testing.TB, pdf []byte, trust Trust) (string, bool) {
	t.Helper()
	r, err := Inspect(context.Background(), pdf, trust)
	if err != nil {
		return err.Error(), true
	}
	for _, c := range r.Checks {
		if !c.OK {
			return c.Name, true
		}
	}
	if !r.Valid {
		t.Error("the report is not valid, but every check holds")
	}
	return "", false
}

func wantCaught(t *testing.T, pdf []byte, trust Trust, check string) {
	t.Helper()
	if by, ok := caught(t, pdf, trust); !ok || by != check {
		t.Errorf("caught %v by %q; want it caught by %q", ok, by, check)
	}
}

// flipped gives the file with one bit of one byte changed.
func flipped(pdf []byte, at int, bit byte) []byte {
	c := bytes.Clone(pdf)
	c[at] ^= bit
	return c
}

// Each byte of the seal's revision, in and around the hole, and a sample of the document's, in two ways: the lowest bit,
// and the one that tells capitals from small letters, which a lenient reader of hexadecimal would not see.
func TestEveryFlippedByteIsCaught(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	for _, level := range []Level{BB, BT} {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			document := minimalPDF(2, 3000)
			sealed := seal(t, a, level, document)
			hole, der := holeOf(t, sealed)
			padding := hole.start + 1 + hex.EncodedLen(len(der))
			for at := range sealed {
				switch {
				case at < len(document) && at%29 != 0, at > padding && at < hole.end-2 && at%199 != 0:
					continue
				}
				bits := []byte{0x01, 0x20}
				if level == BT { // one of the two per byte: the token makes it long
					bits = bits[at/2%2:][:1]
				}
				for _, bit := range bits {
					if _, ok := caught(t, flipped(sealed, at, bit), trustOf(a)); !ok {
						t.Errorf("byte %d of %d (hole %d to %d), bit %#x: not caught", at, len(sealed), hole.start, hole.end, bit)
					}
				}
			}
			for _, cut := range []int{1, 2, 100} {
				if _, ok := caught(t, sealed[:len(sealed)-cut], trustOf(a)); !ok {
					t.Errorf("%d bytes cut off the end: not caught", cut)
				}
			}
		})
	}
}

// One changed byte before, in and after the signature value, before the judges too.
func TestJudgesCatchAFlippedByte(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	sealed := seal(t, a, BB, minimalPDF(1, 100))
	hole, der := holeOf(t, sealed)
	text := bytes.Index(sealed, []byte("sense valor, page"))
	// The signature value ends the CMS structure.
	inValue := hole.start + 1 + hex.EncodedLen(len(der)) - 8
	changed := bytes.Clone(sealed)
	changed[inValue] = map[bool]byte{true: '1', false: '0'}[changed[inValue] == '0']
	reason := bytes.LastIndex(sealed, []byte("Document emission"))
	if text < 0 || reason < hole.end {
		t.Fatal("the places to change are not where they should be")
	}
	for name, c := range map[string]struct {
		pdf                []byte
		check, pdfsig, dss string
	}{
		"before": {flipped(sealed, text, 0x20), CheckDigest, "Digest Mismatch", "HASH_FAILURE"},
		"inside": {changed, CheckSignature, "Signature is Invalid", "SIG_CRYPTO_FAILURE"},
		"after":  {flipped(sealed, reason, 0x20), CheckDigest, "Digest Mismatch", "HASH_FAILURE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantCaught(t, c.pdf, trustOf(a), c.check)
			file := write(t, c.pdf)
			judges.RefusedByPDFSig(t, file, a.RootPEM(), c.pdfsig)
			judges.RefusedByPyHanko(t, file, a.RootPEM(), judges.Options{}, "INVALID")
			judges.RefusedByDSS(t, file, a.RootPEM(), judges.Options{}, c.dss)
		})
	}
}

// withRevision appends an incremental update that gives the objects new content.
func withRevision(t testing.TB, pdf []byte, objects map[int]string) []byte {
	t.Helper()
	d, err := readDocument(pdf)
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.NewBuffer(bytes.Clone(pdf))
	var table strings.Builder
	for number, body := range objects {
		fmt.Fprintf(&table, "%d 1\n%010d 00000 n \n", number, b.Len())
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", number, body)
	}
	xref := b.Len()
	trailer := d.trailer()
	fmt.Fprintf(b, "xref\n%strailer\n<< /Size %d /Root %d 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n",
		table.String(), trailer.get("Size").number, trailer.get("Root").number, d.revisions[0].xref, xref)
	return b.Bytes()
}

// withStamp gives the sealed document with another time-stamp.
func withStamp(t testing.TB, sealed, token []byte) []byte {
	t.Helper()
	hole, der := holeOf(t, sealed)
	cms, err := parseSignedData(der, nil)
	if err != nil {
		t.Fatal(err)
	}
	cms.unsigned = nil
	if der, err = cms.withUnsigned(oidSignatureTimeStamp, token); err != nil {
		t.Fatal(err)
	}
	forged := bytes.Clone(sealed)
	digits := forged[hole.start+1 : hole.end-1]
	for i := hex.Encode(digits, der); i < len(digits); i++ {
		digits[i] = '0'
	}
	return forged
}

func stampOf(t testing.TB, sealed []byte) []byte {
	t.Helper()
	_, der := holeOf(t, sealed)
	cms, err := parseSignedData(der, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := single(cms.unsigned, oidSignatureTimeStamp)
	if err != nil || token == nil {
		t.Fatal("no time-stamp", err)
	}
	return token
}

func TestJudgesVerifyTheTimeStamp(t *testing.T) {
	a := sharedPKI(t, pki.RSA3072)
	sealed := seal(t, a, BT, minimalPDF(1, 0))
	_, der := holeOf(t, sealed)
	cms, err := parseSignedData(der, nil)
	if err != nil {
		t.Fatal(err)
	}
	judges.OpenSSLTimestamp(t, stampOf(t, sealed), cms.signature, a.RootPEM())
}

// What the signature says of itself, in openssl's words.
func TestSignedAttributes(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	for _, level := range []Level{BB, BT} {
		sealed := seal(t, a, level, minimalPDF(1, 0))
		_, der := holeOf(t, sealed)
		words := judges.ASN1(t, der)
		for attr, want := range map[string]bool{
			"contentType": true, "messageDigest": true, "id-smime-aa-signingCertificateV2": true,
			"id-smime-aa-timeStampToken": level == BT,
		} {
			if got := strings.Contains(words, ":"+attr); got != want {
				t.Errorf("%s: %s present %v, want %v", level, attr, got, want)
			}
		}
		cms, err := parseSignedData(der, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := single(cms.signedAttrs, oidSigningTime); v != nil {
			t.Errorf("%s: a signing-time attribute, which PAdES forbids", level)
		}
		if len(cms.certificates) != 2 || !cms.certificates[0].Equal(a.Seal().Certificate) {
			t.Errorf("%s: %d certificates inside, want the seal's and its authority's, without the root", level, len(cms.certificates))
		}
	}
}

func TestWrongRoots(t *testing.T) {
	a, stranger := sharedPKI(t, pki.P256), ownAuthority(t, pki.Options{})
	sealed := seal(t, a, BT, minimalPDF(1, 0))
	wantCaught(t, sealed, Trust{Roots: stranger.Roots(), TSARoots: a.Roots()}, CheckTrusted)
	wantCaught(t, sealed, Trust{Roots: a.Roots(), TSARoots: stranger.Roots()}, CheckTimestampTrusted)
	wantCaught(t, sealed, Trust{Roots: a.Roots()}, CheckTimestampTrusted)
	if _, err := Inspect(context.Background(), sealed, Trust{}); err == nil {
		t.Error("inspected without any root")
	}
	file := write(t, sealed)
	judges.RefusedByPDFSig(t, file, stranger.RootPEM(), "Certificate issuer is unknown")
	judges.RefusedByPyHanko(t, file, stranger.RootPEM(), judges.Options{}, "UNTRUSTED")
}

// sealAt seals with a leaf while the clock says then.
func sealAt(t *testing.T, a *pki.Authority, leaf *pki.Leaf, then time.Time) []byte {
	t.Helper()
	c := configOf(t, a, leaf, BB)
	c.Now = func() time.Time { return then }
	s, err := NewSealer(c)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Seal(context.Background(), minimalPDF(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// A time-stamp keeps the seal after the certificate has ended, until the time-stamping authority's ends.
func TestTimeStampOutlivesTheCertificate(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	leaf, err := a.ShortLived(pki.P256, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		level Level
		later time.Duration
		fails string
	}{
		{BB, 30 * time.Minute, ""},
		{BB, 2 * time.Hour, CheckTrusted},
		{BT, 2 * time.Hour, ""},
		{BT, 4 * 365 * 24 * time.Hour, ""},
		{BT, 6 * 365 * 24 * time.Hour, CheckTimestampTrusted},
	} {
		sealed, err := newSealer(t, configOf(t, a, leaf, c.level)).Seal(context.Background(), minimalPDF(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		trust := trustOf(a)
		trust.Now = func() time.Time { return time.Now().Add(c.later) }
		if by, _ := caught(t, sealed, trust); by != c.fails {
			t.Errorf("%s after %s: caught by %q, want %q", c.level, c.later, by, c.fails)
		}
	}
}

func TestFilesThatAreNotSealed(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	maroto, err := os.ReadFile("testdata/maroto.pdf")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"empty":           {nil, ErrNotPDF},
		"a picture":       {[]byte("\x89PNG\r\n\x1a\n0000000000"), ErrNotPDF},
		"a page":          {[]byte("<!doctype html><p>%PDF-1.7"), ErrNotPDF},
		"unsealed":        {minimalPDF(1, 0), ErrUnsealed},
		"of stock maroto": {maroto, ErrUnsealed},
		"too large":       {make([]byte, MaxSize+1), ErrTooLarge},
	} {
		if _, err := Inspect(context.Background(), c.file, trustOf(a)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Inspect(ctx, seal(t, a, BB, minimalPDF(1, 0)), trustOf(a)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Files made to waste time or memory end quickly, whatever the verdict.
func TestHostileFilesEndQuickly(t *testing.T) {
	const size = 4 << 20
	skeleton := func(catalog, table, trailer string) []byte {
		body := "%PDF-1.7\n1 0 obj\n" + catalog + "\nendobj\n"
		return fmt.Appendf(nil, "%sxref\n%strailer\n%s\nstartxref\n%d\n%%%%EOF\n", body, table, trailer, len(body))
	}
	one := "1 1\n0000000009 00000 n \n"
	root := "<< /Size 2 /Root 1 0 R >>"
	var keys strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&keys, "/K%d 0 ", i)
	}
	for name, file := range map[string][]byte{
		"brackets":         skeleton(strings.Repeat("[", size), one, root),
		"dictionaries":     skeleton(strings.Repeat("<</A", size/4), one, root),
		"many values":      skeleton("["+strings.Repeat("0 ", size/2)+"]", one, root),
		"many keys":        skeleton("<<"+keys.String()+">>", one, root),
		"parentheses":      skeleton(strings.Repeat("(", size), one, root),
		"a long name":      skeleton("/"+strings.Repeat("#41", size/3), one, root),
		"many sections":    skeleton("<< >>", strings.Repeat("1 0\n", size/4), root),
		"a huge section":   skeleton("<< >>", "0 9999999999\n", root),
		"points to itself": skeleton("<< >>", one, "<< /Size 2 /Root 1 0 R /Prev 40 >>"),
		"kids of itself":   skeleton("<< /Type /Pages /Kids [1 0 R] /Pages 1 0 R /AcroForm << /Fields [1 0 R] >> /FT /Sig /V 1 0 R /Subtype /Widget >>", one, root),
		"only comments":    skeleton(strings.Repeat("%\n", size/2), one, root),
		"only digits":      skeleton(strings.Repeat("1", size), one, root),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			if _, ok := caught(t, file, trustOf(sharedPKI(t, pki.P256))); !ok {
				t.Error("accepted")
			}
			if took := time.Since(start); took > 10*time.Second { // it takes milliseconds; machines that run tests are busy
				t.Errorf("took %s", took)
			}
		})
	}
}

func FuzzInspect(f *testing.F) {
	for _, v := range vectors {
		sealed := readVector(f, v.file)
		f.Add(sealed)
		f.Add(withRevision(f, sealed, map[int]string{6: "<< >>"}))
	}
	f.Add(minimalPDF(2, 0))
	trust := vectorTrust(f)
	f.Fuzz(func(t *testing.T, pdf []byte) {
		r, err := Inspect(context.Background(), pdf, trust)
		if err == nil && r.Valid != (r.Err() == nil) {
			t.Error("verdict and checks disagree")
		}
		CheckDocument(pdf)
	})
}

func FuzzSignedData(f *testing.F) {
	for _, v := range vectors {
		sealed := readVector(f, v.file)
		_, der := holeOf(f, sealed)
		f.Add(der)
		if v.level == BT {
			f.Add(stampOf(f, sealed))
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if sd, err := parseSignedData(der, nil); err == nil {
			sd.checkDigest(nil)
			sd.checkSignature(nil)
			sd.checkSigningCertificate(true)
			if again, err := sd.withUnsigned(oidSignatureTimeStamp, []byte{0x30, 0}); err == nil {
				if _, err := parseSignedData(again, nil); err != nil {
					t.Errorf("with an unsigned attribute it is not read again: %v", err)
				}
			}
		}
		parseToken(der, nil)
		readReply(der)
	})
}

// The names in a foreign certificate are not commands for the terminal that shows them.
func TestNamesAreMadePrintable(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	leaf, err := a.Issue(pki.LeafOptions{CommonName: "\x1b[2Jcleared\nValid: true"})
	if err != nil {
		t.Fatal(err)
	}
	sealed := sealAt(t, a, leaf, time.Now())
	if r := inspect(t, sealed, trustOf(a)); strings.ContainsAny(r.Signer, "\x1b\n") || !strings.Contains(r.Signer, "cleared") {
		t.Errorf("signer %q", r.Signer)
	}
}
