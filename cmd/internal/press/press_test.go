package press_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/access"
	"segell/acts"
	"segell/cmd/internal/press"
	"segell/internal/judges"
	"segell/internal/servers"
	"segell/ledger"
	"segell/pki"
	"segell/queue"
	"segell/samples"
	"segell/signing"
	"segell/storage"
	"segell/worker"
)

// house is Segell with real servers around it: redis-server, versitygw and the
// test PKI's time-stamping authority.
type house struct {
	t      testing.TB
	redis  *servers.Redis
	s3     *servers.S3
	bucket *storage.Bucket
	pki    *pki.Authority
	parts  press.Parts
	press  *press.Press
	door   *httptest.Server
	token  string
	log    *buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// unlimited is what a test may ask for, which is in more of a hurry than a portal.
var unlimited = access.Rate{PerSecond: 1e5, Burst: 1e5}

// newHouse builds a house whose door is open and in which nobody works yet.
func newHouse(t testing.TB) *house {
	t.Helper()
	return newHouseWith(t, servers.RedisOptions{}, slog.LevelInfo)
}

// newHouseWith is newHouse with another Redis, or more in the log.
func newHouseWith(t testing.TB, o servers.RedisOptions, level slog.Level) *house {
	t.Helper()
	h := &house{t: t, redis: servers.NewRedis(t, o), s3: servers.NewS3(t), log: &buffer{}}
	h.bucket = h.s3.Bucket("segell")
	var err error
	if h.pki, err = pki.New(t.TempDir(), pki.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.pki.Close() })
	text, err := ledger.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		t.Fatal(err)
	}
	token, line, err := access.NewToken("portal")
	if err != nil {
		t.Fatal(err)
	}
	clients, err := access.ReadClients(line)
	if err != nil {
		t.Fatal(err)
	}
	h.token = token
	h.parts = press.Parts{Bucket: h.bucket, Keyset: keyset, HMACKey: bytes.Repeat([]byte{1}, ledger.HMACKeySize),
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: level})), Now: time.Now, PublicURL: "https://segell.example", Institution: "Caixa Andorrana de Seguretat Social",
		Version: "test", Access: access.Config{Clients: clients, Rate: unlimited, Failures: unlimited, Public: unlimited}, Sealers: h.sealer(h.pki.Seal()), Proof: true, CheckInterval: 10 * time.Millisecond, ReconcileEvery: time.Second, ShutdownWithin: 5 * time.Second}
	h.press = h.open()
	handler, beside, err := h.press.Doors()
	if err != nil {
		t.Fatal(err)
	}
	go beside(t.Context())
	h.door = httptest.NewServer(handler)
	h.door.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(h.door.Close)
	return h
}

// open makes a press as another process would: with its own client of Redis.
func (h *house) open() *press.Press {
	h.t.Helper()
	parts := h.parts
	var err error
	if parts.Redis, err = queue.Open("redis://" + h.redis.Addr()); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { parts.Redis.Close() })
	p, err := press.New(parts)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// clerk is who retries.
var clerk = acts.Actor{Who: "staff", From: "host"}

func (h *house) acts() *acts.Acts {
	h.t.Helper()
	a, err := h.press.Acts(acts.Config{})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *house) sealer(leaf *pki.Leaf) worker.Sealers {
	h.t.Helper()
	p12, err := leaf.PKCS12("x")
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := signing.OpenPKCS12(p12, "x")
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := signing.NewSealer(signing.Config{Key: key, Roots: h.pki.Roots(), Level: signing.BT,
		TSAs: []signing.TSA{{URL: h.pki.TSAURL(), Roots: h.pki.Roots()}}, Now: time.Now})
	if err != nil {
		h.t.Fatal(err)
	}
	return worker.NewSeals(worker.SealSet{Default: s}, h.parts.Log)
}

// work starts a worker and returns what stops it.
func (h *house) work() (stop func()) {
	h.t.Helper()
	w, err := h.open().Worker()
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				h.t.Error(err)
			}
		})
	}
	h.t.Cleanup(stop)
	return stop
}

func (h *house) ask(method, path string, body []byte) (int, http.Header, []byte, error) {
	request, err := http.NewRequest(method, h.door.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+h.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", rand.Text())
	}
	answer, err := h.door.Client().Do(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header, text, err
}

func standard(t testing.TB) []byte {
	t.Helper()
	for s := range samples.All() {
		if s.Kind == "coverage_certificate" && s.Name == samples.Standard {
			return s.Body
		}
	}
	t.Fatal("there is no standard sample")
	return nil
}

// post asks for n documents at once and returns the ids of the requests.
func (h *house) post(n int) []string {
	h.t.Helper()
	body := standard(h.t)
	ids := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			status, _, text, err := h.ask("POST", "/v1/documents/coverage_certificate", body)
			var accepted struct{ ID string }
			if err != nil || status != http.StatusAccepted || json.Unmarshal(text, &accepted) != nil {
				h.t.Errorf("asking: %d %s %v", status, text, err)
				return
			}
			ids[i] = accepted.ID
		})
	}
	all.Wait()
	if h.t.Failed() {
		h.t.FailNow()
	}
	return ids
}

func (h *house) state(id string) string {
	status, _, text, err := h.ask("GET", "/v1/requests/"+id, nil)
	var state struct{ State string }
	if err != nil || status != http.StatusOK || json.Unmarshal(text, &state) != nil {
		return fmt.Sprintf("%d %s %v", status, text, err)
	}
	return state.State
}

// issued waits until every request has its document.
func (h *house) issued(ids []string, within time.Duration) {
	h.t.Helper()
	deadline := time.Now().Add(within)
	for _, id := range ids {
		for h.state(id) != "issued" {
			if time.Now().After(deadline) {
				open := 0
				for _, id := range ids {
					if h.state(id) != "issued" {
						open++
					}
				}
				h.t.Fatalf("after %v %d of %d are not issued; %s is %s\n%s", within, open, len(ids), id, h.state(id), tail(h.log.String()))
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func tail(log string) string {
	lines := strings.Split(log, "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// download fetches a document as the portal does and inspects it.
func (h *house) download(id string) []byte {
	h.t.Helper()
	status, header, text, err := h.ask("GET", "/v1/requests/"+id+"/content", nil)
	if err != nil || status != http.StatusSeeOther {
		h.t.Fatalf("content: %d %s %v", status, text, err)
	}
	answer, err := http.Get(header.Get("Location"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	pdf, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		h.t.Fatalf("download: %d %v", answer.StatusCode, err)
	}
	report, err := signing.Inspect(h.t.Context(), pdf, signing.Trust{Roots: h.pki.Roots(), TSARoots: h.pki.Roots(), Now: time.Now})
	if err != nil || !report.Valid || report.Level != signing.BT {
		h.t.Fatalf("the document of %s is not valid: %+v, %v", id, report, err)
	}
	return pdf
}

// sound holds what must be true of the bucket when every request is issued:
// one document, one record, one code each, and nothing unfinished.
func (h *house) sound(ids []string) {
	h.t.Helper()
	// A request is deleted a moment after its record says that it is issued.
	waitUntil(h.t, "the requests to be gone", func() bool { return count(h.t, h.bucket, "requests/") == 0 })
	for prefix, want := range map[string]int{"documents/": len(ids), "records/": len(ids), "codes/": len(ids), "requests/": 0, "failures/": 0} {
		got := 0
		for _, err := range h.bucket.List(h.t.Context(), prefix, "") {
			if err != nil {
				h.t.Fatal(err)
			}
			got++
		}
		if got != want {
			h.t.Errorf("%d objects lie under %s, want %d", got, prefix, want)
		}
	}
}

func TestTwoHundredAtOnceAreTwoHundredDocuments(t *testing.T) {
	h := newHouse(t)
	h.work()
	ids := h.post(200)
	h.issued(ids, 3*time.Minute)
	h.sound(ids)
	hashes, codes := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		pdf := h.download(id)
		sum := sha256.Sum256(pdf)
		hashes[hex.EncodeToString(sum[:])] = true
		record, err := h.press.Ledger.Record(t.Context(), id)
		if err != nil || record.Versions[0].SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("the record of %s is of other bytes (%v)", id, err)
		}
		codes[record.Number] = true
	}
	if len(hashes) != 200 || len(codes) != 200 {
		t.Errorf("%d different files and %d numbers", len(hashes), len(codes))
	}
	if stamps := h.pki.Stamps(); stamps != 200 {
		t.Errorf("%d time-stamps were asked for 200 documents", stamps)
	}
	// The judges see what a stranger would.
	file := filepath.Join(t.TempDir(), "document.pdf")
	if err := os.WriteFile(file, h.download(ids[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	judges.QPDF(t, file)
	judges.PDFSig(t, file, h.pki.RootPEM())

	for _, secret := range []string{"Puig", "Cerqueda", "000000A", "000001B", "PP0000000", "1984-07-19", "Meritxell"} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestAnEmptiedRedisLosesNothing(t *testing.T) {
	h := newHouse(t)
	ids := h.post(100)
	stop := h.work()
	waitUntil(t, "some to be issued", func() bool { return h.state(ids[0]) == "issued" })
	h.redis.FlushAll() // in the middle of it
	h.issued(ids, 3*time.Minute)
	stop()
	h.sound(ids)
}

func TestAKilledRedisMakesJobsWait(t *testing.T) {
	h := newHouse(t)
	h.work()
	ids := h.post(40)
	h.redis.Kill()
	ids = append(ids, h.post(10)...) // still 202
	time.Sleep(time.Second)
	h.redis.Restart() // without what it held
	h.issued(ids, 3*time.Minute)
	h.sound(ids)
}

func TestAKilledStoreMakesJobsWait(t *testing.T) {
	h := newHouse(t)
	h.work()
	ids := h.post(40)
	h.s3.Kill()
	status, header, text, err := h.ask("POST", "/v1/documents/coverage_certificate", standard(t))
	if err != nil || status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("without a store the door answered %d %s %v", status, text, err)
	}
	h.s3.Restart()
	h.issued(ids, 3*time.Minute)
	for _, id := range ids {
		h.download(id)
	}
}

func TestAWorkerStoppedPolitelyLosesNothing(t *testing.T) {
	h := newHouse(t)
	ids := h.post(60)
	for range 3 {
		stop := h.work()
		time.Sleep(300 * time.Millisecond)
		stop()
	}
	h.work()
	h.issued(ids, 3*time.Minute)
	h.sound(ids)
}

// A time-stamping authority that is away costs time, never the level.
func TestNoTimeStampNoDocument(t *testing.T) {
	h := newHouse(t)
	h.pki.Misbehave(pki.WrongImprint)
	h.work()
	ids := h.post(5)
	waitUntil(t, "the jobs to wait", func() bool { return h.state(ids[0]) == "retrying" })
	if n := count(t, h.bucket, "documents/"); n != 0 {
		t.Fatalf("%d documents were issued without a time-stamp", n)
	}
	h.pki.Misbehave("")
	h.issued(ids, 3*time.Minute)
	for _, id := range ids {
		h.download(id)
	}
}

func TestWhatFailedIsRetriedWhenItsCauseIsMended(t *testing.T) {
	h := newHouse(t)
	leaf, err := h.pki.ShortLived(pki.P256, time.Now().Add(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	good := h.parts.Sealers
	h.parts.Sealers = h.sealer(leaf)
	time.Sleep(time.Until(leaf.Certificate.NotAfter) + 1100*time.Millisecond)
	stop := h.work()
	ids := h.post(3)
	waitUntil(t, "the requests to fail", func() bool { return count(t, h.bucket, "failures/") == 3 })
	for _, id := range ids {
		if got := h.state(id); got != "failed" {
			t.Errorf("%s is %s", id, got)
		}
	}
	for failure, err := range h.press.Ledger.Failures(t.Context()) {
		if err != nil || failure.Cause != "seal_certificate_expired" {
			t.Errorf("failure %+v, %v", failure, err)
		}
	}
	stop()
	h.parts.Sealers = good // the operator installs the new certificate
	h.work()
	for _, id := range ids {
		if err := h.acts().Retry(t.Context(), clerk, id, acts.WhereItStopped, "the new certificate is installed"); err != nil {
			t.Error(err)
		}
	}
	h.issued(ids, time.Minute)
	h.sound(ids)
}

func TestAnybodyCanVerify(t *testing.T) {
	h := newHouse(t)
	h.work()
	ids := h.post(1)
	h.issued(ids, time.Minute)
	var code string
	for info, err := range h.bucket.List(t.Context(), "codes/", "") {
		if err != nil {
			t.Fatal(err)
		}
		code = info.Key // a hash: the code itself is in the document alone
	}
	if code == "" {
		t.Fatal("no code was registered")
	}
	pdf := filepath.Join(t.TempDir(), "document.pdf")
	if err := os.WriteFile(pdf, h.download(ids[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	text := judges.Text(t, pdf)
	_, rest, found := strings.Cut(text, "https://segell.example/v/")
	if !found {
		t.Fatalf("the document does not print its address of verification:\n%s", text)
	}
	printed := rest[:22]
	request, err := http.NewRequest("GET", h.door.URL+"/v/"+printed, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := h.door.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("valid")) || bytes.Contains(body, []byte("Puig")) {
		t.Errorf("verification answered %d %s %v", answer.StatusCode, body, err)
	}
}

func count(t testing.TB, bucket *storage.Bucket, prefix string) (n int) {
	t.Helper()
	for _, err := range bucket.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func waitUntil(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen in two minutes: %s", what)
		}
	}
}

// The whole way: from the door to the sealed document in the store, with real
// servers, as many at a time as come.
func BenchmarkWholeWay(b *testing.B) {
	h := newHouse(b)
	h.work()
	h.issued(h.post(1), time.Minute)
	for b.Loop() {
		h.issued(h.post(100), 2*time.Minute)
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/100, "ms/document")
}

// A person waits for one document while nothing else is asked for: from the
// request to the state "issued", as seen by a client that asks every 2 ms.
func BenchmarkOnePersonWaits(b *testing.B) {
	h := newHouse(b)
	h.work()
	h.issued(h.post(1), time.Minute)
	for b.Loop() {
		id := h.post(1)[0]
		for deadline := time.Now().Add(time.Minute); h.state(id) != "issued"; time.Sleep(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				b.Fatalf("%s is %s", id, h.state(id))
			}
		}
	}
}
