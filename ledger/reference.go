package ledger

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrReference says that a text is no reference that this ledger gave out for
// this purpose, or is one that it cannot read any more.
var ErrReference = errors.New("not a reference that was given out here")

// referenceMost bounds what is read as a reference, in characters.
const referenceMost = 2048

// Refer makes an opaque text of v, for clients to keep and to send back. It is
// encrypted and bound to its purpose and its client: it tells nothing, cannot be
// altered, and is of no use to another. v is what encoding/json can write.
func (l *Ledger) Refer(purpose, client string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding a reference: %w", err)
	}
	sealed, err := l.keyset.seal(plain, l.mac("reference", purpose, client))
	if err != nil {
		return "", fmt.Errorf("encrypting a reference: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Resolve reads what Refer made into v, or returns ErrReference. Whatever the
// reason, it says no more than that.
func (l *Ledger) Resolve(purpose, client, reference string, v any) error {
	if len(reference) > referenceMost {
		return ErrReference
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(reference)
	if err != nil {
		return ErrReference
	}
	plain, err := l.keyset.open(sealed, l.mac("reference", purpose, client))
	if err != nil || json.Unmarshal(plain, v) != nil {
		return ErrReference
	}
	return nil
}
