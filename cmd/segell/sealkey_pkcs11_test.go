//go:build pkcs11 && cgo

package main

import (
	"testing"

	"segell/internal/servers"
)

func TestSealsWithAKeyOnAToken(t *testing.T) {
	h := elsewhere(t)
	leaf := h.pki.Seal()
	token := servers.NewSoftHSM(t)
	token.Import(leaf.Key, "seal", []byte{1}, token.PIN)
	set(t, map[string]string{"SEGELL_SEAL_PKCS11_MODULE": token.Module, "SEGELL_SEAL_PKCS11_TOKEN": token.Token, "SEGELL_SEAL_PKCS11_KEY_LABEL": "seal",
		"SEGELL_SEAL_PKCS11_PIN_FILE": h.file("pin", token.PIN+"\n"), "SEGELL_SEAL_CERTIFICATES_FILE": h.certificates("seal.pem", append(leaf.Chain, leaf.Certificate)...)})
	code, words := segell("check")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	wantLines(t, words, `^ok +configuration `, `^ok +seal +a document was sealed at level B-T`)

	for variable, c := range map[string]struct{ value, faulted, says string }{
		"SEGELL_SEAL_PKCS11_TOKEN":     {"another", "SEGELL_SEAL_PKCS11_TOKEN", "no such token"},
		"SEGELL_SEAL_PKCS11_KEY_LABEL": {"another", "SEGELL_SEAL_PKCS11_KEY_LABEL", "no such key"},
		"SEGELL_SEAL_PKCS11_MODULE":    {"/no/such.so", "SEGELL_SEAL_PKCS11_MODULE", "/no/such.so cannot be loaded"},
		"SEGELL_SEAL_PKCS11_PIN_FILE":  {h.file("wrong-pin", "not the PIN"), "SEGELL_SEAL_PKCS11_PIN", "the token refuses the PIN"},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, c.value)
			code, words := segell("check")
			if code != 1 {
				t.Errorf("exit code %d", code)
			}
			wantLines(t, words, `^failed +configuration +`+c.faulted+` .*`+c.says)
		})
	}
}
