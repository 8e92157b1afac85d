package keytest_test

import (
	"context"
	"testing"

	"segell/pki"
	"segell/signing"
	"segell/signing/keytest"
)

// A key in a file is in the memory of the process and is never away.
func TestPKCS12(t *testing.T) {
	keytest.Run(t, keytest.Store{Make: func(t *testing.T, authority *pki.Authority, kind pki.KeyKind) keytest.Made {
		own, err := authority.Issue(pki.LeafOptions{Key: kind})
		if err != nil {
			t.Fatal(err)
		}
		return keytest.Made{Leaf: own, Open: func(_ context.Context, leaf *pki.Leaf) (signing.Key, error) {
			data, err := (&pki.Leaf{Key: own.Key, Certificate: leaf.Certificate, Chain: leaf.Chain}).PKCS12("prova")
			if err != nil {
				t.Fatal(err)
			}
			return signing.OpenPKCS12(data, "prova")
		}}
	}})
}
