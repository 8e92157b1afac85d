package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"segell/layout"
	"segell/ledger"
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
	APITokens string `name:"api-tokens" env:"SEGELL_API_TOKENS" group:"Doors" secret:"" help:"Who may use the API: tokens, hashed, a line each; 'segell token new NAME' makes one."`

	OIDCIssuer     string `name:"oidc-issuer" env:"SEGELL_OIDC_ISSUER" group:"Access" help:"Address of the OpenID Connect issuer whose access tokens the API takes besides its own."`
	OIDCAudience   string `name:"oidc-audience" env:"SEGELL_OIDC_AUDIENCE" group:"Access" help:"What those tokens must name as their audience."`
	OIDCKinds      string `name:"oidc-kinds-claim" env:"SEGELL_OIDC_KINDS_CLAIM" group:"Access" help:"Claim of those tokens that lists the kinds of document a client may ask for, if there is one."`
	OIDCRoots      string `name:"oidc-roots-file" env:"SEGELL_OIDC_ROOTS_FILE" group:"Access" help:"PEM file of the root certificates of the issuer's TLS, if it is no public one."`
	ClientCA       string `name:"tls-client-ca-file" env:"SEGELL_TLS_CLIENT_CA_FILE" group:"Access" help:"PEM file of the authorities that issue certificates to clients of the API."`
	ClientAuth     string `name:"tls-client-auth" env:"SEGELL_TLS_CLIENT_AUTH" group:"Access" default:"optional" help:"required: nobody uses the API without a client certificate; optional: only clients that have one listed need it."`
	APIRate        string `name:"api-rate" env:"SEGELL_API_RATE" group:"Access" default:"100" help:"Calls a second that a client may make which has no limits of its own; ten times as many at once."`
	PublicRate     string `name:"public-rate" env:"SEGELL_PUBLIC_RATE" group:"Access" default:"10" help:"Calls a second that an address may make of the public pages; fifteen times as many at once."`
	TrustedProxies string `name:"trusted-proxies" env:"SEGELL_TRUSTED_PROXIES" group:"Access" help:"Addresses or networks of the proxies whose X-Forwarded-For is believed, with commas between."`

	SealP12      string `name:"seal-p12-file" env:"SEGELL_SEAL_P12_FILE" group:"Seal" help:"PKCS#12 file with the seal's key, certificate and chain."`
	SealPassword string `name:"seal-password" env:"SEGELL_SEAL_PASSWORD" group:"Seal" secret:"" help:"Password of that file."`

	SealModule   string `name:"seal-pkcs11-module" env:"SEGELL_SEAL_PKCS11_MODULE" group:"Seal" help:"Instead of a PKCS#12 file: path of the PKCS#11 library of the token that keeps the key."`
	SealToken    string `name:"seal-pkcs11-token" env:"SEGELL_SEAL_PKCS11_TOKEN" group:"Seal" help:"Label of the token."`
	SealKeyLabel string `name:"seal-pkcs11-key-label" env:"SEGELL_SEAL_PKCS11_KEY_LABEL" group:"Seal" help:"Label of the private key on the token."`
	SealKeyID    string `name:"seal-pkcs11-key-id" env:"SEGELL_SEAL_PKCS11_KEY_ID" group:"Seal" help:"CKA_ID of the private key on the token, hexadecimal; label, ID or both."`
	SealPIN      string `name:"seal-pkcs11-pin" env:"SEGELL_SEAL_PKCS11_PIN" group:"Seal" secret:"" help:"The user's PIN of the token."`
	SealSessions string `name:"seal-pkcs11-sessions" env:"SEGELL_SEAL_PKCS11_SESSIONS" group:"Seal" help:"Signatures that the token makes at a time; 4 if not set."`

	SealKMSKey      string `name:"seal-kms-key-id" env:"SEGELL_SEAL_KMS_KEY_ID" group:"Seal" help:"Instead of a PKCS#12 file: ID, ARN or alias of the key in AWS KMS."`
	SealKMSRegion   string `name:"seal-kms-region" env:"SEGELL_SEAL_KMS_REGION" group:"Seal" help:"Region of that key, such as eu-south-2."`
	SealKMSEndpoint string `name:"seal-kms-endpoint" env:"SEGELL_SEAL_KMS_ENDPOINT" group:"Seal" help:"Address of AWS KMS, if it is another than the region's."`

	SealCertificates string `name:"seal-certificates-file" env:"SEGELL_SEAL_CERTIFICATES_FILE" group:"Seal" help:"PEM file of the certificate of a key in AWS KMS or on a token, and of the authorities above it; of these alone where the token has the certificate."`

	SealLevel  string `name:"seal-level" env:"SEGELL_SEAL_LEVEL" group:"Seal" default:"B-T" help:"PAdES level: B-B, B-T, B-LT or B-LTA. It is never lowered."`
	SealLevels string `name:"seal-levels" env:"SEGELL_SEAL_LEVELS" group:"Seal" help:"Levels of kinds that need another one, such as travel_form=B-T,points_extract=B-LTA."`
	SealRoots  string `name:"seal-roots-file" env:"SEGELL_SEAL_ROOTS_FILE" group:"Seal" help:"PEM file of the root certificates that the seal must lead to."`
	TSAURLs    string `name:"tsa-urls" env:"SEGELL_TSA_URLS" group:"Seal" help:"Addresses of time-stamping authorities (RFC 3161), in order, with commas between."`
	TSARoots   string `name:"tsa-roots-file" env:"SEGELL_TSA_ROOTS_FILE" group:"Seal" help:"PEM file of the root certificates that time-stamps must lead to."`
	Revocation string `name:"revocation-hosts" env:"SEGELL_REVOCATION_HOSTS" group:"Seal" help:"Hosts at which B-LT and B-LTA may ask whether a certificate was revoked (OCSP, lists), with commas between."`

	RenewWithin string `name:"renew-within" env:"SEGELL_RENEW_WITHIN" group:"Upkeep" default:"90" help:"Days before the end of its proof in which a document at B-LTA gets its next archive time-stamp."`
	RenewRate   string `name:"renew-rate" env:"SEGELL_RENEW_RATE" group:"Upkeep" default:"10" help:"Time-stamps a second that renewal asks for at most; a document costs two."`
	Retention   string `name:"retention" env:"SEGELL_RETENTION" group:"Upkeep" help:"How many days things are kept, such as default=90d,medical_voucher_abroad=1825d,records=3650d,failed=90d,keys=400d; without it for ever."`
	UpkeepEvery string `name:"upkeep-every" env:"SEGELL_UPKEEP_EVERY" group:"Upkeep" default:"24h" help:"How often the workers look what is to be renewed and what is left over."`

	ReconcileEvery string `name:"reconcile-every" env:"SEGELL_RECONCILE_EVERY" group:"Worker" default:"1m" help:"How often the workers look for requests without a job, as after Redis was emptied."`

	Institution string `name:"institution" env:"SEGELL_INSTITUTION" group:"Documents" default:"Caixa Andorrana de Seguretat Social" help:"Name of the institution, as printed."`
	Logo        string `name:"institution-logo-file" env:"SEGELL_INSTITUTION_LOGO_FILE" group:"Documents" help:"PNG file of the institution's mark."`

	ShutdownWithin string `name:"shutdown-within" env:"SEGELL_SHUTDOWN_WITHIN" group:"Worker" default:"20s" help:"How long begun documents may take when the process is asked to stop; then they are handed to other workers."`

	MostUnfinished string `name:"most-unfinished" env:"SEGELL_MOST_UNFINISHED" group:"Doors" default:"100000" help:"Requests that may be unfinished before no more are taken (429); those of batches are refused at three quarters."`

	Callbacks string `name:"callbacks" env:"SEGELL_CALLBACKS" group:"Callbacks" secret:"" help:"Where clients are told what became of their requests, in JSON; best as SEGELL_CALLBACKS_FILE. docs/portal.md tells its form."`

	Concurrency string `name:"concurrency" env:"SEGELL_CONCURRENCY" group:"Worker" default:"0" help:"Jobs at a time; 0: four per core."`
	Nice        string `name:"nice" env:"SEGELL_NICE" group:"Worker" default:"10" help:"How far a worker that is a process of its own steps back for others on its machine, 0 to 19, so that doors answer while documents are made."`

	ConsoleListen  string `name:"console-listen" env:"SEGELL_CONSOLE_LISTEN" group:"Console" help:"Where the console of staff listens, its API too: 127.0.0.1:8082 if not set; 'segell serve' runs it only where this is set. Never in public."`
	ConsoleURL     string `name:"console-url" env:"SEGELL_CONSOLE_URL" group:"Console" help:"Address of the console as staff reach it, such as https://console.example.ad; needed unless it is on loopback."`
	ConsoleTLSCert string `name:"console-tls-cert-file" env:"SEGELL_CONSOLE_TLS_CERT_FILE" group:"Console" help:"PEM file of the console's certificate and chain; without it a proxy must do TLS."`
	ConsoleTLSKey  string `name:"console-tls-key-file" env:"SEGELL_CONSOLE_TLS_KEY_FILE" group:"Console" help:"PEM file of the console's key."`
	ConsoleProxies string `name:"console-trusted-proxies" env:"SEGELL_CONSOLE_TRUSTED_PROXIES" group:"Console" help:"Addresses or networks of the proxies before the console whose X-Forwarded-For is believed, with commas between."`
	FourEyes       string `name:"bulk-four-eyes" env:"SEGELL_BULK_FOUR_EYES" group:"Console" default:"500" help:"Requests on which one person may act at once; for more a second must approve. 0: any number."`
	BulkRate       string `name:"bulk-rate" env:"SEGELL_BULK_RATE" group:"Console" default:"50" help:"Requests a second on which an act on many goes on at most."`

	RequireTOTP  string `name:"staff-require-totp" env:"SEGELL_STAFF_REQUIRE_TOTP" group:"Console" default:"true" help:"true: an account of the console's own may do nothing before it has a second factor; false: it may have one."`
	SessionIdle  string `name:"staff-session-idle" env:"SEGELL_STAFF_SESSION_IDLE" group:"Console" default:"30m" help:"How long a member of staff may do nothing before the session ends."`
	SessionMost  string `name:"staff-session-most" env:"SEGELL_STAFF_SESSION_MOST" group:"Console" default:"10h" help:"How long a session lasts at most."`
	StaffIssuer  string `name:"staff-oidc-issuer" env:"SEGELL_STAFF_OIDC_ISSUER" group:"Console" help:"Address of the OpenID Connect issuer at which staff log in; its return address is SEGELL_CONSOLE_URL with /login/oidc/return."`
	StaffClient  string `name:"staff-oidc-client-id" env:"SEGELL_STAFF_OIDC_CLIENT_ID" group:"Console" help:"The console's id at that issuer."`
	StaffSecret  string `name:"staff-oidc-client-secret" env:"SEGELL_STAFF_OIDC_CLIENT_SECRET" group:"Console" secret:"" help:"The console's secret there, if it has one."`
	StaffScopes  string `name:"staff-oidc-scopes" env:"SEGELL_STAFF_OIDC_SCOPES" group:"Console" help:"Scopes to ask for besides openid, with commas between, such as profile,email,groups."`
	StaffLogin   string `name:"staff-oidc-login-claim" env:"SEGELL_STAFF_OIDC_LOGIN_CLAIM" group:"Console" default:"preferred_username" help:"Claim that names a person in the audit trail for ever."`
	StaffDomain  string `name:"staff-oidc-domain" env:"SEGELL_STAFF_OIDC_DOMAIN" group:"Console" help:"Where that claim is an address of mail: the domain of staff, which is taken off; others are refused."`
	StaffClaim   string `name:"staff-oidc-roles-claim" env:"SEGELL_STAFF_OIDC_ROLES_CLAIM" group:"Console" default:"roles" help:"Claim that lists what a person is."`
	StaffRoles   string `name:"staff-oidc-roles" env:"SEGELL_STAFF_OIDC_ROLES" group:"Console" default:"look=look,act=act,audit=audit" help:"Which of its values is which role (look, act, audit), such as segell-clerks=act,auditors=audit."`
	StaffCARoots string `name:"staff-oidc-roots-file" env:"SEGELL_STAFF_OIDC_ROOTS_FILE" group:"Console" help:"PEM file of the root certificates of that issuer's TLS, if it is no public one."`

	AuditHeads string `name:"audit-heads-file" env:"SEGELL_AUDIT_HEADS_FILE" group:"Audit" help:"File outside the bucket, best on another volume, to which the heads of the audit trail are appended; 'segell audit verify --heads' compares with it."`

	Language string `name:"language" env:"SEGELL_LANGUAGE" group:"Staff" default:"ca" help:"Language of what staff read: ca or en."`
	LogLevel string `name:"log-level" env:"SEGELL_LOG_LEVEL" group:"Log" default:"info" help:"What is logged: debug, info, warn or error."`

	reread func() (*Settings, error) // the same arguments and the environment, read anew

	unread map[string]string // by variable, why the file that it names could not be read
}

// readFile is kong's resolver for what a file holds: the one that a variable
// with _FILE after it names. What goes wrong is told with all other faults, and
// only by a command that needs the setting.
func (s *Settings) readFile(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Tag == nil || len(flag.Tag.Envs) != 1 || strings.HasSuffix(flag.Tag.Envs[0], "_FILE") {
		return nil, nil
	}
	variable := flag.Tag.Envs[0]
	path := os.Getenv(variable + "_FILE")
	if path == "" {
		return nil, nil
	}
	if s.unread == nil {
		s.unread = map[string]string{}
	}
	if os.Getenv(variable) != "" {
		s.unread[variable] = "is set, and so is " + variable + "_FILE: unset one"
		return nil, nil
	}
	text, err := os.ReadFile(path)
	value := strings.TrimRight(string(text), "\r\n")
	switch {
	case err != nil:
		s.unread[variable] = fmt.Sprintf("cannot be read from the file that %s_FILE names: %v", variable, err)
	case value == "":
		s.unread[variable] = fmt.Sprintf("is empty in the file that %s_FILE names: %s", variable, path)
	default:
		return value, nil
	}
	return nil, nil
}

// A fault is what is wrong with one setting.
type fault struct {
	Variable string `json:"variable"`
	Detail   string `json:"detail"`
}

// faults collects what is wrong with the settings: one fault each.
type faults struct{ all []fault }

// faults begins with the files that could not be read, of the groups in use.
func (s *Settings) faults(groups ...string) *faults {
	f := &faults{}
	kind := reflect.TypeOf(*s)
	for i := range kind.NumField() {
		tag := kind.Field(i).Tag
		if detail, ok := s.unread[tag.Get("env")]; ok && slices.Contains(groups, tag.Get("group")) {
			f.add(tag.Get("env"), "%s", detail)
		}
	}
	return f
}

func (f *faults) has(variable string) bool {
	return slices.ContainsFunc(f.all, func(known fault) bool { return known.Variable == variable })
}

// add notes a fault, unless one of this setting is known: the first is the cause.
func (f *faults) add(variable, format string, args ...any) {
	if !f.has(variable) {
		f.all = append(f.all, fault{variable, fmt.Sprintf(format, args...)})
	}
}

func (f *faults) err() error {
	if len(f.all) == 0 {
		return nil
	}
	slices.SortFunc(f.all, func(a, b fault) int { return strings.Compare(a.Variable, b.Variable) })
	return errorWithHint{configError{f.all},
		"a setting is a variable, or a file named by the variable with _FILE after it, or a flag: `segell config --help` tells them all, `segell config` what is set", askedWrong}
}

type configError struct{ faults []fault }

func (e configError) Error() string {
	text := "the configuration is not right:"
	for _, fault := range e.faults {
		text += fmt.Sprintf("\n  %-28s %s", fault.Variable, fault.Detail)
	}
	return text
}

func (e configError) list() (string, any) { return "the configuration is not right", e.faults }

// require faults an empty value.
func (f *faults) require(variable, value, what string) bool {
	if value == "" {
		f.add(variable, "is missing: %s", what)
	}
	return value != ""
}

func (s *Settings) bucket(f *faults) *storage.Bucket {
	f.require("SEGELL_S3_ENDPOINT", s.S3Endpoint, "the address of the S3 server, such as https://s3.example.org")
	f.require("SEGELL_S3_BUCKET", s.S3Bucket, "the name of the bucket")
	f.require("SEGELL_S3_ACCESS_KEY", s.S3AccessKey, "the access key (better as SEGELL_S3_ACCESS_KEY_FILE)")
	f.require("SEGELL_S3_SECRET_KEY", s.S3SecretKey, "the secret key (better as SEGELL_S3_SECRET_KEY_FILE)")
	pathStyle, err := strconv.ParseBool(s.S3PathStyle)
	if err != nil {
		f.add("SEGELL_S3_PATH_STYLE", "must be true or false")
	}
	bucket, err := storage.Open(background(), storage.Config{Endpoint: s.S3Endpoint, PublicEndpoint: s.S3PublicEndpoint, Region: s.S3Region,
		Bucket: s.S3Bucket, AccessKey: s.S3AccessKey, SecretKey: s.S3SecretKey, PathStyle: pathStyle})
	for _, err := range parts(err) {
		var field *storage.ConfigError
		if errors.As(err, &field) {
			f.add(s3Variables[field.Field], "%s", field.Detail)
		} else {
			f.add("SEGELL_S3_ENDPOINT", "%v", err)
		}
	}
	return bucket
}

var s3Variables = map[string]string{"Endpoint": "SEGELL_S3_ENDPOINT", "PublicEndpoint": "SEGELL_S3_PUBLIC_ENDPOINT", "Region": "SEGELL_S3_REGION",
	"Bucket": "SEGELL_S3_BUCKET", "AccessKey": "SEGELL_S3_ACCESS_KEY", "SecretKey": "SEGELL_S3_SECRET_KEY"}

// parts takes an error apart that errors.Join put together, also below one that
// wraps it whole. An error that is one thing is its own part; nil has none.
func parts(err error) []error {
	switch e := err.(type) {
	case nil:
		return nil
	case interface{ Unwrap() []error }:
		var all []error
		var lines []string
		for _, part := range e.Unwrap() {
			all = append(all, parts(part)...)
			lines = append(lines, part.Error())
		}
		if err.Error() == strings.Join(lines, "\n") {
			return all
		}
	case interface{ Unwrap() error }:
		if all := parts(e.Unwrap()); len(all) > 1 {
			return all
		}
	}
	return []error{err}
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
	case strings.Trim(address.Path, "/") != "":
		f.add("SEGELL_PUBLIC_URL", "must have no path: the addresses printed on documents are /v/ and the code, right after the host")
	case address.Scheme == "http" && !loopback(address.Hostname()):
		f.add("SEGELL_PUBLIC_URL", "must begin with https:// (http:// is for loopback alone)")
	}
	return strings.TrimRight(s.PublicURL, "/")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
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
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if s.ClientCA != "" {
		// Asked of everybody, for browsers come to the same door; who needs one is
		// for the API to say.
		config.ClientCAs = s.roots(f, "SEGELL_TLS_CLIENT_CA_FILE", s.ClientCA, "")
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return config
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

func (s *Settings) tsaURLs() []string {
	urls := strings.Split(s.TSAURLs, ",")
	for i := range urls {
		urls[i] = strings.TrimSpace(urls[i])
	}
	return urls
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

// shutdownWithin is how long what was begun may go on after SIGTERM.
func (s *Settings) shutdownWithin(f *faults) time.Duration {
	within, err := time.ParseDuration(s.ShutdownWithin)
	if err != nil || within < 100*time.Millisecond || within > 10*time.Minute {
		f.add("SEGELL_SHUTDOWN_WITHIN", "must be a time from 100ms to 10m, such as 20s")
	}
	return within
}

// mostUnfinished is the bound of the backlog.
func (s *Settings) mostUnfinished(f *faults) int {
	n, err := strconv.Atoi(s.MostUnfinished)
	if err != nil || n < 100 || n > 10_000_000 {
		f.add("SEGELL_MOST_UNFINISHED", "must be a number from 100 to 10000000")
	}
	return n
}

func (s *Settings) language(f *faults) string {
	if s.Language != "ca" && s.Language != "en" {
		f.add("SEGELL_LANGUAGE", "must be ca or en")
	}
	return s.Language
}

// listeners checks the addresses that are listened on.
func (s *Settings) listeners(f *faults, r roles) {
	others := map[string]string{} // by address, the variable that has it
	check := func(variable, address string) {
		_, port, err := net.SplitHostPort(address)
		n, bad := strconv.Atoi(port)
		if err != nil || bad != nil || n < 0 || n > 65535 {
			f.add(variable, "must be host:port, such as 127.0.0.1:8080, or :8080 for every address of this machine")
		}
		if other, taken := others[address]; taken && n != 0 {
			f.add(variable, "must be another address than %s", other)
		}
		others[address] = variable
	}
	if r.doors {
		check("SEGELL_LISTEN", s.Listen)
	}
	if r.console {
		check("SEGELL_CONSOLE_LISTEN", s.consoleAddress())
	}
	check("SEGELL_ADMIN_LISTEN", s.Admin)
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func (s *Settings) logLevel(f *faults) {
	if _, ok := levels[s.LogLevel]; !ok {
		f.add("SEGELL_LOG_LEVEL", "must be debug, info, warn or error")
	}
}

// level is what a command logs: those that answer a person say only what is
// out of order.
func (s *Settings) level(command string) slog.Level {
	level := levels[s.LogLevel]
	if command != "serve" && command != "intake" && command != "worker" && command != "console" && level == slog.LevelInfo {
		return slog.LevelWarn
	}
	return level
}

// fileOf is the variable that names the file of a setting.
func fileOf(variable string) string { return strings.TrimSuffix(variable, "_FILE") + "_FILE" }

// configCmd prints the settings in force.
type configCmd struct{}

func (configCmd) Run(s *Settings, out *output) error {
	rows := [][]string{}
	value, kind := reflect.ValueOf(*s), reflect.TypeOf(*s)
	for i := range kind.NumField() {
		tag := kind.Field(i).Tag
		variable := tag.Get("env")
		if variable == "" {
			continue
		}
		shown := value.Field(i).String()
		_, secret := tag.Lookup("secret")
		switch {
		case s.unread[variable] != "":
			shown = "(" + s.unread[variable] + ")"
		case shown == "":
			shown = "(not set)"
		case secret:
			shown = "(set, hidden)"
		default:
			shown = withoutPasswords(shown)
		}
		rows = append(rows, []string{variable, shown})
		if file := os.Getenv(fileOf(variable)); file != "" && fileOf(variable) != variable {
			rows = append(rows, []string{fileOf(variable), file})
		}
	}
	for _, variable := range strangeVariables(os.Environ()) {
		fmt.Fprintf(out.stderr, "%s is no setting and is passed over: is it misspelled?\n", variable)
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

// withoutPasswords hides what stands between // and @ of an address. None is
// meant to be there; who puts one there all the same must not read it in a log.
func withoutPasswords(text string) string {
	return credentials.ReplaceAllString(text, "//(hidden)@")
}

var credentials = regexp.MustCompile(`//[^/,\s]*@`)
