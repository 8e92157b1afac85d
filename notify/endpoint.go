package notify

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"segell/ledger"
)

// Endpoint is where a client is told, and how.
type Endpoint struct {
	URL     *url.URL
	Secrets []Secret       // one, or two while the client changes from one to the other
	Events  []ledger.Event // of which it is told
	Allow   []netip.Prefix // networks that are not public and may be called all the same
	Roots   *x509.CertPool // of its TLS certificate; nil: those of the system
}

// Endpoints are the endpoints by the client's name.
type Endpoints map[string]Endpoint

// endpointFile is one client's part of the configuration.
type endpointFile struct {
	URL         string   `json:"url"`
	Secrets     []string `json:"secrets"`
	SecretFiles []string `json:"secret_files"`
	Events      []string `json:"events"`
	Allow       []string `json:"allow_networks"`
	AllowHTTP   bool     `json:"allow_http"`
	CAFile      string   `json:"ca_file"`
}

// ReadEndpoints reads the configuration of callbacks, JSON such as
//
//	{"portal": {
//	   "url": "https://portal.example.ad/segell",
//	   "secret_files": ["/run/secrets/portal-callbacks"],
//	   "events": ["document.issued", "document.failed"],
//	   "allow_networks": ["10.20.0.0/16"],
//	   "ca_file": "/etc/segell/internal-ca.pem"}}
//
// with, for each client, its url and one or two secrets (in place, or better a
// file each). Without events it is told of all. allow_networks opens networks that
// are not public, allow_http an address without TLS, ca_file names the roots of
// its certificate. The error joins everything that is wrong and repeats no secret.
func ReadEndpoints(text []byte) (Endpoints, error) {
	var files map[string]json.RawMessage
	if err := json.Unmarshal(text, &files); err != nil {
		return nil, fmt.Errorf("the callbacks are not the JSON expected: %s", withoutValues(err))
	}
	endpoints := Endpoints{}
	var faults []error
	for _, client := range slices.Sorted(maps.Keys(files)) {
		file, misread := readFile(files[client])
		endpoint, wrong := file.read(misread)
		wrong = append(slices.Collect(maps.Values(misread)), wrong...)
		slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		for _, fault := range wrong {
			faults = append(faults, fmt.Errorf("%s: %w", client, fault))
		}
		endpoints[client] = endpoint
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return endpoints, nil
}

// withoutValues says what encoding/json found, but not what stood there: it could
// be a secret.
func withoutValues(err error) string {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax) && strings.HasPrefix(syntax.Error(), "unexpected end"):
		return "it ends early"
	case errors.As(err, &syntax):
		return fmt.Sprintf("wrong at byte %d", syntax.Offset)
	}
	return "it must be an object with the name of a client before each part"
}

// readFile reads one client's part, member by member, so that all of it is judged
// whatever is wrong with one. misread tells by name which could not be read.
func readFile(text json.RawMessage) (f endpointFile, misread map[string]error) {
	misread = map[string]error{}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		misread[""] = errors.New("must be an object with url and a secret")
		return f, misread
	}
	known := map[string]struct {
		into any
		want string
	}{"url": {&f.URL, "a string"}, "secrets": {&f.Secrets, "a list of strings"}, "secret_files": {&f.SecretFiles, "a list of strings"}, "events": {&f.Events, "a list of strings"},
		"allow_networks": {&f.Allow, "a list of strings"}, "allow_http": {&f.AllowHTTP, "true or false"}, "ca_file": {&f.CAFile, "a string"}}
	for name, value := range members {
		field, ok := known[name]
		if !ok {
			misread[name] = fmt.Errorf("unknown field %q: known are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		} else if json.Unmarshal(value, field.into) != nil {
			misread[name] = fmt.Errorf("%s must be %s", name, field.want)
		}
	}
	return f, misread
}

// read judges what could be read. What could not is told by misread alone, and not
// as missing besides.
func (f endpointFile) read(misread map[string]error) (e Endpoint, faults []error) {
	if misread[""] != nil {
		return e, nil
	}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	address, err := url.Parse(f.URL)
	switch {
	case misread["url"] != nil:
	case err != nil || address.Host == "" || address.User != nil || address.Fragment != "" || address.Scheme != "https" && address.Scheme != "http":
		fault("url must be an address such as https://portal.example.ad/segell, without a password in it")
	case address.Scheme == "http" && !f.AllowHTTP && misread["allow_http"] == nil:
		fault("url must begin with https:// (allow_http permits http:// on a network that nobody else can read)")
	}
	e.URL = address
	if misread["secrets"] == nil && misread["secret_files"] == nil {
		e.Secrets, faults = f.secrets(faults)
	}
	for _, event := range f.Events {
		if !slices.Contains(ledger.Events, ledger.Event(event)) {
			fault("events: %q is none of %q", event, ledger.Events)
			continue
		}
		e.Events = append(e.Events, ledger.Event(event))
	}
	if len(f.Events) == 0 {
		e.Events = slices.Clone(ledger.Events)
	}
	for _, network := range f.Allow {
		prefix, err := netip.ParsePrefix(network)
		if err != nil || prefix.Masked() != prefix || prefix.Addr().Is4In6() {
			fault("allow_networks: %q is no network such as 10.20.0.0/16 or 10.20.1.5/32", network)
			continue
		}
		e.Allow = append(e.Allow, prefix)
	}
	if f.CAFile != "" {
		pem, err := os.ReadFile(f.CAFile)
		if err != nil {
			fault("ca_file: %w", err)
		} else if e.Roots = x509.NewCertPool(); !e.Roots.AppendCertsFromPEM(pem) {
			fault("ca_file: %s holds no certificate in PEM", f.CAFile)
		}
	}
	return e, faults
}

// secretsMost are two: the one that goes and the one that comes.
const secretsMost = 2

func (f endpointFile) secrets(faults []error) ([]Secret, []error) {
	var secrets []Secret
	add := func(where, text string) {
		secret, err := ReadSecret(strings.TrimSpace(text))
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", where, err))
		}
		secrets = append(secrets, secret)
	}
	for i, text := range f.Secrets {
		add(fmt.Sprintf("secrets, number %d", i+1), text)
	}
	for _, path := range f.SecretFiles {
		if !filepath.IsAbs(path) {
			faults = append(faults, fmt.Errorf("secret_files: %s must be a whole path, beginning with /", path))
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			faults = append(faults, fmt.Errorf("secret_files: %w", err))
			continue
		}
		add(path, string(text))
	}
	if n := len(f.Secrets) + len(f.SecretFiles); n < 1 || n > secretsMost {
		faults = append(faults, errors.New("there must be one secret, or two while it is changed: `segell callbacks secret` makes one"))
	}
	return secrets, faults
}
