package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"segell/ledger"
)

type keysCmd struct {
	New       keysNewCmd       `cmd:"" help:"Make a keyset and an HMAC key in a folder. They are never overwritten."`
	Rotate    keysRotateCmd    `cmd:"" help:"Say where a change of the encryption key stands, and what comes next."`
	Add       keysAddCmd       `cmd:"" help:"Step 1: add a key, which everybody reads and nobody writes with."`
	Promote   keysPromoteCmd   `cmd:"" help:"Step 2: write with the key that was added."`
	Reencrypt keysReencryptCmd `cmd:"" help:"Step 3: encrypt what still waits under an old key again."`
	Retire    keysRetireCmd    `cmd:"" help:"Step 4: take away the old key, when nothing lies under it."`
}

type keysNewCmd struct {
	Dir string `arg:"" help:"The folder, which is made if it is not there."`
}

func (c keysNewCmd) Run(out *output) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	keyset, err := ledger.NewKeyset()
	if err != nil {
		return err
	}
	hmacKey, err := ledger.NewHMACKey(rand.Reader)
	if err != nil {
		return err
	}
	files := []struct {
		path, variable string
		text           []byte
	}{{filepath.Join(dir, "keyset.json"), "SEGELL_LEDGER_KEYSET_FILE", keyset},
		{filepath.Join(dir, "hmac-key"), "SEGELL_LEDGER_HMAC_KEY_FILE", []byte(hmacKey + "\n")}}
	// Both or none: one new key beside an old one would be of no use.
	for _, file := range files {
		if _, err := os.Lstat(file.path); !errors.Is(err, fs.ErrNotExist) {
			return thereAlready(file.path)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	made := map[string]string{}
	for _, file := range files {
		f, err := os.OpenFile(file.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return thereAlready(file.path)
		}
		if err != nil {
			return err
		}
		_, err = f.Write(file.text)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
		made[file.variable] = file.path
	}
	if out.json {
		return out.encode(made)
	}
	for _, file := range files {
		fmt.Fprintf(out.w, "%s=%s\n", file.variable, file.path)
	}
	return nil
}

func thereAlready(path string) error {
	return errorWithHint{fmt.Errorf("%s is there already", path), "who loses a ledger key loses every open request: it is never overwritten; choose another folder", failed}
}
