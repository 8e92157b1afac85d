package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"segell/access"
	"segell/ledger"
)

// keys is what a sandbox keeps so that a restart reads what it wrote.
type keys struct {
	keyset   *ledger.Keyset
	hmac     []byte
	written  keyFile // both as they are written
	clients  *access.Clients
	token    string
	s3Access string
	s3Secret string

	office    string            // token of a second client, which only -troubles has
	passwords map[string]string // of the members of staff, by login
}

// keyFile is how they lie in keys.json.
type keyFile struct {
	Keyset    json.RawMessage `json:"keyset"`
	HMAC      string          `json:"hmac_key"`
	Token     string          `json:"api_token"`
	TokenLine string          `json:"api_token_line"`
	S3Secret  string          `json:"s3_secret"`

	Office     string            `json:"office_token"`
	OfficeLine string            `json:"office_token_line"`
	Passwords  map[string]string `json:"staff_passwords"`
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
	if err := file.complete(path); err != nil {
		return nil, err
	}
	k := &keys{written: file, token: file.Token, s3Access: "sandbox", s3Secret: file.S3Secret, office: file.Office, passwords: file.Passwords}
	if k.keyset, err = ledger.ReadKeyset(file.Keyset); err != nil {
		return nil, err
	}
	if k.hmac, err = ledger.ReadHMACKey(file.HMAC); err != nil {
		return nil, err
	}
	k.clients, err = access.ReadClients(file.TokenLine + "\n" + file.OfficeLine)
	return k, err
}

// complete adds what the folder of an earlier version lacks.
func (file *keyFile) complete(path string) error {
	before := len(file.Passwords)
	if file.Passwords == nil {
		file.Passwords = map[string]string{}
	}
	for _, member := range members {
		if file.Passwords[member.Login] == "" {
			file.Passwords[member.Login] = strings.ToLower(rand.Text())
		}
	}
	if file.Office != "" && len(file.Passwords) == before {
		return nil
	}
	if file.Office == "" {
		var err error
		if file.Office, file.OfficeLine, err = access.NewToken(office); err != nil {
			return err
		}
	}
	return file.write(path)
}

func (file *keyFile) write(path string) error {
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
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
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := file.write(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
