//go:build !pkcs11 || !cgo

package pkcs11

import (
	"context"

	"segell/signing"
)

// Open returns ErrNotBuilt.
func Open(context.Context, Config) (signing.Key, error) { return nil, ErrNotBuilt }
