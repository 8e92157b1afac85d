package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"segell/ledger"
	"segell/storage"
)

// settings are those of segell that are needed here.
type settings struct {
	storage storage.Config
	keyset  *ledger.Keyset
	hmacKey []byte
	redis   string // "": no index
}

// read takes the settings from variables, or from the files that they name.
func read(env func(string) string) (settings, error) {
	var faults []error
	get := func(name, otherwise string) string {
		value := env(name)
		if path := env(name + "_FILE"); value == "" && path != "" {
			text, err := os.ReadFile(path)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s_FILE: %w", name, err))
			}
			value = strings.TrimRight(string(text), "\r\n")
		}
		if value == "" {
			return otherwise
		}
		return value
	}
	s := settings{redis: get("SEGELL_REDIS_URL", ""), storage: storage.Config{
		Endpoint: get("SEGELL_S3_ENDPOINT", ""), Region: get("SEGELL_S3_REGION", "us-east-1"), Bucket: get("SEGELL_S3_BUCKET", ""),
		AccessKey: get("SEGELL_S3_ACCESS_KEY", ""), SecretKey: get("SEGELL_S3_SECRET_KEY", ""), PathStyle: get("SEGELL_S3_PATH_STYLE", "true") == "true"}}
	var err error
	if s.keyset, err = ledger.ReadKeyset([]byte(get("SEGELL_LEDGER_KEYSET", ""))); err != nil {
		faults = append(faults, fmt.Errorf("SEGELL_LEDGER_KEYSET: %w", err))
	}
	if s.hmacKey, err = ledger.ReadHMACKey(strings.TrimSpace(get("SEGELL_LEDGER_HMAC_KEY", ""))); err != nil {
		faults = append(faults, fmt.Errorf("SEGELL_LEDGER_HMAC_KEY: %w", err))
	}
	return s, errors.Join(faults...)
}
