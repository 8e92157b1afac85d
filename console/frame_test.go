package console_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/audit"
	"segell/console"
	"segell/internal/servers"
	"segell/ledger"
	"segell/queue"
	"segell/staff"
	"segell/storage"
)

// beside is another console on the same ledger, configured otherwise.
func (o *office) beside(change func(*staff.Config, *console.Config)) *office {
	o.t.Helper()
	log := slog.New(slog.NewTextHandler(o.log, nil))
	desk := staff.Config{Ledger: o.ledger, Log: log, Now: time.Now, Random: rand.Reader}
	config := console.Config{Ledger: o.ledger, Queue: o.queue, Index: o.index, Acts: o.acts, Log: log, Now: time.Now}
	change(&desk, &config)
	var err error
	config.Audit, err = audit.NewReader(audit.Config{Ledger: o.ledger, Log: log, Now: time.Now})
	o.must(err)
	config.Desk, err = staff.New(desk)
	o.must(err)
	other := *o
	other.desk = config.Desk
	other.console, err = console.New(config)
	o.must(err)
	other.server = httptest.NewServer(other.console.Handler())
	o.t.Cleanup(func() { other.console.Close(); other.server.Close() })
	return &other
}

// totp is the code of a secret now (RFC 6238).
func totp(t *testing.T, secret string) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.ReplaceAll(secret, " ", "")))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, uint64(time.Now().Unix()/30))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1000000)
}

var secretIn = regexp.MustCompile(`class="secret mono" translate="no">([^<]+)<`)

// tryLogin sends the form of the page to log in.
func (b *browser) tryLogin(login, password, code string) reply {
	b.o.t.Helper()
	form := url.Values{"login": {login}, "password": {password}, "code": {code}}
	for _, hidden := range hiddenField.FindAllStringSubmatch(b.get("/login").body, -1) {
		form.Set(hidden[1], hidden[2])
	}
	return b.sendWith(http.MethodPost, "/login", form)
}

// Whoever must have a second factor can do nothing before it is set up, and then
// not log in without its code.
func TestTheSecondFactor(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil).beside(func(d *staff.Config, _ *console.Config) { d.RequireTOTP = true })
	anna, stolen := o.login("anna"), o.login("anna")
	for _, path := range []string{"/work", "/audit", "/callbacks"} {
		if got := anna.get(path); got.status != http.StatusSeeOther || got.location != "/account" {
			t.Errorf("%s without the second factor that is required: %d to %s", path, got.status, got.location)
		}
	}
	if got := anna.sendWith(http.MethodPost, "/account/tokens", url.Values{"csrf": {anna.csrf()}, "token-name": {"x"}, "days": {"7"}, "roles": {"act"}, "token-password": {officePassword}}); got.status != http.StatusSeeOther {
		t.Errorf("a token without the second factor that is required: %d", got.status)
	}
	wants(t, anna.get("/account"), 200, "Cal un segon factor")
	form := func(pairs ...string) url.Values {
		v := url.Values{"csrf": {anna.csrf()}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	wants(t, anna.sendWith(http.MethodPost, "/account/totp/begin", form("totp-password", "wrong")), 422, "La contrasenya no és correcta.")
	page := anna.sendWith(http.MethodPost, "/account/totp/begin", form("totp-password", officePassword))
	wants(t, page, 200, `<svg class="qr"`)
	secret := secretIn.FindStringSubmatch(page.body)[1]
	reference := ""
	for _, hidden := range hiddenField.FindAllStringSubmatch(page.body, -1) {
		if hidden[1] == "reference" {
			reference = html.UnescapeString(hidden[2])
		}
	}
	wrong := anna.sendWith(http.MethodPost, "/account/totp/confirm", form("reference", reference, "code", "000000"))
	wants(t, wrong, 422, "El codi no és correcte")
	if strings.Contains(wrong.body, secret) {
		t.Error("the secret is shown twice")
	}
	if got := anna.sendWith(http.MethodPost, "/account/totp/confirm", form("reference", reference, "code", totp(t, secret))); got.status != http.StatusSeeOther {
		t.Fatalf("the right code: %d", got.status)
	}
	wants(t, anna.get("/account"), 200, "El segon factor està activat. Totes les altres sessions")
	if got := stolen.get("/account"); !strings.HasPrefix(got.location, "/login") {
		t.Errorf("a session that was begun with the password alone: %d to %s", got.status, got.location)
	}
	again := anna.sendWith(http.MethodPost, "/account/totp/confirm", form("reference", reference, "code", totp(t, secret)))
	wants(t, again, 422, "o el compte ha canviat")
	next := o.stranger()
	got := next.tryLogin("anna", officePassword, "")
	wants(t, got, 422, "Cal el codi de sis xifres", `id="fault-code"`)
	if strings.Contains(got.body, officePassword) {
		t.Error("the page holds the password")
	}
	wants(t, next.tryLogin("anna", officePassword, "123456"), 422, "no són correctes")
	if got := next.sendWith(http.MethodPost, "/account/totp/drop", url.Values{}); got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, "/login") {
		t.Errorf("a stranger drops a second factor: %d to %s", got.status, got.location)
	}
}

func TestTwentyWrongPasswordsAreSlowed(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	b := o.stranger()
	slowed := 0
	for range 20 {
		got := b.tryLogin("anna", "not her password", "")
		switch got.status {
		case http.StatusTooManyRequests:
			slowed++
			if got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "massa intents") {
				t.Errorf("slowed without a word: %v", got.header)
			}
		case http.StatusUnprocessableEntity:
		default:
			t.Fatalf("a wrong password: %d", got.status)
		}
	}
	if slowed < 10 {
		t.Errorf("%d of 20 tries were slowed", slowed)
	}
	// What a stranger says of where they are counts for nothing.
	form := url.Values{"login": {"anna"}, "password": {"x"}}
	for _, hidden := range hiddenField.FindAllStringSubmatch(b.get("/login").body, -1) {
		form.Set(hidden[1], hidden[2])
	}
	if got := b.sendWith(http.MethodPost, "/login", form, "X-Forwarded-For", "203.0.113.9"); got.status != http.StatusTooManyRequests {
		t.Errorf("from another address by one's own word: %d", got.status)
	}
}

// Whoever got in with a browser before gets in with it again, however strangers at the
// same address guess. What the browser keeps for it says nothing of its person.
func TestStrangersKeepNobodyOut(t *testing.T) {
	t.Parallel()
	at := time.Now() // and no later, however slow the machine is: nothing is forgiven
	o := newOffice(t, nil).beside(func(d *staff.Config, _ *console.Config) { d.Now = func() time.Time { return at } })
	anna := o.stranger()
	in := anna.tryLogin("anna", officePassword, "")
	kept := ""
	for _, line := range in.header.Values("Set-Cookie") {
		if cookie, err := http.ParseSetCookie(line); err == nil && cookie.Name == "segell_known" {
			kept = cookie.Value
			if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.MaxAge != 30*24*3600 || cookie.Domain != "" {
				t.Errorf("the cookie: %s", line)
			}
		}
	}
	plain, err := base64.RawURLEncoding.DecodeString(kept)
	if err != nil || kept == "" || strings.Contains(string(plain), "anna") {
		t.Fatalf("what is kept: %q, %v", kept, err)
	}
	anna.post("/logout")
	guesser := o.stranger()
	for n := range 15 {
		guesser.tryLogin([]string{"anna", "bru", "nobody"}[n%3], "not the password", "")
	}
	if got := o.stranger().tryLogin("anna", officePassword, ""); got.status != http.StatusTooManyRequests {
		t.Errorf("a browser that nobody got in with: %d", got.status)
	}
	if got := anna.tryLogin("anna", officePassword, ""); got.status != http.StatusSeeOther {
		t.Errorf("the browser that she got in with before: %d", got.status)
	}
	anna.post("/logout")
	if got := anna.tryLogin("bru", officePassword, ""); got.status != http.StatusTooManyRequests {
		t.Errorf("another person with her browser: %d", got.status)
	}
}

// In a flood of logins one too many is told at once to come back in a moment.
func TestAFloodOfLogins(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil).beside(func(_ *staff.Config, c *console.Config) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	anna := o.login("anna")
	anna.post("/logout")
	release, arrived := make(chan struct{}), make(chan struct{}, 100)
	held := func(key string) error {
		if !strings.HasPrefix(key, "staff/flood") {
			return nil
		}
		arrived <- struct{}{}
		<-release
		return storage.ErrUnavailable
	}
	o.held.Store(&held)
	b := o.stranger()
	form := url.Values{"login": {"flood"}, "password": {"not the password"}}
	for _, hidden := range hiddenField.FindAllStringSubmatch(b.get("/login").body, -1) {
		form.Set(hidden[1], hidden[2])
	}
	flood := func(login string, n int) reply {
		form := maps.Clone(form)
		form.Set("login", login)
		return b.sendWith(http.MethodPost, "/login", form, "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", n))
	}
	const most = 18 // two that are judged and sixteen that wait
	var all sync.WaitGroup
	for n := range most {
		all.Go(func() { flood(fmt.Sprintf("flood%d", n), n) })
	}
	for range most {
		<-arrived
	}
	got := flood("late", most)
	wants(t, got, http.StatusServiceUnavailable, "massa gent alhora", `name="password"`)
	if got.header.Get("Retry-After") == "" {
		t.Errorf("no word of when: %v", got.header)
	}
	if got := anna.tryLogin("anna", officePassword, ""); got.status != http.StatusSeeOther {
		t.Errorf("who was here before, in the flood: %d", got.status)
	}
	close(release)
	all.Wait()
}

// The account's own acts: password, tokens, all sessions.
func TestTheAccount(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	anna, other := o.login("anna"), o.login("anna")
	wants(t, anna.post("/account/password", "old-password", officePassword, "new-password", "una altra frase llarga 8", "again", "una altra frase"), 422, "no són iguals")
	wants(t, anna.post("/account/password", "old-password", officePassword, "new-password", "curta", "again", "curta"), 422, "Aquesta contrasenya no serveix")
	wants(t, anna.post("/account/tokens", "token-name", "informe", "days", "30", "roles", "audit", "token-password", officePassword), 422)
	wants(t, anna.post("/account/tokens", "token-name", "informe", "days", "3000", "roles", "act", "token-password", officePassword), 422)
	made := anna.post("/account/tokens", "token-name", "informe", "days", "30", "roles", "act", "token-password", officePassword)
	wants(t, made, 200, "no es tornarà a mostrar")
	bearer := html.UnescapeString(secretIn.FindStringSubmatch(made.body)[1])
	if s, err := o.desk.Token(t.Context(), bearer); err != nil || s.Login != "anna" {
		t.Errorf("the token that is shown: %+v, %v", s, err)
	}
	page := anna.get("/account")
	if strings.Contains(page.body, bearer) {
		t.Error("the token is shown again")
	}
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page.body)[1]
	wants(t, anna.follow("/account/tokens/revoke", "id", id), 200, "El testimoni s’ha revocat")
	if _, err := o.desk.Token(t.Context(), bearer); err == nil {
		t.Error("a token that was revoked is good")
	}
	wants(t, anna.follow("/account/password", "old-password", officePassword, "new-password", "una altra frase llarga 8", "again", "una altra frase llarga 8"), 200, "La contrasenya s’ha canviat")
	if got := other.get("/work"); got.status != http.StatusSeeOther {
		t.Errorf("another session outlives the password: %d", got.status)
	}
	if got := anna.post("/account/sessions/end"); got.location != "/login?out" {
		t.Errorf("ending all sessions leads to %s", got.location)
	}
	if got := anna.get("/work"); got.status != http.StatusSeeOther || got.location != "/login?next=%2Fwork" {
		t.Errorf("a session that was ended: %d to %s", got.status, got.location)
	}
	if trail := o.log.String(); strings.Contains(trail, officePassword) || strings.Contains(trail, bearer) {
		t.Error("a secret is in the log")
	}
}

func TestLoginLeadsOnAndLogoutOut(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil).beside(func(_ *staff.Config, c *console.Config) { c.Secure = true })
	b := o.stranger()
	page := b.get("/login?next=%2Fcallbacks")
	wants(t, page, 200, `value="/callbacks"`)
	for _, cookie := range page.header.Values("Set-Cookie") {
		if !strings.HasPrefix(cookie, "__Host-") || !strings.Contains(cookie, "Secure") {
			t.Errorf("a cookie by https: %s", cookie)
		}
	}
	if got := page.header.Get("Strict-Transport-Security"); got == "" {
		t.Error("no HSTS by https")
	}
	o = newOffice(t, nil)
	b = o.login("anna")
	if got := b.get("/login?next=%2Fcallbacks"); got.location != "/callbacks" {
		t.Errorf("who is logged in is led to %s", got.location)
	}
	token := b.csrf()
	if got := b.sendWith(http.MethodPost, "/logout", url.Values{"csrf": {token}}); got.location != "/login?out" {
		t.Errorf("logout leads to %s", got.location)
	}
	if got := b.get("/work"); got.status != http.StatusSeeOther {
		t.Errorf("after logout: %d", got.status)
	}
}

func TestTheLanguageIsKept(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	b := o.stranger()
	if got := b.sendWith(http.MethodGet, "/login", nil, "Accept-Language", "fr-CH"); !strings.Contains(got.body, `<html lang="fr">`) {
		t.Error("the browser's language is not chosen")
	}
	b.sendWith(http.MethodPost, "/language", url.Values{"language": {"pt"}, "back": {"https://evil.example/"}})
	wants(t, b.get("/login"), 200, `<html lang="pt">`)
	anna := o.login("anna")
	if got := anna.post("/language", "language", "en", "back", "//evil.example/x"); got.location != "/" {
		t.Errorf("the choice of a language leads to %s", got.location)
	}
	if a, err := o.desk.Account(t.Context(), "anna"); err != nil || a.Language != "en" {
		t.Errorf("the account's language is %q, %v", a.Language, err)
	}
	wants(t, anna.get("/work"), 200, `<html lang="en">`, "Work and pauses")
}

// The page of the work says who halted what and why, whatever is away.
func TestTheWork(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.must(o.queue.Present(t.Context(), queue.Presence{Name: "w1", Host: "press-1", PID: 4711, Version: "1", Since: time.Now(), SealEnds: time.Now().Add(time.Hour), Concurrency: 8,
		Away: []queue.Absence{{Dependency: ledger.TSA, Since: time.Now(), Resting: true}}}))
	anna := o.login("anna")
	wants(t, anna.post("/pause", "target", "kind:coverage_certificate", "why", " "), 422, "Escriviu el motiu.", `aria-invalid="true"`)
	wants(t, anna.post("/pause", "target", "kind:coverage_certificate", "why", "per la senyora 731234A"), 422, "El motiu no es pot desar així")
	wants(t, anna.post("/pause", "target", "kind:nothing", "why", "x y"), 422, "Trieu un tipus")
	wants(t, anna.follow("/pause", "target", "kind:coverage_certificate", "why", "El barem <b>nou</b>"), 200,
		"S’ha posat en pausa.", "«El barem &lt;b&gt;nou&lt;/b&gt;»", "anna, ", "press-1", "el segell de temps")
	if got := anna.get("/work"); strings.Contains(got.body, "S’ha posat en pausa.") {
		t.Error("what was done is said twice")
	}
	bru := o.login("bru")
	wants(t, bru.follow("/resume", "target", "kind:coverage_certificate", "why", "Ja està revisat"), 200, "S’ha reprès.", "No hi ha res en pausa.")
	wants(t, bru.follow("/resume", "target", "kind:coverage_certificate", "why", "Un altre cop"), 200) // somebody else was faster
	o.redis.Kill()
	wants(t, anna.get("/work"), 200, "Ara no podem dir què hi ha a la cua.", "No hi ha res en pausa.") // the rest is there
	o.away.Store(true)
	defer o.away.Store(false)
	if got := anna.get("/work"); got.status != http.StatusServiceUnavailable {
		t.Errorf("without the store, which has the sessions: %d", got.status)
	}
	if got := o.stranger().get("/login"); got.status != http.StatusOK {
		t.Errorf("the page to log in without the store: %d", got.status)
	}
}

// undelivered puts a callback that was given up into the ledger.
func (o *office) undelivered(r ledger.Request) ledger.Notice {
	o.t.Helper()
	n := ledger.Notice{Request: r.ID, Event: ledger.EventIssued, At: time.Now().Truncate(time.Second), Client: "portal", Kind: r.Kind, Number: r.Number, DeadAt: time.Now(),
		Tries: []ledger.NoticeTry{{At: time.Now(), Cause: "unreachable"}, {At: time.Now(), Cause: "status", Status: 502}}}
	body, err := json.Marshal(n)
	o.must(err)
	_, err = o.bucket.Create(o.t.Context(), "undelivered/"+n.Name(), body, storage.Put{})
	o.must(err)
	return n
}

func TestCallbacksAreSentAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	var notices []ledger.Notice
	for range 3 {
		r := o.accept("coverage_certificate", "COB")
		o.issue(r)
		notices = append(notices, o.undelivered(r))
	}
	anna := o.login("anna")
	wants(t, anna.get("/callbacks"), 200, "3 avisos", notices[0].Number, "El portal ha respost amb un error", "502", "2 intents")
	wants(t, anna.post("/callbacks/replay", "why", "El portal torna a respondre"), 422, "Trieu almenys un avís.")
	wants(t, anna.post("/callbacks/replay", "names", notices[0].Name(), "why", ""), 422, "Escriviu el motiu.", `value="`+notices[0].Name()+`" checked`)
	if got := anna.post("/callbacks/replay", "names", "../../staff/anna", "why", "x y"); got.status != http.StatusBadRequest {
		t.Errorf("a name that is none: %d", got.status)
	}
	wants(t, anna.follow("/callbacks/replay", "names", notices[0].Name(), "names", notices[1].Name(), "why", "El portal torna a respondre"), 200, "1 avís", notices[2].Number)
	_, trail := o.entries()
	if n := strings.Count(trail, `"callbacks.replay"`); n != 2 || strings.Count(trail, "El portal torna a respondre") != 2 {
		t.Errorf("%d replays in the audit trail:\n%s", n, trail)
	}
}

func TestTheAuditTrailIsReadAndExported(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	anna, olga := o.login("anna"), o.login("olga")
	anna.post("/pause", "target", "queue:batch", "why", "Manteniment del vespre")
	wants(t, olga.get("/audit"), 200, "Manteniment del vespre", "Pausa", "127.0.0.1")
	for query, found := range map[string]bool{"?who=anna&what=work.pause": true, "?text=MANTENIMENT": true, "?who=bru": false, "?until=2001-01-01": false, "?from=2001-01-01": true} {
		if got := olga.get("/audit" + query); got.status != 200 || strings.Contains(got.body, "<td data-label=\"Motiu\">Manteniment del vespre") != found {
			t.Errorf("%s: %d, found %t", query, got.status, !found)
		}
	}
	wants(t, olga.get("/audit?from=ahir"), 422, "Escriviu un dia que existeixi.")
	file := olga.get("/audit.csv?what=work.pause")
	wants(t, file, 200, "Manteniment del vespre")
	if disposition := file.header.Get("Content-Disposition"); !strings.Contains(disposition, ".csv") || strings.Count(strings.TrimSpace(file.body), "\n") != 1 {
		t.Errorf("the file: %s\n%s", disposition, file.body)
	}
	wants(t, olga.get("/audit.json"), 200, `"work.pause"`)
	_, trail := o.entries()
	if strings.Count(trail, `"audit.export"`) != 2 {
		t.Errorf("two exports are not in the trail:\n%s", trail)
	}
	wants(t, olga.post("/audit/verify"), 200, "Sencera: no hi falta res")
	info, err := o.bucket.Get(t.Context(), firstAuditKey(o))
	o.must(err)
	_, err = o.bucket.Replace(t.Context(), info.Key, info.ETag, []byte(strings.Replace(string(info.Body), "roles: ", "roles:  ", 1)), storage.Put{})
	o.must(err)
	wants(t, olga.post("/audit/verify"), 200, "Hi ha 1 falta")
}

func firstAuditKey(o *office) string {
	for info, err := range o.bucket.List(o.t.Context(), "audit/", "") {
		o.must(err)
		return info.Key
	}
	return ""
}

// A stream tells of changes, beats, and ends with its session; a session has so
// many and no more.
func TestStreams(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.console.BeatEvery(100 * time.Millisecond)
	if got := o.stranger().get("/live"); got.status != http.StatusUnauthorized {
		t.Errorf("a stranger's stream: %d", got.status)
	}
	anna := o.login("anna")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var streams []<-chan string
	for range console.StreamsMost {
		streams = append(streams, anna.listen(ctx))
	}
	if got := anna.get("/live"); got.status != http.StatusTooManyRequests {
		t.Errorf("a stream too many: %d", got.status)
	}
	also, end := context.WithCancel(t.Context())
	for n := console.StreamsMost; n < console.StreamsOfLogin; n += console.StreamsMost {
		session := o.login("anna")
		for range console.StreamsMost {
			session.listen(also)
		}
	}
	if got := o.login("anna").get("/live"); got.status != http.StatusTooManyRequests {
		t.Errorf("a stream too many in another session: %d", got.status)
	}
	o.login("bru").listen(also)
	end()
	until(t, streams[0], "beat")
	r := o.accept("coverage_certificate", "COB")
	o.fail(r, ledger.StageSeal, "seal_certificate_expired", "ended")
	for _, stream := range streams {
		until(t, stream, "change")
	}
	// A store that is away ends no session.
	o.away.Store(true)
	for range 3 {
		until(t, streams[1], "beat")
	}
	o.away.Store(false)
	// What a page asks by itself says so, and is told when the session is over.
	token := anna.csrf()
	if got := anna.sendWith(http.MethodGet, "/work", nil, "Segell-Live", "1"); got.status != http.StatusOK {
		t.Errorf("a page that asks by itself: %d", got.status)
	}
	anna.sendWith(http.MethodPost, "/logout", url.Values{"csrf": {token}})
	until(t, streams[1], "end")
	if got := o.stranger().sendWith(http.MethodGet, "/work", nil, "Segell-Live", "1"); got.status != http.StatusUnauthorized {
		t.Errorf("a page that asks by itself without a session: %d", got.status)
	}
}

// listen opens a stream; the names of its events come from the channel.
func (b *browser) listen(ctx context.Context) <-chan string {
	b.o.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.o.server.URL+"/live", nil)
	b.o.must(err)
	answer, err := b.http.Do(request)
	b.o.must(err)
	if got := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || !strings.HasPrefix(got, "text/event-stream") {
		b.o.t.Fatalf("a stream: %d, %s", answer.StatusCode, got)
	}
	events := make(chan string, 1000)
	go func() {
		defer close(events)
		defer answer.Body.Close()
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				events <- name
			}
		}
	}()
	return events
}

func until(t *testing.T, events <-chan string, want string) {
	t.Helper()
	patience := time.After(20 * time.Second)
	for {
		select {
		case got, more := <-events:
			if got == want {
				return
			}
			if !more {
				t.Fatalf("the stream ended without %s", want)
			}
		case <-patience:
			t.Fatalf("no %s came", want)
		}
	}
}

// Where a request came from is what believed proxies say, the nearest first.
func TestWhereARequestCameFrom(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil).beside(func(_ *staff.Config, c *console.Config) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	b := o.stranger()
	form := url.Values{"login": {"anna"}, "password": {officePassword}}
	for _, hidden := range hiddenField.FindAllStringSubmatch(b.get("/login").body, -1) {
		form.Set(hidden[1], hidden[2])
	}
	if got := b.sendWith(http.MethodPost, "/login", form, "X-Forwarded-For", "198.51.100.1, 203.0.113.9, 127.0.0.2"); got.status != http.StatusSeeOther {
		t.Fatalf("%d", got.status)
	}
	if list, trail := o.entries(); list[len(list)-1].From != "203.0.113.9" {
		t.Errorf("the login came from elsewhere:\n%s", trail)
	}
}

// With a real issuer: the browser is led there and back, and its login is its own.
func TestLoginAtAnIssuer(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := servers.NewIssuer(t, servers.Key("one", "ES256", key))
	o := newOffice(t, nil).beside(func(d *staff.Config, _ *console.Config) {
		d.OIDC = &staff.OIDC{Issuer: issuer.URL(), ClientID: "console-app", ClientSecret: "secret-of-console-app", RedirectURL: "http://127.0.0.1:8082/login/oidc/return",
			Scopes: []string{"groups"}, RolesClaim: "groups", Roles: map[string]staff.Role{"segell-act": staff.Act, "segell-look": staff.Look}}
	})
	maria, other := o.stranger(), o.stranger()
	wants(t, maria.get("/login?next=%2Fcallbacks"), 200, "/login/oidc?next=%2fcallbacks")
	begun := maria.get("/login/oidc?next=%2Fcallbacks")
	if begun.status != http.StatusSeeOther || !strings.HasPrefix(begun.location, issuer.URL()) {
		t.Fatalf("led to %s: %d", begun.location, begun.status)
	}
	back := issuer.LogIn(begun.location, "maria.puig").RequestURI()
	other.get("/login/oidc")
	if got := other.get(back); got.status == http.StatusSeeOther {
		t.Errorf("another browser takes the login over, to %s", got.location)
	}
	wants(t, o.stranger().get(back), 422, "L’entrada no s’ha completat")
	if got := maria.get(back); got.location != "/callbacks" {
		t.Fatalf("%d to %s", got.status, got.location)
	}
	wants(t, maria.get("/account"), 200, "Maria Puig Ferrer", "Entreu amb el compte de la institució")
	begun = other.get("/login/oidc?next=https%3A%2F%2Fevil.example")
	wants(t, other.get(issuer.LogIn(begun.location, "pere.font").RequestURI()), 403, "no teniu cap rol")
	// The issuer has another login for somebody who was here before.
	account, err := o.ledger.Staff(t.Context(), "maria.puig")
	o.must(err)
	o.must(o.ledger.ReleaseStaffSubject(t.Context(), account.Issuer, account.Subject))
	_, err = o.ledger.ClaimStaffSubject(t.Context(), account.Issuer, account.Subject, "another.login")
	o.must(err)
	renamed := o.stranger()
	begun = renamed.get("/login/oidc")
	wants(t, renamed.get(issuer.LogIn(begun.location, "maria.puig").RequestURI()), 403, "un usuari diferent del que teniu aquí")
	issuer.Kill()
	wants(t, maria.get("/work"), 200)
}
