package main

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"segell/access"
)

// access reads who may use the API, and how much.
func (s *Settings) access(f *faults) access.Config {
	c := access.Config{Rate: s.rate(f, "SEGELL_API_RATE", s.APIRate, 10), Public: s.rate(f, "SEGELL_PUBLIC_RATE", s.PublicRate, 15)}
	var err error
	if c.Proxies, err = access.ReadProxies(s.TrustedProxies); err != nil {
		f.add("SEGELL_TRUSTED_PROXIES", "%v", err)
	}
	if f.require("SEGELL_API_TOKENS", s.APITokens, "who may use the API, best as SEGELL_API_TOKENS_FILE; `segell token new NAME` makes a line") {
		if c.Clients, err = access.ReadClients(s.APITokens); err != nil {
			f.add("SEGELL_API_TOKENS", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	c.Issuer = s.issuer(f)
	if s.ClientAuth != access.CertificatesOptional && s.ClientAuth != access.CertificatesRequired {
		f.add("SEGELL_TLS_CLIENT_AUTH", "must be optional or required")
	} else if s.ClientCA != "" {
		c.Certificates = s.ClientAuth
	} else if s.ClientAuth == access.CertificatesRequired {
		f.add("SEGELL_TLS_CLIENT_CA_FILE", "is missing: SEGELL_TLS_CLIENT_AUTH requires certificates")
	}
	if s.ClientCA != "" && s.TLSCert == "" {
		f.add("SEGELL_TLS_CLIENT_CA_FILE", "needs SEGELL_TLS_CERT_FILE: client certificates are checked where TLS ends")
	}
	if c.Clients != nil {
		s.fit(f, c)
	}
	return c
}

// fit faults what does not go together: it says so at the start, not to the
// first client that comes.
func (s *Settings) fit(f *faults, c access.Config) {
	if s.OIDCIssuer != "" && c.Issuer == nil || f.has("SEGELL_TLS_CLIENT_AUTH") {
		return // told already
	}
	c.Now = time.Now
	_, err := access.New(c)
	for _, err := range parts(err) {
		f.add("SEGELL_API_TOKENS", "%s", strings.TrimPrefix(err.Error(), "access: "))
	}
}

func (s *Settings) issuer(f *faults) *access.Issuer {
	if s.OIDCIssuer == "" {
		for variable, value := range map[string]string{"SEGELL_OIDC_AUDIENCE": s.OIDCAudience, "SEGELL_OIDC_KINDS_CLAIM": s.OIDCKinds, "SEGELL_OIDC_ROOTS_FILE": s.OIDCRoots} {
			if value != "" {
				f.add(variable, "is set without SEGELL_OIDC_ISSUER")
			}
		}
		return nil
	}
	config := access.IssuerConfig{URL: s.OIDCIssuer, Audience: s.OIDCAudience, KindsClaim: s.OIDCKinds, Now: time.Now}
	if s.OIDCRoots != "" {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: s.roots(f, "SEGELL_OIDC_ROOTS_FILE", s.OIDCRoots, ""), MinVersion: tls.VersionTLS12}
		config.Client = &http.Client{Transport: transport, Timeout: 5 * time.Second}
	}
	issuer, err := access.NewIssuer(config)
	for _, err := range parts(err) {
		variable := "SEGELL_OIDC_ISSUER"
		if errors.Is(err, access.ErrAudience) {
			variable = "SEGELL_OIDC_AUDIENCE"
		}
		f.add(variable, "%v", err)
	}
	return issuer
}

// rate reads calls a second; burst is how many seconds' worth may come at once.
func (s *Settings) rate(f *faults, variable, text string, burst float64) access.Rate {
	perSecond, err := strconv.ParseFloat(text, 64)
	if err != nil || !(perSecond > 0 && perSecond <= 1e6) {
		f.add(variable, "must be calls a second: a number above 0")
		return access.Rate{}
	}
	return access.Rate{PerSecond: perSecond, Burst: max(1, int(perSecond*burst))}
}
