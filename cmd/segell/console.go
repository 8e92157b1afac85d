package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"segell/access"
	"segell/audit"
	"segell/cmd/internal/press"
	desk "segell/staff"
)

// consoleListen is where `segell console` listens if nothing else is said.
const consoleListen = "127.0.0.1:8082"

// returnPath is where the issuer of staff sends a browser back to.
const returnPath = "/login/oidc/return"

// console reads the settings of the console. It must come after listeners.
func (s *Settings) console(f *faults) press.Console {
	c := press.Console{RequireTOTP: s.boolean(f, "SEGELL_STAFF_REQUIRE_TOTP", s.RequireTOTP), FourEyes: s.fourEyes(f), Rate: s.bulkRate(f)}
	c.Idle = s.sessionTime(f, "SEGELL_STAFF_SESSION_IDLE", s.SessionIdle, time.Minute, 12*time.Hour)
	c.Most = s.sessionTime(f, "SEGELL_STAFF_SESSION_MOST", s.SessionMost, 5*time.Minute, 7*24*time.Hour)
	if c.Idle > c.Most && c.Most > 0 {
		f.add("SEGELL_STAFF_SESSION_IDLE", "must not be longer than SEGELL_STAFF_SESSION_MOST")
	}
	c.URL = s.consoleURL(f)
	c.Secure = strings.HasPrefix(c.URL, "https://")
	var err error
	if c.Proxies, err = access.ReadProxies(s.ConsoleProxies); err != nil {
		f.add("SEGELL_CONSOLE_TRUSTED_PROXIES", "%v", err)
	}
	c.OIDC = s.staffIssuer(f, c.URL)
	return c
}

func (s *Settings) boolean(f *faults, variable, text string) bool {
	value, err := strconv.ParseBool(text)
	if err != nil {
		f.add(variable, "must be true or false")
	}
	return value
}

// fourEyes is how many requests one person may act on at once; 0: any number.
func (s *Settings) fourEyes(f *faults) int {
	n, err := strconv.Atoi(s.FourEyes)
	if err != nil || n < 0 || n > 10_000_000 {
		f.add("SEGELL_BULK_FOUR_EYES", "must be a number of requests; 0: any number needs no second person")
	}
	return n
}

// bulkRate is how many requests a second an act on many goes on.
func (s *Settings) bulkRate(f *faults) float64 {
	rate, err := strconv.ParseFloat(s.BulkRate, 64)
	if err != nil || !(rate > 0 && rate <= 10_000) {
		f.add("SEGELL_BULK_RATE", "must be requests a second: a number above 0, and 10000 at most")
	}
	return rate
}

func (s *Settings) sessionTime(f *faults, variable, text string, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		f.add(variable, "must be a time from %v to %v, such as 30m", least, most)
		return 0
	}
	return d
}

// consoleURL is the address of the console as staff reach it, without a slash at
// the end.
func (s *Settings) consoleURL(f *faults) string {
	scheme := "http://"
	if s.ConsoleTLSCert != "" {
		scheme = "https://"
	}
	if s.ConsoleURL == "" {
		if host, _, err := net.SplitHostPort(s.consoleAddress()); err == nil && !loopback(host) {
			f.add("SEGELL_CONSOLE_URL", "is missing: the address of the console as staff reach it, such as https://console.example.ad")
		}
		return scheme + s.consoleAddress()
	}
	address, err := url.Parse(s.ConsoleURL)
	switch {
	case err != nil || address.Scheme != "https" && address.Scheme != "http" || address.Host == "" || address.RawQuery != "" || address.Fragment != "" || address.User != nil || strings.Trim(address.Path, "/") != "":
		f.add("SEGELL_CONSOLE_URL", "must be an address without a path, such as https://console.example.ad")
	case address.Scheme == "http" && !loopback(address.Hostname()):
		f.add("SEGELL_CONSOLE_URL", "must begin with https:// (http:// is for loopback alone): passwords are typed there")
	case s.PublicURL != "" && strings.TrimRight(s.ConsoleURL, "/") == strings.TrimRight(s.PublicURL, "/"):
		f.add("SEGELL_CONSOLE_URL", "must be another address than SEGELL_PUBLIC_URL: the console is not for the public")
	}
	return strings.TrimRight(s.ConsoleURL, "/")
}

// consoleAddress is where the console listens.
func (s *Settings) consoleAddress() string {
	if s.ConsoleListen == "" {
		return consoleListen
	}
	return s.ConsoleListen
}

// consoleTLS returns nil where the console speaks plain HTTP, behind a proxy.
func (s *Settings) consoleTLS(f *faults) *tls.Config {
	if s.ConsoleTLSCert == "" && s.ConsoleTLSKey == "" {
		return nil
	}
	if s.ConsoleTLSCert == "" || s.ConsoleTLSKey == "" {
		f.add("SEGELL_CONSOLE_TLS_CERT_FILE", "and SEGELL_CONSOLE_TLS_KEY_FILE go together: set both or none")
		return nil
	}
	certificate, err := tls.LoadX509KeyPair(s.ConsoleTLSCert, s.ConsoleTLSKey)
	if err != nil {
		f.add("SEGELL_CONSOLE_TLS_CERT_FILE", "%v", err)
		return nil
	}
	if s.ConsoleURL != "" && !strings.HasPrefix(s.ConsoleURL, "https://") {
		f.add("SEGELL_CONSOLE_URL", "must begin with https://: the console speaks TLS")
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

// staffIssuer is the issuer at which staff log in, or nil: then the console knows
// only accounts of its own.
func (s *Settings) staffIssuer(f *faults, console string) *desk.OIDC {
	if s.StaffIssuer == "" {
		for variable, value := range map[string]string{"SEGELL_STAFF_OIDC_CLIENT_ID": s.StaffClient, "SEGELL_STAFF_OIDC_DOMAIN": s.StaffDomain,
			"SEGELL_STAFF_OIDC_SCOPES": s.StaffScopes, "SEGELL_STAFF_OIDC_ROOTS_FILE": s.StaffCARoots} {
			if value != "" {
				f.add(variable, "is set without SEGELL_STAFF_OIDC_ISSUER")
			}
		}
		return nil
	}
	issuer, err := url.Parse(s.StaffIssuer)
	if err != nil || issuer.Host == "" || issuer.User != nil || issuer.Scheme != "https" && !(issuer.Scheme == "http" && loopback(issuer.Hostname())) {
		f.add("SEGELL_STAFF_OIDC_ISSUER", "must be an address that begins with https://")
	}
	f.require("SEGELL_STAFF_OIDC_CLIENT_ID", s.StaffClient, "the console's id at the issuer of staff")
	f.require("SEGELL_STAFF_OIDC_ROLES_CLAIM", s.StaffClaim, "the claim that lists what a person is")
	c := &desk.OIDC{Issuer: s.StaffIssuer, ClientID: s.StaffClient, ClientSecret: s.StaffSecret, RedirectURL: console + returnPath,
		LoginClaim: s.StaffLogin, Domain: s.StaffDomain, RolesClaim: s.StaffClaim, Roles: s.staffRoles(f), Client: &http.Client{Timeout: 10 * time.Second}}
	for scope := range strings.SplitSeq(s.StaffScopes, ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			c.Scopes = append(c.Scopes, scope)
		}
	}
	if s.StaffCARoots != "" {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: s.roots(f, "SEGELL_STAFF_OIDC_ROOTS_FILE", s.StaffCARoots, ""), MinVersion: tls.VersionTLS12}
		c.Client.Transport = transport
	}
	return c
}

// staffRoles reads which value of the claim is which role.
func (s *Settings) staffRoles(f *faults) map[string]desk.Role {
	roles := map[string]desk.Role{}
	for pair := range strings.SplitSeq(s.StaffRoles, ",") {
		// A value may be a name with "=" in it, as of a directory.
		at := strings.LastIndex(pair, "=")
		if at < 1 {
			f.add("SEGELL_STAFF_OIDC_ROLES", "must be pairs such as segell-clerks=act,auditors=audit")
			return nil
		}
		value, role := strings.TrimSpace(pair[:at]), desk.Role(strings.TrimSpace(pair[at+1:]))
		if role != desk.Look && role != desk.Act && role != desk.Audit {
			f.add("SEGELL_STAFF_OIDC_ROLES", "%q is no role: they are look, act and audit", role)
			return nil
		}
		roles[value] = role
	}
	return roles
}

// auditHeads refuses a file to which the heads of the audit trail could not be
// appended.
func (s *Settings) auditHeads(f *faults) string {
	if err := (audit.Heads{File: s.AuditHeads}).Check(); err != nil {
		f.add("SEGELL_AUDIT_HEADS_FILE", "%v", err)
	}
	return s.AuditHeads
}

// checkConsole looks at what the console needs of others, as far as that can be
// seen from outside.
func checkConsole(ctx context.Context, s *Settings, c press.Console, add func(what, result, format string, args ...any)) {
	if !c.Secure && !loopback(hostOf(c.URL)) {
		return // told as a fault of the configuration
	}
	if s.AuditHeads == "" {
		add("audit trail", "warning", "SEGELL_AUDIT_HEADS_FILE is not set: that the end of the trail was cut off shows only in the logs")
	}
	if c.OIDC == nil {
		return
	}
	if err := askIssuer(ctx, c.OIDC); err != nil {
		add("issuer of staff", "warning", "SEGELL_STAFF_OIDC_ISSUER: %v; staff cannot log in there until it answers", err)
		return
	}
	add("issuer of staff", "ok", "it describes itself; it must know %s as a return address", c.OIDC.RedirectURL)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// askIssuer reads the issuer's description of itself (OpenID Connect Discovery
// 1.0, 4) and compares its name.
func askIssuer(ctx context.Context, issuer *desk.OIDC) error {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, issuer.Client), 10*time.Second)
	defer cancel()
	_, err := oidc.NewProvider(ctx, issuer.Issuer)
	return err
}
