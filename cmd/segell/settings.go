package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"segell/intake"
	"segell/layout"
	"segell/ledger"
	"segell/signing"
	"segell/storage"
)

// Settings is the whole configuration, read once. Every one is a flag, a
// variable, or for what is secret or long a file named by the variable with
// _FILE after it. Values are text here and are judged all together, so that one
// start tells everything that is wrong.
type Settings struct {
	S3Endpoint       string `name:"s3-endpoint" env:"SEGELL_S3_ENDPOINT" group:"Storage" help:"Address of the S3 server, such as https://s3.example.org."`
	S3PublicEndpoint string `name:"s3-public-endpoint" env:"SEGELL_S3_PUBLIC_ENDPOINT" group:"Storage" help:"Address of the S3 server as browsers reach it, if it is another."`
	S3Region         string `name:"s3-region" env:"SEGELL_S3_REGION" group:"Storage" default:"us-east-1" help:"Region of the bucket."`
	S3Bucket         string `name:"s3-bucket" env:"SEGELL_S3_BUCKET" group:"Storage" help:"Name of the bucket that is the ledger."`
	S3AccessKey      string `name:"s3-access-key" env:"SEGELL_S3_ACCESS_KEY" group:"Storage" secret:"" help:"Access key."`
	S3SecretKey      string `name:"s3-secret-key" env:"SEGELL_S3_SECRET_KEY" group:"Storage" secret:"" help:"Secret key."`
	S3PathStyle      string `name:"s3-path-style" env:"SEGELL_S3_PATH_STYLE" group:"Storage" default:"true" help:"true: the bucket is in the path; false: in the host's name."`

	RedisURL string `name:"redis-url" env:"SEGELL_REDIS_URL" group:"Queue" secret:"" help:"Address of Redis, such as redis://user:password@host:6379/0."`

	LedgerKeyset  string `name:"ledger-keyset" env:"SEGELL_LEDGER_KEYSET" group:"Ledger" secret:"" help:"Keyset that encrypts requests (tink, JSON); 'segell keys new' makes one."`
	LedgerHMACKey string `name:"ledger-hmac-key" env:"SEGELL_LEDGER_HMAC_KEY" group:"Ledger" secret:"" help:"Key that hides holders in object names; 'segell keys new' makes one."`

	PublicURL string `name:"public-url" env:"SEGELL_PUBLIC_URL" group:"Doors" help:"Address of Segell as the world reaches it: printed on every document."`
	Listen    string `name:"listen" env:"SEGELL_LISTEN" group:"Doors" default:"127.0.0.1:8080" help:"Where the API and the verification pages listen."`
	TLSCert   string `name:"tls-cert-file" env:"SEGELL_TLS_CERT_FILE" group:"Doors" help:"PEM file of the listener's certificate and chain; without it a proxy must do TLS."`
	TLSKey    string `name:"tls-key-file" env:"SEGELL_TLS_KEY_FILE" group:"Doors" help:"PEM file of the listener's key."`
	Admin     string `name:"admin-listen" env:"SEGELL_ADMIN_LISTEN" group:"Doors" default:"127.0.0.1:8081" help:"Where /healthz and /readyz listen: never in public."`
	APITokens string `name:"api-tokens" env:"SEGELL_API_TOKENS" group:"Doors" secret:"" help:"The API's tokens, hashed, a line each; 'segell token new NAME' makes one."`

	SealP12      string `name:"seal-p12-file" env:"SEGELL_SEAL_P12_FILE" group:"Seal" help:"PKCS#12 file with the seal's key, certificate and chain."`
	SealPassword string `name:"seal-password" env:"SEGELL_SEAL_PASSWORD" group:"Seal" secret:"" help:"Password of that file."`
	SealLevel    string `name:"seal-level" env:"SEGELL_SEAL_LEVEL" group:"Seal" default:"B-T" help:"PAdES level: B-B or B-T. It is never lowered."`
	SealRoots    string `name:"seal-roots-file" env:"SEGELL_SEAL_ROOTS_FILE" group:"Seal" help:"PEM file of the root certificates that the seal must lead to."`
	TSAURLs      string `name:"tsa-urls" env:"SEGELL_TSA_URLS" group:"Seal" help:"Addresses of time-stamping authorities (RFC 3161), in order, with commas between."`
	TSARoots     string `name:"tsa-roots-file" env:"SEGELL_TSA_ROOTS_FILE" group:"Seal" help:"PEM file of the root certificates that time-stamps must lead to."`

	Institution string `name:"institution" env:"SEGELL_INSTITUTION" group:"Documents" default:"Caixa Andorrana de Seguretat Social" help:"Name of the institution, as printed."`
	Logo        string `name:"institution-logo-file" env:"SEGELL_INSTITUTION_LOGO_FILE" group:"Documents" help:"PNG file of the institution's mark."`

	Concurrency string `name:"concurrency" env:"SEGELL_CONCURRENCY" group:"Worker" default:"0" help:"Jobs at a time; 0: four per core."`
	Language    string `name:"language" env:"SEGELL_LANGUAGE" group:"Staff" default:"ca" help:"Language of what staff read: ca or en."`
}

// fileResolver reads a setting from the file that its variable with _FILE names.
func fileResolver(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Tag == nil || len(flag.Tag.Envs) != 1 || strings.HasSuffix(flag.Tag.Envs[0], "_FILE") {
		return nil, nil
	}
	name := flag.Tag.Envs[0] + "_FILE"
	path := os.Getenv(name)
	if path == "" {
		return nil, nil
	}
	if os.Getenv(flag.Tag.Envs[0]) != "" {
		return nil, fmt.Errorf("%s and %s are both set: unset one", flag.Tag.Envs[0], name)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// A faults collects what is wrong with the settings.
type faults struct{ lines []string }

func (f *faults) add(variable, format string, args ...any) {
	f.lines = append(f.lines, fmt.Sprintf("%-28s %s", variable, fmt.Sprintf(format, args...)))
}

func (f *faults) err() error {
	if len(f.lines) == 0 {
		return nil
	}
	sort.Strings(f.lines)
	return errorWithHint{fmt.Errorf("the configuration is not right:\n  %s", strings.Join(f.lines, "\n  ")),
		"every variable can also be given as a flag, and as a file by its name with _FILE after it; `segell config` prints what is set"}
}

// require faults an empty value.
func (f *faults) require(variable, value, what string) bool {
	if value == "" {
		f.add(variable, "is missing: %s", what)
	}
	return value != ""
}

func (s *Settings) bucket(f *faults) *storage.Bucket {
	complete := f.require("SEGELL_S3_ENDPOINT", s.S3Endpoint, "the address of the S3 server, such as https://s3.example.org")
	complete = f.require("SEGELL_S3_BUCKET", s.S3Bucket, "the name of the bucket") && complete
	complete = f.require("SEGELL_S3_ACCESS_KEY", s.S3AccessKey, "the access key (better as SEGELL_S3_ACCESS_KEY_FILE)") && complete
	complete = f.require("SEGELL_S3_SECRET_KEY", s.S3SecretKey, "the secret key (better as SEGELL_S3_SECRET_KEY_FILE)") && complete
	pathStyle, err := strconv.ParseBool(s.S3PathStyle)
	if err != nil {
		f.add("SEGELL_S3_PATH_STYLE", "must be true or false")
		complete = false
	}
	if !complete {
		return nil
	}
	bucket, err := storage.Open(background(), storage.Config{Endpoint: s.S3Endpoint, PublicEndpoint: s.S3PublicEndpoint, Region: s.S3Region,
		Bucket: s.S3Bucket, AccessKey: s.S3AccessKey, SecretKey: s.S3SecretKey, PathStyle: pathStyle})
	if err != nil {
		f.add("SEGELL_S3_…", "%v", err)
	}
	return bucket
}

func (s *Settings) keys(f *faults) (keyset *ledger.Keyset, hmacKey []byte) {
	var err error
	if f.require("SEGELL_LEDGER_KEYSET", s.LedgerKeyset, "the keyset that encrypts requests, best as SEGELL_LEDGER_KEYSET_FILE; `segell keys new DIR` makes one") {
		if keyset, err = ledger.ReadKeyset([]byte(s.LedgerKeyset)); err != nil {
			f.add("SEGELL_LEDGER_KEYSET", "%v", err)
		}
	}
	if f.require("SEGELL_LEDGER_HMAC_KEY", s.LedgerHMACKey, "the key that hides holders, best as SEGELL_LEDGER_HMAC_KEY_FILE; `segell keys new DIR` makes one") {
		if hmacKey, err = ledger.ReadHMACKey(strings.TrimSpace(s.LedgerHMACKey)); err != nil {
			f.add("SEGELL_LEDGER_HMAC_KEY", "%v", err)
		}
	}
	return keyset, hmacKey
}

func (s *Settings) publicURL(f *faults) string {
	if !f.require("SEGELL_PUBLIC_URL", s.PublicURL, "the address that is printed on documents, such as https://documents.example.ad") {
		return ""
	}
	address, err := url.Parse(s.PublicURL)
	switch {
	case err != nil || address.Scheme != "https" && address.Scheme != "http" || address.Host == "" || address.RawQuery != "" || address.Fragment != "" || address.User != nil:
		f.add("SEGELL_PUBLIC_URL", "must be an address such as https://documents.example.ad")
	case address.Scheme == "http" && !loopback(address.Hostname()):
		f.add("SEGELL_PUBLIC_URL", "must begin with https:// (http:// is for loopback alone)")
	}
	return strings.TrimRight(s.PublicURL, "/")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *Settings) tokens(f *faults) *intake.Tokens {
	if !f.require("SEGELL_API_TOKENS", s.APITokens, "the API's tokens, best as SEGELL_API_TOKENS_FILE; `segell token new NAME` makes one") {
		return nil
	}
	tokens, err := intake.ReadTokens(s.APITokens)
	if err != nil {
		f.add("SEGELL_API_TOKENS", "%v", err)
	}
	return tokens
}

// tls returns nil where the listener speaks plain HTTP, behind a proxy.
func (s *Settings) tls(f *faults) *tls.Config {
	if s.TLSCert == "" && s.TLSKey == "" {
		return nil
	}
	if s.TLSCert == "" || s.TLSKey == "" {
		f.add("SEGELL_TLS_CERT_FILE", "and SEGELL_TLS_KEY_FILE go together: set both or none")
		return nil
	}
	certificate, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
	if err != nil {
		f.add("SEGELL_TLS_CERT_FILE", "%v", err)
		return nil
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
}

func (s *Settings) roots(f *faults, variable, path, what string) *x509.CertPool {
	if !f.require(variable, path, what) {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.add(variable, "%v", err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		f.add(variable, "%s holds no certificate in PEM", path)
	}
	return pool
}

// sealer opens the key, checks it, and returns who seals. It asks no TSA.
func (s *Settings) sealer(f *faults) *signing.Sealer {
	before := len(f.lines)
	level := signing.Level(s.SealLevel)
	if level != signing.BB && level != signing.BT {
		f.add("SEGELL_SEAL_LEVEL", "must be B-B or B-T")
	}
	roots := s.roots(f, "SEGELL_SEAL_ROOTS_FILE", s.SealRoots, "a PEM file of the roots that the seal's certificate leads to")
	var tsas []signing.TSA
	if level != signing.BB {
		tsaRoots := s.roots(f, "SEGELL_TSA_ROOTS_FILE", s.TSARoots, "a PEM file of the roots that time-stamps lead to")
		if f.require("SEGELL_TSA_URLS", s.TSAURLs, "the address of a time-stamping authority, which level B-T needs") {
			for address := range strings.SplitSeq(s.TSAURLs, ",") {
				tsas = append(tsas, signing.TSA{URL: strings.TrimSpace(address), Roots: tsaRoots})
			}
		}
	}
	var key signing.Key
	if f.require("SEGELL_SEAL_P12_FILE", s.SealP12, "the PKCS#12 file of the seal") {
		data, err := os.ReadFile(s.SealP12)
		if err != nil {
			f.add("SEGELL_SEAL_P12_FILE", "%v", err)
		} else if key, err = signing.OpenPKCS12(data, s.SealPassword); err != nil {
			f.add("SEGELL_SEAL_P12_FILE", "%v", err)
		}
	}
	if len(f.lines) > before {
		return nil
	}
	sealer, err := signing.NewSealer(signing.Config{Key: key, Roots: roots, Level: level, TSAs: tsas, Now: time.Now})
	if err != nil {
		f.add("SEGELL_SEAL_…", "%v", err)
	}
	return sealer
}

// logo returns the institution's mark as it was given and ready for documents,
// or nil and nil where none is set.
func (s *Settings) logo(f *faults) ([]byte, *layout.Mark) {
	if s.Logo == "" {
		return nil, nil
	}
	data, err := os.ReadFile(s.Logo)
	if err != nil {
		f.add("SEGELL_INSTITUTION_LOGO_FILE", "%v", err)
		return nil, nil
	}
	mark, err := layout.ReadMark(data)
	if err != nil {
		f.add("SEGELL_INSTITUTION_LOGO_FILE", "%v", err)
	}
	return data, mark
}

func (s *Settings) concurrency(f *faults) int {
	n, err := strconv.Atoi(s.Concurrency)
	if err != nil || n < 0 || n > 10_000 {
		f.add("SEGELL_CONCURRENCY", "must be a number from 0 to 10000")
	}
	return n
}

func (s *Settings) language(f *faults) string {
	if s.Language != "ca" && s.Language != "en" {
		f.add("SEGELL_LANGUAGE", "must be ca or en")
	}
	return s.Language
}

// configCmd prints the settings in force.
type configCmd struct{}

func (configCmd) Run(s *Settings, out *output) error {
	rows := [][]string{}
	value, kind := reflect.ValueOf(*s), reflect.TypeOf(*s)
	for i := range kind.NumField() {
		tag := kind.Field(i).Tag
		shown := value.Field(i).String()
		if _, secret := tag.Lookup("secret"); secret && shown != "" {
			shown = "(set, hidden)"
		}
		if shown == "" {
			shown = "(not set)"
		}
		rows = append(rows, []string{tag.Get("env"), shown})
	}
	if out.json {
		all := map[string]string{}
		for _, row := range rows {
			all[row[0]] = row[1]
		}
		return out.encode(all)
	}
	return out.table(nil, rows)
}

// errorWithHint is an error with a line on what to do about it.
type errorWithHint struct {
	error
	hint string
}

func (e errorWithHint) Unwrap() error { return e.error }

func hintOf(err error) string {
	var hinted errorWithHint
	if errors.As(err, &hinted) {
		return hinted.hint
	}
	return ""
}
