package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	fetchWithin = 5 * time.Second  // for one question to the issuer
	fetchPause  = 10 * time.Second // between two: a flood of unknown keys must not become one at the issuer
	keysFresh   = 5 * time.Minute  // a key that the issuer took back is believed no longer than this
	keysLast    = 24 * time.Hour   // while the issuer is away
	maxKeys     = 1 << 20          // bytes of a key set
)

// issuerKeys is the issuer's key set, fetched when a key is unknown or the set
// is old.
type issuerKeys struct {
	config IssuerConfig
	once   singleflight.Group // who needs the keys waits for one and the same answer

	mu      sync.Mutex
	address string // of the key set, once discovered
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were
	tried   time.Time // when it was last tried
	failed  error     // of the last try
}

func newIssuerKeys(c IssuerConfig) *issuerKeys { return &issuerKeys{config: c} }

// asking is the oidc.KeySet for one token: it keeps why the keys could not be
// had, which go-oidc's error does not tell.
type asking struct {
	*issuerKeys
	away bool
}

func (a *asking) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := a.verifySignature(ctx, token)
	a.away = errors.Is(err, ErrIssuerAway)
	return payload, err
}

// verifySignature returns what a token holds if a key of the issuer's signed it.
func (k *issuerKeys) verifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSigned(token, algorithms())
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errors.New("not a JWT with one signature")
	}
	header := signed.Signatures[0].Header
	keys, err := k.candidates(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if key.Algorithm != "" && key.Algorithm != header.Algorithm || key.Use != "" && key.Use != "sig" {
			continue
		}
		if payload, err := signed.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the issuer's signed it")
}

// candidates are the keys that could have signed a token: those with its key
// id, or all where it has none. The error is ErrIssuerAway.
func (k *issuerKeys) candidates(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	found, fetched, failed := k.known(id)
	now := k.config.Now()
	switch {
	case len(found) > 0 && now.Sub(fetched) <= keysFresh:
		return found, nil
	case len(found) > 0 && now.Sub(fetched) <= keysLast && failed != nil:
		go k.refresh(ctx) // it was away a moment ago: nobody waits for it
		return found, nil
	}
	k.refresh(ctx)
	found, fetched, failed = k.known(id)
	if k.config.Now().Sub(fetched) > keysLast || len(found) == 0 && failed != nil {
		return nil, ErrIssuerAway // with a new key, perhaps: it cannot be known
	}
	return found, nil
}

// refresh fetches the keys, unless that was tried a moment ago.
func (k *issuerKeys) refresh(ctx context.Context) {
	_, _, _ = k.once.Do("", func() (any, error) {
		k.mu.Lock()
		soon := k.config.Now().Sub(k.tried).Abs() < fetchPause
		k.mu.Unlock()
		if soon {
			return nil, nil
		}
		keys, err := k.fetch(context.WithoutCancel(ctx)) // who asked may hang up; others wait as well
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tried, k.failed = k.config.Now(), err
		if err == nil {
			k.keys, k.fetched = keys, k.tried
		}
		return nil, nil
	})
}

// known returns the keys with an id, when they were fetched, and what became of
// the last try.
func (k *issuerKeys) known(id string) ([]jose.JSONWebKey, time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found []jose.JSONWebKey
	for _, key := range k.keys {
		if id == "" || key.KeyID == id {
			found = append(found, key)
		}
	}
	return found, k.fetched, k.failed
}

// fetch discovers where the keys lie, once, and reads them. It runs once at a time.
func (k *issuerKeys) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, k.config.Client), fetchWithin)
	defer cancel()
	if k.address == "" {
		provider, err := oidc.NewProvider(ctx, k.config.URL)
		if err != nil {
			return nil, fmt.Errorf("asking the issuer for its description: %w", err)
		}
		var description struct {
			Keys string `json:"jwks_uri"`
		}
		if err := provider.Claims(&description); err != nil || description.Keys == "" {
			return nil, errors.New("the issuer's description names no keys")
		}
		if strings.HasPrefix(k.config.URL, "https://") && !strings.HasPrefix(description.Keys, "https://") {
			return nil, errors.New("the issuer's keys do not lie behind https")
		}
		k.address = description.Keys
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := k.config.Client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the issuer for its keys: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxKeys))
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking the issuer for its keys: status %d", answer.StatusCode)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("the issuer's keys are no key set")
	}
	// Secrets and private keys do not belong there; believed they could be used by anybody.
	keys := slices.DeleteFunc(set.Keys, func(key jose.JSONWebKey) bool { return !key.IsPublic() || !key.Valid() })
	if len(keys) == 0 {
		return nil, errors.New("the issuer's key set holds no public key")
	}
	return keys, nil
}
