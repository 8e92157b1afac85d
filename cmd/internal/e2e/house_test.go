// Package e2e walks the console of staff in a real browser: Debian's Chromium
// before real servers, the real press and seals of the test PKI. `make e2e` runs
// it, `make screenshots` takes the pictures of docs/console.md.
package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/access"
	"segell/acts"
	"segell/cmd/internal/press"
	"segell/internal/servers"
	"segell/ledger"
	"segell/notify"
	"segell/pki"
	"segell/queue"
	"segell/samples"
	"segell/signing"
	"segell/staff"
	"segell/worker"
)

const (
	institution = "Caixa Andorrana de Seguretat Social"
	password    = "una frase ben llarga 7"
	// broken is a client whose callbacks are refused.
	portal, broken = "portal", "oficina"
	// fourEyes is from how many requests on a second person must approve.
	fourEyes = 3
)

// house is Segell with everything around it that is there in earnest. What a test
// breaks in it, it mends.
type house struct {
	t      *testing.T
	redis  *servers.Redis
	s3     *servers.S3
	pki    *pki.Authority
	issuer *servers.Issuer
	parts  press.Parts
	press  *press.Press // of the door
	office *press.Office
	door   *httptest.Server
	front  *front // what browsers reach the console by
	tokens map[string]string
	log    *buffer
	words  map[string]any // of the console, in Catalan

	secret        string // of tota's second factor
	seals         *worker.Seals
	good, expired worker.SealSet
	stopOffice    func()
	browser       context.Context // Chromium
}

// buffer is the log of the whole house.
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

// members are the members of staff. tota has a second factor.
var members = []staff.Account{
	{Login: "laia", Name: "Laia Mirabell", Roles: []staff.Role{staff.Look}, Language: "ca"},
	{Login: "aniol", Name: "Aniol Feixa", Roles: []staff.Role{staff.Act}, Language: "ca"},
	{Login: "berta", Name: "Berta Segona", Roles: []staff.Role{staff.Act}, Language: "ca"},
	{Login: "tota", Name: "Tota Rafart", Roles: []staff.Role{staff.Act}, Language: "ca"},
	{Login: "aura", Name: "Aura Comella", Roles: []staff.Role{staff.Audit}, Language: "ca"},
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, redis: servers.NewRedis(t, servers.RedisOptions{AppendOnly: true}), s3: servers.NewS3(t), log: &buffer{}, words: readWords(t)}
	var err error
	h.pki, err = pki.New(t.TempDir(), pki.Options{})
	must(t, err)
	t.Cleanup(func() { h.pki.Close() })
	leaf, err := h.pki.ShortLived(pki.P256, time.Now().Add(2*time.Second)) // it ends while the rest begins
	must(t, err)
	h.good, h.expired = worker.SealSet{Default: h.sealer(h.pki.Seal())}, worker.SealSet{Default: h.sealer(leaf)}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	h.issuer = servers.NewIssuer(t, servers.Key("one", "ES256", key))

	h.parts = h.newParts()
	h.seals = worker.NewSeals(h.good, h.parts.Log)
	h.parts.Sealers = h.seals
	h.press = h.open()
	handler, beside, err := h.press.Doors()
	must(t, err)
	h.runs(beside)
	h.door = httptest.NewServer(handler)
	t.Cleanup(h.door.Close)
	work, err := h.open().Worker()
	must(t, err)
	h.runs(func(ctx context.Context) { must(t, work.Run(ctx)) })
	callbacks, err := h.open().Callbacks()
	must(t, err)
	h.runs(func(ctx context.Context) { _ = callbacks(ctx) })

	h.front = newFront(t)
	h.openOffice()
	t.Cleanup(func() { h.stopOffice() })
	for _, member := range members {
		_, err := h.office.Desk.Add(t.Context(), staff.Actor{Who: "test"}, member, password)
		must(t, err)
	}
	h.secret = h.secondFactor("tota")
	time.Sleep(time.Until(leaf.Certificate.NotAfter) + 1100*time.Millisecond)
	h.browser = newChromium(t)
	return h
}

// runs runs something beside the tests, until they end.
func (h *house) runs(what func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { what(ctx) })
	h.t.Cleanup(func() { stop(); running.Wait() })
}

func (h *house) newParts() press.Parts {
	text, err := ledger.NewKeyset()
	must(h.t, err)
	keyset, err := ledger.ReadKeyset(text)
	must(h.t, err)
	h.tokens = map[string]string{}
	var lines []string
	for _, client := range []string{portal, broken} {
		token, line, err := access.NewToken(client)
		must(h.t, err)
		h.tokens[client], lines = token, append(lines, line)
	}
	clients, err := access.ReadClients(strings.Join(lines, "\n"))
	must(h.t, err)
	unlimited := access.Rate{PerSecond: 1e5, Burst: 1e5}
	return press.Parts{Bucket: h.s3.Bucket("segell"), Keyset: keyset, HMACKey: bytes.Repeat([]byte{1}, ledger.HMACKeySize),
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: time.Now,
		PublicURL: "https://segell.example", Institution: institution, Version: "test",
		Access: access.Config{Clients: clients, Rate: unlimited, Failures: unlimited, Public: unlimited}, Callbacks: h.refusing(), Proof: true,
		Concurrency: 2, CheckInterval: 10 * time.Millisecond, ReconcileEvery: time.Second, ShutdownWithin: 5 * time.Second}
}

// refusing is an endpoint for callbacks that wants none.
func (h *house) refusing() notify.Endpoints {
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusGone)
	}))
	h.t.Cleanup(gone.Close)
	secret, err := notify.NewSecret(rand.Reader)
	must(h.t, err)
	text, err := json.Marshal(map[string]any{broken: map[string]any{"url": gone.URL, "secrets": []string{secret},
		"events": []string{string(ledger.EventIssued)}, "allow_http": true, "allow_networks": []string{"127.0.0.0/8"}}})
	must(h.t, err)
	endpoints, err := notify.ReadEndpoints(text)
	must(h.t, err)
	return endpoints
}

func (h *house) sealer(leaf *pki.Leaf) worker.Sealer {
	h.t.Helper()
	p12, err := leaf.PKCS12("x")
	must(h.t, err)
	key, err := signing.OpenPKCS12(p12, "x")
	must(h.t, err)
	s, err := signing.NewSealer(signing.Config{Key: key, Roots: h.pki.Roots(), Level: signing.BT,
		TSAs: []signing.TSA{{URL: h.pki.TSAURL(), Roots: h.pki.Roots()}}, Now: time.Now})
	must(h.t, err)
	return s
}

// open makes a press as another process would: with its own client of Redis.
func (h *house) open() *press.Press {
	h.t.Helper()
	parts := h.parts
	var err error
	parts.Redis, err = queue.Open("redis://" + h.redis.Addr())
	must(h.t, err)
	h.t.Cleanup(func() { parts.Redis.Close() })
	p, err := press.New(parts)
	must(h.t, err)
	return p
}

// openOffice begins the console, as its process does.
func (h *house) openOffice() {
	h.t.Helper()
	office, err := h.open().Console(press.Console{URL: h.front.URL, FourEyes: fourEyes, OIDC: &staff.OIDC{Issuer: h.issuer.URL(),
		ClientID: "console-app", ClientSecret: "secret-of-console-app", RedirectURL: h.front.URL + "/login/oidc/return", Scopes: []string{"groups"},
		RolesClaim: "groups", Roles: map[string]staff.Role{"segell-act": staff.Act, "segell-look": staff.Look, "segell-audit": staff.Audit}}})
	must(h.t, err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { office.Run(ctx) })
	server := httptest.NewUnstartedServer(office.Handler)
	server.Config = press.Server(office.Handler, h.parts.Log)
	server.Start()
	h.office = office
	h.front.leadTo(server.URL)
	h.stopOffice = func() {
		h.front.leadTo("")
		office.Close()
		server.CloseClientConnections()
		server.Close()
		stop()
		running.Wait()
	}
}

// person is whom a request is about.
type person struct{ name, cass, birth string }

var (
	fullName   = regexp.MustCompile(`("full_name": )("[^"]*")`)
	cassNumber = regexp.MustCompile(`("cass_number": )("[^"]*")`)
	birthDate  = regexp.MustCompile(`("birth_date": )("[^"]*")`)
)

// ask asks for the standard sample of a kind about a person, as a client does, and
// returns the id of the request.
func (h *house) ask(t *testing.T, client, kind string, p person) string {
	t.Helper()
	var body []byte
	for s := range samples.All() {
		if s.Kind == kind && s.Name == samples.Standard {
			body = s.Body
			break
		}
	}
	for field, value := range map[*regexp.Regexp]string{fullName: p.name, cassNumber: p.cass, birthDate: p.birth} {
		if value != "" {
			holders := field.FindSubmatch(body)[2] // the first is the holder's, who may be named again
			body = bytes.ReplaceAll(body, holders, []byte(quote(value)))
		}
	}
	request, err := http.NewRequest(http.MethodPost, h.door.URL+"/v1/documents/"+kind, bytes.NewReader(body))
	must(t, err)
	request.Header.Set("Authorization", "Bearer "+h.tokens[client])
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", rand.Text())
	answer, err := h.door.Client().Do(request)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	var accepted struct{ ID string }
	if answer.StatusCode != http.StatusAccepted || json.Unmarshal(text, &accepted) != nil {
		t.Fatalf("asking for %s: %s %s", kind, answer.Status, text)
	}
	return accepted.ID
}

// becomes waits until requests are in a state, and until the console's index knows.
func (h *house) becomes(t *testing.T, state ledger.State, ids ...string) {
	t.Helper()
	for _, id := range ids {
		eventually(t, id+" is "+string(state), func() bool {
			standing, err := h.press.Ledger.Look(t.Context(), id)
			return err == nil && standing.State == state
		})
	}
	eventually(t, "the index knows", func() bool {
		condition, err := h.office.Index.Condition(t.Context())
		return err == nil && condition.Complete && condition.Waiting == 0
	})
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// mended retries what failed, so that the next test finds nothing.
func (h *house) mended(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, h.office.Acts.Retry(t.Context(), acts.Actor{Who: "berta"}, id, acts.WhereItStopped, "ja hi ha el certificat nou"))
	}
	h.becomes(t, ledger.StateIssued, ids...)
}

// number is that of a request's document.
func (h *house) number(t *testing.T, id string) string {
	t.Helper()
	standing, err := h.press.Ledger.Look(t.Context(), id)
	must(t, err)
	return standing.Number
}

// cassOf is the CASS number of the n-th person.
func cassOf(n int) string { return fmt.Sprintf("73%04dA", n) }
