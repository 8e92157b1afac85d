package ledger_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/ledger"
	"segell/storage"
	"segell/storage/storagetest"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// setting is a ledger on a bucket in memory, at a time that stands still.
type setting struct {
	*ledger.Ledger
	bucket *storagetest.Memory
	config ledger.Config
}

func newSetting(t *testing.T) *setting {
	t.Helper()
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	bucket := &storagetest.Memory{}
	config := ledger.Config{Objects: bucket, Keyset: keyset, HMACKey: bytes.Repeat([]byte{7}, ledger.HMACKeySize),
		Now: func() time.Time { return noon }, Random: rand.Reader}
	return &setting{Ledger: open(t, config), bucket: bucket, config: config}
}

// open returns a Ledger as another process would have it.
func open(t *testing.T, c ledger.Config) *ledger.Ledger {
	t.Helper()
	l, err := ledger.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const body = `{"language":"ca","holder":{"full_name":"Canari Groc, Aloma","cass_number":"000000A"}}`

func submission(key string) ledger.Submission {
	return ledger.Submission{Client: "portal", IdempotencyKey: key, Kind: "coverage_certificate", Code: "COB", CASSNumber: "000000A",
		Queue: "interactive", Body: []byte(body), At: noon}
}

func accept(t *testing.T, l *ledger.Ledger, key string) ledger.Receipt {
	t.Helper()
	receipt, err := l.Accept(t.Context(), submission(key))
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func keys(t *testing.T, bucket *storagetest.Memory, prefix string) []string {
	t.Helper()
	var all []string
	for info, err := range bucket.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Key)
	}
	return all
}

func TestWhatWasAcceptedCanBeRead(t *testing.T) {
	s := newSetting(t)
	receipt := accept(t, s.Ledger, "k")
	if receipt.Number != "CASS-2026-COB-0000001" || receipt.Repeated || receipt.Finished || receipt.Queue != "interactive" {
		t.Errorf("receipt %+v", receipt)
	}
	request, err := open(t, s.config).Request(t.Context(), receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	if request.Number != receipt.Number || string(request.Body) != body || !request.IssuedAt.Equal(noon) || request.Client != "portal" {
		t.Errorf("read back %+v", request)
	}
	if _, err := ledger.ParseCSV(string(request.CSV)); err != nil {
		t.Errorf("its code: %v", err)
	}
	if name, err := s.QueueOf(t.Context(), receipt.ID); err != nil || name != "interactive" {
		t.Errorf("its queue: %q, %v", name, err)
	}
	want := []string{"counters/2026/COB", "holders/v1/" + s.HolderDigest("000000A") + "/" + receipt.ID, "requests/2026/03/02/" + receipt.ID}
	for _, key := range want {
		if _, err := s.bucket.Head(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestTheSameKeyAndBodyAreAcceptedOnce(t *testing.T) {
	s := newSetting(t)
	first := accept(t, s.Ledger, "k")
	again := accept(t, open(t, s.config), "k")
	if !again.Repeated || again.ID != first.ID || again.Number != first.Number {
		t.Errorf("first %+v, again %+v", first, again)
	}
	reordered := submission("k")
	reordered.Body = []byte(`{ "holder": {"cass_number":"000000A", "full_name":"Canari Groc, Aloma"}, "language":"ca" }`)
	if got, err := s.Accept(t.Context(), reordered); err != nil || got.ID != first.ID {
		t.Errorf("the same said in another order: %+v, %v", got, err)
	}
	for name, change := range map[string]func(*ledger.Submission){
		"another body": func(s *ledger.Submission) { s.Body = []byte(`{"language":"en"}`) },
		"another kind": func(s *ledger.Submission) { s.Kind = "points_extract" },
	} {
		other := submission("k")
		change(&other)
		if _, err := s.Accept(t.Context(), other); !errors.Is(err, ledger.ErrIdempotencyReused) {
			t.Errorf("%s under the same key: %v, want ErrIdempotencyReused", name, err)
		}
	}
	other := submission("k")
	other.Client = "office"
	if got, err := s.Accept(t.Context(), other); err != nil || got.ID == first.ID {
		t.Errorf("another client's key of the same name: %+v, %v", got, err)
	}
	if n := len(keys(t, s.bucket, "requests/")); n != 2 {
		t.Errorf("%d requests were written, want 2", n)
	}
	if n := len(keys(t, s.bucket, "holders/")); n != 2 {
		t.Errorf("%d pointers are left, want 2: repeats must take theirs away", n)
	}
}

func TestManyAtOnceWithOneKeyAreAcceptedOnce(t *testing.T) {
	s := newSetting(t)
	ids := make(chan string, 64)
	var all sync.WaitGroup
	for range 64 {
		l := open(t, s.config)
		all.Go(func() {
			// A loser may come between the winner's key and request; it then writes
			// the request itself, or finds it.
			receipt, err := l.Accept(t.Context(), submission("k"))
			if err != nil {
				t.Error(err)
			}
			ids <- receipt.ID
		})
	}
	all.Wait()
	close(ids)
	seen := map[string]bool{}
	for id := range ids {
		seen[id] = true
	}
	if requests := keys(t, s.bucket, "requests/"); len(seen) != 1 || len(requests) != 1 {
		t.Errorf("%d ids were promised and %d requests written", len(seen), len(requests))
	}
}

func TestNumbersAndCodesAreUniqueAcrossProcesses(t *testing.T) {
	s := newSetting(t)
	const processes, each = 4, 600 // more than one block each, together
	receipts := make(chan ledger.Receipt, processes*each)
	var all sync.WaitGroup
	for p := range processes {
		l := open(t, s.config)
		for q := range 4 {
			all.Go(func() {
				for i := range each / 4 {
					receipt, err := l.Accept(t.Context(), submission(fmt.Sprint(p, q, i)))
					if err != nil {
						t.Error(err)
					}
					receipts <- receipt
				}
			})
		}
	}
	all.Wait()
	close(receipts)
	numbers, codes := map[string]bool{}, map[ledger.CSV]bool{}
	for receipt := range receipts {
		request, err := s.Request(t.Context(), receipt.ID)
		if err != nil {
			t.Fatal(err)
		}
		numbers[request.Number], codes[request.CSV] = true, true
	}
	if len(numbers) != processes*each || len(codes) != processes*each {
		t.Errorf("%d numbers and %d codes for %d requests", len(numbers), len(codes), processes*each)
	}
}

func TestNumbersWidenAndTurnWithTheYearInAndorra(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	if _, err := s.bucket.Write(ctx, "counters/2026/COB", []byte(`{"next":9999999}`), storage.Put{}); err != nil {
		t.Fatal(err)
	}
	if a, b := accept(t, s.Ledger, "a"), accept(t, s.Ledger, "b"); a.Number != "CASS-2026-COB-9999999" || b.Number != "CASS-2026-COB-10000000" {
		t.Errorf("numbers %s and %s", a.Number, b.Number)
	}
	late := submission("c")
	late.At = time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC) // half past midnight in Andorra
	if r, err := s.Accept(ctx, late); err != nil || r.Number != "CASS-2027-COB-0000001" {
		t.Errorf("after midnight in Andorra the number is %s, %v", r.Number, err)
	}
}

func TestADamagedCounterIsNotGuessed(t *testing.T) {
	for _, text := range []string{`{"next":0}`, `{"next":-5}`, `{}`, `next`, ``} {
		s := newSetting(t)
		if _, err := s.bucket.Write(t.Context(), "counters/2026/COB", []byte(text), storage.Put{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Accept(t.Context(), submission("k")); !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("counter %q: %v, want ErrDamaged", text, err)
		}
	}
}

// The promise at the door: whatever fails, and whether or not it took effect, a
// repeat with the same key is accepted exactly once.
func TestTheDoorSurvivesEveryFault(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for n := 0; ; n++ {
			s := newSetting(t)
			count, hit := 0, false
			fault := func(op, key string) error {
				if count++; count-1 == n {
					hit = true
					return fmt.Errorf("%w: pulled the plug", storage.ErrUnavailable)
				}
				return nil
			}
			if lost {
				s.bucket.After = fault
			} else {
				s.bucket.Fault = fault
			}
			first, err := s.Accept(t.Context(), submission("k"))
			if !hit {
				if err != nil {
					t.Fatal(err)
				}
				if n < 4 {
					t.Fatalf("only %d operations at the door: the test sees too few", n)
				}
				break
			}
			if err == nil && first.ID == "" {
				t.Fatal("accepted without an id")
			}
			receipt, again := s.Accept(t.Context(), submission("k"))
			if again != nil {
				t.Fatalf("operation %d failed (lost reply: %v); the repeat: %v", n, lost, again)
			}
			if err == nil && first.ID != receipt.ID {
				t.Fatalf("operation %d: %s was accepted, the repeat got %s", n, first.ID, receipt.ID)
			}
			if requests := keys(t, s.bucket, "requests/"); len(requests) != 1 || !strings.HasSuffix(requests[0], receipt.ID) {
				t.Fatalf("operation %d failed (lost reply: %v): requests %v, receipt %s", n, lost, requests, receipt.ID)
			}
			if _, err := s.bucket.Head(t.Context(), "holders/v1/"+s.HolderDigest("000000A")+"/"+receipt.ID); err != nil {
				t.Fatalf("operation %d failed (lost reply: %v): the request has no pointer: %v", n, lost, err)
			}
		}
	}
}

func TestARepeatAfterTheDocumentFindsIt(t *testing.T) {
	s := newSetting(t)
	receipt := accept(t, s.Ledger, "k")
	issue(t, s, receipt.ID)
	again := accept(t, s.Ledger, "k")
	if !again.Finished || again.ID != receipt.ID || again.Number != receipt.Number {
		t.Errorf("the repeat got %+v", again)
	}
	if n := keys(t, s.bucket, "requests/"); len(n) != 0 {
		t.Errorf("a finished request came back: %v", n)
	}
}

var described = ledger.Document{Level: "B-T", Pages: 2, Certificate: strings.Repeat("c", 64)}

func issue(t *testing.T, s *setting, id string) ledger.Request {
	t.Helper()
	request, err := s.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	document, err := s.Issue(t.Context(), request, []byte("%PDF sealed"), described)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(t.Context(), request, document, "ca", "2026-06-02", ledger.Mask("Canari Groc, Aloma", "000000A"), ledger.Making{}); err != nil {
		t.Fatal(err)
	}
	return request
}

func TestAnIssuedDocumentIsInTheRegister(t *testing.T) {
	s := newSetting(t)
	receipt := accept(t, s.Ledger, "k")
	request := issue(t, s, receipt.ID)
	record, err := s.ByCSV(t.Context(), request.CSV)
	if err != nil {
		t.Fatal(err)
	}
	if record.ID != receipt.ID || record.Number != receipt.Number || record.Pages != 2 || record.Level != "B-T" || record.ValidUntil != "2026-06-02" ||
		record.Status != ledger.StateIssued || len(record.Versions) != 1 || record.Versions[0].Size != 11 || record.Masked.Initials != "A. C. G." || record.Masked.CASSNumber != "•••••0A" {
		t.Errorf("record %+v", record)
	}
	standing, err := s.Look(t.Context(), receipt.ID)
	if err != nil || standing.State != ledger.StateIssued || standing.Record == nil {
		t.Errorf("standing %+v, %v", standing, err)
	}
	other, err := ledger.NewCSV(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ByCSV(t.Context(), other); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a code of nobody: %v", err)
	}
}

func TestADocumentIsStoredOnceAndAdopted(t *testing.T) {
	s := newSetting(t)
	receipt := accept(t, s.Ledger, "k")
	request, err := s.Request(t.Context(), receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Issue(t.Context(), request, []byte("first"), described)
	if err != nil {
		t.Fatal(err)
	}
	worse := described
	worse.Pages, worse.Level = 9, "B-B"
	second, err := s.Issue(t.Context(), request, []byte("second, by another worker"), worse)
	if err != nil || second != first {
		t.Errorf("adopted %+v, %v; the stored one is %+v", second, err, first)
	}
	object, err := s.bucket.Get(t.Context(), ledger.DocumentKey(receipt.ID))
	if err != nil || string(object.Body) != "first" {
		t.Errorf("the document is %q, %v", object.Body, err)
	}
}

func TestATombstoneWins(t *testing.T) {
	s := newSetting(t)
	receipt := accept(t, s.Ledger, "k")
	request, err := s.Request(t.Context(), receipt.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.bucket.Create(t.Context(), ledger.DocumentKey(receipt.ID), nil, storage.Put{Metadata: map[string]string{"tombstone": "cancelled", "kind": request.Kind}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Issue(t.Context(), request, []byte("too late"), described); !errors.Is(err, ledger.ErrCancelled) {
		t.Errorf("issuing over a tombstone: %v, want ErrCancelled", err)
	}
	if err := s.Forget(t.Context(), receipt.ID); err != nil {
		t.Fatal(err)
	}
	if standing, err := s.Look(t.Context(), receipt.ID); err != nil || standing.State != ledger.StateCancelled {
		t.Errorf("standing %+v, %v", standing, err)
	}
}

func TestAFailureEndsWaitsAndIsOpenedAgain(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	a, b, c := accept(t, s.Ledger, "a"), accept(t, s.Ledger, "b"), accept(t, s.Ledger, "c")
	failure := ledger.Failure{ID: b.ID, Kind: b.Kind, Number: b.Number, Stage: ledger.StageSeal, Cause: "seal_certificate_expired", FailedAt: noon,
		Tries: []ledger.Try{{At: noon, Stage: ledger.StageSeal, Cause: "seal_certificate_expired"}}}
	if err := s.GiveUp(ctx, failure); err != nil {
		t.Fatal(err)
	}
	other := failure
	other.Cause = "unexpected"
	if err := s.GiveUp(ctx, other); err != nil { // a second worker's word
		t.Fatal(err)
	}
	if standing, err := s.Look(ctx, b.ID); err != nil || standing.State != ledger.StateFailed || standing.Failure.Cause != "seal_certificate_expired" {
		t.Errorf("standing %+v, %v", standing, err)
	}
	if got := unfinished(t, s.Ledger); !slices.Equal(got, sorted(a.ID, c.ID)) {
		t.Errorf("unfinished %v, want %s and %s", got, a.ID, c.ID)
	}
	var listed []string
	for f, err := range s.Failures(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, f.Number)
	}
	if !slices.Equal(listed, []string{b.Number}) {
		t.Errorf("failures %v", listed)
	}
	if request, err := s.Reopen(ctx, b.ID); err != nil || request.ID != b.ID {
		t.Errorf("Reopen gave %v, %v", request.ID, err)
	}
	if got := unfinished(t, s.Ledger); len(got) != 3 {
		t.Errorf("after it was opened again %d are unfinished, want 3", len(got))
	}
	if _, err := s.Reopen(ctx, b.ID); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("opening again what has not failed: %v", err)
	}
}

func sorted(ids ...string) []string { slices.Sort(ids); return ids }

func unfinished(t *testing.T, l *ledger.Ledger) []string {
	t.Helper()
	var ids []string
	for id, err := range l.Unfinished(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func TestListingEndsWithItsError(t *testing.T) {
	s := newSetting(t)
	accept(t, s.Ledger, "a")
	for _, prefix := range []string{"requests/", "failures/"} {
		s.bucket.Fault = func(op, key string) error {
			if op == "list" && strings.HasPrefix(key, prefix) {
				return storage.ErrUnavailable
			}
			return nil
		}
		var last error
		for _, err := range s.Unfinished(t.Context()) {
			last = err
		}
		if prefix == "requests/" && !errors.Is(last, storage.ErrUnavailable) {
			t.Errorf("%s could not be listed and Unfinished said %v", prefix, last)
		}
		if prefix == "failures/" && !errors.Is(last, storage.ErrUnavailable) {
			t.Errorf("%s could not be listed and Unfinished said %v: what failed would be tried again", prefix, last)
		}
	}
}

func TestAnUnknownKeyIsNoDamage(t *testing.T) {
	s := newSetting(t)
	receipt := accept(t, s.Ledger, "k")
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	other := s.config
	if other.Keyset, err = ledger.ReadKeyset(text); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, other).Request(t.Context(), receipt.ID); !errors.Is(err, ledger.ErrKeyUnknown) {
		t.Errorf("read with another keyset: %v, want ErrKeyUnknown", err)
	}
}

func TestAnObjectThatIsNotOursIsDamage(t *testing.T) {
	s := newSetting(t)
	ctx := t.Context()
	a, b := accept(t, s.Ledger, "a"), accept(t, s.Ledger, "b")
	key := func(id string) string { return "requests/2026/03/02/" + id }
	of := func(id string) []byte {
		object, err := s.bucket.Get(ctx, key(id))
		if err != nil {
			t.Fatal(err)
		}
		return object.Body
	}
	flipped := bytes.Clone(of(a.ID))
	flipped[len(flipped)-1] ^= 1
	for name, content := range map[string][]byte{"a flipped bit": flipped, "another's request": of(b.ID), "nothing": nil, "text": []byte("hello, this is not a request")} {
		if _, err := s.bucket.Write(ctx, key(a.ID), content, storage.Put{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Request(ctx, a.ID); !errors.Is(err, ledger.ErrDamaged) && !errors.Is(err, ledger.ErrKeyUnknown) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
}

// Nothing that the ledger writes outside documents/ may tell who a document is
// about.
func TestNothingPersonalCanBeReadInTheBucket(t *testing.T) {
	s := newSetting(t)
	a, b := accept(t, s.Ledger, "a"), accept(t, s.Ledger, "b")
	issue(t, s, a.ID)
	if err := s.GiveUp(t.Context(), ledger.Failure{ID: b.ID, Kind: b.Kind, Number: b.Number, Stage: ledger.StageRender, Cause: "missing_glyph", FailedAt: noon}); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(t, s.bucket, "") {
		object, err := s.bucket.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(object.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"Canari", "Groc", "Aloma", "000000A"} {
			if strings.Contains(key+string(text)+string(object.Body), secret) {
				t.Errorf("%s holds %q", key, secret)
			}
		}
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ name, number, initials, masked string }{
		{"Puig i Cerqueda, Maria del Carme", "000000A", "M. C. P. C.", "•••••0A"},
		{"Gonçalves da Conceição Araújo, João", "999999Z", "J. G. C. A.", "•••••9Z"},
		{"Àlex Ñ", "123456B", "À. Ñ.", "•••••6B"},
		{"de Sant-Julià, Núria", "1", "N. S. J.", "1"},
		{"", "", "", ""},
	} {
		if got := ledger.Mask(c.name, c.number); got.Initials != c.initials || got.CASSNumber != c.masked {
			t.Errorf("Mask(%q) = %+v, want %q %q", c.name, got, c.initials, c.masked)
		}
	}
}

func TestIDs(t *testing.T) {
	id, err := ledger.NewID(noon, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := ledger.CheckID(id); err != nil {
		t.Errorf("CheckID(%s): %v", id, err)
	}
	if got := ledger.TimeOf(id); !got.Equal(noon) {
		t.Errorf("TimeOf(%s) = %v, want %v", id, got, noon)
	}
	later, err := ledger.NewID(noon.Add(time.Millisecond), rand.Reader)
	if err != nil || later <= id {
		t.Errorf("%s is not after %s (%v)", later, id, err)
	}
	for _, bad := range []string{"", "x", strings.ToUpper(id), "{" + id + "}", "urn:uuid:" + id, id + " ", "../" + id, "0199e0a0-5b7c-4c1e-9a54-3f1d2b6c7d8e", strings.ReplaceAll(id, "-", "")} {
		if !errors.Is(ledger.CheckID(bad), ledger.ErrID) {
			t.Errorf("CheckID(%q) took it", bad)
		}
	}
}

func TestCausesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range ledger.Causes {
		if seen[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
		for _, language := range []string{"ca", "en"} {
			if w := c.Staff[language]; w.What == "" || w.Do == "" {
				t.Errorf("%s says nothing to staff in %s", c.ID, language)
			}
		}
		if c.Portal == "" {
			t.Errorf("%s says nothing to the portal", c.ID)
		}
		switch c.Nature {
		case ledger.Permanent:
			if c.First != 0 {
				t.Errorf("%s is permanent and has a pause", c.ID)
			}
		case ledger.Transient, ledger.Waiting:
			for n := 1; n <= 40; n++ {
				if p := c.Pause(n); p > c.Most || p < c.First*3/4 {
					t.Errorf("%s pauses %v after %d tries, outside %v to %v", c.ID, p, n, c.First*3/4, c.Most)
				}
			}
		default:
			t.Errorf("%s is %q", c.ID, c.Nature)
		}
	}
	if got := ledger.CauseOf("of a later version"); got.ID != "of a later version" || got.Wording("fr").What == "" {
		t.Errorf("an unknown cause gives %+v", got)
	}
}

func TestNewSaysAllThatIsMissing(t *testing.T) {
	_, err := ledger.New(ledger.Config{})
	if err == nil {
		t.Fatal("an empty configuration was taken")
	}
	for _, field := range []string{"Objects", "Keyset", "HMACKey", "Now", "Random"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q does not name %s", err, field)
		}
	}
}

func TestWaitingForNumbersEndsWithTheContext(t *testing.T) {
	s := newSetting(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.bucket.Fault = func(op, key string) error {
		if strings.HasPrefix(key, "counters/") {
			once.Do(func() { close(entered) })
			<-leave
		}
		return nil
	}
	done := make(chan error, 1)
	go func() { _, err := s.Accept(context.Background(), submission("slow")); done <- err }()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Accept(ctx, submission("hurried")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who waits behind a slow reservation got %v, want the deadline", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
