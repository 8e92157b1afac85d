package signing

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"segell/internal/judges"
	"segell/pki"
)

// sealedTo takes the steps to a level and gives what each of them made.
func sealedTo(t testing.TB, s *Sealer, pdf []byte) map[Level][]byte {
	t.Helper()
	plan, err := planSeal(pdf)
	if err != nil {
		t.Fatal(err)
	}
	made := map[Level][]byte{}
	var document []byte
	for _, level := range levels {
		if !s.config.Level.Includes(level) {
			break
		}
		if document, err = s.step(context.Background(), plan, document, level); err != nil {
			t.Fatal(level, err)
		}
		made[level] = bytes.Clone(document) // the next step takes it over
	}
	return made
}

func appended(t testing.TB, file []byte, revision func(*document) ([]byte, error)) []byte {
	t.Helper()
	d, err := readDocument(file)
	if err != nil {
		t.Fatal(err)
	}
	tail, err := revision(d)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(file, tail)
}

func withEvidence(t testing.TB, file []byte, e evidence) []byte {
	t.Helper()
	return appended(t, file, func(d *document) ([]byte, error) { return d.withEvidence(&e) })
}

func evidenceOf(t testing.TB, file []byte) evidence {
	t.Helper()
	d, err := readDocument(file)
	if err != nil {
		t.Fatal(err)
	}
	dss, err := d.readDSS()
	if err != nil {
		t.Fatal(err)
	}
	return dss.evidence
}

// Every level contains the bytes of the one below, but for the space of the time-stamp.
func TestLevelsBuildOnEachOther(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	s := newSealer(t, configOf(t, a, a.Seal(), BLTA))
	made := sealedTo(t, s, minimalPDF(1, 0))
	for i, level := range levels {
		if r := inspect(t, made[level], trustOf(a)); !r.Valid || r.Level != level {
			t.Errorf("%s: measured %q: %v", level, r.Level, r.Err())
		}
		if i > 1 && !bytes.HasPrefix(made[level], made[levels[i-1]]) {
			t.Errorf("%s does not begin with the bytes of %s", level, levels[i-1])
		}
	}
	// Evidence for four certificates below the root: two of the seal, two of the authority that stamped.
	if e := evidenceOf(t, made[BLT]); len(e.certs) != 4 || len(e.ocsps) != 4 || len(e.crls) != 0 {
		t.Errorf("%d certificates, %d OCSP replies, %d lists; want 4, 4 and none", len(e.certs), len(e.ocsps), len(e.crls))
	}
	r := inspect(t, made[BLTA], trustOf(a))
	if r.ArchivedBy == "" || r.ArchivedAt.Before(r.StampedAt) || !r.ProofEnd.Equal(a.TSA().NotAfter) || len(r.Notes) != 0 {
		t.Errorf("archived by %q at %s after %s, proof until %s, notes %q", r.ArchivedBy, r.ArchivedAt, r.StampedAt, r.ProofEnd, r.Notes)
	}
}

func TestRevokedWhenSealing(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	leaf, err := a.Revoked(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	for name, away := range map[string]func(pki.Misbehaviour){"by OCSP": a.MisbehaveCRL, "by the list": a.MisbehaveOCSP} {
		away(pki.ServerError)
		sealed, err := newSealer(t, configOf(t, a, leaf, BLTA)).Seal(context.Background(), minimalPDF(1, 0))
		if !errors.Is(err, ErrCertificateRevoked) || errors.Is(err, ErrRevocationUnavailable) || sealed != nil {
			t.Errorf("%s: %v; want ErrCertificateRevoked and no document", name, err)
		}
		away(pki.Behave)
	}
	if _, err := newSealer(t, configOf(t, a, a.Seal(), BLTA)).Seal(context.Background(), minimalPDF(1, 0)); err != nil {
		t.Error("another certificate:", err)
	}
	// The authority above the seal.
	if err := a.Revoke(a.Intermediates()[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := newSealer(t, configOf(t, a, a.Seal(), BLT)).Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrCertificateRevoked) {
		t.Errorf("its authority was revoked: %v", err)
	}
}

// A time-stamping authority that was revoked is passed over, and with none left it is the stamp that is missing: nothing
// is wrong with the seal.
func TestRevokedTimeStampingAuthority(t *testing.T) {
	a, good := ownAuthority(t, pki.Options{}), ownAuthority(t, pki.Options{})
	if err := a.Revoke(a.TSA()); err != nil {
		t.Fatal(err)
	}
	c := configOf(t, a, a.Seal(), BLTA)
	if _, err := newSealer(t, c).Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrTSAUnavailable) || errors.Is(err, ErrCertificateRevoked) {
		t.Errorf("%v; want ErrTSAUnavailable", err)
	}
	c.TSAs = append(c.TSAs, TSA{URL: good.TSAURL(), Roots: good.Roots()})
	c.Revocation.Hosts = append(c.Revocation.Hosts, good.Host())
	sealed, err := newSealer(t, c).Seal(context.Background(), minimalPDF(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if r := inspect(t, sealed, Trust{Roots: a.Roots(), TSARoots: good.Roots()}); !r.Valid || r.Level != BLTA {
		t.Error(r.Level, r.Err())
	}
}

// What one source does wrong is made good by the other; what both do wrong is an error within the time allowed.
func TestRespondersThatMisbehave(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	c := configOf(t, a, a.Seal(), BLT)
	c.Revocation.Timeout = time.Second
	both := map[pki.Misbehaviour]string{
		pki.ServerError: "HTTP 500", pki.Redirect: "HTTP 307", pki.Hang: "deadline exceeded", pki.SlowBody: "deadline exceeded",
		pki.HugeBody: "larger than", pki.TrailingData: "", pki.Stale: "has ended", pki.ForeignChain: "",
	}
	ocsp := map[pki.Misbehaviour]string{
		pki.WrongType: "application/ocsp-response", pki.WrongImprint: "another certificate", pki.SealCertSigned: "",
		pki.BrokenToken: "does not fit", pki.UnknownStatus: "does not know", pki.SkewedAhead: "future",
		pki.Rejection: "status 3", pki.ExpiredSigner: "not valid when it answered",
	}
	crl := map[pki.Misbehaviour]string{pki.Partial: "critical extension", pki.WrongType: "cannot be read"}
	try := func(t *testing.T, how pki.Misbehaviour, words string, bad, other func(pki.Misbehaviour), byList bool) {
		bad(how)
		defer bad(pki.Behave)
		sealed, err := newSealer(t, c).Seal(context.Background(), minimalPDF(1, 0))
		if err != nil {
			t.Fatalf("the other source is well: %v", err)
		}
		if e := evidenceOf(t, sealed); (len(e.crls) > 0) != byList || (len(e.ocsps) > 0) == byList {
			t.Errorf("%d OCSP replies and %d lists", len(e.ocsps), len(e.crls))
		}
		other(pki.ServerError)
		defer other(pki.Behave)
		start := time.Now()
		sealed, err = newSealer(t, c).Seal(context.Background(), minimalPDF(1, 0))
		if !errors.Is(err, ErrRevocationUnavailable) || errors.Is(err, context.DeadlineExceeded) || sealed != nil {
			t.Fatalf("%v; want ErrRevocationUnavailable and no document", err)
		}
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%v; want it to say %q", err, words)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("took %s", took)
		}
	}
	for _, list := range []map[pki.Misbehaviour]string{both, ocsp} {
		for how, words := range list {
			t.Run("OCSP "+string(how), func(t *testing.T) { try(t, how, words, a.MisbehaveOCSP, a.MisbehaveCRL, true) })
		}
	}
	for _, list := range []map[pki.Misbehaviour]string{both, crl} {
		for how, words := range list {
			t.Run("list "+string(how), func(t *testing.T) { try(t, how, words, a.MisbehaveCRL, a.MisbehaveOCSP, false) })
		}
	}
}

// Replies that are unusual and right: without an end, or by a responder that has to be checked by its authority's list.
func TestUnusualResponders(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	for how, lists := range map[pki.Misbehaviour]int{pki.OpenEnded: 0, pki.ResponderToCheck: 3} {
		a.MisbehaveOCSP(how)
		sealed := seal(t, a, BLTA, minimalPDF(1, 0))
		if r := inspect(t, sealed, trustOf(a)); !r.Valid || r.Level != BLTA {
			t.Errorf("%s: %q: %v", how, r.Level, r.Err())
		}
		if e := evidenceOf(t, sealed); len(e.ocsps) != 4 || len(e.crls) < lists {
			t.Errorf("%s: %d OCSP replies, %d lists", how, len(e.ocsps), len(e.crls))
		}
		if how == pki.ResponderToCheck {
			judges.DSS(t, write(t, sealed), a.RootPEM(), "B-LTA", judges.Options{Offline: true})
		}
	}
	// With the list away, nobody vouches for the responder.
	a.MisbehaveOCSP(pki.ResponderToCheck)
	a.MisbehaveCRL(pki.ServerError)
	if _, err := newSealer(t, configOf(t, a, a.Seal(), BLT)).Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrRevocationUnavailable) {
		t.Errorf("%v; want ErrRevocationUnavailable", err)
	}
}

func TestOnlyConfiguredHostsAreAsked(t *testing.T) {
	a, stamps := ownAuthority(t, pki.Options{}), ownAuthority(t, pki.Options{})
	c := configOf(t, a, a.Seal(), BLT)
	c.Revocation.Hosts = []string{"ocsp.example.net"}
	if _, err := NewSealer(c); err == nil || !strings.Contains(err.Error(), "Revocation.Hosts") || !strings.Contains(err.Error(), "/ocsp/") {
		t.Errorf("no host of the seal is named: %v", err)
	}
	c = configOf(t, a, a.Seal(), BLT)
	c.TSAs = []TSA{{URL: stamps.TSAURL(), Roots: stamps.Roots()}}
	if _, err := newSealer(t, c).Seal(context.Background(), minimalPDF(1, 0)); !errors.Is(err, ErrRevocationUnavailable) || !strings.Contains(err.Error(), "no address") {
		t.Errorf("the host of the TSA's responder is not named: %v", err)
	}
	if n := stamps.OCSPReplies() + stamps.CRLs(); n != 0 {
		t.Errorf("asked %d times at a host that is not named", n)
	}
	for _, bad := range []string{"", "http://host", "host/path", "user@host", "a b"} {
		c.Revocation.Hosts = []string{a.Host(), bad}
		if _, err := NewSealer(c); err == nil || !strings.Contains(err.Error(), "Revocation.Hosts[1]") {
			t.Errorf("host %q: %v", bad, err)
		}
	}
	r, err := newCollector(Revocation{Hosts: []string{"One.example", "two.example:8080"}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"http://one.example/x": true, "https://ONE.example:443/x": true, "http://one.example:80/": true, "http://one.example:81/": false,
		"http://two.example/": false, "http://two.example:8080/": true, "ldap://one.example/": false, "http://me@one.example/": false,
		"http://one.example.evil/": false, "//one.example/": false, "http://%zz/": false,
	} {
		if got := len(r.allowed([]string{address})) > 0; got != want {
			t.Errorf("%s: allowed %v", address, got)
		}
	}
}

// The seal's own proof is asked anew for each document; everything else is kept until half its time is over.
func TestProofIsKept(t *testing.T) {
	a := ownAuthority(t, pki.Options{})
	var later time.Duration
	c := configOf(t, a, a.Seal(), BLT)
	c.Now = func() time.Time { return time.Now().Add(later) }
	s := newSealer(t, c)
	for n, want := range []int64{4, 1, 1} {
		before := a.OCSPReplies()
		if _, err := s.Seal(context.Background(), minimalPDF(1, 0)); err != nil {
			t.Fatal(err)
		}
		if got := a.OCSPReplies() - before; got != want {
			t.Errorf("document %d: %d questions, want %d", n+1, got, want)
		}
	}
	chain := []*x509.Certificate{a.Intermediates()[0], a.Root()}
	for _, step := range []struct {
		at   time.Duration
		want int64
	}{{25 * time.Minute, 0}, {31 * time.Minute, 1}} { // the replies live for an hour
		later = step.at
		before := a.OCSPReplies()
		if _, err := s.revoked.collect(context.Background(), chain, false); err != nil {
			t.Fatal(err)
		}
		if got := a.OCSPReplies() - before; got != step.want {
			t.Errorf("after %s: %d questions, want %d", step.at, got, step.want)
		}
	}
}

// The archive time-stamp comes from another authority than the first when that one is away: evidence about it is added
// before it stamps.
func TestAnotherAuthorityArchives(t *testing.T) {
	a, second := ownAuthority(t, pki.Options{}), ownAuthority(t, pki.Options{})
	c := configOf(t, a, a.Seal(), BLTA)
	c.TSAs = append(c.TSAs, TSA{URL: second.TSAURL(), Roots: second.Roots()})
	c.Revocation.Hosts = append(c.Revocation.Hosts, second.Host())
	s := newSealer(t, c)
	long := sealedTo(t, s, minimalPDF(1, 0))[BLT]
	a.Misbehave(pki.ServerError)
	archived, err := s.addStamp(context.Background(), long)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Inspect(context.Background(), archived, s.trust()); err != nil || !r.Valid || r.Level != BLTA {
		t.Error(r.Level, r.Err(), err)
	}
	if n := len(evidenceOf(t, archived).certs); n != 6 {
		t.Errorf("evidence about %d certificates, want 6", n)
	}
	wantCaught(t, archived, trustOf(a), CheckArchiveTrusted)
	second.MisbehaveOCSP(pki.ServerError)
	second.MisbehaveCRL(pki.ServerError)
	if _, err := newSealer(t, c).addStamp(context.Background(), long); !errors.Is(err, ErrTSAUnavailable) {
		t.Errorf("nothing is proven about the second authority: %v", err)
	}
}

// An archive time-stamp keeps the proof when the certificates below it have ended, until its own ends.
func TestArchiveOutlivesTheCertificates(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	for level, cases := range map[Level]map[time.Duration]string{
		BLT:  {4 * year: "", 6 * year: CheckTimestampTrusted},
		BLTA: {3 * year: "", 6 * year: CheckArchiveTrusted},
	} {
		sealed := seal(t, a, level, minimalPDF(1, 0))
		for later, want := range cases {
			trust := trustOf(a)
			trust.Now = func() time.Time { return time.Now().Add(later) }
			if by, _ := caught(t, sealed, trust); by != want {
				t.Errorf("%s after %s: caught by %q, want %q", level, later, by, want)
			}
		}
	}
}

// A third of the bytes of the revisions after the seal, and a sample of what is before.
func TestFlippedBytesOfTheEvidenceAreCaught(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	made := sealedTo(t, newSealer(t, configOf(t, a, a.Seal(), BLTA)), minimalPDF(1, 0))
	for _, c := range []struct{ level, below Level }{{BLT, BT}, {BLTA, BLT}} {
		t.Run(string(c.level), func(t *testing.T) {
			t.Parallel()
			sealed, padding, end := made[c.level], 0, 0
			if c.level == BLTA {
				d, err := readDocument(sealed)
				if err != nil {
					t.Fatal(err)
				}
				stamp, _, err := d.lastStamp()
				if err != nil {
					t.Fatal(err)
				}
				der, err := stamp.contents()
				if err != nil {
					t.Fatal(err)
				}
				padding, end = stamp.hole.start+1+hex.EncodedLen(len(der)), stamp.hole.end
			}
			for at := range sealed {
				if at < len(made[c.below]) && at%211 != 0 || at%3 != 0 || at > padding && at < end-2 && at%199 != 0 {
					continue
				}
				bit := []byte{0x01, 0x20}[at%2]
				if _, ok := caught(t, flipped(sealed, at, bit), trustOf(a)); !ok {
					t.Errorf("byte %d of %d, bit %#x: not caught", at, len(sealed), bit)
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

// Revisions that are not ours, or ours in the wrong place.
func TestRevisionsThatDoNotBelong(t *testing.T) {
	a, stranger := sharedPKI(t, pki.P256), ownAuthority(t, pki.Options{})
	made := sealedTo(t, newSealer(t, configOf(t, a, a.Seal(), BLTA)), minimalPDF(1, 0))
	all := evidenceOf(t, made[BLT])
	content := "BT /F1 12 Tf 72 720 Td (PROVA - sense valor, another page) Tj ET"
	page := map[int]string{6: fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content)}
	stamp := func(file []byte) []byte {
		s := newSealer(t, configOf(t, a, a.Seal(), BLTA))
		d, err := readDocument(file)
		if err != nil {
			t.Fatal(err)
		}
		tail, start, end, err := d.withStamp(tokenReserve)
		if err != nil {
			t.Fatal(err)
		}
		sum := digestOf(file, tail[:start-len(file)], tail[end-len(file):])
		st, err := s.stamper.stamp(context.Background(), sum, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := fill(tail[start-len(file):end-len(file)], st.der); err != nil {
			t.Fatal(err)
		}
		return slices.Concat(file, tail)
	}
	if r := inspect(t, stamp(made[BLTA]), trustOf(a)); !r.Valid || r.Level != BLTA {
		t.Fatal("a second time-stamp is in order:", r.Err())
	}
	for name, c := range map[string]struct {
		pdf   []byte
		check string
	}{
		"a page replaced in B-LT":         {withRevision(t, made[BLT], page), CheckCoverage},
		"a page replaced in B-LTA":        {withRevision(t, made[BLTA], page), CheckCoverage},
		"a page replaced before evidence": {withEvidence(t, withRevision(t, made[BT], page), all), CheckCoverage},
		"a stamp without evidence":        {stamp(made[BT]), CheckCoverage},
		"evidence without a time-stamp":   {withEvidence(t, made[BB], all), CheckRevocation},
		"evidence after the last stamp":   {withEvidence(t, made[BLTA], evidence{certs: [][]byte{stranger.TSA().Raw}}), CheckCoverage},
		"a stranger's certificate":        {withEvidence(t, made[BT], evidence{append([][]byte{stranger.TSA().Raw}, all.certs...), all.ocsps, all.crls}), CheckRevocation},
		"a certificate missing":           {withEvidence(t, made[BT], evidence{all.certs[1:], all.ocsps, all.crls}), CheckRevocation},
		"the seal's reply missing":        {withEvidence(t, made[BT], evidence{all.certs, all.ocsps[1:], all.crls}), CheckRevocation},
		"the TSA's reply missing":         {withEvidence(t, made[BT], evidence{all.certs, all.ocsps[:2], all.crls}), CheckRevocation},
		"a reply of another certificate":  {withEvidence(t, made[BT], evidence{all.certs, [][]byte{all.ocsps[1], all.ocsps[1], all.ocsps[2], all.ocsps[3]}, nil}), CheckRevocation},
		"no DER":                          {withEvidence(t, made[BT], evidence{all.certs, append([][]byte{{1, 2, 3}}, all.ocsps...), nil}), CheckRevocation},
		"too many items":                  {withEvidence(t, made[BT], evidence{all.certs, slicesOf(all.ocsps[0], maxDSSItems+1), nil}), CheckRevocation},
	} {
		t.Run(name, func(t *testing.T) {
			wantCaught(t, c.pdf, trustOf(a), c.check)
			if r := inspect(t, c.pdf, trustOf(a)); r.Level.Includes(BLT) || r.Valid || !r.ProofEnd.IsZero() {
				t.Errorf("level %q, valid %v", r.Level, r.Valid)
			}
		})
	}
}

func slicesOf(item []byte, n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = item
	}
	return list
}

// The judges see what we see at the new levels.
func TestJudgesCatchBrokenArchives(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	s := newSealer(t, configOf(t, a, a.Seal(), BLTA))
	made := sealedTo(t, s, minimalPDF(1, 0))
	offline := judges.Options{Offline: true}

	t.Run("a page replaced", func(t *testing.T) {
		t.Parallel()
		content := "BT /F1 12 Tf 72 720 Td (PROVA - sense valor, another page) Tj ET"
		forged := withRevision(t, made[BLTA], map[int]string{6: fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content)})
		wantCaught(t, forged, trustOf(a), CheckCoverage)
		judges.RefusedByPyHanko(t, write(t, forged), a.RootPEM(), judges.Options{Extended: true}, "ILLEGAL_MODIFICATIONS")
	})
	t.Run("zeroed archive time-stamp", func(t *testing.T) {
		t.Parallel()
		d, err := readDocument(made[BLTA])
		if err != nil {
			t.Fatal(err)
		}
		stamp, _, err := d.lastStamp()
		if err != nil {
			t.Fatal(err)
		}
		forged := bytes.Clone(made[BLTA])
		copy(forged[stamp.hole.start+1:], bytes.Repeat([]byte{'0'}, stamp.hole.end-stamp.hole.start-2))
		wantCaught(t, forged, trustOf(a), CheckArchive)
		if r := inspect(t, forged, trustOf(a)); r.Level != BT {
			t.Errorf("level %q", r.Level)
		}
	})
	t.Run("wrong imprint", func(t *testing.T) {
		t.Parallel()
		d, err := readDocument(made[BLTA])
		if err != nil {
			t.Fatal(err)
		}
		stamp, _, err := d.lastStamp()
		if err != nil {
			t.Fatal(err)
		}
		forged := bytes.Clone(made[BLTA])
		if err := fill(forged[stamp.hole.start:stamp.hole.end], stampOf(t, made[BLTA])); err != nil {
			t.Fatal(err)
		}
		wantCaught(t, forged, trustOf(a), CheckArchive)
		file := write(t, forged)
		judges.RefusedByDSS(t, file, a.RootPEM(), offline, "time-stamp: FAILED HASH_FAILURE")
		judges.RefusedByPyHankoLTA(t, file, a.RootPEM(), "")
	})
	t.Run("the TSA's evidence missing", func(t *testing.T) {
		t.Parallel()
		all := evidenceOf(t, made[BLT])
		forged := withEvidence(t, made[BT], evidence{all.certs, all.ocsps[:2], all.crls})
		wantCaught(t, forged, trustOf(a), CheckRevocation)
		judges.RefusedByDSS(t, write(t, forged), a.RootPEM(), offline, "time-stamp: No revocation data found")
	})
	t.Run("under other roots", func(t *testing.T) {
		t.Parallel()
		stranger := ownAuthority(t, pki.Options{})
		wantCaught(t, made[BLTA], Trust{Roots: stranger.Roots(), TSARoots: stranger.Roots()}, CheckArchiveTrusted)
		judges.RefusedByDSS(t, write(t, made[BLTA]), stranger.RootPEM(), offline, "NO_CERTIFICATE_CHAIN_FOUND")
	})
}

// Evidence made to waste memory: a thousand references to one large stream, in sixty revisions.
func TestHostileEvidenceEndsQuickly(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	sealed := seal(t, a, BT, minimalPDF(1, 0))
	d, err := readDocument(sealed)
	if err != nil {
		t.Fatal(err)
	}
	root := int(d.trailer().get("Root").number)
	catalog, err := d.catalog()
	if err != nil {
		t.Fatal(err)
	}
	large := "<< /Length 8388608 >>\nstream\n" + strings.Repeat("0", 8<<20) + "\nendstream"
	forged := withRevision(t, sealed, map[int]string{
		4:    large,
		3:    "<< /Type /DSS /Certs [" + strings.Repeat("4 0 R ", 1000) + "] >>",
		root: string(d.splice(catalog, catalog.end-2, catalog.end-2, "/DSS 3 0 R ")),
	})
	for range 60 {
		forged = withRevision(t, forged, map[int]string{3: "<< /Type /DSS /Certs [" + strings.Repeat("4 0 R ", 1200) + "] >>"})
	}
	start := time.Now()
	wantCaught(t, forged, trustOf(a), CheckCoverage)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func FuzzEvidence(f *testing.F) {
	for _, v := range vectors {
		if !v.level.Includes(BLT) {
			continue
		}
		e := evidenceOf(f, readVector(f, v.file))
		for _, list := range [][][]byte{e.ocsps, e.crls} {
			for _, der := range list {
				f.Add(der)
			}
		}
	}
	issuer, err := x509.ParseCertificate(evidenceOf(f, readVector(f, "2026-blt-p256.pdf")).certs[1])
	if err != nil {
		f.Fatal(err)
	}
	cert, err := x509.ParseCertificate(evidenceOf(f, readVector(f, "2026-blt-p256.pdf")).certs[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		readOCSPProof(der, cert, issuer)
		if list, err := parseCRL(der); err == nil {
			crlProof(list, cert, issuer)
		}
		if s, err := readShelf(evidence{[][]byte{cert.Raw}, [][]byte{der}, nil}); err == nil {
			s.complete([]*x509.Certificate{cert, issuer}, vectorTime(), vectorTime())
			s.unused()
		}
	})
}
