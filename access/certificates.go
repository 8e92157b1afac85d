package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
)

// boundName is a certificate that a client presents: by its hash or by a name
// that the authority wrote into it.
type boundName struct {
	kind  string // sha256, dns or uri
	value string
}

var errBoundName = errors.New("not a certificate's name")

func readBoundName(text string) (boundName, error) {
	kind, value, _ := strings.Cut(text, ":")
	name := boundName{kind, value}
	switch kind {
	case "sha256":
		name.value = strings.ToLower(strings.ReplaceAll(value, ":", ""))
		if digest, err := hex.DecodeString(name.value); err != nil || len(digest) != sha256.Size {
			return name, errBoundName
		}
	case "dns":
		name.value = strings.ToLower(value)
	case "uri":
	default:
		return name, errBoundName
	}
	if name.value == "" {
		return name, errBoundName
	}
	return name, nil
}

func (n boundName) names(certificate *x509.Certificate) bool {
	switch n.kind {
	case "sha256":
		sum := sha256.Sum256(certificate.Raw)
		return hex.EncodeToString(sum[:]) == n.value
	case "dns":
		for _, name := range certificate.DNSNames {
			if strings.ToLower(name) == n.value { // no wildcards: a certificate names one client
				return true
			}
		}
	case "uri":
		for _, uri := range certificate.URIs {
			if uri.String() == n.value {
				return true
			}
		}
	}
	return false
}

// certified says whether the connection of r carries the certificate that is
// needed: any at all where the operator requires it, one of the client's own
// where it has some listed, and the one that an access token is bound to by its
// thumbprint (RFC 8705 section 3.1; "" if it is bound to none). TLS has already
// proved that the peer holds the key and that the authority issued it.
func (g *Gate) certified(r *http.Request, who *client, thumbprint string) bool {
	var certificate *x509.Certificate
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		certificate = r.TLS.PeerCertificates[0]
	}
	if certificate == nil {
		return g.Certificates != CertificatesRequired && len(who.certificates) == 0 && thumbprint == ""
	}
	if thumbprint != "" {
		sum := sha256.Sum256(certificate.Raw)
		if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(thumbprint)) != 1 {
			return false
		}
	}
	for _, name := range who.certificates {
		if name.names(certificate) {
			return true
		}
	}
	return len(who.certificates) == 0
}
