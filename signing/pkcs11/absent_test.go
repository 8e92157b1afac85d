//go:build !pkcs11 || !cgo

package pkcs11

import (
	"errors"
	"strings"
	"testing"
)

func TestBinaryWithoutPKCS11SaysHowToBuildOne(t *testing.T) {
	if _, err := Open(t.Context(), Config{}); !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Error(err)
	}
}
