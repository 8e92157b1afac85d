package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"segell/intake"
	"segell/ledger"
)

type keysCmd struct {
	New keysNewCmd `cmd:"" help:"Make a keyset and an HMAC key in a folder. They are never overwritten."`
}

type keysNewCmd struct {
	Dir string `arg:"" help:"The folder, which is made if it is not there."`
}

func (c keysNewCmd) Run(out *output) error {
	keyset, err := ledger.NewKeyset()
	if err != nil {
		return err
	}
	hmacKey, err := ledger.NewHMACKey(rand.Reader)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	for _, file := range []struct {
		name, variable string
		text           []byte
	}{{"keyset.json", "SEGELL_LEDGER_KEYSET_FILE", keyset}, {"hmac-key", "SEGELL_LEDGER_HMAC_KEY_FILE", []byte(hmacKey + "\n")}} {
		path := filepath.Join(c.Dir, file.name)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return errorWithHint{fmt.Errorf("%s is there already", path), "who loses a ledger key loses every open request: it is never overwritten; choose another folder"}
		}
		if err != nil {
			return err
		}
		_, err = f.Write(file.text)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintf(out.w, "%s=%s\n", file.variable, path)
	}
	return nil
}

type tokenCmd struct {
	New tokenNewCmd `cmd:"" help:"Make a token for a client of the API."`
}

type tokenNewCmd struct {
	Client string `arg:"" help:"The client's name, such as portal."`
}

func (c tokenNewCmd) Run(out *output) error {
	token, line, err := intake.NewToken(c.Client)
	if err != nil {
		return err
	}
	if out.json {
		return out.encode(map[string]string{"token": token, "line": line})
	}
	_, err = fmt.Fprintf(out.w, "token, for the client alone:     %s\nline, for SEGELL_API_TOKENS_FILE: %s\n", token, line)
	return err
}
