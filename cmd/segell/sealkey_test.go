package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"segell/internal/servers"
	"segell/pki"
)

// set makes settings those of this test alone; an empty value unsets.
func set(t *testing.T, settings map[string]string) {
	t.Helper()
	for name, value := range settings {
		t.Setenv(name, value)
	}
}

// segell runs a command in this process.
func segell(args ...string) (code int, words string) {
	var out bytes.Buffer
	code = run(args, &out, &out)
	return code, out.String()
}

// wantLines wants a line for each expression.
func wantLines(t *testing.T, words string, expressions ...string) {
	t.Helper()
	for _, e := range expressions {
		if !regexp.MustCompile("(?m)" + e).MatchString(words) {
			t.Errorf("no line is %s in:\n%s", e, words)
		}
	}
}

// elsewhere is a house whose seal is not in a PKCS#12 file.
func elsewhere(t *testing.T) *house {
	t.Helper()
	h := newHouse(t, servers.RedisOptions{})
	delete(h.settings, "SEGELL_SEAL_P12_FILE")
	delete(h.settings, "SEGELL_SEAL_PASSWORD_FILE")
	set(t, h.settings)
	return h
}

// certificates writes a PEM file, in an order that nobody should have to think of.
func (h *house) certificates(name string, certificates ...*x509.Certificate) string {
	h.t.Helper()
	var text strings.Builder
	for _, c := range certificates {
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			h.t.Fatal(err)
		}
	}
	return h.file(name, text.String())
}

func TestSealsWithAKeyInKMS(t *testing.T) {
	h := elsewhere(t)
	kms := servers.NewKMS(t)
	id, leaf := keyInKMS(t, kms, h.pki)
	set(t, map[string]string{"SEGELL_SEAL_KMS_KEY_ID": id, "SEGELL_SEAL_KMS_REGION": kms.Region, "SEGELL_SEAL_KMS_ENDPOINT": kms.Endpoint,
		"SEGELL_SEAL_CERTIFICATES_FILE": h.certificates("seal.pem", append(leaf.Chain, leaf.Certificate)...)})
	code, words := segell("check")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	wantLines(t, words, `^ok +configuration `, `^ok +seal +a document was sealed at level B-T`)

	// Of another key.
	set(t, map[string]string{"SEGELL_SEAL_CERTIFICATES_FILE": h.certificates("other.pem", h.pki.Seal().Certificate)})
	if code, words = segell("check"); code != 1 {
		t.Errorf("exit code %d", code)
	}
	wantLines(t, words, `^failed +configuration +SEGELL_SEAL_KMS_KEY_ID .*does not belong to the certificate`)

	set(t, map[string]string{"SEGELL_SEAL_CERTIFICATES_FILE": h.certificates("authorities.pem", leaf.Chain...)})
	_, words = segell("check")
	wantLines(t, words, `^failed +configuration +SEGELL_SEAL_CERTIFICATES_FILE .*holds authorities alone`)
}

// keyInKMS makes a key and has it certified.
func keyInKMS(t *testing.T, kms *servers.KMS, authority *pki.Authority) (id string, leaf *pki.Leaf) {
	t.Helper()
	settings, err := config.LoadDefaultConfig(context.Background(), config.WithRegion(kms.Region))
	if err != nil {
		t.Fatal(err)
	}
	client := awskms.NewFromConfig(settings, func(o *awskms.Options) { o.BaseEndpoint = &kms.Endpoint })
	made, err := client.CreateKey(t.Context(), &awskms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetPublicKey(t.Context(), &awskms.GetPublicKeyInput{KeyId: made.KeyMetadata.KeyId})
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(got.PublicKey)
	if err == nil {
		leaf, err = authority.Certify(public, pki.LeafOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(made.KeyMetadata.KeyId), leaf
}

// What is wrong with the settings of a key is told all at once, each by its name, before any store is asked.
func TestSettingsOfTheSealsKey(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]string
		lines    []string
	}{
		"nothing": {nil, []string{`SEGELL_SEAL_P12_FILE is missing: .*SEGELL_SEAL_PKCS11_MODULE or SEGELL_SEAL_KMS_KEY_ID`}},
		"two places": {map[string]string{"SEGELL_SEAL_P12_FILE": "seal.p12", "SEGELL_SEAL_PKCS11_TOKEN": "hsm", "SEGELL_SEAL_KMS_REGION": "eu-south-2"},
			[]string{`SEGELL_SEAL_PKCS11_MODULE .*is set, and so is SEGELL_SEAL_P12_FILE`, `SEGELL_SEAL_KMS_KEY_ID .*is set, and so is SEGELL_SEAL_P12_FILE`}},
		"half a token": {map[string]string{"SEGELL_SEAL_PKCS11_SESSIONS": "many", "SEGELL_SEAL_PKCS11_KEY_ID": "xyz", "SEGELL_SEAL_PKCS11_PIN_FILE": "no-such-file"},
			[]string{`SEGELL_SEAL_PKCS11_MODULE is missing`, `SEGELL_SEAL_PKCS11_TOKEN is missing`, `SEGELL_SEAL_PKCS11_PIN cannot be read from the file`,
				`SEGELL_SEAL_PKCS11_KEY_ID must be hexadecimal`, `SEGELL_SEAL_PKCS11_SESSIONS must be a number from 1 to 256`}},
		"a token without its key": {map[string]string{"SEGELL_SEAL_PKCS11_MODULE": "/hsm.so"}, []string{`SEGELL_SEAL_PKCS11_KEY_LABEL is missing`, `SEGELL_SEAL_PKCS11_PIN is missing`}},
		"half a KMS":              {map[string]string{"SEGELL_SEAL_KMS_KEY_ID": "x"}, []string{`SEGELL_SEAL_KMS_REGION is missing`, `SEGELL_SEAL_CERTIFICATES_FILE is missing`}},
		"not certificates": {map[string]string{"SEGELL_SEAL_KMS_KEY_ID": "x", "SEGELL_SEAL_CERTIFICATES_FILE": "sealkey_test.go"},
			[]string{`SEGELL_SEAL_CERTIFICATES_FILE sealkey_test.go holds no certificate`}},
		"certificates of a file that has them": {map[string]string{"SEGELL_SEAL_P12_FILE": "x", "SEGELL_SEAL_CERTIFICATES_FILE": "x"}, []string{`SEGELL_SEAL_CERTIFICATES_FILE is for keys on a token`}},
	} {
		t.Run(name, func(t *testing.T) {
			set(t, c.settings)
			code, words := segell("check")
			if code != 1 {
				t.Errorf("exit code %d", code)
			}
			for _, line := range c.lines {
				wantLines(t, words, `^failed +configuration +`+line)
			}
		})
	}
}

func TestPINIsHidden(t *testing.T) {
	set(t, map[string]string{"SEGELL_SEAL_PKCS11_MODULE": "/no/such.so", "SEGELL_SEAL_PKCS11_TOKEN": "hsm", "SEGELL_SEAL_PKCS11_KEY_LABEL": "seal",
		"SEGELL_SEAL_PKCS11_PIN": "8-secret-7"})
	for _, command := range [][]string{{"config"}, {"config", "-json"}, {"check"}, {"worker"}} {
		if _, words := segell(command...); strings.Contains(words, "8-secret-7") {
			t.Errorf("%v shows the PIN:\n%s", command, words)
		}
	}
	_, words := segell("config")
	wantLines(t, words, `^SEGELL_SEAL_PKCS11_PIN +\(set, hidden\)`, `^SEGELL_SEAL_PKCS11_KEY_LABEL +seal`)
}

// The binary that `make build` makes is static, and so has no PKCS#11 in it.
func TestBuiltWithoutPKCS11(t *testing.T) {
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, "worker")
	command.Env = append(os.Environ(), "SEGELL_SEAL_PKCS11_MODULE=/hsm.so", "SEGELL_SEAL_PKCS11_TOKEN=hsm", "SEGELL_SEAL_PKCS11_KEY_ID=01", "SEGELL_SEAL_PKCS11_PIN=1234")
	words, err := command.CombinedOutput()
	if err == nil || command.ProcessState.ExitCode() != int(askedWrong) {
		t.Errorf("%v, exit code %d", err, command.ProcessState.ExitCode())
	}
	wantLines(t, string(words), `^  SEGELL_SEAL_PKCS11_MODULE +this binary was built without PKCS#11: build it with cgo and -tags pkcs11 \(make build-pkcs11\)`)
}
