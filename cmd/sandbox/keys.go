package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"segell/access"
	"segell/ledger"
)

// keys is what a sandbox keeps so that a restart reads what it wrote.
type keys struct {
	keyset   *ledger.Keyset
	hmac     []byte
	clients  *access.Clients
	token    string
	s3Access string
	s3Secret string
}

// keyFile is how they lie in keys.json.
type keyFile struct {
	Keyset    json.RawMessage `json:"keyset"`
	HMAC      string          `json:"hmac_key"`
	Token     string          `json:"api_token"`
	TokenLine string          `json:"api_token_line"`
	S3Secret  string          `json:"s3_secret"`
}

// openKeys reads the keys in dir, or makes them.
func openKeys(dir string) (*keys, error) {
	path := filepath.Join(dir, "keys.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeKeys(path)
	}
	if err != nil {
		return nil, err
	}
	var file keyFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s cannot be read (remove the sandbox's folder to start anew): %w", path, err)
	}
	k := &keys{token: file.Token, s3Access: "sandbox", s3Secret: file.S3Secret}
	if k.keyset, err = ledger.ReadKeyset(file.Keyset); err != nil {
		return nil, err
	}
	if k.hmac, err = ledger.ReadHMACKey(file.HMAC); err != nil {
		return nil, err
	}
	k.clients, err = access.ReadClients(file.TokenLine)
	return k, err
}

func makeKeys(path string) ([]byte, error) {
	var file keyFile
	var err error
	if file.Keyset, err = ledger.NewKeyset(); err != nil {
		return nil, err
	}
	if file.HMAC, err = ledger.NewHMACKey(rand.Reader); err != nil {
		return nil, err
	}
	if file.Token, file.TokenLine, err = access.NewToken("portal"); err != nil {
		return nil, err
	}
	file.S3Secret = rand.Text()
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return text, os.WriteFile(path, text, 0o600)
}
