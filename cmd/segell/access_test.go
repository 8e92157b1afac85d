package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"segell/access"
)

// selfSigned writes a certificate that is its own authority, and its key.
func selfSigned(t *testing.T, dir, name string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

// The settings of TLS, as they are read, over a real connection: everybody gets
// to the public pages, and to the API who has the certificate.
func TestClientCertificatesBySettings(t *testing.T) {
	dir := t.TempDir()
	serverCert, serverKey := selfSigned(t, dir, "localhost")
	clientCert, clientKey := selfSigned(t, dir, "portal.example")
	token, line, err := access.NewToken("portal")
	if err != nil {
		t.Fatal(err)
	}
	s := &Settings{TLSCert: serverCert, TLSKey: serverKey, ClientCA: clientCert, ClientAuth: "required", APIRate: "100", PublicRate: "10",
		APITokens: line + "\nportal cert:dns:portal.example"}
	f := &faults{}
	config, gateConfig := s.tls(f), s.access(f)
	if err := f.err(); err != nil {
		t.Fatal(err)
	}
	gateConfig.Now = time.Now
	gate, err := access.New(gateConfig)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/v/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		if _, refusal := gate.Admit(r); refusal != nil {
			w.WriteHeader(refusal.Status)
		}
	})
	server := httptest.NewUnstartedServer(mux)
	server.TLS = config
	server.StartTLS()
	defer server.Close()
	own, err := tls.LoadX509KeyPair(clientCert, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	text, err := os.ReadFile(serverCert)
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	for _, try := range []struct {
		path         string
		certificates []tls.Certificate
		status       int
	}{{"/v/", nil, 200}, {"/v1/", nil, 401}, {"/v1/", []tls.Certificate{own}, 200}} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: try.certificates}, DisableKeepAlives: true}}
		request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+try.path, bytes.NewReader(nil))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != try.status {
			t.Errorf("%s with %d certificates: %d, want %d", try.path, len(try.certificates), answer.StatusCode, try.status)
		}
	}
	// TLS that ends elsewhere cannot check them.
	f = &faults{}
	(&Settings{ClientCA: clientCert, ClientAuth: "optional", APIRate: "1", PublicRate: "1", APITokens: line}).access(f)
	if !f.has("SEGELL_TLS_CLIENT_CA_FILE") {
		t.Errorf("client certificates without TLS of our own were taken: %+v", f.all)
	}
}
