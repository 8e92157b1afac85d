package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Secret signs callbacks: 24 to 64 bytes that the client has too (Standard
// Webhooks, "Signature scheme"). It does not print itself.
type Secret struct{ bytes []byte }

const (
	secretPrefix = "whsec_"
	secretLeast  = 24
	secretMost   = 64
)

// ErrSecret says that a text is no secret of callbacks.
var ErrSecret = errors.New("not a secret of callbacks: whsec_ and 24 to 64 bytes in base 64 are expected; `segell callbacks secret` makes one")

// ReadSecret reads whsec_… . The error does not repeat it.
func ReadSecret(text string) (Secret, error) {
	coded, ok := strings.CutPrefix(text, secretPrefix)
	bits, err := base64.StdEncoding.Strict().DecodeString(coded)
	if !ok || err != nil || len(bits) < secretLeast || len(bits) > secretMost {
		return Secret{}, ErrSecret
	}
	return Secret{bits}, nil
}

// NewSecret draws a secret of 32 bytes and returns it as ReadSecret takes it.
func NewSecret(random io.Reader) (string, error) {
	var bits [32]byte
	if _, err := io.ReadFull(random, bits[:]); err != nil {
		return "", fmt.Errorf("drawing a secret of callbacks: %w", err)
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(bits[:]), nil
}

func (Secret) String() string   { return "(hidden)" }
func (Secret) GoString() string { return "notify.Secret(hidden)" }

// sign returns the header webhook-signature: one v1 signature for each secret,
// over id, time and body with full stops between.
func sign(secrets []Secret, id string, at time.Time, body []byte) string {
	var signatures []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret.bytes)
		io.WriteString(mac, id+"."+strconv.FormatInt(at.Unix(), 10)+".")
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " ")
}
