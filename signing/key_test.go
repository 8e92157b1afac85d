package signing

import (
	"bytes"
	"encoding/pem"
	"strings"
	"testing"

	"segell/pki"
)

func TestReadCertificates(t *testing.T) {
	a := sharedPKI(t, pki.P256)
	other, err := a.Issue(pki.LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	leaf := certificatePEM(a.Seal().Certificate.Raw)
	authorities := append(certificatePEM(a.Root().Raw), certificatePEM(a.Intermediates()[0].Raw)...)

	for name, text := range map[string][]byte{"certificate first": append(bytes.Clone(leaf), authorities...),
		"certificate last, words between": append(append(bytes.Clone(authorities), "the seal:\n"...), leaf...), "twice": append(append(bytes.Clone(leaf), authorities...), leaf...)} {
		cert, chain, err := ReadCertificates(text)
		if err != nil || !cert.Equal(a.Seal().Certificate) || len(chain) != 2 {
			t.Errorf("%s: %v, %d authorities", name, err, len(chain))
		}
	}
	if cert, chain, err := ReadCertificates(authorities); err != nil || cert != nil || len(chain) != 2 {
		t.Errorf("authorities alone: %v, %v, %d", err, cert, len(chain))
	}
	for says, text := range map[string][]byte{
		"holds no certificate":            []byte("nothing"),
		"more than one certificate":       append(bytes.Clone(leaf), certificatePEM(other.Certificate.Raw)...),
		`a block "PRIVATE KEY"`:           append(bytes.Clone(leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})...),
		"a certificate that cannot be re": certificatePEM([]byte("x")),
	} {
		if _, _, err := ReadCertificates(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
