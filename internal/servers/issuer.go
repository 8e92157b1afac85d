package servers

import (
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Issuer is a running OpenID Connect issuer (npm's oidc-provider) that gives
// access tokens for client credentials and lets staff in at console-app, whose
// secret is secret-of-console-app.
type Issuer struct {
	process
	keys string
}

// NewIssuer starts an issuer on a free loopback port, which signs with keys, and
// ends it with the test. Its packages are looked for in $SEGELL_TOOLS_NODE, then
// in .cache/node of the repository, where `make tools` installs them.
func NewIssuer(t testing.TB, keys ...jose.JSONWebKey) *Issuer {
	t.Helper()
	i := &Issuer{process: process{t: t, name: "oidc-provider", binary: find(t, "node", "apt-get install -y nodejs npm")},
		keys: filepath.Join(t.TempDir(), "keys.json")}
	modules := findPackage(t, "oidc-provider")
	_, here, _, _ := runtime.Caller(0)
	i.args = func(port int) []string {
		return []string{filepath.Join(filepath.Dir(here), "issuer", "issuer.mjs"), strconv.Itoa(port), i.keys}
	}
	i.env = []string{"ISSUER_MODULES=" + modules, "NODE_NO_WARNINGS=1"}
	i.ready = func(address string) error {
		client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get("http://" + address + "/.well-known/openid-configuration")
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("the issuer answers %s", answer.Status)
		}
		return nil
	}
	i.sign(keys)
	i.begin()
	return i
}

// sign writes the keys that the issuer signs with from its next start on.
func (i *Issuer) sign(keys []jose.JSONWebKey) {
	i.t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err == nil {
		err = os.WriteFile(i.keys, text, 0o600)
	}
	if err != nil {
		i.t.Fatal(err)
	}
}

// URL is the issuer, as its tokens name it.
func (i *Issuer) URL() string { return "http://" + i.address() }

// Kill ends the issuer at once.
func (i *Issuer) Kill() { i.kill() }

// Restart starts the issuer on its port again, with other keys if any are given.
func (i *Issuer) Restart(keys ...jose.JSONWebKey) {
	i.t.Helper()
	i.kill()
	if len(keys) > 0 {
		i.sign(keys)
	}
	i.restart()
}

// Token asks for an access token as a client does. resource decides its audience
// and algorithm: https://segell.example/ES256 gives the audience "segell".
func (i *Issuer) Token(client, resource string, scopes ...string) string {
	i.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}, "scope": {strings.Join(scopes, " ")}}
	request, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, i.URL()+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		i.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(client, "secret-of-"+client)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		i.t.Fatal(err)
	}
	defer answer.Body.Close()
	var given struct {
		Token string `json:"access_token"`
		Error string `json:"error_description"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&given); err != nil || given.Token == "" {
		i.t.Fatalf("servers: the issuer gives no token: %s %s %v", answer.Status, given.Error, err)
	}
	return given.Token
}

// LogIn is a browser: it goes where begin sends it, logs in there as a person
// (issuer.mjs lists them), and returns the address at the console that it is sent
// back to. It does not ask for that one.
func (i *Issuer) LogIn(begin, login string) *url.URL {
	i.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		i.t.Fatal(err)
	}
	browser := http.Client{Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != i.address() {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := browser.Get(begin)
	if err != nil {
		i.t.Fatal(err)
	}
	page.Body.Close()
	answer, err := browser.PostForm(page.Request.URL.String(), url.Values{"login": {login}})
	if err != nil {
		i.t.Fatal(err)
	}
	answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		i.t.Fatalf("servers: the issuer does not send %s back: %s at %s", login, answer.Status, answer.Request.URL.Path)
	}
	return back
}

// Key makes a private key of the issuer's, to be published under id.
func Key(id, algorithm string, key crypto.Signer) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: id, Algorithm: algorithm, Use: "sig"}
}

// findPackage returns the folder whose node_modules hold an npm package, or
// fails the test with the line that installs it.
func findPackage(t testing.TB, name string) string {
	t.Helper()
	places := []string{os.Getenv("SEGELL_TOOLS_NODE")}
	for _, program := range toolPlaces("node") { // .cache/bin/node: the folder beside is ours
		places = append(places, filepath.Join(filepath.Dir(filepath.Dir(program)), "node"))
	}
	for _, place := range places {
		if _, err := os.Stat(filepath.Join(place, "node_modules", name, "package.json")); place != "" && err == nil {
			return place
		}
	}
	t.Fatalf("servers: the npm package %s is missing; install it with: make tools", name)
	return ""
}
