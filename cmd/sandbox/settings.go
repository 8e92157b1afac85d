package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"segell/storage"
)

// settingsName is the file in the sandbox's folder that lets the commands of staff
// reach it: `. FILE`, and then `segell jobs list`.
const settingsName = "env"

// writeSettings writes that file, for a shell, and returns its path.
func writeSettings(dir string, k *keys, redis string, bucket storage.Config) (string, error) {
	var keyset bytes.Buffer
	if err := json.Compact(&keyset, k.written.Keyset); err != nil {
		return "", fmt.Errorf("the keyset of the sandbox: %w", err)
	}
	settings := map[string]string{
		"SEGELL_REDIS_URL": redis, "SEGELL_S3_ENDPOINT": bucket.Endpoint, "SEGELL_S3_REGION": bucket.Region, "SEGELL_S3_BUCKET": bucket.Bucket,
		"SEGELL_S3_ACCESS_KEY": bucket.AccessKey, "SEGELL_S3_SECRET_KEY": bucket.SecretKey, "SEGELL_LEDGER_KEYSET": keyset.String(), "SEGELL_LEDGER_HMAC_KEY": k.written.HMAC,
		"SEGELL_AUDIT_HEADS_FILE": filepath.Join(dir, headsName),
	}
	lines := []string{"# The settings of this sandbox for segell's commands, good while it is up."}
	for name, value := range settings {
		lines = append(lines, "export "+name+"="+quote(value))
	}
	slices.Sort(lines[1:])
	path := filepath.Join(dir, settingsName)
	return path, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// quote makes one word of a text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
